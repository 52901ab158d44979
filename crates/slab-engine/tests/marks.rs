//! Marks with an oracle: which prices are taken, how far and when the mark moves.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use bytemuck::Zeroable;
use common::oracle::*;
use common::router::reserve;
use common::{Exchange, Rng, ioc, key_of, params};
use flagstone_interface::event::Traded;
use flagstone_slab_engine::SlabError::{self, BadOraclePrice, StaleMark, WrongOracle};
use flagstone_slab_engine::marks::{MARK_STEP_SLOTS_MAX, PUBLISH_AHEAD_SECONDS_MAX};
use flagstone_slab_engine::oracle::OraclePrice;
use flagstone_units::{Side::Ask, Side::Bid, Slot, Ticks};

#[test]
fn t3_the_mark_follows_the_index_by_two_ticks_a_slot() {
    let mut exchange = speaking(0);
    for step in 1..=250 {
        exchange.slot += 1;
        assert_eq!(speak(&mut exchange, 10_500), 10_000 + 2 * step);
    }
    repeat(&mut exchange, 10_500, 3);
    assert_eq!(mark(&mut exchange), 10_500);
    // Down again, by an odd distance: the last step is a short one.
    repeat(&mut exchange, 10_495, 2);
    assert_eq!(mark(&mut exchange), 10_496);
    repeat(&mut exchange, 10_495, 1);
    assert_eq!(mark(&mut exchange), 10_495);
}

#[test]
fn t3_after_silence_the_mark_catches_up_by_a_bounded_step() {
    let mut exchange = speaking(0);
    exchange.slot += 10;
    assert_eq!(speak(&mut exchange, 20_000), 10_020);
    exchange.slot += 100_000;
    let bound = 2 * MARK_STEP_SLOTS_MAX.0;
    assert_eq!(speak(&mut exchange, 20_000), 10_020 + bound);
    exchange.slot += 1;
    assert_eq!(speak(&mut exchange, 20_000), 10_020 + bound + 2);
}

fn speak_and_touch(exchange: &mut Exchange, touch_first: bool) {
    let before = mark(exchange);
    exchange.slot += 1;
    if touch_first {
        // Towards the index as it was; the new one has to wait for its slot.
        let touched = touch(exchange);
        assert!(touched.abs_diff(before) <= 2);
        assert_eq!(speak(exchange, 11_000), touched);
        exchange.slot += 1;
        assert_eq!(touch(exchange), touched + 2);
    } else {
        assert_eq!(speak(exchange, 11_000), before + 2);
        assert_eq!(touch(exchange), before + 2);
    }
}

#[test]
fn t3_one_move_per_slot_whoever_comes_first() {
    let mut exchange = speaking(0);
    speak_and_touch(&mut exchange, true);
    speak_and_touch(&mut exchange, false);
    // A touch at a stale mark moves nothing, and leaves the move to the price.
    exchange.slot += 26;
    let before = mark(&mut exchange);
    assert_eq!(touch(&mut exchange), before);
    assert_eq!(speak(&mut exchange, 11_000), before + 50);
    assert_eq!(touch(&mut exchange), before + 50);
}

/// Refused, and without a trace although nothing undoes it.
fn refused(exchange: &mut Exchange, price: &OraclePrice, unix_time: i64, error: SlabError) {
    let (before, slot) = (exchange.bytes().to_vec(), Slot(exchange.slot));
    let found = exchange.slab().update_mark(0, price, slot, unix_time);
    assert_eq!(found.map(|_| ()), Err(error));
    assert!(*exchange.bytes() == before, "a refused price left a trace");
}

