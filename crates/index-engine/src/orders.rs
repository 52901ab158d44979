//! An index order: its record and the transitions that change it.
//!
//! One account per order. Orders of one desk move independently, each is
//! touched by at most one batch at a time, and an account of its own gives it
//! its own chain and its own lock.
//!
//! While an order's collateral is authorised, every atom of it is in exactly
//! one place: `authorised = remaining + carried + engaged + spent`.

use crate::amounts::{Atoms, Tokens};
use crate::chain::{Chain, Event, Journal};
use crate::machine::{Action, State, transition};
use crate::roles::{Limits, Party, Role};
use crate::steps;
use crate::updates::Updates;
use crate::{IndexError, Result};
use bytemuck::{Pod, Zeroable};
use flagstone_interface::{Key, Record, assert_layout};
use flagstone_units::{Ppm, Side, Slot};

/// Amounts of an order.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Holdings {
    /// Asked for and not yet engaged; the sum of the update lots.
    pub remaining: Atoms,
    /// Engaged in an earlier batch, unspent, and free to be engaged again.
    pub carried: Atoms,
    /// Engaged in the batch that the order is in.
    pub engaged: Atoms,
    /// Paid for assets and their fees.
    pub spent: Atoms,
    /// Set aside for this order in the collateral position.
    pub authorised: Atoms,
    /// Charged to the collateral position for assets.
    pub paid: Atoms,
    /// Charged for routing collateral.
    pub routing_fee: Atoms,
    /// Part of `spent` that went to exchanges.
    pub exchange_fee: Atoms,
    /// Index tokens engaged in the batch that the order is in.
    pub engaged_tokens: Tokens,
    /// Index tokens covered by assets bought.
    pub filled: Tokens,
    /// Index tokens minted.
    pub minted: Tokens,
}
assert_layout!(Holdings, 88);

/// An index order.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct IndexOrder {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// [`State`].
    pub state: u8,
    /// 0 buy, 1 sell.
    pub side: u8,
    /// Bits of the barrier given so far.
    pub barrier: u8,
    /// Reserved; zero.
    pub padding: u8,
    /// Desk that serves it.
    pub desk: Key,
    /// Index ordered.
    pub index: Key,
    /// Who ordered and is minted to.
    pub owner: Key,
    /// Batch that it is in, zero when in none.
    pub batch: Key,
    /// Who gave the first bit of the barrier; zero when none is given.
    pub barrier_signer: Key,
    /// Its history.
    pub chain: Chain,
    /// Number chosen by the owner, unique among the owner's orders.
    pub order_id: u64,
    /// Amounts.
    pub holdings: Holdings,
    /// Number of the last deposit that paid for it.
    pub deposit_last: u64,
    /// Number of the collateral position's event that charged it.
    pub payment: u64,
    /// Collateral given back when the order was paid or ended.
    pub returned: Atoms,
    /// Slot of the submission.
    pub submitted_slot: Slot,
    /// Slot after which missing collateral ends the order.
    pub deadline_slot: Slot,
    /// Slot of the last fill, or of the entry into [`State::Ready`].
    pub improved_slot: Slot,
    /// Hops that its collateral took.
    pub hops: u32,
    /// Hash over the lots taken for it, fill by fill.
    pub lots_hash: [u8; 32],
    /// Hash of the invoice; zero before it.
    pub invoice_hash: [u8; 32],
    /// What was asked for, piece by piece.
    pub updates: Updates,
    /// Reserved; zero.
    pub reserved: [u64; 7],
}
assert_layout!(IndexOrder, 1_024, desk @ 16, chain @ 176, order_id @ 248, holdings @ 256, lots_hash @ 384, updates @ 448);

impl Record for IndexOrder {
    const DISCRIMINATOR: [u8; 8] = [0x56, 0x88, 0x4c, 0xad, 0xb9, 0x03, 0x4c, 0x9d];
    const VERSION: u32 = 1;
}

