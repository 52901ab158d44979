//! Lots that a batch bought and no order took, kept for the next batch.
//!
//! One account per desk and asset. Padding and rounding leave rests in every
//! batch; carried lots enter the next batch first and cancel as much of its
//! exchange order, so that rests do not pile up.

use crate::amounts::Quantity;
use crate::batch::{Batch, BatchEvent, BatchLot, BatchMoved, BatchState};
use crate::chain::{Chain, Journal};
use crate::roles::{Party, Role};
use crate::store::{self, List, Pool, PoolHead};
use crate::{IndexError, Result};
use bytemuck::{Pod, Zeroable};
use flagstone_interface::{Key, Record, assert_layout, key_eq};

/// Lots that one call moves: each writes two events, and a transaction's log is
/// cut at 10,000 bytes. The next call goes on where this one stopped.
pub const LOTS_PER_CALL: usize = 10;

/// Head of a carry-over's account; its lots follow.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct CarryOver {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Reserved; zero.
    pub padding: u32,
    /// Desk that owns it.
    pub desk: Key,
    /// Label of the asset in the market.
    pub asset: u64,
    /// Its history.
    pub chain: Chain,
    /// Sum of what remains in the lots.
    pub balance: Quantity,
    /// Pool of lots.
    pub lots: PoolHead,
    /// Lots, oldest first.
    pub list: List,
    /// Reserved; zero.
    pub reserved: [u64; 3],
}
assert_layout!(CarryOver, 192, chain @ 56, balance @ 128);

impl Record for CarryOver {
    const DISCRIMINATOR: [u8; 8] = [0x47, 0xda, 0xf5, 0x48, 0xa4, 0xa5, 0x5d, 0xb4];
    const VERSION: u32 = 1;
}

/// The typed view of a carry-over's account.
#[derive(Debug)]
pub struct Carry<'a> {
    /// The head.
    pub head: &'a mut CarryOver,
    lots: &'a mut [BatchLot],
}

/// Bytes of an account with room for this many lots.
pub const fn carry_bytes(lots: u32) -> usize {
    size_of::<CarryOver>() + lots as usize * size_of::<BatchLot>()
}