#[test]
fn t3_a_price_has_to_be_newer_than_the_last() {
    let mut exchange = speaking(0);
    let first = price(10_000, 101);
    refused(&mut exchange, &first, time(101), BadOraclePrice);
    exchange.slot = 110;
    // A replay, and all that is newer in one respect only.
    refused(&mut exchange, &first, time(110), BadOraclePrice);
    let posted_again = OraclePrice {
        posted_slot: 110,
        ..first
    };
    refused(&mut exchange, &posted_again, time(110), BadOraclePrice);
    let older = OraclePrice {
        publish_time: time(100),
        ..posted_again
    };
    refused(&mut exchange, &older, time(110), BadOraclePrice);
    for posted_slot in [0, 100, 101] {
        let posted_before = OraclePrice {
            posted_slot,
            ..price(10_000, 110)
        };
        refused(&mut exchange, &posted_before, time(110), BadOraclePrice);
    }
    // One slot and one second later is enough.
    bring(&mut exchange, &price(10_000, 102)).unwrap();
    assert_eq!(instrument(&mut exchange).index_slot, Slot(102));
}

#[test]
fn t3_a_price_has_to_be_recent_by_both_clocks() {
    let mut exchange = speaking(0);
    exchange.slot = 200;
    let old = |posted_slot: u64, age: i64| OraclePrice {
        posted_slot,
        publish_time: time(200) - age,
        ..price(10_000, 200)
    };
    for posted_slot in [201, 1 << 32, u64::MAX, 174, 0] {
        refused(
            &mut exchange,
            &old(posted_slot, 0),
            time(200),
            BadOraclePrice,
        );
    }
    // 25 slots of 400 ms are ten seconds.
    let ahead = -PUBLISH_AHEAD_SECONDS_MAX;
    for age in [11, ahead - 1] {
        refused(&mut exchange, &old(200, age), time(200), BadOraclePrice);
    }
    for (publish_time, unix_time) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN)] {
        let never = OraclePrice {
            publish_time,
            ..old(200, 0)
        };
        refused(&mut exchange, &never, unix_time, BadOraclePrice);
    }
    bring(&mut exchange, &old(175, 10)).unwrap();
    assert_eq!(instrument(&mut exchange).fresh_until, Slot(200));
    bring(&mut exchange, &old(200, ahead)).unwrap();
    assert_eq!(instrument(&mut exchange).fresh_until, Slot(225));
    exchange.audit();
}

#[test]
fn t3_time_that_runs_backwards_moves_nothing() {
    let mut exchange = speaking(0);
    exchange.slot = 110;
    speak(&mut exchange, 10_500);
    let after = exchange.bytes().to_vec();
    exchange.slot = 105;
    touch(&mut exchange);
    assert!(*exchange.bytes() == after);
    refused(
        &mut exchange,
        &price(10_000, 105),
        time(105),
        BadOraclePrice,
    );
    refused(
        &mut exchange,
        &price(10_000, 111),
        time(111),
        BadOraclePrice,
    );
    // The cluster's unix clock may go back; the prices' own times may not.
    exchange.slot = 111;
    refused(&mut exchange, &price(10_000, 110), time(90), BadOraclePrice);
    let slot = Slot(111);
    let updated = exchange.run(|slab| slab.update_mark(0, &price(10_000, 111), slot, time(90)));
    assert_eq!({ updated.unwrap().mark_ticks }, 10_016);
}

