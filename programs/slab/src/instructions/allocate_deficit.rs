use crate::access::{EscrowAccount, RouterRecord, SlabAccount, current_slot, fail};
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::router::SlabLedger;
use flagstone_slab_engine::deficits::Allocation;

/// Accounts of `allocate_deficit`.
#[derive(Accounts)]
pub struct AllocateDeficit {
    /// The slab.
    #[account(mut)]
    pub slab: SlabAccount,
    /// Escrow of the bankrupt account.
    pub escrow: EscrowAccount,
    /// What the Router holds for this slab in its mint.
    pub ledger: RouterRecord,
}

#[inline(never)]
pub fn run(ctx: &mut Context<AllocateDeficit>, account: u16) -> Result<()> {
    let slot = current_slot()?;
    let address = *ctx.accounts.slab.key();
    let mut slab = ctx.accounts.slab.open()?;
    let (router, mint) = (slab.header.router_program, slab.header.quote_mint);
    let allocation = Allocation {
        account: account.into(),
        escrow_key: ctx.accounts.escrow.key(),
        escrow: ctx.accounts.escrow.read(&router, &address, &mint)?,
        slab: &address,
        ledger: ctx.accounts.ledger.require::<SlabLedger>(&router)?,
    };
    let mut event = slab.allocate_deficit(&allocation, slot).map_err(fail)?;
    event.seq = slab.next_seq();
    log::write(&event);
    Ok(())
}
