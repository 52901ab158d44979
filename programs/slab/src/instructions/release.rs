use crate::access::{current_slot, fail, require_direct};
use crate::instructions::Trade;
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::event::Released;

#[inline(never)]
pub fn run(ctx: &mut Context<Trade>, account: u16, amount_atoms: u64) -> Result<()> {
    require_direct(ctx.accounts.trader.address().as_array())?;
    let slot = current_slot()?;
    let trader = ctx.accounts.trader.address().as_array();
    let mut slab = ctx.accounts.slab.open()?;
    let cash_atoms = slab
        .release(trader, account.into(), amount_atoms, slot)
        .map_err(fail)?;
    let seq = slab.next_seq();
    log::write(&Released {
        tag: Released::TAG,
        seq,
        account,
        amount_atoms,
        cash_atoms,
    });
    Ok(())
}
