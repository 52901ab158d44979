use crate::access::{
    current_slot, fail, hash, journaled, kernel, key_of, records, require_same, require_top_level,
};
use crate::instructions::add_constituents::{Added, constituent};
use crate::instructions::create_rebalance::Reweigh;
use crate::market::{Index, MarketRef};
use crate::rebalance::Rebalance;
use alloc::vec::Vec;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::records::IndexEvent;
use flagstone_index_engine::roles::Party;
use flagstone_kernels::index::check_slots;
use flagstone_kernels::market::asset;

/// In increasing order of slots, from the number `from` on; 0 starts a new
/// proposal, which is also how one that was announced is taken back. The last
/// part announces the whole, and its notice starts.
#[inline(never)]
pub fn run(
    ctx: &mut Context<Reweigh>,
    from: u32,
    announces: u8,
    constituents: &[u8],
) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let (market_key, index_key) = (*accounts.market.key(), *accounts.index.key());
    let market = MarketRef::open(accounts.market.bytes())?;
    let party = Party::owner(&market.head.admin, key_of(&accounts.admin)).map_err(fail)?;
    let mut index = Index::open(accounts.index.bytes_mut())?;
    require_same(&index.head.market, &market_key)?;
    let own = Rebalance::open(accounts.rebalance.bytes_mut(), &index_key)?;
    if announces > 1 {
        return Err(fail(IndexError::BadParameter));
    }
    let items: Vec<Added> = records(constituents)?;
    own.head.collect(from, items.len() as u32).map_err(fail)?;
    let used = own.head.proposed as usize;
    if used > index.constituents.len() {
        return Err(fail(IndexError::MarketFull));
    }
    let proposed = &mut own.proposed[..used];
    for (place, item) in proposed[from as usize..].iter_mut().zip(&items) {
        asset(market.assets, item.place).map_err(kernel)?;
        *place = constituent(item)?;
    }
    check_slots(proposed).map_err(kernel)?;
    if announces == 0 {
        return Ok(());
    }
    let weights = bytemuck::cast_slice(proposed);
    own.head.announce(hash(&[weights]), now).map_err(fail)?;
    journaled(now, |journal| {
        index.changed(IndexEvent::WeightsAnnounced, &party, weights, journal)
    })
}
