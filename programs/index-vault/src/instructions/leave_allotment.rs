use crate::access::{Owned, current_slot, fail, journaled, key_of, require_top_level};
use anchor_lang::prelude::*;
use flagstone_index_engine::allotment::Allotment;
use flagstone_index_engine::pending::PendingOrder;
use flagstone_index_engine::roles::Party;
use flagstone_interface::key_eq;

/// Accounts of `leave_allotment`.
#[derive(Accounts)]
pub struct LeaveAllotment {
    /// The allotment.
    #[account(mut)]
    pub allotment: Owned,
    /// The order that leaves.
    #[account(mut)]
    pub order: Owned,
    /// Its owner at any time, anyone after the allotment's expiry.
    pub signer: Signer,
}

#[inline(never)]
pub fn run(ctx: &mut Context<LeaveAllotment>) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let signer = *key_of(&accounts.signer);
    let mut allotment = Allotment::open(accounts.allotment.bytes_mut()).map_err(fail)?;
    let order = PendingOrder::open(accounts.order.bytes_mut()).map_err(fail)?;
    let party = if key_eq(&order.owner, &signer) {
        Party::owner(&order.owner, &signer).map_err(fail)?
    } else {
        Party::ANYONE
    };
    journaled(now, |journal| allotment.leave(order, &party, journal))
}
