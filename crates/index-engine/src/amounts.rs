//! Units of index orders, and exact arithmetic between them.
//!
//! | type | unit | in memory |
//! |---|---|---|
//! | [`Atoms`] | quote atoms (6 decimals) | `u64` |
//! | [`Tokens`] | index token units (9 decimals) | `u64` |
//! | [`Quantity`] | units of an asset at 1e-18 | two words, low first |
//! | [`Price`] | quote units per asset unit at 1e-18 | two words, low first |
//! | [`Fraction`] | a share of one at 1e-18 | `u64` |
//!
//! Stored structs hold no `u128` (its alignment differs between compilers), so
//! wide numbers are stored as two words.

use crate::{IndexError, Result};
use bytemuck::{Pod, Zeroable};

/// One whole at 18 decimals: a [`Fraction`] of everything, a [`Quantity`] of one unit.
pub const ONE: u64 = 1_000_000_000_000_000_000;

/// `Quantity * Price` of one quote atom: 1e18 * 1e18 / 1e6.
const VALUE_PER_ATOM: u128 = 1_000_000_000_000_000_000_000_000_000_000;

macro_rules! narrow {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[repr(transparent)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
        pub struct $name(pub u64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// Sum. Fails with [`IndexError::AmountOverflow`].
            pub fn plus(self, other: Self) -> Result<Self> {
                self.0.checked_add(other.0).map(Self).ok_or(IndexError::AmountOverflow)
            }

            /// Difference. Fails with [`IndexError::AmountOverflow`] below zero.
            pub fn minus(self, other: Self) -> Result<Self> {
                self.0.checked_sub(other.0).map(Self).ok_or(IndexError::AmountOverflow)
            }
        }
    };
}

narrow!(
    /// An amount of the quote mint, in atoms.
    Atoms
);
narrow!(
    /// An amount of an index token, in units of 1e-9.
    Tokens
);
narrow!(
    /// A share of one, in units of 1e-18; never above [`ONE`].
    Fraction
);

macro_rules! wide {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[repr(transparent)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
        pub struct $name(pub [u64; 2]);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self([0; 2]);

            /// From a number of units of 1e-18.
            pub const fn new(raw: u128) -> Self {
                Self([raw as u64, (raw >> 64) as u64])
            }

            /// The number of units of 1e-18.
            pub const fn get(self) -> u128 {
                self.0[0] as u128 | (self.0[1] as u128) << 64
            }

            /// Sum. Fails with [`IndexError::AmountOverflow`].
            pub fn plus(self, other: Self) -> Result<Self> {
                let sum = self.get().checked_add(other.get());
                sum.map(Self::new).ok_or(IndexError::AmountOverflow)
            }

            /// Difference. Fails with [`IndexError::AmountOverflow`] below zero.
            pub fn minus(self, other: Self) -> Result<Self> {
                let rest = self.get().checked_sub(other.get());
                rest.map(Self::new).ok_or(IndexError::AmountOverflow)
            }

            /// The smaller of the two.
            pub fn least(self, other: Self) -> Self {
                if self.get() <= other.get() { self } else { other }
            }

            /// Whether it is nothing.
            pub const fn is_zero(self) -> bool {
                self.0[0] == 0 && self.0[1] == 0
            }
        }
    };
}

wide!(
    /// An amount of an asset, in units of 1e-18.
    Quantity
);
wide!(
    /// A price of an asset in quote units (not atoms) per unit, in units of 1e-18.
    Price
);

/// The 256-bit product as (high, low).
const fn product(left: u128, right: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (left_high, left_low) = (left >> 64, left & LOW);
    let (right_high, right_low) = (right >> 64, right & LOW);
    let low = left_low * right_low;
    let cross = left_high * right_low + (low >> 64);
    let middle = left_low * right_high + (cross & LOW);
    (
        left_high * right_high + (cross >> 64) + (middle >> 64),
        (middle << 64) | (low & LOW),
    )
}

/// One 64-bit digit of a long division: `(high, next) / divisor` with
/// `high < divisor` and the divisor's top bit set (Knuth 4.3.1, algorithm D).
const fn digit(high: u128, next: u64, divisor: u128) -> (u64, u128) {
    let (top, bottom) = (divisor >> 64, divisor & u64::MAX as u128);
    let mut guess = high / top;
    let mut rest = high % top;
    // The guess is at most two too large.
    while guess > u64::MAX as u128 || guess * bottom > ((rest << 64) | next as u128) {
        guess -= 1;
        rest += top;
        if rest > u64::MAX as u128 {
            break;
        }
    }
    let taken = guess.wrapping_mul(divisor);
    let left = ((high << 64) | next as u128).wrapping_sub(taken);
    (guess as u64, left)
}

/// `left * right / divisor` rounded down, with the remainder; `None` when the
/// quotient does not fit 128 bits or the divisor is 0.
pub const fn mul_div_rem(left: u128, right: u128, divisor: u128) -> Option<(u128, u128)> {
    let (high, low) = product(left, right);
    if high >= divisor {
        return None;
    }
    if high == 0 {
        return Some((low / divisor, low % divisor));
    }
    let shift = divisor.leading_zeros();
    let divisor = divisor << shift;
    let high = if shift == 0 {
        high
    } else {
        high << shift | low >> (128 - shift)
    };
    let low = low << shift;
    let (first, rest) = digit(high, (low >> 64) as u64, divisor);
    let (second, rest) = digit(rest, low as u64, divisor);
    Some(((first as u128) << 64 | second as u128, rest >> shift))
}

