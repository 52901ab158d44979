use crate::access::{create, fail, require_direct, require_owner, store};
use crate::instructions::owners::require_open;
use crate::log;
use crate::record::Stored;
use crate::seat::current_slot;
use crate::token;
use anchor_lang::AnchorAccount;
use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::prelude::*;
use anchor_lang::programs::{System, Token};
use bytemuck::Zeroable;
use flagstone_interface::collateral::{
    CollateralPosition, CollateralTerms, CollateralVault, seeds,
};
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::CollateralDeposited;
use flagstone_interface::router::Portfolio;
use flagstone_interface::{Key, Record, key_eq};

/// Accounts of `deposit_collateral`.
#[derive(Accounts)]
pub struct DepositCollateral {
    /// Owner of the portfolio and of the tokens; pays for the record.
    #[account(mut)]
    pub owner: Signer,
    /// The owner's portfolio.
    #[account(mut)]
    pub portfolio: Stored<Portfolio>,
    /// Terms of the mint.
    pub terms: Stored<CollateralTerms>,
    /// The vault of the mint.
    #[account(mut)]
    pub vault: Stored<CollateralVault>,
    /// The vault's token account.
    #[account(mut)]
    pub tokens: UncheckedAccount,
    /// Token account that pays.
    #[account(mut)]
    pub source: UncheckedAccount,
    /// `"holding"`, portfolio, mint; created with the first deposit.
    #[account(mut)]
    pub position: UncheckedAccount,
    /// SPL Token.
    pub token_program: Program<Token>,
    /// System.
    pub system_program: Program<System>,
}

/// The credit is what arrived in the vault, not what was asked for. It backs
/// nothing, so a liquidating portfolio may add to it.
#[inline(never)]
pub fn run(ctx: &mut Context<DepositCollateral>, amount_atoms: u64) -> Result<()> {
    require_direct(ctx.accounts.owner.address().as_array())?;
    let accounts = &mut ctx.accounts;
    require_owner(&accounts.portfolio.owner, &accounts.owner)?;
    require_open(&accounts.portfolio)?;
    if !key_eq(&accounts.terms.mint, &accounts.vault.0.mint) {
        return Err(fail(RouterError::WrongRecord));
    }
    let mut position = find_or_create(
        accounts.owner.account(),
        accounts.position.account(),
        accounts.portfolio.key(),
        &accounts.terms.mint,
    )?;
    let arrived = token::take_in(
        &accounts.vault.0,
        accounts.tokens.account(),
        accounts.source.account(),
        accounts.owner.account(),
        amount_atoms,
    )?;
    let overflow = fail(RouterError::AmountOverflow);
    let booked = accounts.vault.0.booked_atoms.checked_add(arrived);
    let booked = booked.ok_or(overflow.clone())?;
    if accounts.terms.enabled == 0 || booked > accounts.terms.deposit_cap_atoms {
        return Err(fail(RouterError::CollateralFull));
    }
    let total = position.deposited_total_atoms.checked_add(arrived);
    position.deposited_total_atoms = total.ok_or(overflow)?;
    if position.amount_atoms == 0 {
        accounts.portfolio.collateral_count += 1;
    }
    // No more than is booked, which fits.
    position.amount_atoms += arrived;
    position.recent.add(current_slot()?, arrived);
    accounts.vault.0.booked_atoms = booked;
    log::write(&CollateralDeposited {
        tag: CollateralDeposited::TAG,
        portfolio: position.portfolio,
        mint: position.mint,
        amount_atoms: arrived,
        balance_atoms: position.amount_atoms,
    });
    Ok(())
}

/// The position of a portfolio in a mint.
///
/// # Errors
/// When the account is not at its address, or the record of another.
#[inline(never)]
fn find_or_create(
    payer: &AccountView,
    view: &AccountView,
    portfolio: &Key,
    mint: &Key,
) -> Result<Stored<CollateralPosition>> {
    let mut view = *view;
    if view.data_len() == 0 {
        let seeds: [&[u8]; 3] = [seeds::HOLDING, portfolio, mint];
        let bump = create::<CollateralPosition>(payer, &view, &seeds)?;
        let position = CollateralPosition {
            discriminator: CollateralPosition::DISCRIMINATOR,
            version: CollateralPosition::VERSION,
            bump,
            portfolio: *portfolio,
            mint: *mint,
            ..CollateralPosition::zeroed()
        };
        store(&mut view, &position)?;
    }
    // SAFETY: the only position of this instruction; records of other kinds are
    // refused.
    let position: Stored<CollateralPosition> = unsafe { Stored::load_mut(view)? };
    require_position(&position, portfolio, mint)?;
    Ok(position)
}

/// Refuses the position of another portfolio or in another mint.
pub fn require_position(position: &CollateralPosition, portfolio: &Key, mint: &Key) -> Result<()> {
    if key_eq(&position.portfolio, portfolio) && key_eq(&position.mint, mint) {
        Ok(())
    } else {
        Err(fail(RouterError::WrongRecord))
    }
}
