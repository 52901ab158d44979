//! Claims: withdrawals above the vault's limit, first in first out (rule X8).
//!
//! A claim lives in its owner's portfolio, one at a time, and has a serial
//! number. The vault pays them in that order, each as far as the bucket has
//! room. Nobody can keep the queue from moving: a claim that was cancelled or
//! cannot be paid passes, and anyone may send what moves it.

use crate::access::{fail, require_direct, require_owner, require_top_level};
use crate::log;
use crate::record::Stored;
use crate::token;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use anchor_lang::programs::Token;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::{ClaimCancelled, ClaimPaid, ClaimQueued};
use flagstone_interface::key_eq;
use flagstone_interface::router::{CLAIMS_WAITING_MAX, Portfolio, RouterConfig, Vault};
use flagstone_units::Slot;

/// A claim is at least this part of the limit: filling the queue with small
/// ones takes a quarter of the limit.
const CLAIM_PARTS_MAX: u64 = 1_024;

/// Accounts of `claim_withdrawal`.
#[derive(Accounts)]
pub struct ClaimWithdrawal {
    /// Owner of the portfolio.
    pub owner: Signer,
    /// The configuration.
    pub config: Stored<RouterConfig>,
    /// The owner's portfolio.
    #[account(mut)]
    pub portfolio: Stored<Portfolio>,
    /// The vault of the quote mint.
    #[account(mut)]
    pub vault: Stored<Vault>,
    /// Token account that will receive.
    pub destination: UncheckedAccount,
}

/// The money leaves the cash now and the vault when its turn comes.
#[inline(never)]
pub fn claim(ctx: &mut Context<ClaimWithdrawal>, amount_atoms: u64) -> Result<()> {
    require_direct(ctx.accounts.owner.address().as_array())?;
    let accounts = &mut ctx.accounts;
    require_owner(&accounts.portfolio.owner, &accounts.owner)?;
    if accounts.portfolio.is_liquidating() {
        return Err(fail(RouterError::Liquidating));
    }
    let destination = *accounts.destination.address().as_array();
    if !key_eq(&accounts.vault.mint, &accounts.config.quote_mint)
        || key_eq(&accounts.vault.tokens, &destination)
    {
        return Err(fail(RouterError::WrongRecord));
    }
    token::balance_atoms(&accounts.destination, &accounts.vault.mint)?;
    let (portfolio, vault) = (&mut accounts.portfolio, &mut accounts.vault);
    let smallest = (vault.outflow.limit_atoms / CLAIM_PARTS_MAX).max(1);
    if portfolio.claim_serial != 0 || amount_atoms < smallest {
        return Err(fail(RouterError::BadClaim));
    }
    if vault.claims_total - vault.claims_done >= CLAIMS_WAITING_MAX {
        return Err(fail(RouterError::ClaimsFull));
    }
    portfolio.cash_atoms = portfolio
        .cash_atoms
        .checked_sub(amount_atoms)
        .ok_or(fail(RouterError::NotEnoughCash))?;
    vault.claims_atoms = vault
        .claims_atoms
        .checked_add(amount_atoms)
        .ok_or(fail(RouterError::AmountOverflow))?;
    vault.claims_total += 1;
    portfolio.claim_atoms = amount_atoms;
    portfolio.claim_serial = vault.claims_total;
    portfolio.claim_destination = destination;
    log::write(&ClaimQueued {
        tag: ClaimQueued::TAG,
        portfolio: *portfolio.key(),
        serial: portfolio.claim_serial,
        amount_atoms,
        cash_atoms: portfolio.cash_atoms,
        claims_atoms: vault.claims_atoms,
    });
    Ok(())
}

/// Accounts of `pay_claim`.
#[derive(Accounts)]
pub struct PayClaim {
    /// The configuration.
    pub config: Stored<RouterConfig>,
    /// Portfolio whose claim is the next one.
    #[account(mut)]
    pub portfolio: Stored<Portfolio>,
    /// The vault of the quote mint.
    #[account(mut)]
    pub vault: Stored<Vault>,
    /// The vault's token account.
    #[account(mut)]
    pub tokens: UncheckedAccount,
    /// `"authority"`.
    pub authority: UncheckedAccount,
    /// Token account that the claim names.
    #[account(mut)]
    pub destination: UncheckedAccount,
    /// SPL Token.
    pub token_program: Program<Token>,
}

