use crate::access::{Owned, current_slot, fail, journaled, kernel, require_top_level};
use crate::fill::side_of;
use crate::market::{Index, MarketRef};
use anchor_lang::prelude::*;
use flagstone_index_engine::records::IndexEvent;
use flagstone_index_engine::roles::Party;
use flagstone_kernels::index::update_quote_dated;
use flagstone_units::Slot;

/// Accounts of `update_quote`.
#[derive(Accounts)]
pub struct UpdateQuote {
    /// The index.
    #[account(mut)]
    pub index: Owned,
    /// Its market.
    pub market: Owned,
}

/// Anyone may: the quote follows from the market's data alone. Sellers and
/// buyers are quoted by the same price, capacity and slope, which both pay.
#[inline(never)]
pub fn run(ctx: &mut Context<UpdateQuote>) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let market_key = *accounts.market.key();
    let market = MarketRef::open(accounts.market.bytes())?;
    let mut index = Index::open_sealed(accounts.index.bytes_mut(), &market_key)?;
    let slots = bytemuck::cast_slice(market.slots);
    let (quote, oldest) =
        update_quote_dated(market.assets, slots, index.constituents).map_err(kernel)?;
    let side = side_of(&quote);
    index
        .head
        .state
        .set_quote(&market.head.state, [side, side], Slot(oldest), now)
        .map_err(fail)?;
    journaled(now, |journal| {
        index.changed(IndexEvent::Quoted, &Party::ANYONE, &[], journal)
    })
}
