//! Rule X6: a signature that a user gives to another program is worth nothing
//! at the Slab or the Router.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::hostile::{called, deploy};
use flagstone_e2e_tests::refusal::refused;
use flagstone_e2e_tests::{MARK, QUOTE, exchange, handle, ok};
use flagstone_sdk::embedded::{Exchange, Member};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::holds::{Reserve, Reveal};
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::event::{AccountSynced, Event};
use flagstone_sdk::slab::HoldHandle;
use flagstone_sdk::units::{Lots, Side, Slot, Ticks};
use flagstone_sdk::{router, slab};
use solana_instruction::Instruction;
use solana_signer::Signer;

/// An exchange with the hostile program beside it.
fn with_hostile_program() -> Exchange {
    let mut exchange = exchange(SlabSize::Dev);
    deploy(&mut exchange.session);
    exchange
}

/// `inner`, called by the hostile program, with `record` written into the log before and after the call.
fn with_forged_record(inner: &Instruction, record: &[u8]) -> Instruction {
    let mut outer = called(inner);
    outer.data[0] = 1;
    outer.data.extend((record.len() as u32).to_le_bytes());
    outer.data.extend(record);
    outer
}

fn join(exchange: &mut Exchange) -> Member {
    ok(exchange.join(10_000 * QUOTE, 1_000 * QUOTE))
}

#[test]
fn x6_place_take_and_cancel_refuse_to_be_called() {
    let mut exchange = with_hostile_program();
    let (maker, taker) = (join(&mut exchange), join(&mut exchange));
    let placed = ok(exchange.place(&maker, OrderKind::PostOnly, Side::Ask, MARK, 5));
    let (order, generation) = handle(&placed);
    let place = maker.order(OrderKind::PostOnly, Side::Bid, MARK - 10, 1);
    let (key, slab_key) = (maker.trader.pubkey(), exchange.slab);
    let take = taker.taking(Side::Bid, MARK, 1, 1);
    let attempts = [
        (slab::take(&slab_key, &taker.trader.pubkey(), &take), &taker),
        (slab::place(&slab_key, &key, &place), &maker),
        (
            slab::cancel(&slab_key, &key, maker.account, order, generation),
            &maker,
        ),
        (
            slab::cancel(&slab_key, &key, maker.account, order, generation + 1),
            &maker,
        ),
    ];
    for (attempt, member) in &attempts {
        let attempt = called(attempt);
        refused(
            &mut exchange.session,
            &[attempt],
            &[&member.trader],
            SlabError::CalledByProgram,
        );
    }
    // The same instructions at the top level are fine: it was the call that was refused.
    for (attempt, member) in attempts {
        ok(exchange.session.send(&[attempt], &[&member.trader]));
    }
}

#[test]
fn x6_every_other_instruction_of_a_trader_refuses_to_be_called() {
    let mut exchange = with_hostile_program();
    let (maker, taker) = (join(&mut exchange), join(&mut exchange));
    let placed = ok(exchange.place(&maker, OrderKind::PostOnly, Side::Ask, MARK, 5));
    let (order, generation) = handle(&placed);
    let (key, slab_key) = (taker.trader.pubkey(), exchange.slab);
    let account = taker.account;
    let own = ok(exchange.place(&taker, OrderKind::PostOnly, Side::Bid, MARK - 9, 4));
    let own = handle(&own);
    let next = taker.order(OrderKind::PostOnly, Side::Bid, MARK - 8, 4);
    let reserve = Reserve {
        account: account.into(),
        instrument: 0,
        side: Side::Bid,
        limit: Ticks(MARK),
        lots: Lots(2),
        lots_min: Lots(2),
        ttl: Slot(0),
        route_id: 1,
        commitment: [0; 32],
    };
    let hold = HoldHandle::next(&exchange.session.data(&slab_key)).expect("a free hold");
    let terms = Reveal {
        lots: Lots(2),
        limit: Ticks(MARK),
        salt: [1; 16],
        sha256: |_| [0; 32],
    };
    let batch = (account, 0);
    // In an order in which all but the commit, which has no capability, succeed.
    let attempts = [
        slab::reduce(&slab_key, &key, account, own, 1),
        slab::replace(&slab_key, &key, own, &next),
        slab::batch_update(&slab_key, &key, batch, &[own], &[next]),
        slab::cancel_all(&slab_key, &key, account, None, None, 9),
        slab::set_dead_man(&slab_key, &key, account, 1_000_000),
        slab::reserve(&slab_key, &key, &reserve),
        slab::cancel_hold(&slab_key, &key, account, hold),
        slab::release(&slab_key, &key, account, 5),
        slab::commit(&slab_key, &key, &taker.escrow, account, hold, 0, None),
        slab::commit(
            &slab_key,
            &key,
            &taker.escrow,
            account,
            hold,
            0,
            Some(&terms),
        ),
    ];
    for attempt in &attempts {
        refused(
            &mut exchange.session,
            &[called(attempt)],
            &[&taker.trader],
            SlabError::CalledByProgram,
        );
    }
    let commits = attempts.len() - 2;
    for attempt in attempts[..commits].iter().cloned() {
        ok(exchange.session.send(&[attempt], &[&taker.trader]));
    }
    for attempt in &attempts[commits..] {
        let one = std::slice::from_ref(attempt);
        refused(
            &mut exchange.session,
            one,
            &[&taker.trader],
            SlabError::NoHold,
        );
    }
    ok(exchange.cancel(&maker, order, generation));
}

