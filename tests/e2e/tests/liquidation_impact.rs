//! E2E3: what the Router can offset first is not sold. The same crash, with the
//! owner's cash allowed to cure it in full, in part and not at all: lots sold into
//! the falling book, and the price that they sell down to.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::crash::{Crash, LOTS};
use flagstone_e2e_tests::{MARK, QUOTE, ok};
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::margin::times::TICKET_SLOTS;
use flagstone_sdk::router;
use flagstone_sdk::units::Ticks;
use std::slice::from_ref;

/// Mark after the crash, in ticks. The account's equity is then 590: it lacks 325
/// for maintenance and 1,240 for initial margin.
const CRASHED: u32 = 9_150;
const TO_MAINTENANCE: u64 = 325 * QUOTE;
const TO_INITIAL: u64 = 1_240 * QUOTE;

/// What the liquidation did to the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Impact {
    /// Lots sold.
    sold: u32,
    /// Ticks from the best bid before to the best one after.
    ticks: u32,
    /// Fee that the account paid, in atoms.
    fee_atoms: u64,
}

fn best_bid(crash: &Crash) -> Ticks {
    let slab = crash.exchange.slab;
    let read = |slab: &flagstone_sdk::engine::Slab<'_>| {
        let best = slab.instruments[0].books[0].best;
        slab.levels[best].ticks
    };
    let session = &crash.exchange.session;
    session.with_slab(&slab, read).expect("a slab")
}

/// Crashes, moves as much cash as `consent_atoms` allows, and liquidates the rest.
fn liquidate(consent_atoms: u64) -> Impact {
    let mut crash = Crash::open();
    let (owner, slab, mint) = crash.at();
    ok(crash.exchange.deposit(&crash.victim, 5_000 * QUOTE));
    if consent_atoms > 0 {
        let consent = router::set_liability_max(&owner, &slab, &mint, consent_atoms);
        let signer = [&crash.victim.wallet];
        ok(crash.exchange.session.send(&[consent], &signer));
    }
    crash.fall_to(CRASHED);
    // A book that thins out: ten lots a tick.
    crash.bid(CRASHED - 10, 20, 10);
    crash.wait(5);
    let before = best_bid(&crash);
    crash.freeze();
    if consent_atoms > 0 {
        let shift = [crash.shift(), crash.sync()];
        crash.crank(&shift);
    }
    let (mut sold, mut fee_atoms) = (0, 0);
    let sinks = |crash: &Crash| {
        let health = crash.health(&crash.victim);
        health.equity_atoms < health.maintenance_atoms as i64
    };
    while sinks(&crash) {
        let issue = crash.issue();
        crash.crank(from_ref(&issue));
        let sweep = crash.sweep();
        let receipt = crash.crank(from_ref(&sweep));
        for event in &receipt.events {
            if let Event::Liquidated(done) = event {
                sold += done.lots;
                fee_atoms += done.fee_atoms;
            }
        }
        crash.wait(u64::from(TICKET_SLOTS.0) + 1);
    }
    assert_eq!(crash.lots(&crash.victim), (LOTS - sold) as i32);
    Impact {
        sold,
        ticks: before.0 - best_bid(&crash).0,
        fee_atoms,
    }
}

#[test]
fn e2e3_what_cash_can_offset_is_not_sold_into_the_book() {
    let alone = liquidate(0);
    let quarter = liquidate(TO_INITIAL / 4);
    println!("independent liquidation:        {alone:?}");
    println!("a quarter of it from cash:      {quarter:?}");
    assert!(alone.sold > 0 && alone.ticks > 0, "nothing was measured");
    assert!(alone.ticks < MARK / 50, "within the band");
    // A quarter of the margin is a quarter of the lots, in a book that thins out
    // evenly, and of the fee.
    for (less, all) in [
        (quarter.sold.into(), alone.sold.into()),
        (quarter.ticks.into(), alone.ticks.into()),
        (quarter.fee_atoms, alone.fee_atoms),
    ] {
        assert!(less * 5 <= all * 4 && less > 0, "{less} of {all}");
    }
    // As little as maintenance margin lacks, and nothing is sold at all.
    for consent in [TO_MAINTENANCE, TO_INITIAL] {
        let cured = liquidate(consent);
        println!("{} from cash: {cured:?}", consent / QUOTE);
        assert_eq!((cured.sold, cured.ticks, cured.fee_atoms), (0, 0, 0));
    }
}
