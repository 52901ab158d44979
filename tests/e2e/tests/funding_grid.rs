//! The shared funding grid on the real programs: who votes, what comes out, and
//! what the Router nets (rules T8 and N5, property RM7).
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::batch::{self, CPI_ROUTER, batch};
use flagstone_e2e_tests::forge::{plant_copy, spoilers, stranger, swapped, while_changed};
use flagstone_e2e_tests::grid::{CASH, Floor, STEP, TICK_PPM, UNDERLYING};
use flagstone_e2e_tests::hostile::{called, deploy};
use flagstone_e2e_tests::money::audit_money;
use flagstone_e2e_tests::pyth::{FUNDING_SLOTS, wait};
use flagstone_e2e_tests::refusal::refused;
use flagstone_e2e_tests::{QUOTE, ok, programs};
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::grid::Exposure;
use flagstone_sdk::units::{Side, Slot};
use flagstone_sdk::{address, router, slab};
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_signer::Signer;
use std::slice::from_ref;

#[test]
fn t8_the_grid_moves_to_the_median_of_the_slabs_by_bounded_steps() {
    let mut floor = Floor::sampled(&[2, 4, 9]);
    assert_eq!(floor.update(), STEP);
    // Once in an interval.
    for _ in 0..2 {
        let again = floor.updating();
        floor.refuse(&again, RouterError::NotDue);
        wait(&mut floor.exchange.session, 1);
    }
    floor.next_interval();
    assert_eq!(floor.update(), 4 * TICK_PPM);
    floor.next_interval();
    assert_eq!(floor.update(), 4 * TICK_PPM);
    let shared = floor.grid().shared;
    assert_eq!(shared.slot, Slot(floor.exchange.session.slot() as u32));
    assert_eq!(shared.interval_slots, FUNDING_SLOTS);
    // The slabs take it, for the interval to come, and only once.
    for at in 0..3 {
        floor.accrue(at, true);
        let key = address::grid(UNDERLYING, FUNDING_SLOTS);
        let again = slab::update_funding(&floor.seats[at].slab, 0, Some(&key));
        floor.refuse(&again, SlabError::WrongRecord);
    }
    floor.pass(FUNDING_SLOTS);
    let rates: Vec<_> = (0..3).map(|at| floor.running_rate(at)).collect();
    // 400 ppm of 10,000 ticks of 10,000 atoms, scaled by 2^16.
    assert_eq!(rates, [40_000 << 16; 3]);
    audit_money(&floor.exchange.session);
}

/// What the accounts of the user, or the maker, owe in funding, in atoms.
fn owed(floor: &mut Floor, maker: bool) -> Vec<i64> {
    let (payer, mint) = (floor.exchange.session.payer(), floor.exchange.mint);
    let mut found = Vec::new();
    for at in 0..floor.seats.len() {
        floor.accrue(at, false);
        let (member, seat) = floor.member(at, maker);
        let owner = member.wallet.pubkey();
        let refresh = router::refresh_exposure(&payer, &owner, &seat.slab, &mint);
        ok(floor.send(&[refresh], &[]));
        let key = address::exposure(&seat.escrow);
        let exposure: Exposure = floor.exchange.session.record(&key).expect("an exposure");
        found.push(exposure.held().iter().map(|one| one.funding_atoms).sum());
    }
    found
}

