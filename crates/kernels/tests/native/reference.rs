//! The kernels once more, in big integers, from the formulas of the paper.
//!
//! Vectors are the paper's: one list per quantity, over the whole market.

use flagstone_kernels::index::Quote;
use num_bigint::BigUint;

use crate::world::World;

/// A number of units of 1e-18.
pub(crate) type Big = BigUint;

/// What the paper's runtime does instead of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Overflow,
    Trap,
}

type Result<T> = std::result::Result<T, Stop>;

pub(crate) fn big(number: u128) -> Big {
    Big::from(number)
}

pub(crate) fn one() -> Big {
    big(1_000_000_000_000_000_000)
}

fn fits(number: Big) -> Result<Big> {
    if number.bits() <= 128 {
        Ok(number)
    } else {
        Err(Stop::Overflow)
    }
}

fn mul(a: &Big, b: &Big) -> Result<Big> {
    fits(a * b / one())
}

fn div(a: &Big, b: &Big) -> Result<Big> {
    if b.bits() == 0 {
        Err(Stop::Trap)
    } else {
        fits(a * one() / b)
    }
}

fn minus(a: &Big, b: &Big) -> Big {
    if a > b { a - b } else { big(0) }
}

fn sqrt(a: &Big) -> Big {
    a.sqrt() * 1_000_000_000u32
}

/// An order's outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) quantity: Big,
    pub(crate) money: Big,
    pub(crate) capacity: Big,
    pub(crate) traded: Vec<Big>,
    pub(crate) row: [Big; 3],
    /// Demand long and short, delta long and short, over the market.
    pub(crate) vectors: [Vec<Big>; 4],
}

fn gathered(world: &World, of: impl Fn(&flagstone_kernels::market::Asset) -> u128) -> Vec<Big> {
    let places = world
        .constituents
        .iter()
        .map(|constituent| constituent.place);
    places
        .map(|place| big(of(&world.assets[usize::from(place.slot)])))
        .collect()
}

fn weights(world: &World) -> Vec<Big> {
    world
        .constituents
        .iter()
        .map(|constituent| big(constituent.weight.get()))
        .collect()
}

/// Section 3: capacity, price and slope.
pub(crate) fn update_quote(world: &World) -> Result<[Big; 3]> {
    let weights = weights(world);
    let prices = gathered(world, |asset| asset.price.get());
    let slopes = gathered(world, |asset| asset.slope.get());
    let liquidity = gathered(world, |asset| asset.liquidity.get());
    let (mut price, mut slope) = (big(0), big(0));
    let mut capacity = big(u128::MAX);
    for (position, weight) in weights.iter().enumerate() {
        price = fits(price + mul(&prices[position], weight)?)?;
        slope = fits(slope + mul(&slopes[position], &mul(weight, weight)?)?)?;
        capacity = capacity.min(div(&liquidity[position], weight)?);
    }
    Ok([capacity, price, slope])
}

/// Section 6.3: `min F (close + min(M - open, C W)) / W`.
fn capacity(world: &World, quote: &Quote, close: &[Big], open: &[Big]) -> Result<Big> {
    let margins = gathered(world, |asset| asset.margin.get());
    let mut least = big(u128::MAX);
    for (position, weight) in weights(world).iter().enumerate() {
        let liquid = mul(&big(quote.capacity.get()), weight)?;
        let room = minus(&margins[position], &open[position]).min(liquid);
        let mut units = div(&fits(&close[position] + room)?, weight)?;
        if let Some(fractions) = &world.fractions {
            units = mul(&units, &big(fractions[position].get()))?;
        }
        least = least.min(units);
    }
    Ok(least)
}

fn funds(world: &World) -> Result<Big> {
    let funds = fits(big(world.row.remaining.get()) + world.added.get())?;
    if funds < big(world.removed.get()) {
        return Err(Stop::Overflow);
    }
    Ok(funds - world.removed.get())
}

/// `(root -/+ P) / 2S` with what the paper's listing floors.
fn solve(quote: &Quote, money: &Big, ask: bool) -> Result<Big> {
    let (price, slope) = (big(quote.price.get()), big(quote.slope.get()));
    let squared = mul(&price, &price)?;
    let four = fits(mul(money, &slope)? * 4u32)?;
    let root = if ask {
        minus(&squared, &four)
    } else {
        fits(squared + four)?
    };
    let root = sqrt(&root);
    let difference = if ask {
        minus(&price, &root)
    } else {
        minus(&root, &price)
    };
    div(&difference, &fits(slope * 2u32)?)
}

