use crate::access::{Owned, current_slot, fail, journaled, require_same, require_top_level};
use crate::desk::{actor, batch, desk, intent, set_terms, terms};
use crate::fill::TOKEN;
use crate::market::read_index;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::amounts::{Quantity, Tokens};
use flagstone_index_engine::batch::Batch;
use flagstone_index_engine::machine::Action;
use flagstone_index_engine::records::IntentTerms;
use flagstone_interface::Key;
use flagstone_kernels::arithmetic::{Arithmetic, Stable};
use flagstone_kernels::factor::Factor;
use flagstone_kernels::index::Constituent;

/// Accounts of `engage`.
#[derive(Accounts)]
pub struct Engage {
    /// The batch.
    #[account(mut)]
    pub batch: Owned,
    /// Order manager of the desk.
    pub manager: Signer,
    /// The desk.
    pub desk: Owned,
    /// The order.
    #[account(mut)]
    pub intent: Owned,
    /// Its index.
    pub index: Owned,
}

/// Locks an order for what the solver found, when that is a fair exchange:
/// at a price that the owner allows, for all that the index is made of.
#[inline(never)]
pub fn run(ctx: &mut Context<Engage>) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let key = *accounts.desk.key();
    let desk = desk(&accounts.desk)?;
    let terms = terms(&accounts.intent)?;
    let order = intent(&mut accounts.intent, &key)?;
    let party = actor(order, Action::Engage, desk, &accounts.manager)?;
    require_same(&order.index, accounts.index.key())?;
    let (index, constituents) = read_index(accounts.index.bytes())?;
    let mut batch = batch(&mut accounts.batch, &key)?;
    let stream = order.chain.stream;
    let member = *batch.member_of(&stream).map_err(fail)?;
    terms
        .check_price(member.engaged, member.tokens)
        .map_err(fail)?;
    require_whole(&batch, &stream, member.tokens, constituents)?;
    journaled(now, |journal| {
        batch.engage(order, &party, &desk.limits, journal)?;
        Ok(())
    })?;
    let engaged = IntentTerms {
        weights_version: index.state.weights_version,
        ..terms
    };
    set_terms(&mut accounts.intent, &engaged)
}

/// Refuses a member whose contributions are less than its tokens stand for.
fn require_whole(
    batch: &Batch<'_>,
    order: &Key,
    tokens: Tokens,
    constituents: &[Constituent],
) -> Result<()> {
    let factor = Factor::new(u128::from(tokens.0) * TOKEN);
    for constituent in constituents {
        let label = u64::try_from(constituent.place.label.get());
        let label = label.map_err(|_| fail(IndexError::WrongAsset))?;
        let needed = Stable::bought(&factor, constituent.weight.get());
        let needed = needed.map_err(|_| fail(IndexError::AmountOverflow))?;
        batch
            .must_contribute(order, label, Quantity::new(needed))
            .map_err(fail)?;
    }
    Ok(())
}
