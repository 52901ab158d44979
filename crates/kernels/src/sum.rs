//! Adding up products before rounding.

use crate::wide::Wide;

/// A sum of products.
///
/// Carries are what costs on this machine. Factors below 2^78, 302,231 at 18
/// decimals, are three digits of 26 bits, whose products leave ten bits for
/// summing without any; larger ones are multiplied and added in full.
#[derive(Clone, Copy, Debug)]
pub struct Sum {
    columns: [u64; 5],
    /// Products that the columns still have room for.
    room: u32,
    rest: Wide,
    overflow: bool,
}

const COLUMN_BITS: u32 = 26;

/// Bits of a digit where products are only compared.
const COMPARED_BITS: u32 = 30;

/// Products in a column before it is emptied: each adds less than `3 * 2^52`.
const COLUMN_ROOM: u32 = 1_024;

impl Sum {
    /// No products.
    pub const ZERO: Self = Self {
        columns: [0; 5],
        room: COLUMN_ROOM,
        rest: Wide::ZERO,
        overflow: false,
    };

    /// Adds `left * right`.
    #[inline(always)]
    pub const fn add_product(&mut self, left: u128, right: u128) {
        if (left | right) >> (3 * COLUMN_BITS) != 0 || self.room == 0 {
            return self.add_in_full(left, right);
        }
        self.room -= 1;
        let (a0, a1, a2) = column_digits(left);
        let (b0, b1, b2) = column_digits(right);
        // At most three products below 2^52 each, which a column has room for.
        let products = [
            a0.wrapping_mul(b0),
            a0.wrapping_mul(b1).wrapping_add(a1.wrapping_mul(b0)),
            a0.wrapping_mul(b2)
                .wrapping_add(a1.wrapping_mul(b1))
                .wrapping_add(a2.wrapping_mul(b0)),
            a1.wrapping_mul(b2).wrapping_add(a2.wrapping_mul(b1)),
            a2.wrapping_mul(b2),
        ];
        self.columns[0] = self.columns[0].wrapping_add(products[0]);
        self.columns[1] = self.columns[1].wrapping_add(products[1]);
        self.columns[2] = self.columns[2].wrapping_add(products[2]);
        self.columns[3] = self.columns[3].wrapping_add(products[3]);
        self.columns[4] = self.columns[4].wrapping_add(products[4]);
    }

    #[inline(never)]
    const fn add_in_full(&mut self, left: u128, right: u128) {
        if self.room == 0 {
            self.empty_columns();
        }
        self.add(Wide::product(left, right));
    }

    const fn add(&mut self, number: Wide) {
        match self.rest.checked_add(number) {
            Some(rest) => self.rest = rest,
            None => self.overflow = true,
        }
    }

    const fn empty_columns(&mut self) {
        if self.room == COLUMN_ROOM {
            return;
        }
        let mut number = 0;
        while number < self.columns.len() {
            let column = self.columns[number] as u128;
            let shift = COLUMN_BITS * number as u32;
            // A column is a word, so shifted by 64 at most it stays below 2^128.
            let above = if shift > 64 {
                column >> (128 - shift)
            } else {
                0
            };
            self.add(Wide::new(above, column << shift));
            number += 1;
        }
        self.columns = [0; 5];
        self.room = COLUMN_ROOM;
    }

    /// The sum; `None` above 256 bits.
    #[inline]
    pub const fn finish(mut self) -> Option<Wide> {
        self.empty_columns();
        if self.overflow { None } else { Some(self.rest) }
    }
}

#[inline(always)]
const fn difference(left: u64, right: u64) -> i64 {
    left.wrapping_sub(right) as i64
}

#[inline(never)]
const fn is_product_less_in_full(a: u128, b: u128, c: u128, d: u128) -> bool {
    let (left_high, left_low) = Wide::product(a, b).halves();
    let (right_high, right_low) = Wide::product(c, d).halves();
    left_high < right_high || left_high == right_high && left_low < right_low
}

