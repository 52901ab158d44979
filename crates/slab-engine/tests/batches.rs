//! Batches: who waits, what is promoted when, what a freeze keeps out, and
//! whose rebate is not earned.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::router::reserve;
use common::{Exchange, Handle, Rng, ioc, limit, params, post_only};
use flagstone_interface::event::{cancel_reason, outcome};
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::holds::Reserve;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::layout::{Rules, switches};
use flagstone_slab_engine::requests::{OrderKind, Place};
use flagstone_units::{Ppm, Side, Side::Ask, Side::Bid, SignedPpm, Slot};

/// Batches of ten slots; account 1 is designated, the others wait.
fn exchange(rules: Rules) -> Exchange {
    let params = InstrumentParams {
        rules,
        taker_fee: SignedPpm(500),
        maker_fee: SignedPpm(-400),
        ..params()
    };
    let mut exchange = Exchange::new(&params, 6);
    exchange.slab().header.batch_slots = 10;
    exchange.designate(1, true);
    exchange
}

fn waiting() -> Exchange {
    exchange(Rules {
        switches: switches::PENDING,
        ..Rules::default()
    })
}

/// Posts an order; returns its handle and the batch that it waits for.
fn post(exchange: &mut Exchange, order: &Place) -> (Handle, u32) {
    let (placed, _) = exchange.place(order).unwrap();
    let rested = placed.rested.unwrap();
    ((rested.order, rested.generation), placed.batch_epoch)
}

/// Handles promoted by one call.
fn open(exchange: &mut Exchange, most: usize) -> Vec<Handle> {
    let batch = exchange.batch_open(0, most).unwrap();
    exchange.audit();
    let promoted = &batch.promoted[..batch.promoted_count];
    promoted
        .iter()
        .map(|event| (event.order, event.generation))
        .collect()
}

fn is_refused(exchange: &mut Exchange) -> bool {
    let before = exchange.bytes().to_vec();
    let error = exchange.batch_open(0, 16).map(|_| ()).unwrap_err();
    error == SlabError::BatchOpen && *exchange.bytes() == before
}

#[test]
fn s4_a_batch_opens_once_per_window_and_its_number_only_grows() {
    let mut exchange = waiting();
    let epoch = |exchange: &mut Exchange| exchange.slab().instruments[0].batch_epoch;
    for (slot, opens) in [
        (100, true),
        (100, false),
        (109, false),
        (110, true),
        (119, false),
        (155, true),
        (154, false),
        (149, false),
        (160, true),
    ] {
        exchange.slot = slot;
        let before = epoch(&mut exchange);
        if opens {
            assert_eq!(open(&mut exchange, 16), []);
            assert!(epoch(&mut exchange) > before, "slot {slot}");
            assert_eq!(epoch(&mut exchange), slot / 10);
        } else {
            assert!(is_refused(&mut exchange), "slot {slot}");
        }
    }
    // A slab without batches opens none.
    exchange.slab().header.batch_slots = 0;
    exchange.slot = 500;
    assert!(is_refused(&mut exchange));
    assert_eq!(
        exchange.batch_open(1, 16).map(|_| ()),
        Err(SlabError::NoInstrument)
    );
}

