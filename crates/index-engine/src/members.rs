//! A batch at work: locking orders, fills, attribution, and its end.
//!
//! What an order may take is worked out from frozen fractions, never from who
//! asks first: of an asset of which the batch holds `P`, a member with fraction
//! `F` and contribution `C` has `min(floor(P F), C)` available, and its tokens
//! are limited by its scarcest asset. Since fractions sum to at most one, all
//! members together never take more than was bought.

use crate::amounts::{Atoms, Price, Quantity, Tokens, ppm_ceil, value_floor};
use crate::batch::{Batch, BatchEvent, BatchLot, BatchMoved, BatchState, Standing};
use crate::chain::{Event, Journal};
use crate::inventory::{Fill, Stock};
use crate::lots::supported;
use crate::machine::{Action, State};
use crate::orders::{IndexOrder, Moved, Step};
use crate::roles::{Limits, Party, Role};
use crate::{IndexError, Result};
use bytemuck::{Pod, Zeroable, cast_slice};
use flagstone_interface::{Key, assert_layout, key_eq};
use flagstone_units::Side;

/// A slice of a lot that went to an order: a line of its invoice.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Line {
    /// Position of the asset in the batch.
    pub asset: u32,
    /// Reserved; zero.
    pub padding: u32,
    /// Fill that the lot came from.
    pub fill: u64,
    /// Quantity taken.
    pub quantity: Quantity,
    /// Its part of the lot's cost.
    pub cost: Atoms,
    /// Its part of the lot's fee.
    pub fee: Atoms,
}
assert_layout!(Line, 48);

/// Largest number of lines that one fill of an order may write.
pub const LINES_MAX: usize =
    (crate::chain::BODY_BYTES_MAX - size_of::<BatchMoved>()) / size_of::<Line>();

/// An execution that a venue reported for an asset of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchFill {
    /// Position of the asset in the batch.
    pub asset: u32,
    /// Number of the fill, the one it gets in the inventory.
    pub number: u64,
    /// Venue's own reference, hashed or cut to 32 bytes.
    pub venue: [u8; 32],
    /// Quantity executed.
    pub quantity: Quantity,
    /// Price.
    pub price: Price,
    /// Exchange fee.
    pub fee: Atoms,
}

/// Lots taken for an order; the lines follow as a list.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct LotsTaken(pub BatchMoved);

impl Event for LotsTaken {
    const TAG: u8 = 9;
}

