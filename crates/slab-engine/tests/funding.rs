//! Funding: who pays whom, when, and for which quantity.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use bytemuck::Zeroable;
use common::{Exchange, Rng, params};
use flagstone_interface::router::FundingGrid;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::layout::Rules;
use flagstone_units::{Lots, Ppm, Side::Ask, Side::Bid, Slot, Ticks};

/// Intervals of 20 slots from slot 100 on, index and mark 10,000, two atoms a
/// tick, at most 1 % an interval; the book makes no mark.
fn funded() -> InstrumentParams {
    InstrumentParams {
        underlying_id: 42,
        atoms_per_tick: 2,
        mark: Ticks(10_000),
        position_lots_max: Lots(100_000),
        order_lots_max: Lots(100_000),
        oracle: [5; 32],
        oracle_feed: [6; 32],
        oracle_scale: 1_000_000,
        mmr: Ppm(99_000),
        rules: Rules {
            oracle_age_max: Slot(10),
            oracle_confidence_max: Ppm(1_000),
            funding_slots: Slot(20),
            funding_max: Ppm(10_000),
            funding_spread_max: Ppm(500),
            ..Rules::default()
        },
        ..params()
    }
}

/// The oracle has said 10,000 in slot 100, and that is good for ever.
fn spoken(accounts: u32) -> Exchange {
    let mut exchange = Exchange::new(&funded(), accounts);
    let mut slab = exchange.slab();
    let instrument = &mut slab.instruments[0];
    (instrument.index, instrument.index_slot) = (Ticks(10_000), Slot(100));
    instrument.fresh_until = Slot(u32::MAX - 1);
    exchange
}

/// Account 2 long, account 1 short, account 3 flat.
fn exchange(lots: u32) -> Exchange {
    let mut exchange = spoken(3);
    exchange.post(1, Ask, 10_000, lots).unwrap();
    exchange.ioc(2, Bid, 10_000, lots).unwrap();
    exchange
}

/// The book traded this many ticks above the index throughout the interval.
fn premium(exchange: &mut Exchange, ticks: i64) {
    let mut slab = exchange.slab();
    let instrument = &mut slab.instruments[0];
    (instrument.premium_sum, instrument.premium_weight) = (ticks * 20, 20);
}

/// Settles an account by an order that it takes back.
fn touch(exchange: &mut Exchange, account: u32) {
    let order = exchange.post(account, Bid, 9_500, 1).unwrap();
    exchange.cancel(account, order).unwrap().unwrap();
    exchange.audit();
}

fn paid(exchange: &mut Exchange, account: u32) -> i64 {
    touch(exchange, account);
    1_000_000_000 - exchange.cash(account)
}

#[test]
fn rm6_a_premium_is_paid_over_the_next_interval_slot_by_slot_and_once() {
    // Once the index never moved and nothing was ever paid.
    for sign in [1, -1] {
        let mut exchange = exchange(10);
        premium(&mut exchange, 5 * sign);
        // 10 lots at 5 ticks of 2 atoms: 100 atoms for the whole interval.
        for (slot, due) in [
            (119, 0),
            (120, 0),
            (125, 25),
            (125, 25),
            (130, 50),
            (140, 100),
            (141, 100),
            (199, 100),
            (1_000, 100),
        ] {
            exchange.slot = slot;
            assert_eq!(paid(&mut exchange, 2), due * sign, "slot {slot}");
            assert_eq!(paid(&mut exchange, 1), -due * sign, "slot {slot}");
        }
    }
}

#[test]
fn rm6_what_is_paid_does_not_depend_on_who_comes_by() {
    let mut rng = Rng(4);
    for lots in [1, 3, 10, 7_777] {
        for ticks in [1, -1, 7, 61] {
            let [mut often, mut once] = [exchange(lots), exchange(lots)];
            let mut touches = 0;
            for exchange in [&mut often, &mut once] {
                premium(exchange, ticks);
            }
            while often.slot < 141 {
                often.slot += 1 + rng.below(3) as u32;
                touch(&mut often, 1 + rng.below(2) as u32);
                touches += 1;
            }
            once.slot = often.slot;
            for account in [1, 2] {
                let (often, once) = (paid(&mut often, account), paid(&mut once, account));
                // Each settlement rounds against the account, by less than one.
                assert!(
                    (once..=once + touches).contains(&often),
                    "{often} against {once}"
                );
            }
            let left = often.slab().header.funding_pool_atoms;
            assert!((0..=touches + 2).contains(&left));
        }
    }
}

