//! The audit: every stream replayed from nothing, and what adds up across them.

use super::history::History;
use super::links;
use super::money;
use super::recording::Recording;
use super::records::{Kept, Kind, Records};
use super::report::{Finding, REPLAYED, Report, Stream};
use flagstone_sdk::events::sha256;
use flagstone_sdk::index;
use flagstone_sdk::index_engine::amounts::value_floor;
use flagstone_sdk::index_engine::audit::{self, Audited, DeskHistory, Fault, Recorded, Traded};
use flagstone_sdk::index_engine::batch::BatchLot;
use flagstone_sdk::index_engine::inventory::{Fill, Inventory};
use flagstone_sdk::index_engine::records::{IndexHead, MarketHead};
use flagstone_sdk::index_engine::roles::Desk;
use flagstone_sdk::read_record;
use flagstone_sdk::units::Side;
use solana_address::Address;
use std::collections::BTreeMap;

/// Everything of a recording, taken apart.
pub(super) struct Case<'a> {
    /// The recording itself.
    pub(super) recording: &'a Recording,
    /// Accounts.
    pub(super) records: &'a Records<'a>,
    /// Events.
    pub(super) history: &'a History,
    /// Events by stream, as slices.
    pub(super) slices: &'a BTreeMap<Address, Vec<&'a [u8]>>,
}

impl<'a> Case<'a> {
    /// The events of a stream.
    pub(super) fn events(&self, stream: &Address) -> &'a [&'a [u8]] {
        self.slices.get(stream).map_or(&[], Vec::as_slice)
    }
}

/// Audits a recording.
pub(crate) fn run(recording: &Recording) -> Report {
    let mut report = Report::default();
    let history = History::read(recording, &mut report.findings);
    let records = Records::read(recording, &mut report);
    let streams = history.streams.keys();
    let slices = streams
        .map(|stream| (*stream, history.of(stream)))
        .collect();
    let case = Case {
        recording,
        records: &records,
        history: &history,
        slices: &slices,
    };
    report.notes.extend(history.notes.iter().cloned());
    let traded = streams_of(&case, &mut report);
    strangers(&case, &mut report);
    links::check(&case, &mut report.findings);
    money::check(&case, &traded, &mut report);
    report
}

/// Replays every stream that has an account; what orders did to their indices.
fn streams_of(case: &Case, report: &mut Report) -> BTreeMap<Address, Traded> {
    let mut replay = Replay {
        case,
        desks: BTreeMap::new(),
        traded: BTreeMap::new(),
    };
    for kept in &case.records.kept {
        let verdict = match replay.stream(kept) {
            Ok(true) => REPLAYED,
            Ok(false) => "closed: chain only",
            Err(wrong) => {
                report.findings.push(wrong.finding(&kept.address));
                "BROKEN"
            }
        };
        let events = case.events(&kept.address);
        report
            .streams
            .push(row(kept.kind.name(), &kept.address, events, verdict));
    }
    replay.traded
}

/// Streams that no account was given for.
fn strangers(case: &Case, report: &mut Report) {
    for (stream, events) in case.slices {
        if case.records.kept.iter().any(|kept| kept.address == *stream) {
            continue;
        }
        let last = events.last().and_then(|bytes| Recorded::parse(bytes));
        let number = last.map(|event| event.head.sequence);
        let what = "the logs have its events up to this one, and there is no account";
        report.findings.push(Finding::at(stream, number, what));
        report
            .streams
            .push(row("unknown", stream, events, "NO ACCOUNT"));
    }
}

fn row(kind: &'static str, address: &Address, events: &[&[u8]], verdict: &'static str) -> Stream {
    let slot = |bytes: Option<&&[u8]>| {
        let event = bytes.and_then(|bytes| Recorded::parse(bytes))?;
        Some(event.head.slot.0)
    };
    Stream {
        kind,
        address: address.to_string(),
        events: events.len() as u64,
        first_slot: slot(events.first()),
        last_slot: slot(events.last()),
        verdict,
    }
}

