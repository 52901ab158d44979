//! Orders at a level: rest, leave, evict.
//!
//! A level queues its orders oldest first. The head's `prev` is the tail, so a
//! level needs one link to reach both ends; the tail's `next` is 0.

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
        let level = loop {
            match self
                .tree(new.instrument, new.side)
                .find_or_insert(new.instrument, new.ticks)
            {
                Some(level) => break level,
                None => self.evict(new, SlabError::LevelsFull, evicted)?,
            }
        };
        let pool = &mut self.header.pools[PoolId::Orders as usize];
        let index = allocate(pool, &mut self.orders).ok_or(SlabError::OrdersFull)?;
        self.append(level, index, new)?;
        Ok(index)
    }

    #[inline(always)]
    fn append(&mut self, level_index: u32, index: u32, new: &NewOrder) -> Result<()> {
        let level = &mut self.levels[level_index];
        level.lots = level
            .lots
            .checked_add(new.lots)
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
            level: level_index,
            next: 0,
            prev: tail,
            account: new.account as u16,
            instrument: new.instrument,
            side_flags: new.side as u8 | order_flags::LIVE,
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
            batch_epoch: 0,
        };
        let position = &mut self.positions[new.position];
        match new.side {
            Side::Bid => position.open_bid_lots.0 += new.lots.0,
            Side::Ask => position.open_ask_lots.0 += new.lots.0,
        }
        self.instruments[new.instrument as usize].books[new.side.index()].orders += 1;
        Ok(())
    }

    /// Takes `lots` off a resting order that keeps resting.
    #[inline(always)]
    pub(crate) fn shrink(&mut self, index: u32, lots: Lots) {
        let order = &mut self.orders[index];
        order.lots.0 -= lots.0;
        let (level, position, side) = (order.level, order.position, order.side());
        self.levels[level].lots.0 -= lots.0;
        self.close_lots(position, side, lots);
    }

    /// Takes a resting order out of its level, its account and its position's
    /// open lots, and frees it. The position stays, even when it is empty.
    #[inline(always)]
    pub(crate) fn leave(&mut self, index: u32) {
        self.unlink_from_level(index);
        self.unlink_from_account(index);
        let order = &mut self.orders[index];
        let (position, side, lots) = (order.position, order.side(), order.lots);
        let instrument = order.instrument as usize;
        order.side_flags = 0;
        self.close_lots(position, side, lots);
        self.instruments[instrument].books[side.index()].orders -= 1;
        release(
            &mut self.header.pools[PoolId::Orders as usize],
            &mut self.orders,
            index,
        );
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
        evicted.orders[evicted.count] = OrderCancelled {
            tag: OrderCancelled::TAG,
            seq: 0,
            instrument: order.instrument,
            side: order.side() as u8,
            account: order.account,
            order: victim,
            generation: order.generation,
            lots: order.lots.0,
            reason: cancel_reason::EVICTED,
        };
        evicted.count += 1;
        Ok(())
    }
}
