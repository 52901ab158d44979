use crate::access::{SlabAccount, current_slot, fail};
use crate::log;
use anchor_lang::prelude::*;

/// Accounts of a crank that needs nothing but the slab.
#[derive(Accounts)]
pub struct Crank {
    /// The slab.
    #[account(mut)]
    pub slab: SlabAccount,
}

/// Most records that one instruction looks at; keeps its events within the log.
const COUNT_MAX: u16 = 64;

#[inline(never)]
pub fn run(ctx: &mut Context<Crank>, first: u32, count: u16) -> Result<()> {
    let slot = current_slot()?;
    let mut slab = ctx.accounts.slab.open()?;
    for index in first..first.saturating_add(count.min(COUNT_MAX).into()) {
        if let Some(event) = slab.expire_hold(index, slot).map_err(fail)? {
            log::ended(&mut slab, event);
        }
    }
    Ok(())
}
