//! Attacks on what leaves the vault, on keys, and with absurd amounts.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::QUOTE;
use flagstone_e2e_tests::forge::{account, plant_copy, stranger, swapped};
use flagstone_e2e_tests::hostile::{called, deploy};
use flagstone_e2e_tests::market::{Market, TAKER_CASH};
use flagstone_e2e_tests::money::audit_money;
use flagstone_e2e_tests::refusal::{DUPLICATE, Why, refused};
use flagstone_sdk::engine::Slab;
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::router::{Portfolio, Vault};
use flagstone_sdk::{address, router, slab};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_signer::Signer;

/// SPL Token 2022.
const TOKEN_2022: Address = Address::from_str_const("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb");
/// The runtime's name for a program that is not the expected one.
const WRONG_PROGRAM: Why = Why::Runtime("IncorrectProgramId");

/// Places in the account list of `withdraw`.
const OWNER: usize = 0;
const PORTFOLIO: usize = 2;
const VAULT: usize = 3;
const TOKENS: usize = 4;
const DESTINATION: usize = 6;

fn withdraw(market: &Market, atoms: u64) -> Instruction {
    let owner = market.taker.wallet.pubkey();
    router::withdraw(&owner, &market.exchange.mint, &market.taker.tokens, atoms)
}

#[track_caller]
fn refuse(market: &mut Market, instruction: Instruction, why: impl Into<Why>) {
    let signers = [&market.taker.wallet];
    refused(&mut market.exchange.session, &[instruction], &signers, why);
    audit_money(&market.exchange.session);
}

#[test]
fn x8_no_more_leaves_than_the_cash_of_its_owner() {
    let mut market = Market::open(1);
    let other = market.join();
    for atoms in [
        TAKER_CASH + 1,
        2 * TAKER_CASH,
        u64::MAX - TAKER_CASH,
        u64::MAX,
    ] {
        let attempt = withdraw(&market, atoms);
        refuse(&mut market, attempt, RouterError::NotEnoughCash);
    }
    let nothing = withdraw(&market, 0);
    refuse(&mut market, nothing, RouterError::ZeroAmount);
    // Somebody else's cash, by any mixture of keys.
    let theirs = address::portfolio(&other.wallet.pubkey());
    let stolen = swapped(&withdraw(&market, 5), PORTFOLIO, theirs);
    refuse(&mut market, stolen, RouterError::WrongOwner);
    for thief in [&other.wallet, &market.taker.trader, &market.exchange.admin] {
        let stolen = swapped(&withdraw(&market, 5), OWNER, thief.pubkey());
        let session = &mut market.exchange.session;
        refused(session, &[stolen], &[thief], RouterError::WrongOwner);
    }
    // What is pledged to a slab is not cash.
    market.fund(0, QUOTE);
    let pledged = withdraw(&market, TAKER_CASH);
    refuse(&mut market, pledged, RouterError::NotEnoughCash);
    let rest = withdraw(&market, TAKER_CASH - QUOTE);
    market.step(&[rest]);
}

