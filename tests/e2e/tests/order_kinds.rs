//! Every kind of order and every flag, on the real program; and the ways in
//! which orders leave or shrink without a trade.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::refusal::refused;
use flagstone_e2e_tests::{MARK, QUOTE, audit, exchange, handle, ok};
use flagstone_sdk::embedded::{Exchange, Member, Receipt};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::matching::SelfTrade;
use flagstone_sdk::engine::requests::{OrderKind, Place};
use flagstone_sdk::interface::error::SlabError;
use flagstone_sdk::interface::event::{Event, OrderCancelled, Traded, cancel_reason, outcome};
use flagstone_sdk::replica::Replica;
use flagstone_sdk::slab;
use flagstone_sdk::units::{Lots, Side, Slot};
use solana_signer::Signer;

type Handle = (u32, u32);

fn joined() -> (Exchange, Member, Member) {
    let mut exchange = exchange(SlabSize::Dev);
    let one = ok(exchange.join(100_000 * QUOTE, 50_000 * QUOTE));
    let other = ok(exchange.join(100_000 * QUOTE, 50_000 * QUOTE));
    (exchange, one, other)
}

#[track_caller]
fn place(exchange: &mut Exchange, member: &Member, order: &Place) -> Receipt {
    let place = slab::place(&exchange.slab, &member.trader.pubkey(), order);
    let receipt = ok(exchange.trade(member, place));
    audit(exchange);
    receipt
}

#[track_caller]
fn refuse(exchange: &mut Exchange, member: &Member, order: &Place, why: SlabError) {
    let place = slab::place(&exchange.slab, &member.trader.pubkey(), order);
    refused(&mut exchange.session, &[place], &[&member.trader], why);
}

/// Rests an order; returns its handle.
#[track_caller]
fn rest(exchange: &mut Exchange, member: &Member, side: Side, ticks: u32, lots: u32) -> Handle {
    let order = member.order(OrderKind::PostOnly, side, ticks, lots);
    handle(&place(exchange, member, &order))
}

