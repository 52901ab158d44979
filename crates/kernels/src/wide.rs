//! 256-bit intermediates, for a machine that multiplies and divides 64 bits.
//!
//! SBF has no 128-bit product and no leading-zero count, but its 64-bit division
//! costs one unit. So products are built of 32-bit halves in registers, division
//! by 1e18 is two passes of short division by 1e9, and only division by a variable
//! is long division (Knuth, "The Art of Computer Programming" 4.3.1, algorithm D).
//!
//! Programs are built with overflow checks, and one on a product of words costs as
//! much as a wide product: where a comment gives the bound, operations wrap.

/// One, in units of 1e-18.
pub const SCALE: u128 = 1_000_000_000_000_000_000;

/// Square root of [`SCALE`].
pub(crate) const ROOT_SCALE: u64 = 1_000_000_000;

const DIGIT: u64 = 0xffff_ffff;

/// An unsigned number of 256 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wide {
    // The order of the fields is the order of comparison.
    high: u128,
    low: u128,
}

impl Wide {
    /// Nothing.
    pub const ZERO: Self = Self { high: 0, low: 0 };

    /// From its two halves.
    #[inline(always)]
    pub const fn new(high: u128, low: u128) -> Self {
        Self { high, low }
    }

    /// The product of two numbers.
    #[inline(always)]
    pub const fn product(left: u128, right: u128) -> Self {
        let (left_low, left_high) = (left as u64, (left >> 64) as u64);
        let (right_low, right_high) = (right as u64, (right >> 64) as u64);
        let (word1, word0) = mul_words(left_low, right_low);
        if (left_high | right_high) >> 32 == 0 {
            // Both below 2^96, 7.9e10 at 18 decimals, as nearly all amounts are.
            let (high_a, low_a) = mul_word_digit(left_low, right_high);
            let (high_b, low_b) = mul_word_digit(right_low, left_high);
            let (word1, carry_a) = word1.overflowing_add(low_a);
            let (word1, carry_b) = word1.overflowing_add(low_b);
            // The product is below 2^192.
            let carries = carry_a as u64 + carry_b as u64;
            let word2 = left_high.wrapping_mul(right_high);
            let word2 = word2.wrapping_add(high_a).wrapping_add(high_b);
            let word2 = word2.wrapping_add(carries);
            return Self {
                high: word2 as u128,
                low: (word1 as u128) << 64 | word0 as u128,
            };
        }
        let (high_a, low_a) = mul_words(left_low, right_high);
        let (high_b, low_b) = mul_words(left_high, right_low);
        let (high_c, low_c) = mul_words(left_high, right_high);
        let (word1, carry_a) = word1.overflowing_add(low_a);
        let (word1, carry_b) = word1.overflowing_add(low_b);
        let carries = carry_a as u64 + carry_b as u64;
        let high = (high_c as u128) << 64 | low_c as u128;
        Self {
            // The whole product fits 256 bits.
            high: high
                .wrapping_add(high_a as u128)
                .wrapping_add(high_b as u128)
                .wrapping_add(carries as u128),
            low: (word1 as u128) << 64 | word0 as u128,
        }
    }

    /// The number, when it fits 128 bits.
    #[inline(always)]
    pub const fn narrow(self) -> Option<u128> {
        if self.high == 0 { Some(self.low) } else { None }
    }

    /// The number's upper and lower halves.
    #[inline(always)]
    pub const fn halves(self) -> (u128, u128) {
        (self.high, self.low)
    }

