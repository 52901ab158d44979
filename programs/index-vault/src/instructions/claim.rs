use crate::access::{
    Owned, current_slot, fail, journaled, key_of, require_same, require_top_level,
};
use crate::market::{Index, Market};
use crate::token;
use anchor_lang::prelude::*;
use anchor_lang::programs::Token;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::pending::PendingOrder;
use flagstone_index_engine::roles::Party;
use flagstone_units::Side;

/// Accounts of what pays an order's owner.
#[derive(Accounts)]
pub struct Payout {
    /// Owner of the order.
    pub owner: Signer,
    /// The market.
    #[account(mut)]
    pub market: Owned,
    /// The index.
    #[account(mut)]
    pub index: Owned,
    /// The order.
    #[account(mut)]
    pub order: Owned,
    /// Token account that receives.
    #[account(mut)]
    pub destination: UncheckedAccount,
    /// The market's token account.
    #[account(mut)]
    pub tokens: UncheckedAccount,
    /// The index's mint.
    #[account(mut)]
    pub mint: UncheckedAccount,
    /// `"authority"`, market.
    pub authority: UncheckedAccount,
    /// SPL Token.
    pub token_program: Program<Token>,
}

/// What is paid.
pub enum Paid {
    /// Index tokens, minted.
    Tokens(u64),
    /// Collateral, in atoms.
    Atoms(u64),
}

/// A buy's tokens are minted, a sell's collateral leaves the vault. Works while
/// everything is paused.
#[inline(never)]
pub fn run(ctx: &mut Context<Payout>) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let signer = *key_of(&accounts.owner);
    let order = PendingOrder::open(accounts.order.bytes_mut()).map_err(fail)?;
    let side = order.side().map_err(fail)?;
    let index_key = order.index;
    let amount = journaled(now, |journal| {
        let party = Party::owner(&order.owner, &signer)?;
        order.claim(&party, journal)
    })?;
    let paid = match side {
        Side::Bid => Paid::Tokens(amount),
        Side::Ask => Paid::Atoms(amount),
    };
    pay(accounts, &index_key, paid)
}

/// Pays the owner, after the order was changed.
pub fn pay(accounts: &mut Payout, index_key: &[u8; 32], paid: Paid) -> Result<()> {
    require_same(index_key, accounts.index.key())?;
    let market_key = *accounts.market.key();
    let index = Index::open_sealed(accounts.index.bytes_mut(), &market_key)?;
    let mint = index.head.mint;
    let market = Market::open(accounts.market.bytes_mut())?;
    require_same(
        &market.head.authority,
        accounts.authority.address().as_array(),
    )?;
    require_same(&mint, accounts.mint.address().as_array())?;
    match paid {
        Paid::Tokens(amount) => token::mint_to(
            market.head,
            &market_key,
            accounts.mint.account(),
            accounts.authority.account(),
            accounts.destination.account(),
            amount,
        ),
        Paid::Atoms(atoms) => {
            let booked = market.head.booked_atoms.checked_sub(atoms);
            market.head.booked_atoms = booked.ok_or(fail(IndexError::AmountOverflow))?;
            token::pay_out(
                market.head,
                &market_key,
                accounts.tokens.account(),
                accounts.authority.account(),
                accounts.destination.account(),
                atoms,
            )
        }
    }
}
