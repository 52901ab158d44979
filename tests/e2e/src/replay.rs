//! A reader that knows nothing but the events.
//!
//! It rebuilds the books, the positions and the count of trades of instrument
//! 0, the way an indexer would, without any code of the engine.

use flagstone_sdk::engine::Slab;
use flagstone_sdk::interface::event::{Event, OrderCancelled, OrderPlaced, Traded, outcome};
use flagstone_sdk::units::Side;
use std::collections::{BTreeMap, VecDeque};

/// Index and generation.
pub type Handle = (u32, u32);

/// A resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// Account that owns it.
    pub account: u16,
    /// 0 bid, 1 ask.
    pub side: u8,
    /// Price.
    pub ticks: u32,
    /// Quantity left.
    pub lots: u32,
    /// The client's own number.
    pub client_id: u64,
}

/// Everything that the events say.
#[derive(Debug, Default)]
pub struct Reader {
    /// Sequence number of the last event.
    pub seq: u64,
    /// Orders by handle.
    pub orders: BTreeMap<Handle, Resting>,
    /// Queues by side and price, oldest first.
    pub levels: BTreeMap<(u8, u32), VecDeque<Handle>>,
    /// Lots by account; long is positive.
    pub positions: BTreeMap<u16, i64>,
    /// Cash credited by account, in atoms.
    pub credited_atoms: BTreeMap<u16, u64>,
    /// Fees charged to takers, in atoms.
    pub taker_fees_atoms: i64,
    /// Fills that changed hands.
    pub trades: u64,
    /// Events that were read, by kind of event or of fill.
    pub seen: BTreeMap<&'static str, u32>,
}

impl Reader {
    /// Starts after the event with this sequence number.
    pub fn after(seq: u64) -> Self {
        Self {
            seq,
            ..Self::default()
        }
    }

    /// Reads an event.
    ///
    /// # Panics
    /// When one is missing before it, or it contradicts what came before.
    pub fn read(&mut self, event: &Event) {
        self.seq += 1;
        assert_eq!(event.seq(), self.seq, "a gap before {event:?}");
        match event {
            Event::OrderPlaced(placed) => self.placed(placed),
            Event::OrderCancelled(cancelled) => self.cancelled(cancelled),
            Event::Traded(traded) => self.traded(traded),
            Event::AccountSynced(synced) => {
                *self.credited_atoms.entry(synced.account).or_default() += synced.credited_atoms;
            }
            _ => {}
        }
    }

    fn count(&mut self, kind: &'static str) {
        *self.seen.entry(kind).or_default() += 1;
    }

    fn placed(&mut self, event: &OrderPlaced) {
        let handle = (event.order, event.generation);
        let resting = Resting {
            account: event.account,
            side: event.side,
            ticks: event.ticks,
            lots: event.lots,
            client_id: event.client_id,
        };
        assert!(
            self.orders.insert(handle, resting).is_none(),
            "a handle was used twice"
        );
        self.levels
            .entry((event.side, event.ticks))
            .or_default()
            .push_back(handle);
        self.count("placed");
    }

    fn cancelled(&mut self, event: &OrderCancelled) {
        let handle = (event.order, event.generation);
        let order = self.orders[&handle];
        assert_eq!(
            (order.account, order.lots),
            (event.account, event.lots),
            "a wrong cancel"
        );
        self.remove(handle);
        self.count(if event.reason == 0 {
            "cancelled"
        } else {
            "evicted"
        });
    }

    fn traded(&mut self, event: &Traded) {
        let taker = Side::from_byte(event.side).expect("a side");
        let mut lots = 0;
        for fill in event.fills() {
            let handle = (fill.order, fill.generation);
            let order = self.orders[&handle];
            assert_eq!(
                (order.account, order.ticks),
                (fill.account, fill.ticks),
                "a wrong fill"
            );
            let gone = match fill.outcome {
                outcome::PARTIAL => false,
                outcome::SELF_TRADE => fill.lots == order.lots,
                _ => true,
            };
            if outcome::traded(fill.outcome) {
                lots += fill.lots;
                self.trades += 1;
                let bought = taker.signed(i64::from(fill.lots));
                *self.positions.entry(event.account).or_default() += bought;
                *self.positions.entry(fill.account).or_default() -= bought;
            }
            if gone {
                self.remove(handle);
            } else {
                self.orders.get_mut(&handle).expect("an order").lots -= fill.lots;
            }
            self.count(outcome_name(fill.outcome));
        }
        assert_eq!(lots, { event.lots }, "fills do not add up");
        self.taker_fees_atoms += event.fee_atoms;
    }

    fn remove(&mut self, handle: Handle) {
        let order = self.orders.remove(&handle).expect("an order");
        let place = (order.side, order.ticks);
        let level = self.levels.get_mut(&place).expect("a level");
        level.retain(|other| *other != handle);
        if level.is_empty() {
            self.levels.remove(&place);
        }
    }

    /// Fails unless the slab holds exactly what the events say.
    ///
    /// # Panics
    /// On the first difference.
    pub fn assert_equals(&self, slab: &Slab<'_>) {
        assert_eq!(
            self.seq, slab.header.event_seq,
            "events are missing at the end"
        );
        assert_eq!(self.trades, slab.header.trades_total, "trades");
        let live = slab.orders.iter().filter(|(_, order)| order.is_live());
        let orders: BTreeMap<_, _> = live
            .map(|(index, order)| {
                let resting = Resting {
                    account: order.account,
                    side: order.side() as u8,
                    ticks: order.ticks.0,
                    lots: order.lots.0,
                    client_id: order.client_id,
                };
                ((index, order.generation), resting)
            })
            .collect();
        assert_eq!(self.orders, orders, "orders");
        assert_eq!(self.levels, levels(slab), "levels");
        let held = self.positions.iter().filter(|(_, lots)| **lots != 0);
        let held: BTreeMap<_, _> = held.map(|(account, lots)| (*account, *lots)).collect();
        assert_eq!(held, positions(slab), "positions");
    }
}

/// The queues of instrument 0 as the slab links them.
fn levels(slab: &Slab<'_>) -> BTreeMap<(u8, u32), VecDeque<Handle>> {
    let mut found = BTreeMap::new();
    for side in [Side::Bid, Side::Ask] {
        let mut level = slab.instruments[0].books[side.index()].best;
        while level != 0 {
            let mut queue = VecDeque::new();
            let mut order = slab.levels[level].head;
            while order != 0 {
                queue.push_back((order, slab.orders[order].generation));
                order = slab.orders[order].next;
            }
            found.insert((side as u8, slab.levels[level].ticks.0), queue);
            level = slab.levels[level].next;
        }
    }
    found
}

/// Lots by account in the slab.
fn positions(slab: &Slab<'_>) -> BTreeMap<u16, i64> {
    let held = slab
        .positions
        .iter()
        .filter(|(_, position)| position.lots.0 != 0);
    held.map(|(_, position)| (position.account, i64::from(position.lots.0)))
        .collect()
}

fn outcome_name(outcome: u8) -> &'static str {
    match outcome {
        outcome::PARTIAL => "partial",
        outcome::FULL => "full",
        outcome::DUST => "dust",
        outcome::EXPIRED => "expired",
        outcome::SELF_TRADE => "self-trade",
        outcome::MARGIN => "margin",
        outcome::OUTSIDE_BAND => "outside band",
        _ => "unknown",
    }
}
