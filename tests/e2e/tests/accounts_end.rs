//! The end of an account on the real programs: closed by the Slab, unbound by
//! the Router, freed by the Slab, in every wrong order, and three times over.
#![allow(missing_docs, reason = "tests")]

use core::mem::offset_of;
use flagstone_e2e_tests::forge::{plant_copy, spoilers, stranger, swapped, while_changed};
use flagstone_e2e_tests::hostile::{called, deploy};
use flagstone_e2e_tests::market::Market;
use flagstone_e2e_tests::money::audit_money;
use flagstone_e2e_tests::refusal::{UNSIGNED, Why, refused};
use flagstone_e2e_tests::tiny::{live, tiny};
use flagstone_e2e_tests::{MARK, QUOTE, exchange, ok};
use flagstone_sdk::embedded::{Exchange, Member, Receipt};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::accounts::IDLE_SLOTS;
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::interface::router::Escrow;
use flagstone_sdk::interface::slab::{PoolId, SlabAccount, account_flags};
use flagstone_sdk::units::Side;
use flagstone_sdk::{router, slab};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::slice::from_ref;

/// What a member brings to the slab.
const FUNDS: u64 = 1_000 * QUOTE;

fn joined() -> (Exchange, Member, Member) {
    let mut exchange = exchange(SlabSize::Dev);
    let one = ok(exchange.join(10_000 * QUOTE, FUNDS));
    let other = ok(exchange.join(10_000 * QUOTE, FUNDS));
    (exchange, one, other)
}

fn escrow(exchange: &Exchange, member: &Member) -> Escrow {
    exchange.session.record(&member.escrow).expect("an escrow")
}

fn account(exchange: &Exchange, index: u16) -> SlabAccount {
    let read = |slab: &flagstone_sdk::engine::Slab<'_>| slab.accounts[index.into()];
    let session = &exchange.session;
    session.with_slab(&exchange.slab, read).expect("a slab")
}

fn close(exchange: &Exchange, member: &Member) -> Instruction {
    let trader = member.trader.pubkey();
    slab::close_account(&exchange.slab, &trader, &member.escrow, member.account)
}

fn reclaim(exchange: &Exchange, member: &Member) -> Instruction {
    slab::reclaim_account(&exchange.slab, &member.escrow, member.account)
}

fn free(exchange: &Exchange, member: &Member) -> Instruction {
    slab::free_account(&exchange.slab, &member.escrow, member.account)
}

fn unbind(exchange: &Exchange, member: &Member) -> Instruction {
    let owner = member.wallet.pubkey();
    router::unbind_escrow(&owner, &exchange.slab, &exchange.mint)
}

fn sync(exchange: &Exchange, member: &Member) -> Instruction {
    slab::sync(&exchange.slab, &member.escrow, member.account)
}

fn bind(exchange: &Exchange, member: &Member) -> Instruction {
    let owner = member.wallet.pubkey();
    router::bind_escrow(&owner, &exchange.slab, &exchange.mint)
}

fn fund(exchange: &Exchange, member: &Member, atoms: u64) -> Instruction {
    let owner = member.wallet.pubkey();
    router::fund_slab(&owner, &exchange.slab, &exchange.mint, atoms)
}

fn settle(exchange: &Exchange, member: &Member) -> Instruction {
    let owner = member.wallet.pubkey();
    router::settle(&owner, &exchange.slab, &exchange.mint)
}

/// The keys of a member that an instruction asks for.
fn keys<'a>(member: &'a Member, instruction: &Instruction) -> Vec<&'a Keypair> {
    let asked = |key: &Keypair| {
        let mut accounts = instruction.accounts.iter();
        accounts.any(|account| account.is_signer && account.pubkey == key.pubkey())
    };
    let both = [&member.wallet, &member.trader];
    both.into_iter().filter(|key| asked(key)).collect()
}

/// Sends as the member and adds the books up.
#[track_caller]
fn step(exchange: &mut Exchange, member: &Member, instruction: Instruction) -> Receipt {
    let signers = keys(member, &instruction);
    let receipt = ok(exchange.session.send(from_ref(&instruction), &signers));
    audit_money(&exchange.session);
    receipt
}

#[track_caller]
fn refuse(
    exchange: &mut Exchange,
    member: &Member,
    instruction: &Instruction,
    why: impl Into<Why>,
) {
    let signers = keys(member, instruction);
    refused(&mut exchange.session, from_ref(instruction), &signers, why);
}

