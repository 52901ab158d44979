//! 256-bit intermediates, for a machine that multiplies and divides 64 bits.
//!
//! SBF has no 128-bit product and no leading-zero count, but its 64-bit division
//! costs one unit. So products are summed in columns of 32 bits whose carries
//! wait until the end ([`Columns`]), division by 1e18 is two passes of 64-by-30-bit
//! divisions ([`Wide::div_scale`]), and only division by a variable is long
//! division (Knuth, "The Art of Computer Programming" 4.3.1, algorithm D).

/// One, in units of 1e-18.
pub const SCALE: u128 = 1_000_000_000_000_000_000;

/// Square root of [`SCALE`].
const ROOT_SCALE: u64 = 1_000_000_000;

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
    #[inline]
    pub fn product(left: u128, right: u128) -> Self {
        let mut columns = Columns::<8>::ZERO;
        columns.add_product(left, right);
        // (2^128 - 1)^2 is below 2^256.
        columns.finish().unwrap_or(Self::ZERO)
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
    #[inline]
    pub fn div_scale(self) -> Option<(u128, bool)> {
        let mut digits = digits_of(self);
        let exact = divide_digits(&mut digits, ROOT_SCALE) == 0;
        let exact = divide_digits(&mut digits, ROOT_SCALE) == 0 && exact;
        let quotient = wide_of(&digits).narrow()?;
        Some((quotient, !exact))
    }

    /// Quotient and rest of a division by `divisor`.
    ///
    /// `None` when the divisor is 0 or the quotient does not fit 128 bits.
    pub fn div_rem(self, divisor: u128) -> Option<(u128, u128)> {
        if self.high >= divisor {
            return None;
        }
        if self.high == 0 {
            return Some((self.low / divisor, self.low % divisor));
        }
        // With its top bit set the divisor has four digits, so has the quotient.
        // The shift loses nothing: high < divisor.
        let shift = divisor.leading_zeros();
        let divisor = divisor << shift;
        let mut rest = self.high << shift;
        if shift > 0 {
            rest |= self.low >> (128 - shift);
        }
        let low = self.low << shift;
        let mut quotient = 0u128;
        for down in 0..4 {
            let next = (low >> (96 - 32 * down)) as u64 & DIGIT;
            let digit = long_division_step(&mut rest, next, divisor);
            quotient = quotient << 32 | u128::from(digit);
        }
        Some((quotient, rest >> shift))
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
        let mut columns = Columns::<12>::ZERO;
        columns.add_product_at(self.low, factor, 0);
        columns.add_product_at(self.high, factor, 4);
        let mut digits = columns.carried()?;
        let mut exact = true;
        for _ in 0..4 {
            exact &= divide_digits(&mut digits, ROOT_SCALE) == 0;
        }
        let (low, high) = digits.split_at(8);
        if high.iter().any(|digit| *digit != 0) {
            return None;
        }
        Some((wide_of(low).narrow()?, !exact))
    }
}

/// One digit of a quotient: divides `rest * 2^32 + next`, where `rest < divisor`.
#[inline(always)]
fn long_division_step(rest: &mut u128, next: u64, divisor: u128) -> u64 {
    let top = (divisor >> 96) as u64;
    let second = (divisor >> 64) as u64 & DIGIT;
    let head = (*rest >> 64) as u64;
    let third = (*rest >> 32) as u64 & DIGIT;
    // The guess from two digits over one is never low, and at most 2 too high.
    let mut guess = head / top;
    let mut left = head - guess * top;
    while guess > DIGIT || guess * second > (left << 32 | third) {
        guess -= 1;
        left += top;
        if left > DIGIT {
            break;
        }
    }
    let (over, product) = mul_digit(divisor, guess);
    let outgoing = (*rest >> 96) as u64;
    let shifted = *rest << 32 | u128::from(next);
    let mut remaining = shifted.wrapping_sub(product);
    if (outgoing, shifted) < (over, product) {
        guess -= 1;
        remaining = remaining.wrapping_add(divisor);
    }
    *rest = remaining;
    guess
}

