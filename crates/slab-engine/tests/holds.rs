//! Reserve: what a hold captures, how long, and what it refuses.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::router::{handle, reserve, slices};
use common::{Exchange, Rng, limit, params, post_only};
use flagstone_interface::slab::PoolId;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::holds::Reserve;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_units::{Lots, Ppm, Side::Ask, Side::Bid, Slot, Ticks};

/// Live items of the pools of holds and slices.
fn live(exchange: &mut Exchange) -> (u32, u32) {
    let slab = exchange.slab();
    let pools = [PoolId::Reservations, PoolId::Slices];
    let [holds, slices] = pools.map(|pool| slab.header.pool(pool).live);
    (holds, slices)
}

#[test]
fn r1_prices_quantities_and_lives_out_of_range_are_refused() {
    let mut exchange = Exchange::new(&params(), 2);
    exchange.post(1, Ask, 1_000, 5).unwrap();
    let good = reserve(2, Bid, 1_000, 5);
    type Change = fn(&mut Reserve);
    let bad: [(SlabError, Change); 10] = [
        (SlabError::BadPrice, |order| order.limit = Ticks(0)),
        (SlabError::BadPrice, |order| order.limit = Ticks(1_000_001)),
        (SlabError::BadQuantity, |order| order.lots = Lots(0)),
        (SlabError::BadQuantity, |order| order.lots = Lots(1_000_001)),
        // A hold of nothing would be a free record.
        (SlabError::BadQuantity, |order| order.lots_min = Lots(0)),
        (SlabError::BadQuantity, |order| order.lots_min = Lots(6)),
        (SlabError::BadQuantity, |order| order.ttl = Slot(301)),
        (SlabError::NoInstrument, |order| order.instrument = 1),
        (SlabError::NoAccount, |order| order.account = 3),
        (SlabError::NoAccount, |order| order.account = 0),
    ];
    for (error, change) in bad {
        let mut order = good;
        change(&mut order);
        let got = exchange.reserve(&order);
        assert_eq!(got.map(|_| ()), Err(error), "{order:?}");
    }
    assert_eq!(live(&mut exchange), (0, 0));
    exchange
        .reserve(&Reserve {
            ttl: Slot(300),
            ..good
        })
        .unwrap();
    exchange.audit();
}

#[test]
fn r2_the_walk_stops_at_the_limit_on_both_sides() {
    let mut exchange = Exchange::new(&params(), 2);
    let mut ask = |ticks| exchange.post(1, Ask, ticks, 3).unwrap().0;
    let (near, edge) = (ask(1_001), ask(1_003));
    ask(1_004);
    let mut bid = |ticks| exchange.post(1, Bid, ticks, 3).unwrap().0;
    let (near_bid, edge_bid) = (bid(999), bid(997));
    bid(996);
    let buy = exchange.reserve(&reserve(2, Bid, 1_003, 100)).unwrap();
    assert_eq!(slices(&buy), [(near, 1_001, 3), (edge, 1_003, 3)]);
    assert_eq!(
        ({ buy.lots }, { buy.notional_atoms }),
        (6, 3 * 1_001 + 3 * 1_003)
    );
    let sell = exchange.reserve(&reserve(2, Ask, 997, 100)).unwrap();
    assert_eq!(slices(&sell), [(near_bid, 999, 3), (edge_bid, 997, 3)]);
    let beyond = exchange.reserve(&reserve(2, Bid, 1_003, 1));
    assert_eq!(beyond.map(|_| ()), Err(SlabError::NotFilled));
    exchange.audit();
}

#[test]
fn m1_quantity_is_captured_in_price_time_order() {
    for side in [Bid, Ask] {
        let mut exchange = Exchange::new(&params(), 4);
        let contra = side.contra();
        let away = |ticks: u32| {
            if contra == Ask {
                1_000 + ticks
            } else {
                1_000 - ticks
            }
        };
        let second = exchange.post(1, contra, away(5), 4).unwrap().0;
        let third = exchange.post(2, contra, away(5), 4).unwrap().0;
        let first = exchange.post(3, contra, away(2), 4).unwrap().0;
        let held = exchange.reserve(&reserve(4, side, away(5), 10)).unwrap();
        let expected = [
            (first, away(2), 4),
            (second, away(5), 4),
            (third, away(5), 2),
        ];
        assert_eq!(slices(&held), expected);
        assert_eq!(exchange.reserved(third), (2, 4));
        exchange.audit();
    }
}

