//! Deposits, funding and crediting: to the atom, and never twice.
#![allow(missing_docs, reason = "tests")]

use core::mem::offset_of;
use flagstone_e2e_tests::forge::while_changed;
use flagstone_e2e_tests::refusal::{TOKEN_FUNDS, refused};
use flagstone_e2e_tests::tiny::{capacities, move_to, new_slab};
use flagstone_e2e_tests::{QUOTE, audit, exchange, ok, session};
use flagstone_sdk::embedded::{Exchange, Member};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::accounts::CASH_ATOMS_MAX;
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::interface::router::{Escrow, Portfolio, SlabLedger, Vault};
use flagstone_sdk::{address, router, slab};
use solana_account::Account;
use solana_address::Address;
use solana_signer::Signer;

/// Where the money of one member is, in atoms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Money {
    wallet: u64,
    vault_tokens: u64,
    booked: u64,
    portfolio: u64,
    deposited_total: u64,
    backing: u64,
    pledged_total: u64,
    slab_cash: i64,
}

fn money(exchange: &Exchange, member: &Member) -> Money {
    let portfolio = exchange.portfolio(member).expect("a portfolio");
    let escrow = exchange
        .session
        .record::<Escrow>(&member.escrow)
        .expect("an escrow");
    let cash = |slab: &flagstone_sdk::engine::Slab<'_>| {
        slab.accounts[u32::from(member.account)].cash_atoms
    };
    Money {
        wallet: exchange.session.token_balance(&member.tokens),
        vault_tokens: exchange.vault_tokens(),
        booked: exchange.vault().expect("a vault").booked_atoms,
        portfolio: portfolio.cash_atoms,
        deposited_total: portfolio.deposited_total_atoms,
        backing: exchange.ledger().expect("a ledger").backing_atoms,
        pledged_total: escrow.deposited_total_atoms,
        slab_cash: exchange
            .session
            .with_slab(&exchange.slab, cash)
            .expect("a slab"),
    }
}

fn opened(tokens_atoms: u64) -> (Exchange, Member) {
    let mut exchange = exchange(SlabSize::Dev);
    let member = ok(exchange.open_member(tokens_atoms));
    (exchange, member)
}

#[test]
fn every_step_moves_exactly_its_amount() {
    let (mut exchange, member) = opened(1_000);
    let mut expected = Money {
        wallet: 1_000,
        vault_tokens: 0,
        booked: 0,
        portfolio: 0,
        deposited_total: 0,
        backing: 0,
        pledged_total: 0,
        slab_cash: 0,
    };
    assert_eq!(money(&exchange, &member), expected);

    ok(exchange.deposit(&member, 700));
    (expected.wallet, expected.vault_tokens, expected.booked) = (300, 700, 700);
    (expected.portfolio, expected.deposited_total) = (700, 700);
    assert_eq!(money(&exchange, &member), expected);

    let owner = member.wallet.pubkey();
    let fund = router::fund_slab(&owner, &exchange.slab, &exchange.mint, 450);
    ok(exchange.session.send(&[fund], &[&member.wallet]));
    (expected.portfolio, expected.backing, expected.pledged_total) = (250, 450, 450);
    assert_eq!(money(&exchange, &member), expected);
    audit(&exchange);

    let sync = slab::sync(&exchange.slab, &member.escrow, member.account);
    let receipt = ok(exchange.session.send(&[sync], &[]));
    let [Event::AccountSynced(synced)] = receipt.events[..] else {
        panic!("no sync")
    };
    assert_eq!(
        ({ synced.credited_atoms }, { synced.cash_atoms }),
        (450, 450)
    );
    expected.slab_cash = 450;
    assert_eq!(money(&exchange, &member), expected);
    audit(&exchange);

    ok(exchange.fund(&member, 250));
    (expected.portfolio, expected.backing) = (0, 700);
    (expected.pledged_total, expected.slab_cash) = (700, 700);
    assert_eq!(money(&exchange, &member), expected);
    audit(&exchange);
}

