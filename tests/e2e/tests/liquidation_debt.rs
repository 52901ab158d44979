//! A crash without depth: the ticket expires, opposite positions take over at
//! the bankruptcy price, insurance pays up to its cap, profits pay the rest.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::crash::{Crash, LOTS};
use flagstone_e2e_tests::govern::{change, propose, refusal};
use flagstone_e2e_tests::{QUOTE, forge, ok};
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::router::SlabLedger;
use flagstone_sdk::interface::router::portfolio_status;
use flagstone_sdk::interface::slab::account_flags;
use flagstone_sdk::margin::times::{DAY_SLOTS, DELEVERAGE_SLOTS, TICKET_SLOTS};
use flagstone_sdk::router::Change;
use flagstone_sdk::{address, router};
use solana_signer::Signer;
use std::slice::from_ref;

/// Slots for which a debt stands before profits pay it in any case.
const STOOD: u64 = flagstone_sdk::engine::releases::WARMUP_SLOTS.0 as u64;

/// The price falls far below what the victim has, and nobody bids.
fn bankrupt(insurance: u64) -> Crash {
    let mut crash = Crash::open();
    if insurance > 0 {
        crash.insure(insurance);
    }
    crash.fall_to(8_500);
    // 200 lots lost 3,000; 2,290 were there.
    let health = crash.health(&crash.victim);
    assert_eq!(health.equity_atoms, -710 * QUOTE as i64);
    crash.crank(&[crash.begin(), crash.sync()]);
    assert_eq!(
        u64::from(crash.portfolio().grace_until.0),
        crash.exchange.session.slot()
    );
    crash.crank(&[crash.issue()]);
    assert_eq!(crash.ticket().lots_max, LOTS);
    crash
}

/// As [`bankrupt`], and deleveraged after the ticket expired.
fn deleveraged(insurance: u64) -> Crash {
    let mut crash = bankrupt(insurance);
    let sweep = crash.sweep();
    crash.refuse(&sweep, SlabError::NotFilled);
    let deleverage = crash.deleverage(&[&crash.seller]);
    crash.refuse(&deleverage, SlabError::BadTicket);
    crash.wait(u64::from(TICKET_SLOTS.0));
    crash.refuse(&deleverage, SlabError::BadTicket);
    crash.wait(1);
    crash.refuse(&sweep, SlabError::BadTicket);
    // It stands for deleveraging: another would bar it.
    let issue = crash.issue();
    crash.refuse(&issue, RouterError::NoTicketDue);
    crash.crank(&[deleverage]);
    assert_eq!(
        (crash.lots(&crash.victim), crash.lots(&crash.seller)),
        (0, 0)
    );
    crash
}

/// What the victim owes after that: 710, less the 2 % of 17,000 that the band
/// lets the counterpart give up.
const DEBT: u64 = 370 * QUOTE;

#[test]
fn lq5_x7_e2e4_bad_debt_is_covered_up_to_the_cap_and_cut_from_profits() {
    let mut crash = deleveraged(400 * QUOTE);
    assert_eq!(crash.account(&crash.victim).cash_atoms, -(DEBT as i64));
    assert_eq!(crash.header().deficit_atoms, DEBT);
    // The seller's 20,000, its rebate of 2, and 3,000 less what it gave up.
    let rich = 20_000 * QUOTE + 2 * QUOTE + 3_000 * QUOTE - 340 * QUOTE;
    assert_eq!(crash.account(&crash.seller).cash_atoms as u64, rich);

    // A quarter of the insurance for one event.
    let (cover, sync, allocate) = (crash.cover(), crash.sync(), crash.allocate());
    let backing = crash.ledger().backing_atoms;
    crash.crank(from_ref(&cover));
    let ledger = crash.ledger();
    assert_eq!(ledger.insurance_atoms, 300 * QUOTE);
    assert_eq!(ledger.backing_atoms, backing + 100 * QUOTE);
    assert_eq!(ledger.covered_total.get(), u128::from(100 * QUOTE));
    assert_eq!(crash.escrow().covered_total_atoms, 100 * QUOTE);
    crash.refuse(&cover, RouterError::NoCover);
    // Paid and not credited: profits must not pay it as well.
    crash.refuse(&allocate, SlabError::NoDeficit);
    crash.crank(from_ref(&sync));
    assert_eq!(crash.header().deficit_atoms, DEBT - 100 * QUOTE);
    crash.refuse(&cover, RouterError::NoCover);
    crash.refuse(&allocate, SlabError::NoDeficit);
    let end = crash.end();
    crash.refuse(&end, RouterError::NotRestored);

    crash.wait(STOOD);
    crash.crank(&[allocate]);
    assert_eq!(crash.header().deficit_atoms, 0);
    assert_eq!(crash.account(&crash.victim).cash_atoms, 0);
    // The rest is a cut of the only profit there is, rounded against it.
    let seller = crash.seller.account;
    let touch = flagstone_sdk::slab::sync(&crash.exchange.slab, &crash.seller.escrow, seller);
    crash.crank(&[touch]);
    let cut = rich - crash.account(&crash.seller).cash_atoms as u64;
    assert!((270 * QUOTE..=270 * QUOTE + 1).contains(&cut), "{cut}");

    crash.crank(&[end, sync]);
    let portfolio = crash.portfolio();
    assert_eq!(portfolio.status, portfolio_status::OPEN);
    // The victim lost what was pledged and nothing else.
    assert_eq!(portfolio.cash_atoms, flagstone_e2e_tests::crash::LEFT);
    let health = crash.health(&crash.victim);
    assert_eq!(health.equity_atoms, 0);
}

