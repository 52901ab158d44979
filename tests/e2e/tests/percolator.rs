//! The mistakes of the Router of the only earlier attempt at such an exchange,
//! each with the test that keeps it out. Letters and numbers are those of a
//! review of that attempt; its slab has a table of its own, in
//! `crates/slab-engine/tests/percolator.rs`.
//!
//! | mistake | kept out by |
//! |---|---|
//! | H1 what was deposited could never be withdrawn, and margin was not asked | [`h1_what_is_deposited_comes_back_and_margin_stays`] |
//! | H2 a route over several slabs could never succeed: wrong offsets, a borrow held over a call | [`h2_a_route_over_two_slabs_trades_on_both`] |
//! | H3 the Router lent its signature to whatever program owned the "slab" | [`h3_the_router_signs_for_nobody_but_the_token_program`] |
//! | H4 nobody's signature was checked | [`h4_whoever_has_to_sign_is_asked_to`] |
//! | H5 liquidation read its price from the wrong bytes, oracles by position | [`h5_a_liquidation_is_priced_by_the_slabs_oracle_alone`] |
//! | H6 the margin check of a trade barred the liquidation that would help | [`h6_a_sweep_that_does_not_restore_margin_goes_through`] |
//! | H7 exposure was keyed by the place in the instruction; receipts were not read | [`h7_legs_have_one_order_and_count_what_they_filled`] |
//! | H8 initial margin was measured at the limit that the user named | [`h8_a_limit_says_nothing_about_margin`] |
//! | H9 any account of the right size was a registry | [`h9_no_record_stands_in_for_another_or_for_a_copy`] |
//! | H10 anybody opened any number of portfolios for anybody | [`h10_a_portfolio_is_its_owners_and_there_is_one`] |
//! | H11 the caller said what time it was | [`h11_time_is_the_clusters`] |
//! | H12 the mark was set once and never again | [`h12_the_mark_follows_its_oracle`] |
//!
//! What was found later in its successors (section 4.5 of that review):
//!
//! | class | kept out by |
//! |---|---|
//! | 1 insurance drained by dealing with oneself | `t2_two_keys_of_one_owner_cannot_make_insurance_pay_them`, `x7_the_days_cap_bounds_all_events_and_an_events_cap_outlasts_the_day`, `lq3_nobody_pays_himself_out_of_his_own_liquidation` |
//! | 2 a clock that advances without touching accounts | `rm6_t8_each_quantity_pays_for_the_slots_in_which_it_was_held`, `lq1_what_is_read_is_what_the_engine_computes`, `t3_after_silence_the_mark_catches_up_by_a_bounded_step` |
//! | 3 a slot or time from the caller | [`h11_time_is_the_clusters`], `t3_time_that_runs_backwards_moves_nothing` |
//! | 4 oracles: no cap, replayed, extreme, unchecked | `t3_old_early_and_replayed_prices_are_refused`, `t3_uncertain_foreign_and_extreme_prices_are_refused`, `t3_the_mark_moves_once_per_slot_and_by_a_bounded_step` |
//! | 5 a warm-up that rounds to nothing or ends early | `t2_old_profit_neither_waits_for_new_nor_carries_it_out`, `t2_profits_wait_for_their_weighted_mean` |
//! | 6 a bankrupt account trades on; a close that rounding blocks | `lq6_a_debt_is_recognised_when_nothing_else_is_left`, `lq5_rounding_leaves_no_debt`, `t6_crumbs_hold_no_slot` |
//! | 7 keepers paid by third parties; one that runs out of units | `lq3_the_reward_is_a_part_of_the_fee_that_was_collected`, `pfm1_the_scan_of_all_positions_fits_one_transaction` |
//! | 8 an error after half of a change | `percolator_e11_an_error_at_any_point_leaves_no_trace` |
//! | 9 accounts made again at the same key | `x2_an_escrow_is_bound_three_times_and_not_an_atom_is_lost`, `x2_stale_instructions_of_an_ended_account_do_nothing_to_the_next`, `lq2_stale_expired_older_and_exhausted_tickets_are_void` |
//! | 10 a client whose layouts and error codes drift | `codes_are_stable_dense_and_explained`, `ev1_what_the_events_tell_is_what_the_account_holds`, [`every_test_of_these_tables_exists`] |
#![allow(missing_docs, reason = "tests explain themselves")]

