use crate::access::{fail, require_active, require_direct};
use crate::log;
use crate::record::Stored;
use crate::token;
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::SurplusSkimmed;
use flagstone_interface::key_eq;
use flagstone_interface::router::{RouterConfig, SlabEntry, SlabLedger, Vault};

/// Accounts of `skim_surplus`.
#[derive(Accounts)]
pub struct SkimSurplus {
    /// The administrator.
    pub admin: Signer,
    /// The configuration.
    pub config: Stored<RouterConfig>,
    /// Registry entry of the slab.
    pub entry: Stored<SlabEntry>,
    /// What the Router holds for the slab.
    #[account(mut)]
    pub ledger: Stored<SlabLedger>,
    /// The vault of the quote mint.
    #[account(mut)]
    pub vault: Stored<Vault>,
    /// The vault's token account.
    pub tokens: UncheckedAccount,
}

/// Books what somebody sent to the vault without depositing it to the insurance
/// of a slab (rule X8): it is nobody's, and nothing in the vault stays unbooked.
/// No token moves. Nobody chooses the amount, and nobody can take it out again.
#[inline(never)]
pub fn run(ctx: &mut Context<SkimSurplus>) -> Result<()> {
    require_direct(ctx.accounts.admin.address().as_array())?;
    let accounts = &mut ctx.accounts;
    let (config, vault) = (&accounts.config, &accounts.vault);
    if !key_eq(&config.admin, accounts.admin.address().as_array()) {
        return Err(fail(RouterError::WrongAdmin));
    }
    if !key_eq(&accounts.ledger.slab, &accounts.entry.slab) {
        return Err(fail(RouterError::WrongSlab));
    }
    require_active(&accounts.entry)?;
    if !key_eq(&vault.mint, &config.quote_mint) || !key_eq(&accounts.ledger.mint, &vault.mint) {
        return Err(fail(RouterError::WrongMint));
    }
    if !key_eq(&vault.tokens, accounts.tokens.address().as_array()) {
        return Err(fail(RouterError::WrongRecord));
    }
    let held = token::balance_atoms(&accounts.tokens, &vault.mint)?;
    let surplus = held.saturating_sub(vault.booked_atoms);
    if surplus == 0 {
        return Err(fail(RouterError::NothingToSkim));
    }
    let overflow = fail(RouterError::AmountOverflow);
    let ledger = &mut accounts.ledger;
    let insurance = ledger.insurance_atoms.checked_add(surplus);
    let total = ledger.insurance_funded_total_atoms.checked_add(surplus);
    ledger.insurance_atoms = insurance.ok_or(overflow.clone())?;
    ledger.insurance_funded_total_atoms = total.ok_or(overflow)?;
    accounts.vault.booked_atoms = held;
    log::write(&SurplusSkimmed {
        tag: SurplusSkimmed::TAG,
        slab: ledger.slab,
        amount_atoms: surplus,
        insurance_atoms: ledger.insurance_atoms,
        booked_atoms: held,
    });
    Ok(())
}
