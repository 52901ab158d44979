//! Orders of a desk around a change of weights, and what the market backs for them.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::desk::Office;
use flagstone_e2e_tests::forge::swapped;
use flagstone_e2e_tests::index::{ONE, TOKEN, desk_limits, place};
use flagstone_e2e_tests::orders::{AMOUNT, mintable, ready, refuse};
use flagstone_e2e_tests::{QUOTE, ok};
use flagstone_sdk::index::{self, Reweighing};
use flagstone_sdk::index_engine::amounts::{Atoms, Tokens};
use flagstone_sdk::index_engine::machine::{Action, State};
use flagstone_sdk::index_engine::roles::Role;
use flagstone_sdk::interface::error::IndexError;
use flagstone_sdk::kernels::Amount;
use flagstone_sdk::kernels::market::Place;
use flagstone_sdk::kernels::rebalance::Leg;
use solana_instruction::Instruction;
use solana_signer::Signer;

/// Slots between announcement and change.
const NOTICE: u32 = 3;

/// Lets the index change its weights, by any value.
fn reweighable(office: &mut Office) -> Reweighing {
    let fair = &office.fair;
    let seeded = fair.seeded(&fair.admin.pubkey(), "weights", index::rebalance_bytes(3));
    let made = Reweighing::create(&fair.pair, &seeded, 3, NOTICE, 1_000_000);
    let (own, create) = made.expect("a short seed");
    administer(office, &create);
    own
}

fn administer(office: &mut Office, instructions: &[Instruction]) {
    let admin = office.fair.admin.insecure_clone();
    office.tick(0);
    ok(office.fair.send(instructions, &[&admin]));
}

/// Announces other weights, waits, and brings them into force: two assets
/// stay, with more and with less, one goes and one comes.
fn change(office: &mut Office, own: &Reweighing) {
    let weights: Vec<(Place, Amount)> = [(1, ONE / 5), (2, ONE / 20), (3, ONE / 25)]
        .map(|(slot, weight)| (place(slot), Amount::new(weight)))
        .to_vec();
    let admin = office.fair.admin.pubkey();
    administer(office, &[own.propose(&admin, 0, true, &weights)]);
    office.tick(u64::from(NOTICE));
    office.fair.report(0..10);
    let hash = index::weights_hash(&weights).expect("weights of an index");
    administer(office, &[own.change(&admin, &hash)]);
}

fn legs(office: &Office, own: &Reweighing) -> Vec<Leg> {
    let data = office.fair.exchange.session.data(&own.account);
    index::read_rebalance(&data).expect("an account").2
}

/// Trades all legs.
fn trade(office: &mut Office, own: &Reweighing) {
    office.tick(1);
    office.fair.report(0..10);
    ok(office.fair.send(&[own.execute(8, ONE as u64)], &[]));
    assert!(legs(office, own).is_empty());
}

/// Fails unless demand and legs are together what `tokens` stand for.
#[track_caller]
fn backed(office: &Office, legs: &[Leg], tokens: u64) {
    let (index, constituents) = office.fair.index();
    assert_eq!(index.state.backed(), Ok(Tokens(tokens)));
    for (slot, asset) in office.fair.market().1.iter().enumerate() {
        let here = |place: Place| usize::from(place.slot) == slot;
        let weight = constituents.iter().find(|one| here(one.place));
        let exact = weight.map_or(0, |one| one.weight.get()) * u128::from(tokens);
        let leg = legs.iter().find(|leg| here(leg.place));
        let have = asset.demand_long.get() + leg.map_or(0, |leg| leg.long.get());
        let owed = asset.demand_short.get() + leg.map_or(0, |leg| leg.short.get());
        let (have, exact) = (have - owed, exact / u128::from(TOKEN));
        assert!(have >= exact && have - exact <= 8, "{slot}: {have} {exact}");
    }
}

#[test]
fn ix9_k5_legs_cover_what_a_desk_bought_before_a_change_of_weights_and_mints_after() {
    let (mut office, intent, _) = mintable(50);
    let own = reweighable(&mut office);
    let filled = office.order(&intent).holdings.filled.0;
    assert!(filled > 0 && office.fair.supply() == 0);
    backed(&office, &[], filled);
    change(&mut office, &own);
    let owed = legs(&office, &own);
    assert!(owed.iter().any(|leg| leg.long.get() > 0));
    assert!(owed.iter().any(|leg| leg.short.get() > 0));
    backed(&office, &owed, filled);
    // The market trades the legs, and owes nothing more.
    trade(&mut office, &own);
    backed(&office, &[], filled);
    // No token counts twice when it is minted.
    office.pay_and_mint(&intent);
    assert_eq!(office.fair.supply(), filled);
    backed(&office, &[], filled);
    office.prove();
}

