//! Instruments: parameters and their bounds.

use crate::layout::Instrument;
use crate::{Result, Slab, SlabError};
use bytemuck::Zeroable;
use flagstone_units::{Lots, NOTIONAL_ATOMS_MAX, PPM_ONE, Ppm, SignedPpm, Slot, Ticks};

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
}

impl InstrumentParams {
    /// Checks the parameters against each other.
    ///
    /// The bounds keep every product of the engine within 64 bits and close
    /// the gap between the band and the margin: a fill at the edge of the band
    /// must not cost more than the initial margin covers.
    fn validate(&self) -> Result<()> {
        let size_bounds = self.order_lots_min.0 > 0
            && self.order_lots_min <= self.order_lots_max
            && self.order_lots_max <= self.position_lots_max
            && self.position_lots_max.0 <= i32::MAX as u32 / 2;
        let price_bounds = self.atoms_per_tick > 0
            && self.mark.0 > 0
            && self.mark <= self.price_max
            && self.mark_move_max.0 > 0;
        let largest = u128::from(self.price_max.0)
            * u128::from(self.position_lots_max.0)
            * u128::from(self.atoms_per_tick);
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
        if size_bounds && price_bounds && largest < u128::from(NOTIONAL_ATOMS_MAX) && fees && ratios
        {
            Ok(())
        } else {
            Err(SlabError::BadInstrument)
        }
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
        self.instruments[number as usize] = Instrument {
            underlying_id: params.underlying_id,
            symbol: params.symbol,
            status: 1,
            atoms_per_tick: params.atoms_per_tick,
            price_max: params.price_max,
            order_lots_min: params.order_lots_min,
            order_lots_max: params.order_lots_max,
            position_lots_max: params.position_lots_max,
            imr: params.imr,
            mmr: params.mmr,
            taker_fee: params.taker_fee,
            maker_fee: params.maker_fee,
            band: params.band,
            mark: params.mark,
            mark_slot: slot,
            mark_moved: slot,
            mark_move_max: params.mark_move_max,
            mark_age: params.mark_age,
            mark_lots_min: params.mark_lots_min,
            kill_band: params.kill_band,
            hold_fee: params.hold_fee,
            funding_slot: slot,
            ..Instrument::zeroed()
        };
        Ok(number as u8)
    }

    /// The active instrument with this number.
    ///
    /// # Errors
    /// [`SlabError::NoInstrument`].
    #[inline(always)]
    pub fn instrument(&self, number: u8) -> Result<&Instrument> {
        match self.instruments.get(number as usize) {
            Some(instrument) if instrument.status == 1 => Ok(instrument),
            _ => Err(SlabError::NoInstrument),
        }
    }
}
