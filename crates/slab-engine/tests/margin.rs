//! Margin, freezes, position limits and the mark.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::router::{handle, reserve};
use common::{Exchange, ioc, limit, params, post_only};
use flagstone_interface::event::outcome;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::marks::{MARK_ORDERS_MAX, MARK_STEP_SLOTS_MAX};
use flagstone_units::{Lots, Side::Ask, Side::Bid, SignedPpm, Slot, Ticks};

/// A rich account 1 and an account 2 with this much cash.
fn rich_and(cash: u64, params: &InstrumentParams) -> Exchange {
    let mut exchange = Exchange::new(params, 1);
    exchange.open(cash);
    exchange
}

#[test]
fn t1_every_way_to_take_on_risk_is_margined() {
    // The first attempt wrote a margin check and never called it.
    let mut exchange = rich_and(1_000, &params());
    exchange.post(1, Ask, 1_000, 100).unwrap();
    exchange.post(1, Bid, 999, 100).unwrap();
    let short = SlabError::BelowInitialMargin;
    assert_eq!(exchange.ioc(2, Bid, 1_000, 11), Err(short));
    assert_eq!(
        exchange.place(&limit(2, Bid, 1_000, 11)).unwrap_err(),
        short
    );
    assert_eq!(exchange.post(2, Bid, 999, 11).unwrap_err(), short);
    assert_eq!(exchange.post(2, Ask, 1_001, 11).unwrap_err(), short);
    assert_eq!(exchange.ioc(2, Bid, 1_000, 10), Ok(10));
    // All of the margin is in use: one lot more fails, even at a better price.
    assert_eq!(exchange.post(2, Bid, 950, 1).unwrap_err(), short);
    exchange.audit();
}

#[test]
fn t1_open_orders_add_up_but_opposite_sides_do_not() {
    let mut exchange = rich_and(1_000, &params());
    for ticks in [950, 951] {
        exchange.post(2, Bid, ticks, 5).unwrap();
        exchange.post(2, Ask, ticks + 100, 5).unwrap();
    }
    for (side, ticks) in [(Bid, 940), (Ask, 1_060)] {
        let refused = exchange.post(2, side, ticks, 1).unwrap_err();
        assert_eq!(refused, SlabError::BelowInitialMargin);
    }
    assert_eq!(exchange.slab().health(2, None).initial_atoms, 1_000);
}

#[test]
fn t1_margin_counts_every_instrument() {
    let mut exchange = rich_and(1_000, &params());
    exchange
        .slab()
        .add_instrument(&params(), Slot(100))
        .unwrap();
    exchange.post(2, Bid, 950, 6).unwrap();
    let mut other = post_only(2, Bid, 950, 5);
    other.instrument = 1;
    assert_eq!(
        exchange.place(&other).unwrap_err(),
        SlabError::BelowInitialMargin
    );
    other.lots = Lots(4);
    exchange.place(&other).unwrap();
}

#[test]
fn t1_a_maker_that_cannot_carry_the_fill_is_removed() {
    let mut exchange = rich_and(1_000, &params());
    exchange.post(2, Ask, 1_000, 10).unwrap();
    exchange.post(1, Ask, 1_001, 10).unwrap();
    // A loss elsewhere takes the margin away; here, a mark that moved.
    exchange.slab().instruments[0].mark = Ticks(1_050);
    exchange.open(1_000_000);
    let traded = exchange.take(&ioc(3, Bid, 1_001, 5)).unwrap();
    let met: Vec<_> = traded
        .fills()
        .iter()
        .map(|fill| (fill.account, fill.outcome))
        .collect();
    assert_eq!(met, [(2, outcome::MARGIN), (1, outcome::PARTIAL)]);
    assert_eq!(exchange.position(2, 0), (0, 0));
    exchange.audit();
}

