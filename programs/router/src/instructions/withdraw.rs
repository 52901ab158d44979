use crate::access::{fail, require_owner, require_top_level};
use crate::record::Stored;
use crate::token;
use anchor_lang::cpi::{CpiSeed, CpiSigner};
use anchor_lang::prelude::*;
use anchor_lang::programs::Token;
use flagstone_interface::error::RouterError;
use flagstone_interface::key_eq;
use flagstone_interface::router::{Portfolio, RouterConfig, Vault, seeds};
use pinocchio_token::instructions::Transfer;

/// Accounts of `withdraw`.
#[derive(Accounts)]
pub struct Withdraw {
    /// Owner of the portfolio.
    pub owner: Signer,
    /// The configuration.
    pub config: Stored<RouterConfig>,
    /// The owner's portfolio.
    #[account(mut)]
    pub portfolio: Stored<Portfolio>,
    /// The vault of the mint.
    #[account(mut)]
    pub vault: Stored<Vault>,
    /// The vault's token account.
    #[account(mut)]
    pub tokens: UncheckedAccount,
    /// `"authority"`.
    pub authority: UncheckedAccount,
    /// Token account that receives.
    #[account(mut)]
    pub destination: UncheckedAccount,
    /// SPL Token.
    pub token_program: Program<Token>,
}

#[inline(never)]
pub fn run(ctx: &mut Context<Withdraw>, amount_atoms: u64) -> Result<()> {
    require_top_level()?;
    let accounts = &mut ctx.accounts;
    require_owner(&accounts.portfolio.owner, &accounts.owner)?;
    if accounts.portfolio.is_liquidating() {
        return Err(fail(RouterError::Liquidating));
    }
    if amount_atoms == 0 {
        return Err(fail(RouterError::ZeroAmount));
    }
    let mint = accounts.vault.mint;
    let tokens = *accounts.tokens.address().as_array();
    // The vault of another mint would pay out cash that was never its own.
    if !key_eq(&accounts.vault.tokens, &tokens) || !key_eq(&mint, &accounts.config.quote_mint) {
        return Err(fail(RouterError::WrongRecord));
    }
    token::balance_atoms(&accounts.destination, &mint)?;
    let portfolio = &mut accounts.portfolio;
    portfolio.cash_atoms = portfolio
        .cash_atoms
        .checked_sub(amount_atoms)
        .ok_or(fail(RouterError::NotEnoughCash))?;
    let overflow = fail(RouterError::AmountOverflow);
    portfolio.withdrawn_total_atoms = portfolio
        .withdrawn_total_atoms
        .checked_add(amount_atoms)
        .ok_or(overflow.clone())?;
    accounts.vault.booked_atoms = accounts
        .vault
        .booked_atoms
        .checked_sub(amount_atoms)
        .ok_or(overflow.clone())?;

    let before = token::balance_atoms(&accounts.tokens, &mint)?;
    let bump = [accounts.config.authority_bump];
    let signer_seeds = [CpiSeed::from(seeds::AUTHORITY), CpiSeed::from(&bump)];
    Transfer::new(
        accounts.tokens.account(),
        accounts.destination.account(),
        accounts.authority.account(),
        amount_atoms,
    )
    .invoke_signed(&[CpiSigner::from(&signer_seeds)])?;
    // A transfer of the vault to itself would leave tokens that nobody owns.
    let after = token::balance_atoms(&accounts.tokens, &mint)?;
    if before.checked_sub(after) == Some(amount_atoms) {
        Ok(())
    } else {
        Err(overflow)
    }
}
