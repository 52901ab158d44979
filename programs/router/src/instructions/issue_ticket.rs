use crate::access::{create, fail, store};
use crate::instructions::begin_liquidation::require_unpaused;
use crate::log;
use crate::record::Stored;
// All of it: the nested accounts bring generated modules along.
use crate::seat::*;
use anchor_lang::AnchorAccount;
use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::prelude::*;
use anchor_lang::programs::System;
use bytemuck::Zeroable;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::{Booked, TicketIssued};
use flagstone_interface::router::{RouterConfig, Ticket, seeds};
use flagstone_interface::{Record, key_eq};
use flagstone_margin::times::{DELEVERAGE_SLOTS, TICKET_SLOTS};
use flagstone_margin::{Plan, cover, reading};
use flagstone_units::Slot;

/// Accounts of `issue_ticket`.
#[derive(Accounts)]
pub struct IssueTicket {
    /// Pays for the ticket's account, once per escrow.
    #[account(mut)]
    pub payer: Signer,
    /// The seat.
    pub seat: Nested<Seat>,
    /// `"ticket"`, escrow.
    #[account(mut)]
    pub ticket: UncheckedAccount,
    /// System.
    pub system_program: Program<System>,
    /// The configuration: a pause stops this.
    pub config: Stored<RouterConfig>,
}

/// Permissionless. Issues the next ticket for a frozen account whose grace is
/// over and that is below its maintenance margin: lots, band and loss come from
/// the plan (rule LQ2), the number from the portfolio's counter.
///
/// While a ticket is out there is no other one: a new one would narrow the band
/// again. After its expiry it stands for deleveraging for a while.
#[inline(never)]
pub fn run(ctx: &mut Context<IssueTicket>) -> Result<()> {
    let slot = current_slot()?;
    let accounts = &mut ctx.accounts;
    require_unpaused(&accounts.config, slot)?;
    let seat = &mut accounts.seat.0;
    let (reading, booked) = seat.read(slot)?;
    let (escrow, portfolio) = (&seat.escrow, &seat.portfolio);
    let due = escrow.frozen != 0 && slot >= escrow.grace_until;
    let mut view = *accounts.ticket.account();
    if !due || is_out(&view, seat, slot)? {
        return Err(fail(RouterError::NoTicketDue));
    }
    if !reading.is_liquidatable() {
        return Err(fail(RouterError::Healthy));
    }
    let payable = cover::payable_atoms(&seat.ledger, escrow, portfolio.episode, slot);
    let plan = Plan::of(&reading, payable).ok_or(fail(RouterError::Healthy))?;

    let key = *seat.escrow.key();
    let bump = match find(&view)? {
        Some(ticket) => ticket.bump,
        None => create::<Ticket>(&accounts.payer, &view, &[seeds::TICKET, &key])?,
    };
    let nonce = seat.portfolio.ticket_nonce.checked_add(1);
    seat.portfolio.ticket_nonce = nonce.ok_or(fail(RouterError::AmountOverflow))?;
    let ticket = Ticket {
        discriminator: Ticket::DISCRIMINATOR,
        version: Ticket::VERSION,
        bump,
        instrument: plan.instrument,
        slab: seat.entry.slab,
        escrow: key,
        portfolio: *seat.portfolio.key(),
        episode: seat.portfolio.episode,
        nonce: seat.portfolio.ticket_nonce,
        lots_max: plan.lots_max,
        issued_slot: slot,
        expiry_slot: Slot(slot.0.saturating_add(TICKET_SLOTS.0)),
        band_max_ppm: plan.band_max_ppm,
        deficit_max_atoms: plan.deficit_max_atoms,
        ..Ticket::zeroed()
    };
    store(&mut view, &ticket)?;
    tell(&ticket, seat, booked);
    Ok(())
}

/// In a frame of its own: the ticket takes a part of that of its caller.
#[inline(never)]
fn tell(ticket: &Ticket, seat: &Seat, booked: Booked) {
    log::write(&TicketIssued {
        tag: TicketIssued::TAG,
        escrow: ticket.escrow,
        slab: ticket.slab,
        episode: ticket.episode,
        nonce: ticket.nonce,
        instrument: ticket.instrument,
        lots_max: ticket.lots_max,
        band_max_ppm: ticket.band_max_ppm,
        deficit_max_atoms: ticket.deficit_max_atoms,
        expiry_slot: ticket.expiry_slot.0,
        booked,
        cash_atoms: seat.portfolio.cash_atoms,
    });
}

/// The ticket in an account; `None` while the account holds nothing.
pub fn find(view: &AccountView) -> Result<Option<Stored<Ticket>>> {
    if view.data_len() == 0 {
        return Ok(None);
    }
    Stored::<Ticket>::load(*view).map(Some)
}

/// Whether a ticket of the running episode may still be used.
///
/// # Errors
/// When the account is the ticket of another escrow.
fn is_out(view: &AccountView, seat: &Seat, slot: Slot) -> Result<bool> {
    let Some(ticket) = find(view)? else {
        return Ok(false);
    };
    // Tickets are made at derived addresses only, so there is one per escrow.
    if !key_eq(&ticket.escrow, seat.escrow.key()) {
        return Err(fail(RouterError::WrongAddress));
    }
    let over = Slot(ticket.expiry_slot.0.saturating_add(DELEVERAGE_SLOTS.0));
    if ticket.nonce == 0 || ticket.episode != seat.portfolio.episode || slot > over {
        return Ok(false);
    }
    let (data, account) = seat.account()?;
    let used = account.ticket_nonce == ticket.nonce && account.ticket_lots_used >= ticket.lots_max;
    let held = reading::lots_in(data, account, ticket.instrument)
        .map_err(|_| fail(RouterError::Unreadable))?;
    Ok(!used && held != 0)
}