#[test]
fn s4_r9_every_waiting_order_is_promoted_once_and_in_time() {
    let mut exchange = waiting();
    let mut rng = Rng(3);
    let (mut waits, mut promoted) = (Vec::new(), Vec::new());
    for _ in 0..3_000 {
        exchange.slot += rng.below(2) as u32;
        match rng.below(3) {
            0 => {
                let account = 2 + rng.below(5) as u32;
                let order = post_only(account, Bid, 950 + rng.below(40) as u32, 1);
                if let Ok((placed, _)) = exchange.place(&order) {
                    let rested = placed.rested.unwrap();
                    assert_eq!(placed.batch_epoch, exchange.slot / 10 + 1);
                    waits.push((rested.order, rested.generation));
                }
            }
            1 if !promoted.is_empty() => {
                // Room for more: those that rest leave again.
                let (order, generation): Handle = promoted.swap_remove(0);
                let owner = u32::from(exchange.slab().orders[order].account);
                let gone = exchange.cancel(owner, (order, generation)).unwrap();
                assert!(gone.is_some(), "a promoted order was lost");
            }
            _ => {
                let most = rng.below(20) as usize;
                let Ok(batch) = exchange.batch_open(0, most) else {
                    continue;
                };
                let count = batch.promoted_count;
                assert!(count <= most.min(16) && batch.cancelled_count == 0);
                for event in &batch.promoted[..count] {
                    let order = (event.order, event.generation);
                    assert_eq!(order, waits.remove(0), "oldest first, each once");
                    promoted.push(order);
                }
                exchange.audit();
            }
        }
    }
    assert_eq!(
        exchange.slab().instruments[0].pending_count as usize,
        waits.len()
    );
}

#[test]
fn s7_m2_a_waiting_order_is_never_met() {
    let mut exchange = waiting();
    let (order, epoch) = post(&mut exchange, &limit(2, Ask, 1_000, 5));
    assert_eq!(epoch, 11);
    // Not by a taker, not by a hold, not by what may not cross, not by the mark.
    assert_eq!(exchange.ioc(3, Bid, 1_090, 5), Ok(0));
    assert_eq!(
        exchange.reserve(&reserve(3, Bid, 1_090, 5)).map(|_| ()),
        Err(SlabError::NotFilled)
    );
    assert!(exchange.post(1, Bid, 1_000, 3).is_ok());
    assert_eq!(exchange.depth(0, Ask), []);
    // Its lots count in its owner's margin all the same.
    let slab = exchange.slab();
    let position = slab.orders[order.0].position;
    assert_eq!(slab.positions[position].open_ask_lots.0, 5);
    exchange.audit();
    // And by its owner it can be made smaller, or cancelled.
    exchange.reduce(2, order, 2).unwrap();
    exchange.audit();
    let gone = exchange.cancel(2, order).unwrap().unwrap();
    assert_eq!({ gone.lots }, 3);
    exchange.audit();
    exchange.slot = 110;
    assert_eq!(open(&mut exchange, 16), []);
}

#[test]
fn m7_designated_orders_rest_at_once_and_others_from_the_next_batch() {
    let mut exchange = waiting();
    assert_eq!(post(&mut exchange, &post_only(1, Ask, 1_005, 4)).1, 0);
    let (order, epoch) = post(&mut exchange, &post_only(2, Ask, 1_004, 4));
    assert_eq!((epoch, exchange.depth(0, Ask)), (11, vec![(1_005, 4)]));
    // Taking is not posting: what crosses trades at once, only the rest waits.
    let (placed, traded) = exchange.place(&limit(3, Bid, 1_005, 6)).unwrap();
    assert_eq!(({ traded.lots }, placed.batch_epoch), (4, 11));
    assert_eq!({ placed.rested.unwrap().lots }, 2);
    // The same window changes nothing, the next one does.
    exchange.slot = 109;
    assert_eq!(open(&mut exchange, 16), []);
    exchange.slot = 110;
    assert_eq!(open(&mut exchange, 16)[0], order);
    assert_eq!(exchange.depth(0, Ask), [(1_004, 4)]);
    // By then it would cross: it rests one tick short of that.
    assert_eq!(exchange.depth(0, Bid), [(1_003, 2)]);
    // Where the rule is off, everybody's orders rest at once.
    let mut open_to_all = self::exchange(Rules::default());
    assert_eq!(post(&mut open_to_all, &post_only(2, Ask, 1_004, 4)).1, 0);
}