use flagstone_e2e_tests::busy::{busy, readers};
use flagstone_e2e_tests::crash::Crash;
use flagstone_e2e_tests::forge::{plant_copy, stranger, swapped};
use flagstone_e2e_tests::market::{Market, TAKER_CASH};
use flagstone_e2e_tests::money::audit_money;
use flagstone_e2e_tests::refusal::{UNSIGNED, refused};
use flagstone_e2e_tests::{MARK, QUOTE};
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::units::{Lots, Side, Ticks};
use flagstone_sdk::{address, router, slab};
use solana_address::Address;
use solana_signer::Signer;
use std::collections::BTreeSet;
use std::path::Path;
use std::slice::from_ref;

#[test]
fn h1_what_is_deposited_comes_back_and_margin_stays() {
    let mut market = Market::open(1);
    let (owner, mint) = (market.taker.wallet.pubkey(), market.exchange.mint);
    let tokens = market.taker.tokens;
    let before = market.exchange.session.token_balance(&tokens);
    let route = market.route(10, 0);
    market.step(&route.instructions());
    // Initial margin is all that is there, and it stays.
    let release = market.release(0, 1);
    market.refuse(&release, SlabError::ReleaseTooLarge);
    let charged = market.escrow(0).debited_seen_atoms;
    let rest = TAKER_CASH - charged;
    let withdraw = |atoms| router::withdraw(&owner, &mint, &tokens, atoms);
    market.refuse(&withdraw(rest + 1), RouterError::NotEnoughCash);
    market.step(&[withdraw(rest)]);
    let after = market.exchange.session.token_balance(&tokens);
    assert_eq!(after - before, rest);
    let portfolio = market.exchange.portfolio(&market.taker).expect("one");
    assert_eq!(portfolio.deposited_total_atoms, TAKER_CASH);
    assert_eq!(portfolio.withdrawn_total_atoms, rest);
}

#[test]
fn h2_a_route_over_two_slabs_trades_on_both() {
    let mut market = Market::open(2);
    let route = market.route(10, 0);
    let receipt = market.step(&route.instructions());
    let traded = receipt.events.iter().filter_map(|event| match event {
        Event::Traded(traded) => Some(traded.lots),
        _ => None,
    });
    assert_eq!(traded.collect::<Vec<_>>(), [10, 10]);
    assert_eq!([market.position(0), market.position(1)], [10, 10]);
    // A slab is told by its stamp: the Router's own records are none.
    let another = market.route_of(vec![market.leg(0, 5, 0)]);
    market.step(&another.reserve());
    let slab_key = market.seats[0].slab;
    for key in [market.seats[0].escrow, address::slab_entry(&slab_key)] {
        let mut open = another.open();
        for meta in &mut open.accounts {
            if meta.pubkey == slab_key {
                meta.pubkey = key;
            }
        }
        market.exchange.session.svm.expire_blockhash();
        let outcome = market.send(&[open]);
        assert!(outcome.is_err(), "{key} was taken for a slab");
    }
    market.step(&[another.open()]);
}

/// Programs that were called by another, out of the logs.
fn called(logs: &[String]) -> Vec<Address> {
    let called = logs.iter().filter_map(|line| {
        let rest = line.strip_prefix("Program ")?;
        let (program, depth) = rest.split_once(" invoke [")?;
        let depth: u32 = depth.strip_suffix(']')?.parse().ok()?;
        (depth > 1).then(|| program.parse().expect("an address"))
    });
    called.collect()
}

