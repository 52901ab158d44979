use crate::access::{derive, fail};
use crate::instructions::issue_ticket::find;
use crate::log;
// All of it: the nested accounts bring generated modules along.
use crate::seat::*;
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::LiquidationEnded;
use flagstone_interface::router::{portfolio_status, seeds};

/// Accounts of `end_liquidation`.
#[derive(Accounts)]
pub struct EndLiquidation {
    /// The seat.
    pub seat: Nested<Seat>,
    /// `"ticket"`, escrow; it need not exist.
    #[account(mut)]
    pub ticket: UncheckedAccount,
}

/// Permissionless. Finds the account at or above its initial margin, read live,
/// voids its ticket and unfreezes its escrow (rule LQ4). With the last frozen
/// escrow the portfolio's liquidation ends.
#[inline(never)]
pub fn run(ctx: &mut Context<EndLiquidation>) -> Result<()> {
    let slot = current_slot()?;
    let accounts = &mut ctx.accounts;
    let seat = &mut accounts.seat.0;
    let (reading, booked) = seat.read(slot)?;
    if seat.escrow.frozen == 0 {
        return Err(fail(RouterError::NoTicketDue));
    }
    if !reading.is_restored() {
        return Err(fail(RouterError::NotRestored));
    }
    let key = *seat.escrow.key();
    derive(&accounts.ticket, &[seeds::TICKET, &key])?;
    if let Some(mut ticket) = find(accounts.ticket.account())? {
        // Serial numbers start from 1: slabs refuse this one.
        ticket.nonce = 0;
    }
    seat.escrow.frozen = 0;
    seat.escrow.restored_slot = slot;
    let portfolio = &mut seat.portfolio;
    portfolio.frozen_count = portfolio.frozen_count.saturating_sub(1);
    if portfolio.frozen_count == 0 {
        portfolio.status = portfolio_status::OPEN;
    }
    log::write(&LiquidationEnded {
        tag: LiquidationEnded::TAG,
        escrow: key,
        slab: seat.entry.slab,
        episode: portfolio.episode,
        frozen_count: portfolio.frozen_count,
        equity_atoms: reading.health.equity_atoms,
        booked,
        cash_atoms: portfolio.cash_atoms,
    });
    Ok(())
}
