//! Multiplying many numbers by one, at 18 decimals.

use crate::wide::{ROOT_SCALE, SCALE, Wide, mul_word_digit, short_rest};

/// A number that is multiplied by many others at 18 decimals, split once.
///
/// In digits of 1e9 the product of two amounts needs no digit of the result twice:
/// the digits below 1e18 only leave a carry. So one multiplication and its
/// division by 1e18 are seven products and two short divisions.
#[derive(Clone, Copy, Debug)]
pub struct Factor {
    number: u128,
    /// Whole units, below 2^32; of larger numbers nothing is split.
    units: u64,
    /// What is left of 1e18: two digits of 1e9, as one number and apart.
    rest: u64,
    high: u64,
    low: u64,
    is_split: bool,
}

impl Factor {
    /// A number in units of 1e-18.
    pub const fn new(number: u128) -> Self {
        let whole = Self {
            number,
            units: 0,
            rest: 0,
            high: 0,
            low: 0,
            is_split: false,
        };
        match Wide::new(0, number).div_scale() {
            Some((units, _)) if units >> 32 == 0 => {
                let units = units as u64;
                // Below 1e18, so the low words alone have it.
                let rest = (number as u64).wrapping_sub(units.wrapping_mul(SCALE as u64));
                let high = rest / ROOT_SCALE;
                Self {
                    units,
                    rest,
                    high,
                    low: rest - high * ROOT_SCALE,
                    is_split: true,
                    ..whole
                }
            }
            _ => whole,
        }
    }

    /// The number.
    #[inline(always)]
    pub const fn get(&self) -> u128 {
        self.number
    }

    /// `self * other / 1e18`, rounded down, and whether there is a rest.
    ///
    /// `None` when the quotient does not fit 128 bits.
    #[inline(always)]
    pub const fn times(&self, other: u128) -> Option<(u128, bool)> {
        let word = other as u64;
        if !self.is_split || other >> 64 != 0 {
            return self.times_in_full(other);
        }
        // A word is below 18.45e18; digits are below 1e9.
        let units = word / SCALE as u64;
        let rest = word.wrapping_sub(units.wrapping_mul(SCALE as u64));
        let high = rest / ROOT_SCALE;
        let low = rest.wrapping_sub(high.wrapping_mul(ROOT_SCALE));
        let (carried, lowest) = short_rest(self.low.wrapping_mul(low));
        // Below 2e18 + 1e9.
        let middle = self.high.wrapping_mul(low);
        let middle = middle.wrapping_add(self.low.wrapping_mul(high));
        let (carry, middle) = short_rest(middle.wrapping_add(carried));
        // At most 18e18 and below 1e18 + 2e9 + 1: together below 2^97 with the units.
        let (above, below) = mul_word_digit(word, self.units);
        let product = (above as u128) << 64 | below as u128;
        let small = self.high.wrapping_mul(high).wrapping_add(carry);
        let product = product
            .wrapping_add(units.wrapping_mul(self.rest) as u128)
            .wrapping_add(small as u128);
        let is_inexact = lowest | middle != 0;
        Some((product, is_inexact))
    }

    #[inline(never)]
    const fn times_in_full(&self, other: u128) -> Option<(u128, bool)> {
        Wide::product(self.number, other).div_scale()
    }
}