/// An order was submitted: the first event of its stream.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct OrderSubmitted {
    /// Desk asked to serve it.
    pub desk: Key,
    /// Index ordered.
    pub index: Key,
    /// Number chosen by the owner.
    pub order_id: u64,
    /// Collateral offered.
    pub amount: Atoms,
    /// 0 buy, 1 sell.
    pub side: u8,
    /// Reserved; zero.
    pub padding: [u8; 7],
}
assert_layout!(OrderSubmitted, 88);

impl Event for OrderSubmitted {
    const TAG: u8 = 2;
}

/// What a transition is given. Fields that an action does not use are zero.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Step {
    /// Amount of the action, in atoms.
    pub amount: Atoms,
    /// Exchange fee contained in `amount`.
    pub fee: Atoms,
    /// Index tokens of the action.
    pub quantity: Tokens,
    /// Number of the event that the same action wrote in the other record's stream.
    pub link: u64,
    /// Number of the last deposit that a payment took from.
    pub deposit: u64,
    /// Batch engaged in, hash of the lots taken, or hash of the invoice.
    pub subject: [u8; 32],
}
assert_layout!(Step, 72);

/// An order made a transition.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct OrderMoved {
    /// [`Action`].
    pub action: u8,
    /// [`State`] before.
    pub from: u8,
    /// [`State`] after.
    pub to: u8,
    /// Bits of the barrier afterwards.
    pub barrier: u8,
    /// Side afterwards.
    pub side: u8,
    /// Reserved; zero.
    pub padding: [u8; 3],
    /// What was given.
    pub step: Step,
    /// Collateral that the order let go of.
    pub released: Atoms,
    /// Amounts afterwards.
    pub after: Holdings,
}
assert_layout!(OrderMoved, 176);

impl Event for OrderMoved {
    const TAG: u8 = 3;
}

/// A submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Address of the order's account.
    pub stream: Key,
    /// Desk asked to serve it.
    pub desk: Key,
    /// Index ordered.
    pub index: Key,
    /// Number chosen by the owner.
    pub order_id: u64,
    /// Buy or sell.
    pub side: Side,
    /// Collateral offered.
    pub amount: Atoms,
}

/// What a transition did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// State afterwards.
    pub state: State,
    /// Collateral that the position has to free.
    pub released: Atoms,
}

impl IndexOrder {
    /// A new order, with the first event of its stream.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`] unless an owner signs, [`IndexError::ZeroAmount`].
    pub fn submit(submission: &Submission, owner: &Party, journal: &mut Journal) -> Result<Self> {
        let mut order = Self::zeroed();
        order.submit_here(submission, owner, journal)?;
        Ok(order)
    }

    /// The same in a zeroed record, which is too large to be handed around on
    /// the program's stack.
    ///
    /// # Errors
    /// As [`IndexOrder::submit`].
    pub fn submit_here(
        &mut self,
        submission: &Submission,
        owner: &Party,
        journal: &mut Journal,
    ) -> Result<()> {
        let row = transition(State::Vacant, Action::Submit)?;
        owner.must_be(row.role, &submission.desk)?;
        self.discriminator = Self::DISCRIMINATOR;
        self.version = Self::VERSION;
        self.state = State::Submitted as u8;
        self.side = submission.side as u8;
        self.desk = submission.desk;
        self.index = submission.index;
        self.owner = owner.key();
        self.chain = Chain::new(submission.stream);
        self.order_id = submission.order_id;
        self.submitted_slot = journal.slot();
        self.updates.push(1, submission.amount)?;
        self.holdings.remaining = submission.amount;
        let event = OrderSubmitted {
            desk: self.desk,
            index: self.index,
            order_id: self.order_id,
            amount: submission.amount,
            side: self.side,
            padding: [0; 7],
        };
        journal.record(&mut self.chain, owner, &event)
    }