    /// Sum, or `None` above 256 bits.
    #[inline]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        let (low, carry) = self.low.overflowing_add(other.low);
        let Some(high) = self.high.checked_add(other.high) else {
            return None;
        };
        match high.checked_add(carry as u128) {
            Some(high) => Some(Self { high, low }),
            None => None,
        }
    }

    /// Difference, or `None` below zero.
    #[inline]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        let Some(high) = self.high.checked_sub(other.high) else {
            return None;
        };
        match high.checked_sub(borrow as u128) {
            Some(high) => Some(Self { high, low }),
            None => None,
        }
    }

    /// Twice the number, or `None` above 256 bits.
    #[inline]
    pub const fn checked_double(self) -> Option<Self> {
        self.checked_add(self)
    }

    /// Quotient and whether there is a rest, of a division by 1e18.
    ///
    /// `None` when the quotient does not fit 128 bits.
    #[inline(always)]
    pub const fn div_scale(self) -> Option<(u128, bool)> {
        if self.high >= SCALE {
            return None;
        }
        // Below 1e18, so its quotient by 1e9 has one digit, which is a rest of the next pass.
        let high = self.high as u64;
        let [d0, d1, d2, d3] = digits_of_half(self.low);
        let q4 = high / ROOT_SCALE;
        let (q3, rest) = short_division(high.wrapping_sub(q4.wrapping_mul(ROOT_SCALE)), d3);
        let (q2, rest) = short_division(rest, d2);
        let (q1, rest) = short_division(rest, d1);
        let (q0, first) = short_division(rest, d0);
        let (q3, rest) = short_division(q4, q3);
        let (q2, rest) = short_division(rest, q2);
        let (q1, rest) = short_division(rest, q1);
        let (q0, second) = short_division(rest, q0);
        let (low, high) = (q1 << 32 | q0, q3 << 32 | q2);
        let quotient = (high as u128) << 64 | low as u128;
        Some((quotient, first | second != 0))
    }

    /// Quotient and rest of a division by `divisor`.
    ///
    /// `None` when the divisor is 0 or the quotient does not fit 128 bits.
    pub const fn div_rem(self, divisor: u128) -> Option<(u128, u128)> {
        if self.high >= divisor {
            return None;
        }
        if divisor >> 64 == 0 {
            return Some(self.div_rem_word(divisor as u64));
        }
        // With its top bit set the divisor has two words, so has the quotient.
        // The shift loses nothing: high < divisor.
        let shift = leading_zeros(divisor);
        let divisor = shifted_left(divisor, 0, shift);
        let rest = shifted_left(self.high, self.low, shift);
        let low = shifted_left(self.low, 0, shift);
        let (high_word, rest) = long_division_step(rest, (low >> 64) as u64, divisor);
        let (low_word, rest) = long_division_step(rest, low as u64, divisor);
        let quotient = (high_word as u128) << 64 | low_word as u128;
        Some((quotient, rest >> shift))
    }

    /// As [`Self::div_rem`] by one word, which is above the upper half.
    const fn div_rem_word(self, divisor: u64) -> (u128, u128) {
        let shift = leading_zeros(divisor as u128) - 64;
        let (high, middle, low) = (self.high as u64, (self.low >> 64) as u64, self.low as u64);
        let (high, middle, low) = if shift == 0 {
            (high, middle, low)
        } else {
            let back = 64 - shift;
            (
                high << shift | middle >> back,
                middle << shift | low >> back,
                low << shift,
            )
        };
        let divisor = divisor << shift;
        let (high_word, rest) = div_words(high, middle, divisor);
        let (low_word, rest) = div_words(rest, low, divisor);
        let quotient = (high_word as u128) << 64 | low_word as u128;
        (quotient, (rest >> shift) as u128)
    }

    /// Square root, rounded down.
    pub fn isqrt(self) -> u128 {
        if self.high == 0 {
            return self.low.isqrt();
        }
        // An even shift leaves 63 or 64 leading bits, whose root has 32.
        let shift = (193 - self.high.leading_zeros()) & !1;
        let top = if shift < 128 {
            (self.high << (128 - shift) | self.low >> shift) as u64
        } else {
            (self.high >> (shift - 128)) as u64
        };
        let start = u128::from(top.isqrt()) + 1;
        // Above the root, where Newton's iteration only ever falls.
        let half = shift / 2;
        let mut root = if start.leading_zeros() < half {
            u128::MAX
        } else {
            start << half
        };
        while let Some((quotient, _)) = self.div_rem(root) {
            if quotient >= root {
                break;
            }
            root = quotient + (root - quotient) / 2;
        }
        root
    }

    /// Square root, rounded up; `None` when that does not fit 128 bits.
    pub fn isqrt_ceil(self) -> Option<u128> {
        let root = self.isqrt();
        if Self::product(root, root) == self {
            Some(root)
        } else {
            root.checked_add(1)
        }
    }

    /// `self * factor / 1e36` and whether there is a rest.
    ///
    /// `None` when the quotient does not fit 128 bits.
    pub fn mul_div_scale_squared(self, factor: u128) -> Option<(u128, bool)> {
        let (low, high) = (
            Self::product(self.low, factor),
            Self::product(self.high, factor),
        );
        let (middle, carry) = low.high.overflowing_add(high.low);
        // The high half of a product is below 2^128 - 1.
        let top = high.high + u128::from(carry);
        let mut digits = [0; 12];
        for (digits, half) in digits.chunks_exact_mut(4).zip([low.low, middle, top]) {
            digits.copy_from_slice(&digits_of_half(half));
        }
        let mut exact = true;
        for _ in 0..4 {
            exact &= divide_digits(&mut digits) == 0;
        }
        let [q0, q1, q2, q3, beyond @ ..] = digits;
        if beyond != [0; 8] {
            return None;
        }
        let (low, high) = (q1 << 32 | q0, q3 << 32 | q2);
        Some((u128::from(high) << 64 | u128::from(low), !exact))
    }
}

