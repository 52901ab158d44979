//! Batches: pending orders, promotion and freeze.
//!
//! Time is cut into windows of `batch_slots` slots, numbered so that a number
//! never comes again, even when that length changes. A window's batch of an
//! instrument is opened once, by anyone; its number is the instrument's epoch.
//! Where the rule is on, orders of accounts that are no designated liquidity
//! providers wait for the next window's batch before they rest, so that nobody
//! can step in front of an order that is on its way (properties S4, S7, M2, M7,
//! R9).
//!
//! Opening a batch promotes the orders that waited, oldest first, some per
//! call; calling again goes on. An order that would cross by then rests one
//! tick short of that.
//!
//! A batch may freeze the best levels of both sides for some slots: whoever
//! wants to post among them, designated or not, waits for the next batch as
//! well (M8).

use crate::book::{EVICTIONS_MAX, Evictions, NewOrder};
use crate::layout::{Order, switches};
use crate::matching::crosses;
use crate::{Result, Slab, SlabError};
use bytemuck::Zeroable;
use flagstone_interface::event::{BatchOpened, OrderCancelled, OrderPromoted, cancel_reason};
use flagstone_interface::slab::account_flags;
use flagstone_units::{Side, Slot, Ticks};

/// Pending orders that one call deals with.
pub const PROMOTIONS_MAX: usize = 16;

/// What opening a batch, or going on with it, did.
///
/// An order that comes to rest may evict one that came to rest just before, so
/// the order of these events matters: until the caller sets them, sequence
/// numbers say in which order things happened, from 1 for what followed the
/// opening ([`Batch::number`]).
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// The batch.
    pub opened: BatchOpened,
    /// Orders that made room.
    pub evicted: Evictions,
    /// Entries of `promoted` in use.
    pub promoted_count: usize,
    /// Orders that came to rest.
    pub promoted: [OrderPromoted; PROMOTIONS_MAX],
    /// Entries of `cancelled` in use.
    pub cancelled_count: usize,
    /// Orders that could not rest.
    pub cancelled: [OrderCancelled; PROMOTIONS_MAX],
}

impl Batch {
    /// Orders that left or came to rest.
    pub fn steps(&self) -> usize {
        self.evicted.count + self.promoted_count + self.cancelled_count
    }

    /// Gives all events their sequence numbers, in the order in which things
    /// happened; `opened` is the opening's.
    pub fn number(&mut self, opened: u64) {
        self.opened.seq = opened;
        for event in &mut self.evicted.orders[..self.evicted.count] {
            event.seq += opened;
        }
        for event in &mut self.promoted[..self.promoted_count] {
            event.seq += opened;
        }
        for event in &mut self.cancelled[..self.cancelled_count] {
            event.seq += opened;
        }
    }

    /// Sequence number of the next event, before [`Batch::number`].
    fn next(&self) -> u64 {
        self.steps() as u64 + 1
    }
}

