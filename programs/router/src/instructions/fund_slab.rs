use crate::access::{fail, read_slab, require_active, require_direct};
use crate::booking::{add_deposit, belong_together};
use crate::instructions::owners::{require_open, require_owner_or_delegate};
use crate::log;
use crate::record::Stored;
use crate::version;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::SlabFunded;
use flagstone_interface::key_eq;
use flagstone_interface::router::{Escrow, Portfolio, SlabEntry, SlabLedger};
use flagstone_units::Slot;

/// Accounts of `fund_slab`.
#[derive(Accounts)]
pub struct FundSlab {
    /// Owner of the portfolio and the escrow, or the portfolio's delegate.
    pub owner: Signer,
    /// The owner's portfolio.
    #[account(mut)]
    pub portfolio: Stored<Portfolio>,
    /// The owner's escrow for the slab.
    #[account(mut)]
    pub escrow: Stored<Escrow>,
    /// What the Router holds for the slab.
    #[account(mut)]
    pub ledger: Stored<SlabLedger>,
    /// Registry entry of the slab.
    pub entry: Stored<SlabEntry>,
    /// The slab.
    pub slab: UncheckedAccount,
    /// Program data account of the slab's program.
    pub program_data: UncheckedAccount,
}

/// Portfolio cash becomes backing of the slab; the escrow's counter grows, and
/// `slab.sync` credits the account by it. The vault's booked sum is unchanged.
#[inline(never)]
pub fn run(ctx: &mut Context<FundSlab>, amount_atoms: u64) -> Result<()> {
    require_direct(ctx.accounts.owner.address().as_array())?;
    let now = Slot::from_clock(Clock::get()?.slot);
    let accounts = &mut ctx.accounts;
    require_owner_or_delegate(&mut accounts.portfolio, &accounts.owner, now, amount_atoms)?;
    require_open(&accounts.portfolio)?;
    if !key_eq(&accounts.escrow.owner, &accounts.portfolio.owner) {
        return Err(fail(RouterError::WrongOwner));
    }
    if !belong_together(
        &accounts.entry,
        &accounts.portfolio,
        &accounts.escrow,
        &accounts.ledger,
    ) {
        return Err(fail(RouterError::WrongSlab));
    }
    // What is deposited while no account is bound could be credited to none.
    if !accounts.escrow.is_bound() {
        return Err(fail(RouterError::NotBound));
    }
    require_active(&accounts.entry)?;
    read_slab(&accounts.slab, &accounts.entry)?;
    version::check(&accounts.entry, &accounts.program_data)?;
    if amount_atoms == 0 {
        return Err(fail(RouterError::ZeroAmount));
    }
    // Cash of a portfolio under liquidation may only go where it cures.
    if accounts.portfolio.is_liquidating() && accounts.escrow.frozen == 0 {
        return Err(fail(RouterError::Liquidating));
    }
    add_deposit(
        amount_atoms,
        &mut accounts.portfolio,
        &mut accounts.escrow,
        &mut accounts.ledger,
    )?;
    log::write(&SlabFunded {
        tag: SlabFunded::TAG,
        escrow: *accounts.escrow.key(),
        amount_atoms,
        cash_atoms: accounts.portfolio.cash_atoms,
        deposited_total_atoms: accounts.escrow.deposited_total_atoms,
        backing_atoms: accounts.ledger.backing_atoms,
    });
    Ok(())
}
