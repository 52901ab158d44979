//! Full pools, eviction, counters of the escrow and the largest numbers.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::{Exchange, ioc, key_of, limit, params, post_only};
use flagstone_interface::slab::PoolId;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::accounts::CASH_ATOMS_MAX;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_units::{Lots, Ppm, Side::Ask, Side::Bid, SignedPpm, Slot, Ticks};
use proptest::prelude::*;

/// A slab with few of each pool and three rich accounts.
fn tight(levels: u32, orders: u32, positions: u32) -> Exchange {
    let mut exchange = Exchange::with([2, 3, levels, orders, positions, 1, 1, 8, 1, 1]);
    for _ in 0..2 {
        exchange
            .slab()
            .add_instrument(&params(), Slot(100))
            .unwrap();
    }
    for _ in 0..3 {
        exchange.open(1_000_000_000);
    }
    exchange
}

#[test]
fn t6_a_full_order_pool_evicts_the_furthest_and_youngest() {
    let mut exchange = tight(16, 4, 8);
    exchange.post(1, Bid, 990, 1).unwrap();
    exchange.post(1, Bid, 950, 2).unwrap();
    let victim = exchange.post(2, Bid, 950, 3).unwrap();
    exchange.post(2, Bid, 980, 4).unwrap();
    let (placed, _) = exchange.place(&post_only(3, Bid, 960, 5)).unwrap();
    assert_eq!(placed.evicted.count, 1);
    let gone = placed.evicted.orders[0];
    assert_eq!(
        (({ gone.order }, { gone.generation }), { gone.account }),
        (victim, 2)
    );
    assert_eq!(
        exchange.depth(0, Bid),
        [(990, 1), (980, 4), (960, 5), (950, 2)]
    );
    assert!(
        exchange.cancel(2, victim).unwrap().is_none(),
        "its handle is stale"
    );
    exchange.audit();
}

#[test]
fn t6_a_newcomer_that_is_not_nearer_evicts_nobody() {
    let mut exchange = tight(16, 3, 8);
    for ticks in [990, 980, 970] {
        exchange.post(1, Bid, ticks, 1).unwrap();
    }
    let before = exchange.bytes().to_vec();
    for ticks in [970, 960] {
        assert_eq!(
            exchange.post(2, Bid, ticks, 9).unwrap_err(),
            SlabError::OrdersFull
        );
    }
    // Another side's orders are no measure of distance.
    assert_eq!(
        exchange.post(2, Ask, 1_000, 9).unwrap_err(),
        SlabError::OrdersFull
    );
    assert_eq!(exchange.bytes(), before);
}

#[test]
fn t6_a_full_level_pool_evicts_the_furthest_level() {
    let mut exchange = tight(3, 32, 8);
    for ticks in [1_010, 1_020, 1_030, 1_030, 1_030, 1_030] {
        exchange.post(1, Ask, ticks, 1).unwrap();
    }
    let (placed, _) = exchange.place(&post_only(2, Ask, 1_005, 7)).unwrap();
    assert_eq!(placed.evicted.count, 4);
    assert_eq!(exchange.depth(0, Ask), [(1_005, 7), (1_010, 1), (1_020, 1)]);
    exchange.audit();
    // An existing level needs no room; a further one gets none.
    exchange.post(2, Ask, 1_020, 1).unwrap();
    assert_eq!(
        exchange.post(2, Ask, 1_021, 1).unwrap_err(),
        SlabError::LevelsFull
    );
    // Five at the furthest level are more than one placement may evict.
    for _ in 0..4 {
        exchange.post(1, Ask, 1_020, 1).unwrap();
    }
    let before = exchange.bytes().to_vec();
    assert_eq!(
        exchange.post(2, Ask, 1_000, 1).unwrap_err(),
        SlabError::LevelsFull
    );
    assert_eq!(exchange.bytes(), before);
}

#[test]
fn t6_evicting_ones_own_order_keeps_the_position() {
    let mut exchange = tight(16, 1, 1);
    exchange.post(1, Bid, 950, 1).unwrap();
    let (placed, _) = exchange.place(&post_only(1, Bid, 960, 1)).unwrap();
    assert_eq!(placed.evicted.count, 1);
    assert_eq!(exchange.depth(0, Bid), [(960, 1)]);
    exchange.audit();
}

