//! The gates that money passes: each changes an order and its collateral at once.
//!
//! An order cannot be authorised without lots set aside for it, paid without
//! those lots charged for exactly what was spent, or ended without the rest
//! freed, because nothing else in this crate can take these actions.

use crate::amounts::Atoms;
use crate::chain::Journal;
use crate::collateral::Collateral;
use crate::machine::{Action, State};
use crate::orders::{IndexOrder, Moved, Step};
use crate::roles::{Limits, Party};
use crate::{IndexError, Result};
use flagstone_interface::key_eq;

/// An order and the collateral position of its owner at its desk.
#[derive(Debug)]
pub struct Gate<'a, 'b> {
    order: &'a mut IndexOrder,
    collateral: &'a mut Collateral<'b>,
    limits: Limits,
}

impl<'a, 'b> Gate<'a, 'b> {
    /// Puts the two together.
    ///
    /// # Errors
    /// [`IndexError::WrongCounterpart`] when owner or desk differ.
    pub fn new(
        order: &'a mut IndexOrder,
        collateral: &'a mut Collateral<'b>,
        limits: Limits,
    ) -> Result<Self> {
        let position = &collateral.position;
        if !key_eq(&order.owner, &position.owner) || !key_eq(&order.desk, &position.desk) {
            return Err(IndexError::WrongCounterpart);
        }
        Ok(Self {
            order,
            collateral,
            limits,
        })
    }

    /// Collateral moved one hop further; its fee is charged to the lots and
    /// comes off the order.
    ///
    /// # Errors
    /// As the table, and [`IndexError::NotEnoughCollateral`].
    pub fn hop(&mut self, manager: &Party, fee: Atoms, journal: &mut Journal) -> Result<Moved> {
        self.order.check(Action::Hop, manager)?;
        if fee > Atoms::ZERO {
            let order = self.order.chain.stream;
            self.collateral.charge(manager, order, fee, journal)?;
        }
        let step = Step {
            amount: fee,
            ..Step::default()
        };
        self.apply(Action::Hop, step, manager, journal)
    }

    /// First gate: sets collateral aside for the order and gives the
    /// collateral manager's half of the barrier.
    ///
    /// # Errors
    /// As the table, [`IndexError::WrongAmount`] unless `amount` is what the
    /// order asks for, [`IndexError::NotEnoughCollateral`],
    /// [`IndexError::BarrierRepeated`], [`IndexError::SameSigner`].
    pub fn preauthorise(
        &mut self,
        manager: &Party,
        amount: Atoms,
        journal: &mut Journal,
    ) -> Result<Moved> {
        self.order.check(Action::Preauthorise, manager)?;
        let order = self.order.chain.stream;
        self.collateral.authorise(manager, order, amount, journal)?;
        let step = Step {
            amount,
            ..Step::default()
        };
        self.apply(Action::Preauthorise, step, manager, journal)
    }

    /// Takes off the order, or turns it around; frees what had been set aside.
    ///
    /// # Errors
    /// As the table, [`IndexError::ZeroAmount`], [`IndexError::UpdatesFull`].
    pub fn reduce(&mut self, owner: &Party, amount: Atoms, journal: &mut Journal) -> Result<Moved> {
        let step = Step {
            amount,
            ..Step::default()
        };
        self.end(Action::Reduce, step, owner, journal)
    }

    /// Ends the order without payment, by [`Action::Cancel`],
    /// [`Action::DenyCollateral`], [`Action::Expire`], [`Action::Fail`] or
    /// [`Action::DenyPayment`]; frees what had been set aside.
    ///
    /// # Errors
    /// As the table, [`IndexError::TooEarly`], and
    /// [`IndexError::IllegalTransition`] for any other action.
    pub fn give_up(
        &mut self,
        action: Action,
        party: &Party,
        journal: &mut Journal,
    ) -> Result<Moved> {
        use Action::{Cancel, DenyCollateral, DenyPayment, Expire, Fail};
        if !matches!(
            action,
            Cancel | DenyCollateral | Expire | Fail | DenyPayment
        ) {
            return Err(IndexError::IllegalTransition);
        }
        self.end(action, Step::default(), party, journal)
    }

    /// Second gate: charges exactly what was spent, frees the rest.
    ///
    /// # Errors
    /// As the table, [`IndexError::NotEnoughCollateral`].
    pub fn confirm_payment(&mut self, manager: &Party, journal: &mut Journal) -> Result<Moved> {
        self.order.check(Action::ConfirmPayment, manager)?;
        let order = self.order.chain.stream;
        let amount = self.order.holdings.spent;
        let touched = self.collateral.confirm(manager, order, amount, journal)?;
        let step = Step {
            amount,
            deposit: touched.deposit,
            ..Step::default()
        };
        self.end(Action::ConfirmPayment, step, manager, journal)
    }

    /// Drops the spend lots of an order that has ended; anyone may.
    ///
    /// # Errors
    /// [`IndexError::IllegalTransition`] while the order lives.
    pub fn archive(&mut self, journal: &mut Journal) -> Result<()> {
        if !self.order.state()?.is_final() {
            return Err(IndexError::IllegalTransition);
        }
        let order = self.order.chain.stream;
        self.collateral.archive(&Party::ANYONE, order, journal)
    }

    /// Takes the action and frees what the order lets go of.
    fn end(
        &mut self,
        action: Action,
        step: Step,
        party: &Party,
        journal: &mut Journal,
    ) -> Result<Moved> {
        self.order.check(action, party)?;
        let moved = self.apply(action, step, party, journal)?;
        if moved.released > Atoms::ZERO {
            let order = self.order.chain.stream;
            self.collateral
                .release(party, order, moved.released, journal)?;
        }
        Ok(moved)
    }

    /// The order's half, linked to what the position wrote last.
    fn apply(
        &mut self,
        action: Action,
        step: Step,
        party: &Party,
        journal: &mut Journal,
    ) -> Result<Moved> {
        let link = self.collateral.position.chain.sequence;
        let step = Step { link, ..step };
        self.order
            .apply(action, &step, &self.limits, party, journal)
    }

    /// What both records must agree on: everything authorised and not yet paid
    /// is set aside in lots of this order.
    ///
    /// # Errors
    /// [`IndexError::AmountOverflow`] on broken records.
    pub fn agrees(&self) -> Result<bool> {
        let (held, spent) = self.collateral.of_order(&self.order.chain.stream)?;
        let order = &self.order.holdings;
        let open = order.authorised.minus(order.paid)?;
        let archived = self.order.state()?.is_final() && spent == Atoms::ZERO;
        Ok(held == open
            && (archived || spent == order.paid || self.order.state()? == State::Vacant))
    }
}
