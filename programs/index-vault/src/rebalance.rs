//! The account of an index's next weights, seen as head and vectors.

use crate::access::fail;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::rebalance::RebalanceHead;
use flagstone_index_engine::store;
use flagstone_kernels::index::{Constituent, INDEX_CONSTITUENTS_MAX};
use flagstone_kernels::market::MARKET_ASSETS_MAX;
use flagstone_kernels::rebalance::Leg;

/// What an index may become, and what it has left to trade.
pub struct Rebalance<'a> {
    /// Head.
    pub head: &'a mut RebalanceHead,
    /// Room for proposed constituents; `head.proposed` are in use.
    pub proposed: &'a mut [Constituent],
    /// Room for legs; `head.legs` are in use.
    pub legs: &'a mut [Leg],
}

impl<'a> Rebalance<'a> {
    /// Legs that an account of this length has room for, beside so many constituents.
    pub fn leg_capacity(bytes: usize, constituents: u32) -> Result<u32> {
        let constituents = constituents as usize;
        if constituents == 0 || constituents > INDEX_CONSTITUENTS_MAX {
            return Err(fail(IndexError::BadCapacity));
        }
        let taken = size_of::<RebalanceHead>() + constituents * size_of::<Constituent>();
        let room = bytes.saturating_sub(taken) / size_of::<Leg>();
        if room < constituents {
            return Err(fail(IndexError::BadCapacity));
        }
        Ok(room.min(MARKET_ASSETS_MAX) as u32)
    }

    /// Views account bytes as the account of an index.
    pub fn open(data: &'a mut [u8], index: &[u8; 32]) -> Result<Self> {
        store::record::<RebalanceHead>(data).map_err(fail)?;
        let (head, rest) = store::split_record::<RebalanceHead>(data).map_err(fail)?;
        crate::access::require_same(&head.index, index)?;
        let (proposed, rest) = store::split(rest, head.capacity as usize).map_err(fail)?;
        let (legs, _) = store::split(rest, head.leg_capacity as usize).map_err(fail)?;
        Ok(Self {
            head,
            proposed,
            legs,
        })
    }
}
