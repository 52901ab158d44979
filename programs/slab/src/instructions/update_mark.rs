use crate::access::{OracleAccount, SlabAccount, current_time, fail};
use crate::log;
use anchor_lang::prelude::*;

/// Accounts of `update_mark`.
#[derive(Accounts)]
pub struct UpdateMark {
    /// The slab.
    #[account(mut)]
    pub slab: SlabAccount,
    /// The instrument's oracle.
    pub oracle: OracleAccount,
}

#[inline(never)]
pub fn run(ctx: &mut Context<UpdateMark>, instrument: u8) -> Result<()> {
    let (slot, unix_time) = current_time()?;
    let mut slab = ctx.accounts.slab.open()?;
    let expected = slab.instrument(instrument).map_err(fail)?.oracle;
    let price = ctx.accounts.oracle.read(&expected)?;
    let mut event = slab
        .update_mark(instrument, &price, slot, unix_time)
        .map_err(fail)?;
    event.seq = slab.next_seq();
    log::write(&event);
    Ok(())
}
