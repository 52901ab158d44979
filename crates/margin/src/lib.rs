//! Health of a portfolio, and the plan of a liquidation.
//!
//! The Router reads slab accounts as they lie in the bytes of a slab that
//! belongs to another program: every offset is checked, every list is bounded
//! and no sum wraps. The SDK and the keepers read the same way, so that all
//! three agree about who is to be liquidated.
//!
//! | module | room for |
//! |---|---|
//! | [`reading`] | one slab account, read live: equity, margins, its largest leg |
//! | [`portfolio`] | the set of a user's slab accounts |
//! | [`exposure`] | what one slab account holds, to be marked later |
//! | [`health`] | equity and margins of a portfolio at the marks, liquidation prices |
//! | [`grid`] | the shared funding rate out of the slabs' own |
//! | [`plan`] | which leg to close, how much of it, and within which bounds |
//! | [`band`] | how much worse than the mark a delegate may trade |
//! | [`shift`] | what one account can give for another |
//! | [`cover`] | how much insurance may pay |
//! | [`collateral`] | what collateral is sold for, and how much of it |
//! | [`times`] | grace, life of a ticket, and what follows |
#![cfg_attr(not(test), no_std)]

pub mod band;
pub mod collateral;
pub mod cover;
pub mod exposure;
pub mod grid;
pub mod health;
pub mod plan;
pub mod portfolio;
pub mod reading;
pub mod shift;
pub mod times;

pub use health::{AccountHealth, Mark, PortfolioHealth};
pub use plan::Plan;
pub use portfolio::Standing;
pub use reading::{Leg, Reading, Unreadable};
