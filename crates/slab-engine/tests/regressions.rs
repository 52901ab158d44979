//! Orders, queues, handles and self trades: one test per mistake that an
//! exchange of this kind has made before.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::{Exchange, Outcome, ioc, limit, params, post_only};
use flagstone_interface::event::{Fill, Traded, outcome};
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::matching::SelfTrade;
use flagstone_slab_engine::requests::{OrderKind, Take};
use flagstone_units::{Lots, Ppm, Side::Ask, Side::Bid, SignedPpm, Slot, Ticks};

/// A band wide enough for any price that a test needs.
fn wide() -> InstrumentParams {
    InstrumentParams {
        imr: Ppm(1_000_000),
        band: Ppm(999_000),
        ..params()
    }
}

/// Account, ticks, lots and outcome of each resting order met.
fn met(traded: &Traded) -> Vec<(u16, u32, u32, u8)> {
    let entry = |fill: &Fill| (fill.account, fill.ticks, fill.lots, fill.outcome);
    traded.fills().iter().map(entry).collect()
}

#[test]
fn r2_a_limit_is_the_worst_price_on_both_sides() {
    // The comparison was once made for the wrong side: a buyer at 100 passed
    // over an ask at 99 and paid 150.
    let mut exchange = Exchange::new(&wide(), 2);
    exchange.post(1, Ask, 99, 3).unwrap();
    exchange.post(1, Ask, 101, 3).unwrap();
    assert_eq!(
        met(&exchange.take(&ioc(2, Bid, 100, 9)).unwrap()),
        [(1, 99, 3, outcome::FULL)]
    );
    assert_eq!(exchange.ioc(2, Bid, 100, 9), Ok(0));
    exchange.post(1, Bid, 50, 3).unwrap();
    exchange.post(1, Bid, 48, 3).unwrap();
    assert_eq!(
        met(&exchange.take(&ioc(2, Ask, 49, 9)).unwrap()),
        [(1, 50, 3, outcome::FULL)]
    );
    exchange.audit();
}

#[test]
fn r2_a_taker_gets_the_makers_price() {
    // A fill at the taker's limit instead would hand every price improvement away.
    let mut exchange = Exchange::new(&wide(), 2);
    exchange.post(1, Ask, 99, 3).unwrap();
    let traded = exchange.take(&ioc(2, Bid, 500, 3)).unwrap();
    assert_eq!({ traded.notional_atoms }, 297);
    assert_eq!(exchange.position(2, 0), (3, 297));
}

#[test]
fn s10_a_partial_close_is_not_an_increase() {
    // Long 10 at 100, sell 4 at 200 once gave 6 at 128 and realised nothing.
    let mut exchange = Exchange::new(&wide(), 2);
    exchange.post(1, Ask, 100, 10).unwrap();
    exchange.ioc(2, Bid, 100, 10).unwrap();
    exchange.post(1, Bid, 200, 4).unwrap();
    exchange.ioc(2, Ask, 200, 4).unwrap();
    assert_eq!(exchange.position(2, 0), (6, 600));
    assert_eq!(exchange.cash(2), 1_000_000_000 + 400);
    assert_eq!(exchange.position(1, 0), (-6, -600));
    exchange.audit();
}

#[test]
fn s10_a_flip_realises_all_of_the_old_position() {
    let mut exchange = Exchange::new(&wide(), 2);
    exchange.post(1, Ask, 100, 10).unwrap();
    exchange.ioc(2, Bid, 100, 10).unwrap();
    exchange.post(1, Bid, 130, 25).unwrap();
    exchange.ioc(2, Ask, 130, 25).unwrap();
    assert_eq!(exchange.position(2, 0), (-15, -15 * 130));
    assert_eq!(exchange.cash(2), 1_000_000_000 + 300);
    assert_eq!(exchange.cash(1), 1_000_000_000 - 300);
    exchange.audit();
}

#[test]
fn m1_the_older_order_trades_first_and_a_part_fill_keeps_its_place() {
    let mut exchange = Exchange::new(&params(), 4);
    for account in 1..=3 {
        exchange.post(account, Ask, 1_000, 5).unwrap();
    }
    let first = exchange.take(&ioc(4, Bid, 1_000, 3)).unwrap();
    assert_eq!(met(&first), [(1, 1_000, 3, outcome::PARTIAL)]);
    // A newcomer at the same price queues behind the part-filled order.
    exchange.post(4, Ask, 1_000, 5).unwrap();
    let mut take = ioc(4, Bid, 1_000, 9);
    take.self_trade = SelfTrade::CancelTaking;
    let second = exchange.take(&take).unwrap();
    let expected = [
        (1, 2, outcome::FULL),
        (2, 5, outcome::FULL),
        (3, 2, outcome::PARTIAL),
    ];
    assert_eq!(
        met(&second),
        expected.map(|(account, lots, how)| (account, 1_000, lots, how))
    );
    exchange.audit();
}

