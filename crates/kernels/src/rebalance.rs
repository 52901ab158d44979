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
