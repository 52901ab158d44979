//! Slabs and instruments of the runs, and the random operations in them.

use super::{Deed, JIT_PENALTY, PENDING};
use crate::common::{Rng, params};
use flagstone_interface::event::Traded;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::layout::Rules;
use flagstone_slab_engine::matching::SelfTrade;
use flagstone_slab_engine::requests::Placed;
use flagstone_units::{Lots, Ppm, SignedPpm, Slot, Ticks};

/// Pools and prices of a run.
#[derive(Clone, Copy)]
pub struct Setting {
    pub pools: [u32; 10],
    pub accounts: u32,
    pub orders_each: u32,
    /// Cash of the poorest account.
    pub cash: u64,
    /// Largest distance of a price from the mark, in thousandths of it.
    pub reach: u64,
    pub lots: u64,
    pub markets: [Option<InstrumentParams>; 3],
    /// Slots of a batch; 0 is none.
    pub batch_slots: u32,
    pub insurance_share: Ppm,
}

/// What a market has beyond price and margin when all of it is switched on.
fn all_rules() -> Rules {
    Rules {
        switches: PENDING | JIT_PENALTY,
        freeze_levels: 2,
        freeze_slots: Slot(2),
        round_trip_tax: Ppm(300_000),
        hold_lots_min: Lots(4),
        hold_share_max: Ppm(400_000),
        ..Rules::default()
    }
}

/// Few prices, deep queues, pools that are nearly always full.
pub fn crowded() -> Setting {
    let thin = InstrumentParams {
        atoms_per_tick: 10,
        order_lots_min: Lots(3),
        order_lots_max: Lots(2_000),
        position_lots_max: Lots(2_500),
        taker_fee: SignedPpm(500),
        maker_fee: SignedPpm(-217),
        mark: Ticks(100),
        mark_age: Slot(3),
        mark_lots_min: Lots(10),
        kill_band: Ppm(10_000),
        hold_fee: Ppm(1),
        rules: all_rules(),
        ..params()
    };
    let inverted = InstrumentParams {
        taker_fee: SignedPpm(-101),
        maker_fee: SignedPpm(333),
        mark: Ticks(140),
        mark_move_max: Ticks(3),
        order_lots_min: Lots(1),
        position_lots_max: Lots(2_000),
        rules: Rules {
            // Everybody's orders rest at once, unless they are frozen.
            switches: JIT_PENALTY,
            ..all_rules()
        },
        ..thin
    };
    Setting {
        pools: [2, 8, 22, 90, 15, 14, 50, 16, 6, 1],
        accounts: 8,
        orders_each: 18,
        cash: 10_000,
        reach: 70,
        lots: 40,
        markets: [Some(thin), Some(inverted), None],
        batch_slots: 9,
        insurance_share: Ppm(200_000),
    }
}

/// One market of small orders, so that a taker meets more than it may.
pub fn deep() -> Setting {
    let [thin, ..] = crowded().markets;
    let thin = InstrumentParams {
        order_lots_min: Lots(1),
        mark: Ticks(1_000),
        rules: Rules::default(),
        ..thin.unwrap()
    };
    Setting {
        pools: [1, 8, 30, 400, 8, 40, 400, 16, 1, 1],
        accounts: 8,
        orders_each: 60,
        cash: 10_000,
        reach: 12,
        lots: 3,
        markets: [Some(thin), None, None],
        batch_slots: 0,
        insurance_share: Ppm(0),
    }
}

/// A wide band and room for everything, so that the trees grow.
pub fn roomy() -> Setting {
    let wide = InstrumentParams {
        imr: Ppm(500_000),
        mmr: Ppm(300_000),
        band: Ppm(450_000),
        mark: Ticks(60_000),
        mark_move_max: Ticks(200),
        mark_age: Slot(1),
        taker_fee: SignedPpm(1_000),
        maker_fee: SignedPpm(17),
        ..params()
    };
    let cheap = InstrumentParams {
        atoms_per_tick: 7,
        mark: Ticks(2_000),
        ..wide
    };
    Setting {
        pools: [3, 12, 900, 900, 48, 60, 300, 16, 1, 1],
        accounts: 12,
        orders_each: 200,
        cash: 2_000_000,
        reach: 460,
        lots: 20,
        markets: [Some(wide), Some(cheap), Some(params())],
        batch_slots: 0,
        insurance_share: Ppm(1_000_000),
    }
}

