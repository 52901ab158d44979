//! Kinds of orders, and orders that leave or shrink without a trade.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::router::{handle, reserve, slices};
use common::{Exchange, Handle, ioc, limit, params, post_only};
use flagstone_interface::event::{Fill, Traded, cancel_reason, outcome};
use flagstone_interface::slab::status;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::cancels::{CANCELS_MAX, Cancelled, Reduced, Which};
use flagstone_slab_engine::holds::Reserve;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::layout::Rules;
use flagstone_slab_engine::requests::{OrderKind, Place, Take};
use flagstone_units::{Lots, Ppm, Side, Side::Ask, Side::Bid, Slot};

fn of(kind: OrderKind, account: u32, side: Side, ticks: u32, lots: u32) -> Place {
    Place {
        kind,
        ..limit(account, side, ticks, lots)
    }
}

fn met(traded: &Traded) -> Vec<(u16, u32, u8)> {
    let entry = |fill: &Fill| (fill.account, fill.lots, fill.outcome);
    traded.fills().iter().map(entry).collect()
}

fn handles(cancelled: &Cancelled) -> Vec<Handle> {
    let orders = cancelled.orders().iter();
    orders
        .map(|event| (event.order, event.generation))
        .collect()
}

/// Longs of account 2 against account 1, which has nothing on the book then.
fn long(lots: u32) -> Exchange {
    let mut exchange = Exchange::new(&params(), 4);
    exchange.post(1, Ask, 1_000, lots).unwrap();
    exchange.ioc(2, Bid, 1_000, lots).unwrap();
    exchange
}

fn reduce_only(order: Place) -> Place {
    Place {
        reduce_only: true,
        ..order
    }
}

#[test]
fn s6_a_sliding_order_rests_one_tick_short_of_trading() {
    for (side, best, asked, rests) in [
        (Bid, 1_000, 1_000, 999),
        (Bid, 1_000, 1_090, 999),
        (Bid, 1_000, 999, 999),
        (Bid, 1_000, 950, 950),
        (Ask, 1_000, 1_000, 1_001),
        (Ask, 1_000, 910, 1_001),
        (Ask, 1_000, 1_002, 1_002),
    ] {
        let mut exchange = Exchange::new(&params(), 2);
        exchange.post(1, side.contra(), best, 5).unwrap();
        let order = of(OrderKind::PostOnlySlide, 2, side, asked, 3);
        let (placed, traded) = exchange.place(&order).unwrap();
        assert_eq!({ placed.rested.unwrap().ticks }, rests);
        assert_eq!(({ traded.lots }, placed.traded), (0, false));
        assert_eq!(exchange.depth(0, side), [(rests, 3)]);
        exchange.audit();
    }
    // At the edge of the band there is nowhere to slide to.
    for (side, best) in [(Bid, 910), (Ask, 1_090)] {
        let mut exchange = Exchange::new(&params(), 2);
        exchange.post(1, side.contra(), best, 5).unwrap();
        let order = of(OrderKind::PostOnlySlide, 2, side, 1_000, 3);
        let got = exchange.place(&order);
        assert_eq!(got.map(|_| ()).unwrap_err(), SlabError::WouldCross);
    }
}

#[test]
fn s6_orders_at_once_never_rest_and_all_or_nothing_is_all_or_nothing() {
    let mut exchange = Exchange::new(&params(), 2);
    exchange.post(1, Ask, 1_000, 5).unwrap();
    let before = exchange.bytes().to_vec();
    let all = of(OrderKind::FillOrKill, 2, Bid, 1_000, 6);
    let got = exchange.place(&all);
    assert_eq!(got.map(|_| ()).unwrap_err(), SlabError::NotFilled);
    assert!(*exchange.bytes() == before);
    let some = of(OrderKind::ImmediateOrCancel, 2, Bid, 1_000, 6);
    let (placed, traded) = exchange.place(&some).unwrap();
    assert_eq!(({ traded.lots }, placed.rested.is_none()), (5, true));
    assert_eq!(exchange.depth(0, Bid), []);
    exchange.post(1, Ask, 1_000, 6).unwrap();
    let (placed, traded) = exchange.place(&all).unwrap();
    assert_eq!(({ traded.lots }, placed.rested.is_none()), (6, true));
    // An order that cannot rest is not counted against those that do.
    exchange.slab().header.orders_per_account_max = 0;
    exchange.place(&some).unwrap();
    exchange.audit();
}