impl Batch<'_> {
    /// Locks a member's order into this batch.
    ///
    /// # Errors
    /// As the table of orders, [`IndexError::IllegalTransition`] unless the
    /// batch is sealed, [`IndexError::NotAMember`], [`IndexError::WrongCounterpart`],
    /// [`IndexError::NotEnoughCollateral`], [`IndexError::TooLate`].
    pub fn engage(
        &mut self,
        order: &mut IndexOrder,
        manager: &Party,
        limits: &Limits,
        journal: &mut Journal,
    ) -> Result<Moved> {
        order.check(Action::Engage, manager)?;
        self.must_be_in(BatchState::Sealed)?;
        if !key_eq(&order.desk, &self.head.desk) {
            return Err(IndexError::WrongCounterpart);
        }
        let event = self.lock(&order.chain.stream, manager, journal)?;
        let step = Step {
            amount: event.amount,
            quantity: event.tokens,
            link: self.head.chain.sequence,
            subject: self.head.chain.stream,
            ..Step::default()
        };
        order.apply(Action::Engage, &step, limits, manager, journal)
    }

    /// The batch's half of [`Batch::engage`], which an audit takes alone.
    pub(crate) fn lock(
        &mut self,
        order: &Key,
        manager: &Party,
        journal: &mut Journal,
    ) -> Result<BatchMoved> {
        if journal.slot() > self.head.deadline_slot {
            return Err(IndexError::TooLate);
        }
        let (position, member) = self.member(order)?;
        if member.standing != Standing::Invited as u8 {
            return Err(IndexError::NotAMember);
        }
        member.standing = Standing::Engaged as u8;
        let event = BatchMoved {
            position: position as u32,
            order: member.order,
            amount: member.engaged,
            tokens: member.tokens,
            ..BatchMoved::default()
        };
        self.moved(BatchEvent::Engaged, event, manager, journal)?;
        Ok(event)
    }

    /// Books a venue's fill in the inventory of its asset and as a lot of the
    /// batch: what orders take has always been bought. A fill that arrives
    /// after the batch's end goes to [`Stock::fill`] alone.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::IllegalTransition`],
    /// [`IndexError::OutOfOrder`] for an unknown asset,
    /// [`IndexError::WrongCounterpart`] for another asset's or desk's
    /// inventory, [`IndexError::ZeroAmount`],
    /// [`IndexError::FillRepeated`], [`IndexError::AboveOrdered`],
    /// [`IndexError::AboveLimitPrice`], [`IndexError::LotsFull`].
    pub fn report_fill(
        &mut self,
        stock: &mut Stock,
        manager: &Party,
        fill: &BatchFill,
        limits: &Limits,
        journal: &mut Journal,
    ) -> Result<()> {
        manager.must_be(Role::InventoryManager, &self.head.desk)?;
        self.must_be_in(BatchState::Sent)?;
        self.must_stock(stock, fill.asset)?;
        let lot = self.accept_fill(fill, limits, journal)?;
        let bought = Fill {
            number: fill.number,
            batch: self.head.number,
            venue: fill.venue,
            quantity: fill.quantity,
            price: fill.price,
            fee: fill.fee,
            side: Side::Bid as u8,
            ..Fill::default()
        };
        stock.fill(manager, &bought, journal)?;
        self.book_fill(fill, lot, manager, journal)
    }

    /// Appends the lot of a fill and tells of it; the rest of the batch's half
    /// of [`Batch::report_fill`].
    pub(crate) fn book_fill(
        &mut self,
        fill: &BatchFill,
        lot: BatchLot,
        manager: &Party,
        journal: &mut Journal,
    ) -> Result<()> {
        self.append_lot(fill.asset, lot)?;
        let event = BatchMoved {
            position: fill.asset,
            fill: fill.number,
            amount: lot.cost,
            fee: fill.fee,
            quantity: fill.quantity,
            price: fill.price,
            ..BatchMoved::default()
        };
        self.moved(BatchEvent::Filled, event, manager, journal)
    }

    /// Passes when an inventory is this desk's, and the asset's.
    fn must_stock(&mut self, stock: &Stock, asset: u32) -> Result<()> {
        let desk = self.head.desk;
        let label = self.asset(asset as usize)?.label;
        if stock.inventory.asset != label || !key_eq(&stock.inventory.desk, &desk) {
            return Err(IndexError::WrongCounterpart);
        }
        Ok(())
    }

    /// Checks a fill against its exchange order and counts it; the lot it makes.
    pub(crate) fn accept_fill(
        &mut self,
        fill: &BatchFill,
        limits: &Limits,
        journal: &Journal,
    ) -> Result<BatchLot> {
        let batch = self.head.number;
        let asset = self.asset(fill.asset as usize)?;
        if fill.quantity.is_zero() || fill.price.is_zero() {
            return Err(IndexError::ZeroAmount);
        }
        if fill.number <= asset.fill_last {
            return Err(IndexError::FillRepeated);
        }
        if fill.quantity.get() > asset.open()?.get() {
            return Err(IndexError::AboveOrdered);
        }
        let cost = value_floor(fill.quantity, fill.price)?;
        let dear = fill.price.get() > asset.limit.get();
        if dear || fill.fee > ppm_ceil(cost, limits.exchange_fee_max.0)? {
            return Err(IndexError::AboveLimitPrice);
        }
        asset.fill_last = fill.number;
        asset.filled = asset.filled.plus(fill.quantity)?;
        Ok(BatchLot {
            fill: fill.number,
            batch,
            price: fill.price,
            original: fill.quantity,
            remaining: fill.quantity,
            cost,
            fee: fill.fee,
            slot: journal.slot(),
            next: 0,
        })
    }

    /// Cancels what is still open of an asset. The inventory manager at any
    /// time, anyone after the batch's deadline.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::IllegalTransition`],
    /// [`IndexError::TooEarly`], [`IndexError::ZeroAmount`] when nothing is open.
    pub fn cancel_rest(&mut self, asset: u32, party: &Party, journal: &mut Journal) -> Result<()> {
        self.must_be_in(BatchState::Sent)?;
        if party.role() == Role::Anyone {
            if journal.slot() <= self.head.deadline_slot {
                return Err(IndexError::TooEarly);
            }
        } else {
            party.must_be(Role::InventoryManager, &self.head.desk)?;
        }
        let target = self.asset(asset as usize)?;
        let open = target.open()?;
        if open.is_zero() {
            return Err(IndexError::ZeroAmount);
        }
        target.cancelled = target.cancelled.plus(open)?;
        let event = BatchMoved {
            position: asset,
            quantity: open,
            ..BatchMoved::default()
        };
        self.moved(BatchEvent::Cancelled, event, party, journal)
    }

    /// Ends the batch once every asset is bought or cancelled; anyone may.
    /// A sealed batch that was never sent ends after its deadline.
    ///
    /// # Errors
    /// [`IndexError::IllegalTransition`], [`IndexError::Incomplete`], [`IndexError::TooEarly`].
    pub fn complete(&mut self, journal: &mut Journal) -> Result<()> {
        match self.state()? {
            BatchState::Sent => {
                for asset in self.assets() {
                    if !asset.open()?.is_zero() {
                        return Err(IndexError::Incomplete);
                    }
                }
            }
            BatchState::Sealed if journal.slot() > self.head.deadline_slot => {}
            BatchState::Sealed => return Err(IndexError::TooEarly),
            _ => return Err(IndexError::IllegalTransition),
        }
        self.head.state = BatchState::Complete as u8;
        self.moved(
            BatchEvent::Complete,
            BatchMoved::default(),
            &Party::ANYONE,
            journal,
        )
    }

    /// Index tokens that the position supports for a member, over those filled.
    ///
    /// # Errors
    /// [`IndexError::NotAMember`].
    pub fn available(&mut self, order: &Key) -> Result<Tokens> {
        let (position, member) = self.member(order)?;
        let (tokens, filled) = (member.tokens, member.filled);
        let mut most = tokens;
        for (at, cell) in self.cells(position).iter().enumerate() {
            if !cell.contribution.is_zero() {
                most = most.min(supported(cell, self.assets[at].position()?, tokens)?);
            }
        }
        Ok(Tokens(most.0.saturating_sub(filled.0)))
    }

    /// Books `quantity` tokens for a member: takes their assets' lots, oldest
    /// first, and charges what those cost. `lines` is room for the lots taken;
    /// the batch manager asks for less when it does not suffice.
    ///
    /// # Errors
    /// As the table of orders; [`IndexError::NotAMember`], [`IndexError::AboveFill`],
    /// [`IndexError::Overspend`], [`IndexError::ScratchFull`], [`IndexError::ZeroAmount`].
    pub fn fill_order(
        &mut self,
        order: &mut IndexOrder,
        quantity: Tokens,
        manager: &Party,
        limits: &Limits,
        lines: &mut [Line],
        journal: &mut Journal,
    ) -> Result<Moved> {
        order.check(Action::Fill, manager)?;
        let position = self.engaged_member(order)?;
        let step = self.take(position, quantity, manager, lines, journal)?;
        let moved = order.apply(Action::Fill, &step, limits, manager, journal)?;
        if moved.state == State::FullyMintable {
            self.dismiss(position);
        }
        Ok(moved)
    }

    /// The batch's half of [`Batch::fill_order`]; what the order's half is given.
    pub(crate) fn take(
        &mut self,
        position: usize,
        quantity: Tokens,
        manager: &Party,
        lines: &mut [Line],
        journal: &mut Journal,
    ) -> Result<Step> {
        if quantity == Tokens::ZERO {
            return Err(IndexError::ZeroAmount);
        }
        let order = self.members[position].order;
        if quantity > self.available(&order)? {
            return Err(IndexError::AboveFill);
        }
        let used = self.take_lots(position, quantity, lines)?;
        let lines = lines.get(..used).ok_or(IndexError::ScratchFull)?;
        let (mut cost, mut fee) = (Atoms::ZERO, Atoms::ZERO);
        for line in lines {
            cost = cost.plus(line.cost)?;
            fee = fee.plus(line.fee)?;
        }
        let amount = cost.plus(fee)?;
        let member = &mut self.members[position];
        member.filled = member.filled.plus(quantity)?;
        member.spent = member.spent.plus(amount)?;
        let list: &[u8] = cast_slice(lines);
        let list_hash = journal.hash(&[list]);
        let event = LotsTaken(BatchMoved {
            kind: BatchEvent::Taken as u8,
            state: self.head.state,
            position: position as u32,
            order,
            amount,
            fee,
            tokens: quantity,
            list_hash,
            ..BatchMoved::default()
        });
        journal.record_with(&mut self.head.chain, manager, &event, list)?;
        Ok(Step {
            amount,
            fee,
            quantity,
            link: self.head.chain.sequence,
            subject: list_hash,
            ..Step::default()
        })
    }

    /// A member is full: it needs nothing of this batch any more.
    pub(crate) fn dismiss(&mut self, position: usize) {
        self.members[position].standing = Standing::Left as u8;
    }

    /// Lets a member's order go, with what it did not use; anyone may, once
    /// the batch is complete and nothing more is available to the order, or
    /// after the deadline.
    ///
    /// # Errors
    /// As the table of orders; [`IndexError::IllegalTransition`] unless the
    /// batch is complete, [`IndexError::NotAMember`], [`IndexError::Incomplete`].
    pub fn carry_over(
        &mut self,
        order: &mut IndexOrder,
        limits: &Limits,
        journal: &mut Journal,
    ) -> Result<Moved> {
        self.must_be_in(BatchState::Complete)?;
        let position = self.engaged_member(order)?;
        let late = journal.slot() > self.head.deadline_slot;
        if !late && self.available(&order.chain.stream)? > Tokens::ZERO {
            return Err(IndexError::Incomplete);
        }
        let amount = order.holdings.engaged;
        self.leave(position, amount, journal)?;
        let step = Step {
            amount,
            link: self.head.chain.sequence,
            ..Step::default()
        };
        order.apply(Action::CarryOver, &step, limits, &Party::ANYONE, journal)
    }

    /// The batch's half of [`Batch::carry_over`].
    pub(crate) fn leave(
        &mut self,
        position: usize,
        amount: Atoms,
        journal: &mut Journal,
    ) -> Result<()> {
        self.dismiss(position);
        let event = BatchMoved {
            position: position as u32,
            order: self.members[position].order,
            amount,
            ..BatchMoved::default()
        };
        self.moved(BatchEvent::Left, event, &Party::ANYONE, journal)
    }

    /// Whether an order is still locked in this batch.
    pub fn has_engaged(&self) -> bool {
        let mut members = self.members().iter();
        members.any(|member| member.standing == Standing::Engaged as u8)
    }

    fn engaged_member(&mut self, order: &IndexOrder) -> Result<usize> {
        if !key_eq(&order.batch, &self.head.chain.stream) {
            return Err(IndexError::WrongCounterpart);
        }
        let (position, member) = self.member(&order.chain.stream)?;
        if member.standing != Standing::Engaged as u8 {
            return Err(IndexError::NotAMember);
        }
        Ok(position)
    }
}
