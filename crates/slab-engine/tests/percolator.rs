//! The mistakes of the only earlier attempt at such an exchange, each with the
//! test that keeps it out. Its letters and numbers are those of a review of
//! that attempt; a rule's tests show the rest.
//!
//! | mistake | kept out by |
//! |---|---|
//! | S1 any account of the right size was a slab | `s1_*`, `e9_*` in bytes.rs |
//! | S3 a tick or lot of zero divided by zero | [`percolator_s3_zero_sizes_are_no_parameters`] |
//! | S4 anybody opened any number of batches at any time | `s4_*` in batches.rs, [`percolator_s4_e7_a_caller_cannot_turn_the_clock_back`] |
//! | S5 saturating sums hid broken ones | `s5_the_audit_sees_*` in bytes.rs |
//! | S7 orders got stuck where a 16-bit epoch wrapped | [`percolator_s7_epochs_do_not_wrap_within_the_life_of_a_chain`] |
//! | S8 a slice named a slot, not an order: ABA | `s8_a_captured_order_keeps_its_slot_*` in commits.rs, `s5_a_stale_handle_*` |
//! | S9 the price was read again at commit | `s9_*` in commits.rs |
//! | S9 the largest charge was never compared | `r6_adv1_*` in commits.rs |
//! | S10 a partial close was an increase; averages were floored | `s10_*` in regressions.rs and positions.rs |
//! | S11 the tax was on notional, and again at every commit | `s11_m11_*` in aggressors.rs |
//! | S11 4,000 ledger entries, then no commit ever | `s11_t6_*` in aggressors.rs |
//! | S12 prints without taker, fills without prints | `s12_*` in regressions.rs, [`percolator_s12_a_print_names_both_sides_and_its_time`] |
//! | R2 the limit was compared for the wrong side | `r2_*` in regressions.rs and holds.rs |
//! | R4, E7 the caller said what time it was | [`percolator_s4_e7_a_caller_cannot_turn_the_clock_back`] |
//! | R5 a missing order made a commit wrong | `adv2_t5_*` in ends.rs |
//! | R6 commit debited nothing | `r6_*`, `x4_*` in commits.rs |
//! | R7 a kill band against an average of zero divided by zero | [`percolator_r7_m10_the_kill_band_divides_by_nothing`] |
//! | R7 the freeze was never looked at | `m8_*` in batches.rs |
//! | R8 a second cancel failed, and anybody could cancel | `r8_f2_*`, `x6_*` in ends.rs |
//! | R9 every promotion searched from the head again | `r9_*` in batches.rs |
//! | RM1 margin was checked by a function that nobody called | [`percolator_rm1_no_way_in_is_without_margin`] |
//! | RM2 cached margins were never refreshed | `rm2_*` in risk.rs |
//! | RM6 funding was lost at every increase, reduction and close | `rm6_t8_*` in funding.rs |
//! | M6 the commitment was stored and not checked | `m6_*` in commitments.rs |
//! | M7 nobody was ever pending | `m7_*` in batches.rs |
//! | M9 every maker lost its rebate, by forged times | `m9_*` in batches.rs |
//! | M10 the band was measured against the wrong price | `r7_m10_*` in commits.rs |
//! | E1 nobody's signature was checked | `x6_*` in regressions.rs, ends.rs, [`percolator_e1_every_way_in_checks_who_signed`] |
//! | E2 committed holds were never freed | `e2_*` in records.rs |
//! | E3 holds of nothing, without end and without cost | `e3_*` in records.rs, `t4_*` in ends.rs and wheel.rs |
//! | E4 half a slab counted as initialised | `s1_a_slab_is_initialised_once` in bytes.rs |
//! | E5 zeroed memory pointed to item 0 | [`percolator_e5_zeroed_memory_links_nothing`] |
//! | E6 sorted lists of thousands, scans of accounts and holds | `pfm2_e6_*` in capacity.rs, `e6_*` in records.rs |
//! | E8 trading with oneself, at any price | `e8_*`, `t1_a_taker_never_trades_outside_the_band` |
//! | E9 any program's bytes were cast to any record | `e9_*` in bytes.rs |
//! | E10 free links lay in live fields | [`percolator_e10_no_freed_item_is_taken_for_a_live_one`] |
//! | E11 state was changed before a later check failed | [`percolator_e11_an_error_at_any_point_leaves_no_trace`] |
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use bytemuck::Zeroable;
use common::router::{handle, reserve};
use common::{Exchange, Rng, ioc, key_of, limit, params, post_only, small};
use flagstone_interface::event::{Held, Traded};
use flagstone_interface::slab::PoolId;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::cancels::{Cancelled, Which};
use flagstone_slab_engine::holds::Reserve;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::layout::{Rules, switches};
use flagstone_units::{Lots, Side::Ask, Side::Bid, Slot, Ticks};

