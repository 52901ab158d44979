//! The same account twice in one instruction, the same instruction twice.
#![allow(missing_docs, reason = "tests")]

use core::mem::offset_of;
use flagstone_e2e_tests::forge::{swapped, while_changed};
use flagstone_e2e_tests::refusal::{DUPLICATE, Why, refused};
use flagstone_e2e_tests::tiny::{capacities, new_slab};
use flagstone_e2e_tests::{QUOTE, audit, exchange, ok};
use flagstone_sdk::embedded::{Exchange, Member};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::interface::router::Escrow;
use flagstone_sdk::{address, router, slab};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

fn joined() -> (Exchange, Member) {
    let mut exchange = exchange(SlabSize::Dev);
    let member = ok(exchange.join(10_000 * QUOTE, 1_000 * QUOTE));
    ok(exchange.deposit(&member, 1_000 * QUOTE));
    (exchange, member)
}

/// Puts the account at each place of `places` into every other one that is written to.
fn refuse_duplicates(
    exchange: &mut Exchange,
    instruction: &Instruction,
    signer: &Keypair,
    places: &[usize],
) {
    for from in places {
        for to in places.iter().filter(|to| *to != from) {
            let either = [*from, *to]
                .iter()
                .any(|at| instruction.accounts[*at].is_writable);
            if !either {
                continue;
            }
            let key = instruction.accounts[*from].pubkey;
            let mut doubled = swapped(instruction, *to, key);
            // The runtime merges the flags of one account; keep the writable one.
            doubled.accounts[*to].is_writable |= instruction.accounts[*from].is_writable;
            refused(&mut exchange.session, &[doubled], &[signer], DUPLICATE);
        }
    }
}

#[test]
fn p1_no_router_instruction_takes_a_written_account_twice() {
    let (mut exchange, member) = joined();
    let (mint, slab_key, owner) = (exchange.mint, exchange.slab, member.wallet.pubkey());
    let deposit = router::deposit(&owner, &mint, &member.tokens, 7);
    refuse_duplicates(&mut exchange, &deposit, &member.wallet, &[1, 2, 3, 4]);
    let fund = router::fund_slab(&owner, &slab_key, &mint, 7);
    refuse_duplicates(&mut exchange, &fund, &member.wallet, &[1, 2, 3, 4, 5]);
    let bind = router::bind_escrow(&owner, &slab_key, &mint);
    refuse_duplicates(&mut exchange, &bind, &member.wallet, &[1, 2, 3]);
    let admin = exchange.admin.insecure_clone();
    let register = router::register_slab(&admin.pubkey(), &slab_key, &mint);
    refuse_duplicates(&mut exchange, &register, &admin, &[1, 2, 3, 4]);
}

#[test]
fn p1_no_slab_instruction_takes_the_slab_twice() {
    let (mut exchange, member) = joined();
    let slab_key = exchange.slab;
    for instruction in [
        slab::sync(&slab_key, &slab_key, member.account),
        slab::open_account(&slab_key, &slab_key),
    ] {
        refused(&mut exchange.session, &[instruction], &[], DUPLICATE);
    }
}

#[test]
fn accounts_beyond_the_list_are_ignored_and_missing_ones_refused() {
    let (mut exchange, member) = joined();
    let mut sync = slab::sync(&exchange.slab, &member.escrow, member.account);
    sync.accounts.push(sync.accounts[1].clone());
    ok(exchange.session.send(&[sync.clone()], &[]));
    sync.accounts.truncate(1);
    let why = Why::Runtime("NotEnoughAccountKeys");
    refused(&mut exchange.session, &[sync], &[], why);
}

#[test]
fn x2_syncing_twice_credits_nothing() {
    let (mut exchange, member) = joined();
    let cash = |exchange: &Exchange| {
        let read = |slab: &flagstone_sdk::engine::Slab<'_>| {
            (
                slab.accounts[u32::from(member.account)].cash_atoms,
                slab.header.deposits_total.get(),
            )
        };
        exchange
            .session
            .with_slab(&exchange.slab, read)
            .expect("a slab")
    };
    let before = cash(&exchange);
    let sync = slab::sync(&exchange.slab, &member.escrow, member.account);
    for twice in [vec![sync.clone()], vec![sync.clone(), sync.clone()]] {
        let receipt = ok(exchange.session.send(&twice, &[]));
        for event in receipt.events {
            let Event::AccountSynced(synced) = event else {
                panic!("{event:?}")
            };
            assert_eq!({ synced.credited_atoms }, 0);
        }
        assert_eq!(cash(&exchange), before);
    }
    audit(&exchange);
}

#[test]
fn nothing_is_created_twice() {
    let (mut exchange, member) = joined();
    let (mint, slab_key) = (exchange.mint, exchange.slab);
    let admin = exchange.admin.insecure_clone();
    let owner = member.wallet.pubkey();
    let again = [
        (router::initialize(&admin.pubkey(), &mint), &admin),
        (
            router::register_slab(&admin.pubkey(), &slab_key, &mint),
            &admin,
        ),
        (router::open_portfolio(&owner), &member.wallet),
        (
            router::open_escrow(&owner, &slab_key, &mint, &member.trader.pubkey()),
            &member.wallet,
        ),
    ];
    for (instruction, signer) in again {
        let attempt = [instruction];
        refused(
            &mut exchange.session,
            &attempt,
            &[signer],
            RouterError::AlreadyExists,
        );
    }
}

