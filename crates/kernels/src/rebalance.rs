//! New weights: what an index has to trade, and trading it in steps.
//!
//! A change of weights is a debt of the index to itself: for each asset of the
//! old and new index, asset units still to buy (`long`) or to sell (`short`).
//! [`retarget`] adds a change to it, [`execute`] trades as much of it as the
//! market lets through. Derived from the addendum of the paper's authors; neither
//! charges the cost of rebalancing to anybody.
//!
//! For every asset, demand then is the backing of what is outstanding:
//! `demand_long - demand_short = sum over indexes of (outstanding * W) - (long - short)`,
//! up to one unit of 1e-18 per fill.

use crate::amount::Amount;
use crate::arithmetic::Arithmetic;
use crate::compat::{add, mul, sub};
use crate::error::KernelError;
use crate::factor::Factor;
use crate::index::Constituent;
use crate::market::{Asset, Place, Result, asset_mut};
use crate::wide::SCALE;
use bytemuck::{Pod, Zeroable};

/// What an index has left to trade of one asset. At most one of the two is above 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Leg {
    /// Which asset.
    pub place: Place,
    /// Asset units to buy.
    pub long: Amount,
    /// Asset units to sell.
    pub short: Amount,
}

/// Old and new weight of an asset, in asset units per index unit; 0 outside an index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reweighting {
    /// Before.
    pub old: Amount,
    /// After.
    pub new: Amount,
}

/// Adds a change of weights to what an index has left to trade.
///
/// `outstanding` is minted less burned. The paper's code also subtracts index
/// units locked for sale; those are still backed by old weights and will be sold
/// at new ones, so they belong in. `legs` covers the assets of both indexes, in
/// the order of `weights`. What is to be bought is rounded up, what is to be sold
/// down, except that the paper's arithmetic floors both.
///
/// # Errors
/// [`KernelError::LengthMismatch`], [`KernelError::Math`]; earlier legs are written.
pub fn retarget<A: Arithmetic>(
    legs: &mut [Leg],
    weights: &[Reweighting],
    outstanding: Amount,
) -> Result<()> {
    if legs.len() != weights.len() {
        return Err(KernelError::LengthMismatch);
    }
    let factor = Factor::new(outstanding.get());
    for (leg, weight) in legs.iter_mut().zip(weights) {
        let (old, new) = (weight.old.get(), weight.new.get());
        let more = A::bought(&factor, new.saturating_sub(old))?;
        let less = A::sold(&factor, old.saturating_sub(new))?;
        let long = add(leg.long.get(), more)?;
        let short = add(leg.short.get(), less)?;
        leg.long = Amount::new(long.saturating_sub(short));
        leg.short = Amount::new(short.saturating_sub(long));
    }
    Ok(())
}

/// Makes `legs` those of every asset of two indexes and of what is pending, in
/// the order of slots; returns how many they are.
///
/// The first `count` are in use, in the order of slots as `lists` are. Legs with
/// nothing left are dropped unless an index has their asset. The list grows from
/// its end, so that nothing is moved before it is read and no memory is needed.
///
/// # Errors
/// [`KernelError::LabelMismatch`] when one slot has two names,
/// [`KernelError::MarketFull`] when there is no room; both before a leg moves.
pub fn widen(legs: &mut [Leg], count: usize, lists: [&[Constituent]; 2]) -> Result<usize> {
    let room = legs.len();
    let used = legs.get_mut(..count).ok_or(KernelError::LengthMismatch)?;
    let mut kept = 0;
    for at in 0..used.len() {
        if used[at].long != Amount::ZERO || used[at].short != Amount::ZERO {
            used[kept] = used[at];
            kept += 1;
        }
    }
    let mut ends = [kept, lists[0].len(), lists[1].len()];
    let mut total = 0;
    while step_back(&used[..kept], lists, &mut ends)?.is_some() {
        total += 1;
    }
    if total > room {
        return Err(KernelError::MarketFull);
    }
    let mut ends = [kept, lists[0].len(), lists[1].len()];
    for at in (0..total).rev() {
        // What is left to read lies at or below `at`.
        let leg = step_back(&legs[..ends[0]], lists, &mut ends)?;
        legs[at] = leg.unwrap_or_default();
    }
    Ok(total)
}

