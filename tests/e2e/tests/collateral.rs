//! Rule LQ7: collateral other than quote backs nothing, and is sold in an
//! auction for margin that its owner consented to bring, and for no more.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::collateral::{ASKED, CONSENT, HELD, LENGTH, PRICE, Pledge, TOKEN, rules};
use flagstone_e2e_tests::crash::{LEFT, LOTS, PLEDGED};
use flagstone_e2e_tests::forge::swapped;
use flagstone_e2e_tests::govern::change;
use flagstone_e2e_tests::{MARK, QUOTE, ok};
use flagstone_sdk::embedded::{Seat, oracle_instrument};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::error::RouterError;
use flagstone_sdk::interface::router::portfolio_status;
use flagstone_sdk::margin::times::GRACE_SLOTS;
use flagstone_sdk::router::Change;
use flagstone_sdk::units::{Side, Ticks};
use flagstone_sdk::{address, router, slab};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_signer::Signer;

#[test]
fn lq7_from_deposit_over_crash_and_auction_to_the_end() {
    let mut pledge = Pledge::open();
    assert_eq!(pledge.balance(&pledge.tokens), 30 * TOKEN);
    assert_eq!(pledge.position().amount_atoms, HELD);
    assert_eq!(pledge.crash.portfolio().cash_atoms, LEFT, "it is no cash");
    let quote = pledge.crash.exchange.mint;
    let vault = pledge.balance(&address::vault_tokens(&quote));
    pledge.consent(CONSENT);
    pledge.crash.sink();
    // 3,000 of collateral do not keep 40 short of maintenance from a liquidation.
    let begin = [pledge.crash.begin(), pledge.crash.sync()];
    pledge.crash.crank(&begin);
    let locked = pledge.withdraw(1);
    pledge.refuse(&locked, RouterError::CollateralLocked);
    pledge.wait(u64::from(GRACE_SLOTS.0) - 1);
    let open = pledge.bid(1, QUOTE);
    pledge.refuse_bid(&open, RouterError::BidTooLow);
    pledge.wait(1);
    // The first call begins, whatever it bids, and takes nothing.
    pledge.buy(std::slice::from_ref(&open));
    let slot = pledge.crash.exchange.session.slot();
    assert_eq!(u64::from(pledge.position().auction_slot.0), slot);
    assert_eq!(pledge.position().auction_episode, 1);
    assert_eq!(pledge.position().amount_atoms, HELD);
    assert_eq!(pledge.balance(&pledge.buyer.quote), 100_000 * QUOTE);

    // Half way: 150.00 * (1.05 - 0.15 / 2) = 146.25.
    pledge.wait(u64::from(LENGTH / 2));
    let greedy = pledge.bid(HELD, HELD / TOKEN * 146_250_000 - 10);
    pledge.refuse_bid(&greedy, RouterError::BidTooLow);
    let bid = pledge.bid(HELD, HELD / TOKEN * 146_250_000);
    pledge.buy(&[bid]);
    // 870 / 146.25, rounded down.
    let sold = 5_948_717_948;
    assert_eq!(pledge.balance(&pledge.buyer.tokens), sold);
    assert_eq!(pledge.balance(&pledge.buyer.quote), 100_000 * QUOTE - ASKED);
    let position = pledge.position();
    assert_eq!(position.amount_atoms, HELD - sold);
    assert_eq!(
        (position.sold_total_atoms, position.raised_total_atoms),
        (sold, ASKED)
    );
    assert_eq!(pledge.vault().booked_atoms, HELD - sold);
    assert_eq!(
        pledge.balance(&address::vault_tokens(&pledge.mint)),
        HELD - sold
    );
    assert_eq!(
        pledge.balance(&address::vault_tokens(&quote)),
        vault + ASKED
    );
    assert_eq!(pledge.crash.portfolio().cash_atoms, LEFT + ASKED);
    let more = pledge.bid(1, QUOTE);
    pledge.refuse_bid(&more, RouterError::NoDeficit);

    let cure = [
        pledge.crash.shift(),
        pledge.crash.sync(),
        pledge.crash.end(),
        pledge.crash.sync(),
    ];
    pledge.crash.crank(&cure);
    assert_eq!(pledge.crash.portfolio().cash_atoms, 0);
    assert_eq!(pledge.crash.portfolio().status, portfolio_status::OPEN);
    let escrow = pledge.crash.escrow();
    assert_eq!(escrow.deposited_total_atoms, PLEDGED + LEFT + ASKED);
    assert_eq!((escrow.frozen, escrow.shifted_atoms), (0, LEFT + ASKED));
    let health = pledge.crash.health(&pledge.crash.victim);
    assert_eq!(
        health.equity_atoms as u64, health.initial_atoms,
        "to the atom"
    );
    assert_eq!(pledge.crash.lots(&pledge.crash.victim), LOTS as i32);
    pledge.refuse_bid(&more, RouterError::NoDeficit);

    // What is left is free again.
    let all = pledge.withdraw(HELD - sold);
    pledge.send(&[all]);
    assert_eq!(pledge.balance(&pledge.tokens), 50 * TOKEN - sold);
    assert_eq!(pledge.vault().booked_atoms, 0);
    assert_eq!(pledge.crash.portfolio().collateral_count, 0);
}