/// Releases all cash and has it paid.
#[track_caller]
fn drain(exchange: &mut Exchange, member: &Member) {
    let cash = account(exchange, member.account).cash_atoms as u64;
    let trader = member.trader.pubkey();
    let release = slab::release(&exchange.slab, &trader, member.account, cash);
    step(exchange, member, release);
    let settle = settle(exchange, member);
    step(exchange, member, settle);
}

#[test]
fn x2_an_account_ends_and_its_slot_goes_to_somebody_else() {
    let (mut exchange, one, _) = joined();
    drain(&mut exchange, &one);
    let ends = close(&exchange, &one);
    let receipt = step(&mut exchange, &one, ends);
    let [Event::AccountClosed(event)] = receipt.events[..] else {
        panic!("no event")
    };
    assert_eq!({ event.account }, one.account);
    let unbinds = unbind(&exchange, &one);
    step(&mut exchange, &one, unbinds);
    let record = escrow(&exchange, &one);
    assert_eq!((record.bound_account, record.bound_generation), (0, 0));
    assert_eq!(record.deposited_total_atoms, FUNDS, "kept");
    let frees = free(&exchange, &one);
    let receipt = step(&mut exchange, &one, frees);
    let [Event::AccountFreed(event)] = receipt.events[..] else {
        panic!("no event")
    };
    assert_eq!({ event.account }, one.account);
    assert_eq!(live(&exchange, PoolId::Accounts), 1);
    // Everything is where it can be withdrawn from.
    let cash = exchange.portfolio(&one).expect("a portfolio").cash_atoms;
    assert_eq!(cash, FUNDS);
    let newcomer = ok(exchange.join(FUNDS, FUNDS));
    assert_eq!(newcomer.account, one.account);
    assert_eq!(account(&exchange, one.account).generation, 2);
    audit_money(&exchange.session);
}

#[test]
fn x2_all_three_steps_fit_one_transaction() {
    let (mut exchange, one, _) = joined();
    drain(&mut exchange, &one);
    let all = [
        close(&exchange, &one),
        unbind(&exchange, &one),
        free(&exchange, &one),
    ];
    ok(exchange.session.send(&all, &[&one.trader]));
    audit_money(&exchange.session);
    assert_eq!(live(&exchange, PoolId::Accounts), 1);
}

#[test]
fn x2_no_step_can_be_taken_early_or_twice() {
    let (mut exchange, one, _) = joined();
    let (close, unbind, free) = (
        close(&exchange, &one),
        unbind(&exchange, &one),
        free(&exchange, &one),
    );
    let bind = bind(&exchange, &one);
    let sync = sync(&exchange, &one);
    // Open, with cash.
    refuse(&mut exchange, &one, &close, SlabError::NotEmpty);
    refuse(&mut exchange, &one, &unbind, RouterError::NotClosed);
    refuse(&mut exchange, &one, &free, SlabError::NoAccount);
    // Open and empty, but the release has not been paid.
    let trader = one.trader.pubkey();
    let release = slab::release(&exchange.slab, &trader, one.account, FUNDS);
    step(&mut exchange, &one, release);
    refuse(&mut exchange, &one, &close, SlabError::NotEmpty);
    refuse(&mut exchange, &one, &unbind, RouterError::NotClosed);
    let settle = settle(&exchange, &one);
    step(&mut exchange, &one, settle.clone());
    refuse(&mut exchange, &one, &unbind, RouterError::NotClosed);
    // Closed.
    step(&mut exchange, &one, close.clone());
    refuse(&mut exchange, &one, &close, SlabError::NoAccount);
    refuse(&mut exchange, &one, &free, SlabError::NotEmpty);
    refuse(&mut exchange, &one, &sync, SlabError::NoAccount);
    refuse(&mut exchange, &one, &bind, RouterError::AlreadyBound);
    refuse(&mut exchange, &one, &settle, RouterError::NotBound);
    let open = slab::open_account(&exchange.slab, &one.escrow);
    refuse(&mut exchange, &one, &open, SlabError::NotBound);
    // Unbound.
    step(&mut exchange, &one, unbind.clone());
    refuse(&mut exchange, &one, &unbind, RouterError::NotBound);
    refuse(&mut exchange, &one, &close, SlabError::NoAccount);
    refuse(&mut exchange, &one, &sync, SlabError::NotBound);
    refuse(&mut exchange, &one, &open, SlabError::NotBound);
    refuse(&mut exchange, &one, &settle, RouterError::NotBound);
    let funding = fund(&exchange, &one, 1);
    refuse(&mut exchange, &one, &funding, RouterError::NotBound);
    // Freed.
    step(&mut exchange, &one, free.clone());
    refuse(&mut exchange, &one, &free, SlabError::NoAccount);
    refuse(&mut exchange, &one, &close, SlabError::NoAccount);
    refuse(&mut exchange, &one, &sync, SlabError::NoAccount);
    refuse(&mut exchange, &one, &unbind, RouterError::NotBound);
    // Bound again, and not yet open.
    step_without_audit(&mut exchange, &one, bind);
    refuse(&mut exchange, &one, &close, SlabError::NoAccount);
    refuse(&mut exchange, &one, &unbind, RouterError::NotBound);
    refuse(&mut exchange, &one, &free, SlabError::NoAccount);
    step(&mut exchange, &one, open);
    step(&mut exchange, &one, close);
}

