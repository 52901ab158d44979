//! Wide and compat arithmetic against big integers.
#![allow(missing_docs, reason = "tests")]

use flagstone_kernels::MathError;
use flagstone_kernels::compat;
use flagstone_kernels::factor::Factor;
use flagstone_kernels::sum::Sum;
use flagstone_kernels::wide::{SCALE, Wide};
use num_bigint::BigUint;
use proptest::prelude::*;

fn big(wide: Wide) -> BigUint {
    let (high, low) = wide.halves();
    (BigUint::from(high) << 128) + low
}

fn narrow(number: &BigUint) -> Option<u128> {
    u128::try_from(number.clone()).ok()
}

/// Numbers of every magnitude, with long runs of ones and zeros.
fn number() -> impl Strategy<Value = u128> {
    let edges = prop::sample::select(vec![
        0,
        1,
        SCALE - 1,
        SCALE,
        u128::from(u32::MAX),
        u128::from(u64::MAX),
        u128::from(u64::MAX) + 1,
        1 << 127,
        u128::MAX - 1,
        u128::MAX,
    ]);
    let any = (any::<u128>(), 0..128u32).prop_map(|(number, shift)| number >> shift);
    let runs = (0..128u32, 0..128u32).prop_map(|(a, b)| (u128::MAX >> a) ^ (u128::MAX >> b));
    let digits = prop::array::uniform4(prop::sample::select(vec![
        0u32,
        1,
        1 << 31,
        u32::MAX - 1,
        u32::MAX,
    ]))
    .prop_map(|digits| {
        digits
            .iter()
            .fold(0, |number, digit| number << 32 | u128::from(*digit))
    });
    prop_oneof![1 => edges, 4 => any, 2 => runs, 2 => digits]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn factors_multiply_as_the_full_product_does(a in number(), b in number()) {
        let exact = Wide::product(a, b).div_scale();
        prop_assert_eq!(Factor::new(a).times(b), exact);
        // Most amounts: below 4e9 and below 18.
        let (a, b) = (a % (SCALE << 32), b % (1 << 64));
        let exact = Wide::product(a, b).div_scale();
        prop_assert_eq!(Factor::new(a).times(b), exact);
        prop_assert_eq!(Factor::new(a).get(), a);
    }

    #[test]
    fn wide_products_sums_and_differences_are_exact(a in number(), b in number(), c in number(), d in number()) {
        let (left, right) = (Wide::product(a, b), Wide::product(c, d));
        let (big_left, big_right) = (BigUint::from(a) * b, BigUint::from(c) * d);
        prop_assert_eq!(big(left), big_left.clone());
        let sum = &big_left + &big_right;
        prop_assert_eq!(left.checked_add(right).map(big), (sum.bits() <= 256).then_some(sum.clone()));
        let rest = (big_left >= big_right).then(|| &big_left - &big_right);
        prop_assert_eq!(left.checked_sub(right).map(big), rest);
        prop_assert_eq!(left < right, big_left < big_right);
        let mut total = Sum::ZERO;
        total.add_product(a, b);
        total.add_product(c, d);
        prop_assert_eq!(total.finish().map(big), (sum.bits() <= 256).then_some(sum));
    }

    #[test]
    fn sums_of_many_products_are_exact(
        factors in prop::collection::vec((number(), number(), 0..128u32), 0..8),
        times in 1..600usize,
    ) {
        let (mut total, mut expected) = (Sum::ZERO, BigUint::ZERO);
        for _ in 0..times {
            for &(a, b, shift) in &factors {
                // Mostly small enough for the columns.
                let (a, b) = (a >> shift, b >> (127 - shift));
                total.add_product(a, b);
                expected += BigUint::from(a) * b;
            }
        }
        prop_assert_eq!(total.finish().map(big), (expected.bits() <= 256).then_some(expected));
        // More products than the columns have room for, all as large as fit.
        let largest = (1u128 << 78) - 1;
        let mut total = Sum::ZERO;
        for _ in 0..times * 5 {
            total.add_product(largest, largest);
        }
        prop_assert_eq!(total.finish().map(big), Some(BigUint::from(largest) * largest * (times * 5)));
    }

    #[test]
    fn wide_division_is_exact(high in number(), low in number(), divisor in number()) {
        let wide = Wide::new(high, low);
        let expected = (high < divisor).then(|| {
            let number = big(wide);
            let quotient = &number / divisor;
            (narrow(&quotient).unwrap(), narrow(&(number - quotient * divisor)).unwrap())
        });
        prop_assert_eq!(wide.div_rem(divisor), expected);
        // A high half below the divisor, so that most cases divide.
        if divisor > 0 {
            let wide = Wide::new(high % divisor, low);
            let (quotient, rest) = wide.div_rem(divisor).unwrap();
            prop_assert_eq!(BigUint::from(quotient) * divisor + rest, big(wide));
            prop_assert!(rest < divisor);
        }
    }

    #[test]
    fn wide_division_by_scales_is_exact(high in number(), low in number(), factor in number()) {
        let wide = Wide::new(high >> 68, low);
        let number = big(wide);
        let quotient = &number / SCALE;
        let inexact = &quotient * SCALE != number;
        prop_assert_eq!(wide.div_scale(), narrow(&quotient).map(|quotient| (quotient, inexact)));
        let wide = Wide::new(high, low);
        let number = big(wide) * factor;
        let divisor = BigUint::from(SCALE) * SCALE;
        let quotient = &number / &divisor;
        let inexact = &quotient * &divisor != number;
        prop_assert_eq!(
            wide.mul_div_scale_squared(factor),
            narrow(&quotient).map(|quotient| (quotient, inexact))
        );
    }

    #[test]
    fn wide_roots_are_exact(high in number(), low in number(), root in number(), near in 0..3u128) {
        let wide = Wide::new(high, low);
        prop_assert_eq!(BigUint::from(wide.isqrt()), big(wide).sqrt());
        // At and beside perfect squares.
        let square = Wide::product(root, root);
        let above = square.checked_add(Wide::new(0, near)).unwrap_or(square);
        let expected = big(above).sqrt();
        prop_assert_eq!(BigUint::from(above.isqrt()), expected.clone());
        let ceil = if &expected * &expected == big(above) { expected } else { expected + 1u32 };
        prop_assert_eq!(above.isqrt_ceil(), narrow(&ceil));
        if let Some(below) = square.checked_sub(Wide::new(0, near)) {
            prop_assert_eq!(BigUint::from(below.isqrt()), big(below).sqrt());
        }
    }

    #[test]
    fn compat_arithmetic_floors_like_big_integers(a in number(), b in number()) {
        let fits = |number: BigUint| narrow(&number).ok_or(MathError::Overflow);
        prop_assert_eq!(compat::add(a, b), fits(BigUint::from(a) + b));
        prop_assert_eq!(compat::sub(a, b), a.checked_sub(b).ok_or(MathError::Overflow));
        prop_assert_eq!(compat::mul(a, b), fits(BigUint::from(a) * b / SCALE));
        let quotient = if b == 0 {
            Err(MathError::DivisionByZero)
        } else {
            fits(BigUint::from(a) * SCALE / b)
        };
        prop_assert_eq!(compat::div(a, b), quotient);
        let root = BigUint::from(a).sqrt() * 1_000_000_000u32;
        prop_assert_eq!(BigUint::from(compat::sqrt(a)), root);
    }
}
