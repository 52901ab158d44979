//! Several cancels and placements in one instruction.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::refusal::refused;
use flagstone_e2e_tests::{MARK, QUOTE, audit, exchange, ok};
use flagstone_sdk::embedded::{Exchange, Member, Receipt};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::requests::{OrderKind, Place};
use flagstone_sdk::interface::error::SlabError;
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::replica::Replica;
use flagstone_sdk::slab;
use flagstone_sdk::units::{Lots, Side};
use solana_instruction::Instruction;
use solana_signer::Signer;

type Handle = (u32, u32);

/// A way to spoil an order.
type Spoil = fn(&mut Place);

fn joined() -> (Exchange, Member) {
    let mut exchange = exchange(SlabSize::Dev);
    let member = ok(exchange.join(100_000 * QUOTE, 50_000 * QUOTE));
    (exchange, member)
}

fn quotes(member: &Member, count: u32, away: u32) -> Vec<Place> {
    let quote = |number: u32| {
        let (side, ticks) = match number % 2 {
            0 => (Side::Bid, MARK - away - number),
            _ => (Side::Ask, MARK + away + number),
        };
        member.order(OrderKind::PostOnly, side, ticks, 2 + number)
    };
    (0..count).map(quote).collect()
}

fn update(
    exchange: &Exchange,
    member: &Member,
    cancels: &[Handle],
    places: &[Place],
) -> Instruction {
    let trader = member.trader.pubkey();
    slab::batch_update(
        &exchange.slab,
        &trader,
        (member.account, 0),
        cancels,
        places,
    )
}

fn handles(receipt: &Receipt) -> Vec<Handle> {
    let placed = receipt.events.iter().filter_map(|event| match event {
        Event::OrderPlaced(placed) => Some((placed.order, placed.generation)),
        _ => None,
    });
    placed.collect()
}

fn replica(exchange: &Exchange) -> Replica {
    Replica::from_account(&exchange.session.data(&exchange.slab)).expect("a slab")
}

fn orders(exchange: &Exchange) -> usize {
    let replica = replica(exchange);
    [Side::Bid, Side::Ask]
        .map(|side| replica.book(0, side).count())
        .iter()
        .sum()
}

#[test]
fn five_cancels_and_five_places() {
    let (mut exchange, member) = joined();
    let first = update(&exchange, &member, &[], &quotes(&member, 5, 20));
    let first = ok(exchange.trade(&member, first));
    audit(&exchange);
    let old = handles(&first);
    assert_eq!((old.len(), orders(&exchange)), (5, 5));
    let mut told = replica(&exchange);
    let second = update(&exchange, &member, &old, &quotes(&member, 5, 10));
    let second = ok(exchange.trade(&member, second));
    println!(
        "5 cancels and 5 places: {} CU, {} bytes",
        second.compute_units, second.bytes
    );
    audit(&exchange);
    let kinds: Vec<bool> = second
        .events
        .iter()
        .map(|event| matches!(event, Event::OrderCancelled(_)))
        .collect();
    assert_eq!(
        kinds,
        [[true; 5], [false; 5]].concat(),
        "cancels first, in order"
    );
    for event in &second.events {
        told.apply(event).expect("the next event");
    }
    assert_eq!(orders(&exchange), 5);
    // Handles that are gone are ignored; the same ones again change nothing else.
    let third = update(&exchange, &member, &old, &[]);
    assert_eq!(ok(exchange.trade(&member, third)).events.len(), 0);
    assert_eq!(orders(&exchange), 5);
}

#[test]
fn ev1_an_expired_hold_among_the_parts_is_told_in_its_place() {
    let (mut exchange, member) = joined();
    let taker = ok(exchange.join(10_000 * QUOTE, 5_000 * QUOTE));
    let first = update(&exchange, &member, &[], &quotes(&member, 4, 20));
    let old = handles(&ok(exchange.trade(&member, first)));
    let reserve = flagstone_sdk::engine::holds::Reserve {
        account: taker.account.into(),
        instrument: 0,
        side: Side::Bid,
        limit: flagstone_sdk::units::Ticks(MARK + 21),
        lots: Lots(3),
        lots_min: Lots(3),
        ttl: flagstone_sdk::units::Slot(0),
        route_id: 1,
        commitment: [0; 32],
    };
    let reserve = slab::reserve(&exchange.slab, &taker.trader.pubkey(), &reserve);
    ok(exchange.trade(&taker, reserve));
    let mut told = replica(&exchange);
    exchange.session.warp_to(exchange.session.slot() + 1);
    let both = update(&exchange, &member, &old, &quotes(&member, 2, 30));
    let receipt = ok(exchange.trade(&member, both));
    assert!(
        receipt
            .events
            .iter()
            .any(|event| matches!(event, Event::HoldEnded(_)))
    );
    for event in &receipt.events {
        told.apply(event).expect("the next event");
    }
    audit(&exchange);
}

