//! The paper's arithmetic, to the unit: unsigned 128-bit integers at 18 decimals.
//!
//! Products and quotients are computed in 256 bits and rounded down; a square
//! root keeps 9 decimals. It is kept for replaying the paper's programs and its
//! published results; programs of this suite trade with [`crate::stable`].
//!
//! Saturating subtraction, minimum and maximum are those of `u128`.

use crate::error::MathError;
use crate::wide::{SCALE, Wide};

/// Result of arithmetic.
pub type Result<T> = core::result::Result<T, MathError>;

/// One, in units of 1e-18.
pub const ONE: u128 = SCALE;

/// A square root's unit: 9 of 18 decimals survive.
const ROOT_UNIT: u128 = 1_000_000_000;

/// Sum.
///
/// # Errors
/// [`MathError::Overflow`].
#[inline(always)]
pub const fn add(left: u128, right: u128) -> Result<u128> {
    match left.checked_add(right) {
        Some(sum) => Ok(sum),
        None => Err(MathError::Overflow),
    }
}

/// Difference.
///
/// # Errors
/// [`MathError::Overflow`] below zero: the paper's runtime wraps in 256 bits
/// and finds that the result does not fit 128.
#[inline(always)]
pub const fn sub(left: u128, right: u128) -> Result<u128> {
    match left.checked_sub(right) {
        Some(rest) => Ok(rest),
        None => Err(MathError::Overflow),
    }
}

/// `floor(left * right / 1e18)`.
///
/// # Errors
/// [`MathError::Overflow`].
#[inline]
pub fn mul(left: u128, right: u128) -> Result<u128> {
    match Wide::product(left, right).div_scale() {
        Some((quotient, _)) => Ok(quotient),
        None => Err(MathError::Overflow),
    }
}

/// `floor(left * 1e18 / right)`.
///
/// # Errors
/// [`MathError::DivisionByZero`], [`MathError::Overflow`].
#[inline]
pub fn div(left: u128, right: u128) -> Result<u128> {
    if right == 0 {
        return Err(MathError::DivisionByZero);
    }
    match Wide::product(left, SCALE).div_rem(right) {
        Some((quotient, _)) => Ok(quotient),
        None => Err(MathError::Overflow),
    }
}

/// Square root with 9 decimals: `isqrt(value) * 1e9`.
///
/// Never overflows: the root of a 128-bit integer is below 2^64.
#[inline]
pub const fn sqrt(value: u128) -> u128 {
    value.isqrt() * ROOT_UNIT
}
