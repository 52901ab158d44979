//! Rule X6 from the other side: an owner that is a program, as a multisig is,
//! has no key and can only call. It trades, and its signature opens nothing that
//! is not its own.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::batch::{self, CPI_ROUTER, batch};
use flagstone_e2e_tests::govern::{change, config, execute};
use flagstone_e2e_tests::hostile;
use flagstone_e2e_tests::market::{CHARGE_MAX, Market, ROUTE};
use flagstone_e2e_tests::money::audit_money;
use flagstone_e2e_tests::refusal::{Why, refused};
use flagstone_e2e_tests::{QUOTE, ok, programs};
use flagstone_sdk::embedded::{Failure, Receipt, Seat};
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::router::{Escrow, Portfolio};
use flagstone_sdk::interface::slab::status;
use flagstone_sdk::route::Route;
use flagstone_sdk::router::Change;
use flagstone_sdk::units::Slot;
use flagstone_sdk::{address, router, slab};
use solana_account::Account;
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

/// What the program deposits.
const CASH: u64 = 10_000 * QUOTE;

/// A market, and a program that owns a portfolio with accounts at its slabs.
struct Owned {
    market: Market,
    seats: Vec<Seat>,
    tokens: Address,
}

impl Owned {
    fn open(slabs: usize) -> Self {
        let mut market = Market::open(slabs);
        let file = programs().join("flagstone_cpi_router.so");
        let added = market
            .exchange
            .session
            .svm
            .add_program_from_file(CPI_ROUTER, &file);
        added.unwrap_or_else(|error| {
            let file = file.display();
            panic!("{file}: {error}: run `cargo xtask build-sbf --program cpi-router`")
        });
        let lamports = Account {
            lamports: 1_000_000_000,
            ..Account::default()
        };
        let owner = batch::owner();
        let set = market.exchange.session.svm.set_account(owner, lamports);
        set.expect("an account");
        let tokens = ok(market.exchange.create_tokens(&owner, CASH));
        let mint = market.exchange.mint;
        let mut owned = Self {
            market,
            seats: Vec::new(),
            tokens,
        };
        ok(owned.call(&[
            router::open_portfolio(&owner),
            router::deposit(&owner, &mint, &tokens, CASH),
        ]));
        for slab_key in owned.market.slabs() {
            let escrow = address::escrow(&slab_key, &owner, &mint);
            ok(owned.call(&[
                router::open_escrow(&owner, &slab_key, &mint, &batch::trader()),
                router::bind_escrow(&owner, &slab_key, &mint),
                slab::open_account(&slab_key, &escrow),
            ]));
            let bound: Escrow = owned.record(&escrow);
            owned.seats.push(Seat {
                slab: slab_key,
                escrow,
                account: bound.bound_account as u16,
            });
        }
        owned
    }

    /// One instruction of the program that makes these calls.
    fn call(&mut self, calls: &[Instruction]) -> Result<Receipt, Box<Failure>> {
        let outcome = self.market.exchange.session.send(&[batch(calls)], &[]);
        audit_money(&self.market.exchange.session);
        outcome
    }

    #[track_caller]
    fn refuse(&mut self, call: Instruction, signers: &[&Keypair], why: impl Into<Why>) {
        let session = &mut self.market.exchange.session;
        refused(session, &[batch(&[call])], signers, why);
    }

    fn record<T: flagstone_sdk::interface::Record>(&self, key: &Address) -> T {
        let record = self.market.exchange.session.record(key);
        record.expect("a record")
    }

    fn cash(&self) -> u64 {
        let portfolio: Portfolio = self.record(&address::portfolio(&batch::owner()));
        portfolio.cash_atoms
    }

    fn route(&self, lots: u32, ttl: u32) -> Route {
        let leg = |seat| self.market.leg_of(seat, lots, ttl);
        Route::new(
            batch::owner(),
            batch::trader(),
            self.market.exchange.mint,
            ROUTE,
            u64::from(lots) * self.seats.len() as u64,
            u64::MAX,
            self.seats.iter().map(leg).collect(),
        )
        .expect("a route")
    }
}

#[test]
fn x6_an_owner_that_is_a_program_trades_by_call() {
    let mut owned = Owned::open(2);
    let route = owned.route(5, 0);
    let all = batch(&route.instructions());
    let named: Vec<_> = all.accounts.iter().map(|meta| meta.pubkey).collect();
    let session = &mut owned.market.exchange.session;
    let table = ok(session.create_lookup_table(&named));
    // The table takes a slot, and the hold that comes next is the same.
    ok(session.send_with_table(&[batch(&route.instructions())], &[], &table));
    audit_money(&owned.market.exchange.session);
    for seat in owned.seats.clone() {
        let session = &owned.market.exchange.session;
        let lots = session.with_slab(&seat.slab, |slab| {
            let head = slab.accounts[u32::from(seat.account)].positions_head;
            slab.positions[head].lots.0
        });
        assert_eq!(lots.expect("a slab"), 5);
        let escrow: Escrow = owned.record(&seat.escrow);
        assert!(escrow.debited_seen_atoms > 0 && escrow.balance_atoms == 0);
    }
    // And it gets its money out.
    let (owner, mint) = (batch::owner(), owned.market.exchange.mint);
    let (cash, tokens) = (owned.cash(), owned.tokens);
    ok(owned.call(&[router::withdraw(&owner, &mint, &tokens, cash)]));
    assert_eq!(owned.cash(), 0);
    let session = &owned.market.exchange.session;
    assert_eq!(session.token_balance(&tokens), cash);
}

