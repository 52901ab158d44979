//! Units of the exchange and the rounded arithmetic between them.
//!
//! Every quantity that is stored or passed has a type that names its unit, so
//! that adding lots to ticks does not compile. All types are plain fixed-width
//! integers in memory and may be cast from account bytes.
//!
//! | type | unit |
//! |---|---|
//! | [`Ticks`] | price steps; a price in quote atoms per lot is `ticks * atoms_per_tick` |
//! | [`Lots`], [`SignedLots`] | contracts; long is positive |
//! | [`Slot`] | Solana slots since genesis, as 32 bits (54 years at 400 ms) |
//! | [`Ppm`], [`SignedPpm`] | parts per million; one basis point is 100 ppm |
//!
//! Amounts of the quote mint are `u64` or `i64` *atoms* and say so in their names.
//!
//! # Bounds
//! [`NOTIONAL_ATOMS_MAX`] bounds every notional that the engine computes. An
//! instrument is only accepted when its largest price times its largest
//! position stays below it, which is why the products here may be unchecked.
#![no_std]

use bytemuck::{Pod, Zeroable};

/// Largest notional of one position or order, in quote atoms: 2^53.
pub const NOTIONAL_ATOMS_MAX: u64 = 1 << 53;

/// One whole in parts per million.
pub const PPM_ONE: u64 = 1_000_000;

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident, $int:ty) => {
        $(#[$doc])*
        #[repr(transparent)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
        pub struct $name(pub $int);

        impl $name {
            /// No quantity.
            pub const ZERO: Self = Self(0);

            /// The bare number.
            #[inline(always)]
            pub const fn get(self) -> $int {
                self.0
            }

            /// Sum, or `None` when it does not fit.
            #[inline(always)]
            pub const fn checked_add(self, other: Self) -> Option<Self> {
                match self.0.checked_add(other.0) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }

            /// Difference, or `None` when it does not fit.
            #[inline(always)]
            pub const fn checked_sub(self, other: Self) -> Option<Self> {
                match self.0.checked_sub(other.0) {
                    Some(rest) => Some(Self(rest)),
                    None => None,
                }
            }

            /// Difference, held at the bounds of the type.
            #[inline(always)]
            pub const fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }
    };
}

unit!(
    /// A price in price steps of its instrument.
    Ticks, u32
);
unit!(
    /// A quantity of contracts.
    Lots, u32
);
unit!(
    /// A position in contracts: long is positive, short is negative.
    SignedLots, i32
);
unit!(
    /// A point in time or a duration, in slots.
    Slot, u32
);
unit!(
    /// A ratio in parts per million.
    Ppm, u32
);
unit!(
    /// A signed ratio in parts per million; a negative fee is a rebate.
    SignedPpm, i32
);

impl Slot {
    /// The slot of a `Clock` sysvar.
    ///
    /// Slots beyond 32 bits saturate; at 400 ms a slot that is the year 2074.
    #[inline(always)]
    pub const fn from_clock(slot: u64) -> Self {
        if slot > u32::MAX as u64 {
            Self(u32::MAX)
        } else {
            Self(slot as u32)
        }
    }
}

impl SignedLots {
    /// Size of the position whatever its direction.
    #[inline(always)]
    pub const fn magnitude(self) -> u32 {
        self.0.unsigned_abs()
    }
}

/// Side of an order, a fill or a book.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Buying.
    Bid = 0,
    /// Selling.
    Ask = 1,
}

impl Side {
    /// Decodes the byte of an instruction or a record; `None` for anything but 0 and 1.
    #[inline(always)]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Bid),
            1 => Some(Self::Ask),
            _ => None,
        }
    }

    /// The side that this one trades against.
    #[inline(always)]
    pub const fn contra(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
        }
    }

    /// Index into a `[bids, asks]` pair.
    #[inline(always)]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// `quantity` with the sign of a position that trading on this side adds.
    #[inline(always)]
    pub const fn signed(self, quantity: i64) -> i64 {
        match self {
            Self::Bid => quantity,
            Self::Ask => -quantity,
        }
    }
}

/// Value of `lots` contracts at a price of `ticks`, in quote atoms.
///
/// `atoms_per_tick` is the value of one tick on one lot. The product is
/// unchecked: the caller's instrument bounds it by [`NOTIONAL_ATOMS_MAX`].
#[inline(always)]
pub const fn notional_atoms(ticks: Ticks, lots: u32, atoms_per_tick: u32) -> u64 {
    (ticks.0 as u64 * lots as u64).wrapping_mul(atoms_per_tick as u64)
}

