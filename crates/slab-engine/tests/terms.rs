//! New terms: their delay, their bounds, and what they do to what exists.
#![allow(missing_docs, reason = "tests")]

mod common;

use bytemuck::Zeroable;
use common::registry::{apply, delayed, entry, propose, switch, wide, with_oracle};
use common::router::{handle, reserve};
use common::{Exchange, Outcome, Rng, ioc, key_of, limit, params, post_only, small};
use flagstone_interface::router::InstrumentEntry;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::governance::TERMS_LIFE_SLOTS;
use flagstone_slab_engine::layout::Terms;
use flagstone_units::{Lots, Ppm, Side, SignedPpm, Slot, Ticks};

#[test]
fn s2_parameters_out_of_range_are_refused_whatever_the_entry_allows() {
    let mut bad = params();
    bad.mmr = Ppm(bad.imr.0 + 1);
    let mut exchange = Exchange::with(small());
    let added = exchange.run(|slab| slab.add_registered(&bad, &wide(&bad), Slot(100)));
    assert_eq!(added, Err(SlabError::BadInstrument));
    let mut exchange = delayed(&params(), 0, 0);
    let proposed = propose(&mut exchange, &bad.terms(), &wide(&bad));
    assert_eq!(proposed, Err(SlabError::BadInstrument));
}

#[test]
fn s2_terms_wait_for_their_delay_and_not_for_ever() {
    let delay = 50;
    let entry = wide(&params());
    let mut terms = params().terms();
    terms.order_lots_min = Lots(7);
    let mut exchange = delayed(&params(), 0, delay);
    assert_eq!(apply(&mut exchange, &entry), Err(SlabError::NotDue));
    let due = propose(&mut exchange, &terms, &entry).unwrap();
    assert_eq!(due, Slot(100 + delay));
    for slot in [100, 149] {
        exchange.slot = slot;
        assert_eq!(apply(&mut exchange, &entry), Err(SlabError::NotDue));
    }
    assert_eq!(exchange.slab().instruments[0].order_lots_min, Lots(1));
    exchange.slot = 150 + TERMS_LIFE_SLOTS.0 + 1;
    assert_eq!(apply(&mut exchange, &entry), Err(SlabError::NotDue));
    exchange.slot = 150 + TERMS_LIFE_SLOTS.0;
    apply(&mut exchange, &entry).unwrap();
    let instrument = exchange.slab().instruments[0];
    assert_eq!(instrument.terms(), terms);
    assert_eq!(instrument.proposed, Terms::zeroed());
    // Once only.
    assert_eq!(apply(&mut exchange, &entry), Err(SlabError::NotDue));
}

#[test]
fn s2_proposing_again_replaces_the_terms_and_starts_their_delay_anew() {
    let entry = wide(&params());
    let mut exchange = delayed(&params(), 0, 50);
    let (mut first, mut second) = (params().terms(), params().terms());
    first.order_lots_min = Lots(2);
    second.order_lots_min = Lots(3);
    propose(&mut exchange, &first, &entry).unwrap();
    exchange.slot = 149;
    assert_eq!(propose(&mut exchange, &second, &entry), Ok(Slot(199)));
    // A refused proposal leaves the one before it.
    let mut bad = second;
    bad.order_lots_min = Lots(0);
    let refused = propose(&mut exchange, &bad, &entry);
    assert_eq!(refused, Err(SlabError::BadInstrument));
    for slot in [150, 198] {
        exchange.slot = slot;
        assert_eq!(apply(&mut exchange, &entry), Err(SlabError::NotDue));
    }
    exchange.slot = 199;
    apply(&mut exchange, &entry).unwrap();
    assert_eq!(exchange.slab().instruments[0].terms(), second);
}

#[test]
fn s2_a_delay_beyond_the_clock_never_passes_and_none_is_due_at_once() {
    let entry = wide(&params());
    let mut exchange = delayed(&params(), 0, u32::MAX);
    let due = propose(&mut exchange, &params().terms(), &entry).unwrap();
    assert_eq!(due, Slot(u32::MAX));
    exchange.slot = u32::MAX - 1;
    assert_eq!(apply(&mut exchange, &entry), Err(SlabError::NotDue));
    let mut exchange = delayed(&params(), 0, 0);
    exchange.slot = 0;
    let entry = InstrumentEntry {
        active_slot: Slot(0),
        ..entry
    };
    // Slot 0 stands for no proposal.
    assert_eq!(
        propose(&mut exchange, &params().terms(), &entry),
        Ok(Slot(1))
    );
    exchange.slot = 1;
    apply(&mut exchange, &entry).unwrap();
}

#[test]
fn s2_the_gap_rule_is_checked_at_the_mark_of_the_day() {
    let params = with_oracle();
    let entry = entry(&params);
    let mut exchange = delayed(&params, 0, 10);
    propose(&mut exchange, &params.terms(), &entry).unwrap();
    // At a tenth of the price the same move of the mark is ten times as much.
    exchange.slab().instruments[0].mark = Ticks(10_000);
    exchange.slot = 110;
    assert_eq!(apply(&mut exchange, &entry), Err(SlabError::BadInstrument));
    exchange.slab().instruments[0].mark = Ticks(100_000);
    apply(&mut exchange, &entry).unwrap();
}