#[test]
fn m3_cancels_at_head_middle_and_tail_keep_the_queue() {
    // Every order of cancelling three of five: no orphan, no skipped order.
    for mask in 0..125u32 {
        let mut exchange = Exchange::new(&params(), 6);
        let post = |account| exchange.post(account, Bid, 990, account).unwrap();
        let handles: Vec<_> = (1..=5).map(post).collect();
        let picks = [mask % 5, mask / 5 % 5, mask / 25];
        for pick in picks {
            let handle = handles[pick as usize];
            exchange.cancel(pick + 1, handle).unwrap();
            exchange.audit();
        }
        let left: Vec<_> = (1..=5u32)
            .filter(|account| !picks.contains(&(account - 1)))
            .collect();
        let traded = exchange.take(&ioc(6, Ask, 990, 100)).unwrap();
        let order: Vec<_> = traded
            .fills()
            .iter()
            .map(|fill| u32::from(fill.account))
            .collect();
        assert_eq!(order, left);
        assert!(exchange.depth(0, Bid).is_empty());
    }
}

#[test]
fn s5_a_stale_handle_never_acts_on_the_next_order_of_its_slot() {
    let mut exchange = Exchange::new(&params(), 2);
    let first = exchange.post(1, Bid, 990, 10).unwrap();
    assert!(exchange.cancel(1, first).unwrap().is_some());
    let second = exchange.post(1, Bid, 980, 3).unwrap();
    assert_eq!(second.0, first.0, "the slot is used again");
    assert_ne!(second.1, first.1);
    assert!(exchange.cancel(1, first).unwrap().is_none());
    assert_eq!(exchange.depth(0, Bid), [(980, 3)]);
    // The same after a fill, and with the slot in another's hands.
    exchange.ioc(2, Ask, 980, 3).unwrap();
    let third = exchange.post(2, Ask, 1_010, 4).unwrap();
    assert_eq!(third.0, first.0);
    assert!(exchange.cancel(1, second).unwrap().is_none());
    assert_eq!(exchange.depth(0, Ask), [(1_010, 4)]);
}

#[test]
fn s5_generations_wrap_past_zero() {
    // Generation 0 marks memory that was never used; it must not become valid.
    let mut exchange = Exchange::new(&params(), 1);
    let first = exchange.post(1, Bid, 990, 10).unwrap();
    exchange.cancel(1, first).unwrap();
    exchange.slab().orders[first.0].generation = u32::MAX;
    let wrapped = exchange.post(1, Bid, 990, 10).unwrap();
    assert_eq!(wrapped, (first.0, 1));
    assert!(exchange.cancel(1, (first.0, u32::MAX)).unwrap().is_none());
    assert!(exchange.cancel(1, wrapped).unwrap().is_some());
}

#[test]
fn s5_handles_from_nowhere_are_stale() {
    let mut exchange = Exchange::new(&params(), 1);
    exchange.post(1, Bid, 990, 10).unwrap();
    for index in [0, 2, 256, 257, u32::MAX - 1, u32::MAX] {
        for generation in [0, 1, u32::MAX] {
            assert!(exchange.cancel(1, (index, generation)).unwrap().is_none());
        }
    }
    assert_eq!(exchange.depth(0, Bid), [(990, 10)]);
}

#[test]
fn t5_a_second_cancel_succeeds_and_changes_nothing() {
    let mut exchange = Exchange::new(&params(), 1);
    let handle = exchange.post(1, Bid, 990, 10).unwrap();
    assert!(exchange.cancel(1, handle).unwrap().is_some());
    let before = exchange.bytes().to_vec();
    assert!(exchange.cancel(1, handle).unwrap().is_none());
    assert_eq!(exchange.bytes(), before);
}

#[test]
fn x6_only_the_accounts_own_trader_acts_and_only_on_its_orders() {
    // No instruction of the first attempt checked who signed.
    let mut exchange = Exchange::new(&params(), 2);
    let handle = exchange.post(1, Bid, 990, 10).unwrap();
    assert_eq!(
        exchange.cancel(2, handle).unwrap_err(),
        SlabError::NotYourOrder
    );
    let (slot, thief) = (Slot(exchange.slot), common::key_of(7, 2));
    let cancelled: Outcome<_> = exchange.run(|slab| slab.cancel(&thief, 1, handle.0, handle.1));
    assert_eq!(cancelled.unwrap_err(), SlabError::WrongTrader);
    let order = limit(1, Bid, 1_000, 1);
    let mut traded = bytemuck::Zeroable::zeroed();
    let placed = exchange.run(|slab| slab.place(&thief, &order, slot, &mut traded));
    assert_eq!(placed.unwrap_err(), SlabError::WrongTrader);
    let terms = ioc(1, Bid, 1_000, 1);
    let taken = exchange.run(|slab| slab.take(&thief, &terms, slot, &mut traded));
    assert_eq!(taken.unwrap_err(), SlabError::WrongTrader);
    // A closed slot has a zero trader key, which anyone could name.
    for account in [0, 3, 32, 33, u32::MAX] {
        let result = exchange.run(|slab| slab.cancel(&[0; 32], account, handle.0, handle.1));
        assert_eq!(result.unwrap_err(), SlabError::NoAccount);
    }
}

