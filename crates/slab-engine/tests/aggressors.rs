//! The tax on an aggressor's round trip within a batch.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::router::reserve;
use common::{Exchange, Rng, ioc, params, small};
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::layout::Rules;
use flagstone_units::{Ppm, Side, Side::Ask, Side::Bid, Slot};

/// Half of a round trip's profit is taxed; batches of ten slots. Account 1
/// makes the book at any price that a test asks for.
fn exchange(entries: u32) -> Exchange {
    let params = InstrumentParams {
        rules: Rules {
            round_trip_tax: Ppm(500_000),
            ..Rules::default()
        },
        ..params()
    };
    let mut pools = small();
    pools[8] = entries;
    let mut exchange = Exchange::with(pools);
    exchange.slab().add_instrument(&params, Slot(100)).unwrap();
    for _ in 0..20 {
        exchange.open(1_000_000_000);
    }
    exchange.slab().header.batch_slots = 10;
    exchange
}

/// Trades with a quote of account 1 and returns the tax.
fn trade(exchange: &mut Exchange, account: u32, side: Side, ticks: u32, lots: u32) -> u64 {
    exchange.post(1, side.contra(), ticks, lots).unwrap();
    let kept = exchange.slab().header.fees_out_total.get();
    let traded = exchange.take(&ioc(account, side, ticks, lots)).unwrap();
    assert_eq!({ traded.lots }, lots);
    let tax = traded.tax_atoms;
    // What the event says is what the slab keeps; there are no other fees here.
    assert_eq!({ traded.fee_atoms }, tax as i64);
    let now = exchange.slab().header.fees_out_total.get();
    assert_eq!(now - kept, u128::from(tax));
    exchange.audit();
    tax
}

#[test]
fn s11_m11_the_profit_of_the_overlap_is_taxed_and_nothing_else() {
    // Not the notional: once a trip without any profit was taxed on it.
    for (bought, sold, tax) in [(1_000, 1_010, 50), (1_000, 1_000, 0), (1_010, 1_000, 0)] {
        for buys_first in [true, false] {
            let mut exchange = exchange(8);
            let mut legs = [(Bid, bought), (Ask, sold)];
            if !buys_first {
                legs.reverse();
            }
            assert_eq!(trade(&mut exchange, 2, legs[0].0, legs[0].1, 10), 0);
            assert_eq!(trade(&mut exchange, 2, legs[1].0, legs[1].1, 10), tax);
            let gain = (i64::from(sold) - i64::from(bought)) * 10 - tax as i64;
            assert_eq!(exchange.cash(2), 1_000_000_000 + gain);
        }
    }
}

#[test]
fn s11_m11_nothing_is_taxed_twice_however_the_trip_is_cut() {
    // Once the whole overlap was taxed again at every commit.
    let mut exchange = exchange(8);
    trade(&mut exchange, 2, Bid, 1_000, 10);
    let parts = [4, 1, 1, 3, 1].map(|lots| trade(&mut exchange, 2, Ask, 1_010, lots));
    assert_eq!(parts, [20, 5, 5, 15, 5]);
    // Beyond the overlap there is no profit yet.
    assert_eq!(trade(&mut exchange, 2, Ask, 1_010, 7), 0);
    // A loss afterwards gives nothing back, and is made up for before more is due.
    assert_eq!(trade(&mut exchange, 2, Bid, 1_080, 7), 0);
    assert_eq!(trade(&mut exchange, 2, Ask, 1_011, 1), 0);
}

#[test]
fn s11_the_tax_never_exceeds_its_part_of_the_profit() {
    let mut rng = Rng(9);
    for _ in 0..200 {
        let mut exchange = exchange(8);
        let (mut sums, mut paid) = ([(0u64, 0u64); 2], 0);
        let mut most = 0;
        for _ in 0..12 {
            let side = if rng.below(2) == 0 { Bid } else { Ask };
            let (ticks, lots) = (960 + rng.below(80) as u32, 1 + rng.below(9) as u32);
            paid += trade(&mut exchange, 2, side, ticks, lots);
            let sum = &mut sums[side.index()];
            *sum = (sum.0 + u64::from(lots), sum.1 + u64::from(ticks * lots));
            let [(bought, cost), (sold, brought)] = sums;
            let overlap = bought.min(sold);
            if overlap > 0 {
                // Compared without division: mean price times overlap.
                let gain = i128::from(brought * bought) - i128::from(cost * sold);
                let profit = gain * i128::from(overlap) / i128::from(bought * sold);
                most = most.max((profit.max(0) as u64).div_ceil(2));
            }
            assert!(paid <= most, "paid {paid}, at most {most} is due");
        }
    }
}

