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
//! | [`plan`] | which leg to close, how much of it, and within which bounds |
//! | [`band`] | how much worse than the mark a delegate may trade |
//! | [`cover`] | how much insurance may pay |
//! | [`times`] | grace, life of a ticket, and what follows |
#![cfg_attr(not(test), no_std)]

pub mod band;
pub mod cover;
pub mod plan;
pub mod portfolio;
pub mod reading;
pub mod times;

pub use plan::Plan;
pub use portfolio::Standing;
pub use reading::{Leg, Reading, Unreadable};
