//! Mark, band, equity and margin.
//!
//! Until an oracle feeds it (a later part of the engine), the mark follows the
//! middle of the book, looked at once per slot at most. Of the first
//! [`MARK_ORDERS_MAX`] orders of a side, what counts are the lots that no hold
//! has reserved, of orders that have rested for `mark_age` slots, are unexpired
//! and not being cancelled. The side's price is the level at which they add up
//! to `mark_lots_min`; when they do not, the mark stays. It moves by at most
//! `mark_move_max` ticks per slot since both sides last had a price, and by
//! [`MARK_STEP_SLOTS_MAX`] times that at once.
//!
//! Equity is `cash + sum(lots * mark * atoms_per_tick - cost)`. Initial margin
//! is `sum(worst * mark * atoms_per_tick * ratio)`, each term rounded up, where
//! `worst` is the larger of the position with all its bids and with all its
//! asks filled.

use crate::layout::{Instrument, Position, order_flags};
use crate::{Result, Slab, SlabError};
use flagstone_units::{PPM_ONE, Side, Slot, Ticks, mul_ppm_ceil, notional_atoms};

/// Orders of one side that a look at the book for the mark visits.
pub const MARK_ORDERS_MAX: u32 = 16;

/// Slots without a price, at most, for which the mark may catch up at once.
pub const MARK_STEP_SLOTS_MAX: Slot = Slot(25);

/// Equity and margin of an account at the marks, in atoms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Cash and unrealised profit or loss.
    pub equity_atoms: i64,
    /// Initial margin, worst-case open orders included.
    pub initial_atoms: u64,
    /// Maintenance margin of the positions alone.
    pub maintenance_atoms: u64,
}

impl Health {
    /// Whether the account may carry more risk.
    #[inline(always)]
    pub const fn covers_initial(&self) -> bool {
        self.equity_atoms >= self.initial_atoms as i64
    }
}

/// A position as it would be, and the cash that goes with it.
#[derive(Clone, Copy, Debug)]
pub struct Proposal {
    /// Index of the position.
    pub index: u32,
    /// The position afterwards.
    pub position: Position,
    /// Change of cash, in atoms.
    pub cash_change_atoms: i64,
}

/// Prices at which an instrument may trade, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// Lowest.
    pub low: Ticks,
    /// Highest.
    pub high: Ticks,
}

impl Band {
    /// Whether a price lies inside.
    #[inline(always)]
    pub const fn contains(&self, ticks: Ticks) -> bool {
        self.low.0 <= ticks.0 && ticks.0 <= self.high.0
    }

    /// The worst price that a taker with this limit may pay or receive.
    #[inline(always)]
    pub fn clamp_limit(&self, side: Side, limit: Ticks) -> Ticks {
        match side {
            Side::Bid => limit.min(self.high),
            Side::Ask => limit.max(self.low),
        }
    }
}

impl Instrument {
    /// The price band around the mark.
    #[inline(always)]
    pub fn price_band(&self) -> Band {
        // mark < 2^32 and band <= 1e6, so the product fits 64 bits.
        let width = u64::from(self.mark.0).wrapping_mul(u64::from(self.band.0)) / PPM_ONE;
        let width = width as u32;
        Band {
            low: Ticks(self.mark.0.saturating_sub(width).max(1)),
            high: Ticks(self.mark.0.saturating_add(width).min(self.price_max.0)),
        }
    }
}