#[test]
fn rm7_net_funding_is_the_sum_of_the_slabs_deltas() {
    let mut floor = Floor::sampled(&[2, 4, 9]);
    // Long at the first, short at the second, a little long at the third; an odd
    // net, so that nothing divides by chance.
    let lots = [13i64, -7, 3];
    floor.take(0, Side::Bid, 13);
    floor.take(1, Side::Ask, 7);
    floor.take(2, Side::Bid, 3);
    let before = audit_money(&floor.exchange.session);
    floor.update();
    for at in 0..3 {
        floor.accrue(at, true);
    }
    // Into an interval that runs at the shared rate everywhere.
    while (0..3).any(|at| floor.running_rate(at) != 25_000 << 16) {
        floor.pass(1);
    }
    let index = |floor: &Floor, at: usize| {
        let read = |slab: &flagstone_sdk::engine::Slab<'_>| slab.instruments[0].funding_index;
        let session = &floor.exchange.session;
        session.with_slab(&floor.seats[at].slab, read).expect("one")
    };
    let first = owed(&mut floor, false);
    let start: Vec<_> = (0..3).map(|at| index(&floor, at)).collect();
    let counter = owed(&mut floor, true);
    // An odd part of the interval.
    floor.pass(17);
    let last = owed(&mut floor, false);
    let moved: Vec<_> = (0..3).map(|at| index(&floor, at) - start[at]).collect();
    assert!(
        moved[0] > 0 && moved.iter().all(|one| *one == moved[0]),
        "one rate"
    );
    let deltas: Vec<_> = (0..3).map(|at| last[at] - first[at]).collect();
    // Every slab's delta within an atom of its exact part, and their sum within
    // an atom each of what the net position owes.
    let exact = |lots: i64| i128::from(lots) * i128::from(moved[0]);
    for (lots, delta) in lots.iter().zip(&deltas) {
        let apart = exact(*lots) - (i128::from(*delta) << 16);
        assert!(apart.abs() <= 1 << 16, "{delta} for {lots} lots");
    }
    let net: i64 = lots.iter().sum();
    let apart = exact(net) - (i128::from(deltas.iter().sum::<i64>()) << 16);
    assert!(apart.abs() <= 3 << 16, "the net owes something else");
    assert!(
        deltas.iter().sum::<i64>() > 0 && deltas[1] < 0,
        "{deltas:?}"
    );
    // What one side pays the other receives, but for the rounding.
    let back = owed(&mut floor, true);
    for at in 0..3 {
        let left = deltas[at] + back[at] - counter[at];
        assert!((-1..=2).contains(&left), "{left} atoms from nowhere");
    }
    // Settled for real: positions close, every atom is still there.
    floor.take(0, Side::Ask, 13);
    floor.take(1, Side::Bid, 7);
    floor.take(2, Side::Ask, 3);
    assert_eq!(owed(&mut floor, false), [0; 3]);
    let after = audit_money(&floor.exchange.session);
    assert_eq!(before.booked(), after.booked());
}

#[test]
fn t8_every_member_is_shown_once_and_in_order() {
    let mut floor = Floor::sampled(&[2, 4, 9]);
    let good = floor.updating();
    let group = |at: usize| good.accounts[2 + 4 * at..6 + 4 * at].to_vec();
    let with = |groups: &[usize]| {
        let mut other = good.clone();
        other.accounts.truncate(2);
        groups
            .iter()
            .for_each(|at| other.accounts.extend(group(*at)));
        other
    };
    assert_eq!(with(&[0, 1, 2]), good);
    for groups in [
        &[][..],
        &[0],
        &[0, 1],
        &[0, 2],
        &[1, 2],
        &[0, 1, 1],
        &[0, 0, 0],
        &[1, 0, 2],
        &[0, 2, 1],
        &[0, 1, 2, 2],
        &[0, 1, 2, 0],
    ] {
        floor.refuse(&with(groups), RouterError::BadGrid);
    }
    // Half a member too many, or too few.
    for length in [13, 15] {
        let mut other = with(&[0, 1, 2, 0]);
        other.accounts.truncate(length);
        floor.refuse(&other, RouterError::BadGrid);
    }
    // Entry, slab and ledger of another member in one's place.
    for place in [0, 1, 3] {
        let other = swapped(&good, 2 + place, group(1)[place].pubkey);
        floor.refuse(&other, RouterError::BadGrid);
    }
    let other = swapped(&good, 3, stranger());
    floor.refuse(&other, RouterError::BadGrid);
    let program = address::program_data(&address::ROUTER);
    for key in [program, stranger()] {
        let other = swapped(&good, 4, key);
        floor.refuse(&other, RouterError::WrongProgramVersion);
    }
    ok(floor.send(&[good], &[]));
}