/// The leg of the highest slot among the last ones, which it takes off the ends.
fn step_back(
    legs: &[Leg],
    lists: [&[Constituent]; 2],
    ends: &mut [usize; 3],
) -> Result<Option<Leg>> {
    let pending = ends[0].checked_sub(1).and_then(|last| legs.get(last));
    let of = |list: usize, end: usize| {
        let last = end.checked_sub(1)?;
        lists[list].get(last).map(|constituent| constituent.place)
    };
    let places = [pending.map(|leg| leg.place), of(0, ends[1]), of(1, ends[2])];
    let highest = places.iter().flatten().max_by_key(|place| place.slot);
    let Some(highest) = highest else {
        return Ok(None);
    };
    let mut leg = Leg {
        place: *highest,
        ..Leg::default()
    };
    for (source, place) in places.iter().enumerate() {
        let Some(place) = place.filter(|place| place.slot == highest.slot) else {
            continue;
        };
        if place.label != highest.label {
            return Err(KernelError::LabelMismatch);
        }
        ends[source] -= 1;
        if let (0, Some(pending)) = (source, pending) {
            leg = *pending;
        }
    }
    Ok(Some(leg))
}

/// Weights that [`reweight`] gathers before it retargets their legs.
const GATHERED: usize = 16;

/// [`retarget`] from one index to another; `legs` are those that [`widen`] made.
///
/// # Errors
/// As [`retarget`], and [`KernelError::LengthMismatch`] when an asset has no leg.
pub fn reweight<A: Arithmetic>(
    legs: &mut [Leg],
    [old, new]: [&[Constituent]; 2],
    outstanding: Amount,
) -> Result<()> {
    let (mut old, mut new) = (old, new);
    for legs in legs.chunks_mut(GATHERED) {
        let mut weights = [Reweighting::default(); GATHERED];
        for (weight, leg) in weights.iter_mut().zip(legs.iter()) {
            *weight = Reweighting {
                old: next_weight(&mut old, leg.place),
                new: next_weight(&mut new, leg.place),
            };
        }
        let count = legs.len();
        retarget::<A>(legs, &weights[..count], outstanding)?;
    }
    if old.is_empty() && new.is_empty() {
        Ok(())
    } else {
        Err(KernelError::LengthMismatch)
    }
}

/// The weight of an asset in what is left of an index; 0 when it is not the next.
fn next_weight(left: &mut &[Constituent], place: Place) -> Amount {
    match left.split_first() {
        Some((first, rest)) if first.place == place => {
            *left = rest;
            first.weight
        }
        _ => Amount::ZERO,
    }
}

/// Trades up to `factor` of what the market lets through of each leg.
///
/// An asset lets through its inventory on the other side, plus what margin and
/// liquidity allow: `XL + min(M - XS, L)` to buy, the mirror image to sell. Both
/// arithmetics agree: there is one product, rounded down.
/// `record` hears the position of each leg, and the asset units bought and sold.
///
/// # Errors
/// [`KernelError::FractionAboveOne`], those of [`asset_mut`], [`KernelError::Math`];
/// earlier legs are written.
pub fn execute(
    assets: &mut [Asset],
    legs: &mut [Leg],
    factor: Amount,
    mut record: impl FnMut(usize, u128, u128),
) -> Result<()> {
    if factor.get() > SCALE {
        return Err(KernelError::FractionAboveOne);
    }
    for (position, leg) in legs.iter_mut().enumerate() {
        let asset = asset_mut(assets, leg.place)?;
        let (bought, sold) = execute_leg(asset, leg, factor)?;
        asset.refresh_delta()?;
        record(position, bought, sold);
    }
    Ok(())
}

fn execute_leg(asset: &mut Asset, leg: &mut Leg, factor: Amount) -> Result<(u128, u128)> {
    let (margin, liquidity) = (asset.margin.get(), asset.liquidity.get());
    let (held, owed) = (asset.delta_long.get(), asset.delta_short.get());
    let to_buy = add(held, margin.saturating_sub(owed).min(liquidity))?;
    let to_sell = add(owed, margin.saturating_sub(held).min(liquidity))?;
    let bought = mul(factor.get(), to_buy)?.min(leg.long.get());
    let sold = mul(factor.get(), to_sell)?.min(leg.short.get());
    let long = add(asset.demand_long.get(), bought)?;
    let short = add(asset.demand_short.get(), sold)?;
    asset.demand_long = Amount::new(long.saturating_sub(short));
    asset.demand_short = Amount::new(short.saturating_sub(long));
    leg.long = Amount::new(sub(leg.long.get(), bought)?);
    leg.short = Amount::new(sub(leg.short.get(), sold)?);
    Ok((bought, sold))
}
