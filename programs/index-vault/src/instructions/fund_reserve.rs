use crate::access::{Owned, current_slot, fail, journaled, key_of, require_top_level};
use crate::market::Market;
use crate::token;
use anchor_lang::prelude::*;
use anchor_lang::programs::Token;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::records::MarketEvent;
use flagstone_index_engine::roles::Party;

/// Accounts of `fund_reserve`.
#[derive(Accounts)]
pub struct FundReserve {
    /// Owner of the collateral.
    pub owner: Signer,
    /// The market.
    #[account(mut)]
    pub market: Owned,
    /// Token account that pays.
    #[account(mut)]
    pub source: UncheckedAccount,
    /// The market's token account.
    #[account(mut)]
    pub tokens: UncheckedAccount,
    /// SPL Token.
    pub token_program: Program<Token>,
}

/// Sellers are paid out of the reserve; anyone may add to it.
#[inline(never)]
pub fn run(ctx: &mut Context<FundReserve>, amount_atoms: u64) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let signer = *key_of(&accounts.owner);
    if amount_atoms == 0 {
        return Err(fail(IndexError::ZeroAmount));
    }
    let mut market = Market::open(accounts.market.bytes_mut())?;
    let overflow = || fail(IndexError::AmountOverflow);
    let head = &mut market.head;
    let reserve = head.reserve_atoms.checked_add(amount_atoms);
    let booked = head.booked_atoms.checked_add(amount_atoms);
    head.reserve_atoms = reserve.ok_or_else(overflow)?;
    head.booked_atoms = booked.ok_or_else(overflow)?;
    token::take_in(
        head,
        accounts.source.account(),
        accounts.tokens.account(),
        accounts.owner.account(),
        amount_atoms,
    )?;
    journaled(now, |journal| {
        let party = Party::owner(&signer, &signer)?;
        market.changed(MarketEvent::Funded, &party, amount_atoms, &[], journal)
    })
}
