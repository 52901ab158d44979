use crate::access::{Owned, current_slot, fail, journaled, key_of, require_top_level};
use crate::market::Market;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::records::MarketEvent;
use flagstone_index_engine::roles::Party;
use flagstone_units::Slot;

/// Accounts of what a market's administrator does to it.
#[derive(Accounts)]
pub struct Administer {
    /// The market.
    #[account(mut)]
    pub market: Owned,
    /// Its administrator.
    pub admin: Signer,
}

#[inline(never)]
pub fn run(
    ctx: &mut Context<Administer>,
    vendor: [u8; 32],
    data_slots_max: u32,
    supply_slots_max: u32,
    paused: u8,
) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let signer = *key_of(&ctx.accounts.admin);
    let mut market = Market::open(ctx.accounts.market.bytes_mut())?;
    let party = Party::owner(&market.head.admin, &signer).map_err(fail)?;
    if vendor == [0; 32] || paused > 1 {
        return Err(fail(IndexError::BadParameter));
    }
    let state = &mut market.head.state;
    state.vendor = vendor;
    state.data_slots_max = Slot(data_slots_max);
    state.supply_slots_max = Slot(supply_slots_max);
    state.paused = u32::from(paused);
    let given = *state;
    journaled(now, |journal| {
        let list = bytemuck::bytes_of(&given);
        market.changed(MarketEvent::Set, &party, 0, list, journal)
    })
}
