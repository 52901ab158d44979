//! Shifts that somebody wants and must not have.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::refusal::{DUPLICATE, Why, assert_unchanged, refused, snapshot};
use flagstone_e2e_tests::rescue::{Rescue, SPARE, add_source};
use flagstone_e2e_tests::{QUOTE, forge, ok};
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::router::{Escrow, Portfolio, ShiftTicket, portfolio_status};
use flagstone_sdk::units::Slot;
use flagstone_sdk::{address, router, slab};
use solana_account::Account;
use solana_address::Address;
use solana_instruction::Instruction;
use solana_signer::Signer;
use std::slice::from_ref;

/// A rescue with a ticket out.
fn ticketed() -> Rescue {
    let mut rescue = Rescue::frozen();
    let issue = rescue.issue();
    rescue.crank(&[issue]);
    rescue
}

/// Refuses `instruction` while the record at `key` is changed.
fn refuse_while<T: bytemuck::Pod>(
    rescue: &mut Rescue,
    key: &Address,
    change: impl FnOnce(&mut T),
    instruction: &Instruction,
    why: impl Into<Why>,
) {
    let why = why.into();
    let edit = |account: &mut Account| change(bytemuck::from_bytes_mut(&mut account.data));
    let session = &mut rescue.crash.exchange.session;
    forge::while_changed(session, key, edit, |session| {
        refused(session, from_ref(instruction), &[], why);
    });
}

#[test]
fn lq4_a_shift_ticket_is_used_once_whoever_asks_again() {
    let mut rescue = ticketed();
    let (release, settle) = (rescue.release(), rescue.settle());
    rescue.crank(from_ref(&release));
    rescue.refuse(&release, SlabError::BadShift);
    rescue.crank(&[settle]);
    rescue.refuse(&release, SlabError::BadShift);
    // In one transaction neither: all of it is undone.
    let mut rescue = ticketed();
    let release = rescue.release();
    let before = snapshot(&rescue.crash.exchange.session);
    let session = &mut rescue.crash.exchange.session;
    let code = flagstone_e2e_tests::code(session.send(&[release.clone(), release], &[]));
    assert_eq!(code, SlabError::BadShift.code());
    assert_unchanged(&rescue.crash.exchange.session, &before);
    assert_eq!(rescue.account(&rescue.source).cash_atoms as u64, SPARE);
}

#[test]
fn lq4_a_shift_ticket_that_nobody_issued_counts_for_nothing() {
    let mut rescue = ticketed();
    let release = rescue.release();
    // Of another owner, another kind, cut short, at any place.
    for place in [1, 2, 4] {
        let key = release.accounts[place].pubkey;
        for spoil in forge::spoilers() {
            let session = &mut rescue.crash.exchange.session;
            let planted = forge::plant_copy(session, &key, spoil);
            let forged = forge::swapped(&release, place, planted);
            rescue.refuse(&forged, SlabError::WrongRecord);
        }
        // A true record of the Router, of another kind.
        let other = address::config();
        let forged = forge::swapped(&release, place, other);
        rescue.refuse(&forged, SlabError::WrongRecord);
    }
    // A ticket to liquidate in place of one to shift, and the other way round.
    let session = &rescue.crash.exchange.session;
    let slot = session.slot();
    let sweep = forge::swapped(&rescue.crash.sweep(), 1, release.accounts[1].pubkey);
    rescue.refuse(&sweep, SlabError::WrongRecord);
    assert_eq!(slot, rescue.crash.exchange.session.slot());
    rescue.crank(&[release]);
}

#[test]
fn lq4_a_shift_ticket_is_for_its_own_slab_account_and_portfolio() {
    let mut rescue = Rescue::open();
    let third = add_source(&mut rescue.crash, "third", 600 * QUOTE);
    rescue.freeze();
    let (issue, release) = (rescue.issue(), rescue.release());
    rescue.crank(&[issue]);
    let buyer = rescue.crash.buyer.wallet.pubkey();
    let wrong = SlabError::WrongRecord;
    let swaps = [
        (2, address::portfolio(&buyer), wrong),
        (3, rescue.crash.buyer.escrow, SlabError::WrongEscrow),
        (3, third.escrow, SlabError::WrongEscrow),
        (4, third.escrow, wrong),
        (4, rescue.crash.buyer.escrow, wrong),
        (4, rescue.source.escrow, wrong),
    ];
    for (place, key, why) in swaps {
        let forged = forge::swapped(&release, place, key);
        rescue.refuse(&forged, why);
    }
    // At another slab, by the ticket of the first or as a whole.
    let elsewhere = forge::swapped(&release, 0, third.slab);
    rescue.refuse(&elsewhere, SlabError::WrongEscrow);
    let mut at_third = rescue.release_at(&third);
    at_third.accounts[1].pubkey = release.accounts[1].pubkey;
    rescue.refuse(&at_third, wrong);
    // Another owner's account at the same slab.
    let other = ok(rescue
        .crash
        .exchange
        .add_seat(&rescue.crash.buyer, &rescue.source.slab));
    let forged = forge::swapped(&release, 3, other.escrow);
    rescue.refuse(&forged, wrong);
    rescue.crank(&[release]);
}

