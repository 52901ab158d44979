//! Records of holds: one end each, bounded numbers, none lost.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::router::{handle, reserve};
use common::{Exchange, params, small};
use flagstone_interface::event::Held;
use flagstone_interface::slab::PoolId;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_units::{Side::Ask, Side::Bid, Slot};

/// A rich maker, account 1, and a taker without any cash, account 2.
fn with_poor_taker(params: &InstrumentParams) -> Exchange {
    let mut exchange = Exchange::new(params, 1);
    exchange.open(0);
    exchange
}

/// Ten lots at 1,000 held by account 2 until the end of the slot.
fn hold_ten(exchange: &mut Exchange) -> Held {
    exchange.post(1, Ask, 1_000, 10).unwrap();
    let order = reserve(2, Bid, 1_000, 10);
    exchange.reserve(&order).unwrap()
}

fn refused(exchange: &mut Exchange, held: &Held, cap: u8, error: SlabError) {
    let before = exchange.bytes().to_vec();
    assert_eq!(exchange.commit(held, cap).map(|_| ()), Err(error));
    assert!(*exchange.bytes() == before, "a refused commit left a trace");
}

/// One of two makers in turn: orders of one maker in a row count once.
fn turn(at: u32, even: u32, odd: u32) -> u32 {
    [even, odd][at as usize % 2]
}

/// Live items of the pools of holds and slices.
fn live(exchange: &mut Exchange) -> (u32, u32) {
    let slab = exchange.slab();
    let pools = [PoolId::Reservations, PoolId::Slices];
    let [holds, slices] = pools.map(|pool| slab.header.pool(pool).live);
    (holds, slices)
}

#[test]
fn e3_a_hold_that_finds_nothing_takes_no_record() {
    // Once 3,998 reserves of an empty book filled the pool for good.
    let mut exchange = Exchange::new(&params(), 2);
    for _ in 0..100 {
        let none = exchange.reserve(&reserve(2, Bid, 1_000, 1));
        assert_eq!(none.map(|_| ()), Err(SlabError::NotFilled));
    }
    assert_eq!(live(&mut exchange), (0, 0));
    assert_eq!(exchange.slab().header.pool(PoolId::Positions).live, 0);
}

#[test]
fn e3_an_account_stands_at_most_sixteen_holds() {
    let mut exchange = Exchange::new(&params(), 3);
    exchange.post(1, Ask, 1_000, 40).unwrap();
    let order = reserve(2, Bid, 1_000, 1);
    let first = exchange.reserve(&order).unwrap();
    for _ in 1..16 {
        exchange.reserve(&order).unwrap();
    }
    assert_eq!(
        exchange.reserve(&order).map(|_| ()),
        Err(SlabError::HoldsFull)
    );
    // Others still can, and so can the account once one has ended.
    exchange.reserve(&reserve(3, Bid, 1_000, 1)).unwrap();
    exchange.cancel_hold(2, handle(&first)).unwrap().unwrap();
    exchange.reserve(&order).unwrap();
    exchange.audit();
}

#[test]
fn e3_full_pools_refuse_and_leave_nothing_locked() {
    let mut pools = small();
    (pools[5], pools[6]) = (2, 3);
    let mut exchange = Exchange::with(pools);
    exchange
        .slab()
        .add_instrument(&params(), Slot(100))
        .unwrap();
    for _ in 0..4 {
        exchange.open(1_000_000);
    }
    let orders: Vec<_> = (0..5)
        .map(|at| exchange.post(turn(at, 1, 4), Ask, 1_000, 1).unwrap())
        .collect();
    // Four orders need four slices.
    let wide = exchange.reserve(&reserve(2, Bid, 1_000, 4));
    assert_eq!(wide.map(|_| ()), Err(SlabError::HoldsFull));
    for order in &orders {
        assert_eq!(exchange.reserved(order.0), (0, 1));
    }
    let first = exchange.reserve(&reserve(2, Bid, 1_000, 1)).unwrap();
    exchange.reserve(&reserve(3, Bid, 1_000, 1)).unwrap();
    let third = exchange.reserve(&reserve(3, Bid, 1_000, 1));
    assert_eq!(third.map(|_| ()), Err(SlabError::HoldsFull));
    assert_eq!(live(&mut exchange), (2, 2));
    exchange.cancel_hold(2, handle(&first)).unwrap().unwrap();
    assert_eq!(
        { exchange.reserve(&reserve(3, Bid, 1_000, 2)).unwrap().lots },
        2
    );
    exchange.audit();
}

