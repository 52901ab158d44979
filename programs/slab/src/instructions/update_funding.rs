use crate::access::{RouterRecord, SlabAccount, current_slot, fail};
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::router::FundingGrid;
use flagstone_slab_engine::SlabError;

/// Accounts of `update_funding`.
#[derive(Accounts)]
pub struct UpdateFunding {
    /// The slab.
    #[account(mut)]
    pub slab: SlabAccount,
    /// The Router's shared rate for the underlying, or this program for none.
    pub grid: Option<RouterRecord>,
}

#[inline(never)]
pub fn run(ctx: &mut Context<UpdateFunding>, instrument: u8) -> Result<()> {
    let slot = current_slot()?;
    let mut slab = ctx.accounts.slab.open()?;
    let grid = match &ctx.accounts.grid {
        None => None,
        Some(record) => Some(
            record
                .read::<FundingGrid>(&slab.header.router_program)?
                .ok_or(fail(SlabError::WrongRecord))?,
        ),
    };
    if let Some(mut event) = slab.update_funding(instrument, grid, slot).map_err(fail)? {
        event.seq = slab.next_seq();
        log::write(&event);
    }
    Ok(())
}
