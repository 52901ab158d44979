//! Inventory of one asset at one desk: lots, long or short.
//!
//! One account per asset: a fill touches one asset only, so fills of different
//! assets run in parallel, and FIFO needs no search.
//!
//! A fill closes lots of the other side, oldest first; at zero the position
//! changes side and the rest opens a lot. The consensus paper promises the
//! flip (section 3, "flipping lots and positions from Long to Short"); the
//! authors' code never does it, and drops the wrong lots when several close.
//!
//! Cost and fee of a lot leave it in slices that sum to the whole, so over any
//! sequence of fills: bought - sold = balance, in quantity, and
//! cost of buys - proceeds of sells + realised profit = cost of open lots, in atoms.

use crate::amounts::{Atoms, Price, Quantity, slice, value_floor};
use crate::chain::{Chain, Event, Journal};
use crate::roles::{Party, Role};
use crate::store::{self, Item, List, Pool, PoolHead};
use crate::{IndexError, Result};
use bytemuck::{Pod, Zeroable};
use flagstone_interface::{Key, Record, assert_layout};
use flagstone_units::{Side, Slot};

/// An execution at a venue, opened by what did not close others.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct InventoryLot {
    /// Number of the fill.
    pub fill: u64,
    /// Batch that the fill was for; zero for none.
    pub batch: u64,
    /// Price of the fill.
    pub price: Price,
    /// Quantity that opened the lot.
    pub original: Quantity,
    /// Quantity still open.
    pub remaining: Quantity,
    /// Quantity attributed to minted orders so far; never above `original`.
    pub assigned: Quantity,
    /// Value of `original` at `price`, in atoms.
    pub cost: Atoms,
    /// Exchange fee on `original`, in atoms.
    pub fee: Atoms,
    /// Slot of the fill.
    pub slot: Slot,
    /// Next lot, in order of fills.
    pub next: u32,
}
assert_layout!(InventoryLot, 104);

impl Item for InventoryLot {
    fn next(&mut self) -> &mut u32 {
        &mut self.next
    }
}

/// Head of an inventory's account; its lots follow.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Inventory {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Side of the open lots: 0 long, 1 short; as last held when there are none.
    pub side: u8,
    /// Reserved; zero.
    pub padding: [u8; 3],
    /// Desk that owns it.
    pub desk: Key,
    /// Label of the asset in the market.
    pub asset: u64,
    /// Its history.
    pub chain: Chain,
    /// Sum of what remains in the lots.
    pub balance: Quantity,
    /// Profit of closed lots before fees, in atoms.
    pub realised_atoms: i64,
    /// Exchange fees of all fills, in atoms.
    pub fees: Atoms,
    /// Number of the last fill; numbers only grow.
    pub fill_last: u64,
    /// Times that the position changed side.
    pub flips: u64,
    /// Pool of lots.
    pub lots: PoolHead,
    /// Lots, oldest first.
    pub list: List,
    /// Reserved; zero.
    pub reserved: [u64; 7],
}
assert_layout!(Inventory, 256, chain @ 56, balance @ 128, lots @ 176);

impl Record for Inventory {
    const DISCRIMINATOR: [u8; 8] = [0x61, 0xda, 0xa7, 0xe9, 0xd8, 0xaa, 0x31, 0x1b];
    const VERSION: u32 = 1;
}

/// What happened to one lot.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct LotMoved {
    /// Fill that caused it.
    pub fill: u64,
    /// Lot concerned, by the fill that opened it.
    pub lot: u64,
    /// Quantity opened, closed or assigned.
    pub quantity: Quantity,
    /// What remains of the lot.
    pub remaining: Quantity,
    /// Cost of the quantity when opened, in atoms; profit of it when closed.
    pub atoms: i64,
    /// Balance of the inventory afterwards.
    pub balance: Quantity,
    /// [`LotEvent`].
    pub kind: u8,
    /// Side of the position afterwards: 0 long, 1 short.
    pub side: u8,
    /// Reserved; zero.
    pub padding: [u8; 6],
}
assert_layout!(LotMoved, 80);

impl Event for LotMoved {
    const TAG: u8 = 5;
}

crate::roles::codes! {
    /// What happened to a lot.
    LotEvent {
        /// A lot was opened.
        Open = 1,
        /// A lot was closed, wholly or in part.
        Close = 2,
        /// The position changed side.
        Flip = 3,
        /// Part of a lot was attributed to a minted order.
        Assign = 4,
    }
}

/// A fill as the venue reported it: first event of every change of an inventory.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Fill {
    /// Number of the fill; above all before it.
    pub number: u64,
    /// Batch that it was for; zero for none.
    pub batch: u64,
    /// Venue's own reference, hashed or cut to 32 bytes.
    pub venue: [u8; 32],
    /// Quantity executed.
    pub quantity: Quantity,
    /// Price.
    pub price: Price,
    /// Exchange fee, in atoms.
    pub fee: Atoms,
    /// 0 buy, 1 sell.
    pub side: u8,
    /// Reserved; zero.
    pub padding: [u8; 7],
}
assert_layout!(Fill, 96);

