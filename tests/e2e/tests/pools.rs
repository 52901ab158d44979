//! Full pools, on slabs so small that a handful of orders fills them.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::refusal::refused;
use flagstone_e2e_tests::tiny::{live, tiny};
use flagstone_e2e_tests::{MARK, QUOTE, audit, handle, ok};
use flagstone_sdk::embedded::{Exchange, Member};
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::event::{Event, cancel_reason};
use flagstone_sdk::interface::slab::PoolId;
use flagstone_sdk::units::Side;
use flagstone_sdk::{address, router, slab};
use solana_keypair::Keypair;
use solana_signer::Signer;

fn join(exchange: &mut Exchange) -> Member {
    ok(exchange.join(100_000 * QUOTE, 50_000 * QUOTE))
}

/// Prices move away from the touch: `away` ticks below the mark for a bid,
/// above it for an ask.
fn price(side: Side, away: u32) -> u32 {
    match side {
        Side::Bid => MARK - away,
        Side::Ask => MARK + away,
    }
}

/// Rests an order; returns its handle.
fn rest(exchange: &mut Exchange, member: &Member, side: Side, away: u32) -> (u32, u32) {
    handle(&ok(exchange.place(
        member,
        OrderKind::PostOnly,
        side,
        price(side, away),
        2,
    )))
}

/// Rests an order that has to evict exactly `victims`, in this order.
fn rest_evicting(
    exchange: &mut Exchange,
    member: &Member,
    side: Side,
    away: u32,
    victims: &[(u32, u32)],
) -> (u32, u32) {
    let placed = ok(exchange.place(member, OrderKind::PostOnly, side, price(side, away), 2));
    let evicted = placed.events.iter().filter_map(|event| match event {
        Event::OrderCancelled(cancelled) => {
            assert_eq!(cancelled.reason, cancel_reason::EVICTED);
            Some((cancelled.order, cancelled.generation))
        }
        _ => None,
    });
    assert_eq!(evicted.collect::<Vec<_>>(), victims);
    assert!(
        matches!(placed.events.last(), Some(Event::OrderPlaced(_))),
        "placed comes last"
    );
    audit(exchange);
    handle(&placed)
}

/// Rests an order that has to be refused.
fn refuse(exchange: &mut Exchange, member: &Member, side: Side, away: u32, why: SlabError) {
    let order = member.order(OrderKind::PostOnly, side, price(side, away), 2);
    let place = slab::place(&exchange.slab, &member.trader.pubkey(), &order);
    refused(&mut exchange.session, &[place], &[&member.trader], why);
}

#[test]
fn t6_no_account_opens_in_a_full_slab() {
    let mut exchange = tiny(&[(PoolId::Accounts, 2)]);
    join(&mut exchange);
    // Bound, but not yet open, when the last account goes.
    let wallet = exchange.session.new_wallet();
    let (slab_key, mint, owner) = (exchange.slab, exchange.mint, wallet.pubkey());
    let bind = router::bind_escrow(&owner, &slab_key, &mint);
    let start = [
        router::open_portfolio(&owner),
        router::open_escrow(&owner, &slab_key, &mint, &Keypair::new().pubkey()),
        bind.clone(),
    ];
    ok(exchange.session.send_large(&start, &[&wallet]));
    join(&mut exchange);
    assert_eq!(live(&exchange, PoolId::Accounts), 2);

    let open = slab::open_account(&slab_key, &address::escrow(&slab_key, &owner, &mint));
    refused(&mut exchange.session, &[open], &[], SlabError::AccountsFull);
    refused(
        &mut exchange.session,
        &[bind],
        &[&wallet],
        RouterError::SlabFull,
    );
    audit(&exchange);
}

