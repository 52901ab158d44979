//! Finding the least of many ratios with almost no divisions.
//!
//! An index is as available as its scarcest constituent: the least `L_i / W_i`.
//! Dividing for each costs hundreds of compute units. Instead the weight is kept
//! to 32 bits, rounded up ([`Reach`]), as is the least ratio so far ([`Rising`]);
//! when `L_i` is no less than the product of the two, no division is needed.
//! The rounding is 2^-28 of the product, so in practice one divides only for a
//! new least: about `ln n` times in a list without order, `n` times at worst.
//! What is too close to tell costs a product and a comparison, equal numbers less:
//! a market may well have one margin, or liquidity in proportion to weights.
//! [`Scarcest`] has the same of plain quantities and divides once, at the end.

use crate::error::MathError;
use crate::sum::is_product_less;
use crate::wide::{Wide, leading_zeros};
use bytemuck::{Pod, Zeroable};

/// An upper bound `mantissa * 2^-shift` of a weight in units.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Reach {
    mantissa: u32,
    shift: i32,
}

/// Bits that a weight is shifted to before its division by 1e18, which takes 59 or 60.
const REACH_BITS: i32 = 90;

/// Bits of the least ratio's mantissa; with a weight's 31 it stays below 2^64.
const LEAST_BITS: i32 = 30;

const SCALE: u128 = crate::wide::SCALE;

impl Reach {
    /// The bound of `weight`, in units of 1e-18; above zero.
    pub const fn new(weight: u128) -> Self {
        let shift = REACH_BITS - (128 - weight.leading_zeros() as i32);
        let scaled = if shift >= 0 {
            weight << shift
        } else {
            weight >> -shift
        };
        Self {
            // Below 2^90 / 1e18 + 1, which is below 2^31.
            mantissa: (scaled / SCALE) as u32 + 1,
            shift,
        }
    }

    /// No less index units than 1e-18 units of the asset make, in units of 1e-18.
    #[inline(always)]
    pub const fn index_units_of_one(self) -> u64 {
        // The mantissa rounded down is 2^29 or more, so weight >= 2^(29 - shift).
        if self.shift <= 29 {
            1
        } else if self.shift < 29 + 64 {
            1 << (self.shift - 29)
        } else {
            u64::MAX
        }
    }
}

/// A lower bound `mantissa * 2^shift` of a number.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    mantissa: u64,
    shift: i32,
}

impl Floor {
    /// The bound of `number`, to 30 bits.
    pub const fn of(number: u128) -> Self {
        let shift = 128 - leading_zeros(number) as i32 - LEAST_BITS;
        let scaled = if shift >= 0 {
            number >> shift
        } else {
            number << -shift
        };
        Self {
            mantissa: scaled as u64,
            shift,
        }
    }
}

/// Bits by which a fraction of up to 1e18 is shifted to make 30.
const FRACTION_SHIFT: u32 = 30;

/// One, as such a fraction, rounded up.
const WHOLE_UP: u64 = (SCALE as u64 >> FRACTION_SHIFT) + 1;

/// The least ratio seen, and an upper bound of it that is cheap to multiply.
#[derive(Clone, Copy, Debug)]
pub struct Rising {
    least: u128,
    mantissa: u64,
    shift: i32,
    /// Numerator and denominator of the least.
    number: Wide,
    weight: u128,
}

impl Rising {
    /// Before the first ratio.
    pub const NONE: Self = Self::of(u128::MAX);

    const fn of(least: u128) -> Self {
        let shift = 128 - leading_zeros(least) as i32 - LEAST_BITS;
        let scaled = if shift >= 0 {
            least >> shift
        } else {
            least << -shift
        };
        Self {
            least,
            mantissa: scaled as u64 + (least != 0) as u64,
            shift,
            // No ratio is known to have these: every weight is above 0.
            number: Wide::ZERO,
            weight: 0,
        }
    }

