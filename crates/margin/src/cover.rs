//! How much insurance may pay (rule X7).
//!
//! One event - the debt of one account in one liquidation - takes at most a
//! part of what insurance held at the beginning of the day and received since,
//! and all events of a day together at most another. What was paid is part of
//! that amount, so the limits do not shrink as they are used.

use crate::times::DAY_SLOTS;
use flagstone_interface::router::{Escrow, SlabLedger};
use flagstone_units::{Slot, mul_ppm_floor};

/// Part of the day's insurance that one event may take, in ppm.
pub const EVENT_MAX_PPM: u32 = 250_000;

/// Part of the day's insurance that all events of the day may take, in ppm.
pub const DAY_MAX_PPM: u32 = 500_000;

/// Number of the day of a slot.
pub const fn day(slot: Slot) -> u32 {
    slot.0 / DAY_SLOTS.0
}

/// What insurance may pay for an escrow's account in `episode`, in atoms.
pub fn payable_atoms(ledger: &SlabLedger, escrow: &Escrow, episode: u32, slot: Slot) -> u64 {
    let today = if ledger.cover_day == day(slot) {
        ledger.cover_day_atoms
    } else {
        0
    };
    let event = if escrow.cover_episode == episode {
        escrow.cover_event_atoms
    } else {
        0
    };
    let base = ledger.insurance_atoms.saturating_add(today);
    // Parts of one at most, so exact for every amount.
    let left = |part, used: u64| mul_ppm_floor(base, part).saturating_sub(used);
    left(EVENT_MAX_PPM, event)
        .min(left(DAY_MAX_PPM, today))
        .min(ledger.insurance_atoms)
}
