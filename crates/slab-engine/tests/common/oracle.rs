//! An instrument with an oracle, and what the oracle says.

use super::{Exchange, Outcome, params};
use flagstone_interface::event::MarkUpdated;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::layout::{Instrument, Rules};
use flagstone_slab_engine::oracle::OraclePrice;
use flagstone_units::{Lots, Ppm, Side::Ask, Side::Bid, Slot, Ticks};

/// Mark 10,000, two ticks a slot, prices good for 25 slots, a premium of 200
/// at most, averaged over 50 slots; a middle needs ten lots three slots old.
pub fn with_oracle() -> InstrumentParams {
    InstrumentParams {
        mark: Ticks(10_000),
        mark_move_max: Ticks(2),
        mark_age: Slot(3),
        mark_lots_min: Lots(10),
        oracle: [4; 32],
        oracle_feed: [5; 32],
        oracle_scale: 1_000_000,
        rules: Rules {
            oracle_age_max: Slot(25),
            oracle_confidence_max: Ppm(10_000),
            premium_max: Ppm(20_000),
            premium_slots: Slot(50),
            // One interval longer than any test, which costs nothing.
            funding_slots: Slot(1 << 20),
            ..Rules::default()
        },
        ..params()
    }
}

/// Unix time of a slot: a slow chain, so that every slot has its own second.
pub fn time(slot: u32) -> i64 {
    1_700_000_000 + i64::from(slot)
}

/// A price that was published and posted in `slot`.
pub fn price(ticks: u32, slot: u32) -> OraclePrice {
    OraclePrice {
        feed: [5; 32],
        price: i64::from(ticks) * 100,
        confidence: u64::from(ticks),
        exponent: -2,
        publish_time: time(slot),
        posted_slot: slot.into(),
    }
}

/// Brings a price to the slab in the current slot.
pub fn bring(exchange: &mut Exchange, price: &OraclePrice) -> Outcome<MarkUpdated> {
    let slot = exchange.slot;
    exchange.run(|slab| slab.update_mark(0, price, Slot(slot), time(slot)))
}

/// The oracle says `ticks` in the current slot; returns the mark.
pub fn speak(exchange: &mut Exchange, ticks: u32) -> u32 {
    let quoted = price(ticks, exchange.slot);
    let updated = bring(exchange, &quoted).unwrap();
    assert_eq!({ updated.index_ticks }, ticks);
    assert_eq!({ updated.mark_ticks }, mark(exchange));
    exchange.audit();
    updated.mark_ticks
}

/// The oracle says `ticks` in each of the next `slots` slots.
pub fn repeat(exchange: &mut Exchange, ticks: u32, slots: u32) {
    for _ in 0..slots {
        exchange.slot += 1;
        speak(exchange, ticks);
    }
}

pub fn instrument(exchange: &mut Exchange) -> Instrument {
    exchange.slab().instruments[0]
}

pub fn mark(exchange: &mut Exchange) -> u32 {
    instrument(exchange).mark.0
}

pub fn touch(exchange: &mut Exchange) -> u32 {
    let slot = Slot(exchange.slot);
    exchange.slab().touch_mark(0, slot);
    mark(exchange)
}

/// An exchange whose oracle has said 10,000 in slot 101.
pub fn speaking(accounts: u32) -> Exchange {
    let mut exchange = Exchange::new(&with_oracle(), accounts);
    exchange.slot = 101;
    assert_eq!(speak(&mut exchange, 10_000), 10_000);
    exchange
}

/// Account 1 makes, account 2 is long ten lots at 10,000, account 3 has none;
/// quotes of account 1 rest on both sides. The price is good until slot 126.
pub fn about_to_go_stale() -> Exchange {
    let mut exchange = speaking(3);
    exchange.post(1, Ask, 10_000, 10).unwrap();
    exchange.ioc(2, Bid, 10_000, 10).unwrap();
    exchange.post(1, Bid, 9_990, 30).unwrap();
    exchange.post(1, Ask, 10_010, 30).unwrap();
    exchange
}
