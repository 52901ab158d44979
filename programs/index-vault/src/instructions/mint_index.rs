use crate::access::{
    Owned, current_slot, fail, journaled, kernel, require_same, require_top_level,
};
use crate::desk::{actor, desk, intent};
use crate::fill::TOKEN;
use crate::market::{Index, Market};
use crate::token;
use anchor_lang::prelude::*;
use anchor_lang::programs::Token;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::amounts::Tokens;
use flagstone_index_engine::machine::Action;
use flagstone_index_engine::orders::Step;
use flagstone_kernels::arithmetic::{Arithmetic, Stable};
use flagstone_kernels::factor::Factor;
use flagstone_kernels::market::asset_mut;

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
    #[account(mut)]
    pub market: Owned,
    /// Its index.
    #[account(mut)]
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

/// Mints what was bought, once and only when paid. The market's demand grows by
/// what the tokens stand for, so that their holder can sell them there.
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
    let index = Index::open_sealed(accounts.index.bytes_mut(), &market_key)?;
    let market = Market::open(accounts.market.bytes_mut())?;
    let minted = index.head.state.minted.plus(quantity).map_err(fail)?;
    index.head.state.minted = minted;
    demand(market.assets, market.head.assets, &index, quantity)?;
    require_same(&index.head.mint, accounts.mint.address().as_array())?;
    require_same(
        &market.head.authority,
        accounts.authority.address().as_array(),
    )?;
    token::mint_to(
        market.head,
        &market_key,
        accounts.mint.account(),
        accounts.authority.account(),
        accounts.destination.account(),
        quantity.0,
    )
}

/// Adds what the tokens stand for to the demand of each constituent.
#[inline(never)]
fn demand(
    assets: &mut [flagstone_kernels::market::Asset],
    used: u32,
    index: &Index<'_>,
    tokens: Tokens,
) -> Result<()> {
    let used = (used as usize).min(assets.len());
    let factor = Factor::new(u128::from(tokens.0) * TOKEN);
    for constituent in &*index.constituents {
        let bought = Stable::bought(&factor, constituent.weight.get());
        let bought = bought.map_err(|_| fail(IndexError::AmountOverflow))?;
        let asset = asset_mut(&mut assets[..used], constituent.place).map_err(kernel)?;
        asset.demand_more(bought).map_err(kernel)?;
        asset.refresh_delta().map_err(kernel)?;
    }
    Ok(())
}
