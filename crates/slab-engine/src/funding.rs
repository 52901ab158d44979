//! Funding: longs pay shorts while the book trades above the index, and the
//! other way round.
//!
//! Time is cut into intervals of `funding_slots`. The premium of the book over
//! the index is sampled on the first touch of a slot and weighs by the slots
//! that it stood for; its average over one interval, clamped, is what a lot
//! pays over the next one, slot by slot (rules T8, RM6). An instrument's index
//! is what one lot has paid since the beginning, in atoms scaled by 2^16; a
//! position pays the difference to its own copy before its quantity changes.
//!
//! ```text
//! index(slot) = base + rate * (slot - start) / funding_slots
//! rate        = clamp(premium_sum / premium_weight, funding_max * index) * atoms_per_tick
//! ```
//! The Router's shared rate replaces the slab's own where it is from the last
//! interval and within `funding_spread_max` of it. For that rate the Router reads
//! the premium over the last `funding_slots` slots out of this interval and the
//! one before, never a rate that was shared already.
//!
//! What is paid is rounded up and what is received down; the rest stays in
//! `funding_pool_atoms`, which is what was paid less what was received so far.

use crate::layout::{Instrument, Position};
use crate::{Result, Slab, SlabError};
use flagstone_interface::event::FundingUpdated;
use flagstone_interface::router::FundingGrid;
use flagstone_units::{PPM_ONE, SignedPpm, Slot};

/// Fractional bits of funding indices and rates.
pub const FUNDING_BITS: u32 = 16;

/// Most that one settlement moves, in atoms: cash stays within its bounds.
const FUNDING_ATOMS_MAX: u64 = 1 << 60;

impl Position {
    /// What the position owes at an instrument's funding index, in atoms:
    /// rounded up when it pays, down when it receives (then it is negative).
    #[inline(always)]
    pub fn funding_owed_atoms(&self, index: i64) -> i64 {
        let moved = index.wrapping_sub(self.funding_index);
        if moved == 0 || self.lots.0 == 0 {
            return 0;
        }
        let pays = (moved > 0) == (self.lots.0 > 0);
        let owed = funding_size(moved.unsigned_abs(), self.lots.magnitude(), pays);
        if pays { owed } else { -owed }
    }
}

/// `rate * lots / 2^16`, rounded as asked and bounded.
#[inline(never)]
fn funding_size(rate: u64, lots: u32, up: bool) -> i64 {
    let lots = u64::from(lots);
    let mask = (1 << FUNDING_BITS) - 1;
    let whole = (rate >> FUNDING_BITS).saturating_mul(lots);
    let part = (rate & mask) * lots + if up { mask } else { 0 };
    let size = whole.saturating_add(part >> FUNDING_BITS);
    size.min(FUNDING_ATOMS_MAX) as i64
}

impl Slab<'_> {
    /// Accrues funding of every instrument that an account has a position in.
    ///
    /// Comes before margin is measured and before a quantity changes.
    #[inline(always)]
    pub(crate) fn accrue_positions(&mut self, account: u32, slot: Slot) {
        let mut index = self.accounts[account].positions_head;
        while index != 0 {
            let position = &self.positions[index];
            let (number, next) = (position.instrument, position.next_in_account);
            self.accrue_funding(number, slot);
            index = next;
        }
    }

    /// Brings an instrument's funding index up to a slot. Idempotent.
    #[inline(always)]
    pub fn accrue_funding(&mut self, number: u8, slot: Slot) {
        if self.instruments[number as usize].funding_slot < slot {
            self.instruments[number as usize].accrue(slot);
        }
    }

    /// Accrues funding, and takes the shared rate of the Router's grid for the
    /// interval to come.
    ///
    /// Returns the event when an interval began since the last accrual.
    ///
    /// # Errors
    /// [`SlabError::NoInstrument`]; [`SlabError::WrongRecord`] when the grid is
    /// of another underlying, of another interval, or not newer than the last.
    pub fn update_funding(
        &mut self,
        number: u8,
        grid: Option<&FundingGrid>,
        slot: Slot,
    ) -> Result<Option<FundingUpdated>> {
        let before = self.instrument(number)?.funding_start;
        self.accrue_funding(number, slot);
        let instrument = &mut self.instruments[number as usize];
        if let Some(grid) = grid {
            let fits = grid.underlying_id == instrument.underlying_id
                && grid.interval_slots == instrument.rules.funding_slots.0
                && grid.slot > instrument.grid_slot
                && grid.slot <= slot;
            if !fits {
                return Err(SlabError::WrongRecord);
            }
            instrument.grid_slot = grid.slot;
            instrument.grid_rate = SignedPpm(grid.rate_ppm);
        }
        // An instrument without funding has no intervals that could begin.
        let began = instrument.rules.funding_slots.0 != 0 && instrument.funding_start != before;
        Ok(began.then_some(FundingUpdated {
            tag: FundingUpdated::TAG,
            seq: 0,
            instrument: number,
            funding_rate: instrument.funding_rate,
            funding_index: instrument.funding_base,
        }))
    }

    /// Settles what a position owes, ahead of a change of its quantity.
    ///
    /// # Errors
    /// [`SlabError::AmountOverflow`].
    pub(crate) fn settle_funding(&mut self, index: u32, slot: Slot) -> Result<()> {
        let position = &self.positions[index];
        let account = u32::from(position.account);
        let funding_index = self.instruments[position.instrument as usize].funding_index;
        let owed = position.funding_owed_atoms(funding_index);
        self.positions[index].funding_index = funding_index;
        if owed != 0 {
            self.header.funding_pool_atoms += owed;
            self.settle_cash_apart(account, -owed, slot)?;
        }
        Ok(())
    }
}