#[track_caller]
fn trade(receipt: &Receipt) -> Traded {
    let found = receipt.events.iter().find_map(|event| match event {
        Event::Traded(traded) => Some(*traded),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no trade: {:?}", receipt.events))
}

fn cancels(receipt: &Receipt) -> Vec<OrderCancelled> {
    let cancelled = receipt.events.iter().map(|event| match event {
        Event::OrderCancelled(event) => *event,
        other => panic!("{other:?}"),
    });
    cancelled.collect()
}

/// Price and lots of one side, first to trade first.
fn book(exchange: &Exchange, side: Side) -> Vec<(u32, u32)> {
    let replica = Replica::from_account(&exchange.session.data(&exchange.slab)).expect("a slab");
    let orders = replica
        .book(0, side)
        .map(|(_, order)| (order.ticks, order.lots));
    orders.collect()
}

/// Lots of a member.
fn position(exchange: &Exchange, member: &Member) -> i32 {
    let replica = Replica::from_account(&exchange.session.data(&exchange.slab)).expect("a slab");
    replica.position(member.account, 0).0
}

#[test]
fn a_limit_order_trades_what_it_can_and_rests() {
    let (mut exchange, maker, taker) = joined();
    rest(&mut exchange, &maker, Side::Ask, MARK, 5);
    let order = taker.order(OrderKind::Limit, Side::Bid, MARK + 1, 8);
    let receipt = place(&mut exchange, &taker, &order);
    assert_eq!({ trade(&receipt).lots }, 5);
    assert!(
        matches!(receipt.events[..], [Event::Traded(_), Event::OrderPlaced(placed)] if placed.lots == 3)
    );
    assert_eq!(book(&exchange, Side::Bid), [(MARK + 1, 3)]);
}

#[test]
fn a_post_only_order_slides_to_the_tick_before_the_touch() {
    let (mut exchange, maker, other) = joined();
    rest(&mut exchange, &maker, Side::Ask, MARK + 5, 5);
    rest(&mut exchange, &maker, Side::Bid, MARK - 5, 5);
    for (side, ticks, slid) in [
        (Side::Bid, MARK + 30, MARK + 4),
        (Side::Bid, MARK + 5, MARK + 4),
        (Side::Bid, MARK + 3, MARK + 3),
    ] {
        let order = other.order(OrderKind::PostOnlySlide, side, ticks, 2);
        let receipt = place(&mut exchange, &other, &order);
        let [Event::OrderPlaced(placed)] = receipt.events[..] else {
            panic!("{:?}", receipt.events)
        };
        assert_eq!({ placed.ticks }, slid);
    }
    let order = other.order(OrderKind::PostOnlySlide, Side::Ask, MARK - 40, 2);
    let receipt = place(&mut exchange, &other, &order);
    assert!(matches!(receipt.events[..], [Event::OrderPlaced(placed)] if placed.ticks == MARK + 5));
}

#[test]
fn an_immediate_order_never_rests_and_fill_or_kill_is_all_or_nothing() {
    let (mut exchange, maker, taker) = joined();
    rest(&mut exchange, &maker, Side::Ask, MARK, 5);
    let order = taker.order(OrderKind::FillOrKill, Side::Bid, MARK, 6);
    refuse(&mut exchange, &taker, &order, SlabError::NotFilled);
    let order = taker.order(OrderKind::ImmediateOrCancel, Side::Bid, MARK, 3);
    let receipt = place(&mut exchange, &taker, &order);
    assert_eq!({ trade(&receipt).lots }, 3);
    let order = taker.order(OrderKind::FillOrKill, Side::Bid, MARK, 2);
    assert_eq!({ trade(&place(&mut exchange, &taker, &order)).lots }, 2);
    rest(&mut exchange, &maker, Side::Ask, MARK, 5);
    let order = taker.order(OrderKind::ImmediateOrCancel, Side::Bid, MARK, 9);
    let receipt = place(&mut exchange, &taker, &order);
    assert!(matches!(receipt.events[..], [Event::Traded(trade)] if trade.lots == 5));
    assert_eq!(book(&exchange, Side::Bid), []);
    assert_eq!(position(&exchange, &taker), 10);
}

#[test]
fn a_reduce_only_order_is_cut_to_what_reduces() {
    let (mut exchange, maker, other) = joined();
    let mut order = other.order(OrderKind::Limit, Side::Ask, MARK + 9, 20);
    order.reduce_only = true;
    // Nothing to reduce.
    refuse(&mut exchange, &other, &order, SlabError::NotReducing);
    rest(&mut exchange, &maker, Side::Ask, MARK, 6);
    ok(exchange.take(&other, Side::Bid, MARK, 6, 6));
    let receipt = place(&mut exchange, &other, &order);
    let [Event::OrderPlaced(placed)] = receipt.events[..] else {
        panic!("{:?}", receipt.events)
    };
    assert_eq!(({ placed.lots }, placed.reduce_only), (6, 1));
    // All of it is spoken for.
    refuse(&mut exchange, &other, &order, SlabError::NotReducing);
    // A taker cannot be carried across zero by it either.
    rest(&mut exchange, &maker, Side::Bid, MARK - 3, 30);
    let mut take = other.taking(Side::Ask, MARK - 3, 30, 0);
    take.reduce_only = true;
    let take = slab::take(&exchange.slab, &other.trader.pubkey(), &take);
    let receipt = ok(exchange.trade(&other, take));
    assert_eq!({ trade(&receipt).lots }, 6);
    assert_eq!(position(&exchange, &other), 0);
    // What rests has nothing left to reduce and leaves when it is met.
    let receipt = ok(exchange.take(&maker, Side::Bid, MARK + 9, 5, 0));
    let fills = trade(&receipt);
    assert_eq!(fills.fills()[0].outcome, outcome::NOT_REDUCING);
    assert_eq!((fills.fills().len(), { fills.lots }), (1, 0));
    assert_eq!(book(&exchange, Side::Ask), []);
    audit(&exchange);
}

#[test]
fn the_three_ways_to_meet_an_own_order() {
    for (mode, lots, left) in [
        (SelfTrade::CancelResting, 4, vec![]),
        (SelfTrade::CancelTaking, 0, vec![(MARK, 5), (MARK + 1, 9)]),
        (SelfTrade::DecrementBoth, 3, vec![(MARK + 1, 6)]),
    ] {
        let (mut exchange, maker, other) = joined();
        rest(&mut exchange, &other, Side::Ask, MARK, 5);
        rest(&mut exchange, &maker, Side::Ask, MARK + 1, 9);
        let mut order = other.order(OrderKind::ImmediateOrCancel, Side::Bid, MARK + 1, 8);
        if mode == SelfTrade::CancelResting {
            order.lots = Lots(4);
        }
        order.self_trade = mode;
        let receipt = place(&mut exchange, &other, &order);
        assert_eq!({ trade(&receipt).lots }, lots, "{mode:?}");
        let left = if mode == SelfTrade::CancelResting {
            vec![(MARK + 1, 5)]
        } else {
            left
        };
        assert_eq!(book(&exchange, Side::Ask), left, "{mode:?}");
    }
}

#[test]
fn s6_a_reduced_order_keeps_its_place_and_a_crumb_leaves() {
    let (mut exchange, maker, other) = joined();
    let slab_key = exchange.slab;
    let smallest = |slab: &mut flagstone_sdk::engine::Slab<'_>| {
        slab.instruments[0].order_lots_min = Lots(3);
    };
    exchange
        .session
        .edit_slab(&slab_key, smallest)
        .expect("a slab");
    let first = rest(&mut exchange, &maker, Side::Ask, MARK, 10);
    let second = rest(&mut exchange, &other, Side::Ask, MARK, 10);
    let reduce = |lots: u32, handle: Handle| {
        slab::reduce(
            &slab_key,
            &maker.trader.pubkey(),
            maker.account,
            handle,
            lots,
        )
    };
    let reduced = ok(exchange.trade(&maker, reduce(3, first)));
    assert!(matches!(reduced.events[..], [Event::OrderReduced(event)] if event.lots == 3));
    audit(&exchange);
    assert_eq!(book(&exchange, Side::Ask), [(MARK, 7), (MARK, 10)]);
    // Zero, too many, another's, a stale one.
    for (lots, handle, why) in [
        (0, first, SlabError::BadQuantity),
        (8, first, SlabError::BadQuantity),
        (u32::MAX, first, SlabError::BadQuantity),
        (1, second, SlabError::NotYourOrder),
        (1, (first.0, first.1 + 1), SlabError::NoOrder),
        (1, (0, 0), SlabError::NoOrder),
        (1, (u32::MAX, 1), SlabError::NoOrder),
    ] {
        let bad = reduce(lots, handle);
        refused(&mut exchange.session, &[bad], &[&maker.trader], why);
    }
    // Still first in the queue.
    let receipt = ok(exchange.take(&other, Side::Bid, MARK, 3, 3));
    assert_eq!({ trade(&receipt).fills()[0].order }, first.0);
    // Two lots would be left: less than the smallest order.
    let receipt = ok(exchange.trade(&maker, reduce(2, first)));
    let [gone] = cancels(&receipt)[..] else {
        panic!("{:?}", receipt.events)
    };
    assert_eq!((gone.order, { gone.lots }), (first.0, 4));
    assert_eq!(book(&exchange, Side::Ask), [(MARK, 10)]);
    audit(&exchange);
}

#[test]
fn cancel_all_by_instrument_side_and_count() {
    let (mut exchange, maker, other) = joined();
    ok(
        exchange.add_instrument(&flagstone_sdk::embedded::exchange::standard_instrument(
            flagstone_sdk::units::Ticks(MARK),
        )),
    );
    let mut placed = Vec::new();
    for number in 0..4 {
        for side in [Side::Bid, Side::Ask] {
            for instrument in 0..2 {
                let ticks = (i64::from(MARK) - side.signed(5 + number)) as u32;
                let mut order = maker.order(OrderKind::PostOnly, side, ticks, 2);
                order.instrument = instrument;
                let receipt = place(&mut exchange, &maker, &order);
                placed.push((instrument, side, handle(&receipt)));
            }
        }
    }
    rest(&mut exchange, &other, Side::Bid, MARK - 1, 2);
    let (trader, slab_key) = (maker.trader.pubkey(), exchange.slab);
    let all = |instrument, side, most| {
        slab::cancel_all(&slab_key, &trader, maker.account, instrument, side, most)
    };
    for (instrument, side, most) in [
        (Some(1), Some(Side::Ask), 2),
        (Some(1), Some(Side::Ask), 32),
        (None, Some(Side::Bid), 3),
        (Some(0), None, 255),
        (Some(9), None, 255),
        (None, None, 0),
        (None, None, 32),
        (None, None, 32),
    ] {
        let receipt = ok(exchange.trade(&maker, all(instrument, side, most)));
        // Newest first, of what is meant, as many as asked for.
        let meant = |(number, of, _): &&(u8, Side, Handle)| {
            instrument.is_none_or(|wanted| wanted == *number)
                && side.is_none_or(|wanted| wanted == *of)
        };
        let due: Vec<Handle> = placed
            .iter()
            .rev()
            .filter(meant)
            .take(most.into())
            .map(|(_, _, handle)| *handle)
            .collect();
        let gone = cancels(&receipt);
        assert!(
            gone.iter()
                .all(|event| event.reason == cancel_reason::OWNER)
        );
        let gone: Vec<Handle> = gone
            .iter()
            .map(|event| (event.order, event.generation))
            .collect();
        assert_eq!(gone, due, "{instrument:?} {side:?} {most}");
        placed.retain(|(_, _, handle)| !gone.contains(handle));
        audit(&exchange);
    }
    assert!(placed.is_empty(), "all are gone in the end");
    assert_eq!(
        book(&exchange, Side::Bid),
        [(MARK - 1, 2)],
        "another's stays"
    );
    // Another's orders cannot be named.
    let foreign = slab::cancel_all(&slab_key, &trader, other.account, None, None, 32);
    refused(
        &mut exchange.session,
        &[foreign],
        &[&maker.trader],
        SlabError::WrongTrader,
    );
}

#[test]
fn one_cancel_all_takes_no_more_than_its_events_fit_the_log() {
    let (mut exchange, maker, _) = joined();
    for number in 0..40 {
        rest(&mut exchange, &maker, Side::Bid, MARK - 10 - number, 2);
    }
    let all = slab::cancel_all(
        &exchange.slab,
        &maker.trader.pubkey(),
        maker.account,
        None,
        None,
        255,
    );
    let (first, second) = (
        ok(exchange.trade(&maker, all.clone())),
        ok(exchange.trade(&maker, all)),
    );
    assert_eq!((cancels(&first).len(), cancels(&second).len()), (32, 8));
    assert_eq!(book(&exchange, Side::Bid), []);
    audit(&exchange);
}

#[test]
fn a_replacement_of_an_order_that_is_gone_changes_nothing() {
    let (mut exchange, maker, other) = joined();
    let first = rest(&mut exchange, &maker, Side::Ask, MARK + 5, 6);
    let order = maker.order(OrderKind::PostOnly, Side::Ask, MARK + 4, 7);
    let (trader, slab_key) = (maker.trader.pubkey(), exchange.slab);
    let replace = |handle, order: &Place| slab::replace(&slab_key, &trader, handle, order);
    let receipt = ok(exchange.trade(&maker, replace(first, &order)));
    let [Event::OrderCancelled(gone), Event::OrderPlaced(placed)] = receipt.events[..] else {
        panic!("{:?}", receipt.events)
    };
    assert_eq!((gone.reason, { gone.lots }), (cancel_reason::REPLACED, 6));
    let second = (placed.order, placed.generation);
    assert_eq!(book(&exchange, Side::Ask), [(MARK + 4, 7)]);
    audit(&exchange);
    // Replaced, filled, another's.
    let foreign = rest(&mut exchange, &other, Side::Ask, MARK + 8, 2);
    for (handle, why) in [
        (first, SlabError::NoOrder),
        ((second.0, second.1 + 1), SlabError::NoOrder),
        ((u32::MAX, 1), SlabError::NoOrder),
        (foreign, SlabError::NotYourOrder),
    ] {
        let bad = replace(handle, &order);
        refused(&mut exchange.session, &[bad], &[&maker.trader], why);
    }
    // What cannot be placed leaves the old one where it is.
    let crossing = maker.order(OrderKind::PostOnly, Side::Ask, 0, 7);
    let bad = replace(second, &crossing);
    refused(
        &mut exchange.session,
        &[bad],
        &[&maker.trader],
        SlabError::BadPrice,
    );
    ok(exchange.take(&other, Side::Bid, MARK + 4, 7, 7));
    let bad = replace(second, &order);
    refused(
        &mut exchange.session,
        &[bad],
        &[&maker.trader],
        SlabError::NoOrder,
    );
}

#[test]
fn a_dead_mans_orders_are_a_strangers_to_cancel_after_his_slot() {
    let (mut exchange, maker, _) = joined();
    rest(&mut exchange, &maker, Side::Bid, MARK - 5, 2);
    rest(&mut exchange, &maker, Side::Ask, MARK + 5, 2);
    let (trader, slab_key) = (maker.trader.pubkey(), exchange.slab);
    let cancel = slab::cancel_dead_man(&slab_key, maker.account, 1);
    let slot = exchange.session.slot() as u32;
    // Off, and then not yet due.
    let dead = [cancel.clone()];
    refused(&mut exchange.session, &dead, &[], SlabError::NotDeadMan);
    let set = |slot| slab::set_dead_man(&slab_key, &trader, maker.account, slot);
    let past = [set(slot - 1)];
    refused(
        &mut exchange.session,
        &past,
        &[&maker.trader],
        SlabError::Expired,
    );
    let receipt = ok(exchange.trade(&maker, set(slot + 2)));
    assert!(matches!(receipt.events[..], [Event::DeadManSet(event)] if event.slot == slot + 2));
    exchange.session.warp_to(u64::from(slot) + 2);
    refused(&mut exchange.session, &dead, &[], SlabError::NotDeadMan);
    exchange.session.warp_to(u64::from(slot) + 3);
    for side in [Side::Ask, Side::Bid] {
        let receipt = ok(exchange.session.send(&dead, &[]));
        let [gone] = cancels(&receipt)[..] else {
            panic!("{:?}", receipt.events)
        };
        assert_eq!(
            (gone.side, gone.reason),
            (side as u8, cancel_reason::DEAD_MAN)
        );
        exchange.session.warp_to(exchange.session.slot() + 1);
    }
    audit(&exchange);
    // Nothing left to cancel is no error; switched off it is one again.
    assert_eq!(ok(exchange.session.send(&dead, &[])).events.len(), 0);
    ok(exchange.trade(&maker, set(0)));
    refused(&mut exchange.session, &dead, &[], SlabError::NotDeadMan);
    let nobody = [slab::cancel_dead_man(&slab_key, 77, 1)];
    refused(&mut exchange.session, &nobody, &[], SlabError::NoAccount);
}

#[test]
fn expired_orders_are_removed_by_a_stranger_and_others_stay() {
    let (mut exchange, maker, _) = joined();
    let slot = exchange.session.slot() as u32;
    for expiry in [slot + 1, slot + 5, 0, slot + 2] {
        let mut order = maker.order(OrderKind::PostOnly, Side::Bid, MARK - 5, 2 + expiry % 7);
        order.expiry = Slot(expiry);
        place(&mut exchange, &maker, &order);
    }
    let slab_key = exchange.slab;
    let expire = |first, count| [slab::expire_orders(&slab_key, first, count)];
    assert_eq!(
        ok(exchange.session.send(&expire(1, 64), &[])).events.len(),
        0
    );
    exchange.session.warp_to(u64::from(slot) + 3);
    // From any index: none is out of range.
    for (first, count) in [(0, 0), (u32::MAX, 64), (0, 1), (100_000, u16::MAX)] {
        let receipt = ok(exchange.session.send(&expire(first, count), &[]));
        assert_eq!(receipt.events.len(), 0, "{first} {count}");
    }
    let receipt = ok(exchange.session.send(&expire(0, u16::MAX), &[]));
    let gone = cancels(&receipt);
    assert_eq!(gone.len(), 2);
    assert!(
        gone.iter()
            .all(|event| event.reason == cancel_reason::EXPIRED)
    );
    assert_eq!(book(&exchange, Side::Bid).len(), 2);
    audit(&exchange);
}
