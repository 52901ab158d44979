//! Orders that wait for a batch, the wheel and the lots of holds, funding that
//! is due.

use super::{NOWHERE, ensure};
use crate::Slab;
use crate::funding::FUNDING_BITS;
use crate::layout::{Instrument, Position};
use flagstone_interface::slab::{HOLD_BUCKETS, PoolId};

impl Slab<'_> {
    /// The queue of an instrument's pending orders; returns how many there are.
    pub(super) fn audit_pending(&self, number: u8) -> Result<u32, &'static str> {
        let instrument = &self.instruments[number as usize];
        let (mut index, mut before, mut count, mut epoch) = (instrument.pending[0], 0, 0, 0);
        while index != 0 {
            let order = self.orders.get(index).ok_or(NOWHERE)?;
            ensure!(
                count < self.orders.capacity(),
                "a pending queue does not end"
            );
            let waits = order.is_live() && order.is_pending() && order.level == 0;
            ensure!(waits, "an order that does not wait is in a pending queue");
            ensure!(
                order.instrument == number,
                "an order waits for another's batch"
            );
            ensure!(order.prev == before, "a pending queue is torn");
            ensure!(order.lots.0 > 0, "an empty order waits");
            ensure!(order.reserved_lots.0 == 0, "a pending order is reserved");
            ensure!(
                order.batch_epoch >= epoch,
                "a younger order waits for an older batch"
            );
            count += 1;
            (before, epoch, index) = (index, order.batch_epoch, order.next);
        }
        ensure!(
            before == instrument.pending[1],
            "a pending queue does not know its youngest order"
        );
        ensure!(
            count == instrument.pending_count,
            "the count of pending orders is wrong"
        );
        Ok(count)
    }

    /// Every live hold hangs on the wheel, once, at its expiry.
    pub(super) fn audit_wheel(&self) -> Result<(), &'static str> {
        let mut hanging = 0;
        for number in 0..HOLD_BUCKETS {
            let (mut index, mut before) = (self.wheel.first(number), 0);
            while index != 0 {
                let hold = self.reservations.get(index).ok_or(NOWHERE)?;
                ensure!(hold.is_held(), "a hold that ended hangs on the wheel");
                let there = hold.expiry_slot.0 as usize % HOLD_BUCKETS == number;
                ensure!(there, "a hold hangs at another expiry");
                ensure!(
                    hold.debited_after_atoms >> 32 == before,
                    "the wheel is torn"
                );
                ensure!(
                    hanging < self.reservations.capacity(),
                    "a bucket does not end"
                );
                hanging += 1;
                (before, index) = (u64::from(index), hold.debited_after_atoms as u32);
            }
        }
        let held = self
            .reservations
            .iter()
            .filter(|(_, hold)| hold.is_held())
            .count();
        ensure!(
            held == hanging as usize,
            "a hold does not hang on the wheel"
        );
        Ok(())
    }

    /// Lots under holds that outlive their slot, per side of the book.
    pub(super) fn audit_held_lots(&self) -> Result<(), &'static str> {
        for number in 0..self.header.pool(PoolId::Instruments).high_water {
            let mut held = [0u64; 2];
            for (_, hold) in self.reservations.iter() {
                let counts = hold.is_held()
                    && u32::from(hold.instrument) == number
                    && hold.expiry_slot > hold.slot;
                if counts {
                    // A hold of a buyer covers asks, and the other way round.
                    held[usize::from(hold.side_state & 1 == 0)] += u64::from(hold.lots);
                }
            }
            let stored = self.instruments[number as usize].held_lots;
            ensure!(held == stored, "the lots under holds are wrong");
        }
        Ok(())
    }

    /// What all positions owe at the instruments' funding indices, in atoms.
    pub(super) fn funding_owed(&self) -> Result<i128, &'static str> {
        let mut owed = 0;
        for (_, position) in self.positions.iter().filter(|(_, item)| item.used != 0) {
            let instrument = self.instruments.get(usize::from(position.instrument));
            owed += owed_atoms(position, instrument.ok_or(NOWHERE)?);
        }
        Ok(owed)
    }
}

/// Lots times the move of the index, rounded up: payers pay more, receivers
/// receive less.
fn owed_atoms(position: &Position, instrument: &Instrument) -> i128 {
    let moved = i128::from(instrument.funding_index) - i128::from(position.funding_index);
    let exact = moved * i128::from(position.lots.0);
    -(-exact >> FUNDING_BITS)
}
