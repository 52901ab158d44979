use crate::access::{fail, require_direct};
use crate::instructions::Trade;
use crate::log;
use anchor_lang::prelude::*;
use flagstone_slab_engine::cancels::Reduced;
use flagstone_units::Lots;

#[inline(never)]
pub fn run(
    ctx: &mut Context<Trade>,
    account: u16,
    order: u32,
    generation: u32,
    lots: u32,
) -> Result<()> {
    require_direct(ctx.accounts.trader.address().as_array())?;
    let trader = ctx.accounts.trader.address().as_array();
    let mut slab = ctx.accounts.slab.open()?;
    let reduced = slab
        .reduce(trader, account.into(), order, generation, Lots(lots))
        .map_err(fail)?;
    match reduced {
        Reduced::Cancelled(event) => log::cancelled(&mut slab, event),
        Reduced::Smaller(mut event) => {
            event.seq = slab.next_seq();
            log::write(&event);
        }
    }
    Ok(())
}
