//! Frozen shares of the market's capacity for a batch of pending orders.
//!
//! One account per index, side and batch. The paper multiplies each order's
//! capacity by its fraction F, but measures that capacity when the order runs:
//! two orders with one half each of a margin of 100 then get 50 and 25. Here
//! the capacity is measured once, when the batch is opened, and every member
//! may take its fraction of that whenever its chunks run, in any order.
//!
//! ```text
//! header | capacity and fraction sums[n] | members[m] | cells[m * n]
//! ```

use crate::amounts::{Fraction, ONE, Quantity, Tokens, mul_div_floor};
use crate::batch::{ASSETS_MAX, MEMBERS_MAX};
use crate::chain::{Chain, Event, Journal};
use crate::engage::add_fraction;
use crate::market::{IndexState, MarketState};
use crate::pending::PendingOrder;
use crate::roles::{Desk, Party, Role};
use crate::store;
use crate::{IndexError, Result};
use bytemuck::{Pod, Zeroable};
use flagstone_interface::{Key, Record, assert_layout, key_eq};
use flagstone_units::{Side, Slot};

/// What the market could take of an asset when the allotment was opened.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Capacity {
    /// Quantity that all members together may take.
    pub quantity: Quantity,
    /// Sum of the members' fractions; never above one.
    pub fractions: Fraction,
}
assert_layout!(Capacity, 24);

impl Capacity {
    /// What a fraction of it is, rounded down.
    ///
    /// # Errors
    /// [`IndexError::AmountOverflow`] for a fraction above one.
    pub fn share(&self, fraction: Fraction) -> Result<Quantity> {
        let (whole, part) = (self.quantity.get(), u128::from(fraction.0));
        mul_div_floor(whole, part, u128::from(ONE)).map(Quantity::new)
    }
}

/// One member's share of one asset.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct ShareCell {
    /// Its fraction of the capacity.
    pub fraction: Fraction,
    /// What is left of it: at first the fraction of the capacity, rounded down.
    pub left: Quantity,
}
assert_layout!(ShareCell, 24);

/// A member.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct ShareMember {
    /// Its pending order.
    pub order: Key,
}
assert_layout!(ShareMember, 32);

/// Head of an allotment's account.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct AllotmentHead {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// 0 buys, 1 sells.
    pub side: u8,
    /// 1 once members can only draw.
    pub sealed: u8,
    /// Reserved; zero.
    pub padding: [u8; 2],
    /// Desk whose solver gives the shares.
    pub desk: Key,
    /// Index traded.
    pub index: Key,
    /// Its history.
    pub chain: Chain,
    /// Market sequence that the capacity was measured at.
    pub market_sequence: u64,
    /// Assets of the index.
    pub assets: u32,
    /// Members that fit.
    pub members_max: u32,
    /// Members.
    pub members: u32,
    /// Slot in which the capacity was measured.
    pub slot: Slot,
    /// Slot after which nobody draws on it and anyone may free its members.
    pub expiry_slot: Slot,
    /// Reserved; zero.
    pub padding2: u32,
    /// Version of the weights that the capacity was measured for.
    pub weights_version: u64,
    /// Tokens traded on the quote's data before the capacity was measured,
    /// from which all members' prices start.
    pub traded: Tokens,
    /// Reserved; zero.
    pub reserved: [u64; 2],
}
assert_layout!(AllotmentHead, 216, desk @ 16, chain @ 80, market_sequence @ 152);

impl Record for AllotmentHead {
    const DISCRIMINATOR: [u8; 8] = [0x35, 0xe5, 0x8f, 0x4a, 0x66, 0xdf, 0x6f, 0x2f];
    const VERSION: u32 = 1;
}

crate::roles::codes! {
    /// What happened to an allotment.
    AllotmentEvent {
        /// Its capacity was frozen.
        Created = 1,
        /// An order joined.
        Joined = 2,
        /// Its shares were frozen.
        Sealed = 3,
        /// An order left.
        Left = 4,
    }
}

