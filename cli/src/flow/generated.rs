//! A seeded flow: makers who quote around a wandering price, and takers.
//!
//! The mix is that of a quiet futures market: for every trade a dozen orders
//! are added, improved or cancelled.

use super::model::Model;
use super::{Action, Feed, Mode, Record};
use flagstone_sdk::units::Side;

/// Price that the walk starts from, in ticks of 0.01.
const START_TICKS: u32 = 10_000;
/// Orders that the makers try to keep in the book.
const BOOK_ORDERS: usize = 400;
/// Furthest distance of a quote from the middle, in ticks.
const DISTANCE_TICKS: u64 = 40;
/// Distance at which an order is stale and goes first, in ticks.
const STALE_TICKS: u32 = 60;

/// Small seeded generator (splitmix64), so that a run is one number to repeat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// Either side.
    pub(crate) fn side(&mut self) -> Side {
        if self.below(2) == 0 {
            Side::Bid
        } else {
            Side::Ask
        }
    }
}

struct Market {
    random: Random,
    middle: u32,
    book: Model,
    live: Vec<u64>,
    next_id: u64,
    time_ns: u64,
    records: Vec<Record>,
}

/// A feed of `events` records. The same seed gives the same feed.
pub(crate) fn generate(seed: u64, events: usize) -> Feed {
    let mut market = Market {
        random: Random(seed),
        middle: START_TICKS,
        book: Model::default(),
        live: Vec::new(),
        next_id: 1,
        time_ns: 0,
        records: Vec::with_capacity(events),
    };
    while market.records.len() < events {
        market.step();
    }
    Feed {
        source: format!("generated, seed {seed}"),
        symbol: "GEN-PERP".to_string(),
        atoms_per_tick: 10_000,
        opening: 0,
        records: market.records,
        mode: Mode::Trade,
        left_out: 0,
    }
}

impl Market {
    fn step(&mut self) {
        self.time_ns += self.random.below(120_000_000);
        if self.random.below(10) == 0 {
            let up = self.random.below(2) == 0;
            self.middle = if up {
                self.middle + 1
            } else {
                self.middle.saturating_sub(1).max(200)
            };
        }
        let thin = self.book.len() < BOOK_ORDERS / 4;
        match self.random.below(100) {
            dice if thin && dice < 60 => self.add(),
            0..40 => self.add(),
            40..65 => self.cancel(),
            65..92 => self.improve(),
            _ => self.trade(),
        }
        if self.book.len() > BOOK_ORDERS {
            self.cancel();
        }
    }

    fn record(&mut self, action: Action, side: Side, id: u64, ticks: u32, lots: u32) {
        let (time_ns, event_ns) = (self.time_ns, self.time_ns);
        let side = Some(side);
        self.records.push(Record {
            time_ns,
            event_ns,
            action,
            side,
            id,
            ticks,
            lots,
        });
    }

    /// A price that rests, usually near the middle.
    fn quote(&mut self, side: Side) -> u32 {
        let near = self
            .random
            .below(DISTANCE_TICKS)
            .min(self.random.below(DISTANCE_TICKS));
        let distance = 1 + near as u32;
        let ticks = match side {
            Side::Bid => self.middle - distance,
            Side::Ask => self.middle + distance,
        };
        // Makers look before they quote, but one in fifty does so too late.
        match self.book.best(side.contra()) {
            Some(best) if self.book.crosses(side, ticks) && self.random.below(50) != 0 => {
                if side == Side::Bid {
                    best - 1
                } else {
                    best + 1
                }
            }
            _ => ticks,
        }
    }

    fn rest(&mut self, side: Side, id: u64, ticks: u32, lots: u32) {
        self.book.cancel(id);
        if !self.book.crosses(side, ticks) {
            self.book.put(side, ticks, id, lots);
        }
    }

    fn add(&mut self) {
        let (side, id) = (self.random.side(), self.next_id);
        let (ticks, lots) = (self.quote(side), 1 + self.random.below(40) as u32);
        self.next_id += 1;
        self.live.push(id);
        self.record(Action::Add, side, id, ticks, lots);
        self.rest(side, id, ticks, lots);
    }

    /// An order that its maker believes to rest; a stale price comes first.
    fn pick(&mut self) -> Option<(usize, u64)> {
        let start = self.random.below(self.live.len() as u64) as usize;
        let order = *self.live.get(start)?;
        let middle = self.middle;
        let far = |id: &u64| {
            self.book
                .order(*id)
                .is_some_and(|(_, ticks, _)| ticks.abs_diff(middle) > STALE_TICKS)
        };
        let stale = self.live.iter().position(far);
        Some(stale.map_or((start, order), |at| (at, self.live[at])))
    }

    fn cancel(&mut self) {
        let Some((at, id)) = self.pick() else { return };
        self.live.swap_remove(at);
        // The maker may not have heard yet that the order was filled.
        let (side, ticks, lots) = self.book.order(id).unwrap_or((Side::Bid, self.middle, 1));
        self.record(Action::Cancel, side, id, ticks, lots);
        self.book.cancel(id);
    }

    fn improve(&mut self) {
        let Some((at, id)) = self.pick() else { return };
        let Some((side, ticks, lots)) = self.book.order(id) else {
            self.live.swap_remove(at);
            return;
        };
        let (ticks, lots) = match self.random.below(4) {
            0 if lots > 1 => (
                ticks,
                lots - 1 - self.random.below(u64::from(lots) - 1) as u32,
            ),
            1 => (ticks, lots + 1 + self.random.below(10) as u32),
            _ => (self.quote(side), lots),
        };
        self.record(Action::Modify, side, id, ticks, lots.max(1));
        self.rest(side, id, ticks, lots.max(1));
    }

    fn trade(&mut self) {
        let side = self.random.side();
        let Some(best) = self.book.best(side.contra()) else {
            return;
        };
        let reach = self.random.below(4) as u32;
        let limit = if side == Side::Bid {
            best + reach
        } else {
            best.saturating_sub(reach).max(1)
        };
        // Mostly small, now and then an order that walks several levels.
        let most = if self.random.below(12) == 0 { 300 } else { 30 };
        let lots = 1 + self.random.below(most) as u32;
        self.record(Action::Trade, side, 0, limit, lots);
        self.book.take(side, limit, lots, usize::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_the_mix_is_lively() {
        let feed = generate(7, 2_000);
        assert_eq!(feed.records, generate(7, 2_000).records);
        assert_ne!(feed.records, generate(8, 2_000).records);
        for action in [Action::Add, Action::Cancel, Action::Modify, Action::Trade] {
            let count = feed
                .records
                .iter()
                .filter(|record| record.action == action)
                .count();
            assert!(count > 80, "{count} of {action:?}");
        }
        assert!(feed.first_middle().is_some());
    }
}
