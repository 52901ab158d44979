//! Creating a slab: what fits, what is refused, what the full size costs.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::refusal::{Why, refused};
use flagstone_e2e_tests::tiny::{capacities, new_slab};
use flagstone_e2e_tests::{QUOTE, audit, exchange, ok, session};
use flagstone_sdk::embedded::Exchange;
use flagstone_sdk::engine::{Capacities, SlabSize};
use flagstone_sdk::interface::error::SlabError;
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::interface::slab::{PoolId, SLAB_BYTES_MAX};
use flagstone_sdk::slab::NewSlab;
use solana_signer::Signer;

fn opened() -> Exchange {
    exchange(SlabSize::Dev)
}

#[track_caller]
fn refuse(exchange: &mut Exchange, new: &NewSlab<'_>, why: impl Into<Why>) {
    let admin = exchange.admin.insecure_clone();
    let instructions = new.instructions().expect("a short seed");
    refused(&mut exchange.session, &instructions, &[&admin], why);
}

#[test]
fn pfm3_creating_the_full_slab_costs_no_more_than_a_small_one() {
    let mut session = session();
    let admin = session.new_wallet();
    let mint = solana_address::Address::from([9; 32]);
    let mut new = NewSlab::preset(admin.pubkey(), "full", mint, SlabSize::Full);
    let bytes = new.account_bytes as usize;
    assert_eq!(bytes as u64, SLAB_BYTES_MAX);
    new.rent_lamports = session.svm.minimum_balance_for_rent_exemption(bytes);
    let receipt = ok(session.send(&new.instructions().expect("a short seed"), &[&admin]));
    println!(
        "create and initialise 10 MiB: {} CU, {} bytes",
        receipt.compute_units, receipt.bytes
    );
    // Whatever the size: 150 for the System program, about 250 each for the
    // address, the arguments and the event, 140 for the clock, 100 for
    // asking whether another program calls.
    assert!(
        receipt.compute_units <= 1_450,
        "{} CU",
        receipt.compute_units
    );
    let [Event::SlabInitialized(event)] = receipt.events[..] else {
        panic!("no event")
    };
    assert_eq!(
        (event.authority, { event.seq }),
        (admin.pubkey().to_bytes(), 1)
    );
    let slab = new.address().expect("a short seed");
    let audited = session
        .with_slab(&slab, |slab| slab.audit())
        .expect("a slab");
    audited.unwrap_or_else(|broken| panic!("{broken}"));
}

#[test]
fn a_full_slab_trades() {
    let mut exchange = exchange(SlabSize::Full);
    let maker = ok(exchange.join(1_000 * QUOTE, 1_000 * QUOTE));
    use flagstone_sdk::{engine::requests::OrderKind, units::Side};
    let (kind, mark) = (OrderKind::PostOnly, flagstone_e2e_tests::MARK);
    ok(exchange.place(&maker, kind, Side::Ask, mark, 5));
    audit(&exchange);
}

#[test]
fn capacities_that_do_not_fit_their_account() {
    let mut exchange = opened();
    let mut short = new_slab(&exchange, "short", capacities(&[]));
    short.account_bytes -= 1;
    refuse(&mut exchange, &short, SlabError::BadCapacities);
    for pool in PoolId::ALL {
        for items in [0, u32::MAX, 1 << 24] {
            let mut new = new_slab(&exchange, "bad", capacities(&[]));
            new.capacities.items[pool as usize] = items;
            refuse(&mut exchange, &new, SlabError::BadCapacities);
        }
    }
    let mut items = [1; 10];
    items[PoolId::Instruments as usize] = 33;
    let many = new_slab(&exchange, "many", Capacities { items });
    refuse(&mut exchange, &many, SlabError::BadCapacities);
}

#[test]
fn accounts_too_small_for_a_header() {
    let mut exchange = opened();
    for bytes in [0, 1, 8, 1_023] {
        let mut new = new_slab(&exchange, "stub", capacities(&[]));
        new.account_bytes = bytes;
        refuse(&mut exchange, &new, SlabError::BadCapacities);
    }
}

#[test]
fn the_smallest_slab_is_accepted() {
    let mut exchange = opened();
    let new = new_slab(&exchange, "smallest", Capacities { items: [1; 10] });
    ok(exchange
        .session
        .send(&new.instructions().expect("short"), &[&exchange.admin]));
}

#[test]
fn addresses_that_do_not_derive_from_signer_and_seed() {
    let mut exchange = opened();
    let admin = exchange.admin.insecure_clone();
    let new = new_slab(&exchange, "right", capacities(&[]));
    let wrong = new_slab(&exchange, "wrong", capacities(&[]));
    let [create, right]: [_; 2] = new.instructions().expect("short").try_into().expect("two");
    let [_, mut other]: [_; 2] = wrong
        .instructions()
        .expect("short")
        .try_into()
        .expect("two");
    other.accounts[0].pubkey = right.accounts[0].pubkey;
    let why = SlabError::WrongAddress;
    refused(
        &mut exchange.session,
        &[create.clone(), other],
        &[&admin],
        why,
    );

    // A seed of 33 bytes, which the System program would not accept either.
    let mut long = right.clone();
    let at = long.data.len() - "right".len() - 4;
    long.data.truncate(at);
    long.data.extend(33u32.to_le_bytes());
    long.data.extend([b'x'; 33]);
    refused(
        &mut exchange.session,
        &[create.clone(), long],
        &[&admin],
        why,
    );

    // The base has to sign.
    let mut unsigned = right.clone();
    unsigned.accounts[1].is_signer = false;
    ok(exchange.session.send(&[create], &[&admin]));
    refused(
        &mut exchange.session,
        &[unsigned],
        &[],
        flagstone_e2e_tests::refusal::UNSIGNED,
    );
    ok(exchange.session.send(&[right], &[&admin]));
}

#[test]
fn seeds_of_every_length_work() {
    let mut exchange = opened();
    for length in [0, 1, 31, 32] {
        let seed = "s".repeat(length);
        let new = new_slab(&exchange, &seed, Capacities { items: [1; 10] });
        ok(exchange
            .session
            .send(&new.instructions().expect("short"), &[&exchange.admin]));
    }
    let seed = "s".repeat(33);
    assert!(
        new_slab_address(&exchange, &seed).is_none(),
        "the SDK refuses longer seeds"
    );
}

fn new_slab_address(exchange: &Exchange, seed: &str) -> Option<solana_address::Address> {
    flagstone_sdk::address::slab_with_seed(&exchange.admin.pubkey(), seed)
}
