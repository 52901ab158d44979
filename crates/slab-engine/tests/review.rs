//! What a reader who sees the engine for the first time tries to break.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::crash::crash_params;
use common::registry::{entry, with_oracle as oracle_params};
use common::{Exchange, ioc, params, post_only, small};
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::layout::Rules;
use flagstone_slab_engine::requests::Place;
use flagstone_units::{Lots, Ppm, Side::Ask, Side::Bid, Slot};

const RICH: u64 = 1_000_000_000;

/// What bars the sweep of the book bars the closing against counterparts: a
/// mark that the book makes could be pushed until a ticket is there, and the
/// ticket only has to be left to expire.
#[test]
fn lq5_an_instrument_without_a_fee_bars_deleveraging() {
    let mut params = crash_params();
    params.rules.liquidation_fee = Ppm(0);
    let mut exchange = Exchange::crash_with(&params, &[150_000, RICH]);
    exchange.pair(1, 2, 100_000, 10);
    exchange.set_mark(0, 86_000);
    let papers = exchange.ticket(1, 10);
    exchange.slot += 76;
    assert_eq!(
        exchange.deleverage(1, &[2], &papers).err(),
        Some(SlabError::BadInstrument)
    );
    exchange.audit_all();
}

/// Inventory that is sold out and bought back is a round trip like any other,
/// though the position was gone in between.
#[test]
fn m11_a_round_trip_through_nothing_is_taxed() {
    let params = InstrumentParams {
        rules: Rules {
            round_trip_tax: Ppm(500_000),
            ..Rules::default()
        },
        ..params()
    };
    for inventory in [9, 10, 11] {
        let mut exchange = Exchange::with(small());
        exchange.slab().add_instrument(&params, Slot(100)).unwrap();
        for _ in 0..3 {
            exchange.open(RICH);
        }
        exchange.slab().header.batch_slots = 10;
        // Bought long before.
        exchange.post(3, Ask, 1_000, inventory).unwrap();
        exchange.ioc(2, Bid, 1_000, inventory).unwrap();
        exchange.slot += 50;
        exchange.post(1, Bid, 1_010, 10).unwrap();
        let sold = exchange.take(&ioc(2, Ask, 1_010, 10)).unwrap();
        assert_eq!({ sold.tax_atoms }, 0);
        exchange.post(1, Ask, 1_000, 10).unwrap();
        let bought = exchange.take(&ioc(2, Bid, 1_000, 10)).unwrap();
        assert_eq!({ bought.tax_atoms }, 50, "inventory {inventory}");
        exchange.audit();
    }
}

/// Two accounts of one owner could push a mark that the book makes: the profit
/// of one would carry a position that the oracle marks, the loss of the other
/// cannot be liquidated, and what the position loses would be owed by nobody.
#[test]
fn x10_marks_of_the_book_and_of_an_oracle_do_not_share_a_slab() {
    let book = params();
    for oracle_first in [true, false] {
        let mut exchange = Exchange::with(small());
        let mut both = [oracle_params(), book];
        if !oracle_first {
            both.reverse();
        }
        let mut added = both.map(|params| {
            exchange.run(|slab| slab.add_registered(&params, &entry(&params), Slot(100)))
        });
        assert_eq!(added[0], Ok(0));
        assert_eq!(added[1], Err(SlabError::BadInstrument));
        // One of its kind may follow.
        let params = both[0];
        added[1] = exchange.run(|slab| slab.add_registered(&params, &entry(&params), Slot(100)));
        assert_eq!(added[1], Ok(1));
    }
}

/// Once it was accepted, and nothing came to rest.
#[test]
fn s6_an_order_that_may_reduce_less_than_may_rest_is_refused() {
    let mut params = params();
    params.order_lots_min = Lots(10);
    let mut exchange = Exchange::new(&params, 2);
    exchange.post(1, Ask, 1_000, 25).unwrap();
    exchange.ioc(2, Bid, 1_000, 25).unwrap();
    exchange.post(2, Ask, 1_050, 16).unwrap();
    let order = Place {
        reduce_only: true,
        ..post_only(2, Ask, 1_040, 10)
    };
    assert_eq!(exchange.place(&order).err(), Some(SlabError::NotReducing));
    exchange.audit();
}
