use crate::access::{EscrowAccount, RouterRecord, SlabAccount, current_slot, fail};
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::event::Released;
use flagstone_interface::router::{Escrow, Portfolio, ShiftTicket};
use flagstone_slab_engine::shifts::Shift;

/// Accounts of `release_shift`.
#[derive(Accounts)]
pub struct ReleaseShift {
    /// The slab.
    #[account(mut)]
    pub slab: SlabAccount,
    /// Shift ticket of the Router for the account's escrow.
    pub ticket: RouterRecord,
    /// Portfolio under liquidation.
    pub portfolio: RouterRecord,
    /// Escrow of the account that gives.
    pub escrow: EscrowAccount,
    /// Escrow, at another slab, of the account that lacks margin.
    pub target: RouterRecord,
}

#[inline(never)]
pub fn run(ctx: &mut Context<ReleaseShift>) -> Result<()> {
    let slot = current_slot()?;
    let address = *ctx.accounts.slab.key();
    let mut slab = ctx.accounts.slab.open()?;
    let header = &slab.header;
    let (router, mint) = (header.router_program, header.quote_mint);
    let shift = Shift {
        slab: &address,
        ticket: ctx.accounts.ticket.require::<ShiftTicket>(&router)?,
        portfolio_key: ctx.accounts.portfolio.key(),
        portfolio: ctx.accounts.portfolio.require::<Portfolio>(&router)?,
        escrow_key: ctx.accounts.escrow.key(),
        escrow: ctx.accounts.escrow.read(&router, &address, &mint)?,
        target_key: ctx.accounts.target.key(),
        target: ctx.accounts.target.require::<Escrow>(&router)?,
    };
    let shifted = slab.release_shift(&shift, slot).map_err(fail)?;
    let seq = slab.next_seq();
    log::write(&Released {
        tag: Released::TAG,
        seq,
        account: shifted.account as u16,
        amount_atoms: shifted.amount_atoms,
        cash_atoms: shifted.cash_atoms,
    });
    Ok(())
}
