use crate::access::{Owned, fail, require_top_level};
use crate::desk::{batch, desk, holder};
use anchor_lang::pinocchio::Resize;
use anchor_lang::pinocchio::sysvars::{Sysvar, rent::Rent};
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::batch::{BatchState, OrderBatch};
use flagstone_index_engine::roles::Role;

/// Accounts of `close_batch`.
#[derive(Accounts)]
pub struct CloseBatch {
    /// The batch.
    #[account(mut)]
    pub batch: Owned,
    /// Solver of the desk; gets the rent.
    #[account(mut)]
    pub solver: Signer,
    /// The desk.
    pub desk: Owned,
}

/// Frees the room of a batch that is over, or was given up while it was built. Its head stays, with the end of its
/// chain: the address is never used for another batch, and its history can be
/// proved for ever. No other instruction takes what is left.
#[inline(never)]
pub fn run(ctx: &mut Context<CloseBatch>) -> Result<()> {
    require_top_level()?;
    let accounts = &mut ctx.accounts;
    let key = *accounts.desk.key();
    let desk = desk(&accounts.desk)?;
    holder(desk, Role::Solver, &accounts.solver)?;
    let found = batch(&mut accounts.batch, &key)?;
    // One that was never frozen has locked nobody, and would never be complete.
    let state = found.state().map_err(fail)?;
    if !matches!(state, BatchState::Building | BatchState::Complete) {
        return Err(fail(IndexError::IllegalTransition));
    }
    if found.has_engaged() || found.head.lots.live != 0 {
        return Err(fail(IndexError::Incomplete));
    }
    let rest = Rent::get()?.try_minimum_balance(size_of::<OrderBatch>())?;
    let mut view = *accounts.batch.account();
    view.resize(size_of::<OrderBatch>())?;
    let freed = view.lamports().saturating_sub(rest);
    view.set_lamports(view.lamports() - freed);
    let mut solver = *accounts.solver.account();
    let lamports = solver.lamports().checked_add(freed);
    solver.set_lamports(lamports.ok_or(fail(IndexError::AmountOverflow))?);
    Ok(())
}
