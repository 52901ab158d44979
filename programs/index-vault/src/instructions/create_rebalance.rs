use crate::access::{
    Owned, current_slot, fail, journaled, key_of, require_same, require_seeded, require_top_level,
};
use crate::market::{Index, MarketRef};
use crate::rebalance::Rebalance;
use anchor_lang::prelude::*;
use bytemuck::Zeroable;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::rebalance::RebalanceHead;
use flagstone_index_engine::records::IndexEvent;
use flagstone_index_engine::roles::Party;
use flagstone_index_engine::store;
use flagstone_interface::Record;
use flagstone_units::{Ppm, Slot};

/// Accounts of what the administrator does to the weights of an index.
#[derive(Accounts)]
pub struct Reweigh {
    /// Account of the next weights; when it is made, zeroed and created with
    /// `admin` as base.
    #[account(mut)]
    pub rebalance: Owned,
    /// The index.
    #[account(mut)]
    pub index: Owned,
    /// Its market.
    pub market: Owned,
    /// The market's administrator.
    pub admin: Signer,
}

/// The account is the index's for ever, and so are its notice and its bound.
#[inline(never)]
pub fn run(
    ctx: &mut Context<Reweigh>,
    constituents: u32,
    notice_slots: u32,
    value_max_ppm: u32,
    seed: &str,
) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let (key, admin) = (*accounts.rebalance.key(), *key_of(&accounts.admin));
    let (market_key, index_key) = (*accounts.market.key(), *accounts.index.key());
    require_seeded(&key, &admin, seed)?;
    store::must_be_new(accounts.rebalance.bytes()).map_err(fail)?;
    if value_max_ppm == 0 || value_max_ppm > 1_000_000 {
        return Err(fail(IndexError::BadParameter));
    }
    let market = MarketRef::open(accounts.market.bytes())?.head;
    let party = Party::owner(&market.admin, &admin).map_err(fail)?;
    let mut index = Index::open(accounts.index.bytes_mut())?;
    require_same(&index.head.market, &market_key)?;
    if index.head.sealed == 0 {
        return Err(fail(IndexError::IllegalTransition));
    }
    if index.head.rebalance != [0; 32] {
        return Err(fail(IndexError::AlreadyInitialized));
    }
    let bytes = accounts.rebalance.bytes_mut();
    let head = RebalanceHead {
        discriminator: RebalanceHead::DISCRIMINATOR,
        version: RebalanceHead::VERSION,
        index: index_key,
        notice_slots: Slot(notice_slots),
        value_max: Ppm(value_max_ppm),
        capacity: constituents,
        leg_capacity: Rebalance::leg_capacity(bytes.len(), constituents)?,
        ..RebalanceHead::zeroed()
    };
    let (place, _) = store::split_record::<RebalanceHead>(bytes).map_err(fail)?;
    *place = head;
    index.head.rebalance = key;
    let mut terms = [0; 40];
    terms[..32].copy_from_slice(&key);
    terms[32..36].copy_from_slice(&notice_slots.to_le_bytes());
    terms[36..].copy_from_slice(&value_max_ppm.to_le_bytes());
    journaled(now, |journal| {
        index.changed(IndexEvent::Rebalanceable, &party, &terms, journal)
    })
}
