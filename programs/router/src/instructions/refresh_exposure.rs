use crate::access::{create, fail};
use crate::log;
use crate::record::Stored;
// All of it: the nested accounts bring generated modules along.
use crate::seat::*;
use anchor_lang::AnchorAccount;
use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::prelude::*;
use anchor_lang::programs::System;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::ExposureRefreshed;
use flagstone_interface::grid::{Exposure, seeds};
use flagstone_interface::{Key, Record, key_eq};
use flagstone_margin::exposure;

/// Accounts of `refresh_exposure`.
#[derive(Accounts)]
pub struct RefreshExposure {
    /// Pays for the record's account, once per escrow.
    #[account(mut)]
    pub payer: Signer,
    /// The seat.
    pub seat: Nested<Seat>,
    /// `"exposure"`, escrow.
    #[account(mut)]
    pub exposure: UncheckedAccount,
    /// System.
    pub system_program: Program<System>,
}

/// Permissionless. Books what the slab account owes and is owed (rule X3), and
/// writes down what it holds: lots, cost and cash, by the instrument numbers in
/// the slab's own bytes.
#[inline(never)]
pub fn run(ctx: &mut Context<RefreshExposure>) -> Result<()> {
    let slot = current_slot()?;
    let accounts = &mut ctx.accounts;
    let seat = &mut accounts.seat.0;
    let booked = seat.book()?;
    let key = *seat.escrow.key();
    let view = *accounts.exposure.account();
    if view.data_len() == 0 {
        open(&accounts.payer, &view, &key)?;
    }
    // SAFETY: the only record of its kind in this instruction.
    let mut record: Stored<Exposure> = unsafe { Stored::load_mut(view)? };
    // Made at derived addresses only, so there is one per escrow.
    if !key_eq(&record.escrow, &key) {
        return Err(fail(RouterError::BadExposure));
    }
    let (data, account) = seat.account()?;
    exposure::take(data, account, &seat.escrow, slot, &mut record)
        .map_err(|_| fail(RouterError::Unreadable))?;
    log::write(&ExposureRefreshed {
        tag: ExposureRefreshed::TAG,
        escrow: key,
        slab: seat.escrow.slab,
        positions: record.positions_count as u8,
        account_cash_atoms: record.cash_atoms,
        booked,
        cash_atoms: seat.portfolio.cash_atoms,
    });
    Ok(())
}

/// Creates the record in place: it takes half a frame.
#[inline(never)]
fn open(payer: &AccountView, view: &AccountView, escrow: &Key) -> Result<()> {
    let bump = create::<Exposure>(payer, view, &[seeds::EXPOSURE, escrow])?;
    let mut view = *view;
    let mut data = view.try_borrow_mut()?;
    let head = data.get_mut(..12).ok_or(fail(RouterError::WrongRecord))?;
    head[..8].copy_from_slice(&Exposure::DISCRIMINATOR);
    head[8..].copy_from_slice(&Exposure::VERSION.to_le_bytes());
    drop(data);
    // SAFETY: the account was empty, so nothing else refers to its record.
    let mut record: Stored<Exposure> = unsafe { Stored::load_mut(view)? };
    record.bump = bump;
    record.escrow = *escrow;
    Ok(())
}
