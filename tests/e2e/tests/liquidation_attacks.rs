//! Liquidations that somebody wants and must not have.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::crash::Crash;
use flagstone_e2e_tests::refusal::Why;
use flagstone_e2e_tests::{forge, ok};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::router::{Portfolio, SlabLedger, Ticket};
use flagstone_sdk::margin::times::{DELEVERAGE_SLOTS, GRACE_SLOTS, TICKET_SLOTS};
use flagstone_sdk::units::Slot;
use flagstone_sdk::{address, router, slab};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_signer::Signer;
use std::slice::from_ref;

/// A victim with a ticket out, and bids to sweep.
fn ticketed() -> Crash {
    let mut crash = Crash::open();
    crash.sink();
    crash.freeze();
    crash.crank(&[crash.issue()]);
    crash
}

/// Refuses `instruction` while the record at `key` is changed.
fn refuse_while<T: bytemuck::Pod>(
    crash: &mut Crash,
    key: &solana_address::Address,
    change: impl FnOnce(&mut T),
    instruction: &Instruction,
    why: impl Into<Why>,
) {
    let why = why.into();
    let edit = |account: &mut Account| {
        change(bytemuck::from_bytes_mut(&mut account.data));
    };
    forge::while_changed(&mut crash.exchange.session, key, edit, |session| {
        flagstone_e2e_tests::refusal::refused(session, from_ref(instruction), &[], why);
    });
}

#[test]
fn lq2_a_ticket_that_nobody_issued_counts_for_nothing() {
    let mut crash = ticketed();
    let sweep = crash.sweep();
    let key = crash.records().ticket;
    // A copy at another address, of another owner.
    let session = &mut crash.exchange.session;
    for spoil in forge::spoilers() {
        let planted = forge::plant_copy(session, &key, spoil);
        let forged = forge::swapped(&sweep, 1, planted);
        let before = flagstone_e2e_tests::refusal::snapshot(session);
        let code = flagstone_e2e_tests::code(session.send(&[forged], &[]));
        assert_eq!(code, SlabError::WrongRecord.code());
        flagstone_e2e_tests::refusal::assert_unchanged(session, &before);
    }
    // Other records of the Router in its place.
    for other in [crash.records().portfolio, crash.victim.escrow] {
        let forged = forge::swapped(&sweep, 1, other);
        crash.refuse(&forged, SlabError::WrongRecord);
    }
    // Another portfolio.
    let buyer = address::portfolio(&crash.buyer.wallet.pubkey());
    let forged = forge::swapped(&sweep, 2, buyer);
    crash.refuse(&forged, SlabError::WrongRecord);
    // Another account.
    let mut other = sweep.clone();
    other.data[1..3].copy_from_slice(&crash.seller.account.to_le_bytes());
    crash.refuse(&other, SlabError::WrongRecord);
    crash.crank(&[sweep]);
}

#[test]
fn lq2_stale_expired_older_and_exhausted_tickets_are_void() {
    let mut crash = ticketed();
    let (sweep, ticket) = (crash.sweep(), crash.records().ticket);
    let portfolio = crash.records().portfolio;
    let slot = crash.exchange.session.slot() as u32;
    let bad = SlabError::BadTicket;
    refuse_while::<Ticket>(&mut crash, &ticket, |it| it.episode += 1, &sweep, bad);
    refuse_while::<Ticket>(&mut crash, &ticket, |it| it.nonce = 0, &sweep, bad);
    refuse_while::<Ticket>(
        &mut crash,
        &ticket,
        |it| it.expiry_slot = Slot(slot - 1),
        &sweep,
        bad,
    );
    // Not liquidating any more, another episode, a grace that runs.
    refuse_while::<Portfolio>(&mut crash, &portfolio, |it| it.status = 0, &sweep, bad);
    refuse_while::<Portfolio>(&mut crash, &portfolio, |it| it.episode += 1, &sweep, bad);
    refuse_while::<Portfolio>(
        &mut crash,
        &portfolio,
        |it| it.grace_until = Slot(slot + 1),
        &sweep,
        bad,
    );
    // One lot, and then no more on the same ticket.
    refuse_after_one_lot(&mut crash, &sweep);
    // An older one, after a newer one was used.
    let old = crash.ticket();
    crash.wait(u64::from(TICKET_SLOTS.0 + DELEVERAGE_SLOTS.0) + 1);
    crash.crank(&[crash.issue()]);
    crash.crank(&[crash.sweep()]);
    let older = move |it: &mut Ticket| {
        *it = Ticket {
            expiry_slot: Slot(u32::MAX),
            ..old
        };
    };
    refuse_while::<Ticket>(&mut crash, &ticket, older, &sweep, bad);
}

