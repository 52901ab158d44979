//! The Router's side: one escrow with one capability record.

use crate::{LIFE, Rules};

/// Leave to charge one hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cap {
    /// Generation of the hold that it pays for.
    pub hold: u8,
    /// What is left of it.
    pub remaining: u8,
    /// Last slot in which a commit may use it.
    pub expiry: u8,
}

/// What a slab shows when the Router reads one account of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct View {
    /// A hold that waits: generation, most that it may charge, expiry.
    pub held: Option<(u8, u8, u8)>,
    /// Charge of the hold that the live capability names, if it was committed.
    pub result: Option<u8>,
    /// Total of charges.
    pub debited: u8,
    /// Total of releases.
    pub released: u8,
}

/// One user's money at one slab, as the Router books it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Escrow {
    /// The live capability.
    pub cap: Option<Cap>,
    /// Money behind it.
    pub balance: u8,
    /// Charges booked.
    pub debited_seen: u8,
    /// Releases paid.
    pub released_seen: u8,
    /// Sum of all capabilities ever minted; only for the properties.
    pub minted: u8,
    /// Capabilities ever minted, and ended by booking or refund; only for the
    /// properties.
    pub opened: u8,
    /// See `opened`.
    pub ended: u8,
}

/// Why a transaction has no effect, or what it proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An instruction that is wrong or comes at the wrong time.
    Error,
    /// The slab is bad.
    Evidence,
}

/// Money of a user and of a slab that booking moves.
#[derive(Debug)]
pub struct Purses<'a> {
    /// The user's free cash.
    pub cash: &'a mut u8,
    /// What backs the slab.
    pub backing: &'a mut u8,
}

impl Escrow {
    /// Books what the slab shows: the charge first, then releases as far as
    /// the backing goes.
    ///
    /// # Errors
    /// [`Refusal::Evidence`].
    pub fn book(
        &mut self,
        view: &View,
        rules: &Rules,
        purses: &mut Purses<'_>,
    ) -> Result<(), Refusal> {
        let moved = view.debited.checked_sub(self.debited_seen);
        let due = view.released.checked_sub(self.released_seen);
        let (Some(moved), Some(due)) = (moved, due) else {
            return Err(Refusal::Evidence);
        };
        let charge = self.cap.and(view.result);
        let over = |cap: Cap| charge.is_some_and(|charge| charge > cap.remaining);
        if self.cap.is_some_and(over) && rules.charge_within_capability {
            return Err(Refusal::Evidence);
        }
        if charge.unwrap_or(0) != moved && rules.results_explain_counter {
            return Err(Refusal::Evidence);
        }
        if let (Some(cap), Some(charge)) = (self.cap, charge) {
            *purses.cash += cap.remaining.saturating_sub(charge);
            *purses.backing += charge;
            self.balance = self.balance.saturating_sub(cap.remaining);
            self.ended += 1;
            if rules.booking_burns {
                self.cap = None;
            }
        }
        self.debited_seen = view.debited;
        let paid = due.min(*purses.backing);
        *purses.backing -= paid;
        *purses.cash += paid;
        self.released_seen += paid;
        Ok(())
    }

    /// Mints a capability for the hold that the slab shows.
    ///
    /// # Errors
    /// [`Refusal`]; evidence aborts as well.
    pub fn open(
        &mut self,
        view: &View,
        slot: u8,
        rules: &Rules,
        purses: &mut Purses<'_>,
    ) -> Result<(), Refusal> {
        self.book(view, rules, purses)?;
        let (hold, charge, expiry) = view.held.ok_or(Refusal::Error)?;
        let in_time = slot <= expiry && (expiry - slot <= LIFE || !rules.lifetime_is_bounded);
        if !in_time || (self.cap.is_some() && rules.live_records_stay) {
            return Err(Refusal::Error);
        }
        *purses.cash = purses.cash.checked_sub(charge).ok_or(Refusal::Error)?;
        self.balance += charge;
        self.minted += charge;
        self.opened += 1;
        self.cap = Some(Cap {
            hold,
            remaining: charge,
            expiry,
        });
        Ok(())
    }

    /// Returns what an expired capability has left.
    ///
    /// # Errors
    /// [`Refusal`]; evidence aborts as well.
    pub fn refund(
        &mut self,
        view: &View,
        slot: u8,
        rules: &Rules,
        purses: &mut Purses<'_>,
    ) -> Result<(), Refusal> {
        match self.cap {
            Some(cap) if slot > cap.expiry => {}
            _ => return Err(Refusal::Error),
        }
        if rules.refund_books_first {
            self.book(view, rules, purses)?;
        }
        if let Some(cap) = self.cap.take() {
            self.balance = self.balance.saturating_sub(cap.remaining);
            *purses.cash += cap.remaining;
            self.ended += 1;
        }
        Ok(())
    }
}
