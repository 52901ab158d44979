//! Buying and selling index units, and moving them between holders.
//!
//! A buy turns money into index units (paper, section 6): money first, capped by
//! the largest order; then what margin lets through; then assets, demand and net
//! exposure. A sell mirrors it: index units first, then margin, then money. What
//! does not fit stays in the order's row for the next call.
//!
//! On error some assets may have changed: a program fails and its transaction
//! with it; a host works on a copy.

use crate::amount::Amount;
use crate::arithmetic::{Arithmetic, Sale};
use crate::capacity::Demand;
use crate::compat::{self, add, sub};
use crate::error::KernelError;
use crate::factor::Factor;
use crate::index::{Constituent, Quote};
use crate::market::{Asset, Result, asset_mut};
use crate::stable;
use bytemuck::{Pod, Zeroable};
use flagstone_units::Side;

/// Where an order stands.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct OrderRow {
    /// What the order still has: quote units of a buy, index units of a sell.
    pub remaining: Amount,
    /// What it has given: quote units spent, or index units burned.
    pub given: Amount,
    /// What it has got: index units minted, or quote units.
    pub got: Amount,
}

impl OrderRow {
    /// Adds what a fill gave and got.
    ///
    /// # Errors
    /// [`KernelError::Math`].
    pub fn record(&mut self, fill: &Fill) -> Result<()> {
        let given = add(self.given.get(), fill.given.get())?;
        self.got = Amount::new(add(self.got.get(), fill.got.get())?);
        self.given = Amount::new(given);
        Ok(())
    }
}

/// An order's change of funds and its limits.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The index's quote.
    pub quote: &'a Quote,
    /// Put into the order: quote units of a buy, index units of a sell.
    pub added: Amount,
    /// Taken out of the order.
    pub removed: Amount,
    /// Quote units that one call may trade.
    pub order_size_max: Amount,
    /// The order's share of each constituent, in their order; none for all of each.
    pub fractions: Option<&'a [Amount]>,
}

/// What one call did to an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// Quote units spent, or index units burned.
    pub given: Amount,
    /// Index units minted, or quote units gained.
    pub got: Amount,
    /// Index units that the order would trade if margin were no limit.
    pub wanted: Amount,
    /// Index units that margin lets through.
    pub capacity: Amount,
}

impl Fill {
    /// Index units that margin kept back.
    pub const fn unfilled(&self) -> Amount {
        Amount::new(self.wanted.get().saturating_sub(self.capacity.get()))
    }

    /// Whether margin was the limit, not money.
    pub fn is_capacity_bound(&self) -> bool {
        self.capacity < self.wanted
    }
}

/// Buys index units for an order.
///
/// `record` hears the position of each constituent and the asset units bought.
///
/// # Errors
/// [`KernelError::Insufficient`] when more is removed than there is, those of
/// [`Arithmetic::capacity`], [`KernelError::Math`].
pub fn buy<A: Arithmetic>(
    assets: &mut [Asset],
    constituents: &[Constituent],
    row: &mut OrderRow,
    terms: &Terms<'_>,
    mut record: impl FnMut(usize, u128),
) -> Result<Fill> {
    let funds = change_funds(row, terms)?;
    let money = funds.min(terms.order_size_max.get());
    let wanted = A::quantity_for(terms.quote, money)?;
    let demand = Demand {
        side: Side::Bid,
        capacity: terms.quote.capacity,
        fractions: terms.fractions,
    };
    let capacity = A::capacity(assets, constituents, &demand)?;
    let quantity = wanted.min(capacity);
    let spent = A::cost(terms.quote, quantity)?;
    let factor = Factor::new(quantity);
    for (position, constituent) in constituents.iter().enumerate() {
        let bought = A::bought(&factor, constituent.weight.get())?;
        let asset = asset_mut(assets, constituent.place)?;
        asset.demand_more(bought)?;
        if !A::REFRESHES_ALL {
            asset.refresh_delta()?;
        }
        record(position, bought);
    }
    refresh_all::<A>(assets)?;
    settle::<A>(
        row,
        funds,
        Fill {
            given: Amount::new(spent),
            got: Amount::new(quantity),
            wanted: Amount::new(wanted),
            capacity: Amount::new(capacity),
        },
    )
}