impl Event for Fill {
    const TAG: u8 = 6;
}

/// Attribution of lots to a minted order.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Assignment {
    /// The order.
    pub order: Key,
    /// Lot, by the fill that opened it.
    pub lot: u64,
    /// Quantity attributed.
    pub quantity: Quantity,
}
assert_layout!(Assignment, 56);

impl Event for Assignment {
    const TAG: u8 = 7;
}

/// The typed view of an inventory's account.
#[derive(Debug)]
pub struct Stock<'a> {
    /// The head.
    pub inventory: &'a mut Inventory,
    lots: &'a mut [InventoryLot],
}

/// Bytes of an account with room for this many open lots.
pub const fn inventory_bytes(lots: u32) -> usize {
    size_of::<Inventory>() + lots as usize * size_of::<InventoryLot>()
}

impl<'a> Stock<'a> {
    /// Creates an inventory in zeroed account bytes.
    ///
    /// # Errors
    /// [`IndexError::AlreadyInitialized`] and [`IndexError::BadCapacity`].
    pub fn create(
        data: &'a mut [u8],
        stream: Key,
        desk: Key,
        asset: u64,
        lots: u32,
    ) -> Result<Self> {
        store::must_be_new(data)?;
        let (inventory, _) = store::split_record::<Inventory>(data)?;
        inventory.discriminator = Inventory::DISCRIMINATOR;
        inventory.version = Inventory::VERSION;
        inventory.desk = desk;
        inventory.asset = asset;
        inventory.chain = Chain::new(stream);
        inventory.lots = PoolHead::new(lots)?;
        Self::open(data)
    }

    /// Takes account bytes that have grown into use, for `lots` in all. What
    /// is there stays where it is, so a replay needs the last capacity alone.
    ///
    /// # Errors
    /// [`IndexError::WrongRecord`], and [`IndexError::BadCapacity`] unless
    /// there are more than before and they fit.
    pub fn grow(data: &mut [u8], lots: u32) -> Result<()> {
        let fit = inventory_bytes(lots) <= data.len();
        let head = store::record::<Inventory>(data)?;
        if lots <= head.lots.capacity || !fit {
            return Err(IndexError::BadCapacity);
        }
        head.lots.capacity = lots;
        Ok(())
    }

    /// Views account bytes as an inventory.
    ///
    /// # Errors
    /// [`IndexError::WrongRecord`] and [`IndexError::BadCapacity`].
    pub fn open(data: &'a mut [u8]) -> Result<Self> {
        store::record::<Inventory>(data)?;
        let (inventory, rest) = store::split_record::<Inventory>(data)?;
        let (lots, _) = store::split(rest, inventory.lots.capacity as usize)?;
        Ok(Self { inventory, lots })
    }

    /// Open lots, oldest first.
    pub fn lots(&self) -> impl Iterator<Item = &InventoryLot> {
        store::walk(self.lots, self.inventory.list.first, |lot| lot.next)
    }

    /// Side of the position, `None` when it is flat.
    ///
    /// # Errors
    /// [`IndexError::UnknownCode`] on a broken record.
    pub fn side(&self) -> Result<Option<Side>> {
        let side = Side::from_byte(self.inventory.side).ok_or(IndexError::UnknownCode)?;
        Ok((!self.inventory.balance.is_zero()).then_some(side))
    }

    /// Books a fill: closes lots of the other side oldest first, opens a lot with the rest.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::ZeroAmount`],
    /// [`IndexError::FillRepeated`], [`IndexError::LotsFull`].
    pub fn fill(&mut self, manager: &Party, fill: &Fill, journal: &mut Journal) -> Result<()> {
        manager.must_be(Role::InventoryManager, &self.inventory.desk)?;
        let side = Side::from_byte(fill.side).ok_or(IndexError::UnknownCode)?;
        if fill.quantity.is_zero() || fill.price.is_zero() {
            return Err(IndexError::ZeroAmount);
        }
        if fill.number <= self.inventory.fill_last {
            return Err(IndexError::FillRepeated);
        }
        self.inventory.fill_last = fill.number;
        self.inventory.fees = self.inventory.fees.plus(fill.fee)?;
        journal.record(&mut self.inventory.chain, manager, fill)?;
        let value = value_floor(fill.quantity, fill.price)?;
        let mut left = fill.quantity;
        let held = self.side()?;
        if held == Some(side.contra()) {
            left = self.close_oldest(manager, fill, value, side, journal)?;
        }
        if left.is_zero() {
            return Ok(());
        }
        if held == Some(side.contra()) {
            self.inventory.flips += 1;
            self.inventory.side = side as u8;
            let flip = LotMoved {
                fill: fill.number,
                ..LotMoved::default()
            };
            self.moved(LotEvent::Flip, flip, manager, journal)?;
        }
        self.inventory.side = side as u8;
        self.open_lot(manager, fill, value, left, journal)
    }

