//! Listings against native kernels: the same random markets, the same results to the unit.

mod orders;
mod random;
mod upkeep;
mod world;

use flagstone_kernels::asm::listings;
use flagstone_kernels::index::Constituent;
use flagstone_kernels::market::Place;
use flagstone_kernels::orders::{OrderRow, transfer};
use flagstone_kernels::{Amount, Compat, KernelError, Label};

use self::random::Random;
use self::world::{Tally, World, row_of};
use crate::support::*;

fn compare_worlds(seeds: std::ops::Range<u64>, assets_max: u64) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let config = if seed % 2 == 0 { STRICT } else { COMPAT };
        let outcome = std::panic::catch_unwind(|| {
            let mut own = Tally::default();
            let mut world = World::new(seed, assets_max);
            world.update_quote(&config, &mut own);
            world.order(true, &config, &mut own);
            world.order(false, &config, &mut own);
            world.maintain(&config, &mut own);
            world.update_quote(&config, &mut own);
            world.rebalance(&config, &mut own);
            world.order(true, &config, &mut own);
            own
        });
        let own = outcome.unwrap_or_else(|_| panic!("seed {seed}, up to {assets_max} assets"));
        tally.done += own.done;
        tally.refused += own.refused;
    }
    tally
}

#[test]
fn k6_listings_equal_native_kernels_on_small_markets() {
    let tally = compare_worlds(0..3_000, 24);
    assert!(tally.done > 15_000 && tally.refused > 500, "{tally:?}");
}

#[test]
fn k6_listings_equal_native_kernels_on_large_markets() {
    let tally = compare_worlds(1_000_000..1_000_150, 512);
    assert!(tally.done > 500 && tally.refused > 50, "{tally:?}");
}

#[test]
fn k6_transfers_equal_the_native_kernel() {
    let mut random = Random(7);
    let (mut done, mut refused) = (0, 0);
    for _ in 0..3_000 {
        let row = |random: &mut Random| OrderRow {
            remaining: Amount::new(random.amount(15, 20)),
            given: Amount::new(random.wild(15, 20)),
            got: Amount::new(random.amount(18, 20)),
        };
        let (mut from, mut to) = (row(&mut random), row(&mut random));
        let (locked, burned) = (random.amount(15, 18), random.amount(15, 18));
        let quantity = random.amount(16, 20);
        let mut session = Session::default();
        session.vector("sender_bid_id", &row_of(&from));
        session.vector("sender_ask_id", &[locked, burned, 5]);
        session.vector("receiver_bid_id", &row_of(&to));
        session.scalar("amount", quantity);
        let reserved = Amount::new(locked + burned);
        let native = transfer::<Compat>(&mut from, &mut to, reserved, Amount::new(quantity));
        let ran = session.run(&listings::TRANSFER, &STRICT);
        assert_eq!(native.is_ok(), ran.is_ok(), "{native:?} {ran:?}");
        if native.is_ok() {
            assert_eq!(session.get("sender_bid_id"), row_of(&from));
            assert_eq!(session.get("receiver_bid_id"), row_of(&to));
            done += 1;
        } else {
            refused += 1;
        }
    }
    assert!(done > 500 && refused > 200, "{done} {refused}");
}

#[test]
fn a_weight_of_zero_is_refused_on_both_sides() {
    let place = Place::new(Label::new(1), 0);
    assert_eq!(
        Constituent::new(place, Amount::ZERO).err(),
        Some(KernelError::ZeroWeight)
    );
    let mut world = World::new(5, 4);
    world.publish();
    world
        .session
        .vector("asset_weights_id", &vec![0; world.constituents.len()]);
    let mut tally = Tally::default();
    let quoted = world.constituents.clone();
    world.update_quote(&STRICT, &mut tally);
    assert_eq!((tally.done, quoted.is_empty()), (1, false));
    world
        .session
        .vector("asset_weights_id", &vec![0; world.constituents.len()]);
    for (name, of) in [
        ("asset_prices_id", "market_asset_prices_id"),
        ("asset_slopes_id", "market_asset_slopes_id"),
        ("asset_liquidity_id", "market_asset_liquidity_id"),
    ] {
        let id = world.session.id(of);
        world.session.symbols.define(name, id);
    }
    let fault = world
        .session
        .run(&listings::UPDATE_QUOTE, &STRICT)
        .expect_err("zero");
    assert_eq!(
        fault.error,
        flagstone_kernels::vil::VilError::DivisionByZero
    );
}
