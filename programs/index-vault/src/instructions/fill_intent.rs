use crate::access::{Owned, current_slot, fail, journaled, require_top_level};
use crate::backing::Backing;
use crate::desk::{actor, batch, desk, intent, terms};
use alloc::vec;
use anchor_lang::prelude::*;
use bytemuck::Zeroable;
use flagstone_index_engine::amounts::Tokens;
use flagstone_index_engine::machine::Action;
use flagstone_index_engine::members::Line;

/// Lots that one fill may take: a transaction's log is cut at 10,000 bytes, and
/// these make an event of 6,656, which is 8,876 in base64, and the order's of 396.
pub const LINES_MAX: usize = 128;

/// Accounts of `fill_intent`.
#[derive(Accounts)]
pub struct FillIntent {
    /// The batch.
    #[account(mut)]
    pub batch: Owned,
    /// Batch manager of the desk.
    pub manager: Signer,
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
}

/// Charges an order what its lots cost, oldest first, within its owner's price.
/// From here on the market backs its tokens, at the weights that it was engaged for.
#[inline(never)]
pub fn run(ctx: &mut Context<FillIntent>, tokens: u64) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let key = *accounts.desk.key();
    let desk = desk(&accounts.desk)?;
    let terms = terms(&accounts.intent)?;
    let order = intent(&mut accounts.intent, &key)?;
    let party = actor(order, Action::Fill, desk, &accounts.manager)?;
    let mut backing = Backing::open(&mut accounts.market, &mut accounts.index, &order.index)?;
    backing.check_weights(terms.weights_version)?;
    let mut batch = batch(&mut accounts.batch, &key)?;
    let mut lines = vec![Line::zeroed(); LINES_MAX];
    journaled(now, |journal| {
        let tokens = Tokens(tokens);
        batch.fill_order(order, tokens, &party, &desk.limits, &mut lines, journal)?;
        terms.check_price(order.holdings.spent, order.holdings.filled)
    })?;
    backing.add(Tokens(tokens))
}

/// Accounts of `carry_over`.
#[derive(Accounts)]
pub struct CarryOver {
    /// The batch.
    #[account(mut)]
    pub batch: Owned,
    /// The desk.
    pub desk: Owned,
    /// The order that leaves.
    #[account(mut)]
    pub intent: Owned,
}

/// Lets an order go with what it did not use. Anyone may.
#[inline(never)]
pub fn carry_over(ctx: &mut Context<CarryOver>) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let key = *accounts.desk.key();
    let limits = desk(&accounts.desk)?.limits;
    let order = intent(&mut accounts.intent, &key)?;
    let mut batch = batch(&mut accounts.batch, &key)?;
    journaled(now, |journal| {
        batch.carry_over(order, &limits, journal)?;
        Ok(())
    })
}

/// Accounts of `complete_batch`.
#[derive(Accounts)]
pub struct CompleteBatch {
    /// The batch.
    #[account(mut)]
    pub batch: Owned,
}

/// Ends a batch of which nothing is open. Anyone may.
#[inline(never)]
pub fn complete(ctx: &mut Context<CompleteBatch>) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let batch = ctx.accounts.batch.bytes_mut();
    let mut batch = flagstone_index_engine::batch::Batch::open(batch).map_err(fail)?;
    journaled(now, |journal| batch.complete(journal))
}
