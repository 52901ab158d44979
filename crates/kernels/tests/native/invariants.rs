//! What must hold of stable orders, whatever the market.

use flagstone_kernels::capacity::share_of_rest;
use flagstone_kernels::index::Quote;
use flagstone_kernels::market::Asset;
use flagstone_kernels::orders::{Fill, OrderRow, Terms, buy, sell};
use flagstone_kernels::{Amount, Arithmetic, Stable};
use num_bigint::BigInt;
use proptest::prelude::*;

use crate::world::{Seeded, World};

fn signed(amount: Amount) -> BigInt {
    BigInt::from(amount.get())
}

/// Demand as a signed number.
fn demand(asset: &Asset) -> BigInt {
    signed(asset.demand_long) - signed(asset.demand_short)
}

fn terms<'a>(world: &'a World, quote: &'a Quote, fractions: Option<&'a [Amount]>) -> Terms<'a> {
    Terms {
        quote,
        added: world.added,
        removed: world.removed,
        order_size_max: world.order_size_max,
        fractions,
    }
}

/// Runs an order; gives the market after it, the row, the fill and what was traded.
fn traded(
    world: &World,
    quote: &Quote,
    fractions: Option<&[Amount]>,
    sells: bool,
) -> Option<(Vec<Asset>, OrderRow, Fill, Vec<u128>)> {
    let (mut assets, mut row, mut traded) = (world.assets.clone(), world.row, Vec::new());
    let order = if sells { sell::<Stable> } else { buy::<Stable> };
    let record = |_, quantity| traded.push(quantity);
    let terms = terms(world, quote, fractions);
    let fill = order(&mut assets, &world.constituents, &mut row, &terms, record).ok()?;
    Some((assets, row, fill, traded))
}

fn check(world: &World, quote: &Quote, sells: bool) -> Result<(), TestCaseError> {
    let fractions = world.fractions.as_deref();
    let done = traded(world, quote, fractions, sells);
    prop_assume!(done.is_some());
    let Some((assets, row, fill, traded)) = done else {
        return Ok(());
    };
    let funds = signed(world.row.remaining) + signed(world.added) - signed(world.removed);
    // Conservation: no overspend and no over-burn, to the unit.
    prop_assert_eq!(signed(row.remaining) + signed(fill.given), funds);
    prop_assert_eq!(
        signed(row.given),
        signed(world.row.given) + signed(fill.given)
    );
    prop_assert_eq!(signed(row.got), signed(world.row.got) + signed(fill.got));
    // Caps: the largest order in money, capacity in index units.
    let (quantity, money) = if sells {
        (fill.given, fill.got)
    } else {
        (fill.got, fill.given)
    };
    prop_assert!(money <= world.order_size_max);
    prop_assert!(quantity <= fill.capacity);
    let mut touched = vec![0u128; assets.len()];
    for (constituent, quantity) in world.constituents.iter().zip(&traded) {
        touched[usize::from(constituent.place.slot)] = *quantity;
    }
    for ((before, after), quantity) in world.assets.iter().zip(&assets).zip(touched) {
        // Demand moves by exactly what was traded, and only where it was.
        let change = if sells {
            -BigInt::from(quantity)
        } else {
            BigInt::from(quantity)
        };
        prop_assert_eq!(demand(after), demand(before) + &change);
        // Net exposure is supply plus demand, and on one side only.
        let mut fresh = *after;
        fresh.refresh_delta().expect("fits");
        prop_assert_eq!(fresh, *after);
        prop_assert!(after.delta_long.min(after.delta_short) == Amount::ZERO);
        // Who was within margin stays within; who was not gets no further out.
        let (open, open_after) = if sells {
            (before.delta_long, after.delta_long)
        } else {
            (before.delta_short, after.delta_short)
        };
        prop_assert!(open_after <= before.margin.max(open));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn k1_k4_k5_orders_conserve_money_demand_and_margin(seed: u64, sells: bool, odd: bool) {
        let world = World::new(seed);
        let quote = if odd {
            World::odd_quote(&mut Seeded::new(!seed))
        } else {
            Stable::update_quote(&world.assets, &world.constituents).expect("fits")
        };
        check(&world, &quote, sells)?;
    }

    #[test]
    fn k3_no_round_trip_earns(seed: u64, odd: bool) {
        let mut world = World::new(seed);
        let quote = if odd {
            World::odd_quote(&mut Seeded::new(!seed))
        } else {
            Stable::update_quote(&world.assets, &world.constituents).expect("fits")
        };
        world.order_size_max = Amount::new(u128::MAX);
        let done = traded(&world, &quote, None, false);
        prop_assume!(done.is_some());
        let Some((assets, _, bought, units)) = done else { return Ok(()) };
        // Sell what was bought, at the quote it was bought at.
        let mut back = world.clone();
        back.assets = assets;
        back.row = OrderRow { remaining: bought.got, ..OrderRow::default() };
        (back.added, back.removed) = (Amount::ZERO, Amount::ZERO);
        // Bought, it can be sold: margin lets back out what it let in.
        let done = traded(&back, &quote, None, true);
        prop_assert!(done.is_some());
        let Some((_, _, sold, units_back)) = done else { return Ok(()) };
        prop_assert!(sold.given <= bought.got);
        prop_assert!(sold.got <= bought.given, "{:?} {:?}", bought, sold);
        for (unit, back) in units.iter().zip(&units_back) {
            prop_assert!(back <= unit);
        }
    }

    #[test]
    fn k4_a_batch_with_running_fractions_stays_within_margin(seed: u64, shares in prop::collection::vec(0..=100u128, 1..5)) {
        let mut world = World::new(seed);
        let quote = Stable::update_quote(&world.assets, &world.constituents).expect("fits");
        let total: u128 = shares.iter().sum::<u128>().max(1);
        let margins: Vec<Amount> = world
            .assets
            .iter()
            .map(|asset| asset.margin.max(asset.delta_short))
            .collect();
        let mut taken = 0u128;
        for share in shares {
            let fraction = share * Amount::ONE.get() / total;
            let running = share_of_rest(Amount::new(fraction), Amount::new(taken)).expect("a batch");
            taken += fraction;
            let fractions = vec![running; world.constituents.len()];
            let done = traded(&world, &quote, Some(&fractions), false);
            prop_assume!(done.is_some());
            let Some((assets, ..)) = done else { return Ok(()) };
            world.assets = assets;
            for (asset, margin) in world.assets.iter().zip(&margins) {
                prop_assert!(asset.delta_short <= *margin);
            }
        }
    }

    #[test]
    fn k1_an_order_in_chunks_costs_what_its_chunks_cost(seed: u64, chunks in 2..6u128) {
        let world = World::new(seed);
        let quote = Stable::update_quote(&world.assets, &world.constituents).expect("fits");
        let mut chunked = world.clone();
        (chunked.added, chunked.removed) = (Amount::ZERO, Amount::ZERO);
        chunked.order_size_max = Amount::new(world.row.remaining.get() / chunks);
        let start = chunked.row;
        let (mut spent, mut minted) = (0, 0);
        for _ in 0..chunks {
            let done = traded(&chunked, &quote, None, false);
            prop_assume!(done.is_some());
            let Some((assets, row, fill, _)) = done else { return Ok(()) };
            spent += fill.given.get();
            minted += fill.got.get();
            (chunked.assets, chunked.row) = (assets, row);
        }
        prop_assert_eq!(chunked.row.remaining.get(), start.remaining.get() - spent);
        prop_assert_eq!(chunked.row.got.get(), start.got.get() + minted);
    }
}
