use crate::access::{current_slot, fail, require_direct};
use crate::instructions::{PlaceArgs, Trade, place};
use crate::log::{self, Record};
use anchor_lang::prelude::*;
use bytemuck::Zeroable;
use flagstone_interface::event::Traded;

#[inline(never)]
pub fn run(ctx: &mut Context<Trade>, order: u32, generation: u32, args: PlaceArgs) -> Result<()> {
    require_direct(ctx.accounts.trader.address().as_array())?;
    let slot = current_slot()?;
    let new = place::decode(&args).map_err(fail)?;
    let trader = ctx.accounts.trader.address().as_array();
    let mut slab = ctx.accounts.slab.open()?;
    log::expire_due(&mut slab, slot)?;
    let mut traded = Traded::zeroed();
    let (mut gone, placed) = slab
        .replace(trader, (order, generation), &new, slot, &mut traded)
        .map_err(fail)?;
    let mut record = Record::new();
    gone.seq = slab.next_seq();
    record.push(&gone);
    log::placed(&mut slab, &placed, &mut traded, &mut record);
    record.flush();
    Ok(())
}
