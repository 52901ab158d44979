use crate::access::{fail, require_direct};
use crate::instructions::Trade;
use crate::log;
use anchor_lang::prelude::*;

#[inline(never)]
pub fn run(ctx: &mut Context<Trade>, account: u16, order: u32, generation: u32) -> Result<()> {
    require_direct(ctx.accounts.trader.address().as_array())?;
    let trader = ctx.accounts.trader.address().as_array();
    let mut slab = ctx.accounts.slab.open()?;
    let cancelled = slab
        .cancel(trader, account.into(), order, generation)
        .map_err(fail)?;
    if let Some(event) = cancelled {
        log::cancelled(&mut slab, event);
    }
    Ok(())
}
