//! Order flow: where it comes from and what replaying it means.
//!
//! | module | room for |
//! |---|---|
//! | [`dbn`] | records of a Databento market-by-order file |
//! | [`generated`] | a seeded flow of makers and takers |
//! | [`model`] | a plain book of maps and queues |
//! | [`rules`] | a record becomes operations on the slab |
//! | [`replay`] | sends the operations, compares every answer with the model |
//! | [`report`] | what a replay says at its end |

pub(crate) mod dbn;
pub(crate) mod generated;
pub(crate) mod model;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod rules;

use flagstone_sdk::embedded::exchange::standard_instrument;
use flagstone_sdk::engine::instruments::InstrumentParams;
use flagstone_sdk::units::{Lots, NOTIONAL_ATOMS_MAX, Ppm, Side, Ticks};
use model::Model;

/// What a record of a feed reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    /// An order came to rest.
    Add,
    /// A resting order left, or lost `lots`.
    Cancel,
    /// A resting order changed its price or quantity.
    Modify,
    /// An aggressor traded.
    Trade,
    /// A resting order was part of a trade.
    Fill,
    /// The book was emptied.
    Clear,
}

impl Action {
    /// Every kind, in the order of reports.
    pub(crate) const ALL: [Self; 6] = [
        Self::Add,
        Self::Cancel,
        Self::Modify,
        Self::Trade,
        Self::Fill,
        Self::Clear,
    ];

    /// Name in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Cancel => "cancel",
            Self::Modify => "modify",
            Self::Trade => "trade",
            Self::Fill => "fill",
            Self::Clear => "clear",
        }
    }
}

/// One record of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// When it was received; never runs backwards.
    pub(crate) time_ns: u64,
    /// When the venue says that it happened; ties a trade to what it caused.
    pub(crate) event_ns: u64,
    /// Kind.
    pub(crate) action: Action,
    /// Side of the order, or of the aggressor; `None` in auctions.
    pub(crate) side: Option<Side>,
    /// The venue's order number.
    pub(crate) id: u64,
    /// Price.
    pub(crate) ticks: u32,
    /// Quantity.
    pub(crate) lots: u32,
}

/// A feed of one instrument.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    /// Where it comes from, for people.
    pub(crate) source: String,
    /// Ticker.
    pub(crate) symbol: String,
    /// Value of a tick on a lot, in quote atoms.
    pub(crate) atoms_per_tick: u32,
    /// Records at the start that describe the book which the feed began with.
    pub(crate) opening: usize,
    /// All records.
    pub(crate) records: Vec<Record>,
    /// Which records drive it unless told otherwise.
    pub(crate) mode: Mode,
    /// Records left out: other instruments, prices that are not positive.
    pub(crate) left_out: usize,
}

/// Which records drive the replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// Adds, cancels and modifies: what the venue says rests
    #[default]
    Maintain,
    /// Trades are taken from the slab's own book; what they caused is skipped
    Trade,
}

impl Feed {
    /// Keeps the opening book and the next `events` records.
    pub(crate) fn truncate(&mut self, events: usize) {
        self.records.truncate(self.opening.saturating_add(events));
    }

    /// Middle of the book that the feed begins with.
    ///
    /// That is the book after the opening records, or the first one with both
    /// sides. `None` when there is no such book.
    pub(crate) fn first_middle(&self) -> Option<u32> {
        let mut book = Model::default();
        for (at, record) in self.records.iter().enumerate() {
            book.follow(record);
            if at + 1 >= self.opening
                && let (Some(bid), Some(ask)) = (book.best(Side::Bid), book.best(Side::Ask))
            {
                return Some(((u64::from(bid) + u64::from(ask)) / 2) as u32);
            }
        }
        None
    }

    /// An instrument on which all of the feed fits.
    ///
    /// Real flow rests as far as a few percent of the price away from the
    /// market. The band is therefore the widest that there is, which asks for
    /// full margin: it has to be narrower than the initial margin ratio.
    pub(crate) fn instrument(&self, mark: u32) -> InstrumentParams {
        let price_max = mark.saturating_mul(2);
        let lot_atoms = u64::from(price_max) * u64::from(self.atoms_per_tick);
        let position_lots_max = ((NOTIONAL_ATOMS_MAX - 1) / lot_atoms.max(1)).min(1 << 24);
        let mut symbol = [0; 16];
        for (to, from) in symbol.iter_mut().zip(self.symbol.bytes()) {
            *to = from;
        }
        InstrumentParams {
            symbol,
            atoms_per_tick: self.atoms_per_tick,
            price_max: Ticks(price_max),
            order_lots_min: Lots(1),
            order_lots_max: Lots(position_lots_max as u32),
            position_lots_max: Lots(position_lots_max as u32),
            imr: Ppm(1_000_000),
            mmr: Ppm(500_000),
            band: Ppm(999_999),
            ..standard_instrument(Ticks(mark))
        }
    }
}

/// Makers that share a feed's orders.
pub(crate) const MAKERS: usize = 4;

/// Money of each participant, in atoms: more than full margin on the largest
/// position that an instrument may allow.
pub(crate) const CASH_ATOMS: u64 = 4 * NOTIONAL_ATOMS_MAX;

/// The maker who owns a feed's order.
pub(crate) fn maker_of(id: u64) -> usize {
    (id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % MAKERS
}

/// Slots of the clock that a feed's times map to: 400 ms each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotClock {
    last_ns: u64,
    slot: u32,
    spare_ns: u64,
}

impl SlotClock {
    /// Length of a slot.
    const SLOT_NS: u64 = 400_000_000;
    /// Longest pause that is kept, in slots: ten minutes.
    const PAUSE_SLOTS_MAX: u64 = 1_500;

    /// A clock that stands at `slot` at `time_ns`.
    pub(crate) fn start(time_ns: u64, slot: u32) -> Self {
        Self {
            last_ns: time_ns,
            slot,
            spare_ns: 0,
        }
    }

    /// The slot at `time_ns`.
    pub(crate) fn at(&mut self, time_ns: u64) -> u32 {
        let passed = time_ns.saturating_sub(self.last_ns) + self.spare_ns;
        self.last_ns = self.last_ns.max(time_ns);
        self.spare_ns = passed % Self::SLOT_NS;
        let slots = (passed / Self::SLOT_NS).min(Self::PAUSE_SLOTS_MAX);
        self.slot = self.slot.saturating_add(slots as u32);
        self.slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_follow_time_and_long_pauses_are_cut() {
        let mut clock = SlotClock::start(1_000, 100);
        assert_eq!(clock.at(1_000 + 399_999_999), 100);
        assert_eq!(clock.at(1_000 + 400_000_000), 101);
        assert_eq!(clock.at(500), 101);
        assert_eq!(clock.at(1_000 + 3_600_000_000_000), 101 + 1_500);
    }

    #[test]
    fn every_maker_gets_a_share() {
        let mut shares = [0; MAKERS];
        (0..1_000u64).for_each(|id| shares[maker_of(6_412_777_162_812 + id)] += 1);
        assert!(shares.iter().all(|share| *share > 150), "{shares:?}");
    }
}