#[test]
fn m7_an_order_that_cannot_rest_by_then_is_cancelled() {
    let mut exchange = waiting();
    let early = Place {
        expiry: Slot(109),
        ..post_only(2, Bid, 990, 1)
    };
    let (early, _) = post(&mut exchange, &early);
    let (outside, _) = post(&mut exchange, &post_only(3, Bid, 911, 1));
    let (good, _) = post(&mut exchange, &post_only(4, Bid, 990, 1));
    exchange.slab().instruments[0].mark.0 = 1_050;
    exchange.slot = 110;
    let batch = exchange.batch_open(0, 16).unwrap();
    let cancelled = &batch.cancelled[..batch.cancelled_count];
    let got: Vec<_> = cancelled
        .iter()
        .map(|event| ((event.order, event.generation), event.reason))
        .collect();
    let expected = [
        (early, cancel_reason::EXPIRED),
        (outside, cancel_reason::OUTSIDE_BAND),
    ];
    assert_eq!(got, expected);
    assert_eq!({ batch.promoted[0].order }, good.0);
    assert_eq!(exchange.slab().accounts[2].orders_count, 0);
    exchange.audit();
}

#[test]
fn r9_promotion_is_stable_bounded_and_goes_on_where_it_stopped() {
    let mut exchange = waiting();
    let orders: Vec<_> = (0..40)
        .map(|at| post(&mut exchange, &post_only(2 + at % 5, Bid, 990, 1)).0)
        .collect();
    exchange.slot = 110;
    // One of the next batch behind them is not due yet.
    let (later, epoch) = post(&mut exchange, &post_only(6, Bid, 990, 1));
    assert_eq!(epoch, 12);
    let mut promoted = Vec::new();
    for (most, expected) in [(usize::MAX, 16), (3, 3), (0, 0), (16, 16), (16, 5)] {
        let some = open(&mut exchange, most);
        assert_eq!(some.len(), expected);
        promoted.extend(some);
    }
    assert_eq!(promoted, orders);
    assert!(is_refused(&mut exchange));
    // The queue at the price is in the order in which they were posted.
    let mut index = {
        let slab = exchange.slab();
        slab.levels[slab.instruments[0].books[0].best].head
    };
    for order in &orders {
        assert_eq!(index, order.0);
        index = exchange.slab().orders[index].next;
    }
    exchange.slot = 120;
    assert_eq!(open(&mut exchange, 16), [later]);
}

#[test]
fn r9_the_work_of_a_call_does_not_grow_with_the_queue() {
    // Once every promotion started again at the head of the queue.
    let touched = [16, 60, 200].map(|count| {
        let mut exchange = waiting();
        for at in 0..count {
            post(&mut exchange, &post_only(2 + at % 5, Bid, 990, 1));
        }
        exchange.slot = 110;
        let before = exchange.bytes().to_vec();
        assert_eq!(open(&mut exchange, 16).len(), 16);
        let after = exchange.bytes();
        let words = before.chunks(8).zip(after.chunks(8));
        words.filter(|(old, new)| old != new).count()
    });
    assert!(
        touched[2] <= touched[0] + 4 && touched[1] <= touched[0] + 4,
        "words written: {touched:?}"
    );
}

/// The best two levels of each side are frozen for three slots.
fn freezing() -> Exchange {
    let mut exchange = exchange(Rules {
        freeze_levels: 2,
        freeze_slots: Slot(3),
        ..Rules::default()
    });
    for (side, ticks) in [
        (Bid, 990),
        (Bid, 985),
        (Bid, 980),
        (Ask, 1_010),
        (Ask, 1_015),
        (Ask, 1_020),
    ] {
        exchange.post(1, side, ticks, 10).unwrap();
    }
    exchange
}

fn waits(exchange: &mut Exchange, account: u32, side: Side, ticks: u32) -> bool {
    let (order, epoch) = post(exchange, &post_only(account, side, ticks, 1));
    exchange.cancel(account, order).unwrap().unwrap();
    epoch != 0
}

