//! A book as sorted maps of queues, its band and its mark.

use super::Handle;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_units::Side;
use std::collections::{BTreeMap, VecDeque};

/// A resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    pub handle: Handle,
    pub account: u32,
    pub lots: u32,
    pub expiry: u32,
    pub slot: u32,
}

impl Resting {
    pub fn is_expired(&self, slot: u32) -> bool {
        self.expiry != 0 && self.expiry < slot
    }
}

/// One side of a book: price to queue, oldest first.
pub type Ladder = BTreeMap<u32, VecDeque<Resting>>;

/// One instrument.
#[derive(Clone, Debug)]
pub struct Market {
    pub params: InstrumentParams,
    pub mark: u32,
    pub mark_slot: u32,
    pub sides: [Ladder; 2],
}

impl Market {
    pub fn best(&self, side: Side) -> Option<u32> {
        let ladder = &self.sides[side.index()];
        match side {
            Side::Bid => ladder.keys().next_back().copied(),
            Side::Ask => ladder.keys().next().copied(),
        }
    }

    pub fn worst(&self, side: Side) -> Option<u32> {
        let ladder = &self.sides[side.index()];
        match side {
            Side::Bid => ladder.keys().next().copied(),
            Side::Ask => ladder.keys().next_back().copied(),
        }
    }

    /// Takes the order out of its queue, and the queue out when it is empty.
    pub fn remove(&mut self, side: Side, ticks: u32, at: usize) -> Resting {
        let ladder = &mut self.sides[side.index()];
        let queue = ladder.get_mut(&ticks).unwrap();
        let order = queue.remove(at).unwrap();
        if queue.is_empty() {
            ladder.remove(&ticks);
        }
        order
    }

    pub fn band(&self) -> (u32, u32) {
        let mark = i128::from(self.mark);
        let width = mark * i128::from(self.params.band.0) / 1_000_000;
        let high = (mark + width).min(i128::from(self.params.price_max.0));
        ((mark - width).max(1) as u32, high as u32)
    }

    /// A best price counts for the mark when enough lots rest there and the
    /// oldest order is old enough and still at risk.
    pub fn counting_best(&self, side: Side, slot: u32) -> Option<i128> {
        let best = self.best(side)?;
        let queue = &self.sides[side.index()][&best];
        let lots: u64 = queue.iter().map(|order| u64::from(order.lots)).sum();
        let oldest = queue.front()?;
        let counts = lots >= u64::from(self.params.mark_lots_min.0)
            && slot.saturating_sub(oldest.slot) >= self.params.mark_age.0
            && !oldest.is_expired(slot);
        counts.then_some(i128::from(best))
    }

    pub fn move_mark(&mut self, slot: u32) {
        if slot <= self.mark_slot {
            return;
        }
        let elapsed = i128::from(slot - self.mark_slot);
        self.mark_slot = slot;
        let bid = self.counting_best(Side::Bid, slot);
        let ask = self.counting_best(Side::Ask, slot);
        if let (Some(bid), Some(ask)) = (bid, ask) {
            let (mark, step) = (
                i128::from(self.mark),
                elapsed * i128::from(self.params.mark_move_max.0),
            );
            let middle = ((bid + ask) / 2).max(mark - step).min(mark + step);
            self.mark = middle.clamp(1, i128::from(self.params.price_max.0)) as u32;
        }
    }
}
