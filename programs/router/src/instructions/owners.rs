//! What only the owner of a portfolio decides.

use crate::access::{fail, require_direct, require_owner};
use crate::log;
use crate::record::Stored;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::{DelegateSet, PortfolioClosed};
use flagstone_interface::key_eq;
use flagstone_interface::limits::{OutflowLimit, RECENT_WINDOW_SLOTS};
use flagstone_interface::router::{Portfolio, portfolio_status};
use flagstone_units::{PPM_ONE, Slot};

/// Accounts of `set_delegate` and `close_portfolio`.
#[derive(Accounts)]
pub struct OwnPortfolio {
    /// Owner of the portfolio.
    pub owner: Signer,
    /// The owner's portfolio.
    #[account(mut)]
    pub portfolio: Stored<Portfolio>,
}

/// A delegate may open routes and fund slabs where the owner has an escrow, up
/// to an allowance per day, at prices within a band around the mark, and never
/// withdraw (rule X9). The zero key is none.
#[inline(never)]
pub fn set_delegate(
    ctx: &mut Context<OwnPortfolio>,
    delegate: [u8; 32],
    allowance_atoms: u64,
    band_ppm: u32,
) -> Result<()> {
    require_direct(ctx.accounts.owner.address().as_array())?;
    let now = Slot::from_clock(Clock::get()?.slot);
    let accounts = &mut ctx.accounts;
    require_owner(&accounts.portfolio.owner, &accounts.owner)?;
    let dismissed = delegate == [0; 32];
    let sound = OutflowLimit::is_sound(allowance_atoms, RECENT_WINDOW_SLOTS)
        && u64::from(band_ppm) <= PPM_ONE
        && (band_ppm == 0 || !dismissed);
    if (allowance_atoms == 0) != dismissed || !sound {
        return Err(fail(RouterError::BadSetting));
    }
    accounts.portfolio.delegate = delegate;
    accounts.portfolio.delegate_band_ppm = band_ppm;
    let allowance = &mut accounts.portfolio.allowance;
    allowance.set(now, allowance_atoms, RECENT_WINDOW_SLOTS);
    log::write(&DelegateSet {
        tag: DelegateSet::TAG,
        portfolio: *accounts.portfolio.key(),
        delegate,
        allowance_atoms,
        band_ppm,
    });
    Ok(())
}

/// Whether the signer may trade with the portfolio's cash: its owner, or its
/// delegate as far as the allowance goes. Counts what a delegate moves.
pub fn require_owner_or_delegate(
    portfolio: &mut Portfolio,
    signer: &Signer,
    now: Slot,
    moved_atoms: u64,
) -> Result<()> {
    let key = signer.address().as_array();
    if key_eq(&portfolio.owner, key) {
        return Ok(());
    }
    if key_eq(key, &[0; 32]) || !key_eq(&portfolio.delegate, key) {
        return Err(fail(RouterError::WrongOwner));
    }
    if moved_atoms > portfolio.allowance.room_atoms(now) {
        return Err(fail(RouterError::OverLimit));
    }
    portfolio.allowance.count(now, moved_atoms);
    Ok(())
}

/// Refuses new business of a closed portfolio.
pub fn require_open(portfolio: &Portfolio) -> Result<()> {
    if portfolio.status == portfolio_status::CLOSED {
        return Err(fail(RouterError::PortfolioClosed));
    }
    Ok(())
}

/// Marks an empty portfolio closed and frees nothing: its counters stay (rule
/// X2). No escrow of it may be bound to a slab account any more.
#[inline(never)]
pub fn close(ctx: &mut Context<OwnPortfolio>) -> Result<()> {
    require_direct(ctx.accounts.owner.address().as_array())?;
    let accounts = &mut ctx.accounts;
    require_owner(&accounts.portfolio.owner, &accounts.owner)?;
    let portfolio = &mut accounts.portfolio;
    let idle = portfolio.status == portfolio_status::OPEN
        && portfolio.cash_atoms == 0
        && portfolio.claim_serial == 0
        && portfolio.collateral_count == 0
        && portfolio.escrows.iter().all(|one| key_eq(one, &[0; 32]));
    if !idle {
        return Err(fail(RouterError::PortfolioNotEmpty));
    }
    portfolio.status = portfolio_status::CLOSED;
    portfolio.delegate = [0; 32];
    log::write(&PortfolioClosed {
        tag: PortfolioClosed::TAG,
        portfolio: *portfolio.key(),
    });
    Ok(())
}
