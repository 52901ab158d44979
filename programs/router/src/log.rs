//! Events: one log record per instruction, written at its end.

use anchor_lang::sol_log_data;

/// Writes an event. What fails after it takes it back with everything else.
#[inline(always)]
pub fn write<T: bytemuck::Pod>(event: &T) {
    sol_log_data(&[bytemuck::bytes_of(event)]);
}
