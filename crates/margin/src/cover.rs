//! How much insurance may pay (rule X7).
//!
//! One event - the debt of one account in one liquidation - takes at most a
//! part of what insurance held at the beginning of the day and received since,
//! and all events of a day together at most another. What was paid is part of
//! that amount, so the limits do not shrink as they are used.

use crate::times::DAY_SLOTS;
use flagstone_interface::router::{Escrow, SlabLedger};
use flagstone_units::{PPM_ONE, Slot, mul_ppm_floor};

/// Part of the day's insurance that one event may take unless it is set, in
/// basis points.
pub const EVENT_BPS: u16 = 2_500;

/// Part of the day's insurance that all events of the day may take unless it is
/// set, in basis points.
pub const DAY_BPS: u16 = 5_000;

/// Largest part of the day's insurance that one event may be given, in basis
/// points: one debt never takes all of it.
pub const EVENT_BPS_MAX: u16 = 5_000;

/// Largest part of the day's insurance that all events of the day may be given,
/// in basis points: some is there the next day.
pub const DAY_BPS_MAX: u16 = 9_000;

/// Millionths of a basis point.
const PPM_PER_BPS: u32 = 100;

/// Whether the parts may be set, in basis points: within their bounds, and an
/// event takes no more than a day. 0 is the default of each, and so both have to
/// be 0 for the defaults.
pub const fn is_sound(event_bps: u16, day_bps: u16) -> bool {
    let unset = event_bps == 0 && day_bps == 0;
    let bounded = event_bps > 0 && event_bps <= EVENT_BPS_MAX && day_bps <= DAY_BPS_MAX;
    unset || (bounded && event_bps <= day_bps)
}

/// The parts of a slab's insurance that one event and one day may take, in ppm.
pub fn parts_ppm(ledger: &SlabLedger) -> (u32, u32) {
    let or = |set: u16, default: u16| if set == 0 { default } else { set };
    (
        u32::from(or(ledger.cover_event_bps, EVENT_BPS)) * PPM_PER_BPS,
        u32::from(or(ledger.cover_day_bps, DAY_BPS)) * PPM_PER_BPS,
    )
}

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
    let (event_ppm, day_ppm) = parts_ppm(ledger);
    // Parts of one at most, so exact for every amount.
    let left =
        |part: u32, used: u64| mul_ppm_floor(base, part.min(PPM_ONE as u32)).saturating_sub(used);
    left(event_ppm, event)
        .min(left(day_ppm, today))
        .min(ledger.insurance_atoms)
}
