use crate::access::{Owned, current_slot, fail, journaled, require_same, require_top_level};
use crate::desk::desk;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::collateral::Collateral;
use flagstone_index_engine::gates::Gate;
use flagstone_index_engine::orders::IndexOrder;

/// Accounts of `archive_spends`.
#[derive(Accounts)]
pub struct ArchiveSpends {
    /// The desk.
    pub desk: Owned,
    /// An order that has ended.
    #[account(mut)]
    pub intent: Owned,
    /// Its owner's position at the desk.
    #[account(mut)]
    pub position: Owned,
}

/// Makes room in a position; the chain keeps what it drops. Anyone may.
#[inline(never)]
pub fn run(ctx: &mut Context<ArchiveSpends>) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let limits = desk(&accounts.desk)?.limits;
    let order = IndexOrder::open(accounts.intent.bytes_mut()).map_err(fail)?;
    require_same(&order.desk, accounts.desk.key())?;
    let mut position = Collateral::open(accounts.position.bytes_mut()).map_err(fail)?;
    // Once: an event for nothing would only lengthen the history.
    let stream = order.chain.stream;
    if !position.spends().any(|spend| spend.order == stream) {
        return Err(fail(IndexError::NoLot));
    }
    journaled(now, |journal| {
        Gate::new(order, &mut position, limits)?.archive(journal)
    })
}
