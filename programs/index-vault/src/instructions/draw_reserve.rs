use crate::access::{
    Owned, current_slot, fail, journaled, key_of, require_same, require_top_level,
};
use crate::market::Market;
use crate::token;
use anchor_lang::prelude::*;
use anchor_lang::programs::Token;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::records::MarketEvent;
use flagstone_index_engine::roles::Party;

/// Accounts of `draw_reserve`.
#[derive(Accounts)]
pub struct DrawReserve {
    /// The market's vendor.
    pub vendor: Signer,
    /// The market.
    #[account(mut)]
    pub market: Owned,
    /// Token account that receives.
    #[account(mut)]
    pub destination: UncheckedAccount,
    /// The market's token account.
    #[account(mut)]
    pub tokens: UncheckedAccount,
    /// `"authority"`, market.
    pub authority: UncheckedAccount,
    /// SPL Token.
    pub token_program: Program<Token>,
}

/// The vendor takes what buyers spent, to buy the assets with. What open
/// orders have left and what sellers may claim is never the reserve's.
#[inline(never)]
pub fn run(ctx: &mut Context<DrawReserve>, amount_atoms: u64) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let signer = *key_of(&accounts.vendor);
    if amount_atoms == 0 {
        return Err(fail(IndexError::ZeroAmount));
    }
    let market_key = *accounts.market.key();
    let mut market = Market::open(accounts.market.bytes_mut())?;
    let head = &mut market.head;
    let party = Party::owner(&head.state.vendor, &signer).map_err(fail)?;
    require_same(&head.authority, accounts.authority.address().as_array())?;
    let reserve = head.reserve_atoms.checked_sub(amount_atoms);
    let booked = head.booked_atoms.checked_sub(amount_atoms);
    head.reserve_atoms = reserve.ok_or(fail(IndexError::NotEnoughCollateral))?;
    head.booked_atoms = booked.ok_or(fail(IndexError::AmountOverflow))?;
    token::pay_out(
        head,
        &market_key,
        accounts.tokens.account(),
        accounts.authority.account(),
        accounts.destination.account(),
        amount_atoms,
    )?;
    journaled(now, |journal| {
        market.changed(MarketEvent::Drawn, &party, amount_atoms, &[], journal)
    })
}
