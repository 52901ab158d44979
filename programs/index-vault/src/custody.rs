//! The token account of a desk's collateral.
//!
//! It owes `booked_atoms`: what all positions together have unconfirmed, ready
//! or authorised. Tokens leave it to the owner of a position, or to the desk's
//! payout account for what was spent; nothing else moves them.

use crate::access::{Owned, fail, require_same};
use crate::token;
use anchor_lang::cpi::{CpiSeed, CpiSigner};
use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::prelude::*;
use flagstone_index_engine::records::Custody;
use flagstone_index_engine::{IndexError, store};
use flagstone_interface::Key;
use flagstone_interface::index::seeds;
use pinocchio_token::instructions::Transfer;

/// The custody of a desk, to be changed.
pub fn open<'a>(account: &'a mut Owned, desk: &Key) -> Result<&'a mut Custody> {
    let custody = store::record::<Custody>(account.bytes_mut()).map_err(fail)?;
    require_same(&custody.desk, desk)?;
    Ok(custody)
}

/// Refuses a payout account that is not one of the mint, or is the custody's own.
pub fn require_payout(custody: &Custody, payout: &AccountView) -> Result<()> {
    token::balance_atoms(payout, &custody.mint)?;
    if custody.vault == *payout.address().as_array() {
        return Err(fail(IndexError::WrongMint));
    }
    Ok(())
}

/// Takes tokens in; `payer` signs for `source`.
#[inline(never)]
pub fn take_in(
    custody: &mut Owned,
    desk: &Key,
    source: &AccountView,
    vault: &AccountView,
    payer: &AccountView,
    atoms: u64,
) -> Result<()> {
    let record = open(custody, desk)?;
    require_same(&record.vault, vault.address().as_array())?;
    let booked = record.booked_atoms.checked_add(atoms);
    record.booked_atoms = booked.ok_or(fail(IndexError::AmountOverflow))?;
    let mint = record.mint;
    token::balance_atoms(source, &mint)?;
    let before = token::balance_atoms(vault, &mint)?;
    Transfer::new(source, vault, payer, atoms).invoke()?;
    let after = token::balance_atoms(vault, &mint)?;
    expect(after.checked_sub(before), atoms)
}

/// Pays tokens out, after the position was changed; nothing for no atoms.
#[inline(never)]
pub fn pay_out(
    custody: &mut Owned,
    desk: &Key,
    vault: &AccountView,
    destination: &AccountView,
    atoms: u64,
) -> Result<()> {
    let record = open(custody, desk)?;
    require_same(&record.vault, vault.address().as_array())?;
    let booked = record.booked_atoms.checked_sub(atoms);
    record.booked_atoms = booked.ok_or(fail(IndexError::AmountOverflow))?;
    let (mint, bump) = (record.mint, [record.bump]);
    token::balance_atoms(destination, &mint)?;
    if atoms == 0 {
        return Ok(());
    }
    let before = token::balance_atoms(vault, &mint)?;
    let seeds = [
        CpiSeed::from(seeds::CUSTODY),
        CpiSeed::from(desk.as_slice()),
        CpiSeed::from(bump.as_slice()),
    ];
    Transfer::new(vault, destination, custody.account(), atoms)
        .invoke_signed(&[CpiSigner::from(&seeds)])?;
    let after = token::balance_atoms(vault, &mint)?;
    expect(before.checked_sub(after), atoms)
}

/// Pays the desk what was spent.
pub fn pay_desk(
    custody: &mut Owned,
    desk: &Key,
    vault: &AccountView,
    payout: &AccountView,
    atoms: u64,
) -> Result<()> {
    let record = open(custody, desk)?;
    require_same(&record.payout, payout.address().as_array())?;
    let paid = record.paid_atoms.checked_add(atoms);
    record.paid_atoms = paid.ok_or(fail(IndexError::AmountOverflow))?;
    pay_out(custody, desk, vault, payout, atoms)
}

fn expect(moved: Option<u64>, atoms: u64) -> Result<()> {
    if moved == Some(atoms) {
        Ok(())
    } else {
        Err(fail(IndexError::WrongAmount))
    }
}