#[test]
fn s6_bytes_of_no_kind_are_refused() {
    for byte in 0..=u8::MAX {
        let kind = OrderKind::from_byte(byte);
        assert_eq!(kind.map(|kind| kind as u8), (byte < 5).then_some(byte));
    }
}

#[test]
fn t1_a_reduce_only_order_is_cut_to_what_reduces() {
    let mut exchange = long(10);
    let wish = |ticks, lots| reduce_only(post_only(2, Ask, ticks, lots));
    let rests = |exchange: &mut Exchange, order: &Place| {
        let placed = exchange.place(order).map(|(placed, _)| placed.rested);
        placed.map(|rested| rested.map(|rested| rested.lots))
    };
    assert_eq!(rests(&mut exchange, &wish(1_010, 6)), Ok(Some(6)));
    // What the first one would close is spoken for.
    assert_eq!(rests(&mut exchange, &wish(1_011, 100)), Ok(Some(4)));
    let none = Err(SlabError::NotReducing);
    assert_eq!(rests(&mut exchange, &wish(1_012, 1)), none);
    let wrong_side = reduce_only(post_only(2, Bid, 990, 1));
    assert_eq!(rests(&mut exchange, &wrong_side), none);
    let flat = reduce_only(post_only(3, Ask, 1_010, 1));
    assert_eq!(rests(&mut exchange, &flat), none);
    exchange.audit();
}

#[test]
fn t1_a_reduce_only_order_never_flips_the_position_it_was_for() {
    let mut exchange = long(10);
    let order = reduce_only(post_only(2, Ask, 1_010, 10));
    exchange.place(&order).unwrap();
    // The position becomes smaller by another way: the order may do the rest.
    exchange.post(1, Bid, 1_000, 7).unwrap();
    exchange.ioc(2, Ask, 1_000, 7).unwrap();
    exchange.post(4, Ask, 1_011, 9).unwrap();
    let traded = exchange.take(&ioc(3, Bid, 1_011, 9)).unwrap();
    let expected = [(2, 3, outcome::PARTIAL), (4, 6, outcome::PARTIAL)];
    assert_eq!(met(&traded), expected);
    assert_eq!(exchange.position(2, 0), (0, 0));
    exchange.audit();
    // What is left of it is removed when it is met, and trades with nobody.
    let traded = exchange.take(&ioc(3, Bid, 1_011, 2)).unwrap();
    let expected = [(2, 7, outcome::NOT_REDUCING), (4, 2, outcome::PARTIAL)];
    assert_eq!(met(&traded), expected);
    assert_eq!(exchange.position(2, 0), (0, 0));
    exchange.audit();
}

#[test]
fn t1_reduce_only_at_once_is_cut_and_needs_the_other_side() {
    let mut exchange = long(10);
    exchange.post(1, Bid, 1_000, 50).unwrap();
    exchange.post(1, Ask, 1_010, 50).unwrap();
    let take = |side, lots| Take {
        reduce_only: true,
        ..ioc(2, side, if side == Bid { 1_010 } else { 1_000 }, lots)
    };
    let grow = exchange.take(&take(Bid, 1));
    assert_eq!(grow.map(|_| ()), Err(SlabError::NotReducing));
    assert_eq!({ exchange.take(&take(Ask, 4)).unwrap().lots }, 4);
    // All or nothing counts what was asked for, not what it was cut to.
    let all = Take {
        lots_min: Lots(7),
        ..take(Ask, 7)
    };
    assert_eq!(exchange.take(&all).map(|_| ()), Err(SlabError::NotFilled));
    assert_eq!({ exchange.take(&take(Ask, 50)).unwrap().lots }, 6);
    assert_eq!(exchange.position(2, 0), (0, 0));
    let flat = exchange.take(&take(Ask, 1));
    assert_eq!(flat.map(|_| ()), Err(SlabError::NotReducing));
    exchange.audit();
}