#[test]
fn percolator_s3_zero_sizes_are_no_parameters() {
    let wrong = [
        InstrumentParams {
            atoms_per_tick: 0,
            ..params()
        },
        InstrumentParams {
            order_lots_min: Lots(0),
            ..params()
        },
        InstrumentParams {
            order_lots_max: Lots(0),
            ..params()
        },
        InstrumentParams {
            position_lots_max: Lots(0),
            ..params()
        },
        InstrumentParams {
            price_max: Ticks(0),
            ..params()
        },
        InstrumentParams {
            mark: Ticks(0),
            ..params()
        },
        InstrumentParams {
            mark_move_max: Ticks(0),
            ..params()
        },
    ];
    for params in wrong {
        let mut exchange = Exchange::with(small());
        let got = exchange.run(|slab| slab.add_instrument(&params, Slot(100)));
        assert_eq!(got, Err(SlabError::BadInstrument));
    }
}

fn with_batches() -> Exchange {
    let params = InstrumentParams {
        rules: Rules {
            switches: switches::PENDING,
            ..Rules::default()
        },
        mark_age: Slot(0),
        ..params()
    };
    let mut exchange = Exchange::new(&params, 3);
    exchange.slab().header.batch_slots = 10;
    exchange
}

#[test]
fn percolator_s4_e7_a_caller_cannot_turn_the_clock_back() {
    // The time comes from the cluster; should it ever step back, nothing is
    // done twice and nothing comes early.
    let mut exchange = with_batches();
    exchange.designate(1, true);
    exchange.post(1, Bid, 980, 5).unwrap();
    exchange.post(1, Ask, 1_060, 5).unwrap();
    exchange.slot = 200;
    exchange.batch_open(0, 16).unwrap();
    exchange.slab().touch_mark(0, Slot(200));
    exchange.post(2, Bid, 970, 5).unwrap();
    let state = |exchange: &mut Exchange| {
        let slab = exchange.slab();
        let instrument = &slab.instruments[0];
        (
            instrument.batch_epoch,
            instrument.batch_slot,
            instrument.mark,
            instrument.mark_slot,
            instrument.funding_slot,
            instrument.pending_count,
        )
    };
    let before = state(&mut exchange);
    for slot in [199, 190, 101, 1, 0] {
        exchange.slot = slot;
        assert!(exchange.batch_open(0, 16).is_err());
        exchange.slab().touch_mark(0, Slot(slot));
        exchange.slab().accrue_funding(0, Slot(slot));
        assert!(exchange.slab().expire_next(Slot(slot)).unwrap().is_none());
        assert_eq!(state(&mut exchange), before, "slot {slot}");
        exchange.audit();
    }
    // Nor does a hold get older: it costs nothing for slots that never were.
    exchange.slot = 200;
    let order = Reserve {
        ttl: Slot(5),
        ..reserve(3, Bid, 1_060, 2)
    };
    let held = exchange.reserve(&order).unwrap();
    exchange.slot = 150;
    let ended = exchange.cancel_hold(3, handle(&held)).unwrap().unwrap();
    assert_eq!({ ended.fee_atoms }, 0);
    exchange.audit();
}

#[test]
fn percolator_s7_epochs_do_not_wrap_within_the_life_of_a_chain() {
    // 65,535 windows were a few hours. A slot of 32 bits lasts for decades, and
    // windows are longer than slots.
    for slot in [655_359, 655_360, 1 << 31, u32::MAX - 400] {
        let mut exchange = with_batches();
        exchange.slot = slot;
        exchange.post(2, Bid, 970, 5).unwrap();
        let next = (slot / 10 + 1) * 10;
        exchange.slot = next - 1;
        let early = exchange.batch_open(0, 16);
        assert!(early.is_ok_and(|batch| batch.promoted_count == 0));
        exchange.slot = next;
        assert_eq!(exchange.batch_open(0, 16).unwrap().promoted_count, 1);
        exchange.audit();
    }
}

