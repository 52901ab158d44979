//! More arguments than registers and results wider than one, called directly,
//! through function pointers and through traits.

use core::hint::black_box;

use super::{Op, Words};

#[inline(never)]
fn six(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> u64 {
    a ^ b.rotate_left(1) ^ c.rotate_left(2) ^ d.rotate_left(3) ^ e.rotate_left(4) ^ f.rotate_left(5)
}

#[inline(never)]
#[allow(clippy::too_many_arguments)]
fn nine(a: u8, b: u16, c: u32, d: u64, e: i8, f: i16, g: i32, h: i64, i: bool) -> i64 {
    let small = i64::from(a) + i64::from(b) + i64::from(c) + i64::from(e) + i64::from(f);
    let large = (d as i64)
        .wrapping_mul(3)
        .wrapping_sub(h)
        .wrapping_add(i64::from(g));
    if i {
        small.wrapping_sub(large)
    } else {
        small.wrapping_add(large)
    }
}

#[inline(never)]
fn mixed(a: u128, b: u8, c: i128, d: bool, e: &u64, f: u128) -> i128 {
    let sum = (a as i128).wrapping_add(c).wrapping_add(f as i128);
    let extra = i128::from(b).wrapping_add(i128::from(*e));
    if d {
        sum.wrapping_sub(extra)
    } else {
        sum.wrapping_mul(extra)
    }
}

/// Four words.
#[derive(Clone, Copy)]
struct Quad {
    first: u64,
    second: u32,
    third: u8,
    fourth: u128,
}

impl Quad {
    fn words(self) -> Words {
        let small = u128::from(self.first) ^ (u128::from(self.second) << 64);
        [small ^ (u128::from(self.third) << 96), self.fourth]
    }
}

#[inline(never)]
fn pair(a: u64, b: u64) -> (u64, u64) {
    (a.wrapping_add(b), a ^ b)
}

#[inline(never)]
fn pair_of_unequals(a: u64, b: u64) -> (u8, u128) {
    (a as u8, u128::from(a) * u128::from(b))
}

#[inline(never)]
fn quad(a: u128, b: u128) -> Quad {
    Quad {
        first: a as u64,
        second: b as u32,
        third: (a >> 64) as u8,
        fourth: a ^ b,
    }
}

#[inline(never)]
fn quad_of_seven(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64) -> Quad {
    let fourth = u128::from(c ^ d) << 64 | u128::from(e.wrapping_add(f) ^ g);
    Quad {
        first: a,
        second: b as u32,
        third: g as u8,
        fourth,
    }
}

#[inline(never)]
fn optional(a: u128, b: u128) -> Option<u128> {
    (a > b).then(|| a - b)
}

#[inline(never)]
fn fallible(a: u64, b: u64) -> Result<u64, u32> {
    a.checked_sub(b).ok_or(b as u32)
}

#[inline(never)]
fn sum_of_quad(q: Quad, r: Quad) -> u128 {
    q.words()[0].wrapping_add(r.words()[1])
}

/// Passed and returned by value to C's rules.
#[repr(C)]
#[derive(Clone, Copy)]
struct Triple(u64, u64, u64);

extern "C" fn foreign(q: Triple, r: u128) -> Triple {
    Triple(q.0 ^ r as u64, q.1 ^ (r >> 64) as u64, q.2.wrapping_add(1))
}

/// Implemented twice, so that calls go through a table.
trait Shape {
    fn area(&self, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> u128;
    fn split(&self, a: u128) -> (u128, bool);
}

struct Flat(u64);
struct Deep(u128);

impl Shape for Flat {
    fn area(&self, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> u128 {
        u128::from(six(a, b, c, d, e, f)) * u128::from(self.0)
    }
    fn split(&self, a: u128) -> (u128, bool) {
        (a / u128::from(self.0 | 1), a & 1 == 1)
    }
}

impl Shape for Deep {
    fn area(&self, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> u128 {
        self.0.wrapping_sub(u128::from(six(f, e, d, c, b, a)))
    }
    fn split(&self, a: u128) -> (u128, bool) {
        (a.wrapping_mul(self.0), a < self.0)
    }
}

#[inline(never)]
fn shaped(shape: &dyn Shape, a: u128, b: u128) -> Words {
    let (low, high) = (a as u64, (a >> 64) as u64);
    let area = shape.area(low, high, b as u64, (b >> 64) as u64, 5, 6);
    let (part, flag) = shape.split(area ^ b);
    [area, part ^ u128::from(flag)]
}

fn halves(a: u128) -> (u64, u64) {
    (a as u64, (a >> 64) as u64)
}

fn op_six(a: u128, b: u128) -> Words {
    let ((a, c), (b, d)) = (halves(a), halves(b));
    let through: fn(u64, u64, u64, u64, u64, u64) -> u64 = black_box(six);
    [
        u128::from(six(a, b, c, d, 7, a)),
        u128::from(through(d, c, b, a, b, 9)),
    ]
}

fn op_nine(a: u128, b: u128) -> Words {
    let ((w, x), (y, z)) = (halves(a), halves(b));
    let through: fn(u8, u16, u32, u64, i8, i16, i32, i64, bool) -> i64 = black_box(nine);
    let direct = nine(
        w as u8,
        x as u16,
        y as u32,
        z,
        w as i8,
        x as i16,
        y as i32,
        z as i64,
        w > x,
    );
    let other = through(
        z as u8,
        y as u16,
        x as u32,
        w,
        z as i8,
        y as i16,
        x as i32,
        w as i64,
        y > z,
    );
    [direct as u128, other as u128]
}

fn op_mixed(a: u128, b: u128) -> Words {
    let word = (a ^ b) as u64;
    let through: fn(u128, u8, i128, bool, &u64, u128) -> i128 = black_box(mixed);
    let direct = mixed(a, b as u8, b as i128, a > b, &word, a ^ b);
    [
        direct as u128,
        through(b, a as u8, a as i128, a < b, &word, 5) as u128,
    ]
}

fn op_pairs(a: u128, b: u128) -> Words {
    let (sum, xor) = pair(a as u64, b as u64);
    let through: fn(u64, u64) -> (u8, u128) = black_box(pair_of_unequals);
    let (byte, product) = through(sum, xor);
    [
        u128::from(sum) << 64 | u128::from(xor),
        product ^ u128::from(byte),
    ]
}

fn op_quads(a: u128, b: u128) -> Words {
    let through: fn(u128, u128) -> Quad = black_box(quad);
    let ((w, x), (y, z)) = (halves(a), halves(b));
    let large = quad_of_seven(w, x, y, z, w, x, y);
    [
        sum_of_quad(quad(a, b), through(b, a)),
        large.words()[0] ^ large.words()[1],
    ]
}

fn op_options(a: u128, b: u128) -> Words {
    let through: fn(u128, u128) -> Option<u128> = black_box(optional);
    let first = optional(a, b).map_or(1, |v| v ^ 3);
    let second = match fallible(a as u64, b as u64) {
        Ok(value) => u128::from(value),
        Err(code) => u128::from(code) << 64,
    };
    [first, through(b, a).unwrap_or(7) ^ second]
}

fn op_traits(a: u128, b: u128) -> Words {
    let shapes: [&dyn Shape; 2] = [&Flat(a as u64), &Deep(b)];
    let pick = black_box((a & 1) as usize);
    shaped(shapes[pick], a, b)
}

fn op_foreign(a: u128, b: u128) -> Words {
    let through: extern "C" fn(Triple, u128) -> Triple = black_box(foreign);
    let result = through(Triple(a as u64, b as u64, 3), b);
    [
        u128::from(result.0) << 64 | u128::from(result.1),
        u128::from(result.2),
    ]
}

fn op_closure(a: u128, b: u128) -> Words {
    let add = |c: u128, d: u64, e: u64, f: u64| a.wrapping_add(c) ^ u128::from(d ^ e ^ f);
    let call: &dyn Fn(u128, u64, u64, u64) -> u128 = black_box(&add);
    [call(b, 1, a as u64, b as u64), call(a, 2, 3, 4)]
}

fn op_recursion(a: u128, b: u128) -> Words {
    fn gcd(a: u128, b: u128, depth: u32) -> (u128, u32) {
        if b == 0 || depth == 40 {
            (a, depth)
        } else {
            gcd(b, a % b, depth + 1)
        }
    }
    let (value, depth) = gcd(a, b, 0);
    [value, u128::from(depth)]
}

pub(super) const OPS: &[Op] = &[
    ("six arguments", op_six),
    ("nine arguments", op_nine),
    ("mixed arguments", op_mixed),
    ("pairs", op_pairs),
    ("structs", op_quads),
    ("options and results", op_options),
    ("traits", op_traits),
    ("C functions", op_foreign),
    ("closures", op_closure),
    ("recursion", op_recursion),
];