#[test]
fn t6_full_position_and_account_pools_refuse() {
    let mut exchange = tight(16, 16, 2);
    exchange.post(1, Bid, 950, 1).unwrap();
    let handle = exchange.post(2, Ask, 1_050, 1).unwrap();
    assert_eq!(
        exchange.post(3, Bid, 950, 1).unwrap_err(),
        SlabError::PositionsFull
    );
    assert_eq!(exchange.ioc(3, Bid, 950, 1), Err(SlabError::PositionsFull));
    let mut other = post_only(1, Bid, 950, 1);
    other.instrument = 1;
    assert_eq!(
        exchange.place(&other).unwrap_err(),
        SlabError::PositionsFull
    );
    // A position that ends gives its place to the next.
    exchange.cancel(2, handle).unwrap();
    exchange.post(3, Bid, 950, 1).unwrap();
    assert_eq!(exchange.try_open(1), Err(SlabError::AccountsFull));
    exchange.audit();
}

#[test]
fn t6_looking_at_the_book_leaves_nothing_behind() {
    // A take that meets nothing, or only removes, must not keep a position.
    let mut exchange = tight(16, 16, 2);
    for side in [Bid, Ask] {
        assert_eq!(exchange.ioc(1, side, 1_000, 5), Ok(0));
    }
    exchange.post(1, Ask, 1_010, 5).unwrap();
    assert_eq!(exchange.ioc(1, Bid, 1_010, 5), Ok(0));
    assert_eq!(exchange.slab().header.pool(PoolId::Positions).live, 0);
    exchange.audit();
}

#[test]
fn t6_an_account_rests_no_more_than_its_share() {
    let mut exchange = Exchange::new(&params(), 2);
    exchange.slab().header.orders_per_account_max = 2;
    let first = exchange.post(1, Bid, 990, 1).unwrap();
    exchange.post(1, Ask, 1_010, 1).unwrap();
    assert_eq!(
        exchange.post(1, Bid, 980, 1).unwrap_err(),
        SlabError::AccountOrdersFull
    );
    exchange.post(2, Bid, 980, 1).unwrap();
    exchange.cancel(1, first).unwrap();
    exchange.post(1, Bid, 980, 1).unwrap();
}

#[test]
fn s3_instruments_fill_up() {
    let mut exchange = tight(1, 1, 1);
    let third = exchange.run(|slab| slab.add_instrument(&params(), Slot(1)));
    assert_eq!(third, Err(SlabError::InstrumentsFull));
}

#[test]
fn x2_an_account_opens_only_for_the_escrow_bound_to_it() {
    let mut exchange = Exchange::new(&params(), 2);
    let slot = Slot(100);
    let mut escrow = exchange.escrows[0];
    for (index, generation) in [(1, 1), (0, 1), (4, 1), (3, 0), (3, 2), (u32::MAX, 1)] {
        (escrow.bound_account, escrow.bound_generation) = (index, generation);
        let opened = exchange.run(|slab| slab.open_account(&key_of(9, 3), &escrow, slot));
        assert_eq!(opened, Err(SlabError::NotBound), "{index} {generation}");
    }
    // Somebody else opened first: the binding points at a taken index.
    (escrow.bound_account, escrow.bound_generation) = (3, 1);
    exchange.open(5);
    let opened = exchange.run(|slab| slab.open_account(&key_of(9, 9), &escrow, slot));
    assert_eq!(opened, Err(SlabError::NotBound));
}

#[test]
fn x2_deposits_are_credited_once_and_only_through_their_own_escrow() {
    let mut exchange = Exchange::new(&params(), 2);
    assert_eq!(exchange.deposit(1, 500), Ok(500));
    assert_eq!(exchange.sync(1), Ok(0), "a second sync credits nothing");
    let (own, foreign, slot) = (exchange.escrows[0], exchange.escrows[1], Slot(100));
    let mut stale = own;
    stale.bound_generation += 1;
    for (account, address, escrow) in [
        (1, key_of(9, 2), own),
        (1, key_of(9, 1), foreign),
        (1, key_of(9, 1), stale),
        (2, key_of(9, 1), own),
    ] {
        let synced = exchange.run(|slab| slab.sync(account, &address, &escrow, slot));
        assert_eq!(synced.unwrap_err(), SlabError::NotBound);
    }
    for account in [0, 3, 33, u32::MAX] {
        let synced = exchange.run(|slab| slab.sync(account, &key_of(9, 1), &own, slot));
        assert_eq!(synced.unwrap_err(), SlabError::NoAccount);
    }
    exchange.audit();
}

