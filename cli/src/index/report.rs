//! What an audit says.

use super::history::short;
use crate::print::tell;
use crate::table::{grouped, numbers};
use comfy_table::Table;
use serde::Serialize;
use solana_address::Address;
use std::fmt;

/// Verdict on a stream that came out of the engine as it is.
pub(crate) const REPLAYED: &str = "replayed";

/// One stream.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Stream {
    /// Kind of record.
    pub(crate) kind: &'static str,
    /// Address of the record.
    pub(crate) address: String,
    /// Events in the logs.
    pub(crate) events: u64,
    /// Slot of the first event.
    pub(crate) first_slot: Option<u32>,
    /// Slot of the last event.
    pub(crate) last_slot: Option<u32>,
    /// What came of it.
    pub(crate) verdict: &'static str,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// Address of the record that it is about; none for a log as such.
    pub(crate) stream: Option<String>,
    /// Number of the event in its stream.
    pub(crate) event: Option<u64>,
    /// What is wrong.
    pub(crate) what: String,
}

impl Finding {
    /// About a record.
    pub(crate) fn at(stream: &Address, event: Option<u64>, what: impl Into<String>) -> Self {
        Self {
            stream: Some(stream.to_string()),
            event,
            what: what.into(),
        }
    }

    /// About a transaction's log.
    pub(crate) fn log(what: String) -> Self {
        Self {
            stream: None,
            event: None,
            what,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(stream) = &self.stream {
            write!(f, "{stream}, ")?;
        }
        if let Some(event) = self.event {
            write!(f, "event {event}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// A sum over several records that was compared.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sum {
    /// What was compared, with the numbers.
    pub(crate) what: String,
    /// Whether it holds.
    pub(crate) holds: bool,
}

/// What an audit found out.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Report {
    /// Streams in order of kind and address.
    pub(crate) streams: Vec<Stream>,
    /// Sums over streams.
    pub(crate) sums: Vec<Sum>,
    /// What is wrong.
    pub(crate) findings: Vec<Finding>,
    /// Things to know that are not wrong.
    pub(crate) notes: Vec<String>,
}

impl Report {
    /// Events of all streams together.
    pub(crate) fn events(&self) -> u64 {
        self.streams.iter().map(|stream| stream.events).sum()
    }

    /// One row per stream.
    pub(crate) fn table(&self) -> Table {
        let slot = |slot: Option<u32>| slot.map(grouped).unwrap_or_default();
        let rows = self.streams.iter().map(|stream| {
            vec![
                format!("{} {}", stream.kind, short(&stream.address)),
                grouped(stream.events as i128),
                slot(stream.first_slot),
                slot(stream.last_slot),
                stream.verdict.to_owned(),
            ]
        });
        let headers = ["stream", "events", "first slot", "last slot", "verdict"];
        numbers(&headers, rows.collect())
    }

    /// One row per kind of record.
    pub(crate) fn summary(&self) -> Table {
        let mut kinds: Vec<&'static str> = Vec::new();
        for stream in &self.streams {
            if !kinds.contains(&stream.kind) {
                kinds.push(stream.kind);
            }
        }
        let rows = kinds.into_iter().map(|kind| {
            let streams = || self.streams.iter().filter(|stream| stream.kind == kind);
            let verdict = |name: &str| streams().filter(|it| it.verdict == name).count() as i128;
            vec![
                kind.to_owned(),
                grouped(streams().count() as i128),
                grouped(streams().map(|stream| stream.events).sum::<u64>()),
                grouped(verdict(REPLAYED)),
            ]
        });
        let headers = ["kind", "streams", "events", "replayed"];
        numbers(&headers, rows.collect())
    }

    /// Prints everything for people.
    pub(crate) fn print(&self) {
        tell!("{}", self.table());
        for sum in &self.sums {
            let mark = if sum.holds { "ok" } else { "BROKEN" };
            tell!("  [{mark}] {}", sum.what);
        }
        for note in &self.notes {
            tell!("  note: {note}");
        }
        for finding in &self.findings {
            tell!("  finding: {finding}");
        }
        tell!(
            "{} streams, {} events, {} findings",
            self.streams.len(),
            self.events(),
            self.findings.len()
        );
    }
}
