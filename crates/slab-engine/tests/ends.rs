//! The ends of a hold: what leaves the book, who may end it, what it cost.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::router::{handle, reserve, slices};
use common::{Exchange, Handle, key_of, params};
use flagstone_interface::event::{Fill, Held, Traded, outcome};
use flagstone_interface::slab::PoolId;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::holds::Reserve;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_units::{Lots, Ppm, Side::Ask, Side::Bid, Slot, Ticks};

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Commit,
    Cancel,
    Expire,
}

const ENDS: [End; 3] = [End::Commit, End::Cancel, End::Expire];

/// A hold of account `taker`, for 5 slots.
fn hold(exchange: &mut Exchange, taker: u32, lots: u32) -> Held {
    let order = Reserve {
        ttl: Slot(5),
        ..reserve(taker, Bid, 1_000, lots)
    };
    exchange.reserve(&order).unwrap()
}

fn end(exchange: &mut Exchange, held: &Held, how: End) {
    match how {
        End::Commit => assert_eq!({ exchange.mint_and_commit(held).unwrap().lots }, {
            held.lots
        }),
        End::Cancel => {
            let account = held.account.into();
            exchange
                .cancel_hold(account, handle(held))
                .unwrap()
                .unwrap();
        }
        End::Expire => {
            let slot = exchange.slot;
            exchange.slot = held.expiry_slot + 1;
            exchange.expire_hold(held.hold).unwrap().unwrap();
            exchange.slot = slot;
        }
    }
    exchange.audit();
}

fn met(traded: &Traded) -> Vec<(u16, u32, u32, u8)> {
    let entry = |fill: &Fill| (fill.account, fill.ticks, fill.lots, fill.outcome);
    traded.fills().iter().map(entry).collect()
}

/// Whether the order rests, with how many lots, how many of them reserved.
fn rests(exchange: &mut Exchange, order: Handle) -> Option<(u32, u32)> {
    let slab = exchange.slab();
    let stored = &slab.orders[order.0];
    let there = stored.is_live() && stored.generation == order.1;
    there.then_some((stored.lots.0, stored.reserved_lots.0))
}

#[test]
fn adv2_t5_cancelling_a_reserved_order_takes_the_rest_when_the_hold_ends() {
    for how in ENDS {
        let mut exchange = Exchange::new(&params(), 3);
        let order = exchange.post(1, Ask, 1_000, 10).unwrap();
        let held = hold(&mut exchange, 2, 6);
        let gone = exchange.cancel(1, order).unwrap().unwrap();
        assert_eq!({ gone.lots }, 4);
        assert_eq!(rests(&mut exchange, order), Some((6, 6)));
        assert_eq!(exchange.depth(0, Ask), [(1_000, 6)]);
        // Twice is once, and nobody can join the hold or take it.
        assert_eq!(exchange.cancel(1, order), Ok(None));
        assert_eq!(exchange.ioc(3, Bid, 1_000, 1), Ok(0));
        exchange.audit();
        end(&mut exchange, &held, how);
        assert_eq!(rests(&mut exchange, order), None, "{how:?}");
        assert_eq!(exchange.depth(0, Ask), []);
        let bought = if how == End::Commit { 6 } else { 0 };
        assert_eq!(exchange.position(2, 0).0, bought);
        assert_eq!(exchange.position(1, 0).0, -bought);
    }
}

#[test]
fn adv2_t5_two_holds_on_a_cancelled_order_end_in_any_way_and_order() {
    for first in ENDS {
        for second in ENDS {
            for swapped in [false, true] {
                let mut exchange = Exchange::new(&params(), 4);
                let order = exchange.post(1, Ask, 1_000, 10).unwrap();
                let mut holds = [hold(&mut exchange, 2, 3), hold(&mut exchange, 3, 4)];
                exchange.cancel(1, order).unwrap().unwrap();
                if swapped {
                    holds.reverse();
                }
                end(&mut exchange, &holds[0], first);
                let left = holds[1].lots;
                assert_eq!(rests(&mut exchange, order), Some((left, left)));
                assert_eq!(exchange.ioc(4, Bid, 1_000, 1), Ok(0));
                end(&mut exchange, &holds[1], second);
                assert_eq!(rests(&mut exchange, order), None);
                let ends = [(first, holds[0].lots), (second, holds[1].lots)];
                let traded = ends.iter().filter(|(how, _)| *how == End::Commit);
                let sold: u32 = traded.map(|(_, lots)| lots).sum();
                assert_eq!(exchange.position(1, 0).0, -(sold as i32));
                assert_eq!(exchange.slab().header.pool(PoolId::Slices).live, 0);
            }
        }
    }
}