/// Why a stream does not hold.
enum Wrong {
    Fault(Fault),
    Missing(&'static str),
}

impl Wrong {
    fn finding(self, stream: &Address) -> Finding {
        match self {
            Self::Fault(fault) => {
                Finding::at(stream, Some(fault.sequence), fault.reason.to_string())
            }
            Self::Missing(what) => Finding::at(stream, None, what),
        }
    }
}

impl From<Fault> for Wrong {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

struct Replay<'a> {
    case: &'a Case<'a>,
    desks: BTreeMap<[u8; 32], DeskHistory<'a>>,
    traded: BTreeMap<Address, Traded>,
}

impl<'a> Replay<'a> {
    /// Replays a stream; `false` when its account keeps too little to do so.
    fn stream(&mut self, kept: &Kept) -> Result<bool, Wrong> {
        let events = self.case.events(&kept.address);
        match kept.kind {
            Kind::Desk => self.desk(kept, events)?,
            Kind::Market => market(kept, events)?,
            Kind::Index => self.index(kept, events)?,
            Kind::Order => self.order(kept, events)?,
            Kind::Allotment => {
                let desk = self.desk_of(kept, 16)?;
                let [mut account, mut scratch] = [kept.data, kept.data].map(aligned);
                let length = kept.data.len();
                let account = &mut bytes(&mut account)[..length];
                let scratch = &mut bytes(&mut scratch)[..length];
                audit::allotment(account, scratch, desk, events, sha256)?;
            }
            Kind::Position => {
                let desk = self.desk_of(kept, 16)?;
                let mut scratch = aligned(kept.data);
                let scratch = &mut bytes(&mut scratch)[..kept.data.len()];
                audit::collateral(kept.data, scratch, desk, events, sha256)?;
            }
            Kind::Intent => {
                let desk = self.desk_of(kept, 16)?;
                let order = read_record(kept.data).ok_or(Wrong::Missing(SHORT))?;
                audit::order(&order, desk, events, sha256)?;
            }
            Kind::Batch => return self.batch(kept, events),
            Kind::Inventory => {
                let desk = self.desk_of(kept, 16)?;
                let mut scratch = aligned(kept.data);
                let scratch = &mut bytes(&mut scratch)[..kept.data.len()];
                audit::inventory(kept.data, scratch, desk, events, sha256)?;
            }
            Kind::Carry => {
                let desk = self.desk_of(kept, 16)?;
                let mut scratch = aligned(kept.data);
                let scratch = &mut bytes(&mut scratch)[..kept.data.len()];
                let origins = self.origins(&desk.address());
                let origin = |label, fill| origins.get(&(label, fill)).copied();
                audit::carry(kept.data, scratch, desk, events, &origin, sha256)?;
            }
        }
        Ok(true)
    }

    fn desk(&mut self, kept: &Kept, events: &'a [&'a [u8]]) -> Result<(), Wrong> {
        let desk: Desk = read_record(kept.data).ok_or(Wrong::Missing(SHORT))?;
        let first = audit::desk(&desk, events, sha256)?;
        let history = DeskHistory::new(&desk, first, events, sha256)?;
        self.desks.insert(history.address(), history);
        Ok(())
    }

