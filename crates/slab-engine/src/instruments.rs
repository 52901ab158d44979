//! Instruments: parameters, their bounds, and how they change.

use crate::layout::{Instrument, Rules, Terms};
use crate::{Result, Slab, SlabError};
use bytemuck::Zeroable;
use flagstone_interface::Key;
use flagstone_interface::slab::status;
use flagstone_units::{Lots, NOTIONAL_ATOMS_MAX, PPM_ONE, Ppm, SignedPpm, Slot, Ticks};

/// Slots that a liquidation may take beyond the staleness of the mark: age of
/// the Router's snapshot (25), grace (50) and life of a ticket (75).
pub const LIQUIDATION_SLOTS: Slot = Slot(150);

/// Parameters of a new instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstrumentParams {
    /// Number of the underlying in the registry.
    pub underlying_id: u64,
    /// Ticker, padded with zeroes.
    pub symbol: [u8; 16],
    /// Value of one tick on one lot, in quote atoms.
    pub atoms_per_tick: u32,
    /// Largest price.
    pub price_max: Ticks,
    /// Smallest order.
    pub order_lots_min: Lots,
    /// Largest order.
    pub order_lots_max: Lots,
    /// Largest position, worst-case open orders included.
    pub position_lots_max: Lots,
    /// Initial margin ratio.
    pub imr: Ppm,
    /// Maintenance margin ratio.
    pub mmr: Ppm,
    /// Fee of the taker on notional.
    pub taker_fee: SignedPpm,
    /// Fee of the maker on notional; negative is a rebate.
    pub maker_fee: SignedPpm,
    /// Half width of the price band around the mark.
    pub band: Ppm,
    /// Mark to start from.
    pub mark: Ticks,
    /// Most that the mark moves in one slot.
    pub mark_move_max: Ticks,
    /// Slots that an order must have rested to count for the mark.
    pub mark_age: Slot,
    /// Counted lots at which a side has a price for the mark.
    pub mark_lots_min: Lots,
    /// Most that the mark may move between reserve and commit.
    pub kill_band: Ppm,
    /// Fee on a hold per slot that it stands, on notional; never 0, or locking
    /// a book would be free.
    pub hold_fee: Ppm,
    /// Oracle account; zero when the book makes the mark.
    pub oracle: Key,
    /// Feed that the oracle account has to carry.
    pub oracle_feed: Key,
    /// Ticks per unit of the oracle's price, in millionths; 0 without an oracle.
    pub oracle_scale: u64,
    /// Oracle, funding, batches, holds and liquidation.
    pub rules: Rules,
}

/// What terms are checked against and cannot change.
#[derive(Clone, Copy, Debug)]
struct Fixed {
    atoms_per_tick: u32,
    price_max: Ticks,
    mark: Ticks,
    has_oracle: bool,
}

impl InstrumentParams {
    /// The part that can change later.
    pub const fn terms(&self) -> Terms {
        Terms {
            order_lots_min: self.order_lots_min,
            order_lots_max: self.order_lots_max,
            position_lots_max: self.position_lots_max,
            imr: self.imr,
            mmr: self.mmr,
            taker_fee: self.taker_fee,
            maker_fee: self.maker_fee,
            band: self.band,
            mark_move_max: self.mark_move_max,
            mark_age: self.mark_age,
            mark_lots_min: self.mark_lots_min,
            kill_band: self.kill_band,
            hold_fee: self.hold_fee,
            rules: self.rules,
        }
    }

    fn validate(&self) -> Result<()> {
        let oracle = self.oracle != [0; 32];
        let fixed = Fixed {
            atoms_per_tick: self.atoms_per_tick,
            price_max: self.price_max,
            mark: self.mark,
            has_oracle: oracle,
        };
        if oracle != (self.oracle_scale != 0) {
            return Err(SlabError::BadInstrument);
        }
        self.terms().validate(&fixed)
    }
}

