//! Events: numbered and written as one log record each.

use anchor_lang::sol_log_data;
use flagstone_interface::event::{OrderCancelled, Traded};
use flagstone_slab_engine::Slab;

/// Writes an event whose sequence number is set.
#[inline(always)]
pub fn write<T: bytemuck::Pod>(event: &T) {
    sol_log_data(&[bytemuck::bytes_of(event)]);
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
    sol_log_data(&[event.as_bytes()]);
}
