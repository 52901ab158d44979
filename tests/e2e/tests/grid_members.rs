//! Which slabs a funding grid lists and which of them vote (rules T8, N5 and X9).
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::forge::{swapped, while_changed};
use flagstone_e2e_tests::govern::{change, config, propose, refusal};
use flagstone_e2e_tests::grid::{CASH, Floor, STEP, TICK_PPM, UNDERLYING};
use flagstone_e2e_tests::ok;
use flagstone_e2e_tests::pyth::{FUNDING_SLOTS, with_oracle};
use flagstone_e2e_tests::refusal::refused;
use flagstone_sdk::engine::instruments::InstrumentParams;
use flagstone_sdk::interface::error::RouterError;
use flagstone_sdk::interface::governance::hash_payload;
use flagstone_sdk::interface::grid::{GRID_MEMBERS_MAX, Grid};
use flagstone_sdk::interface::router::{SlabEntry, slab_status};
use flagstone_sdk::router::{Change, InstrumentRules};
use flagstone_sdk::units::{Ppm, Slot};
use flagstone_sdk::{address, router};
use solana_signer::Signer;
use std::slice::from_ref;

#[test]
fn t8_who_votes_follows_from_the_registry() {
    let mut floor = Floor::sampled(&[2, 4, 9]);
    assert_eq!(floor.listed().len(), 3);
    floor.update();
    // A slab that winds down has no vote, shown or not, and may be struck.
    let (key, mint) = (floor.seats[2].slab, floor.exchange.mint);
    let dead = Change::set_slab_status(&key, &mint, slab_status::DEAD);
    change(&mut floor.exchange, &dead);
    floor.next_interval();
    assert_eq!(floor.update(), STEP);
    ok(floor.list(2));
    assert!(!floor.listed().contains(&2));
    let again = floor.listing(2);
    floor.refuse(&again, RouterError::BadGrid);
    // Nor has one that lost its flag: what is left is one slab, and no rate.
    let key = floor.seats[0].slab;
    change(&mut floor.exchange, &Change::set_netting(&key, false, 0));
    floor.next_interval();
    let alone = floor.updating();
    floor.refuse(&alone, RouterError::BadGrid);
    ok(floor.list(0));
    assert_eq!(floor.listed(), [1]);
    let alone = floor.updating();
    floor.refuse(&alone, RouterError::BadGrid);
    // The others go on by themselves.
    assert_eq!(floor.running_rate(0), 20_000 << 16);
    // Flagged again, it is listed with what it is backed with now.
    floor.flag(&[0]);
    ok(floor.list(0));
    assert_eq!(floor.listed().len(), 2);
    assert_eq!(floor.update(), STEP);
}

#[test]
fn t8_a_suspended_slab_keeps_its_place_and_has_no_vote() {
    let mut floor = Floor::sampled(&[2, 4, 9]);
    floor.update();
    let status = core::mem::offset_of!(SlabEntry, status);
    let entry = address::slab_entry(&floor.seats[2].slab);
    for (now, struck) in [
        (slab_status::SUSPENDED, false),
        (slab_status::QUARANTINED, true),
    ] {
        floor.next_interval();
        let (update, list) = (floor.updating(), floor.listing(2));
        let set = |account: &mut solana_account::Account| account.data[status] = now;
        while_changed(&mut floor.exchange.session, &entry, set, |session| {
            ok(session.send(from_ref(&update), &[]));
            if struck {
                ok(session.send(from_ref(&list), &[]));
            } else {
                refused(session, from_ref(&list), &[], RouterError::BadGrid);
            }
        });
        // With the third slab it would go on to 400.
        assert_eq!(floor.grid().shared.rate_ppm, STEP);
        assert_eq!(floor.grid().listed().len(), if struck { 2 } else { 3 });
    }
    ok(floor.list(2));
    floor.next_interval();
    assert_eq!(floor.update(), 4 * TICK_PPM);
}

