//! Events: numbered and written as one log record each.

use anchor_lang::sol_log_data;
use flagstone_interface::event::{OrderCancelled, Traded};
use flagstone_slab_engine::Slab;
use flagstone_units::Slot;

/// Writes an event whose sequence number and slot are set.
#[inline(always)]
pub fn write<T: bytemuck::Pod>(event: &T) {
    sol_log_data(&[bytemuck::bytes_of(event)]);
}

/// Numbers and writes a cancellation.
#[inline(always)]
pub fn cancelled(slab: &mut Slab<'_>, mut event: OrderCancelled, slot: Slot) {
    event.seq = slab.next_seq();
    event.slot = slot.0;
    write(&event);
}

/// Numbers and writes a trade.
#[inline(always)]
pub fn traded(slab: &mut Slab<'_>, event: &mut Traded) {
    event.seq = slab.next_seq();
    sol_log_data(&[event.as_bytes()]);
}
