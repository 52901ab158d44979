//! Every interleaving of the protocol, and what happens without its rules.
#![allow(missing_docs, reason = "tests")]

use flagstone_protocol_model::Rules;
use flagstone_protocol_model::world::World;
use stateright::{Checker, HasDiscoveries, Model};

/// Explores everything and fails unless all properties hold, the reachability
/// of the interesting states among them.
fn explore(opens_max: u8, active: usize, slot_max: u8, states_min: usize) {
    let world = World {
        rules: Rules::ALL,
        opens_max,
        active,
        slot_max,
    };
    let checker = world.checker().threads(2).spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    let steps = checker.state_count();
    println!(
        "{active} users, {opens_max} capabilities: {states} states, {steps} steps, depth {depth}"
    );
    checker.assert_properties();
    assert!(states > states_min, "the model is vacuous: {states} states");
}

#[test]
fn x4_two_users_in_every_interleaving() {
    explore(2, 2, 2, 1_000_000);
}

#[test]
fn x1_one_user_trades_again_and_again() {
    explore(3, 1, 5, 1_000_000);
}

/// Fails unless the property notices that a rule is missing.
#[track_caller]
fn noticed(rules: Rules, property: &'static str) {
    let world = World {
        rules,
        opens_max: 2,
        active: 1,
        slot_max: 3,
    };
    let finish = HasDiscoveries::AnyOf([property].into());
    let checker = world.checker().finish_when(finish).spawn_bfs().join();
    let path = checker.discovery(property);
    let path = path.unwrap_or_else(|| panic!("{rules:?}: nothing wrong with \"{property}\""));
    println!("{property}: {} steps", path.into_actions().len());
}

const CONSERVED: &str = "money is conserved";
const BALANCE: &str = "a balance is its live capability";
const MINTED: &str = "charges stay within what was minted";
const ONCE: &str = "a capability ends once";
const HONEST: &str = "the honest slab is never evidence";
const SOON: &str = "capabilities end soon";
const BACK: &str = "everything else comes back";

#[test]
fn x4_without_the_rules_of_booking_money_appears_or_is_taken_twice() {
    let mut rules = Rules::ALL;
    rules.charge_within_capability = false;
    noticed(rules, CONSERVED);
    let mut rules = Rules::ALL;
    rules.results_explain_counter = false;
    noticed(rules, MINTED);
    let mut rules = Rules::ALL;
    rules.booking_burns = false;
    noticed(rules, BALANCE);
    noticed(rules, ONCE);
    let mut rules = Rules::ALL;
    rules.live_records_stay = false;
    noticed(rules, BALANCE);
}

#[test]
fn x1_without_the_rules_of_ending_an_honest_slab_is_condemned_or_money_stuck() {
    let mut rules = Rules::ALL;
    rules.refund_books_first = false;
    noticed(rules, HONEST);
    let mut rules = Rules::ALL;
    rules.results_stay_until_booked = false;
    noticed(rules, HONEST);
    noticed(rules, BACK);
    let mut rules = Rules::ALL;
    rules.lifetime_is_bounded = false;
    noticed(rules, SOON);
}