/// `left * right / divisor`, rounded down.
///
/// # Errors
/// [`IndexError::AmountOverflow`] when the quotient does not fit or the divisor is 0.
pub fn mul_div_floor(left: u128, right: u128, divisor: u128) -> Result<u128> {
    match mul_div_rem(left, right, divisor) {
        Some((quotient, _)) => Ok(quotient),
        None => Err(IndexError::AmountOverflow),
    }
}

/// `left * right / divisor`, rounded up. Errors as [`mul_div_floor`].
pub fn mul_div_ceil(left: u128, right: u128, divisor: u128) -> Result<u128> {
    let Some((quotient, rest)) = mul_div_rem(left, right, divisor) else {
        return Err(IndexError::AmountOverflow);
    };
    let up = quotient.checked_add((rest != 0) as u128);
    up.ok_or(IndexError::AmountOverflow)
}

fn atoms(value: u128) -> Result<Atoms> {
    u64::try_from(value)
        .map(Atoms)
        .map_err(|_| IndexError::AmountOverflow)
}

/// Value of `quantity` at `price`, rounded down.
///
/// # Errors
/// [`IndexError::AmountOverflow`] when it does not fit.
pub fn value_floor(quantity: Quantity, price: Price) -> Result<Atoms> {
    atoms(mul_div_floor(quantity.get(), price.get(), VALUE_PER_ATOM)?)
}

/// Value of `quantity` at `price`, rounded up. Errors as [`value_floor`].
pub fn value_ceil(quantity: Quantity, price: Price) -> Result<Atoms> {
    atoms(mul_div_ceil(quantity.get(), price.get(), VALUE_PER_ATOM)?)
}

/// What `part` taken out of a lot carries of the lot's `total`, when `left` of
/// `original` remained before.
///
/// Each slice is the difference of two cumulative shares, both rounded down,
/// so the slices of a lot sum to its total exactly, in whatever pieces it goes.
///
/// # Errors
/// [`IndexError::AmountOverflow`] unless `part <= left <= original` and `original > 0`.
pub fn slice(total: Atoms, part: Quantity, left: Quantity, original: Quantity) -> Result<Atoms> {
    let gone = original.minus(left)?;
    let after = gone.plus(part)?;
    left.minus(part)?;
    let share = |quantity: Quantity| {
        mul_div_floor(u128::from(total.0), quantity.get(), original.get()).and_then(atoms)
    };
    share(after)?.minus(share(gone)?)
}

/// `amount * ppm / 1e6`, rounded up, for a ratio of at most one.
///
/// # Errors
/// [`IndexError::AmountOverflow`] when it does not fit.
pub fn ppm_ceil(amount: Atoms, ppm: u32) -> Result<Atoms> {
    let wide = u128::from(amount.0) * u128::from(ppm);
    atoms(wide.div_ceil(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bit by bit, to check the digits against.
    fn long_division(left: u128, right: u128, divisor: u128) -> Option<(u128, u128)> {
        if divisor == 0 {
            return None;
        }
        let (high, low) = product(left, right);
        let (mut rest, mut quotient, mut lost) = (0u128, 0u128, false);
        for at in (0..256).rev() {
            let bit = if at >= 128 {
                high >> (at - 128)
            } else {
                low >> at
            } & 1;
            let carry = rest >> 127 == 1;
            rest = rest << 1 | bit;
            lost |= quotient >> 127 == 1;
            quotient <<= 1;
            if carry || rest >= divisor {
                rest = rest.wrapping_sub(divisor);
                quotient |= 1;
            }
        }
        (!lost).then_some((quotient, rest))
    }

    fn any_width() -> impl Strategy<Value = u128> {
        prop_oneof![
            (any::<u128>(), 0u32..128).prop_map(|(value, shift)| value >> shift),
            (any::<u128>(), 0u32..128).prop_map(|(value, shift)| !(value >> shift)),
            (0u32..128).prop_map(|shift| 1 << shift),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn wide_division_is_exact(left in any_width(), right in any_width(), by in any_width()) {
            prop_assert_eq!(mul_div_rem(left, right, by), long_division(left, right, by));
        }

        #[test]
        fn products_multiply_back(left in any_width(), right in any_width()) {
            prop_assume!(left != 0 && right != 0);
            prop_assert_eq!(mul_div_rem(left, right, left), Some((right, 0)));
        }

        #[test]
        fn slices_sum_to_the_total(total: u64, parts in prop::collection::vec(1u128..1 << 100, 1..20)) {
            let original = Quantity::new(parts.iter().sum());
            let (mut left, mut sum) = (original, Atoms::ZERO);
            for part in parts {
                let part = Quantity::new(part);
                sum = sum.plus(slice(Atoms(total), part, left, original).unwrap()).unwrap();
                left = left.minus(part).unwrap();
            }
            prop_assert_eq!(sum, Atoms(total));
        }
    }

    #[test]
    fn values_round_as_named() {
        let one_atom = Price::new(u128::from(ONE) / 1_000_000);
        let (whole, half) = (
            Quantity::new(ONE.into()),
            Quantity::new(u128::from(ONE) / 2),
        );
        assert_eq!(value_floor(whole, one_atom), Ok(Atoms(1)));
        assert_eq!(value_ceil(whole, one_atom), Ok(Atoms(1)));
        assert_eq!(value_floor(half, one_atom), Ok(Atoms(0)));
        assert_eq!(value_ceil(half, one_atom), Ok(Atoms(1)));
        assert_eq!(ppm_ceil(Atoms(1), 1), Ok(Atoms(1)));
        assert_eq!(ppm_ceil(Atoms(0), 1), Ok(Atoms(0)));
        assert_eq!(
            slice(Atoms(9), whole, half, whole),
            Err(IndexError::AmountOverflow)
        );
    }
}