    /// Attributes part of a lot to a minted order. Changes no balance.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::ZeroAmount`] and
    /// [`IndexError::NoLot`] when the lot has closed or has less unattributed.
    pub fn assign(
        &mut self,
        manager: &Party,
        to: &Assignment,
        journal: &mut Journal,
    ) -> Result<()> {
        manager.must_be(Role::InventoryManager, &self.inventory.desk)?;
        if to.quantity.is_zero() {
            return Err(IndexError::ZeroAmount);
        }
        let mut index = self.inventory.list.first;
        while index != 0 && self.pool().at(index)?.fill != to.lot {
            index = self.pool().after(index)?;
        }
        let lot = self.pool().at(index).copied()?;
        let assigned = lot.assigned.plus(to.quantity)?;
        if assigned.get() > lot.original.get() {
            return Err(IndexError::NoLot);
        }
        self.pool().at_mut(index)?.assigned = assigned;
        journal.record(&mut self.inventory.chain, manager, to)?;
        let moved = LotMoved {
            lot: to.lot,
            quantity: to.quantity,
            remaining: lot.remaining,
            ..LotMoved::default()
        };
        self.moved(LotEvent::Assign, moved, manager, journal)
    }

    /// Closes against a fill of value `value`; returns what of it is left.
    fn close_oldest(
        &mut self,
        manager: &Party,
        fill: &Fill,
        value: Atoms,
        side: Side,
        journal: &mut Journal,
    ) -> Result<Quantity> {
        let mut left = fill.quantity;
        while !left.is_zero() && self.inventory.list.first != 0 {
            let index = self.inventory.list.first;
            let mut lot = self.pool().at(index).copied()?;
            let part = left.least(lot.remaining);
            let cost = slice(lot.cost, part, lot.remaining, lot.original)?;
            let closing = slice(value, part, left, fill.quantity)?;
            let gain = gain(side, closing, cost)?;
            lot.remaining = lot.remaining.minus(part)?;
            left = left.minus(part)?;
            self.inventory.balance = self.inventory.balance.minus(part)?;
            let realised = self.inventory.realised_atoms.checked_add(gain);
            self.inventory.realised_atoms = realised.ok_or(IndexError::AmountOverflow)?;
            *self.pool().at_mut(index)? = lot;
            if lot.remaining.is_zero() {
                let mut list = self.inventory.list;
                self.pool().remove(&mut list, 0, index)?;
                self.inventory.list = list;
            }
            let moved = LotMoved {
                fill: fill.number,
                lot: lot.fill,
                quantity: part,
                remaining: lot.remaining,
                atoms: gain,
                ..LotMoved::default()
            };
            self.moved(LotEvent::Close, moved, manager, journal)?;
        }
        Ok(left)
    }

    fn open_lot(
        &mut self,
        manager: &Party,
        fill: &Fill,
        value: Atoms,
        left: Quantity,
        journal: &mut Journal,
    ) -> Result<()> {
        // What is left of the fill carries what its closings did not take.
        let lot = InventoryLot {
            fill: fill.number,
            batch: fill.batch,
            price: fill.price,
            original: left,
            remaining: left,
            assigned: Quantity::ZERO,
            cost: slice(value, left, left, fill.quantity)?,
            fee: slice(fill.fee, left, left, fill.quantity)?,
            slot: journal.slot(),
            next: 0,
        };
        let mut list = self.inventory.list;
        self.pool().append(&mut list, lot, IndexError::LotsFull)?;
        self.inventory.list = list;
        self.inventory.balance = self.inventory.balance.plus(left)?;
        let moved = LotMoved {
            fill: fill.number,
            lot: fill.number,
            quantity: left,
            remaining: left,
            atoms: signed(lot.cost)?,
            ..LotMoved::default()
        };
        self.moved(LotEvent::Open, moved, manager, journal)
    }

    fn moved(
        &mut self,
        kind: LotEvent,
        moved: LotMoved,
        manager: &Party,
        journal: &mut Journal,
    ) -> Result<()> {
        let event = LotMoved {
            balance: self.inventory.balance,
            kind: kind as u8,
            side: self.inventory.side,
            ..moved
        };
        journal.record(&mut self.inventory.chain, manager, &event)
    }

    fn pool(&mut self) -> Pool<'_, InventoryLot> {
        Pool {
            head: &mut self.inventory.lots,
            items: self.lots,
        }
    }
}

fn signed(amount: Atoms) -> Result<i64> {
    i64::try_from(amount.0).map_err(|_| IndexError::AmountOverflow)
}

/// What closing for `closing` earns on lots that cost `cost`: a sale closes
/// longs, a purchase closes shorts, whose cost is what they were sold for.
fn gain(side: Side, closing: Atoms, cost: Atoms) -> Result<i64> {
    Ok(side.contra().signed(signed(closing)? - signed(cost)?))
}
