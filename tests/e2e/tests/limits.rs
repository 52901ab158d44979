//! Rule X8: what leaves is limited, and the limit denies nobody their money.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::evil::Evil;
use flagstone_e2e_tests::govern::{change, settle_down};
use flagstone_e2e_tests::money::audit_custody;
use flagstone_e2e_tests::{QUOTE, code, ok, session};
use flagstone_sdk::embedded::{Exchange, Failure, Member, Receipt};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::interface::error::RouterError;
use flagstone_sdk::interface::limits::RECENT_WINDOW_SLOTS;
use flagstone_sdk::interface::router::{
    CLAIMS_WAITING_MAX, Portfolio, RELEASES_WAITING_MAX, Vault, slab_status,
};
use flagstone_sdk::router::Change;
use flagstone_sdk::{address, router};
use solana_instruction::Instruction;
use solana_signer::Signer;

/// Limit of the vault, and its window.
const LIMIT: u64 = 1_000 * QUOTE;
const WINDOW: u32 = 1_000;
/// What every user has.
const CASH: u64 = 5_000 * QUOTE;

/// An exchange with a limit and three users who paid in long ago.
struct Bank {
    exchange: Exchange,
    users: Vec<Member>,
}

impl Bank {
    fn open() -> Self {
        let exchange = Exchange::open(session(), SlabSize::Dev);
        let mut exchange = exchange.unwrap_or_else(|failure| panic!("{failure}"));
        let users = (0..3).map(|_| {
            let user = ok(exchange.open_member(CASH));
            ok(exchange.deposit(&user, CASH));
            user
        });
        let users = users.collect();
        let vault = address::vault(&exchange.mint);
        change(&mut exchange, &Change::set_limit(&vault, LIMIT, WINDOW));
        let mut bank = Self { exchange, users };
        bank.wait(2 * RECENT_WINDOW_SLOTS);
        bank
    }

    fn wait(&mut self, slots: u32) {
        let slot = self.exchange.session.slot();
        self.exchange.session.warp_to(slot + u64::from(slots));
    }

    fn send(&mut self, user: usize, instruction: Instruction) -> Result<Receipt, Box<Failure>> {
        let wallet = self.users[user].wallet.insecure_clone();
        let signed = instruction.accounts.iter().any(|meta| meta.is_signer);
        let signers = [&wallet];
        let signers = &signers[..usize::from(signed)];
        // The same payment may be due twice in a slot.
        self.exchange.session.svm.expire_blockhash();
        let outcome = self.exchange.session.send(&[instruction], signers);
        audit_custody(&self.exchange.session);
        outcome
    }

    fn keys(&self, user: usize) -> [solana_address::Address; 3] {
        let user = &self.users[user];
        [user.wallet.pubkey(), self.exchange.mint, user.tokens]
    }

    fn withdraw(&mut self, user: usize, atoms: u64) -> Result<Receipt, Box<Failure>> {
        let [owner, mint, tokens] = self.keys(user);
        self.send(user, router::withdraw(&owner, &mint, &tokens, atoms))
    }

    fn claim(&mut self, user: usize, atoms: u64) -> Result<Receipt, Box<Failure>> {
        let [owner, mint, tokens] = self.keys(user);
        self.send(
            user,
            router::claim_withdrawal(&owner, &mint, &tokens, atoms),
        )
    }

    fn pay(&mut self, user: usize) -> Result<Receipt, Box<Failure>> {
        let [owner, mint, tokens] = self.keys(user);
        self.send(user, router::pay_claim(&owner, &mint, &tokens))
    }

    fn cancel(&mut self, user: usize) -> Result<Receipt, Box<Failure>> {
        let [owner, mint, _] = self.keys(user);
        self.send(user, router::cancel_claim(&owner, &mint))
    }

    fn portfolio(&self, user: usize) -> Portfolio {
        let portfolio = self.exchange.portfolio(&self.users[user]);
        portfolio.expect("a portfolio")
    }

