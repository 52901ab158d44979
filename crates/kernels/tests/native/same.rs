//! Compat kernels equal big integers; stable kernels equal exact rationals.

use flagstone_kernels::index::Quote;
use flagstone_kernels::orders::{Fill, OrderRow, Terms, buy, sell};
use flagstone_kernels::{Amount, Arithmetic, Compat, KernelError, MathError, Stable, stable};
use num_bigint::BigUint;

use crate::reference::{self, Big, Outcome, Stop, big, one};
use crate::world::{Seeded, World};

/// Worlds per test.
const WORLDS: u64 = 4_000;

fn stopped(error: KernelError) -> Stop {
    match error {
        KernelError::Math(MathError::DivisionByZero) => Stop::Trap,
        KernelError::Math(MathError::Overflow) | KernelError::Insufficient => Stop::Overflow,
        other => panic!("{other}"),
    }
}

fn outcome(world: &World, row: &OrderRow, fill: &Fill, sells: bool, traded: Vec<u128>) -> Outcome {
    let (given, got) = (big(fill.given.get()), big(fill.got.get()));
    let vector = |of: fn(&flagstone_kernels::market::Asset) -> Amount| {
        world
            .assets
            .iter()
            .map(|asset| big(of(asset).get()))
            .collect()
    };
    let (quantity, money) = if sells { (given, got) } else { (got, given) };
    Outcome {
        quantity,
        money,
        capacity: big(fill.capacity.get()),
        traded: traded.into_iter().map(big).collect(),
        row: [row.remaining, row.given, row.got].map(|amount| big(amount.get())),
        vectors: [
            vector(|asset| asset.demand_long),
            vector(|asset| asset.demand_short),
            vector(|asset| asset.delta_long),
            vector(|asset| asset.delta_short),
        ],
    }
}

fn native(world: &World, quote: &Quote, sells: bool) -> Result<Outcome, Stop> {
    let mut after = world.clone();
    let terms = Terms {
        quote,
        added: world.added,
        removed: world.removed,
        order_size_max: world.order_size_max,
        fractions: world.fractions.as_deref(),
    };
    let mut row = world.row;
    let mut traded = Vec::new();
    let record = |position: usize, quantity| {
        assert_eq!(position, traded.len());
        traded.push(quantity);
    };
    let order = if sells { sell::<Compat> } else { buy::<Compat> };
    let fill = order(
        &mut after.assets,
        &world.constituents,
        &mut row,
        &terms,
        record,
    );
    let fill = fill.map_err(stopped)?;
    Ok(outcome(&after, &row, &fill, sells, traded))
}

#[test]
fn k6_compat_kernels_equal_big_integers() {
    let (mut traps, mut overflows, mut fills, mut bound, mut past_peak) = (0, 0, 0, 0, 0);
    let mut priced = 0;
    for seed in 0..WORLDS {
        let world = World::new(seed);
        let quote = Compat::update_quote(&world.assets, &world.constituents);
        let own = quote.map_err(stopped);
        let own = own.map(|quote| [quote.capacity, quote.price, quote.slope].map(|n| big(n.get())));
        assert_eq!(own, reference::update_quote(&world), "quote of {seed}");
        let random = &mut Seeded::new(!seed);
        let quotes = [quote.ok(), Some(World::odd_quote(random))];
        for quote in quotes.into_iter().flatten() {
            for (sells, expected) in [
                (false, reference::buy(&world, &quote)),
                (true, reference::sell(&world, &quote)),
            ] {
                let own = native(&world, &quote, sells);
                match &own {
                    Err(Stop::Trap) => traps += 1,
                    Err(Stop::Overflow) => overflows += 1,
                    Ok(done) => {
                        let filled = done.quantity > big(0);
                        fills += usize::from(filled);
                        priced += usize::from(filled && done.quantity < done.capacity);
                        bound += usize::from(done.quantity == done.capacity);
                        let offered = world.row.remaining.get().min(quote.capacity.get());
                        let peak = stable::quantity_at_peak(&quote);
                        past_peak += usize::from(sells && offered > peak);
                    }
                }
                // Where both stop, they may stop at another step for another reason.
                match (&own, &expected) {
                    (Err(_), Err(_)) => {}
                    _ => assert_eq!(own, expected, "seed {seed}, sells {sells}, {quote:?}"),
                }
            }
        }
    }
    println!(
        "{fills} fills, {priced} by price, {bound} at capacity, {past_peak} past the peak, {traps} traps, {overflows} overflows"
    );
    assert!(
        fills > 2_000
            && priced > 500
            && bound > 500
            && past_peak > 100
            && traps > 500
            && overflows > 50
    );
}

fn ceil(number: &Big, divisor: &Big) -> Big {
    (number + divisor - 1u32) / divisor
}

fn narrow(number: &Big) -> u128 {
    u128::try_from(number.clone()).unwrap_or(u128::MAX)
}

