//! A market's and an index's account, seen as head and vectors.

use crate::access::fail;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::chain::Journal;
use flagstone_index_engine::records::{
    IndexChanged, IndexEvent, IndexHead, MarketChanged, MarketEvent, MarketHead,
};
use flagstone_index_engine::roles::Party;
use flagstone_index_engine::store;
use flagstone_kernels::index::{Constituent, INDEX_CONSTITUENTS_MAX};
use flagstone_kernels::market::{Asset, MARKET_ASSETS_MAX};
use flagstone_units::Slot;

/// Bytes of an asset: its record, and the slot of its data.
const ASSET_BYTES: usize = size_of::<Asset>() + size_of::<Slot>();

/// A market.
pub struct Market<'a> {
    /// Head.
    pub head: &'a mut MarketHead,
    /// Room for assets; `head.assets` are in use.
    pub assets: &'a mut [Asset],
    /// Slot of each asset's data; 0 for none yet.
    pub slots: &'a mut [Slot],
}

impl<'a> Market<'a> {
    /// Assets that an account of this length has room for.
    pub fn capacity(bytes: usize) -> Result<u32> {
        let room = bytes.saturating_sub(size_of::<MarketHead>());
        let fit = u32::try_from(room / ASSET_BYTES).unwrap_or(0);
        if fit == 0 || fit as usize > MARKET_ASSETS_MAX {
            return Err(fail(IndexError::BadCapacity));
        }
        Ok(fit)
    }

    /// Views account bytes as a market.
    pub fn open(data: &'a mut [u8]) -> Result<Self> {
        store::record::<MarketHead>(data).map_err(fail)?;
        let (head, rest) = store::split_record::<MarketHead>(data).map_err(fail)?;
        let capacity = head.capacity as usize;
        let (assets, rest) = store::split(rest, capacity).map_err(fail)?;
        let (slots, _) = store::split(rest, capacity).map_err(fail)?;
        Ok(Self {
            head,
            assets,
            slots,
        })
    }

    /// Appends an event to the market's history.
    pub fn changed(
        &mut self,
        kind: MarketEvent,
        party: &Party,
        amount_atoms: u64,
        list: &[u8],
        journal: &mut Journal<'_>,
    ) -> flagstone_index_engine::Result<()> {
        let event = MarketChanged {
            kind: kind as u8,
            padding: [0; 3],
            assets: self.head.assets,
            sequence: self.head.state.sequence,
            amount_atoms,
            reserve_atoms: self.head.reserve_atoms,
            list_hash: journal.hash(&[list]),
        };
        journal.record(&mut self.head.chain, party, &event)
    }
}

/// A market that is only read.
pub struct MarketRef<'a> {
    /// Head.
    pub head: &'a MarketHead,
    /// Assets in use.
    pub assets: &'a [Asset],
    /// Slot of each asset's data.
    pub slots: &'a [Slot],
}

impl<'a> MarketRef<'a> {
    /// Views account bytes as a market.
    pub fn open(data: &'a [u8]) -> Result<Self> {
        let head = read_head::<MarketHead>(data)?;
        let capacity = head.capacity as usize;
        let (count, from) = (head.assets as usize, size_of::<MarketHead>());
        let after = from + capacity * size_of::<Asset>();
        Ok(Self {
            head,
            assets: list(data, from, count.min(capacity))?,
            slots: list(data, after, count.min(capacity))?,
        })
    }
}

/// An index.
pub struct Index<'a> {
    /// Head.
    pub head: &'a mut IndexHead,
    /// Room for constituents; `head.constituents` are in use.
    pub constituents: &'a mut [Constituent],
}

impl<'a> Index<'a> {
    /// Constituents that an account of this length has room for.
    pub fn capacity(bytes: usize) -> Result<u32> {
        let room = bytes.saturating_sub(size_of::<IndexHead>());
        let fit = u32::try_from(room / size_of::<Constituent>()).unwrap_or(0);
        if fit == 0 || fit as usize > INDEX_CONSTITUENTS_MAX {
            return Err(fail(IndexError::BadCapacity));
        }
        Ok(fit)
    }

    /// Views account bytes as an index.
    pub fn open(data: &'a mut [u8]) -> Result<Self> {
        store::record::<IndexHead>(data).map_err(fail)?;
        let (head, rest) = store::split_record::<IndexHead>(data).map_err(fail)?;
        let (constituents, _) = store::split(rest, head.capacity as usize).map_err(fail)?;
        Ok(Self { head, constituents })
    }

    /// Views account bytes as an index of `market` whose weights are in force:
    /// its head and the constituents in use.
    pub fn open_sealed(data: &'a mut [u8], market: &[u8; 32]) -> Result<Self> {
        let index = Self::open(data)?;
        crate::access::require_same(&index.head.market, market)?;
        if index.head.sealed == 0 {
            return Err(fail(IndexError::IllegalTransition));
        }
        let used = (index.head.constituents as usize).min(index.constituents.len());
        Ok(Self {
            head: index.head,
            constituents: &mut index.constituents[..used],
        })
    }

    /// Appends an event to the index's history.
    pub fn changed(
        &mut self,
        kind: IndexEvent,
        party: &Party,
        list: &[u8],
        journal: &mut Journal<'_>,
    ) -> flagstone_index_engine::Result<()> {
        let state = &self.head.state;
        let event = IndexChanged {
            kind: kind as u8,
            padding: [0; 3],
            constituents: self.head.constituents,
            weights_version: state.weights_version,
            market_sequence: state.quote.market_sequence,
            ask: state.quote.ask,
            list_hash: journal.hash(&[list]),
        };
        journal.record(&mut self.head.chain, party, &event)
    }
}

/// An index that is only read: its head and the constituents in use.
pub fn read_index(data: &[u8]) -> Result<(&IndexHead, &[Constituent])> {
    let head = read_head::<IndexHead>(data)?;
    let used = head.constituents.min(head.capacity) as usize;
    Ok((head, list(data, size_of::<IndexHead>(), used)?))
}

/// A record at the start of an account.
pub fn read_head<T: flagstone_interface::Record>(data: &[u8]) -> Result<&T> {
    T::read(data).ok_or(fail(IndexError::WrongRecord))
}

fn list<T: bytemuck::Pod>(data: &[u8], from: usize, count: usize) -> Result<&[T]> {
    let bytes = data.get(from..from + count * size_of::<T>());
    bytes
        .and_then(|bytes| bytemuck::try_cast_slice(bytes).ok())
        .ok_or(fail(IndexError::BadCapacity))
}