    fn paid(&self, user: usize) -> u64 {
        self.exchange
            .session
            .token_balance(&self.users[user].tokens)
    }
}

#[track_caller]
fn refused<T>(outcome: Result<T, Box<Failure>>, why: RouterError) {
    assert_eq!(code(outcome), why.code(), "{why}");
}

#[test]
fn x8_what_is_above_the_limit_waits_its_turn() {
    let mut bank = Bank::open();
    ok(bank.withdraw(0, 800 * QUOTE));
    refused(bank.withdraw(1, 201 * QUOTE), RouterError::OverLimit);
    ok(bank.claim(1, 600 * QUOTE));
    // There is room for 200, but the first come is served first.
    refused(bank.withdraw(2, QUOTE), RouterError::OverLimit);
    ok(bank.claim(2, 100 * QUOTE));
    refused(bank.pay(2), RouterError::BadClaim);
    ok(bank.pay(1));
    assert_eq!(bank.paid(1), 200 * QUOTE);
    refused(bank.pay(1), RouterError::OverLimit);
    bank.wait(WINDOW * 4 / 10);
    ok(bank.pay(1));
    assert_eq!(bank.paid(1), 600 * QUOTE);
    assert_eq!(bank.portfolio(1).claim_serial, 0);
    // The bucket is full again, and the next one waits for what leaks.
    refused(bank.pay(2), RouterError::OverLimit);
    bank.wait(WINDOW / 20);
    ok(bank.pay(2));
    assert_eq!(bank.paid(2), 50 * QUOTE);
    bank.wait(WINDOW / 20);
    ok(bank.pay(2));
    assert_eq!(bank.paid(2), 100 * QUOTE);
    // Nobody waits any more: what has leaked since may leave directly.
    bank.wait(WINDOW / 10);
    refused(bank.withdraw(2, 100 * QUOTE + 1), RouterError::OverLimit);
    ok(bank.withdraw(2, 100 * QUOTE));
}

#[test]
fn x8_no_window_lets_more_leave_than_the_limit_and_what_leaks() {
    let mut bank = Bank::open();
    let mut left = 0;
    for step in 0..40 {
        for user in 0..3 {
            for atoms in [500 * QUOTE, 90 * QUOTE, 7 * QUOTE, QUOTE / 3] {
                if bank.withdraw(user, atoms).is_ok() {
                    left += atoms;
                }
            }
        }
        assert!(left <= LIMIT + LIMIT / 50 * step, "step {step}");
        bank.wait(WINDOW / 50);
    }
    assert!(left > LIMIT + LIMIT / 50 * 35, "what may leave does leave");
}

#[test]
fn x8_own_deposits_leave_uncounted_and_make_no_room_for_anybody() {
    let mut bank = Bank::open();
    ok(bank.withdraw(0, LIMIT));
    refused(bank.withdraw(1, 1), RouterError::OverLimit);
    // Deposit and withdrawal of the same money: neither waits, and the bucket
    // is as full as before.
    let tokens = ok(bank
        .exchange
        .create_tokens(&bank.users[1].wallet.pubkey(), CASH));
    let [owner, mint, _] = bank.keys(1);
    for _ in 0..3 {
        ok(bank.send(1, router::deposit(&owner, &mint, &tokens, CASH)));
        refused(bank.withdraw(0, 1), RouterError::OverLimit);
        refused(bank.withdraw(1, CASH + 1), RouterError::OverLimit);
        ok(bank.send(1, router::withdraw(&owner, &mint, &tokens, CASH)));
        refused(bank.withdraw(1, 1), RouterError::OverLimit);
    }
    // Nor do those who wait hold it up.
    ok(bank.claim(2, 10 * QUOTE));
    ok(bank.send(1, router::deposit(&owner, &mint, &tokens, CASH)));
    ok(bank.send(1, router::withdraw(&owner, &mint, &tokens, CASH)));
    // It is exempt for one window and part of the next, not for good.
    ok(bank.send(1, router::deposit(&owner, &mint, &tokens, CASH)));
    bank.wait(2 * RECENT_WINDOW_SLOTS);
    ok(bank.pay(2));
    refused(bank.withdraw(1, LIMIT + 1), RouterError::OverLimit);
}