#[test]
fn percolator_s12_a_print_names_both_sides_and_its_time() {
    let public_later = InstrumentParams {
        rules: Rules {
            reveal_slots: Slot(7),
            ..Rules::default()
        },
        ..params()
    };
    let mut exchange = Exchange::new(&public_later, 3);
    let order = exchange.post(1, Ask, 1_000, 5).unwrap();
    exchange.slot = 123;
    exchange.ioc(3, Bid, 1_000, 2).unwrap();
    let print = exchange.slab().trades[0];
    assert_eq!((print.maker, print.taker, print.order), (1, 3, order.0));
    assert_eq!((print.ticks.0, print.lots.0, print.side), (1_000, 2, 0));
    assert_eq!((print.slot, print.reveal_slot), (Slot(123), Slot(130)));
}

#[test]
fn percolator_r7_m10_the_kill_band_divides_by_nothing() {
    // Not even a hold at the lowest price, marked at the lowest price.
    let cheap = InstrumentParams {
        mark: Ticks(1),
        ..params()
    };
    let mut exchange = Exchange::new(&cheap, 2);
    exchange.post(1, Ask, 1, 5).unwrap();
    let held = exchange.reserve(&reserve(2, Bid, 1, 5)).unwrap();
    assert_eq!({ exchange.mint_and_commit(&held).unwrap().lots }, 5);
    exchange.audit();
}

#[test]
fn percolator_rm1_no_way_in_is_without_margin() {
    // 10 % of 10,000 is 1,000: one atom less carries nothing, by any way.
    let mut exchange = Exchange::new(&params(), 1);
    let poor = exchange.open(999);
    exchange.post(1, Ask, 1_000, 100).unwrap();
    let short = Err(SlabError::BelowInitialMargin);
    assert_eq!(exchange.ioc(poor, Bid, 1_000, 10).map(|_| ()), short);
    let crossing = exchange.place(&limit(poor, Bid, 1_000, 10));
    assert_eq!(
        crossing.map(|_| ()).unwrap_err(),
        SlabError::BelowInitialMargin
    );
    assert_eq!(exchange.post(poor, Bid, 999, 10).map(|_| ()), short);
    // A hold asks the escrow for what lacks; without it, no commit.
    let held = exchange.reserve(&reserve(poor, Bid, 1_000, 10)).unwrap();
    let cap = exchange.mint(poor, handle(&held), (7, 0, 100));
    let refused = exchange.commit(&held, cap);
    assert_eq!(refused.map(|_| ()), Err(SlabError::ChargeTooLarge));
    exchange.deposit(poor, 1).unwrap();
    exchange.commit(&held, cap).unwrap();
    assert_eq!(exchange.position(poor, 0), (10, 10_000));
    exchange.audit();
}

#[test]
fn percolator_e1_every_way_in_checks_who_signed() {
    let mut exchange = Exchange::new(&params(), 2);
    let order = exchange.post(1, Bid, 990, 10).unwrap();
    exchange.post(1, Ask, 1_010, 10).unwrap();
    let held = exchange.reserve(&reserve(2, Bid, 1_010, 2)).unwrap();
    let before = exchange.bytes().to_vec();
    let (thief, slot) = (key_of(7, 2), Slot(exchange.slot));
    let (mut traded, mut gone) = (Traded::zeroed(), Cancelled::none());
    let which = Which {
        instrument: None,
        side: None,
        most: 9,
    };
    let next = post_only(1, Bid, 991, 1);
    let mut record = Held::zeroed();
    let refused = [
        exchange.run(|slab| slab.cancel_all(&thief, 1, &which, &mut gone)),
        exchange.run(|slab| {
            slab.reduce(&thief, 1, order.0, order.1, Lots(1))
                .map(|_| ())
        }),
        exchange.run(|slab| {
            slab.replace(&thief, order, &next, slot, &mut traded)
                .map(|_| ())
        }),
        exchange.run(|slab| slab.set_dead_man(&thief, 1, Slot(500), slot)),
        exchange.run(|slab| slab.release(&thief, 1, 1, slot).map(|_| ())),
        exchange.run(|slab| slab.place(&thief, &next, slot, &mut traded).map(|_| ())),
        exchange.run(|slab| slab.take(&thief, &ioc(1, Bid, 1_010, 1), slot, &mut traded)),
        exchange.run(|slab| slab.reserve(&thief, &reserve(1, Ask, 990, 1), slot, &mut record)),
    ];
    assert_eq!(refused, [Err(SlabError::WrongTrader); 8]);
    let other = key_of(7, 1);
    let (index, generation) = handle(&held);
    let got = exchange.run(|slab| slab.cancel_hold(&other, 2, index, generation, slot));
    assert_eq!(got, Err(SlabError::WrongTrader));
    assert!(*exchange.bytes() == before);
}

