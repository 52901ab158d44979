use crate::access::{
    current_slot, fail, journaled, kernel, key_of, require_same, require_top_level,
};
use crate::fill::TOKEN;
use crate::instructions::create_rebalance::Reweigh;
use crate::market::{Index, MarketRef};
use crate::rebalance::Rebalance;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::records::IndexEvent;
use flagstone_index_engine::roles::Party;
use flagstone_kernels::index::{Constituent, update_quote_dated};
use flagstone_kernels::rebalance::{reweight, widen};
use flagstone_kernels::{Amount, Stable};
use flagstone_units::Slot;

/// Brings the proposal with this hash into force. What that takes of assets
/// becomes the index's to trade; quotes and shares of the old weights are void.
#[inline(never)]
pub fn run(ctx: &mut Context<Reweigh>, proposal_hash: [u8; 32]) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let (market_key, index_key) = (*accounts.market.key(), *accounts.index.key());
    let market = MarketRef::open(accounts.market.bytes())?;
    let party = Party::owner(&market.head.admin, key_of(&accounts.admin)).map_err(fail)?;
    let mut index = Index::open(accounts.index.bytes_mut())?;
    require_same(&index.head.market, &market_key)?;
    let own = Rebalance::open(accounts.rebalance.bytes_mut(), &index_key)?;
    if own.head.proposal_hash != proposal_hash {
        return Err(fail(IndexError::OldWeights));
    }
    let used = (index.head.constituents as usize).min(index.constituents.len());
    let proposed = (own.head.proposed as usize).min(own.proposed.len());
    own.head
        .take_effect(&mut index.head.state, now)
        .map_err(fail)?;
    let (old, new) = (&index.constituents[..used], &own.proposed[..proposed]);
    let [before, after] = [value(&market, old, now)?, value(&market, new, now)?];
    own.head.check_value(before, after).map_err(fail)?;

    let outstanding = u128::from(index.head.state.backed().map_err(fail)?.0) * TOKEN;
    let pending = own.head.legs as usize;
    let legs = widen(own.legs, pending, [old, new]).map_err(kernel)?;
    reweight::<Stable>(&mut own.legs[..legs], [old, new], Amount::new(outstanding))
        .map_err(kernel)?;
    own.head.legs = legs as u32;
    let room = index.constituents.get_mut(..proposed);
    room.ok_or(fail(IndexError::MarketFull))?
        .copy_from_slice(new);
    index.head.constituents = proposed as u32;
    let weights = bytemuck::cast_slice(new);
    journaled(now, |journal| {
        index.changed(IndexEvent::WeightsChanged, &party, weights, journal)
    })
}

/// Price of a token, from data that is fresh for every asset in it.
fn value(market: &MarketRef<'_>, constituents: &[Constituent], now: Slot) -> Result<u128> {
    let slots = bytemuck::cast_slice(market.slots);
    let (quote, oldest) = update_quote_dated(market.assets, slots, constituents).map_err(kernel)?;
    let state = &market.head.state;
    state.check_fresh(Slot(oldest), now).map_err(fail)?;
    Ok(quote.price.get())
}
