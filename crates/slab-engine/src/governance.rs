//! What the slab's authority may change, when, and within which limits.
//!
//! The registry has the last word (rule X10): an instrument is added, and its
//! terms change, only as an active entry of the Router allows. New terms are
//! proposed first and lie open for the slab's delay; then anyone may apply
//! them, for a while. Proposing again replaces the proposal and starts its
//! delay anew, so nothing comes into force that was not to be seen for the
//! whole of it.
//!
//! Terms that shrink a limit leave what exists as it is: orders below a new
//! smallest rest until they trade or are cancelled, positions above a new
//! largest may only shrink, a hold never costs more than its bond. Products
//! stay within 64 bits because prices and units never change, and every size
//! was bounded when it came about.

use crate::instruments::InstrumentParams;
use crate::layout::{Instrument, Terms};
use crate::{Result, Slab, SlabError};
use bytemuck::Zeroable;
use flagstone_interface::router::InstrumentEntry;
use flagstone_interface::slab::{PoolId, account_flags, status};
use flagstone_interface::{Key, key_eq};
use flagstone_units::{PPM_ONE, Ppm, SignedPpm, Slot};

/// Number that stands for the slab itself where an instrument is named.
pub const WHOLE_SLAB: u8 = u8::MAX;

/// Slots after their delay in which proposed terms may be applied: about a week.
pub const TERMS_LIFE_SLOTS: Slot = Slot(1_512_000);

/// Longest batch, in slots.
pub const BATCH_SLOTS_MAX: u32 = 1_000;

/// Limits that a slab sets for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Orders that one account may rest.
    pub orders_per_account_max: u32,
    /// Slots of a batch; 0 for none.
    pub batch_slots: u32,
    /// Share of the fees kept that goes to insurance.
    pub insurance_share: Ppm,
}

/// Whether the entry is in force and describes an instrument with these facts.
fn describes(entry: &InstrumentEntry, facts: &Facts<'_>, slot: Slot) -> bool {
    entry.is_active(slot)
        && entry.underlying_id == facts.underlying_id
        && entry.atoms_per_tick == facts.atoms_per_tick
        && key_eq(&entry.oracle, facts.oracle)
        && key_eq(&entry.oracle_feed, facts.oracle_feed)
        && entry.oracle_scale == facts.oracle_scale
}

/// Whether the terms lie within the entry's floors and caps.
fn admits(entry: &InstrumentEntry, terms: &Terms) -> bool {
    let within = |fee: SignedPpm, most: u32| i64::from(fee.0) <= i64::from(most);
    terms.imr.0 >= entry.imr_min_ppm
        && terms.mmr.0 >= entry.mmr_min_ppm
        && terms.mark_move_max.0 <= entry.mark_move_ticks_max
        && within(terms.taker_fee, entry.taker_fee_max_ppm)
        && within(terms.maker_fee, entry.maker_fee_max_ppm)
        && terms.rules.liquidation_fee.0 <= entry.liquidation_fee_max_ppm
}

/// What an instrument is, and its registry entry has to say as well.
struct Facts<'a> {
    underlying_id: u64,
    atoms_per_tick: u32,
    oracle: &'a Key,
    oracle_feed: &'a Key,
    oracle_scale: u64,
}

impl InstrumentParams {
    fn facts(&self) -> Facts<'_> {
        Facts {
            underlying_id: self.underlying_id,
            atoms_per_tick: self.atoms_per_tick,
            oracle: &self.oracle,
            oracle_feed: &self.oracle_feed,
            oracle_scale: self.oracle_scale,
        }
    }
}