/// Whether `a * b < c * d`.
///
/// Of numbers below 2^90, the difference is taken digit by digit, without
/// carries: a column has at most three products below 2^60 each way.
#[inline(always)]
pub(crate) const fn is_product_less(a: u128, b: u128, c: u128, d: u128) -> bool {
    if (a | b | c | d) >> (3 * COMPARED_BITS) != 0 {
        return is_product_less_in_full(a, b, c, d);
    }
    let (a0, a1, a2) = compared_digits(a);
    let (b0, b1, b2) = compared_digits(b);
    let (c0, c1, c2) = compared_digits(c);
    let (d0, d1, d2) = compared_digits(d);
    // From the lowest column up, shifted with the sign: what is rounded down is a
    // part of one in the next column, so the sign of the last is that of the whole.
    let rest = difference(a0.wrapping_mul(b0), c0.wrapping_mul(d0));
    let rest = (rest >> COMPARED_BITS).wrapping_add(difference(
        a0.wrapping_mul(b1).wrapping_add(a1.wrapping_mul(b0)),
        c0.wrapping_mul(d1).wrapping_add(c1.wrapping_mul(d0)),
    ));
    let rest = (rest >> COMPARED_BITS).wrapping_add(difference(
        a0.wrapping_mul(b2)
            .wrapping_add(a1.wrapping_mul(b1))
            .wrapping_add(a2.wrapping_mul(b0)),
        c0.wrapping_mul(d2)
            .wrapping_add(c1.wrapping_mul(d1))
            .wrapping_add(c2.wrapping_mul(d0)),
    ));
    let rest = (rest >> COMPARED_BITS).wrapping_add(difference(
        a1.wrapping_mul(b2).wrapping_add(a2.wrapping_mul(b1)),
        c1.wrapping_mul(d2).wrapping_add(c2.wrapping_mul(d1)),
    ));
    let rest =
        (rest >> COMPARED_BITS).wrapping_add(difference(a2.wrapping_mul(b2), c2.wrapping_mul(d2)));
    rest < 0
}

/// The three digits of a number below 2^90.
#[inline(always)]
const fn compared_digits(number: u128) -> (u64, u64, u64) {
    const DIGITS: u64 = (1 << COMPARED_BITS) - 1;
    let (low, high) = (number as u64, (number >> 64) as u64);
    let second = low >> COMPARED_BITS & DIGITS;
    (low & DIGITS, second, low >> 60 | high << 4)
}

/// The three digits of a number below 2^78.
#[inline(always)]
const fn column_digits(number: u128) -> (u64, u64, u64) {
    const DIGITS: u64 = (1 << COLUMN_BITS) - 1;
    let (low, high) = (number as u64, (number >> 64) as u64);
    let second = low >> COLUMN_BITS & DIGITS;
    (low & DIGITS, second, low >> 52 | high << 12)
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigUint;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn sum_compares_products_as_big_integers_do(
            numbers: [u128; 4], shifts in [0..128u32, 0..128u32, 0..128u32, 0..128u32],
            near in 0..4u8, step in 0..3u128,
        ) {
            let [a, mut b, mut c, mut d] =
                [0, 1, 2, 3].map(|at: usize| numbers[at] >> shifts[at]);
            // Products that are equal, or differ by a little.
            match near {
                1 => (c, d) = (b.saturating_add(step), a),
                2 => (c, d) = (a, b.saturating_add(step)),
                3 => {
                    b &= u128::from(u32::MAX);
                    (c, d) = ((a >> 64) * b + step, 1 << 64);
                }
                _ => {}
            }
            let product = |left: u128, right: u128| BigUint::from(left) * right;
            prop_assert_eq!(is_product_less(a, b, c, d), product(a, b) < product(c, d));
            prop_assert_eq!(is_product_less(c, d, a, b), product(c, d) < product(a, b));
        }
    }
}
