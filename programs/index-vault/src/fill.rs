//! One chunk of an order, between atoms, tokens and the kernels' numbers.
//!
//! The kernels count in 1e-18, collateral in atoms of six decimals and tokens
//! in nine. A chunk trades whole tokens: what the market books is exactly what
//! is minted or burned, and money is rounded once more, against the trader.

use crate::access::{fail, kernel};
use alloc::vec::Vec;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::amounts::{Atoms, Quantity, Tokens};
use flagstone_index_engine::market::QuoteSide;
use flagstone_kernels::arithmetic::{Arithmetic, Sale, Stable};
use flagstone_kernels::capacity::Demand;
use flagstone_kernels::factor::Factor;
use flagstone_kernels::index::{Constituent, Quote};
use flagstone_kernels::market::{Asset, asset_mut};
use flagstone_kernels::{Amount, KernelError, MathError};
use flagstone_units::Side;

/// An atom of collateral (six decimals), in the kernels' units.
pub const ATOM: u128 = 1_000_000_000_000;
/// The least part of an index token (nine decimals), in the kernels' units.
pub const TOKEN: u128 = 1_000_000_000;

/// What a chunk executed.
pub struct Filled {
    /// Collateral spent or gained.
    pub atoms: Atoms,
    /// Tokens bought or sold.
    pub tokens: Tokens,
    /// Quantity of each constituent.
    pub quantities: Vec<Quantity>,
}

/// What the market is asked for.
pub struct Ask<'a> {
    /// The index's quote for this side.
    pub quote: &'a Quote,
    /// Atoms that a buy may spend, or tokens that a sell may sell.
    pub given: u64,
    /// Atoms that a sell may bring.
    pub atoms_max: u64,
    /// Index units that the order's share of the market allows, in 1e-18.
    pub units_max: u128,
}

/// The kernels' quote of a stored side.
pub fn quote_of(side: &QuoteSide) -> Quote {
    let amount = |words: [u64; 2]| Amount::new(u128::from(words[0]) | u128::from(words[1]) << 64);
    Quote {
        capacity: amount(side.capacity),
        price: amount(side.price),
        slope: amount(side.slope),
    }
}

/// The stored side of the kernels' quote.
pub fn side_of(quote: &Quote) -> QuoteSide {
    let words = |amount: Amount| [amount.get() as u64, (amount.get() >> 64) as u64];
    QuoteSide {
        capacity: words(quote.capacity),
        price: words(quote.price),
        slope: words(quote.slope),
    }
}

/// The quote once so many tokens were traded on its data.
pub fn moved(quote: &Quote, side: Side, traded: Tokens) -> Result<Quote> {
    if traded == Tokens::ZERO {
        return Ok(*quote);
    }
    let units = u128::from(traded.0) * TOKEN;
    let moved = match side {
        Side::Bid => quote.after_buying(units),
        Side::Ask => quote.after_selling(units),
    };
    moved.map_err(math)
}

/// Buys with up to `given` atoms (paper, sections 6.2 to 6.6).
#[inline(never)]
pub fn buy(assets: &mut [Asset], constituents: &[Constituent], ask: &Ask<'_>) -> Result<Filled> {
    let money = u128::from(ask.given) * ATOM;
    let wanted = Stable::quantity_for(ask.quote, money).map_err(math)?;
    let capacity = capacity(assets, constituents, Side::Bid, ask)?;
    let tokens = whole_tokens(wanted.min(capacity));
    let quantity = u128::from(tokens) * TOKEN;
    let cost = Stable::cost(ask.quote, quantity).map_err(math)?;
    let atoms = narrow(cost.div_ceil(ATOM))?;
    let factor = Factor::new(quantity);
    let mut quantities = Vec::with_capacity(constituents.len());
    for constituent in constituents {
        let bought = Stable::bought(&factor, constituent.weight.get()).map_err(math)?;
        let asset = asset_mut(assets, constituent.place).map_err(kernel)?;
        asset.demand_more(bought).map_err(kernel)?;
        asset.refresh_delta().map_err(kernel)?;
        quantities.push(Quantity::new(bought));
    }
    Ok(Filled {
        atoms: Atoms(atoms),
        tokens: Tokens(tokens),
        quantities,
    })
}

/// Sells up to `given` tokens, for at most `atoms_max`.
#[inline(never)]
pub fn sell(assets: &mut [Asset], constituents: &[Constituent], ask: &Ask<'_>) -> Result<Filled> {
    let capacity = capacity(assets, constituents, Side::Ask, ask)?;
    let offered = u128::from(ask.given.min(whole_tokens(capacity))) * TOKEN;
    let money_max = u128::from(ask.atoms_max) * ATOM;
    let Sale { burned, gain } = Stable::sale(ask.quote, offered, money_max).map_err(math)?;
    // Offered is whole, so rounding up stays within it.
    let tokens = narrow(burned.div_ceil(TOKEN))?;
    let quantity = u128::from(tokens) * TOKEN;
    let factor = Factor::new(quantity);
    let mut quantities = Vec::with_capacity(constituents.len());
    for constituent in constituents {
        let sold = Stable::sold(&factor, constituent.weight.get()).map_err(math)?;
        let asset = asset_mut(assets, constituent.place).map_err(kernel)?;
        asset.demand_less(sold).map_err(kernel)?;
        asset.refresh_delta().map_err(kernel)?;
        quantities.push(Quantity::new(sold));
    }
    Ok(Filled {
        atoms: Atoms(narrow(gain / ATOM)?),
        tokens: Tokens(tokens),
        quantities,
    })
}

/// Index units that margin and the order's share let through.
fn capacity(
    assets: &[Asset],
    constituents: &[Constituent],
    side: Side,
    ask: &Ask<'_>,
) -> Result<u128> {
    let demand = Demand {
        side,
        capacity: ask.quote.capacity,
        fractions: None,
    };
    let capacity = Stable::capacity(assets, constituents, &demand).map_err(kernel)?;
    Ok(capacity.min(ask.units_max))
}

/// Whole least parts of a token in so many index units; a fill beyond 64 bits
/// is continued in the next chunk.
fn whole_tokens(units: u128) -> u64 {
    u64::try_from(units / TOKEN).unwrap_or(u64::MAX)
}

fn narrow(number: u128) -> Result<u64> {
    u64::try_from(number).map_err(|_| fail(IndexError::AmountOverflow))
}

fn math(error: MathError) -> Error {
    kernel(KernelError::Math(error))
}
