//! The keeper of auctions, on the real programs.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::collateral::{ASKED, HELD, Pledge, TOKEN};
use flagstone_e2e_tests::crash::LOTS;
use flagstone_e2e_tests::{QUOTE, ok};
use flagstone_keeper::{Bidder, Liquidator, Task};
use flagstone_sdk::interface::router::portfolio_status;

/// A bidder with so much quote, and its token accounts.
fn bidder(pledge: &mut Pledge, funds: u64, profit: u64) -> Bidder {
    let exchange = &mut pledge.crash.exchange;
    let payer = exchange.session.payer();
    let source = ok(exchange.create_tokens(&payer, funds));
    let destination = ok(exchange.create_tokens_of(&pledge.mint, &payer, 0));
    Bidder {
        slab: exchange.slab,
        mint: exchange.mint,
        collateral: pledge.mint,
        source,
        destination,
        profit_min_atoms: profit,
    }
}

#[test]
fn lq7_the_keeper_buys_when_it_pays_and_the_account_is_cured() {
    let mut pledge = Pledge::open();
    let bidder = bidder(&mut pledge, 10_000 * QUOTE, 40 * QUOTE);
    // Nobody is below margin, and nobody would sell.
    assert!(bidder.offers(&pledge.crash.exchange.session).is_empty());
    pledge.consent(5_000 * QUOTE);
    pledge.crash.sink();
    let begin = [pledge.crash.begin(), pledge.crash.sync()];
    pledge.crash.crank(&begin);
    pledge.post();
    let grace = bidder.offers(&pledge.crash.exchange.session);
    assert!(grace.is_empty(), "not during the grace");
    pledge.wait(50);
    let mut sent = Vec::new();
    for _ in 0..30 {
        if let Some((offer, failure)) = bidder.step(&mut pledge.crash.exchange.session) {
            assert_eq!(failure, None);
            sent.push((offer, pledge.crash.exchange.session.slot()));
        }
        pledge.crash.audit();
        pledge.wait(5);
    }
    let [(first, began), (second, bought)] = sent[..] else {
        panic!("it begins, and buys once: {sent:?}")
    };
    assert_eq!(first.sale, None);
    let sale = second.sale.expect("a sale");
    assert_eq!(sale.cost_atoms, ASKED);
    // 62.7 slots down the price is low enough; it looks every five.
    assert_eq!(bought - began, 65);
    assert_eq!(pledge.balance(&bidder.destination), sale.amount_atoms);
    let paid = 10_000 * QUOTE - pledge.balance(&bidder.source);
    // 150.00 for a token: 15 quote atoms for 100 of its own.
    let worth = sale.amount_atoms * 15 / 100;
    assert_eq!(paid, ASKED);
    assert!(worth >= paid + 40 * QUOTE && worth < paid + 45 * QUOTE);
    // The margin is there already, and the other keeper ends the episode.
    let liquidator = Liquidator {
        slab: bidder.slab,
        mint: bidder.mint,
        keeper: pledge.crash.keeper.account,
    };
    pledge
        .crash
        .oracle
        .post(&mut pledge.crash.exchange.session, 9_300);
    let steps = liquidator.step(&mut pledge.crash.exchange.session);
    let tasks: Vec<_> = steps.iter().map(|step| step.task).collect();
    assert_eq!(tasks, [Task::End], "{steps:?}");
    assert_eq!(pledge.crash.portfolio().status, portfolio_status::OPEN);
    assert_eq!(pledge.crash.lots(&pledge.crash.victim), LOTS as i32);
    pledge.crash.audit();
}

#[test]
fn lq7_the_keeper_leaves_alone_what_pays_too_little() {
    let mut pledge = Pledge::in_auction(100);
    // 870 bring a tenth of what they buy: 96.67.
    let greedy = bidder(&mut pledge, 10_000 * QUOTE, 97 * QUOTE);
    assert!(greedy.offers(&pledge.crash.exchange.session).is_empty());
    let content = Bidder {
        profit_min_atoms: 96 * QUOTE,
        ..greedy
    };
    let offers = content.offers(&pledge.crash.exchange.session);
    assert_eq!(offers.len(), 1);
    assert_eq!(offers[0].profit_atoms, 96_666_666);
    assert_eq!(offers[0].owner, pledge.crash.owner());
    // A stale price makes no offer.
    pledge.crash.wait(26);
    assert!(content.offers(&pledge.crash.exchange.session).is_empty());
}

#[test]
fn lq7_the_keeper_buys_no_more_than_it_can_pay() {
    let mut pledge = Pledge::in_auction(100);
    let poor = bidder(&mut pledge, 27 * QUOTE, 1);
    let (offer, failure) = poor
        .step(&mut pledge.crash.exchange.session)
        .expect("an offer");
    assert_eq!(failure, None);
    // 27 at 135.
    let sale = offer.sale.expect("a sale");
    assert_eq!(
        (sale.amount_atoms, sale.cost_atoms),
        (TOKEN / 5, 27 * QUOTE)
    );
    assert_eq!(pledge.balance(&poor.source), 0);
    assert_eq!(pledge.position().amount_atoms, HELD - TOKEN / 5);
    pledge.crash.audit();
    assert!(poor.step(&mut pledge.crash.exchange.session).is_none());
}