#[test]
fn t3_uncertain_foreign_and_extreme_prices_are_refused() {
    let mut exchange = speaking(0);
    exchange.slot = 102;
    let good = price(10_000, 102);
    let cases = [
        // A hundredth of 1,000,000 is the limit.
        (
            OraclePrice {
                confidence: 10_001,
                ..good
            },
            BadOraclePrice,
        ),
        (
            OraclePrice {
                confidence: u64::MAX,
                ..good
            },
            BadOraclePrice,
        ),
        (
            OraclePrice {
                feed: [6; 32],
                ..good
            },
            WrongOracle,
        ),
        (
            OraclePrice {
                feed: [0; 32],
                ..good
            },
            WrongOracle,
        ),
        (
            OraclePrice {
                price: 0,
                confidence: 0,
                ..good
            },
            BadOraclePrice,
        ),
        (
            OraclePrice {
                price: -1,
                confidence: 0,
                ..good
            },
            BadOraclePrice,
        ),
        (
            OraclePrice {
                price: i64::MIN,
                ..good
            },
            BadOraclePrice,
        ),
        (
            OraclePrice {
                price: i64::MAX,
                ..good
            },
            BadOraclePrice,
        ),
        (
            OraclePrice {
                exponent: i32::MAX,
                ..good
            },
            BadOraclePrice,
        ),
        (
            OraclePrice {
                exponent: i32::MIN,
                ..good
            },
            BadOraclePrice,
        ),
        // Rounds to nothing, and a tick above the largest price.
        (
            OraclePrice {
                price: 49,
                confidence: 0,
                ..good
            },
            BadOraclePrice,
        ),
        (
            OraclePrice {
                price: 100_000_050,
                ..good
            },
            BadOraclePrice,
        ),
    ];
    for (case, error) in cases {
        refused(&mut exchange, &case, time(102), error);
    }
    let largest = OraclePrice {
        price: 100_000_049,
        ..good
    };
    bring(&mut exchange, &largest).unwrap();
    assert_eq!(instrument(&mut exchange).index, Ticks(1_000_000));
    // A book's mark takes no price from anybody.
    let mut book = Exchange::new(&params(), 0);
    let plain = OraclePrice {
        feed: [0; 32],
        ..price(1_000, 100)
    };
    refused(&mut book, &plain, time(100), WrongOracle);
    let absent = exchange.run(|slab| slab.update_mark(1, &good, Slot(102), time(102)));
    assert_eq!(absent.map(|_| ()), Err(SlabError::NoInstrument));
}

#[test]
fn t3_a_later_commit_needs_a_price_posted_after_its_reserve() {
    let hold = |exchange: &mut Exchange| {
        let mut order = reserve(2, Bid, 10_010, 1);
        order.ttl = Slot(40);
        exchange.reserve(&order).unwrap()
    };
    let mut exchange = about_to_go_stale();
    exchange.slot = 102;
    speak(&mut exchange, 10_000);
    let same = hold(&mut exchange);
    exchange.mint_and_commit(&same).unwrap();
    let held = hold(&mut exchange);
    let cap = exchange.mint_for(&held);
    for slot in [103, 110, 127] {
        exchange.slot = slot;
        // The price that was there when it was reserved is fresh, but old news.
        assert!(exchange.slab().mark_is_fresh(0, Slot(slot)));
        assert_eq!(exchange.commit(&held, cap).map(|_| ()), Err(StaleMark));
    }
    exchange.slot = 104;
    bring(&mut exchange, &price(10_000, 103)).unwrap();
    exchange.slot = 129;
    assert_eq!(
        exchange.commit(&held, cap).map(|_| ()),
        Err(StaleMark),
        "too old by now"
    );
    exchange.slot = 128;
    exchange.commit(&held, cap).unwrap();
    exchange.audit();
}

#[test]
fn t3_a_later_commit_needs_a_fresh_mark_even_to_reduce() {
    let mut exchange = about_to_go_stale();
    let mut order = reserve(2, Ask, 9_990, 5);
    order.ttl = Slot(40);
    let held = exchange.reserve(&order).unwrap();
    let cap = exchange.mint_for(&held);
    exchange.slot = 102;
    speak(&mut exchange, 10_000);
    exchange.slot = 128;
    assert_eq!(exchange.commit(&held, cap).map(|_| ()), Err(StaleMark));
    exchange.slot = 127;
    exchange.commit(&held, cap).unwrap();
    exchange.audit();
}