#[test]
fn rm6_t8_each_quantity_pays_for_the_slots_in_which_it_was_held() {
    // Once an increase, a reduction and a close lost what was due.
    let mut exchange = exchange(10);
    premium(&mut exchange, 100);
    // A lot pays 10 atoms a slot from slot 120 on.
    exchange.slot = 124;
    exchange.post(1, Ask, 10_000, 5).unwrap();
    exchange.ioc(2, Bid, 10_000, 5).unwrap();
    assert_eq!(exchange.cash(2), 1_000_000_000 - 400);
    exchange.slot = 126;
    exchange.post(1, Bid, 10_000, 12).unwrap();
    exchange.ioc(2, Ask, 10_000, 12).unwrap();
    assert_eq!(exchange.cash(2), 1_000_000_000 - 400 - 300);
    // Flipped to 7 short, which receives.
    exchange.slot = 130;
    exchange.post(1, Bid, 10_000, 10).unwrap();
    exchange.ioc(2, Ask, 10_000, 10).unwrap();
    assert_eq!(exchange.cash(2), 1_000_000_000 - 400 - 300 - 120);
    exchange.slot = 133;
    exchange.post(1, Ask, 10_000, 7).unwrap();
    exchange.ioc(2, Bid, 10_000, 7).unwrap();
    let after = 1_000_000_000 - 400 - 300 - 120 + 210;
    assert_eq!(exchange.position(2, 0), (0, 0));
    assert_eq!(
        (exchange.cash(2), exchange.cash(1)),
        (after, 2_000_000_000 - after)
    );
    // A position opened anew owes nothing of what was before.
    exchange.slot = 137;
    exchange.post(1, Ask, 10_000, 5).unwrap();
    exchange.ioc(3, Bid, 10_000, 5).unwrap();
    exchange.slot = 139;
    assert_eq!(paid(&mut exchange, 3), 100);
    assert_eq!(exchange.slab().header.funding_pool_atoms, 100);
    exchange.audit();
}

#[test]
fn t8_margin_and_releases_see_what_fell_due_without_anybodys_crank() {
    let mut exchange = exchange(10);
    let margin = 10 * 20_000 / 10;
    premium(&mut exchange, 100);
    exchange.slot = 120;
    touch(&mut exchange, 3);
    let free = 1_000_000_000 - margin;
    assert_eq!(exchange.slab().releasable_atoms(2, Slot(120)), free);
    // Ten slots later 10 lots owe 10 atoms a slot each.
    exchange.slot = 130;
    assert_eq!(exchange.release(2, free), Err(SlabError::ReleaseTooLarge));
    assert_eq!(
        exchange.release(2, free - 999),
        Err(SlabError::ReleaseTooLarge)
    );
    exchange.release(2, free - 1_000).unwrap();
    exchange.audit();
    // Nor can the margin that is owed carry an order.
    let order = exchange.post(2, Bid, 10_000, 1);
    assert_eq!(order.map(|_| ()), Err(SlabError::BelowInitialMargin));
    exchange.deposit(2, 2_000).unwrap();
    exchange.post(2, Bid, 10_000, 1).unwrap();
    exchange.audit();
}

#[test]
fn t8_the_rate_is_bounded_and_the_bound_follows_the_index() {
    for (ticks, index, rate) in [
        (99, 10_000, 99),
        (100, 10_000, 100),
        (1_000, 10_000, 100),
        (-1_000, 10_000, -100),
        (1_000, 5_000, 50),
    ] {
        let mut exchange = exchange(10);
        exchange.slab().instruments[0].index = Ticks(index);
        premium(&mut exchange, ticks);
        exchange.slot = 120;
        touch(&mut exchange, 3);
        exchange.slot = 140;
        assert_eq!(paid(&mut exchange, 2), rate * 20, "premium {ticks}");
    }
}

#[test]
fn t8_premium_samples_weigh_by_the_slots_they_stood_for() {
    let mut exchange = exchange(10);
    let mut slab = exchange.slab();
    // 30 ticks for two slots and 3 ticks for eighteen: 5.7 on average.
    slab.instruments[0].premium_sum = 30 * 2 + 3 * 18;
    slab.instruments[0].premium_weight = 20;
    exchange.slot = 140;
    assert_eq!(paid(&mut exchange, 2), 114);
}

#[test]
fn t8_after_a_silence_two_intervals_are_paid_and_no_more() {
    for silence in [160, 161, 500, 100_000] {
        let mut exchange = exchange(10);
        premium(&mut exchange, 5);
        exchange.slot = 120;
        touch(&mut exchange, 3);
        // Sampled in the interval that runs; then nobody comes by.
        premium(&mut exchange, 7);
        exchange.slot = silence;
        assert_eq!(paid(&mut exchange, 2), 100 + 140);
        assert_eq!(paid(&mut exchange, 1), -240);
    }
}