#[test]
fn lq4_a_shift_ticket_ends_with_what_it_was_issued_for() {
    let mut rescue = ticketed();
    let release = rescue.release();
    let ticket = address::shift_ticket(&rescue.source.escrow);
    let portfolio = address::portfolio(&rescue.crash.owner());
    let (source, target) = (rescue.source.escrow, rescue.crash.victim.escrow);
    let slot = rescue.crash.exchange.session.slot() as u32;
    let bad = SlabError::BadShift;
    let tickets: [fn(&mut ShiftTicket); 4] = [
        |it| it.episode += 1,
        |it| it.nonce = 0,
        |it| it.amount_max_atoms = 0,
        |it| it.generation += 1,
    ];
    for change in tickets {
        refuse_while::<ShiftTicket>(&mut rescue, &ticket, change, &release, bad);
    }
    let expired = |it: &mut ShiftTicket| it.expiry_slot = Slot(slot - 1);
    refuse_while::<ShiftTicket>(&mut rescue, &ticket, expired, &release, bad);
    let portfolios: [fn(&mut Portfolio); 4] = [
        |it| it.status = portfolio_status::OPEN,
        |it| it.episode += 1,
        |it| it.shift_nonce = 0,
        |it| it.shift_nonce += 1,
    ];
    for change in portfolios {
        refuse_while::<Portfolio>(&mut rescue, &portfolio, change, &release, bad);
    }
    let frozen = |it: &mut Escrow| it.frozen = 1;
    refuse_while::<Escrow>(&mut rescue, &source, frozen, &release, bad);
    let thawed = |it: &mut Escrow| it.frozen = 0;
    refuse_while::<Escrow>(&mut rescue, &target, thawed, &release, bad);
    let restored = |it: &mut Escrow| it.restored_slot = Slot(slot);
    refuse_while::<Escrow>(&mut rescue, &target, restored, &release, bad);
    rescue.crank(&[release]);
}

#[test]
fn lq4_no_slab_but_the_one_that_gives_ends_a_shift() {
    let mut rescue = Rescue::open();
    let third = add_source(&mut rescue.crash, "third", SPARE);
    let liar = add_source(&mut rescue.crash, "fourth", QUOTE);
    rescue.freeze();
    // Released by the second slab, and not booked yet.
    let out = [rescue.issue(), rescue.release()];
    rescue.crank(&out);
    let nonce = rescue.crash.portfolio().shift_nonce;
    // A slab that lies shows that the ticket was used there, and booked.
    let session = &mut rescue.crash.exchange.session;
    let lie = session.edit_slab(&liar.slab, |slab| {
        slab.accounts[u32::from(liar.account)].ticket_nonce = nonce;
    });
    lie.expect("a slab");
    let from_liar = rescue.issue_from(&liar.slab);
    rescue.refuse(&from_liar, RouterError::NoTicketDue);
    let settle = rescue.settle_at(&liar.slab);
    rescue.crank(&[settle]);
    assert_eq!(rescue.crash.portfolio().shift_nonce, nonce);
    // Or else the third slab would release the same need once more.
    let again = rescue.issue_from(&third.slab);
    rescue.refuse(&again, RouterError::NoTicketDue);
    let settle = rescue.settle();
    rescue.crank(&[settle]);
    assert_eq!(rescue.crash.portfolio().shift_nonce, 0);
    rescue.refuse(&again, RouterError::NothingToShift);
    assert_eq!(rescue.account(&third).cash_atoms as u64, SPARE);
}

#[test]
fn lq4_no_shift_after_the_end_of_the_liquidation() {
    let mut rescue = ticketed();
    let (issue, release) = (rescue.issue(), rescue.release());
    // The owner cures it first.
    let (owner, slab, mint) = rescue.crash.at();
    let (exchange, victim) = (&mut rescue.crash.exchange, &rescue.crash.victim);
    ok(exchange.deposit(victim, 970 * QUOTE));
    let fund = router::fund_slab(&owner, &slab, &mint, 970 * QUOTE);
    ok(exchange.session.send(&[fund], &[&victim.wallet]));
    let end = [rescue.crash.sync(), rescue.crash.end()];
    rescue.crank(&end);
    rescue.refuse(&release, SlabError::BadShift);
    rescue.refuse(&issue, RouterError::NoTicketDue);
    rescue.crash.wait(26);
    rescue.refuse(&issue, RouterError::NothingToShift);
    // Nor in the next episode.
    rescue.crash.fall_to(8_800);
    let begin = [rescue.crash.begin(), rescue.crash.sync()];
    rescue.crank(&begin);
    rescue.refuse(&release, SlabError::BadShift);
    assert_eq!(rescue.account(&rescue.source).cash_atoms as u64, SPARE);
}

