//! The perpetuals engine that lives in one account.
//!
//! Everything here works on a byte slice and takes time as an argument, so the
//! same code runs inside the Slab program, in the SDK and in benchmarks.
//!
//! The data path, in the order in which an order travels it:
//!
//! | module | room for |
//! |---|---|
//! | [`layout`] | item layouts |
//! | [`capacities`] | how many items each pool holds, where each pool lies |
//! | [`pools`] | the typed view of a slab; handing out and taking back items |
//! | [`instruments`] | parameters and their bounds |
//! | [`governance`] | what the authority may change, within the registry |
//! | [`accounts`] | opening accounts, crediting deposits, closing accounts |
//! | [`levels`] | price levels: ordered lookup, neighbours, best price |
//! | [`book`] | orders in their queues: rest, wait, leave, evict |
//! | [`positions`] | open, increase, reduce, flip; cost basis and realised PnL |
//! | [`oracle`] | what an oracle account says, in ticks |
//! | [`marks`] | the mark: index and premium, or the book alone; staleness |
//! | [`risk`] | band, equity and margin |
//! | [`funding`] | what longs and shorts pay each other |
//! | [`matching`] | a taker meets the book |
//! | [`requests`] | orders to place and trades to make, and what became of them |
//! | [`orders`] | place and take: checks in order, then one change |
//! | [`cancels`] | orders that leave, or shrink, without a trade |
//! | [`batches`] | pending orders, promotion, freeze |
//! | [`aggressors`] | the tax on an aggressor's round trip |
//! | [`holds`] | reserve, and the ends that a hold can have |
//! | [`commits`] | commit: a hold trades and charges its capability |
//! | [`wheel`] | expired holds end by themselves |
//! | [`releases`] | what an account may give back to its escrow |
//! | [`tickets`] | the Router's leave to liquidate, checked |
//! | [`liquidations`] | the book takes over a position, on the Router's ticket |
//! | [`deleverages`] | opposite positions take what the book could not |
//! | [`shifts`] | margin for another slab, on the Router's shift ticket |
//! | [`deficits`] | bad debt: recognised, covered, or allocated to profits |
//! | [`roots`] | Merkle root of the accounts, built in bounded steps |
//! | [`audit`] | every invariant of a slab, recomputed from nothing |
#![cfg_attr(not(test), no_std)]

pub mod accounts;
pub mod aggressors;
pub mod audit;
pub mod batches;
pub mod book;
pub mod cancels;
pub mod capacities;
pub mod commits;
pub mod deficits;
pub mod deleverages;
pub mod funding;
pub mod governance;
pub mod holds;
pub mod instruments;
pub mod layout;
pub mod levels;
pub mod liquidations;
pub mod marks;
pub mod matching;
pub mod oracle;
pub mod orders;
pub mod pools;
pub mod positions;
pub mod releases;
pub mod requests;
pub mod risk;
pub mod roots;
pub mod shifts;
pub mod tickets;
pub mod wheel;

pub use capacities::{Capacities, SlabSize};
pub use flagstone_interface::error::SlabError;
pub use pools::Slab;

/// Result of an engine operation.
pub type Result<T> = core::result::Result<T, SlabError>;