#[test]
fn r8_an_end_without_a_trade_leaves_the_book_as_it_was() {
    for how in [End::Cancel, End::Expire] {
        let mut exchange = Exchange::new(&params(), 4);
        // No two in a row of one maker: a hold counts such a run once.
        let all = [(1, 4), (4, 5), (1, 6)];
        let orders = all.map(|(maker, lots)| exchange.post(maker, Ask, 1_000, lots).unwrap());
        let held = hold(&mut exchange, 2, 11);
        assert_eq!(slices(&held).len(), 3);
        end(&mut exchange, &held, how);
        for (order, (_, lots)) in orders.into_iter().zip(all) {
            assert_eq!(rests(&mut exchange, order), Some((lots, 0)));
        }
        // And the places in the queue.
        let traded = exchange.take(&common::ioc(3, Bid, 1_000, 15)).unwrap();
        let whole = all.map(|(maker, lots)| (maker as u16, 1_000, lots, outcome::FULL));
        assert_eq!(met(&traded), whole);
    }
}

#[test]
fn r8_f2_a_second_cancel_succeeds_and_changes_nothing() {
    let mut exchange = Exchange::new(&params(), 3);
    exchange.post(1, Ask, 1_000, 10).unwrap();
    let held = hold(&mut exchange, 2, 6);
    let (index, generation) = handle(&held);
    // Handles of another generation, of no record, of nobody.
    for stale in [
        (index, generation + 1),
        (index, 0),
        (0, 1),
        (48, 1),
        (49, 1),
        (u32::MAX, 1),
    ] {
        assert_eq!(exchange.cancel_hold(2, stale), Ok(None));
    }
    exchange
        .cancel_hold(2, (index, generation))
        .unwrap()
        .unwrap();
    let after = exchange.bytes().to_vec();
    assert_eq!(exchange.cancel_hold(2, (index, generation)), Ok(None));
    assert_eq!(exchange.expire_hold(index), Ok(None));
    assert!(*exchange.bytes() == after);
    // The next hold of the record is not the one that the handle meant.
    let next = hold(&mut exchange, 3, 2);
    assert_eq!({ next.hold }, index);
    assert_eq!(exchange.cancel_hold(2, (index, generation)), Ok(None));
    assert!(exchange.record(index).is_held());
    exchange.audit();
}

#[test]
fn x6_only_the_accounts_own_trader_cancels_its_hold() {
    // Once anybody could cancel anybody's.
    let mut exchange = Exchange::new(&params(), 3);
    exchange.post(1, Ask, 1_000, 10).unwrap();
    let held = hold(&mut exchange, 2, 6);
    let (index, generation) = handle(&held);
    assert_eq!(
        exchange.cancel_hold(3, (index, generation)),
        Err(SlabError::NotYourOrder)
    );
    assert_eq!(
        exchange.cancel_hold(1, (index, generation)),
        Err(SlabError::NotYourOrder)
    );
    let stranger = key_of(7, 3);
    let got = exchange.run(|slab| slab.cancel_hold(&stranger, 2, index, generation, Slot(100)));
    assert_eq!(got, Err(SlabError::WrongTrader));
    assert!(exchange.record(index).is_held());
}

#[test]
fn x1_a_hold_expires_in_the_slot_after_its_last() {
    let mut exchange = Exchange::new(&params(), 2);
    exchange.post(1, Ask, 1_000, 10).unwrap();
    let held = hold(&mut exchange, 2, 6);
    for (slot, ended) in [(100, false), (105, false), (106, true), (107, false)] {
        exchange.slot = slot;
        let event = exchange.expire_hold(held.hold).unwrap();
        assert_eq!(event.is_some(), ended, "slot {slot}");
    }
    for index in [0, 48, 49, u32::MAX] {
        assert_eq!(exchange.expire_hold(index), Ok(None));
    }
    exchange.audit();
}

fn costly() -> InstrumentParams {
    InstrumentParams {
        hold_fee: Ppm(700),
        ..params()
    }
}

#[test]
fn t4_a_hold_costs_what_it_stood_and_makers_get_four_fifths() {
    // 6 lots at 1,000 for 700 ppm are 4.2, so 5 atoms a slot.
    for how in ENDS {
        for (slots, fee, share) in [(0, 0, 0), (1, 5, 4), (3, 15, 12), (5, 25, 20)] {
            if how == End::Expire && slots != 5 {
                continue;
            }
            let mut exchange = Exchange::new(&costly(), 2);
            let cash = [1, 2].map(|account| exchange.cash(account));
            exchange.post(1, Ask, 1_000, 10).unwrap();
            let held = hold(&mut exchange, 2, 6);
            let bonds = |exchange: &mut Exchange| exchange.slab().accounts[2].bond_atoms;
            assert_eq!(bonds(&mut exchange), 25);
            // The bond is locked, not paid.
            assert_eq!(exchange.cash(2), cash[1]);
            exchange.slot += slots;
            end(&mut exchange, &held, how);
            assert_eq!(bonds(&mut exchange), 0);
            assert_eq!(exchange.cash(2), cash[1] - fee, "{how:?} after {slots}");
            assert_eq!(exchange.cash(1), cash[0] + share, "{how:?} after {slots}");
            let kept = exchange.slab().header.fees_out_total.get();
            assert_eq!(kept as i64, fee - share);
        }
    }
}

