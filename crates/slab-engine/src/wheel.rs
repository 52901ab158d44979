//! Holds end by themselves once they have expired.
//!
//! Every live hold hangs on a wheel of buckets, one per expiry slot modulo
//! their number, doubly linked within its bucket. Each instruction that takes,
//! reserves or places lets a few due holds go first, so that a hold which its
//! owner forgot, or never meant to commit, locks nothing beyond its expiry
//! without anybody's crank.

use crate::{Result, Slab};
use flagstone_interface::event::HoldEnded;
use flagstone_interface::slab::{HOLD_BUCKETS, PoolId};
use flagstone_units::Slot;

/// Buckets that one call looks at.
const BUCKETS_PER_CALL: u32 = 16;
/// Holds of one bucket that a call looks at.
const HOLDS_PER_BUCKET: u32 = 8;

/// Neighbours of a held record in its bucket, packed into a field that only a
/// committed record uses.
#[inline(always)]
const fn pack(next: u32, prev: u32) -> u64 {
    next as u64 | (prev as u64) << 32
}

#[inline(always)]
const fn unpack(links: u64) -> (u32, u32) {
    (links as u32, (links >> 32) as u32)
}

impl Slab<'_> {
    /// Hangs a new hold on the wheel.
    #[inline(always)]
    pub(crate) fn schedule(&mut self, index: u32) {
        let expiry = self.reservations[index].expiry_slot;
        let bucket = self.wheel.bucket(expiry);
        let next = *bucket;
        *bucket = index;
        self.reservations[index].debited_after_atoms = pack(next, 0);
        if next != 0 {
            let (after, _) = unpack(self.reservations[next].debited_after_atoms);
            self.reservations[next].debited_after_atoms = pack(after, index);
        }
    }

    /// Takes a hold that ends off the wheel.
    #[inline(always)]
    pub(crate) fn unschedule(&mut self, index: u32) {
        let hold = &self.reservations[index];
        let (next, prev) = unpack(hold.debited_after_atoms);
        if prev == 0 {
            let expiry = hold.expiry_slot;
            *self.wheel.bucket(expiry) = next;
        } else {
            let (_, before) = unpack(self.reservations[prev].debited_after_atoms);
            self.reservations[prev].debited_after_atoms = pack(next, before);
        }
        if next != 0 {
            let (after, _) = unpack(self.reservations[next].debited_after_atoms);
            self.reservations[next].debited_after_atoms = pack(after, prev);
        }
        self.reservations[index].debited_after_atoms = 0;
    }

    /// Ends one hold that has expired, if one is due.
    ///
    /// Bounded: looks at a few buckets and goes on from there the next time.
    ///
    /// # Errors
    /// [`crate::SlabError::AmountOverflow`].
    #[inline(always)]
    pub fn expire_next(&mut self, slot: Slot) -> Result<Option<HoldEnded>> {
        if self.header.wheel_slot >= slot {
            return Ok(None);
        }
        self.expire_due(slot)
    }

    #[inline(never)]
    fn expire_due(&mut self, slot: Slot) -> Result<Option<HoldEnded>> {
        if self.header.pool(PoolId::Reservations).live == 0 {
            self.header.wheel_slot = slot;
            return Ok(None);
        }
        // After a long silence one turn of the wheel sees every hold.
        let turn = Slot(slot.0.saturating_sub(HOLD_BUCKETS as u32));
        let mut at = self.header.wheel_slot.max(turn);
        for _ in 0..BUCKETS_PER_CALL {
            self.header.wheel_slot = at;
            if at >= slot {
                break;
            }
            let mut index = *self.wheel.bucket(at);
            for _ in 0..HOLDS_PER_BUCKET {
                if index == 0 {
                    break;
                }
                let hold = &self.reservations[index];
                if hold.expiry_slot < slot {
                    return self.end_hold(index, slot).map(Some);
                }
                // A hold of the next turn; due ones may hang behind it.
                (index, _) = unpack(hold.debited_after_atoms);
            }
            at.0 += 1;
        }
        Ok(None)
    }
}