/// An allotment changed. What members draw is in their own streams.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct AllotmentMoved {
    /// [`AllotmentEvent`].
    pub kind: u8,
    /// 0 buys, 1 sells.
    pub side: u8,
    /// Reserved; zero.
    pub padding: [u8; 6],
    /// Order concerned, zero for none.
    pub order: Key,
    /// Market sequence that the capacity was measured at.
    pub market_sequence: u64,
    /// Hash of the capacities, the weights' version and what was traded before,
    /// or of the fractions given.
    pub list_hash: [u8; 32],
}
assert_layout!(AllotmentMoved, 80);

impl Event for AllotmentMoved {
    const TAG: u8 = 11;
}

/// A new allotment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewAllotment<'a> {
    /// Address of the account.
    pub stream: Key,
    /// Index traded.
    pub index: Key,
    /// Buys or sells.
    pub side: Side,
    /// Members that fit.
    pub members: u32,
    /// What the market can take of each constituent, measured by the kernels now.
    pub capacities: &'a [Quantity],
}

/// The typed view of an allotment's account.
#[derive(Debug)]
pub struct Allotment<'a> {
    /// The head.
    pub head: &'a mut AllotmentHead,
    capacities: &'a mut [Capacity],
    members: &'a mut [ShareMember],
    cells: &'a mut [ShareCell],
}

/// Bytes of an account for this many assets and members.
pub const fn allotment_bytes(assets: u32, members: u32) -> usize {
    let (assets, members) = (assets as usize, members as usize);
    size_of::<AllotmentHead>()
        + assets * size_of::<Capacity>()
        + members * size_of::<ShareMember>()
        + assets * members * size_of::<ShareCell>()
}

impl<'a> Allotment<'a> {
    /// Freezes the capacity that the kernels measured with the index's
    /// present quote, in zeroed account bytes.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::AlreadyInitialized`],
    /// [`IndexError::BadCapacity`], and as [`IndexState::check_quote`].
    pub fn create(
        data: &'a mut [u8],
        new: &NewAllotment,
        desk: &Desk,
        solver: &Party,
        (market, state): (&MarketState, &IndexState),
        journal: &mut Journal,
    ) -> Result<Self> {
        solver.must_be(Role::Solver, desk.address())?;
        store::must_be_new(data)?;
        let now = journal.slot();
        state.check_quote(market, now)?;
        let assets = new.capacities.len();
        let members = (1..=MEMBERS_MAX).contains(&new.members);
        if assets == 0 || assets > ASSETS_MAX as usize || !members {
            return Err(IndexError::BadCapacity);
        }
        let (head, _) = store::split_record::<AllotmentHead>(data)?;
        head.discriminator = AllotmentHead::DISCRIMINATOR;
        head.version = AllotmentHead::VERSION;
        head.side = new.side as u8;
        head.desk = *desk.address();
        head.index = new.index;
        head.chain = Chain::new(new.stream);
        head.market_sequence = state.quote.market_sequence;
        head.weights_version = state.weights_version;
        head.traded = state.traded(new.side);
        head.assets = assets as u32;
        head.members_max = new.members;
        head.slot = now;
        head.expiry_slot = Slot(now.0.saturating_add(desk.limits.batch_slots.0));
        let mut allotment = Self::open(data)?;
        for (place, quantity) in allotment.capacities.iter_mut().zip(new.capacities) {
            place.quantity = *quantity;
        }
        let hash = journal.hash(&[
            bytemuck::cast_slice(new.capacities),
            bytemuck::bytes_of(&[allotment.head.weights_version, allotment.head.traded.0]),
        ]);
        allotment.moved(AllotmentEvent::Created, [0; 32], hash, solver, journal)?;
        Ok(allotment)
    }

    /// Views account bytes as an allotment.
    ///
    /// # Errors
    /// [`IndexError::WrongRecord`] and [`IndexError::BadCapacity`].
    pub fn open(data: &'a mut [u8]) -> Result<Self> {
        store::record::<AllotmentHead>(data)?;
        let (head, rest) = store::split_record::<AllotmentHead>(data)?;
        if head.assets > ASSETS_MAX || head.members_max > MEMBERS_MAX {
            return Err(IndexError::BadCapacity);
        }
        let (assets, members) = (head.assets as usize, head.members_max as usize);
        let (capacities, rest) = store::split(rest, assets)?;
        let (member_items, rest) = store::split(rest, members)?;
        let (cells, _) = store::split(rest, assets * members)?;
        Ok(Self {
            head,
            capacities,
            members: member_items,
            cells,
        })
    }