impl Slab<'_> {
    /// Moves the mark towards the middle of the book, once per slot.
    #[inline(always)]
    pub fn touch_mark(&mut self, number: u8, slot: Slot) {
        if self.instruments[number as usize].mark_slot < slot {
            self.accrue_funding(number, slot);
            self.move_mark(number, slot);
        }
    }

    #[inline(never)]
    fn move_mark(&mut self, number: u8, slot: Slot) {
        let instrument = &self.instruments[number as usize];
        let bid = self.aged_price(instrument, Side::Bid, slot);
        let ask = self.aged_price(instrument, Side::Ask, slot);
        let instrument = &mut self.instruments[number as usize];
        instrument.mark_slot = slot;
        let (Some(bid), Some(ask)) = (bid, ask) else {
            return;
        };
        let elapsed = slot.saturating_sub(instrument.mark_moved);
        instrument.mark_moved = slot;
        // Resting orders never cross; a middle exists for any two prices.
        let middle = bid.0 / 2 + ask.0 / 2 + (bid.0 & ask.0 & 1);
        let slots = elapsed.min(MARK_STEP_SLOTS_MAX);
        let step = u64::from(instrument.mark_move_max.0).wrapping_mul(u64::from(slots.0));
        let step = step.min(u64::from(u32::MAX)) as u32;
        let low = instrument.mark.0.saturating_sub(step).max(1);
        let high = instrument
            .mark
            .0
            .saturating_add(step)
            .min(instrument.price_max.0);
        instrument.mark = Ticks(middle.clamp(low, high));
    }

    /// Level at which the old and unreserved lots of a side add up to what the
    /// mark needs.
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
                // an expired one nor what a hold has reserved.
                let counts = slot.saturating_sub(order.slot) >= instrument.mark_age
                    && !order.is_expired(slot)
                    && order.side_flags & order_flags::CLOSING == 0;
                if counts {
                    let free = order.lots.0 - order.reserved_lots.0;
                    if free >= missing {
                        return Some(order.ticks);
                    }
                    missing -= free;
                }
                index = order.next;
            }
            level = self.levels[level].next;
        }
        None
    }

    /// Equity and margins of an account, with one of its positions replaced.
    #[inline(always)]
    pub fn health(&self, account: u32, proposal: Option<&Proposal>) -> Health {
        let owner = &self.accounts[account];
        let mut health = Health {
            equity_atoms: owner.cash_atoms - owner.bond_atoms as i64,
            ..Health::default()
        };
        let replaced = proposal.map_or(0, |proposal| proposal.index);
        if let Some(proposal) = proposal {
            health.equity_atoms += proposal.cash_change_atoms;
        }
        let mut index = owner.positions_head;
        while index != 0 {
            let stored = &self.positions[index];
            let position = match proposal {
                Some(proposal) if index == replaced => &proposal.position,
                _ => stored,
            };
            let instrument = &self.instruments[stored.instrument as usize];
            add_position(&mut health, position, instrument);
            index = stored.next_in_account;
        }
        health
    }

    /// Whether an account may take on a proposed position (rule T1).
    ///
    /// Either it covers its initial margin afterwards, or the position is
    /// strictly smaller, equity is not negative and equity over maintenance
    /// margin is no lower than before.
    ///
    /// # Errors
    /// [`SlabError::BelowInitialMargin`].
    #[inline(always)]
    pub fn check_margin(&self, account: u32, proposal: &Proposal) -> Result<()> {
        let after = self.health(account, Some(proposal));
        if after.covers_initial() {
            return Ok(());
        }
        self.check_reduction(account, proposal, &after)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn check_reduction(
        &self,
        account: u32,
        proposal: &Proposal,
        after: &Health,
    ) -> Result<()> {
        let smaller = proposal.position.reduces(&self.positions[proposal.index]);
        if !smaller || after.equity_atoms < 0 {
            return Err(SlabError::BelowInitialMargin);
        }
        let before = self.health(account, None);
        // after.equity / after.mm >= before.equity / before.mm, without division.
        let left = i128::from(after.equity_atoms) * i128::from(before.maintenance_atoms);
        let right = i128::from(before.equity_atoms) * i128::from(after.maintenance_atoms);
        if left >= right {
            Ok(())
        } else {
            Err(SlabError::BelowInitialMargin)
        }
    }
}

/// Adds one position's profit and margins.
#[inline(always)]
fn add_position(health: &mut Health, position: &Position, instrument: &Instrument) {
    // Bounded by NOTIONAL_ATOMS_MAX: the lots and every worst case stay within
    // position_lots_max, the mark within price_max.
    let unit = instrument.atoms_per_tick;
    let size = position.lots.magnitude();
    let value = notional_atoms(instrument.mark, size, unit);
    let signed = if position.lots.0 < 0 {
        -(value as i64)
    } else {
        value as i64
    };
    health.equity_atoms += signed - position.cost_atoms;
    if position.funding_index != instrument.funding_index {
        health.equity_atoms -= position.funding_owed_atoms(instrument.funding_index);
    }

    let worst = position.worst_lots();
    let at_risk = if worst == size {
        value
    } else {
        notional_atoms(instrument.mark, worst, unit)
    };
    health.initial_atoms += mul_ppm_ceil(at_risk, instrument.imr.0);
    health.maintenance_atoms += mul_ppm_ceil(value, instrument.mmr.0);
}

impl Position {
    /// Size of the position in the worse of two cases: all bids or all asks fill.
    #[inline(always)]
    pub fn worst_lots(&self) -> u32 {
        let lots = i64::from(self.lots.0);
        let long = lots + i64::from(self.open_bid_lots.0);
        let short = i64::from(self.open_ask_lots.0) - lots;
        long.max(short) as u32
    }
}
