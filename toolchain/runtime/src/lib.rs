//! What SBF programs need at run time and the instruction set lacks: division
//! of 128-bit integers, and panics that say what happened.
//!
//! Compiled to bitcode by `cargo xtask build-sbf` and linked into every
//! program; on the host it exists to be tested.
#![cfg_attr(not(test), no_std)]

pub mod divide;
#[cfg(target_os = "solana")]
pub mod panics;