#[test]
fn t8_the_shared_rate_counts_when_it_is_new_and_near() {
    let grid = |rate_ppm, slot| FundingGrid {
        underlying_id: 42,
        rate_ppm,
        interval_slots: 20,
        slot: Slot(slot),
        ..FundingGrid::zeroed()
    };
    // The slab's own rate is 10 ticks, 0.1 %; a tick is 100 ppm.
    for (rate_ppm, slot, ticks) in [
        (1_500, 105, 15),
        (1_501, 105, 10),
        (500, 105, 5),
        (499, 105, 10),
        (-1_000, 105, 10),
    ] {
        let mut exchange = exchange(10);
        exchange.slot = slot;
        exchange
            .run(|slab| slab.update_funding(0, Some(&grid(rate_ppm, slot)), Slot(slot)))
            .unwrap();
        premium(&mut exchange, 10);
        exchange.slot = 121;
        let began = exchange.run(|slab| slab.update_funding(0, None, Slot(121)));
        assert!(began.unwrap().is_some());
        exchange.slot = 140;
        assert_eq!(paid(&mut exchange, 2), ticks * 20, "shared {rate_ppm}");
        // An interval later it is too old.
        premium(&mut exchange, 10);
        exchange.slot = 160;
        touch(&mut exchange, 3);
        exchange.slot = 180;
        assert_eq!(paid(&mut exchange, 2), ticks * 20 + 200);
    }
    // Of another underlying or interval, from the future, or not newer.
    let mut exchange = exchange(10);
    exchange.slot = 110;
    let good = grid(100, 108);
    let wrong = [
        FundingGrid {
            underlying_id: 41,
            ..good
        },
        FundingGrid {
            interval_slots: 21,
            ..good
        },
        grid(100, 111),
    ];
    for grid in wrong {
        let got = exchange.run(|slab| slab.update_funding(0, Some(&grid), Slot(110)));
        assert_eq!(got.map(|_| ()), Err(SlabError::WrongRecord));
    }
    for (grid, legal) in [(good, true), (good, false), (grid(1, 107), false)] {
        let got = exchange.run(|slab| slab.update_funding(0, Some(&grid), Slot(110)));
        assert_eq!(got.is_ok(), legal);
    }
}

#[test]
fn rm6_longs_pay_what_shorts_receive_but_for_the_rounding() {
    let mut exchange = spoken(8);
    let (mut rng, mut settlements) = (Rng(8), 0);
    for _ in 0..3_000 {
        exchange.slot += rng.below(3) as u32;
        premium(&mut exchange, rng.below(41) as i64 - 20);
        let (maker, taker) = (1 + rng.below(8) as u32, 1 + rng.below(8) as u32);
        let side = if rng.below(2) == 0 { Bid } else { Ask };
        if exchange
            .post(maker, side, 10_000, 1 + rng.below(30) as u32)
            .is_ok()
        {
            let _ = exchange.ioc(taker, side.contra(), 10_000, 1 + rng.below(30) as u32);
        }
        settlements += 3;
        exchange.audit();
        let totals = exchange.slab().conservation().unwrap();
        let left = totals.funding_left_atoms;
        assert!((0..=settlements + 8).contains(&left));
    }
    // It moved at all.
    assert!(exchange.slab().instruments[0].funding_index != 0);
}

#[test]
fn t8_the_premium_of_the_last_interval_is_kept_for_the_shared_rate() {
    let mut exchange = exchange(10);
    let kept = |exchange: &mut Exchange, slot: u32| {
        exchange
            .run(|slab| slab.update_funding(0, None, Slot(slot)))
            .unwrap();
        let instrument = &exchange.slab().instruments[0];
        assert_eq!((instrument.premium_sum, instrument.premium_weight), (0, 0));
        (instrument.premium_before, instrument.premium_before_weight)
    };
    premium(&mut exchange, 5);
    assert_eq!(kept(&mut exchange, 120), (100, 20));
    assert_eq!(kept(&mut exchange, 139), (100, 20));
    premium(&mut exchange, -3);
    assert_eq!(kept(&mut exchange, 140), (-60, 20));
    // An interval in which nothing was sampled is one, and what lies further
    // back is forgotten.
    assert_eq!(kept(&mut exchange, 160), (0, 0));
    premium(&mut exchange, 7);
    assert_eq!(kept(&mut exchange, 199), (140, 20));
    premium(&mut exchange, 7);
    assert_eq!(kept(&mut exchange, 220), (0, 0));
    // Nor is there one of intervals that ended for good.
    premium(&mut exchange, 7);
    assert_eq!(kept(&mut exchange, 240), (140, 20));
    exchange.slab().instruments[0].rules.funding_slots = Slot(0);
    assert_eq!(kept(&mut exchange, 241), (0, 0));
}
