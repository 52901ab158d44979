//! What a reader who sees the engine for the first time tries to break.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::crash::crash_params;
use common::Exchange;
use flagstone_slab_engine::SlabError;
use flagstone_units::Ppm;

const RICH: u64 = 1_000_000_000;

/// What bars the sweep of the book bars the closing against counterparts: a
/// mark that the book makes could be pushed until a ticket is there, and the
/// ticket only has to be left to expire.
#[test]
fn lq5_an_instrument_without_a_fee_bars_deleveraging() {
    let mut params = crash_params();
    params.rules.liquidation_fee = Ppm(0);
    let mut exchange = Exchange::crash_with(&params, &[150_000, RICH]);
    exchange.pair(1, 2, 100_000, 10);
    exchange.set_mark(0, 86_000);
    let papers = exchange.ticket(1, 10);
    exchange.slot += 76;
    assert_eq!(
        exchange.deleverage(1, &[2], &papers).err(),
        Some(SlabError::BadInstrument)
    );
    exchange.audit_all();
}
