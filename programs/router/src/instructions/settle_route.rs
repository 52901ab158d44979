use crate::access::{fail, require_direct};
use crate::booking::burn;
use crate::leg::{self, Leg};
use crate::log;
use crate::record::Stored;
use anchor_lang::AccountView;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::{Booked, RouteSettled};
use flagstone_interface::router::{CAPS_PER_ESCROW, Portfolio, cap_state};
use flagstone_units::Slot;

/// Accounts of `settle_route`; five per leg follow, see [`Leg`].
#[derive(Accounts)]
pub struct SettleRoute {
    /// Portfolio of the route's owner.
    #[account(mut)]
    pub portfolio: Stored<Portfolio>,
}

/// Permissionless: it only books what the slabs show. A capability of the
/// route that is neither spent nor expired is an error, so that at the end of
/// a transaction it stands for the whole route having traded.
#[inline(never)]
pub fn run(ctx: &mut Context<SettleRoute>, route_id: u64) -> Result<()> {
    require_direct(&ctx.accounts.portfolio.owner)?;
    let slot = Slot::from_clock(Clock::get()?.slot);
    let accounts = ctx.remaining_accounts()?;
    let mut previous = ([0; 32], 0);
    let mut sums = Sums::default();
    for accounts in leg::split(&accounts)? {
        settle_leg(ctx, accounts, route_id, slot, &mut previous, &mut sums)?;
    }
    log::write(&RouteSettled {
        tag: RouteSettled::TAG,
        portfolio: *ctx.accounts.portfolio.key(),
        route_id,
        legs: sums.legs,
        booked: sums.booked,
        expired_atoms: sums.expired_atoms,
        cash_atoms: ctx.accounts.portfolio.cash_atoms,
    });
    Ok(())
}

/// Sums over the legs.
#[derive(Default)]
struct Sums {
    legs: u8,
    booked: Booked,
    expired_atoms: u64,
}

#[inline(never)]
fn settle_leg(
    ctx: &mut Context<SettleRoute>,
    accounts: &[AccountView],
    route_id: u64,
    slot: Slot,
    previous: &mut ([u8; 32], u32),
    sums: &mut Sums,
) -> Result<()> {
    let portfolio = &mut ctx.accounts.portfolio;
    let mut leg = Leg::load(accounts, portfolio)?;
    leg::require_ascending(previous, (*leg.slab_key(), 1))?;
    sums.legs += 1;
    sums.booked.add(leg.book(portfolio)?);
    for index in 0..CAPS_PER_ESCROW {
        let cap = &leg.escrow.caps[index];
        if cap.state != cap_state::LIVE || cap.route_id != route_id {
            continue;
        }
        if slot <= cap.expiry_slot {
            return Err(fail(RouterError::NotCommitted));
        }
        // Part of the cash, so the sum fits.
        let rest = burn(&mut leg.escrow, index, portfolio)?;
        sums.expired_atoms = sums.expired_atoms.wrapping_add(rest);
    }
    Ok(())
}