#[test]
fn lq7_the_price_falls_slot_by_slot_and_stays_in_its_band() {
    let mut pledge = Pledge::in_auction(0);
    let mut last = u64::MAX;
    for (elapsed, price) in [
        (0, 157_500_000),
        (20, 153_000_000),
        (99, 135_225_000),
        (100, 135_000_000),
        (150, 135_000_000),
    ] {
        let began = u64::from(pledge.position().auction_slot.0);
        let now = pledge.crash.exchange.session.slot();
        let slots = began + elapsed - now;
        if slots > 0 {
            pledge.wait(slots);
        }
        let before = pledge.balance(&pledge.buyer.quote);
        let cheap = pledge.bid(TOKEN, price - 1);
        pledge.refuse_bid(&cheap, RouterError::BidTooLow);
        let bid = pledge.bid(TOKEN, 1_000 * QUOTE);
        pledge.buy(&[bid]);
        let paid = before - pledge.balance(&pledge.buyer.quote);
        assert_eq!(paid, price, "after {elapsed}");
        assert!(paid <= last);
        last = paid;
    }
    assert_eq!(pledge.balance(&pledge.buyer.tokens), 5 * TOKEN);
    // Another price of the oracle moves the band at once.
    pledge.price = PRICE / 2;
    pledge.wait(1);
    let before = pledge.balance(&pledge.buyer.quote);
    let bid = pledge.bid(TOKEN, 1_000 * QUOTE);
    pledge.buy(&[bid]);
    assert_eq!(before - pledge.balance(&pledge.buyer.quote), 67_500_000);
}

#[test]
fn lq7_an_auction_that_nobody_takes_is_over_and_begins_again() {
    let mut pledge = Pledge::in_auction(2 * u64::from(LENGTH) + 1);
    let began = pledge.position().auction_slot;
    let bid = pledge.bid(TOKEN, 1_000 * QUOTE);
    pledge.buy(std::slice::from_ref(&bid));
    assert_eq!(
        pledge.position().amount_atoms,
        HELD,
        "it began, and sold nothing"
    );
    assert_eq!(pledge.position().auction_slot.0, began.0 + 2 * LENGTH + 1);
    pledge.buy(&[bid]);
    assert_eq!(pledge.position().raised_total_atoms, 157_500_000);
}

#[test]
fn lq7_a_new_episode_has_a_new_auction() {
    let mut pledge = Pledge::open();
    // So long that the first auction would still run.
    let mut long = rules(&pledge.oracle);
    long.auction_slots = 1_000;
    let quote = pledge.crash.exchange.mint;
    let terms = Change::add_collateral(&pledge.mint, &quote, &long);
    change(&mut pledge.crash.exchange, &terms);
    pledge.consent(CONSENT);
    pledge.wait(1);
    pledge.crash.sink();
    pledge.freeze();
    let bid = pledge.bid(HELD, 20_000 * QUOTE);
    pledge.buy(std::slice::from_ref(&bid));
    pledge.buy(std::slice::from_ref(&bid));
    let cure = [
        pledge.crash.shift(),
        pledge.crash.sync(),
        pledge.crash.end(),
        pledge.crash.sync(),
    ];
    pledge.crash.crank(&cure);
    let first = pledge.position();
    // Straight down again: within an hour there is no grace.
    pledge.crash.fall_to(8_780);
    pledge.freeze();
    pledge.buy(std::slice::from_ref(&bid));
    let second = pledge.position();
    assert_eq!((first.auction_episode, second.auction_episode), (1, 2));
    assert!(second.auction_slot > first.auction_slot);
    assert!(second.auction_slot.0 < first.auction_slot.0 + 2_000);
    assert_eq!(second.amount_atoms, first.amount_atoms);
    pledge.buy(&[bid]);
    assert!(pledge.position().amount_atoms < first.amount_atoms);
}