/// `amount * ratio / 1_000_000`, rounded up.
///
/// Exact for every `amount` below 2^53 and every ratio up to 1,000 (1e9 ppm):
/// the amount is split so that no intermediate exceeds 64 bits.
#[inline(always)]
pub const fn mul_ppm_ceil(amount: u64, ratio_ppm: u32) -> u64 {
    let ratio = ratio_ppm as u64;
    let whole = (amount / PPM_ONE).wrapping_mul(ratio);
    let rest = (amount % PPM_ONE).wrapping_mul(ratio);
    whole
        .wrapping_add(rest / PPM_ONE)
        .wrapping_add((!rest.is_multiple_of(PPM_ONE)) as u64)
}

/// `amount * ratio / 1_000_000`, rounded down. Same bounds as [`mul_ppm_ceil`].
#[inline(always)]
pub const fn mul_ppm_floor(amount: u64, ratio_ppm: u32) -> u64 {
    let ratio = ratio_ppm as u64;
    let whole = (amount / PPM_ONE).wrapping_mul(ratio);
    let rest = (amount % PPM_ONE).wrapping_mul(ratio);
    whole.wrapping_add(rest / PPM_ONE)
}

/// A fee at a signed rate on a notional, in atoms, rounded against its payer.
///
/// A positive rate is a charge and is rounded up; a negative rate is a rebate
/// and its size is rounded down.
#[inline(always)]
pub const fn fee_atoms(notional_atoms: u64, rate: SignedPpm) -> i64 {
    if rate.0 >= 0 {
        mul_ppm_ceil(notional_atoms, rate.0 as u32) as i64
    } else {
        -(mul_ppm_floor(notional_atoms, rate.0.unsigned_abs()) as i64)
    }
}

/// `value * part / whole` for `part <= whole`, rounded towards negative infinity.
///
/// The share of a cost basis that goes with `part` of `whole` lots. Exact for
/// every `value`: quotient and remainder are scaled apart, so nothing exceeds 64 bits.
///
/// # Panics
/// When `whole` is 0.
#[inline(always)]
pub const fn share_floor(value: i64, part: u32, whole: u32) -> i64 {
    let (part, whole) = (part as u64, whole as u64);
    // Unsigned throughout: the target machine has no signed division.
    let size = value.unsigned_abs();
    let (quotient, remainder) = (size / whole, size % whole);
    // quotient * part <= size because part <= whole; remainder and part are below 2^32.
    let scaled = remainder.wrapping_mul(part);
    let down = quotient.wrapping_mul(part).wrapping_add(scaled / whole);
    if value >= 0 {
        down as i64
    } else {
        -(down.wrapping_add((!scaled.is_multiple_of(whole)) as u64) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ppm_products_match_wide_arithmetic() {
        let amounts = [0, 1, 999_999, 1_000_000, 1_000_001, NOTIONAL_ATOMS_MAX - 1];
        let ratios = [0, 1, 2, 333, 999_999, 1_000_000, 1_000_000_000];
        for amount in amounts {
            for ratio in ratios {
                let exact = u128::from(amount) * u128::from(ratio);
                assert_eq!(u128::from(mul_ppm_floor(amount, ratio)), exact / 1_000_000);
                assert_eq!(
                    u128::from(mul_ppm_ceil(amount, ratio)),
                    exact.div_ceil(1_000_000)
                );
            }
        }
    }

    #[test]
    fn shares_match_wide_arithmetic_and_round_down() {
        let values = [0, 1, -1, 7, -7, (1 << 53) - 1, -(1 << 53) + 1];
        let parts = [
            (1, 1),
            (1, 3),
            (2, 3),
            (1, u32::MAX),
            (u32::MAX - 1, u32::MAX),
        ];
        for value in values {
            for (part, whole) in parts {
                let exact = (i128::from(value) * i128::from(part)).div_euclid(i128::from(whole));
                assert_eq!(i128::from(share_floor(value, part, whole)), exact);
            }
        }
    }

    #[test]
    fn fees_round_against_the_payer() {
        assert_eq!(fee_atoms(1, SignedPpm(1)), 1);
        assert_eq!(fee_atoms(1, SignedPpm(-1)), 0);
        assert_eq!(fee_atoms(2_000_000, SignedPpm(-500)), -1_000);
    }
}