#[test]
fn ix9_an_order_engaged_for_old_weights_is_not_filled_and_goes_home() {
    let (mut office, intent) = ready();
    let own = reweighable(&mut office);
    let parts = [(intent, 99 * QUOTE, 160 * TOKEN)];
    let batch = office.seal("one", 1, &parts, 0);
    office.launch(&batch, &parts);
    office.report(&batch, 16 * ONE, 1_000);
    // One part is filled before the change, and counts.
    let fill = batch.fill(&office.key(3), &intent, Tokens(TOKEN));
    office.by(Role::BatchManager, "fill_intent", &fill);
    backed(&office, &[], TOKEN);
    change(&mut office, &own);
    backed(&office, &legs(&office, &own), TOKEN);
    trade(&mut office, &own);
    let runner = office.holder(Role::BatchManager);
    let rest = batch.fill(&runner.pubkey(), &intent, Tokens(2 * TOKEN));
    refuse(&mut office, &rest, &[&runner], IndexError::OldWeights);
    backed(&office, &[], TOKEN);
    // The batch ends without it; its owner takes the rest, and what was bought
    // in time is minted.
    office.tick(u64::from(desk_limits().batch_slots.0) + 1);
    office.finish(&batch, &parts);
    let owner = office.wallet(0);
    let cancel = intent.end(&owner.pubkey(), Action::Cancel);
    ok(office.send("end_intent", &cancel, &[&owner]));
    let held = office.order(&intent).holdings;
    assert_eq!(held.filled, Tokens(TOKEN));
    assert_eq!(held.authorised, held.spent);
    assert!(held.spent.0 < QUOTE && office.totals(0).ready.0 > AMOUNT - QUOTE);
    office.pay_and_mint(&intent);
    assert_eq!(office.fair.supply(), TOKEN);
    backed(&office, &[], TOKEN);
    office.prove();
}

#[test]
fn ix5_k5_the_market_backs_no_token_of_an_order_whose_payment_is_denied() {
    let (mut office, intent, _) = mintable(100);
    let filled = office.order(&intent).holdings.filled.0;
    backed(&office, &[], filled);
    let manager = office.holder(Role::CollateralManager);
    let deny = intent.end(&manager.pubkey(), Action::DenyPayment);
    // Neither without its index, nor with another one's, nor one for the other.
    let mut bare = deny.clone();
    bare.accounts.truncate(4);
    let counterpart = IndexError::NeedsCounterpart;
    refuse(&mut office, &bare, &[&manager], counterpart);
    let mut turned = deny.clone();
    turned.accounts.swap(4, 5);
    let foreign = IndexError::WrongCounterpart;
    refuse(&mut office, &turned, &[&manager], foreign);
    let other = office.fair.open_index("other", 3);
    let swap = swapped(&deny, 5, other.index);
    refuse(&mut office, &swap, &[&manager], foreign);
    backed(&office, &[], filled);
    ok(office.send("end_intent", &deny, &[&manager]));
    assert_eq!(office.state(&intent), State::InvalidCollateral);
    assert_eq!(office.order(&intent).holdings.authorised, Atoms(0));
    backed(&office, &[], 0);
    office.prove();
}

#[test]
fn ix10_a_fill_counts_in_the_index_and_the_market_of_its_order() {
    let (mut office, intent) = ready();
    let parts = [(intent, 99 * QUOTE, 160 * TOKEN)];
    let batch = office.seal("one", 1, &parts, 0);
    office.launch(&batch, &parts);
    office.report(&batch, 16 * ONE, 1_000);
    let other = office.fair.open_index("other", 3);
    let runner = office.holder(Role::BatchManager);
    let fill = batch.fill(&runner.pubkey(), &intent, Tokens(TOKEN));
    let index = swapped(&fill, 5, other.index);
    let wrong = IndexError::WrongCounterpart;
    refuse(&mut office, &index, &[&runner], wrong);
    let (market, vendor) = (office.fair.pair.market, office.fair.pair.index);
    let turned = swapped(&swapped(&fill, 4, vendor), 5, market);
    refuse(&mut office, &turned, &[&runner], wrong);
    ok(office.send("fill_intent", &fill, &[&runner]));
    backed(&office, &[], TOKEN);
}
