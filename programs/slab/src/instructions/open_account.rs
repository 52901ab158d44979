use crate::access::{EscrowAccount, SlabAccount, current_slot, fail};
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::event::AccountOpened;

/// Accounts of `open_account`.
#[derive(Accounts)]
pub struct OpenAccount {
    /// The slab.
    #[account(mut)]
    pub slab: SlabAccount,
    /// Escrow of the Router, bound to the account that opens next.
    pub escrow: EscrowAccount,
}

#[inline(never)]
pub fn run(ctx: &mut Context<OpenAccount>) -> Result<()> {
    let slot = current_slot()?;
    let address = *ctx.accounts.slab.key();
    let mut slab = ctx.accounts.slab.open()?;
    let header = &slab.header;
    let escrow = ctx
        .accounts
        .escrow
        .read(&header.router_program, &address, &header.quote_mint)?;
    let escrow_key = *ctx.accounts.escrow.key();
    let index = slab.open_account(&escrow_key, escrow, slot).map_err(fail)?;
    let generation = slab.accounts[index].generation;
    let seq = slab.next_seq();
    log::write(&AccountOpened {
        tag: AccountOpened::TAG,
        seq,
        account: index as u16,
        generation,
        escrow: escrow_key,
        trader: escrow.trader,
    });
    Ok(())
}