/// High and low word of the product of two words.
#[inline(always)]
pub(crate) const fn mul_words(left: u64, right: u64) -> (u64, u64) {
    let (a0, a1) = (left & DIGIT, left >> 32);
    let (b0, b1) = (right & DIGIT, right >> 32);
    let p00 = a0.wrapping_mul(b0);
    // No sum exceeds (2^32 - 1)^2 + 2 (2^32 - 1), the largest word.
    let middle = a1.wrapping_mul(b0).wrapping_add(p00 >> 32);
    let other = a0.wrapping_mul(b1).wrapping_add(middle & DIGIT);
    let high = a1.wrapping_mul(b1).wrapping_add(middle >> 32);
    let high = high.wrapping_add(other >> 32);
    (high, other << 32 | (p00 & DIGIT))
}

/// High and low word of the product of a word and a digit.
#[inline(always)]
pub(crate) const fn mul_word_digit(word: u64, digit: u64) -> (u64, u64) {
    // As in `mul_words`: the digit is below 2^32.
    let low = (word & DIGIT).wrapping_mul(digit);
    let high = (word >> 32).wrapping_mul(digit).wrapping_add(low >> 32);
    (high >> 32, high << 32 | (low & DIGIT))
}

/// Quotient and rest of a word by 1e9.
#[inline(always)]
pub(crate) const fn short_rest(word: u64) -> (u64, u64) {
    let quotient = word / ROOT_SCALE;
    // A quotient times its divisor is no more than what was divided.
    (
        quotient,
        word.wrapping_sub(quotient.wrapping_mul(ROOT_SCALE)),
    )
}

/// One digit of a quotient by 1e9, and the next rest, which is below 1e9 as `rest` is.
#[inline(always)]
const fn short_division(rest: u64, digit: u64) -> (u64, u64) {
    short_rest(rest << 32 | digit)
}

/// Number of leading zeros, by halving: the target has no instruction for it.
#[inline(always)]
pub(crate) const fn leading_zeros(number: u128) -> u32 {
    let (low, high) = (number as u64, (number >> 64) as u64);
    let (mut word, mut zeros) = if high != 0 { (high, 0) } else { (low, 64) };
    if word == 0 {
        return 128;
    }
    let mut step = 32;
    while step > 0 {
        if word >> (64 - step) == 0 {
            word <<= step;
            zeros += step;
        }
        step /= 2;
    }
    zeros
}

