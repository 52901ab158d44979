//! The real programs in an embedded SVM.
//!
//! Tests, benchmarks and the demo all run here: the `.so` files that
//! `cargo xtask build-sbf` writes, SPL Token as on mainnet, transactions with
//! signatures and compute limits.

pub mod exchange;
pub mod journal;
pub mod oracle;
mod session;

pub use exchange::{Exchange, Member, Seat};
pub use journal::{Journal, Sent};
pub use oracle::{Oracle, PriceUpdate, oracle_instrument};
pub use session::{Failure, Receipt, Session, SessionError};
