//! A slab as its events tell it: book, pending orders, positions, holds, fills.
//!
//! A [`Replica`] is fed with a slab's events in their order ([`crate::events`]
//! takes them out of transaction logs). It checks the sequence number of each
//! and says at once when some are missing; what was missed is healed by reading
//! the account ([`Replica::from_slab`]) and going on with the events after it.
//!
//! # What events tell, and what only the account does
//!
//! | told exactly | told now and then | not told |
//! |---|---|---|
//! | resting and pending orders, in queue order | cash: by sync and release | principal, warm-up, bonds |
//! | lots that holds reserved, orders being cancelled | mark and index: by `update_mark` | the book's own moves of a mark |
//! | positions: lots and cost | funding: by `update_funding` | funding paid or received |
//! | holds, their slices and results | | terms of an instrument but its tick |
//! | fills, number by number | | frozen levels of a batch |
//! | session keys, freezes, dead-man slots | | pages of a root under construction |
//! | deficits recognised and allocated | | whose deficit was allocated |
//!
//! Cash changes with every fill by fees and rebates that depend on terms, and
//! with every touch by funding; a mark may move with every first touch of a
//! slot. Telling each would make trading dearer for what one read of the
//! account answers: [`AccountView::cash_atoms`] and [`InstrumentView::mark_ticks`]
//! are therefore those of the last event that told them.
//!
//! An event carries neither its slab (it is the one that the instruction names
//! first) nor its slot (it is the transaction's).

use flagstone_interface::Key;
use flagstone_interface::event::{Event, HeldSlice};
use flagstone_slab_engine::layout::Position;
use flagstone_units::{Side, SignedLots};
use std::collections::{BTreeMap, VecDeque};

mod apply;
mod heal;

/// Fills that a replica remembers; [`Replica::trades_total`] counts all.
pub const TRADES_KEPT: usize = 256;

/// Why an event was not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplicaError {
    /// Events are missing before this one. The replica stays as it was, and
    /// says so of every later event until it is healed from the account.
    #[error("{missing} events are missing: expected number {expected}")]
    Gap {
        /// Sequence number of the first one that is missing.
        expected: u64,
        /// How many are missing.
        missing: u64,
    },
    /// The event was applied before, or comes after a later one.
    #[error("event {found} comes late: expected number {expected}")]
    Old {
        /// Sequence number of the next event.
        expected: u64,
        /// Sequence number of this one.
        found: u64,
    },
    /// The event cannot follow what came before: these are not the events of
    /// one slab. The replica is spoilt and has to be healed from the account.
    #[error("event {seq} contradicts what came before: {what}")]
    Contradiction {
        /// Sequence number of the event.
        seq: u64,
        /// What does not fit.
        what: &'static str,
    },
}

/// An instrument as events tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstrumentView {
    /// Value of one tick on one lot, in quote atoms.
    pub atoms_per_tick: u32,
    /// Mark as last told, in ticks.
    pub mark_ticks: u32,
    /// Price of the oracle as last told, in ticks; 0 when there was none.
    pub index_ticks: u32,
    /// Number of the batch that is open; 0 before the first.
    pub batch_epoch: u32,
    /// Funding per lot of the interval as last told, in atoms scaled by 2^16.
    pub funding_rate: i64,
    /// Cumulative funding per lot at its start, in the same unit.
    pub funding_index: i64,
    /// Status as set, one of [`flagstone_interface::slab::status`].
    pub status: u32,
}

/// An account as events tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountView {
    /// Generation of the index.
    pub generation: u32,
    /// Escrow that it is bound to.
    pub escrow: Key,
    /// Session key that trades.
    pub trader: Key,
    /// Cash as last told, in atoms.
    pub cash_atoms: i64,
    /// Whether the Router froze the escrow, as of the last sync.
    pub frozen: bool,
    /// Whether it is a designated liquidity provider.
    pub designated: bool,
    /// Whether it is closed and waits for the Router to unbind its escrow.
    pub closed: bool,
    /// Slot after which anyone may cancel its orders; 0 is off.
    pub dead_man_slot: u32,
}

