//! Full pools: what still works, what is refused, and that nothing drifts.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::router::{handle, reserve};
use common::{Exchange, Handle, Rng, ioc, params, small};
use flagstone_interface::slab::PoolId;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::cancels::Which;
use flagstone_slab_engine::holds::Reserve;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_units::{Ppm, Side::Ask, Side::Bid, Slot};

/// A wide band, so that there are prices enough.
fn wide() -> InstrumentParams {
    InstrumentParams {
        imr: Ppm(900_000),
        mmr: Ppm(800_000),
        band: Ppm(800_000),
        ..params()
    }
}

fn with(pools: [u32; 10], accounts: u32) -> Exchange {
    let mut exchange = Exchange::with(pools);
    exchange.slab().add_instrument(&wide(), Slot(100)).unwrap();
    exchange.slab().add_instrument(&wide(), Slot(100)).unwrap();
    for _ in 0..accounts {
        exchange.open(1_000_000_000);
    }
    exchange
}

fn live(exchange: &mut Exchange, pool: PoolId) -> (u32, u32) {
    let slab = exchange.slab();
    let pool = slab.header.pool(pool);
    (pool.live, pool.capacity - pool.live)
}

#[test]
fn pfm1_everything_but_growth_goes_on_when_all_pools_are_full() {
    let pools = [2, 16, 20, 60, 16, 12, 30, 8, 1, 1];
    let mut exchange = with(pools, 16);
    // 20 levels, 60 orders, 16 positions, 12 holds with 30 slices.
    let mut orders = Vec::new();
    for at in 0..60 {
        let account = 1 + at % 8;
        let (side, base) = if at % 2 == 0 {
            (Bid, 900)
        } else {
            (Ask, 1_100)
        };
        let ticks = base + at % 20 / 2 * 2;
        orders.push((account, exchange.post(account, side, ticks, 10).unwrap()));
    }
    for account in 9..=16 {
        let side = if account % 2 == 0 { Bid } else { Ask };
        let limit = if side == Bid { 1_100 } else { 918 };
        assert_eq!(exchange.ioc(account, side, limit, 2), Ok(2));
    }
    let mut holds = Vec::new();
    for at in 0..11u32 {
        let order = Reserve {
            ttl: Slot(10),
            ..reserve(9 + at % 8, Bid, 1_118, if at < 10 { 2 } else { 60 })
        };
        let lots = Reserve {
            lots: flagstone_units::Lots(1 + at % 3),
            ..order
        };
        holds.push(exchange.reserve(&lots).unwrap());
    }
    while live(&mut exchange, PoolId::Slices).1 > 0 && holds.len() < 12 {
        let left = live(&mut exchange, PoolId::Slices).1;
        holds.push(
            exchange
                .reserve(&reserve(9, Bid, 1_118, 10 * left.min(5)))
                .unwrap(),
        );
    }
    exchange.audit();
    for pool in [
        PoolId::Levels,
        PoolId::Orders,
        PoolId::Positions,
        PoolId::Accounts,
        PoolId::Reservations,
    ] {
        assert_eq!(live(&mut exchange, pool).1, 0, "{pool:?} is not full");
    }
    // What needs a new item is refused, each with its own error.
    let refused = [
        exchange.reserve(&reserve(10, Bid, 1_118, 1)).map(|_| ()),
        exchange.post(1, Bid, 890, 1).map(|_| ()),
        exchange.try_open(1).map(|_| ()),
    ];
    let errors = [
        SlabError::HoldsFull,
        SlabError::OrdersFull,
        SlabError::AccountsFull,
    ];
    assert_eq!(refused, errors.map(Err));
    let mut elsewhere = ioc(9, Bid, 1_000, 1);
    elsewhere.instrument = 1;
    let got = exchange.take(&elsewhere);
    assert_eq!(got.map(|_| ()), Err(SlabError::PositionsFull));
    // Everything else goes on: better prices, trades, commits, cancels.
    exchange.post(1, Bid, 930, 1).unwrap();
    exchange.audit();
    assert_eq!(exchange.ioc(10, Ask, 900, 3), Ok(3));
    let (owner, order) = orders[10];
    exchange.reduce(owner, order, 1).unwrap();
    exchange.mint_and_commit(&holds[0]).unwrap();
    for held in &holds[1..] {
        exchange
            .cancel_hold(held.account.into(), handle(held))
            .unwrap();
    }
    exchange.release(9, 1).unwrap();
    exchange.deposit(9, 1).unwrap();
    exchange.audit();
    // And all of it can be emptied, by hand, and filled again.
    for account in 1..=16 {
        let all = Which {
            instrument: None,
            side: None,
            most: usize::MAX,
        };
        exchange.cancel_all(account, &all).unwrap();
    }
    exchange.audit();
    let free = [PoolId::Orders, PoolId::Levels, PoolId::Slices];
    assert_eq!(free.map(|pool| live(&mut exchange, pool).0), [0; 3]);
    for at in 0..60 {
        exchange.post(1 + at % 8, Bid, 900 + at % 20, 1).unwrap();
    }
    exchange.audit();
}

