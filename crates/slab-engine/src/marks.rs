//! The mark: the price that margin is measured at, and how long it is good.
//!
//! An instrument either has an oracle or is marked by its own book.
//!
//! **The book's middle.** Once per slot at most, on the first touch, the book
//! is looked at. Of the first [`MARK_ORDERS_MAX`] orders of a side, what counts
//! are the lots of orders that have rested for `mark_age` slots, are unexpired
//! and not being cancelled. The side's price is the level at which they add up
//! to `mark_lots_min`; without one on both sides there is no middle. Lots that
//! a hold has reserved count with an oracle (rule T3), where the middle says
//! little; without one they do not, or reserving one's own quotes would move
//! the mark for free (`docs/decisions/0006`).
//!
//! **With an oracle** ([`crate::oracle`]) its price is the *index*. The mark
//! moves towards `index + premium`, where the premium is the book's middle less
//! the index, averaged over `premium_slots` slots and never more than
//! `premium_max` of the index. A price is good until `oracle_age_max` slots
//! after it was posted; then the mark is *stale* and stands still until the
//! next price (rule T1).
//!
//! **Without one** the mark moves towards the middle itself, and is never stale.
//!
//! Either way it moves by at most `mark_move_max` ticks per slot since it could
//! last move, and by [`MARK_STEP_SLOTS_MAX`] times that at once. While it
//! catches up with a jump of the index it may therefore lie further from it
//! than `premium_max`, which bounds where it is going.

use crate::layout::{Instrument, order_flags};
use crate::oracle::OraclePrice;
use crate::{Result, Slab, SlabError};
use flagstone_interface::event::MarkUpdated;
use flagstone_interface::key_eq;
use flagstone_units::{Side, Slot, Ticks, mul_ppm_floor, notional_atoms, share_floor};

/// Orders of one side that a look at the book for the mark visits.
pub const MARK_ORDERS_MAX: u32 = 16;

/// Slots without a price, at most, for which the mark may catch up at once,
/// and for which one look at the book counts.
pub const MARK_STEP_SLOTS_MAX: Slot = Slot(25);

/// Seconds by which a price may be published ahead of the cluster's clock,
/// which may run behind. Without a bound, one price from the far future would
/// bar every later one.
pub const PUBLISH_AHEAD_SECONDS_MAX: i64 = 3_600;

/// Bits after the point of [`Instrument::premium_average`].
const PREMIUM_BITS: u32 = 16;

impl Instrument {
    /// Whether the mark is fresh in `slot`: the book's always, an oracle's
    /// until its price is too old.
    #[inline(always)]
    pub const fn is_fresh(&self, slot: Slot) -> bool {
        slot.0 <= self.fresh_until.0
    }

    /// Moves the mark towards `target`, as far as the slots since it last
    /// could move allow.
    #[inline(always)]
    fn step_mark(&mut self, target: Ticks, slot: Slot) {
        let elapsed = slot.saturating_sub(self.mark_moved);
        self.mark_moved = slot;
        let slots = elapsed.min(MARK_STEP_SLOTS_MAX);
        let step = u64::from(self.mark_move_max.0).wrapping_mul(u64::from(slots.0));
        let step = step.min(u64::from(u32::MAX)) as u32;
        let low = self.mark.0.saturating_sub(step).max(1);
        let high = self.mark.0.saturating_add(step).min(self.price_max.0);
        self.mark = Ticks(target.0.clamp(low, high));
    }

    /// Furthest that the mark is to lie from the index, in ticks.
    fn premium_bound(&self) -> i64 {
        mul_ppm_floor(u64::from(self.index.0), self.rules.premium_max.0) as i64
    }

    /// Moves the average of the premium towards one that stood for `weight` slots.
    ///
    /// What is averaged is bounded as the average is: a book that was far off
    /// for a while does not keep the mark at the bound for longer than that.
    fn average_premium(&mut self, premium: i64, weight: Slot) {
        let slots = self.rules.premium_slots;
        if slots.0 == 0 {
            self.premium_average = 0;
            return;
        }
        let bound = self.premium_bound();
        let goal = premium.clamp(-bound, bound) << PREMIUM_BITS;
        let gap = goal - self.premium_average;
        // Rounded towards the goal, from both sides, so that it is reached.
        let part = weight.min(slots).0;
        self.premium_average += if gap < 0 {
            share_floor(gap, part, slots.0)
        } else {
            -share_floor(-gap, part, slots.0)
        };
    }

