//! The honest slab's side: one account with one hold.

use crate::router::{Escrow, View};
use crate::{CHARGE_MAX, LIFE, Rules};

/// A hold and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Hold {
    /// The record is free.
    #[default]
    None,
    /// Captured until a slot.
    Held {
        /// Last slot in which commit is legal.
        expiry: u8,
    },
    /// Traded.
    Committed {
        /// What it charged.
        charge: u8,
        /// The account's debited total after it.
        debited_after: u8,
    },
}

/// One user's account at the honest slab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Account {
    /// The hold.
    pub hold: Hold,
    /// Generation of its record.
    pub generation: u8,
    /// Cash at the slab.
    pub cash: u8,
    /// Charges ever made.
    pub debited: u8,
    /// Releases ever made.
    pub released: u8,
}

impl Account {
    /// What the Router sees of it.
    pub fn view(&self, escrow: &Escrow) -> View {
        let named = escrow.cap.is_some_and(|cap| cap.hold == self.generation);
        View {
            held: match self.hold {
                Hold::Held { expiry } => Some((self.generation, CHARGE_MAX, expiry)),
                _ => None,
            },
            result: match self.hold {
                Hold::Committed { charge, .. } if named => Some(charge),
                _ => None,
            },
            debited: self.debited,
            released: self.released,
        }
    }

    /// Captures quantity.
    pub fn reserve(&mut self, slot: u8) -> Option<()> {
        if self.hold != Hold::None {
            return None;
        }
        self.generation += 1;
        self.hold = Hold::Held {
            expiry: slot + LIFE,
        };
        Some(())
    }

    /// Trades the hold and charges `charge` to its capability.
    pub fn commit(&mut self, escrow: &Escrow, slot: u8, charge: u8) -> Option<()> {
        let Hold::Held { expiry } = self.hold else {
            return None;
        };
        let cap = escrow.cap?;
        let unbooked = self.debited.checked_sub(escrow.debited_seen)?;
        let covered = escrow.balance.saturating_sub(unbooked);
        let legal = slot <= expiry && slot <= cap.expiry && cap.hold == self.generation;
        if !legal || charge > CHARGE_MAX.min(cap.remaining).min(covered) {
            return None;
        }
        self.debited += charge;
        self.cash += charge;
        self.hold = Hold::Committed {
            charge,
            debited_after: self.debited,
        };
        Some(())
    }

    /// Ends the hold without a trade; `expired_only` unless its owner asks.
    pub fn end(&mut self, slot: u8, expired_only: bool) -> Option<()> {
        match self.hold {
            Hold::Held { expiry } if !expired_only || slot > expiry => {
                self.hold = Hold::None;
                Some(())
            }
            _ => None,
        }
    }

    /// Frees the record of a hold that was booked.
    pub fn free(&mut self, escrow: &Escrow, rules: &Rules) -> Option<()> {
        let Hold::Committed { debited_after, .. } = self.hold else {
            return None;
        };
        let burned = escrow.cap.is_none_or(|cap| cap.hold != self.generation);
        let booked = escrow.debited_seen >= debited_after && burned;
        if rules.results_stay_until_booked && !booked {
            return None;
        }
        self.hold = Hold::None;
        Some(())
    }

    /// Gives all cash back towards the escrow.
    pub fn release(&mut self) -> Option<()> {
        if self.cash == 0 {
            return None;
        }
        self.released += self.cash;
        self.cash = 0;
        Some(())
    }
}
