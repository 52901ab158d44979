//! The permissionless cranks, on the real programs: what is due is done once,
//! whoever comes, and however often.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::grid::Floor;
use flagstone_e2e_tests::market::{Market, send_as};
use flagstone_e2e_tests::money::audit_money;
use flagstone_e2e_tests::{MARK, QUOTE, ok};
use flagstone_keeper::{Crank, Cranks, Turn};
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::router::cap_state;
use flagstone_sdk::interface::slab::PoolId;
use flagstone_sdk::units::{Side, Slot};
use flagstone_sdk::{router, slab};
use solana_signer::Signer;

fn cranks(market: &Market) -> Cranks {
    Cranks {
        slab: market.exchange.slab,
        mint: market.exchange.mint,
        fees_min_atoms: QUOTE / 10,
    }
}

/// Looks until nothing is due; returns what was done, all of which succeeded.
fn run(market: &mut Market) -> Vec<Crank> {
    let cranks = cranks(market);
    let mut done = Vec::new();
    for _ in 0..10 {
        let turns = cranks.step(&mut market.exchange.session);
        audit_money(&market.exchange.session);
        let failed: Vec<&Turn> = turns.iter().filter(|turn| turn.failure.is_some()).collect();
        assert!(failed.is_empty(), "{failed:?}");
        if turns.is_empty() {
            return done;
        }
        done.extend(turns.into_iter().map(|turn| turn.crank));
    }
    panic!("it never comes to an end: {done:?}")
}

fn live(market: &Market, pool: PoolId) -> u32 {
    let read = |slab: &flagstone_sdk::engine::Slab<'_>| slab.header.pool(pool).live;
    let session = &market.exchange.session;
    session
        .with_slab(&market.exchange.slab, read)
        .expect("a slab")
}

#[test]
fn f3_a_route_that_was_left_half_way_is_brought_to_its_end() {
    let mut market = Market::open(1);
    market.fund(0, 5 * QUOTE);
    run(&mut market);
    // Committed and left there.
    let route = market.reserve_and_open(10, 20);
    market.step(&route.commit());
    let account = u32::from(market.seats[0].account);
    let hold = route.legs()[0].hold.index;
    let done = run(&mut market);
    let all = [
        Crank::Settle { account },
        Crank::CollectFees,
        Crank::FreeHold { hold },
    ];
    assert_eq!(done, all);
    assert_eq!(live(&market, PoolId::Reservations), 0);
    assert_eq!(market.escrow(0).balance_atoms, 0);
    // Opened and left there: the hold ends, its capability gives back.
    market.fund(0, 20 * QUOTE);
    let cash = market.cash();
    let route = market.reserve_and_open(5, 20);
    assert!(market.cash() < cash);
    assert!(run(&mut market).is_empty(), "nothing is over yet");
    market.wait(21);
    let first = route.legs()[0].hold.index;
    let done = run(&mut market);
    assert_eq!(
        done,
        [
            Crank::ExpireHolds { first },
            Crank::Refund { account, cap: 0 }
        ]
    );
    assert_eq!(market.escrow(0).caps[0].state, cap_state::BURNED);
    assert_eq!(market.cash(), cash);
}

#[test]
fn f3_orders_deposits_releases_and_fees_are_seen_to() {
    let mut market = Market::open(1);
    run(&mut market);
    let (owner, mint, slab_key) = (
        market.taker.wallet.pubkey(),
        market.exchange.mint,
        market.exchange.slab,
    );
    let account = u32::from(market.seats[0].account);
    // Funded, and nobody told the slab.
    market.step(&[router::fund_slab(&owner, &slab_key, &mint, 800 * QUOTE)]);
    assert_eq!(run(&mut market), [Crank::Sync { account }]);
    assert_eq!(market.account(0).cash_atoms, 800 * QUOTE as i64);
    // Two orders for a while, one for ever.
    let orders = live(&market, PoolId::Orders);
    for (ticks, slots) in [(MARK - 20, 9), (MARK - 21, 9), (MARK - 22, 0)] {
        let mut order = market.taker.order(OrderKind::PostOnly, Side::Bid, ticks, 1);
        let now = market.exchange.session.slot() as u32;
        order.expiry = Slot(if slots == 0 { 0 } else { now + slots });
        let place = slab::place(&slab_key, &market.taker.trader.pubkey(), &order);
        ok(send_as(&mut market.exchange, &market.taker, &[place]));
    }
    assert!(run(&mut market).is_empty());
    market.wait(10);
    let done = run(&mut market);
    assert!(matches!(done[..], [Crank::ExpireOrders { .. }]), "{done:?}");
    assert_eq!(live(&market, PoolId::Orders), orders + 1);
    // Released, and nobody settled.
    let cash = market.cash();
    let release = market.release(0, 100 * QUOTE);
    market.step(&[release]);
    assert_eq!(run(&mut market), [Crank::Settle { account }]);
    assert_eq!(market.cash(), cash + 100 * QUOTE);
    // Fees, once they are worth a transaction.
    let fees = market.ledger(0).fees_atoms;
    let taking = market.taker.taking(Side::Bid, MARK + 10, 20, 20);
    let take = slab::take(&slab_key, &market.taker.trader.pubkey(), &taking);
    ok(send_as(&mut market.exchange, &market.taker, &[take]));
    assert_eq!(run(&mut market), [Crank::CollectFees]);
    assert!(market.ledger(0).fees_atoms > fees);
}

#[test]
fn f3_t8_a_grid_is_computed_and_taken_once_an_interval() {
    let mut floor = Floor::sampled(&[2, 3]);
    floor.next_interval();
    let cranks = Cranks {
        slab: floor.seats[1].slab,
        mint: floor.exchange.mint,
        fees_min_atoms: QUOTE,
    };
    let look = |floor: &mut Floor| {
        let turns = cranks.step(&mut floor.exchange.session);
        assert!(turns.iter().all(|turn| turn.failure.is_none()), "{turns:?}");
        let crank = turns.into_iter().map(|turn| turn.crank);
        crank.collect::<Vec<_>>()
    };
    let (grid, funding) = (
        Crank::Grid { instrument: 0 },
        Crank::Funding { instrument: 0 },
    );
    assert!(look(&mut floor).contains(&grid));
    let rate = floor.grid().shared.rate_ppm;
    assert_ne!(rate, 0);
    // The slab takes it with the next look, and that is all.
    assert_eq!(look(&mut floor), [funding]);
    let key = floor.seats[1].slab;
    let taken = floor
        .exchange
        .session
        .with_slab(&key, |slab| slab.instruments[0].grid_rate.0);
    assert_eq!(taken, Ok(rate));
    assert!(look(&mut floor).is_empty());
    floor.next_interval();
    assert!(look(&mut floor).contains(&grid));
}

#[test]
fn f3_two_keepers_and_one_that_comes_late_do_the_same_once() {
    let mut market = Market::open(1);
    market.fund(0, 5 * QUOTE);
    run(&mut market);
    let route = market.reserve_and_open(10, 20);
    market.step(&route.commit());
    let cranks = cranks(&market);
    let late = cranks.due(&market.exchange.session);
    assert!(!late.is_empty());
    run(&mut market);
    let books = audit_money(&market.exchange.session);
    // What was due before is sent again: refused, or without any effect.
    for (_, instruction) in late {
        let _ = market.exchange.session.send(&[instruction], &[]);
        assert_eq!(audit_money(&market.exchange.session), books);
    }
    assert!(cranks.step(&mut market.exchange.session).is_empty());
}
