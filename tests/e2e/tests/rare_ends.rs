//! Ends that are seldom reached: out of a lost slab in the middle of a
//! liquidation, an LP's fees at the vault's limit, and the last crumbs of an
//! account that nobody uses.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::crash::{Crash, LEFT, PLEDGED};
use flagstone_e2e_tests::govern::change;
use flagstone_e2e_tests::market::{Market, TAKER_CASH};
use flagstone_e2e_tests::money::audit_custody;
use flagstone_e2e_tests::refusal::refused;
use flagstone_e2e_tests::rescue::Rescue;
use flagstone_e2e_tests::{MARK, QUOTE, code, ok};
use flagstone_sdk::engine::accounts::IDLE_SLOTS;
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::interface::limits::RECENT_WINDOW_SLOTS;
use flagstone_sdk::interface::router::{
    SlabEntry, escrow_state, exit_mode, portfolio_status, slab_status,
};
use flagstone_sdk::router::Change;
use flagstone_sdk::{address, router, slab};
use solana_signer::Signer;

/// A victim with a ticket on it, at a slab that was just found bad.
fn lost() -> Crash {
    let mut crash = Crash::open();
    crash.sink();
    crash.freeze();
    let issue = crash.issue();
    crash.crank(&[issue]);
    lie(&mut crash);
    crash
}

/// The slab shows what it cannot show, and is closed to its users.
fn lie(crash: &mut Crash) {
    let (owner, slab_key, mint) = crash.at();
    let victim = u32::from(crash.victim.account);
    // A debit that no capability allowed.
    let session = &mut crash.exchange.session;
    let lie = session.edit_slab(&slab_key, |slab| {
        slab.accounts[victim].debited_total_atoms += 1;
    });
    lie.expect("a slab");
    let settle = router::settle(&owner, &slab_key, &mint);
    ok(session.send(&[settle], &[]));
    let entry: Option<SlabEntry> = session.record(&address::slab_entry(&slab_key));
    assert_eq!(entry.expect("an entry").status, slab_status::QUARANTINED);
    assert_eq!(crash.ledger().exit.mode, exit_mode::PRINCIPAL);
}

#[test]
fn x11_lq4_an_account_under_liquidation_leaves_a_lost_slab_and_ends_its_episode() {
    let mut crash = lost();
    let (owner, slab_key, mint) = crash.at();
    assert_eq!(crash.portfolio().status, portfolio_status::LIQUIDATING);
    assert_eq!(crash.escrow().frozen, 1);
    // Nothing goes on at a slab that is not read any more, in either direction.
    for instruction in [crash.end(), crash.issue(), crash.shift(), crash.cover()] {
        crash.refuse(&instruction, RouterError::WrongSlab);
    }
    let withdraw = |atoms| router::withdraw(&owner, &mint, &crash.victim.tokens, atoms);
    let (early, late) = (withdraw(LEFT), withdraw(LEFT + PLEDGED));
    let wallet = crash.victim.wallet.insecure_clone();
    let session = &mut crash.exchange.session;
    refused(session, &[early], &[&wallet], RouterError::Liquidating);
    // Nobody leaves for the owner.
    let exit = router::exit_by_proof(&owner, &slab_key, &mint, None);
    let mut stolen = exit.clone();
    stolen.accounts[0].pubkey = crash.buyer.wallet.pubkey();
    let thief = crash.buyer.wallet.insecure_clone();
    refused(session, &[stolen], &[&thief], RouterError::WrongOwner);

    let backing = crash.ledger().backing_atoms;
    let exit = [exit];
    ok(crash.exchange.session.send(&exit, &[&wallet]));
    audit_custody(&crash.exchange.session);
    // All principals are covered, so it gets its own in full.
    let portfolio = crash.portfolio();
    assert_eq!(portfolio.cash_atoms, LEFT + PLEDGED);
    assert_eq!(backing - crash.ledger().backing_atoms, PLEDGED);
    assert_eq!(portfolio.status, portfolio_status::OPEN);
    assert_eq!(portfolio.frozen_count, 0);
    assert!(portfolio.escrows.iter().all(|one| *one == [0; 32]));
    let escrow = crash.escrow();
    assert_eq!((escrow.frozen, escrow.state), (0, escrow_state::EXITED));
    // Once; and the ticket that it leaves behind closes nothing.
    crash.exchange.session.svm.expire_blockhash();
    let again = crash.exchange.session.send(&exit, &[&wallet]);
    assert_eq!(code(again), RouterError::NoExit.code());
    let sweep = crash.sweep();
    crash.refuse(&sweep, SlabError::BadTicket);
    ok(crash.exchange.session.send(&[late], &[&wallet]));
    audit_custody(&crash.exchange.session);
}

