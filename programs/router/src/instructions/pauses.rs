//! Pausing new risk, for a while (rule X9).

use crate::access::{fail, require_direct};
use crate::log;
use crate::nonce::refuse_durable_nonce;
use crate::record::Stored;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::{Paused, Unpaused};
use flagstone_interface::governance::{PAUSE_GRACE_SLOTS, PAUSE_SLOTS_MAX};
use flagstone_interface::key_eq;
use flagstone_interface::router::RouterConfig;
use flagstone_units::Slot;

/// Accounts of `pause` and `unpause`.
#[derive(Accounts)]
pub struct Pause {
    /// The guardian.
    pub guardian: Signer,
    /// The configuration.
    #[account(mut)]
    pub config: Stored<RouterConfig>,
    /// Sysvar of the transaction's instructions.
    pub instructions: UncheckedAccount,
}

fn check(accounts: &Pause) -> Result<Slot> {
    let guardian = accounts.guardian.address().as_array();
    require_direct(guardian)?;
    refuse_durable_nonce(&accounts.instructions)?;
    if !key_eq(&accounts.config.guardian, guardian) {
        return Err(fail(RouterError::WrongGuardian));
    }
    Ok(Slot::from_clock(Clock::get()?.slot))
}

/// It ends by itself, and the next one has to wait as long again, and twice the
/// grace of liquidations: a guardian can stop new business, and keep liquidation
/// off, half of the time at most. Without the grace in it, a pause of one slot
/// every minute would keep it off for ever.
#[inline(never)]
pub fn pause(ctx: &mut Context<Pause>, slots: u32) -> Result<()> {
    let now = check(&ctx.accounts)?;
    let config = &mut ctx.accounts.config;
    if slots == 0 || slots > PAUSE_SLOTS_MAX || now < config.pause_again_slot {
        return Err(fail(RouterError::PauseTooLong));
    }
    config.paused_until = Slot(now.0.saturating_add(slots));
    let cool_down = slots.saturating_add(2 * PAUSE_GRACE_SLOTS);
    config.pause_again_slot = Slot(config.paused_until.0.saturating_add(cool_down));
    log::write(&Paused {
        tag: Paused::TAG,
        until_slot: config.paused_until.0,
        again_slot: config.pause_again_slot.0,
    });
    Ok(())
}

/// Ends a pause early; the cool-down stays.
#[inline(never)]
pub fn unpause(ctx: &mut Context<Pause>) -> Result<()> {
    let now = check(&ctx.accounts)?;
    let config = &mut ctx.accounts.config;
    config.paused_until = config.paused_until.min(now);
    log::write(&Unpaused {
        tag: Unpaused::TAG,
        until_slot: config.paused_until.0,
    });
    Ok(())
}