/// As [`step`], where [`audit_money`] would take a forged escrow, or one whose
/// account is not open yet, for a broken binding.
#[track_caller]
fn step_without_audit(exchange: &mut Exchange, member: &Member, instruction: Instruction) {
    let signers = keys(member, &instruction);
    ok(exchange.session.send(&[instruction], &signers));
}

#[test]
fn x2_a_deposit_between_closing_and_unbinding_opens_the_account_again() {
    let (mut exchange, one, _) = joined();
    drain(&mut exchange, &one);
    let (ends, unbinds, frees) = (
        close(&exchange, &one),
        unbind(&exchange, &one),
        free(&exchange, &one),
    );
    step(&mut exchange, &one, ends.clone());
    let funding = fund(&exchange, &one, 77);
    step(&mut exchange, &one, funding);
    refuse(&mut exchange, &one, &unbinds, RouterError::NotClosed);
    refuse(&mut exchange, &one, &frees, SlabError::NotEmpty);
    let credits = sync(&exchange, &one);
    step(&mut exchange, &one, credits);
    let opened = account(&exchange, one.account);
    assert_eq!((opened.flags, opened.cash_atoms), (account_flags::OPEN, 77));
    refuse(&mut exchange, &one, &unbinds, RouterError::NotClosed);
    drain(&mut exchange, &one);
    for last in [ends, unbinds, frees] {
        step(&mut exchange, &one, last);
    }
}

#[test]
fn x2_an_escrow_is_bound_three_times_and_not_an_atom_is_lost() {
    let (mut exchange, mut one, other) = joined();
    let paid_in = audit_money(&exchange.session).paid_in;
    let mut spent = 0;
    for round in 1..=3u64 {
        // A round trip that costs something: fees, and a worse price.
        ok(exchange.place(&other, OrderKind::PostOnly, Side::Ask, MARK + 3, 2));
        ok(exchange.place(&other, OrderKind::PostOnly, Side::Bid, MARK - 3, 2));
        ok(exchange.take(&one, Side::Bid, MARK + 3, 2, 2));
        ok(exchange.take(&one, Side::Ask, MARK - 3, 2, 2));
        let before = account(&exchange, one.account);
        spent += FUNDS as i64 - before.cash_atoms;
        drain(&mut exchange, &one);
        let last = [
            close(&exchange, &one),
            unbind(&exchange, &one),
            free(&exchange, &one),
        ];
        for instruction in last.clone() {
            step(&mut exchange, &one, instruction);
        }
        for instruction in &last {
            let signers = keys(&one, instruction);
            let again = exchange.session.send(from_ref(instruction), &signers);
            assert!(again.is_err(), "replayed");
        }
        // The slot goes to somebody else in between, every other time.
        if round == 2 {
            ok(exchange.join(FUNDS, FUNDS));
        }
        let opens = [
            bind(&exchange, &one),
            fund(&exchange, &one, FUNDS),
            slab::open_account(&exchange.slab, &one.escrow),
        ];
        // Spent atoms come from the rest of the wallet.
        ok(exchange.deposit(&one, FUNDS));
        ok(exchange.session.send_large(&opens, &[&one.wallet]));
        audit_money(&exchange.session);
        let record = escrow(&exchange, &one);
        let stale = one.account;
        one.account = record.bound_account as u16;
        let fresh = account(&exchange, one.account);
        assert_eq!(record.bound_deposited_atoms, round * FUNDS);
        assert_eq!(fresh.deposited_seen_atoms, round * FUNDS);
        assert_eq!(fresh.released_total_atoms, record.released_seen_atoms);
        assert_eq!((fresh.cash_atoms, fresh.principal_atoms), (0, 0));
        let credits = sync(&exchange, &one);
        step(&mut exchange, &one, credits.clone());
        step(&mut exchange, &one, credits);
        assert_eq!(account(&exchange, one.account).cash_atoms, FUNDS as i64);
        assert_eq!(stale == one.account, round != 2);
    }
    let record = escrow(&exchange, &one);
    assert_eq!(record.deposited_total_atoms, 4 * FUNDS);
    assert_eq!(record.released_seen_atoms as i64, 3 * FUNDS as i64 - spent);
    let books = audit_money(&exchange.session);
    assert_eq!(books.paid_in, paid_in + 3 * FUNDS + FUNDS);
}