#[test]
fn s8_what_a_hold_has_of_a_reduce_only_order_is_still_there_at_commit() {
    // Once a taker could use up the position that a reserved part was to
    // reduce, and the commit found nothing.
    let mut exchange = long(10);
    let order = reduce_only(post_only(2, Ask, 1_010, 10));
    exchange.place(&order).unwrap();
    let held = exchange.reserve(&reserve(3, Bid, 1_010, 6)).unwrap();
    exchange.post(1, Bid, 1_000, 3).unwrap();
    exchange.ioc(2, Ask, 1_000, 3).unwrap();
    // Seven are left to reduce, six of them reserved: one is free.
    let traded = exchange.take(&ioc(4, Bid, 1_010, 4)).unwrap();
    assert_eq!(met(&traded), [(2, 1, outcome::PARTIAL)]);
    let more = exchange.reserve(&reserve(4, Bid, 1_010, 1));
    assert_eq!(more.map(|_| ()), Err(SlabError::NotFilled));
    let traded = exchange.mint_and_commit(&held).unwrap();
    assert_eq!(met(&traded), [(2, 6, outcome::PARTIAL)]);
    assert_eq!(exchange.position(2, 0), (0, 0));
    exchange.audit();
}

#[test]
fn t5_a_slice_that_would_no_longer_reduce_is_skipped() {
    let mut exchange = long(10);
    let order = reduce_only(post_only(2, Ask, 1_010, 10));
    exchange.place(&order).unwrap();
    exchange.post(4, Ask, 1_011, 5).unwrap();
    let held = exchange.reserve(&reserve(3, Bid, 1_011, 15)).unwrap();
    assert_eq!(slices(&held).len(), 2);
    exchange.post(1, Bid, 1_000, 1).unwrap();
    exchange.ioc(2, Ask, 1_000, 1).unwrap();
    let traded = exchange.mint_and_commit(&held).unwrap();
    let expected = [(2, 10, outcome::SKIPPED), (4, 5, outcome::FULL)];
    assert_eq!(met(&traded), expected);
    assert_eq!(exchange.position(2, 0).0, 9);
    exchange.audit();
}

#[test]
fn x10_a_reduce_only_status_bars_growth_and_nothing_else() {
    for whole_slab in [true, false] {
        let mut exchange = long(10);
        let (bid, ask) = (
            exchange.post(2, Bid, 950, 3).unwrap(),
            exchange.post(2, Ask, 1_050, 3).unwrap(),
        );
        exchange.post(1, Bid, 1_000, 20).unwrap();
        exchange.post(1, Ask, 1_010, 20).unwrap();
        let held = exchange.reserve(&reserve(3, Bid, 1_010, 2)).unwrap();
        let shut = exchange.reserve(&reserve(2, Ask, 1_000, 2)).unwrap();
        if whole_slab {
            exchange.slab().header.status = status::REDUCE_ONLY;
        } else {
            exchange.slab().instruments[0].status = status::REDUCE_ONLY;
        }
        let barred = Err(SlabError::ReduceOnlyStatus);
        assert_eq!(exchange.post(3, Bid, 990, 1).map(|_| ()), barred);
        assert_eq!(exchange.ioc(3, Bid, 1_010, 1).map(|_| ()), barred);
        assert_eq!(exchange.ioc(2, Bid, 1_010, 1).map(|_| ()), barred);
        assert_eq!(exchange.ioc(2, Ask, 1_000, 11).map(|_| ()), barred);
        let grow = exchange.reserve(&reserve(3, Bid, 1_010, 2));
        assert_eq!(grow.map(|_| ()), barred);
        assert_eq!(exchange.mint_and_commit(&held).map(|_| ()), barred);
        exchange.cancel_hold(3, handle(&held)).unwrap().unwrap();
        // Everything that makes risk smaller goes on.
        assert_eq!(exchange.ioc(2, Ask, 1_000, 2), Ok(2));
        exchange.mint_and_commit(&shut).unwrap();
        let order = reduce_only(post_only(2, Ask, 1_020, 4));
        exchange.place(&order).unwrap();
        exchange.reduce(2, ask, 1).unwrap();
        exchange.cancel(2, bid).unwrap().unwrap();
        exchange.release(2, 1).unwrap();
        exchange.deposit(2, 1).unwrap();
        exchange.audit();
    }
}

