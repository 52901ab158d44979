//! Margin follows exposure.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::{Exchange, Rng, params};
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::layout::Position;
use flagstone_slab_engine::risk::Proposal;
use flagstone_units::{Lots, Ppm, Side::Ask, Side::Bid, SignedLots, Ticks};

/// Odd units and ratios, so that every term is rounded.
fn odd() -> InstrumentParams {
    InstrumentParams {
        atoms_per_tick: 7,
        imr: Ppm(123_457),
        mmr: Ppm(61_729),
        ..params()
    }
}

/// Initial and maintenance margin of account 2 with this position.
fn margins(exchange: &mut Exchange, lots: i32, bids: u32, asks: u32) -> (u64, u64) {
    let slab = exchange.slab();
    let index = slab.accounts[2].positions_head;
    let position = Position {
        lots: SignedLots(lots),
        open_bid_lots: Lots(bids),
        open_ask_lots: Lots(asks),
        ..slab.positions[index]
    };
    let proposal = Proposal {
        index,
        position,
        cash_change_atoms: 0,
    };
    let health = slab.health(2, Some(&proposal));
    (health.initial_atoms, health.maintenance_atoms)
}

fn with_position() -> Exchange {
    let mut exchange = Exchange::new(&odd(), 3);
    exchange.post(1, Ask, 1_000, 10).unwrap();
    exchange.ioc(2, Bid, 1_000, 10).unwrap();
    exchange
}

#[test]
fn rm1_more_exposure_never_needs_less_margin() {
    let mut exchange = with_position();
    let mut rng = Rng(6);
    for _ in 0..20_000 {
        let lots = rng.below(2_001) as i32 - 1_000;
        let (bids, asks) = (rng.below(500) as u32, rng.below(500) as u32);
        let (initial, maintenance) = margins(&mut exchange, lots, bids, asks);
        // More open orders, on either side.
        let more = 1 + rng.below(100) as u32;
        assert!(margins(&mut exchange, lots, bids + more, asks).0 >= initial);
        assert!(margins(&mut exchange, lots, bids, asks + more).0 >= initial);
        // A larger position on the same side, without orders.
        let grown = lots + lots.signum() * more as i32;
        let (alone, _) = margins(&mut exchange, lots, 0, 0);
        let (larger, kept) = margins(&mut exchange, grown, 0, 0);
        assert!(larger >= alone && kept >= maintenance);
        // Initial is never below maintenance, long and short need the same.
        assert!(initial >= alone && alone >= maintenance);
        assert_eq!(margins(&mut exchange, -lots, asks, bids).0, initial);
        // A higher mark makes every lot dearer.
        exchange.slab().instruments[0].mark = Ticks(1_001);
        assert!(margins(&mut exchange, lots, bids, asks).0 >= initial);
        exchange.slab().instruments[0].mark = Ticks(1_000);
    }
}

#[test]
fn rm1_margin_grows_in_proportion_but_for_the_rounding() {
    let mut exchange = with_position();
    for lots in [1i32, 2, 3, 10, 999, 100_000] {
        let (initial, maintenance) = margins(&mut exchange, lots, 0, 0);
        let value = u128::from(lots.unsigned_abs()) * 7_000;
        let exact = |ratio: u128| (value * ratio).div_ceil(1_000_000) as u64;
        assert_eq!((initial, maintenance), (exact(123_457), exact(61_729)));
    }
}

#[test]
fn rm2_a_close_gives_the_margin_of_what_it_closed_and_all_of_it_at_the_end() {
    let mut exchange = with_position();
    exchange.post(1, Bid, 1_000, 10).unwrap();
    let mut before = u64::MAX;
    for left in (0..10u64).rev() {
        assert_eq!(exchange.ioc(2, Ask, 1_000, 1), Ok(1));
        let health = exchange.slab().health(2, None);
        assert_eq!(
            health.initial_atoms,
            (left * 7_000 * 123_457).div_ceil(1_000_000)
        );
        assert_eq!(
            health.maintenance_atoms,
            (left * 7_000 * 61_729).div_ceil(1_000_000)
        );
        assert!(health.initial_atoms < before);
        before = health.initial_atoms;
        exchange.audit();
    }
    // Nothing is cached: the margin is gone, and so is the record.
    let slab = exchange.slab();
    assert_eq!(slab.accounts[2].positions_count, 0);
    let releasable = slab.releasable_atoms(2, flagstone_units::Slot(100));
    assert_eq!(releasable as i64, slab.accounts[2].cash_atoms);
}

#[test]
fn rm2_cancelling_gives_the_margin_of_the_order_back() {
    let mut exchange = with_position();
    let before = exchange.slab().health(2, None);
    let order = exchange.post(2, Bid, 990, 10).unwrap();
    let with_order = exchange.slab().health(2, None);
    assert!(with_order.initial_atoms > before.initial_atoms);
    // The other side of the position needs nothing until it is larger.
    let other = exchange.post(2, Ask, 1_010, 30).unwrap();
    assert_eq!(exchange.slab().health(2, None), with_order);
    exchange.cancel(2, order).unwrap().unwrap();
    exchange.cancel(2, other).unwrap().unwrap();
    assert_eq!(exchange.slab().health(2, None), before);
}