#[test]
fn t8_forged_grids_and_records_are_refused() {
    let mut floor = Floor::sampled(&[2, 4]);
    let good = floor.updating();
    for place in [0, 2, 5] {
        let key = good.accounts[place].pubkey;
        for spoil in spoilers() {
            while_changed(&mut floor.exchange.session, &key, spoil, |session| {
                let one = from_ref(&good);
                refused(session, one, &[], RouterError::WrongRecord);
            });
        }
    }
    // Another record of the Router for the grid; another account for the sysvar.
    let vault = address::vault(&floor.exchange.mint);
    floor.refuse(&swapped(&good, 0, vault), RouterError::WrongRecord);
    floor.refuse(&swapped(&good, 1, stranger()), RouterError::WrongAddress);
    // A copy of an entry of another owner.
    let entry = good.accounts[2].pubkey;
    let forged = plant_copy(&mut floor.exchange.session, &entry, |one| {
        one.owner = stranger();
    });
    floor.refuse(&swapped(&good, 2, forged), RouterError::WrongRecord);
    let listing = floor.listing(0);
    for place in [1, 2, 3, 4] {
        let key = listing.accounts[place].pubkey;
        for spoil in spoilers() {
            while_changed(&mut floor.exchange.session, &key, spoil, |session| {
                let one = from_ref(&listing);
                refused(session, one, &[], RouterError::WrongRecord);
            });
        }
    }
    ok(floor.send(&[good], &[]));
}

#[test]
fn x6_t8_money_of_a_program_for_a_moment_weighs_no_more() {
    let mut floor = Floor::sampled(&[2, 4, 9]);
    let (owner, mint) = (batch::owner(), floor.exchange.mint);
    let file = programs().join("flagstone_cpi_router.so");
    let svm = &mut floor.exchange.session.svm;
    let added = svm.add_program_from_file(CPI_ROUTER, &file);
    added.expect("`cargo xtask build-sbf --program cpi-router`");
    let lamports = solana_account::Account {
        lamports: 1_000_000_000,
        ..Default::default()
    };
    svm.set_account(owner, lamports).expect("an account");
    let tokens = ok(floor.exchange.create_tokens(&owner, CASH));
    let slab_key = floor.seats[0].slab;
    let escrow = address::escrow(&slab_key, &owner, &mint);
    // The program has an account and its money still in its own wallet.
    for calls in [
        vec![router::open_portfolio(&owner)],
        vec![
            router::open_escrow(&owner, &slab_key, &mint, &batch::trader()),
            router::bind_escrow(&owner, &slab_key, &mint),
            slab::open_account(&slab_key, &escrow),
        ],
    ] {
        ok(floor.send(&[batch(&calls)], &[]));
    }
    // No instruction of the Router but the update stands at the top level.
    let bring = batch(&[
        router::deposit(&owner, &mint, &tokens, CASH),
        router::fund_slab(&owner, &slab_key, &mint, CASH),
    ]);
    for grid in [floor.updating(), floor.listing(0)] {
        for instructions in [[bring.clone(), grid.clone()], [grid, bring.clone()]] {
            let session = &mut floor.exchange.session;
            refused(session, &instructions, &[], RouterError::NotAlone);
        }
    }
    ok(floor.send(&[bring], &[]));
    // The compute budget moves no money.
    let update = floor.updating();
    let limit = ComputeBudgetInstruction::set_compute_unit_limit(100_000);
    let price = ComputeBudgetInstruction::set_compute_unit_price(1);
    ok(floor.send(&[limit, price, update], &[]));
}

#[test]
fn t8_money_for_a_moment_weighs_nothing() {
    let mut floor = Floor::sampled(&[2, 4, 9]);
    let (update, list) = (floor.updating(), floor.listing(0));
    // In one transaction with what brings money, or takes it away.
    let wallet = floor.user.wallet.insecure_clone();
    let [fund, sync] = floor.funding(0, false, 400_000 * QUOTE);
    for grid in [update, list] {
        for instructions in [
            vec![fund.clone(), grid.clone()],
            vec![grid.clone(), fund.clone()],
            vec![fund.clone(), sync.clone(), grid.clone()],
        ] {
            refused(
                &mut floor.exchange.session,
                &instructions,
                &[&wallet],
                RouterError::NotAlone,
            );
        }
        // Nor with anything else that might call the Router.
        let price = slab::update_funding(&floor.seats[0].slab, 0, None);
        let other = [price, grid.clone()];
        let session = &mut floor.exchange.session;
        refused(session, &other, &[], RouterError::NotAlone);
        let twice = [grid.clone(), grid];
        refused(
            &mut floor.exchange.session,
            &twice,
            &[],
            RouterError::NotAlone,
        );
    }
    // In a transaction of its own it counts from the second update on.
    floor.update();
    floor.next_interval();
    floor.fund(0, false, 400_000 * QUOTE);
    let listed = |floor: &Floor, at: usize| {
        let slab = floor.seats[at].slab.to_bytes();
        let grid = floor.grid();
        let member = grid.listed().iter().find(|one| one.slab == slab);
        member.expect("a member").backing_atoms
    };
    // Listing again does not count it either.
    ok(floor.list(0));
    assert_eq!(listed(&floor, 0), 2 * CASH);
    // With half of all weight the first slab, which stands at 200, would hold the
    // rate where it is.
    assert_eq!(floor.update(), 4 * TICK_PPM);
    assert_eq!(listed(&floor, 0), 2 * CASH + 400_000 * QUOTE);
    assert_eq!(listed(&floor, 0), floor.ledger(0).backing_atoms);
    // Ten times the others together: and still only half of all weight, so the
    // rate stays where at least half agrees.
    floor.next_interval();
    assert_eq!(floor.update(), 4 * TICK_PPM);
    audit_money(&floor.exchange.session);
}