#[test]
fn t6_a_full_order_pool_evicts_the_furthest_order() {
    for side in [Side::Bid, Side::Ask] {
        let mut exchange = tiny(&[(PoolId::Orders, 4)]);
        let (maker, other) = (join(&mut exchange), join(&mut exchange));
        let near = rest(&mut exchange, &maker, side, 10);
        let older = rest(&mut exchange, &maker, side, 40);
        let middle = rest(&mut exchange, &maker, side, 20);
        let younger = rest(&mut exchange, &maker, side, 40);
        assert_eq!(live(&exchange, PoolId::Orders), 4);

        // No further away than the furthest: refused, its price alone decides.
        refuse(&mut exchange, &other, side, 40, SlabError::OrdersFull);
        refuse(&mut exchange, &other, side, 41, SlabError::OrdersFull);
        // Better: the youngest of the furthest level goes first, then the next level.
        let far = rest_evicting(&mut exchange, &other, side, 30, &[younger]);
        rest_evicting(&mut exchange, &other, side, 5, &[older]);
        let third = rest_evicting(&mut exchange, &other, side, 15, &[far]);
        rest_evicting(&mut exchange, &other, side, 14, &[middle]);
        assert_eq!(live(&exchange, PoolId::Orders), 4);
        // The evicted handles are stale; the survivors are not.
        for stale in [older, younger, middle] {
            assert!(
                ok(exchange.cancel(&maker, stale.0, stale.1))
                    .events
                    .is_empty()
            );
        }
        assert_eq!(ok(exchange.cancel(&maker, near.0, near.1)).events.len(), 1);
        assert_eq!(
            ok(exchange.cancel(&other, third.0, third.1)).events.len(),
            1
        );
        audit(&exchange);
    }
}

#[test]
fn t6_a_full_level_pool_evicts_whole_levels() {
    for side in [Side::Bid, Side::Ask] {
        let mut exchange = tiny(&[(PoolId::Levels, 2)]);
        let maker = join(&mut exchange);
        rest(&mut exchange, &maker, side, 10);
        let first = rest(&mut exchange, &maker, side, 30);
        let second = rest(&mut exchange, &maker, side, 30);
        assert_eq!(live(&exchange, PoolId::Levels), 2);
        refuse(&mut exchange, &maker, side, 31, SlabError::LevelsFull);
        // A price that has a level already needs none.
        let third = rest(&mut exchange, &maker, side, 30);
        rest_evicting(&mut exchange, &maker, side, 20, &[third, second, first]);
        assert_eq!(live(&exchange, PoolId::Levels), 2);
    }
}

#[test]
fn t6_one_placement_evicts_a_bounded_number_of_orders() {
    let mut exchange = tiny(&[(PoolId::Levels, 2)]);
    let maker = join(&mut exchange);
    rest(&mut exchange, &maker, Side::Bid, 10);
    let crowd: Vec<_> = (0..5)
        .map(|_| rest(&mut exchange, &maker, Side::Bid, 30))
        .collect();
    // Five orders stand on the level that would have to go; four may.
    refuse(&mut exchange, &maker, Side::Bid, 20, SlabError::LevelsFull);
    ok(exchange.cancel(&maker, crowd[0].0, crowd[0].1));
    let victims: Vec<_> = crowd[1..].iter().rev().copied().collect();
    rest_evicting(&mut exchange, &maker, Side::Bid, 20, &victims);
}

#[test]
fn t6_the_other_side_of_the_book_is_never_evicted() {
    let mut exchange = tiny(&[(PoolId::Orders, 3)]);
    let maker = join(&mut exchange);
    rest(&mut exchange, &maker, Side::Ask, 10);
    rest(&mut exchange, &maker, Side::Ask, 800);
    let bid = rest(&mut exchange, &maker, Side::Bid, 800);
    rest_evicting(&mut exchange, &maker, Side::Bid, 5, &[bid]);
    refuse(&mut exchange, &maker, Side::Bid, 6, SlabError::OrdersFull);
}

