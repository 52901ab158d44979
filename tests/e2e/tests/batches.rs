//! Batches on the real program: who waits, who is promoted when, what a freeze
//! keeps out.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::refusal::refused;
use flagstone_e2e_tests::tiny::tiny;
use flagstone_e2e_tests::{MARK, QUOTE, audit, ok};
use flagstone_sdk::embedded::exchange::standard_instrument;
use flagstone_sdk::embedded::{Exchange, Member, Receipt};
use flagstone_sdk::engine::Slab;
use flagstone_sdk::engine::instruments::InstrumentParams;
use flagstone_sdk::engine::layout::{Rules, switches};
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::error::SlabError;
use flagstone_sdk::interface::event::{Event, cancel_reason};
use flagstone_sdk::interface::slab::{PoolId, account_flags};
use flagstone_sdk::replica::Replica;
use flagstone_sdk::slab;
use flagstone_sdk::units::{Side, Slot, Ticks};
use solana_signer::Signer;

type Handle = (u32, u32);

/// Slots of a batch.
const BATCH: u32 = 10;

/// The instrument with batches.
const BATCHED: u8 = 1;

/// A slab with these pools whose second instrument makes orders wait.
fn batched(pools: &[(PoolId, u32)]) -> Exchange {
    let mut exchange = tiny(pools);
    let params = InstrumentParams {
        rules: Rules {
            switches: switches::PENDING,
            freeze_levels: 2,
            freeze_slots: Slot(3),
            ..Rules::default()
        },
        ..standard_instrument(Ticks(MARK))
    };
    ok(exchange.add_instrument(&params));
    edit(&mut exchange, |slab| slab.header.batch_slots = BATCH);
    // The start of a window.
    exchange.session.warp_to(200);
    exchange
}

