//! Making a mint collateral, and reading what one is worth.

use crate::access::{allocate, create, derive, fail, store};
use crate::token;
use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::prelude::*;
use bytemuck::Zeroable;
use flagstone_interface::collateral::{self, CollateralPosition, CollateralTerms, CollateralVault};
use flagstone_interface::error::RouterError;
use flagstone_interface::router::{Portfolio, RouterConfig, Vault, seeds};
use flagstone_interface::{Key, PYTH_RECEIVER_ID, Record, key_eq};
use flagstone_margin::collateral::OraclePrice;

/// The accounts of a mint that becomes collateral.
pub struct NewCollateral<'a> {
    /// Pays for what is created.
    pub payer: &'a AccountView,
    /// The mint.
    pub mint: &'a AccountView,
    /// The quote mint.
    pub quote_mint: &'a AccountView,
    /// The oracle.
    pub oracle: &'a AccountView,
    /// `"collateral"`, mint.
    pub record: &'a AccountView,
    /// `"vault"`, mint.
    pub vault: &'a AccountView,
    /// `"tokens"`, mint.
    pub tokens: &'a AccountView,
    /// `"authority"`.
    pub authority: &'a AccountView,
}

impl NewCollateral<'_> {
    /// Writes the terms, or replaces them; creates the vault when it is the
    /// first time. The oracle has to exist and carry the feed by then, so that
    /// no typing error makes a mint collateral that can never be sold.
    #[inline(never)]
    pub fn register(&self, config: &RouterConfig, mut terms: CollateralTerms) -> Result<()> {
        terms.decimals = token::decimals(self.mint)?;
        terms.quote_decimals = token::decimals(self.quote_mint)?;
        let mint = self.mint.address().as_array();
        let fits = key_eq(&terms.mint, mint)
            && key_eq(&config.quote_mint, self.quote_mint.address().as_array())
            // Quote is cash, never collateral.
            && !key_eq(mint, &config.quote_mint)
            && terms.are_sound();
        let carried = read_oracle(self.oracle, &terms.oracle);
        if !fits || !carried.is_ok_and(|price| key_eq(&price.feed, &terms.oracle_feed)) {
            return Err(fail(RouterError::BadCollateral));
        }
        let seeds: [&[u8]; 2] = [collateral::seeds::COLLATERAL, mint];
        let bump = derive(self.record, &seeds)?;
        if self.record.data_len() == 0 {
            let space = size_of::<CollateralTerms>();
            allocate(self.payer, self.record, &seeds, bump, space, &crate::ID)?;
            self.create_vault()?;
        }
        terms.discriminator = CollateralTerms::DISCRIMINATOR;
        terms.version = CollateralTerms::VERSION;
        terms.bump = bump;
        let mut view = *self.record;
        store(&mut view, &terms)
    }

    /// The vault and its token account.
    #[inline(never)]
    fn create_vault(&self) -> Result<()> {
        derive(self.authority, &[seeds::AUTHORITY])?;
        let tokens_bump =
            token::create_vault_tokens(self.payer, self.mint, self.tokens, self.authority)?;
        let mint = *self.mint.address().as_array();
        let mut view = *self.vault;
        let bump = create::<CollateralVault>(self.payer, &view, &[seeds::VAULT, &mint])?;
        let vault = Vault {
            discriminator: CollateralVault::DISCRIMINATOR,
            version: CollateralVault::VERSION,
            bump,
            tokens_bump,
            mint,
            tokens: *self.tokens.address().as_array(),
            ..Vault::zeroed()
        };
        store(&mut view, &CollateralVault(vault))
    }
}

/// Books collateral that leaves its vault. Changes nothing when it fails.
pub fn leave(
    portfolio: &mut Portfolio,
    position: &mut CollateralPosition,
    vault: &mut Vault,
    amount_atoms: u64,
) -> Result<()> {
    let left = position
        .amount_atoms
        .checked_sub(amount_atoms)
        .ok_or(fail(RouterError::NotEnoughCash))?;
    let booked = vault.booked_atoms.checked_sub(amount_atoms);
    vault.booked_atoms = booked.ok_or(fail(RouterError::AmountOverflow))?;
    position.amount_atoms = left;
    if left == 0 {
        portfolio.collateral_count = portfolio.collateral_count.saturating_sub(1);
    }
    Ok(())
}

/// The price in an oracle account, after checking that it is `expected` and that
/// Pyth's receiver program owns it: nobody else can have written it.
#[inline(never)]
pub fn read_oracle(account: &AccountView, expected: &Key) -> Result<OraclePrice> {
    let bad = fail(RouterError::BadCollateralPrice);
    let owned = key_eq(account.owner().as_array(), &PYTH_RECEIVER_ID);
    if !owned || !key_eq(account.address().as_array(), expected) {
        return Err(bad);
    }
    // SAFETY: the account is not this program's, so nothing here writes it,
    // and the only programs called are System and Token, which cannot either.
    let data = unsafe { account.borrow_unchecked() };
    OraclePrice::read(data).map_err(|_| bad)
}
