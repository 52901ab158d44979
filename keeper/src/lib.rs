//! Keepers as a library.
//!
//! A keeper looks at the chain, decides what is due and sends it; nothing that
//! it sends needs a signature but the fee payer's. It keeps no state, so that it
//! may be stopped, doubled or run late: every step is legal for anybody, and the
//! programs refuse what somebody else did first.
//!
//! | module | room for |
//! |---|---|
//! | [`chain`] | what a keeper needs of a chain |
//! | [`snapshot`] | the bytes of a slab, aligned and read |
//! | [`collateral`] | auctions of collateral that are worth buying in |
//! | [`liquidation`] | from an account below its margin to a slab without debt |
//! | [`source`] | where an account under liquidation can get margin from |
//! | [`counters`] | opposite positions for a deleveraging |
//! | [`cranks`] | marks, funding, batches, expiries, bookings |

pub mod chain;
pub mod collateral;
pub mod counters;
pub mod cranks;
pub mod liquidation;
pub mod snapshot;
pub mod source;

pub use chain::Chain;
pub use collateral::{Bidder, Offer};
pub use cranks::{Crank, Cranks, Turn};
pub use liquidation::{Liquidator, Step, Task};
pub use snapshot::Snapshot;