    /// The desk that a record names at this offset, whose own history holds.
    fn desk_of(&self, kept: &Kept, at: usize) -> Result<&DeskHistory<'a>, Wrong> {
        let name = kept.data.get(at..at + 32);
        let desk = name.and_then(|name| self.desks.get(name));
        desk.ok_or(Wrong::Missing(NO_DESK))
    }

    fn index(&self, kept: &Kept, events: &[&[u8]]) -> Result<(), Wrong> {
        let (account, constituents) = index::read_index(kept.data).ok_or(Wrong::Missing(SHORT))?;
        let market: Option<MarketHead> = self.case.records.find(Kind::Market, &account.market);
        let market = market.ok_or(Wrong::Missing("its market is not among the accounts"))?;
        let mut added = Vec::new();
        for constituent in &constituents {
            added.extend(bytemuck::bytes_of(&constituent.place));
            added.extend(bytemuck::bytes_of(&constituent.weight));
        }
        let width = added.len() / constituents.len().max(1);
        let weights = bytemuck::cast_slice(&constituents);
        let list = (&added[..], width.max(1));
        audit::index(&account, &market.admin, list, weights, events, sha256)?;
        Ok(())
    }

    fn order(&mut self, kept: &Kept, events: &[&[u8]]) -> Result<(), Wrong> {
        let order = index::read_order(kept.data).ok_or(Wrong::Missing(SHORT))?;
        let index: Option<IndexHead> = self.case.records.find(Kind::Index, &order.index);
        let index = index.ok_or(Wrong::Missing("its index is not among the accounts"))?;
        let desk = self.desks.get(&index.desk);
        let traded = audit::pending(&order, desk, events, sha256)?;
        self.traded.insert(kept.address, traded);
        Ok(())
    }

    fn batch(&self, kept: &Kept, events: &[&[u8]]) -> Result<bool, Wrong> {
        let desk = self.desk_of(kept, 16)?;
        let length = kept.data.len();
        let mut account = aligned(kept.data);
        let mut scratch = vec![0; account.len() * 2];
        let origins = self.origins(&desk.address());
        let origin = |label, fill| origins.get(&(label, fill)).copied();
        let account = &mut bytes(&mut account)[..length];
        let scratch = bytes(&mut scratch);
        let replayed = audit::batch(account, scratch, desk, events, &origin, sha256)?;
        Ok(replayed)
    }

    /// Lots that fills for batches made at a desk, by label and number: as the
    /// inventories' streams tell, which outlive the batches.
    fn origins(&self, desk: &[u8; 32]) -> BTreeMap<(u64, u64), BatchLot> {
        let mut lots = BTreeMap::new();
        for kept in self.case.records.of(Kind::Inventory) {
            let Some(inventory) = read_record::<Inventory>(kept.data) else {
                continue;
            };
            if inventory.desk != *desk {
                continue;
            }
            for (fill, slot) in fills(self.case.events(&kept.address)) {
                let Ok(cost) = value_floor(fill.quantity, fill.price) else {
                    continue;
                };
                let lot = BatchLot {
                    fill: fill.number,
                    batch: fill.batch,
                    price: fill.price,
                    original: fill.quantity,
                    remaining: fill.quantity,
                    cost,
                    fee: fill.fee,
                    slot,
                    next: 0,
                };
                if fill.batch != 0 && fill.side == Side::Bid as u8 {
                    lots.insert((inventory.asset, fill.number), lot);
                }
            }
        }
        lots
    }
}

/// The fills of an inventory, with their slots.
pub(super) fn fills<'b>(
    events: &'b [&'b [u8]],
) -> impl Iterator<Item = (Fill, flagstone_sdk::units::Slot)> + 'b {
    events.iter().filter_map(|bytes| {
        let event = Recorded::parse(bytes)?;
        Some((event.body::<Fill>()?, event.head.slot))
    })
}

fn market(kept: &Kept, events: &[&[u8]]) -> Audited {
    let Some((account, assets)) = index::read_market(kept.data) else {
        return Ok(());
    };
    let labels: Vec<u8> = assets
        .iter()
        .flat_map(|asset| bytemuck::bytes_of(&asset.label).to_vec())
        .collect();
    audit::market(&account, &labels, events, sha256)
}

const SHORT: &str = "the account is too short for its record";
const NO_DESK: &str = "its desk is not among the accounts, or its history does not hold";

/// A copy at the alignment that layouts need; the last word may be padded.
fn aligned(data: &[u8]) -> Vec<u64> {
    let mut words = vec![0; data.len().div_ceil(8)];
    bytes(&mut words)[..data.len()].copy_from_slice(data);
    words
}

fn bytes(words: &mut [u64]) -> &mut [u8] {
    bytemuck::cast_slice_mut(words)
}