#[test]
fn t3_without_an_oracle_a_later_commit_waits_for_nobody() {
    let mut exchange = Exchange::new(&params(), 2);
    exchange.post(1, Ask, 1_000, 10).unwrap();
    let mut order = reserve(2, Bid, 1_000, 10);
    order.ttl = Slot(20);
    let held = exchange.reserve(&order).unwrap();
    exchange.slot += 20;
    exchange.mint_and_commit(&held).unwrap();
    exchange.audit();
}

/// Cancels the account's newest order; a cancel never fails, stale or fresh.
fn cancel_any(exchange: &mut Exchange, account: u32) -> bool {
    let slab = exchange.slab();
    let head = slab.accounts[account].orders_head;
    let Some(order) = slab.orders.get(head) else {
        return true;
    };
    let generation = order.generation;
    exchange.cancel(account, (head, generation)).is_ok()
}

#[test]
fn t1_t3_a_mark_obeys_its_bounds_whatever_happens() {
    for seed in 0..20 {
        let (mut rng, mut index) = (Rng(seed), 10_000);
        let mut exchange = speaking(3);
        for _ in 0..400 {
            exchange.slot += [0, 0, 1, 1, 1, 2, 5, 30][rng.below(8) as usize];
            let before = instrument(&mut exchange);
            act(&mut exchange, &mut rng, &mut index);
            exchange.audit();
            let (after, slot) = (instrument(&mut exchange), Slot(exchange.slot));
            let elapsed = slot
                .saturating_sub(before.mark_moved)
                .min(MARK_STEP_SLOTS_MAX);
            let (from, to) = (before.mark.0, after.mark.0);
            assert!(to.abs_diff(from) <= 2 * elapsed.0, "seed {seed}");
            if to != from {
                assert!(after.is_fresh(slot), "a stale mark moved");
                // Towards the index, or within its premium.
                let bound = after.index.0 / 50;
                let (low, high) = (after.index.0 - bound, after.index.0 + bound);
                let bounded = low.min(from) <= to && to <= high.max(from);
                assert!(bounded, "seed {seed}: {from} to {to}");
            }
        }
    }
}

/// One random step of the oracle, of a trader or of a keeper.
fn act(exchange: &mut Exchange, rng: &mut Rng, index: &mut u32) {
    let account = 1 + rng.below(3) as u32;
    let side = if rng.below(2) == 0 { Bid } else { Ask };
    let mark = mark(exchange);
    match rng.below(6) {
        0 => *index = (*index + 300 - rng.below(600) as u32).clamp(5_000, 20_000),
        1 => {
            let quoted = price(*index, exchange.slot);
            // Refused when the slot has had its price.
            let _ = bring(exchange, &quoted);
        }
        2 => {
            touch(exchange);
        }
        3 => {
            let ticks = mark - 800 + rng.below(1_600) as u32;
            let _ = exchange.post(account, side, ticks, 1 + rng.below(20) as u32);
        }
        4 => {
            let limit = [mark + 500, mark - 500][side.index()];
            let stale = !instrument(exchange).is_fresh(Slot(exchange.slot));
            let held = exchange.position(account, 0).0.unsigned_abs();
            let traded = exchange.ioc(account, side, limit, 1 + rng.below(9) as u32);
            let left = exchange.position(account, 0).0.unsigned_abs();
            if stale && traded.is_ok_and(|lots| lots > 0) {
                assert!(left < held, "opened at a stale mark");
            }
        }
        _ => assert!(cancel_any(exchange, account)),
    }
}

#[test]
fn t3_a_stale_first_touch_by_a_trade_moves_nothing() {
    let mut exchange = about_to_go_stale();
    exchange.slab().instruments[0].index = Ticks(11_000);
    exchange.slot = 127;
    let (slot, mut traded) = (Slot(127), Traded::zeroed());
    let take = ioc(2, Ask, 9_990, 1);
    exchange
        .run(|slab| slab.take(&key_of(7, 2), &take, slot, &mut traded))
        .unwrap();
    assert_eq!(mark(&mut exchange), 10_000);
}