/// Sells index units of an order.
///
/// `record` hears the position of each constituent and the asset units sold.
///
/// # Errors
/// As [`buy`].
pub fn sell<A: Arithmetic>(
    assets: &mut [Asset],
    constituents: &[Constituent],
    row: &mut OrderRow,
    terms: &Terms<'_>,
    mut record: impl FnMut(usize, u128),
) -> Result<Fill> {
    let funds = change_funds(row, terms)?;
    let demand = Demand {
        side: Side::Ask,
        capacity: terms.quote.capacity,
        fractions: terms.fractions,
    };
    let capacity = A::capacity(assets, constituents, &demand)?;
    let offered = funds.min(capacity);
    let Sale { burned, gain } = A::sale(terms.quote, offered, terms.order_size_max.get())?;
    let factor = Factor::new(burned);
    for (position, constituent) in constituents.iter().enumerate() {
        let sold = A::sold(&factor, constituent.weight.get())?;
        let asset = asset_mut(assets, constituent.place)?;
        asset.demand_less(sold)?;
        if !A::REFRESHES_ALL {
            asset.refresh_delta()?;
        }
        record(position, sold);
    }
    refresh_all::<A>(assets)?;
    settle::<A>(
        row,
        funds,
        Fill {
            given: Amount::new(burned),
            got: Amount::new(gain),
            wanted: Amount::new(funds),
            capacity: Amount::new(capacity),
        },
    )
}

/// What the order has after adding and removing (paper, section 6.1).
fn change_funds(row: &OrderRow, terms: &Terms<'_>) -> Result<u128> {
    let funds = add(row.remaining.get(), terms.added.get())?;
    funds
        .checked_sub(terms.removed.get())
        .ok_or(KernelError::Insufficient)
}

/// Recomputes the net exposure of every asset, where the arithmetic asks for it.
fn refresh_all<A: Arithmetic>(assets: &mut [Asset]) -> Result<()> {
    if A::REFRESHES_ALL {
        for asset in assets {
            asset.refresh_delta()?;
        }
    }
    Ok(())
}

fn settle<A: Arithmetic>(row: &mut OrderRow, funds: u128, fill: Fill) -> Result<Fill> {
    let given = fill.given.get();
    let remaining = if A::SATURATES {
        funds.saturating_sub(given)
    } else {
        sub(funds, given)?
    };
    row.record(&fill)?;
    row.remaining = Amount::new(remaining);
    Ok(fill)
}

/// Moves minted index units between the buy rows of two holders, and their cost with them.
///
/// `reserved` units of the sender's are locked for sale or burned and stay. The
/// cost that moves is `floor(floor(quantity / minted) * spent)` under `A::SATURATES`,
/// as the paper's code has it, else `floor(quantity * spent / minted)`. Nothing
/// is written on error.
///
/// # Errors
/// [`KernelError::Insufficient`], [`KernelError::Math`].
pub fn transfer<A: Arithmetic>(
    from: &mut OrderRow,
    to: &mut OrderRow,
    reserved: Amount,
    quantity: Amount,
) -> Result<Amount> {
    let (minted, spent, quantity) = (from.got.get(), from.given.get(), quantity.get());
    let kept = minted
        .checked_sub(quantity)
        .filter(|kept| *kept >= reserved.get())
        .ok_or(KernelError::Insufficient)?;
    if quantity == 0 {
        return Ok(Amount::ZERO);
    }
    let cost = if A::SATURATES {
        compat::mul(compat::div(quantity, minted)?, spent)?
    } else {
        stable::mul_div(quantity, spent, minted)?
    };
    let got = add(to.got.get(), quantity)?;
    let given = add(to.given.get(), cost)?;
    from.given = Amount::new(sub(spent, cost)?);
    from.got = Amount::new(kept);
    to.given = Amount::new(given);
    to.got = Amount::new(got);
    Ok(Amount::new(cost))
}