#[test]
fn e8_self_trades_never_change_hands() {
    for (mode, resting, traded_lots) in [
        (SelfTrade::CancelResting, vec![], 4),
        (SelfTrade::CancelTaking, vec![(1_000, 6), (1_001, 4)], 0),
        (SelfTrade::DecrementBoth, vec![(1_001, 4)], 0),
    ] {
        let mut exchange = Exchange::new(&params(), 2);
        exchange.post(1, Ask, 1_000, 6).unwrap();
        exchange.post(2, Ask, 1_001, 4).unwrap();
        let take = Take {
            self_trade: mode,
            ..ioc(1, Bid, 1_001, 6)
        };
        let traded = exchange.take(&take).unwrap();
        assert_eq!({ traded.lots }, traded_lots, "{mode:?}");
        assert_eq!(exchange.depth(0, Ask), resting, "{mode:?}");
        assert_eq!(exchange.position(1, 0).0, traded_lots as i32);
        exchange.audit();
    }
}

#[test]
fn t6_decrementing_both_leaves_no_dust() {
    // A remainder below the smallest order would rest for good, at no cost.
    let mut exchange = Exchange::new(
        &InstrumentParams {
            order_lots_min: Lots(10),
            ..params()
        },
        1,
    );
    exchange.post(1, Ask, 1_000, 19).unwrap();
    let take = Take {
        self_trade: SelfTrade::DecrementBoth,
        ..ioc(1, Bid, 1_000, 10)
    };
    let traded = exchange.take(&take).unwrap();
    assert_eq!(met(&traded), [(1, 1_000, 19, outcome::SELF_TRADE)]);
    assert!(exchange.depth(0, Ask).is_empty());
    exchange.audit();
}

#[test]
fn t6_a_fill_leaves_no_dust_on_either_side() {
    let mut exchange = Exchange::new(
        &InstrumentParams {
            order_lots_min: Lots(10),
            ..params()
        },
        2,
    );
    exchange.post(1, Ask, 1_000, 19).unwrap();
    let traded = exchange.take(&ioc(2, Bid, 1_000, 10)).unwrap();
    assert_eq!(met(&traded), [(1, 1_000, 10, outcome::DUST)]);
    exchange.post(1, Ask, 1_000, 11).unwrap();
    let (placed, _) = exchange.place(&limit(2, Bid, 1_000, 20)).unwrap();
    assert!(
        placed.rested.is_none(),
        "nine lots are below the smallest order"
    );
    assert!(exchange.depth(0, Ask).is_empty() && exchange.depth(0, Bid).is_empty());
    exchange.audit();
}

#[test]
fn s6_expired_orders_never_trade_and_leave_when_met() {
    let mut exchange = Exchange::new(&params(), 2);
    let mut order = post_only(1, Ask, 1_000, 5);
    order.expiry = Slot(exchange.slot);
    exchange.place(&order).unwrap();
    assert_eq!(
        exchange.ioc(2, Bid, 1_000, 2),
        Ok(2),
        "good in its last slot"
    );
    exchange.slot += 1;
    assert_eq!(exchange.place(&order).unwrap_err(), SlabError::Expired);
    let traded = exchange.take(&ioc(2, Bid, 1_000, 2)).unwrap();
    assert_eq!(met(&traded), [(1, 1_000, 3, outcome::EXPIRED)]);
    assert_eq!(exchange.position(2, 0).0, 2);
    exchange.audit();
}

#[test]
fn s6_a_post_only_order_never_takes() {
    let mut exchange = Exchange::new(&params(), 2);
    exchange.post(1, Ask, 1_000, 5).unwrap();
    for ticks in [1_000, 1_001, 1_090] {
        assert_eq!(
            exchange.post(2, Bid, ticks, 5).unwrap_err(),
            SlabError::WouldCross
        );
    }
    exchange.post(2, Bid, 999, 5).unwrap();
    assert_eq!(exchange.depth(0, Ask), [(1_000, 5)]);
}