#[test]
fn percolator_e5_zeroed_memory_links_nothing() {
    // The end of a list was u32::MAX, and zeroed heads led to item 0.
    let mut exchange = Exchange::with(small());
    exchange
        .slab()
        .add_instrument(&params(), Slot(100))
        .unwrap();
    let account = exchange.open(1_000);
    exchange.audit();
    let slab = exchange.slab();
    let owner = &slab.accounts[account];
    assert_eq!((owner.orders_head, owner.positions_head), (0, 0));
    assert_eq!(slab.instruments[0].pending, [0, 0]);
    assert!(slab.orders.get(0).is_none() && slab.reservations.get(0).is_none());
    // Every walk over an empty slab ends at once.
    assert_eq!(exchange.ioc(account, Bid, 1_000, 1), Ok(0));
    let none = exchange.reserve(&reserve(account, Ask, 1_000, 1));
    assert_eq!(none.map(|_| ()), Err(SlabError::NotFilled));
    assert_eq!(exchange.expire_orders(0, u16::MAX).count, 0);
    exchange.audit();
}

#[test]
fn percolator_e10_no_freed_item_is_taken_for_a_live_one() {
    let mut exchange = Exchange::new(&params(), 3);
    let mut rng = Rng(10);
    let mut gone = Vec::new();
    for _ in 0..500 {
        let order = exchange
            .post(1, Ask, 1_000 + rng.below(9) as u32, 4)
            .unwrap();
        let held = exchange.reserve(&reserve(2, Bid, 1_010, 2)).unwrap();
        exchange.cancel_hold(2, handle(&held)).unwrap().unwrap();
        exchange.cancel(1, order).unwrap().unwrap();
        gone.push((order, handle(&held)));
        // Free items carry links where live ones carry numbers: no handle of
        // the past opens one, whatever its generation says.
        let (order, hold) = gone[rng.below(gone.len() as u64) as usize];
        assert_eq!(exchange.cancel(1, order), Ok(None));
        assert_eq!(
            exchange.reduce(1, order, 1).unwrap_err(),
            SlabError::NoOrder
        );
        assert_eq!(exchange.cancel_hold(2, hold), Ok(None));
        assert_eq!(exchange.expire_hold(hold.0), Ok(None));
        let slab = exchange.slab();
        assert!(!slab.orders[order.0].is_live());
        assert!(!slab.reservations[hold.0].is_held());
        assert!(!slab.reservations[hold.0].is_committed());
    }
    assert_eq!(exchange.slab().header.pool(PoolId::Orders).high_water, 1);
    exchange.audit();
}

#[test]
fn percolator_e11_an_error_at_any_point_leaves_no_trace() {
    // An instruction that fails is undone by the runtime; this is about those
    // that say no and succeed all the same: they touch nothing.
    let mut exchange = Exchange::new(&params(), 3);
    let order = exchange.post(1, Ask, 1_000, 10).unwrap();
    let held = exchange.reserve(&reserve(2, Bid, 1_000, 2)).unwrap();
    exchange.cancel_hold(2, handle(&held)).unwrap().unwrap();
    exchange.cancel(1, order).unwrap().unwrap();
    exchange.set_dead_man(1, 110).unwrap();
    exchange.slot = 111;
    let before = exchange.bytes().to_vec();
    assert_eq!(exchange.cancel(1, order), Ok(None));
    assert_eq!(exchange.cancel_hold(2, handle(&held)), Ok(None));
    assert_eq!(exchange.expire_hold(held.hold), Ok(None));
    assert_eq!(exchange.free_hold(held.hold, 2), Ok(false));
    assert_eq!(exchange.cancel_dead_man(1, 9).map(|gone| gone.count), Ok(0));
    assert_eq!(exchange.expire_orders(0, u16::MAX).count, 0);
    let all = Which {
        instrument: None,
        side: None,
        most: 9,
    };
    assert_eq!(exchange.cancel_all(1, &all).map(|gone| gone.count), Ok(0));
    assert!(*exchange.bytes() == before);
}
