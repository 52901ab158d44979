//! Orders in their queues: rest, wait for a batch, leave, evict.
//!
//! A level queues its orders oldest first. The head's `prev` is the tail, so a
//! level needs one link to reach both ends; the tail's `next` is 0. Orders that
//! wait for a batch are in one queue per instrument, with plain links.

use crate::layout::{Order, order_flags};
use crate::levels::Tree;
use crate::pools::{allocate, release};
use crate::{Result, Slab, SlabError};
use flagstone_interface::event::{OrderCancelled, cancel_reason};
use flagstone_interface::slab::{PoolId, next_generation};
use flagstone_units::{Lots, Side, Slot, Ticks};

/// Orders that one placement may evict to make room.
pub const EVICTIONS_MAX: usize = 4;

/// Orders that were evicted by a placement.
#[derive(Clone, Copy, Debug)]
pub struct Evictions {
    /// Entries in use.
    pub count: usize,
    /// The cancelled orders; the sequence number is for the caller to set.
    pub orders: [OrderCancelled; EVICTIONS_MAX],
}

impl Evictions {
    /// None yet.
    pub fn none() -> Self {
        Self {
            count: 0,
            orders: [bytemuck::Zeroable::zeroed(); EVICTIONS_MAX],
        }
    }
}

/// An order about to rest.
#[derive(Clone, Copy, Debug)]
pub struct NewOrder {
    /// Account that owns it.
    pub account: u32,
    /// Its position in the instrument.
    pub position: u32,
    /// Instrument.
    pub instrument: u8,
    /// Side.
    pub side: Side,
    /// Price.
    pub ticks: Ticks,
    /// Quantity.
    pub lots: Lots,
    /// Last slot in which it may trade; 0 is never.
    pub expiry: Slot,
    /// Current slot.
    pub slot: Slot,
    /// The client's own number.
    pub client_id: u64,
    /// Bits of [`order_flags`] beyond side and state.
    pub flags: u8,
}

impl<'a> Slab<'a> {
    /// One side of an instrument's book.
    #[inline(always)]
    pub(crate) fn tree(&mut self, instrument: u8, side: Side) -> Tree<'_, 'a> {
        Tree {
            side,
            book: &mut self.instruments[instrument as usize].books[side.index()],
            header: &mut self.header.pools[PoolId::Levels as usize],
            levels: &mut self.levels,
        }
    }

    /// Appends an order to its level and its account, making both if needed.
    ///
    /// When a pool is full, orders further from the touch than this one make
    /// room, furthest first.
    ///
    /// # Errors
    /// [`SlabError::OrdersFull`], [`SlabError::LevelsFull`] when none is
    /// further away; [`SlabError::LevelOverflow`].
    #[inline(always)]
    pub(crate) fn rest(&mut self, new: &NewOrder, evicted: &mut Evictions) -> Result<u32> {
        while self.header.pool(PoolId::Orders).next_index().is_none() {
            self.evict(new, SlabError::OrdersFull, evicted)?;
        }
        let level = self.level_for(new, evicted)?;
        let pool = &mut self.header.pools[PoolId::Orders as usize];
        let index = allocate(pool, &mut self.orders).ok_or(SlabError::OrdersFull)?;
        let epoch = self.instruments[new.instrument as usize].batch_epoch;
        self.enlist(index, new, order_flags::LIVE, epoch);
        self.queue(level, index)?;
        Ok(index)
    }

    /// Puts an order into the queue of those that wait for batch `epoch`.
    ///
    /// # Errors
    /// [`SlabError::OrdersFull`] when no resting order is further away.
    #[inline(never)]
    pub(crate) fn pend(
        &mut self,
        new: &NewOrder,
        epoch: u32,
        evicted: &mut Evictions,
    ) -> Result<u32> {
        while self.header.pool(PoolId::Orders).next_index().is_none() {
            self.evict(new, SlabError::OrdersFull, evicted)?;
        }
        let pool = &mut self.header.pools[PoolId::Orders as usize];
        let index = allocate(pool, &mut self.orders).ok_or(SlabError::OrdersFull)?;
        self.enlist(index, new, order_flags::LIVE | order_flags::PENDING, epoch);
        let instrument = &mut self.instruments[new.instrument as usize];
        let tail = instrument.pending[1];
        instrument.pending[1] = index;
        instrument.pending_count += 1;
        if tail == 0 {
            instrument.pending[0] = index;
        } else {
            self.orders[tail].next = index;
        }
        self.orders[index].prev = tail;
        Ok(index)
    }