/// A resting or pending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// Generation of the index.
    pub generation: u32,
    /// Account that owns it.
    pub account: u16,
    /// Instrument number.
    pub instrument: u8,
    /// Side.
    pub side: Side,
    /// Price, in ticks.
    pub ticks: u32,
    /// Lots left.
    pub lots: u32,
    /// Part of them that holds have reserved.
    pub reserved_lots: u32,
    /// Last slot in which it may trade; 0 is never.
    pub expiry_slot: u32,
    /// The client's own number.
    pub client_id: u64,
    /// Whether it may only reduce its owner's position.
    pub reduce_only: bool,
    /// Whether it was cancelled while reserved and leaves with its holds.
    pub closing: bool,
    /// First batch in which it may rest, while it is pending.
    pub waits_for: Option<u32>,
}

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldView {
    /// Generation of the index.
    pub generation: u32,
    /// Account that holds.
    pub account: u16,
    /// Instrument number.
    pub instrument: u8,
    /// Side.
    pub side: Side,
    /// Route that it is a leg of.
    pub route_id: u64,
    /// Lots captured.
    pub lots: u32,
    /// Their value, in atoms.
    pub notional_atoms: u64,
    /// Most that commit may charge, in atoms.
    pub max_charge_atoms: u64,
    /// Last slot in which commit is legal.
    pub expiry_slot: u32,
    /// What it captured; empty once committed.
    pub slices: Vec<HeldSlice>,
    /// Lots traded and atoms charged, once committed.
    pub result: Option<(u32, u64)>,
}

/// One fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradeView {
    /// Number of the trade in the slab, from 1.
    pub number: u64,
    /// Instrument number.
    pub instrument: u8,
    /// Side of the taker.
    pub side: Side,
    /// Price, in ticks.
    pub ticks: u32,
    /// Lots.
    pub lots: u32,
    /// Account of the maker.
    pub maker: u16,
    /// Account of the taker.
    pub taker: u16,
    /// Order of the maker.
    pub order: u32,
}

/// Bad debt as events tell it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeficitView {
    /// Recognised since the replica began, in atoms.
    pub recognised_atoms: u64,
    /// Allocated to profits since the replica began, in atoms.
    pub allocated_atoms: u64,
    /// Haircut index after the last allocation.
    pub haircut_index: u64,
}

/// An order and its place among all that came to rest or began to wait.
#[derive(Clone, Debug)]
struct Queued {
    order: OrderView,
    place: u64,
}

/// Key of an order in its queue: instrument, side, price (best first), place.
type QueueKey = (u8, u8, u32, u64);

/// A slab rebuilt from its events.
#[derive(Clone, Debug, Default)]
pub struct Replica {
    seq: u64,
    spoilt: Option<ReplicaError>,
    next_place: u64,
    authority: Key,
    instruments: BTreeMap<u8, InstrumentView>,
    accounts: BTreeMap<u16, AccountView>,
    orders: BTreeMap<u32, Queued>,
    resting: BTreeMap<QueueKey, u32>,
    pending: BTreeMap<(u8, u64), u32>,
    positions: BTreeMap<(u16, u8), (i32, i64)>,
    holds: BTreeMap<u32, HoldView>,
    trades: VecDeque<TradeView>,
    trades_total: u64,
    deficits: DeficitView,
    status: u32,
}

impl Replica {
    /// A slab that does not exist yet: the next event has to be its first.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sequence number of the last event that it has seen.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// [`ReplicaError`]; [`ReplicaError::Gap`] and [`ReplicaError::Old`] change
    /// nothing.
    pub fn apply(&mut self, event: &Event) -> Result<(), ReplicaError> {
        if let Some(error) = self.spoilt {
            return Err(error);
        }
        let (expected, found) = (self.seq + 1, event.seq());
        if found > expected {
            let missing = found - expected;
            return Err(ReplicaError::Gap { expected, missing });
        }
        if found < expected {
            return Err(ReplicaError::Old { expected, found });
        }
        self.change(event).map_err(|what| {
            let error = ReplicaError::Contradiction { seq: found, what };
            self.spoilt = Some(error);
            error
        })?;
        self.seq = found;
        Ok(())
    }

    /// Authority of the slab.
    pub fn authority(&self) -> &Key {
        &self.authority
    }

    /// Status of the slab as set.
    pub fn status(&self) -> u32 {
        self.status
    }

    /// An instrument.
    pub fn instrument(&self, number: u8) -> Option<&InstrumentView> {
        self.instruments.get(&number)
    }

    /// Every instrument by number.
    pub fn instruments(&self) -> impl Iterator<Item = (u8, &InstrumentView)> {
        self.instruments
            .iter()
            .map(|(number, view)| (*number, view))
    }

    /// Every account by index.
    pub fn accounts(&self) -> impl Iterator<Item = (u16, &AccountView)> {
        self.accounts.iter().map(|(index, view)| (*index, view))
    }