/// Net exposure from supply and demand.
fn exposure(world: &World, long: &[Big], short: &[Big]) -> Result<[Vec<Big>; 2]> {
    let (mut net_long, mut net_short) = (Vec::new(), Vec::new());
    for (slot, asset) in world.assets.iter().enumerate() {
        let total_long = fits(big(asset.supply_long.get()) + &short[slot])?;
        let total_short = fits(big(asset.supply_short.get()) + &long[slot])?;
        net_long.push(minus(&total_long, &total_short));
        net_short.push(minus(&total_short, &total_long));
    }
    Ok([net_long, net_short])
}

/// Moves demand by what was traded: `from` goes down first, the rest goes to `to`.
fn scatter(world: &World, traded: &[Big], from: &mut [Big], to: &mut [Big]) -> Result<()> {
    for (constituent, quantity) in world.constituents.iter().zip(traded) {
        let slot = usize::from(constituent.place.slot);
        let before = from[slot].clone();
        from[slot] = minus(&before, quantity);
        to[slot] = fits(&to[slot] + minus(quantity, &before))?;
    }
    Ok(())
}

fn demand(world: &World) -> (Vec<Big>, Vec<Big>) {
    let long = world
        .assets
        .iter()
        .map(|asset| big(asset.demand_long.get()));
    let short = world
        .assets
        .iter()
        .map(|asset| big(asset.demand_short.get()));
    (long.collect(), short.collect())
}

fn traded(world: &World, quantity: &Big) -> Result<Vec<Big>> {
    weights(world)
        .iter()
        .map(|weight| mul(quantity, weight))
        .collect()
}

fn rows(world: &World, funds: &Big, given: &Big, got: &Big) -> Result<[Big; 3]> {
    Ok([
        minus(funds, given),
        fits(big(world.row.given.get()) + given)?,
        fits(big(world.row.got.get()) + got)?,
    ])
}

/// Section 6: a buy.
pub(crate) fn buy(world: &World, quote: &Quote) -> Result<Outcome> {
    let funds = funds(world)?;
    let wanted = solve(
        quote,
        &funds.clone().min(big(world.order_size_max.get())),
        false,
    )?;
    let close = gathered(world, |asset| asset.delta_long.get());
    let open = gathered(world, |asset| asset.delta_short.get());
    let capacity = capacity(world, quote, &close, &open)?;
    let quantity = wanted.min(capacity.clone());
    let marginal = fits(mul(&big(quote.slope.get()), &quantity)? + quote.price.get())?;
    let money = mul(&marginal, &quantity)?;
    let traded = traded(world, &quantity)?;
    let (mut long, mut short) = demand(world);
    scatter(world, &traded, &mut short, &mut long)?;
    let [net_long, net_short] = exposure(world, &long, &short)?;
    Ok(Outcome {
        row: rows(world, &funds, &money, &quantity)?,
        vectors: [long, short, net_long, net_short],
        quantity,
        money,
        capacity,
        traded,
    })
}

/// The mirror image: a sell.
pub(crate) fn sell(world: &World, quote: &Quote) -> Result<Outcome> {
    let funds = funds(world)?;
    let close = gathered(world, |asset| asset.delta_short.get());
    let open = gathered(world, |asset| asset.delta_long.get());
    let capacity = capacity(world, quote, &close, &open)?;
    let offered = funds.clone().min(capacity.clone());
    let impact = mul(&big(quote.slope.get()), &offered)?;
    let marginal = minus(&big(quote.price.get()), &impact);
    let money = mul(&marginal, &offered)?.min(big(world.order_size_max.get()));
    let quantity = solve(quote, &money, true)?;
    let traded = traded(world, &quantity)?;
    let (mut long, mut short) = demand(world);
    scatter(world, &traded, &mut long, &mut short)?;
    let [net_long, net_short] = exposure(world, &long, &short)?;
    Ok(Outcome {
        row: rows(world, &funds, &quantity, &money)?,
        vectors: [long, short, net_long, net_short],
        quantity,
        money,
        capacity,
        traded,
    })
}
