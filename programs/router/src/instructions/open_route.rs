use crate::access::{fail, require_direct};
use crate::booking::bound_account;
use crate::instructions::owners::{require_open, require_owner_or_delegate};
use crate::leg::{self, Leg};
use crate::log;
use crate::record::Stored;
use anchor_lang::AccountView;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::{Booked, RouteOpened};
use flagstone_interface::key_eq;
use flagstone_interface::router::{
    CAP_SLOTS_MAX, CAPS_PER_ESCROW, Cap, Escrow, Portfolio, RouterConfig, cap_state,
};
use flagstone_interface::slab::{PoolId, Reservation, item_at};
use flagstone_margin::band;
use flagstone_units::Slot;

/// Accounts of `open_route`; five per leg follow, see [`Leg`].
#[derive(Accounts)]
pub struct OpenRoute {
    /// Owner of the portfolio, or its delegate.
    pub owner: Signer,
    /// The owner's portfolio.
    #[account(mut)]
    pub portfolio: Stored<Portfolio>,
    /// The configuration.
    pub config: Stored<RouterConfig>,
}

/// What the owner signs for the whole route.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct RouteArgs {
    /// Number that every hold of the route carries.
    pub route_id: u64,
    /// 0 buy, 1 sell.
    pub side: u8,
    /// Least lots over all legs.
    pub lots_min: u64,
    /// Blended limit: the most that buying may cost, the least that selling
    /// must bring, over all legs, in atoms. With a limit every hold has to
    /// trade all that it captured: part of it could be at a worse price.
    /// Without one (`u64::MAX` when buying, 0 when selling) it need not.
    pub notional_limit_atoms: u64,
    /// One entry per leg, in the order of the accounts.
    pub legs: alloc::vec::Vec<LegArgs>,
}

/// What the owner signs for one leg.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct LegArgs {
    /// Hold index.
    pub hold: u32,
    /// Generation of that index.
    pub generation: u32,
    /// Most that the hold may charge, in atoms.
    pub max_charge_atoms: u64,
    /// Least lots that the hold's commit may trade.
    pub lots_min: u32,
    /// Capability record to use; it must not be live.
    pub cap: u8,
    /// Instrument of the hold.
    pub instrument: u8,
}

/// Sums over the legs.
#[derive(Default)]
struct Totals {
    lots: u64,
    notional_atoms: u64,
    pledged_atoms: u64,
    booked: Booked,
}

#[inline(never)]
pub fn run(ctx: &mut Context<OpenRoute>, route: &RouteArgs) -> Result<()> {
    require_direct(ctx.accounts.owner.address().as_array())?;
    let slot = Slot::from_clock(Clock::get()?.slot);
    let accounts = ctx.remaining_accounts()?;
    let moved = route
        .legs
        .iter()
        .fold(0u64, |sum, leg| sum.saturating_add(leg.max_charge_atoms));
    require_owner_or_delegate(
        &mut ctx.accounts.portfolio,
        &ctx.accounts.owner,
        slot,
        moved,
    )?;
    require_open(&ctx.accounts.portfolio)?;
    if ctx.accounts.portfolio.is_liquidating() {
        return Err(fail(RouterError::Liquidating));
    }
    if ctx.accounts.config.is_paused(slot) {
        return Err(fail(RouterError::Paused));
    }
    if accounts.len() != route.legs.len() * leg::ACCOUNTS_PER_LEG || route.side > 1 {
        return Err(fail(RouterError::BadRoute));
    }
    let mut totals = Totals::default();
    let mut previous = ([0; 32], 0);
    for (accounts, terms) in leg::split(&accounts)?.zip(&route.legs) {
        open_leg(
            ctx,
            accounts,
            route,
            terms,
            slot,
            &mut previous,
            &mut totals,
        )?;
    }
    let within = match route.side {
        0 => totals.notional_atoms <= route.notional_limit_atoms,
        _ => totals.notional_atoms >= route.notional_limit_atoms,
    };
    if !within || totals.lots < route.lots_min {
        return Err(fail(RouterError::BadRoute));
    }
    log::write(&RouteOpened {
        tag: RouteOpened::TAG,
        portfolio: *ctx.accounts.portfolio.key(),
        route_id: route.route_id,
        side: route.side,
        legs: route.legs.len() as u8,
        lots: totals.lots,
        notional_atoms: totals.notional_atoms,
        pledged_atoms: totals.pledged_atoms,
        booked: totals.booked,
        cash_atoms: ctx.accounts.portfolio.cash_atoms,
    });
    Ok(())
}