#[test]
fn pfm1_at_the_edge_of_every_pool_operations_work_or_are_refused() {
    // Pools between almost full and full, all the time.
    let pools = [2, 6, 7, 24, 5, 4, 9, 8, 2, 1];
    let mut exchange = with(pools, 6);
    let mut rng = Rng(21);
    let (mut orders, mut holds): (Vec<(u32, Handle)>, Vec<_>) = (Vec::new(), Vec::new());
    let mut refusals = std::collections::BTreeMap::new();
    for _ in 0..20_000 {
        exchange.slot += u32::from(rng.below(50) == 0);
        let account = 1 + rng.below(6) as u32;
        let (side, ticks) = if rng.below(2) == 0 {
            (Bid, 990 - rng.below(9) as u32)
        } else {
            (Ask, 1_010 + rng.below(9) as u32)
        };
        let lots = 1 + rng.below(20) as u32;
        let result = match rng.below(10) {
            0..=4 => exchange
                .post(account, side, ticks, lots)
                .map(|order| orders.push((account, order))),
            5 => exchange.ioc(account, side, 1_000, lots).map(|_| ()),
            6 if !orders.is_empty() && rng.below(3) == 0 => {
                let at = rng.below(orders.len() as u64) as usize;
                let (owner, order) = orders.swap_remove(at);
                exchange.cancel(owner, order).map(|_| ())
            }
            7 if !holds.is_empty() && rng.below(3) == 0 => {
                let held: flagstone_interface::event::Held = holds.remove(0);
                exchange
                    .cancel_hold(held.account.into(), handle(&held))
                    .map(|_| ())
            }
            _ => {
                let limit = if side == Bid { 1_020 } else { 980 };
                exchange
                    .reserve(&reserve(account, side, limit, lots))
                    .map(|held| holds.push(held))
            }
        };
        if let Err(error) = result {
            *refusals.entry(error.name()).or_insert(0) += 1;
        }
        exchange.audit();
    }
    for error in [
        SlabError::OrdersFull,
        SlabError::LevelsFull,
        SlabError::PositionsFull,
        SlabError::HoldsFull,
    ] {
        assert!(refusals.contains_key(error.name()), "never met {error:?}");
    }
}

/// Words of the slab that an operation writes.
fn written(exchange: &mut Exchange, change: impl FnOnce(&mut Exchange)) -> usize {
    let before = exchange.bytes().to_vec();
    change(exchange);
    let after = exchange.bytes();
    let words = before.chunks(8).zip(after.chunks(8));
    words.filter(|(old, new)| old != new).count()
}

#[test]
fn pfm2_e6_an_operation_writes_as_much_on_a_full_book_as_on_an_empty_one() {
    // Once an insert walked, and a promotion rewrote, a list of thousands.
    let counts = [10u32, 500, 5_000].map(|resting| {
        let mut pools = small();
        (pools[2], pools[3]) = (2_000, 5_200);
        let mut exchange = with(pools, 8);
        // Prices in no order, so that the tree is as it would be.
        for at in 0..resting {
            let (side, base) = if at % 2 == 0 {
                (Bid, 500)
            } else {
                (Ask, 1_001)
            };
            let ticks = base + at * 617 % 450;
            exchange.post(1 + at % 7, side, ticks, 3).unwrap();
        }
        let mut order = (0, 0);
        let post = written(&mut exchange, |exchange| {
            order = exchange.post(8, Bid, 731, 1).unwrap();
        });
        let reduce = written(&mut exchange, |exchange| {
            exchange.cancel(8, order).unwrap().unwrap();
        });
        let mut held = None;
        let hold = written(&mut exchange, |exchange| {
            held = Some(exchange.reserve(&reserve(8, Bid, 1_500, 1)).unwrap());
        });
        let commit = written(&mut exchange, |exchange| {
            exchange.mint_and_commit(&held.unwrap()).unwrap();
        });
        exchange.audit();
        [post, reduce, hold, commit]
    });
    for (small, large) in counts[0].iter().zip(&counts[2]) {
        // A new price hangs one node into the tree: a few words either way.
        assert!(large <= &(small + 6), "words written: {counts:?}");
    }
}

#[test]
fn pfm2_churn_moves_no_mark_and_loses_no_item() {
    let mut exchange = with(small(), 8);
    let mut rng = Rng(2);
    let mut marks = None;
    for round in 0..6 {
        let (mut orders, mut holds) = (Vec::new(), Vec::new());
        for _ in 0..5_000 {
            let account = 1 + rng.below(8) as u32;
            match rng.below(4) {
                0 | 1 if orders.len() < 150 => {
                    let (side, ticks) = if rng.below(2) == 0 {
                        (Bid, 950)
                    } else {
                        (Ask, 1_010)
                    };
                    let ticks = ticks + rng.below(20) as u32;
                    orders.push((account, exchange.post(account, side, ticks, 2).unwrap()));
                }
                2 if holds.len() < 40 => {
                    holds.extend(exchange.reserve(&reserve(account, Bid, 1_100, 3)).ok());
                }
                _ => {
                    if let Some(held) = holds.pop() {
                        exchange
                            .cancel_hold(held.account.into(), handle(&held))
                            .unwrap();
                    }
                    let picked = rng.below(orders.len().max(1) as u64) as usize;
                    if picked < orders.len() {
                        let (owner, order) = orders.swap_remove(picked);
                        exchange.cancel(owner, order).unwrap();
                    }
                }
            }
        }
        for held in holds {
            exchange
                .cancel_hold(held.account.into(), handle(&held))
                .unwrap();
        }
        for (owner, order) in orders {
            exchange.cancel(owner, order).unwrap();
        }
        exchange.audit();
        let slab = exchange.slab();
        let pools = [
            PoolId::Levels,
            PoolId::Orders,
            PoolId::Positions,
            PoolId::Reservations,
            PoolId::Slices,
        ];
        let now = pools.map(|pool| {
            let pool = slab.header.pool(pool);
            assert_eq!(pool.live, 0, "an item leaked in round {round}");
            pool.high_water
        });
        // Once the pools have been as full as they get, nothing grows.
        if round >= 2 {
            let before = marks.unwrap_or(now);
            let grown: u32 = now.iter().zip(before).map(|(now, old)| now - old).sum();
            assert!(grown <= 8, "{before:?} grew to {now:?}");
        }
        marks = Some(now);
    }
}