#[test]
fn h3_the_router_signs_for_nobody_but_the_token_program() {
    let mut market = Market::open(2);
    let (owner, mint) = (market.taker.wallet.pubkey(), market.exchange.mint);
    let tokens = market.taker.tokens;
    let route = market.route(10, 20);
    market.fund(0, QUOTE);
    market.fund(1, QUOTE);
    let mut steps: Vec<_> = route.steps().into_iter().collect();
    steps.push(vec![market.settle(0)]);
    for step in steps {
        let receipt = market.step(&step);
        assert!(called(&receipt.logs).is_empty(), "a route calls nobody");
    }
    // Tokens move by one call to SPL Token each, and by nothing else.
    for step in [
        router::deposit(&owner, &mint, &tokens, QUOTE),
        router::withdraw(&owner, &mint, &tokens, QUOTE),
    ] {
        let receipt = market.step(from_ref(&step));
        assert_eq!(called(&receipt.logs), [address::TOKEN]);
        // In whose place no other program is called.
        let place = step.accounts.len() - 1;
        for program in [address::SLAB, address::ROUTER] {
            let outcome = market.send(&[swapped(&step, place, program)]);
            let failure = outcome.expect_err("another token program");
            assert!(called(&failure.logs).is_empty());
        }
    }
    let vault = address::vault_authority();
    let accounts = route
        .instructions()
        .into_iter()
        .flat_map(|one| one.accounts);
    assert!(accounts.into_iter().all(|meta| meta.pubkey != vault));
}

#[test]
fn h4_whoever_has_to_sign_is_asked_to() {
    let mut market = Market::open(1);
    let (owner, mint) = (market.taker.wallet.pubkey(), market.exchange.mint);
    let (seat, tokens) = (market.seats[0], market.taker.tokens);
    let trader = market.taker.trader.pubkey();
    market.fund(0, 50 * QUOTE);
    let route = market.route(5, 20);
    let order = market
        .taker
        .order(OrderKind::PostOnly, Side::Bid, MARK - 20, 5);
    let admin = market.exchange.admin.pubkey();
    let all = [
        router::deposit(&owner, &mint, &tokens, 1),
        router::withdraw(&owner, &mint, &tokens, 1),
        router::claim_withdrawal(&owner, &mint, &tokens, QUOTE),
        router::fund_slab(&owner, &seat.slab, &mint, 1),
        router::set_trader(&owner, &seat.slab, &mint, &stranger()),
        router::set_delegate(&owner, &stranger(), QUOTE, 0),
        router::set_liability_max(&owner, &seat.slab, &mint, 1),
        router::close_portfolio(&owner),
        router::bind_escrow(&owner, &seat.slab, &mint),
        router::exit_by_proof(&owner, &seat.slab, &mint, None),
        router::attest_slab(&admin, &seat.slab),
        route.open(),
        route.reserve().remove(0),
        route.commit().remove(0),
        slab::place(&seat.slab, &trader, &order),
        slab::release(&seat.slab, &trader, seat.account, 1),
        slab::cancel(&seat.slab, &trader, seat.account, 1, 1),
        slab::cancel_hold(&seat.slab, &trader, seat.account, route.legs()[0].hold),
        slab::set_dead_man(&seat.slab, &trader, seat.account, 9),
        slab::set_status(&admin, &seat.slab, 0, 0),
    ];
    for mut instruction in all {
        for meta in &mut instruction.accounts {
            meta.is_signer = false;
        }
        refused(&mut market.exchange.session, &[instruction], &[], UNSIGNED);
    }
}

#[test]
fn h5_a_liquidation_is_priced_by_the_slabs_oracle_alone() {
    let mut crash = Crash::open();
    let slab_key = crash.exchange.slab;
    crash.wait(1);
    let begin = crash.begin();
    crash.refuse(&begin, RouterError::Healthy);
    // A price account at which the victim would be bankrupt, that is not the
    // oracle; the oracle's bytes under another owner; the same elsewhere.
    let oracle = crash.oracle.key;
    let session = &mut crash.exchange.session;
    let forged = [
        plant_copy(session, &oracle, |copy| {
            copy.data[73..81].copy_from_slice(&1_000i64.to_le_bytes());
        }),
        plant_copy(session, &oracle, |copy| copy.owner = address::ROUTER),
        plant_copy(session, &oracle, |_| {}),
        crash.victim.escrow,
    ];
    let update = slab::update_mark(&slab_key, &oracle, 0);
    let place = update
        .accounts
        .iter()
        .position(|meta| meta.pubkey == oracle);
    for key in forged {
        let attempt = swapped(&update, place.expect("the oracle"), key);
        crash.refuse(&attempt, SlabError::WrongOracle);
    }
    // Nothing of the price is in the instruction: no oracle, no number.
    assert_eq!(begin.data.len(), 1);
    assert!(begin.accounts.iter().all(|meta| meta.pubkey != oracle));
    crash.refuse(&begin, RouterError::Healthy);
    crash.sink();
    crash.crank(&[begin]);
}

