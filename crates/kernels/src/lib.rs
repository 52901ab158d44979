//! Index kernels: the arithmetic of an index over a market of assets.
//!
//! Everything works on plain integers in slices that the caller owns: the same
//! code runs in a program, in the SDK and in benchmarks. Amounts are unsigned
//! 128-bit integers at 18 decimals; a signed quantity is a long/short pair.
//!
//! | module | room for |
//! |---|---|
//! | [`error`] | what a kernel can refuse |
//! | [`wide`] | 256-bit products, quotients and roots |
//! | [`compat`] | the paper's arithmetic, to the unit |
//! | `vil` | the paper's vector machine: bytecode, bounds, joins |
//! | `asm` | the assembler and disassembler of its listings |
#![cfg_attr(not(test), no_std)]

#[cfg(feature = "std")]
pub mod asm;
pub mod compat;
pub mod error;
pub mod vil;
pub mod wide;

pub use error::{KernelError, MathError};
