//! A book as sorted maps of queues, its band and its mark.

use super::batching::{Batch, Waiting};
use super::funding::Funding;
use super::{Handle, Reference};
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
    /// Cancelled while holds had captured all that is left of it.
    pub closing: bool,
    pub reduce_only: bool,
    /// Batch that it waits for, or that was open when it was posted.
    pub batch: u32,
    /// Grows with every order that is posted.
    pub serial: u64,
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
    /// When both sides last had a price.
    pub mark_moved: u32,
    pub sides: [Ladder; 2],
    /// Oldest first.
    pub pending: VecDeque<Waiting>,
    pub batch: Batch,
    pub funding: Funding,
    /// Slot in which the oracle last spoke.
    pub index_slot: u32,
    /// Mean premium of the book over the oracle's price, in 65,536ths of a tick.
    pub premium: i128,
    /// Positions may only be reduced.
    pub reduce_only: bool,
}

impl Market {
    /// A market in which nothing has happened yet.
    pub fn new(params: InstrumentParams, slot: u32) -> Self {
        Self {
            params,
            mark: params.mark.0,
            mark_slot: slot,
            mark_moved: slot,
            sides: Default::default(),
            pending: VecDeque::new(),
            batch: Batch::default(),
            funding: Funding {
                start: slot,
                index: if params.oracle_scale == 0 {
                    0
                } else {
                    params.mark.0.into()
                },
                ..Funding::default()
            },
            index_slot: slot,
            premium: 0,
            reduce_only: false,
        }
    }

    pub fn has_switch(&self, switch: u32) -> bool {
        self.params.rules.switches & switch != 0
    }

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

    /// Side, price and place in the queue of an order.
    pub fn find(&self, handle: Handle) -> Option<(Side, u32, usize)> {
        let sides = [Side::Bid, Side::Ask].into_iter();
        let mut queues = sides.flat_map(|side| {
            let ladder = self.sides[side.index()].iter();
            ladder.map(move |(ticks, queue)| (side, *ticks, queue))
        });
        queues.find_map(|(side, ticks, queue)| {
            let at = queue.iter().position(|order| order.handle == handle)?;
            Some((side, ticks, at))
        })
    }

    pub fn order(&mut self, side: Side, ticks: u32, at: usize) -> &mut Resting {
        &mut self.sides[side.index()].get_mut(&ticks).unwrap()[at]
    }

    /// Price and order, in the order in which a taker of `side` with this
    /// limit meets them.
    pub fn in_order(&self, side: Side, limit: u32) -> Vec<(u32, Resting)> {
        let ladder = &self.sides[side.contra().index()];
        let queue = |(ticks, queue): (&u32, &VecDeque<Resting>)| {
            let ticks = *ticks;
            let orders: Vec<_> = queue.iter().map(|order| (ticks, *order)).collect();
            orders
        };
        match side {
            Side::Bid => ladder.range(..=limit).flat_map(queue).collect(),
            Side::Ask => ladder.range(limit..).rev().flat_map(queue).collect(),
        }
    }

    /// The limit of a taker, which never trades beyond the band.
    pub fn within_band(&self, side: Side, limit: u32) -> u32 {
        match side {
            Side::Bid => limit.min(self.band().1),
            Side::Ask => limit.max(self.band().0),
        }
    }

    pub fn band(&self) -> (u32, u32) {
        let mark = i128::from(self.mark);
        let width = mark * i128::from(self.params.band.0) / 1_000_000;
        let high = (mark + width).min(i128::from(self.params.price_max.0));
        ((mark - width).max(1) as u32, high as u32)
    }
}

impl Reference {
    /// Price at which a side holds enough lots for the mark: of its first 16
    /// orders, the old ones' that anybody could take now.
    fn price_at_risk(&self, market: usize, side: Side, slot: u32) -> Option<u32> {
        let market = &self.markets[market];
        let everything = match side {
            Side::Bid => 0,
            Side::Ask => u32::MAX,
        };
        let mut sum = 0;
        for (ticks, order) in market.in_order(side.contra(), everything).iter().take(16) {
            let old =
                i64::from(slot) - i64::from(order.slot) >= i64::from(market.params.mark_age.0);
            if old && !order.is_expired(slot) && !order.closing {
                // With an oracle the book says little, and reserved lots count.
                let reserved = match market.params.oracle_scale {
                    0 => self.reserved(order.handle),
                    _ => 0,
                };
                sum += u64::from(order.lots - reserved);
            }
            if sum > 0 && sum >= u64::from(market.params.mark_lots_min.0) {
                return Some(*ticks);
            }
        }
        None
    }

    /// Moves the mark towards the middle of the book, once per slot.
    pub(super) fn move_mark(&mut self, market: usize, slot: u32) {
        if slot <= self.markets[market].mark_slot {
            return;
        }
        self.accrue(market, slot);
        let [bid, ask] = [Side::Bid, Side::Ask].map(|side| self.price_at_risk(market, side, slot));
        let middle = bid.zip(ask);
        let middle = middle.map(|(bid, ask)| (i128::from(bid) + i128::from(ask)) / 2);
        let market = &mut self.markets[market];
        let weight = i128::from(slot - market.mark_slot).min(25);
        market.mark_slot = slot;
        let target = match (market.params.oracle_scale, middle) {
            (0, None) => return,
            (0, Some(middle)) => middle,
            (_, middle) => market.index_and_premium(middle, weight),
        };
        let slots = i128::from(slot - market.mark_moved).min(25);
        market.mark_moved = slot;
        let (mark, step) = (
            i128::from(market.mark),
            slots * i128::from(market.params.mark_move_max.0),
        );
        let moved = target.max(mark - step).min(mark + step);
        market.mark = moved.clamp(1, i128::from(market.params.price_max.0)) as u32;
    }
}

impl Market {
    /// Where an oracle's mark is going, once a premium that stood for `weight`
    /// slots, if the book showed any, has been averaged in.
    fn index_and_premium(&mut self, middle: Option<i128>, weight: i128) -> i128 {
        let rules = &self.params.rules;
        let bound = self.funding.index * i128::from(rules.premium_max.0) / 1_000_000;
        if let Some(middle) = middle {
            let premium = middle - self.funding.index;
            self.funding.premium.0 += premium * weight;
            self.funding.premium.1 += weight;
            let slots = i128::from(rules.premium_slots.0);
            if slots > 0 {
                let gap = premium.clamp(-bound, bound) * 65_536 - self.premium;
                let part = gap.abs() * weight.min(slots);
                // Never short of the goal.
                self.premium += gap.signum() * ((part + slots - 1) / slots);
            }
        }
        let whole = (self.premium + 32_768).div_euclid(65_536);
        self.funding.index + whole.clamp(-bound, bound)
    }
}