#[test]
fn p1_the_vault_pays_only_from_its_own_record_to_tokens_of_its_mint() {
    let mut market = Market::open(1);
    let mint = market.exchange.mint;
    let plain = withdraw(&market, 5);
    // To itself: the tokens would stay and belong to nobody.
    let to_itself = swapped(&plain, DESTINATION, address::vault_tokens(&mint));
    refuse(&mut market, to_itself, DUPLICATE);
    // Another mint, Token-2022, cut short, no tokens at all, nothing there.
    let spoilers: [fn(&mut solana_account::Account); 5] = [
        |copy| copy.data[0] ^= 1,
        |copy| copy.owner = TOKEN_2022,
        |copy| copy.owner = address::ROUTER,
        |copy| copy.data.truncate(164),
        |copy| copy.data.extend([2; 5]),
    ];
    for spoil in spoilers {
        let session = &mut market.exchange.session;
        let key = plant_copy(session, &market.taker.tokens, spoil);
        refuse(
            &mut market,
            swapped(&plain, DESTINATION, key),
            RouterError::WrongMint,
        );
    }
    for key in [mint, stranger(), market.seats[0].escrow] {
        refuse(
            &mut market,
            swapped(&plain, DESTINATION, key),
            RouterError::WrongMint,
        );
    }
    // A vault or portfolio that the Router did not write.
    for (place, owner) in [VAULT, PORTFOLIO]
        .into_iter()
        .flat_map(|place| [(place, address::SLAB), (place, stranger())])
    {
        let original = plain.accounts[place].pubkey;
        let session = &mut market.exchange.session;
        let key = plant_copy(session, &original, |copy| copy.owner = owner);
        refuse(
            &mut market,
            swapped(&plain, place, key),
            RouterError::WrongRecord,
        );
    }
    // Tokens that are not the vault's, even with the same authority.
    let tokens = address::vault_tokens(&mint);
    let twin = plant_copy(&mut market.exchange.session, &tokens, |_| ());
    for key in [twin, stranger()] {
        refuse(
            &mut market,
            swapped(&plain, TOKENS, key),
            RouterError::WrongRecord,
        );
    }
    refuse(&mut market, swapped(&plain, 7, TOKEN_2022), WRONG_PROGRAM);
    market.step(&[plain]);
}

#[test]
fn p1_the_vault_of_another_mint_pays_no_quote_cash() {
    let mut market = Market::open(1);
    // A second vault, as a later collateral would have one: a copy of the
    // Router's own record, for another mint and with other tokens.
    let session = &mut market.exchange.session;
    let tokens_key = address::vault_tokens(&market.exchange.mint);
    let (mint, tokens) = (
        plant_copy(session, &market.exchange.mint, |_| ()),
        plant_copy(session, &tokens_key, |_| ()),
    );
    let vault_key = address::vault(&market.exchange.mint);
    let vault = plant_copy(session, &vault_key, |copy| {
        let record: &mut Vault = bytemuck::from_bytes_mut(&mut copy.data);
        (record.mint, record.tokens) = (mint.to_bytes(), tokens.to_bytes());
    });
    let mut attempt = withdraw(&market, 5);
    attempt.accounts[VAULT].pubkey = vault;
    attempt.accounts[TOKENS].pubkey = tokens;
    let signers = [&market.taker.wallet];
    let session = &mut market.exchange.session;
    refused(session, &[attempt], &signers, RouterError::WrongRecord);
}

#[test]
fn x6_no_signature_of_wallet_or_session_key_works_through_another_program() {
    let mut market = Market::open(1);
    deploy(&mut market.exchange.session);
    market.fund(0, 10 * QUOTE);
    let (seat, trader) = (market.seats[0], market.taker.trader.pubkey());
    let (owner, mint) = (market.taker.wallet.pubkey(), market.exchange.mint);
    let route = market.route(10, 20);
    let set = router::set_trader(&owner, &seat.slab, &mint, &stranger());
    let cancel = slab::cancel_hold(&seat.slab, &trader, seat.account, route.legs()[0].hold);
    let refuse_called = |market: &mut Market, inner: &Instruction| {
        let keys = [&market.taker.wallet, &market.taker.trader];
        let asked = inner.accounts.iter().find(|meta| meta.is_signer);
        let by = |key: &&&solana_keypair::Keypair| asked.is_some_and(|m| m.pubkey == key.pubkey());
        let signers: Vec<_> = keys.iter().filter(by).copied().collect();
        let why = match inner.program_id == address::SLAB {
            true => Why::Slab(SlabError::CalledByProgram),
            false => Why::Router(RouterError::CalledByProgram),
        };
        refused(
            &mut market.exchange.session,
            &[called(inner)],
            &signers,
            why,
        );
    };
    let plain = withdraw(&market, 5);
    for inner in [&plain, &set, &route.reserve()[0], &market.release(0, 5)] {
        refuse_called(&mut market, inner);
    }
    market.step(&route.reserve());
    for inner in [&route.open(), &cancel] {
        refuse_called(&mut market, inner);
    }
    market.step(&[route.open()]);
    let commit = route.commit().remove(0);
    for inner in [&commit, &cancel, &route.settle()] {
        refuse_called(&mut market, inner);
    }
    market.step(&[commit]);
    // What nobody signs for may be called, and does what it does.
    for inner in [
        market.settle(0),
        slab::free_hold(&seat.slab, &seat.escrow, 1),
    ] {
        market.crank(called(&inner));
    }
    assert_eq!(market.holds(0), 0);
}