#[test]
fn s2_orders_below_a_new_smallest_rest_trade_and_leave() {
    let mut exchange = Exchange::new(&params(), 3);
    let small = exchange.post(1, Side::Ask, 1_000, 3).unwrap();
    exchange.post(1, Side::Ask, 1_001, 4).unwrap();
    exchange.post(2, Side::Ask, 1_002, 20).unwrap();
    switch(&mut exchange, |terms| terms.order_lots_min = Lots(10));
    let refused = exchange.post(1, Side::Ask, 1_003, 9);
    assert_eq!(refused, Err(SlabError::BadQuantity));
    // Three, four, and three of twenty: a remainder above the smallest stays.
    assert_eq!(exchange.ioc(3, Side::Bid, 1_002, 10), Ok(10));
    exchange.audit();
    assert_eq!(exchange.depth(0, Side::Ask), [(1_002, 17)]);
    assert_eq!(exchange.cancel(1, small), Ok(None));
    // Of the next ten, seven are left: below the smallest, so they go.
    assert_eq!(exchange.ioc(3, Side::Bid, 1_002, 10), Ok(10));
    assert_eq!(exchange.depth(0, Side::Ask), []);
    exchange.audit();
}

#[test]
fn s2_a_position_above_a_new_largest_may_only_shrink() {
    let mut exchange = Exchange::new(&params(), 3);
    exchange.post(1, Side::Ask, 1_000, 500).unwrap();
    assert_eq!(exchange.ioc(2, Side::Bid, 1_000, 300), Ok(300));
    switch(&mut exchange, |terms| {
        terms.order_lots_max = Lots(100);
        terms.position_lots_max = Lots(100);
    });
    // Neither side grows: not the taker, and the maker's rest is as it was.
    let grown = exchange.ioc(2, Side::Bid, 1_000, 10);
    assert_eq!(grown, Err(SlabError::PositionTooLarge));
    let grown = exchange.post(2, Side::Bid, 999, 1);
    assert_eq!(grown, Err(SlabError::PositionTooLarge));
    // Resting orders that reduce, and trades that do, are fine.
    exchange.post(2, Side::Ask, 1_001, 100).unwrap();
    exchange.audit();
    exchange.post(3, Side::Bid, 999, 50).unwrap();
    assert_eq!(exchange.ioc(2, Side::Ask, 999, 50), Ok(50));
    exchange.audit();
    assert_eq!(exchange.position(2, 0).0, 250);
    assert_eq!(exchange.position(1, 0).0, -300);
    // What rested before the change still trades, within the old bound.
    assert_eq!(exchange.ioc(3, Side::Bid, 1_000, 40), Ok(40));
    assert_eq!(exchange.position(1, 0).0, -340);
    exchange.audit();
}

#[test]
fn t4_a_hold_never_costs_more_than_its_bond() {
    let mut exchange = Exchange::new(&params(), 2);
    exchange.post(1, Side::Ask, 1_000, 100).unwrap();
    let mut order = reserve(2, Side::Bid, 1_000, 100);
    order.ttl = Slot(10);
    let held = exchange.reserve(&order).unwrap();
    let bond = exchange.slab().accounts[2].bond_atoms;
    assert_eq!(
        bond, 10,
        "100,000 atoms at 1 ppm, rounded up, for ten slots"
    );
    // A thousand times dearer, and five slots later.
    switch(&mut exchange, |terms| terms.hold_fee = Ppm(1_000));
    exchange.slot += 5;
    let before = exchange.cash(2);
    let (slot, (hold, generation)) = (Slot(exchange.slot), handle(&held));
    let ended = exchange.run(|slab| slab.cancel_hold(&key_of(7, 2), 2, hold, generation, slot));
    let ended = ended.unwrap().expect("it stood");
    assert_eq!({ ended.fee_atoms }, bond);
    assert_eq!(exchange.cash(2), before - bond as i64);
    assert_eq!(exchange.slab().accounts[2].bond_atoms, 0);
    exchange.audit();
}

#[test]
fn s2_a_hold_under_higher_margin_or_fees_keeps_its_bound() {
    let mut exchange = Exchange::new(&params(), 1);
    let taker = exchange.open(0);
    exchange.post(1, Side::Ask, 1_000, 100).unwrap();
    let held = exchange
        .reserve(&reserve(taker, Side::Bid, 1_000, 100))
        .unwrap();
    let cap = exchange.mint_for(&held);
    switch(&mut exchange, |terms| {
        terms.imr = Ppm(500_000);
        terms.taker_fee = SignedPpm(1_000);
    });
    let committed = exchange.commit(&held, cap);
    assert_eq!(committed.err(), Some(SlabError::ChargeTooLarge));
    exchange.audit();
}

