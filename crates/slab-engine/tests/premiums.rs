//! The book's premium over the index: how it is averaged, bounded and sampled.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::oracle::*;
use common::router::reserve;
use common::{Exchange, Handle};
use flagstone_units::{Ppm, Side, Side::Ask, Side::Bid, Slot};

/// Quotes of account 1 whose middle is at `middle`, old enough to count.
fn quote(exchange: &mut Exchange, middle: u32) -> [Handle; 2] {
    [(Bid, middle - 10), (Ask, middle + 10)]
        .map(|(side, ticks): (Side, u32)| exchange.post(1, side, ticks, 10).unwrap())
}

#[test]
fn t3_the_average_premium_converges_to_the_books() {
    for (middle, every) in [(10_050, 1), (9_950, 1), (10_050, 7), (9_950, 20)] {
        let mut exchange = speaking(1);
        quote(&mut exchange, middle);
        repeat(&mut exchange, 10_000, 3);
        let premium = i64::from(middle) - 10_000;
        let mut gap = (premium << 16).unsigned_abs();
        for _ in 0..1_500 / every {
            exchange.slot += every;
            speak(&mut exchange, 10_000);
            let average = instrument(&mut exchange).premium_average;
            let left = ((premium << 16) - average).unsigned_abs();
            assert!(left < gap || left == 0, "{left} after {gap}");
            gap = left;
        }
        assert_eq!(gap, 0);
        assert_eq!(mark(&mut exchange), middle);
    }
}

#[test]
fn t3_the_average_moves_by_the_share_of_its_slots() {
    let mut exchange = speaking(1);
    quote(&mut exchange, 10_100);
    // Three slots of growing old, then one of fifty.
    repeat(&mut exchange, 10_000, 3);
    assert_eq!(instrument(&mut exchange).premium_average, (100 << 16) / 50);
    exchange.slot += 10;
    touch(&mut exchange);
    let expected = (100 << 16) / 50 + (98 << 16) / 5 + 1;
    assert_eq!(instrument(&mut exchange).premium_average, expected);
    // However long nobody looked, it is half of the way at most.
    exchange.slot += 1_000;
    speak(&mut exchange, 10_000);
    let left = (100 << 16) - expected;
    assert_eq!(
        instrument(&mut exchange).premium_average,
        expected + (left + 1) / 2
    );
}

#[test]
fn t3_without_premium_slots_the_mark_is_the_index_alone() {
    let mut params = with_oracle();
    params.rules.premium_slots = Slot(0);
    let mut exchange = Exchange::new(&params, 1);
    exchange.slot = 101;
    speak(&mut exchange, 10_000);
    quote(&mut exchange, 10_100);
    repeat(&mut exchange, 10_000, 50);
    assert_eq!(mark(&mut exchange), 10_000);
    // Funding counts the premium all the same: 48 slots with a middle.
    let found = instrument(&mut exchange);
    assert_eq!((found.premium_sum, found.premium_weight), (48 * 100, 48));
}

#[test]
fn t3_premium_samples_weigh_the_slots_since_the_last_look() {
    let mut exchange = speaking(1);
    quote(&mut exchange, 10_040);
    exchange.slot += 3;
    touch(&mut exchange);
    touch(&mut exchange);
    let found = instrument(&mut exchange);
    assert_eq!((found.premium_sum, found.premium_weight), (120, 3));
    exchange.slot += 4;
    speak(&mut exchange, 10_000);
    touch(&mut exchange);
    let found = instrument(&mut exchange);
    assert_eq!((found.premium_sum, found.premium_weight), (280, 7));
    // A stale look counts nothing, a long silence 25 slots.
    exchange.slot += 26;
    touch(&mut exchange);
    assert_eq!(instrument(&mut exchange).premium_weight, 7);
    exchange.slot += 500;
    speak(&mut exchange, 10_000);
    assert_eq!(instrument(&mut exchange).premium_weight, 32);
}

