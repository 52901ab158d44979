//! Building a batch: assets, members, frozen fractions, seal, send.

use crate::amounts::{Atoms, Fraction, ONE, Price, Quantity, Tokens, ppm_ceil, value_ceil};
use crate::batch::{
    ASSETS_MAX, Batch, BatchAsset, BatchEvent, BatchMoved, BatchSize, BatchState, Cell,
    MEMBERS_MAX, Member, OrderBatch, Standing,
};
use crate::chain::{Chain, Journal};
use crate::roles::{Desk, Limits, Party, Role};
use crate::store::{self, PoolHead};
use crate::{IndexError, Result};
use bytemuck::{Pod, Zeroable};
use flagstone_interface::{Key, Record, assert_layout};
use flagstone_units::Slot;

/// An asset as the solver orders it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct AssetOrder {
    /// Label in the market.
    pub label: u64,
    /// Highest price that may be paid.
    pub limit: Price,
    /// Quantity, padding included.
    pub quantity: Quantity,
}
assert_layout!(AssetOrder, 40);

/// A cell as the solver fills it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Share {
    /// Share of the batch's position in the asset.
    pub fraction: Fraction,
    /// Quantity that the order needs.
    pub contribution: Quantity,
}
assert_layout!(Share, 24);

/// Adds a member's fraction to the sum of an asset's.
///
/// # Errors
/// [`IndexError::FractionsAboveOne`].
pub fn add_fraction(sum: Fraction, fraction: Fraction) -> Result<Fraction> {
    let total = sum.0.checked_add(fraction.0).filter(|total| *total <= ONE);
    total.map(Fraction).ok_or(IndexError::FractionsAboveOne)
}

/// An order's fraction of an asset by what it contributes to the batch's
/// need: `own / total`, rounded down, so that all of them sum to at most one.
///
/// # Errors
/// [`IndexError::AmountOverflow`] when `total` is zero or below `own`.
pub fn fraction_of(own: Quantity, total: Quantity) -> Result<Fraction> {
    total.minus(own)?;
    let share = crate::amounts::mul_div_floor(own.get(), u128::from(ONE), total.get())?;
    Ok(Fraction(share as u64))
}

/// What a new batch is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPlan {
    /// Address of the batch's account.
    pub stream: Key,
    /// Number of the batch.
    pub number: u64,
    /// Sequence of the market data that it was solved with.
    pub market_sequence: u64,
    /// Capacities of the account.
    pub size: BatchSize,
}

impl<'a> Batch<'a> {
    /// Creates a batch in zeroed account bytes.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::AlreadyInitialized`], [`IndexError::BadCapacity`].
    pub fn create(
        data: &'a mut [u8],
        desk: &Desk,
        solver: &Party,
        plan: &BatchPlan,
        journal: &mut Journal,
    ) -> Result<Self> {
        solver.must_be(Role::Solver, desk.address())?;
        store::must_be_new(data)?;
        let BatchSize {
            assets,
            members,
            lots,
        } = plan.size;
        if assets == 0 || assets > ASSETS_MAX || members == 0 || members > MEMBERS_MAX {
            return Err(IndexError::BadCapacity);
        }
        let (head, _) = store::split_record::<OrderBatch>(data)?;
        let now = journal.slot();
        head.discriminator = OrderBatch::DISCRIMINATOR;
        head.version = OrderBatch::VERSION;
        head.state = BatchState::Building as u8;
        head.desk = *desk.address();
        head.chain = Chain::new(plan.stream);
        head.number = plan.number;
        head.market_sequence = plan.market_sequence;
        head.members_max = members;
        head.assets_max = assets;
        head.created_slot = now;
        head.deadline_slot = Slot(now.0.saturating_add(desk.limits.batch_slots.0));
        head.lots = PoolHead::new(lots)?;
        let mut batch = Self::open(data)?;
        // What nothing later tells of: number, data and size.
        let event = BatchMoved {
            list_hash: journal.hash(&[
                &plan.number.to_le_bytes(),
                &plan.market_sequence.to_le_bytes(),
                bytemuck::cast_slice(&[assets, members, lots]),
            ]),
            ..BatchMoved::default()
        };
        batch.moved(BatchEvent::Created, event, solver, journal)?;
        Ok(batch)
    }

