//! Update lots: what a user added to an order, piece by piece.
//!
//! The same side pushes a lot; the other side cancels the newest lots first,
//! and when it uses them up and nothing is engaged, the order changes side
//! with the rest. Engagement takes the oldest first, and what is engaged
//! cannot be taken back. Source: the order manager of the consensus paper,
//! section 3, and the authors' `index_order` tests.

use crate::amounts::Atoms;
use crate::{IndexError, Result};
use bytemuck::{Pod, Zeroable};
use flagstone_interface::assert_layout;

/// Update lots that one order may have.
pub const UPDATES: usize = 16;

/// One addition to an order.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct UpdateLot {
    /// Number of the order's event that pushed it.
    pub sequence: u64,
    /// Collateral of the update as pushed, in atoms.
    pub original: Atoms,
    /// Not yet engaged, in atoms.
    pub remaining: Atoms,
    /// Engaged in batches so far, in atoms.
    pub engaged: Atoms,
}
assert_layout!(UpdateLot, 32);

/// The update lots of an order, oldest first.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Updates {
    /// Lots in use.
    pub used: u64,
    /// The lots; those beyond `used` are zero.
    pub lots: [UpdateLot; UPDATES],
}
assert_layout!(Updates, 520);

/// What a reduction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reduced {
    /// Taken off the order's own side.
    pub removed: Atoms,
    /// Left over and pushed on the other side; zero unless the side changed.
    pub flipped: Atoms,
}

impl Updates {
    /// The lots in use, oldest first.
    pub fn open(&self) -> &[UpdateLot] {
        &self.lots[..(self.used as usize).min(UPDATES)]
    }

    /// Sum of what is not yet engaged.
    ///
    /// # Errors
    /// [`IndexError::AmountOverflow`].
    pub fn remaining(&self) -> Result<Atoms> {
        let mut lots = self.open().iter();
        lots.try_fold(Atoms::ZERO, |sum, lot| sum.plus(lot.remaining))
    }

    /// Adds a lot.
    ///
    /// # Errors
    /// [`IndexError::ZeroAmount`], [`IndexError::UpdatesFull`], and
    /// [`IndexError::AmountOverflow`] when the sum of all lots would not fit.
    pub fn push(&mut self, sequence: u64, amount: Atoms) -> Result<()> {
        if amount == Atoms::ZERO {
            return Err(IndexError::ZeroAmount);
        }
        self.remaining()?.plus(amount)?;
        let lot = self.lots.get_mut(self.used as usize);
        *lot.ok_or(IndexError::UpdatesFull)? = UpdateLot {
            sequence,
            original: amount,
            remaining: amount,
            engaged: Atoms::ZERO,
        };
        self.used += 1;
        Ok(())
    }

    /// Takes up to `amount` off the newest lots; returns what it took.
    ///
    /// # Errors
    /// [`IndexError::AmountOverflow`] on broken lots.
    pub fn cancel_newest(&mut self, amount: Atoms) -> Result<Atoms> {
        let mut left = amount;
        for at in (0..self.open().len()).rev() {
            let lot = &mut self.lots[at];
            let part = left.min(lot.remaining);
            lot.remaining = lot.remaining.minus(part)?;
            left = left.minus(part)?;
        }
        self.compact();
        amount.minus(left)
    }

    /// Changes the amount: takes `amount` off the newest lots and, if `may_flip`
    /// and none is engaged, turns the rest into a lot of the other side.
    ///
    /// Without the right to flip the rest is dropped, as the authors do.
    ///
    /// # Errors
    /// [`IndexError::ZeroAmount`].
    pub fn reduce(&mut self, sequence: u64, amount: Atoms, may_flip: bool) -> Result<Reduced> {
        if amount == Atoms::ZERO {
            return Err(IndexError::ZeroAmount);
        }
        let removed = self.cancel_newest(amount)?;
        let rest = amount.minus(removed)?;
        let mut reduced = Reduced {
            removed,
            flipped: Atoms::ZERO,
        };
        if may_flip && rest > Atoms::ZERO && self.used == 0 {
            self.push(sequence, rest)?;
            reduced.flipped = rest;
        }
        Ok(reduced)
    }

    /// Engages `amount` of the oldest lots.
    ///
    /// # Errors
    /// [`IndexError::NotEnoughCollateral`] when less remains.
    pub fn engage_oldest(&mut self, amount: Atoms) -> Result<()> {
        self.take_oldest(amount, true)
    }

    /// Takes `amount` for fees off the oldest lots.
    ///
    /// # Errors
    /// [`IndexError::NotEnoughCollateral`] when less remains.
    pub fn charge_oldest(&mut self, amount: Atoms) -> Result<()> {
        self.take_oldest(amount, false)
    }

    fn take_oldest(&mut self, amount: Atoms, engage: bool) -> Result<()> {
        if self.remaining()? < amount {
            return Err(IndexError::NotEnoughCollateral);
        }
        let mut left = amount;
        for at in 0..self.open().len() {
            let lot = &mut self.lots[at];
            let part = left.min(lot.remaining);
            lot.remaining = lot.remaining.minus(part)?;
            left = left.minus(part)?;
            if engage {
                lot.engaged = lot.engaged.plus(part)?;
            }
        }
        self.compact();
        Ok(())
    }

    /// Drops lots of which nothing remains and nothing was engaged.
    fn compact(&mut self) {
        let mut kept = 0;
        for at in 0..self.open().len() {
            let lot = self.lots[at];
            if lot.remaining > Atoms::ZERO || lot.engaged > Atoms::ZERO {
                self.lots[kept] = lot;
                kept += 1;
            }
        }
        self.lots[kept..].fill(UpdateLot::zeroed());
        self.used = kept as u64;
    }
}
