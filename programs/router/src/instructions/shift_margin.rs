use crate::access::{fail, require_direct, require_owner};
use crate::booking::add_deposit;
use crate::instructions::begin_liquidation::Liquidation;
use crate::log;
use crate::record::Stored;
use crate::seat::current_slot;
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::{LiabilityMaxSet, MarginShifted};
use flagstone_interface::router::Escrow;

/// Accounts of `set_liability_max`.
#[derive(Accounts)]
pub struct SetLiabilityMax {
    /// Owner of the escrow.
    pub owner: Signer,
    /// The escrow.
    #[account(mut)]
    pub escrow: Stored<Escrow>,
}

/// Permissionless. Moves as much free cash to an account under liquidation as
/// brings it back to initial margin, within what its owner signed; nobody
/// chooses the amount (rule LQ4).
///
/// Not once its positions are gone: then it would pay a debt, not a margin.
#[inline(never)]
pub fn shift(ctx: &mut Context<Liquidation>) -> Result<()> {
    let slot = current_slot()?;
    let seat = &mut ctx.accounts.seat.0;
    let (reading, booked) = seat.read(slot)?;
    if seat.escrow.frozen == 0 || !reading.is_fresh || reading.is_bare {
        return Err(fail(RouterError::NothingToShift));
    }
    let escrow = &seat.escrow;
    let amount = reading
        .missing_atoms()
        .min(escrow.consent_atoms())
        .min(seat.portfolio.cash_atoms);
    if amount == 0 {
        return Err(fail(RouterError::NothingToShift));
    }
    // Within the consent, so it fits.
    seat.escrow.shifted_atoms += amount;
    add_deposit(
        amount,
        &mut seat.portfolio,
        &mut seat.escrow,
        &mut seat.ledger,
    )?;
    log::write(&MarginShifted {
        tag: MarginShifted::TAG,
        escrow: *seat.escrow.key(),
        slab: seat.entry.slab,
        amount_atoms: amount,
        booked,
        cash_atoms: seat.portfolio.cash_atoms,
        shifted_atoms: seat.escrow.shifted_atoms,
        deposited_total_atoms: seat.escrow.deposited_total_atoms,
    });
    Ok(())
}

/// Replaces the owner's consent; what was moved under the last one is forgotten.
#[inline(never)]
pub fn set_liability_max(ctx: &mut Context<SetLiabilityMax>, amount_atoms: u64) -> Result<()> {
    require_direct(ctx.accounts.owner.address().as_array())?;
    let accounts = &mut ctx.accounts;
    require_owner(&accounts.escrow.owner, &accounts.owner)?;
    accounts.escrow.liability_max_atoms = amount_atoms;
    accounts.escrow.shifted_atoms = 0;
    log::write(&LiabilityMaxSet {
        tag: LiabilityMaxSet::TAG,
        escrow: *accounts.escrow.key(),
        amount_atoms,
    });
    Ok(())
}