    /// Lets a pending order rest at `new.ticks`.
    ///
    /// # Errors
    /// As [`Slab::rest`]; then nothing has changed but what was evicted.
    pub(crate) fn promote(
        &mut self,
        index: u32,
        new: &NewOrder,
        evicted: &mut Evictions,
    ) -> Result<()> {
        let level = self.level_for(new, evicted)?;
        if self.levels[level].lots.checked_add(new.lots).is_none() {
            return Err(SlabError::LevelOverflow);
        }
        self.leave_pending(index);
        let order = &mut self.orders[index];
        order.side_flags &= !order_flags::PENDING;
        order.ticks = new.ticks;
        order.slot = new.slot;
        // Posted in an earlier batch than the one that promotes it.
        order.batch_epoch = order.batch_epoch.wrapping_sub(1);
        self.queue(level, index)
    }

    /// The level of a new order, made when there is none.
    #[inline(always)]
    fn level_for(&mut self, new: &NewOrder, evicted: &mut Evictions) -> Result<u32> {
        loop {
            match self
                .tree(new.instrument, new.side)
                .find_or_insert(new.instrument, new.ticks)
            {
                Some(level) => return Ok(level),
                None => self.evict(new, SlabError::LevelsFull, evicted)?,
            }
        }
    }

    /// Writes an order's record and adds it to its account and position.
    #[inline(always)]
    fn enlist(&mut self, index: u32, new: &NewOrder, state: u8, epoch: u32) {
        let owner = &mut self.accounts[new.account];
        let next_in_account = owner.orders_head;
        owner.orders_head = index;
        owner.orders_count += 1;
        if next_in_account != 0 {
            self.orders[next_in_account].prev_in_account = index;
        }
        let order = &mut self.orders[index];
        let generation = next_generation(order.generation);
        *order = Order {
            level: 0,
            next: 0,
            prev: 0,
            account: new.account as u16,
            instrument: new.instrument,
            side_flags: new.side as u8 | state | new.flags,
            generation,
            lots: new.lots,
            reserved_lots: Lots::ZERO,
            next_in_account,
            prev_in_account: 0,
            position: new.position,
            expiry: new.expiry,
            slot: new.slot,
            client_id: new.client_id,
            ticks: new.ticks,
            batch_epoch: epoch,
        };
        let position = &mut self.positions[new.position];
        match new.side {
            Side::Bid => position.open_bid_lots.0 += new.lots.0,
            Side::Ask => position.open_ask_lots.0 += new.lots.0,
        }
    }

    /// Appends an order to the queue of a level.
    #[inline(always)]
    fn queue(&mut self, level_index: u32, index: u32) -> Result<()> {
        let order = &mut self.orders[index];
        order.level = level_index;
        order.next = 0;
        let (lots, instrument, side) = (order.lots, order.instrument, order.side());
        let level = &mut self.levels[level_index];
        level.lots = level
            .lots
            .checked_add(lots)
            .ok_or(SlabError::LevelOverflow)?;
        let head = level.head;
        let tail = if head == 0 {
            level.head = index;
            index
        } else {
            let tail = self.orders[head].prev;
            self.orders[tail].next = index;
            self.orders[head].prev = index;
            tail
        };
        self.orders[index].prev = tail;
        let instrument = &mut self.instruments[instrument as usize];
        instrument.books[side.index()].orders += 1;
        instrument.resting_lots[side.index()] += u64::from(lots.0);
        Ok(())
    }

    /// Takes `lots` off an order that stays.
    #[inline(always)]
    pub(crate) fn shrink(&mut self, index: u32, lots: Lots) {
        let order = &mut self.orders[index];
        order.lots.0 -= lots.0;
        let (level, position, side) = (order.level, order.position, order.side());
        if level != 0 {
            let instrument = order.instrument as usize;
            self.levels[level].lots.0 -= lots.0;
            self.instruments[instrument].resting_lots[side.index()] -= u64::from(lots.0);
        }
        self.close_lots(position, side, lots);
    }

