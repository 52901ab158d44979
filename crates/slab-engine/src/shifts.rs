//! Shifting: an account that is well releases what another account of the same
//! portfolio, at another slab, lacks - on the Router's ticket, without its owner
//! (rule LQ4).
//!
//! The ticket names this slab, the account by index and generation, and both
//! escrows. What the Router's records say is read live, because they may have
//! changed since the ticket was issued:
//!
//! - the portfolio is still in the ticket's episode, and this is its last shift
//!   ticket;
//! - the target is still frozen, and was not restored since;
//! - the account's own escrow is not frozen;
//! - what the target lacks is counted anew, after deposits and free cash that
//!   arrived meanwhile, and within what is left of its owner's consent.
//!
//! What leaves obeys the rules of [`crate::releases`], so the account stays
//! above its initial margin and profit that has not matured stays. Serial
//! numbers of tickets only grow, and the account remembers the last one that it
//! acted on: a ticket counts once.

use crate::{Result, Slab, SlabError};
use flagstone_interface::router::{Escrow, Portfolio, ShiftTicket, portfolio_status};
use flagstone_interface::slab::SlabAccount;
use flagstone_interface::{Key, key_eq};
use flagstone_units::Slot;

/// The Router's leave to release, in its own records.
#[derive(Clone, Copy, Debug)]
pub struct Shift<'r> {
    /// Address of this slab.
    pub slab: &'r Key,
    /// The ticket.
    pub ticket: &'r ShiftTicket,
    /// Address of the portfolio.
    pub portfolio_key: &'r Key,
    /// The portfolio.
    pub portfolio: &'r Portfolio,
    /// Address of the escrow of the account that gives.
    pub escrow_key: &'r Key,
    /// That escrow.
    pub escrow: &'r Escrow,
    /// Address of the escrow of the account that lacks margin.
    pub target_key: &'r Key,
    /// That escrow.
    pub target: &'r Escrow,
}

/// What a shift released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shifted {
    /// Index of the account.
    pub account: u32,
    /// Released, in atoms; more than zero.
    pub amount_atoms: u64,
    /// Cash that is left, in atoms.
    pub cash_atoms: i64,
}

impl Shift<'_> {
    /// Checks that all records are those that the ticket names.
    fn check_records(&self, account: &SlabAccount) -> Result<()> {
        let ticket = self.ticket;
        let named = key_eq(&ticket.slab, self.slab)
            && key_eq(&ticket.escrow, self.escrow_key)
            && key_eq(&ticket.target, self.target_key)
            && key_eq(&ticket.portfolio, self.portfolio_key)
            && account.is_bound(ticket.account, self.escrow_key, self.escrow);
        if named {
            Ok(())
        } else {
            Err(SlabError::WrongRecord)
        }
    }

    /// Whether the ticket still counts, as of what the Router's records say now.
    fn counts(&self, account: &SlabAccount, slot: Slot) -> bool {
        let (ticket, portfolio, target) = (self.ticket, self.portfolio, self.target);
        let runs = portfolio.status == portfolio_status::LIQUIDATING
            && portfolio.episode == ticket.episode
            && portfolio.shift_nonce == ticket.nonce;
        let due = target.frozen != 0 && target.restored_slot < ticket.issued_slot;
        let first = ticket.nonce > account.ticket_nonce && ticket.generation == account.generation;
        runs && due && first && self.escrow.frozen == 0 && slot <= ticket.expiry_slot
    }
}

impl Slab<'_> {
    /// Moves cash of an account towards its escrow, on a shift ticket; the
    /// Router pays it on `settle`. Releases the least of what the ticket allows,
    /// what is still wanted, and what may leave now.
    ///
    /// # Errors
    /// [`SlabError::NoAccount`]; [`SlabError::WrongRecord`] for records that the
    /// ticket does not name; [`SlabError::BadShift`] when the ticket is void,
    /// expired or used, or nothing is wanted any more;
    /// [`SlabError::ReleaseTooLarge`] when nothing may leave now.
    pub fn release_shift(&mut self, shift: &Shift<'_>, slot: Slot) -> Result<Shifted> {
        let index = shift.ticket.account;
        let account = self.open_account_at(index)?;
        shift.check_records(account)?;
        let wanted = shift
            .ticket
            .wanted_atoms(shift.target, shift.portfolio.cash_atoms)
            .min(shift.ticket.amount_max_atoms);
        if wanted == 0 || !shift.counts(account, slot) {
            return Err(SlabError::BadShift);
        }
        self.touch(index)?;
        self.accrue_positions(index, slot);
        let amount_atoms = self.releasable_up_to(index, wanted, slot);
        let amount = i64::try_from(amount_atoms).map_err(|_| SlabError::AmountOverflow)?;
        if amount == 0 {
            return Err(SlabError::ReleaseTooLarge);
        }
        let cash_atoms = self.pay_out(index, amount, slot)?;
        let account = &mut self.accounts[index];
        account.ticket_nonce = shift.ticket.nonce;
        account.ticket_lots_used = 0;
        Ok(Shifted {
            account: index,
            amount_atoms,
            cash_atoms,
        })
    }

    /// The most of `wanted` that an account may release in `slot`, in atoms,
    /// leaving it the deposit that opens an account unless all of it may go
    /// (rule T6).
    fn releasable_up_to(&self, index: u32, wanted: u64, slot: Slot) -> u64 {
        let most = self.releasable_atoms(index, slot).min(wanted);
        let account = &self.accounts[index];
        // What may leave is at most the cash.
        let cash = account.cash_atoms.max(0) as u64;
        let least = self.header.account_deposit_min_atoms;
        let left = cash.saturating_sub(most);
        let busy = account.positions_count > 0 || account.holds_count > 0;
        if left < least && (left > 0 || busy) {
            most.min(cash.saturating_sub(least))
        } else {
            most
        }
    }
}