#[test]
fn m8_nobody_steps_in_front_of_the_frozen_levels() {
    let mut exchange = freezing();
    assert!(!waits(&mut exchange, 2, Bid, 991), "nothing is frozen yet");
    exchange.slot = 110;
    open(&mut exchange, 16);
    for slot in 110..=115 {
        exchange.slot = slot;
        let frozen = slot <= 113;
        // Neither a newcomer nor a designated provider.
        for account in [1, 2] {
            for (side, among) in [
                (Bid, [1_009, 991, 990, 985]),
                (Ask, [991, 1_009, 1_010, 1_015]),
            ] {
                for ticks in among {
                    let got = waits(&mut exchange, account, side, ticks);
                    assert_eq!(got, frozen, "{side:?} {ticks} at {slot}");
                }
            }
            // Behind the frozen levels there is room at any time.
            assert!(!waits(&mut exchange, account, Bid, 984));
            assert!(!waits(&mut exchange, account, Ask, 1_016));
        }
    }
    // Trading is not frozen.
    exchange.slot = 110;
    assert_eq!(exchange.ioc(3, Bid, 1_010, 10), Ok(10));
    exchange.audit();
}

#[test]
fn m8_a_side_with_fewer_levels_is_frozen_as_far_as_it_goes() {
    let mut exchange = exchange(Rules {
        freeze_levels: 3,
        freeze_slots: Slot(3),
        ..Rules::default()
    });
    exchange.post(1, Bid, 990, 10).unwrap();
    exchange.slot = 110;
    open(&mut exchange, 16);
    assert!(waits(&mut exchange, 2, Bid, 990));
    assert!(!waits(&mut exchange, 2, Bid, 989));
    // An empty side has nothing to step in front of.
    assert!(!waits(&mut exchange, 2, Ask, 1_010));
}

#[test]
fn m8_reserved_quantity_stays_at_the_front() {
    let mut exchange = freezing();
    exchange.slot = 109;
    let order = Reserve {
        ttl: Slot(6),
        ..reserve(3, Bid, 1_010, 6)
    };
    let held = exchange.reserve(&order).unwrap();
    let order = held.slices()[0].order;
    exchange.slot = 110;
    open(&mut exchange, 16);
    // What was posted meanwhile waits; the rest of the level trades first come.
    let (better, epoch) = post(&mut exchange, &post_only(2, Ask, 1_005, 9));
    assert_eq!(epoch, 12);
    let traded = exchange.take(&ioc(4, Bid, 1_010, 9)).unwrap();
    assert_eq!({ traded.lots }, 4);
    assert_eq!(exchange.reserved(order), (6, 6));
    let traded = exchange.mint_and_commit(&held).unwrap();
    let fill = traded.fills()[0];
    assert_eq!((fill.order, fill.ticks, fill.lots), (order, 1_010, 6));
    exchange.slot = 120;
    assert_eq!(open(&mut exchange, 16), [better]);
}

#[test]
fn m8_calling_again_neither_prolongs_the_freeze_nor_lifts_it() {
    let mut exchange = exchange(Rules {
        switches: switches::PENDING,
        freeze_levels: 1,
        freeze_slots: Slot(3),
        ..Rules::default()
    });
    exchange.post(1, Bid, 990, 10).unwrap();
    for _ in 0..40 {
        post(&mut exchange, &post_only(2, Bid, 980, 1));
    }
    for (slot, until) in [(110, 113), (112, 113), (119, 113)] {
        exchange.slot = slot;
        open(&mut exchange, 10);
        let slab = exchange.slab();
        assert_eq!(slab.instruments[0].freeze_until, Slot(until));
        assert_eq!(slab.instruments[0].freeze_ticks[0].0, 990);
    }
}

/// What account `maker` earns by ten lots of an order at 1,000.
fn earned(exchange: &mut Exchange, maker: u32) -> i64 {
    let before = exchange.cash(maker);
    let (short, _) = exchange.position(maker, 0);
    let traded = exchange.take(&ioc(6, Bid, 1_000, 10)).unwrap();
    let fills: Vec<_> = traded.fills().iter().map(|fill| fill.outcome).collect();
    assert_eq!(fills, [outcome::FULL]);
    assert_eq!(exchange.position(maker, 0).0, short - 10);
    exchange.audit();
    exchange.cash(maker) - before
}