#[test]
fn t5_a_reduction_keeps_the_place_in_the_queue() {
    let mut exchange = Exchange::new(&params(), 4);
    let first = exchange.post(1, Ask, 1_000, 10).unwrap();
    exchange.post(2, Ask, 1_000, 10).unwrap();
    let Reduced::Smaller(event) = exchange.reduce(1, first, 7).unwrap() else {
        panic!("three lots may rest");
    };
    assert_eq!({ event.lots }, 7);
    assert_eq!(exchange.depth(0, Ask), [(1_000, 13)]);
    for lots in [0, 4, u32::MAX] {
        let got = exchange.reduce(1, first, lots);
        assert_eq!(got.unwrap_err(), SlabError::BadQuantity);
    }
    assert_eq!(
        exchange.reduce(2, first, 1).unwrap_err(),
        SlabError::NotYourOrder
    );
    let traded = exchange.take(&ioc(3, Bid, 1_000, 5)).unwrap();
    assert_eq!(
        met(&traded),
        [(1, 3, outcome::FULL), (2, 2, outcome::PARTIAL)]
    );
    assert_eq!(
        exchange.reduce(1, first, 1).unwrap_err(),
        SlabError::NoOrder
    );
    exchange.audit();
}

#[test]
fn t5_t6_a_reduction_touches_no_reserved_lot_and_leaves_no_dust() {
    let coarse = InstrumentParams {
        order_lots_min: Lots(4),
        ..params()
    };
    let mut exchange = Exchange::new(&coarse, 4);
    let order = exchange.post(1, Ask, 1_000, 10).unwrap();
    let held = exchange.reserve(&reserve(2, Bid, 1_000, 5)).unwrap();
    assert_eq!(
        exchange.reduce(1, order, 6).unwrap_err(),
        SlabError::BadQuantity
    );
    exchange.reduce(1, order, 2).unwrap();
    assert_eq!(exchange.reserved(order.0), (5, 8));
    exchange.audit();
    // Five of eight stay for the hold, which is enough to rest.
    exchange.reduce(1, order, 3).unwrap();
    assert_eq!(exchange.reserved(order.0), (5, 5));
    exchange.mint_and_commit(&held).unwrap();
    let order = exchange.post(1, Ask, 1_000, 10).unwrap();
    let Reduced::Cancelled(event) = exchange.reduce(1, order, 7).unwrap() else {
        panic!("three lots may not rest");
    };
    assert_eq!({ event.lots }, 10);
    assert_eq!(exchange.depth(0, Ask), []);
    exchange.audit();
}

#[test]
fn t5_replacing_what_is_gone_places_nothing() {
    // The order may have traded: placing the other would trade twice.
    let mut exchange = Exchange::new(&params(), 3);
    let order = exchange.post(1, Ask, 1_000, 10).unwrap();
    let (gone, placed, _) = exchange
        .replace(order, &post_only(1, Ask, 1_001, 8))
        .unwrap();
    assert_eq!(({ gone.lots }, gone.reason), (10, cancel_reason::REPLACED));
    let next = placed.rested.unwrap();
    let next = (next.order, next.generation);
    assert_eq!(exchange.depth(0, Ask), [(1_001, 8)]);
    exchange.ioc(2, Bid, 1_001, 8).unwrap();
    let before = exchange.bytes().to_vec();
    for stale in [order, next, (0, 1), (u32::MAX, 1)] {
        let got = exchange.replace(stale, &post_only(1, Ask, 1_002, 8));
        assert_eq!(got.map(|_| ()).unwrap_err(), SlabError::NoOrder);
    }
    assert!(*exchange.bytes() == before);
    // When the new one is refused the old one stays.
    let order = exchange.post(1, Ask, 1_000, 10).unwrap();
    let got = exchange.replace(order, &post_only(1, Ask, 2_000, 8));
    assert_eq!(got.map(|_| ()).unwrap_err(), SlabError::OutsideBand);
    assert_eq!(exchange.depth(0, Ask), [(1_000, 10)]);
    let got = exchange.replace(order, &post_only(2, Ask, 1_001, 8));
    assert_eq!(got.map(|_| ()).unwrap_err(), SlabError::NotYourOrder);
    exchange.audit();
}

