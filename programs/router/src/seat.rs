//! One owner's account at one slab: the records around it, and what it shows.

use crate::access::{fail, read_slab};
use crate::booking;
use crate::record::Stored;
use crate::version;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::Booked;
use flagstone_interface::router::{Escrow, Portfolio, SlabEntry, SlabLedger};
use flagstone_interface::slab::SlabAccount;
use flagstone_margin::Reading;
use flagstone_units::Slot;

/// The accounts of one seat, in the order of `settle`.
#[derive(Accounts)]
pub struct Seat {
    /// Portfolio of the escrow's owner.
    #[account(mut)]
    pub portfolio: Stored<Portfolio>,
    /// The escrow.
    #[account(mut)]
    pub escrow: Stored<Escrow>,
    /// What the Router holds for the slab.
    #[account(mut)]
    pub ledger: Stored<SlabLedger>,
    /// Registry entry of the slab.
    pub entry: Stored<SlabEntry>,
    /// The slab.
    pub slab: UncheckedAccount,
    /// Program data account of the slab's program.
    pub program_data: UncheckedAccount,
}

impl Seat {
    /// Checks that the records belong together and the slab's program is the
    /// one on record, and books what the slab account owes and is owed (rules
    /// X3 and X5). Nothing is booked when anything is wrong.
    #[inline(never)]
    pub fn book(&mut self) -> Result<Booked> {
        if !booking::belong_together(&self.entry, &self.portfolio, &self.escrow, &self.ledger) {
            return Err(fail(RouterError::WrongSlab));
        }
        let data = read_slab(&self.slab, &self.entry)?;
        version::check(&self.entry, &self.program_data)?;
        let key = *self.escrow.key();
        let due = booking::inspect(data, &key, &self.escrow)?;
        booking::apply(
            &due,
            &mut self.escrow,
            &mut self.ledger,
            &mut self.portfolio,
        )
    }

    /// The slab account and its slab's bytes, after [`Seat::book`].
    pub fn account(&self) -> Result<(&[u8], &SlabAccount)> {
        let data = read_slab(&self.slab, &self.entry)?;
        let account = booking::bound_account(data, self.escrow.key(), &self.escrow)?;
        Ok((data, account))
    }

    /// Books, and reads what the account shows in `slot`. Returns that, and what
    /// was booked.
    #[inline(never)]
    pub fn read(&mut self, slot: Slot) -> Result<(Reading, Booked)> {
        let booked = self.book()?;
        let (data, account) = self.account()?;
        let reading = Reading::of(data, account, &self.escrow, slot);
        let reading = reading.map_err(|_| fail(RouterError::Unreadable))?;
        Ok((reading, booked))
    }
}

/// The current slot.
pub fn current_slot() -> Result<Slot> {
    Ok(Slot::from_clock(Clock::get()?.slot))
}
