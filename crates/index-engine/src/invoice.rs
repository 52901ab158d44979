//! The invoice of a minted order: everything about it in one record.
//!
//! The order manager does not write it, it only asks for it: every field is
//! computed from the order, whose every amount is in its chain. The lots
//! themselves are the [`crate::members::Line`]s of the batches' events;
//! `lots_hash` binds them. Contents as the authors' `MintInvoice`.

use crate::amounts::{Atoms, Tokens};
use crate::chain::Journal;
use crate::machine::Action;
use crate::orders::{IndexOrder, Moved, Step};
use crate::roles::{Limits, Party};
use crate::{IndexError, Result};
use bytemuck::{Pod, Zeroable, bytes_of};
use flagstone_interface::{Key, assert_layout};
use flagstone_units::{Ppm, Slot};

/// An invoice.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Invoice {
    /// The order.
    pub order: Key,
    /// Who pays and is minted to.
    pub owner: Key,
    /// Index minted.
    pub index: Key,
    /// The order's number.
    pub order_id: u64,
    /// Number of the collateral position's event that charged the payment.
    pub payment: u64,
    /// Number of the last deposit used.
    pub deposit: u64,
    /// Index tokens minted.
    pub minted: Tokens,
    /// Collateral that the order took: paid for assets and for routing.
    pub total: Atoms,
    /// Given back, unspent.
    pub returned: Atoms,
    /// Paid for assets and their exchange fees.
    pub paid: Atoms,
    /// Part of it that is the assets' value.
    pub assets_value: Atoms,
    /// Part of it that went to exchanges.
    pub exchange_fee: Atoms,
    /// Charged for routing collateral, the authors' management fee.
    pub routing_fee: Atoms,
    /// Hash over the lots taken, fill by fill.
    pub lots_hash: [u8; 32],
    /// Slot of the submission.
    pub submitted_slot: Slot,
    /// Slot of the invoice.
    pub slot: Slot,
    /// Share of the authorised collateral that was spent, rounded down.
    pub fill_rate: Ppm,
    /// Reserved; zero.
    pub padding: u32,
}
assert_layout!(Invoice, 224);

impl IndexOrder {
    /// The invoice of this order as of `slot`.
    ///
    /// # Errors
    /// [`IndexError::AmountOverflow`] on a broken record.
    pub fn invoice(&self, slot: Slot) -> Result<Invoice> {
        let held = &self.holdings;
        let paid = u128::from(held.paid.0);
        let whole = paid + u128::from(self.returned.0);
        let fill_rate = (paid * 1_000_000).checked_div(whole).unwrap_or(0);
        Ok(Invoice {
            order: self.chain.stream,
            owner: self.owner,
            index: self.index,
            order_id: self.order_id,
            payment: self.payment,
            deposit: self.deposit_last,
            minted: held.minted,
            total: held.paid.plus(held.routing_fee)?,
            returned: self.returned,
            paid: held.paid,
            assets_value: held.paid.minus(held.exchange_fee)?,
            exchange_fee: held.exchange_fee,
            routing_fee: held.routing_fee,
            lots_hash: self.lots_hash,
            submitted_slot: self.submitted_slot,
            slot,
            fill_rate: Ppm(fill_rate as u32),
            padding: 0,
        })
    }

    /// Writes the invoice: its hash enters the order and its chain.
    ///
    /// # Errors
    /// As the table of orders: [`IndexError::IllegalTransition`] unless
    /// minted, [`IndexError::WrongSigner`].
    pub fn write_invoice(
        &mut self,
        manager: &Party,
        limits: &Limits,
        journal: &mut Journal,
    ) -> Result<(Invoice, Moved)> {
        self.check(Action::Invoice, manager)?;
        let invoice = self.invoice(journal.slot())?;
        let step = Step {
            subject: journal.hash(&[bytes_of(&invoice)]),
            ..Step::default()
        };
        if step.subject == [0; 32] {
            return Err(IndexError::BadParameter);
        }
        let moved = self.apply(Action::Invoice, &step, limits, manager, journal)?;
        Ok((invoice, moved))
    }
}
