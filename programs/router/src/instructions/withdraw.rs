use crate::access::{fail, require_direct, require_owner};
use crate::log;
use crate::record::Stored;
use crate::token;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use anchor_lang::programs::Token;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::Withdrawn;
use flagstone_interface::router::{Portfolio, RouterConfig, Vault};
use flagstone_units::Slot;

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
    require_direct(ctx.accounts.owner.address().as_array())?;
    let accounts = &mut ctx.accounts;
    require_owner(&accounts.portfolio.owner, &accounts.owner)?;
    if accounts.portfolio.is_liquidating() {
        return Err(fail(RouterError::Liquidating));
    }
    if amount_atoms == 0 {
        return Err(fail(RouterError::ZeroAmount));
    }
    let portfolio = &mut accounts.portfolio;
    portfolio.cash_atoms = portfolio
        .cash_atoms
        .checked_sub(amount_atoms)
        .ok_or(fail(RouterError::NotEnoughCash))?;
    let now = Slot::from_clock(Clock::get()?.slot);
    admit(portfolio, &mut accounts.vault, now, amount_atoms)?;
    portfolio.withdrawn_total_atoms = portfolio
        .withdrawn_total_atoms
        .checked_add(amount_atoms)
        .ok_or(fail(RouterError::AmountOverflow))?;
    accounts.vault.booked_atoms = accounts
        .vault
        .booked_atoms
        .checked_sub(amount_atoms)
        .ok_or(fail(RouterError::AmountOverflow))?;
    token::pay_out(
        &accounts.config,
        &accounts.vault,
        accounts.tokens.account(),
        accounts.authority.account(),
        accounts.destination.account(),
        amount_atoms,
    )?;
    log::write(&Withdrawn {
        tag: Withdrawn::TAG,
        portfolio: *accounts.portfolio.key(),
        amount_atoms,
        cash_atoms: accounts.portfolio.cash_atoms,
        booked_atoms: accounts.vault.booked_atoms,
    });
    Ok(())
}

/// Counts a withdrawal against the vault's limit (rule X8). What its owner paid
/// in of late is exempt; of the rest nothing may overtake the claims that wait.
fn admit(portfolio: &mut Portfolio, vault: &mut Vault, now: Slot, amount_atoms: u64) -> Result<()> {
    let counted = amount_atoms - portfolio.recent.take(now, amount_atoms);
    count_outflow(vault, now, counted)
}

/// Counts what leaves the vault and is not exempt.
///
/// Claims hold up nobody while there is no limit: whatever they ask for could be
/// paid at once, and then a claim of an atom would keep all others in.
pub fn count_outflow(vault: &mut Vault, now: Slot, counted: u64) -> Result<()> {
    let waits = vault.outflow.is_set() && vault.claims_done != vault.claims_total;
    if counted > 0 && (waits || counted > vault.outflow.room_atoms(now)) {
        return Err(fail(RouterError::OverLimit));
    }
    vault.outflow.count(now, counted);
    Ok(())
}