    /// Capacities and fraction sums, in the index's order.
    pub fn capacities(&self) -> &[Capacity] {
        self.capacities
    }

    /// The members that joined.
    pub fn members(&self) -> &[ShareMember] {
        &self.members[..(self.head.members as usize).min(self.members.len())]
    }

    /// The shares of a member, in the index's order; empty when there is none.
    pub fn cells(&self, member: usize) -> &[ShareCell] {
        let width = self.capacities.len();
        let cells = self.cells.get(member * width..(member + 1) * width);
        cells.unwrap_or(&[])
    }

    /// Takes over what is left to a member, for an audit.
    pub(crate) fn copy_left(&mut self, from: &Allotment, member: usize) {
        let first = member * self.capacities.len();
        for (at, cell) in from.cells(member).iter().enumerate() {
            if let Some(place) = self.cells.get_mut(first + at) {
                place.left = cell.left;
            }
        }
    }

    /// Adds a pending order with its fraction of every asset, and binds it.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`]; [`IndexError::IllegalTransition`] once sealed or unless the order is
    /// open, [`IndexError::WrongCounterpart`] when index or side differ,
    /// [`IndexError::NotAMember`] when it belongs to an allotment already,
    /// [`IndexError::BatchFull`], [`IndexError::OutOfOrder`] unless there is
    /// one fraction per asset, [`IndexError::FractionsAboveOne`].
    pub fn join(
        &mut self,
        order: &mut PendingOrder,
        fractions: &[Fraction],
        solver: &Party,
        journal: &mut Journal,
    ) -> Result<()> {
        solver.must_be(Role::Solver, &self.head.desk)?;
        order.must_be_open()?;
        if self.head.sealed != 0 {
            return Err(IndexError::IllegalTransition);
        }
        if !key_eq(&order.index, &self.head.index) || order.side != self.head.side {
            return Err(IndexError::WrongCounterpart);
        }
        if order.allotment != [0; 32] {
            return Err(IndexError::NotAMember);
        }
        if fractions.len() != self.capacities.len() {
            return Err(IndexError::OutOfOrder);
        }
        let position = self.head.members as usize;
        let place = self.members.get_mut(position);
        let place = place.ok_or(IndexError::BatchFull)?;
        for (capacity, fraction) in self.capacities.iter().zip(fractions) {
            add_fraction(capacity.fractions, *fraction)?;
        }
        place.order = order.chain.stream;
        let first = position * fractions.len();
        let cells = &mut self.cells[first..first + fractions.len()];
        for ((capacity, cell), fraction) in self.capacities.iter_mut().zip(cells).zip(fractions) {
            capacity.fractions = add_fraction(capacity.fractions, *fraction)?;
            cell.fraction = *fraction;
            cell.left = capacity.share(*fraction)?;
        }
        self.head.members += 1;
        order.bind(Some(&self.head.chain.stream), solver, journal)?;
        let hash = journal.hash(&[bytemuck::cast_slice(fractions)]);
        self.moved(
            AllotmentEvent::Joined,
            order.chain.stream,
            hash,
            solver,
            journal,
        )
    }

    /// Freezes the shares; chunks of members may run from now on.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::IllegalTransition`] when
    /// sealed already, [`IndexError::Incomplete`] without members.
    pub fn seal(&mut self, solver: &Party, journal: &mut Journal) -> Result<()> {
        solver.must_be(Role::Solver, &self.head.desk)?;
        if self.head.sealed != 0 {
            return Err(IndexError::IllegalTransition);
        }
        if self.head.members == 0 {
            return Err(IndexError::Incomplete);
        }
        self.head.sealed = 1;
        self.moved(AllotmentEvent::Sealed, [0; 32], [0; 32], solver, journal)
    }

