use crate::access::{
    Owned, current_slot, fail, journaled, key_of, require_same, require_top_level,
};
use crate::market::{Index, MarketRef};
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::amounts::Atoms;
use flagstone_index_engine::market::IndexState;
use flagstone_index_engine::records::IndexEvent;
use flagstone_index_engine::roles::Party;
use flagstone_units::Slot;

/// Limits of an index.
#[repr(C)]
#[derive(
    Clone,
    Copy,
    Debug,
    bytemuck::Pod,
    bytemuck::Zeroable,
    AnchorSerialize,
    AnchorDeserialize,
    IdlType,
)]
pub struct IndexLimits {
    /// Largest value of one chunk of an order, in atoms.
    pub order_atoms_max: u64,
    /// Age that a quote may have, in slots.
    pub quote_slots_max: u32,
    /// Market updates that a quote may be behind.
    pub quote_lag_max: u32,
    /// Slots between two chunks of one order.
    pub chunk_gap_slots: u32,
    /// 1 while nobody may trade.
    pub paused: u32,
}

/// Accounts of what the administrator does to an index.
#[derive(Accounts)]
pub struct AdministerIndex {
    /// The index.
    #[account(mut)]
    pub index: Owned,
    /// Its market.
    pub market: Owned,
    /// The market's administrator.
    pub admin: Signer,
}

/// The index, and its administrator, who signed.
pub fn administered(accounts: &mut AdministerIndex) -> Result<(Index<'_>, Party)> {
    let signer = *key_of(&accounts.admin);
    let market_key = *accounts.market.key();
    let market = MarketRef::open(accounts.market.bytes())?.head;
    let party = Party::owner(&market.admin, &signer).map_err(fail)?;
    let index = Index::open(accounts.index.bytes_mut())?;
    require_same(&index.head.market, &market_key)?;
    Ok((index, party))
}

/// Writes limits.
pub fn apply(state: &mut IndexState, limits: &IndexLimits) -> Result<()> {
    if limits.order_atoms_max == 0 || limits.paused > 1 {
        return Err(fail(IndexError::BadParameter));
    }
    state.order_atoms_max = Atoms(limits.order_atoms_max);
    state.quote_slots_max = Slot(limits.quote_slots_max);
    state.quote_lag_max = limits.quote_lag_max;
    state.chunk_gap_slots = Slot(limits.chunk_gap_slots);
    state.paused = limits.paused;
    Ok(())
}

#[inline(never)]
pub fn run(ctx: &mut Context<AdministerIndex>, limits: IndexLimits) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let (mut index, party) = administered(&mut ctx.accounts)?;
    apply(&mut index.head.state, &limits)?;
    journaled(now, |journal| {
        index.changed(
            IndexEvent::Set,
            &party,
            bytemuck::bytes_of(&limits),
            journal,
        )
    })
}
