use crate::access::fail;
use crate::instructions::Sync;
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::event::AccountFreed;

#[inline(never)]
pub fn run(ctx: &mut Context<Sync>, account: u16) -> Result<()> {
    let address = *ctx.accounts.slab.key();
    let mut slab = ctx.accounts.slab.open()?;
    let header = &slab.header;
    let escrow = ctx
        .accounts
        .escrow
        .read(&header.router_program, &address, &header.quote_mint)?;
    slab.free_account(account.into(), ctx.accounts.escrow.key(), escrow)
        .map_err(fail)?;
    let seq = slab.next_seq();
    log::write(&AccountFreed {
        tag: AccountFreed::TAG,
        seq,
        account,
    });
    Ok(())
}
