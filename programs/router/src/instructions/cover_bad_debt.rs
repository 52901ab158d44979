use crate::access::fail;
use crate::instructions::begin_liquidation::Liquidation;
use crate::log;
use crate::seat::current_slot;
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::DebtCovered;
use flagstone_margin::cover::{day, payable_atoms};

/// Permissionless. Pays the debt of an account that has nothing else left, as
/// the Router reads it in the slab, from that slab's insurance into its backing
/// (rule X7). `slab.sync` credits it. What was paid counts as arrived, so the
/// same debt is never paid twice.
#[inline(never)]
pub fn run(ctx: &mut Context<Liquidation>) -> Result<()> {
    let slot = current_slot()?;
    let seat = &mut ctx.accounts.seat.0;
    let (reading, booked) = seat.read(slot)?;
    let debt = reading.debt_atoms();
    let (episode, today) = (seat.portfolio.episode, day(slot));
    let (escrow, ledger) = (&mut seat.escrow, &mut seat.ledger);
    let amount = debt.min(payable_atoms(ledger, escrow, episode, slot));
    if amount == 0 || escrow.frozen == 0 {
        return Err(fail(RouterError::NoCover));
    }
    let overflow = fail(RouterError::AmountOverflow);
    let backing = ledger.backing_atoms.checked_add(amount);
    let covered = escrow.covered_total_atoms.checked_add(amount);
    if escrow.cover_episode != episode {
        escrow.cover_episode = episode;
        escrow.cover_event_atoms = 0;
    }
    if ledger.cover_day != today {
        ledger.cover_day = today;
        ledger.cover_day_atoms = 0;
    }
    // No more than the insurance, which holds no more than was ever paid in.
    escrow.cover_event_atoms = escrow.cover_event_atoms.saturating_add(amount);
    ledger.cover_day_atoms = ledger.cover_day_atoms.saturating_add(amount);
    ledger.insurance_atoms = ledger.insurance_atoms.saturating_sub(amount);
    ledger.backing_atoms = backing.ok_or(overflow.clone())?;
    escrow.covered_total_atoms = covered.ok_or(overflow)?;
    ledger.covered_total.add(amount);
    log::write(&DebtCovered {
        tag: DebtCovered::TAG,
        escrow: *escrow.key(),
        slab: ledger.slab,
        amount_atoms: amount,
        debt_atoms: debt,
        insurance_atoms: ledger.insurance_atoms,
        backing_atoms: ledger.backing_atoms,
        booked,
        cash_atoms: seat.portfolio.cash_atoms,
    });
    Ok(())
}
