use crate::access::{current_slot, fail, require_direct};
use crate::instructions::Trade;
use crate::log;
use anchor_lang::prelude::*;

#[inline(never)]
pub fn run(ctx: &mut Context<Trade>, account: u16, hold: u32, generation: u32) -> Result<()> {
    require_direct(ctx.accounts.trader.address().as_array())?;
    let slot = current_slot()?;
    let trader = ctx.accounts.trader.address().as_array();
    let mut slab = ctx.accounts.slab.open()?;
    let ended = slab
        .cancel_hold(trader, account.into(), hold, generation, slot)
        .map_err(fail)?;
    if let Some(event) = ended {
        log::ended(&mut slab, event);
    }
    Ok(())
}
