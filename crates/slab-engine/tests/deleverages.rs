//! Deleveraging: after the ticket, at the bankruptcy price, most profitable first.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::Exchange;
use flagstone_slab_engine::SlabError;
use flagstone_units::{Side::Ask, Side::Bid, Slot};

const RICH: u64 = 1_000_000_000;

/// Account 1 has 150,000 and is long 10 at 100,000; accounts 2, 3 and 4 are
/// short 4 at 99,000, 4 at 100,000 and 8 at 101,000. Account 5 is long the rest.
fn standing() -> Exchange {
    let mut exchange = Exchange::crash(&[150_000, RICH, RICH, RICH, RICH]);
    exchange.pair(1, 5, 100_000, 10);
    exchange.pair(5, 2, 99_000, 4);
    exchange.pair(5, 3, 100_000, 4);
    exchange.pair(5, 4, 101_000, 8);
    exchange
}

fn expired(exchange: &mut Exchange, account: u32, lots: u32) -> common::crash::Papers {
    let papers = exchange.ticket(account, lots);
    exchange.slot += 76;
    papers
}

#[test]
fn lq5_only_after_the_ticket_and_with_lots_left() {
    let mut exchange = standing();
    exchange.set_mark(0, 86_000);
    let papers = exchange.ticket(1, 10);
    exchange.slot += 75;
    assert_eq!(
        exchange.deleverage(1, &[4, 3], &papers).err(),
        Some(SlabError::BadTicket)
    );
    exchange.slot += 1;
    let mut used = papers;
    used.ticket.lots_max = 0;
    assert_eq!(
        exchange.deleverage(1, &[4, 3], &used).err(),
        Some(SlabError::BadTicket)
    );
    let mut over = papers;
    over.portfolio.episode += 1;
    assert_eq!(
        exchange.deleverage(1, &[4, 3], &over).err(),
        Some(SlabError::BadTicket)
    );
    exchange.set_mark(0, 89_500);
    assert_eq!(
        exchange.deleverage(1, &[4, 3], &papers).err(),
        Some(SlabError::Healthy)
    );
    exchange.set_mark(0, 86_000);
    exchange.slab().instruments[0].fresh_until = Slot(exchange.slot - 1);
    assert_eq!(
        exchange.deleverage(1, &[4, 3], &papers).err(),
        Some(SlabError::StaleMark)
    );
    exchange.set_mark(0, 86_000);
    exchange.deleverage(1, &[4, 3], &papers).unwrap();
    assert_eq!(
        exchange.deleverage(1, &[4, 3], &papers).err(),
        Some(SlabError::BadTicket)
    );
    exchange.audit_all();
}

#[test]
fn lq5_lots_left_by_the_sweep_are_what_is_deleveraged() {
    let mut exchange = standing();
    exchange.set_mark(0, 86_000);
    exchange.post(2, Bid, 86_000, 2).unwrap();
    exchange.slot += 5;
    let papers = exchange.ticket(1, 7);
    assert_eq!(exchange.liquidate(1, &papers), Ok(2));
    exchange.slot += 76;
    let done = exchange.deleverage(1, &[4], &papers).unwrap();
    assert_eq!(done.events().len(), 1);
    assert_eq!({ done.events()[0].lots }, 5);
    assert_eq!(exchange.position(1, 0).0, 3);
    assert_eq!(exchange.slab().accounts[1].ticket_lots_used, 7);
    exchange.audit_all();
}

#[test]
fn lq5_the_bankruptcy_price_leaves_nothing_and_owes_nothing() {
    // Equity is 10,000 at 86,000 and -10,000 at 84,000: the bankruptcy price is
    // 85,000 either way.
    for mark in [86_000, 84_000] {
        let mut exchange = standing();
        exchange.set_mark(0, mark);
        let papers = expired(&mut exchange, 1, 10);
        let before = [4, 3].map(|account| exchange.cash(account));
        let done = exchange.deleverage(1, &[4, 3], &papers).unwrap();
        let made: Vec<_> = done
            .events()
            .iter()
            .map(|event| (event.counter, event.lots, event.notional_atoms))
            .collect();
        assert_eq!(made, [(4, 8, 680_000), (3, 2, 170_000)]);
        assert_eq!((exchange.cash(1), exchange.deficit()), (0, 0));
        assert_eq!(exchange.cash(4) - before[0], 8 * 16_000);
        assert_eq!(exchange.cash(3) - before[1], 2 * 15_000);
        assert_eq!(exchange.position(3, 0).0, -2);
        assert_eq!(exchange.slab().header.fees_out_total.get(), 0);
        exchange.audit_all();
    }
}

#[test]
fn lq5_a_price_beyond_the_band_leaves_a_debt() {
    let mut exchange = standing();
    // Equity -50,000: 85,000 would be 6.25 % from the mark, the band is 2 %.
    exchange.set_mark(0, 80_000);
    let papers = expired(&mut exchange, 1, 10);
    let done = exchange.deleverage(1, &[4, 3], &papers).unwrap();
    assert_eq!({ done.events()[0].notional_atoms }, 8 * 81_600);
    assert_eq!(exchange.cash(1), -34_000);
    assert_eq!({ done.recognised.unwrap().deficit_atoms }, 34_000);
    assert_eq!(exchange.deficit(), 34_000);
    exchange.audit_all();
}