#[test]
fn t1_an_account_short_of_margin_may_reduce_but_not_flip() {
    let mut exchange = rich_and(1_000, &params());
    exchange.post(1, Ask, 1_000, 10).unwrap();
    exchange.ioc(2, Bid, 1_000, 10).unwrap();
    exchange.slab().instruments[0].mark = Ticks(950);
    let short = Err(SlabError::BelowInitialMargin);
    // 500 of equity on 475 of maintenance margin; at 870 a sale would leave
    // 420 on 428: closer to liquidation than before.
    let low = exchange.post(1, Bid, 870, 100).unwrap();
    assert_eq!(exchange.ioc(2, Ask, 870, 1), short);
    exchange.cancel(1, low).unwrap();
    exchange.post(1, Bid, 950, 100).unwrap();
    assert_eq!(
        exchange.ioc(2, Ask, 950, 19),
        short,
        "a smaller short is still a flip"
    );
    assert_eq!(exchange.ioc(2, Ask, 950, 1), Ok(1));
    assert_eq!(exchange.ioc(2, Ask, 950, 9), Ok(9));
    exchange.audit();
}

#[test]
fn t1_a_reduction_may_keep_the_ratio_but_not_lower_it() {
    let mut exchange = rich_and(1_000, &params());
    exchange.post(1, Ask, 1_000, 10).unwrap();
    exchange.ioc(2, Bid, 1_000, 10).unwrap();
    exchange.slab().instruments[0].mark = Ticks(960);
    // Equity 600 on 480; one lot at 900 leaves 540 on 432, the same ratio.
    let low = exchange.post(1, Bid, 899, 1).unwrap();
    assert_eq!(
        exchange.ioc(2, Ask, 899, 1),
        Err(SlabError::BelowInitialMargin)
    );
    exchange.cancel(1, low).unwrap();
    exchange.post(1, Bid, 900, 1).unwrap();
    assert_eq!(exchange.ioc(2, Ask, 900, 1), Ok(1));
}

#[test]
fn t1_margin_rounds_up() {
    // A tenth of 1,001 is 100.1.
    let terms = InstrumentParams {
        mark: Ticks(1_001),
        ..params()
    };
    let mut exchange = rich_and(100, &terms);
    assert_eq!(
        exchange.post(2, Bid, 990, 1).unwrap_err(),
        SlabError::BelowInitialMargin
    );
    exchange.deposit(2, 1).unwrap();
    exchange.post(2, Bid, 990, 1).unwrap();
}

#[test]
fn t1_fees_count_before_margin() {
    let terms = InstrumentParams {
        taker_fee: SignedPpm(1_000),
        ..params()
    };
    let mut exchange = rich_and(1_009, &terms);
    exchange.post(1, Ask, 1_000, 100).unwrap();
    assert_eq!(
        exchange.ioc(2, Bid, 1_000, 10),
        Err(SlabError::BelowInitialMargin)
    );
    exchange.deposit(2, 1).unwrap();
    assert_eq!(exchange.ioc(2, Bid, 1_000, 10), Ok(10));
}

#[test]
fn t1_a_taker_never_trades_outside_the_band() {
    let mut exchange = Exchange::new(&params(), 2);
    exchange.post(1, Ask, 1_085, 10).unwrap();
    exchange.slab().instruments[0].mark = Ticks(960);
    assert_eq!(
        exchange.ioc(2, Bid, 100_000, 5),
        Ok(0),
        "above the band: untouched"
    );
    assert_eq!(exchange.depth(0, Ask), [(1_085, 10)]);
    exchange.slab().instruments[0].mark = Ticks(1_300);
    let traded = exchange.take(&ioc(2, Bid, 100_000, 5)).unwrap();
    assert_eq!(
        traded.fills()[0].outcome,
        outcome::OUTSIDE_BAND,
        "below it: removed"
    );
    exchange.audit();
}

