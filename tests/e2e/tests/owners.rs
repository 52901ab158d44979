//! What an owner hands to a delegate, and the end of a portfolio.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::forge::stranger;
use flagstone_e2e_tests::market::{CHARGE_MAX, Market, ROUTE, TAKER_CASH};
use flagstone_e2e_tests::money::{audit_custody, audit_money};
use flagstone_e2e_tests::{MARK, QUOTE, code, ok};
use flagstone_sdk::embedded::{Failure, Receipt};
use flagstone_sdk::interface::error::RouterError;
use flagstone_sdk::interface::limits::RECENT_WINDOW_SLOTS;
use flagstone_sdk::interface::router::{Portfolio, portfolio_status};
use flagstone_sdk::route::Route;
use flagstone_sdk::units::{Side, Ticks};
use flagstone_sdk::{router, slab};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

/// What the delegate may move in a day.
const ALLOWANCE: u64 = 6_000 * QUOTE;

/// How much worse than the mark it may trade: the makers quote 0.1 % off.
const BAND_PPM: u32 = 1_000;

fn delegated() -> (Market, Keypair) {
    let mut market = Market::open(1);
    let delegate = market.exchange.session.new_wallet();
    let owner = market.taker.wallet.pubkey();
    let set = router::set_delegate(&owner, &delegate.pubkey(), ALLOWANCE, BAND_PPM);
    market.step(&[set]);
    (market, delegate)
}

fn portfolio(market: &Market) -> Portfolio {
    let portfolio = market.exchange.portfolio(&market.taker);
    portfolio.expect("a portfolio")
}

/// The instruction with the delegate in the owner's place.
fn by(mut instruction: Instruction, owner: &Address, delegate: &Keypair) -> Instruction {
    for meta in &mut instruction.accounts {
        if meta.pubkey == *owner {
            meta.pubkey = delegate.pubkey();
        }
    }
    instruction
}

fn send(
    market: &mut Market,
    instruction: Instruction,
    delegate: &Keypair,
) -> Result<Receipt, Box<Failure>> {
    let owner = market.taker.wallet.pubkey();
    let instruction = by(instruction, &owner, delegate);
    market.exchange.session.svm.expire_blockhash();
    let outcome = market.exchange.session.send(&[instruction], &[delegate]);
    audit_custody(&market.exchange.session);
    outcome
}

#[track_caller]
fn refused<T>(outcome: Result<T, Box<Failure>>, why: RouterError) {
    assert_eq!(code(outcome), why.code(), "{why}");
}

#[test]
fn x9_a_delegate_trades_and_funds_and_never_withdraws() {
    let (mut market, delegate) = delegated();
    let (owner, mint, slab_key) = (
        market.taker.wallet.pubkey(),
        market.exchange.mint,
        market.exchange.slab,
    );
    // Trades.
    market.fund(0, QUOTE);
    let route = market.route(5, 10);
    market.step(&route.reserve());
    ok(send(&mut market, route.open(), &delegate));
    market.step(&route.commit());
    market.step(&[route.settle()]);
    // Funds.
    let fund = router::fund_slab(&owner, &slab_key, &mint, 100 * QUOTE);
    ok(send(&mut market, fund, &delegate));
    audit_money(&market.exchange.session);
    // Whatever takes money out, or hands rights on, is the owner's.
    let tokens = ok(market.exchange.create_tokens(&delegate.pubkey(), 1));
    let theirs = [
        router::withdraw(&owner, &mint, &tokens, 1),
        router::claim_withdrawal(&owner, &mint, &tokens, QUOTE),
        router::set_delegate(&owner, &stranger(), 0, 0),
        router::set_delegate(&owner, &stranger(), ALLOWANCE, BAND_PPM),
        router::close_portfolio(&owner),
        router::set_trader(&owner, &slab_key, &mint, &stranger()),
        router::bind_escrow(&owner, &slab_key, &mint),
        router::exit_by_proof(&owner, &slab_key, &mint, None),
    ];
    for instruction in theirs {
        refused(
            send(&mut market, instruction, &delegate),
            RouterError::WrongOwner,
        );
    }
    // Not where the owner has no escrow: another's is no way out.
    let mut astray = router::fund_slab(&owner, &slab_key, &mint, QUOTE);
    astray.accounts[2].pubkey = market.maker_seats[0].escrow;
    refused(
        send(&mut market, astray, &delegate),
        RouterError::WrongOwner,
    );
}

#[test]
fn x9_a_delegate_moves_no_more_than_the_allowance_of_a_day() {
    let (mut market, delegate) = delegated();
    let (owner, mint, slab_key) = (
        market.taker.wallet.pubkey(),
        market.exchange.mint,
        market.exchange.slab,
    );
    market.fund(0, QUOTE);
    let route = market.route(5, 10);
    market.step(&route.reserve());
    // A route counts with what it may charge.
    ok(send(&mut market, route.open(), &delegate));
    let left = ALLOWANCE - CHARGE_MAX;
    let fund = |atoms| router::fund_slab(&owner, &slab_key, &mint, atoms);
    refused(
        send(&mut market, fund(left + 1), &delegate),
        RouterError::OverLimit,
    );
    ok(send(&mut market, fund(left), &delegate));
    refused(
        send(&mut market, fund(1), &delegate),
        RouterError::OverLimit,
    );
    // The owner is not bound by it.
    market.step(&[fund(left)]);
    market.wait(u64::from(RECENT_WINDOW_SLOTS) / 2);
    refused(
        send(&mut market, fund(ALLOWANCE / 2 + 1), &delegate),
        RouterError::OverLimit,
    );
    ok(send(&mut market, fund(ALLOWANCE / 2), &delegate));
    // Setting it again does not forget what was moved.
    let again = router::set_delegate(&owner, &delegate.pubkey(), ALLOWANCE, BAND_PPM);
    market.step(&[again]);
    refused(
        send(&mut market, fund(ALLOWANCE / 2 + 1), &delegate),
        RouterError::OverLimit,
    );
}

