//! The slab that operations run on: so small that all of its pools fill up.

use crate::common::{Exchange, key_of, oracle, params};
use crate::input::Input;
use flagstone_interface::slab::account_flags;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::layout::{Rules, switches};
use flagstone_units::{Lots, Ppm, SignedPpm, Slot, Ticks};

/// Capacities in the order of the pools.
pub(crate) const ITEMS: [u32; 10] = [2, 5, 9, 18, 8, 4, 9, 6, 2, 1];

/// Number of the instrument whose mark its book makes.
pub(crate) const BOOK: u8 = 0;

/// Number of the instrument with an oracle, funding and liquidation.
pub(crate) const ORACLE: u8 = 1;

/// Atoms that an account opens with: margin for some hundred lots.
pub(crate) const OPENING_ATOMS: u64 = 30_000;

/// Lays out the slab that the first bytes of the input describe: two
/// instruments, three accounts, and room for two more.
pub(crate) fn exchange(input: &mut Input<'_>) -> Exchange {
    let mut exchange = Exchange::with(ITEMS);
    let rules = rules(input);
    let (taker_fee, maker_fee) = match input.byte() % 4 {
        0 => (0, 0),
        1 => (500, -500),
        2 => (1_000, 200),
        _ => (100_000, -99_999),
    };
    let terms = |params: InstrumentParams| InstrumentParams {
        taker_fee: SignedPpm(taker_fee),
        maker_fee: SignedPpm(maker_fee),
        ..params
    };
    let book = InstrumentParams {
        mark_move_max: Ticks(40),
        mark_age: Slot(0),
        kill_band: Ppm(50_000),
        rules,
        ..terms(params())
    };
    let fed = oracle::with_oracle();
    let fed = InstrumentParams {
        rules: Rules {
            funding_slots: Slot(20),
            funding_max: Ppm(500),
            funding_spread_max: Ppm(300),
            liquidation_fee: Ppm(2_500),
            keeper_share: Ppm(400_000),
            liquidation_band_min: Ppm(2_000),
            liquidation_band_max: Ppm(8_000),
            ..Rules {
                oracle_age_max: fed.rules.oracle_age_max,
                oracle_confidence_max: fed.rules.oracle_confidence_max,
                premium_max: fed.rules.premium_max,
                premium_slots: fed.rules.premium_slots,
                ..rules
            }
        },
        ..terms(fed)
    };
    let slot = Slot(exchange.slot);
    for params in [book, fed] {
        exchange
            .run(|slab| slab.add_instrument(&params, slot))
            .expect("sound parameters");
    }
    let batch_slots = [0, 1, 3, 10][input.below(4) as usize];
    let orders_max = [u32::from(u16::MAX), 4][input.below(2) as usize];
    let slab = exchange.slab();
    slab.header.batch_slots = batch_slots;
    slab.header.orders_per_account_max = orders_max;
    for _ in 0..3 {
        exchange.open(OPENING_ATOMS);
    }
    if input.byte() & 1 == 1 {
        exchange.slab().accounts[1].flags |= account_flags::DLP;
    }
    exchange
}

/// Batches, freezes, taxes and limits of holds.
fn rules(input: &mut Input<'_>) -> Rules {
    let bits = input.byte();
    Rules {
        switches: u32::from(bits) & (switches::PENDING | switches::JIT_PENALTY),
        freeze_levels: u32::from(bits >> 2 & 3),
        freeze_slots: Slot(u32::from(bits >> 4 & 3)),
        round_trip_tax: Ppm([0, 1_000_000][usize::from(bits >> 6 & 1)]),
        reveal_slots: Slot(2),
        hold_lots_min: Lots(u32::from(bits >> 7)),
        hold_share_max: Ppm([0, 300_000][usize::from(bits >> 7)]),
        ..Rules::default()
    }
}

/// The key that trades for an account.
pub(crate) fn trader_of(account: u32) -> [u8; 32] {
    key_of(7, account)
}
