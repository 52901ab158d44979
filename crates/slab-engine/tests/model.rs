//! The engine against a plain model of the exchange, operation by operation.
//!
//! Both run the same random operations. After each one the result, the fills,
//! the evictions and the depth of both sides must agree; every few operations
//! the whole book, every position and all cash; and the engine's own audit
//! (conservation to the atom) must hold. Holds, their capabilities and what the
//! Router books of them run along; what it backs must be what the slab received.
//!
//! `FLAGSTONE_MODEL_OPS` sets the operations of a long run and
//! `FLAGSTONE_MODEL_SEED` its seed.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;
mod reference;
mod runner;

use flagstone_interface::event::outcome;
use flagstone_slab_engine::SlabError;
use proptest::prelude::*;
use reference::setting::{Raw, crowded, deep, funded, roomy};
use runner::Run;

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.replace('_', "").parse().unwrap())
}

#[test]
fn s6_m1_m3_a_crowded_exchange_follows_the_model() {
    let ops = from_environment("FLAGSTONE_MODEL_OPS", 200_000);
    // Not every seed meets a commit beyond the largest position.
    let seed = from_environment("FLAGSTONE_MODEL_SEED", 2);
    let seen = Run::new(crowded()).long(seed, ops, 64);
    println!("{seen:#?}");
    // A run that never meets a case proves nothing about it.
    let outcomes = (outcome::PARTIAL..=outcome::NOT_REDUCING).map(|kind| format!("outcome {kind}"));
    let errors = [
        SlabError::BadQuantity,
        SlabError::OutsideBand,
        SlabError::WouldCross,
        SlabError::Expired,
        SlabError::AccountOrdersFull,
        SlabError::OrdersFull,
        SlabError::LevelsFull,
        SlabError::PositionsFull,
        SlabError::AccountFrozen,
        SlabError::NotYourOrder,
        SlabError::BelowInitialMargin,
        SlabError::PositionTooLarge,
        SlabError::NotFilled,
        SlabError::ReduceOnlyStatus,
        SlabError::NotReducing,
    ];
    let cases = [
        "evicted",
        "cancelled",
        "stale",
        "reserved true",
        "reserved false",
        "reserve HoldsFull",
        "reserve NotFilled",
        "reserve BelowInitialMargin",
        "committed, charged true",
        "committed, charged false",
        "commit NoHold",
        "commit NotBound",
        "commit NotYourOrder",
        "commit Expired",
        "commit NoCap",
        "commit MarkMoved",
        "commit NotFilled",
        "commit ChargeTooLarge",
        "commit AccountFrozen",
        "commit PositionTooLarge",
        "cancel_hold Ok(Some(true))",
        "cancel_hold Ok(Some(false))",
        "cancel_hold Ok(None)",
        "cancel_hold Err(NotYourOrder)",
        "expire Some(true)",
        "expire Some(false)",
        "free Ok(true)",
        "free Err(NotBound)",
        "release true",
        "release false",
        "reserve HoldTooLarge",
        "reserve ReduceOnlyStatus",
        "commit BadReveal",
        "reduce-only rests",
        "reduced at once",
        "placed FillOrKill",
        "placed ImmediateOrCancel",
        "placed PostOnlySlide",
        "slid",
        "waits",
        "batch BatchOpen",
        "batch, promoted true",
        "promotion evicted",
        "promotion refused 2",
        "promotion refused 6",
        "promotion refused 7",
        "cancelled all true",
        "reduced, gone false",
        "reduced, gone true",
        "replaced",
        "replace NoOrder",
        "dead man Ok(true)",
        "dead man Err(NotDeadMan)",
        "expired orders true",
        "taxed",
    ]
    .map(String::from);
    let wanted = outcomes
        .chain(errors.map(|error| error.name().into()))
        .chain(cases);
    for case in wanted.filter(|_| ops >= 100_000) {
        assert!(seen.contains_key(&case), "never met: {case}");
    }
}

#[test]
fn s6_m1_m3_a_roomy_exchange_follows_the_model() {
    let ops = from_environment("FLAGSTONE_MODEL_OPS", 200_000) / 8;
    let seed = from_environment("FLAGSTONE_MODEL_SEED", 2);
    let seen = Run::new(roomy()).long(seed, ops, 256);
    println!("{seen:#?}");
}

#[test]
fn s6_m1_m3_a_deep_book_follows_the_model() {
    let ops = from_environment("FLAGSTONE_MODEL_OPS", 200_000) / 4;
    let seed = from_environment("FLAGSTONE_MODEL_SEED", 3);
    let seen = Run::new(deep()).long(seed, ops, 128);
    assert!(seen.contains_key("no room for fills") || ops < 20_000);
}

#[test]
fn rm6_s6_an_exchange_with_funding_follows_the_model() {
    let ops = from_environment("FLAGSTONE_MODEL_OPS", 200_000) / 4;
    let seed = from_environment("FLAGSTONE_MODEL_SEED", 4);
    let seen = Run::new(funded()).long(seed, ops, 64);
    println!("{seen:#?}");
    let cases = [
        "shared rate true",
        "shared rate false",
        "funding paid",
        "funding received",
    ];
    for case in cases {
        assert!(seen.contains_key(case) || ops < 20_000, "never met: {case}");
    }
}

fn any_raw() -> impl Strategy<Value = Raw> {
    let fields = (
        any::<u8>(),
        any::<u8>(),
        any::<u8>(),
        any::<bool>(),
        any::<[u16; 4]>(),
    );
    fields.prop_map(
        |(kind, account, market, side, [price, lots, option, extra])| Raw {
            kind,
            account,
            market,
            side,
            price,
            lots,
            option,
            extra,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    /// The same from a few operations on, so that a failure shrinks to a handful.
    #[test]
    fn s6_m1_m3_short_runs_follow_the_model(raws in prop::collection::vec(any_raw(), 1..250)) {
        let mut run = Run::new(crowded());
        for raw in raws {
            run.step(raw);
            run.compare_all();
        }
    }
}
