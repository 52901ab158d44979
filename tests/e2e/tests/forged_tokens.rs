//! Forged mints, token accounts and programs, handed to the Router.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::forge::{account, plant_copy, stranger, swapped};
use flagstone_e2e_tests::refusal::{TOKEN_OWNER, Why, refused};
use flagstone_e2e_tests::{QUOTE, exchange, ok, session};
use flagstone_sdk::embedded::{Exchange, Member};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::interface::error::RouterError;
use flagstone_sdk::{address, router};
use solana_address::Address;
use solana_signer::Signer;

/// SPL Token 2022.
const TOKEN_2022: Address = Address::from_str_const("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb");
/// The runtime's name for a program that is not the expected one.
const WRONG_PROGRAM: Why = Why::Runtime("IncorrectProgramId");
/// Anchor: what should be a program is none.
const NOT_EXECUTABLE: Why = Why::Code(2007);

fn joined() -> (Exchange, Member) {
    let mut exchange = exchange(SlabSize::Dev);
    let member = ok(exchange.join(10_000 * QUOTE, 1_000 * QUOTE));
    ok(exchange.deposit(&member, 1_000 * QUOTE));
    (exchange, member)
}

#[test]
fn deposits_take_only_tokens_of_the_vaults_mint() {
    let (mut exchange, member) = joined();
    let (owner, mint) = (member.wallet.pubkey(), exchange.mint);
    let deposit = router::deposit(&owner, &mint, &member.tokens, 7);
    let session = &mut exchange.session;
    let other_mint = plant_copy(session, &member.tokens, |copy| copy.data[0] ^= 1);
    let not_tokens = plant_copy(session, &member.tokens, |copy| copy.owner = address::SLAB);
    let modern = plant_copy(session, &member.tokens, |copy| copy.owner = TOKEN_2022);
    let short = plant_copy(session, &member.tokens, |copy| copy.data.truncate(164));
    let long = plant_copy(session, &member.tokens, |copy| copy.data.push(2));
    for source in [
        other_mint,
        not_tokens,
        modern,
        short,
        long,
        mint,
        stranger(),
    ] {
        let attempt = [swapped(&deposit, 4, source)];
        refused(
            &mut exchange.session,
            &attempt,
            &[&member.wallet],
            RouterError::WrongMint,
        );
    }
}

#[test]
fn deposits_go_only_to_the_vaults_own_tokens() {
    let (mut exchange, member) = joined();
    let (owner, mint) = (member.wallet.pubkey(), exchange.mint);
    let deposit = router::deposit(&owner, &mint, &member.tokens, 7);
    let own = ok(exchange.create_tokens(&owner, 100));
    let vaults = ok(exchange.create_tokens(&address::vault_authority(), 100));
    let copy = plant_copy(&mut exchange.session, &address::vault_tokens(&mint), |_| {});
    for tokens in [own, vaults, copy] {
        let attempt = [swapped(&deposit, 3, tokens)];
        refused(
            &mut exchange.session,
            &attempt,
            &[&member.wallet],
            RouterError::WrongRecord,
        );
    }
}

#[test]
fn nobody_deposits_anothers_tokens() {
    let (mut exchange, member) = joined();
    let thief = ok(exchange.join(100 * QUOTE, QUOTE));
    let deposit = router::deposit(&thief.wallet.pubkey(), &exchange.mint, &member.tokens, 7);
    refused(
        &mut exchange.session,
        &[deposit],
        &[&thief.wallet],
        TOKEN_OWNER,
    );
}

#[test]
fn other_programs_do_not_stand_in_for_token_and_system() {
    let (mut exchange, member) = joined();
    let (owner, mint) = (member.wallet.pubkey(), exchange.mint);
    let deposit = router::deposit(&owner, &mint, &member.tokens, 7);
    let newcomer = exchange.session.new_wallet();
    let open = router::open_portfolio(&newcomer.pubkey());
    for program in [TOKEN_2022, address::SLAB, address::ROUTER, stranger()] {
        let exists = exchange.session.svm.get_account(&program).is_some();
        let why = if exists {
            WRONG_PROGRAM
        } else {
            NOT_EXECUTABLE
        };
        let attempt = [swapped(&deposit, 5, program)];
        refused(&mut exchange.session, &attempt, &[&member.wallet], why);
        let attempt = [swapped(&open, 2, program)];
        refused(&mut exchange.session, &attempt, &[&newcomer], why);
    }
}

#[test]
fn x8_the_router_starts_only_with_a_mint_of_spl_token() {
    // The mint comes from an exchange; the chain under test has no Router yet.
    let donor = exchange(SlabSize::Dev);
    let mint = account(&donor.session, &donor.mint);
    let mut session = session();
    let admin = session.new_wallet();
    let spoilers: [fn(&mut solana_account::Account); 6] = [
        |mint| mint.owner = TOKEN_2022,
        |mint| mint.owner = address::SLAB,
        |mint| mint.data[45] = 0,
        |mint| mint.data.truncate(81),
        |mint| mint.data.extend([0; 83]),
        |mint| mint.data.clear(),
    ];
    for spoil in spoilers {
        let mut spoiled = mint.clone();
        spoil(&mut spoiled);
        session
            .svm
            .set_account(donor.mint, spoiled)
            .expect("a mint");
        let start = router::initialize(&admin.pubkey(), &donor.mint);
        refused(&mut session, &[start], &[&admin], RouterError::WrongMint);
    }
    session.svm.set_account(donor.mint, mint).expect("a mint");
    let start = router::initialize(&admin.pubkey(), &donor.mint);
    refused(
        &mut session,
        &[swapped(&start, 8, TOKEN_2022)],
        &[&admin],
        WRONG_PROGRAM,
    );
    for place in [1, 3, 4, 5] {
        let attempt = swapped(&start, place, stranger());
        refused(
            &mut session,
            &[attempt],
            &[&admin],
            RouterError::WrongAddress,
        );
    }
    ok(session.send(&[start], &[&admin]));
}
