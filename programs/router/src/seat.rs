//! One owner's account at one slab: the records around it, and what it shows.

use crate::access::{fail, read_slab};
use crate::booking;
use crate::record::Stored;
use crate::version;
use anchor_lang::pinocchio::account::AccountView;
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

/// A second seat of the same portfolio, which an instruction lists once.
#[derive(Accounts)]
pub struct Target {
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
        let due = inspect(
            &self.portfolio,
            &self.escrow,
            &self.ledger,
            &self.entry,
            (&self.slab, &self.program_data),
        )?;
        booking::apply(
            &due,
            &mut self.escrow,
            &mut self.ledger,
            &mut self.portfolio,
        )
    }

    /// The slab account and its slab's bytes, after [`Seat::book`].
    pub fn account(&self) -> Result<(&[u8], &SlabAccount)> {
        account(&self.slab, &self.entry, &self.escrow)
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

impl Target {
    /// As [`Seat::read`], for the portfolio that the other seat lists.
    #[inline(never)]
    pub fn read(&mut self, portfolio: &mut Portfolio, slot: Slot) -> Result<(Reading, Booked)> {
        let due = inspect(
            portfolio,
            &self.escrow,
            &self.ledger,
            &self.entry,
            (&self.slab, &self.program_data),
        )?;
        let booked = booking::apply(&due, &mut self.escrow, &mut self.ledger, portfolio)?;
        let (data, account) = account(&self.slab, &self.entry, &self.escrow)?;
        let reading = Reading::of(data, account, &self.escrow, slot);
        let reading = reading.map_err(|_| fail(RouterError::Unreadable))?;
        Ok((reading, booked))
    }
}

/// What is due, after the checks of [`Seat::book`].
#[inline(always)]
fn inspect(
    portfolio: &Portfolio,
    escrow: &Stored<Escrow>,
    ledger: &SlabLedger,
    entry: &SlabEntry,
    (slab, program_data): (&AccountView, &AccountView),
) -> Result<booking::Due> {
    if !booking::belong_together(entry, portfolio, escrow, ledger) {
        return Err(fail(RouterError::WrongSlab));
    }
    let data = read_slab(slab, entry)?;
    version::check(entry, program_data)?;
    Ok(booking::inspect(data, escrow.key(), escrow)?)
}

fn account<'a>(
    slab: &'a AccountView,
    entry: &SlabEntry,
    escrow: &Stored<Escrow>,
) -> Result<(&'a [u8], &'a SlabAccount)> {
    let data = read_slab(slab, entry)?;
    let account = booking::bound_account(data, escrow.key(), escrow)?;
    Ok((data, account))
}

/// The current slot.
pub fn current_slot() -> Result<Slot> {
    Ok(Slot::from_clock(Clock::get()?.slot))
}
