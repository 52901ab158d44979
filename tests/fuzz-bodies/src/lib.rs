//! What the fuzz targets do with their input.
//!
//! The targets themselves, in `fuzz/`, need a nightly compiler and a fuzzer.
//! All they do is call a function of this crate, so that a plain test replays
//! every committed input on the stable compiler as well.
//!
//! | target | input | what has to hold |
//! |---|---|---|
//! | [`slab_operations`] | a sequence of engine operations | every invariant, after each |
//! | [`account_bytes`] | bytes of accounts and events | decoders refuse or read, and never panic |
//! | [`vil_programs`] | a program of the vector machine, or a market | its bounds; listing = native kernel |
//! | [`index_history`] | accounts and events of the index-vault | as `account_bytes`; an altered history shows |

mod account_bytes;
// The engine's own test exchange: slab, escrows, clock, and undo on error.
#[path = "../../../crates/slab-engine/tests/common/mod.rs"]
mod common;
mod index_history;
mod input;
mod setting;
mod slab_operations;
mod vil_programs;

pub use account_bytes::account_bytes;
pub use index_history::index_history;
pub use slab_operations::{OPERATIONS, slab_operations};
pub use vil_programs::vil_programs;
