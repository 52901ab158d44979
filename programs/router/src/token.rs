//! SPL Token accounts, read by their fixed layout.
//!
//! Only the original SPL Token program is accepted: mints of Token-2022 may
//! take fees or call hooks on transfer.

use crate::access::{allocate, derive, fail};
use anchor_lang::cpi::{CpiSeed, CpiSigner};
use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::prelude::*;
use flagstone_interface::collateral::CollateralVault;
use flagstone_interface::error::RouterError;
use flagstone_interface::router::{RouterConfig, Vault, seeds};
use flagstone_interface::{Key, key_eq};
use pinocchio_token::instructions::{InitializeAccount3, Transfer};

/// Length of a mint.
const MINT_BYTES: usize = 82;
/// Length of a token account.
pub const ACCOUNT_BYTES: usize = 165;

/// Refuses anything but an initialised mint of SPL Token.
pub fn require_mint(account: &AccountView) -> Result<()> {
    let ours = key_eq(account.owner().as_array(), pinocchio_token::ID.as_array());
    // SAFETY: only the Token program writes this account, and it is not called
    // while the borrow lives.
    let data = unsafe { account.borrow_unchecked() };
    // Byte 45 of a mint says whether it is initialised.
    if ours && data.len() == MINT_BYTES && data[45] == 1 {
        Ok(())
    } else {
        Err(fail(RouterError::WrongMint))
    }
}

/// Decimals of a mint that [`require_mint`] has accepted.
pub fn decimals(mint: &AccountView) -> Result<u8> {
    require_mint(mint)?;
    // SAFETY: only the Token program writes this account, and it is not called
    // while the borrow lives.
    let data = unsafe { mint.borrow_unchecked() };
    data.get(44).copied().ok_or(fail(RouterError::WrongMint))
}

/// Creates the token account of a mint's vault, of the vaults' authority, and
/// returns its bump.
#[inline(never)]
pub fn create_vault_tokens(
    payer: &AccountView,
    mint: &AccountView,
    tokens: &AccountView,
    authority: &AccountView,
) -> Result<u8> {
    let token_seeds: [&[u8]; 2] = [seeds::TOKENS, mint.address().as_array()];
    let bump = derive(tokens, &token_seeds)?;
    let owner = &pinocchio_token::ID;
    allocate(payer, tokens, &token_seeds, bump, ACCOUNT_BYTES, owner)?;
    InitializeAccount3::new(tokens, mint, authority.address()).invoke()?;
    Ok(bump)
}

/// Balance of a token account of this mint, in atoms.
pub fn balance_atoms(account: &AccountView, mint: &Key) -> Result<u64> {
    let ours = key_eq(account.owner().as_array(), pinocchio_token::ID.as_array());
    // SAFETY: only the Token program writes this account, and it is not called
    // while the borrow lives.
    let data = unsafe { account.borrow_unchecked() };
    let (Some(found), Some(amount)) = (data.first_chunk::<32>(), data.get(64..72)) else {
        return Err(fail(RouterError::WrongMint));
    };
    if !ours || data.len() != ACCOUNT_BYTES || !key_eq(found, mint) {
        return Err(fail(RouterError::WrongMint));
    }
    let mut bytes = [0; 8];
    bytes.copy_from_slice(amount);
    Ok(u64::from_le_bytes(bytes))
}

/// Moves tokens into a vault's own account; `owner` signs for `source`.
/// Returns what arrived, which is what may be credited.
#[inline(never)]
pub fn take_in(
    vault: &Vault,
    tokens: &AccountView,
    source: &AccountView,
    owner: &AccountView,
    amount_atoms: u64,
) -> Result<u64> {
    if amount_atoms == 0 {
        return Err(fail(RouterError::ZeroAmount));
    }
    if !key_eq(&vault.tokens, tokens.address().as_array()) {
        return Err(fail(RouterError::WrongRecord));
    }
    balance_atoms(source, &vault.mint)?;
    let before = balance_atoms(tokens, &vault.mint)?;
    Transfer::new(source, tokens, owner, amount_atoms).invoke()?;
    balance_atoms(tokens, &vault.mint)?
        .checked_sub(before)
        .ok_or(fail(RouterError::AmountOverflow))
}

/// Moves quote out of its vault, after checking that it leaves the vault's own
/// account for one of the same mint; the caller has booked it.
#[inline(never)]
pub fn pay_out(
    config: &RouterConfig,
    vault: &Vault,
    tokens: &AccountView,
    authority: &AccountView,
    destination: &AccountView,
    amount_atoms: u64,
) -> Result<()> {
    // The vault of another mint would pay out what was never its own.
    if !key_eq(&vault.mint, &config.quote_mint) {
        return Err(fail(RouterError::WrongRecord));
    }
    move_out(config, vault, tokens, authority, destination, amount_atoms)
}

/// The same for the vault of a collateral mint.
pub fn pay_out_collateral(
    config: &RouterConfig,
    vault: &CollateralVault,
    tokens: &AccountView,
    authority: &AccountView,
    destination: &AccountView,
    amount_atoms: u64,
) -> Result<()> {
    let vault = &vault.0;
    move_out(config, vault, tokens, authority, destination, amount_atoms)
}

#[inline(never)]
fn move_out(
    config: &RouterConfig,
    vault: &Vault,
    tokens: &AccountView,
    authority: &AccountView,
    destination: &AccountView,
    amount_atoms: u64,
) -> Result<()> {
    if !key_eq(&vault.tokens, tokens.address().as_array()) {
        return Err(fail(RouterError::WrongRecord));
    }
    balance_atoms(destination, &vault.mint)?;
    let before = balance_atoms(tokens, &vault.mint)?;
    let bump = [config.authority_bump];
    let signer_seeds = [CpiSeed::from(seeds::AUTHORITY), CpiSeed::from(&bump)];
    Transfer::new(tokens, destination, authority, amount_atoms)
        .invoke_signed(&[CpiSigner::from(&signer_seeds)])?;
    // A transfer of the vault to itself would leave tokens that nobody owns.
    let after = balance_atoms(tokens, &vault.mint)?;
    if before.checked_sub(after) == Some(amount_atoms) {
        Ok(())
    } else {
        Err(fail(RouterError::AmountOverflow))
    }
}

/// Whether a transfer of this mint to the account would go through: it is an
/// initialised token account that is not frozen.
pub fn may_receive(account: &AccountView, mint: &Key) -> bool {
    /// Byte of a token account that holds its state, and the state.
    const STATE: (usize, u8) = (108, 1);
    // SAFETY: only the Token program writes this account, and it is not called
    // while the borrow lives.
    let data = unsafe { account.borrow_unchecked() };
    balance_atoms(account, mint).is_ok() && data.get(STATE.0) == Some(&STATE.1)
}
