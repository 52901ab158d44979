use crate::access::{fail, require_direct, require_owner};
use crate::instructions::owners::require_open;
use crate::log;
use crate::record::Stored;
use crate::token;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use anchor_lang::programs::Token;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::Deposited;
use flagstone_interface::router::{Portfolio, Vault};
use flagstone_units::Slot;

/// Accounts of `deposit`.
#[derive(Accounts)]
pub struct Deposit {
    /// Owner of the portfolio and of the tokens.
    pub owner: Signer,
    /// The owner's portfolio.
    #[account(mut)]
    pub portfolio: Stored<Portfolio>,
    /// The vault of the mint.
    #[account(mut)]
    pub vault: Stored<Vault>,
    /// The vault's token account.
    #[account(mut)]
    pub tokens: UncheckedAccount,
    /// Token account that pays.
    #[account(mut)]
    pub source: UncheckedAccount,
    /// SPL Token.
    pub token_program: Program<Token>,
}

/// The credit is what arrived in the vault, not what was asked for.
#[inline(never)]
pub fn run(ctx: &mut Context<Deposit>, amount_atoms: u64) -> Result<()> {
    require_direct(ctx.accounts.owner.address().as_array())?;
    let accounts = &mut ctx.accounts;
    require_owner(&accounts.portfolio.owner, &accounts.owner)?;
    require_open(&accounts.portfolio)?;
    let arrived = token::take_in(
        &accounts.vault,
        accounts.tokens.account(),
        accounts.source.account(),
        accounts.owner.account(),
        amount_atoms,
    )?;
    let overflow = fail(RouterError::AmountOverflow);
    let booked = accounts
        .vault
        .booked_atoms
        .checked_add(arrived)
        .ok_or(overflow.clone())?;
    let portfolio = &mut accounts.portfolio;
    let total = portfolio
        .deposited_total_atoms
        .checked_add(arrived)
        .ok_or(overflow.clone())?;
    let cash = portfolio.cash_atoms.checked_add(arrived).ok_or(overflow)?;
    portfolio.deposited_total_atoms = total;
    portfolio.cash_atoms = cash;
    portfolio
        .recent
        .add(Slot::from_clock(Clock::get()?.slot), arrived);
    accounts.vault.booked_atoms = booked;
    log::write(&Deposited {
        tag: Deposited::TAG,
        portfolio: *accounts.portfolio.key(),
        amount_atoms: arrived,
        cash_atoms: cash,
        booked_atoms: booked,
    });
    Ok(())
}
