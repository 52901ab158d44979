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
    let opened = slab.next_seq();
    batch.number(opened);
    slab.header.event_seq = opened + batch.steps() as u64;
    let mut record = Record::new();
    record.push(&batch.opened);
    // Each kind is in order, and readers want all of them to be.
    let mut evicted = batch.evicted.orders[..batch.evicted.count].iter();
    let mut promoted = batch.promoted[..batch.promoted_count].iter();
    let mut cancelled = batch.cancelled[..batch.cancelled_count].iter();
    for seq in opened + 1..=slab.header.event_seq {
        if let Some(event) = next_if(&mut evicted, |event| event.seq == seq) {
            record.push(event);
        } else if let Some(event) = next_if(&mut promoted, |event| event.seq == seq) {
            record.push(event);
        } else if let Some(event) = next_if(&mut cancelled, |event| event.seq == seq) {
            record.push(event);
        }
    }
    record.flush();
    Ok(())
}

/// Takes the next item when it is the one that is wanted.
fn next_if<'a, T>(
    items: &mut core::slice::Iter<'a, T>,
    wanted: impl Fn(&T) -> bool,
) -> Option<&'a T> {
    let next = items.as_slice().first().filter(|item| wanted(item));
    next.inspect(|_| {
        items.next();
    })
}