#[test]
fn x8_moves_within_the_router_never_count() {
    let mut bank = Bank::open();
    ok(bank.withdraw(0, LIMIT));
    let [owner, mint, _] = bank.keys(1);
    let slab = bank.exchange.slab;
    ok(bank.send(1, router::fund_slab(&owner, &slab, &mint, CASH)));
    let before = bank.exchange.vault().expect("a vault").outflow;
    let (escrow, account) = (bank.users[1].escrow, bank.users[1].account);
    let trader = bank.users[1].trader.insecure_clone();
    let back = [
        flagstone_sdk::slab::sync(&slab, &escrow, account),
        flagstone_sdk::slab::release(&slab, &trader.pubkey(), account, CASH),
        router::settle(&owner, &slab, &mint),
    ];
    ok(bank.exchange.session.send(&back, &[&trader]));
    assert_eq!(bank.portfolio(1).cash_atoms, CASH);
    assert_eq!(bank.exchange.vault().expect("a vault").outflow, before);
}

#[test]
fn x8_a_claim_that_cannot_be_paid_holds_up_nobody() {
    for ruin in 0..3 {
        let mut bank = Bank::open();
        ok(bank.claim(0, 500 * QUOTE));
        ok(bank.claim(1, 400 * QUOTE));
        // Whoever wants to block the queue closes the account that is paid to,
        // or has it frozen, or cancels.
        let tokens = bank.users[0].tokens;
        let mut account = bank
            .exchange
            .session
            .svm
            .get_account(&tokens)
            .expect("tokens");
        match ruin {
            0 => account = Default::default(),
            1 => account.data[108] = 2,
            _ => ok(bank.cancel(0)).logs.clear(),
        }
        let svm = &mut bank.exchange.session.svm;
        svm.set_account(tokens, account).expect("an account");
        refused(bank.pay(1), RouterError::BadClaim);
        ok(bank.pay(0));
        assert_eq!(bank.portfolio(0).cash_atoms, CASH);
        assert_eq!(bank.portfolio(0).claim_serial, 0);
        ok(bank.pay(1));
        assert_eq!(bank.paid(1), 400 * QUOTE);
    }
}

#[test]
fn x8_a_claim_is_its_owners_and_cannot_be_doubled_or_redirected() {
    let mut bank = Bank::open();
    ok(bank.claim(0, 500 * QUOTE));
    assert_eq!(bank.portfolio(0).cash_atoms, CASH - 500 * QUOTE);
    refused(bank.claim(0, 500 * QUOTE), RouterError::BadClaim);
    refused(bank.withdraw(0, CASH), RouterError::NotEnoughCash);
    let [owner, mint, _] = bank.keys(0);
    let other = bank.users[1].tokens;
    let pay = router::pay_claim(&owner, &mint, &other);
    refused(bank.send(0, pay), RouterError::BadClaim);
    let mut foreign = router::cancel_claim(&owner, &mint);
    foreign.accounts[0].pubkey = bank.users[1].wallet.pubkey();
    refused(bank.send(1, foreign), RouterError::WrongOwner);
    ok(bank.cancel(0));
    refused(bank.cancel(0), RouterError::BadClaim);
    // The place is kept until its turn; cancelling gains no second one.
    refused(bank.claim(0, 500 * QUOTE), RouterError::BadClaim);
    ok(bank.pay(0));
    ok(bank.claim(0, 500 * QUOTE));
    // The vault pays nobody into itself.
    let vault_tokens = address::vault_tokens(&mint);
    let own = bank.users[1].wallet.pubkey();
    let claim = router::claim_withdrawal(&own, &mint, &vault_tokens, 500 * QUOTE);
    refused(bank.send(1, claim), RouterError::WrongRecord);
}

