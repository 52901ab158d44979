use crate::access::{fail, require_direct, require_owner};
use crate::collateral::leave;
use crate::instructions::deposit_collateral::require_position;
use crate::instructions::withdraw::count_outflow;
use crate::log;
use crate::record::Stored;
use crate::seat::current_slot;
use crate::token;
use anchor_lang::prelude::*;
use anchor_lang::programs::Token;
use flagstone_interface::collateral::{CollateralPosition, CollateralVault};
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::CollateralWithdrawn;
use flagstone_interface::router::{Portfolio, RouterConfig};

/// Accounts of `withdraw_collateral`.
#[derive(Accounts)]
pub struct WithdrawCollateral {
    /// Owner of the portfolio.
    pub owner: Signer,
    /// The configuration.
    pub config: Stored<RouterConfig>,
    /// The owner's portfolio.
    #[account(mut)]
    pub portfolio: Stored<Portfolio>,
    /// The portfolio's position in the mint.
    #[account(mut)]
    pub position: Stored<CollateralPosition>,
    /// The vault of the mint.
    #[account(mut)]
    pub vault: Stored<CollateralVault>,
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

/// Nothing rests on collateral, so it is free, paused or not, but while its
/// portfolio is under liquidation. What is above the vault's limit has to come
/// again later: there is no queue to wait in (rule X8).
#[inline(never)]
pub fn run(ctx: &mut Context<WithdrawCollateral>, amount_atoms: u64) -> Result<()> {
    require_direct(ctx.accounts.owner.address().as_array())?;
    let accounts = &mut ctx.accounts;
    require_owner(&accounts.portfolio.owner, &accounts.owner)?;
    let (position, vault) = (&mut accounts.position, &mut accounts.vault.0);
    require_position(position, accounts.portfolio.key(), &vault.mint)?;
    if accounts.portfolio.is_liquidating() {
        return Err(fail(RouterError::CollateralLocked));
    }
    if amount_atoms == 0 {
        return Err(fail(RouterError::ZeroAmount));
    }
    leave(&mut accounts.portfolio, position, vault, amount_atoms)?;
    let now = current_slot()?;
    let counted = amount_atoms - position.recent.take(now, amount_atoms);
    count_outflow(vault, now, counted)?;
    let total = position.withdrawn_total_atoms.checked_add(amount_atoms);
    position.withdrawn_total_atoms = total.ok_or(fail(RouterError::AmountOverflow))?;
    token::pay_out_collateral(
        &accounts.config,
        &accounts.vault,
        accounts.tokens.account(),
        accounts.authority.account(),
        accounts.destination.account(),
        amount_atoms,
    )?;
    log::write(&CollateralWithdrawn {
        tag: CollateralWithdrawn::TAG,
        portfolio: accounts.position.portfolio,
        mint: accounts.position.mint,
        amount_atoms,
        balance_atoms: accounts.position.amount_atoms,
    });
    Ok(())
}