#[test]
fn x2_counters_never_run_backwards() {
    let mut exchange = Exchange::new(&params(), 1);
    exchange.escrows[0].deposited_total_atoms -= 1;
    assert_eq!(exchange.sync(1), Err(SlabError::CounterBackwards));
    assert_eq!(exchange.cash(1), 1_000_000_000);
}

#[test]
fn t6_opening_takes_the_least_deposit() {
    let mut exchange = Exchange::new(&params(), 0);
    exchange.slab().header.account_deposit_min_atoms = 100;
    assert_eq!(exchange.try_open(99), Err(SlabError::DepositTooSmall));
    assert_eq!(exchange.try_open(100), Ok(1));
}

#[test]
fn x7_the_largest_deposits_fit_and_one_more_atom_does_not() {
    let mut exchange = Exchange::new(&params(), 1);
    let room = CASH_ATOMS_MAX - 1_000_000_000;
    assert_eq!(exchange.deposit(1, room), Ok(room));
    assert_eq!(exchange.deposit(1, 1), Err(SlabError::AmountOverflow));
    exchange.escrows[0].deposited_total_atoms = u64::MAX;
    assert_eq!(exchange.sync(1), Err(SlabError::AmountOverflow));
    // The slab's total is two words wide and passes 2^64.
    for _ in 0..9 {
        exchange.open(CASH_ATOMS_MAX);
    }
    assert_eq!(exchange.slab().header.deposits_total.get(), 10 << 61);
    exchange.audit();
}

/// The largest lots that are allowed, at the largest price that goes with them.
fn largest() -> InstrumentParams {
    let most = Lots(i32::MAX as u32 / 2);
    InstrumentParams {
        price_max: Ticks(1 << 23),
        order_lots_max: most,
        position_lots_max: most,
        imr: Ppm(1_000_000),
        band: Ppm(999_999),
        mark: Ticks(1 << 23),
        taker_fee: SignedPpm(100_000),
        maker_fee: SignedPpm(-100_000),
        ..params()
    }
}

#[test]
fn s3_the_largest_positions_open_flip_and_close_exactly() {
    let terms = largest();
    let most = terms.position_lots_max.0;
    let mut exchange = Exchange::new(&terms, 0);
    for _ in 0..2 {
        exchange.open(CASH_ATOMS_MAX);
    }
    let high = terms.price_max.0;
    exchange.post(1, Ask, high, most).unwrap();
    assert_eq!(exchange.ioc(2, Bid, high, most), Ok(most));
    assert_eq!(
        exchange.position(2, 0),
        (most as i32, i64::from(most) << 23)
    );
    let large = SlabError::PositionTooLarge;
    exchange.post(1, Ask, high, 1).unwrap_err();
    assert_eq!(exchange.post(2, Bid, high, 1).unwrap_err(), large);
    exchange.audit();
    // From the largest long to the largest short, at the lowest price.
    for _ in 0..2 {
        exchange.post(1, Bid, 9, most).unwrap();
        assert_eq!(exchange.ioc(2, Ask, 9, most), Ok(most));
        exchange.audit();
    }
    assert_eq!(
        exchange.position(2, 0),
        (-(most as i32), -9 * i64::from(most))
    );
    assert_eq!(exchange.ioc(2, Ask, 1, 1), Ok(0));
    assert_eq!(exchange.post(2, Ask, high, 1).unwrap_err(), large);
    let loss = (i64::from(most) << 23) - 9 * i64::from(most);
    assert!(exchange.cash(2) <= CASH_ATOMS_MAX as i64 - loss);
    exchange.audit();
}

