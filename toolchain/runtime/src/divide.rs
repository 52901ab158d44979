//! Unsigned division of 128-bit integers on a machine that divides 64-bit ones.

/// A 64-bit division. Checked division would bring a panic, and its message,
/// into every program; all divisors here are known to be non-zero.
#[inline(always)]
fn divide(a: u64, b: u64) -> u64 {
    debug_assert!(b != 0);
    // SAFETY: the callers pass divisors that they have shown to be non-zero.
    unsafe { a.checked_div(b).unwrap_unchecked() }
}

/// The 128-bit product of two words, as (low, high).
#[inline(always)]
fn widening_mul(a: u64, b: u64) -> (u64, u64) {
    let product = u128::from(a) * u128::from(b);
    (product as u64, (product >> 64) as u64)
}

/// Divides the two-word number (`high`, `low`) by `divisor` where the quotient
/// fits a word, that is for `high < divisor`. Knuth's algorithm D with digits of
/// 32 bits.
#[inline(always)]
fn divide_two_words(high: u64, low: u64, divisor: u64) -> (u64, u64) {
    const DIGIT: u64 = 0xffff_ffff;
    if divisor <= DIGIT {
        // Scales such as a million are divisors of one digit: no estimates needed.
        let upper = (high << 32) | (low >> 32);
        let q1 = divide(upper, divisor);
        let rest = upper.wrapping_sub(q1.wrapping_mul(divisor));
        let lower = (rest << 32) | (low & DIGIT);
        let q0 = divide(lower, divisor);
        return (
            (q1 << 32) | q0,
            lower.wrapping_sub(q0.wrapping_mul(divisor)),
        );
    }
    let shift = divisor.leading_zeros();
    let divisor = divisor << shift;
    let (d1, d0) = (divisor >> 32, divisor & DIGIT);
    let high = if shift == 0 {
        high
    } else {
        (high << shift) | (low >> (64 - shift))
    };
    let low = low << shift;

    let digit = |rest: u64, next: u64| {
        let mut quotient = divide(rest, d1);
        let mut remainder = rest.wrapping_sub(quotient.wrapping_mul(d1));
        while quotient >> 32 != 0 || quotient.wrapping_mul(d0) > ((remainder << 32) | next) {
            quotient = quotient.wrapping_sub(1);
            remainder = remainder.wrapping_add(d1);
            if remainder >> 32 != 0 {
                break;
            }
        }
        let rest = ((rest << 32) | next).wrapping_sub(quotient.wrapping_mul(divisor));
        (quotient, rest)
    };
    let (q1, rest) = digit(high, low >> 32);
    let (q0, rest) = digit(rest, low & DIGIT);
    ((q1 << 32).wrapping_add(q0), rest >> shift)
}

/// Divides by a divisor of two words, whose quotient is one word.
#[inline(always)]
fn divide_by_two_words(a: u128, b: u128) -> (u64, u128) {
    let (a_high, a_low) = ((a >> 64) as u64, a as u64);
    let (b_high, b_low) = ((b >> 64) as u64, b as u64);
    let shift = b_high.leading_zeros();
    if shift == 0 {
        // The divisor's top bit is set: the quotient is one.
        return (1, a.wrapping_sub(b));
    }
    // Dividing by the divisor's leading word overestimates by two at most.
    let lead = (b_high << shift) | (b_low >> (64 - shift));
    let rest_high = a_high >> (64 - shift);
    let rest_low = (a_high << shift) | (a_low >> (64 - shift));
    let (mut quotient, _) = divide_two_words(rest_high, rest_low, lead);
    loop {
        let (low, carry) = widening_mul(quotient, b_low);
        let (mid, high) = widening_mul(quotient, b_high);
        let (mid, wrapped) = mid.overflowing_add(carry);
        let product = (u128::from(mid) << 64) | u128::from(low);
        if high == 0 && !wrapped && product <= a {
            return (quotient, a.wrapping_sub(product));
        }
        quotient = quotient.wrapping_sub(1);
    }
}

/// Quotient and remainder; the divisor must not be zero.
#[inline(always)]
pub fn udivrem(a: u128, b: u128) -> (u128, u128) {
    let (a_high, a_low) = ((a >> 64) as u64, a as u64);
    let (b_high, b_low) = ((b >> 64) as u64, b as u64);
    if b_high == 0 {
        let q_high = if a_high == 0 {
            0
        } else {
            divide(a_high, b_low)
        };
        let rest = a_high.wrapping_sub(q_high.wrapping_mul(b_low));
        let (q_low, rest) = if rest == 0 {
            let q = divide(a_low, b_low);
            (q, a_low.wrapping_sub(q.wrapping_mul(b_low)))
        } else {
            divide_two_words(rest, a_low, b_low)
        };
        let quotient = (u128::from(q_high) << 64) | u128::from(q_low);
        return (quotient, u128::from(rest));
    }
    if a < b {
        return (0, a);
    }
    let (quotient, rest) = divide_by_two_words(a, b);
    (u128::from(quotient), rest)
}

/// What compiled programs call: writes quotient and remainder, low words first.
///
/// # Safety
/// `out` must be valid for writing four words, and the divisor must not be zero.
#[unsafe(no_mangle)]
#[inline(never)]
pub unsafe extern "C" fn flagstone_udivrem128(
    out: *mut u64,
    a_low: u64,
    a_high: u64,
    b_low: u64,
    b_high: u64,
) {
    let join = |low: u64, high: u64| (u128::from(high) << 64) | u128::from(low);
    let (quotient, rest) = udivrem(join(a_low, a_high), join(b_low, b_high));
    // SAFETY: the caller passes room for four words.
    unsafe {
        *out = quotient as u64;
        *out.add(1) = (quotient >> 64) as u64;
        *out.add(2) = rest as u64;
        *out.add(3) = (rest >> 64) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::udivrem;

    /// Words that make carries, borrows and wrong guesses.
    const EDGES: [u64; 12] = [
        0,
        1,
        2,
        3,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        0x1_0000_0000,
        0x7fff_ffff_ffff_ffff,
        0x8000_0000_0000_0000,
        0xffff_ffff_0000_0000,
        u64::MAX,
    ];

    fn check(a: u128, b: u128) {
        if b != 0 {
            assert_eq!(udivrem(a, b), (a / b, a % b), "{a:#x} / {b:#x}");
        }
    }

    #[test]
    fn agrees_with_the_host_on_edges() {
        let join = |high: u64, low: u64| (u128::from(high) << 64) | u128::from(low);
        for a1 in EDGES {
            for a0 in EDGES {
                for b1 in EDGES {
                    for b0 in EDGES {
                        check(join(a1, a0), join(b1, b0));
                    }
                }
            }
        }
    }

    #[test]
    fn agrees_with_the_host_on_random_numbers_of_all_lengths() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for _ in 0..200_000 {
            let a = (u128::from(next()) << 64 | u128::from(next())) >> (next() % 128);
            let b = (u128::from(next()) << 64 | u128::from(next())) >> (next() % 128);
            check(a, b);
        }
    }
}
