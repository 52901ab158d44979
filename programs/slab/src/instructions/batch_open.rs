use crate::access::{current_slot, fail};
use crate::instructions::Crank;
use crate::log::Record;
use anchor_lang::prelude::*;

#[inline(never)]
pub fn run(ctx: &mut Context<Crank>, instrument: u8, most: u8) -> Result<()> {
    let slot = current_slot()?;
    let mut slab = ctx.accounts.slab.open()?;
    let mut batch = slab
        .batch_open(instrument, most.into(), slot)
        .map_err(fail)?;
    let mut record = Record::new();
    batch.opened.seq = slab.next_seq();
    record.push(&batch.opened);
    for event in &mut batch.evicted.orders[..batch.evicted.count] {
        event.seq = slab.next_seq();
        record.push(event);
    }
    for event in &mut batch.promoted[..batch.promoted_count] {
        event.seq = slab.next_seq();
        record.push(event);
    }
    for event in &mut batch.cancelled[..batch.cancelled_count] {
        event.seq = slab.next_seq();
        record.push(event);
    }
    record.flush();
    Ok(())
}
