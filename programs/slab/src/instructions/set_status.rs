use crate::access::fail;
use crate::instructions::administer::{Administer, open_for};
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::event::StatusSet;

#[inline(never)]
pub fn run(ctx: &mut Context<Administer>, instrument: u8, status: u32) -> Result<()> {
    let mut slab = open_for(&mut ctx.accounts.slab, &ctx.accounts.authority)?;
    slab.set_status(instrument, status).map_err(fail)?;
    let seq = slab.next_seq();
    log::write(&StatusSet {
        tag: StatusSet::TAG,
        seq,
        instrument,
        status,
    });
    Ok(())
}
