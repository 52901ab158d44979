//! What doing nothing costs: the fixed price of every instruction.
//!
//! Compute units are exact, so these bounds are tight; the benchmarks measure
//! what real work costs.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::{MARK, QUOTE, exchange, handle, ok};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::slab;
use flagstone_sdk::units::Side;

#[test]
fn a_stale_cancel_costs_less_than_400_units_on_every_size() {
    for size in [SlabSize::Dev, SlabSize::Small, SlabSize::Full] {
        let mut exchange = exchange(size);
        let maker = ok(exchange.join(1_000 * QUOTE, 1_000 * QUOTE));
        let placed = ok(exchange.place(&maker, OrderKind::PostOnly, Side::Bid, MARK, 5));
        let (order, generation) = handle(&placed);
        ok(exchange.cancel(&maker, order, generation));
        let stale = ok(exchange.cancel(&maker, order, generation));
        println!("stale cancel on {size:?}: {} CU", stale.compute_units);
        assert!(stale.compute_units < 400, "{} CU", stale.compute_units);
    }
}

#[test]
fn a_sync_with_nothing_new_is_little_more_than_its_system_calls() {
    let mut exchange = exchange(SlabSize::Dev);
    let member = ok(exchange.join(1_000 * QUOTE, 1_000 * QUOTE));
    let sync = slab::sync(&exchange.slab, &member.escrow, member.account);
    let receipt = ok(exchange.session.send(&[sync], &[]));
    // The runtime's prices: 140 for the clock, 200 and a unit per byte for the event.
    let calls = 140 + 200 + size_of::<flagstone_sdk::interface::event::AccountSynced>() as u64;
    println!(
        "sync: {} CU, {calls} of them for system calls",
        receipt.compute_units
    );
    assert!(
        receipt.compute_units < 480 + calls,
        "{} CU",
        receipt.compute_units
    );
}