#[test]
fn e6_a_hold_captures_32_orders_and_passes_48_at_most() {
    let mut exchange = Exchange::new(&params(), 4);
    for at in 0..60 {
        exchange.post(turn(at, 1, 4), Ask, 1_000, 2).unwrap();
    }
    let held = exchange.reserve(&reserve(2, Bid, 1_000, 120)).unwrap();
    assert_eq!((held.slices().len(), { held.lots }), (32, 64));
    // 32 of the 48 orders that a walk may meet are taken.
    let next = exchange.reserve(&reserve(3, Bid, 1_000, 120)).unwrap();
    assert_eq!((next.slices().len(), { next.lots }), (16, 32));
    let behind = exchange.reserve(&reserve(3, Bid, 1_000, 1));
    assert_eq!(behind.map(|_| ()), Err(SlabError::NotFilled));
    exchange.audit();
}

#[test]
fn s8_a_full_pool_evicts_no_reserved_order() {
    let mut pools = small();
    pools[3] = 2;
    let mut exchange = Exchange::with(pools);
    exchange
        .slab()
        .add_instrument(&params(), Slot(100))
        .unwrap();
    for _ in 0..3 {
        exchange.open(1_000_000);
    }
    let worst = exchange.post(1, Ask, 1_010, 1).unwrap();
    exchange.post(1, Ask, 1_005, 1).unwrap();
    exchange.reserve(&reserve(2, Bid, 1_010, 2)).unwrap();
    let better = exchange.post(3, Ask, 1_001, 1);
    assert_eq!(better.map(|_| ()), Err(SlabError::OrdersFull));
    assert_eq!(exchange.reserved(worst.0), (1, 1));
    exchange.audit();
}

#[test]
fn f3_a_hold_ends_once() {
    let mut exchange = Exchange::new(&params(), 2);
    let held = hold_ten(&mut exchange);
    let cap = exchange.mint_for(&held);
    exchange.commit(&held, cap).unwrap();
    let position = exchange.position(2, 0);
    // Retries of the commit, and every other end.
    refused(&mut exchange, &held, cap, SlabError::NoHold);
    let retry = exchange.mint(2, handle(&held), (7, 9_999, 500));
    refused(&mut exchange, &held, retry, SlabError::NoHold);
    exchange.slot = 500;
    assert_eq!(exchange.cancel_hold(2, handle(&held)), Ok(None));
    assert_eq!(exchange.expire_hold(held.hold), Ok(None));
    assert_eq!(exchange.position(2, 0), position);
    // The record is used again, by a hold with another generation.
    exchange.settle(2);
    assert_eq!(exchange.free_hold(held.hold, 2), Ok(true));
    let next = hold_ten(&mut exchange);
    assert_eq!(handle(&next), (held.hold, held.generation + 1));
    let stale = exchange.mint(2, handle(&held), (7, 9_999, 500));
    refused(&mut exchange, &held, stale, SlabError::NoHold);
    refused(&mut exchange, &next, stale, SlabError::NoCap);
    assert_eq!(exchange.cancel_hold(2, handle(&held)), Ok(None));
    assert_eq!(exchange.position(2, 0), position);
    exchange.audit();
}

#[test]
fn f3_nothing_commits_after_a_cancel() {
    let mut exchange = Exchange::new(&params(), 2);
    let held = hold_ten(&mut exchange);
    let cap = exchange.mint_for(&held);
    exchange.cancel_hold(2, handle(&held)).unwrap().unwrap();
    refused(&mut exchange, &held, cap, SlabError::NoHold);
    assert_eq!(exchange.position(2, 0), (0, 0));
    exchange.audit();
}