impl Instrument {
    fn facts(&self) -> Facts<'_> {
        Facts {
            underlying_id: self.underlying_id,
            atoms_per_tick: self.atoms_per_tick,
            oracle: &self.oracle,
            oracle_feed: &self.oracle_feed,
            oracle_scale: self.oracle_scale,
        }
    }

    /// Whether these terms may come into force under this registry entry.
    fn check_terms(&self, terms: &Terms, entry: &InstrumentEntry, slot: Slot) -> Result<()> {
        self.validate(terms)?;
        if describes(entry, &self.facts(), slot) && admits(entry, terms) {
            Ok(())
        } else {
            Err(SlabError::OutsideRegistry)
        }
    }

    /// Replaces the terms in force, with what depends on them.
    fn switch_to(&mut self, terms: &Terms, slot: Slot) {
        if terms.rules.funding_slots != self.rules.funding_slots {
            // What has accrued stays. A rate, the shared one too, is one for an
            // interval of the old length, so it ends here.
            self.stop_funding(slot);
            (self.grid_rate, self.grid_slot) = (SignedPpm::ZERO, Slot::ZERO);
        }
        self.adopt(terms);
        if self.has_oracle() {
            // A price that is too old by the new terms is stale at once.
            let age = terms.rules.oracle_age_max.0;
            let fresh_until = Slot(self.index_slot.0.saturating_add(age));
            self.fresh_until = self.fresh_until.min(fresh_until);
        }
    }
}