    /// The order with this handle, if it is live.
    pub fn order(&self, index: u32, generation: u32) -> Option<&OrderView> {
        let order = self.orders.get(&index).map(|queued| &queued.order);
        order.filter(|order| order.generation == generation)
    }

    /// Resting orders of one side, best price first, oldest first at a price.
    pub fn book(&self, instrument: u8, side: Side) -> impl Iterator<Item = (u32, &OrderView)> {
        let side = side as u8;
        let range = (instrument, side, 0, 0)..=(instrument, side, u32::MAX, u64::MAX);
        let queue = self.resting.range(range);
        queue.map(|(_, index)| (*index, &self.orders[index].order))
    }

    /// Orders that wait for a batch, oldest first.
    pub fn pending(&self, instrument: u8) -> impl Iterator<Item = (u32, &OrderView)> {
        let queue = self.pending.range((instrument, 0)..=(instrument, u64::MAX));
        queue.map(|(_, index)| (*index, &self.orders[index].order))
    }

    /// Lots (long is positive) and cost, in atoms, of a position; zeros when
    /// there is none.
    pub fn position(&self, account: u16, instrument: u8) -> (i32, i64) {
        let held = self.positions.get(&(account, instrument));
        held.copied().unwrap_or_default()
    }

    /// Every position with lots, by account and instrument: lots and cost.
    pub fn positions(&self) -> impl Iterator<Item = ((u16, u8), (i32, i64))> {
        self.positions.iter().map(|(key, held)| (*key, *held))
    }

    /// Every hold by index, committed ones included until they are freed.
    pub fn holds(&self) -> impl Iterator<Item = (u32, &HoldView)> {
        self.holds.iter().map(|(index, view)| (*index, view))
    }

    /// The hold at an index.
    pub fn hold(&self, index: u32) -> Option<&HoldView> {
        self.holds.get(&index)
    }

    /// Fills ever made.
    pub fn trades_total(&self) -> u64 {
        self.trades_total
    }

    /// The latest fills, oldest first, [`TRADES_KEPT`] at most.
    pub fn trades(&self) -> impl Iterator<Item = &TradeView> {
        self.trades.iter()
    }

    /// Bad debt. Amounts are those since the replica began, or was healed.
    pub fn deficits(&self) -> DeficitView {
        self.deficits
    }

    /// Puts an order at the end of its queue.
    fn enqueue(&mut self, index: u32, order: OrderView) {
        self.next_place += 1;
        let queued = Queued {
            order,
            place: self.next_place,
        };
        if queued.order.waits_for.is_some() {
            let key = (queued.order.instrument, queued.place);
            self.pending.insert(key, index);
        } else {
            self.resting.insert(queued.key(), index);
        }
        self.orders.insert(index, queued);
    }

    /// Takes an order out of its queue.
    fn dequeue(&mut self, index: u32) -> Option<OrderView> {
        let queued = self.orders.remove(&index)?;
        if queued.order.waits_for.is_some() {
            self.pending
                .remove(&(queued.order.instrument, queued.place));
        } else {
            self.resting.remove(&queued.key());
        }
        Some(queued.order)
    }

    /// Remembers a fill.
    fn remember(&mut self, trade: TradeView) {
        self.trades_total = trade.number;
        if self.trades.len() == TRADES_KEPT {
            self.trades.pop_front();
        }
        self.trades.push_back(trade);
    }

    /// Changes a position by a fill, with the engine's own arithmetic.
    fn fill(&mut self, holder: (u16, u8), side: Side, lots: u32, notional_atoms: u64) {
        let (held, cost_atoms) = self.position(holder.0, holder.1);
        let before = Position {
            lots: SignedLots(held),
            cost_atoms,
            ..Position::default()
        };
        let after = before.trade(side, lots, notional_atoms).position;
        if after.lots.0 == 0 {
            self.positions.remove(&holder);
        } else {
            let held = (after.lots.0, after.cost_atoms);
            self.positions.insert(holder, held);
        }
    }
}

impl Queued {
    fn key(&self) -> QueueKey {
        let order = &self.order;
        // Ascending keys are best prices first.
        let rank = match order.side {
            Side::Bid => u32::MAX - order.ticks,
            Side::Ask => order.ticks,
        };
        (order.instrument, order.side as u8, rank, self.place)
    }
}

impl OrderView {
    /// Lots that no hold has reserved.
    pub fn free_lots(&self) -> u32 {
        self.lots.saturating_sub(self.reserved_lots)
    }
}