#[test]
fn r3_a_hold_changes_no_visible_depth() {
    let mut exchange = Exchange::new(&params(), 2);
    exchange.post(1, Ask, 1_000, 5).unwrap();
    let held = exchange.reserve(&reserve(2, Bid, 1_000, 5)).unwrap();
    assert_eq!(exchange.depth(0, Ask), [(1_000, 5)]);
    exchange.cancel_hold(2, handle(&held)).unwrap().unwrap();
    assert_eq!(exchange.depth(0, Ask), [(1_000, 5)]);
    assert_eq!(exchange.ioc(2, Bid, 1_000, 9), Ok(5));
}

#[test]
fn r5_what_may_not_trade_is_not_captured() {
    let mut exchange = Exchange::new(&params(), 5);
    // Cheap first: below the band once the mark has moved, then expired, own,
    // cancelled while reserved, all taken, and at last one that is good.
    exchange.post(1, Ask, 920, 4).unwrap();
    let short = limit(1, Ask, 1_011, 4);
    exchange
        .place(&flagstone_slab_engine::requests::Place {
            expiry: Slot(100),
            ..short
        })
        .unwrap();
    exchange.post(2, Ask, 1_012, 4).unwrap();
    let closing = exchange.post(3, Ask, 1_013, 4).unwrap();
    let taken = exchange.post(4, Ask, 1_014, 4).unwrap();
    let good = exchange.post(1, Ask, 1_015, 4).unwrap();
    exchange.slab().instruments[0].mark = Ticks(1_020);
    exchange.slot += 1;
    let other = exchange.reserve(&reserve(5, Bid, 1_013, 6)).unwrap();
    // Orders of account 2, two of account 3.
    assert_eq!(slices(&other)[1], (closing.0, 1_013, 2));
    let rest = exchange.cancel(3, closing).unwrap().unwrap();
    assert_eq!({ rest.lots }, 2);
    let whole = exchange.reserve(&reserve(5, Bid, 1_014, 4)).unwrap();
    assert_eq!(slices(&whole), [(taken.0, 1_014, 4)]);
    exchange.cancel_hold(5, handle(&other)).unwrap().unwrap();
    let held = exchange.reserve(&reserve(2, Bid, 1_090, 100)).unwrap();
    assert_eq!(slices(&held), [(good.0, 1_015, 4)]);
    exchange.audit();
}

#[test]
fn r1_the_least_quantity_decides_at_reserve() {
    let mut exchange = Exchange::new(&params(), 2);
    exchange.post(1, Ask, 1_000, 5).unwrap();
    let order = reserve(2, Bid, 1_000, 9);
    let most = Reserve {
        lots_min: Lots(6),
        ..order
    };
    assert_eq!(
        exchange.reserve(&most).map(|_| ()),
        Err(SlabError::NotFilled)
    );
    assert_eq!(live(&mut exchange), (0, 0));
    let exact = Reserve {
        lots_min: Lots(5),
        ..order
    };
    assert_eq!({ exchange.reserve(&exact).unwrap().lots }, 5);
}

#[test]
fn x1_a_hold_expires_no_later_than_any_order_it_captured() {
    let mut exchange = Exchange::new(&params(), 2);
    for (ticks, expiry) in [(1_000, 0), (1_001, 130), (1_002, 110), (1_003, 100)] {
        let order = post_only(1, Ask, ticks, 1);
        let order = flagstone_slab_engine::requests::Place {
            expiry: Slot(expiry),
            ..order
        };
        exchange.place(&order).unwrap();
    }
    for (lots, ttl, expiry) in [
        (1, 300, 400),
        (2, 300, 130),
        (2, 20, 120),
        (3, 300, 110),
        (4, 9, 100),
    ] {
        let order = Reserve {
            ttl: Slot(ttl),
            ..reserve(2, Bid, 1_010, lots)
        };
        let held = exchange.reserve(&order).unwrap();
        assert_eq!({ held.expiry_slot }, expiry, "{lots} lots for {ttl} slots");
        exchange.cancel_hold(2, handle(&held)).unwrap().unwrap();
    }
    exchange.audit();
}

