use crate::access::{EscrowAccount, SlabAccount, current_slot, fail, require_direct};
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::event::{AccountClosed, Released};

/// Accounts of `close_account`.
#[derive(Accounts)]
pub struct CloseAccount {
    /// The slab.
    #[account(mut)]
    pub slab: SlabAccount,
    /// Escrow that the account is bound to.
    pub escrow: EscrowAccount,
    /// Session key of the account. It has to sign unless the account is idle;
    /// then any address will do, and nobody has to.
    pub trader: UncheckedAccount,
}

#[inline(never)]
pub fn run(ctx: &mut Context<CloseAccount>, account: u16) -> Result<()> {
    let slot = current_slot()?;
    let address = *ctx.accounts.slab.key();
    let signer = if ctx.accounts.trader.is_signer() {
        require_direct(ctx.accounts.trader.address().as_array())?;
        Some(ctx.accounts.trader.address().as_array())
    } else {
        None
    };
    let mut slab = ctx.accounts.slab.open()?;
    let header = &slab.header;
    let escrow = ctx
        .accounts
        .escrow
        .read(&header.router_program, &address, &header.quote_mint)?;
    let key = ctx.accounts.escrow.key();
    // An idle account's last crumbs go home first; closing it comes after the
    // Router has paid them.
    let crumbs = slab
        .release_crumbs(account.into(), key, escrow, slot)
        .map_err(fail)?;
    if let Some(amount_atoms) = crumbs {
        let seq = slab.next_seq();
        log::write(&Released {
            tag: Released::TAG,
            seq,
            account,
            amount_atoms,
            cash_atoms: 0,
        });
        return Ok(());
    }
    slab.close_account(signer, account.into(), key, escrow, slot)
        .map_err(fail)?;
    let seq = slab.next_seq();
    log::write(&AccountClosed {
        tag: AccountClosed::TAG,
        seq,
        account,
    });
    Ok(())
}
