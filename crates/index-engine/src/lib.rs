//! Index orders, from a user's intent to a token and its invoice.
//!
//! The component-level consensus of the Index Maker paper as a state machine
//! that a program can enforce: each component is a role that signs, each
//! transition is checked against one table, and each leaves an event in the
//! hash chain of its record. Everything works on records and byte slices and
//! takes time and the hash function as arguments, so the same code runs on
//! chain, in the SDK and in an audit.
//!
//! In the order in which an index order travels it:
//!
//! | module | room for |
//! |---|---|
//! | [`amounts`] | units, wide exact arithmetic, slices of lots |
//! | [`store`] | records, pools and lists in account bytes |
//! | [`chain`] | events and the hash chain they form |
//! | [`roles`] | the desk, its six roles and its limits |
//! | [`machine`] | states, actions and the table of transitions |
//! | [`updates`] | update lots: push, reduce, flip |
//! | [`orders`] | the order record and its transitions |
//! | [`collateral`] | deposit lots and spend lots |
//! | [`collateral_moves`] | ready, authorise, confirm, release, withdraw |
//! | [`gates`] | what changes an order and its collateral at once |
//! | [`batch`] | a batch's account: assets, members, cells, lots |
//! | [`engage`] | building a batch: frozen fractions, seal, send |
//! | [`backing`] | what a member gets: weights of the index, the owner's price |
//! | [`members`] | a batch at work: lock, fill, attribute, complete |
//! | [`carry`] | lots left over, kept for the next batch |
//! | [`invoice`] | what a minted order cost, lot by lot |
//! | [`inventory`] | inventory lots of an asset, long or short |
//! | [`market`] | age of market data, two-sided quotes, supply of an index |
//! | [`pending`] | orders against the market, continued in chunks by anyone |
//! | [`allotment`] | frozen shares of the market's capacity |
//! | [`rebalance`] | new weights: proposed, announced, in force, traded |
//! | [`records`] | heads of the market's and the index's account |
//! | [`table`] | named vectors that stored programs read and write |
//! | [`audit`] | proof that no event is missing or altered |
#![cfg_attr(not(test), no_std)]

pub mod allotment;
pub mod amounts;
pub mod audit;
pub mod backing;
pub mod batch;
pub mod carry;
pub mod chain;
pub mod collateral;
pub mod collateral_moves;
pub mod engage;
pub mod gates;
pub mod inventory;
pub mod invoice;
mod lots;
pub mod machine;
pub mod market;
pub mod members;
pub mod orders;
pub mod pending;
pub mod rebalance;
pub mod records;
pub mod roles;
mod steps;
pub mod store;
pub mod table;
pub mod updates;

#[cfg(test)]
mod tests;

pub use flagstone_interface::error::IndexError;

/// Result of an engine operation.
pub type Result<T> = core::result::Result<T, IndexError>;
