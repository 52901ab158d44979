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
//! | [`factor`] | one number times many |
//! | [`sum`] | sums of products, exact |
//! | [`compat`] | the paper's arithmetic, to the unit |
//! | [`stable`] | the suite's arithmetic: exact inside, rounded once, against the trader |
//! | [`quadratic`] | the paper's solver of the price function, both sides |
//! | [`reach`] | the least of many ratios with almost no divisions |
//! | [`amount`] | amounts and labels as they lie in an account |
//! | [`market`] | assets by slot; supply, market data, margin, new assets |
//! | [`book`] | price, slope and liquidity of an order book's levels |
//! | [`index`] | constituents and the quote of an index |
//! | [`capacity`] | what margin lets through, and shares of it |
//! | [`arithmetic`] | the two arithmetics behind one set of routines |
//! | [`orders`] | buy, sell, transfer |
//! | [`rebalance`] | new weights: what to trade, and trading it in steps |
//! | `vil` | the paper's vector machine: bytecode, bounds, joins |
//! | `asm` | the assembler and disassembler of its listings |
#![cfg_attr(not(test), no_std)]

pub mod amount;
pub mod arithmetic;
#[cfg(feature = "std")]
pub mod asm;
pub mod book;
pub mod capacity;
pub mod compat;
pub mod error;
pub mod factor;
pub mod index;
pub mod market;
pub mod orders;
pub mod quadratic;
pub mod reach;
pub mod rebalance;
pub mod stable;
pub mod sum;
pub mod vil;
pub mod wide;

pub use amount::{Amount, Label};
pub use arithmetic::{Arithmetic, Compat, Stable};
pub use error::{KernelError, MathError};