#[test]
fn m9_only_a_designated_order_posted_since_the_batch_opened_earns_nothing() {
    let rules = Rules {
        switches: switches::JIT_PENALTY,
        ..Rules::default()
    };
    let mut exchange = exchange(rules);
    // Before any batch.
    exchange.post(1, Ask, 1_000, 10).unwrap();
    assert_eq!(earned(&mut exchange, 1), 4);
    // In the batch's window, but before it opened; filled after that.
    exchange.slot = 111;
    exchange.post(1, Ask, 1_000, 10).unwrap();
    open(&mut exchange, 16);
    assert_eq!(earned(&mut exchange, 1), 4);
    // Since it opened, in the same slot and later.
    for slot in [111, 119] {
        exchange.slot = slot;
        exchange.post(1, Ask, 1_000, 10).unwrap();
        assert_eq!(earned(&mut exchange, 1), 0, "slot {slot}");
        // Everybody else earns as ever.
        exchange.post(2, Ask, 1_000, 10).unwrap();
        assert_eq!(earned(&mut exchange, 2), 4);
    }
    // Through a hold it is the same.
    exchange.post(1, Ask, 1_000, 10).unwrap();
    let cash = exchange.cash(1);
    let held = exchange.reserve(&reserve(5, Bid, 1_000, 10)).unwrap();
    exchange.mint_and_commit(&held).unwrap();
    assert_eq!(exchange.cash(1), cash);
    // Once the next batch is open the order is as good as any.
    exchange.post(1, Ask, 1_000, 10).unwrap();
    exchange.slot = 120;
    open(&mut exchange, 16);
    assert_eq!(earned(&mut exchange, 1), 4);
    // Without the rule it earns at once.
    exchange.slab().instruments[0].rules.switches = 0;
    exchange.post(1, Ask, 1_000, 10).unwrap();
    assert_eq!(earned(&mut exchange, 1), 4);
}

#[test]
fn t7_fees_never_fall_below_zero_in_any_tier_with_or_without_the_penalty() {
    for (taker, maker) in [
        (500, -400),
        (400, -400),
        (-100, 100),
        (0, 0),
        (7, -3),
        (-9, 33),
    ] {
        for share in [0, 333_333, 1_000_000] {
            let rules = Rules {
                switches: switches::JIT_PENALTY,
                ..Rules::default()
            };
            let mut exchange = exchange(rules);
            let mut slab = exchange.slab();
            slab.instruments[0].taker_fee = SignedPpm(taker);
            slab.instruments[0].maker_fee = SignedPpm(maker);
            slab.header.insurance_share = Ppm(share);
            let mut before = [0; 2];
            for round in 0..40u32 {
                exchange.slot = 110 + round / 4;
                let _ = exchange.batch_open(0, 16);
                let (maker, lots) = (1 + round % 2, 1 + round % 7);
                exchange.post(maker, Ask, 1_000 + round, lots).unwrap();
                let order = limit(5, Bid, 1_090, lots);
                let kinds = [OrderKind::ImmediateOrCancel, OrderKind::FillOrKill];
                let kind = kinds[round as usize % 2];
                exchange.place(&Place { kind, ..order }).unwrap();
                let header = *exchange.slab().header;
                let now = [header.fees_out_total, header.insurance_due_total];
                let now = now.map(|total| total.get());
                assert!(now[0] >= before[0] && now[1] >= before[1]);
                before = now;
                exchange.audit();
            }
            // Insurance gets its share, no more: each part is rounded down.
            let due = (before[0] + before[1]) * share as u128 / 1_000_000;
            assert!(before[1] <= due && due - before[1] <= 40);
        }
    }
}