    /// Frees an order: its owner at any time, anyone after the expiry. Its
    /// share stays as it is, unused, so that the others' do not change.
    ///
    /// # Errors
    /// [`IndexError::WrongCounterpart`] unless it is bound here,
    /// [`IndexError::TooEarly`], [`IndexError::WrongSigner`].
    pub fn leave(
        &mut self,
        order: &mut PendingOrder,
        party: &Party,
        journal: &mut Journal,
    ) -> Result<()> {
        if !key_eq(&order.allotment, &self.head.chain.stream) {
            return Err(IndexError::WrongCounterpart);
        }
        if party.role() != Role::Anyone {
            party.must_own(&order.owner)?;
        } else if journal.slot() <= self.head.expiry_slot {
            return Err(IndexError::TooEarly);
        }
        order.bind(None, party, journal)?;
        let nothing = [0; 32];
        self.moved(
            AllotmentEvent::Left,
            order.chain.stream,
            nothing,
            party,
            journal,
        )
    }

    /// Quantity of an asset that a member may still take.
    ///
    /// # Errors
    /// [`IndexError::NotAMember`], [`IndexError::OutOfOrder`] for an unknown asset.
    pub fn left(&self, order: &Key, asset: usize) -> Result<Quantity> {
        let cells = self.cells_of(order)?;
        cells
            .get(asset)
            .map_or(Err(IndexError::OutOfOrder), |cell| Ok(cell.left))
    }

    /// The shares of an order, in the index's order.
    ///
    /// # Errors
    /// [`IndexError::NotAMember`].
    pub fn cells_of(&self, order: &Key) -> Result<&[ShareCell]> {
        Ok(self.cells(self.position(order)?))
    }

    /// Refuses a share that was measured for weights that are no longer in
    /// force: its assets are counted in the order of those weights.
    ///
    /// # Errors
    /// [`IndexError::OldWeights`].
    pub fn check_weights(&self, index: &IndexState) -> Result<()> {
        if self.head.weights_version != index.weights_version {
            return Err(IndexError::OldWeights);
        }
        Ok(())
    }

    /// Tokens from which a member's price starts: as if each came first, but
    /// behind what was traded before the allotment was made. Otherwise one
    /// solver's allotments after each other would all begin at the same price.
    pub fn start(&self, index: &IndexState, side: Side) -> Tokens {
        if index.traded_since > self.head.slot {
            return Tokens::ZERO;
        }
        self.head.traded.min(index.traded(side))
    }

    /// Takes a chunk's quantities off a member's share.
    pub(crate) fn draw(
        &mut self,
        order: &Key,
        side: Side,
        quantities: &[Quantity],
        now: Slot,
    ) -> Result<()> {
        if now > self.head.expiry_slot {
            return Err(IndexError::TooLate);
        }
        if self.head.sealed == 0 {
            return Err(IndexError::IllegalTransition);
        }
        if side as u8 != self.head.side {
            return Err(IndexError::WrongSide);
        }
        if quantities.len() != self.capacities.len() {
            return Err(IndexError::OutOfOrder);
        }
        let position = self.position(order)?;
        let first = position * quantities.len();
        let cells = &mut self.cells[first..first + quantities.len()];
        if cells
            .iter()
            .zip(quantities)
            .any(|(cell, one)| one.get() > cell.left.get())
        {
            return Err(IndexError::AboveAllotment);
        }
        for (cell, quantity) in cells.iter_mut().zip(quantities) {
            cell.left = cell.left.minus(*quantity)?;
        }
        Ok(())
    }

    fn moved(
        &mut self,
        kind: AllotmentEvent,
        order: Key,
        list_hash: [u8; 32],
        party: &Party,
        journal: &mut Journal,
    ) -> Result<()> {
        let event = AllotmentMoved {
            kind: kind as u8,
            side: self.head.side,
            padding: [0; 6],
            order,
            market_sequence: self.head.market_sequence,
            list_hash,
        };
        journal.record(&mut self.head.chain, party, &event)
    }

    fn position(&self, order: &Key) -> Result<usize> {
        let known = (self.head.members as usize).min(self.members.len());
        let mut members = self.members[..known].iter();
        let found = members.position(|member| member.order == *order);
        found.ok_or(IndexError::NotAMember)
    }
}