#[test]
fn x7_enough_insurance_pays_it_all_and_no_profit_is_cut() {
    let mut crash = deleveraged(4_000 * QUOTE);
    let (cover, sync, end) = (crash.cover(), crash.sync(), crash.end());
    crash.crank(&[cover.clone(), sync.clone()]);
    assert_eq!(crash.ledger().insurance_atoms, 4_000 * QUOTE - DEBT);
    assert_eq!(crash.header().deficit_atoms, 0);
    assert_eq!(crash.account(&crash.victim).cash_atoms, 0);
    assert_eq!(crash.header().haircut_index, 0);
    crash.refuse(&cover, RouterError::NoCover);
    crash.crank(&[end, sync]);
    crash.refuse(&cover, RouterError::NoCover);
}

#[test]
fn x7_cover_waits_until_the_slab_has_recognised_the_debt() {
    let mut crash = deleveraged(400 * QUOTE);
    let account = u32::from(crash.victim.account);
    // As after a hold that outlived the last position: nobody has looked yet.
    let unseen = |slab: &mut flagstone_sdk::engine::Slab<'_>| {
        slab.accounts[account].flags &= !account_flags::BANKRUPT;
        slab.header.deficit_atoms = 0;
    };
    let (slab, session) = (crash.exchange.slab, &mut crash.exchange.session);
    session.edit_slab(&slab, unseen).expect("a slab");
    let (cover, sync) = (crash.cover(), crash.sync());
    // Paid now, the slab would refuse it, and every later sync.
    crash.refuse(&cover, RouterError::NoCover);
    crash.crank(&[sync.clone(), cover, sync]);
    assert_eq!(crash.header().deficit_atoms, DEBT - 100 * QUOTE);
}

#[test]
fn x7_cover_needs_a_debt_without_positions() {
    let mut crash = bankrupt(4_000 * QUOTE);
    let cover = crash.cover();
    crash.refuse(&cover, RouterError::NoCover);
    let mut healthy = Crash::open();
    healthy.insure(1_000 * QUOTE);
    let cover = healthy.cover();
    healthy.refuse(&cover, RouterError::NoCover);
}

#[test]
fn x7_the_days_cap_bounds_all_events_and_an_events_cap_outlasts_the_day() {
    let mut crash = deleveraged(400 * QUOTE);
    // As if other accounts had taken 300 today already: a half of the day's
    // 700 is 350.
    let ledger = address::slab_ledger(&crash.exchange.slab, &crash.exchange.mint);
    let today = (crash.exchange.session.slot() / u64::from(DAY_SLOTS.0)) as u32;
    let session = &mut crash.exchange.session;
    let mut account = forge::account(session, &ledger);
    let record: &mut SlabLedger = bytemuck::from_bytes_mut(&mut account.data);
    (record.cover_day, record.cover_day_atoms) = (today, 300 * QUOTE);
    session.svm.set_account(ledger, account).expect("a ledger");

    let cover = crash.cover();
    crash.crank(from_ref(&cover));
    assert_eq!(crash.escrow().covered_total_atoms, 50 * QUOTE);
    crash.refuse(&cover, RouterError::NoCover);
    crash.wait(u64::from(DAY_SLOTS.0));
    // A quarter of the 350 that are left, less what this event took.
    crash.crank(from_ref(&cover));
    assert_eq!(crash.ledger().cover_day, today + 1);
    assert_eq!(crash.ledger().cover_day_atoms, 37_500_000);
    assert_eq!(crash.escrow().covered_total_atoms, 87_500_000);
    crash.refuse(&cover, RouterError::NoCover);
}

#[test]
fn lq2_a_new_ticket_follows_an_unused_one_after_its_time_for_deleveraging() {
    let mut crash = bankrupt(0);
    let issue = crash.issue();
    crash.wait(u64::from(TICKET_SLOTS.0 + DELEVERAGE_SLOTS.0));
    crash.refuse(&issue, RouterError::NoTicketDue);
    crash.wait(1);
    let old = crash.ticket();
    crash.crank(&[issue]);
    let new = crash.ticket();
    assert_eq!(new.nonce, old.nonce + 1);
    assert!(new.issued_slot > old.expiry_slot);
}