#[test]
fn h6_a_sweep_that_does_not_restore_margin_goes_through() {
    let mut crash = Crash::open();
    crash.fall_to(9_150);
    // Depth for a tenth of what has to go.
    crash.bid(9_140, 1, 15);
    crash.wait(5);
    crash.freeze();
    let before = crash.health(&crash.victim);
    let (issue, sweep) = (crash.issue(), crash.sweep());
    crash.crank(&[issue]);
    crash.crank(&[sweep]);
    let after = crash.health(&crash.victim);
    assert_eq!(crash.lots(&crash.victim), 185);
    assert!(!after.covers_initial());
    assert!(after.equity_atoms < after.maintenance_atoms as i64);
    // It helped: what is missing is less than it was.
    let missing = |health: &flagstone_sdk::engine::risk::Health| {
        health.initial_atoms as i64 - health.equity_atoms
    };
    assert!(missing(&after) < missing(&before));
    let end = crash.end();
    crash.refuse(&end, RouterError::NotRestored);
}

#[test]
fn h7_legs_have_one_order_and_count_what_they_filled() {
    let mut market = Market::open(2);
    // More than rests: the first slab fills 40 of 60.
    let mut legs = vec![market.leg(0, 60, 0), market.leg(1, 10, 0)];
    legs[0].reserve.lots_min = Lots(5);
    legs[1].reserve.lots_min = Lots(5);
    let route = market.route_of(legs);
    market.step(&route.reserve());
    // The legs in another order, with their terms or without.
    let open = route.open();
    let mut turned = open.clone();
    turned.accounts[3..].rotate_left(5);
    market.refuse(&turned, RouterError::BadRoute);
    let (head, leg) = (1 + 8 + 1 + 8 + 8 + 4, 4 + 4 + 8 + 4 + 1 + 1);
    turned.data[head..].rotate_left(leg);
    market.refuse(&turned, RouterError::BadRoute);
    // One leg twice, in place of both.
    let mut twice = open.clone();
    let (first, second) = twice.accounts[3..].split_at_mut(5);
    second.clone_from_slice(first);
    let outcome = market.send(&[twice]);
    assert!(outcome.is_err(), "one slab counted as two");
    market.step(&[open]);
    market.step(&route.commit());
    market.step(&[vec![route.settle()], route.free()].concat());
    assert_eq!([market.position(0), market.position(1)], [40, 10]);
    // Four times the lots took four times the margin, give or take an atom.
    let charged = [0, 1].map(|at| market.escrow(at).debited_seen_atoms);
    assert!(charged[0].abs_diff(4 * charged[1]) <= 4, "{charged:?}");
}

#[test]
fn h8_a_limit_says_nothing_about_margin() {
    let charge = |limit: u32| {
        let mut market = Market::open(1);
        let mut leg = market.leg(0, 10, 0);
        leg.reserve.limit = Ticks(limit);
        let route = market.route_of(vec![leg]);
        market.step(&route.instructions());
        market.escrow(0).debited_seen_atoms
    };
    let least = charge(MARK + 10);
    assert!(least > 0);
    for limit in [MARK + 11, MARK + 500, 2 * MARK, 4_000_000] {
        assert_eq!(charge(limit), least, "{limit}");
    }
}