#[test]
fn t8_only_what_the_registry_admits_is_listed() {
    let mut floor = Floor::open(&[2, 4]);
    let payer = floor.exchange.session.payer();
    let mint = floor.exchange.mint;
    let slabs: Vec<_> = floor.seats.iter().map(|seat| seat.slab).collect();
    // Without the flag, and with it at another address or interval.
    let listing = floor.listing(0);
    floor.refuse(&listing, RouterError::BadGrid);
    floor.flag(&[0]);
    for (underlying, interval) in [(2, FUNDING_SLOTS), (1, 41), (1, 0)] {
        let other = router::list_in_grid(&payer, underlying, interval, &slabs[0], 0, &mint);
        floor.refuse(&other, RouterError::WrongAddress);
    }
    // Instrument, ledger or bytes of another slab.
    let entry = address::instrument_entry(&slabs[1], 0);
    let ledger = address::slab_ledger(&slabs[1], &mint);
    for (place, key) in [(3, entry), (4, ledger), (5, slabs[1])] {
        let other = swapped(&listing, place, key);
        floor.refuse(&other, RouterError::WrongSlab);
    }
    // An instrument that the slab does not have.
    let rules = InstrumentRules::wide(&with_oracle());
    let admin = floor.exchange.admin.insecure_clone();
    let early = router::register_instrument(&admin.pubkey(), &slabs[0], 1, &rules);
    ok(floor.send(&[early], &[&admin]));
    let none = router::list_in_grid(&payer, UNDERLYING, FUNDING_SLOTS, &slabs[0], 1, &mint);
    floor.refuse(&none, RouterError::BadGrid);
    // Now it is there; the first one of a slab votes, in whatever order they come.
    ok(floor.exchange.add_instrument_at(&slabs[0], &with_oracle()));
    ok(floor.send(from_ref(&none), &[]));
    assert_eq!(floor.grid().listed()[0].instrument, 1);
    ok(floor.list(0));
    assert_eq!(floor.grid().listed()[0].instrument, 0);
    floor.refuse(&none, RouterError::BadGrid);
    // Registered anew as something else, it no longer belongs.
    let other = InstrumentRules {
        underlying_id: 9,
        ..rules
    };
    let anew = router::register_instrument(&admin.pubkey(), &slabs[0], 0, &other);
    ok(floor.send(&[anew], &[&admin]));
    ok(floor.list(0));
    assert!(floor.grid().listed().is_empty());
    floor.refuse(&listing, RouterError::BadGrid);
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
    floor.fund(5, false, CASH);
    floor.flag(&[5]);
    let sixth = floor.listing(5);
    floor.refuse(&sixth, RouterError::GridFull);
    let mut short: InstrumentParams = with_oracle();
    short.rules.funding_slots = Slot(FUNDING_SLOTS * 2);
    short.rules.funding_max = Ppm(900);
    floor.add_slab("seventh", &short);
    floor.fund(6, false, CASH);
    floor.flag(&[6]);
    let payer = floor.exchange.session.payer();
    let (key, mint) = (floor.seats[6].slab, floor.exchange.mint);
    let wrong = floor.listing(6);
    floor.refuse(&wrong, RouterError::BadGrid);
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
fn t8_no_slab_is_listed_before_it_has_backing_and_stuck_without_weight() {
    let mut floor = Floor::open(&[2]);
    // Anyone may list a slab in the moment that it is flagged, before anyone
    // has funded it.
    floor.add_slab("new", &with_oracle());
    floor.flag(&[0, 1]);
    ok(floor.list(0));
    let early = floor.listing(1);
    floor.refuse(&early, RouterError::BadGrid);
    assert_eq!(floor.listed(), [0]);
    floor.fund(1, true, CASH);
    floor.fund(1, false, CASH);
    floor.pass(5);
    floor.quote(1, 4);
    ok(floor.list(1));
    floor.pass(FUNDING_SLOTS + 10);
    assert!(floor.update() > 0);
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
    // A flag that is none, a payload too short and one too long.
    let good = Change::set_netting(&one, true, 77);
    for bad in [
        &|payload: &mut Vec<u8>| payload[33] = 2,
        &|payload: &mut Vec<u8>| payload[33] = 255,
        &|payload: &mut Vec<u8>| payload.truncate(41),
        &|payload: &mut Vec<u8>| payload.push(0),
        &|payload: &mut Vec<u8>| payload.truncate(1),
    ] as [&dyn Fn(&mut Vec<u8>); 5]
    {
        let mut payload = good.payload().to_vec();
        bad(&mut payload);
        refuse_payload(&mut floor, &good, &payload);
    }
    assert_eq!(floor.entry(0).netting, 0);
    // Another slab's entry, and a slab that winds down.
    let set = Change::set_netting(&two, true, 5);
    let id = propose(&mut floor.exchange, &set);
    let mut swapped_entry = set.execute(&floor.exchange.session.payer(), id);
    swapped_entry.accounts[4].pubkey = address::slab_entry(&one);
    floor.refuse(&swapped_entry, RouterError::BadProposal);
    let mint = floor.exchange.mint;
    let dead = Change::set_slab_status(&two, &mint, slab_status::DEAD);
    change(&mut floor.exchange, &dead);
    let why = refusal(&mut floor.exchange, &set, id);
    assert_eq!(why, RouterError::BadProposal.code());
}

/// Proposes this change with another payload, and fails to execute it.
#[track_caller]
fn refuse_payload(floor: &mut Floor, pattern: &Change, payload: &[u8]) {
    let id = config(&floor.exchange).proposals_total + 1;
    let admin = floor.exchange.admin.insecure_clone();
    let mut propose = pattern.propose(&admin.pubkey(), id);
    propose.data[2..34].copy_from_slice(&hash_payload(payload));
    ok(floor.send(&[propose], &[&admin]));
    let mut execute = pattern.execute(&floor.exchange.session.payer(), id);
    execute.data.truncate(1);
    execute.data.extend((payload.len() as u32).to_le_bytes());
    execute.data.extend(payload);
    floor.refuse(&execute, RouterError::BadProposal);
}
