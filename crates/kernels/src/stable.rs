//! The suite's arithmetic: exact inside, rounded once, against the trader.
//!
//! The paper solves `S Q^2 + P Q = C` by the textbook formula, which subtracts
//! two nearly equal roots, keeps 9 decimals of them and divides by `2S`: it traps
//! at slope 0, leaves half the money unspent at slopes near 0, and burns more
//! than is offered on sells. Here the same root is taken as
//! `Q = 2C / (P + sqrt(P^2 + 4SC))`, which has no difference and no division by
//! the slope, from an exact radicand.
//!
//! | value | formula | rounded |
//! |---|---|---|
//! | bought | `2C / (P + sqrt(P^2 + 4SC))` | down |
//! | cost | `Q (P + S Q)` | up, never above `C` |
//! | proceeds | `q (P - S q)`, `q <= P / 2S` | down |
//! | burned for proceeds `G` | `2G / (P + sqrt(P^2 - 4SG))` | up |
//!
//! All amounts are in units of 1e-18.

use crate::error::MathError;
use crate::factor::Factor;
use crate::index::Quote;
use crate::wide::{SCALE, Wide};

/// Result of arithmetic.
pub type Result<T> = core::result::Result<T, MathError>;

/// `floor(left * right / 1e18)`.
///
/// # Errors
/// [`MathError::Overflow`].
#[inline]
pub fn mul_floor(left: u128, right: u128) -> Result<u128> {
    crate::compat::mul(left, right)
}

/// `ceil(left * right / 1e18)`.
///
/// # Errors
/// [`MathError::Overflow`].
#[inline]
pub fn mul_ceil(left: u128, right: u128) -> Result<u128> {
    rounded_up(Wide::product(left, right).div_scale())
}

/// `floor(factor * other / 1e18)`, as [`mul_floor`].
///
/// # Errors
/// [`MathError::Overflow`].
#[inline(always)]
pub fn times_floor(factor: &Factor, other: u128) -> Result<u128> {
    match factor.times(other) {
        Some((quotient, _)) => Ok(quotient),
        None => Err(MathError::Overflow),
    }
}

/// `ceil(factor * other / 1e18)`, as [`mul_ceil`].
///
/// # Errors
/// [`MathError::Overflow`].
#[inline(always)]
pub fn times_ceil(factor: &Factor, other: u128) -> Result<u128> {
    rounded_up(factor.times(other))
}

/// `floor(number / divisor)`, held at `u128::MAX`.
///
/// # Errors
/// [`MathError::DivisionByZero`].
#[inline]
pub fn ratio_capped(number: Wide, divisor: u128) -> Result<u128> {
    if divisor == 0 {
        return Err(MathError::DivisionByZero);
    }
    Ok(number
        .div_rem(divisor)
        .map_or(u128::MAX, |(quotient, _)| quotient))
}

/// `floor(left * right / divisor)` of a product that is rounded once.
///
/// # Errors
/// [`MathError::DivisionByZero`], [`MathError::Overflow`].
#[inline]
pub fn mul_div(left: u128, right: u128, divisor: u128) -> Result<u128> {
    if divisor == 0 {
        return Err(MathError::DivisionByZero);
    }
    let quotient = Wide::product(left, right).div_rem(divisor);
    quotient
        .map(|(quotient, _)| quotient)
        .ok_or(MathError::Overflow)
}

/// Most index units that `money` quote units buy.
///
/// `cost(quote, result) <= money`: the one rounding before the division makes
/// the divisor at most 1e-18 too high.
///
/// # Errors
/// [`MathError::DivisionByZero`] without price and slope,
/// [`MathError::Overflow`] when `P^2 + 4SC` does not fit 256 bits, or the result 128.
pub fn quantity_for(quote: &Quote, money: u128) -> Result<u128> {
    let (price, slope) = (quote.price.get(), quote.slope.get());
    let root = if slope == 0 {
        price
    } else {
        radicand(price, slope, money, Wide::checked_add)?
            .isqrt_ceil()
            .ok_or(MathError::Overflow)?
    };
    halved_quotient(money, price, root).map(|(quotient, _)| quotient)
}

