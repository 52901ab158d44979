//! The two arithmetics behind one set of routines.
//!
//! [`Compat`] replays the paper to the unit, with its defects; [`Stable`] is what
//! programs trade with. Orders and rebalancing are written once over [`Arithmetic`].

use crate::capacity::{Demand, capacity_compat, capacity_stable};
use crate::compat;
use crate::error::MathError;
use crate::factor::Factor;
use crate::index::{Constituent, Quote, update_quote_compat, update_quote_stable};
use crate::market::{Asset, Result};
use crate::{quadratic, stable};

/// Result of arithmetic on numbers alone.
pub type MathResult = core::result::Result<u128, MathError>;

/// How numbers are rounded, and what follows from it. All numbers are in units of 1e-18.
pub trait Arithmetic {
    /// Recompute net exposure of every asset after an order, as the paper does,
    /// instead of the touched ones.
    const REFRESHES_ALL: bool;
    /// Subtract what was spent without noticing an overspend, as the paper does.
    const SATURATES: bool;

    /// Price, slope and capacity of an index.
    ///
    /// # Errors
    /// Those of [`update_quote_stable`].
    fn update_quote(assets: &[Asset], constituents: &[Constituent]) -> Result<Quote>;

    /// Index units that margin lets through.
    ///
    /// # Errors
    /// Those of [`capacity_stable`].
    fn capacity(assets: &[Asset], of: &[Constituent], demand: &Demand<'_>) -> Result<u128>;

    /// Index units that `money` buys.
    ///
    /// # Errors
    /// [`MathError`].
    fn quantity_for(quote: &Quote, money: u128) -> MathResult;

    /// What `quantity` index units cost.
    ///
    /// # Errors
    /// [`MathError`].
    fn cost(quote: &Quote, quantity: u128) -> MathResult;

    /// Index units burned and quote units paid, of `offered` index units when no
    /// more than `money_max` may be paid.
    ///
    /// # Errors
    /// [`MathError`].
    fn sale(quote: &Quote, offered: u128, money_max: u128)
    -> core::result::Result<Sale, MathError>;

    /// Asset units to buy for `quantity` index units.
    ///
    /// # Errors
    /// [`MathError`].
    fn bought(quantity: &Factor, weight: u128) -> MathResult;

    /// Asset units to sell for `quantity` index units.
    ///
    /// # Errors
    /// [`MathError`].
    fn sold(quantity: &Factor, weight: u128) -> MathResult;
}

/// Index units burned and what is paid for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sale {
    /// Index units.
    pub burned: u128,
    /// Quote units.
    pub gain: u128,
}

/// The paper's arithmetic.
#[derive(Clone, Copy, Debug)]
pub struct Compat;

impl Arithmetic for Compat {
    const REFRESHES_ALL: bool = true;
    const SATURATES: bool = true;

    fn update_quote(assets: &[Asset], constituents: &[Constituent]) -> Result<Quote> {
        update_quote_compat(assets, constituents)
    }

    fn capacity(assets: &[Asset], of: &[Constituent], demand: &Demand<'_>) -> Result<u128> {
        capacity_compat(assets, of, demand)
    }

    fn quantity_for(quote: &Quote, money: u128) -> MathResult {
        quadratic::solve_bid(quote.slope.get(), quote.price.get(), money)
    }

    fn cost(quote: &Quote, quantity: u128) -> MathResult {
        let impact = compat::mul(quote.slope.get(), quantity)?;
        compat::mul(compat::add(impact, quote.price.get())?, quantity)
    }

    fn sale(
        quote: &Quote,
        offered: u128,
        money_max: u128,
    ) -> core::result::Result<Sale, MathError> {
        let impact = compat::mul(quote.slope.get(), offered)?;
        // Beyond P / S the paper's program gains nothing, and burns nothing for it.
        let marginal = quote.price.get().saturating_sub(impact);
        let gain = compat::mul(marginal, offered)?.min(money_max);
        // Solved back even when nothing was capped, which burns more than is offered.
        let burned = quadratic::solve_ask(quote.slope.get(), quote.price.get(), gain)?;
        Ok(Sale { burned, gain })
    }

    fn bought(quantity: &Factor, weight: u128) -> MathResult {
        stable::times_floor(quantity, weight)
    }

    fn sold(quantity: &Factor, weight: u128) -> MathResult {
        stable::times_floor(quantity, weight)
    }
}

/// The suite's arithmetic.
#[derive(Clone, Copy, Debug)]
pub struct Stable;

impl Arithmetic for Stable {
    const REFRESHES_ALL: bool = false;
    const SATURATES: bool = false;

    fn update_quote(assets: &[Asset], constituents: &[Constituent]) -> Result<Quote> {
        update_quote_stable(assets, constituents)
    }

    fn capacity(assets: &[Asset], of: &[Constituent], demand: &Demand<'_>) -> Result<u128> {
        capacity_stable(assets, of, demand)
    }

    fn quantity_for(quote: &Quote, money: u128) -> MathResult {
        stable::quantity_for(quote, money)
    }

    fn cost(quote: &Quote, quantity: u128) -> MathResult {
        stable::cost(quote, quantity)
    }

    fn sale(
        quote: &Quote,
        offered: u128,
        money_max: u128,
    ) -> core::result::Result<Sale, MathError> {
        let offered = offered.min(stable::quantity_at_peak(quote));
        let gain = stable::proceeds(quote, offered)?;
        if gain <= money_max {
            return Ok(Sale {
                burned: offered,
                gain,
            });
        }
        let needed = stable::quantity_bringing(quote, money_max)?;
        Ok(Sale {
            burned: needed.min(offered),
            gain: money_max,
        })
    }

    fn bought(quantity: &Factor, weight: u128) -> MathResult {
        stable::times_ceil(quantity, weight)
    }

    fn sold(quantity: &Factor, weight: u128) -> MathResult {
        stable::times_floor(quantity, weight)
    }
}