#[test]
fn s2_a_new_funding_interval_starts_from_what_the_old_one_accrued() {
    let mut exchange = delayed(&with_oracle(), 0, 0);
    let entry = wide(&with_oracle());
    {
        let mut slab = exchange.slab();
        let instrument = &mut slab.instruments[0];
        instrument.funding_base = 40;
        instrument.funding_index = 40;
        instrument.funding_rate = 700;
        (instrument.premium_sum, instrument.premium_weight) = (5, 6);
        (instrument.grid_slot, instrument.grid_rate) = (Slot(99), SignedPpm(3));
        (instrument.index, instrument.index_slot) = (Ticks(100_000), Slot(195));
        instrument.fresh_until = Slot(220);
    }
    // A tenth of the interval of 1,000 slots: a tenth of the rate.
    exchange.slot = 200;
    let mut terms = with_oracle().terms();
    terms.rules.funding_max = Ppm(90);
    propose(&mut exchange, &terms, &entry).unwrap();
    apply(&mut exchange, &entry).unwrap();
    let kept = exchange.slab().instruments[0];
    assert_eq!((kept.funding_index, kept.funding_rate), (110, 700));
    assert_eq!(kept.funding_start, Slot(100));
    assert_eq!(kept.fresh_until, Slot(220));
    assert_eq!(kept.grid_slot, Slot(99));
    terms.rules.funding_slots = Slot(500);
    terms.rules.oracle_age_max = Slot(12);
    exchange.slot = 205;
    propose(&mut exchange, &terms, &entry).unwrap();
    apply(&mut exchange, &entry).unwrap();
    let anew = exchange.slab().instruments[0];
    // Five slots more at the old pace, and nothing is owed for the new interval yet.
    assert_eq!((anew.funding_index, anew.funding_base), (113, 113));
    assert_eq!((anew.funding_rate, anew.funding_start), (0, Slot(205)));
    assert_eq!((anew.premium_sum, anew.premium_weight), (0, 0));
    assert_eq!((anew.grid_slot, anew.grid_rate), (Slot(0), SignedPpm(0)));
    // A price that is older than the new terms allow is stale at once (T3).
    assert_eq!(anew.fresh_until, Slot(207));
    exchange.slot = 300;
    exchange.slab().accrue_funding(0, Slot(300));
    assert_eq!(exchange.slab().instruments[0].funding_index, 113);
}

#[test]
fn s2_t3_the_slots_before_a_change_move_the_mark_by_the_old_terms() {
    let mut old = params();
    (old.mark_age, old.mark_move_max) = (Slot(0), Ticks(1));
    let mut exchange = Exchange::new(&old, 2);
    exchange.post(1, Side::Bid, 1_030, 5).unwrap();
    exchange.post(2, Side::Ask, 1_040, 5).unwrap();
    exchange.slot += 3;
    switch(&mut exchange, |terms| terms.mark_move_max = Ticks(20));
    assert_eq!(exchange.slab().instruments[0].mark, Ticks(1_003));
}

/// Random terms under random trading: no step breaks an invariant.
#[test]
fn s2_invariants_survive_any_sequence_of_terms() {
    for seed in 0..20 {
        let mut rng = Rng(seed);
        let mut exchange = Exchange::new(&params(), 4);
        for _ in 0..300 {
            let account = rng.below(4) as u32 + 1;
            let side = [Side::Bid, Side::Ask][rng.below(2) as usize];
            let (ticks, lots) = (980 + rng.below(41) as u32, 1 + rng.below(40) as u32);
            let _ = match rng.below(6) {
                0 => exchange.place(&limit(account, side, ticks, lots)).map(drop),
                1 => exchange
                    .place(&post_only(account, side, ticks, lots))
                    .map(drop),
                2 => exchange.take(&ioc(account, side, ticks, lots)).map(drop),
                3 => exchange
                    .reserve(&reserve(account, side, ticks, lots))
                    .map(drop),
                4 => {
                    exchange.slot += rng.below(3) as u32;
                    Ok(())
                }
                _ => random_terms(&mut exchange, &mut rng),
            };
            exchange.audit();
        }
    }
}

fn random_terms(exchange: &mut Exchange, rng: &mut Rng) -> Outcome<()> {
    let mut terms = params().terms();
    let order_max = 1 + rng.below(60) as u32;
    terms.order_lots_max = Lots(order_max);
    terms.order_lots_min = Lots(1 + rng.below(u64::from(order_max)) as u32);
    terms.position_lots_max = Lots(order_max + rng.below(100) as u32);
    terms.imr = Ppm(95_000 + rng.below(800_000) as u32);
    terms.taker_fee = SignedPpm(rng.below(2_000) as i32);
    terms.maker_fee = SignedPpm(-terms.taker_fee.0 / 2);
    terms.band = Ppm(10_000 + rng.below(80_000) as u32);
    terms.hold_fee = Ppm(1 + rng.below(900) as u32);
    let entry = wide(&params());
    propose(exchange, &terms, &entry)?;
    apply(exchange, &entry)
}