#[test]
fn m5_no_lot_is_captured_twice() {
    let mut exchange = Exchange::new(&params(), 4);
    let order = exchange.post(1, Ask, 1_000, 10).unwrap().0;
    let first = exchange.reserve(&reserve(2, Bid, 1_000, 7)).unwrap();
    let second = exchange.reserve(&reserve(3, Bid, 1_000, 7)).unwrap();
    assert_eq!(
        (slices(&first), slices(&second)),
        (vec![(order, 1_000, 7)], vec![(order, 1_000, 3)])
    );
    let third = exchange.reserve(&reserve(4, Bid, 1_000, 1));
    assert_eq!(third.map(|_| ()), Err(SlabError::NotFilled));
    exchange.cancel_hold(2, handle(&first)).unwrap().unwrap();
    assert_eq!(
        { exchange.reserve(&reserve(4, Bid, 1_000, 9)).unwrap().lots },
        7
    );
    exchange.audit();
}

#[test]
fn m4_s5_s8_reserved_never_exceeds_what_rests() {
    let mut exchange = Exchange::new(&params(), 6);
    let mut rng = Rng(5);
    let (mut holds, mut orders) = (Vec::new(), Vec::new());
    for _ in 0..4_000 {
        let account = 1 + rng.below(6) as u32;
        let (side, lots) = (
            if rng.below(2) == 0 { Bid } else { Ask },
            1 + rng.below(9) as u32,
        );
        match rng.below(5) {
            0 => orders.extend(
                exchange
                    .post(account, side, if side == Bid { 999 } else { 1_001 }, lots)
                    .ok()
                    .map(|order| (account, order)),
            ),
            1 | 2 => holds.extend(
                exchange
                    .reserve(&reserve(
                        account,
                        side,
                        if side == Bid { 1_001 } else { 999 },
                        lots,
                    ))
                    .ok(),
            ),
            3 if !holds.is_empty() => {
                let held = holds.swap_remove(rng.below(holds.len() as u64) as usize);
                exchange
                    .cancel_hold(held.account.into(), handle(&held))
                    .unwrap();
            }
            _ if !orders.is_empty() => {
                let (owner, order) = orders.swap_remove(rng.below(orders.len() as u64) as usize);
                exchange.cancel(owner, order).unwrap();
            }
            _ => {}
        }
        exchange.audit();
    }
    for held in holds {
        exchange
            .cancel_hold(held.account.into(), handle(&held))
            .unwrap();
    }
    for (owner, order) in orders {
        exchange.cancel(owner, order).unwrap();
    }
    assert_eq!(live(&mut exchange), (0, 0));
    assert_eq!(
        exchange.slab().header.pool(PoolId::Orders).live,
        0,
        "an order is stuck"
    );
    exchange.audit();
}

#[test]
fn t6_orders_of_one_maker_in_a_row_count_once_for_a_hold() {
    // Crumbs of one maker once used up all the slices of every hold.
    let mut exchange = Exchange::new(&params(), 4);
    let crumb = exchange.post(1, Ask, 1_000, 1).unwrap();
    for _ in 0..100 {
        exchange.post(1, Ask, 1_000, 1).unwrap();
    }
    let other = exchange.post(2, Ask, 1_000, 50).unwrap();
    // A new run of the same maker, and a new level, count again.
    let again = exchange.post(1, Ask, 1_000, 7).unwrap();
    let next = exchange.post(1, Ask, 1_001, 9).unwrap();
    exchange.post(1, Ask, 1_001, 9).unwrap();
    let held = exchange.reserve(&reserve(3, Bid, 1_001, 1_000)).unwrap();
    let expected = [
        (crumb.0, 1_000, 1),
        (other.0, 1_000, 50),
        (again.0, 1_000, 7),
        (next.0, 1_001, 9),
    ];
    assert_eq!(slices(&held), expected);
    // The run stays one when what it begins with is reserved, or is cancelled.
    exchange.cancel(1, crumb).unwrap().unwrap();
    let none = exchange.reserve(&reserve(4, Bid, 1_000, 1));
    assert_eq!(none.map(|_| ()), Err(SlabError::NotFilled));
    // A taker that trades at once is not spared the walk, and gets them all.
    assert_eq!(exchange.ioc(4, Bid, 1_000, 48), Ok(48));
    exchange.audit();
}

