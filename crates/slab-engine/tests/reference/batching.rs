//! Orders that wait for a batch, and the batch that lets them rest.

use super::{Checked, Handle, Reference, Resting, Terms, reaches};
use flagstone_interface::event::cancel_reason;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::matching::SelfTrade;
use flagstone_units::Side;

/// An order that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub side: Side,
    pub ticks: u32,
    /// Its batch is the first in which it may rest.
    pub order: Resting,
}

/// The batch that is open, and what it froze.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub window: u32,
    pub slot: u32,
    pub freeze_until: u32,
    /// Worst frozen price of each side.
    pub frozen: [Option<u32>; 2],
}

/// What a call did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    pub promoted: Vec<(Handle, u32)>,
    /// With lots and reason.
    pub cancelled: Vec<(Handle, u32, u8)>,
    pub evicted: Vec<(Handle, u32)>,
    pub left: usize,
}

impl Reference {
    /// The batch that a new order at `terms.limit` waits for, if any.
    pub(super) fn waits_for(&self, terms: &Terms, slot: u32) -> Option<u32> {
        let length = self.limits.batch_slots;
        if length == 0 {
            return None;
        }
        let market = &self.markets[terms.market];
        let designated = self.person(terms.account).designated;
        let waits = market.has_switch(super::PENDING) && !designated;
        let frozen = market.batch.frozen[terms.side.index()];
        let among = frozen.is_some_and(|worst| match terms.side {
            Side::Bid => terms.limit >= worst,
            Side::Ask => terms.limit <= worst,
        });
        let inside = among && slot <= market.batch.freeze_until;
        (waits || inside).then_some(slot / length + 1)
    }

    /// Opens the window's batch or goes on with it, for `most` orders.
    pub fn batch_open(&mut self, number: u8, most: usize, slot: u32) -> Checked<Opened> {
        self.attempt(number, |model| {
            model.batch_open_inner(usize::from(number), most, slot)
        })
    }

    fn batch_open_inner(&mut self, number: usize, most: usize, slot: u32) -> Checked<Opened> {
        if self.limits.batch_slots == 0 {
            return Err(SlabError::BatchOpen);
        }
        let window = slot / self.limits.batch_slots;
        let market = &mut self.markets[number];
        let due = |market: &super::Market| {
            let first = market.pending.front();
            first.is_some_and(|waiting| waiting.order.batch <= window)
        };
        if window > market.batch.window {
            (market.batch.window, market.batch.slot) = (window, slot);
        } else if !due(market) {
            return Err(SlabError::BatchOpen);
        }
        self.move_mark(number, slot);
        let mut opened = Opened::default();
        for _ in 0..most.min(16) {
            if !due(&self.markets[number]) || !self.promote(number, slot, &mut opened) {
                break;
            }
        }
        let market = &mut self.markets[number];
        opened.left = market.pending.len();
        market.batch.freeze_until = market.batch.slot + market.params.rules.freeze_slots.0;
        let levels = market.params.rules.freeze_levels as usize;
        let [bids, asks] = &market.sides;
        market.batch.frozen = [
            bids.keys().rev().take(levels).min().copied(),
            asks.keys().take(levels).max().copied(),
        ];
        Ok(opened)
    }

    /// Deals with the oldest order that waits; whether the call may go on.
    fn promote(&mut self, number: usize, slot: u32, opened: &mut Opened) -> bool {
        let market = &self.markets[number];
        let waiting = market.pending[0];
        let (side, mut order) = (waiting.side, waiting.order);
        let mut terms = Terms {
            account: order.account,
            market: number,
            side,
            limit: waiting.ticks,
            lots: order.lots,
            self_trade: SelfTrade::CancelResting,
        };
        let best = market.best(side.contra());
        if let Some(best) = best.filter(|best| reaches(&terms, *best)) {
            terms.limit = if side == Side::Bid {
                best - 1
            } else {
                best + 1
            };
        }
        let (low, high) = market.band();
        let mut refused = None;
        if order.is_expired(slot) {
            refused = Some(cancel_reason::EXPIRED);
        } else if terms.limit < low || terms.limit > high {
            refused = Some(cancel_reason::OUTSIDE_BAND);
        } else if self.room_for_level(&terms, &mut opened.evicted).is_err() {
            if opened.evicted.len() == 4 {
                return false;
            }
            refused = Some(cancel_reason::NO_ROOM);
        }
        let market = &mut self.markets[number];
        market.pending.pop_front();
        if let Some(reason) = refused {
            opened.cancelled.push((order.handle, order.lots, reason));
            return true;
        }
        order.slot = slot;
        order.batch -= 1;
        let ladder = &mut market.sides[side.index()];
        ladder.entry(terms.limit).or_default().push_back(order);
        opened.promoted.push((order.handle, terms.limit));
        true
    }
}
