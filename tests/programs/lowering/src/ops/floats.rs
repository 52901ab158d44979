//! Floating point, which rent and prices of other protocols still use.

use super::{Op, Words};

/// Numbers of ordinary size made from an operand.
fn number(a: u128) -> f64 {
    (a as i64) as f64 / ((a >> 64) as u32 as f64 + 1.0)
}

/// The bits of a number; which NaN an operation gives is left open.
fn bits(x: f64) -> u64 {
    if x.is_nan() { u64::MAX } else { x.to_bits() }
}

fn bits32(x: f32) -> u32 {
    if x.is_nan() { u32::MAX } else { x.to_bits() }
}

fn arithmetic(a: u128, b: u128) -> Words {
    let (x, y) = (number(a), number(b));
    let first = bits(x + y) ^ bits(x * y).rotate_left(1);
    let second = bits(x - y) ^ bits(x / (y + 0.5)).rotate_left(1);
    [u128::from(first), u128::from(second)]
}

fn arithmetic32(a: u128, b: u128) -> Words {
    let (x, y) = (number(a) as f32, number(b) as f32);
    let first = bits32(x + y) ^ bits32(x * y).rotate_left(1);
    let second = bits32(x - y) ^ bits32(x / (y + 0.5)).rotate_left(1);
    [
        u128::from(first),
        u128::from(second) << 32 | u128::from(bits(f64::from(x) + 1.0)),
    ]
}

fn comparison(a: u128, b: u128) -> Words {
    let (x, y) = (f64::from_bits(a as u64), f64::from_bits(b as u64));
    let flags = [
        x < y,
        x <= y,
        x == y,
        x != y,
        x > y,
        x >= y,
        x.is_nan(),
        x < 1e9,
        y.is_infinite(),
    ];
    let folded = flags.iter().fold(0u128, |f, e| f << 1 | u128::from(*e));
    [folded, u128::from((-x).to_bits() ^ y.abs().to_bits())]
}

/// Negated, comparisons are what a NaN satisfies. Apart from the plain ones, lest
/// the compiler negate their results.
#[allow(
    clippy::double_comparisons,
    clippy::nonminimal_bool,
    clippy::neg_cmp_op_on_partial_ord
)]
fn negated(a: u128, b: u128) -> Words {
    let (x, y) = (f64::from_bits(a as u64), f64::from_bits(b as u64));
    let flags = [!(x < y), !(x <= y), !(x > y), !(x >= y)];
    let (p, q) = (f32::from_bits(a as u32), f32::from_bits(b as u32));
    let narrow = [p < q || p > q, !(p < q || p > q), p >= q, p == q];
    let fold = |flags: &[bool]| flags.iter().fold(0u128, |f, e| f << 1 | u128::from(*e));
    [fold(&flags), fold(&narrow)]
}

fn conversion(a: u128, b: u128) -> Words {
    let (x, y) = (f64::from_bits(a as u64), number(b));
    let small = [
        x as u8 as u64,
        x as i8 as u64,
        y as u16 as u64,
        y as i32 as u64,
        y as u32 as u64,
    ];
    let folded = small.iter().fold(0u64, |f, v| f.rotate_left(11) ^ v);
    let wide = (x as u64) ^ (y as i64 as u64) ^ (x as i64 as u64).rotate_left(3);
    let made =
        (a as u64 as f64).to_bits() ^ (b as i32 as f64).to_bits() ^ (b as u8 as f64).to_bits();
    let halves = u64::from((a as u64 as f32).to_bits()) ^ u64::from((b as i64 as f32).to_bits());
    [
        u128::from(folded) << 64 | u128::from(wide),
        u128::from(made) << 64 | u128::from(halves) ^ ((y as u128) ^ (x as i128 as u128)),
    ]
}

fn rent(a: u128, b: u128) -> Words {
    let bytes = (a as u32) as u64;
    let exact = ((bytes + 128) * 3480) as f64 * 2.0;
    [
        u128::from(exact as u64),
        ((bytes as f64) * number(b)) as u64 as u128,
    ]
}

pub(super) const OPS: &[Op] = &[
    ("f64 arithmetic", arithmetic),
    ("f32 arithmetic", arithmetic32),
    ("float comparison", comparison),
    ("negated float comparison", negated),
    ("float conversion", conversion),
    ("rent", rent),
];