    /// Sets the next assets, from position `first`. A label occurs once.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::IllegalTransition`],
    /// [`IndexError::OutOfOrder`] unless they continue the list with
    /// ascending labels, [`IndexError::ZeroAmount`].
    pub fn set_assets(
        &mut self,
        solver: &Party,
        first: u32,
        orders: &[AssetOrder],
        journal: &mut Journal,
    ) -> Result<()> {
        self.must_build(solver)?;
        let end = (first as usize).checked_add(orders.len());
        let end = end.filter(|end| *end <= self.assets.len());
        let end = end.ok_or(IndexError::OutOfOrder)?;
        if first != self.head.assets || orders.is_empty() {
            return Err(IndexError::OutOfOrder);
        }
        let mut above = self.assets().last().map(|asset| asset.label);
        for (place, order) in self.assets[first as usize..end].iter_mut().zip(orders) {
            if above.is_some_and(|label| order.label <= label) {
                return Err(IndexError::OutOfOrder);
            }
            if order.limit.is_zero() || order.quantity.is_zero() {
                return Err(IndexError::ZeroAmount);
            }
            above = Some(order.label);
            *place = BatchAsset {
                label: order.label,
                limit: order.limit,
                ordered: order.quantity,
                ..BatchAsset::default()
            };
        }
        self.head.assets = end as u32;
        let event = BatchMoved {
            position: first,
            list_hash: journal.hash(&[bytemuck::cast_slice(orders)]),
            ..BatchMoved::default()
        };
        self.moved(BatchEvent::Assets, event, solver, journal)
    }

    /// Adds a member with what it engages.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::IllegalTransition`],
    /// [`IndexError::ZeroAmount`], [`IndexError::BatchFull`],
    /// [`IndexError::NotAMember`] when the order is one already, and
    /// [`IndexError::AboveVolley`].
    pub fn join(
        &mut self,
        solver: &Party,
        order: Key,
        engaged: Atoms,
        tokens: Tokens,
        limits: &Limits,
        journal: &mut Journal,
    ) -> Result<()> {
        self.must_build(solver)?;
        if engaged == Atoms::ZERO || tokens == Tokens::ZERO || order == [0; 32] {
            return Err(IndexError::ZeroAmount);
        }
        if self.member(&order).is_ok() {
            return Err(IndexError::NotAMember);
        }
        let total = self.head.engaged.plus(engaged)?;
        if total.0 > limits.batch_atoms_max || engaged.0 > limits.order_atoms_max {
            return Err(IndexError::AboveVolley);
        }
        let position = self.head.members;
        let place = self.members.get_mut(position as usize);
        *place.ok_or(IndexError::BatchFull)? = Member {
            order,
            engaged,
            tokens,
            standing: Standing::Invited as u8,
            ..Member::default()
        };
        self.head.members += 1;
        self.head.engaged = total;
        let event = BatchMoved {
            position,
            order,
            amount: engaged,
            tokens,
            ..BatchMoved::default()
        };
        self.moved(BatchEvent::Joined, event, solver, journal)
    }

    /// Sets the next cells of a member, from asset `first`; in pieces, since a
    /// whole index does not fit a transaction.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::IllegalTransition`],
    /// [`IndexError::NotAMember`], [`IndexError::OutOfOrder`],
    /// [`IndexError::FractionsAboveOne`], and [`IndexError::WrongAmount`] when
    /// one of contribution and fraction is zero and the other is not.
    pub fn set_cells(
        &mut self,
        solver: &Party,
        order: &Key,
        first: u32,
        shares: &[Share],
        limits: &Limits,
        journal: &mut Journal,
    ) -> Result<()> {
        self.must_build(solver)?;
        let (position, member) = self.member(order)?;
        let mut member = *member;
        let end = (first as usize).checked_add(shares.len());
        let end = end.filter(|end| *end <= self.assets().len());
        let end = end.ok_or(IndexError::OutOfOrder)?;
        if first != member.cells || shares.is_empty() {
            return Err(IndexError::OutOfOrder);
        }
        for (at, share) in (first as usize..end).zip(shares) {
            if (share.fraction == Fraction::ZERO) != share.contribution.is_zero() {
                return Err(IndexError::WrongAmount);
            }
            let asset = &mut self.assets[at];
            asset.fractions = add_fraction(asset.fractions, share.fraction)?;
            let value = value_ceil(share.contribution, asset.limit)?;
            let fee = ppm_ceil(value, limits.exchange_fee_max.0)?;
            member.cost_max = member.cost_max.plus(value)?.plus(fee)?;
            self.cells[position * self.assets.len() + at] = Cell {
                fraction: share.fraction,
                contribution: share.contribution,
                taken: Quantity::ZERO,
            };
        }
        member.cells = end as u32;
        self.members[position] = member;
        let event = BatchMoved {
            position: position as u32,
            order: *order,
            amount: member.cost_max,
            list_hash: journal.hash(&[bytemuck::cast_slice(shares)]),
            ..BatchMoved::default()
        };
        self.moved(BatchEvent::Cells, event, solver, journal)
    }