    /// The least so far; `u128::MAX` before the first.
    #[inline(always)]
    pub const fn get(&self) -> u128 {
        self.least
    }

    /// Takes `number / weight` into account.
    ///
    /// It divides only for a new least: what bounds cannot tell apart is compared.
    ///
    /// # Errors
    /// [`MathError::DivisionByZero`] for no weight.
    #[inline(never)]
    pub fn lower(&mut self, number: Wide, weight: u128) -> Result<(), MathError> {
        if weight == 0 {
            return Err(MathError::DivisionByZero);
        }
        let no_less = weight <= self.weight && number >= self.number;
        if no_less || number >= Wide::product(self.least, weight) {
            return Ok(());
        }
        // A ratio above 128 bits is no less than the least.
        match number.div_rem(weight) {
            Some((ratio, _)) if ratio < self.least => {
                *self = Self {
                    number,
                    weight,
                    ..Self::of(ratio)
                };
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether `fraction` of `whole` is surely no less than the least so far.
    ///
    /// `fraction` is at most 1e18.
    #[inline(always)]
    pub const fn is_covered_by_share(&self, whole: Floor, fraction: u64) -> bool {
        // Both below 2^61: each factor has 30 bits, or is the next number. Shifts are
        // within 128 of 0.
        let share = (fraction >> FRACTION_SHIFT).wrapping_mul(whole.mantissa);
        let needed = self.mantissa.wrapping_mul(WHOLE_UP);
        let shift = whole.shift.wrapping_sub(self.shift);
        if shift <= -64 || shift >= 64 {
            needed == 0
        } else if shift < 0 {
            share >> -shift >= needed
        } else {
            // Rounded up once more.
            needed == 0 || share > needed >> shift
        }
    }

    /// Whether `fraction * quantity / weight` is surely no less than the least so far.
    ///
    /// `fraction` is at most 1e18.
    #[inline(always)]
    pub const fn is_covered_in_part(&self, quantity: u128, weight: Reach, fraction: u64) -> bool {
        // Bits that the bound can spare, so that its product with one fits.
        const SPARE: i32 = 31;
        let bound = self.mantissa.wrapping_mul(weight.mantissa as u64);
        let fraction = fraction >> FRACTION_SHIFT;
        if bound == 0 || fraction == 0 {
            return bound == 0;
        }
        // Both rounded up; below 2^61.
        let needed =
            ((bound >> SPARE).wrapping_add(1).wrapping_mul(WHOLE_UP) / fraction).wrapping_add(1);
        let shift = self.shift.wrapping_sub(weight.shift).wrapping_add(SPARE);
        if shift >= 0 {
            shifted_right(quantity, shift as u32) >= needed
        } else {
            shifted_left(quantity, shift.wrapping_neg() as u32) >= needed
        }
    }

    /// Whether `quantity / weight` is surely no less than the least so far.
    #[inline(always)]
    pub const fn is_covered(&self, quantity: u128, weight: Reach) -> bool {
        is_covered(self.mantissa, self.shift, quantity, weight)
    }
}

/// Whether `quantity / weight` is surely no less than `mantissa * 2^shift`.
#[inline(always)]
const fn is_covered(mantissa: u64, shift: i32, quantity: u128, weight: Reach) -> bool {
    // Below 2^32 times below 2^32.
    let bound = mantissa.wrapping_mul(weight.mantissa as u64);
    let shift = shift.wrapping_sub(weight.shift);
    if bound == 0 {
        // Nothing is less than a least of 0.
        true
    } else if shift >= 0 {
        shifted_right(quantity, shift as u32) >= bound
    } else {
        // Rounded up once more.
        let bound = if shift > -64 {
            (bound >> -shift) + 1
        } else {
            1
        };
        shifted_right(quantity, 0) >= bound
    }
}

/// Bits of a quantity that is divided by a weight's 29 to 31.
const QUANTITY_BITS: i32 = 60;

/// The least `quantity / weight` seen, as the two that make it, and an upper
/// bound of it. Only the bound is divided, in one word.
#[derive(Clone, Copy, Debug)]
pub struct Scarcest {
    quantity: u128,
    /// 0 before the first.
    weight: u128,
    mantissa: u64,
    shift: i32,
}

impl Scarcest {
    /// Before the first ratio, which is less than this bound of 2^157 whatever it is.
    pub const NONE: Self = Self {
        quantity: u128::MAX,
        weight: 0,
        mantissa: 1,
        shift: 256,
    };

    /// Takes a ratio into account; `reach` is the bound of `weight`.
    ///
    /// # Errors
    /// [`MathError::DivisionByZero`] for no weight.
    #[inline(always)]
    pub fn see(&mut self, quantity: u128, weight: u128, reach: Reach) -> Result<(), MathError> {
        if is_covered(self.mantissa, self.shift, quantity, reach) {
            return Ok(());
        }
        if weight == 0 {
            return Err(MathError::DivisionByZero);
        }
        let no_less = weight <= self.weight && quantity >= self.quantity;
        let first = self.weight == 0;
        if no_less || !first && !is_product_less(quantity, self.weight, self.quantity, weight) {
            return Ok(());
        }
        self.replace(quantity, weight, reach);
        Ok(())
    }

    #[inline(never)]
    fn replace(&mut self, quantity: u128, weight: u128, reach: Reach) {
        // The mantissa rounded down, at least 2^29, is no more than the weight;
        // what it divides is below 2^60, and rounded up.
        let shift = 128 - leading_zeros(quantity) as i32 - QUANTITY_BITS;
        let scaled = if shift >= 0 {
            quantity >> shift
        } else {
            quantity << -shift
        };
        let divisor = u64::from(reach.mantissa).wrapping_sub(1).max(1);
        let bound = (scaled as u64 + 1) / divisor + 1;
        *self = Self {
            quantity,
            weight,
            mantissa: if quantity == 0 { 0 } else { bound },
            shift: shift.wrapping_add(reach.shift),
        };
    }

    /// The least ratio at 18 decimals, rounded down; all there is before the
    /// first, and of one that does not fit 128 bits.
    #[inline(always)]
    pub fn ratio(&self) -> u128 {
        match Wide::product(self.quantity, SCALE).div_rem(self.weight) {
            Some((ratio, _)) => ratio,
            None => u128::MAX,
        }
    }
}

/// `number >> shift`, held at the largest 64-bit number.
#[inline(always)]
const fn shifted_right(number: u128, shift: u32) -> u64 {
    let (low, high) = (number as u64, (number >> 64) as u64);
    if shift >= 128 {
        0
    } else if shift >= 64 {
        high >> (shift - 64)
    } else if high >> shift != 0 {
        u64::MAX
    } else if shift == 0 {
        low
    } else {
        high << (64 - shift) | low >> shift
    }
}

/// `number << shift`, held at the largest 64-bit number.
#[inline(always)]
const fn shifted_left(number: u128, shift: u32) -> u64 {
    let (low, high) = (number as u64, (number >> 64) as u64);
    if low | high == 0 {
        0
    } else if high != 0 || shift >= 64 || low >> (63 - shift) > 1 {
        u64::MAX
    } else {
        low << shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigUint;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn reach_covers_only_what_exact_division_covers(
            quantity: u128, weight: u128, least: u128,
            shifts in (0..128u32, 0..128u32, 0..128u32),
        ) {
            let (quantity, weight) = (quantity >> shifts.0, (weight >> shifts.1).max(1));
            let rising = Rising::of(least >> shifts.2);
            let exact = BigUint::from(quantity) * SCALE / weight;
            if rising.is_covered(quantity, Reach::new(weight)) {
                prop_assert!(exact >= BigUint::from(rising.get()));
            }
        }

        #[test]
        fn k6_reach_finds_the_scarcest_as_exact_division_does(
            pairs in prop::collection::vec((any::<u128>(), any::<u128>(), 0..128u32, 0..128u32), 1..20),
            near in any::<bool>(), unit in 1..u128::MAX >> 70,
        ) {
            let mut scarcest = Scarcest::NONE;
            let mut rising = Rising::NONE;
            let mut least = u128::MAX;
            prop_assert_eq!(scarcest.ratio(), u128::MAX);
            for (position, (quantity, weight, left, right)) in pairs.into_iter().enumerate() {
                let weight = (weight >> right).max(1);
                // Either anything, or ratios that differ by a unit or not at all.
                let quantity = if near {
                    (weight >> 40).saturating_mul(unit >> 20).saturating_add(position as u128 % 2)
                } else {
                    quantity >> left
                };
                let exact = BigUint::from(quantity) * SCALE / weight;
                least = least.min(u128::try_from(exact).unwrap_or(u128::MAX));
                scarcest.see(quantity, weight, Reach::new(weight)).expect("a weight");
                if !rising.is_covered(quantity, Reach::new(weight)) {
                    rising.lower(Wide::product(quantity, SCALE), weight).expect("a weight");
                }
                prop_assert_eq!(scarcest.ratio(), least);
                prop_assert_eq!(rising.get(), least);
            }
            let mut none = Scarcest::NONE;
            prop_assert!(none.see(1, 0, Reach::new(1)).is_err());
        }

        #[test]
        fn reach_covers_only_what_exact_shares_cover(
            quantity: u128, weight: u128, least: u128, fraction in 0..=SCALE as u64,
            shifts in (0..128u32, 0..128u32, 0..128u32),
        ) {
            let (quantity, weight) = (quantity >> shifts.0, (weight >> shifts.1).max(1));
            let rising = Rising::of(least >> shifts.2);
            let least = BigUint::from(rising.get());
            let share = BigUint::from(quantity) * fraction;
            if rising.is_covered_in_part(quantity, Reach::new(weight), fraction) {
                prop_assert!(&share / weight >= least);
            }
            if rising.is_covered_by_share(Floor::of(quantity), fraction) {
                prop_assert!(share / SCALE >= least);
            }
        }

        #[test]
        fn reach_covers_shares_that_are_clearly_more(
            quantity: u128, weight in 1_000_000_000..1u128 << 80, fraction in SCALE as u64 / 100..=SCALE as u64,
            shift in 0..88u32,
        ) {
            let quantity = (quantity >> shift).max(1 << 40);
            let share = BigUint::from(quantity) * fraction;
            let clearly = |ratio: BigUint| u128::try_from(ratio * 999_999u32 / 1_000_000u32).ok();
            if let Some(least) = clearly(&share / weight) {
                prop_assert!(Rising::of(least).is_covered_in_part(quantity, Reach::new(weight), fraction));
            }
            if let Some(least) = clearly(share / SCALE) {
                prop_assert!(Rising::of(least).is_covered_by_share(Floor::of(quantity), fraction));
            }
        }

        #[test]
        fn reach_bounds_the_index_units_of_one(weight: u128, shift in 0..128u32) {
            let weight = (weight >> shift).max(1);
            let bound = u128::from(Reach::new(weight).index_units_of_one());
            prop_assert!(bound.saturating_mul(weight) >= SCALE);
        }

        #[test]
        fn reach_covers_what_is_clearly_more(weight: u128, shifts in (0..128u32, 40..128u32), least: u128) {
            let weight = (weight >> shifts.0).max(1);
            let least = least >> shifts.1;
            // A millionth more than needed, rounded up.
            let needed = BigUint::from(weight) * least * 1_000_001u32 / (BigUint::from(SCALE) * 1_000_000u32) + 2u32;
            let rising = Rising::of(least);
            if let Ok(quantity) = u128::try_from(needed) {
                prop_assert!(rising.is_covered(quantity, Reach::new(weight)));
            }
        }
    }
}