/// `number * digit` as what exceeds 128 bits, and the rest.
#[inline(always)]
fn mul_digit(number: u128, digit: u64) -> (u64, u128) {
    let [d0, d1, d2, d3] = digits_of_half(number);
    let p0 = d0 * digit;
    let p1 = d1 * digit + (p0 >> 32);
    let p2 = d2 * digit + (p1 >> 32);
    let p3 = d3 * digit + (p2 >> 32);
    let low = (p0 & DIGIT) | p1 << 32;
    let high = (p2 & DIGIT) | p3 << 32;
    (p3 >> 32, u128::from(high) << 64 | u128::from(low))
}

#[inline(always)]
const fn digits_of_half(half: u128) -> [u64; 4] {
    let (low, high) = (half as u64, (half >> 64) as u64);
    [low & DIGIT, low >> 32, high & DIGIT, high >> 32]
}

#[inline(always)]
const fn digits_of(wide: Wide) -> [u64; 8] {
    let [a, b, c, d] = digits_of_half(wide.low);
    let [e, f, g, h] = digits_of_half(wide.high);
    [a, b, c, d, e, f, g, h]
}

/// The number with these digits, lowest first; those beyond the eighth do not count.
#[inline(always)]
fn wide_of(digits: &[u64]) -> Wide {
    let half = |at: usize| {
        let digit = |offset: usize| digits.get(at + offset).copied().unwrap_or(0);
        let low = digit(0) | digit(1) << 32;
        let high = digit(2) | digit(3) << 32;
        u128::from(high) << 64 | u128::from(low)
    };
    Wide::new(half(4), half(0))
}

/// Divides in place by `divisor < 2^32`; returns the rest.
#[inline(always)]
fn divide_digits(digits: &mut [u64], divisor: u64) -> u64 {
    let mut rest = 0;
    for digit in digits.iter_mut().rev() {
        let part = rest << 32 | *digit;
        *digit = part / divisor;
        rest = part - *digit * divisor;
    }
    rest
}

/// A sum of products in columns of 32 bits whose carries wait.
///
/// One product adds less than 2^35 to a column, so 2^29 of them fit: more than
/// any market has assets.
#[derive(Clone, Copy, Debug)]
pub struct Columns<const N: usize>([u64; N]);

impl<const N: usize> Columns<N> {
    /// No products.
    pub const ZERO: Self = Self([0; N]);

    /// Adds `left * right`.
    #[inline(always)]
    pub fn add_product(&mut self, left: u128, right: u128) {
        self.add_product_at(left, right, 0);
    }

    /// Adds `left * right * 2^(32 * at)`; `at` is 0, or `N` is at least 8 more.
    #[inline(always)]
    fn add_product_at(&mut self, left: u128, right: u128, at: usize) {
        let left = digits_of_half(left);
        let right = digits_of_half(right);
        // Amounts rarely reach their top digit; testing for it costs one unit.
        for (shift, &factor) in left.iter().enumerate() {
            if factor == 0 {
                continue;
            }
            for (column, &digit) in right.iter().enumerate() {
                let product = factor * digit;
                self.0[at + shift + column] += product & DIGIT;
                self.0[at + shift + column + 1] += product >> 32;
            }
        }
    }

    /// Digits with carries resolved; `None` when the sum exceeds `32 * N` bits.
    #[inline(always)]
    fn carried(self) -> Option<[u64; N]> {
        let mut digits = self.0;
        let mut carry = 0;
        for digit in &mut digits {
            let sum = *digit + carry;
            *digit = sum & DIGIT;
            carry = sum >> 32;
        }
        if carry == 0 { Some(digits) } else { None }
    }
}

impl Columns<8> {
    /// The sum; `None` above 256 bits.
    #[inline]
    pub fn finish(self) -> Option<Wide> {
        Some(wide_of(&self.carried()?))
    }
}