#[test]
fn t6_anyone_reclaims_an_account_that_is_empty_and_idle() {
    let mut exchange = tiny(&[(PoolId::Accounts, 1)]);
    let one = ok(exchange.join(FUNDS, FUNDS));
    drain(&mut exchange, &one);
    let touched = exchange.session.slot();
    let reclaim = reclaim(&exchange, &one);
    let sync = sync(&exchange, &one);
    let idle = u64::from(IDLE_SLOTS.0);
    for slot in [touched, touched + idle - 1] {
        exchange.session.warp_to(slot);
        refuse(&mut exchange, &one, &reclaim, SlabError::WrongTrader);
        // Nobody keeps a slot by doing nothing.
        step(&mut exchange, &one, sync.clone());
    }
    exchange.session.warp_to(touched + idle);
    step(&mut exchange, &one, reclaim);
    let (unbind, free) = (unbind(&exchange, &one), free(&exchange, &one));
    step(&mut exchange, &one, unbind);
    step(&mut exchange, &one, free);
    let newcomer = ok(exchange.join(FUNDS, FUNDS));
    assert_eq!(newcomer.account, one.account);
    // Not while it holds something, however long that lies there.
    exchange.session.warp_to(touched + 10 * idle);
    let reclaim = slab::reclaim_account(&exchange.slab, &newcomer.escrow, newcomer.account);
    refuse(&mut exchange, &newcomer, &reclaim, SlabError::NotEmpty);
}

#[test]
fn x6_only_the_session_key_closes_and_only_by_itself() {
    let (mut exchange, one, other) = joined();
    drain(&mut exchange, &one);
    let close = close(&exchange, &one);
    for key in [&other.trader, &one.wallet, &other.wallet] {
        let mut stolen = close.clone();
        stolen.accounts[2].pubkey = key.pubkey();
        let session = &mut exchange.session;
        refused(session, &[stolen], &[key], SlabError::WrongTrader);
    }
    // The right key, not signing.
    let mut unsigned = close.clone();
    unsigned.accounts[2].is_signer = false;
    refuse(&mut exchange, &one, &unsigned, SlabError::WrongTrader);
    deploy(&mut exchange.session);
    let through = called(&close);
    let session = &mut exchange.session;
    refused(
        session,
        &[through],
        &[&one.trader],
        SlabError::CalledByProgram,
    );
    step(&mut exchange, &one, close);
}

#[test]
fn x2_nothing_ends_by_anothers_escrow_or_index() {
    let (mut exchange, one, other) = joined();
    drain(&mut exchange, &one);
    drain(&mut exchange, &other);
    let close = close(&exchange, &one);
    let theirs = swapped(&close, 1, other.escrow);
    refuse(&mut exchange, &one, &theirs, SlabError::NotBound);
    for index in [0, 3, 128, 129, u16::MAX] {
        let trader = one.trader.pubkey();
        let wrong = slab::close_account(&exchange.slab, &trader, &one.escrow, index);
        refuse(&mut exchange, &one, &wrong, SlabError::NoAccount);
        let wrong = slab::free_account(&exchange.slab, &one.escrow, index);
        refuse(&mut exchange, &one, &wrong, SlabError::NoAccount);
    }
    step(&mut exchange, &one, close);
    // Another's escrow neither unbinds by this account nor frees it.
    let unbinds = unbind(&exchange, &other);
    refuse(&mut exchange, &other, &unbinds, RouterError::NotClosed);
    let frees = slab::free_account(&exchange.slab, &other.escrow, one.account);
    refuse(&mut exchange, &other, &frees, SlabError::NotBound);
    let unbinds = unbind(&exchange, &one);
    step(&mut exchange, &one, unbinds);
    refuse(&mut exchange, &other, &frees, SlabError::NotBound);
}

