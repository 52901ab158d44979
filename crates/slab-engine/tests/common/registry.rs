//! The Router's registry as a slab sees it, and changing terms by it.

use super::{Exchange, Outcome, params};
use bytemuck::Zeroable;
use flagstone_interface::router::InstrumentEntry;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::layout::{Rules, Terms};
use flagstone_units::{Ppm, SignedPpm, Slot, Ticks};

/// An entry that allows exactly these parameters, from slot 100 on.
pub fn entry(params: &InstrumentParams) -> InstrumentEntry {
    InstrumentEntry {
        underlying_id: params.underlying_id,
        atoms_per_tick: params.atoms_per_tick,
        active_slot: Slot(100),
        oracle: params.oracle,
        oracle_feed: params.oracle_feed,
        oracle_scale: params.oracle_scale,
        imr_min_ppm: params.imr.0,
        mmr_min_ppm: params.mmr.0,
        mark_move_ticks_max: params.mark_move_max.0,
        taker_fee_max_ppm: params.taker_fee.0.max(0) as u32,
        maker_fee_max_ppm: params.maker_fee.0.max(0) as u32,
        liquidation_fee_max_ppm: params.rules.liquidation_fee.0,
        ..InstrumentEntry::zeroed()
    }
}

/// An entry with these facts that bars nothing.
pub fn wide(params: &InstrumentParams) -> InstrumentEntry {
    InstrumentEntry {
        imr_min_ppm: 0,
        mmr_min_ppm: 0,
        mark_move_ticks_max: u32::MAX,
        taker_fee_max_ppm: 1_000_000,
        maker_fee_max_ppm: 1_000_000,
        liquidation_fee_max_ppm: 1_000_000,
        ..entry(params)
    }
}

/// Parameters of an instrument with an oracle that may be liquidated.
pub fn with_oracle() -> InstrumentParams {
    InstrumentParams {
        mark: Ticks(100_000),
        mark_move_max: Ticks(10),
        oracle: [5; 32],
        oracle_feed: [6; 32],
        oracle_scale: 1_000_000,
        taker_fee: SignedPpm(500),
        maker_fee: SignedPpm(100),
        rules: Rules {
            oracle_age_max: Slot(25),
            oracle_confidence_max: Ppm(1_000),
            funding_slots: Slot(1_000),
            funding_max: Ppm(100),
            liquidation_fee: Ppm(5_000),
            liquidation_band_min: Ppm(1_000),
            liquidation_band_max: Ppm(20_000),
            ..Rules::default()
        },
        ..params()
    }
}

/// An exchange whose slab has this delay of terms.
pub fn delayed(params: &InstrumentParams, accounts: u32, delay: u32) -> Exchange {
    let mut exchange = Exchange::new(params, accounts);
    exchange.slab().header.terms_delay_slots = delay;
    exchange
}

/// Proposes terms of instrument 0.
pub fn propose(exchange: &mut Exchange, terms: &Terms, entry: &InstrumentEntry) -> Outcome<Slot> {
    let slot = Slot(exchange.slot);
    let due = exchange.run(|slab| slab.propose_terms(0, terms, entry, slot));
    exchange.audit();
    due
}

/// Applies the proposed terms of instrument 0.
pub fn apply(exchange: &mut Exchange, entry: &InstrumentEntry) -> Outcome<()> {
    let slot = Slot(exchange.slot);
    let applied = exchange.run(|slab| slab.apply_terms(0, entry, slot));
    exchange.audit();
    applied
}

/// Proposes and applies terms without any delay.
pub fn switch(exchange: &mut Exchange, change: impl FnOnce(&mut Terms)) {
    let mut terms = exchange.slab().instruments[0].terms();
    change(&mut terms);
    let entry = wide(&params());
    propose(exchange, &terms, &entry).unwrap();
    apply(exchange, &entry).unwrap();
    assert_eq!(exchange.slab().instruments[0].terms(), terms);
}