    /// Freezes the batch: nothing about who gets what can change any more.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::IllegalTransition`],
    /// [`IndexError::Incomplete`] while assets, members or cells are missing
    /// or a member needs no asset, and [`IndexError::Overspend`] when a
    /// member's contributions may cost more than it engages.
    pub fn seal(&mut self, solver: &Party, journal: &mut Journal) -> Result<()> {
        self.must_build(solver)?;
        let all_set = self.head.assets == self.head.assets_max && self.head.members > 0;
        let whole = |member: &Member| member.cells == self.head.assets && member.cost_max.0 > 0;
        if !all_set || !self.members().iter().all(whole) {
            return Err(IndexError::Incomplete);
        }
        let mut members = self.members().iter();
        if members.any(|member| member.cost_max > member.engaged) {
            return Err(IndexError::Overspend);
        }
        self.head.state = BatchState::Sealed as u8;
        let used = self.head.members as usize * self.assets.len();
        let event = BatchMoved {
            amount: self.head.engaged,
            list_hash: journal.hash(&[bytemuck::cast_slice(&self.cells[..used])]),
            ..BatchMoved::default()
        };
        self.moved(BatchEvent::Sealed, event, solver, journal)
    }

    /// Drops a member whose order cannot be locked any more. Its fractions
    /// stay unused, so the others' do not change.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::IllegalTransition`], [`IndexError::NotAMember`].
    pub fn drop_member(
        &mut self,
        solver: &Party,
        order: &Key,
        journal: &mut Journal,
    ) -> Result<()> {
        solver.must_be(Role::Solver, &self.head.desk)?;
        self.must_be_in(BatchState::Sealed)?;
        let (position, member) = self.member(order)?;
        if member.standing != Standing::Invited as u8 {
            return Err(IndexError::NotAMember);
        }
        member.standing = Standing::Dropped as u8;
        let engaged = member.engaged;
        self.head.engaged = self.head.engaged.minus(engaged)?;
        let event = BatchMoved {
            position: position as u32,
            order: *order,
            amount: engaged,
            ..BatchMoved::default()
        };
        self.moved(BatchEvent::Dropped, event, solver, journal)
    }

    /// Sends the batch to the venues, once every member is locked or dropped.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::IllegalTransition`], [`IndexError::Incomplete`].
    pub fn send(&mut self, manager: &Party, journal: &mut Journal) -> Result<()> {
        manager.must_be(Role::BatchManager, &self.head.desk)?;
        self.must_be_in(BatchState::Sealed)?;
        let stands = |standing: Standing| {
            let mut members = self.members().iter();
            members.any(|member| member.standing == standing as u8)
        };
        if stands(Standing::Invited) || !stands(Standing::Engaged) {
            return Err(IndexError::Incomplete);
        }
        self.head.state = BatchState::Sent as u8;
        self.moved(BatchEvent::Sent, BatchMoved::default(), manager, journal)
    }

    fn must_build(&self, solver: &Party) -> Result<()> {
        solver.must_be(Role::Solver, &self.head.desk)?;
        self.must_be_in(BatchState::Building)
    }

    pub(crate) fn moved(
        &mut self,
        kind: BatchEvent,
        event: BatchMoved,
        party: &Party,
        journal: &mut Journal,
    ) -> Result<()> {
        let event = BatchMoved {
            kind: kind as u8,
            state: self.head.state,
            ..event
        };
        journal.record(&mut self.head.chain, party, &event)
    }
}
