//! What liquidation costs at its worst, in compute units.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::crash::{Crash, FEED};
use flagstone_e2e_tests::{MARK, QUOTE, ok};
use flagstone_sdk::embedded::{Oracle, oracle_instrument};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::layout::Position;
use flagstone_sdk::interface::slab::{PoolId, SlabAccount};
use flagstone_sdk::margin::times::TICKET_SLOTS;
use flagstone_sdk::slab;
use flagstone_sdk::units::{SignedLots, Slot, Ticks};

/// Positions of a full slab.
const POSITIONS: u32 = 60_000;

/// Compute units of one transaction.
const BUDGET: u64 = 1_400_000;

/// Compute units of one exposure that the Router reads.
const EXPOSURE: u64 = 1_000;

#[test]
fn pfm1_the_scan_of_all_positions_fits_one_transaction() {
    let mut crash = Crash::open_with(SlabSize::Full);
    crash.fall_to(8_500);
    crash.crank(&[crash.begin(), crash.sync(), crash.issue()]);
    crash.wait(u64::from(TICKET_SLOTS.0) + 1);
    // Shorts in profit everywhere, none with a better entry than the seller:
    // every one of them has to be looked at.
    let slab_key = crash.exchange.slab;
    let edit = |slab: &mut flagstone_sdk::engine::Slab<'_>| {
        let first = slab.header.pools[PoolId::Positions as usize].high_water + 1;
        for index in first..=POSITIONS {
            slab.positions[index] = Position {
                account: 9,
                used: 1,
                lots: SignedLots(-1),
                cost_atoms: -i64::from(MARK - 1) * 10_000,
                ..Position::default()
            };
        }
        slab.header.pools[PoolId::Positions as usize].high_water = POSITIONS;
    };
    let deleverage = crash.deleverage(&[&crash.seller]);
    let session = &mut crash.exchange.session;
    session.edit_slab(&slab_key, edit).expect("a slab");
    let receipt = ok(session.send_large(&[deleverage], &[]));
    println!(
        "deleverage on 60,000 positions: {} CU",
        receipt.compute_units
    );
    assert!(receipt.compute_units < BUDGET);
}

#[test]
fn rm3_an_exposure_costs_the_router_less_than_a_thousand_units() {
    let cost = |exposures: u32| {
        let mut crash = Crash::open();
        let oracle = Oracle::new(FEED);
        for _ in 1..exposures {
            let params = oracle_instrument(Ticks(MARK), &oracle);
            ok(crash.exchange.add_instrument(&params));
        }
        crash.sink();
        // The same position in each of the other instruments.
        let (slab, victim) = (crash.exchange.slab, u32::from(crash.victim.account));
        let edit = |slab: &mut flagstone_sdk::engine::Slab<'_>| {
            let head = slab.accounts[victim].positions_head;
            let mut next = head;
            for number in 1..exposures {
                let index = 100 + number;
                slab.instruments[number as usize].fresh_until = Slot(u32::MAX);
                slab.positions[index] = Position {
                    instrument: number as u8,
                    next_in_account: next,
                    ..slab.positions[head]
                };
                next = index;
            }
            slab.accounts[victim].positions_head = next;
        };
        let begin = crash.begin();
        let session = &mut crash.exchange.session;
        session.edit_slab(&slab, edit).expect("a slab");
        ok(session.send(&[begin], &[])).compute_units
    };
    let (one, four) = (cost(1), cost(4));
    let each = (four - one) / 3;
    println!("begin_liquidation: {one} CU with one exposure, {each} for each further one");
    assert!(each <= EXPOSURE, "{each} CU");
}

#[test]
fn obs1_a_page_of_the_root_costs_what_the_builder_says() {
    for (positions, most) in [(1u32, 64_000), (32, 690_000)] {
        let mut crash = Crash::open_with(SlabSize::Full);
        let slab_key = crash.exchange.slab;
        let edit = |slab: &mut flagstone_sdk::engine::Slab<'_>| {
            for number in 1..32 {
                slab.instruments[number] = slab.instruments[0];
            }
            let mut index = 1_000;
            for account in 1..=64 {
                let mut next = 0;
                for number in 0..positions {
                    index += 1;
                    slab.positions[index] = Position {
                        account: account as u16,
                        instrument: number as u8,
                        used: 1,
                        lots: SignedLots(1),
                        cost_atoms: 100 * QUOTE as i64,
                        next_in_account: next,
                        ..Position::default()
                    };
                    next = index;
                }
                slab.accounts[account] = SlabAccount {
                    positions_head: next,
                    ..slab.accounts[1]
                };
            }
            slab.header.pools[PoolId::Accounts as usize].high_water = 64;
            slab.header.deposits_total.add(1 << 50);
        };
        let session = &mut crash.exchange.session;
        session.edit_slab(&slab_key, edit).expect("a slab");
        ok(session.send_large(&[slab::publish_root(&slab_key, 0)], &[]));
        let receipt = ok(session.send_large(&[slab::publish_root(&slab_key, 1)], &[]));
        println!(
            "publish_root, 64 accounts of {positions} positions: {} CU",
            receipt.compute_units
        );
        assert!(receipt.compute_units < most, "{} CU", receipt.compute_units);
    }
}