#[test]
fn lq5_a_counterpart_gives_up_profit_and_never_principal() {
    // The bankrupt bought at 130,000; a short from 100,500 is in profit at
    // 100,000 but would lose at any price above its entry.
    let mut exchange = Exchange::crash(&[280_000, RICH, RICH, RICH]);
    exchange.set_mark(0, 130_000);
    exchange.pair(1, 2, 130_000, 10);
    exchange.set_mark(0, 100_500);
    exchange.pair(2, 3, 100_500, 10);
    exchange.set_mark(0, 100_000);
    let papers = expired(&mut exchange, 1, 10);
    let before = exchange.cash(3);
    let done = exchange.deleverage(1, &[3], &papers).unwrap();
    assert_eq!({ done.events()[0].notional_atoms }, 1_005_000);
    assert_eq!(exchange.cash(3), before);
    assert_eq!(exchange.deficit(), 15_000);
    exchange.audit_all();
}

#[test]
fn lq5_the_most_profitable_come_first_and_none_is_left_out() {
    let mut exchange = standing();
    exchange.set_mark(0, 86_000);
    let papers = expired(&mut exchange, 1, 10);
    let before = exchange.bytes().to_vec();
    let bad: [&[u32]; 8] = [&[], &[3, 4], &[2], &[3], &[4, 2], &[5], &[4, 4], &[1]];
    for counters in bad {
        let refused = exchange.deleverage(1, counters, &papers);
        assert_eq!(
            refused.err(),
            Some(SlabError::BadDeleverage),
            "{counters:?}"
        );
        assert_eq!(exchange.bytes().to_vec(), before, "{counters:?}");
    }
    // In bounded steps: the first alone is the most profitable one.
    assert!(exchange.deleverage(1, &[4], &papers).is_ok());
    assert_eq!(exchange.position(1, 0).0, 2);
    assert!(exchange.deleverage(1, &[2], &papers).is_err());
    assert!(exchange.deleverage(1, &[3], &papers).is_ok());
    assert_eq!(exchange.position(1, 0).0, 0);
    exchange.audit_all();
}

#[test]
fn lq5_a_position_without_profit_is_no_counterpart() {
    let mut exchange = Exchange::crash(&[150_000, RICH, RICH]);
    exchange.pair(1, 2, 100_000, 10);
    exchange.set_mark(0, 86_000);
    exchange.pair(2, 3, 86_000, 10);
    let papers = expired(&mut exchange, 1, 10);
    assert_eq!(
        exchange.deleverage(1, &[3], &papers).err(),
        Some(SlabError::BadDeleverage)
    );
}

#[test]
fn lq5_shorts_are_closed_against_longs() {
    let mut exchange = Exchange::crash(&[150_000, RICH, RICH, RICH]);
    exchange.pair(2, 1, 100_000, 6);
    exchange.pair(3, 1, 101_000, 4);
    exchange.set_mark(0, 116_000);
    // Equity 150,000 - 6 * 16,000 - 4 * 15,000 = -6,000, over ten lots.
    assert_eq!(exchange.health(1).0, -6_000);
    let papers = expired(&mut exchange, 1, 10);
    assert_eq!(
        exchange.deleverage(1, &[3, 2], &papers).err(),
        Some(SlabError::BadDeleverage)
    );
    let before = [2, 3].map(|account| exchange.cash(account));
    exchange.deleverage(1, &[2, 3], &papers).unwrap();
    assert_eq!(exchange.cash(2) - before[0], 6 * 15_400);
    assert_eq!(exchange.cash(3) - before[1], 4 * 14_400);
    assert_eq!((exchange.cash(1), exchange.deficit()), (0, 0));
    exchange.audit_all();
}

#[test]
fn lq5_the_last_counterpart_is_closed_in_part_on_either_side() {
    let mut exchange = Exchange::crash(&[150_000, RICH, RICH, RICH]);
    exchange.pair(2, 1, 100_000, 6);
    exchange.pair(3, 1, 101_000, 4);
    exchange.pair(3, 4, 101_000, 5);
    exchange.set_mark(0, 116_000);
    let papers = expired(&mut exchange, 1, 10);
    exchange.deleverage(1, &[2, 3], &papers).unwrap();
    assert_eq!(
        (exchange.position(1, 0).0, exchange.position(3, 0).0),
        (0, 5)
    );
    exchange.audit_all();
}

#[test]
fn lq5_rounding_leaves_no_debt() {
    // Equity that no number of lots divides.
    for extra in 0..30 {
        let mut exchange = Exchange::crash(&[150_001 + extra, RICH, RICH, RICH, RICH]);
        exchange.pair(1, 5, 100_003, 7);
        exchange.pair(5, 2, 100_100, 3);
        exchange.pair(5, 3, 100_200, 2);
        exchange.pair(5, 4, 100_300, 1);
        exchange.set_mark(0, 78_500);
        let papers = expired(&mut exchange, 1, 7);
        exchange.deleverage(1, &[4, 3, 2], &papers).unwrap();
        assert_eq!(exchange.position(1, 0).0, 1);
        let equity = exchange.health(1).0;
        exchange.post(2, Ask, 78_500, 1).unwrap();
        exchange.ioc(5, Bid, 78_500, 1).unwrap();
        assert!(exchange.deleverage(1, &[4], &papers).is_err());
        // What is left of it is its share for the last lot, or a little more.
        let share = (150_001 + extra as i64 + 7 * (78_500 - 100_003)) / 7;
        assert!(
            (share - 1..=share + 3).contains(&equity),
            "{equity} {share}"
        );
        exchange.audit_all();
    }
}
