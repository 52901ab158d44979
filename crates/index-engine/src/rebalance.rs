//! New weights of an index: proposed, announced, in force, traded.
//!
//! One account per index, for ever, since what one change left to trade is the
//! start of the next. The kernels own the vectors behind the head:
//!
//! ```text
//! rebalance | RebalanceHead | proposed constituent[capacity] | leg[leg_capacity]
//! ```
//!
//! Weights decide what a token stands for, so a change is announced and waits
//! for a notice during which holders may sell, and may move the value of a
//! token by no more than a bound; both are fixed when the account is created.

use crate::chain::{Chain, Event, Journal};
use crate::market::IndexState;
use crate::roles::Party;
use crate::{IndexError, Result};
use bytemuck::{Pod, Zeroable};
use flagstone_interface::{Key, Record, assert_layout};
use flagstone_units::{Ppm, Slot};

/// Legs of one call, at most: their record has to fit the log.
pub const LEGS_PER_CALL: u32 = 128;

crate::roles::codes! {
    /// Where a proposal is.
    ProposalState {
        /// Weights are being collected.
        Collecting = 1,
        /// They are complete and wait for their notice to end.
        Announced = 2,
    }
}

/// Head of the account that holds an index's next weights and what they left to trade.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct RebalanceHead {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// [`ProposalState`], 0 for no proposal.
    pub state: u8,
    /// Reserved; zero.
    pub padding: [u8; 3],
    /// The index.
    pub index: Key,
    /// Hash of the constituents announced; zero without an announcement.
    pub proposal_hash: [u8; 32],
    /// Slots between the announcement and the change, at least.
    pub notice_slots: Slot,
    /// Part of a token's value that a change may add or take.
    pub value_max: Ppm,
    /// Slot of the announcement.
    pub announced_slot: Slot,
    /// Constituents proposed.
    pub proposed: u32,
    /// Constituents that fit.
    pub capacity: u32,
    /// Legs.
    pub legs: u32,
    /// Legs that fit.
    pub leg_capacity: u32,
    /// Leg that the next call starts with.
    pub cursor: u32,
    /// Slot in which the present pass over the legs began.
    pub pass_slot: Slot,
    /// Reserved; zero.
    pub padding2: u32,
    /// Reserved; zero.
    pub reserved: [u64; 8],
}
assert_layout!(RebalanceHead, 184, index @ 16, proposal_hash @ 48, notice_slots @ 80, legs @ 100);

impl Record for RebalanceHead {
    const DISCRIMINATOR: [u8; 8] = [0x5d, 0x1b, 0x92, 0xc8, 0x47, 0x0e, 0xa3, 0x66];
    const VERSION: u32 = 1;
}

/// Part of an index's pending trades was executed. A list of [`LegTraded`] follows.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct RebalanceExecuted {
    /// Version of the weights in force.
    pub weights_version: u64,
    /// [`crate::market::MarketState::sequence`] whose capacity limited it.
    pub market_sequence: u64,
    /// `K`: part of the capacity that was used, at 1e-18.
    pub factor: [u64; 2],
    /// First leg of the call.
    pub first: u32,
    /// Legs looked at.
    pub count: u32,
    /// Legs of the index.
    pub legs: u32,
    /// Legs traded, which are listed.
    pub traded: u32,
}
assert_layout!(RebalanceExecuted, 48);

impl Event for RebalanceExecuted {
    const TAG: u8 = 30;
}

/// What was traded of one asset: `EL` when bought, `ES` when sold.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct LegTraded {
    /// Its slot in the market.
    pub slot: u32,
    /// 0 bought, 1 sold.
    pub side: u32,
    /// Asset units, at 1e-18.
    pub quantity: [u64; 2],
}
assert_layout!(LegTraded, 24);