#[test]
fn t1_a_frozen_account_only_reduces() {
    let mut exchange = Exchange::new(&params(), 2);
    exchange.post(1, Ask, 1_000, 10).unwrap();
    exchange.ioc(2, Bid, 1_000, 10).unwrap();
    exchange.post(1, Bid, 990, 100).unwrap();
    exchange.post(1, Ask, 1_010, 100).unwrap();
    exchange.freeze(2, true);
    let frozen = SlabError::AccountFrozen;
    assert_eq!(
        exchange.place(&limit(2, Ask, 1_000, 1)).unwrap_err(),
        frozen
    );
    assert_eq!(exchange.ioc(2, Bid, 1_010, 1), Err(frozen));
    // Short 5 is smaller than long 10, and a new risk all the same.
    assert_eq!(exchange.ioc(2, Ask, 990, 15), Err(frozen));
    assert_eq!(exchange.ioc(2, Ask, 990, 10), Ok(10));
    exchange.freeze(2, false);
    assert_eq!(exchange.ioc(2, Bid, 1_010, 1), Ok(1));
    exchange.audit();
}

#[test]
fn t1_a_frozen_makers_orders_only_reduce() {
    // Orders from before the freeze would go on building its position.
    let mut exchange = Exchange::new(&params(), 3);
    exchange.post(2, Ask, 1_000, 5).unwrap();
    exchange.ioc(3, Bid, 1_000, 5).unwrap();
    exchange.post(2, Bid, 990, 5).unwrap();
    exchange.post(2, Ask, 1_010, 5).unwrap();
    let handle = exchange.post(2, Bid, 980, 9).unwrap();
    exchange.freeze(2, true);
    assert_eq!(exchange.ioc(1, Bid, 1_010, 5), Ok(0));
    assert_eq!(exchange.position(2, 0).0, -5);
    assert_eq!(exchange.ioc(1, Ask, 990, 5), Ok(5));
    assert_eq!(exchange.position(2, 0).0, 0);
    assert!(
        exchange.cancel(2, handle).unwrap().is_some(),
        "a freeze never bars a cancel"
    );
    exchange.audit();
}

#[test]
fn t1_open_orders_cannot_carry_a_position_past_its_limit() {
    let terms = InstrumentParams {
        position_lots_max: Lots(100),
        order_lots_max: Lots(100),
        ..params()
    };
    let mut exchange = Exchange::new(&terms, 3);
    let large = SlabError::PositionTooLarge;
    exchange.post(1, Ask, 1_000, 60).unwrap();
    exchange.ioc(2, Bid, 1_000, 60).unwrap();
    assert_eq!(exchange.post(2, Bid, 990, 41).unwrap_err(), large);
    // Long 60 with 160 to sell: at worst short 100.
    exchange.post(2, Ask, 1_020, 100).unwrap();
    exchange.post(2, Ask, 1_021, 60).unwrap();
    assert_eq!(exchange.post(2, Ask, 1_022, 1).unwrap_err(), large);
    exchange.post(3, Bid, 1_000, 100).unwrap();
    // A flip to a smaller short, or a mere reduction, would make it 210 or 161.
    assert_eq!(exchange.ioc(2, Ask, 1_000, 100), Err(large));
    assert_eq!(exchange.ioc(2, Ask, 1_000, 1), Err(large));
    exchange.ioc(3, Bid, 1_030, 0).unwrap_err();
    exchange.audit();
}

/// A mark that moves by 3 a slot after 5 lots have rested for 2 slots.
fn with_mark() -> Exchange {
    let (mark_move_max, mark_age, mark_lots_min) = (Ticks(3), Slot(2), Lots(5));
    let terms = InstrumentParams {
        mark_move_max,
        mark_age,
        mark_lots_min,
        ..params()
    };
    Exchange::new(&terms, 2)
}

/// The mark after `slots` more slots.
fn mark_after(exchange: &mut Exchange, slots: u32) -> u32 {
    exchange.slot += slots;
    let slot = Slot(exchange.slot);
    let mut slab = exchange.slab();
    slab.touch_mark(0, slot);
    slab.instruments[0].mark.0
}