    /// Where the mark is going: the index and its bounded premium.
    fn mark_target(&self) -> Ticks {
        let bound = self.premium_bound();
        let half = 1 << (PREMIUM_BITS - 1);
        let premium = (self.premium_average + half) >> PREMIUM_BITS;
        let target = i64::from(self.index.0) + premium.clamp(-bound, bound);
        Ticks(target.clamp(1, i64::from(self.price_max.0)) as u32)
    }

    /// Checks that a price is newer than the last, recent and certain; returns
    /// it in ticks, with the slot in which it was posted.
    fn accept(&self, price: &OraclePrice, slot: Slot, unix_time: i64) -> Result<(Ticks, Slot)> {
        if !self.has_oracle() || !key_eq(&price.feed, &self.oracle_feed) {
            return Err(SlabError::WrongOracle);
        }
        let slots = self.rules.oracle_age_max;
        // A slot is 400 ms; at most 10,000 of them.
        let seconds = (u64::from(slots.0) * 2).div_ceil(5) as i64;
        let posted = u32::try_from(price.posted_slot).map_or(Slot(u32::MAX), Slot);
        let recent = posted <= slot
            && posted > self.index_slot
            && slot.saturating_sub(posted) <= slots
            && price.publish_time > self.index_time
            && unix_time.saturating_sub(price.publish_time) <= seconds
            && price.publish_time.saturating_sub(unix_time) <= PUBLISH_AHEAD_SECONDS_MAX;
        if !recent || !price.is_certain(self.rules.oracle_confidence_max) {
            return Err(SlabError::BadOraclePrice);
        }
        Ok((price.ticks(self.oracle_scale, self.price_max)?, posted))
    }

    /// The most that one lot of a position can have lost since its mark went
    /// stale, in ticks: the way that the mark could have gone.
    pub(crate) fn stale_move(&self, is_long: bool, slot: Slot) -> Ticks {
        let slots = slot.saturating_sub(self.fresh_until);
        let moved = u64::from(self.mark_move_max.0).wrapping_mul(u64::from(slots.0));
        // A price is at least one tick and at most the largest.
        let room = if is_long {
            self.mark.0.saturating_sub(1)
        } else {
            self.price_max.0.saturating_sub(self.mark.0)
        };
        Ticks(moved.min(u64::from(room)) as u32)
    }
}