#[test]
fn x2_forged_escrows_close_and_free_nothing() {
    let (mut exchange, one, _) = joined();
    drain(&mut exchange, &one);
    let (close, free) = (close(&exchange, &one), free(&exchange, &one));
    let forge = |exchange: &mut Exchange| {
        let mut forged: Vec<_> = spoilers()
            .into_iter()
            .map(|spoil| plant_copy(&mut exchange.session, &one.escrow, spoil))
            .collect();
        let same = |copy: &mut Account| copy.owner = address_of_slab();
        forged.push(plant_copy(&mut exchange.session, &one.escrow, same));
        for at in [offset_of!(Escrow, slab), offset_of!(Escrow, mint)] {
            let other = |copy: &mut Account| copy.data[at] ^= 1;
            forged.push(plant_copy(&mut exchange.session, &one.escrow, other));
        }
        forged
    };
    for forged in forge(&mut exchange) {
        let forged = swapped(&close, 1, forged);
        refuse(&mut exchange, &one, &forged, SlabError::WrongEscrow);
    }
    // The Router's own bytes at another address are not the account's escrow.
    let copy = plant_copy(&mut exchange.session, &one.escrow, |_| ());
    let copied = swapped(&close, 1, copy);
    refuse(&mut exchange, &one, &copied, SlabError::NotBound);
    step_without_audit(&mut exchange, &one, close);
    for forged in forge(&mut exchange) {
        let forged = swapped(&free, 1, forged);
        refuse(&mut exchange, &one, &forged, SlabError::WrongEscrow);
    }
    let unbound = |copy: &mut Account| {
        let at = offset_of!(Escrow, bound_account);
        copy.data[at..at + 8].fill(0);
    };
    let copy = plant_copy(&mut exchange.session, &one.escrow, unbound);
    refuse(
        &mut exchange,
        &one,
        &swapped(&free, 1, copy),
        SlabError::NotBound,
    );
}

fn address_of_slab() -> solana_address::Address {
    flagstone_sdk::address::SLAB
}

#[test]
fn x5_an_escrow_is_not_unbound_by_a_forged_slab() {
    let (mut exchange, one, _) = joined();
    let slab_key = exchange.slab;
    let other = ok(exchange.add_slab("other", SlabSize::Dev));
    let unbind = unbind(&exchange, &one);
    // A copy that says whatever it likes, another slab, another entry.
    let copy = plant_copy(&mut exchange.session, &slab_key, |_| ());
    let closes = |slab: &mut flagstone_sdk::engine::Slab<'_>| {
        let account = &mut slab.accounts[u32::from(one.account)];
        account.flags = account_flags::CLOSED;
        account.cash_atoms = 0;
    };
    exchange.session.edit_slab(&copy, closes).expect("a slab");
    let entry = flagstone_sdk::address::slab_entry(&other);
    for forged in [
        swapped(&unbind, 2, copy),
        swapped(&unbind, 2, other),
        swapped(&unbind, 1, entry),
        swapped(&swapped(&unbind, 1, entry), 2, other),
    ] {
        refuse(&mut exchange, &one, &forged, RouterError::WrongSlab);
    }
    for place in [0, 1] {
        let original = unbind.accounts[place].pubkey;
        for spoil in spoilers() {
            let forged = plant_copy(&mut exchange.session, &original, spoil);
            let forged = swapped(&unbind, place, forged);
            refuse(&mut exchange, &one, &forged, RouterError::WrongRecord);
        }
    }
    let elsewhere = swapped(&unbind, 3, stranger());
    refuse(
        &mut exchange,
        &one,
        &elsewhere,
        RouterError::WrongProgramVersion,
    );
    for spoil in spoilers() {
        while_changed(&mut exchange.session, &slab_key, spoil, |session| {
            refused(session, from_ref(&unbind), &[], RouterError::WrongSlab);
        });
    }
    refuse(&mut exchange, &one, &unbind, RouterError::NotClosed);
}

