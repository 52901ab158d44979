//! How holds and capabilities end, and who may end them.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::market::{CHARGE_MAX, HOLD_FEE_PER_SLOT, Market};
use flagstone_e2e_tests::money::audit_money;
use flagstone_e2e_tests::refusal::{assert_unchanged, refused, snapshot};
use flagstone_e2e_tests::{QUOTE, ok};
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::{router, slab};
use solana_keypair::Keypair;
use solana_signer::Signer;

#[test]
fn x6_a_new_session_key_takes_over_with_the_next_sync() {
    let mut market = Market::open(1);
    let (seat, owner) = (market.seats[0], market.taker.wallet.pubkey());
    let new = Keypair::new();
    let set = router::set_trader(&owner, &seat.slab, &market.exchange.mint, &new.pubkey());
    // Neither the old key nor anybody else sets it.
    let mut stolen = set.clone();
    stolen.accounts[0].pubkey = market.taker.trader.pubkey();
    refused(
        &mut market.exchange.session,
        &[stolen],
        &[&market.taker.trader],
        RouterError::WrongOwner,
    );
    market.step(&[set]);
    let leg = market.leg(0, 1, 0);
    let by = |key: &Keypair| slab::reserve(&seat.slab, &key.pubkey(), &leg.reserve);
    refused(
        &mut market.exchange.session,
        &[by(&new)],
        &[&new],
        SlabError::WrongTrader,
    );
    market.crank(slab::sync(&seat.slab, &seat.escrow, seat.account));
    refused(
        &mut market.exchange.session,
        &[by(&market.taker.trader)],
        &[&market.taker.trader],
        SlabError::WrongTrader,
    );
    ok(market.exchange.session.send(&[by(&new)], &[&new]));
    for bad in [owner, Default::default()] {
        refused(
            &mut market.exchange.session,
            &[router::set_trader(
                &owner,
                &seat.slab,
                &market.exchange.mint,
                &bad,
            )],
            &[&market.taker.wallet],
            RouterError::BadTrader,
        );
    }
}

#[test]
fn t5_a_cancelled_hold_gives_the_book_back_and_the_money_after_expiry() {
    let mut market = Market::open(1);
    market.fund(0, 10 * QUOTE);
    let cash = market.cash();
    let route = market.reserve_and_open(10, 20);
    let leg = route.legs()[0];
    let seat = market.seats[0];
    let trader = market.taker.trader.pubkey();
    let cancel = slab::cancel_hold(&seat.slab, &trader, seat.account, leg.hold);
    market.wait(5);
    market.step(std::slice::from_ref(&cancel));
    assert_eq!((market.holds(0), market.account(0).bond_atoms), (0, 0));
    assert_eq!(
        market.account(0).cash_atoms,
        (10 * QUOTE - 5 * HOLD_FEE_PER_SLOT) as i64
    );
    // Again: Ok, and nothing happens.
    let before = snapshot(&market.exchange.session);
    assert!(ok(market.send(&[cancel])).events.is_empty());
    assert_unchanged(&market.exchange.session, &before);
    let refund = market.refund(0, 0);
    refused(
        &mut market.exchange.session,
        std::slice::from_ref(&refund),
        &[],
        RouterError::NotExpired,
    );
    market.wait(16);
    market.crank(refund);
    assert_eq!(market.cash(), cash);
    // The whole depth is free again.
    let route = market.route(40, 0);
    market.step(&route.instructions());
}

#[test]
fn x1_expire_holds_and_refund_in_either_order() {
    for refund_first in [false, true] {
        let mut market = Market::open(2);
        for at in 0..2 {
            market.fund(at, 10 * QUOTE);
        }
        let cash = market.cash();
        let route = market.reserve_and_open(10, 5);
        assert!(market.cash() < cash);
        market.wait(5);
        // In the last slot nothing can be taken back yet.
        for leg in route.legs() {
            market.crank(slab::expire_holds(&leg.slab, leg.hold.index, 1));
        }
        assert_eq!((market.holds(0), market.holds(1)), (1, 1));
        market.wait(1);
        for step in [refund_first, !refund_first] {
            for at in 0..2 {
                let one = match step {
                    true => market.refund(at, 0),
                    false => slab::expire_holds(&market.seats[at].slab, 1, 64),
                };
                market.crank(one);
            }
        }
        assert_eq!((market.holds(0), market.holds(1)), (0, 0));
        assert_eq!(market.cash(), cash, "all of it is back");
        assert_eq!(audit_money(&market.exchange.session).pledged, 0);
        for at in 0..2 {
            let fee = 5 * HOLD_FEE_PER_SLOT;
            assert_eq!(market.account(at).cash_atoms, (10 * QUOTE - fee) as i64);
        }
        // Nothing of it can be had twice, nor traded.
        for (at, commit) in route.commit().into_iter().enumerate() {
            let refund = market.refund(at, 0);
            refused(
                &mut market.exchange.session,
                &[refund],
                &[],
                RouterError::NoCap,
            );
            let signers = [&market.taker.trader];
            refused(
                &mut market.exchange.session,
                &[commit],
                &signers,
                SlabError::NoHold,
            );
        }
    }
}

#[test]
fn t5_a_hold_is_freed_once_it_is_settled() {
    let mut market = Market::open(1);
    let route = market.route(10, 0);
    let free = slab::free_hold(
        &market.seats[0].slab,
        &market.seats[0].escrow,
        route.legs()[0].hold.index,
    );
    market.step(&route.instructions()[..3]);
    market.crank(free.clone());
    assert_eq!(market.holds(0), 1, "not booked yet");
    market.crank(route.settle());
    market.crank(free.clone());
    assert_eq!(market.holds(0), 0);
    let before = snapshot(&market.exchange.session);
    market.crank(free);
    assert_unchanged(&market.exchange.session, &before);
}

#[test]
fn x6_what_is_permissionless_asks_for_no_signature() {
    let mut market = Market::open(1);
    market.fund(0, QUOTE);
    let route = market.reserve_and_open(10, 3);
    let seat = market.seats[0];
    let index = route.legs()[0].hold.index;
    let cranks = [
        slab::sync(&seat.slab, &seat.escrow, seat.account),
        slab::expire_holds(&seat.slab, 1, 64),
        slab::free_hold(&seat.slab, &seat.escrow, index),
        market.settle(0),
        market.refund(0, 0),
        route.settle(),
    ];
    for crank in &cranks {
        assert!(crank.accounts.iter().all(|meta| !meta.is_signer));
    }
    let cash = market.cash();
    // Early: they change no money, and two of them say why.
    for (at, crank) in cranks.iter().enumerate() {
        let sent = market
            .exchange
            .session
            .send(std::slice::from_ref(crank), &[]);
        assert_eq!(sent.is_err(), at >= 4);
        audit_money(&market.exchange.session);
    }
    assert_eq!((market.cash(), market.holds(0)), (cash, 1));
    market.step(&route.commit());
    for crank in [&cranks[3], &cranks[5], &cranks[2], &cranks[3]] {
        ok(market
            .exchange
            .session
            .send(std::slice::from_ref(crank), &[]));
        audit_money(&market.exchange.session);
    }
    assert_eq!(market.holds(0), 0);
    assert!(market.cash() > cash, "what the capability had left");
    assert!(market.cash() < cash + CHARGE_MAX);
}