impl Terms {
    /// Checks the terms against each other and against what cannot change.
    ///
    /// The bounds keep every product of the engine within 64 bits and close
    /// the gap between the band and the margin: a fill at the edge of the band
    /// must not cost more than the initial margin covers.
    fn validate(&self, fixed: &Fixed) -> Result<()> {
        let size_bounds = self.order_lots_min.0 > 0
            && self.order_lots_min <= self.order_lots_max
            && self.order_lots_max <= self.position_lots_max
            && self.position_lots_max.0 <= i32::MAX as u32 / 2;
        let price_bounds = fixed.atoms_per_tick > 0
            && fixed.mark.0 > 0
            && fixed.mark <= fixed.price_max
            && self.mark_move_max.0 > 0;
        let largest = u128::from(fixed.price_max.0)
            * u128::from(self.position_lots_max.0)
            * u128::from(fixed.atoms_per_tick);
        let fee_size = |fee: SignedPpm| u64::from(fee.0.unsigned_abs());
        let fees = fee_size(self.taker_fee) <= PPM_ONE / 10
            && fee_size(self.maker_fee) <= PPM_ONE / 10
            && self.taker_fee.0 + self.maker_fee.0 >= 0;
        let ratios = self.mmr.0 > 0
            && self.mmr <= self.imr
            && u64::from(self.imr.0) <= PPM_ONE
            && u64::from(self.band.0) < u64::from(self.imr.0)
            && self.kill_band <= self.band
            && self.hold_fee.0 > 0
            && u64::from(self.hold_fee.0) <= PPM_ONE / 1_000;
        let sound = size_bounds
            && price_bounds
            && largest < u128::from(NOTIONAL_ATOMS_MAX)
            && fees
            && ratios
            && self.rules.are_sound(fixed.has_oracle)
            && (!fixed.has_oracle || self.closes_the_gap(fixed.mark));
        if sound {
            Ok(())
        } else {
            Err(SlabError::BadInstrument)
        }
    }

    /// The gap-risk rule: what a position can lose from the last price that
    /// was good to the end of its liquidation is within its maintenance margin.
    fn closes_the_gap(&self, mark: Ticks) -> bool {
        let rules = &self.rules;
        let slots = u64::from(rules.oracle_age_max.0) + u64::from(LIQUIDATION_SLOTS.0);
        let moved = u128::from(self.mark_move_max.0) * u128::from(slots) * u128::from(PPM_ONE);
        let moved = moved.div_ceil(u128::from(mark.0));
        // One interval's funding at most falls due within the time of a
        // liquidation, unless intervals are shorter than that.
        let intervals = match rules.funding_slots.0 {
            0 => 0,
            length => slots.div_ceil(u64::from(length)),
        };
        let funding = u128::from(rules.funding_max.0) * u128::from(intervals);
        let lost = moved
            + funding
            + u128::from(rules.liquidation_band_max.0)
            + u128::from(rules.liquidation_fee.0);
        lost <= u128::from(self.mmr.0)
    }
}

impl Rules {
    /// Bounds of each rule by itself.
    fn are_sound(&self, has_oracle: bool) -> bool {
        let whole = PPM_ONE as u32;
        let oracle = if has_oracle {
            self.oracle_age_max.0 > 0
                && self.oracle_age_max.0 <= 10_000
                && self.oracle_confidence_max.0 > 0
                && self.oracle_confidence_max.0 <= whole / 10
                && self.premium_max.0 <= whole / 10
        } else {
            // Funding and liquidation follow an index that cannot be pushed
            // around through the book.
            self.funding_slots.0 == 0 && self.liquidation_fee.0 == 0
        };
        let funding = self.funding_slots.0 <= 1 << 20
            && self.funding_max.0 <= whole / 20
            && self.funding_spread_max.0 <= whole / 20;
        let batches = self.switches < 4
            && self.freeze_levels <= 16
            && self.freeze_slots.0 <= 100
            && self.round_trip_tax.0 <= whole
            && self.reveal_slots.0 <= 10_000;
        let holds = self.hold_share_max.0 <= whole;
        let liquidation = self.liquidation_fee.0 <= whole / 10
            && self.keeper_share.0 <= whole
            && self.liquidation_band_min <= self.liquidation_band_max
            && self.liquidation_band_max.0 <= whole / 5;
        oracle && funding && batches && holds && liquidation && self.premium_slots.0 <= 100_000
    }
}