#[test]
fn m11_the_makers_leg_is_exempt() {
    let mut exchange = exchange(8);
    trade(&mut exchange, 2, Bid, 1_000, 10);
    exchange.post(2, Ask, 1_020, 10).unwrap();
    let traded = exchange.take(&ioc(3, Bid, 1_020, 10)).unwrap();
    assert_eq!({ traded.tax_atoms }, 0);
    assert_eq!(exchange.cash(2), 1_000_000_000 + 200);
    assert_eq!(exchange.slab().header.fees_out_total.get(), 0);
    // A maker on both sides pays nothing either.
    exchange.post(2, Bid, 990, 5).unwrap();
    exchange.ioc(3, Ask, 990, 5).unwrap();
    assert_eq!(exchange.slab().header.fees_out_total.get(), 0);
}

#[test]
fn m11_the_end_of_a_window_cannot_be_straddled() {
    for (first, second, tax) in [
        (100, 109, 50),
        (109, 110, 50),
        (109, 111, 0),
        (108, 110, 0),
        (105, 115, 0),
    ] {
        let mut exchange = exchange(8);
        exchange.slot = first;
        trade(&mut exchange, 2, Bid, 1_000, 10);
        exchange.slot = second;
        let got = trade(&mut exchange, 2, Ask, 1_010, 10);
        assert_eq!(got, tax, "slots {first} and {second}");
    }
    // Nor does a leg carried over make the next window forget its own: once
    // that was how a crumb in the last slot made a whole window free.
    let mut exchange = exchange(8);
    exchange.slot = 109;
    trade(&mut exchange, 2, Bid, 1_000, 10);
    exchange.slot = 110;
    trade(&mut exchange, 2, Bid, 1_000, 1);
    exchange.slot = 119;
    assert_eq!(trade(&mut exchange, 2, Ask, 1_010, 11), 55);
}

#[test]
fn m11_a_commit_is_a_leg_like_any_other() {
    for commit_first in [true, false] {
        let mut exchange = exchange(8);
        let leg = |exchange: &mut Exchange, side: Side, ticks: u32, by_hold: bool| {
            if !by_hold {
                return trade(exchange, 2, side, ticks, 10);
            }
            exchange.post(1, side.contra(), ticks, 10).unwrap();
            let held = exchange.reserve(&reserve(2, side, ticks, 10)).unwrap();
            let tax = exchange.mint_and_commit(&held).unwrap().tax_atoms;
            let result = exchange.record(held.hold).result().unwrap();
            assert_eq!(result.fee_atoms, tax as i64);
            exchange.audit();
            tax
        };
        assert_eq!(leg(&mut exchange, Bid, 1_000, commit_first), 0);
        assert_eq!(leg(&mut exchange, Ask, 1_010, !commit_first), 50);
    }
}

#[test]
fn s11_t6_the_ring_is_never_full_and_one_account_cannot_push_itself_out() {
    // Once it had 4,000 entries and every commit after that failed.
    let mut exchange = exchange(4);
    for round in 0..50 {
        let account = 2 + round % 19;
        trade(&mut exchange, account, Bid, 1_000, 1);
        let ledger = *exchange
            .slab()
            .header
            .pool(flagstone_interface::slab::PoolId::Ledger);
        assert!(ledger.live <= 4);
    }
    // Its own trades use its own entry, however many.
    exchange.slot = 110;
    trade(&mut exchange, 2, Bid, 1_000, 10);
    let rest = exchange.position(2, 0).0 as u32;
    for _ in 0..10 {
        trade(&mut exchange, 2, Bid, 1_000, 1);
    }
    assert_eq!(trade(&mut exchange, 2, Ask, 1_010, 20), 100);
    assert!(rest > 0);
    // Three others leave it there; a fourth may push it out, for a fee each.
    exchange.slot = 120;
    trade(&mut exchange, 3, Bid, 1_000, 10);
    for account in 4..7 {
        trade(&mut exchange, account, Bid, 1_000, 1);
    }
    assert_eq!(trade(&mut exchange, 3, Ask, 1_010, 10), 50);
}

#[test]
fn s11_without_batches_or_a_rate_there_is_no_tax() {
    for without_batches in [true, false] {
        let mut exchange = exchange(8);
        if without_batches {
            exchange.slab().header.batch_slots = 0;
        } else {
            exchange.slab().instruments[0].rules.round_trip_tax = Ppm(0);
        }
        trade(&mut exchange, 2, Bid, 1_000, 10);
        assert_eq!(trade(&mut exchange, 2, Ask, 1_010, 10), 0);
        let pool = flagstone_interface::slab::PoolId::Ledger;
        assert_eq!(exchange.slab().header.pool(pool).live, 0);
    }
}