#[test]
fn t3_the_mark_moves_once_per_slot_and_by_a_bounded_step() {
    let mut exchange = with_mark();
    exchange.post(1, Bid, 1_040, 5).unwrap();
    exchange.post(2, Ask, 1_045, 5).unwrap();
    assert_eq!(mark_after(&mut exchange, 1), 1_000, "too young");
    assert_eq!(mark_after(&mut exchange, 1), 1_006, "two slots to catch up");
    assert_eq!(mark_after(&mut exchange, 0), 1_006, "once per slot");
    assert_eq!(mark_after(&mut exchange, 1), 1_009);
    assert_eq!(mark_after(&mut exchange, 2), 1_015);
    assert_eq!(
        mark_after(&mut exchange, 1_000),
        1_042,
        "never past the middle"
    );
    let slot = exchange.slot;
    exchange.slab().touch_mark(0, Slot(slot - 50));
    assert_eq!(
        exchange.slab().instruments[0].mark_slot,
        Slot(slot),
        "time does not run back"
    );
}

#[test]
fn t3_thin_and_one_sided_books_do_not_move_the_mark() {
    let mut exchange = with_mark();
    exchange.post(1, Bid, 1_040, 5).unwrap();
    assert_eq!(mark_after(&mut exchange, 9), 1_000);
    exchange.post(2, Ask, 1_045, 4).unwrap();
    assert_eq!(mark_after(&mut exchange, 9), 1_000);
}

#[test]
fn t3_expired_orders_do_not_move_the_mark() {
    // Nobody can trade with them, so they would push the mark without risk.
    let mut exchange = with_mark();
    for mut order in [post_only(1, Bid, 1_040, 50), post_only(2, Ask, 1_045, 50)] {
        order.expiry = Slot(exchange.slot);
        exchange.place(&order).unwrap();
    }
    assert_eq!(mark_after(&mut exchange, 9), 1_000);
    assert_eq!(
        exchange.depth(0, Bid),
        [(1_040, 50)],
        "they are still there"
    );
}

/// Old quotes of 5 lots each, with the middle at 1,042.
fn with_old_quotes() -> Exchange {
    let mut exchange = with_mark();
    exchange.post(1, Bid, 1_040, 5).unwrap();
    exchange.post(2, Ask, 1_045, 5).unwrap();
    assert_eq!(mark_after(&mut exchange, 2), 1_006);
    exchange
}

#[test]
fn t3_one_fresh_lot_at_the_touch_does_not_freeze_the_mark() {
    let mut exchange = with_old_quotes();
    for slots in 1..=6 {
        let bid = exchange.post(1, Bid, 1_041, 1).unwrap();
        let ask = exchange.post(2, Ask, 1_044, 1).unwrap();
        assert_eq!(mark_after(&mut exchange, 1), 1_006 + 3 * slots);
        exchange.cancel(1, bid).unwrap();
        exchange.cancel(2, ask).unwrap();
    }
    // Left to grow old, it is one lot of the five, and the others' price counts.
    exchange.post(1, Bid, 1_044, 1).unwrap();
    assert_eq!(mark_after(&mut exchange, 100), 1_042);
}

#[test]
fn t3_the_price_is_where_the_old_lots_add_up() {
    let mut exchange = with_mark();
    for (ticks, lots) in [(1_030, 2), (1_020, 2), (1_010, 2)] {
        exchange.post(1, Bid, ticks, lots).unwrap();
    }
    exchange.post(2, Ask, 1_032, 4).unwrap();
    exchange.post(2, Ask, 1_040, 1).unwrap();
    assert_eq!(mark_after(&mut exchange, 25), 1_025);
}

#[test]
fn t3_fresh_lots_behind_an_old_order_are_no_depth() {
    let mut exchange = with_mark();
    exchange.post(1, Bid, 1_040, 1).unwrap();
    exchange.post(2, Ask, 1_045, 1).unwrap();
    for slots in [2, 1, 1] {
        exchange.slot += slots;
        let bid = exchange.post(1, Bid, 1_040, 500).unwrap();
        let ask = exchange.post(2, Ask, 1_045, 500).unwrap();
        assert_eq!(mark_after(&mut exchange, 1), 1_000);
        exchange.cancel(1, bid).unwrap();
        exchange.cancel(2, ask).unwrap();
    }
    exchange.post(1, Bid, 1_040, 4).unwrap();
    exchange.post(2, Ask, 1_045, 4).unwrap();
    assert_eq!(
        mark_after(&mut exchange, 2),
        1_027,
        "nine slots to catch up"
    );
}