impl Instrument {
    /// The terms in force.
    pub const fn terms(&self) -> Terms {
        Terms {
            order_lots_min: self.order_lots_min,
            order_lots_max: self.order_lots_max,
            position_lots_max: self.position_lots_max,
            imr: self.imr,
            mmr: self.mmr,
            taker_fee: self.taker_fee,
            maker_fee: self.maker_fee,
            band: self.band,
            mark_move_max: self.mark_move_max,
            mark_age: self.mark_age,
            mark_lots_min: self.mark_lots_min,
            kill_band: self.kill_band,
            hold_fee: self.hold_fee,
            rules: self.rules,
        }
    }

    pub(crate) fn adopt(&mut self, terms: &Terms) {
        self.order_lots_min = terms.order_lots_min;
        self.order_lots_max = terms.order_lots_max;
        self.position_lots_max = terms.position_lots_max;
        self.imr = terms.imr;
        self.mmr = terms.mmr;
        self.taker_fee = terms.taker_fee;
        self.maker_fee = terms.maker_fee;
        self.band = terms.band;
        self.mark_move_max = terms.mark_move_max;
        self.mark_age = terms.mark_age;
        self.mark_lots_min = terms.mark_lots_min;
        self.kill_band = terms.kill_band;
        self.hold_fee = terms.hold_fee;
        self.rules = terms.rules;
    }

    /// Whether these terms may replace the ones in force.
    pub(crate) fn validate(&self, terms: &Terms) -> Result<()> {
        terms.validate(&Fixed {
            atoms_per_tick: self.atoms_per_tick,
            price_max: self.price_max,
            mark: self.mark,
            has_oracle: self.has_oracle(),
        })
    }
}

impl Slab<'_> {
    /// Adds an instrument and returns its number.
    ///
    /// # Errors
    /// [`SlabError::BadInstrument`] for a parameter out of range,
    /// [`SlabError::InstrumentsFull`] when all are taken.
    pub fn add_instrument(&mut self, params: &InstrumentParams, slot: Slot) -> Result<u8> {
        params.validate()?;
        let pool = &mut self.header.pools[0];
        if pool.high_water >= pool.capacity {
            return Err(SlabError::InstrumentsFull);
        }
        let number = pool.high_water;
        pool.high_water += 1;
        pool.live += 1;
        let oracle = params.oracle_scale != 0;
        let mut instrument = Instrument {
            underlying_id: params.underlying_id,
            symbol: params.symbol,
            status: status::ACTIVE,
            atoms_per_tick: params.atoms_per_tick,
            price_max: params.price_max,
            mark: params.mark,
            mark_slot: slot,
            mark_moved: slot,
            // An oracle has to speak before anybody trades.
            fresh_until: if oracle { Slot(0) } else { Slot(u32::MAX) },
            funding_start: slot,
            oracle: params.oracle,
            oracle_feed: params.oracle_feed,
            oracle_scale: params.oracle_scale,
            ..Instrument::zeroed()
        };
        instrument.adopt(&params.terms());
        self.instruments[number as usize] = instrument;
        Ok(number as u8)
    }

    /// The instrument with this number.
    ///
    /// # Errors
    /// [`SlabError::NoInstrument`].
    #[inline(always)]
    pub fn instrument(&self, number: u8) -> Result<&Instrument> {
        match self.instruments.get(number as usize) {
            Some(instrument) if instrument.status != status::NONE => Ok(instrument),
            _ => Err(SlabError::NoInstrument),
        }
    }
}
