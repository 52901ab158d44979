use crate::access::{Owned, fail, require_top_level};
use crate::instructions::execute::chunk;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::allotment::Allotment;
use flagstone_interface::Key;
use flagstone_kernels::index::Constituent;
use flagstone_kernels::reach::Scarcest;

/// Accounts of `execute_member`.
#[derive(Accounts)]
pub struct ExecuteMember {
    /// The market.
    #[account(mut)]
    pub market: Owned,
    /// The index.
    #[account(mut)]
    pub index: Owned,
    /// The order.
    #[account(mut)]
    pub order: Owned,
    /// Its allotment.
    #[account(mut)]
    pub allotment: Owned,
}

/// Executes the next chunk of an order within its share. Anyone may.
#[inline(never)]
pub fn run(ctx: &mut Context<ExecuteMember>, received_min: u64) -> Result<()> {
    require_top_level()?;
    let accounts = &mut ctx.accounts;
    let share = Allotment::open(accounts.allotment.bytes_mut()).map_err(fail)?;
    chunk(
        &mut accounts.market,
        &mut accounts.index,
        &mut accounts.order,
        Some(share),
        received_min,
    )
}

/// Index units that what is left of an order's shares allows: `min left / W`.
pub fn units_left(
    allotment: &Allotment<'_>,
    order: &Key,
    constituents: &[Constituent],
) -> Result<u128> {
    let cells = allotment.cells_of(order).map_err(fail)?;
    if cells.len() != constituents.len() {
        return Err(fail(IndexError::OutOfOrder));
    }
    let mut scarcest = Scarcest::NONE;
    for (cell, constituent) in cells.iter().zip(constituents) {
        scarcest
            .see(cell.left.get(), constituent.weight.get(), constituent.reach)
            .map_err(|error| crate::access::kernel(error.into()))?;
    }
    Ok(scarcest.ratio())
}