#[test]
fn x6_cranks_of_the_new_kinds_may_be_called_by_anyone() {
    let mut exchange = with_hostile_program();
    let maker = join(&mut exchange);
    let slot = exchange.session.slot() as u32;
    let mut order = maker.order(OrderKind::PostOnly, Side::Ask, MARK, 5);
    order.expiry = Slot(slot);
    let (key, slab_key) = (maker.trader.pubkey(), exchange.slab);
    ok(exchange.trade(&maker, slab::place(&slab_key, &key, &order)));
    order.expiry = Slot(0);
    ok(exchange.trade(&maker, slab::place(&slab_key, &key, &order)));
    ok(exchange.trade(
        &maker,
        slab::set_dead_man(&slab_key, &key, maker.account, slot),
    ));
    exchange.session.warp_to(u64::from(slot) + 1);
    for (crank, events) in [
        (slab::expire_orders(&slab_key, 1, 64), 1),
        (slab::cancel_dead_man(&slab_key, maker.account, 9), 1),
        (slab::expire_holds(&slab_key, 1, 64), 0),
        (slab::update_funding(&slab_key, 0, None), 0),
        (slab::publish_root(&slab_key, 1), 1),
    ] {
        let receipt = ok(exchange.session.send(&[called(&crank)], &[]));
        assert_eq!(receipt.events.len(), events, "{:?}", receipt.events);
    }
}

#[test]
fn x6_the_router_refuses_a_wallets_signature_from_another_program() {
    let mut exchange = with_hostile_program();
    let member = join(&mut exchange);
    let owner = member.wallet.pubkey();
    let (mint, slab_key) = (exchange.mint, exchange.slab);
    let attempts = [
        router::deposit(&owner, &mint, &member.tokens, 5),
        router::fund_slab(&owner, &slab_key, &mint, 5),
        router::open_portfolio(&owner),
        router::open_escrow(&owner, &slab_key, &mint, &member.trader.pubkey()),
        router::bind_escrow(&owner, &slab_key, &mint),
    ];
    for attempt in attempts {
        let attempt = called(&attempt);
        refused(
            &mut exchange.session,
            &[attempt],
            &[&member.wallet],
            RouterError::CalledByProgram,
        );
    }
}

#[test]
fn x6_what_needs_no_signature_may_be_called_by_anyone() {
    let mut exchange = with_hostile_program();
    let member = join(&mut exchange);
    let sync = slab::sync(&exchange.slab, &member.escrow, member.account);
    let receipt = ok(exchange.session.send(&[called(&sync)], &[]));
    // A reader that missed it would see a gap in the sequence.
    assert!(
        matches!(receipt.events[..], [Event::AccountSynced(_)]),
        "{:?}",
        receipt.events
    );
}

#[test]
fn records_that_another_program_writes_are_no_events() {
    let mut exchange = with_hostile_program();
    let member = join(&mut exchange);
    let sync = slab::sync(&exchange.slab, &member.escrow, member.account);
    let mut forged: AccountSynced = bytemuck::Zeroable::zeroed();
    forged.tag = AccountSynced::TAG;
    forged.credited_atoms = 1 << 60;
    let shout = with_forged_record(&sync, bytemuck::bytes_of(&forged));
    // Before and after a real instruction, within its caller and beside it.
    let receipt = ok(exchange.session.send(&[sync.clone(), shout, sync], &[]));
    let credits = receipt.events.iter().map(|event| match event {
        Event::AccountSynced(synced) => synced.credited_atoms,
        other => panic!("{other:?}"),
    });
    assert_eq!(credits.collect::<Vec<_>>(), [0, 0, 0]);
    let records = receipt
        .logs
        .iter()
        .filter(|line| line.starts_with("Program data: "));
    assert_eq!(records.count(), 5, "three events and two forgeries");
}
