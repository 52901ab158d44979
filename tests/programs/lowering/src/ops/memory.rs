//! Copies, fills and comparisons, small and large, and atomics.

use core::hint::black_box;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU64, Ordering, fence};

use super::{Op, Words, hash};

const ROOM: usize = 600;

/// Bytes that depend on the operands.
fn filled(a: u128, b: u128) -> [u8; ROOM] {
    let mut bytes = [0; ROOM];
    let seeds = [a.to_le_bytes(), b.to_le_bytes()];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = seeds[index / 16 % 2][index % 16].wrapping_add((index / 32) as u8);
    }
    bytes
}

fn copy(a: u128, b: u128) -> Words {
    let from = filled(a, b);
    let mut to = [0; ROOM];
    let (start, length) = ((a % 200) as usize, (b % 300) as usize);
    to[start..start + length].copy_from_slice(&from[200..200 + length]);
    let mut fixed = [0u8; 256];
    fixed.copy_from_slice(&black_box(&from)[start..start + 256]);
    let mut small = [0u8; 40];
    small.copy_from_slice(&black_box(&from)[start..start + 40]);
    [hash(&to), hash(&fixed) ^ hash(&small)]
}

fn overlap(a: u128, b: u128) -> Words {
    let mut bytes = filled(a, b);
    let (start, to, length) = ((a % 150) as usize, (b % 150) as usize, (a % 400) as usize);
    bytes.copy_within(start..start + length, to);
    let first = hash(&bytes);
    bytes.copy_within(3..27, 5);
    bytes.copy_within(40..300, 44);
    [first, hash(&bytes)]
}

fn fill(a: u128, b: u128) -> Words {
    let mut bytes = filled(a, b);
    let (start, length) = ((a % 200) as usize, (b % 400) as usize);
    bytes[start..start + length].fill(b as u8);
    bytes[..80].fill(a as u8);
    bytes[480..].fill(0xff);
    let zeros = black_box([0u64; 40]);
    [hash(&bytes), u128::from(zeros[(a % 40) as usize])]
}

fn compare(a: u128, b: u128) -> Words {
    let left = filled(a, b);
    let mut right = left;
    let length = (a % 600) as usize;
    right[(b % 600) as usize] ^= (b >> 100) as u8 & 1;
    let order = left[..length].cmp(&right[..length]) as i8;
    let equal = [
        left[..length] == right[..length],
        left[8..40] == right[8..40],
        left[8..9] == right[8..9],
        left[3..50] == right[3..50],
        left[..] == right[..],
    ];
    let flags = equal.iter().fold(0u128, |f, e| f << 1 | u128::from(*e));
    [order as u128, flags]
}

fn words(a: u128, b: u128) -> Words {
    let left = [a, b, a ^ b, a.wrapping_add(b)];
    let mut right = black_box(left);
    right.swap(0, (b % 4) as usize);
    right.reverse();
    let picked = right[(a % 4) as usize];
    let same = left == right;
    [picked, u128::from(same)]
}

fn unaligned(a: u128, b: u128) -> Words {
    let bytes = filled(a, b);
    let at = (a % 64) as usize;
    let read = |n: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[n..n + 8]);
        u64::from_le_bytes(word)
    };
    let half = u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    [
        u128::from(read(at)) << 64 | u128::from(read(at + 3)),
        u128::from(half),
    ]
}

fn atomics(a: u128, b: u128) -> Words {
    let word = AtomicU64::new(a as u64);
    let word = black_box(&word);
    let mut seen = word.fetch_add(b as u64, Ordering::SeqCst);
    seen ^= word.swap((b >> 64) as u64, Ordering::AcqRel);
    seen ^= word.fetch_max((a >> 64) as u64, Ordering::Relaxed);
    seen ^= word.fetch_nand(b as u64, Ordering::SeqCst);
    fence(Ordering::SeqCst);
    let exchanged = word.compare_exchange(seen, 5, Ordering::SeqCst, Ordering::Relaxed);
    let again = word.compare_exchange_weak(
        word.load(Ordering::Acquire),
        a as u64 ^ 1,
        Ordering::SeqCst,
        Ordering::Relaxed,
    );
    let small = AtomicU8::new(a as u8);
    let small = black_box(&small);
    small.fetch_sub(b as u8, Ordering::SeqCst);
    let signed = AtomicI32::new(a as i32);
    let signed = black_box(&signed);
    signed.fetch_min(b as i32, Ordering::SeqCst);
    let flag = AtomicBool::new(a & 1 == 0);
    let flag = black_box(&flag).fetch_or(b & 1 == 0, Ordering::SeqCst);
    let rest = u128::from(small.load(Ordering::SeqCst)) << 40
        | u128::from(signed.load(Ordering::SeqCst) as u32)
        | u128::from(flag) << 80
        | u128::from(exchanged.is_ok()) << 81
        | u128::from(again.is_ok()) << 82;
    [
        u128::from(seen) << 64 | u128::from(word.load(Ordering::SeqCst)),
        rest,
    ]
}

pub(super) const OPS: &[Op] = &[
    ("copy", copy),
    ("overlapping copy", overlap),
    ("fill", fill),
    ("compare", compare),
    ("arrays of wide words", words),
    ("unaligned access", unaligned),
    ("atomics", atomics),
];
