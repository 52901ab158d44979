use crate::access::{fail, require_direct, require_owner};
use crate::instructions::open_escrow::require_trader;
use crate::log;
use crate::record::Stored;
use anchor_lang::prelude::*;
use flagstone_interface::event::router::TraderSet;
use flagstone_interface::router::Escrow;

/// Accounts of `set_trader`.
#[derive(Accounts)]
pub struct SetTrader {
    /// Owner of the escrow.
    pub owner: Signer,
    /// The escrow.
    #[account(mut)]
    pub escrow: Stored<Escrow>,
}

/// The slab takes the new key over on the next `sync`.
#[inline(never)]
pub fn run(ctx: &mut Context<SetTrader>, trader: [u8; 32]) -> Result<()> {
    require_direct(ctx.accounts.owner.address().as_array())?;
    let accounts = &mut ctx.accounts;
    require_owner(&accounts.escrow.owner, &accounts.owner)?;
    require_trader(&trader, &accounts.escrow.owner).map_err(fail)?;
    accounts.escrow.trader = trader;
    log::write(&TraderSet {
        tag: TraderSet::TAG,
        escrow: *accounts.escrow.key(),
        trader,
    });
    Ok(())
}