impl Slab<'_> {
    /// First batch that a new order has to wait for; 0 when it may rest at once.
    #[inline(always)]
    pub(crate) fn epoch_to_wait_for(&self, order: &NewOrder) -> u32 {
        if self.header.batch_slots == 0 {
            0
        } else {
            self.next_epoch_if_waiting(order)
        }
    }

    #[inline(never)]
    fn next_epoch_if_waiting(&self, order: &NewOrder) -> u32 {
        let instrument = &self.instruments[order.instrument as usize];
        let designated = self.accounts[order.account].flags & account_flags::DLP != 0;
        let frozen = instrument.freeze_ticks[order.side.index()];
        let inside = order.slot <= instrument.freeze_until
            && frozen.0 != 0
            && crosses(order.side.contra(), frozen, order.ticks);
        if inside || !designated && instrument.has(switches::PENDING) {
            let window = self.header.batch_window(order.slot).unwrap_or(0);
            window.saturating_add(1)
        } else {
            0
        }
    }

    /// Opens the batch of this window, or goes on promoting; anyone may ask.
    ///
    /// # Errors
    /// [`SlabError::NoInstrument`]; [`SlabError::BatchOpen`] when the window's
    /// batch is open and nothing waits for it, or the slab runs no batches.
    pub fn batch_open(&mut self, number: u8, most: usize, slot: Slot) -> Result<Batch> {
        self.instrument(number)?;
        let window = self.header.batch_window(slot).ok_or(SlabError::BatchOpen)?;
        let instrument = &mut self.instruments[number as usize];
        if window > instrument.batch_epoch {
            instrument.batch_epoch = window;
            instrument.batch_slot = slot;
        } else if !self.is_due(self.instruments[number as usize].pending[0], window) {
            return Err(SlabError::BatchOpen);
        }
        self.touch_mark(number, slot);
        let mut batch = Batch {
            opened: BatchOpened::zeroed(),
            evicted: Evictions::none(),
            promoted_count: 0,
            promoted: [OrderPromoted::zeroed(); PROMOTIONS_MAX],
            cancelled_count: 0,
            cancelled: [OrderCancelled::zeroed(); PROMOTIONS_MAX],
        };
        for _ in 0..most.min(PROMOTIONS_MAX) {
            let index = self.instruments[number as usize].pending[0];
            if !self.is_due(index, window) || !self.promote_next(index, slot, &mut batch) {
                break;
            }
        }
        self.freeze(number);
        let instrument = &self.instruments[number as usize];
        batch.opened = BatchOpened {
            tag: BatchOpened::TAG,
            seq: 0,
            instrument: number,
            batch_epoch: instrument.batch_epoch,
            pending_count: instrument.pending_count,
        };
        Ok(batch)
    }

    fn is_due(&self, index: u32, window: u32) -> bool {
        index != 0 && self.orders[index].batch_epoch <= window
    }

    /// Lets one pending order rest, or cancels it; `false` when the call has to
    /// stop because it has evicted as many orders as it may.
    #[inline(never)]
    fn promote_next(&mut self, index: u32, slot: Slot, batch: &mut Batch) -> bool {
        let order = self.orders[index];
        let reason = match self.resting_price(&order, slot) {
            Err(reason) => reason,
            Ok(ticks) => {
                let new = NewOrder {
                    account: order.account.into(),
                    position: order.position,
                    instrument: order.instrument,
                    side: order.side(),
                    ticks,
                    lots: order.lots,
                    expiry: order.expiry,
                    slot,
                    client_id: order.client_id,
                    flags: 0,
                };
                let (before, first) = (batch.evicted.count, batch.next());
                let rests = self.promote(index, &new, &mut batch.evicted).is_ok();
                let evicted = &mut batch.evicted.orders[before..batch.evicted.count];
                for (event, seq) in evicted.iter_mut().zip(first..) {
                    event.seq = seq;
                }
                if rests {
                    batch.promoted[batch.promoted_count] = OrderPromoted {
                        tag: OrderPromoted::TAG,
                        seq: batch.next(),
                        order: index,
                        generation: order.generation,
                        ticks: ticks.0,
                    };
                    batch.promoted_count += 1;
                    return true;
                }
                if batch.evicted.count == EVICTIONS_MAX {
                    return false;
                }
                cancel_reason::NO_ROOM
            }
        };
        if let Some(mut event) = self.withdraw_next(index, reason) {
            event.seq = batch.next();
            batch.cancelled[batch.cancelled_count] = event;
            batch.cancelled_count += 1;
        }
        true
    }

    /// Where a pending order may rest now, or why it may not.
    fn resting_price(&self, order: &Order, slot: Slot) -> core::result::Result<Ticks, u8> {
        if order.is_expired(slot) {
            return Err(cancel_reason::EXPIRED);
        }
        let instrument = &self.instruments[order.instrument as usize];
        let best = instrument.books[order.side().contra().index()].best;
        let mut ticks = order.ticks;
        if best != 0 {
            let best = self.levels[best].ticks;
            if crosses(order.side(), ticks, best) {
                ticks = match order.side() {
                    Side::Bid => Ticks(best.0 - 1),
                    Side::Ask => Ticks(best.0.saturating_add(1)),
                };
            }
        }
        if ticks.0 > 0 && instrument.price_band().contains(ticks) {
            Ok(ticks)
        } else {
            Err(cancel_reason::OUTSIDE_BAND)
        }
    }

    /// Freezes the best levels of both sides, as they are now, until the end
    /// of the batch's freeze.
    #[inline(never)]
    fn freeze(&mut self, number: u8) {
        let instrument = &self.instruments[number as usize];
        let rules = instrument.rules;
        let until = Slot(instrument.batch_slot.0.saturating_add(rules.freeze_slots.0));
        let mut ticks = [Ticks::ZERO; 2];
        if rules.freeze_levels > 0 {
            for (frozen, book) in ticks.iter_mut().zip(&instrument.books) {
                let mut level = book.best;
                for _ in 0..rules.freeze_levels {
                    if level == 0 {
                        break;
                    }
                    *frozen = self.levels[level].ticks;
                    level = self.levels[level].next;
                }
            }
        }
        let instrument = &mut self.instruments[number as usize];
        instrument.freeze_until = until;
        instrument.freeze_ticks = ticks;
    }
}