#[test]
fn a_slab_is_initialised_once() {
    let (mut exchange, _) = joined();
    let new = new_slab(&exchange, "again", capacities(&[]));
    let [create, initialize]: [_; 2] = new
        .instructions()
        .expect("a short seed")
        .try_into()
        .expect("two");
    let admin = exchange.admin.insecure_clone();
    ok(exchange
        .session
        .send(&[create, initialize.clone()], &[&admin]));
    let why = SlabError::AlreadyInitialized;
    refused(&mut exchange.session, &[initialize], &[&admin], why);
}

#[test]
fn x2_an_escrow_with_an_open_account_is_not_bound_again() {
    let (mut exchange, member) = joined();
    let bind = router::bind_escrow(&member.wallet.pubkey(), &exchange.slab, &exchange.mint);
    refused(
        &mut exchange.session,
        &[bind],
        &[&member.wallet],
        RouterError::AlreadyBound,
    );
    let open = slab::open_account(&exchange.slab, &member.escrow);
    refused(&mut exchange.session, &[open], &[], SlabError::NotBound);
}

/// A wallet with a portfolio and an escrow that is bound, but has no account yet.
fn bound(exchange: &mut Exchange) -> (Keypair, solana_address::Address) {
    let wallet = exchange.session.new_wallet();
    let owner = wallet.pubkey();
    let (slab_key, mint) = (exchange.slab, exchange.mint);
    let start = [
        router::open_portfolio(&owner),
        router::open_escrow(&owner, &slab_key, &mint, &Keypair::new().pubkey()),
        router::bind_escrow(&owner, &slab_key, &mint),
    ];
    ok(exchange.session.send_large(&start, &[&wallet]));
    (wallet, address::escrow(&slab_key, &owner, &mint))
}

#[test]
fn x2_of_two_escrows_bound_to_one_account_only_the_first_opens_it() {
    let (mut exchange, _) = joined();
    let (_, early) = bound(&mut exchange);
    let (late, late_escrow) = bound(&mut exchange);
    let bound_to = |exchange: &Exchange, key| {
        let escrow = exchange.session.record::<Escrow>(key).expect("an escrow");
        (escrow.bound_account, escrow.bound_generation)
    };
    assert_eq!(
        bound_to(&exchange, &early),
        bound_to(&exchange, &late_escrow)
    );
    let open = [slab::open_account(&exchange.slab, &early)];
    ok(exchange.session.send(&open, &[]));
    refused(&mut exchange.session, &open, &[], SlabError::NotBound);
    let beaten = [slab::open_account(&exchange.slab, &late_escrow)];
    refused(&mut exchange.session, &beaten, &[], SlabError::NotBound);
    // The beaten one binds again and opens the next.
    let bind = router::bind_escrow(&late.pubkey(), &exchange.slab, &exchange.mint);
    ok(exchange.session.send(&[bind, beaten[0].clone()], &[&late]));
    assert_ne!(
        bound_to(&exchange, &early),
        bound_to(&exchange, &late_escrow)
    );
    audit(&exchange);
}

#[test]
fn x2_an_account_opens_only_with_the_generation_it_was_bound_to() {
    let (mut exchange, _) = joined();
    let (_, escrow) = bound(&mut exchange);
    let open = [slab::open_account(&exchange.slab, &escrow)];
    let at = offset_of!(Escrow, bound_generation);
    for generation in [0, 2, u32::MAX] {
        let set = |account: &mut Account| {
            account.data[at..at + 4].copy_from_slice(&u32::to_le_bytes(generation));
        };
        while_changed(&mut exchange.session, &escrow, set, |session| {
            refused(session, &open, &[], SlabError::NotBound);
        });
    }
    ok(exchange.session.send(&open, &[]));
}

#[test]
fn x2_what_is_funded_before_the_account_opens_is_credited_once() {
    let (mut exchange, _) = joined();
    let (wallet, escrow) = bound(&mut exchange);
    let tokens = ok(exchange.create_tokens(&wallet.pubkey(), 500));
    let (slab_key, mint, owner) = (exchange.slab, exchange.mint, wallet.pubkey());
    let steps = [
        router::deposit(&owner, &mint, &tokens, 500),
        router::fund_slab(&owner, &slab_key, &mint, 300),
        slab::open_account(&slab_key, &escrow),
        slab::sync(&slab_key, &escrow, 2),
        slab::sync(&slab_key, &escrow, 2),
    ];
    let receipt = ok(exchange.session.send_large(&steps, &[&wallet]));
    let credits = receipt.events.iter().filter_map(|event| match event {
        Event::AccountSynced(synced) => Some(synced.credited_atoms),
        _ => None,
    });
    assert_eq!(credits.collect::<Vec<_>>(), [300, 0]);
    audit(&exchange);
}

#[test]
fn a_failed_instruction_undoes_the_ones_before_it() {
    let (mut exchange, member) = joined();
    let owner = member.wallet.pubkey();
    let fund = router::fund_slab(&owner, &exchange.slab, &exchange.mint, 5);
    let impossible = router::fund_slab(&owner, &exchange.slab, &exchange.mint, u64::MAX);
    let both = [fund, impossible];
    refused(
        &mut exchange.session,
        &both,
        &[&member.wallet],
        RouterError::NotEnoughCash,
    );
}
