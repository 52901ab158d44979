//! Limits on what leaves, without denial of service (rule X8).
//!
//! A limit counts net outflow in a leaky bucket. What a user paid in of late
//! may leave again uncounted: it was never anybody else's. Paying in does not
//! empty the bucket, or a thief could make room with money that leaves exempt.

use crate::assert_layout;
use bytemuck::{Pod, Zeroable};
use flagstone_units::Slot;

/// Length of a window in which own deposits are remembered: a day of 400 ms slots.
pub const RECENT_WINDOW_SLOTS: u32 = 216_000;

/// A leaky bucket: at most `limit_atoms` at once, and as much again in every
/// window after that. Zeroed memory sets no limit.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct OutflowLimit {
    /// What the bucket holds, in atoms; 0 for no limit.
    pub limit_atoms: u64,
    /// What is in it as of `slot`, in atoms.
    pub level_atoms: u64,
    /// Slots in which a full bucket runs empty.
    pub window_slots: u32,
    /// Slot of the last change.
    pub slot: Slot,
}
assert_layout!(OutflowLimit, 24);

impl OutflowLimit {
    /// Whether there is a limit.
    #[inline(always)]
    pub const fn is_set(&self) -> bool {
        self.limit_atoms != 0
    }

    /// Whether the numbers make a bucket that leaks: at least an atom a slot.
    pub const fn is_sound(limit_atoms: u64, window_slots: u32) -> bool {
        limit_atoms == 0 || (window_slots > 0 && limit_atoms >= window_slots as u64)
    }

    /// What is in the bucket at `now`, in atoms.
    pub fn level_at(&self, now: Slot) -> u64 {
        let elapsed = u64::from(now.saturating_sub(self.slot).0);
        let window = u64::from(self.window_slots);
        if elapsed >= window {
            return 0;
        }
        // Both products fit: the remainder and the elapsed slots are below 2^32.
        let leaked =
            self.limit_atoms / window * elapsed + self.limit_atoms % window * elapsed / window;
        self.level_atoms.saturating_sub(leaked)
    }

    /// What may leave at `now`, in atoms.
    pub fn room_atoms(&self, now: Slot) -> u64 {
        if self.is_set() {
            self.limit_atoms.saturating_sub(self.level_at(now))
        } else {
            u64::MAX
        }
    }

    /// Counts what leaves.
    pub fn count(&mut self, now: Slot, atoms: u64) {
        if self.is_set() {
            self.level_atoms = self.level_at(now).saturating_add(atoms);
            self.slot = now;
        }
    }

    /// Sets the limit; what is in the bucket stays in it.
    pub fn set(&mut self, now: Slot, limit_atoms: u64, window_slots: u32) {
        let level_atoms = if self.is_set() { self.level_at(now) } else { 0 };
        *self = Self {
            limit_atoms,
            level_atoms,
            window_slots,
            slot: now,
        };
    }
}

/// A user's own deposits of this window and the one before, less what left.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct RecentDeposits {
    /// Of this window, in atoms.
    pub current_atoms: u64,
    /// Of the window before, in atoms.
    pub previous_atoms: u64,
    /// Number of this window since slot 0.
    pub window: u32,
    /// Zero.
    pub padding: u32,
}
assert_layout!(RecentDeposits, 24);

impl RecentDeposits {
    fn turn(&mut self, now: Slot) {
        let window = now.0 / RECENT_WINDOW_SLOTS;
        if window == self.window {
            return;
        }
        self.previous_atoms = if window == self.window.wrapping_add(1) {
            self.current_atoms
        } else {
            0
        };
        self.current_atoms = 0;
        self.window = window;
    }

    /// Remembers a deposit.
    pub fn add(&mut self, now: Slot, atoms: u64) {
        self.turn(now);
        self.current_atoms = self.current_atoms.saturating_add(atoms);
    }

    /// Takes as much of `atoms` as own deposits cover, the oldest first, and
    /// returns how much that is: it is exempt.
    pub fn take(&mut self, now: Slot, atoms: u64) -> u64 {
        self.turn(now);
        let old = atoms.min(self.previous_atoms);
        self.previous_atoms -= old;
        let new = (atoms - old).min(self.current_atoms);
        self.current_atoms -= new;
        old + new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x8_a_bucket_leaks_its_limit_in_a_window_whatever_the_steps() {
        let mut limit = OutflowLimit::default();
        assert_eq!(limit.room_atoms(Slot(9)), u64::MAX);
        limit.set(Slot(100), 1_003, 100);
        limit.count(Slot(100), 1_003);
        assert_eq!(limit.room_atoms(Slot(100)), 0);
        assert_eq!(limit.room_atoms(Slot(150)), 501);
        assert_eq!(limit.room_atoms(Slot(199)), 992);
        assert_eq!(limit.room_atoms(Slot(200)), 1_003);
        // In steps it leaks as much but for less than an atom each.
        let mut stepped = limit;
        for slot in 101..=200 {
            stepped.count(Slot(slot), 0);
        }
        assert_eq!(stepped.room_atoms(Slot(200)), 1_000);
        // The clock never runs backwards, and nothing overflows.
        assert_eq!(limit.room_atoms(Slot(0)), 0);
        limit.set(Slot(200), u64::MAX, u32::MAX);
        limit.count(Slot(200), u64::MAX);
        limit.count(Slot(200), u64::MAX);
        assert_eq!(limit.room_atoms(Slot(200)), 0);
        assert!(limit.room_atoms(Slot(u32::MAX)) < u64::MAX);
        assert!(OutflowLimit::is_sound(0, 0) && OutflowLimit::is_sound(100, 100));
        assert!(!OutflowLimit::is_sound(99, 100) && !OutflowLimit::is_sound(1, 0));
    }

    #[test]
    fn x8_a_new_limit_keeps_what_is_in_the_bucket() {
        let mut limit = OutflowLimit::default();
        limit.set(Slot(0), 1_000, 100);
        limit.count(Slot(0), 800);
        limit.set(Slot(50), 2_000, 100);
        assert_eq!(limit.room_atoms(Slot(50)), 1_700);
    }

    #[test]
    fn x8_own_deposits_are_remembered_for_one_to_two_windows() {
        let window = RECENT_WINDOW_SLOTS;
        let mut recent = RecentDeposits::default();
        recent.add(Slot(window - 1), 10);
        recent.add(Slot(window), 5);
        assert_eq!(recent.take(Slot(window), 12), 12);
        assert_eq!((recent.previous_atoms, recent.current_atoms), (0, 3));
        assert_eq!(recent.take(Slot(2 * window), 9), 3);
        recent.add(Slot(2 * window), 7);
        assert_eq!(recent.take(Slot(4 * window), 7), 0);
    }
}
