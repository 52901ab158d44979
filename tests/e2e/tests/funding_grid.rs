//! The shared funding grid on the real programs: who votes, what comes out, and
//! what the Router nets (rules T8 and N5, property RM7).
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::forge::{plant_copy, spoilers, stranger, swapped, while_changed};
use flagstone_e2e_tests::govern::{change, propose, refusal};
use flagstone_e2e_tests::grid::{CASH, Floor, UNDERLYING};
use flagstone_e2e_tests::money::audit_money;
use flagstone_e2e_tests::pyth::{FUNDING_SLOTS, wait, with_oracle};
use flagstone_e2e_tests::refusal::{Why, refused};
use flagstone_e2e_tests::{QUOTE, ok};
use flagstone_sdk::engine::instruments::InstrumentParams;
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::grid::{Exposure, GRID_MEMBERS_MAX, GRID_STEP_MAX_PPM, Grid};
use flagstone_sdk::interface::router::slab_status;
use flagstone_sdk::router::{Change, InstrumentRules};
use flagstone_sdk::units::{Ppm, Side, Slot};
use flagstone_sdk::{address, router, slab};
use solana_instruction::Instruction;
use solana_signer::Signer;
use std::slice::from_ref;

/// A premium of one tick, in ppm of the index.
const TICK_PPM: i32 = 100;
const STEP: i32 = GRID_STEP_MAX_PPM as i32;

/// Slabs whose books stand so many ticks above the index, sampled for a while.
fn sampled(premiums: &[u32]) -> Floor {
    let mut floor = Floor::open(premiums);
    floor.flag_and_list();
    floor.pass(FUNDING_SLOTS + 10);
    floor
}

#[track_caller]
fn refuse(floor: &mut Floor, instruction: &Instruction, why: impl Into<Why>) {
    refused(&mut floor.exchange.session, from_ref(instruction), &[], why);
}

/// On to the next interval of the grid, counted from slot 0.
fn next_interval(floor: &mut Floor) {
    let slot = floor.exchange.session.slot() as u32;
    floor.pass(FUNDING_SLOTS - slot % FUNDING_SLOTS);
}

#[test]
fn t8_the_grid_moves_to_the_median_of_the_slabs_by_bounded_steps() {
    let mut floor = sampled(&[2, 4, 9]);
    assert_eq!(floor.update(), STEP);
    // Once in an interval.
    for _ in 0..2 {
        let again = floor.updating();
        refuse(&mut floor, &again, RouterError::NotDue);
        wait(&mut floor.exchange.session, 1);
    }
    next_interval(&mut floor);
    assert_eq!(floor.update(), 4 * TICK_PPM);
    next_interval(&mut floor);
    assert_eq!(floor.update(), 4 * TICK_PPM);
    let shared = floor.grid().shared;
    assert_eq!(shared.slot, Slot(floor.exchange.session.slot() as u32));
    assert_eq!(shared.interval_slots, FUNDING_SLOTS);
    // The slabs take it, for the interval to come, and only once.
    for at in 0..3 {
        floor.accrue(at, true);
        let key = address::grid(UNDERLYING, FUNDING_SLOTS);
        let again = slab::update_funding(&floor.seats[at].slab, 0, Some(&key));
        refuse(&mut floor, &again, SlabError::WrongRecord);
    }
    floor.pass(FUNDING_SLOTS);
    let rates: Vec<_> = (0..3).map(|at| running_rate(&mut floor, at)).collect();
    // 400 ppm of 10,000 ticks of 10,000 atoms, scaled by 2^16.
    assert_eq!(rates, [40_000 << 16; 3]);
    audit_money(&floor.exchange.session);
}