#[test]
fn lq4_an_account_gives_nothing_to_itself_nor_while_it_is_frozen() {
    let mut rescue = Rescue::open();
    let same = rescue.issue_from(&rescue.crash.exchange.slab);
    rescue.refuse(&same, DUPLICATE);
    let issue = rescue.issue();
    rescue.refuse(&issue, RouterError::NothingToShift);
    rescue.buy_at_source();
    rescue.crash.sink();
    rescue.refuse(&issue, RouterError::NothingToShift);
    let begin = [rescue.crash.begin(), rescue.crash.sync()];
    rescue.crank(&begin);
    rescue.refuse(&same, DUPLICATE);
    // The giver falls as well, and is frozen.
    rescue.mark_source(8_900);
    let (owner, _, mint) = rescue.crash.at();
    let second = rescue.source.slab;
    let begin = router::begin_liquidation(&owner, &second, &mint);
    rescue.crank(&[begin]);
    rescue.mark_source(10_000);
    rescue.crash.wait(1);
    rescue.refuse(&issue, RouterError::Liquidating);
    // Nor is a target well that is not frozen, whatever its slab.
    let (payer, first) = (
        rescue.crash.exchange.session.payer(),
        rescue.crash.exchange.slab,
    );
    let back = router::issue_shift(&payer, &owner, &first, &second, &mint);
    rescue.refuse(&back, RouterError::Liquidating);
}

#[test]
fn lq4_records_of_a_shift_that_do_not_belong_together_are_refused() {
    let mut rescue = Rescue::open();
    let third = add_source(&mut rescue.crash, "third", 600 * QUOTE);
    rescue.freeze();
    let issue = rescue.issue();
    let buyer = rescue.crash.buyer.wallet.pubkey();
    let (slab, mint) = (rescue.crash.exchange.slab, rescue.crash.exchange.mint);
    let elsewhere = [
        address::slab_ledger(&third.slab, &mint),
        address::slab_entry(&third.slab),
        third.slab,
    ];
    // The source is at 1 to 6, the target at 7 to 11.
    let mut swaps = vec![
        (1, address::portfolio(&buyer)),
        (2, rescue.crash.buyer.escrow),
        (2, third.escrow),
        (7, address::escrow(&slab, &buyer, &mint)),
        (7, third.escrow),
    ];
    for (at, key) in elsewhere.into_iter().enumerate() {
        swaps.extend([(3 + at, key), (8 + at, key)]);
    }
    for (place, key) in swaps {
        let forged = forge::swapped(&issue, place, key);
        rescue.refuse(&forged, RouterError::WrongSlab);
    }
    for place in [6, 11] {
        let forged = forge::swapped(&issue, place, forge::stranger());
        rescue.refuse(&forged, RouterError::WrongProgramVersion);
    }
    // A ticket at another address, before and after it exists.
    let strange = forge::swapped(&issue, 12, forge::stranger());
    rescue.refuse(&strange, RouterError::WrongAddress);
    let from_third = rescue.issue_from(&third.slab);
    rescue.crank(from_ref(&from_third));
    let (release, settle) = (rescue.release_at(&third), rescue.settle_at(&third.slab));
    rescue.crank(&[release, settle]);
    let foreign = forge::swapped(&issue, 12, address::shift_ticket(&third.escrow));
    rescue.refuse(&foreign, RouterError::WrongAddress);
    let other = forge::swapped(&issue, 12, address::ticket(&rescue.crash.victim.escrow));
    rescue.refuse(&other, RouterError::WrongAddress);
    rescue.crank(&[issue]);
}

#[test]
fn lq4_x5_a_shift_believes_no_slab_whose_program_changed() {
    let mut rescue = ticketed();
    let data = address::program_data(&address::SLAB);
    let mut account = forge::account(&rescue.crash.exchange.session, &data);
    // The slot of the last deployment.
    account.data[4] ^= 1;
    let session = &mut rescue.crash.exchange.session;
    session
        .svm
        .set_account(data, account)
        .expect("program data");
    rescue.crash.wait(26);
    let issue = rescue.issue();
    rescue.refuse(&issue, RouterError::WrongProgramVersion);
}

#[test]
fn lq4_only_the_owner_consents_and_strangers_release_nothing_else() {
    let mut rescue = ticketed();
    // The session key's own instruction stays what it was.
    let trader = rescue.crash.buyer.trader.insecure_clone();
    let seat = rescue.source;
    let steal = slab::release(&seat.slab, &trader.pubkey(), seat.account, QUOTE);
    let session = &mut rescue.crash.exchange.session;
    refused(session, &[steal], &[&trader], SlabError::WrongTrader);
    let (owner, slab, mint) = rescue.crash.at();
    let mut consent = router::set_liability_max(&owner, &slab, &mint, u64::MAX);
    consent.accounts[0].pubkey = rescue.crash.buyer.wallet.pubkey();
    let wallet = rescue.crash.buyer.wallet.insecure_clone();
    let session = &mut rescue.crash.exchange.session;
    refused(session, &[consent], &[&wallet], RouterError::WrongOwner);
    let release = rescue.release();
    rescue.crank(&[release]);
    let left = SPARE - 870 * QUOTE;
    assert_eq!(rescue.account(&seat).cash_atoms as u64, left);
}