#[test]
fn t3_reserved_lots_do_not_move_the_mark() {
    // Nobody else gets at them: with a hold on it, a quote is safe from everyone.
    let mut exchange = with_mark();
    exchange.open(1_000_000_000);
    exchange.post(1, Bid, 1_040, 6).unwrap();
    exchange.post(1, Ask, 1_045, 6).unwrap();
    let hold = |side, limit, lots| {
        let mut order = reserve(3, side, limit, lots);
        order.ttl = Slot(100);
        order
    };
    let held = exchange.reserve(&hold(Ask, 1_040, 2)).unwrap();
    exchange.reserve(&hold(Bid, 1_045, 1)).unwrap();
    assert_eq!(mark_after(&mut exchange, 4), 1_000, "four bids are free");
    exchange.cancel_hold(3, handle(&held)).unwrap();
    assert_eq!(mark_after(&mut exchange, 1), 1_015, "and now six");
    // Nothing at all is no price, even where the least quantity is zero.
    exchange.reserve(&hold(Ask, 1_040, 6)).unwrap();
    exchange.slab().instruments[0].mark_lots_min = Lots(0);
    assert_eq!(mark_after(&mut exchange, 1), 1_015);
    exchange.audit();
}

#[test]
fn t3_after_silence_the_mark_catches_up_by_a_bounded_step() {
    let bound = 3 * MARK_STEP_SLOTS_MAX.0;
    let mut exchange = with_mark();
    exchange.post(1, Bid, 1_080, 5).unwrap();
    exchange.post(2, Ask, 1_088, 5).unwrap();
    assert_eq!(mark_after(&mut exchange, 1_000_000), 1_000 + bound);
    assert_eq!(mark_after(&mut exchange, 1), 1_003 + bound);

    // A look that finds no price neither spends the step nor raises its bound.
    let mut exchange = with_mark();
    exchange.post(1, Bid, 1_080, 5).unwrap();
    exchange.post(2, Ask, 1_088, 4).unwrap();
    for _ in 0..10 {
        assert_eq!(mark_after(&mut exchange, 1), 1_000);
    }
    exchange.post(2, Ask, 1_088, 1).unwrap();
    assert_eq!(mark_after(&mut exchange, 2), 1_036);
    let gap = exchange.post(2, Ask, 1_087, 1).unwrap();
    for _ in 0..40 {
        mark_after(&mut exchange, 1);
    }
    exchange.cancel(2, gap).unwrap();
    assert_eq!(mark_after(&mut exchange, 1), 1_084, "never past the middle");
}

#[test]
fn t3_a_look_at_the_book_visits_few_orders() {
    let mut exchange = with_old_quotes();
    // Fresh orders in front of the old ones, as many as leave room for one.
    for _ in 1..MARK_ORDERS_MAX {
        exchange.post(1, Bid, 1_041, 1).unwrap();
    }
    assert_eq!(mark_after(&mut exchange, 1), 1_009);
    exchange.post(1, Bid, 1_042, 1).unwrap();
    assert_eq!(
        mark_after(&mut exchange, 0),
        1_009,
        "the slot has been used"
    );
    exchange.slot += 1;
    let slot = Slot(exchange.slot);
    for order in 1..=MARK_ORDERS_MAX + 2 {
        // Nothing in front grows old.
        exchange.slab().orders[order].slot = if order <= 2 { Slot(100) } else { slot };
    }
    assert_eq!(mark_after(&mut exchange, 0), 1_009, "one too many in front");
    assert_eq!(mark_after(&mut exchange, 2), 1_018, "old, they count");
}