/// Rate of the running interval, once accrued.
fn running_rate(floor: &mut Floor, at: usize) -> i64 {
    floor.accrue(at, false);
    let read = |slab: &flagstone_sdk::engine::Slab<'_>| slab.instruments[0].funding_rate;
    let session = &floor.exchange.session;
    session
        .with_slab(&floor.seats[at].slab, read)
        .expect("a slab")
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
    let mut floor = sampled(&[2, 4, 9]);
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
    while (0..3).any(|at| running_rate(&mut floor, at) != 25_000 << 16) {
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
    let mut floor = sampled(&[2, 4, 9]);
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
        refuse(&mut floor, &with(groups), RouterError::BadGrid);
    }
    // Half a member too many, or too few.
    for length in [13, 15] {
        let mut other = with(&[0, 1, 2, 0]);
        other.accounts.truncate(length);
        refuse(&mut floor, &other, RouterError::BadGrid);
    }
    // Entry, slab and ledger of another member in one's place.
    for place in [0, 1, 3] {
        let other = swapped(&good, 2 + place, group(1)[place].pubkey);
        refuse(&mut floor, &other, RouterError::BadGrid);
    }
    let other = swapped(&good, 3, stranger());
    refuse(&mut floor, &other, RouterError::BadGrid);
    let program = address::program_data(&address::ROUTER);
    for key in [program, stranger()] {
        let other = swapped(&good, 4, key);
        refuse(&mut floor, &other, RouterError::WrongProgramVersion);
    }
    ok(floor.send(&[good], &[]));
}