#[test]
fn e2_x1_a_record_is_freed_once_its_charge_is_booked_and_its_capability_burned() {
    let mut exchange = with_poor_taker(&params());
    exchange.open(0);
    let held = hold_ten(&mut exchange);
    assert_eq!(exchange.free_hold(held.hold, 2), Ok(false), "it stands");
    let cap = exchange.mint_for(&held);
    exchange.commit(&held, cap).unwrap();
    assert_eq!(exchange.free_hold(held.hold, 3), Err(SlabError::NotBound));
    assert_eq!(
        exchange.free_hold(held.hold, 2),
        Ok(false),
        "nothing is booked"
    );
    // Booked but not burned, burned but not booked: neither is enough.
    let escrow = exchange.escrows[1];
    exchange.escrows[1].debited_seen_atoms = 1_000;
    assert_eq!(exchange.free_hold(held.hold, 2), Ok(false));
    exchange.escrows[1] = escrow;
    exchange.escrows[1].caps[usize::from(cap)].state = 2;
    assert_eq!(exchange.free_hold(held.hold, 2), Ok(false));
    exchange.escrows[1] = escrow;
    assert_eq!(exchange.book(2, cap), Some(1_000));
    assert_eq!(exchange.free_hold(held.hold, 2), Ok(true));
    for index in [0, held.hold, 48, 49, u32::MAX] {
        assert_eq!(exchange.free_hold(index, 2), Ok(false));
    }
    assert_eq!(exchange.slab().header.pool(PoolId::Reservations).live, 0);
    exchange.audit();
    exchange.audit_router();
}

#[test]
fn e2_commits_leak_no_records() {
    // Once a slab was dead after 4,000 commits.
    let mut exchange = Exchange::new(&params(), 2);
    for round in 0..5_000 {
        let (maker, taker) = if round % 2 == 0 {
            (Ask, Bid)
        } else {
            (Bid, Ask)
        };
        exchange.post(1, maker, 1_000, 2).unwrap();
        let held = exchange.reserve(&reserve(2, taker, 1_000, 2)).unwrap();
        exchange.mint_and_commit(&held).unwrap();
        exchange.settle(2);
        assert_eq!(exchange.free_hold(held.hold, 2), Ok(true));
    }
    let slab = exchange.slab();
    for pool in [
        PoolId::Reservations,
        PoolId::Slices,
        PoolId::Positions,
        PoolId::Orders,
    ] {
        let pool = slab.header.pool(pool);
        assert!(pool.live == 0 && pool.high_water <= 2);
    }
    exchange.audit();
}

#[test]
fn t6_closing_a_position_by_a_hold_gives_its_record_back() {
    // Once the emptied position stayed in the pool until the next trade.
    let mut exchange = Exchange::new(&params(), 2);
    exchange.post(1, Ask, 1_000, 10).unwrap();
    exchange.ioc(2, Bid, 1_000, 10).unwrap();
    exchange.post(1, Bid, 1_000, 10).unwrap();
    let held = exchange.reserve(&reserve(2, Ask, 1_000, 10)).unwrap();
    exchange.mint_and_commit(&held).unwrap();
    let slab = exchange.slab();
    assert_eq!(slab.accounts[2].positions_count, 0);
    assert_eq!(slab.header.pool(PoolId::Positions).live, 0);
    exchange.audit();
}

#[test]
fn e6_a_taker_passes_96_orders_at_most() {
    // Two layers of 48 reserved orders hide the one behind them: the work of
    // a taker is bounded whatever rests in front.
    let mut exchange = Exchange::new(&params(), 4);
    exchange.post(1, Ask, 1_001, 5).unwrap();
    for (layer, ticks) in [1_000, 999].into_iter().enumerate() {
        for at in 0..48 {
            exchange.post(turn(at, 1, 4), Ask, ticks, 1).unwrap();
        }
        for lots in [32, 16] {
            let held = exchange.reserve(&reserve(2, Bid, ticks, lots)).unwrap();
            assert_eq!({ held.lots }, lots, "layer {layer}");
        }
    }
    assert_eq!(exchange.ioc(3, Bid, 1_001, 5), Ok(0));
    // It is in reach again once the holds end.
    for index in 1..=4 {
        let record = exchange.record(index);
        exchange
            .cancel_hold(2, (index, record.generation))
            .unwrap()
            .unwrap();
    }
    assert_eq!(exchange.ioc(3, Bid, 1_001, 48), Ok(48));
    assert_eq!(exchange.ioc(3, Bid, 1_001, 48), Ok(48));
    assert_eq!(exchange.ioc(3, Bid, 1_001, 48), Ok(5));
    exchange.audit();
}
