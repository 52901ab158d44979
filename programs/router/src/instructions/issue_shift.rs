use crate::access::{create, fail, store};
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
use flagstone_interface::event::router::{Booked, ShiftIssued};
use flagstone_interface::router::{Escrow, Portfolio, ShiftTicket, seeds};
use flagstone_interface::slab::SlabAccount;
use flagstone_interface::{Record, key_eq};
use flagstone_margin::times::SHIFT_SLOTS;
use flagstone_margin::{Reading, shift};
use flagstone_units::Slot;

/// Accounts of `issue_shift`.
#[derive(Accounts)]
pub struct IssueShift {
    /// Pays for the ticket's account, once per escrow that gives.
    #[account(mut)]
    pub payer: Signer,
    /// The seat that gives.
    pub source: Nested<Seat>,
    /// The seat that lacks margin.
    pub target: Nested<Target>,
    /// `"shift"`, escrow that gives.
    #[account(mut)]
    pub ticket: UncheckedAccount,
    /// System.
    pub system_program: Program<System>,
}

/// Permissionless. Lets the slab of an account that is well release what a
/// frozen account of the same portfolio lacks beyond free cash, within its
/// owner's consent; nobody chooses the amount (rule LQ4). `slab.release_shift`,
/// `settle` and `shift_margin` bring it there.
///
/// One shift ticket per portfolio is out at a time, until what was released
/// under it is booked or it has expired: two could release the same need twice.
/// A pause does not bar it, since it cures.
#[inline(never)]
pub fn run(ctx: &mut Context<IssueShift>) -> Result<()> {
    let slot = current_slot()?;
    let accounts = &mut ctx.accounts;
    let (source, target) = (&mut accounts.source.0, &mut accounts.target.0);
    let booked = source.book()?;
    let (reading, target_booked) = target.read(&mut source.portfolio, slot)?;
    if !key_eq(&source.escrow.mint, &target.escrow.mint) {
        return Err(fail(RouterError::WrongMint));
    }
    if source.escrow.frozen != 0 {
        return Err(fail(RouterError::Liquidating));
    }
    let (_, account) = source.account()?;
    let ended = is_booked(&source.portfolio, &source.escrow, account);
    if source.portfolio.is_shift_out(slot) && !ended {
        return Err(fail(RouterError::NoTicketDue));
    }
    let amount = amount_atoms(source, &reading, &target.escrow, slot)?;
    if amount == 0 {
        return Err(fail(RouterError::NothingToShift));
    }
    let mut view = *accounts.ticket.account();
    let key = *source.escrow.key();
    let bump = match bump_of(&view, &key)? {
        Some(bump) => bump,
        None => create::<ShiftTicket>(&accounts.payer, &view, &[seeds::SHIFT, &key])?,
    };
    let ticket = written(source, target, &reading, bump, amount, slot)?;
    store(&mut view, &ticket)?;
    tell(&ticket, source, booked, target_booked);
    Ok(())
}

/// In a frame of its own: the ticket takes a part of that of its caller.
#[inline(never)]
fn tell(ticket: &ShiftTicket, source: &Seat, booked: Booked, target_booked: Booked) {
    log::write(&ShiftIssued {
        tag: ShiftIssued::TAG,
        escrow: ticket.escrow,
        target: ticket.target,
        nonce: ticket.nonce,
        amount_max_atoms: ticket.amount_max_atoms,
        expiry_slot: ticket.expiry_slot.0,
        booked,
        target_booked,
        cash_atoms: source.portfolio.cash_atoms,
    });
}

/// The least of what is wanted, what the source's slab would release and what
/// its ledger can pay now, in atoms.
#[inline(never)]
fn amount_atoms(source: &Seat, reading: &Reading, target: &Escrow, slot: Slot) -> Result<u64> {
    let (data, account) = source.account()?;
    if shift::is_owed(account, &source.escrow) {
        return Ok(0);
    }
    let wanted = shift::wanted_atoms(reading, target, source.portfolio.cash_atoms);
    let spare = shift::spare_atoms(data, account, &source.escrow, slot)
        .map_err(|_| fail(RouterError::Unreadable))?;
    let payable = shift::payable_atoms(&source.escrow, &source.ledger, slot);
    Ok(wanted.min(spare).min(payable))
}

/// The next ticket of the portfolio.
#[inline(never)]
fn written(
    source: &mut Seat,
    target: &Target,
    reading: &Reading,
    bump: u8,
    amount_max_atoms: u64,
    slot: Slot,
) -> Result<ShiftTicket> {
    let overflow = fail(RouterError::AmountOverflow);
    let enough = target
        .escrow
        .deposited_total_atoms
        .checked_add(reading.missing_atoms())
        .ok_or(overflow.clone())?;
    let nonce = source.portfolio.ticket_nonce.checked_add(1);
    let nonce = nonce.ok_or(overflow)?;
    let expiry_slot = Slot(slot.0.saturating_add(SHIFT_SLOTS.0));
    source.portfolio.ticket_nonce = nonce;
    source.portfolio.shift_nonce = nonce;
    source.portfolio.shift_until = expiry_slot;
    source.portfolio.shift_escrow = *source.escrow.key();
    Ok(ShiftTicket {
        discriminator: ShiftTicket::DISCRIMINATOR,
        version: ShiftTicket::VERSION,
        bump,
        slab: source.entry.slab,
        escrow: *source.escrow.key(),
        target: *target.escrow.key(),
        portfolio: *source.portfolio.key(),
        account: source.escrow.bound_account,
        generation: source.escrow.bound_generation,
        episode: source.portfolio.episode,
        nonce,
        issued_slot: slot,
        expiry_slot,
        amount_max_atoms,
        enough_total_atoms: enough,
        ..ShiftTicket::zeroed()
    })
}

/// Bump of the ticket in an account; `None` while the account holds nothing.
///
/// # Errors
/// When the account is the shift ticket of another escrow.
fn bump_of(view: &AccountView, escrow: &[u8; 32]) -> Result<Option<u8>> {
    if view.data_len() == 0 {
        return Ok(None);
    }
    let ticket = Stored::<ShiftTicket>::load(*view)?;
    // Tickets are made at derived addresses only, so there is one per escrow.
    if key_eq(&ticket.escrow, escrow) {
        Ok(Some(ticket.bump))
    } else {
        Err(fail(RouterError::WrongAddress))
    }
}

/// Whether an account is the one that the portfolio's shift ticket was issued
/// for and used at, and all that it released is paid: it is part of the free
/// cash. What the slab of another account shows does not count.
pub fn is_booked(portfolio: &Portfolio, escrow: &Stored<Escrow>, account: &SlabAccount) -> bool {
    key_eq(&portfolio.shift_escrow, escrow.key())
        && account.ticket_nonce == portfolio.shift_nonce
        && !shift::is_owed(account, escrow)
}
