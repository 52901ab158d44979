//! Several slab accounts of one portfolio: who is listed, who joins whose
//! episode, and when it ends.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::crash::{Crash, LOTS, PLEDGED};
use flagstone_e2e_tests::refusal::refused;
use flagstone_e2e_tests::{MARK, QUOTE, ok};
use flagstone_sdk::embedded::{Seat, oracle_instrument};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::router::{Escrow, PORTFOLIO_SLABS_MAX, portfolio_status};
use flagstone_sdk::margin::times::GRACE_SLOTS;
use flagstone_sdk::slab::LiquidationRecords;
use flagstone_sdk::units::{Side, Ticks};
use flagstone_sdk::{address, router, slab};
use solana_signer::Signer;
use std::slice::from_ref;

#[test]
fn lq1_lq6_a_portfolio_lists_its_bound_escrows_and_has_sixteen_at_most() {
    let mut crash = Crash::open();
    assert!(crash.portfolio().place_of(&crash.victim.escrow.to_bytes()) == Some(0));
    for at in 1..PORTFOLIO_SLABS_MAX {
        let other = ok(crash
            .exchange
            .add_slab(&format!("slab {at}"), SlabSize::Dev));
        let seat = ok(crash.exchange.add_seat(&crash.victim, &other));
        let listed = crash.portfolio().place_of(&seat.escrow.to_bytes());
        assert_eq!(listed, Some(at));
        crash.audit();
    }
    let (owner, _, mint) = crash.at();
    let other = ok(crash.exchange.add_slab("too many", SlabSize::Dev));
    let trader = crash.victim.trader.pubkey();
    let open = router::open_escrow(&owner, &other, &mint, &trader);
    let wallet = [&crash.victim.wallet];
    ok(crash.exchange.session.send_large(&[open], &wallet));
    let bind = router::bind_escrow(&owner, &other, &mint);
    let session = &mut crash.exchange.session;
    refused(session, from_ref(&bind), &wallet, RouterError::TooManySlabs);
    // An account that ended makes room.
    let gone = crash.portfolio().escrows[5];
    let record: Escrow = crash.exchange.session.record(&gone.into()).expect("one");
    let at = record.slab.into();
    let end = [
        slab::close_account(&at, &trader, &gone.into(), record.bound_account as u16),
        router::unbind_escrow(&owner, &at, &mint),
        slab::free_account(&at, &gone.into(), record.bound_account as u16),
    ];
    let keys = [&crash.victim.trader];
    ok(crash.exchange.session.send_large(&end, &keys));
    assert_eq!(crash.portfolio().place_of(&gone), None);
    crash.audit();
    let escrow = address::escrow(&other, &owner, &mint);
    let bind = [bind, slab::open_account(&other, &escrow)];
    ok(crash.exchange.session.send_large(&bind, &wallet));
    assert_eq!(crash.portfolio().place_of(&escrow.to_bytes()), Some(5));
    crash.audit();
}

/// A second slab where the victim is as long as at the first.
fn second(crash: &mut Crash) -> Seat {
    let exchange = &mut crash.exchange;
    let key = ok(exchange.add_slab("second", SlabSize::Dev));
    let params = oracle_instrument(Ticks(MARK), &crash.oracle);
    ok(exchange.add_instrument_at(&key, &params));
    let seats = [&crash.victim, &crash.seller].map(|member| ok(exchange.add_seat(member, &key)));
    for (member, seat, atoms) in [
        (&crash.victim, seats[0], PLEDGED),
        (&crash.seller, seats[1], 20_000 * QUOTE),
    ] {
        ok(exchange.deposit(member, atoms));
        let owner = member.wallet.pubkey();
        let fund = [
            router::fund_slab(&owner, &key, &exchange.mint, atoms),
            slab::sync(&key, &seat.escrow, seat.account),
        ];
        ok(exchange.session.send(&fund, &[&member.wallet]));
    }
    update(crash, &seats[0], MARK);
    let exchange = &mut crash.exchange;
    let mut ask = crash
        .seller
        .order(OrderKind::PostOnly, Side::Ask, MARK, LOTS);
    ask.account = seats[1].account.into();
    let ask = slab::place(&key, &crash.seller.trader.pubkey(), &ask);
    ok(exchange.session.send(&[ask], &[&crash.seller.trader]));
    let mut take = crash.victim.taking(Side::Bid, MARK, LOTS, LOTS);
    take.account = seats[0].account.into();
    let take = slab::take(&key, &crash.victim.trader.pubkey(), &take);
    ok(exchange.session.send(&[take], &[&crash.victim.trader]));
    crash.audit();
    seats[0]
}

/// The second slab takes the price, until its mark is there.
fn update(crash: &mut Crash, seat: &Seat, ticks: u32) {
    loop {
        crash.exchange.session.wait(20);
        ok(crash
            .oracle
            .update(&mut crash.exchange.session, &seat.slab, ticks));
        let read = |slab: &flagstone_sdk::engine::Slab<'_>| slab.instruments[0].mark.0;
        let session = &crash.exchange.session;
        if session.with_slab(&seat.slab, read).expect("a slab") == ticks {
            return;
        }
    }
}

#[test]
fn l1_lq4_a_second_account_joins_the_episode_and_keeps_its_own_grace() {
    let mut crash = Crash::open();
    let seat = second(&mut crash);
    crash.fall_to(9_300);
    update(&mut crash, &seat, 9_300);
    crash.wait(1);
    let (owner, _, mint) = crash.at();
    let payer = crash.exchange.session.payer();
    let begin = router::begin_liquidation(&owner, &seat.slab, &mint);
    let issue = router::issue_ticket(&payer, &owner, &seat.slab, &mint);
    let end = router::end_liquidation(&owner, &seat.slab, &mint);
    let sync = slab::sync(&seat.slab, &seat.escrow, seat.account);
    crash.crank(&[crash.begin(), crash.sync()]);
    let first = crash.portfolio();
    crash.wait(20);
    update(&mut crash, &seat, 9_300);
    crash.crank(&[begin, sync.clone()]);
    let both = crash.portfolio();
    assert_eq!((both.episode, both.frozen_count), (1, 2));
    assert_eq!(both.grace_until, first.grace_until, "not a slot longer");
    let escrow: Escrow = crash.exchange.session.record(&seat.escrow).expect("one");
    let now = crash.exchange.session.slot() as u32;
    assert_eq!(escrow.grace_until.0, now + GRACE_SLOTS.0);

    // The first one's grace is over, the second one's is not.
    crash.wait(u64::from(first.grace_until.0 - now));
    crash.refuse(&issue, RouterError::NoTicketDue);
    crash.crank(&[crash.issue()]);
    let ticket = crash.ticket();
    // The first is well again, and its ticket void, while the episode runs on.
    crash.fall_to(10_000);
    crash.crank(&[crash.end(), crash.sync()]);
    assert_eq!(crash.portfolio().status, portfolio_status::LIQUIDATING);
    assert_eq!(crash.portfolio().frozen_count, 1);
    assert_eq!((ticket.nonce, crash.ticket().nonce), (1, 0));
    crash.fall_to(9_200);
    let records = LiquidationRecords {
        ticket: address::ticket(&crash.victim.escrow),
        portfolio: address::portfolio(&owner),
    };
    let account = crash.victim.account;
    let sweep = slab::liquidation_call(&crash.exchange.slab, &records, account, 0, &[]);
    crash.refuse(&sweep, SlabError::BadTicket);

    update(&mut crash, &seat, 10_000);
    crash.crank(&[end, sync]);
    assert_eq!(crash.portfolio().status, portfolio_status::OPEN);
}