#[inline(never)]
fn open_leg(
    ctx: &mut Context<OpenRoute>,
    accounts: &[AccountView],
    route: &RouteArgs,
    terms: &LegArgs,
    slot: Slot,
    previous: &mut ([u8; 32], u32),
    totals: &mut Totals,
) -> Result<()> {
    let portfolio = &mut ctx.accounts.portfolio;
    let mut leg = Leg::load(accounts, portfolio)?;
    leg.require_active()?;
    leg::require_ascending(previous, (*leg.slab_key(), terms.hold))?;
    totals.booked.add(leg.book(portfolio)?);
    let hold = *checked_hold(&leg, route, terms, slot)?;
    if !key_eq(&portfolio.owner, ctx.accounts.owner.address().as_array()) {
        require_band(&leg, &hold, portfolio.delegate_band_ppm)?;
    }
    // What commit will trade at the least; the record keeps it until then.
    totals.lots += u64::from(hold.filled_lots);
    totals.notional_atoms = totals
        .notional_atoms
        .checked_add(hold.notional_atoms)
        .ok_or(fail(RouterError::AmountOverflow))?;
    portfolio.cash_atoms = portfolio
        .cash_atoms
        .checked_sub(hold.max_charge_atoms)
        .ok_or(fail(RouterError::NotEnoughCash))?;
    // The signed bounds were added up before; what is captured is within them.
    totals.pledged_atoms = totals.pledged_atoms.wrapping_add(hold.max_charge_atoms);
    mint(&mut leg.escrow, route.route_id, terms, &hold)
}

/// The live hold of this leg, as the owner signed it.
fn checked_hold<'a>(
    leg: &'a Leg,
    route: &RouteArgs,
    terms: &LegArgs,
    slot: Slot,
) -> Result<&'a Reservation> {
    let data = leg.data()?;
    bound_account(data, leg.escrow.key(), &leg.escrow)?;
    let hold: &Reservation = item_at(data, PoolId::Reservations, terms.hold)
        .filter(|hold: &&Reservation| {
            hold.is_held()
                && hold.generation == terms.generation
                && u32::from(hold.account) == leg.escrow.bound_account
                && hold.route_id == route.route_id
                && hold.side_state & 1 == route.side
                && hold.instrument == terms.instrument
                && slot <= hold.expiry_slot
                // The money must come back in time, whatever the slab says.
                && hold.expiry_slot.saturating_sub(slot) <= CAP_SLOTS_MAX
        })
        .ok_or(fail(RouterError::BadHold))?;
    let signed =
        hold.max_charge_atoms <= terms.max_charge_atoms && hold.filled_lots >= terms.lots_min;
    // The limit is on all that was captured: a part of it may be dearer.
    let limited = match route.side {
        0 => route.notional_limit_atoms != u64::MAX,
        _ => route.notional_limit_atoms != 0,
    };
    if signed && (!limited || hold.filled_lots == hold.lots) {
        Ok(hold)
    } else {
        Err(fail(RouterError::BadRoute))
    }
}

/// A delegate's hold is no worse than the slab's mark by more than the owner's
/// band (rule X9).
#[inline(never)]
fn require_band(leg: &Leg, hold: &Reservation, band_ppm: u32) -> Result<()> {
    let buys = hold.side_state & 1 == 0;
    let within = |mark| band::is_within(buys, hold.worst_ticks, mark, band_ppm);
    if band::mark_ticks(leg.data()?, hold.instrument).is_some_and(within) {
        Ok(())
    } else {
        Err(fail(RouterError::OutsideBand))
    }
}

/// Mints the capability of one hold and moves its money into the escrow.
#[inline(never)]
fn mint(escrow: &mut Escrow, route_id: u64, terms: &LegArgs, hold: &Reservation) -> Result<()> {
    let doubled = escrow.caps.iter().any(|cap| {
        cap.state == cap_state::LIVE
            && cap.hold == terms.hold
            && cap.hold_generation == terms.generation
    });
    if doubled {
        return Err(fail(RouterError::BadHold));
    }
    let index = terms.cap as usize;
    if index >= CAPS_PER_ESCROW || escrow.caps[index].state == cap_state::LIVE {
        return Err(fail(RouterError::CapsFull));
    }
    let overflow = fail(RouterError::AmountOverflow);
    escrow.balance_atoms = escrow
        .balance_atoms
        .checked_add(hold.max_charge_atoms)
        .ok_or(overflow.clone())?;
    escrow.cap_nonce = escrow.cap_nonce.checked_add(1).ok_or(overflow)?;
    escrow.caps[index] = Cap {
        route_id,
        amount_max_atoms: hold.max_charge_atoms,
        remaining_atoms: hold.max_charge_atoms,
        nonce: escrow.cap_nonce,
        hold: terms.hold,
        hold_generation: terms.generation,
        expiry_slot: hold.expiry_slot,
        state: cap_state::LIVE,
        ..Cap::default()
    };
    Ok(())
}
