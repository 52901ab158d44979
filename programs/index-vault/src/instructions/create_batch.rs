use crate::access::{
    Owned, current_slot, fail, journaled, key_of, require_seeded, require_top_level,
};
use crate::desk::{desk, holder};
use crate::market::MarketRef;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::batch::{Batch, BatchSize};
use flagstone_index_engine::engage::BatchPlan;
use flagstone_index_engine::roles::Role;

/// Accounts of `create_batch`.
#[derive(Accounts)]
pub struct CreateBatch {
    /// Zeroed account of this program, created with `solver` as base.
    #[account(mut)]
    pub batch: Owned,
    /// Solver of the desk.
    pub solver: Signer,
    /// The desk.
    pub desk: Owned,
    /// Market whose data the batch was solved with.
    pub market: Owned,
}

/// The market's sequence is taken from its account: what the solver could have
/// known is in the record.
#[inline(never)]
pub fn run(ctx: &mut Context<CreateBatch>, number: u64, size: BatchSize, seed: &str) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let (key, signer) = (*accounts.batch.key(), *key_of(&accounts.solver));
    require_seeded(&key, &signer, seed)?;
    let desk = desk(&accounts.desk)?;
    let party = holder(desk, Role::Solver, &accounts.solver)?;
    if number == 0 {
        return Err(fail(IndexError::BadParameter));
    }
    let plan = BatchPlan {
        stream: key,
        number,
        market_sequence: MarketRef::open(accounts.market.bytes())?
            .head
            .state
            .sequence,
        size,
    };
    let data = accounts.batch.bytes_mut();
    journaled(now, |journal| {
        Batch::create(data, desk, &party, &plan, journal).map(|_| ())
    })
}