#[test]
fn t6_no_position_opens_in_a_full_pool_but_those_there_trade_on() {
    let mut exchange = tiny(&[(PoolId::Positions, 2)]);
    let (maker, taker, late) = (
        join(&mut exchange),
        join(&mut exchange),
        join(&mut exchange),
    );
    let (order, generation) = rest(&mut exchange, &maker, Side::Ask, 0);
    ok(exchange.take(&taker, Side::Bid, MARK, 1, 1));
    assert_eq!(live(&exchange, PoolId::Positions), 2);

    refuse(
        &mut exchange,
        &late,
        Side::Bid,
        50,
        SlabError::PositionsFull,
    );
    let take = late.taking(Side::Bid, MARK, 1, 0);
    let take = slab::take(&exchange.slab, &late.trader.pubkey(), &take);
    refused(
        &mut exchange.session,
        &[take],
        &[&late.trader],
        SlabError::PositionsFull,
    );

    ok(exchange.take(&taker, Side::Bid, MARK, 1, 1));
    rest(&mut exchange, &maker, Side::Bid, 1);
    ok(exchange.take(&taker, Side::Ask, MARK - 1, 2, 2));
    // Both are flat and without orders again: their positions are free for others.
    assert!(
        ok(exchange.cancel(&maker, order, generation))
            .events
            .is_empty()
    );
    assert_eq!(live(&exchange, PoolId::Positions), 0);
    rest(&mut exchange, &late, Side::Bid, 50);
    audit(&exchange);
}

#[test]
fn t6_an_account_rests_no_more_orders_than_the_slab_allows() {
    let mut exchange = tiny(&[]);
    let (maker, other) = (join(&mut exchange), join(&mut exchange));
    let slab_key = exchange.slab;
    let cap = |slab: &mut flagstone_sdk::engine::Slab<'_>| slab.header.orders_per_account_max = 2;
    exchange.session.edit_slab(&slab_key, cap).expect("a slab");
    let (order, generation) = rest(&mut exchange, &maker, Side::Bid, 10);
    rest(&mut exchange, &maker, Side::Ask, 10);
    refuse(
        &mut exchange,
        &maker,
        Side::Bid,
        5,
        SlabError::AccountOrdersFull,
    );
    rest(&mut exchange, &other, Side::Bid, 5);
    ok(exchange.cancel(&maker, order, generation));
    rest(&mut exchange, &maker, Side::Bid, 5);
    audit(&exchange);
}

#[test]
fn t6_instruments_are_bounded() {
    use flagstone_sdk::embedded::exchange::standard_instrument;
    use flagstone_sdk::units::Ticks;
    let mut exchange = tiny(&[(PoolId::Instruments, 1)]);
    let admin = exchange.admin.insecure_clone();
    let params = standard_instrument(Ticks(MARK));
    let add = slab::add_instrument(&admin.pubkey(), &exchange.slab, 1, &params);
    refused(
        &mut exchange.session,
        &[add],
        &[&admin],
        SlabError::InstrumentsFull,
    );
}

#[test]
fn t6_the_ring_of_trades_overwrites_the_oldest() {
    let mut exchange = tiny(&[(PoolId::Trades, 3)]);
    let (maker, taker) = (join(&mut exchange), join(&mut exchange));
    for lots in 2..9 {
        ok(exchange.place(&maker, OrderKind::PostOnly, Side::Ask, MARK, lots));
        ok(exchange.take(&taker, Side::Bid, MARK, lots, lots));
    }
    let read = |slab: &flagstone_sdk::engine::Slab<'_>| {
        let mut latest: Vec<_> = slab
            .trades
            .iter()
            .map(|trade| (trade.number, trade.lots.0))
            .collect();
        latest.sort_unstable();
        (slab.header.trades_total, latest)
    };
    let found = exchange
        .session
        .with_slab(&exchange.slab, read)
        .expect("a slab");
    assert_eq!(found, (7, vec![(5, 6), (6, 7), (7, 8)]));
    audit(&exchange);
}