impl Slab<'_> {
    /// Checks that the slab's authority signed.
    ///
    /// # Errors
    /// [`SlabError::WrongAuthority`].
    pub fn require_authority(&self, signer: &Key) -> Result<()> {
        if key_eq(&self.header.authority, signer) {
            Ok(())
        } else {
            Err(SlabError::WrongAuthority)
        }
    }

    /// Adds an instrument as its registry entry allows, and returns its number.
    ///
    /// The caller has checked that `entry` is the Router's, for this slab and
    /// the number that comes next.
    ///
    /// # Errors
    /// [`SlabError::BadInstrument`] for a parameter out of range, and for an
    /// instrument with an oracle in a slab of instruments without, or the other
    /// way round: margin is one for all, and a profit at a mark that can be
    /// pushed through the book must carry nothing that an oracle marks.
    /// [`SlabError::InstrumentsFull`] when all are taken,
    /// [`SlabError::OutsideRegistry`] when the entry does not allow it or not yet.
    pub fn add_registered(
        &mut self,
        params: &InstrumentParams,
        entry: &InstrumentEntry,
        slot: Slot,
    ) -> Result<u8> {
        let number = self.add_instrument(params, slot)?;
        if !describes(entry, &params.facts(), slot) || !admits(entry, &params.terms()) {
            return Err(SlabError::OutsideRegistry);
        }
        // All that came before are of one kind.
        let (first, added) = (self.instrument(0)?, self.instrument(number)?);
        if first.has_oracle() == added.has_oracle() {
            Ok(number)
        } else {
            Err(SlabError::BadInstrument)
        }
    }

    /// Proposes terms of an instrument; returns the slot from which they may be
    /// applied. Replaces terms that were proposed before.
    ///
    /// The caller has checked that `entry` is the Router's, for this slab and
    /// instrument.
    ///
    /// # Errors
    /// [`SlabError::NoInstrument`]; [`SlabError::BadInstrument`] for terms out
    /// of range; [`SlabError::OutsideRegistry`] when the entry does not allow
    /// them or not yet.
    pub fn propose_terms(
        &mut self,
        number: u8,
        terms: &Terms,
        entry: &InstrumentEntry,
        slot: Slot,
    ) -> Result<Slot> {
        self.instrument(number)?.check_terms(terms, entry, slot)?;
        // 0 stands for no proposal.
        let due = slot.0.saturating_add(self.header.terms_delay_slots).max(1);
        let instrument = &mut self.instruments[number as usize];
        instrument.proposed = *terms;
        instrument.proposed_slot = Slot(due);
        Ok(Slot(due))
    }

    /// Lets proposed terms come into force; anyone may ask.
    ///
    /// They are checked again, against the mark and the registry entry as they
    /// are now. The caller has checked that `entry` is the Router's, for this
    /// slab and instrument.
    ///
    /// # Errors
    /// [`SlabError::NotDue`] without a proposal, before its delay has passed or
    /// [`TERMS_LIFE_SLOTS`] after; and as [`Slab::propose_terms`].
    pub fn apply_terms(&mut self, number: u8, entry: &InstrumentEntry, slot: Slot) -> Result<()> {
        let instrument = self.instrument(number)?;
        let due = instrument.proposed_slot;
        let late = slot.saturating_sub(due) > TERMS_LIFE_SLOTS;
        if due == Slot::ZERO || slot < due || late {
            return Err(SlabError::NotDue);
        }
        // The slots until now pay funding and move the mark by the old terms.
        self.accrue_funding(number, slot);
        self.touch_mark(number, slot);
        let instrument = &mut self.instruments[number as usize];
        let terms = instrument.proposed;
        instrument.check_terms(&terms, entry, slot)?;
        instrument.switch_to(&terms, slot);
        instrument.proposed = Terms::zeroed();
        instrument.proposed_slot = Slot::ZERO;
        Ok(())
    }

    /// Sets the status of an instrument, or of the slab for [`WHOLE_SLAB`].
    ///
    /// # Errors
    /// [`SlabError::BadSetting`] for an unknown status;
    /// [`SlabError::NoInstrument`].
    pub fn set_status(&mut self, number: u8, wanted: u32) -> Result<()> {
        if wanted != status::ACTIVE && wanted != status::REDUCE_ONLY {
            return Err(SlabError::BadSetting);
        }
        if number == WHOLE_SLAB {
            self.header.status = wanted;
            return Ok(());
        }
        self.instrument(number)?;
        self.instruments[number as usize].status = wanted;
        Ok(())
    }

    /// Names or dismisses a designated liquidity provider.
    ///
    /// # Errors
    /// [`SlabError::NoAccount`].
    pub fn set_dlp(&mut self, account: u32, on: bool) -> Result<()> {
        self.open_account_at(account)?;
        let flags = &mut self.accounts[account].flags;
        *flags &= !account_flags::DLP;
        if on {
            *flags |= account_flags::DLP;
        }
        Ok(())
    }

    /// Sets the slab's own limits.
    ///
    /// When the length of batches changes, a window begins now, under a number
    /// that is higher than any before: orders that wait for the next one are
    /// due in it.
    ///
    /// # Errors
    /// [`SlabError::BadSetting`] for a limit out of range, or to end batches
    /// while orders wait for one.
    pub fn set_limits(&mut self, limits: &Limits, slot: Slot) -> Result<()> {
        let orders = limits.orders_per_account_max;
        let sound = orders > 0
            && orders <= u32::from(u16::MAX)
            && limits.batch_slots <= BATCH_SLOTS_MAX
            && u64::from(limits.insurance_share.0) <= PPM_ONE;
        if !sound {
            return Err(SlabError::BadSetting);
        }
        if limits.batch_slots != self.header.batch_slots {
            self.restart_batches(limits.batch_slots, slot)?;
        }
        self.header.orders_per_account_max = orders;
        self.header.insurance_share = limits.insurance_share;
        Ok(())
    }

    fn restart_batches(&mut self, batch_slots: u32, slot: Slot) -> Result<()> {
        let count = self.header.pool(PoolId::Instruments).high_water as usize;
        let waits = self.instruments[..count]
            .iter()
            .any(|instrument| instrument.pending_count > 0);
        if batch_slots == 0 && waits {
            return Err(SlabError::BadSetting);
        }
        if let Some(window) = self.header.batch_window(slot) {
            self.header.batch_base = window.saturating_add(1);
        }
        self.header.batch_start = slot;
        self.header.batch_slots = batch_slots;
        Ok(())
    }

    /// Names the next authority, which has to take over; the present one stays
    /// in force until then. The zero key, which nobody can sign with, withdraws
    /// the name.
    pub fn hand_over(&mut self, next: &Key) {
        self.header.authority_pending = *next;
    }

    /// Makes the named authority, which signed, the slab's.
    ///
    /// # Errors
    /// [`SlabError::WrongAuthority`] for any other signer.
    pub fn take_over(&mut self, signer: &Key) -> Result<()> {
        let named = self.header.authority_pending;
        if named == [0; 32] || !key_eq(&named, signer) {
            return Err(SlabError::WrongAuthority);
        }
        self.header.authority = named;
        self.header.authority_pending = [0; 32];
        Ok(())
    }
}
