//! The paper's `solve_quadratic`, step by step as its listing runs.
//!
//! Each step floors; the root keeps 9 decimals. At slope 0 it divides by zero,
//! and its result is low by up to `1e-9 / 2S`. [`crate::stable`] has neither.

use crate::compat::{Result, add, div, mul, sqrt};

const TWO: u128 = 2 * crate::compat::ONE;
const FOUR: u128 = 4 * crate::compat::ONE;

/// `Q` of `S Q^2 + P Q = C`: index units for `money` (paper, section 6.2).
///
/// # Errors
/// [`crate::MathError::DivisionByZero`] at slope 0, [`crate::MathError::Overflow`].
pub fn solve_bid(slope: u128, price: u128, money: u128) -> Result<u128> {
    let squared = mul(price, price)?;
    let four = mul(FOUR, mul(money, slope)?)?;
    let root = sqrt(add(squared, four)?);
    div(root.saturating_sub(price), mul(TWO, slope)?)
}

/// `Q` of `P Q - S Q^2 = C`: index units to sell for `money`.
///
/// # Errors
/// [`crate::MathError::DivisionByZero`] at slope 0, [`crate::MathError::Overflow`].
pub fn solve_ask(slope: u128, price: u128, money: u128) -> Result<u128> {
    let squared = mul(price, price)?;
    let four = mul(FOUR, mul(money, slope)?)?;
    let root = sqrt(squared.saturating_sub(four));
    div(price.saturating_sub(root), mul(TWO, slope)?)
}
