use crate::access::{EscrowAccount, SlabAccount, current_slot, fail};
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::event::AccountSynced;
use flagstone_slab_engine::Slab;
use flagstone_slab_engine::cancels::Cancelled;

/// Accounts of `sync`.
#[derive(Accounts)]
pub struct Sync {
    /// The slab.
    #[account(mut)]
    pub slab: SlabAccount,
    /// Escrow that the account is bound to.
    pub escrow: EscrowAccount,
}

#[inline(never)]
pub fn run(ctx: &mut Context<Sync>, account: u16) -> Result<()> {
    let slot = current_slot()?;
    let address = *ctx.accounts.slab.key();
    let mut slab = ctx.accounts.slab.open()?;
    let header = &slab.header;
    let escrow = ctx
        .accounts
        .escrow
        .read(&header.router_program, &address, &header.quote_mint)?;
    let synced = slab
        .sync(account.into(), ctx.accounts.escrow.key(), escrow, slot)
        .map_err(fail)?;
    let seq = slab.next_seq();
    log::write(&AccountSynced {
        tag: AccountSynced::TAG,
        seq,
        account,
        credited_atoms: synced.credited_atoms,
        covered_atoms: synced.covered_atoms,
        cash_atoms: synced.cash_atoms,
        trader: escrow.trader,
        frozen: u8::from(escrow.frozen != 0),
    });
    log::recognised(&mut slab, synced.recognised);
    if escrow.frozen != 0 {
        cancel_frozen(&mut slab, account)?;
    }
    Ok(())
}

/// Cancels orders of an account that the Router froze (rule LQ4).
#[cold]
#[inline(never)]
fn cancel_frozen(slab: &mut Slab<'_>, account: u16) -> Result<()> {
    let mut cancelled = Cancelled::none();
    slab.cancel_frozen(account.into(), &mut cancelled)
        .map_err(fail)?;
    log::all_cancelled(slab, cancelled.orders());
    Ok(())
}