#[test]
fn x11_lq4_an_episode_with_another_frozen_account_outlasts_the_exit() {
    let mut rescue = Rescue::open();
    rescue.buy_at_source();
    rescue.freeze();
    // The price falls at the second slab as well.
    rescue.mark_source(8_900);
    let (owner, slab_key, mint) = rescue.crash.at();
    let second = rescue.source.slab;
    let begin = router::begin_liquidation(&owner, &second, &mint);
    rescue.crank(&[begin]);
    assert_eq!(rescue.crash.portfolio().frozen_count, 2);
    lie(&mut rescue.crash);
    let crash = &mut rescue.crash;
    let wallet = crash.victim.wallet.insecure_clone();
    let exit = router::exit_by_proof(&owner, &slab_key, &mint, None);
    ok(crash.exchange.session.send(&[exit], &[&wallet]));
    let portfolio = crash.portfolio();
    assert_eq!(portfolio.status, portfolio_status::LIQUIDATING);
    assert_eq!(portfolio.frozen_count, 1);
    assert_eq!(portfolio.cash_atoms, LEFT + PLEDGED);
    let withdraw = router::withdraw(&owner, &mint, &crash.victim.tokens, LEFT + PLEDGED);
    let withdraw = [withdraw];
    let session = &mut crash.exchange.session;
    refused(session, &withdraw, &[&wallet], RouterError::Liquidating);
    // It ends with the other one.
    rescue.mark_source(MARK);
    let end = router::end_liquidation(&owner, &second, &mint);
    let session = &mut rescue.crash.exchange.session;
    ok(session.send(&[end], &[]));
    assert_eq!(rescue.crash.portfolio().status, portfolio_status::OPEN);
    ok(rescue.crash.exchange.session.send(&withdraw, &[&wallet]));
    audit_custody(&rescue.crash.exchange.session);
}

#[test]
fn x8_fees_leave_within_the_vaults_limit_and_behind_the_claims() {
    const LIMIT: u64 = 5 * QUOTE;
    const WINDOW: u32 = 1_000;
    let mut crash = Crash::open();
    let collect = crash.collect();
    crash.crank(&[collect]);
    assert_eq!(crash.ledger().fees_atoms, 8 * QUOTE);
    let (slab_key, mint) = (crash.exchange.slab, crash.exchange.mint);
    let vault = address::vault(&mint);
    change(
        &mut crash.exchange,
        &Change::set_limit(&vault, LIMIT, WINDOW),
    );
    // Nobody's deposits are recent.
    crash
        .exchange
        .session
        .wait(2 * u64::from(RECENT_WINDOW_SLOTS));
    let admin = crash.exchange.admin.insecure_clone();
    let to = ok(crash.exchange.create_tokens(&admin.pubkey(), 0));
    let take = |atoms| router::withdraw_fees(&admin.pubkey(), &slab_key, &mint, &to, atoms);
    let session = &mut crash.exchange.session;
    refused(
        session,
        &[take(LIMIT + 1)],
        &[&admin],
        RouterError::OverLimit,
    );
    ok(session.send(&[take(LIMIT)], &[&admin]));
    // The bucket is one: what fees took is not there for a user either.
    let owner = crash.victim.wallet.pubkey();
    let wallet = crash.victim.wallet.insecure_clone();
    let (tokens, whole) = (crash.victim.tokens, LIMIT);
    let withdraw = router::withdraw(&owner, &mint, &tokens, QUOTE);
    refused(session, &[take(1)], &[&admin], RouterError::OverLimit);
    refused(session, &[withdraw], &[&wallet], RouterError::OverLimit);
    // A user's claim waits, and fees do not overtake it.
    let claim = router::claim_withdrawal(&owner, &mint, &tokens, whole);
    ok(session.send(&[claim], &[&wallet]));
    session.wait(u64::from(WINDOW) / 2);
    refused(session, &[take(1)], &[&admin], RouterError::OverLimit);
    session.wait(u64::from(WINDOW) / 2);
    let pay = router::pay_claim(&owner, &mint, &tokens);
    ok(session.send(&[pay], &[]));
    refused(session, &[take(1)], &[&admin], RouterError::OverLimit);
    session.wait(WINDOW.into());
    ok(session.send(&[take(3 * QUOTE)], &[&admin]));
    assert_eq!(session.token_balance(&to), 8 * QUOTE);
    crash.audit();
    assert_eq!(crash.ledger().fees_atoms, 0);
}

#[test]
fn t6_crumbs_go_home_and_the_account_ends() {
    let mut market = Market::open(1);
    let seat = market.seats[0];
    let (owner, mint) = (market.taker.wallet.pubkey(), market.exchange.mint);
    market.fund(0, QUOTE);
    let session = &mut market.exchange.session;
    let raised = session.edit_slab(&seat.slab, |slab| {
        slab.header.account_deposit_min_atoms = QUOTE;
    });
    raised.expect("a slab");
    let drain = [market.release(0, QUOTE), market.settle(0)];
    market.step(&drain);
    market.wait(u64::from(IDLE_SLOTS.0) - 1);
    // An atom a day, so that the account is never empty and never idle.
    market.fund(0, 1);
    let reclaim = slab::reclaim_account(&seat.slab, &seat.escrow, seat.account);
    market.refuse(&reclaim, SlabError::WrongTrader);
    market.wait(1);
    market.fund(0, 1);
    let receipt = market.crank(reclaim.clone());
    let [Event::Released(released)] = receipt.events[..] else {
        panic!("{:?}", receipt.events)
    };
    assert_eq!({ released.amount_atoms }, 2);
    assert_eq!(
        (market.account(0).cash_atoms, market.cash()),
        (0, TAKER_CASH - 2)
    );
    // Not before the Router has paid them, and not unbound either.
    market.refuse(&reclaim, SlabError::NotEmpty);
    let unbind = router::unbind_escrow(&owner, &seat.slab, &mint);
    market.refuse(&unbind, RouterError::NotClosed);
    let settle = market.settle(0);
    market.crank(settle);
    assert_eq!(market.cash(), TAKER_CASH);
    let receipt = market.crank(reclaim);
    assert!(matches!(receipt.events[..], [Event::AccountClosed(_)]));
    market.crank(unbind);
    market.crank(slab::free_account(&seat.slab, &seat.escrow, seat.account));
    assert!(!market.escrow(0).is_bound());
}