#[test]
fn a_failing_part_undoes_all_of_it() {
    let (mut exchange, member) = joined();
    let first = update(&exchange, &member, &[], &quotes(&member, 4, 20));
    let old = handles(&ok(exchange.trade(&member, first)));
    let spoil: [(Spoil, SlabError); 5] = [
        (|order| order.ticks.0 = 0, SlabError::BadPrice),
        (|order| order.lots.0 = 0, SlabError::BadQuantity),
        (|order| order.reduce_only = true, SlabError::NotReducing),
        (|order| order.ticks.0 = MARK + 2_000, SlabError::OutsideBand),
        (|order| order.lots.0 = 90_000, SlabError::BelowInitialMargin),
    ];
    for (spoil, why) in spoil {
        for at in 0..5 {
            let mut places = quotes(&member, 5, 10);
            spoil(&mut places[at]);
            let bad = update(&exchange, &member, &old, &places);
            refused(&mut exchange.session, &[bad], &[&member.trader], why);
        }
    }
    // Another's order among the cancels.
    let other = ok(exchange.join(10_000 * QUOTE, 5_000 * QUOTE));
    let foreign = update(&exchange, &other, &[], &quotes(&other, 1, 40));
    let foreign = handles(&ok(exchange.trade(&other, foreign)))[0];
    let bad = update(&exchange, &member, &[old[0], foreign], &[]);
    refused(
        &mut exchange.session,
        &[bad],
        &[&member.trader],
        SlabError::NotYourOrder,
    );
    assert_eq!(orders(&exchange), 5);
}

/// The instruction with these bytes for its two lists.
fn raw(exchange: &Exchange, member: &Member, cancels: &[u8], places: &[u8]) -> Instruction {
    let mut bad = update(exchange, member, &[], &[]);
    // Tag, account, instrument; then the lists with their lengths.
    bad.data.truncate(4);
    for list in [cancels, places] {
        bad.data.extend((list.len() as u32).to_le_bytes());
        bad.data.extend(list);
    }
    bad
}

#[test]
fn lists_of_a_wrong_length_and_too_many_parts_are_refused() {
    let (mut exchange, member) = joined();
    for (cancels, places) in [
        (1, 0),
        (7, 0),
        (9, 0),
        (12, 0),
        (0, 1),
        (0, 23),
        (0, 25),
        (0, 8),
    ] {
        let bad = raw(&exchange, &member, &vec![0; cancels], &vec![0; places]);
        refused(
            &mut exchange.session,
            &[bad],
            &[&member.trader],
            SlabError::BadQuantity,
        );
    }
    // 32 parts are fine, 33 are not, however they are made up.
    let stale = vec![(1, 9); 32];
    let fits = update(&exchange, &member, &stale, &[]);
    assert_eq!(ok(exchange.trade(&member, fits)).events.len(), 0);
    let most = update(&exchange, &member, &stale[..28], &quotes(&member, 4, 10));
    assert_eq!(handles(&ok(exchange.trade(&member, most))).len(), 4);
    for (cancels, places) in [(33, 0), (29, 4), (32, 1)] {
        let many = update(
            &exchange,
            &member,
            &vec![(1, 9); cancels],
            &quotes(&member, places, 10),
        );
        refused(
            &mut exchange.session,
            &[many],
            &[&member.trader],
            SlabError::BadQuantity,
        );
    }
    // Lists that are longer than the instruction, or do not end with it.
    let whole = update(&exchange, &member, &[(1, 9)], &quotes(&member, 1, 10));
    for length in [4, 5, 8, 12, 16, 19, 20, whole.data.len() - 1] {
        let mut cut = whole.clone();
        cut.data.truncate(length);
        let failed = exchange.session.send(&[cut], &[&member.trader]);
        assert!(failed.is_err(), "{length} bytes went through");
    }
    assert_eq!(orders(&exchange), 4);
}

#[test]
fn bytes_of_a_part_that_name_no_side_kind_or_mode() {
    let (mut exchange, member) = joined();
    let good = update(&exchange, &member, &[], &quotes(&member, 2, 10));
    // Tag, account, instrument, an empty list, the length of the other; then
    // side, kind, self-trade mode, reduce-only of the second part.
    let second = 4 + 4 + 4 + 24;
    for (at, first) in [(0, 2), (1, 5), (2, 3), (3, 2)] {
        for byte in [first, 128, 255] {
            let mut bad = good.clone();
            bad.data[second + at] = byte;
            refused(
                &mut exchange.session,
                &[bad],
                &[&member.trader],
                SlabError::BadOrderKind,
            );
        }
    }
}

#[test]
fn only_the_accounts_own_trader_updates_it() {
    let (mut exchange, member) = joined();
    let other = ok(exchange.join(10_000 * QUOTE, 5_000 * QUOTE));
    let mut places = quotes(&member, 1, 10);
    for (account, why) in [
        (other.account, SlabError::WrongTrader),
        (0, SlabError::NoAccount),
        (77, SlabError::NoAccount),
        (u16::MAX, SlabError::NoAccount),
    ] {
        places[0].account = account.into();
        let trader = member.trader.pubkey();
        let bad = slab::batch_update(&exchange.slab, &trader, (account, 0), &[], &places);
        refused(&mut exchange.session, &[bad], &[&member.trader], why);
    }
    let trader = member.trader.pubkey();
    let place = (member.account, 7);
    let bad = slab::batch_update(&exchange.slab, &trader, place, &[], &places);
    refused(
        &mut exchange.session,
        &[bad],
        &[&member.trader],
        SlabError::NoInstrument,
    );
}