#[test]
fn x6_t8_the_grid_is_not_for_other_programs() {
    let mut floor = Floor::sampled(&[2, 4]);
    deploy(&mut floor.exchange.session);
    let (update, list) = (floor.updating(), floor.listing(0));
    for grid in [update, list] {
        floor.refuse(&called(&grid), RouterError::CalledByProgram);
    }
}

#[test]
fn t8_a_slab_that_nobody_touched_has_no_vote_and_a_changed_program_none() {
    let mut floor = Floor::sampled(&[2, 4, 9]);
    floor.update();
    // The third is left alone for two intervals: the others decide.
    floor.pass_for(2 * FUNDING_SLOTS + 10, &[0, 1]);
    floor.next_interval_for(&[0, 1]);
    assert_eq!(floor.update(), STEP);
    // The second as well: one vote is none.
    floor.pass_for(2 * FUNDING_SLOTS + 10, &[0]);
    floor.next_interval_for(&[0]);
    let alone = floor.updating();
    floor.refuse(&alone, RouterError::BadGrid);
    // They come back by being touched for half an interval.
    floor.pass(2 * FUNDING_SLOTS);
    floor.next_interval();
    assert_eq!(floor.update(), 4 * TICK_PPM);
    // A redeployed program is not the attested one.
    floor.next_interval();
    let update = floor.updating();
    let data = address::program_data(&address::SLAB);
    let redeploy = |account: &mut solana_account::Account| account.data[4] ^= 1;
    while_changed(&mut floor.exchange.session, &data, redeploy, |session| {
        refused(session, from_ref(&update), &[], RouterError::BadGrid);
    });
    ok(floor.send(&[update], &[]));
}

#[test]
fn t8_a_hostile_member_neither_blocks_the_grid_nor_moves_it_alone() {
    let mut floor = Floor::sampled(&[2, 4, 9]);
    floor.update();
    let bad = floor.seats[2].slab;
    type Spoil = fn(&mut solana_account::Account);
    // Bytes that are no slab, an account given away, one cut short.
    let spoils: [Spoil; 3] = [
        |account| account.data[..64].fill(0),
        |account| account.owner = stranger(),
        |account| account.data.truncate(100),
    ];
    for spoil in spoils {
        floor.next_interval();
        let update = floor.updating();
        while_changed(&mut floor.exchange.session, &bad, spoil, |session| {
            ok(session.send(from_ref(&update), &[]));
        });
        // The others stand at 200 and 400: between them it stays where it was.
        assert_eq!(floor.grid().shared.rate_ppm, STEP);
    }
    for wild in [i64::MAX, i64::MIN, 1 << 40, -(1 << 40)] {
        floor.next_interval();
        let update = floor.updating();
        let session = &mut floor.exchange.session;
        let set = |slab: &mut flagstone_sdk::engine::Slab<'_>| {
            slab.instruments[0].premium_sum = wild;
        };
        session.edit_slab(&bad, set).expect("a slab");
        ok(session.send(from_ref(&update), &[]));
        let set = |slab: &mut flagstone_sdk::engine::Slab<'_>| {
            slab.instruments[0].premium_sum = 0;
        };
        session.edit_slab(&bad, set).expect("a slab");
        let rate = floor.grid().shared.rate_ppm;
        assert!((200..=400).contains(&rate), "{rate}");
    }
}