fn edit(exchange: &mut Exchange, edit: impl FnOnce(&mut Slab<'_>)) {
    let slab_key = exchange.slab;
    exchange.session.edit_slab(&slab_key, edit).expect("a slab");
}

/// A member; a designated liquidity provider if asked for.
fn join(exchange: &mut Exchange, designated: bool) -> Member {
    let member = ok(exchange.join(100_000 * QUOTE, 50_000 * QUOTE));
    if designated {
        let index = u32::from(member.account);
        edit(exchange, |slab| {
            slab.accounts[index].flags |= account_flags::DLP
        });
    }
    member
}

#[track_caller]
fn post(exchange: &mut Exchange, member: &Member, side: Side, ticks: u32, lots: u32) -> Event {
    let mut order = member.order(OrderKind::PostOnly, side, ticks, lots);
    order.instrument = BATCHED;
    let place = slab::place(&exchange.slab, &member.trader.pubkey(), &order);
    let receipt = ok(exchange.trade(member, place));
    audit(exchange);
    *receipt.events.last().expect("an event")
}

/// Posts what has to wait; returns its handle and its batch.
#[track_caller]
fn wait(exchange: &mut Exchange, member: &Member, side: Side, ticks: u32) -> (Handle, u32) {
    match post(exchange, member, side, ticks, 3) {
        Event::OrderPending(event) => ((event.order, event.generation), event.batch_epoch),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn open(exchange: &mut Exchange, most: u8) -> Receipt {
    let mut told = replica(exchange);
    let open = slab::batch_open(&exchange.slab, BATCHED, most);
    let receipt = ok(exchange.session.send(&[open], &[]));
    for event in &receipt.events {
        told.apply(event).expect("the next event");
    }
    flagstone_e2e_tests::told::assert_told(&told, exchange);
    audit(exchange);
    receipt
}

#[track_caller]
fn refuse_open(exchange: &mut Exchange) {
    let open = slab::batch_open(&exchange.slab, BATCHED, 16);
    refused(&mut exchange.session, &[open], &[], SlabError::BatchOpen);
}

fn replica(exchange: &Exchange) -> Replica {
    Replica::from_account(&exchange.session.data(&exchange.slab)).expect("a slab")
}

fn promoted(receipt: &Receipt) -> Vec<(Handle, u32)> {
    let promoted = receipt.events.iter().filter_map(|event| match event {
        Event::OrderPromoted(event) => Some(((event.order, event.generation), event.ticks)),
        _ => None,
    });
    promoted.collect()
}

#[test]
fn an_order_waits_for_the_next_window_and_a_designated_ones_does_not() {
    let mut exchange = batched(&[]);
    let (one, designated) = (join(&mut exchange, false), join(&mut exchange, true));
    let (handle, batch) = wait(&mut exchange, &one, Side::Bid, MARK - 5);
    assert_eq!(batch, 200 / BATCH + 1);
    let rests = post(&mut exchange, &designated, Side::Ask, MARK + 5, 3);
    assert!(matches!(rests, Event::OrderPlaced(_)), "{rests:?}");
    // What waits can neither be met nor be seen in the book.
    let mut take = designated.taking(Side::Ask, MARK - 50, 3, 0);
    take.instrument = BATCHED;
    let take = slab::take(&exchange.slab, &designated.trader.pubkey(), &take);
    let receipt = ok(exchange.trade(&designated, take));
    assert!(matches!(receipt.events[..], [Event::Traded(trade)] if trade.fills_count == 0));
    // The batch of this window does not promote it.
    assert_eq!(promoted(&open(&mut exchange, 16)), []);
    refuse_open(&mut exchange);
    exchange.session.warp_to(209);
    refuse_open(&mut exchange);
    exchange.session.warp_to(210);
    assert_eq!(promoted(&open(&mut exchange, 16)), [(handle, MARK - 5)]);
    refuse_open(&mut exchange);
}

#[test]
fn a_waiting_order_can_be_cancelled_and_reduced() {
    let mut exchange = batched(&[]);
    let one = join(&mut exchange, false);
    let (first, _) = wait(&mut exchange, &one, Side::Bid, MARK - 5);
    let (second, _) = wait(&mut exchange, &one, Side::Bid, MARK - 5);
    ok(exchange.cancel(&one, first.0, first.1));
    let trader = one.trader.pubkey();
    let reduce = slab::reduce(&exchange.slab, &trader, one.account, second, 2);
    ok(exchange.trade(&one, reduce));
    audit(&exchange);
    exchange.session.warp_to(210);
    assert_eq!(promoted(&open(&mut exchange, 16)), [(second, MARK - 5)]);
    let replica = replica(&exchange);
    assert_eq!(
        replica.order(second.0, second.1).map(|order| order.lots),
        Some(1)
    );
}

#[test]
fn promotion_is_in_order_and_resumes_where_it_stopped() {
    let mut exchange = batched(&[]);
    let (one, other) = (join(&mut exchange, false), join(&mut exchange, false));
    let mut waiting = Vec::new();
    for number in 0..21 {
        let who = if number % 2 == 0 { &one } else { &other };
        waiting.push(wait(&mut exchange, who, Side::Bid, MARK - 5).0);
    }
    exchange.session.warp_to(215);
    let mut done = Vec::new();
    for (most, count) in [(3, 3), (0, 0), (255, 16), (16, 2)] {
        let receipt = open(&mut exchange, most);
        let Some(Event::BatchOpened(opened)) = receipt.events.first() else {
            panic!("{:?}", receipt.events)
        };
        done.extend(promoted(&receipt).into_iter().map(|(handle, _)| handle));
        assert_eq!(promoted(&receipt).len(), count, "of {most}");
        assert_eq!(
            { opened.pending_count } as usize,
            waiting.len() - done.len()
        );
    }
    refuse_open(&mut exchange);
    // First come, first in the queue.
    assert_eq!(done, waiting);
    let replica = replica(&exchange);
    let book: Vec<Handle> = replica
        .book(BATCHED, Side::Bid)
        .map(|(index, order)| (index, order.generation))
        .collect();
    assert_eq!(book, waiting);
}

#[test]
fn an_order_that_would_cross_rests_one_tick_short_and_one_outside_the_band_leaves() {
    let mut exchange = batched(&[]);
    let (one, designated) = (join(&mut exchange, false), join(&mut exchange, true));
    let (crossing, _) = wait(&mut exchange, &one, Side::Bid, MARK + 20);
    let (expiring, _) = {
        let mut order = one.order(OrderKind::PostOnly, Side::Bid, MARK - 9, 3);
        order.instrument = BATCHED;
        order.expiry = Slot(209);
        let place = slab::place(&exchange.slab, &one.trader.pubkey(), &order);
        match ok(exchange.trade(&one, place)).events[..] {
            [Event::OrderPending(event)] => ((event.order, event.generation), ()),
            ref other => panic!("{other:?}"),
        }
    };
    let (far, _) = wait(&mut exchange, &one, Side::Ask, MARK + 899);
    post(&mut exchange, &designated, Side::Ask, MARK + 4, 3);
    // The mark falls, and the band with it.
    edit(&mut exchange, |slab| {
        slab.instruments[1].mark = Ticks(MARK - 60)
    });
    exchange.session.warp_to(210);
    let receipt = open(&mut exchange, 16);
    assert_eq!(promoted(&receipt), [(crossing, MARK + 3)]);
    let gone: Vec<_> = receipt
        .events
        .iter()
        .filter_map(|event| match event {
            Event::OrderCancelled(event) => Some(((event.order, event.generation), event.reason)),
            _ => None,
        })
        .collect();
    assert_eq!(
        gone,
        [
            (expiring, cancel_reason::EXPIRED),
            (far, cancel_reason::OUTSIDE_BAND)
        ]
    );
}

#[test]
fn a_freeze_keeps_everybody_off_the_best_levels_until_it_ends() {
    let mut exchange = batched(&[]);
    let (one, designated) = (join(&mut exchange, false), join(&mut exchange, true));
    for away in [5, 7, 9] {
        post(&mut exchange, &designated, Side::Bid, MARK - away, 3);
    }
    open(&mut exchange, 16);
    // The two best levels are frozen: at and above the second one it waits.
    for (ticks, waits) in [
        (MARK - 8, false),
        (MARK - 7, true),
        (MARK - 6, true),
        (MARK - 2, true),
    ] {
        let event = post(&mut exchange, &designated, Side::Bid, ticks, 3);
        assert_eq!(
            matches!(event, Event::OrderPending(_)),
            waits,
            "{ticks}: {event:?}"
        );
    }
    exchange.session.warp_to(203);
    let event = post(&mut exchange, &designated, Side::Bid, MARK - 6, 3);
    assert!(
        matches!(event, Event::OrderPending(_)),
        "the last slot of the freeze"
    );
    exchange.session.warp_to(204);
    let event = post(&mut exchange, &designated, Side::Bid, MARK - 6, 3);
    assert!(matches!(event, Event::OrderPlaced(_)), "{event:?}");
    let _ = one;
}

#[test]
fn ev1_an_order_that_is_promoted_and_evicted_by_the_next_is_told_in_that_order() {
    // Three levels: two are taken by a designated provider's asks.
    let mut exchange = batched(&[(PoolId::Levels, 3)]);
    let (one, designated) = (join(&mut exchange, false), join(&mut exchange, true));
    post(&mut exchange, &designated, Side::Ask, MARK + 4, 3);
    post(&mut exchange, &designated, Side::Ask, MARK + 5, 3);
    let (first, _) = wait(&mut exchange, &one, Side::Bid, MARK - 20);
    let (second, _) = wait(&mut exchange, &one, Side::Bid, MARK - 10);
    let (third, _) = wait(&mut exchange, &one, Side::Bid, MARK - 30);
    exchange.session.warp_to(210);
    // A replica follows within; it would meet an eviction before the promotion.
    let receipt = open(&mut exchange, 16);
    let told: Vec<(u32, u8)> = receipt.events[1..]
        .iter()
        .map(|event| match event {
            Event::OrderPromoted(event) => (event.order, 255),
            Event::OrderCancelled(event) => (event.order, event.reason),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            (first.0, 255),
            (first.0, cancel_reason::EVICTED),
            (second.0, 255),
            (third.0, cancel_reason::NO_ROOM),
        ]
    );
}

#[test]
fn a_slab_without_batches_opens_none() {
    let mut exchange = tiny(&[]);
    for (instrument, why) in [
        (0, SlabError::BatchOpen),
        (1, SlabError::NoInstrument),
        (255, SlabError::NoInstrument),
    ] {
        let open = slab::batch_open(&exchange.slab, instrument, 16);
        refused(&mut exchange.session, &[open], &[], why);
    }
}