impl RebalanceHead {
    /// Takes `count` more constituents, from the number `from` on; 0 starts again.
    ///
    /// # Errors
    /// [`IndexError::OutOfOrder`] unless the list continues,
    /// [`IndexError::MarketFull`] beyond the room.
    pub fn collect(&mut self, from: u32, count: u32) -> Result<()> {
        let collecting = self.state == ProposalState::Collecting as u8;
        if from != 0 && !(collecting && from == self.proposed) {
            return Err(IndexError::OutOfOrder);
        }
        let end = from.checked_add(count).filter(|end| *end <= self.capacity);
        self.proposed = end.ok_or(IndexError::MarketFull)?;
        self.state = ProposalState::Collecting as u8;
        self.proposal_hash = [0; 32];
        self.announced_slot = Slot(0);
        Ok(())
    }

    /// Announces what was collected; its notice starts now.
    ///
    /// # Errors
    /// [`IndexError::Incomplete`] without constituents,
    /// [`IndexError::IllegalTransition`] unless collecting.
    pub fn announce(&mut self, hash: [u8; 32], now: Slot) -> Result<()> {
        if self.state != ProposalState::Collecting as u8 {
            return Err(IndexError::IllegalTransition);
        }
        if self.proposed == 0 {
            return Err(IndexError::Incomplete);
        }
        self.state = ProposalState::Announced as u8;
        self.proposal_hash = hash;
        self.announced_slot = now;
        Ok(())
    }

    /// Ends the proposal, because its weights come into force.
    ///
    /// # Errors
    /// [`IndexError::IllegalTransition`] unless announced,
    /// [`IndexError::TooEarly`] during the notice.
    pub fn take_effect(&mut self, index: &mut IndexState, now: Slot) -> Result<()> {
        if self.state != ProposalState::Announced as u8 {
            return Err(IndexError::IllegalTransition);
        }
        if now < self.announced_slot || now.saturating_sub(self.announced_slot) < self.notice_slots
        {
            return Err(IndexError::TooEarly);
        }
        let next = index.weights_version.checked_add(1);
        index.weights_version = next.ok_or(IndexError::AmountOverflow)?;
        self.state = 0;
        self.proposed = 0;
        self.proposal_hash = [0; 32];
        self.announced_slot = Slot(0);
        self.cursor = 0;
        Ok(())
    }

    /// Refuses a change that moves a token's value beyond the bound. Both
    /// prices are of one market, at 1e-18.
    ///
    /// # Errors
    /// [`IndexError::ValueMoved`], [`IndexError::AmountOverflow`].
    pub fn check_value(&self, old: u128, new: u128) -> Result<()> {
        let moved = old.abs_diff(new).checked_mul(1_000_000);
        let allowed = old.checked_mul(u128::from(self.value_max.0));
        match (moved, allowed) {
            (Some(moved), Some(allowed)) if moved <= allowed => Ok(()),
            (Some(_), Some(_)) => Err(IndexError::ValueMoved),
            _ => Err(IndexError::AmountOverflow),
        }
    }

    /// The next `count` legs to trade, as a range; passes over all legs begin
    /// a chunk's gap apart.
    ///
    /// # Errors
    /// [`IndexError::ZeroAmount`] when there is nothing to trade,
    /// [`IndexError::BadParameter`] for too many legs, and
    /// [`IndexError::TooEarly`] before the gap has passed.
    pub fn next_legs(
        &mut self,
        count: u32,
        gap: Slot,
        now: Slot,
    ) -> Result<core::ops::Range<usize>> {
        if self.legs == 0 {
            return Err(IndexError::ZeroAmount);
        }
        if count == 0 || count > LEGS_PER_CALL {
            return Err(IndexError::BadParameter);
        }
        if self.cursor == 0 {
            let waited = now.saturating_sub(self.pass_slot) >= gap;
            if self.pass_slot != Slot(0) && !waited {
                return Err(IndexError::TooEarly);
            }
            self.pass_slot = now;
        }
        let first = self.cursor;
        let end = first.saturating_add(count).min(self.legs);
        self.cursor = if end == self.legs { 0 } else { end };
        Ok(first as usize..end as usize)
    }

