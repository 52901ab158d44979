//! Liquidation: the book takes over part of a position, on the Router's ticket.
//!
//! Anyone may call it for an account below its maintenance margin while the
//! Router's portfolio of that user is under liquidation and its grace is over
//! (rules LQ1 and LQ2). The account's own orders leave, holds that stood for
//! more than a slot may be ended to free what they lock (rule T4), and then the
//! position is sold into, or bought back from, resting orders in price-time
//! order.
//!
//! Met are only orders that rested at least `mark_age` slots, so that a keeper
//! cannot post the price at which it liquidates, and only at prices no worse
//! than a band around the mark that starts narrow and widens with the age of
//! the ticket (rule LQ3). Better prices count as far as the instrument's own
//! band goes, where anybody may trade. What does not qualify is passed over and
//! stays.
//!
//! The sweep stops at the very lot that brings equity back to initial margin,
//! and before the lot that would leave a larger loss than the ticket allows. No
//! margin check can block it: its own condition is that the position shrinks.
//!
//! The fee is at most the equity that is left, so it never makes a debt, and the
//! keeper's reward is a part of that fee and never comes from elsewhere.

use crate::cancels::{Cancelled, Which};
use crate::layout::order_flags;
use crate::matching::{SelfTrade, Swept, Taker, crosses, fill};
use crate::risk::{Band, Health, Proposal};
use crate::tickets::Warrant;
use crate::{Result, Slab, SlabError};
use bytemuck::Zeroable;
use flagstone_interface::event::{
    DeficitRecognised, FILLS_MAX, HoldEnded, Liquidated, Traded, cancel_reason, outcome,
};
use flagstone_interface::slab::account_flags;
use flagstone_units::{PPM_ONE, Side, Slot, Ticks, mul_ppm_ceil, mul_ppm_floor, notional_atoms};

/// Holds that one liquidation ends at most.
pub const PREEMPTED_MAX: usize = 4;

/// Orders of the account that one liquidation cancels at most.
pub const LIQUIDATED_ORDERS_MAX: usize = 16;

/// Resting orders that one liquidation looks at. Young orders are passed over,
/// so this is what it takes to hide the book behind them.
const VISITS_MAX: usize = 512;

/// A liquidation to make.
#[derive(Clone, Copy, Debug)]
pub struct LiquidationCall<'r> {
    /// Index of the account to liquidate.
    pub account: u32,
    /// Account that is paid the keeper's part of the fee; 0 when there is none.
    pub keeper: u32,
    /// Handles, index and generation, of holds to end first; those that do not
    /// qualify are ignored, zeroes are none.
    pub holds: [(u32, u32); PREEMPTED_MAX],
    /// Leave to do so.
    pub warrant: Warrant<'r>,
}

/// What a liquidation did; the sequence numbers are for the caller to set. The
/// trades are in the trade event.
#[derive(Clone, Copy, Debug)]
pub struct Liquidation {
    /// Orders of the account that left.
    pub cancelled: Cancelled,
    /// Entries of `ended` in use.
    pub ended_count: usize,
    /// Holds that were ended.
    pub ended: [HoldEnded; PREEMPTED_MAX],
    /// The liquidation.
    pub liquidated: Liquidated,
    /// Set when it left a debt and nothing else.
    pub recognised: Option<DeficitRecognised>,
}

impl Liquidation {
    /// None yet.
    pub fn none() -> Self {
        Self {
            cancelled: Cancelled::none(),
            ended_count: 0,
            ended: [HoldEnded::zeroed(); PREEMPTED_MAX],
            liquidated: Liquidated::zeroed(),
            recognised: None,
        }
    }

    /// The holds that were ended.
    pub fn ended(&self) -> &[HoldEnded] {
        &self.ended[..self.ended_count.min(PREEMPTED_MAX)]
    }
}

