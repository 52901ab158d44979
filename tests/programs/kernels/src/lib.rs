//! Runs the index kernels over the bytes of one account, for measuring them.
//!
//! [`work`] is all there is to measure; `cargo xtask bench cu` compiles the same
//! file for the host, gives both the same bytes and wants the same bytes back.
//! Nothing is checked here that a program with users must check: who owns the
//! account, who signs, whether it is the account that was meant.

#[cfg(target_os = "solana")]
mod program;
pub mod work;
