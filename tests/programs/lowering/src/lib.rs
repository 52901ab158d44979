//! Exercises every operation that the portable SBF build lowers. Run by
//! `tests/lowering`, which compares the results with the host's.
//!
//! The instruction's data says what to do: `[0, number as u16]` runs an
//! operation on every record of the one account, `[1, kind]` panics.

pub mod ops;
#[cfg(target_os = "solana")]
mod program;

/// A record of the account: two operands, two words of result.
pub const RECORD: usize = 64;

/// Failures that a program may run into; each logs why.
pub mod failure {
    use core::cell::RefCell;
    use core::hint::black_box;

    /// How many kinds there are.
    pub const KINDS: u8 = 11;

    /// Fails in the given way, with `n` in the message where there is one.
    pub fn cause(kind: u8, n: u64) -> u64 {
        let list = [1u64, 2, 3];
        let cell = RefCell::new(n);
        match kind {
            0 => panic!("the number is {n}"),
            1 => list[black_box(n) as usize],
            2 => black_box(u64::MAX) + n,
            3 => black_box(None::<u64>).unwrap(),
            4 => black_box(Err::<u64, &str>("no luck")).expect("some luck"),
            5 => n / black_box(0),
            6 => {
                let _first = cell.borrow_mut();
                *cell.borrow_mut()
            }
            7 => {
                assert_eq!(n, list[0], "left and right");
                n
            }
            8 => black_box(Vec::<u64>::with_capacity(black_box(1 << 20))).len() as u64,
            9 => std::panic::panic_any(n),
            10 => black_box("żółw")[..black_box(n) as usize].len() as u64,
            _ => 0,
        }
    }
}
