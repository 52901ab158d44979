use crate::access::fail;
use crate::log;
use crate::record::Stored;
// All of it: the nested accounts bring generated modules along.
use crate::seat::*;
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::LiquidationBegun;
use flagstone_interface::key_eq;
use flagstone_interface::router::{Portfolio, RouterConfig, portfolio_status};
use flagstone_margin::Reading;
use flagstone_margin::times::{GRACE_SLOTS, RETURN_SLOTS};
use flagstone_units::Slot;

/// Accounts of the instructions that read one seat and nothing else.
#[derive(Accounts)]
pub struct Liquidation {
    /// The seat.
    pub seat: Nested<Seat>,
}

/// Accounts of `begin_liquidation`.
#[derive(Accounts)]
pub struct BeginLiquidation {
    /// The seat.
    pub seat: Nested<Seat>,
    /// The configuration: a pause stops this.
    pub config: Stored<RouterConfig>,
}

/// Refuses what advances a liquidation against a user during a pause and for a
/// grace after it (rule X9). What cures or pays goes on.
#[inline(always)]
pub fn require_unpaused(config: &RouterConfig, slot: Slot) -> Result<()> {
    if config.may_liquidate(slot) {
        Ok(())
    } else {
        Err(fail(RouterError::Paused))
    }
}

/// Permissionless. Finds the slab account below its maintenance margin, read
/// live, and freezes its escrow (rules LQ1 and LQ4). The first account of a
/// portfolio begins an episode; others join the one that runs, and never make
/// its grace longer.
#[inline(never)]
pub fn run(ctx: &mut Context<BeginLiquidation>) -> Result<()> {
    let slot = current_slot()?;
    require_unpaused(&ctx.accounts.config, slot)?;
    let seat = &mut ctx.accounts.seat.0;
    let (reading, booked) = seat.read(slot)?;
    if seat.escrow.frozen != 0 {
        return Err(fail(RouterError::Liquidating));
    }
    if !reading.is_liquidatable() {
        return Err(fail(RouterError::Healthy));
    }
    let grace = grace_slots(&reading, seat, slot);
    let grace_until = Slot(slot.0.saturating_add(grace.0));
    seat.escrow.frozen = 1;
    seat.escrow.grace_until = grace_until;
    let portfolio = &mut seat.portfolio;
    let overflow = fail(RouterError::AmountOverflow);
    if portfolio.is_liquidating() {
        // Tickets wait for the grace of their own escrow.
        portfolio.grace_until = portfolio.grace_until.min(grace_until);
    } else {
        portfolio.status = portfolio_status::LIQUIDATING;
        portfolio.episode = portfolio.episode.checked_add(1).ok_or(overflow.clone())?;
        portfolio.grace_until = grace_until;
    }
    portfolio.frozen_count = portfolio.frozen_count.checked_add(1).ok_or(overflow)?;
    log::write(&LiquidationBegun {
        tag: LiquidationBegun::TAG,
        escrow: *seat.escrow.key(),
        slab: seat.entry.slab,
        episode: seat.portfolio.episode,
        grace_until: grace_until.0,
        equity_atoms: reading.health.equity_atoms,
        maintenance_atoms: reading.health.maintenance_atoms,
        booked,
        cash_atoms: seat.portfolio.cash_atoms,
    });
    Ok(())
}

/// No grace below half the maintenance margin, nor with nothing to bring, nor
/// soon after the last liquidation (rules LQ3 and LQ4).
fn grace_slots(reading: &Reading, seat: &Seat, slot: Slot) -> Slot {
    let restored = seat.escrow.restored_slot;
    let returned = restored.0 != 0 && slot.saturating_sub(restored) <= RETURN_SLOTS;
    if reading.is_deep() || returned || !may_shift(seat) {
        Slot::ZERO
    } else {
        GRACE_SLOTS
    }
}

/// Whether there may be something to bring: free cash, or another account that
/// could give within the consent. How much that one could give is not asked:
/// reading it takes its slab, and whoever wants a grace has it for an atom of
/// cash anyway.
fn may_shift(seat: &Seat) -> bool {
    let portfolio: &Portfolio = &seat.portfolio;
    let own = seat.escrow.key();
    let other = |one: &[u8; 32]| !key_eq(one, &[0; 32]) && !key_eq(one, own);
    portfolio.cash_atoms > 0
        || (seat.escrow.consent_atoms() > 0 && portfolio.escrows.iter().any(other))
}