#[test]
fn t5_cancel_all_takes_the_newest_first_as_many_as_asked_for() {
    let mut exchange = Exchange::new(&params(), 3);
    let all: Vec<_> = (0..40)
        .map(|at| {
            let side = if at % 2 == 0 { Bid } else { Ask };
            let ticks = if at % 2 == 0 { 950 + at } else { 1_050 - at };
            exchange.post(1, side, ticks, 5).unwrap()
        })
        .collect();
    let other = exchange.post(2, Bid, 960, 5).unwrap();
    let which = |side, most| Which {
        instrument: None,
        side,
        most,
    };
    let three = exchange.cancel_all(1, &which(Some(Ask), 3)).unwrap();
    assert_eq!(handles(&three), [all[39], all[37], all[35]]);
    let none = Which {
        instrument: Some(1),
        ..which(None, 40)
    };
    assert_eq!(exchange.cancel_all(1, &none).unwrap().count, 0);
    let most = exchange.cancel_all(1, &which(None, usize::MAX)).unwrap();
    assert_eq!(most.count, CANCELS_MAX);
    let rest = exchange.cancel_all(1, &which(None, usize::MAX)).unwrap();
    assert_eq!(rest.count, 40 - 3 - CANCELS_MAX);
    let empty = exchange.cancel_all(1, &which(None, usize::MAX)).unwrap();
    assert_eq!(empty.count, 0);
    assert!(exchange.slab().orders[other.0].is_live());
    exchange.audit();
}

#[test]
fn t5_cancel_all_leaves_reserved_lots_to_their_holds() {
    let mut exchange = Exchange::new(&params(), 3);
    let order = exchange.post(1, Ask, 1_000, 10).unwrap();
    let held = exchange.reserve(&reserve(2, Bid, 1_000, 6)).unwrap();
    let all = Which {
        instrument: None,
        side: None,
        most: 9,
    };
    let cancelled = exchange.cancel_all(1, &all).unwrap();
    assert_eq!({ cancelled.orders()[0].lots }, 4);
    // Once is enough.
    assert_eq!(exchange.cancel_all(1, &all).unwrap().count, 0);
    assert_eq!(exchange.reserved(order.0), (6, 6));
    exchange.mint_and_commit(&held).unwrap();
    assert_eq!(exchange.depth(0, Ask), []);
    exchange.audit();
}

#[test]
fn t5_a_dead_mans_orders_go_after_his_slot_and_not_before() {
    let mut exchange = Exchange::new(&params(), 3);
    for ticks in 980..990 {
        exchange.post(1, Bid, ticks, 5).unwrap();
    }
    let refused = Err(SlabError::NotDeadMan);
    let cancel = |exchange: &mut Exchange, most| {
        let got = exchange.cancel_dead_man(1, most);
        got.map(|cancelled| cancelled.count)
    };
    assert_eq!(cancel(&mut exchange, 5), refused, "it is off");
    assert_eq!(exchange.set_dead_man(1, 99), Err(SlabError::Expired));
    exchange.set_dead_man(1, 110).unwrap();
    exchange.slot = 110;
    assert_eq!(cancel(&mut exchange, 5), refused);
    // A sign of life puts it off.
    exchange.set_dead_man(1, 120).unwrap();
    exchange.slot = 120;
    assert_eq!(cancel(&mut exchange, 5), refused);
    exchange.slot = 121;
    assert_eq!(cancel(&mut exchange, 4), Ok(4));
    assert_eq!(cancel(&mut exchange, 32), Ok(6));
    assert_eq!(cancel(&mut exchange, 32), Ok(0));
    exchange.set_dead_man(1, 0).unwrap();
    assert_eq!(cancel(&mut exchange, 32), refused);
    let nobody = exchange.cancel_dead_man(9, 1);
    assert_eq!(nobody.map(|_| ()), Err(SlabError::NoAccount));
    exchange.audit();
}