#[test]
fn x6_a_program_that_calls_signs_for_nobody_else() {
    let mut owned = Owned::open(1);
    let (wallet, trader) = (
        owned.market.taker.wallet.insecure_clone(),
        owned.market.taker.trader.insecure_clone(),
    );
    let (mint, slab_key) = (owned.market.exchange.mint, owned.seats[0].slab);
    let (owner, tokens) = (wallet.pubkey(), owned.tokens);
    // The taker's own signatures, given to the program.
    let called = [
        router::withdraw(&owner, &mint, &tokens, 1),
        router::fund_slab(&owner, &slab_key, &mint, 1),
        router::set_trader(&owner, &slab_key, &mint, &batch::trader()),
        router::set_delegate(&owner, &batch::owner(), QUOTE, 0),
        router::set_liability_max(&owner, &slab_key, &mint, QUOTE),
    ];
    for call in called {
        owned.refuse(call, &[&wallet], RouterError::CalledByProgram);
    }
    let reserve = owned.market.route(1, 0).reserve().remove(0);
    owned.refuse(reserve, &[&trader], SlabError::CalledByProgram);
    // The program's, in place of the taker's.
    let mut withdraw = router::withdraw(&owner, &mint, &tokens, 1);
    withdraw.accounts[0].pubkey = batch::owner();
    owned.refuse(withdraw, &[], RouterError::WrongOwner);
    let mut open = owned.market.route(1, 0).open();
    open.accounts[0].pubkey = batch::owner();
    owned.refuse(open, &[], RouterError::WrongOwner);
    let mut reserve = owned.market.route(1, 0).reserve().remove(0);
    reserve.accounts[1].pubkey = batch::trader();
    owned.refuse(reserve, &[], SlabError::WrongTrader);
    // And the program's owner is not its session key.
    let mut reserve = owned.route(1, 0).reserve().remove(0);
    reserve.accounts[1].pubkey = batch::owner();
    owned.refuse(reserve, &[], SlabError::WrongTrader);
}

#[test]
fn x6_no_other_program_signs_for_an_owner_that_is_one() {
    let mut owned = Owned::open(1);
    hostile::deploy(&mut owned.market.exchange.session);
    let mint = owned.market.exchange.mint;
    let tokens = owned.market.taker.tokens;
    let steal = router::withdraw(&batch::owner(), &mint, &tokens, 1);
    // It cannot be asked for at the top level, and no other program is given it.
    let mut stolen = hostile::called(&steal);
    for meta in &mut stolen.accounts {
        meta.is_signer = false;
    }
    let failure = owned.market.exchange.session.send(&[stolen], &[]);
    let failure = failure.expect_err("nobody signed");
    assert!(failure.code.is_none(), "{failure}");
    assert_eq!(owned.cash(), CASH);
    // A program may trade as the delegate of a wallet that names it, and no more.
    let (owner, slab_key) = (
        owned.market.taker.wallet.pubkey(),
        owned.market.seats[0].slab,
    );
    let delegate = router::set_delegate(&owner, &batch::owner(), CHARGE_MAX, 0);
    owned.market.step(&[delegate]);
    let mut fund = router::fund_slab(&owner, &slab_key, &mint, QUOTE);
    fund.accounts[0].pubkey = batch::owner();
    ok(owned.call(&[fund]));
    let mut withdraw = router::withdraw(&owner, &mint, &tokens, 1);
    withdraw.accounts[0].pubkey = batch::owner();
    owned.refuse(withdraw, &[], RouterError::WrongOwner);
}

#[test]
fn x6_x9_an_administrator_that_is_a_program_governs_by_call() {
    let mut owned = Owned::open(1);
    let owner = batch::owner();
    let admin = owned.market.exchange.admin.insecure_clone();
    let slab_key = owned.seats[0].slab;
    let vault = address::vault(&owned.market.exchange.mint);
    // What a wallet governs it governs itself, not through a program that it signs for.
    let limit = Change::set_limit(&vault, 1_000 * QUOTE, 1_000);
    let proposals = config(&owned.market.exchange).proposals_total;
    let by_wallet = [
        limit.propose(&admin.pubkey(), proposals + 1),
        router::attest_slab(&admin.pubkey(), &slab_key),
        router::take_over(&admin.pubkey()),
    ];
    for call in by_wallet {
        owned.refuse(call, &[&admin], RouterError::CalledByProgram);
    }
    let status = slab::set_status(&admin.pubkey(), &slab_key, 0, 0);
    owned.refuse(status, &[&admin], SlabError::CalledByProgram);
    // Handed over in two steps, the second one by call.
    change(&mut owned.market.exchange, &Change::hand_over(&owner));
    ok(owned.call(&[router::take_over(&owner)]));
    assert_eq!(config(&owned.market.exchange).admin, owner.to_bytes());
    let id = config(&owned.market.exchange).proposals_total + 1;
    let guard = Change::set_guardian(&owner);
    ok(owned.call(&[limit.propose(&owner, id), guard.propose(&owner, id + 1)]));
    for (change, id) in [(&limit, id), (&guard, id + 1)] {
        ok(execute(&mut owned.market.exchange, change, id));
    }
    ok(owned.call(&[router::pause(&owner, 5)]));
    assert!(config(&owned.market.exchange).paused_until > Slot::ZERO);
    // The old administrator is nobody now.
    let late = limit.propose(&admin.pubkey(), id + 2);
    let session = &mut owned.market.exchange.session;
    refused(session, &[late], &[&admin], RouterError::WrongAdmin);
    // The slab's authority alike.
    let hand_over = slab::hand_over(&admin.pubkey(), &slab_key, &owner.to_bytes());
    ok(session.send(&[hand_over], &[&admin]));
    let status = slab::set_status(&owner, &slab_key, 0, status::REDUCE_ONLY);
    ok(owned.call(&[slab::take_over(&owner, &slab_key), status]));
}
