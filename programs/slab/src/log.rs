//! Events: numbered and written as one log record each.

use crate::access::fail;
use anchor_lang::Error;
use anchor_lang::sol_log_data;
use flagstone_interface::event::{HoldEnded, OrderCancelled, Traded};
use flagstone_slab_engine::Slab;
use flagstone_units::Slot;

/// Expired holds that one instruction ends: more than it can make, and few
/// enough not to eat up the compute units of whoever comes next.
const EXPIRED_PER_INSTRUCTION: usize = 2;

/// Writes an event whose sequence number is set.
#[inline(always)]
pub fn write<T: bytemuck::Pod>(event: &T) {
    record(bytemuck::bytes_of(event));
}

/// Writes the bytes of an event.
#[inline(always)]
pub fn record(bytes: &[u8]) {
    sol_log_data(&[bytes]);
}

/// Numbers and writes the end of a hold.
#[inline(always)]
pub fn ended(slab: &mut Slab<'_>, mut event: HoldEnded) {
    event.seq = slab.next_seq();
    write(&event);
}

/// Lets a few expired holds go before anything is traded or reserved.
#[inline(always)]
pub fn expire_due(slab: &mut Slab<'_>, slot: Slot) -> Result<(), Error> {
    for _ in 0..EXPIRED_PER_INSTRUCTION {
        match slab.expire_next(slot).map_err(fail)? {
            Some(event) => ended(slab, event),
            None => break,
        }
    }
    Ok(())
}

/// Numbers and writes a cancellation.
#[inline(always)]
pub fn cancelled(slab: &mut Slab<'_>, mut event: OrderCancelled) {
    event.seq = slab.next_seq();
    write(&event);
}

/// Numbers and writes a trade.
#[inline(always)]
pub fn traded(slab: &mut Slab<'_>, event: &mut Traded) {
    event.seq = slab.next_seq();
    record(event.as_bytes());
}
