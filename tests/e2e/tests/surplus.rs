//! Tokens that somebody sent to the vault without depositing them (rule X8).
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::forge::{spoilers, stranger, swapped, while_changed};
use flagstone_e2e_tests::govern::{change, settle_down};
use flagstone_e2e_tests::hostile::{called, deploy};
use flagstone_e2e_tests::market::Market;
use flagstone_e2e_tests::money::audit_money;
use flagstone_e2e_tests::refusal::{NOT_WRITABLE, Why, refused};
use flagstone_e2e_tests::{QUOTE, ok};
use flagstone_sdk::embedded::exchange::create_slab;
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::interface::error::RouterError;
use flagstone_sdk::interface::router::slab_status;
use flagstone_sdk::router::Change;
use flagstone_sdk::{address, router};
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::slice::from_ref;

/// Mints tokens straight into the vault's own account.
fn send_tokens(market: &mut Market, atoms: u64) {
    let (admin, mint) = (market.exchange.admin.insecure_clone(), market.exchange.mint);
    // Number 7 of SPL Token: mint, destination, authority.
    let mut data = vec![7];
    data.extend(atoms.to_le_bytes());
    let mint_to = Instruction {
        program_id: address::TOKEN,
        accounts: vec![
            AccountMeta::new(mint, false),
            AccountMeta::new(address::vault_tokens(&mint), false),
            AccountMeta::new_readonly(admin.pubkey(), true),
        ],
        data,
    };
    market.exchange.session.svm.expire_blockhash();
    ok(market.exchange.session.send(&[mint_to], &[&admin]));
}

fn skim(market: &Market, at: usize) -> Instruction {
    let (admin, mint) = (market.exchange.admin.pubkey(), market.exchange.mint);
    router::skim_surplus(&admin, &market.seats[at].slab, &mint)
}

#[track_caller]
fn refuse(market: &mut Market, instruction: &Instruction, signer: &Keypair, why: impl Into<Why>) {
    let session = &mut market.exchange.session;
    refused(session, from_ref(instruction), &[signer], why);
}

#[test]
fn x8_a_surplus_becomes_insurance_of_one_slab_to_the_atom() {
    let mut market = Market::open(2);
    let admin = market.exchange.admin.insecure_clone();
    let first = skim(&market, 1);
    refuse(&mut market, &first, &admin, RouterError::NothingToSkim);
    let before = audit_money(&market.exchange.session);
    for atoms in [1, 123_456_789] {
        let books = audit_money(&market.exchange.session);
        send_tokens(&mut market, atoms);
        let sent = audit_money(&market.exchange.session);
        assert_eq!(
            (sent.booked(), sent.tokens),
            (books.booked(), books.tokens + atoms)
        );
        let insurance = market.ledger(1).insurance_atoms;
        market.exchange.session.svm.expire_blockhash();
        ok(market.exchange.session.send(from_ref(&first), &[&admin]));
        // Nothing but insurance moved, and every token is somebody's.
        let after = audit_money(&market.exchange.session);
        assert_eq!(after.tokens, after.booked());
        assert_eq!(after.insurance, books.insurance + atoms);
        assert_eq!(market.ledger(1).insurance_atoms, insurance + atoms);
        assert_eq!((after.cash, after.backing), (books.cash, books.backing));
        refuse(&mut market, &first, &admin, RouterError::NothingToSkim);
    }
    let after = audit_money(&market.exchange.session);
    assert_eq!(after.booked(), before.booked() + 123_456_790);
    assert_eq!(market.ledger(0).insurance_atoms, 0);
    // It pays out as any money does, and later deposits are nobody's surplus.
    let member = market.join();
    ok(market.exchange.deposit(&member, 5 * QUOTE));
    refuse(&mut market, &first, &admin, RouterError::NothingToSkim);
    audit_money(&market.exchange.session);
}

#[test]
fn x8_only_the_administrator_skims_and_nobody_through_a_program() {
    let mut market = Market::open(2);
    send_tokens(&mut market, 1_000);
    let admin = market.exchange.admin.insecure_clone();
    let good = skim(&market, 0);
    for key in [
        market.taker.wallet.insecure_clone(),
        market.exchange.session.new_wallet(),
    ] {
        let other = swapped(&good, 0, key.pubkey());
        refuse(&mut market, &other, &key, RouterError::WrongAdmin);
    }
    let mut unsigned = good.clone();
    unsigned.accounts[0].is_signer = false;
    let session = &mut market.exchange.session;
    refused(
        session,
        from_ref(&unsigned),
        &[],
        flagstone_e2e_tests::refusal::UNSIGNED,
    );
    deploy(&mut market.exchange.session);
    refuse(
        &mut market,
        &called(&good),
        &admin,
        RouterError::CalledByProgram,
    );
    // Governance with delays changes nothing: no setting is touched.
    settle_down(&mut market.exchange);
    ok(market.exchange.session.send(&[good], &[&admin]));
    audit_money(&market.exchange.session);
}

#[test]
fn x8_a_surplus_goes_to_a_registered_slab_that_is_open() {
    let mut market = Market::open(2);
    send_tokens(&mut market, 1_000);
    let admin = market.exchange.admin.insecure_clone();
    let mint = market.exchange.mint;
    let (good, other) = (skim(&market, 0), skim(&market, 1));
    // Entry and ledger of two slabs; a token account that is not the vault's.
    for place in [2, 3] {
        let mixed = swapped(&good, place, other.accounts[place].pubkey);
        refuse(&mut market, &mixed, &admin, RouterError::WrongSlab);
    }
    for key in [market.taker.tokens, stranger(), mint] {
        let foreign = swapped(&good, 5, key);
        refuse(&mut market, &foreign, &admin, RouterError::WrongRecord);
    }
    for place in [3, 4] {
        let mut fixed = good.clone();
        fixed.accounts[place].is_writable = false;
        refuse(&mut market, &fixed, &admin, NOT_WRITABLE);
    }
    for place in [1, 2, 3, 4] {
        let key = good.accounts[place].pubkey;
        for spoil in spoilers() {
            let session = &mut market.exchange.session;
            while_changed(session, &key, spoil, |session| {
                refused(
                    session,
                    from_ref(&good),
                    &[&admin],
                    RouterError::WrongRecord,
                );
            });
        }
    }
    // A slab that is registered nowhere, and one that winds down.
    let session = &mut market.exchange.session;
    let stray = ok(create_slab(session, &admin, &mint, "stray", SlabSize::Dev));
    let nowhere = router::skim_surplus(&admin.pubkey(), &stray, &mint);
    refuse(&mut market, &nowhere, &admin, RouterError::WrongRecord);
    let key = market.seats[0].slab;
    let dead = Change::set_slab_status(&key, &mint, slab_status::DEAD);
    change(&mut market.exchange, &dead);
    refuse(&mut market, &good, &admin, RouterError::WrongSlab);
    ok(market.exchange.session.send(&[other], &[&admin]));
    audit_money(&market.exchange.session);
}