#[test]
fn amounts_that_are_not_there_are_refused() {
    let (mut exchange, member) = opened(1_000);
    let (owner, mint, slab_key) = (member.wallet.pubkey(), exchange.mint, exchange.slab);
    let deposit = |atoms| router::deposit(&owner, &mint, &member.tokens, atoms);
    let fund = |atoms| router::fund_slab(&owner, &slab_key, &mint, atoms);
    ok(exchange.deposit(&member, 600));
    let wallet = [&member.wallet];
    let session = &mut exchange.session;
    refused(session, &[deposit(0)], &wallet, RouterError::ZeroAmount);
    refused(session, &[deposit(401)], &wallet, TOKEN_FUNDS);
    refused(session, &[deposit(u64::MAX)], &wallet, TOKEN_FUNDS);
    refused(session, &[fund(0)], &wallet, RouterError::ZeroAmount);
    refused(session, &[fund(601)], &wallet, RouterError::NotEnoughCash);
    refused(
        session,
        &[fund(u64::MAX)],
        &wallet,
        RouterError::NotEnoughCash,
    );
    // To the last atom.
    ok(session.send(&[deposit(400), fund(1_000)], &wallet));
    audit(&exchange);
}

#[test]
fn x8_tokens_sent_to_the_vault_directly_are_nobodys_credit() {
    let (mut exchange, member) = opened(1_000);
    ok(exchange.deposit(&member, 100));
    let mut transfer = router::deposit(&Address::default(), &exchange.mint, &member.tokens, 0);
    // SPL Token's `Transfer`: source, destination, authority.
    transfer.program_id = address::TOKEN;
    transfer.data = [vec![3], 50u64.to_le_bytes().to_vec()].concat();
    let tokens = address::vault_tokens(&exchange.mint);
    transfer.accounts = vec![
        solana_instruction::AccountMeta::new(member.tokens, false),
        solana_instruction::AccountMeta::new(tokens, false),
        solana_instruction::AccountMeta::new_readonly(member.wallet.pubkey(), true),
    ];
    ok(exchange.session.send(&[transfer], &[&member.wallet]));
    let after = money(&exchange, &member);
    assert_eq!(
        (after.vault_tokens, after.booked, after.portfolio),
        (150, 100, 100)
    );
    // The next deposit credits what it brings, not what was lying there.
    ok(exchange.deposit(&member, 10));
    let after = money(&exchange, &member);
    assert_eq!(
        (after.vault_tokens, after.booked, after.portfolio),
        (160, 110, 110)
    );
    audit(&exchange);
}

#[test]
fn counters_never_wrap() {
    let (mut exchange, member) = opened(1_000);
    ok(exchange.deposit(&member, 500));
    let (owner, mint, slab_key) = (member.wallet.pubkey(), exchange.mint, exchange.slab);
    let deposit = router::deposit(&owner, &mint, &member.tokens, 7);
    let fund = router::fund_slab(&owner, &slab_key, &mint, 7);
    let portfolio = address::portfolio(&owner);
    let ledger = address::slab_ledger(&slab_key, &mint);
    for (instruction, key, at) in [
        (&deposit, portfolio, offset_of!(Portfolio, cash_atoms)),
        (
            &deposit,
            portfolio,
            offset_of!(Portfolio, deposited_total_atoms),
        ),
        (
            &deposit,
            address::vault(&mint),
            offset_of!(Vault, booked_atoms),
        ),
        (&fund, ledger, offset_of!(SlabLedger, backing_atoms)),
        (
            &fund,
            member.escrow,
            offset_of!(Escrow, deposited_total_atoms),
        ),
    ] {
        let fill = |account: &mut Account| account.data[at..at + 8].fill(0xff);
        while_changed(&mut exchange.session, &key, fill, |session| {
            let attempt = [instruction.clone()];
            refused(
                session,
                &attempt,
                &[&member.wallet],
                RouterError::AmountOverflow,
            );
        });
    }
}

