//! How many index units the market's margin lets through in one go.
//!
//! Paper, section 6.3: an asset's room is what can be closed plus what may be
//! opened, `L = XL + min(M - XS, C W)` for a buy and the mirror image for a
//! sell; the index has `min F L / W`, where `F` is the order's share of each
//! asset within its batch.
//!
//! The shares of a batch that is filled one order after another must be taken of
//! what is left: two orders with a half each would get a half and a quarter
//! ([`share_of_rest`]).

use crate::amount::Amount;
use crate::compat;
use crate::error::KernelError;
use crate::factor::Factor;
use crate::index::Constituent;
use crate::market::{Asset, Result, asset};
use crate::reach::{Floor, Rising};
use crate::stable::{mul_div, mul_floor, times_floor};
use crate::wide::{SCALE, Wide};
use flagstone_units::Side;

/// Index units that rounding liquidity down to units of an asset takes, in units of
/// 1e-18, unless its weight is below 2.4e-10.
const ROUNDING_MAX: u128 = 1 << 32;

/// What an order wants of the market.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// Buying (bid) or selling (ask) index units.
    pub side: Side,
    /// `C`: index units that liquidity allows, from the quote.
    pub capacity: Amount,
    /// `F`: the order's share of each constituent, in their order; none for all of each.
    pub fractions: Option<&'a [Amount]>,
}

/// What can be closed and what may be opened.
#[inline(always)]
fn inventory_and_room(asset: &Asset, side: Side) -> (u128, u128) {
    let (close, open) = match side {
        Side::Bid => (asset.delta_long, asset.delta_short),
        Side::Ask => (asset.delta_short, asset.delta_long),
    };
    (close.get(), asset.margin.get().saturating_sub(open.get()))
}

/// Asset units that an order may trade of one asset: `XL + min(M - XS, C W)`
/// for a buy and the mirror image for a sell.
///
/// # Errors
/// [`KernelError::Math`] when the two do not fit 128 bits together.
pub fn asset_limit(asset: &Asset, weight: u128, capacity: u128, side: Side) -> Result<u128> {
    let (inventory, room) = inventory_and_room(asset, side);
    // More liquidity than 128 bits is no limit.
    let liquid = mul_floor(capacity, weight).unwrap_or(u128::MAX);
    Ok(compat::add(inventory, room.min(liquid))?)
}

/// `F` of a constituent; one without fractions.
#[inline(always)]
fn fraction(demand: &Demand<'_>, position: usize) -> u128 {
    demand
        .fractions
        .and_then(|fractions| fractions.get(position))
        .map_or(SCALE, |fraction| fraction.get())
}

#[inline(always)]
fn check_lengths(constituents: &[Constituent], demand: &Demand<'_>) -> Result<()> {
    match demand.fractions {
        Some(fractions) if fractions.len() != constituents.len() => {
            Err(KernelError::LengthMismatch)
        }
        _ => Ok(()),
    }
}

/// Capacity in the paper's arithmetic: `min floor(F floor(L / W))`.
///
/// # Errors
/// [`KernelError::LengthMismatch`], those of [`asset`], [`KernelError::Math`].
pub fn capacity_compat(
    assets: &[Asset],
    constituents: &[Constituent],
    demand: &Demand<'_>,
) -> Result<u128> {
    check_lengths(constituents, demand)?;
    let liquidity = Factor::new(demand.capacity.get());
    let mut least = u128::MAX;
    for (position, constituent) in constituents.iter().enumerate() {
        let asset = asset(assets, constituent.place)?;
        let weight = constituent.weight.get();
        let (inventory, room) = inventory_and_room(asset, demand.side);
        let liquid = times_floor(&liquidity, weight)?;
        let limit = compat::add(inventory, room.min(liquid))?;
        let units = compat::div(limit, weight)?;
        let share = if demand.fractions.is_some() {
            compat::mul(units, fraction(demand, position))?
        } else {
            units
        };
        least = least.min(share);
    }
    Ok(least)
}

/// Capacity in stable arithmetic: `floor(min F L / W)`, with few divisions.
///
/// An asset bought or sold for this many index units stays within its room
/// after rounding up, because the room is a whole number of units.
///
/// # Errors
/// [`KernelError::LengthMismatch`], [`KernelError::FractionAboveOne`], those of
/// [`asset`], [`KernelError::Math`].
pub fn capacity_stable(
    assets: &[Asset],
    constituents: &[Constituent],
    demand: &Demand<'_>,
) -> Result<u128> {
    check_lengths(constituents, demand)?;
    let capacity = demand.capacity.get();
    let liquidity = Factor::new(capacity);
    let floor = Floor::of(capacity.saturating_sub(ROUNDING_MAX));
    let mut least = Rising::NONE;
    for (position, constituent) in constituents.iter().enumerate() {
        let asset = asset(assets, constituent.place)?;
        let (inventory, room) = inventory_and_room(asset, demand.side);
        let weight = constituent.weight.get();
        let fraction = fraction(demand, position);
        if fraction > SCALE {
            return Err(KernelError::FractionAboveOne);
        }
        // With all of the asset, liquidity allows C units, less what rounding
        // takes; once the least is below, only inventory and margin can lower it.
        let rounding = u128::from(constituent.reach.index_units_of_one());
        if fraction == SCALE
            && least.get() <= capacity.saturating_sub(rounding)
            && least.is_covered(inventory.saturating_add(room), constituent.reach)
        {
            continue;
        }
        // The same of a part, by bounds alone: neither what liquidity allows nor
        // inventory and margin can be less.
        if rounding <= ROUNDING_MAX
            && least.is_covered_by_share(floor, fraction as u64)
            && least.is_covered_in_part(
                inventory.saturating_add(room),
                constituent.reach,
                fraction as u64,
            )
        {
            continue;
        }
        // More liquidity than 128 bits is no limit.
        let liquid = times_floor(&liquidity, weight).unwrap_or(u128::MAX);
        let limit = compat::add(inventory, room.min(liquid))?;
        least.lower(Wide::product(limit, fraction), weight)?;
    }
    Ok(least.get())
}

/// `F` to use for an order of a batch after others have had `taken` of the asset:
/// `fraction / (1 - taken)`, rounded down.
///
/// # Errors
/// [`KernelError::FractionAboveOne`] when the batch's fractions sum to more than one.
pub fn share_of_rest(fraction: Amount, taken: Amount) -> Result<Amount> {
    let left = SCALE
        .checked_sub(taken.get())
        .filter(|left| fraction.get() <= *left)
        .ok_or(KernelError::FractionAboveOne)?;
    if left == 0 {
        return Ok(Amount::ZERO);
    }
    Ok(Amount::new(mul_div(fraction.get(), SCALE, left)?))
}