#[test]
fn s8_nobody_else_gets_at_reserved_quantity() {
    let mut exchange = Exchange::new(&params(), 4);
    let order = exchange.post(1, Ask, 1_000, 10).unwrap();
    let held = exchange.reserve(&reserve(2, Bid, 1_000, 6)).unwrap();
    // A taker gets the rest and the next order, in that order.
    exchange.post(3, Ask, 1_001, 5).unwrap();
    assert_eq!(exchange.ioc(4, Bid, 1_001, 7), Ok(7));
    assert_eq!(exchange.reserved(order.0), (6, 6));
    assert_eq!(exchange.ioc(4, Bid, 1_000, 7), Ok(0));
    // Not even its owner, in any mode of self trade.
    for mode in 0..3 {
        let mut take = common::ioc(1, Bid, 1_000, 9);
        take.self_trade = flagstone_slab_engine::matching::SelfTrade::from_byte(mode).unwrap();
        assert_eq!({ exchange.take(&take).unwrap().lots }, 0);
        assert_eq!(exchange.reserved(order.0), (6, 6));
    }
    let gone = exchange.cancel(1, order).unwrap().unwrap();
    assert_eq!({ gone.lots }, 0);
    assert_eq!({ exchange.mint_and_commit(&held).unwrap().lots }, 6);
    assert_eq!(exchange.position(2, 0), (6, 6_000));
    exchange.audit();
}

#[test]
fn t1_a_frozen_account_reserves_nothing_and_strangers_neither() {
    let mut exchange = Exchange::new(&params(), 3);
    exchange.post(1, Ask, 1_000, 5).unwrap();
    exchange.freeze(2, true);
    let order = reserve(2, Bid, 1_000, 5);
    assert_eq!(
        exchange.reserve(&order).map(|_| ()),
        Err(SlabError::AccountFrozen)
    );
    exchange.freeze(2, false);
    let mut held = bytemuck::Zeroable::zeroed();
    let stranger = common::key_of(7, 3);
    let got = exchange.run(|slab| slab.reserve(&stranger, &order, Slot(100), &mut held));
    assert_eq!(got, Err(SlabError::WrongTrader));
}

#[test]
fn r6_the_largest_charge_is_margin_fee_and_twice_the_kill_band() {
    let dear = InstrumentParams {
        taker_fee: flagstone_units::SignedPpm(1_000),
        hold_fee: Ppm(100),
        ..params()
    };
    let mut exchange = Exchange::new(&dear, 1);
    let poor = exchange.open(0);
    exchange.post(1, Ask, 1_010, 10).unwrap();
    let held = exchange.reserve(&reserve(poor, Bid, 1_010, 10)).unwrap();
    // Margin 10 % at the mark, loss of 10 ticks, fee of 0.1 % rounded up, and
    // 1 % of the value at the mark for the loss and again for the margin.
    assert_eq!({ held.max_charge_atoms }, 1_000 + 100 + 11 + 2 * 100);
    // Free cash counts.
    exchange.cancel_hold(poor, handle(&held)).unwrap().unwrap();
    exchange.deposit(poor, 300).unwrap();
    let held = exchange.reserve(&reserve(poor, Bid, 1_010, 10)).unwrap();
    assert_eq!({ held.max_charge_atoms }, 1_311 - 300);
    // The bond does not: 2 atoms a slot for 5 slots.
    exchange.cancel_hold(poor, handle(&held)).unwrap().unwrap();
    let longer = Reserve {
        ttl: Slot(5),
        ..reserve(poor, Bid, 1_010, 10)
    };
    let held = exchange.reserve(&longer).unwrap();
    assert_eq!({ held.max_charge_atoms }, 1_311 - 300 + 10);
    assert_eq!({ exchange.record(held.hold).bond_atoms }, 10);
    exchange.audit();
}
