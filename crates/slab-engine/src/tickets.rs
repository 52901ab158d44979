//! Tickets: the Router's leave to liquidate one account.
//!
//! A ticket names slab, escrow and portfolio, and bounds lots, loss, band and
//! time. The account remembers the serial number of the last one and the lots
//! closed under it; numbers of a portfolio only grow, so an older ticket is void
//! for good (rule LQ2). What the portfolio says is read live: while it is not
//! liquidating, or its grace runs, no ticket counts.

use crate::layout::Instrument;
use crate::{Result, Slab, SlabError};
use flagstone_interface::router::{Portfolio, Ticket, portfolio_status};
use flagstone_interface::slab::SlabAccount;
use flagstone_interface::{Key, key_eq};
use flagstone_units::{Ppm, Slot};

/// The Router's leave to liquidate, in its own records.
#[derive(Clone, Copy, Debug)]
pub struct Warrant<'r> {
    /// Address of this slab.
    pub slab: &'r Key,
    /// The ticket.
    pub ticket: &'r Ticket,
    /// Address of the portfolio.
    pub portfolio_key: &'r Key,
    /// The portfolio.
    pub portfolio: &'r Portfolio,
}

impl Warrant<'_> {
    /// Checks that the ticket is for this account, and that its episode still
    /// runs. Returns the lots that it leaves to close.
    ///
    /// # Errors
    /// [`SlabError::WrongRecord`], [`SlabError::BadTicket`].
    pub(crate) fn lots_left(&self, account: &SlabAccount, slot: Slot) -> Result<u32> {
        let (ticket, portfolio) = (self.ticket, self.portfolio);
        let ours = key_eq(&ticket.slab, self.slab)
            && key_eq(&ticket.escrow, &account.escrow)
            && key_eq(&ticket.portfolio, self.portfolio_key);
        if !ours {
            return Err(SlabError::WrongRecord);
        }
        let runs = portfolio.status == portfolio_status::LIQUIDATING
            && portfolio.episode == ticket.episode
            && slot >= portfolio.grace_until;
        if !runs || ticket.nonce == 0 || ticket.nonce < account.ticket_nonce {
            return Err(SlabError::BadTicket);
        }
        match ticket.lots_max.checked_sub(self.lots_used(account)) {
            Some(left) if left > 0 => Ok(left),
            _ => Err(SlabError::BadTicket),
        }
    }

    /// Lots closed under this ticket; a newer one starts from none.
    const fn lots_used(&self, account: &SlabAccount) -> u32 {
        if self.ticket.nonce == account.ticket_nonce {
            account.ticket_lots_used
        } else {
            0
        }
    }

    /// Half width of the band, on the mark: from the narrowest when the ticket
    /// is new to the widest when it expires.
    pub(crate) fn band_width(&self, instrument: &Instrument, slot: Slot) -> Ppm {
        let ticket = self.ticket;
        let widest = self.widest(instrument).0;
        let narrowest = instrument.rules.liquidation_band_min.0.min(widest);
        let life = ticket.expiry_slot.saturating_sub(ticket.issued_slot).0;
        let age = slot.saturating_sub(ticket.issued_slot).0.min(life);
        if life == 0 {
            return Ppm(widest);
        }
        let wider = u64::from(widest - narrowest) * u64::from(age) / u64::from(life);
        Ppm(narrowest + wider as u32)
    }

    /// Widest half width of the band, on the mark.
    pub(crate) fn widest(&self, instrument: &Instrument) -> Ppm {
        let most = instrument.rules.liquidation_band_max;
        most.min(Ppm(self.ticket.band_max_ppm))
    }
}

impl Slab<'_> {
    /// Checks that positions in an instrument can be closed by ticket now, be
    /// it against the book or against counterparts.
    ///
    /// # Errors
    /// [`SlabError::StaleMark`]; [`SlabError::BadInstrument`] when the
    /// instrument bars liquidation.
    pub(crate) fn check_liquidatable(&self, instrument: u8, slot: Slot) -> Result<()> {
        let instrument = &self.instruments[instrument as usize];
        if !instrument.is_fresh(slot) {
            return Err(SlabError::StaleMark);
        }
        // No fee is how terms say so: an instrument without an oracle has none,
        // because its mark could be pushed through the book.
        if instrument.rules.liquidation_fee.0 == 0 {
            return Err(SlabError::BadInstrument);
        }
        Ok(())
    }

    /// Counts lots closed under a ticket.
    pub(crate) fn use_ticket(
        &mut self,
        account: u32,
        warrant: &Warrant<'_>,
        lots: u32,
        slot: Slot,
    ) {
        let owner = &mut self.accounts[account];
        owner.ticket_lots_used = warrant.lots_used(owner).saturating_add(lots);
        owner.ticket_nonce = warrant.ticket.nonce;
        owner.touched_slot = slot;
    }
}