/// Upper half of `number` and `next` shifted left by less than 128.
#[inline(always)]
const fn shifted_left(number: u128, next: u128, shift: u32) -> u128 {
    let words = [
        next as u64,
        (next >> 64) as u64,
        number as u64,
        (number >> 64) as u64,
    ];
    let (bits, [w0, w1, w2]) = if shift < 64 {
        (shift, [words[1], words[2], words[3]])
    } else {
        (shift - 64, [words[0], words[1], words[2]])
    };
    if bits == 0 {
        return (w2 as u128) << 64 | w1 as u128;
    }
    let high = w2 << bits | w1 >> (64 - bits);
    let low = w1 << bits | w0 >> (64 - bits);
    (high as u128) << 64 | low as u128
}

/// One word of a quotient, and the rest: divides `rest * 2^64 + next`, where
/// `rest < divisor` and the divisor's top bit is set.
#[inline(always)]
const fn long_division_step(rest: u128, next: u64, divisor: u128) -> (u64, u128) {
    let (top, second) = ((divisor >> 64) as u64, divisor as u64);
    let (high, low) = ((rest >> 64) as u64, rest as u64);
    // From the divisor's top word alone the guess is never low, and at most 2 too high.
    let (mut guess, mut left, mut over) = if high < top {
        let (guess, left) = div_words(high, low, top);
        (guess, left, false)
    } else {
        // high == top: the largest word, which leaves low + top.
        let (left, over) = low.overflowing_add(top);
        (u64::MAX, left, over)
    };
    let (product_high, product_low) = mul_words(guess, second);
    let mut product = (product_high as u128) << 64 | product_low as u128;
    // What is left of a guess that is right is no less than its product with
    // the second word, nor is anything that exceeds a word.
    while !over && ((left as u128) << 64 | next as u128) < product {
        guess -= 1;
        product -= second as u128;
        (left, over) = left.overflowing_add(top);
    }
    let left = (left as u128) << 64 | next as u128;
    (guess, left.wrapping_sub(product))
}

/// Quotient and rest of two words by one, where `high < divisor` and the
/// divisor's top bit is set.
#[inline(always)]
const fn div_words(high: u64, low: u64, divisor: u64) -> (u64, u64) {
    let (first, rest) = div_word_digit(high, low >> 32, divisor);
    let (second, rest) = div_word_digit(rest, low & DIGIT, divisor);
    (first << 32 | second, rest)
}

/// One digit of a quotient, and the rest: divides `rest * 2^32 + next`, as [`div_words`].
#[inline(always)]
const fn div_word_digit(rest: u64, next: u64, divisor: u64) -> (u64, u64) {
    let (top, second) = (divisor >> 32, divisor & DIGIT);
    let mut guess = rest / top;
    // The guess is at most 2^32 + 2 and only multiplied as a digit, and both halves
    // of the divisor and what is left are digits.
    let mut left = rest.wrapping_sub(guess.wrapping_mul(top));
    while left <= DIGIT && (guess > DIGIT || guess.wrapping_mul(second) > (left << 32 | next)) {
        guess = guess.wrapping_sub(1);
        left = left.wrapping_add(top);
    }
    let numerator = rest << 32 | next;
    (guess, numerator.wrapping_sub(guess.wrapping_mul(divisor)))
}

#[inline(always)]
const fn digits_of_half(half: u128) -> [u64; 4] {
    let (low, high) = (half as u64, (half >> 64) as u64);
    [low & DIGIT, low >> 32, high & DIGIT, high >> 32]
}

/// Divides in place by 1e9; returns the rest.
#[inline(always)]
fn divide_digits(digits: &mut [u64; 12]) -> u64 {
    let mut rest = 0;
    for digit in digits.iter_mut().rev() {
        // Leading zeros stay what they are.
        if rest | *digit != 0 {
            (*digit, rest) = short_division(rest, *digit);
        }
    }
    rest
}