#[test]
fn x2_a_counter_that_runs_backwards_or_too_far_is_refused() {
    let (mut exchange, member) = opened(1_000);
    ok(exchange.deposit(&member, 500));
    ok(exchange.fund(&member, 400));
    let sync = [slab::sync(&exchange.slab, &member.escrow, member.account)];
    let at = offset_of!(Escrow, deposited_total_atoms);
    for (total, why) in [
        (399, SlabError::CounterBackwards),
        (0, SlabError::CounterBackwards),
        (CASH_ATOMS_MAX + 1, SlabError::AmountOverflow),
        (1 << 63, SlabError::AmountOverflow),
        (u64::MAX, SlabError::AmountOverflow),
    ] {
        let set = |account: &mut Account| {
            account.data[at..at + 8].copy_from_slice(&u64::to_le_bytes(total));
        };
        while_changed(&mut exchange.session, &member.escrow, set, |session| {
            refused(session, &sync, &[], why);
        });
    }
}

#[test]
fn t6_an_account_opens_only_with_the_slabs_minimum_deposit() {
    let mut exchange = Exchange::open(session(), SlabSize::Dev).unwrap_or_else(|e| panic!("{e}"));
    let mut new = new_slab(&exchange, "minimum", capacities(&[]));
    new.account_deposit_min_atoms = 50 * QUOTE;
    move_to(&mut exchange, &new);
    let wallet = exchange.session.new_wallet();
    let (owner, slab_key, mint) = (wallet.pubkey(), exchange.slab, exchange.mint);
    let tokens = ok(exchange.create_tokens(&owner, 100 * QUOTE));
    let escrow = address::escrow(&slab_key, &owner, &mint);
    let start = [
        router::open_portfolio(&owner),
        router::deposit(&owner, &mint, &tokens, 100 * QUOTE),
        router::open_escrow(&owner, &slab_key, &mint, &Address::from([7; 32])),
    ];
    ok(exchange.session.send_large(&start, &[&wallet]));
    let fund = |atoms| router::fund_slab(&owner, &slab_key, &mint, atoms);
    let most = fund(50 * QUOTE - 1);
    refused(
        &mut exchange.session,
        std::slice::from_ref(&most),
        &[&wallet],
        RouterError::NotBound,
    );
    let bind = router::bind_escrow(&owner, &slab_key, &mint);
    ok(exchange
        .session
        .send_large(&[bind.clone(), most], &[&wallet]));
    let open = [bind, slab::open_account(&slab_key, &escrow)];
    refused(
        &mut exchange.session,
        &open,
        &[&wallet],
        SlabError::DepositTooSmall,
    );
    // What came since the first binding counts, although it was never opened.
    let all = [
        fund(1),
        open[0].clone(),
        open[1].clone(),
        slab::sync(&slab_key, &escrow, 1),
    ];
    ok(exchange.session.send_large(&all, &[&wallet]));
    audit(&exchange);
}

#[test]
fn records_open_at_addresses_that_somebody_paid_into_before() {
    let mut exchange = exchange(SlabSize::Dev);
    let wallet = exchange.session.new_wallet();
    let (owner, slab_key, mint) = (wallet.pubkey(), exchange.slab, exchange.mint);
    let trader = Address::from([7; 32]);
    for (record, instruction) in [
        (address::portfolio(&owner), router::open_portfolio(&owner)),
        (
            address::escrow(&slab_key, &owner, &mint),
            router::open_escrow(&owner, &slab_key, &mint, &trader),
        ),
    ] {
        let dust = Account {
            lamports: 1_000_000,
            ..Account::default()
        };
        exchange
            .session
            .svm
            .set_account(record, dust)
            .expect("an account");
        ok(exchange.session.send(&[instruction], &[&wallet]));
        assert_eq!(
            exchange.session.svm.get_account(&record).map(|a| a.owner),
            Some(address::ROUTER)
        );
    }
}