#[test]
fn lq7_nothing_is_sold_but_what_is_missing_and_consented_to() {
    let mut pledge = Pledge::open();
    let bid = pledge.bid(HELD, 20_000 * QUOTE);
    pledge.refuse_bid(&bid, RouterError::NoDeficit);
    pledge.crash.sink();
    pledge.post();
    // Below its margin, and nobody has begun.
    pledge.refuse_bid(&bid, RouterError::NoDeficit);
    pledge.freeze();
    // Its owner has consented to nothing.
    pledge.refuse_bid(&bid, RouterError::NoDeficit);
    pledge.consent(LEFT);
    pledge.refuse_bid(&bid, RouterError::NoDeficit);
    pledge.consent(LEFT + 200 * QUOTE);
    pledge.buy(std::slice::from_ref(&bid));
    pledge.wait(100);
    pledge.buy(std::slice::from_ref(&bid));
    // 200 / 135, rounded down: pays 200 to the atom.
    assert_eq!(pledge.position().sold_total_atoms, 1_481_481_481);
    assert_eq!(pledge.position().raised_total_atoms, 200 * QUOTE);
    pledge.refuse_bid(&bid, RouterError::NoDeficit);
    let shift = [pledge.crash.shift(), pledge.crash.sync()];
    pledge.crash.crank(&shift);
    assert_eq!(pledge.crash.escrow().shifted_atoms, LEFT + 200 * QUOTE);
    // The consent is used up.
    pledge.refuse_bid(&bid, RouterError::NoDeficit);
    // Margin came back by itself: nothing is missing any more.
    pledge.consent(CONSENT);
    pledge.crash.fall_to(10_000);
    pledge.post();
    pledge.refuse_bid(&bid, RouterError::NoDeficit);
    let end = [pledge.crash.end(), pledge.crash.sync()];
    pledge.crash.crank(&end);
    pledge.refuse_bid(&bid, RouterError::NoDeficit);
}

#[test]
fn lq7_no_collateral_pays_a_debt_without_positions() {
    let mut pledge = Pledge::open();
    pledge.consent(CONSENT);
    pledge.crash.fall_to(8_500);
    pledge.freeze();
    let bid = pledge.bid(HELD, 20_000 * QUOTE);
    pledge.buy(std::slice::from_ref(&bid));
    // The account is closed out before anybody buys.
    let issue = [pledge.crash.issue()];
    pledge.crash.crank(&issue);
    pledge.wait(76);
    let counters = [pledge.crash.deleverage(&[&pledge.crash.seller])];
    pledge.crash.crank(&counters);
    assert_eq!(pledge.crash.lots(&pledge.crash.victim), 0);
    assert!(pledge.crash.health(&pledge.crash.victim).equity_atoms <= 0);
    pledge.post();
    pledge.refuse_bid(&bid, RouterError::NoDeficit);
    assert_eq!(pledge.position().amount_atoms, HELD);
}

#[test]
fn lq7_its_owner_may_buy_and_gains_nothing_by_it() {
    let mut pledge = Pledge::in_auction(100);
    let wallet = pledge.crash.victim.wallet.insecure_clone();
    let own = flagstone_e2e_tests::collateral::Purse {
        quote: pledge.crash.victim.tokens,
        tokens: pledge.tokens,
        wallet: wallet.insecure_clone(),
    };
    let before = (pledge.balance(&own.quote), pledge.balance(&own.tokens));
    let bid = pledge.bid_of(&own, HELD, 20_000 * QUOTE);
    pledge.send_as(&wallet, &[bid]);
    let paid = before.0 - pledge.balance(&own.quote);
    assert_eq!(paid, ASKED);
    // All that it paid is margin of its own, and it owns as many tokens.
    assert_eq!(pledge.crash.portfolio().cash_atoms, LEFT + ASKED);
    let got = pledge.balance(&own.tokens) - before.1;
    assert_eq!(pledge.position().amount_atoms + got, HELD);
}

#[test]
fn lq7_collateral_may_be_added_while_liquidating_and_is_sold_as_well() {
    let mut pledge = Pledge::in_auction(100);
    let all = pledge.deposit(30 * TOKEN);
    pledge.send(&[all]);
    assert_eq!(pledge.position().amount_atoms, 50 * TOKEN);
    let bid = pledge.bid(50 * TOKEN, 50_000 * QUOTE);
    pledge.buy(&[bid]);
    assert_eq!(pledge.position().raised_total_atoms, ASKED);
}