/// Quote units that `quantity` index units cost.
///
/// # Errors
/// [`MathError::Overflow`].
pub fn cost(quote: &Quote, quantity: u128) -> Result<u128> {
    let price = Wide::product(quote.price.get(), SCALE);
    let impact = Wide::product(quote.slope.get(), quantity);
    let marginal = price.checked_add(impact).ok_or(MathError::Overflow)?;
    rounded_up(marginal.mul_div_scale_squared(quantity))
}

/// Most index units that are worth selling, `P / 2S`: beyond it proceeds fall.
///
/// `u128::MAX` without slope; held at half of that with a slope near none.
#[inline]
pub fn quantity_at_peak(quote: &Quote) -> u128 {
    let price = Wide::product(quote.price.get(), SCALE);
    match ratio_capped(price, quote.slope.get()) {
        Ok(twice) => twice / 2,
        Err(_) => u128::MAX,
    }
}

/// Quote units that selling `quantity` index units brings.
///
/// # Errors
/// [`MathError::Overflow`] when the price would fall below zero.
pub fn proceeds(quote: &Quote, quantity: u128) -> Result<u128> {
    let price = Wide::product(quote.price.get(), SCALE);
    let impact = Wide::product(quote.slope.get(), quantity);
    let marginal = price.checked_sub(impact).ok_or(MathError::Overflow)?;
    let (proceeds, _) = marginal
        .mul_div_scale_squared(quantity)
        .ok_or(MathError::Overflow)?;
    Ok(proceeds)
}

/// Fewest index units whose sale brings `money` quote units.
///
/// Past the peak, which no caller asks for, the quantity at the peak.
///
/// # Errors
/// [`MathError::DivisionByZero`] without price, [`MathError::Overflow`].
pub fn quantity_bringing(quote: &Quote, money: u128) -> Result<u128> {
    let (price, slope) = (quote.price.get(), quote.slope.get());
    let root = if slope == 0 {
        price
    } else {
        radicand(price, slope, money, |squared, four| {
            Some(squared.checked_sub(four).unwrap_or(Wide::ZERO))
        })?
        .isqrt()
    };
    let (quotient, inexact) = halved_quotient(money, price, root)?;
    quotient
        .checked_add(u128::from(inexact))
        .ok_or(MathError::Overflow)
}

/// `P^2` and `4SC`, joined.
#[inline(always)]
fn radicand(
    price: u128,
    slope: u128,
    money: u128,
    join: impl Fn(Wide, Wide) -> Option<Wide>,
) -> Result<Wide> {
    let four = Wide::product(slope, money)
        .checked_double()
        .and_then(Wide::checked_double);
    four.and_then(|four| join(Wide::product(price, price), four))
        .ok_or(MathError::Overflow)
}

/// `2 * money * 1e18 / (price + root)`, and whether there is a rest.
#[inline(always)]
fn halved_quotient(money: u128, price: u128, root: u128) -> Result<(u128, bool)> {
    let divisor = price.checked_add(root).ok_or(MathError::Overflow)?;
    if divisor == 0 {
        return Err(MathError::DivisionByZero);
    }
    // Below 2^189.
    let twice = Wide::product(money, 2 * SCALE);
    let (quotient, rest) = twice.div_rem(divisor).ok_or(MathError::Overflow)?;
    Ok((quotient, rest != 0))
}

#[inline(always)]
fn rounded_up(division: Option<(u128, bool)>) -> Result<u128> {
    let (quotient, inexact) = division.ok_or(MathError::Overflow)?;
    quotient
        .checked_add(u128::from(inexact))
        .ok_or(MathError::Overflow)
}
