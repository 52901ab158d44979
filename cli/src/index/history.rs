//! Events out of transaction logs, stream by stream.

use super::recording::Recording;
use super::report::Finding;
use flagstone_sdk::events;
use flagstone_sdk::index_engine::audit::Recorded;
use flagstone_sdk::index_engine::invoice::Invoice;
use solana_address::Address;
use std::collections::BTreeMap;

/// Streams by address; within each, events in the order of the log.
pub(super) type Streams = BTreeMap<Address, Vec<Vec<u8>>>;

/// Everything that the index-vault wrote.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Events by stream.
    pub(super) streams: Streams,
    /// All events in the order in which they happened.
    pub(super) order: Vec<(Address, usize)>,
    /// Invoices.
    pub(super) invoices: Vec<Invoice>,
    /// Things to know that are not wrong.
    pub(super) notes: Vec<String>,
}

impl History {
    /// Takes the logs apart. Only what the index-vault itself wrote in
    /// transactions that succeeded is believed.
    pub(super) fn read(recording: &Recording, findings: &mut Vec<Finding>) -> Self {
        let mut history = Self::default();
        let (mut last_slot, mut failed, mut cut) = (0, 0, 0);
        for (at, transaction) in recording.transactions.iter().enumerate() {
            let name = format!("transaction {} in slot {}", at + 1, transaction.slot);
            if transaction.slot < last_slot {
                findings.push(Finding::log(format!(
                    "{name}: it comes after slot {last_slot}"
                )));
            }
            last_slot = transaction.slot.max(last_slot);
            let logs = &transaction.logs;
            if transaction.err.is_some() || events::failed(logs).is_some() {
                failed += 1;
                continue;
            }
            cut += u64::from(events::is_cut(logs));
            history.invoices.extend(events::index_invoices(logs));
            for record in events::index_events(logs) {
                history.take(record, transaction.slot, &name, findings);
            }
        }
        if failed > 0 {
            let what = format!("{failed} transactions failed; what they logged did not happen");
            history.notes.push(what);
        }
        if cut > 0 {
            history.notes.push(format!(
                "{cut} logs were cut; events may be missing from them"
            ));
        }
        history
    }

    fn take(&mut self, record: Vec<u8>, slot: u64, name: &str, findings: &mut Vec<Finding>) {
        let Some(event) = Recorded::parse(&record) else {
            let what = format!("{name}: a record that starts as an event is none");
            findings.push(Finding::log(what));
            return;
        };
        let (stream, number) = (Address::from(event.head.stream), event.head.sequence);
        if u64::from(event.head.slot.0) != slot {
            let what = format!(
                "it says slot {}, and was logged in slot {slot}",
                event.head.slot.0
            );
            findings.push(Finding::at(&stream, Some(number), what));
        }
        let events = self.streams.entry(stream).or_default();
        self.order.push((stream, events.len()));
        events.push(record);
    }

    /// The events of a stream.
    pub(super) fn of(&self, stream: &Address) -> Vec<&[u8]> {
        let events = self.streams.get(stream).into_iter().flatten();
        events.map(Vec::as_slice).collect()
    }
}

/// The ends of an address, enough to know it by.
pub(super) fn short(address: &str) -> String {
    match (
        address.get(..6),
        address.get(address.len().saturating_sub(4)..),
    ) {
        (Some(first), Some(last)) if address.len() > 12 => format!("{first}..{last}"),
        _ => address.to_owned(),
    }
}
