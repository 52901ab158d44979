//! Arithmetic of every width, plain and checked.

use super::{Op, Words};

/// One operation on operands of type `$t`, whose result is widened with its sign.
macro_rules! value {
    ($t:ty, $name:literal, |$a:ident, $b:ident| $body:expr) => {
        (concat!(stringify!($t), " ", $name), {
            #[allow(clippy::cast_lossless)]
            fn op(a: u128, b: u128) -> Words {
                let ($a, $b) = (a as $t, b as $t);
                [$body as u128, 0]
            }
            op
        })
    };
}

/// An operation that returns a value and a flag.
macro_rules! flagged {
    ($t:ty, $name:literal, |$a:ident, $b:ident| $body:expr) => {
        (concat!(stringify!($t), " ", $name), {
            #[allow(clippy::cast_lossless)]
            fn op(a: u128, b: u128) -> Words {
                let ($a, $b) = (a as $t, b as $t);
                let (value, flag) = $body;
                [value as u128, flag as u128]
            }
            op
        })
    };
}

/// Everything that all integer types can do. `$bits` is one less than the width.
macro_rules! all {
    ($t:ty, $bits:literal) => {
        &[
            value!($t, "add", |a, b| a.wrapping_add(b)),
            value!($t, "sub", |a, b| a.wrapping_sub(b)),
            value!($t, "mul", |a, b| a.wrapping_mul(b)),
            value!($t, "div", |a, b| if b == 0 { 0 } else { a.wrapping_div(b) }),
            value!($t, "rem", |a, b| if b == 0 { 0 } else { a.wrapping_rem(b) }),
            value!($t, "div euclid", |a, b| if b == 0 {
                0
            } else {
                a.wrapping_div_euclid(b)
            }),
            value!($t, "rem euclid", |a, b| if b == 0 {
                0
            } else {
                a.wrapping_rem_euclid(b)
            }),
            value!($t, "div 10", |a, _b| a / 10),
            value!($t, "rem 100", |a, _b| a % 100),
            value!($t, "div 7", |a, _b| a / 7),
            value!($t, "shl", |a, b| a << (b & $bits)),
            value!($t, "shr", |a, b| a >> (b & $bits)),
            value!($t, "shl 3", |a, _b| a << 3),
            value!($t, "shr 5", |a, _b| a >> 5),
            value!($t, "shr last", |a, _b| a >> $bits),
            value!($t, "rotate left", |a, b| a.rotate_left((b & $bits) as u32)),
            value!($t, "rotate right", |a, b| a
                .rotate_right((b & $bits) as u32)),
            value!($t, "leading zeros", |a, _b| a.leading_zeros()),
            value!($t, "trailing zeros", |a, _b| a.trailing_zeros()),
            value!($t, "ones", |a, _b| a.count_ones()),
            value!($t, "swap bytes", |a, _b| a.swap_bytes()),
            value!($t, "reverse bits", |a, _b| a.reverse_bits()),
            value!($t, "saturating add", |a, b| a.saturating_add(b)),
            value!($t, "saturating sub", |a, b| a.saturating_sub(b)),
            value!($t, "saturating mul", |a, b| a.saturating_mul(b)),
            value!($t, "abs diff", |a, b| a.abs_diff(b)),
            value!($t, "min", |a, b| a.min(b)),
            value!($t, "max", |a, b| a.max(b)),
            value!($t, "cmp", |a, b| a.cmp(&b) as i8),
            value!($t, "lt", |a, b| (a < b) as u8
                + 2 * (a <= b) as u8
                + 4 * (a == b) as u8),
            value!($t, "pow", |a, b| a.wrapping_pow((b & 7) as u32)),
            value!($t, "to u8", |a, _b| a as u8),
            value!($t, "to i16", |a, _b| a as i16),
            value!($t, "to i32", |a, _b| a as i32),
            value!($t, "to u64", |a, _b| a as u64),
            value!($t, "to i64", |a, _b| a as i64),
            value!($t, "to i128", |a, _b| a as i128),
            flagged!($t, "overflowing add", |a, b| a.overflowing_add(b)),
            flagged!($t, "overflowing sub", |a, b| a.overflowing_sub(b)),
            flagged!($t, "overflowing mul", |a, b| a.overflowing_mul(b)),
            flagged!($t, "checked mul", |a, b| {
                a.checked_mul(b).map_or((1, true), |v| (v, false))
            }),
            flagged!($t, "checked div", |a, b| {
                a.checked_div(b).map_or((1, true), |v| (v, false))
            }),
            flagged!($t, "checked rem", |a, b| {
                a.checked_rem(b).map_or((1, true), |v| (v, false))
            }),
            flagged!($t, "checked pow", |a, b| {
                a.checked_pow((b & 7) as u32)
                    .map_or((1, true), |v| (v, false))
            }),
        ]
    };
}

const COUNT: usize = 44;
const TYPES: usize = 10;
const BY_TYPE: [&[Op; COUNT]; TYPES] = [
    all!(u8, 7),
    all!(i8, 7),
    all!(u16, 15),
    all!(i16, 15),
    all!(u32, 31),
    all!(i32, 31),
    all!(u64, 63),
    all!(i64, 63),
    all!(u128, 127),
    all!(i128, 127),
];

const MORE: [Op; 9] = [
    value!(u64, "product of 128 bits", |a, b| u128::from(a)
        * u128::from(b)),
    value!(i64, "product of 128 bits", |a, b| i128::from(a)
        * i128::from(b)),
    value!(u64, "product over 1e9", |a, b| u128::from(a)
        * u128::from(b)
        / 1_000_000_000),
    value!(u64, "product over product", |a, b| {
        u128::from(a) * u128::from(b) / (u128::from(a ^ b) * 3 + 1)
    }),
    value!(u128, "by a word", |a, b| a / u128::from(b as u64 | 1)),
    value!(u128, "shift by 64", |a, b| (a << 64) | (b >> 64)),
    value!(u128, "isqrt", |a, _b| a.isqrt()),
    value!(u128, "ilog10", |a, _b| a.checked_ilog10().unwrap_or(99)),
    flagged!(u128, "carrying", |a, b| a.overflowing_add(b & 1)),
];

const fn join() -> [Op; TYPES * COUNT + MORE.len()] {
    let mut joined = [MORE[0]; TYPES * COUNT + MORE.len()];
    let mut at = 0;
    while at < TYPES * COUNT {
        joined[at] = BY_TYPE[at / COUNT][at % COUNT];
        at += 1;
    }
    while at < joined.len() {
        joined[at] = MORE[at - TYPES * COUNT];
        at += 1;
    }
    joined
}

pub(super) const OPS: &[Op] = &join();