impl Instrument {
    #[inline(never)]
    fn accrue(&mut self, slot: Slot) {
        self.funding_slot = slot;
        let length = self.rules.funding_slots.0;
        if length == 0 {
            self.stop_funding(slot);
            return;
        }
        let mut elapsed = slot.saturating_sub(self.funding_start).0;
        if elapsed >= length {
            // The running interval ends and is paid in full.
            self.funding_base = self.funding_base.wrapping_add(self.funding_rate);
            self.begin_interval(self.funding_start.0 + length);
            elapsed -= length;
        }
        if elapsed >= length {
            // Nobody came by for a whole interval: it is paid at the rate that
            // was due, and nothing was sampled for those after it.
            self.funding_base = self.funding_base.wrapping_add(self.funding_rate);
            self.funding_rate = 0;
            (self.premium_before, self.premium_before_weight) = (0, 0);
            self.funding_start = Slot(slot.0 - elapsed % length);
            elapsed %= length;
        }
        self.funding_index =
            self.funding_base
                .wrapping_add(part_of(self.funding_rate, elapsed, length));
    }

    /// Keeps what has accrued when an instrument has, or now gets, no funding.
    pub(crate) fn stop_funding(&mut self, slot: Slot) {
        self.funding_base = self.funding_index;
        self.funding_rate = 0;
        self.funding_start = slot;
        (self.premium_sum, self.premium_weight) = (0, 0);
        (self.premium_before, self.premium_before_weight) = (0, 0);
    }

    /// Starts an interval at the rate that the last one's premium calls for.
    #[inline(never)]
    fn begin_interval(&mut self, start: u32) {
        let unit = i128::from(self.atoms_per_tick) << FUNDING_BITS;
        let value = i128::from(self.index.0) * unit;
        let share = |ppm: i64| value * i128::from(ppm) / i128::from(PPM_ONE);
        let most = share(self.rules.funding_max.0.into());
        let weight = i128::from(self.premium_weight.max(1));
        let own = (i128::from(self.premium_sum) * unit / weight).clamp(-most, most);
        let spread = share(self.rules.funding_spread_max.0.into());
        let recent = self.grid_slot.0 >= self.funding_start.0 && self.grid_slot.0 != 0;
        let shared = share(self.grid_rate.0.into()).clamp(-most, most);
        let rate = if recent && (shared - own).abs() <= spread {
            shared
        } else {
            own
        };
        // Bounded by funding_max of a price below 2^53 atoms, times 2^16.
        self.funding_rate = i64::try_from(rate).unwrap_or(0);
        self.funding_start = Slot(start);
        // The Router reads both for the shared rate.
        (self.premium_before, self.premium_before_weight) = (self.premium_sum, self.premium_weight);
        (self.premium_sum, self.premium_weight) = (0, 0);
    }
}

/// `value * part / whole`, rounded towards zero, for `part <= whole`.
fn part_of(value: i64, part: u32, whole: u32) -> i64 {
    let size = value.unsigned_abs();
    let (part, whole) = (u64::from(part), u64::from(whole));
    // Quotient and remainder apart: nothing exceeds 64 bits.
    let scaled = (size / whole)
        .wrapping_mul(part)
        .wrapping_add((size % whole) * part / whole) as i64;
    if value < 0 { -scaled } else { scaled }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flagstone_units::SignedLots;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rm6_owed_is_the_product_rounded_against_the_payer(
            lots in -1_000_000_000i32..1_000_000_000,
            from in -(1i64 << 40)..(1i64 << 40),
            to in -(1i64 << 40)..(1i64 << 40),
        ) {
            let position = Position { lots: SignedLots(lots), funding_index: from, ..Position::default() };
            let exact = i128::from(lots) * i128::from(to - from);
            let up = (exact + ((1 << FUNDING_BITS) - 1)) >> FUNDING_BITS;
            let bounded = up.clamp(-(1 << 60), 1 << 60);
            prop_assert_eq!(i128::from(position.funding_owed_atoms(to)), bounded);
        }

        #[test]
        fn rm6_an_interval_is_paid_exactly_once_however_it_is_walked(
            rate in -(1i64 << 40)..(1i64 << 40),
            length in 1u32..5_000,
            steps in proptest::collection::vec(1u32..900, 1..40),
        ) {
            let mut instrument: Instrument = bytemuck::Zeroable::zeroed();
            instrument.rules.funding_slots = Slot(length);
            instrument.funding_rate = rate;
            instrument.funding_start = Slot(1_000);
            let mut slot = 1_000;
            for step in steps {
                slot += step;
                instrument.accrue(Slot(slot));
                let passed = slot - 1_000;
                let exact = if passed >= length { rate } else { part_of(rate, passed, length) };
                prop_assert_eq!(instrument.funding_index, exact);
            }
        }
    }
}