fn refuse_after_one_lot(crash: &mut Crash, sweep: &Instruction) {
    let key = crash.records().ticket;
    let mut account = forge::account(&crash.exchange.session, &key);
    let record: &mut Ticket = bytemuck::from_bytes_mut(&mut account.data);
    record.lots_max = 1;
    crash
        .exchange
        .session
        .svm
        .set_account(key, account)
        .expect("a ticket");
    crash.crank(from_ref(sweep));
    assert_eq!(crash.lots(&crash.victim), 199);
    crash.refuse(sweep, SlabError::BadTicket);
    // Exhausted, so the next is due at once.
    let issue = crash.issue();
    crash.crank(&[issue]);
    assert_eq!(crash.ticket().nonce, 2);
}

#[test]
fn lq2_a_ticket_is_for_one_slab() {
    let mut crash = ticketed();
    let other = ok(crash.exchange.add_slab("other", SlabSize::Dev));
    let seat = ok(crash.exchange.add_seat(&crash.victim, &other));
    let keeper = ok(crash.exchange.add_seat(&crash.keeper, &other));
    let records = crash.records();
    let elsewhere = slab::liquidation_call(&other, &records, seat.account, keeper.account, &[]);
    crash.refuse(&elsewhere, SlabError::WrongRecord);
    // Nor does the Router issue one for an account that is well.
    let (owner, _, mint) = crash.at();
    let payer = crash.exchange.session.payer();
    let issue = router::issue_ticket(&payer, &owner, &other, &mint);
    crash.refuse(&issue, RouterError::NoTicketDue);
    let begin = router::begin_liquidation(&owner, &other, &mint);
    crash.refuse(&begin, RouterError::Healthy);
    // The ticket of another escrow in its place.
    let swapped = forge::swapped(&issue, 7, records.ticket);
    crash.refuse(&swapped, RouterError::NoTicketDue);
}

#[test]
fn lq1_no_one_is_liquidated_who_is_well_or_whose_mark_is_stale() {
    let mut crash = Crash::open();
    let begin = crash.begin();
    crash.refuse(&begin, RouterError::Healthy);
    for member in [&crash.seller, &crash.buyer] {
        let owner = member.wallet.pubkey();
        let (slab, mint) = (crash.exchange.slab, crash.exchange.mint);
        let begin = router::begin_liquidation(&owner, &slab, &mint);
        flagstone_e2e_tests::refusal::refused(
            &mut crash.exchange.session,
            &[begin],
            &[],
            RouterError::Healthy,
        );
    }
    crash.sink();
    // Eleven slots without a price.
    crash.exchange.session.wait(11);
    crash.refuse(&begin, RouterError::Healthy);
    crash.post();
    crash.crank(&[begin, crash.sync()]);
    crash.wait(GRACE_SLOTS.0.into());
    crash.exchange.session.wait(11);
    let (issue, end) = (crash.issue(), crash.end());
    crash.refuse(&issue, RouterError::Healthy);
    crash.refuse(&end, RouterError::NotRestored);
}