#[test]
fn x8_the_queue_is_bounded_and_dust_does_not_fill_it() {
    let mut bank = Bank::open();
    refused(bank.claim(0, LIMIT / 1_024 - 1), RouterError::BadClaim);
    refused(bank.claim(0, 0), RouterError::BadClaim);
    let key = address::vault(&bank.exchange.mint);
    let mut account = bank
        .exchange
        .session
        .svm
        .get_account(&key)
        .expect("a vault");
    let original = account.clone();
    let mut vault: Vault = bank.exchange.vault().expect("a vault");
    vault.claims_total = vault.claims_done + CLAIMS_WAITING_MAX;
    account.data.copy_from_slice(bytemuck::bytes_of(&vault));
    let svm = &mut bank.exchange.session.svm;
    svm.set_account(key, account).expect("an account");
    refused(bank.claim(0, LIMIT), RouterError::ClaimsFull);
    let svm = &mut bank.exchange.session.svm;
    svm.set_account(key, original).expect("an account");
    ok(bank.claim(0, LIMIT / 1_024));
}

#[test]
fn x8_without_a_limit_claims_of_dust_hold_up_nobody() {
    let mut bank = Bank::open();
    let vault = address::vault(&bank.exchange.mint);
    change(&mut bank.exchange, &Change::set_limit(&vault, 0, 0));
    ok(bank.claim(0, 1));
    ok(bank.withdraw(1, CASH));
    assert_eq!(bank.paid(1), CASH);
    // The claim is good all the same, and pays what it is for.
    ok(bank.pay(0));
    assert_eq!((bank.paid(0), bank.portfolio(0).cash_atoms), (1, CASH - 1));
    // With a limit the order counts again.
    change(
        &mut bank.exchange,
        &Change::set_limit(&vault, LIMIT, WINDOW),
    );
    ok(bank.claim(0, LIMIT / 1_024));
    refused(bank.withdraw(2, 1), RouterError::OverLimit);
}

#[test]
fn x8_x9_the_limit_lies_behind_the_delay_and_a_pause_stops_no_withdrawal() {
    let mut bank = Bank::open();
    let guardian = settle_down(&mut bank.exchange);
    let session = &mut bank.exchange.session;
    ok(session.send(&[router::pause(&guardian.pubkey(), 100)], &[&guardian]));
    ok(bank.withdraw(0, LIMIT));
    ok(bank.claim(1, LIMIT));
    let vault = address::vault(&bank.exchange.mint);
    let wide = Change::set_limit(&vault, 100 * LIMIT, WINDOW);
    let id = flagstone_e2e_tests::govern::propose(&mut bank.exchange, &wide);
    let early = flagstone_e2e_tests::govern::refusal(&mut bank.exchange, &wide, id);
    assert_eq!(early, RouterError::NotDue.code());
    refused(bank.pay(1), RouterError::OverLimit);
    bank.wait(flagstone_e2e_tests::govern::DELAY);
    ok(flagstone_e2e_tests::govern::execute(
        &mut bank.exchange,
        &wide,
        id,
    ));
    ok(bank.pay(1));
    // A bucket that does not leak would keep money in for good.
    for (limit, window) in [(1, 2), (5, 0), (999, 1_000)] {
        let bad = Change::set_limit(&vault, limit, window);
        let id = flagstone_e2e_tests::govern::propose(&mut bank.exchange, &bad);
        bank.wait(flagstone_e2e_tests::govern::DELAY);
        let why = flagstone_e2e_tests::govern::refusal(&mut bank.exchange, &bad, id);
        assert_eq!(why, RouterError::BadSetting.code());
    }
}

/// The hostile slab under a limit, its users' deposits long ago.
fn limited() -> Evil {
    let mut evil = Evil::open();
    let ledger = address::slab_ledger(&evil.slab, &evil.market.exchange.mint);
    let limit = Change::set_limit(&ledger, 100 * QUOTE, 100);
    change(&mut evil.market.exchange, &limit);
    evil.market.wait(u64::from(2 * RECENT_WINDOW_SLOTS));
    evil
}

