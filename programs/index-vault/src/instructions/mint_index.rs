use crate::access::{Owned, current_slot, journaled, require_same, require_top_level};
use crate::desk::{actor, desk, intent};
use crate::market::{MarketRef, read_index};
use crate::token;
use anchor_lang::prelude::*;
use anchor_lang::programs::Token;
use flagstone_index_engine::machine::Action;
use flagstone_index_engine::orders::Step;

/// Accounts of `mint_index`.
#[derive(Accounts)]
pub struct MintIndex {
    /// Chain connector of the desk.
    pub connector: Signer,
    /// The desk.
    pub desk: Owned,
    /// The order.
    #[account(mut)]
    pub intent: Owned,
    /// Market of its index.
    pub market: Owned,
    /// Its index.
    pub index: Owned,
    /// The index's mint.
    #[account(mut)]
    pub mint: UncheckedAccount,
    /// `"authority"`, market.
    pub authority: UncheckedAccount,
    /// Token account of the order's owner.
    #[account(mut)]
    pub destination: UncheckedAccount,
    /// SPL Token.
    pub token_program: Program<Token>,
}

/// Mints what was bought, once and only when paid. The market has backed the
/// tokens since the fill, so that their holder can sell them there.
///
/// A pause does not stop it: the owner has paid.
#[inline(never)]
pub fn run(ctx: &mut Context<MintIndex>) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let desk_key = *accounts.desk.key();
    let desk = desk(&accounts.desk)?;
    let order = intent(&mut accounts.intent, &desk_key)?;
    let party = actor(order, Action::Mint, desk, &accounts.connector)?;
    require_same(&order.index, accounts.index.key())?;
    token::require_owner(&accounts.destination, &order.owner)?;
    let quantity = order.holdings.filled;
    let step = Step {
        quantity,
        ..Step::default()
    };
    journaled(now, |journal| {
        order.act(Action::Mint, &step, &desk.limits, &party, journal)?;
        Ok(())
    })?;
    let market_key = *accounts.market.key();
    let (index, _) = read_index(accounts.index.bytes())?;
    require_same(&index.market, &market_key)?;
    let market = MarketRef::open(accounts.market.bytes())?.head;
    require_same(&index.mint, accounts.mint.address().as_array())?;
    require_same(&market.authority, accounts.authority.address().as_array())?;
    token::mint_to(
        market,
        &market_key,
        accounts.mint.account(),
        accounts.authority.account(),
        accounts.destination.account(),
        quantity.0,
    )
}