#[test]
fn h9_no_record_stands_in_for_another_or_for_a_copy() {
    let mut market = busy();
    let mut all = readers(&mut market);
    let (owner, mint) = (market.taker.wallet.pubkey(), market.exchange.mint);
    let seat = market.seats[0];
    all.push((router::fund_slab(&owner, &seat.slab, &mint, 1), true));
    all.push((
        router::withdraw(&owner, &mint, &market.taker.tokens, 1),
        true,
    ));
    let records = [
        address::config(),
        address::vault(&mint),
        address::portfolio(&owner),
        address::slab_entry(&seat.slab),
        address::slab_ledger(&seat.slab, &mint),
        seat.escrow,
    ];
    let wallet = market.taker.wallet.insecure_clone();
    let mut tried = 0;
    for (instruction, signed) in &all {
        let signers = [&wallet];
        let signers = &signers[..usize::from(*signed)];
        for place in 0..instruction.accounts.len() {
            let key = instruction.accounts[place].pubkey;
            if !records.contains(&key) {
                continue;
            }
            let session = &mut market.exchange.session;
            // A copy in the hands of the attacker's program.
            let mut forged = vec![plant_copy(session, &key, |copy| copy.owner = address::SLAB)];
            // Every other record of the Router.
            forged.extend(records.iter().filter(|other| **other != key));
            for key in forged {
                session.svm.expire_blockhash();
                let attempt = swapped(instruction, place, key);
                let outcome = session.send(from_ref(&attempt), signers);
                assert!(outcome.is_err(), "{key} at place {place}");
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "{tried}");
    audit_money(&market.exchange.session);
    // The refund, and then what is left to settle.
    for (instruction, _) in [&all[2], &all[1]] {
        market.crank(instruction.clone());
    }
}

#[test]
fn h10_a_portfolio_is_its_owners_and_there_is_one() {
    let mut market = Market::open(1);
    let owner = market.taker.wallet.pubkey();
    let again = router::open_portfolio(&owner);
    market.refuse(&again, RouterError::AlreadyExists);
    let elsewhere = swapped(&again, 1, stranger());
    market.refuse(&elsewhere, RouterError::WrongAddress);
    // For somebody who did not sign, paid by somebody who did.
    let newcomer = stranger();
    let mut uninvited = router::open_portfolio(&newcomer);
    uninvited.accounts[0].is_signer = false;
    let session = &mut market.exchange.session;
    refused(session, &[uninvited], &[], UNSIGNED);
    let mut paid = router::open_portfolio(&newcomer);
    paid.accounts[0].pubkey = owner;
    market.refuse(&paid, RouterError::WrongAddress);
}

#[test]
fn h11_time_is_the_clusters() {
    let mut market = Market::open(1);
    market.fund(0, QUOTE);
    let route = market.reserve_and_open(10, 20);
    let late = [u64::MAX.to_le_bytes(), i64::MAX.to_le_bytes()].concat();
    // No time is asked for, and what a caller appends is none.
    let refund = market.refund(0, 0);
    let mut hurried = refund.clone();
    hurried.data.extend(&late);
    for attempt in [&refund, &hurried] {
        let failure = market.send(from_ref(attempt)).expect_err("not yet");
        assert_ne!(failure.code, None, "{failure}");
        assert!(market.escrow(0).balance_atoms > 0);
    }
    market.wait(21);
    // And an old one brings nothing back.
    let mut commit = route.commit().remove(0);
    market.refuse(&commit, SlabError::Expired);
    commit.data.extend([0; 8]);
    assert!(market.send(&[commit]).is_err());
    market.crank(refund);
    assert_eq!(market.escrow(0).balance_atoms, 0);
}

#[test]
fn h12_the_mark_follows_its_oracle() {
    let mut crash = Crash::open();
    let mut last = crash.mark();
    crash.price = 9_950;
    let mut slots = 0;
    while crash.mark() != crash.price {
        crash.wait(1);
        slots += 1;
        let mark = crash.mark();
        assert!(mark.abs_diff(last) <= 1, "a tick per slot at the most");
        last = mark;
        assert!(slots < 200, "it never gets there");
    }
    assert_eq!(slots, MARK - 9_950);
    crash.price = 9_960;
    crash.wait(20);
    assert_eq!(crash.mark(), 9_960);
}

/// Names in backquotes in the tables above.
fn named() -> BTreeSet<&'static str> {
    let text = include_str!("percolator.rs");
    let rows = text.lines().filter(|line| line.starts_with("//! | "));
    let quoted = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    quoted.filter(|name| name.contains('_')).collect()
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let found = text.lines().filter_map(|line| {
                let name = line.trim_start().strip_prefix("fn ")?;
                Some(name.split('(').next()?.to_owned())
            });
            names.extend(found);
        }
    }
}

#[test]
fn every_test_of_these_tables_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut known = BTreeSet::new();
    for folder in ["crates", "tests"] {
        collect(&root.join(folder), &mut known);
    }
    let named = named();
    assert!(named.len() > 30, "the tables were not read");
    let missing: Vec<_> = named
        .iter()
        .filter(|name| !known.contains(**name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