impl Slab<'_> {
    /// Closes part of an account's position against the book.
    ///
    /// `traded` must be zeroed; both it and `done` are filled in.
    ///
    /// # Errors
    /// [`SlabError::NoAccount`], also for a keeper that is not another open
    /// account; [`SlabError::WrongRecord`], [`SlabError::BadTicket`];
    /// [`SlabError::StaleMark`]; [`SlabError::BadInstrument`] when the
    /// instrument bars liquidation; [`SlabError::Healthy`];
    /// [`SlabError::NotFilled`] when nothing that qualifies rests.
    #[inline(never)]
    pub fn liquidation_call(
        &mut self,
        call: &LiquidationCall<'_>,
        slot: Slot,
        traded: &mut Traded,
        done: &mut Liquidation,
    ) -> Result<()> {
        let (account, warrant) = (call.account, &call.warrant);
        let ticket = warrant.ticket;
        let left = warrant.lots_left(self.open_account_at(account)?, slot)?;
        if slot > ticket.expiry_slot {
            return Err(SlabError::BadTicket);
        }
        self.check_keeper(call)?;
        let position = self.open_position(account, ticket.instrument)?;
        self.before_measuring(account, position, slot)?;
        self.check_liquidatable(ticket.instrument, slot)?;
        let held = self.positions[position].lots;
        let side = if held.0 > 0 { Side::Ask } else { Side::Bid };
        self.clear_the_way(call, side, slot, done)?;
        if !self.health(account, None).is_liquidatable() {
            return Err(SlabError::Healthy);
        }
        let taker = self.liquidated_taker(call, position, left.min(held.magnitude()), slot);
        let swept = self.sweep_aged(&taker, ticket.deficit_max_atoms, traded)?;
        if swept.lots == 0 {
            return Err(SlabError::NotFilled);
        }
        let (fee_atoms, reward_atoms) = self.settle_liquidated(&taker, &swept, call.keeper)?;
        self.drop_position_if_empty(position);
        self.use_ticket(account, warrant, swept.lots, slot);
        traded.tag = Traded::TAG;
        traded.instrument = taker.instrument;
        traded.side = side as u8;
        traded.account = account as u16;
        traded.lots = swept.lots;
        traded.notional_atoms = swept.notional_atoms;
        traded.fee_atoms = fee_atoms as i64;
        done.liquidated = Liquidated {
            tag: Liquidated::TAG,
            seq: 0,
            account: account as u16,
            instrument: taker.instrument,
            nonce: ticket.nonce,
            lots: swept.lots,
            fee_atoms,
            reward_atoms,
            cash_atoms: self.accounts[account].cash_atoms,
        };
        done.recognised = self.recognise(account, slot);
        Ok(())
    }

    /// Cancels orders of an account that the Router froze; bounded, so a long
    /// list takes several calls. Does nothing for any other account.
    ///
    /// # Errors
    /// [`SlabError::NoAccount`].
    pub fn cancel_frozen(&mut self, account: u32, cancelled: &mut Cancelled) -> Result<()> {
        let flags = self.open_account_at(account)?.flags;
        if flags & account_flags::FROZEN != 0 {
            let which = Which {
                instrument: None,
                side: None,
                most: cancelled.orders.len(),
            };
            self.withdraw_some(account, &which, cancel_reason::FROZEN, cancelled);
        }
        Ok(())
    }

    fn check_keeper(&self, call: &LiquidationCall<'_>) -> Result<()> {
        if call.keeper == 0 {
            return Ok(());
        }
        let keeper = self.open_account_at(call.keeper)?;
        if call.keeper == call.account || keeper.is_bankrupt() {
            return Err(SlabError::NoAccount);
        }
        Ok(())
    }

    /// The account's position in an instrument, with lots.
    ///
    /// # Errors
    /// [`SlabError::BadTicket`] when there is none.
    pub(crate) fn open_position(&self, account: u32, instrument: u8) -> Result<u32> {
        let mut index = self.accounts[account].positions_head;
        while index != 0 {
            let position = &self.positions[index];
            if position.instrument == instrument && position.lots.0 != 0 {
                return Ok(index);
            }
            index = position.next_in_account;
        }
        Err(SlabError::BadTicket)
    }

    /// Brings everything up to date that an account's margin is measured with:
    /// its haircut, the marks and the funding of all its positions.
    pub(crate) fn before_measuring(
        &mut self,
        account: u32,
        position: u32,
        slot: Slot,
    ) -> Result<()> {
        let mut index = self.accounts[account].positions_head;
        while index != 0 {
            let (number, next) = {
                let position = &self.positions[index];
                (position.instrument, position.next_in_account)
            };
            self.touch_mark(number, slot);
            index = next;
        }
        self.prepare(account, position, slot)
    }

    /// Cancels the account's orders and ends the holds that were named and
    /// qualify: the account's own, and those that stood for more than a slot
    /// and lock what the sweep is going to meet.
    #[inline(never)]
    fn clear_the_way(
        &mut self,
        call: &LiquidationCall<'_>,
        side: Side,
        slot: Slot,
        done: &mut Liquidation,
    ) -> Result<()> {
        let which = Which {
            instrument: None,
            side: None,
            most: LIQUIDATED_ORDERS_MAX,
        };
        let reason = cancel_reason::LIQUIDATED;
        self.withdraw_some(call.account, &which, reason, &mut done.cancelled);
        for (index, generation) in call.holds {
            let Some(hold) = self.reservations.get(index) else {
                continue;
            };
            let own = u32::from(hold.account) == call.account;
            let in_the_way = hold.instrument == call.warrant.ticket.instrument
                && hold.side_state & 1 == side as u8
                && slot.saturating_sub(hold.slot) > Slot(1);
            if hold.is_held() && hold.generation == generation && (own || in_the_way) {
                done.ended[done.ended_count] = self.end_hold(index, slot)?;
                done.ended_count += 1;
            }
        }
        Ok(())
    }

    fn liquidated_taker(
        &self,
        call: &LiquidationCall<'_>,
        position: u32,
        lots: u32,
        slot: Slot,
    ) -> Taker {
        let ticket = call.warrant.ticket;
        let instrument = &self.instruments[ticket.instrument as usize];
        let mark = instrument.mark;
        let width = call.warrant.band_width(instrument, slot);
        // mark < 2^32 and the width is at most a fifth, so this fits 64 bits.
        let width = (u64::from(mark.0) * u64::from(width.0) / PPM_ONE) as u32;
        let trading = instrument.price_band();
        let worst_bid = Ticks(mark.0.saturating_sub(width).max(1));
        let worst_ask = Ticks(mark.0.saturating_add(width).min(instrument.price_max.0));
        let (side, limit, band) = if self.positions[position].lots.0 > 0 {
            let (low, high) = (worst_bid, trading.high);
            (Side::Ask, low, Band { low, high })
        } else {
            let (low, high) = (trading.low, worst_ask);
            (Side::Bid, high, Band { low, high })
        };
        Taker {
            account: call.account,
            position,
            instrument: ticket.instrument,
            side,
            limit,
            lots,
            self_trade: SelfTrade::CancelTaking,
            band,
            slot,
            commitment: 0,
            liquidates: true,
        }
    }

    /// Trades against old orders inside the band until margin is restored, the
    /// loss would grow too large, or lots or room are spent.
    #[inline(never)]
    fn sweep_aged(
        &mut self,
        taker: &Taker,
        deficit_max: u64,
        traded: &mut Traded,
    ) -> Result<Swept> {
        let mut swept = Swept {
            left: taker.lots,
            ..Swept::default()
        };
        let mut visits = VISITS_MAX;
        let contra = taker.side.contra();
        let mut level = self.instruments[taker.instrument as usize].books[contra.index()].best;
        while level != 0 && crosses(taker.side, taker.limit, self.levels[level].ticks) {
            // Read before the level can leave with its last order.
            let next_level = self.levels[level].next;
            let mut order = self.levels[level].head;
            while order != 0 {
                if visits == 0 || swept.left == 0 || traded.fills_count as usize == FILLS_MAX {
                    return Ok(swept);
                }
                visits -= 1;
                let next = self.orders[order].next;
                self.meet_aged(order, taker, deficit_max, &mut swept, traded)?;
                order = next;
            }
            level = next_level;
        }
        Ok(swept)
    }

    /// One resting order and the liquidated account. Sets `left` to zero when
    /// nothing more is to be closed.
    #[inline(always)]
    fn meet_aged(
        &mut self,
        index: u32,
        taker: &Taker,
        deficit_max: u64,
        swept: &mut Swept,
        traded: &mut Traded,
    ) -> Result<()> {
        let order = self.orders[index];
        let aged = taker.slot.saturating_sub(order.slot)
            >= self.instruments[taker.instrument as usize].mark_age;
        let closing = order.side_flags & order_flags::CLOSING != 0;
        if !aged || closing || self.refusal(&order, taker).is_some() {
            return Ok(());
        }
        let mut available = order.free_lots().min(swept.left);
        if order.is_reduce_only() {
            available = available.min(self.reducible_lots(&order));
        }
        if available == 0 {
            return Ok(());
        }
        let (lots, last) = self.lots_to_close(taker, swept, order.ticks, available, deficit_max);
        if lots > 0 {
            let Some(filled) = self.fill_maker_apart(index, &order, lots, taker)? else {
                return self.turn_away(index, &order, outcome::MARGIN, taker, swept, traded);
            };
            swept.lots += lots;
            swept.left -= lots;
            swept.notional_atoms += filled.notional_atoms;
            swept.maker_fees_atoms += filled.fee_atoms;
            traded.push(fill(index, &order, lots, filled.outcome));
            self.print(index, &order, lots, taker);
        }
        if last {
            swept.left = 0;
        }
        Ok(())
    }

    /// How many of `lots` at a price to close: no more than bring equity back
    /// to initial margin, and none that leaves too large a loss. Also whether
    /// the sweep ends with them.
    #[inline(never)]
    fn lots_to_close(
        &self,
        taker: &Taker,
        swept: &Swept,
        ticks: Ticks,
        lots: u32,
        deficit_max: u64,
    ) -> (u32, bool) {
        let restored = |count| {
            let (health, fee) = self.health_after(taker, swept, ticks, count);
            health.equity_atoms - fee as i64 >= health.initial_atoms as i64
        };
        let too_deep = |count| {
            let (health, _) = self.health_after(taker, swept, ticks, count);
            health.equity_atoms.min(0).unsigned_abs() > deficit_max
        };
        let (mut lots, mut last) = (lots, false);
        if restored(lots) {
            (lots, last) = (first(lots, restored), true);
        }
        if too_deep(lots) {
            (lots, last) = (first(lots, too_deep) - 1, true);
        }
        (lots, last)
    }

    /// Margin after closing `lots` more at a price, and the fee for all of it.
    fn health_after(&self, taker: &Taker, swept: &Swept, ticks: Ticks, lots: u32) -> (Health, u64) {
        let instrument = &self.instruments[taker.instrument as usize];
        let notional =
            swept.notional_atoms + notional_atoms(ticks, lots, instrument.atoms_per_tick);
        let stored = &self.positions[taker.position];
        let change = stored.trade(taker.side, swept.lots + lots, notional);
        let proposal = Proposal {
            index: taker.position,
            position: change.position,
            cash_change_atoms: change.realised_atoms,
        };
        let fee = mul_ppm_ceil(notional, instrument.rules.liquidation_fee.0);
        (self.health(taker.account, Some(&proposal)), fee)
    }

    /// Applies the sum of the fills, and takes the fee out of what equity is
    /// left. Returns the fee and the keeper's part of it.
    #[inline(never)]
    fn settle_liquidated(
        &mut self,
        taker: &Taker,
        swept: &Swept,
        keeper: u32,
    ) -> Result<(u64, u64)> {
        let stored = &self.positions[taker.position];
        let change = stored.trade(taker.side, swept.lots, swept.notional_atoms);
        self.settle_cash_apart(taker.account, change.realised_atoms, taker.slot)?;
        self.finish_taker(taker, swept, &change, 0)?;
        // A profit at a stale mark pays no keeper.
        let health = self.health_at(taker.account, None, taker.slot);
        let equity = health.equity_atoms.max(0) as u64;
        let rules = &self.instruments[taker.instrument as usize].rules;
        let fee = mul_ppm_ceil(swept.notional_atoms, rules.liquidation_fee.0).min(equity);
        let mut reward = 0;
        if keeper != 0 {
            reward = mul_ppm_floor(fee, rules.keeper_share.0);
        }
        // Bounded by the fee on a notional below 2^53.
        self.settle_cash_apart(taker.account, -(fee as i64), taker.slot)?;
        if reward > 0 {
            self.touch(keeper)?;
            self.settle_cash_apart(keeper, reward as i64, taker.slot)?;
        }
        self.header.insurance_due_total.add(fee - reward);
        Ok((fee, reward))
    }
}

impl Health {
    /// Whether equity is below maintenance margin (property RM3).
    #[inline(always)]
    pub const fn is_liquidatable(&self) -> bool {
        self.equity_atoms < self.maintenance_atoms as i64
    }
}

/// Smallest number for which `holds`, given that it holds for `most` and not
/// for 0. Where it does so for several stretches, the end of one of them.
fn first(most: u32, holds: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (0, most);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}