#[test]
fn t8_forged_grids_and_records_are_refused() {
    let mut floor = sampled(&[2, 4]);
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
    refuse(
        &mut floor,
        &swapped(&good, 0, vault),
        RouterError::WrongRecord,
    );
    refuse(
        &mut floor,
        &swapped(&good, 1, stranger()),
        RouterError::WrongAddress,
    );
    // A copy of an entry of another owner.
    let entry = good.accounts[2].pubkey;
    let forged = plant_copy(&mut floor.exchange.session, &entry, |one| {
        one.owner = stranger();
    });
    refuse(
        &mut floor,
        &swapped(&good, 2, forged),
        RouterError::WrongRecord,
    );
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
fn t8_money_for_a_moment_weighs_nothing() {
    let mut floor = sampled(&[2, 4, 9]);
    let (update, list) = (floor.updating(), floor.listing(0));
    // In one transaction with what brings money, or takes it away.
    let wallet = floor.user.wallet.insecure_clone();
    let [fund, sync] = floor.funding(2, false, 400_000 * QUOTE);
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
    next_interval(&mut floor);
    floor.fund(2, false, 400_000 * QUOTE);
    let listed = |floor: &Floor, at: usize| {
        let slab = floor.seats[at].slab.to_bytes();
        let grid = floor.grid();
        let member = grid.listed().iter().find(|one| one.slab == slab);
        member.expect("a member").backing_atoms
    };
    // Listing again does not count it either.
    ok(floor.list(2));
    assert_eq!(listed(&floor, 2), 2 * CASH);
    assert_eq!(floor.update(), 4 * TICK_PPM);
    assert_eq!(listed(&floor, 2), 2 * CASH + 400_000 * QUOTE);
    assert_eq!(listed(&floor, 2), floor.ledger(2).backing_atoms);
    // Ten times the others together: and still only half of all weight, so the
    // rate stays where at least half agrees.
    next_interval(&mut floor);
    assert_eq!(floor.update(), 4 * TICK_PPM);
    audit_money(&floor.exchange.session);
}

#[test]
fn t8_who_votes_follows_from_the_registry() {
    let mut floor = sampled(&[2, 4, 9]);
    assert_eq!(floor.listed().len(), 3);
    floor.update();
    // A slab that winds down has no vote, shown or not, and may be struck.
    let (key, mint) = (floor.seats[2].slab, floor.exchange.mint);
    let dead = Change::set_slab_status(&key, &mint, slab_status::DEAD);
    change(&mut floor.exchange, &dead);
    next_interval(&mut floor);
    assert_eq!(floor.update(), STEP);
    ok(floor.list(2));
    assert!(!floor.listed().contains(&2));
    let again = floor.listing(2);
    refuse(&mut floor, &again, RouterError::BadGrid);
    // Nor has one that lost its flag: what is left is one slab, and no rate.
    let key = floor.seats[0].slab;
    change(&mut floor.exchange, &Change::set_netting(&key, false, 0));
    next_interval(&mut floor);
    let alone = floor.updating();
    refuse(&mut floor, &alone, RouterError::BadGrid);
    ok(floor.list(0));
    assert_eq!(floor.listed(), [1]);
    let alone = floor.updating();
    refuse(&mut floor, &alone, RouterError::BadGrid);
    // The others go on by themselves.
    assert_eq!(running_rate(&mut floor, 0), 20_000 << 16);
    // Flagged again, it is listed with what it is backed with now.
    floor.flag(&[0]);
    ok(floor.list(0));
    assert_eq!(floor.listed().len(), 2);
    assert_eq!(floor.update(), STEP);
}

#[test]
fn t8_a_slab_that_nobody_touched_has_no_vote_and_a_changed_program_none() {
    let mut floor = sampled(&[2, 4, 9]);
    floor.update();
    // The third is left alone for two intervals: the others decide.
    floor.pass_for(2 * FUNDING_SLOTS + 10, &[0, 1]);
    next_for(&mut floor, &[0, 1]);
    assert_eq!(floor.update(), STEP);
    // The second as well: one vote is none.
    floor.pass_for(2 * FUNDING_SLOTS + 10, &[0]);
    next_for(&mut floor, &[0]);
    let alone = floor.updating();
    refuse(&mut floor, &alone, RouterError::BadGrid);
    // They come back by being touched for half an interval.
    floor.pass(2 * FUNDING_SLOTS);
    next_interval(&mut floor);
    assert_eq!(floor.update(), 4 * TICK_PPM);
    // A redeployed program is not the attested one.
    next_interval(&mut floor);
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
    let mut floor = sampled(&[2, 4, 9]);
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
        next_interval(&mut floor);
        let update = floor.updating();
        while_changed(&mut floor.exchange.session, &bad, spoil, |session| {
            ok(session.send(from_ref(&update), &[]));
        });
        // The others stand at 200 and 400: between them it stays where it was.
        assert_eq!(floor.grid().shared.rate_ppm, STEP);
    }
    for wild in [i64::MAX, i64::MIN, 1 << 40, -(1 << 40)] {
        next_interval(&mut floor);
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

fn next_for(floor: &mut Floor, slabs: &[usize]) {
    let slot = floor.exchange.session.slot() as u32;
    floor.pass_for(FUNDING_SLOTS - slot % FUNDING_SLOTS, slabs);
}

#[test]
fn t8_only_what_the_registry_admits_is_listed() {
    let mut floor = Floor::open(&[2, 4]);
    let payer = floor.exchange.session.payer();
    let mint = floor.exchange.mint;
    let slabs: Vec<_> = floor.seats.iter().map(|seat| seat.slab).collect();
    // Without the flag, and with it at another address or interval.
    let listing = floor.listing(0);
    refuse(&mut floor, &listing, RouterError::BadGrid);
    floor.flag(&[0]);
    for (underlying, interval) in [(2, FUNDING_SLOTS), (1, 41), (1, 0)] {
        let other = router::list_in_grid(&payer, underlying, interval, &slabs[0], 0, &mint);
        refuse(&mut floor, &other, RouterError::WrongAddress);
    }
    // Instrument, ledger or bytes of another slab.
    let entry = address::instrument_entry(&slabs[1], 0);
    let ledger = address::slab_ledger(&slabs[1], &mint);
    for (place, key) in [(3, entry), (4, ledger), (5, slabs[1])] {
        let other = swapped(&listing, place, key);
        refuse(&mut floor, &other, RouterError::WrongSlab);
    }
    // An instrument that the slab does not have.
    let rules = InstrumentRules::wide(&with_oracle());
    let admin = floor.exchange.admin.insecure_clone();
    let early = router::register_instrument(&admin.pubkey(), &slabs[0], 1, &rules);
    ok(floor.send(&[early], &[&admin]));
    let none = router::list_in_grid(&payer, UNDERLYING, FUNDING_SLOTS, &slabs[0], 1, &mint);
    refuse(&mut floor, &none, RouterError::BadGrid);
    // Now it is there; the first one of a slab votes, in whatever order they come.
    ok(floor.exchange.add_instrument_at(&slabs[0], &with_oracle()));
    ok(floor.send(from_ref(&none), &[]));
    assert_eq!(floor.grid().listed()[0].instrument, 1);
    ok(floor.list(0));
    assert_eq!(floor.grid().listed()[0].instrument, 0);
    refuse(&mut floor, &none, RouterError::BadGrid);
    // Registered anew as something else, it no longer belongs.
    let other = InstrumentRules {
        underlying_id: 9,
        ..rules
    };
    let anew = router::register_instrument(&admin.pubkey(), &slabs[0], 0, &other);
    ok(floor.send(&[anew], &[&admin]));
    ok(floor.list(0));
    assert!(floor.grid().listed().is_empty());
    refuse(&mut floor, &listing, RouterError::BadGrid);
}

#[test]
fn t8_a_grid_is_for_one_length_of_interval_and_five_slabs() {
    let mut floor = Floor::open(&[1, 2, 3, 4, 5]);
    floor.flag_and_list();
    let grid = floor.grid();
    assert_eq!(grid.listed().len(), GRID_MEMBERS_MAX);
    assert!(grid.listed().is_sorted_by_key(|one| one.slab));
    // A sixth slab, and one with shorter intervals.
    floor.add_slab("sixth", &with_oracle());
    floor.flag(&[5]);
    let sixth = floor.listing(5);
    refuse(&mut floor, &sixth, RouterError::GridFull);
    let mut short: InstrumentParams = with_oracle();
    short.rules.funding_slots = Slot(FUNDING_SLOTS * 2);
    short.rules.funding_max = Ppm(900);
    floor.add_slab("seventh", &short);
    floor.flag(&[6]);
    let payer = floor.exchange.session.payer();
    let (key, mint) = (floor.seats[6].slab, floor.exchange.mint);
    let wrong = floor.listing(6);
    refuse(&mut floor, &wrong, RouterError::BadGrid);
    let right = router::list_in_grid(&payer, UNDERLYING, FUNDING_SLOTS * 2, &key, 0, &mint);
    ok(floor.send(&[right], &[]));
    let other = address::grid(UNDERLYING, FUNDING_SLOTS * 2);
    let other: Grid = floor.exchange.session.record(&other).expect("a grid");
    assert_eq!(other.listed().len(), 1);
    // Five members, measured.
    floor.pass(FUNDING_SLOTS + 10);
    let update = floor.updating();
    let receipt = ok(floor.send(&[update], &[]));
    println!(
        "update of five members: {} units, {} bytes",
        receipt.compute_units, receipt.bytes
    );
    assert!(receipt.compute_units < 40_000);
}

#[test]
fn x9_netting_is_a_flag_of_the_registry_that_only_a_proposal_sets() {
    let mut floor = Floor::open(&[2, 4]);
    let (one, two) = (floor.seats[0].slab, floor.seats[1].slab);
    let zero = floor.entry(0);
    assert_eq!((zero.netting, zero.equity_max_atoms), (0, 0));
    let set = Change::set_netting(&one, true, 77);
    change(&mut floor.exchange, &set);
    let entry = floor.entry(0);
    assert_eq!((entry.netting, entry.equity_max_atoms), (1, 77));
    assert_eq!(floor.entry(1).netting, 0);
    // No equity counts of a slab without the flag.
    let odd = Change::set_netting(&one, false, 1);
    let id = propose(&mut floor.exchange, &odd);
    let why = refusal(&mut floor.exchange, &odd, id);
    assert_eq!(why, RouterError::BadProposal.code());
    change(&mut floor.exchange, &Change::set_netting(&one, false, 0));
    let entry = floor.entry(0);
    assert_eq!((entry.netting, entry.equity_max_atoms), (0, 0));
    // Another slab's entry, and a slab that winds down.
    let set = Change::set_netting(&two, true, 5);
    let id = propose(&mut floor.exchange, &set);
    let mut swapped_entry = set.execute(&floor.exchange.session.payer(), id);
    swapped_entry.accounts[4].pubkey = address::slab_entry(&one);
    refuse(&mut floor, &swapped_entry, RouterError::BadProposal);
    let mint = floor.exchange.mint;
    let dead = Change::set_slab_status(&two, &mint, slab_status::DEAD);
    change(&mut floor.exchange, &dead);
    let why = refusal(&mut floor.exchange, &set, id);
    assert_eq!(why, RouterError::BadProposal.code());
}