#[test]
fn s6_all_or_nothing_is_all_or_nothing() {
    let mut exchange = Exchange::new(&params(), 2);
    exchange.post(1, Ask, 1_000, 5).unwrap();
    let before = exchange.bytes().to_vec();
    let all = |lots| Take {
        lots_min: Lots(lots),
        ..ioc(2, Bid, 1_000, lots)
    };
    assert_eq!(exchange.take(&all(6)).unwrap_err(), SlabError::NotFilled);
    assert_eq!(exchange.bytes(), before);
    let more = Take {
        lots_min: Lots(6),
        ..ioc(2, Bid, 1_000, 5)
    };
    assert_eq!(exchange.take(&more).unwrap_err(), SlabError::BadQuantity);
    let traded = exchange.take(&all(5)).unwrap();
    assert_eq!({ traded.lots }, 5);
}

#[test]
fn s6_a_limit_order_never_rests_across_the_book() {
    // The room for fills runs out in front of more asks at the same price.
    let mut exchange = Exchange::new(&params(), 2);
    for _ in 0..60 {
        exchange.post(1, Ask, 1_000, 1).unwrap();
    }
    let (placed, traded) = exchange.place(&limit(2, Bid, 1_000, 100)).unwrap();
    assert_eq!((traded.fills().len(), { traded.lots }), (48, 48));
    assert!(placed.rested.is_none());
    assert_eq!(exchange.depth(0, Ask), [(1_000, 12)]);
    exchange.audit();
}

#[test]
fn s12_prints_equal_fills() {
    let mut exchange = Exchange::new(&params(), 2);
    let mut expected = Vec::new();
    for round in 0..50u32 {
        let handle = exchange.post(1, Ask, 1_000 + round % 7, 5).unwrap();
        let lots = 1 + round % 5;
        exchange.ioc(2, Bid, 1_090, lots).unwrap();
        expected.push((u64::from(round) + 1, 1_000 + round % 7, lots, handle.0));
        exchange.cancel(1, handle).unwrap();
    }
    let slab = exchange.slab();
    let mut ring: Vec<_> = slab.trades.to_vec();
    ring.sort_by_key(|trade| trade.number);
    let facts: Vec<_> = ring
        .iter()
        .map(|trade| (trade.number, trade.ticks.0, trade.lots.0, trade.order))
        .collect();
    assert_eq!(facts, expected[50 - slab.trades.len()..]);
    assert!(
        ring.iter()
            .all(|trade| (trade.maker, trade.taker, trade.side) == (1, 2, 0))
    );
}

#[test]
fn t7_rebates_never_exceed_fees_however_fills_are_cut() {
    // Rounding each small fill the other way would mint atoms.
    for (taker_fee, maker_fee) in [(7, -7), (-7, 7), (3_333, -3_333), (0, 0)] {
        let (taker_fee, maker_fee) = (SignedPpm(taker_fee), SignedPpm(maker_fee));
        let terms = InstrumentParams {
            taker_fee,
            maker_fee,
            ..params()
        };
        let mut exchange = Exchange::new(&terms, 2);
        let mut fees_before = 0;
        for lots in 1..40 {
            for part in 1..=lots {
                exchange.post(1, Ask, 960 + part, 1).unwrap();
            }
            exchange.ioc(2, Bid, 1_090, lots).unwrap();
            let fees = exchange.slab().header.fees_out_total.get();
            assert!(fees >= fees_before);
            fees_before = fees;
            exchange.audit();
        }
    }
}

#[test]
fn s3_zero_and_oversized_prices_and_quantities_are_refused() {
    let terms = InstrumentParams {
        order_lots_max: Lots(500),
        ..params()
    };
    let mut exchange = Exchange::new(&terms, 1);
    for ticks in [0, 1_000_001, u32::MAX] {
        for kind in [OrderKind::Limit, OrderKind::PostOnly] {
            let order = flagstone_slab_engine::requests::Place {
                kind,
                ..limit(1, Bid, ticks, 1)
            };
            assert_eq!(exchange.place(&order).unwrap_err(), SlabError::BadPrice);
        }
        assert_eq!(exchange.ioc(1, Bid, ticks, 1), Err(SlabError::BadPrice));
    }
    for lots in [0, 501, u32::MAX] {
        let placed = exchange.place(&limit(1, Bid, 1_000, lots));
        assert_eq!(placed.unwrap_err(), SlabError::BadQuantity);
        assert_eq!(
            exchange.ioc(1, Bid, 1_000, lots),
            Err(SlabError::BadQuantity)
        );
    }
    for instrument in [1, 4, 32, 255] {
        let mut order = limit(1, Bid, 1_000, 1);
        order.instrument = instrument;
        assert_eq!(exchange.place(&order).unwrap_err(), SlabError::NoInstrument);
    }
    let outside = [909, 1_091].map(|ticks| exchange.post(1, Bid, ticks, 1).unwrap_err());
    assert_eq!(outside, [SlabError::OutsideBand; 2]);
    assert_eq!(Ticks(1_000), exchange.slab().instruments[0].mark);
}