    /// Records a call in the history of the index.
    ///
    /// # Errors
    /// As [`Journal::record_with`].
    pub fn executed(
        event: &RebalanceExecuted,
        traded: &[LegTraded],
        chain: &mut Chain,
        journal: &mut Journal,
    ) -> Result<()> {
        let list = bytemuck::cast_slice(traded);
        journal.record_with(chain, &Party::ANYONE, event, list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> RebalanceHead {
        RebalanceHead {
            notice_slots: Slot(10),
            value_max: Ppm(10_000),
            capacity: 30,
            legs: 40,
            leg_capacity: 60,
            ..RebalanceHead::zeroed()
        }
    }

    #[test]
    fn ix9_a_proposal_is_collected_in_order_announced_once_and_waits() {
        let (mut head, mut index) = (head(), IndexState::zeroed());
        index.weights_version = 4;
        let illegal = Err(IndexError::IllegalTransition);
        assert_eq!(head.collect(5, 1), Err(IndexError::OutOfOrder));
        assert_eq!(head.announce([1; 32], Slot(5)), illegal);
        assert_eq!(head.collect(0, 31), Err(IndexError::MarketFull));
        assert_eq!(head.collect(0, 20), Ok(()));
        assert_eq!(head.collect(19, 1), Err(IndexError::OutOfOrder));
        assert_eq!(head.collect(20, u32::MAX), Err(IndexError::MarketFull));
        assert_eq!(head.collect(20, 10), Ok(()));
        assert_eq!(head.take_effect(&mut index, Slot(50)), illegal);
        assert_eq!(head.announce([1; 32], Slot(5)), Ok(()));
        assert_eq!(head.announce([1; 32], Slot(5)), illegal);
        let early = Err(IndexError::TooEarly);
        for slot in [0, 5, 14] {
            assert_eq!(head.take_effect(&mut index, Slot(slot)), early);
        }
        assert_eq!(index.weights_version, 4);
        // A proposal made anew is no longer announced.
        let mut again = head;
        assert_eq!(again.collect(0, 1), Ok(()));
        assert_eq!(again.proposal_hash, [0; 32]);
        assert_eq!(again.take_effect(&mut index, Slot(15)), illegal);
        assert_eq!(head.take_effect(&mut index, Slot(15)), Ok(()));
        assert_eq!((index.weights_version, head.proposed), (5, 0));
        assert_eq!(head.take_effect(&mut index, Slot(99)), illegal);
        assert_eq!(head.collect(0, 0), Ok(()));
        assert_eq!(head.announce([1; 32], Slot(5)), Err(IndexError::Incomplete));
    }

    #[test]
    fn ix9_a_change_moves_a_tokens_value_by_no_more_than_its_bound() {
        let head = head();
        let check = |old, new| head.check_value(old, new);
        for (old, new) in [(1_000, 1_010), (1_000, 990), (0, 0), (7, 7)] {
            assert_eq!(check(old, new), Ok(()), "{old} to {new}");
        }
        for (old, new) in [(1_000, 1_011), (1_000, 989), (0, 1), (99, 100)] {
            assert_eq!(
                check(old, new),
                Err(IndexError::ValueMoved),
                "{old} to {new}"
            );
        }
        assert_eq!(check(u128::MAX, 0), Err(IndexError::AmountOverflow));
    }

    #[test]
    fn ix9_legs_are_traded_in_turn_and_passes_keep_their_gap() {
        let mut head = head();
        let mut next = |count, now| head.next_legs(count, Slot(5), Slot(now));
        assert_eq!(next(0, 9), Err(IndexError::BadParameter));
        assert_eq!(next(LEGS_PER_CALL + 1, 9), Err(IndexError::BadParameter));
        assert_eq!(next(16, 9), Ok(0..16));
        assert_eq!(next(16, 9), Ok(16..32));
        assert_eq!(next(16, 10), Ok(32..40));
        assert_eq!(next(16, 13), Err(IndexError::TooEarly));
        assert_eq!(next(128, 14), Ok(0..40));
        head.legs = 0;
        let nothing = head.next_legs(1, Slot(0), Slot(99));
        assert_eq!(nothing, Err(IndexError::ZeroAmount));
    }
}