#[test]
fn x7_fees_are_collected_once_and_only_the_authority_takes_them() {
    let mut crash = Crash::open();
    let collect = crash.collect();
    let before = crash.ledger();
    crash.crank(from_ref(&collect));
    let after = crash.ledger();
    assert_eq!(after.fees_atoms, 8 * QUOTE);
    assert_eq!(before.backing_atoms - after.backing_atoms, 8 * QUOTE);
    crash.crank(&[collect]);
    assert_eq!(crash.ledger().fees_atoms, after.fees_atoms);
    assert_eq!(crash.ledger().backing_atoms, after.backing_atoms);

    let (slab, mint) = (crash.exchange.slab, crash.exchange.mint);
    let thief = crash.buyer.wallet.pubkey();
    let steal = router::withdraw_fees(&thief, &slab, &mint, &crash.buyer.tokens, 1);
    let session = &mut crash.exchange.session;
    let signer = [&crash.buyer.wallet];
    flagstone_e2e_tests::refusal::refused(session, &[steal], &signer, RouterError::WrongOwner);

    let admin = crash.exchange.admin.pubkey();
    let account = ok(crash.exchange.create_tokens(&admin, 0));
    let take = |atoms| router::withdraw_fees(&admin, &slab, &mint, &account, atoms);
    let session = &mut crash.exchange.session;
    let signer = [&crash.exchange.admin];
    for (atoms, why) in [
        (8 * QUOTE + 1, RouterError::NotEnoughCash),
        (0, RouterError::ZeroAmount),
    ] {
        flagstone_e2e_tests::refusal::refused(session, &[take(atoms)], &signer, why);
    }
    ok(session.send(&[take(8 * QUOTE)], &signer));
    crash.audit();
    assert_eq!(crash.exchange.session.token_balance(&account), 8 * QUOTE);
    assert_eq!(crash.ledger().fees_atoms, 0);
}

#[test]
fn x7_x9_governance_sets_the_parts_that_cover_may_take() {
    let mut crash = deleveraged(400 * QUOTE);
    let (slab, mint) = (crash.exchange.slab, crash.exchange.mint);
    let caps = |event, day| Change::set_cover_caps(&slab, &mint, event, day);
    // A twentieth for one event, a tenth for a day.
    change(&mut crash.exchange, &caps(500, 1_000));
    let ledger = crash.ledger();
    assert_eq!((ledger.cover_event_bps, ledger.cover_day_bps), (500, 1_000));
    let cover = crash.cover();
    crash.crank(from_ref(&cover));
    assert_eq!(crash.ledger().insurance_atoms, 380 * QUOTE);
    crash.crank(&[crash.sync()]);
    crash.refuse(&cover, RouterError::NoCover);
    // What was paid counts against the new parts, up or down.
    change(&mut crash.exchange, &caps(300, 300));
    crash.refuse(&cover, RouterError::NoCover);
    change(&mut crash.exchange, &caps(5_000, 9_000));
    crash.crank(&[cover.clone(), crash.sync()]);
    assert_eq!(crash.ledger().insurance_atoms, 200 * QUOTE);
    crash.refuse(&cover, RouterError::NoCover);
    // Back to the defaults.
    change(&mut crash.exchange, &caps(0, 0));
    let ledger = crash.ledger();
    assert_eq!((ledger.cover_event_bps, ledger.cover_day_bps), (0, 0));
    crash.refuse(&cover, RouterError::NoCover);
}

#[test]
fn x7_x9_parts_out_of_bounds_or_of_another_slab_are_refused() {
    let mut crash = Crash::open();
    let (slab, mint) = (crash.exchange.slab, crash.exchange.mint);
    let unsound = [(0, 1), (1, 0), (2, 1), (5_001, 9_000), (5_000, 9_001)];
    for (event, day) in unsound {
        let change = Change::set_cover_caps(&slab, &mint, event, day);
        let id = propose(&mut crash.exchange, &change);
        let code = refusal(&mut crash.exchange, &change, id);
        assert_eq!(code, RouterError::BadSetting.code(), "{event} {day}");
    }
    let other = ok(crash
        .exchange
        .add_slab("other", flagstone_sdk::engine::SlabSize::Dev));
    let change = Change::set_cover_caps(&slab, &mint, 1_000, 2_000);
    let id = propose(&mut crash.exchange, &change);
    let payer = crash.exchange.session.payer();
    let execute = change.execute(&payer, id);
    let bad = RouterError::BadProposal;
    let forged = forge::swapped(&execute, 4, address::slab_ledger(&other, &mint));
    crash.refuse(&forged, bad);
    let forged = forge::swapped(&execute, 4, address::slab_entry(&slab));
    crash.refuse(&forged, RouterError::WrongRecord);
    let mut more = execute.clone();
    more.accounts.push(more.accounts[3].clone());
    crash.refuse(&more, bad);
    crash.crank(&[execute]);
    assert_eq!(crash.ledger().cover_day_bps, 2_000);
}