#[test]
fn x8_amounts_near_the_largest_are_refused_and_leave_no_trace() {
    let mut market = Market::open(1);
    let (seat, owner) = (market.seats[0], market.taker.wallet.pubkey());
    let mint = market.exchange.mint;
    let tokens = market.taker.tokens;
    for atoms in [u64::MAX, u64::MAX - 1, 1 << 63, TAKER_CASH + 1] {
        let fund = router::fund_slab(&owner, &seat.slab, &mint, atoms);
        refuse(&mut market, fund, RouterError::NotEnoughCash);
        let deposit = router::deposit(&owner, &mint, &tokens, atoms);
        refuse(&mut market, deposit, Why::Code(1));
        let release = market.release(0, atoms);
        let session = &mut market.exchange.session;
        let signers = [&market.taker.trader];
        refused(session, &[release], &signers, SlabError::ReleaseTooLarge);
    }
    for zero in [
        router::fund_slab(&owner, &seat.slab, &mint, 0),
        router::deposit(&owner, &mint, &tokens, 0),
    ] {
        refuse(&mut market, zero, RouterError::ZeroAmount);
    }
    let release = market.release(0, 0);
    let session = &mut market.exchange.session;
    let signers = [&market.taker.trader];
    refused(session, &[release], &signers, SlabError::ReleaseTooLarge);
}

#[test]
fn x8_cash_at_its_largest_overflows_nothing() {
    let mut market = Market::open(1);
    market.fund(0, QUOTE);
    let route = market.reserve_and_open(10, 5);
    market.wait(6);
    // The portfolio is as rich as its field allows: what comes back has no room.
    let key = address::portfolio(&market.taker.wallet.pubkey());
    let original = account(&market.exchange.session, &key);
    let mut rich = original.clone();
    let record: &mut Portfolio = bytemuck::from_bytes_mut(&mut rich.data);
    record.cash_atoms = u64::MAX - 1;
    let svm = &mut market.exchange.session.svm;
    svm.set_account(key, rich).expect("an account");
    for attempt in [market.refund(0, 0), route.settle()] {
        let session = &mut market.exchange.session;
        refused(session, &[attempt], &[], RouterError::AmountOverflow);
    }
    let svm = &mut market.exchange.session.svm;
    svm.set_account(key, original).expect("an account");
    let refund = market.refund(0, 0);
    market.crank(refund);
}

#[test]
fn x2_a_hold_charge_or_counter_of_the_largest_size_never_books() {
    let mut market = Market::open(1);
    let route = market.route(10, 0);
    market.step(&route.reserve());
    let slab_key = market.seats[0].slab;
    // Signed without any bound of its own, the hold still costs what is there.
    let mut leg = route.legs()[0];
    leg.max_charge_atoms = u64::MAX;
    let open = market.route_of(vec![leg]).open();
    for charge in [u64::MAX, 1 << 63, TAKER_CASH + 1] {
        let dear = |slab: &mut Slab<'_>| slab.reservations[1].max_charge_atoms = charge;
        market
            .exchange
            .session
            .edit_slab(&slab_key, dear)
            .expect("a slab");
        refuse(&mut market, open.clone(), RouterError::NotEnoughCash);
    }
}