    /// Takes an order out of its level or the pending queue, its account and
    /// its position's open lots, and frees it. The position stays, even when
    /// it is empty.
    #[inline(always)]
    pub(crate) fn leave(&mut self, index: u32) {
        let order = &self.orders[index];
        let (position, side, lots) = (order.position, order.side(), order.lots);
        if order.level == 0 {
            self.leave_pending(index);
        } else {
            let instrument = order.instrument as usize;
            self.unlink_from_level(index);
            let instrument = &mut self.instruments[instrument];
            instrument.books[side.index()].orders -= 1;
            instrument.resting_lots[side.index()] -= u64::from(lots.0);
        }
        self.unlink_from_account(index);
        self.orders[index].side_flags = 0;
        self.close_lots(position, side, lots);
        release(
            &mut self.header.pools[PoolId::Orders as usize],
            &mut self.orders,
            index,
        );
    }

    /// Takes an order out of the queue of those that wait for a batch.
    #[inline(never)]
    fn leave_pending(&mut self, index: u32) {
        let order = &self.orders[index];
        let (next, prev, instrument) = (order.next, order.prev, order.instrument as usize);
        if prev != 0 {
            self.orders[prev].next = next;
        }
        if next != 0 {
            self.orders[next].prev = prev;
        }
        let instrument = &mut self.instruments[instrument];
        instrument.pending_count -= 1;
        if prev == 0 {
            instrument.pending[0] = next;
        }
        if next == 0 {
            instrument.pending[1] = prev;
        }
    }

    #[inline(always)]
    fn close_lots(&mut self, position: u32, side: Side, lots: Lots) {
        let position = &mut self.positions[position];
        match side {
            Side::Bid => position.open_bid_lots.0 -= lots.0,
            Side::Ask => position.open_ask_lots.0 -= lots.0,
        }
    }

    #[inline(always)]
    fn unlink_from_level(&mut self, index: u32) {
        let order = &self.orders[index];
        let (level_index, next, prev) = (order.level, order.next, order.prev);
        let level = &mut self.levels[level_index];
        level.lots.0 -= order.lots.0;
        let head = level.head;
        if head == index && next == 0 {
            let (instrument, side) = (order.instrument, order.side());
            self.tree(instrument, side).remove(level_index);
        } else if head == index {
            level.head = next;
            self.orders[next].prev = prev;
        } else {
            self.orders[prev].next = next;
            // The tail's neighbour is the head, which remembers the tail.
            let after = if next == 0 { head } else { next };
            self.orders[after].prev = prev;
        }
    }

    #[inline(always)]
    fn unlink_from_account(&mut self, index: u32) {
        let order = &self.orders[index];
        let (next, prev) = (order.next_in_account, order.prev_in_account);
        let owner = &mut self.accounts[u32::from(order.account)];
        owner.orders_count -= 1;
        if prev == 0 {
            owner.orders_head = next;
        } else {
            self.orders[prev].next_in_account = next;
        }
        if next != 0 {
            self.orders[next].prev_in_account = prev;
        }
    }

    /// Cancels the youngest order of the worst level, if that level is worse
    /// than the order that needs the room.
    #[cold]
    #[inline(never)]
    fn evict(&mut self, new: &NewOrder, full: SlabError, evicted: &mut Evictions) -> Result<()> {
        let worst = self.tree(new.instrument, new.side).worst();
        if worst == 0 || evicted.count == EVICTIONS_MAX {
            return Err(full);
        }
        let level = &self.levels[worst];
        let further = match new.side {
            Side::Bid => level.ticks < new.ticks,
            Side::Ask => level.ticks > new.ticks,
        };
        let victim = self.orders[level.head].prev;
        let order = self.orders[victim];
        if !further || order.reserved_lots.0 != 0 {
            return Err(full);
        }
        self.leave(victim);
        if order.position != new.position {
            self.drop_position_if_empty(order.position);
        }
        evicted.orders[evicted.count] =
            order.cancelled(victim, order.lots.0, cancel_reason::EVICTED);
        evicted.count += 1;
        Ok(())
    }
}

impl Order {
    /// The event of this order, at `index`, losing `lots` without a trade.
    #[inline(always)]
    pub(crate) fn cancelled(&self, index: u32, lots: u32, reason: u8) -> OrderCancelled {
        OrderCancelled {
            tag: OrderCancelled::TAG,
            seq: 0,
            instrument: self.instrument,
            side: self.side() as u8,
            account: self.account,
            order: index,
            generation: self.generation,
            lots,
            reason,
        }
    }
}