impl<'a> Carry<'a> {
    /// Creates a carry-over in zeroed account bytes.
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
        let (head, _) = store::split_record::<CarryOver>(data)?;
        head.discriminator = CarryOver::DISCRIMINATOR;
        head.version = CarryOver::VERSION;
        head.desk = desk;
        head.asset = asset;
        head.chain = Chain::new(stream);
        head.lots = PoolHead::new(lots)?;
        Self::open(data)
    }

    /// Takes account bytes that have grown into use, for `lots` in all. What
    /// is there stays where it is, so a replay needs the last capacity alone.
    ///
    /// # Errors
    /// [`IndexError::WrongRecord`], and [`IndexError::BadCapacity`] unless
    /// there are more than before and they fit.
    pub fn grow(data: &mut [u8], lots: u32) -> Result<()> {
        let fit = carry_bytes(lots) <= data.len();
        let head = store::record::<CarryOver>(data)?;
        if lots <= head.lots.capacity || !fit {
            return Err(IndexError::BadCapacity);
        }
        head.lots.capacity = lots;
        Ok(())
    }

    /// Views account bytes as a carry-over.
    ///
    /// # Errors
    /// [`IndexError::WrongRecord`] and [`IndexError::BadCapacity`].
    pub fn open(data: &'a mut [u8]) -> Result<Self> {
        store::record::<CarryOver>(data)?;
        let (head, rest) = store::split_record::<CarryOver>(data)?;
        let (lots, _) = store::split(rest, head.lots.capacity as usize)?;
        Ok(Self { head, lots })
    }

    /// Lots, oldest first.
    pub fn lots(&self) -> impl Iterator<Item = &BatchLot> {
        store::walk(self.lots, self.head.list.first, |lot| lot.next)
    }

    /// Moves carried lots into a batch that was sent, oldest first, up to
    /// what it still orders; each cancels as much of the exchange order. A lot
    /// moves whole, so that its cost stays with it; one that is larger than
    /// what is still ordered, or dearer than the asset's limit, stays.
    ///
    /// Moves up to [`LOTS_PER_CALL`] lots; returns the quantity moved.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::WrongCounterpart`] when desk
    /// or asset differ, [`IndexError::IllegalTransition`] unless the batch is
    /// sent, [`IndexError::LotsFull`].
    pub fn draw(
        &mut self,
        batch: &mut Batch,
        asset: u32,
        manager: &Party,
        journal: &mut Journal,
    ) -> Result<Quantity> {
        manager.must_be(Role::BatchManager, &self.head.desk)?;
        self.must_match(batch, asset)?;
        batch.must_be_in(BatchState::Sent)?;
        let (mut drawn, mut moved) = (Quantity::ZERO, 0);
        let (mut before, mut index) = (0, self.head.list.first);
        while index != 0 && moved < LOTS_PER_CALL {
            let lot = self.pool().at(index).copied()?;
            let target = *batch.asset(asset as usize)?;
            let fits = lot.remaining.get() <= target.open()?.get();
            if fits && lot.price.get() <= target.limit.get() {
                self.move_out(before, index, lot.remaining)?;
                drawn = drawn.plus(lot.remaining)?;
                moved += 1;
                batch.take_in(asset, &lot)?;
                self.moved(batch, asset, &lot, BatchEvent::Drawn, manager, journal)?;
            } else {
                before = index;
            }
            index = lot.next;
        }
        Ok(drawn)
    }

    /// Moves what no order took out of a complete batch; anyone may, once
    /// every member has left.
    ///
    /// Moves up to [`LOTS_PER_CALL`] lots; returns the quantity moved.
    ///
    /// # Errors
    /// [`IndexError::WrongCounterpart`], [`IndexError::IllegalTransition`],
    /// [`IndexError::Incomplete`] while an order is still locked in it,
    /// [`IndexError::LotsFull`].
    pub fn retire(
        &mut self,
        batch: &mut Batch,
        asset: u32,
        journal: &mut Journal,
    ) -> Result<Quantity> {
        self.must_match(batch, asset)?;
        batch.must_be_in(BatchState::Complete)?;
        if batch.has_engaged() {
            return Err(IndexError::Incomplete);
        }
        let mut retired = Quantity::ZERO;
        for _ in 0..LOTS_PER_CALL {
            let Some(lot) = batch.give_out(asset)? else {
                break;
            };
            let mut list = self.head.list;
            self.pool().append(&mut list, lot, IndexError::LotsFull)?;
            self.head.list = list;
            self.head.balance = self.head.balance.plus(lot.remaining)?;
            retired = retired.plus(lot.remaining)?;
            self.moved(
                batch,
                asset,
                &lot,
                BatchEvent::Retired,
                &Party::ANYONE,
                journal,
            )?;
        }
        Ok(retired)
    }

    /// Takes a recorded move again, without the batch; for an audit.
    pub(crate) fn again(
        &mut self,
        moved: &BatchMoved,
        lot: &BatchLot,
        party: &Party,
        journal: &mut Journal,
    ) -> Result<()> {
        match BatchEvent::from_code(moved.kind)? {
            BatchEvent::Drawn => {
                party.must_be(Role::BatchManager, &self.head.desk)?;
                let (mut before, mut index) = (0, self.head.list.first);
                while self.pool().at(index)?.fill != lot.fill {
                    (before, index) = (index, self.pool().after(index)?);
                }
                let held = BatchLot {
                    next: 0,
                    ..*self.pool().at(index)?
                };
                if held != *lot {
                    return Err(IndexError::NoLot);
                }
                self.move_out(before, index, lot.remaining)?;
            }
            BatchEvent::Retired => {
                let mut list = self.head.list;
                self.pool().append(&mut list, *lot, IndexError::LotsFull)?;
                self.head.list = list;
                self.head.balance = self.head.balance.plus(lot.remaining)?;
            }
            _ => return Err(IndexError::UnknownCode),
        }
        // State and place in the batch are the batch's own.
        let event = BatchMoved {
            kind: moved.kind,
            state: moved.state,
            position: moved.position,
            order: moved.order,
            fill: lot.fill,
            amount: lot.cost,
            fee: lot.fee,
            quantity: lot.remaining,
            price: lot.price,
            ..BatchMoved::default()
        };
        journal.record(&mut self.head.chain, party, &event)
    }

    fn must_match(&self, batch: &Batch, asset: u32) -> Result<()> {
        let label = batch.assets().get(asset as usize).map(|asset| asset.label);
        if label != Some(self.head.asset) || !key_eq(&batch.head.desk, &self.head.desk) {
            return Err(IndexError::WrongCounterpart);
        }
        Ok(())
    }

    fn move_out(&mut self, before: u32, index: u32, quantity: Quantity) -> Result<()> {
        let mut list = self.head.list;
        self.pool().remove(&mut list, before, index)?;
        self.head.list = list;
        self.head.balance = self.head.balance.minus(quantity)?;
        Ok(())
    }

    /// Both streams learn of every lot that changes hands.
    fn moved(
        &mut self,
        batch: &mut Batch,
        asset: u32,
        lot: &BatchLot,
        kind: BatchEvent,
        party: &Party,
        journal: &mut Journal,
    ) -> Result<()> {
        let event = transfer(batch, asset, lot, kind);
        journal.record(&mut self.head.chain, party, &event)?;
        journal.record(&mut batch.head.chain, party, &event)
    }

    fn pool(&mut self) -> Pool<'_, BatchLot> {
        Pool {
            head: &mut self.head.lots,
            items: self.lots,
        }
    }
}

/// What both streams learn of a lot that changes hands.
pub(crate) fn transfer(batch: &Batch, asset: u32, lot: &BatchLot, kind: BatchEvent) -> BatchMoved {
    BatchMoved {
        kind: kind as u8,
        state: batch.head.state,
        position: asset,
        order: batch.head.chain.stream,
        fill: lot.fill,
        amount: lot.cost,
        fee: lot.fee,
        quantity: lot.remaining,
        price: lot.price,
        ..BatchMoved::default()
    }
}