#[test]
fn lq7_holding_too_little_sells_all_of_it() {
    let mut pledge = Pledge::open();
    let most = pledge.withdraw(HELD - TOKEN / 7);
    pledge.send(&[most]);
    pledge.consent(CONSENT);
    pledge.crash.sink();
    pledge.freeze();
    let bid = pledge.bid(HELD, 20_000 * QUOTE);
    pledge.buy(std::slice::from_ref(&bid));
    pledge.wait(100);
    pledge.buy(std::slice::from_ref(&bid));
    let position = pledge.position();
    assert_eq!(
        (position.amount_atoms, position.sold_total_atoms),
        (0, TOKEN / 7)
    );
    // 142,857,142 atoms at 0.135, rounded up.
    assert_eq!(position.raised_total_atoms, 19_285_715);
    assert_eq!(pledge.crash.portfolio().collateral_count, 0);
    pledge.refuse_bid(&bid, RouterError::NoDeficit);
}

#[test]
fn lq7_a_portfolio_with_collateral_is_not_empty() {
    let mut pledge = Pledge::open();
    let wallet = pledge.crash.exchange.session.new_wallet();
    let (owner, mint) = (wallet.pubkey(), pledge.mint);
    let tokens = ok(pledge.crash.exchange.create_tokens_of(&mint, &owner, TOKEN));
    let deposit = router::deposit_collateral(&owner, &mint, &tokens, TOKEN);
    pledge.send_as(&wallet, &[router::open_portfolio(&owner), deposit.clone()]);
    let close = router::close_portfolio(&owner);
    pledge.refuse_as(&wallet, &close, RouterError::PortfolioNotEmpty);
    let part = router::withdraw_collateral(&owner, &mint, &tokens, TOKEN / 2);
    pledge.send_as(&wallet, std::slice::from_ref(&part));
    pledge.refuse_as(&wallet, &close, RouterError::PortfolioNotEmpty);
    pledge.send_as(&wallet, &[part, close]);
    pledge.refuse_as(&wallet, &deposit, RouterError::PortfolioClosed);
}

/// Compute units of everything, and bytes of the longest: what the documentation
/// says.
#[test]
fn lq7_costs_of_collateral() {
    let mut pledge = Pledge::open();
    let (deposit, withdraw) = (pledge.deposit(TOKEN), pledge.withdraw(TOKEN));
    let deposit = pledge.send(&[deposit]).compute_units;
    let withdraw = pledge.send(&[withdraw]).compute_units;
    pledge.consent(CONSENT);
    pledge.crash.sink();
    pledge.freeze();
    let bid = pledge.bid(TOKEN, 1_000 * QUOTE);
    let begin = pledge.buy(std::slice::from_ref(&bid)).compute_units;
    let buy = pledge.buy(std::slice::from_ref(&bid));
    let cure = [bid, pledge.crash.shift(), pledge.crash.sync()];
    let all = pledge.buy(&cure);
    println!(
        "CU: deposit {deposit}, withdraw {withdraw}, begin {begin}, buy {}, buy with shift and sync {}",
        buy.compute_units, all.compute_units
    );
    println!("bytes: {} and {}", buy.bytes, all.bytes);
    assert!(deposit <= 5_000 && withdraw <= 5_000);
    assert!(begin <= 8_000 && buy.compute_units <= 12_000);
    assert!(all.compute_units <= 25_000 && all.bytes <= 1_232);
}

/// Two accounts of one owner, each as short as the other, and one purse.
struct Twins {
    pledge: Pledge,
    other: Seat,
}