#[test]
fn k6_stable_quotes_are_exact_sums_rounded_once() {
    for seed in 0..WORLDS {
        let world = World::new(seed);
        let own = Stable::update_quote(&world.assets, &world.constituents).expect("fits");
        let (mut price, mut slope, mut least) = (big(0), big(0), u128::MAX);
        for constituent in &world.constituents {
            let asset = &world.assets[usize::from(constituent.place.slot)];
            let weight = big(constituent.weight.get());
            price += &weight * asset.price.get();
            slope += ceil(&(&weight * &weight), &one()) * asset.slope.get();
            least = least.min(narrow(&(one() * asset.liquidity.get() / &weight)));
        }
        assert_eq!(big(own.price.get()), price / one(), "{seed}");
        assert_eq!(big(own.slope.get()), ceil(&slope, &one()), "{seed}");
        assert_eq!(own.capacity.get(), least, "{seed}");
        // The paper's floors cost at most a unit per constituent and sum.
        let Ok(paper) = Compat::update_quote(&world.assets, &world.constituents) else {
            continue;
        };
        assert_eq!(paper.capacity, own.capacity, "{seed}");
        let count = world.constituents.len() as u128;
        assert!(own.price.get() - paper.price.get() < count.max(1), "{seed}");
    }
}

#[test]
fn k4_k6_stable_capacity_is_the_exact_minimum() {
    use flagstone_kernels::capacity::{Demand, capacity_compat, capacity_stable};
    use flagstone_units::Side;
    for seed in 0..WORLDS {
        let world = World::new(seed);
        let quote = Stable::update_quote(&world.assets, &world.constituents).expect("fits");
        for side in [Side::Bid, Side::Ask] {
            let fractions = world.fractions.as_deref();
            let demand = Demand {
                side,
                capacity: quote.capacity,
                fractions,
            };
            let own = capacity_stable(&world.assets, &world.constituents, &demand).expect("fits");
            let mut least = big(u128::MAX);
            for (position, constituent) in world.constituents.iter().enumerate() {
                let asset = &world.assets[usize::from(constituent.place.slot)];
                let (close, open) = match side {
                    Side::Bid => (asset.delta_long, asset.delta_short),
                    Side::Ask => (asset.delta_short, asset.delta_long),
                };
                let weight = big(constituent.weight.get());
                let liquid = &weight * quote.capacity.get() / one();
                let room = big(asset.margin.get().saturating_sub(open.get())).min(liquid);
                let fraction = fractions.map_or(one(), |fractions| big(fractions[position].get()));
                least = least.min((room + close.get()) * fraction / weight);
            }
            assert_eq!(big(own), least, "seed {seed}, {side:?}");
            // The paper floors twice: it is never above, and a unit below at most.
            let paper = capacity_compat(&world.assets, &world.constituents, &demand);
            if let Ok(paper) = paper {
                assert!(paper <= own && own - paper <= 1, "seed {seed}, {side:?}");
            }
        }
    }
}

#[test]
fn k6_stable_roots_equal_exact_rationals() {
    let random = &mut Seeded::new(7);
    let mut done = [0; 4];
    for _ in 0..40_000 {
        let quote = World::odd_quote(random);
        let (price, slope) = (big(quote.price.get()), big(quote.slope.get()));
        let money = random.bits(0, 110);
        let exact = |quantity: &BigUint| (&price * one() + &slope * quantity) * quantity;
        if let Ok(quantity) = stable::quantity_for(&quote, money) {
            // It costs no more than the money, and what it costs is rounded up.
            let square = one() * one();
            let cost = exact(&big(quantity));
            assert!(cost <= &square * money, "{quote:?} {money}");
            assert_eq!(
                big(stable::cost(&quote, quantity).expect("fits")),
                ceil(&cost, &square)
            );
            // The root rounded up makes the divisor less than a unit too large, and no more.
            let root = (&price * &price + &slope * 4u32 * money).sqrt() + 1u32;
            let floor = one() * 2u32 * money / (&price + root);
            assert!(big(quantity) >= floor, "{quote:?} {money}");
            done[0] += 1;
        }
        let quantity = random.bits(0, 110).min(stable::quantity_at_peak(&quote));
        if let Ok(gain) = stable::proceeds(&quote, quantity) {
            let impact = &slope * quantity;
            assert!(impact.clone() * 2u32 <= &price * one());
            let expected = (&price * one() - impact) * quantity / (one() * one());
            assert_eq!(big(gain), expected, "{quote:?} {quantity}");
            done[1] += 1;
            // Selling for that money again never burns more than it took, and brings as much.
            if gain > 0 {
                let burned = stable::quantity_bringing(&quote, gain).expect("brings");
                if burned <= stable::quantity_at_peak(&quote) {
                    assert!(stable::proceeds(&quote, burned).expect("fits") >= gain);
                    done[2] += 1;
                }
                done[3] += usize::from(quote.slope == Amount::ZERO);
            }
        }
    }
    println!("{done:?}");
    assert!(done.iter().all(|count| *count > 1_000), "{done:?}");
}
