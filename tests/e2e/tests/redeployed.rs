//! Rule X5: the code behind a slab changes, or its owner, or somebody says so.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::busy::{accept, busy, readers, refuse};
use flagstone_e2e_tests::forge::{account, plant_copy, stranger};
use flagstone_e2e_tests::market::Market;
use flagstone_e2e_tests::money::{audit_custody, audit_money};
use flagstone_e2e_tests::ok;
use flagstone_e2e_tests::refusal::refused;
use flagstone_sdk::interface::error::RouterError;
use flagstone_sdk::interface::router::slab_status;
use flagstone_sdk::{address, router};
use solana_account::Account;
use solana_address::Address;
use solana_signer::Signer;

fn program_data() -> Address {
    address::program_data(&address::SLAB)
}

fn put(market: &mut Market, data: Account) {
    let svm = &mut market.exchange.session.svm;
    svm.set_account(program_data(), data).expect("an account");
}

#[track_caller]
fn attest(market: &mut Market) {
    let admin = market.exchange.admin.insecure_clone();
    let attest = router::attest_slab(&admin.pubkey(), &market.seats[0].slab);
    ok(market.exchange.session.send(&[attest], &[&admin]));
    assert_eq!(market.status(0), slab_status::ACTIVE);
}

/// A busy market whose slab program has an upgrade authority.
fn upgradeable() -> Market {
    let mut market = busy();
    let mut data = account(&market.exchange.session, &program_data());
    data.data[12] = 1;
    data.data[13..45].copy_from_slice(stranger().as_ref());
    put(&mut market, data);
    attest(&mut market);
    market
}

/// What it looks like when the code or the hands that hold it changed.
const REDEPLOYED: [fn(&mut Account); 8] = [
    |data| data.data[4] = data.data[4].wrapping_add(1),
    |data| data.data[11] ^= 0x80,
    |data| data.data[13] ^= 1,
    |data| data.data[44] ^= 0x80,
    |data| data.data[12] = 0,
    |data| data.data[0] = 2,
    |data| data.data.truncate(12),
    |data| data.owner = address::SLAB,
];

#[test]
fn x5_a_redeployed_program_aborts_routes_and_suspends_when_settled() {
    for redeploy in REDEPLOYED {
        let mut market = upgradeable();
        let readers = readers(&mut market);
        let books = audit_money(&market.exchange.session);
        let settle = (market.settle(0), false);
        let original = account(&market.exchange.session, &program_data());
        let mut other = original.clone();
        redeploy(&mut other);
        put(&mut market, other);
        let (owner, slab_key) = (market.taker.wallet.pubkey(), market.seats[0].slab);
        let mint = market.exchange.mint;
        let fund = (router::fund_slab(&owner, &slab_key, &mint, 1), true);
        let bind = (router::bind_escrow(&owner, &slab_key, &mint), true);
        for reader in readers.iter().chain([&fund, &bind]) {
            refuse(&mut market, reader, RouterError::WrongProgramVersion);
        }
        assert_eq!(market.status(0), slab_status::ACTIVE);
        accept(&mut market, &settle);
        assert_eq!(market.status(0), slab_status::SUSPENDED);
        assert_eq!(audit_custody(&market.exchange.session), books);
        put(&mut market, original);
        // The old code being back changes nothing until the administrator says so.
        for reader in readers.iter().chain([&settle]) {
            refuse(&mut market, reader, RouterError::WrongSlab);
        }
        let own = router::attest_slab(&market.taker.wallet.pubkey(), &market.seats[0].slab);
        refuse(&mut market, &(own, true), RouterError::WrongAdmin);
        attest(&mut market);
        // settle_route would meet the capability that open_route mints.
        for reader in [&readers[2], &settle, &readers[1], &readers[0]] {
            accept(&mut market, reader);
            audit_money(&market.exchange.session);
        }
    }
}

#[test]
fn x5_an_upgrade_that_was_attested_goes_on_where_it_stopped() {
    let mut market = upgradeable();
    let readers = readers(&mut market);
    let mut data = account(&market.exchange.session, &program_data());
    data.data[4] = data.data[4].wrapping_add(1);
    put(&mut market, data);
    let settle = (market.settle(0), false);
    accept(&mut market, &settle);
    attest(&mut market);
    for reader in [&readers[2], &settle, &readers[1], &readers[0]] {
        accept(&mut market, reader);
        audit_money(&market.exchange.session);
    }
}

#[test]
fn x5_nobody_suspends_a_slab_by_naming_another_program_data_account() {
    let mut market = upgradeable();
    let mut readers = readers(&mut market);
    readers.push((market.settle(0), false));
    let session = &mut market.exchange.session;
    let copy = plant_copy(session, &program_data(), |_| ());
    let foreign = address::program_data(&address::ROUTER);
    for wrong in [copy, foreign, stranger(), market.seats[0].slab] {
        for reader in &readers {
            let mut other = reader.clone();
            let metas = other.0.accounts.iter_mut();
            let mut named = metas.filter(|meta| meta.pubkey == program_data());
            named.next().expect("a program data account").pubkey = wrong;
            drop(named);
            refuse(&mut market, &other, RouterError::WrongProgramVersion);
        }
    }
    assert_eq!(market.status(0), slab_status::ACTIVE);
}

#[test]
fn x5_attestation_takes_only_the_registered_program_and_its_data() {
    let mut market = upgradeable();
    let admin = market.exchange.admin.insecure_clone();
    let attest = router::attest_slab(&admin.pubkey(), &market.seats[0].slab);
    let session = &mut market.exchange.session;
    let copy = plant_copy(session, &program_data(), |data| data.data[4] ^= 1);
    let wrong = [
        (3, address::ROUTER, RouterError::WrongSlab),
        (3, address::TOKEN, RouterError::WrongSlab),
        (4, copy, RouterError::WrongProgramVersion),
        (
            4,
            address::program_data(&address::ROUTER),
            RouterError::WrongProgramVersion,
        ),
        (2, market.seats[0].escrow, RouterError::WrongRecord),
        (1, market.seats[0].escrow, RouterError::WrongRecord),
    ];
    for (place, key, why) in wrong {
        let mut other = attest.clone();
        other.accounts[place].pubkey = key;
        refused(&mut market.exchange.session, &[other], &[&admin], why);
    }
}