/// Markets with an oracle, whose positions pay each other funding, now much
/// and now little, in intervals that the run often leaps over.
pub fn funded() -> Setting {
    let [thin, ..] = crowded().markets;
    let swift = InstrumentParams {
        atoms_per_tick: 3,
        order_lots_min: Lots(1),
        price_max: Ticks(100_000),
        mark: Ticks(10_000),
        oracle: [5; 32],
        oracle_feed: [6; 32],
        oracle_scale: 1_000_000,
        rules: Rules {
            oracle_age_max: Slot(10),
            oracle_confidence_max: Ppm(1_000),
            premium_max: Ppm(30_000),
            premium_slots: Slot(40),
            funding_slots: Slot(20),
            funding_max: Ppm(2_000),
            funding_spread_max: Ppm(700),
            switches: PENDING,
            ..all_rules()
        },
        ..thin.unwrap()
    };
    let steady = InstrumentParams {
        atoms_per_tick: 1,
        mark: Ticks(20_000),
        rules: Rules {
            funding_slots: Slot(777),
            funding_max: Ppm(9_999),
            premium_slots: Slot(0),
            switches: 0,
            freeze_levels: 0,
            ..swift.rules
        },
        ..swift
    };
    Setting {
        pools: [2, 10, 60, 120, 20, 20, 80, 16, 3, 1],
        accounts: 10,
        orders_each: 18,
        cash: 400_000,
        reach: 60,
        lots: 40,
        markets: [Some(swift), Some(steady), None],
        batch_slots: 4,
        insurance_share: Ppm(333_333),
    }
}

/// An operation; numbers are reduced to what exists when it runs.
#[derive(Clone, Copy, Debug)]
pub struct Raw {
    pub kind: u8,
    pub account: u8,
    pub market: u8,
    pub side: bool,
    pub price: u16,
    pub lots: u16,
    pub option: u16,
    pub extra: u16,
}

impl Raw {
    pub fn draw(rng: &mut Rng) -> Self {
        let (word, more) = (rng.next(), rng.next());
        Self {
            kind: word as u8,
            account: (word >> 8) as u8,
            market: (word >> 16) as u8,
            side: word >> 24 & 1 == 1,
            price: (word >> 32) as u16,
            lots: (word >> 48) as u16,
            option: more as u16,
            extra: (more >> 16) as u16,
        }
    }

    pub fn self_trade(self) -> SelfTrade {
        SelfTrade::from_byte((self.option >> 8) as u8 % 3).unwrap()
    }
}

/// What the engine did, in the model's terms.
pub fn deed(traded: &Traded, placed: Option<&Placed>) -> Deed {
    let met = traded.fills().iter().map(|fill| {
        let handle = (fill.order, fill.generation);
        (handle, fill.account, fill.ticks, fill.lots, fill.outcome)
    });
    let mut deed = Deed {
        met: met.collect(),
        lots: traded.lots,
        notional: traded.notional_atoms.into(),
        fee: traded.fee_atoms.into(),
        tax: traded.tax_atoms.into(),
        ..Deed::default()
    };
    if let Some(placed) = placed {
        let evicted = &placed.evicted.orders[..placed.evicted.count];
        deed.evicted = evicted
            .iter()
            .map(|gone| ((gone.order, gone.generation), gone.lots))
            .collect();
        let epoch = (placed.batch_epoch != 0).then_some(placed.batch_epoch);
        let rested = placed.rested;
        deed.rested = rested.map(|rested| (rested.ticks, rested.lots, epoch));
    } else {
        assert_eq!(traded.tag, Traded::TAG);
    }
    deed
}
