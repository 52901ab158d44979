//! The timetable of a liquidation, in slots.
//!
//! ```text
//! begin -- grace 50 -- ticket 75 -- deleveraging, no new ticket for 75 --
//! ```
//! A slab's parameters leave room for [`LIQUIDATION_SLOTS`]: the age of what the
//! Router saw, the grace and the life of a ticket (rule LQ3).

use flagstone_slab_engine::instruments::LIQUIDATION_SLOTS;
use flagstone_units::Slot;

/// Slots in which a user, or anyone within the user's consent, may bring margin
/// back before anything is closed.
pub const GRACE_SLOTS: Slot = Slot(50);

/// Slots in which a ticket may sweep the book.
pub const TICKET_SLOTS: Slot = Slot(75);

/// Slots for which what the Router read may be old when a liquidation begins.
pub const SNAPSHOT_SLOTS: Slot = Slot(25);

/// Slots after a ticket's expiry in which it may only be deleveraged: without
/// them a new ticket in the first of these slots would bar deleveraging for ever.
pub use flagstone_slab_engine::deleverages::DELEVERAGE_SLOTS;

/// Slots in which a slab may release on a shift ticket: time for the transaction
/// that issues it, and for others should it not release at once.
pub const SHIFT_SLOTS: Slot = Slot(25);

/// Slots after the end of a liquidation within which the next has no grace
/// (rule LQ4): about an hour.
pub const RETURN_SLOTS: Slot = Slot(9_000);

/// Slots of a day, by which the payments of insurance are limited.
pub const DAY_SLOTS: Slot = Slot(216_000);

const _: () = assert!(GRACE_SLOTS.0 + TICKET_SLOTS.0 + SNAPSHOT_SLOTS.0 == LIQUIDATION_SLOTS.0);
