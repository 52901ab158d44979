//! What the market backs for a desk: tokens whose assets a desk bought.
//!
//! They count from the fill on, as those of a buy against the market do from
//! its chunk on, and not from the mint: a change of weights in between is then
//! a debt of the index like any other, and covered by its legs.

use crate::access::{Owned, fail, kernel, require_same};
use crate::fill::TOKEN;
use crate::market::{Index, Market};
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::amounts::Tokens;
use flagstone_interface::Key;
use flagstone_kernels::KernelError;
use flagstone_kernels::arithmetic::{Arithmetic, Stable};
use flagstone_kernels::factor::Factor;
use flagstone_kernels::market::{Asset, asset_mut};

/// The market and the index of a desk's order.
pub struct Backing<'a> {
    market: Market<'a>,
    index: Index<'a>,
}

impl<'a> Backing<'a> {
    /// Puts the two together; `named` is the index that the order names.
    pub fn open(market: &'a mut Owned, index: &'a mut Owned, named: &Key) -> Result<Self> {
        require_same(named, index.key())?;
        let market_key = *market.key();
        Ok(Self {
            index: Index::open_sealed(index.bytes_mut(), &market_key)?,
            market: Market::open(market.bytes_mut())?,
        })
    }

    /// Refuses an order that was engaged for weights no longer in force: what
    /// its batch bought is not what its tokens stand for.
    pub fn check_weights(&self, engaged_for: u64) -> Result<()> {
        if self.index.head.state.weights_version == engaged_for {
            Ok(())
        } else {
            Err(fail(IndexError::OldWeights))
        }
    }

    /// Adds tokens and what they stand for, rounded up.
    pub fn add(&mut self, tokens: Tokens) -> Result<()> {
        let minted = &mut self.index.head.state.minted;
        *minted = minted.plus(tokens).map_err(fail)?;
        let factor = Factor::new(u128::from(tokens.0) * TOKEN);
        self.each(|asset, weight| asset.demand_more(Stable::bought(&factor, weight)?))
    }

    /// Takes back what was added for an order that is not paid: the assets
    /// stay the desk's. Rounded down, so that more rather than less is backed.
    pub fn take_back(&mut self, tokens: Tokens) -> Result<()> {
        let minted = &mut self.index.head.state.minted;
        *minted = minted.minus(tokens).map_err(fail)?;
        let factor = Factor::new(u128::from(tokens.0) * TOKEN);
        self.each(|asset, weight| asset.demand_less(Stable::sold(&factor, weight)?))
    }

    /// Changes the demand of each constituent.
    #[inline(never)]
    fn each(
        &mut self,
        change: impl Fn(&mut Asset, u128) -> core::result::Result<(), KernelError>,
    ) -> Result<()> {
        let used = (self.market.head.assets as usize).min(self.market.assets.len());
        let assets = &mut self.market.assets[..used];
        for constituent in &*self.index.constituents {
            let asset = asset_mut(assets, constituent.place).map_err(kernel)?;
            change(asset, constituent.weight.get()).map_err(kernel)?;
            asset.refresh_delta().map_err(kernel)?;
        }
        Ok(())
    }
}
