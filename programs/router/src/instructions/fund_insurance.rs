use crate::access::{fail, require_top_level};
use crate::record::Stored;
use crate::token;
use anchor_lang::prelude::*;
use anchor_lang::programs::Token;
use flagstone_interface::error::RouterError;
use flagstone_interface::key_eq;
use flagstone_interface::router::{SlabLedger, Vault};
use pinocchio_token::instructions::Transfer;

/// Accounts of `fund_insurance`.
#[derive(Accounts)]
pub struct FundInsurance {
    /// Owner of the tokens.
    pub funder: Signer,
    /// What the Router holds for the slab.
    #[account(mut)]
    pub ledger: Stored<SlabLedger>,
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

/// Anyone may add to a slab's insurance; nobody can take it out again. The
/// credit is what arrived in the vault.
#[inline(never)]
pub fn run(ctx: &mut Context<FundInsurance>, amount_atoms: u64) -> Result<()> {
    require_top_level()?;
    let accounts = &mut ctx.accounts;
    if amount_atoms == 0 {
        return Err(fail(RouterError::ZeroAmount));
    }
    let mint = accounts.vault.mint;
    if !key_eq(&accounts.ledger.mint, &mint) {
        return Err(fail(RouterError::WrongMint));
    }
    if !key_eq(&accounts.vault.tokens, accounts.tokens.address().as_array()) {
        return Err(fail(RouterError::WrongRecord));
    }
    token::balance_atoms(&accounts.source, &mint)?;
    let before = token::balance_atoms(&accounts.tokens, &mint)?;
    Transfer::new(
        accounts.source.account(),
        accounts.tokens.account(),
        accounts.funder.account(),
        amount_atoms,
    )
    .invoke()?;
    let after = token::balance_atoms(&accounts.tokens, &mint)?;
    let overflow = fail(RouterError::AmountOverflow);
    let arrived = after.checked_sub(before).ok_or(overflow.clone())?;
    let ledger = &mut accounts.ledger;
    let insurance = ledger.insurance_atoms.checked_add(arrived);
    let total = ledger.insurance_funded_total_atoms.checked_add(arrived);
    let booked = accounts.vault.booked_atoms.checked_add(arrived);
    ledger.insurance_atoms = insurance.ok_or(overflow.clone())?;
    ledger.insurance_funded_total_atoms = total.ok_or(overflow.clone())?;
    accounts.vault.booked_atoms = booked.ok_or(overflow)?;
    Ok(())
}
