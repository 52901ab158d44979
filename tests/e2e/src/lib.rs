//! Shared starting points of the end-to-end tests.
//!
//! Everything runs the `.so` files of `cargo xtask build-sbf`; when they are
//! missing a test fails and says so, it never falls back to native code.

// The calls of the benchmarks' program, which owns a portfolio.
#[path = "../../../bench/src/batch.rs"]
pub mod batch;
pub mod binary;
pub mod busy;
pub mod collateral;
pub mod crash;
pub mod desk;
pub mod evil;
pub mod forge;
pub mod govern;
pub mod grid;
pub mod hostile;
pub mod index;
pub mod market;
pub mod money;
pub mod orders;
pub mod proof;
pub mod pyth;
pub mod random;
pub mod refusal;
pub mod replay;
pub mod rescue;
pub mod router_told;
pub mod tiny;
pub mod told;

use flagstone_sdk::embedded::exchange::standard_instrument;
use flagstone_sdk::embedded::{Exchange, Failure, Receipt, Session};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::units::Ticks;
use std::path::PathBuf;

/// One whole unit of the quote mint, in atoms.
pub const QUOTE: u64 = 1_000_000;

/// Mark of the test instrument, in ticks of 0.01.
pub const MARK: u32 = 10_000;

/// Folder of the built programs.
pub fn programs() -> PathBuf {
    std::env::var_os("FLAGSTONE_PROGRAMS")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/deploy"))
        })
}

/// A chain with the programs on it.
pub fn session() -> Session {
    Session::start(&programs()).unwrap_or_else(|error| panic!("{error}"))
}

/// An exchange with one instrument on a slab of `size`.
pub fn exchange(size: SlabSize) -> Exchange {
    let mut exchange = Exchange::open(session(), size).unwrap_or_else(|error| panic!("{error}"));
    exchange
        .add_instrument(&standard_instrument(Ticks(MARK)))
        .unwrap_or_else(|error| panic!("{error}"));
    exchange
}

/// Unwraps a transaction, showing its log when it failed.
pub fn ok<T>(outcome: Result<T, Box<Failure>>) -> T {
    match outcome {
        Ok(value) => value,
        Err(failure) => panic!("{failure}\n{}", failure.logs.join("\n")),
    }
}

/// The custom code that a transaction failed with.
pub fn code<T>(outcome: Result<T, Box<Failure>>) -> u32 {
    match outcome {
        Ok(_) => panic!("the transaction went through"),
        Err(failure) => failure
            .code
            .unwrap_or_else(|| panic!("{failure}\n{:?}", failure.logs)),
    }
}

/// Fails unless every invariant of the slab holds and the vault holds what is booked.
pub fn audit(exchange: &Exchange) {
    let totals = exchange
        .session
        .with_slab(&exchange.slab, |slab| slab.audit())
        .expect("a slab")
        .unwrap_or_else(|broken| panic!("{broken}"));
    let vault = exchange.vault().expect("a vault");
    assert!(exchange.vault_tokens() >= vault.booked_atoms, "invariant V");
    let ledger = exchange.ledger().expect("a ledger");
    assert!(
        i128::from(ledger.backing_atoms) >= totals.received_atoms,
        "backing covers the slab"
    );
}

/// The handle of the order that a transaction brought to rest.
#[track_caller]
pub fn handle(receipt: &Receipt) -> (u32, u32) {
    let placed = receipt.events.iter().find_map(|event| match event {
        Event::OrderPlaced(placed) => Some((placed.order, placed.generation)),
        _ => None,
    });
    placed.unwrap_or_else(|| panic!("no order came to rest: {:?}", receipt.events))
}
