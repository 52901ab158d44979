//! The operations: plain functions of two 128-bit operands, compiled for SBF in
//! the program and for the host in the test.

mod calls;
mod floats;
mod integers;
mod library;
mod memory;

use core::hint::black_box;

/// Two words of result: usually a value and a flag.
pub type Words = [u128; 2];

/// An operation and its name in messages.
pub type Op = (&'static str, fn(u128, u128) -> Words);

/// All operations, by group.
pub const GROUPS: [&[Op]; 5] = [
    integers::OPS,
    calls::OPS,
    memory::OPS,
    floats::OPS,
    library::OPS,
];

/// How many operations there are.
pub fn count() -> usize {
    GROUPS.iter().map(|group| group.len()).sum()
}

/// The operation of that number.
pub fn nth(mut index: usize) -> Option<Op> {
    for group in GROUPS {
        match group.get(index) {
            Some(op) => return Some(*op),
            None => index -= group.len(),
        }
    }
    None
}

/// Runs an operation where the compiler cannot see the operands.
pub fn run(op: Op, a: u128, b: u128) -> Words {
    (op.1)(black_box(a), black_box(b))
}

/// A digest of bytes, for results that are not two words.
pub(crate) fn hash(bytes: &[u8]) -> u128 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    let step = |h: u64, b: &u8| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3);
    u128::from(bytes.iter().fold(start, step))
}