#[test]
fn t3_a_manipulated_book_pushes_the_mark_to_the_bound_and_no_further() {
    let mut exchange = speaking(1);
    let quotes = quote(&mut exchange, 10_850);
    for _ in 0..600 {
        repeat(&mut exchange, 10_000, 1);
        assert!(mark(&mut exchange) <= 10_200);
    }
    assert_eq!(mark(&mut exchange), 10_200);
    // The bound is on the index as it is now: half of it, half of the way.
    let instrument_now = instrument(&mut exchange);
    assert!(
        instrument_now.premium_average <= 200 << 16,
        "the average does not wind up"
    );
    for handle in quotes {
        exchange.cancel(1, handle).unwrap();
    }
    // Without a middle the premium stands; an honest one brings it back.
    repeat(&mut exchange, 10_000, 50);
    assert_eq!(mark(&mut exchange), 10_200);
    quote(&mut exchange, 10_000);
    repeat(&mut exchange, 10_000, 400);
    assert_eq!(mark(&mut exchange), 10_000);
}

#[test]
fn t3_the_premium_is_bounded_below_as_well_and_on_the_index_of_today() {
    let mut exchange = speaking(1);
    quote(&mut exchange, 9_150);
    repeat(&mut exchange, 10_000, 600);
    assert_eq!(mark(&mut exchange), 9_800);
    // The index falls to 9,500: its bound is 190, the premium 350 below it.
    repeat(&mut exchange, 9_500, 400);
    assert_eq!(mark(&mut exchange), 9_310);
}

#[test]
fn t3_an_old_average_is_held_to_the_bound_of_the_index_of_today() {
    let mut exchange = speaking(0);
    exchange.slab().instruments[0].premium_average = 200 << 16;
    repeat(&mut exchange, 10_000, 100);
    assert_eq!(mark(&mut exchange), 10_200);
    repeat(&mut exchange, 9_000, 510);
    assert_eq!(mark(&mut exchange), 9_180);
    exchange.slab().instruments[0].premium_average = -200 << 16;
    repeat(&mut exchange, 9_000, 180);
    assert_eq!(mark(&mut exchange), 8_820);
}

#[test]
fn t3_orders_of_one_slot_do_not_move_the_mark() {
    let mut exchange = speaking(2);
    quote(&mut exchange, 10_000);
    repeat(&mut exchange, 10_000, 3);
    for _ in 0..200 {
        exchange.slot += 1;
        let handles = [(Bid, 10_005), (Ask, 10_008)]
            .map(|(side, ticks)| exchange.post(2, side, ticks, 1_000).unwrap());
        speak(&mut exchange, 10_000);
        for handle in handles {
            exchange.cancel(2, handle).unwrap();
        }
    }
    assert_eq!(mark(&mut exchange), 10_000);
    assert_eq!(instrument(&mut exchange).premium_average, 0);
}

#[test]
fn t3_with_an_oracle_reserved_lots_count() {
    let mut exchange = speaking(2);
    quote(&mut exchange, 10_040);
    exchange.slot += 3;
    let mut order = reserve(2, Bid, 10_050, 10);
    order.ttl = Slot(10);
    exchange.reserve(&order).unwrap();
    let before = instrument(&mut exchange).premium_weight;
    exchange.slot += 1;
    touch(&mut exchange);
    // The look found both sides, at the same middle as before.
    let found = instrument(&mut exchange);
    assert_eq!((before, found.premium_weight), (3, 4));
    assert_eq!(found.premium_sum, 4 * 40);
    exchange.audit();
}

#[test]
fn t3_what_is_due_in_funding_accrues_before_the_index_changes() {
    let mut params = with_oracle();
    params.rules.funding_slots = Slot(100);
    params.rules.funding_max = Ppm(7_500);
    let mut exchange = Exchange::new(&params, 0);
    exchange.slot = 101;
    speak(&mut exchange, 10_000);
    let found = &mut exchange.slab().instruments[0];
    (found.premium_sum, found.premium_weight) = (1_000_000, 1);
    // The interval ends with this slot; what it may cost is bounded by the
    // index that it had.
    exchange.slot = 200;
    speak(&mut exchange, 20_000);
    assert_eq!(instrument(&mut exchange).funding_rate, 75 << 16);
}
