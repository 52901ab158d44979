use crate::access::{fail, require_direct};
use crate::log;
use crate::record::Stored;
use crate::token;
use anchor_lang::prelude::*;
use anchor_lang::programs::Token;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::InsuranceFunded;
use flagstone_interface::key_eq;
use flagstone_interface::router::{SlabLedger, Vault};

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
    require_direct(ctx.accounts.funder.address().as_array())?;
    let accounts = &mut ctx.accounts;
    if !key_eq(&accounts.ledger.mint, &accounts.vault.mint) {
        return Err(fail(RouterError::WrongMint));
    }
    let arrived = token::take_in(
        &accounts.vault,
        accounts.tokens.account(),
        accounts.source.account(),
        accounts.funder.account(),
        amount_atoms,
    )?;
    let overflow = fail(RouterError::AmountOverflow);
    let ledger = &mut accounts.ledger;
    let insurance = ledger.insurance_atoms.checked_add(arrived);
    let total = ledger.insurance_funded_total_atoms.checked_add(arrived);
    let booked = accounts.vault.booked_atoms.checked_add(arrived);
    ledger.insurance_atoms = insurance.ok_or(overflow.clone())?;
    ledger.insurance_funded_total_atoms = total.ok_or(overflow.clone())?;
    accounts.vault.booked_atoms = booked.ok_or(overflow)?;
    log::write(&InsuranceFunded {
        tag: InsuranceFunded::TAG,
        slab: ledger.slab,
        amount_atoms: arrived,
        insurance_atoms: ledger.insurance_atoms,
        booked_atoms: accounts.vault.booked_atoms,
    });
    Ok(())
}