impl Twins {
    fn open() -> Self {
        let mut pledge = Pledge::open();
        let crash = &mut pledge.crash;
        let slab_key = ok(crash.exchange.add_slab("other", SlabSize::Dev));
        let params = oracle_instrument(Ticks(MARK), &crash.oracle);
        ok(crash.exchange.add_instrument_at(&slab_key, &params));
        let mint = crash.exchange.mint;
        let other = ok(crash.exchange.add_seat(&crash.victim, &slab_key));
        let seller = ok(crash.exchange.add_seat(&crash.seller, &slab_key));
        for (member, seat, atoms) in [
            (&crash.victim, other, PLEDGED),
            (&crash.seller, seller, 20_000 * QUOTE),
        ] {
            ok(crash.exchange.deposit(member, atoms));
            let fund = [
                router::fund_slab(&member.wallet.pubkey(), &slab_key, &mint, atoms),
                slab::sync(&slab_key, &seat.escrow, seat.account),
            ];
            ok(crash.exchange.session.send(&fund, &[&member.wallet]));
        }
        let mut twins = Self { pledge, other };
        twins.wait(1);
        let crash = &mut twins.pledge.crash;
        let mut ask = crash
            .seller
            .order(OrderKind::PostOnly, Side::Ask, MARK, LOTS);
        ask.account = seller.account.into();
        let mut take = crash.victim.taking(Side::Bid, MARK, LOTS, LOTS);
        take.account = other.account.into();
        let place = slab::place(&slab_key, &crash.seller.trader.pubkey(), &ask);
        ok(crash.exchange.trade(&crash.seller, place));
        let take = slab::take(&slab_key, &crash.victim.trader.pubkey(), &take);
        ok(crash.exchange.trade(&crash.victim, take));
        twins.pledge.consent(CONSENT);
        let owner = twins.pledge.crash.owner();
        let consent = router::set_liability_max(&owner, &slab_key, &mint, CONSENT);
        twins.pledge.send(&[consent]);
        twins
    }

    /// Keeps both marks and the collateral's price fresh.
    fn wait(&mut self, slots: u64) {
        self.pledge.wait(slots);
        let oracle = self.pledge.crash.oracle.key;
        let mark = slab::update_mark(&self.other.slab, &oracle, 0);
        self.pledge.crash.crank(&[mark]);
    }

    fn sync(&self) -> Instruction {
        slab::sync(&self.other.slab, &self.other.escrow, self.other.account)
    }

    /// The same instruction for the other account.
    fn there(&self, build: fn(&Address, &Address, &Address) -> Instruction) -> Instruction {
        let (owner, _, mint) = self.pledge.crash.at();
        build(&owner, &self.other.slab, &mint)
    }

    /// A bid for what the other account lacks.
    fn bid_there(&self, bid: &Instruction) -> Instruction {
        let seat = self.there(router::settle);
        let places = [1, 2, 3, 4].into_iter();
        places.fold(bid.clone(), |bid, place| {
            swapped(&bid, 2 + place, seat.accounts[place].pubkey)
        })
    }
}

#[test]
fn lq7_two_accounts_raise_what_both_lack_and_no_more() {
    let mut twins = Twins::open();
    twins.pledge.crash.price = 9_300;
    while twins.pledge.crash.mark() != 9_300 {
        twins.wait(20);
    }
    twins.wait(5);
    let begin = [
        twins.pledge.crash.begin(),
        twins.there(router::begin_liquidation),
        twins.pledge.crash.sync(),
        twins.sync(),
    ];
    twins.pledge.crash.crank(&begin);
    assert_eq!(twins.pledge.crash.portfolio().frozen_count, 2);
    twins.wait(50);
    let here = twins.pledge.bid(HELD, 20_000 * QUOTE);
    let there = twins.bid_there(&here);
    // One auction for the mint, whichever account is named.
    twins.pledge.buy(std::slice::from_ref(&there));
    twins.wait(100);
    twins.pledge.buy(std::slice::from_ref(&here));
    assert_eq!(twins.pledge.position().raised_total_atoms, ASKED);
    // The cash is there, so the other asks for nothing.
    twins.pledge.refuse_bid(&there, RouterError::NoDeficit);
    // It may take that cash: it lacks it as well.
    let shift = [twins.there(router::shift_margin), twins.sync()];
    twins.pledge.crash.crank(&shift);
    assert_eq!(twins.pledge.crash.portfolio().cash_atoms, 0);
    twins.pledge.refuse_bid(&there, RouterError::NoDeficit);
    twins.pledge.buy(std::slice::from_ref(&here));
    twins.pledge.refuse_bid(&here, RouterError::NoDeficit);
    let cure = [
        twins.pledge.crash.shift(),
        twins.pledge.crash.sync(),
        twins.pledge.crash.end(),
        twins.there(router::end_liquidation),
    ];
    twins.pledge.crash.crank(&cure);
    // 970 each, less the cash that was there.
    let position = twins.pledge.position();
    assert_eq!(position.raised_total_atoms, 2 * (ASKED + LEFT) - LEFT);
    let portfolio = twins.pledge.crash.portfolio();
    assert_eq!((portfolio.cash_atoms, portfolio.frozen_count), (0, 0));
    assert_eq!(portfolio.status, portfolio_status::OPEN);
}