/// Settles and returns what came out.
fn settled(evil: &mut Evil, victim: bool) -> u64 {
    let before = evil.portfolio(victim).cash_atoms;
    let settle = evil.settle(victim);
    evil.market.exchange.session.svm.expire_blockhash();
    ok(evil.send(victim, &[settle]));
    audit_custody(&evil.market.exchange.session);
    evil.portfolio(victim).cash_atoms - before
}

#[test]
fn x8_releases_above_a_slabs_limit_wait_their_turn() {
    let mut evil = limited();
    evil.edit_account(false, |account| account.released_total_atoms = 150 * QUOTE);
    evil.edit_account(true, |account| account.released_total_atoms = 30 * QUOTE);
    assert_eq!(settled(&mut evil, false), 100 * QUOTE);
    assert_eq!(settled(&mut evil, true), 0);
    assert_eq!(evil.ledger().waiting_count, 2);
    evil.market.wait(40);
    // Not the first in the queue.
    assert_eq!(settled(&mut evil, true), 0);
    assert_eq!(settled(&mut evil, false), 40 * QUOTE);
    // More is released meanwhile: that waits behind the other.
    evil.edit_account(false, |account| account.released_total_atoms += 20 * QUOTE);
    evil.market.wait(30);
    assert_eq!(settled(&mut evil, false), 10 * QUOTE);
    assert_eq!(settled(&mut evil, false), 0);
    assert_eq!(settled(&mut evil, true), 20 * QUOTE);
    evil.market.wait(100);
    assert_eq!(settled(&mut evil, false), 0);
    assert_eq!(settled(&mut evil, true), 10 * QUOTE);
    assert_eq!(settled(&mut evil, false), 20 * QUOTE);
    assert_eq!(evil.ledger().waiting_count, 0);
    assert_eq!(evil.escrow(false).released_seen_atoms, 170 * QUOTE);
    // What was funded of late is not limited.
    let (owner, mint, slab) = (
        evil.market.taker.wallet.pubkey(),
        evil.market.exchange.mint,
        evil.slab,
    );
    let fund = router::fund_slab(&owner, &slab, &mint, 500 * QUOTE);
    let fund = flagstone_e2e_tests::evil::of_evil(fund);
    ok(evil.send(true, &[fund]));
    evil.edit_account(true, |account| account.released_total_atoms += 500 * QUOTE);
    assert_eq!(settled(&mut evil, true), 500 * QUOTE);
}

#[test]
fn x8_nobody_who_comes_later_overtakes_a_release_that_waits() {
    let mut evil = limited();
    evil.edit_account(false, |account| account.released_total_atoms = 150 * QUOTE);
    assert_eq!(settled(&mut evil, false), 100 * QUOTE);
    evil.market.wait(40);
    // There is room for 40, and somebody before.
    evil.edit_account(true, |account| account.released_total_atoms = 30 * QUOTE);
    assert_eq!(settled(&mut evil, true), 0);
    assert_eq!(evil.ledger().waiting_count, 2);
    assert_eq!(settled(&mut evil, false), 40 * QUOTE);
}

#[test]
fn x8_a_thief_gets_one_limit_before_the_slab_is_quarantined() {
    let mut evil = limited();
    let before = evil.ledger().backing_atoms;
    evil.edit_account(false, |account| account.released_total_atoms = u64::MAX);
    for _ in 0..5 {
        settled(&mut evil, false);
    }
    assert_eq!(evil.ledger().backing_atoms, before - 100 * QUOTE);
    evil.edit_account(true, |account| account.debited_total_atoms = 1);
    settled(&mut evil, true);
    assert_eq!(evil.entry().status, slab_status::QUARANTINED);
    assert_eq!(evil.ledger().backing_atoms, before - 100 * QUOTE);
    assert!(evil.ledger().waiting_count as usize <= RELEASES_WAITING_MAX);
}