#[test]
fn t6_anyone_clears_expired_orders_and_no_others() {
    let mut exchange = Exchange::new(&params(), 3);
    let orders: Vec<_> = (0..6)
        .map(|at| {
            let order = Place {
                expiry: Slot(if at % 2 == 0 { 100 + at } else { 0 }),
                ..post_only(1, Ask, 1_000 + at, 5)
            };
            let (placed, _) = exchange.place(&order).unwrap();
            let rested = placed.rested.unwrap();
            (rested.order, rested.generation)
        })
        .collect();
    // Reserved to the end of the slot in which it expires.
    let held = exchange.reserve(&reserve(2, Bid, 1_000, 2)).unwrap();
    exchange.slot = 103;
    let gone = exchange.expire_orders(1, u16::MAX);
    assert_eq!(handles(&gone), [orders[2]]);
    assert_eq!(gone.orders()[0].reason, cancel_reason::EXPIRED);
    exchange.expire_hold(held.hold).unwrap().unwrap();
    let gone = exchange.expire_orders(orders[0].0, 1);
    assert_eq!(handles(&gone), [orders[0]]);
    assert_eq!(exchange.expire_orders(0, u16::MAX).count, 0);
    assert_eq!(exchange.expire_orders(u32::MAX, u16::MAX).count, 0);
    exchange.audit();
}

#[test]
fn t4_holds_that_outlive_their_slot_cover_a_part_of_a_side() {
    let shared = InstrumentParams {
        rules: Rules {
            hold_share_max: Ppm(300_000),
            hold_lots_min: Lots(3),
            ..Rules::default()
        },
        ..params()
    };
    let mut exchange = Exchange::new(&shared, 5);
    for maker in [1, 5] {
        exchange.post(maker, Ask, 1_000, 50).unwrap();
    }
    exchange.post(1, Bid, 990, 1_000).unwrap();
    let wish = |account, lots, ttl| Reserve {
        ttl: Slot(ttl),
        ..reserve(account, Bid, 1_000, lots)
    };
    let too_large = Err(SlabError::HoldTooLarge);
    let small = exchange.reserve(&wish(2, 2, 0));
    assert_eq!(small.map(|_| ()), too_large);
    let first = exchange.reserve(&wish(2, 20, 5)).unwrap();
    let more = exchange.reserve(&wish(3, 11, 5));
    assert_eq!(more.map(|_| ()), too_large);
    let second = exchange.reserve(&wish(3, 10, 5)).unwrap();
    // Within a slot nobody is locked out, whatever the share.
    let within = exchange.reserve(&wish(4, 60, 0)).unwrap();
    exchange.audit();
    exchange.cancel_hold(4, handle(&within)).unwrap().unwrap();
    // Each way to end one makes room again.
    exchange.cancel_hold(3, handle(&second)).unwrap().unwrap();
    exchange.cancel_hold(2, handle(&first)).unwrap().unwrap();
    let third = exchange.reserve(&wish(2, 20, 5)).unwrap();
    exchange.mint_and_commit(&third).unwrap();
    exchange.audit();
    assert_eq!(exchange.slab().instruments[0].held_lots, [0, 0]);
    // 80 lots rest: 24 are the share.
    let more = exchange.reserve(&wish(3, 20, 5)).unwrap();
    let over = exchange.reserve(&wish(3, 5, 5));
    assert_eq!(over.map(|_| ()), too_large);
    exchange.slot += 6;
    exchange.expire_hold(more.hold).unwrap().unwrap();
    assert_eq!(exchange.slab().instruments[0].held_lots, [0, 0]);
    exchange.audit();
}
