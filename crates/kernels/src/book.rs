//! What a vendor reports of an asset, from the levels of its order book.
//!
//! Paper, section 5.1, for the best K levels of each side:
//! `L = sum of all quantities`,
//! `P = (ask_1 qbid_1 + bid_1 qask_1) / (qbid_1 + qask_1)` (the micro-price),
//! `S = (ask_K - bid_K) / L`.
//! `L` sums both sides although an order lifts only one, so it is about twice
//! what one side offers.

use crate::amount::Amount;
use crate::compat::{self, add, sub};
use crate::error::{KernelError, MathError};
use crate::market::Result;
use crate::wide::{SCALE, Wide};

/// A level of an order book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Quote units per asset unit.
    pub price: Amount,
    /// Asset units.
    pub quantity: Amount,
}

/// Price, slope and liquidity of an asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// `P`: quote units per asset unit.
    pub price: Amount,
    /// `S`: rise of the price per asset unit.
    pub slope: Amount,
    /// `L`: asset units.
    pub liquidity: Amount,
}

/// First and last level of each side, and the quantity of all.
struct Ends {
    bids: (Level, Level),
    asks: (Level, Level),
    liquidity: u128,
}

/// Metrics of a book, best level first on each side, in the paper's arithmetic.
///
/// # Errors
/// [`KernelError::BadBook`] when a side is empty, [`KernelError::Math`].
pub fn metrics_compat(bids: &[Level], asks: &[Level]) -> Result<Metrics> {
    let ends = ends(bids, asks)?;
    let ((bid, _), (ask, _)) = (ends.bids, ends.asks);
    let up = compat::mul(ask.price.get(), bid.quantity.get())?;
    let down = compat::mul(bid.price.get(), ask.quantity.get())?;
    let both = add(bid.quantity.get(), ask.quantity.get())?;
    let range = sub(ends.asks.1.price.get(), ends.bids.1.price.get())?;
    Ok(Metrics {
        price: Amount::new(compat::div(add(up, down)?, both)?),
        slope: Amount::new(compat::div(range, ends.liquidity)?),
        liquidity: Amount::new(ends.liquidity),
    })
}

/// Metrics of a book, best level first on each side: the micro-price rounded
/// down once, the slope rounded up.
///
/// # Errors
/// [`KernelError::BadBook`] when a side is empty, out of order or crosses the
/// other, or a level has no quantity; [`KernelError::Math`].
pub fn metrics_stable(bids: &[Level], asks: &[Level]) -> Result<Metrics> {
    let ordered =
        bids.is_sorted_by(|a, b| a.price > b.price) && asks.is_sorted_by(|a, b| a.price < b.price);
    let filled = |levels: &[Level]| levels.iter().all(|level| level.quantity > Amount::ZERO);
    let ends = ends(bids, asks)?;
    let ((bid, last_bid), (ask, last_ask)) = (ends.bids, ends.asks);
    if !ordered || !filled(bids) || !filled(asks) || bid.price >= ask.price {
        return Err(KernelError::BadBook);
    }
    let up = Wide::product(ask.price.get(), bid.quantity.get());
    let down = Wide::product(bid.price.get(), ask.quantity.get());
    let both = add(bid.quantity.get(), ask.quantity.get())?;
    let (price, _) = up
        .checked_add(down)
        .and_then(|sum| sum.div_rem(both))
        .ok_or(MathError::Overflow)?;
    let range = sub(last_ask.price.get(), last_bid.price.get())?;
    let (slope, rest) = Wide::product(range, SCALE)
        .div_rem(ends.liquidity)
        .ok_or(MathError::Overflow)?;
    Ok(Metrics {
        price: Amount::new(price),
        slope: Amount::new(add(slope, u128::from(rest != 0))?),
        liquidity: Amount::new(ends.liquidity),
    })
}

fn ends(bids: &[Level], asks: &[Level]) -> Result<Ends> {
    let side = |levels: &[Level]| match (levels.first(), levels.last()) {
        (Some(first), Some(last)) => Ok((*first, *last)),
        _ => Err(KernelError::BadBook),
    };
    let mut liquidity = 0;
    for level in bids.iter().chain(asks) {
        liquidity = add(liquidity, level.quantity.get())?;
    }
    Ok(Ends {
        bids: side(bids)?,
        asks: side(asks)?,
        liquidity,
    })
}