#[test]
fn x2_a_slab_that_lies_about_a_closed_account_unbinds_nothing() {
    // The account says closed, and something is left or on its way.
    let lies: [fn(&mut SlabAccount); 11] = [
        |a| a.flags |= account_flags::OPEN,
        |a| a.flags = 0,
        |a| a.cash_atoms = 1,
        |a| a.cash_atoms = -1,
        |a| a.positions_count = 1,
        |a| a.orders_count = 1,
        |a| a.holds_count = 1,
        |a| a.deposited_seen_atoms -= 1,
        |a| a.debited_total_atoms += 1,
        |a| a.released_total_atoms += 1,
        |a| a.covered_seen_atoms += 1,
    ];
    let (mut exchange, one, _) = joined();
    drain(&mut exchange, &one);
    let (close, unbind) = (close(&exchange, &one), unbind(&exchange, &one));
    step(&mut exchange, &one, close);
    let (slab_key, index) = (exchange.slab, u32::from(one.account));
    let honest = account(&exchange, one.account);
    for lie in lies {
        let session = &mut exchange.session;
        let edited = session.edit_slab(&slab_key, |slab| lie(&mut slab.accounts[index]));
        edited.expect("a slab");
        refuse(&mut exchange, &one, &unbind, RouterError::NotClosed);
        let session = &mut exchange.session;
        let restored = session.edit_slab(&slab_key, |slab| slab.accounts[index] = honest);
        restored.expect("a slab");
    }
    step(&mut exchange, &one, unbind);
}

#[test]
fn x2_a_capability_that_waits_for_its_refund_keeps_the_account() {
    let mut market = Market::open(1);
    market.reserve_and_open(10, 0);
    let seat = market.seats[0];
    let trader = market.taker.trader.pubkey();
    let close = slab::close_account(&seat.slab, &trader, &seat.escrow, seat.account);
    market.refuse(&close, SlabError::NotEmpty);
    // The hold is gone, its money is not back yet.
    market.wait(1);
    market.crank(slab::expire_holds(&seat.slab, 1, 8));
    assert_eq!(market.holds(0), 0);
    assert!(market.account(0).is_empty());
    market.refuse(&close, SlabError::NotEmpty);
    let refund = market.refund(0, 0);
    market.crank(refund);
    market.step(&[close]);
    let owner = market.taker.wallet.pubkey();
    let unbind = router::unbind_escrow(&owner, &seat.slab, &market.exchange.mint);
    market.crank(unbind);
}

#[test]
fn x2_lq2_a_frozen_escrow_keeps_its_account() {
    let (mut exchange, one, _) = joined();
    drain(&mut exchange, &one);
    let close = close(&exchange, &one);
    let freeze = |escrow: &mut Account| escrow.data[offset_of!(Escrow, frozen)] = 1;
    while_changed(&mut exchange.session, &one.escrow, freeze, |session| {
        refused(
            session,
            from_ref(&close),
            &[&one.trader],
            SlabError::AccountFrozen,
        );
    });
    step(&mut exchange, &one, close);
}

#[test]
fn x2_stale_instructions_of_an_ended_account_do_nothing_to_the_next() {
    let (mut exchange, one, _) = joined();
    drain(&mut exchange, &one);
    let last = [
        close(&exchange, &one),
        unbind(&exchange, &one),
        free(&exchange, &one),
    ];
    for instruction in last.clone() {
        step(&mut exchange, &one, instruction);
    }
    let newcomer = ok(exchange.join(FUNDS, FUNDS));
    assert_eq!(newcomer.account, one.account);
    // The old session key and the old escrow, at the same index.
    let (order, trader) = (
        one.order(OrderKind::PostOnly, Side::Bid, MARK - 5, 1),
        one.trader.pubkey(),
    );
    let slab_key = exchange.slab;
    for (stale, why) in [
        (
            slab::place(&slab_key, &trader, &order),
            SlabError::WrongTrader,
        ),
        (
            slab::release(&slab_key, &trader, one.account, 1),
            SlabError::WrongTrader,
        ),
        (sync(&exchange, &one), SlabError::NotBound),
        (last[0].clone(), SlabError::NotBound),
        (last[2].clone(), SlabError::NoAccount),
    ] {
        refuse(&mut exchange, &one, &stale, why);
    }
    refuse(&mut exchange, &one, &last[1], RouterError::NotBound);
    let mut unsigned = bind(&exchange, &one);
    unsigned.accounts[0].is_signer = false;
    refuse(&mut exchange, &one, &unsigned, UNSIGNED);
}
