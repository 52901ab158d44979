//! SPL Token accounts, read by their fixed layout.
//!
//! Only the original SPL Token program is accepted: mints of Token-2022 may
//! take fees or call hooks on transfer.

use crate::access::fail;
use anchor_lang::cpi::{CpiSeed, CpiSigner};
use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::records::MarketHead;
use flagstone_interface::index::seeds;
use flagstone_interface::{Key, key_eq};
use pinocchio_token::instructions::{MintTo, Transfer};

/// Length of a mint.
pub const MINT_BYTES: usize = 82;
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
        Err(fail(IndexError::WrongMint))
    }
}

/// Balance of a token account of this mint, in atoms.
pub fn balance_atoms(account: &AccountView, mint: &Key) -> Result<u64> {
    let ours = key_eq(account.owner().as_array(), pinocchio_token::ID.as_array());
    // SAFETY: only the Token program writes this account, and it is not called
    // while the borrow lives.
    let data = unsafe { account.borrow_unchecked() };
    let (Some(found), Some(amount)) = (data.first_chunk::<32>(), data.get(64..72)) else {
        return Err(fail(IndexError::WrongMint));
    };
    if !ours || data.len() != ACCOUNT_BYTES || !key_eq(found, mint) {
        return Err(fail(IndexError::WrongMint));
    }
    let mut bytes = [0; 8];
    bytes.copy_from_slice(amount);
    Ok(u64::from_le_bytes(bytes))
}

/// Refuses a token account of another owner. What mint it is of, the Token
/// program checks.
pub fn require_owner(account: &AccountView, owner: &Key) -> Result<()> {
    let ours = key_eq(account.owner().as_array(), pinocchio_token::ID.as_array());
    // SAFETY: only the Token program writes this account, and it is not called
    // while the borrow lives.
    let data = unsafe { account.borrow_unchecked() };
    let found = data.get(32..64);
    if ours && data.len() == ACCOUNT_BYTES && found == Some(owner.as_slice()) {
        Ok(())
    } else {
        Err(fail(IndexError::WrongMint))
    }
}

/// Moves collateral into the market's token account; `owner` signs for `source`.
///
/// Refuses when another amount than `atoms` arrives.
#[inline(never)]
pub fn take_in(
    market: &MarketHead,
    source: &AccountView,
    tokens: &AccountView,
    owner: &AccountView,
    atoms: u64,
) -> Result<()> {
    require_tokens(market, tokens)?;
    balance_atoms(source, &market.mint)?;
    let before = balance_atoms(tokens, &market.mint)?;
    Transfer::new(source, tokens, owner, atoms).invoke()?;
    let after = balance_atoms(tokens, &market.mint)?;
    expect(after.checked_sub(before), atoms)
}

/// Pays collateral out of the market's token account.
///
/// Refuses when another amount than `atoms` leaves, as it would when the
/// account paid itself.
#[inline(never)]
pub fn pay_out(
    market: &MarketHead,
    address: &Key,
    tokens: &AccountView,
    authority: &AccountView,
    destination: &AccountView,
    atoms: u64,
) -> Result<()> {
    require_tokens(market, tokens)?;
    balance_atoms(destination, &market.mint)?;
    let before = balance_atoms(tokens, &market.mint)?;
    let bump = [market.authority_bump];
    let seeds = authority_seeds(address, &bump);
    Transfer::new(tokens, destination, authority, atoms)
        .invoke_signed(&[CpiSigner::from(&seeds)])?;
    let after = balance_atoms(tokens, &market.mint)?;
    expect(before.checked_sub(after), atoms)
}

/// Mints index tokens.
#[inline(never)]
pub fn mint_to(
    market: &MarketHead,
    address: &Key,
    mint: &AccountView,
    authority: &AccountView,
    destination: &AccountView,
    amount: u64,
) -> Result<()> {
    balance_atoms(destination, mint.address().as_array())?;
    let bump = [market.authority_bump];
    let seeds = authority_seeds(address, &bump);
    MintTo::new(mint, destination, authority, amount).invoke_signed(&[CpiSigner::from(&seeds)])
}

fn authority_seeds<'a>(market: &'a Key, bump: &'a [u8; 1]) -> [CpiSeed<'a>; 3] {
    [
        CpiSeed::from(seeds::AUTHORITY),
        CpiSeed::from(market.as_slice()),
        CpiSeed::from(bump.as_slice()),
    ]
}

fn require_tokens(market: &MarketHead, tokens: &AccountView) -> Result<()> {
    crate::access::require_same(&market.tokens, tokens.address().as_array())
}

fn expect(moved: Option<u64>, atoms: u64) -> Result<()> {
    if moved == Some(atoms) {
        Ok(())
    } else {
        Err(fail(IndexError::WrongAmount))
    }
}