#[test]
fn t4_the_fee_is_per_slice_and_stops_at_the_expiry() {
    let mut exchange = Exchange::new(&costly(), 4);
    exchange.post(1, Ask, 990, 2).unwrap();
    exchange.post(3, Ask, 1_000, 9).unwrap();
    let cash = [1, 2, 3].map(|account| exchange.cash(account));
    let held = hold(&mut exchange, 2, 11);
    // 1.386 and 6.3 atoms a slot, each rounded up; nobody came for 1,000 slots.
    exchange.slot += 1_000;
    let ended = exchange.cancel_hold(2, handle(&held)).unwrap().unwrap();
    assert_eq!({ ended.fee_atoms }, 5 * (2 + 7));
    let after = [1, 2, 3].map(|account| exchange.cash(account));
    assert_eq!(after, [cash[0] + 8, cash[1] - 45, cash[2] + 28]);
    exchange.audit();
}

#[test]
fn t4_a_bond_comes_from_free_cash_and_locks_it() {
    let mut exchange = Exchange::new(&costly(), 1);
    let poor = exchange.open(124);
    exchange.post(1, Ask, 1_000, 40).unwrap();
    // 6 lots for 5 slots lock 25 atoms; so 124 carry four such holds.
    for _ in 0..4 {
        hold(&mut exchange, poor, 6);
    }
    let fifth = Reserve {
        ttl: Slot(5),
        ..reserve(poor, Bid, 1_000, 6)
    };
    let refused = exchange.reserve(&fifth);
    assert_eq!(refused.map(|_| ()), Err(SlabError::BelowInitialMargin));
    // What is locked carries no order and does not leave, the rest does.
    let order = exchange.post(poor, Bid, 990, 1);
    assert_eq!(order.map(|_| ()), Err(SlabError::BelowInitialMargin));
    assert_eq!(exchange.release(poor, 25), Err(SlabError::ReleaseTooLarge));
    assert_eq!(exchange.release(poor, 24), Ok(100));
    // Within the slot a hold needs no bond.
    exchange.reserve(&reserve(poor, Bid, 1_000, 6)).unwrap();
    exchange.audit();
}

#[test]
fn t4_t2_a_bond_is_never_locked_out_of_open_profit() {
    // Once a profit that existed only at the mark became a maker's cash, and
    // when the mark came back, the holder's was below zero.
    let mut exchange = Exchange::new(&costly(), 1);
    let holder = exchange.open(1_000);
    exchange.post(1, Ask, 1_000, 10).unwrap();
    exchange.ioc(holder, Bid, 1_000, 10).unwrap();
    exchange.slab().instruments[0].mark = Ticks(1_300);
    exchange.post(1, Ask, 1_290, 6).unwrap();
    let order = Reserve {
        ttl: Slot(300),
        ..reserve(holder, Bid, 1_300, 6)
    };
    let refused = exchange.reserve(&order);
    assert_eq!(refused.map(|_| ()), Err(SlabError::BelowInitialMargin));
    // 300 for the margin of 1,300, and 5.4, so 6 atoms a slot for 300 slots.
    exchange.deposit(holder, 300 + 1_799).unwrap();
    assert!(exchange.reserve(&order).is_err());
    exchange.deposit(holder, 1).unwrap();
    let held = exchange.reserve(&order).unwrap();
    exchange.slab().instruments[0].mark = Ticks(1_000);
    exchange.slot += 301;
    exchange.expire_hold(held.hold).unwrap().unwrap();
    assert_eq!(exchange.cash(holder), 1_300);
    exchange.audit();
}

/// Account 2 sells 10 lots with just the margin for them, then loses some.
fn maker_without_margin(exchange: &mut Exchange) -> Handle {
    let maker = exchange.open(1_000);
    assert_eq!(maker, 2);
    let order = exchange.post(2, Ask, 1_000, 10).unwrap();
    exchange.slab().instruments[0].mark = Ticks(1_005);
    order
}