#[test]
fn s3_a_level_holds_what_fits_its_field() {
    let terms = largest();
    let most = terms.position_lots_max.0;
    let mut exchange = Exchange::new(&terms, 0);
    for _ in 0..5 {
        exchange.open(CASH_ATOMS_MAX);
    }
    for account in 1..=4 {
        exchange.post(account, Bid, 1_000, most).unwrap();
    }
    exchange.post(5, Bid, 1_000, 2).unwrap();
    exchange.audit();
    let before = exchange.bytes().to_vec();
    assert_eq!(
        exchange.post(5, Bid, 1_000, 2).unwrap_err(),
        SlabError::LevelOverflow
    );
    assert_eq!(exchange.bytes(), before);
    exchange.post(5, Bid, 1_000, 1).unwrap();
    assert_eq!(exchange.depth(0, Bid), [(1_000, u32::MAX)]);
}

#[test]
fn s2_parameters_out_of_range_are_refused() {
    let refused = |change: fn(&mut InstrumentParams)| {
        let mut exchange = Exchange::with(common::small());
        let mut terms = params();
        change(&mut terms);
        let added = exchange.run(|slab| slab.add_instrument(&terms, Slot(1)));
        assert_eq!(added, Err(SlabError::BadInstrument), "{terms:?}");
    };
    refused(|terms| terms.atoms_per_tick = 0);
    refused(|terms| terms.order_lots_min = Lots(0));
    refused(|terms| terms.order_lots_min = Lots(1_000_001));
    refused(|terms| terms.order_lots_max = Lots(1_000_001));
    refused(|terms| terms.position_lots_max = Lots(i32::MAX as u32));
    refused(|terms| terms.price_max = Ticks(999));
    refused(|terms| terms.mark = Ticks(0));
    refused(|terms| terms.mark_move_max = Ticks(0));
    refused(|terms| (terms.price_max, terms.atoms_per_tick) = (Ticks(u32::MAX), u32::MAX));
    // Margin of nothing, or less in a crash than in the calm.
    refused(|terms| terms.mmr = Ppm(0));
    refused(|terms| terms.mmr = Ppm(100_001));
    refused(|terms| (terms.imr, terms.mmr) = (Ppm(1_000_001), Ppm(1)));
    refused(|terms| terms.band = Ppm(100_000));
    // T7: a rebate above the fee mints money; and no fee above a tenth.
    refused(|terms| terms.maker_fee = SignedPpm(-1));
    refused(|terms| (terms.taker_fee, terms.maker_fee) = (SignedPpm(-5), SignedPpm(4)));
    refused(|terms| terms.taker_fee = SignedPpm(100_001));
    refused(|terms| {
        (terms.taker_fee, terms.maker_fee) = (SignedPpm(i32::MIN), SignedPpm(i32::MAX))
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    /// Whatever is accepted keeps its promise that products fit; nothing panics.
    #[test]
    fn s2_any_parameters_are_refused_or_safe(
        words: [u32; 9],
        fees: [i32; 2],
        shift in 0u32..32,
    ) {
        let [tick, price, least, most, position, imr, mmr, band, mark] = words.map(|word| word >> shift);
        let terms = InstrumentParams {
            atoms_per_tick: tick,
            price_max: Ticks(price),
            order_lots_min: Lots(least),
            order_lots_max: Lots(most),
            position_lots_max: Lots(position),
            imr: Ppm(imr),
            mmr: Ppm(mmr),
            taker_fee: SignedPpm(fees[0] >> shift),
            maker_fee: SignedPpm(fees[1] >> shift),
            band: Ppm(band),
            mark: Ticks(mark),
            ..params()
        };
        let mut exchange = Exchange::with(common::small());
        let added = exchange.run(|slab| slab.add_instrument(&terms, Slot(1)));
        if added.is_ok() {
            let largest = u128::from(tick) * u128::from(price) * u128::from(position);
            prop_assert!(largest < 1 << 53);
            exchange.open(CASH_ATOMS_MAX);
            exchange.open(CASH_ATOMS_MAX);
            let _ = exchange.place(&limit(1, Ask, mark, most));
            let _ = exchange.take(&ioc(2, Bid, price, most));
            exchange.audit();
        } else {
            prop_assert_eq!(added, Err(SlabError::BadInstrument));
        }
    }
}
