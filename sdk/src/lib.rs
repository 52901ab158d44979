//! Rust SDK: typed instruction builders, account views, event decoding.
//!
//! Builders share their layouts with the programs through
//! `flagstone-interface` and `flagstone-slab-engine`, so the SDK cannot drift
//! from what runs on chain.
//!
//! | module | room for |
//! |---|---|
//! | [`address`] | program ids and derived addresses |
//! | [`router`] | instructions of the Router |
//! | [`slab`] | instructions of the Slab, creating a slab |
//! | [`index`] | instructions of the index-vault, views of its accounts |
//! | [`route`] | an order over several slabs: reserve, open, commit, settle |
//! | [`health`] | equity, margins and liquidation prices of a portfolio |
//! | [`root`] | proofs under a slab's Merkle root |
//! | [`events`] | events out of transaction logs (feature `embedded`) |
//! | [`replica`] | a slab rebuilt from its events: book, positions, fills |
//! | [`embedded`] | the real programs in an embedded SVM (feature `embedded`) |

pub mod address;
#[cfg(feature = "embedded")]
pub mod embedded;
#[cfg(feature = "embedded")]
pub mod events;
pub mod health;
pub mod index;
pub mod replica;
pub mod root;
pub mod route;
pub mod router;
pub mod slab;

pub use flagstone_index_engine as index_engine;
pub use flagstone_interface as interface;
pub use flagstone_kernels as kernels;
pub use flagstone_margin as margin;
pub use flagstone_slab_engine as engine;
pub use flagstone_units as units;

/// A copy of the record at the start of an account's data; `None` when it is
/// not one.
pub fn read_record<T: interface::Record>(data: &[u8]) -> Option<T> {
    let record: T = bytemuck::pod_read_unaligned(data.get(..size_of::<T>())?);
    // The stamp is checked on the aligned copy.
    T::read(bytemuck::bytes_of(&record)).copied()
}