#[test]
fn lq1_records_that_do_not_belong_together_are_refused() {
    let mut crash = ticketed();
    let buyer = crash.buyer.wallet.pubkey();
    let (slab, mint) = (crash.exchange.slab, crash.exchange.mint);
    let other = ok(crash.exchange.add_slab("other", SlabSize::Dev));
    let all = [
        (crash.begin(), 0),
        (crash.end(), 0),
        (crash.shift(), 0),
        (crash.cover(), 0),
        (crash.issue(), 1),
    ];
    for (instruction, first) in all {
        let swaps = [
            (0, address::portfolio(&buyer)),
            (1, address::escrow(&slab, &buyer, &mint)),
            (2, address::slab_ledger(&other, &mint)),
            (3, address::slab_entry(&other)),
            (4, other),
        ];
        for (place, key) in swaps {
            let forged = forge::swapped(&instruction, first + place, key);
            crash.refuse(&forged, RouterError::WrongSlab);
        }
        let elsewhere = forge::swapped(&instruction, first + 5, forge::stranger());
        crash.refuse(&elsewhere, RouterError::WrongProgramVersion);
    }
    // A ticket at another address.
    let mine = forge::swapped(&crash.end(), 6, forge::stranger());
    crash.refuse(&mine, RouterError::NotRestored);
}

#[test]
fn lq3_nobody_pays_himself_out_of_his_own_liquidation() {
    let mut crash = ticketed();
    let mut sweep = crash.sweep();
    sweep.data[3..5].copy_from_slice(&crash.victim.account.to_le_bytes());
    crash.refuse(&sweep, SlabError::NoAccount);
}

#[test]
fn l2_x5_a_redeployed_slab_program_is_not_believed() {
    let mut crash = ticketed();
    let data = address::program_data(&address::SLAB);
    let mut account = forge::account(&crash.exchange.session, &data);
    // The slot of the last deployment.
    account.data[4] ^= 1;
    let session = &mut crash.exchange.session;
    session
        .svm
        .set_account(data, account)
        .expect("program data");
    let all = [
        crash.begin(),
        crash.issue(),
        crash.end(),
        crash.shift(),
        crash.cover(),
        crash.collect(),
    ];
    for instruction in all {
        crash.refuse(&instruction, RouterError::WrongProgramVersion);
    }
}

#[test]
fn x7_totals_that_run_backwards_book_nothing() {
    let mut crash = Crash::open();
    crash.crank(&[crash.collect()]);
    let key = address::slab_ledger(&crash.exchange.slab, &crash.exchange.mint);
    let collect = crash.collect();
    let ahead = |it: &mut SlabLedger| it.fees_seen.add(1);
    refuse_while::<SlabLedger>(&mut crash, &key, ahead, &collect, RouterError::BadCounters);
    let ahead = |it: &mut SlabLedger| it.insurance_due_seen.add(1);
    refuse_while::<SlabLedger>(&mut crash, &key, ahead, &collect, RouterError::BadCounters);
}

#[test]
fn lq1_a_slab_whose_lists_loop_is_unreadable() {
    let mut crash = Crash::open();
    crash.sink();
    let (slab, account) = (crash.exchange.slab, u32::from(crash.victim.account));
    let begin = crash.begin();
    let original = forge::account(&crash.exchange.session, &slab);
    let damage: [fn(&mut flagstone_sdk::engine::Slab<'_>, u32); 4] = [
        |slab, account| {
            let head = slab.accounts[account].positions_head;
            slab.positions[head].next_in_account = head;
        },
        |slab, account| slab.accounts[account].positions_head = u32::MAX,
        |slab, account| slab.accounts[account].cash_atoms = i64::MIN,
        |slab, account| {
            let head = slab.accounts[account].positions_head;
            slab.positions[head].cost_atoms = i64::MIN;
        },
    ];
    for spoil in damage {
        let session = &mut crash.exchange.session;
        session
            .edit_slab(&slab, |slab| spoil(slab, account))
            .expect("a slab");
        crash.refuse(&begin, RouterError::Unreadable);
        let session = &mut crash.exchange.session;
        session
            .svm
            .set_account(slab, original.clone())
            .expect("the slab");
    }
    crash.crank(&[begin]);
}