impl Slab<'_> {
    /// Moves the mark, once per slot.
    #[inline(always)]
    pub fn touch_mark(&mut self, number: u8, slot: Slot) {
        if self.instruments[number as usize].mark_slot < slot {
            self.accrue_funding(number, slot);
            self.move_mark(number, slot);
        }
    }

    /// Whether an instrument's mark is fresh in `slot`.
    #[inline(always)]
    pub fn mark_is_fresh(&self, number: u8, slot: Slot) -> bool {
        self.instruments[number as usize].is_fresh(slot)
    }

    /// Takes the oracle's price as the index and moves the mark.
    ///
    /// The price has to be posted in a later slot and published at a later
    /// time than the last one, and neither longer ago than `oracle_age_max`
    /// slots, by the cluster's clock in slots and in unix seconds. Anybody may
    /// bring it; the caller has checked the account that it comes from.
    ///
    /// # Errors
    /// [`SlabError::NoInstrument`]; [`SlabError::WrongOracle`] for an
    /// instrument without an oracle and for another feed;
    /// [`SlabError::BadOraclePrice`] for a price that is old, not newer than
    /// the last, uncertain or out of range. An error changes nothing.
    pub fn update_mark(
        &mut self,
        number: u8,
        price: &OraclePrice,
        slot: Slot,
        unix_time: i64,
    ) -> Result<MarkUpdated> {
        let (index, posted) = self.instrument(number)?.accept(price, slot, unix_time)?;
        // At the index that was in force until now.
        self.accrue_funding(number, slot);
        let instrument = &mut self.instruments[number as usize];
        instrument.index = index;
        instrument.index_slot = posted;
        instrument.index_time = price.publish_time;
        // Below the mark of a book, which is fresh for ever.
        let until = posted.0.saturating_add(instrument.rules.oracle_age_max.0);
        instrument.fresh_until = Slot(until.min(u32::MAX - 1));
        // The first touch of a slot looks at the book as well; a later one
        // only lets the mark follow the index.
        if instrument.mark_slot < slot {
            self.move_mark(number, slot);
        } else {
            let target = instrument.mark_target();
            instrument.step_mark(target, slot);
        }
        Ok(MarkUpdated {
            tag: MarkUpdated::TAG,
            seq: 0,
            instrument: number,
            index_ticks: index.0,
            mark_ticks: self.instruments[number as usize].mark.0,
        })
    }

    /// The first touch of a slot.
    #[inline(never)]
    fn move_mark(&mut self, number: u8, slot: Slot) {
        let instrument = &mut self.instruments[number as usize];
        let weight = slot.saturating_sub(instrument.mark_slot);
        instrument.mark_slot = slot;
        if !instrument.has_oracle() {
            if let Some(middle) = self.middle(number, slot) {
                self.instruments[number as usize].step_mark(middle, slot);
            }
            return;
        }
        // Without an index there is nothing to go to, and a stale mark stands.
        if instrument.index.0 == 0 || !instrument.is_fresh(slot) {
            return;
        }
        if let Some(middle) = self.middle(number, slot) {
            let instrument = &mut self.instruments[number as usize];
            let premium = i64::from(middle.0) - i64::from(instrument.index.0);
            let weight = weight.min(MARK_STEP_SLOTS_MAX);
            instrument.average_premium(premium, weight);
            self.sample_premium(number, premium, weight);
        }
        let instrument = &mut self.instruments[number as usize];
        let target = instrument.mark_target();
        instrument.step_mark(target, slot);
    }

    /// Counts a premium, in ticks, for `weight` slots of the funding interval
    /// (rule T8).
    fn sample_premium(&mut self, number: u8, premium: i64, weight: Slot) {
        let instrument = &mut self.instruments[number as usize];
        // Below 2^32 * 2^32 in the longest sum; intervals end far earlier.
        let sum = premium
            .checked_mul(i64::from(weight.0))
            .and_then(|weighed| instrument.premium_sum.checked_add(weighed));
        let total = instrument.premium_weight.checked_add(weight.0);
        if let (Some(sum), Some(total)) = (sum, total) {
            instrument.premium_sum = sum;
            instrument.premium_weight = total;
        }
    }

    /// Middle of the book, where both sides have a price.
    fn middle(&self, number: u8, slot: Slot) -> Option<Ticks> {
        let instrument = &self.instruments[number as usize];
        let bid = self.aged_price(instrument, Side::Bid, slot)?;
        let ask = self.aged_price(instrument, Side::Ask, slot)?;
        // Resting orders never cross; a middle exists for any two prices.
        Some(Ticks(bid.0 / 2 + ask.0 / 2 + (bid.0 & ask.0 & 1)))
    }

    /// Level at which the old lots of a side add up to what the mark needs.
    fn aged_price(&self, instrument: &Instrument, side: Side, slot: Slot) -> Option<Ticks> {
        // Nothing is no price, even where the least quantity is zero.
        let mut missing = instrument.mark_lots_min.0.max(1);
        let mut room = MARK_ORDERS_MAX;
        let mut level = instrument.books[side.index()].best;
        while level != 0 {
            let mut index = self.levels[level].head;
            while index != 0 {
                // Bounds the walk whatever rests at the touch.
                if room == 0 {
                    return None;
                }
                room -= 1;
                let order = &self.orders[index];
                // An order that nobody can trade with risks nothing: neither
                // an expired one nor, where the book alone is the mark, what a
                // hold has reserved.
                let counts = slot.saturating_sub(order.slot) >= instrument.mark_age
                    && !order.is_expired(slot)
                    && order.side_flags & order_flags::CLOSING == 0;
                if counts {
                    let lots = if instrument.has_oracle() {
                        order.lots.0
                    } else {
                        order.free_lots()
                    };
                    if lots >= missing {
                        return Some(order.ticks);
                    }
                    missing -= lots;
                }
                index = order.next;
            }
            level = self.levels[level].next;
        }
        None
    }

    /// What the positions of an account can have lost since their marks went
    /// stale, in atoms (rule T1); 0 when all are fresh.
    pub(crate) fn stale_loss_atoms(&self, account: u32, slot: Slot) -> i64 {
        let mut loss = 0i64;
        let mut at = self.accounts[account].positions_head;
        while at != 0 {
            let position = &self.positions[at];
            let instrument = &self.instruments[position.instrument as usize];
            if !instrument.is_fresh(slot) {
                let moved = instrument.stale_move(position.lots.0 > 0, slot);
                let size = position.lots.magnitude();
                // Within price_max and position_lots_max, so within 2^53.
                loss += notional_atoms(moved, size, instrument.atoms_per_tick) as i64;
            }
            at = position.next_in_account;
        }
        loss
    }
}