#[test]
fn x9_a_delegate_trades_within_the_owners_band_around_the_mark() {
    let (mut market, delegate) = delegated();
    let owner = market.taker.wallet.pubkey();
    let allow = |market: &mut Market, band_ppm| {
        let set = router::set_delegate(&owner, &delegate.pubkey(), 4 * ALLOWANCE, band_ppm);
        market.step(&[set]);
    };
    // A buy at MARK + 10 and a sale at MARK - 10 are worse than the mark by 1,000 ppm.
    for side in [Side::Bid, Side::Ask] {
        // A commit charges what margin lacks: nothing of it is free for a bond.
        market.fund(0, QUOTE);
        let mut leg = market.leg(0, 5, 10);
        leg.reserve.side = side;
        if side == Side::Ask {
            leg.reserve.limit = Ticks(1);
        }
        // Selling for at least nothing sets no limit, as buying for any price does.
        let limit = if side == Side::Ask { 0 } else { u64::MAX };
        let trader = market.taker.trader.pubkey();
        let mint = market.exchange.mint;
        let route = Route::new(owner, trader, mint, ROUTE, 5, limit, vec![leg]);
        let route = route.expect("a route");
        market.step(&route.reserve());
        for narrow in [0, BAND_PPM - 1] {
            allow(&mut market, narrow);
            refused(
                send(&mut market, route.open(), &delegate),
                RouterError::OutsideBand,
            );
        }
        allow(&mut market, BAND_PPM);
        ok(send(&mut market, route.open(), &delegate));
        market.step(&route.commit());
        market.step(&[vec![route.settle()], route.free()].concat());
        assert_eq!(market.position(0), if side == Side::Bid { 5 } else { 0 });
    }
    // The owner trades at any price.
    allow(&mut market, 0);
    market.fund(0, QUOTE);
    let route = market.route(5, 10);
    market.step(&route.reserve());
    market.step(&[route.open()]);
}

#[test]
fn x9_the_band_is_around_the_mark_of_now() {
    let (mut market, delegate) = delegated();
    market.fund(0, QUOTE);
    let route = market.route(5, 10);
    market.step(&route.reserve());
    let slab_key = market.exchange.slab;
    let mark = |market: &mut Market, ticks| {
        let moved = market.exchange.session.edit_slab(&slab_key, |slab| {
            slab.instruments[0].mark = Ticks(ticks);
        });
        moved.expect("a slab");
    };
    // What was 0.1 % off when it was captured is more by now.
    mark(&mut market, MARK - 1);
    refused(
        send(&mut market, route.open(), &delegate),
        RouterError::OutsideBand,
    );
    mark(&mut market, MARK);
    ok(send(&mut market, route.open(), &delegate));
}

#[test]
fn x9_a_dismissed_delegate_is_a_stranger() {
    let (mut market, delegate) = delegated();
    let (owner, mint, slab_key) = (
        market.taker.wallet.pubkey(),
        market.exchange.mint,
        market.exchange.slab,
    );
    for (key, allowance, band) in [
        (Address::default(), 1, 0),
        (Address::default(), 0, 1),
        (delegate.pubkey(), 0, 0),
        (delegate.pubkey(), 9, 0),
        (delegate.pubkey(), ALLOWANCE, 1_000_001),
    ] {
        let bad = router::set_delegate(&owner, &key, allowance, band);
        market.refuse(&bad, RouterError::BadSetting);
    }
    let dismiss = router::set_delegate(&owner, &Address::default(), 0, 0);
    market.step(&[dismiss]);
    let fund = router::fund_slab(&owner, &slab_key, &mint, QUOTE);
    refused(send(&mut market, fund, &delegate), RouterError::WrongOwner);
}

#[test]
fn x2_a_portfolio_closes_empty_and_keeps_its_counters() {
    let mut market = Market::open(1);
    let (owner, mint) = (market.taker.wallet.pubkey(), market.exchange.mint);
    let seat = market.seats[0];
    let close = || router::close_portfolio(&owner);
    market.refuse(&close(), RouterError::PortfolioNotEmpty);
    let tokens = market.taker.tokens;
    market.step(&[router::withdraw(&owner, &mint, &tokens, TAKER_CASH)]);
    // Its escrow is still bound.
    market.refuse(&close(), RouterError::PortfolioNotEmpty);
    let trader = market.taker.trader.pubkey();
    market.step(&[
        slab::close_account(&seat.slab, &trader, &seat.escrow, seat.account),
        router::unbind_escrow(&owner, &seat.slab, &mint),
        slab::free_account(&seat.slab, &seat.escrow, seat.account),
    ]);
    market.step(&[close()]);
    let closed = portfolio(&market);
    assert_eq!(closed.status, portfolio_status::CLOSED);
    assert_eq!(closed.deposited_total_atoms, TAKER_CASH);
    assert_eq!(closed.withdrawn_total_atoms, TAKER_CASH);
    // Nothing new begins with it, and it is not opened a second time.
    let deposit = router::deposit(&owner, &mint, &tokens, QUOTE);
    market.refuse(&deposit, RouterError::PortfolioClosed);
    market.refuse(&router::open_portfolio(&owner), RouterError::AlreadyExists);
    market.refuse(&close(), RouterError::PortfolioNotEmpty);
}
