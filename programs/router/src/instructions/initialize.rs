use crate::access::{create, derive, fail, require_top_level, store};
use crate::log;
use crate::token;
use crate::version;
use anchor_lang::prelude::*;
use anchor_lang::programs::{System, Token};
use bytemuck::Zeroable;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::RouterInitialized;
use flagstone_interface::router::{RouterConfig, Vault, seeds};
use flagstone_interface::{Record, key_eq};

/// Accounts of `initialize`.
#[derive(Accounts)]
pub struct Initialize {
    /// Becomes the administrator and pays for the accounts.
    #[account(mut)]
    pub admin: Signer,
    /// `"config"`.
    #[account(mut)]
    pub config: UncheckedAccount,
    /// Quote mint of the deployment.
    pub mint: UncheckedAccount,
    /// `"vault"`, mint.
    #[account(mut)]
    pub vault: UncheckedAccount,
    /// `"tokens"`, mint.
    #[account(mut)]
    pub tokens: UncheckedAccount,
    /// `"authority"`.
    pub authority: UncheckedAccount,
    /// This program.
    pub program: UncheckedAccount,
    /// Its program data account.
    pub program_data: UncheckedAccount,
    /// SPL Token.
    pub token_program: Program<Token>,
    /// System.
    pub system_program: Program<System>,
}

/// Only who may deploy the program may initialise it, so that nobody can get in
/// between the two. A program that is final may be initialised by anyone.
#[inline(never)]
pub fn run(
    ctx: &mut Context<Initialize>,
    instrument_delay_slots: u32,
    terms_delay_slots_min: u32,
) -> Result<()> {
    require_top_level()?;
    let accounts = &mut ctx.accounts;
    if !key_eq(accounts.program.address().as_array(), crate::ID.as_array()) {
        return Err(fail(RouterError::WrongProgramVersion));
    }
    let deployment = version::attest(&accounts.program, &accounts.program_data)?;
    let deployer = accounts.admin.address().as_array();
    if deployment.authority != [0; 32] && !key_eq(&deployment.authority, deployer) {
        return Err(fail(RouterError::WrongAdmin));
    }
    token::require_mint(&accounts.mint)?;
    let admin = *accounts.admin.address().as_array();
    let mint = *accounts.mint.address().as_array();
    let tokens = *accounts.tokens.address().as_array();
    let authority_bump = derive(&accounts.authority, &[seeds::AUTHORITY])?;

    let mut view = *accounts.config.account();
    let bump = create::<RouterConfig>(&accounts.admin, &view, &[seeds::CONFIG])?;
    let config = RouterConfig {
        discriminator: RouterConfig::DISCRIMINATOR,
        version: RouterConfig::VERSION,
        bump,
        authority_bump,
        admin,
        quote_mint: mint,
        instrument_delay_slots,
        terms_delay_slots_min,
        ..RouterConfig::zeroed()
    };
    store(&mut view, &config)?;

    let tokens_bump = token::create_vault_tokens(
        &accounts.admin,
        &accounts.mint,
        &accounts.tokens,
        &accounts.authority,
    )?;

    let mut view = *accounts.vault.account();
    let bump = create::<Vault>(&accounts.admin, &view, &[seeds::VAULT, &mint])?;
    let vault = Vault {
        discriminator: Vault::DISCRIMINATOR,
        version: Vault::VERSION,
        bump,
        tokens_bump,
        mint,
        tokens,
        ..Vault::zeroed()
    };
    store(&mut view, &vault)?;
    log::write(&RouterInitialized {
        tag: RouterInitialized::TAG,
        admin,
        mint,
        instrument_delay_slots,
        terms_delay_slots_min,
    });
    Ok(())
}