    /// Views account bytes as an order.
    ///
    /// # Errors
    /// [`IndexError::WrongRecord`].
    pub fn open(data: &mut [u8]) -> Result<&mut Self> {
        crate::store::record(data)
    }

    /// Where the order is in its life.
    ///
    /// # Errors
    /// [`IndexError::UnknownCode`] on a broken record.
    pub const fn state(&self) -> Result<State> {
        State::from_code(self.state)
    }

    /// Buy or sell.
    ///
    /// # Errors
    /// [`IndexError::UnknownCode`] on a broken record.
    pub fn side(&self) -> Result<Side> {
        Side::from_byte(self.side).ok_or(IndexError::UnknownCode)
    }

    /// Share of the collateral that is spent, rounded down; zero before any fill.
    ///
    /// `spent / (spent + remaining + carried + engaged)`, the authors' fill rate.
    pub fn fill_rate(&self) -> Ppm {
        let held = &self.holdings;
        let spent = u128::from(held.spent.0);
        let rest = [held.remaining, held.carried, held.engaged];
        let whole = rest
            .iter()
            .fold(spent, |sum, part| sum + u128::from(part.0));
        Ppm((spent * 1_000_000).checked_div(whole).unwrap_or(0) as u32)
    }

    /// Whether every authorised atom is in exactly one place.
    pub fn is_balanced(&self) -> bool {
        let held = &self.holdings;
        let places = [held.remaining, held.carried, held.engaged, held.spent];
        let sum: u128 = places.iter().map(|place| u128::from(place.0)).sum();
        let lots = self.updates.remaining();
        let placed = held.authorised == Atoms::ZERO || u128::from(held.authorised.0) == sum;
        placed && lots == Ok(held.remaining)
    }

    /// Takes an action that changes this order alone.
    ///
    /// # Errors
    /// [`IndexError::NeedsCounterpart`] for actions that change two records,
    /// otherwise as the action: [`IndexError::IllegalTransition`] first, then
    /// [`IndexError::WrongSigner`], then its amounts.
    pub fn act(
        &mut self,
        action: Action,
        step: &Step,
        limits: &Limits,
        party: &Party,
        journal: &mut Journal,
    ) -> Result<Moved> {
        if action.needs_counterpart() {
            return Err(IndexError::NeedsCounterpart);
        }
        self.apply(action, step, limits, party, journal)
    }

    /// Checks that the table has the transition and the party its role.
    ///
    /// # Errors
    /// [`IndexError::IllegalTransition`], then [`IndexError::WrongSigner`].
    pub fn check(&self, action: Action, party: &Party) -> Result<()> {
        let row = transition(self.state()?, action)?;
        party.must_be(row.role, &self.desk)?;
        if row.role == Role::Owner {
            party.must_own(&self.owner)?;
        }
        Ok(())
    }

    /// Takes any action. The caller changes the other record, if there is one.
    // Not inlined: the copy of the record fills a quarter of a stack frame.
    #[inline(never)]
    pub(crate) fn apply(
        &mut self,
        action: Action,
        step: &Step,
        limits: &Limits,
        party: &Party,
        journal: &mut Journal,
    ) -> Result<Moved> {
        self.check(action, party)?;
        let from = self.state()?;
        let now = journal.slot();
        // Worked out on a copy: a refused step leaves the order as it was.
        let mut after = *self;
        let released = steps::change(&mut after, action, step, limits, now)?;
        if action == Action::Fill {
            after.lots_hash = journal.hash(&[&self.lots_hash, &step.subject]);
        }
        let row = transition(from, action)?;
        let state = steps::next(&mut after, row, limits, party, now)?;
        after.state = state as u8;
        let event = OrderMoved {
            action: action as u8,
            from: from as u8,
            to: after.state,
            barrier: after.barrier,
            side: after.side,
            padding: [0; 3],
            step: *step,
            released,
            after: after.holdings,
        };
        journal.record(&mut after.chain, party, &event)?;
        *self = after;
        Ok(Moved { state, released })
    }
}