#[test]
fn t5_a_maker_who_lost_its_margin_is_skipped() {
    for (lots_min, legal) in [(5, true), (6, false)] {
        let mut exchange = Exchange::new(&params(), 1);
        let order = maker_without_margin(&mut exchange);
        let taker = exchange.open(1_000_000);
        exchange.post(1, Ask, 1_001, 5).unwrap();
        let wish = Reserve {
            lots_min: Lots(lots_min),
            ..reserve(taker, Bid, 1_001, 15)
        };
        let held = exchange.reserve(&wish).unwrap();
        let got = exchange.mint_and_commit(&held);
        if !legal {
            assert_eq!(got.map(|_| ()), Err(SlabError::NotFilled));
            assert_eq!(rests(&mut exchange, order), Some((10, 10)));
            continue;
        }
        let traded = got.unwrap();
        let expected = [
            (2, 1_000, 10, outcome::SKIPPED),
            (1, 1_001, 5, outcome::FULL),
        ];
        assert_eq!(met(&traded), expected);
        assert_eq!(
            (exchange.position(taker, 0), exchange.position(2, 0)),
            ((5, 5_005), (0, 0))
        );
        // No longer reserved: it rests as before.
        assert_eq!(rests(&mut exchange, order), Some((10, 0)));
        assert_eq!(exchange.record(held.hold).filled_lots, 5);
        exchange.audit();
        exchange.audit_router();
    }
}

#[test]
fn t5_a_skipped_order_that_was_cancelled_leaves() {
    let mut exchange = Exchange::new(&params(), 1);
    let order = maker_without_margin(&mut exchange);
    let taker = exchange.open(1_000_000);
    exchange.post(1, Ask, 1_001, 5).unwrap();
    let held = exchange.reserve(&reserve(taker, Bid, 1_001, 15)).unwrap();
    exchange.cancel(2, order).unwrap().unwrap();
    exchange.mint_and_commit(&held).unwrap();
    assert_eq!(rests(&mut exchange, order), None);
    exchange.audit();
}

#[test]
fn t1_t5_slices_outside_the_band_are_skipped() {
    let narrow = InstrumentParams {
        band: Ppm(10_000),
        ..params()
    };
    let mut exchange = Exchange::new(&narrow, 3);
    let order = exchange.post(1, Ask, 990, 5).unwrap();
    exchange.post(3, Ask, 1_000, 5).unwrap();
    let held = hold(&mut exchange, 2, 10);
    exchange.slab().instruments[0].mark = Ticks(1_002);
    let traded = exchange.mint_and_commit(&held).unwrap();
    let expected = [(1, 990, 5, outcome::SKIPPED), (3, 1_000, 5, outcome::FULL)];
    assert_eq!(met(&traded), expected);
    assert_eq!(rests(&mut exchange, order), Some((5, 0)));
    // What its owner cancelled meanwhile leaves.
    exchange.slab().instruments[0].mark = Ticks(1_000);
    exchange.post(3, Ask, 1_000, 5).unwrap();
    let held = hold(&mut exchange, 2, 10);
    exchange.cancel(1, order).unwrap().unwrap();
    exchange.slab().instruments[0].mark = Ticks(1_002);
    assert_eq!({ exchange.mint_and_commit(&held).unwrap().lots }, 5);
    assert_eq!(rests(&mut exchange, order), None);
    exchange.post(1, Ask, 992, 5).unwrap();
    // All of them: nothing would trade, so nothing happens.
    exchange.slab().instruments[0].mark = Ticks(1_000);
    let held = hold(&mut exchange, 2, 5);
    exchange.slab().instruments[0].mark = Ticks(1_009);
    let none = exchange.mint_and_commit(&held);
    assert_eq!(none.map(|_| ()), Err(SlabError::NotFilled));
    end(&mut exchange, &held, End::Cancel);
}

#[test]
fn t5_a_frozen_maker_is_skipped() {
    let mut exchange = Exchange::new(&params(), 3);
    exchange.post(1, Ask, 1_000, 5).unwrap();
    exchange.post(3, Ask, 1_000, 5).unwrap();
    let held = hold(&mut exchange, 2, 10);
    exchange.freeze(1, true);
    let traded = exchange.mint_and_commit(&held).unwrap();
    let expected = [
        (1, 1_000, 5, outcome::SKIPPED),
        (3, 1_000, 5, outcome::FULL),
    ];
    assert_eq!(met(&traded), expected);
    exchange.audit();
}

#[test]
fn t6_a_fill_leaves_no_dust_once_nothing_is_reserved() {
    let coarse = InstrumentParams {
        order_lots_min: Lots(4),
        ..params()
    };
    let mut exchange = Exchange::new(&coarse, 3);
    let order = exchange.post(1, Ask, 1_000, 13).unwrap();
    let first = hold(&mut exchange, 2, 5);
    let second = hold(&mut exchange, 3, 5);
    let traded = exchange.mint_and_commit(&first).unwrap();
    assert_eq!(met(&traded), [(1, 1_000, 5, outcome::PARTIAL)]);
    // Three are too few to rest.
    let traded = exchange.mint_and_commit(&second).unwrap();
    assert_eq!(met(&traded), [(1, 1_000, 5, outcome::DUST)]);
    assert_eq!(rests(&mut exchange, order), None);
    exchange.audit();
}