/// Permissionless. A claim whose token account can receive no more becomes cash
/// again: it must not hold up those behind it.
#[inline(never)]
pub fn pay(ctx: &mut Context<PayClaim>) -> Result<()> {
    require_top_level()?;
    let now = Slot::from_clock(Clock::get()?.slot);
    let accounts = &mut ctx.accounts;
    let (portfolio, vault) = (&mut accounts.portfolio, &mut accounts.vault);
    let tokens = accounts.tokens.address().as_array();
    if !key_eq(&vault.tokens, tokens) || !key_eq(&vault.mint, &accounts.config.quote_mint) {
        return Err(fail(RouterError::WrongRecord));
    }
    let destination = accounts.destination.address().as_array();
    let serial = portfolio.claim_serial;
    let next = serial == vault.claims_done + 1 && key_eq(&portfolio.claim_destination, destination);
    if !next {
        return Err(fail(RouterError::BadClaim));
    }
    if !token::may_receive(&accounts.destination, &vault.mint) {
        let returned = undo(portfolio, vault)?;
        pass(portfolio, vault);
        tell_paid(portfolio, vault, serial, 0, returned);
        return Ok(());
    }
    let waiting = portfolio.claim_atoms;
    let exempt = portfolio.recent.take(now, waiting);
    let counted = waiting - exempt;
    let paid = exempt + counted.min(vault.outflow.room_atoms(now));
    if paid == 0 && portfolio.claim_atoms > 0 {
        return Err(fail(RouterError::OverLimit));
    }
    vault.outflow.count(now, paid - exempt);
    let overflow = fail(RouterError::AmountOverflow);
    portfolio.claim_atoms -= paid;
    vault.claims_atoms = vault
        .claims_atoms
        .checked_sub(paid)
        .ok_or(overflow.clone())?;
    portfolio.withdrawn_total_atoms = portfolio
        .withdrawn_total_atoms
        .checked_add(paid)
        .ok_or(overflow)?;
    if portfolio.claim_atoms == 0 {
        pass(portfolio, vault);
    }
    if paid == 0 {
        tell_paid(portfolio, vault, serial, 0, 0);
        return Ok(());
    }
    vault.booked_atoms = vault
        .booked_atoms
        .checked_sub(paid)
        .ok_or(fail(RouterError::AmountOverflow))?;
    token::pay_out(
        &accounts.config,
        vault,
        accounts.tokens.account(),
        accounts.authority.account(),
        accounts.destination.account(),
        paid,
    )?;
    tell_paid(portfolio, vault, serial, paid, 0);
    Ok(())
}

fn tell_paid(
    portfolio: &Stored<Portfolio>,
    vault: &Vault,
    serial: u64,
    amount_atoms: u64,
    returned_atoms: u64,
) {
    log::write(&ClaimPaid {
        tag: ClaimPaid::TAG,
        portfolio: *portfolio.key(),
        serial,
        amount_atoms,
        returned_atoms,
        left_atoms: portfolio.claim_atoms,
        claims_atoms: vault.claims_atoms,
        booked_atoms: vault.booked_atoms,
    });
}

/// Accounts of `cancel_claim`.
#[derive(Accounts)]
pub struct CancelClaim {
    /// Owner of the portfolio.
    pub owner: Signer,
    /// The owner's portfolio.
    #[account(mut)]
    pub portfolio: Stored<Portfolio>,
    /// The vault of the quote mint.
    #[account(mut)]
    pub vault: Stored<Vault>,
}

/// The place in the queue stays until its turn, so that the order of the others
/// does not change.
#[inline(never)]
pub fn cancel(ctx: &mut Context<CancelClaim>) -> Result<()> {
    require_direct(ctx.accounts.owner.address().as_array())?;
    let accounts = &mut ctx.accounts;
    require_owner(&accounts.portfolio.owner, &accounts.owner)?;
    if accounts.portfolio.claim_atoms == 0 {
        return Err(fail(RouterError::BadClaim));
    }
    let amount_atoms = undo(&mut accounts.portfolio, &mut accounts.vault)?;
    log::write(&ClaimCancelled {
        tag: ClaimCancelled::TAG,
        portfolio: *accounts.portfolio.key(),
        serial: accounts.portfolio.claim_serial,
        amount_atoms,
        cash_atoms: accounts.portfolio.cash_atoms,
        claims_atoms: accounts.vault.claims_atoms,
    });
    Ok(())
}

/// Turns what is left of a claim back into cash. Returns how much that was.
fn undo(portfolio: &mut Portfolio, vault: &mut Vault) -> Result<u64> {
    let overflow = fail(RouterError::AmountOverflow);
    let atoms = portfolio.claim_atoms;
    portfolio.cash_atoms = portfolio
        .cash_atoms
        .checked_add(atoms)
        .ok_or(overflow.clone())?;
    vault.claims_atoms = vault.claims_atoms.checked_sub(atoms).ok_or(overflow)?;
    portfolio.claim_atoms = 0;
    Ok(atoms)
}

/// The next claim's turn.
fn pass(portfolio: &mut Portfolio, vault: &mut Vault) {
    vault.claims_done += 1;
    portfolio.claim_serial = 0;
    portfolio.claim_destination = [0; 32];
}
