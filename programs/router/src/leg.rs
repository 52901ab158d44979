//! The five accounts of one leg of a route, checked.

use crate::access::{fail, read_slab, require_active};
use crate::booking::{self, Due};
use crate::record::Stored;
use crate::version;
use anchor_lang::AnchorAccount;
use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::Booked;
use flagstone_interface::router::{Escrow, Portfolio, SlabEntry, SlabLedger};

/// Accounts of one leg, in the order in which they are listed.
pub const ACCOUNTS_PER_LEG: usize = 5;

/// Slabs of one route: five full ones are what a transaction can load.
pub const LEGS_MAX: usize = 5;

/// One leg: registry entry, slab, program data, escrow, ledger.
pub struct Leg {
    entry: Stored<SlabEntry>,
    slab: AccountView,
    pub escrow: Stored<Escrow>,
    ledger: Stored<SlabLedger>,
}

impl Leg {
    /// Loads and checks a leg of `owner`: registration, program deployment,
    /// and that escrow and ledger belong to the slab and each other.
    #[inline(never)]
    pub fn load(accounts: &[AccountView], portfolio: &Portfolio) -> Result<Self> {
        let [entry, slab, program_data, escrow, ledger] = accounts else {
            return Err(fail(RouterError::BadRoute));
        };
        let leg = Self {
            entry: Stored::load(*entry)?,
            slab: *slab,
            // SAFETY: legs are loaded one after the other and dropped before
            // the next, and the fixed accounts of both instructions hold no
            // escrow and no ledger: a record of another kind is refused here.
            escrow: unsafe { Stored::load_mut(*escrow)? },
            // SAFETY: as above.
            ledger: unsafe { Stored::load_mut(*ledger)? },
        };
        if !booking::belong_together(&leg.entry, portfolio, &leg.escrow, &leg.ledger) {
            return Err(fail(RouterError::BadRoute));
        }
        read_slab(&leg.slab, &leg.entry)?;
        version::check(&leg.entry, program_data)?;
        Ok(leg)
    }

    /// Refuses new business with a slab that winds down.
    pub fn require_active(&self) -> Result<()> {
        require_active(&self.entry)
    }

    /// Address of the slab.
    pub fn slab_key(&self) -> &[u8; 32] {
        &self.entry.slab
    }

    /// Bytes of the slab.
    pub fn data(&self) -> Result<&[u8]> {
        read_slab(&self.slab, &self.entry)
    }

    /// Books everything that the slab account owes and is owed (rule X3).
    ///
    /// Evidence against the slab is an error here: it undoes the transaction,
    /// and only a settle of its own may record it.
    pub fn book(&mut self, portfolio: &mut Portfolio) -> Result<Booked> {
        let key = *self.escrow.key();
        let due: Due = booking::inspect(self.data()?, &key, &self.escrow)?;
        booking::apply(&due, &mut self.escrow, &mut self.ledger, portfolio)
    }
}

/// Splits the accounts after the fixed ones into legs.
pub fn split(accounts: &[AccountView]) -> Result<impl Iterator<Item = &[AccountView]>> {
    let legs = accounts.len() / ACCOUNTS_PER_LEG;
    if legs == 0 || legs > LEGS_MAX || !accounts.len().is_multiple_of(ACCOUNTS_PER_LEG) {
        return Err(fail(RouterError::BadRoute));
    }
    Ok(accounts.chunks_exact(ACCOUNTS_PER_LEG))
}

/// Refuses a leg that does not come after the previous one (rule X4): slabs
/// ascend, and so do the holds of one slab. Nothing can be named twice.
pub fn require_ascending(previous: &mut ([u8; 32], u32), next: ([u8; 32], u32)) -> Result<()> {
    if next <= *previous {
        return Err(fail(RouterError::BadRoute));
    }
    *previous = next;
    Ok(())
}
