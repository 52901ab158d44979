//! Orders that change, end early, wait too long or are refused: nothing is
//! charged that was not bought, and what was set aside goes home.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::QUOTE;
use flagstone_e2e_tests::desk::Office;
use flagstone_e2e_tests::index::{ONE, TOKEN, desk_limits};
use flagstone_e2e_tests::ok;
use flagstone_e2e_tests::orders::{AMOUNT, mintable, queued, ready, refuse, wish};
use flagstone_sdk::index::intents::Intent;
use flagstone_sdk::index_engine::amounts::Atoms;
use flagstone_sdk::index_engine::machine::{Action, State};
use flagstone_sdk::index_engine::roles::Role;
use flagstone_sdk::interface::error::IndexError;
use flagstone_sdk::units::Side;
use solana_keypair::Keypair;
use solana_signer::Signer;

/// Ends an order and looks where it and its collateral are.
#[track_caller]
fn ends(office: &mut Office, intent: &Intent, who: &Keypair, action: Action, state: State) {
    let end = intent.end(&who.pubkey(), action);
    ok(office.send("end_intent", &end, &[who]));
    assert_eq!(office.state(intent), state);
    let held = office.order(intent).holdings;
    assert_eq!(
        held.authorised, held.spent,
        "what was not spent is let go of"
    );
    office.audit();
}

#[test]
fn an_order_grows_shrinks_turns_around_and_is_cancelled() {
    let (mut office, intent) = queued();
    let wallet = office.wallet(0);
    ok(office.send("step_intent", &intent.push(Atoms(20 * QUOTE)), &[&wallet]));
    office.step(&intent, Action::Accept, 0);
    ok(office.send(
        "reduce_intent",
        &intent.reduce(Atoms(30 * QUOTE)),
        &[&wallet],
    ));
    let order = office.order(&intent);
    // The newest piece goes first.
    let lots: Vec<u64> = order
        .updates
        .open()
        .iter()
        .map(|lot| lot.remaining.0)
        .collect();
    assert_eq!(lots, [90 * QUOTE]);
    // More than there is: the order turns into a sell, which a desk does not serve.
    ok(office.send(
        "reduce_intent",
        &intent.reduce(Atoms(100 * QUOTE)),
        &[&wallet],
    ));
    let order = office.order(&intent);
    assert_eq!(order.side(), Ok(Side::Ask));
    assert_eq!(order.holdings.remaining, Atoms(10 * QUOTE));
    let solver = office.holder(Role::Solver);
    let route = intent.step(&solver.pubkey(), Action::Route, Atoms(0));
    refuse(&mut office, &route, &[&solver], IndexError::WrongSide);
    // And back.
    ok(office.send(
        "reduce_intent",
        &intent.reduce(Atoms(50 * QUOTE)),
        &[&wallet],
    ));
    let order = office.order(&intent);
    assert_eq!(order.side(), Ok(Side::Bid));
    assert_eq!(order.holdings.remaining, Atoms(40 * QUOTE));
    ends(
        &mut office,
        &intent,
        &wallet,
        Action::Cancel,
        State::Cancelled,
    );
    let again = intent.push(Atoms(1));
    refuse(
        &mut office,
        &again,
        &[&wallet],
        IndexError::IllegalTransition,
    );
    // After the gate a reduction frees collateral, and turns nothing around.
    let second = office.submit(0, 2, &wish());
    office.make_ready(&second, 0);
    let before = office.totals(0);
    let reduce = second.reduce(Atoms(AMOUNT + QUOTE));
    ok(office.send("reduce_intent", &reduce, &[&wallet]));
    assert_eq!(office.order(&second).side(), Ok(Side::Bid));
    let after = office.totals(0);
    assert_eq!(after.ready.0 - before.ready.0, AMOUNT);
    assert_eq!(after.authorised, Atoms(0));
    office.audit();
    office.prove();
}

#[test]
fn an_order_that_is_refused_or_waits_too_long_costs_nothing() {
    let (mut office, first) = queued();
    let wallet = office.wallet(0);
    let (solver, manager) = (
        office.holder(Role::Solver),
        office.holder(Role::CollateralManager),
    );
    let stranger = office.fair.exchange.session.new_wallet();
    office.step(&first, Action::Reject, 0);
    assert_eq!(office.state(&first), State::Rejected);
    // Collateral that is not there: back to the queue, and at last expired by anyone.
    let late = office.submit(0, 2, &wish());
    office.step(&late, Action::Accept, 0);
    office.step(&late, Action::Route, 0);
    office.step(&late, Action::CheckLater, 0);
    assert_eq!(office.state(&late), State::Open);
    let expire = late.end(&stranger.pubkey(), Action::Expire);
    refuse(&mut office, &expire, &[&stranger], IndexError::TooEarly);
    office.tick(u64::from(desk_limits().collateral_slots.0) + 1);
    let state = State::InvalidCollateral;
    ends(&mut office, &late, &stranger, Action::Expire, state);
    // Refused by the collateral manager; given up by the solver; taken back.
    for (number, who, action, state) in [
        (
            3,
            &manager,
            Action::DenyCollateral,
            State::InvalidCollateral,
        ),
        (4, &wallet, Action::Cancel, State::Cancelled),
    ] {
        let order = office.submit(0, number, &wish());
        office.step(&order, Action::Accept, 0);
        office.step(&order, Action::Route, 0);
        ends(&mut office, &order, who, action, state);
    }
    let failed = office.submit(0, 5, &wish());
    office.make_ready(&failed, 0);
    ends(&mut office, &failed, &solver, Action::Fail, State::Failed);
    let totals = office.totals(0);
    assert_eq!((totals.spent, totals.authorised), (Atoms(0), Atoms(0)));
    let purse = office.users[0].collateral;
    let home = failed.position().withdraw(&purse, totals.ready.0);
    ok(office.send("withdraw", &home, &[&wallet]));
    office.audit();
    office.prove();
}

#[test]
fn a_denied_payment_charges_nothing_and_mints_nothing() {
    let (mut office, intent, _) = mintable(100);
    let manager = office.holder(Role::CollateralManager);
    let before = office.totals(0);
    let end = intent.end(&manager.pubkey(), Action::DenyPayment);
    ok(office.send("end_intent", &end, &[&manager]));
    assert_eq!(office.state(&intent), State::InvalidCollateral);
    let after = office.totals(0);
    assert_eq!(after.ready.0 - before.ready.0, AMOUNT);
    assert_eq!((after.authorised, after.spent), (Atoms(0), Atoms(0)));
    let connector = office.holder(Role::ChainConnector);
    let mint = intent.mint(&connector.pubkey(), &office.users[0].tokens);
    refuse(
        &mut office,
        &mint,
        &[&connector],
        IndexError::IllegalTransition,
    );
    let confirm = intent.confirm_payment(&manager.pubkey(), &office.payout);
    refuse(
        &mut office,
        &confirm,
        &[&manager],
        IndexError::IllegalTransition,
    );
    office.audit();
    office.prove();
}

#[test]
fn a_batch_that_is_late_is_ended_by_anyone() {
    let (mut office, intent) = ready();
    let stranger = office.fair.exchange.session.new_wallet();
    let parts = [(intent, 90 * QUOTE, 100 * TOKEN)];
    let batch = office.seal("one", 1, &parts, 0);
    office.launch(&batch, &parts);
    office.report(&batch, 5 * ONE, 1_000);
    office.take(&batch, &intent);
    // Everybody of the desk is gone.
    office.tick(u64::from(desk_limits().batch_slots.0) + 1);
    for slot in 0..3 {
        let cancel = batch.cancel_rest(&stranger.pubkey(), slot);
        ok(office.send("cancel_rest", &cancel, &[&stranger]));
    }
    ok(office.send("complete_batch", &batch.complete(), &[]));
    ok(office.send("carry_over", &batch.carry_over(&intent), &[]));
    refuse(
        &mut office,
        &batch.carry_over(&intent),
        &[],
        IndexError::WrongCounterpart,
    );
    assert_eq!(office.state(&intent), State::Ready);
    let wallet = office.wallet(0);
    ends(
        &mut office,
        &intent,
        &wallet,
        Action::Cancel,
        State::FullyMintable,
    );
    assert_eq!(office.order(&intent).holdings.filled.0, 50 * TOKEN);
    // One that was frozen and never sent, with a member that was never locked.
    let second = office.submit(0, 2, &wish());
    let third = office.submit(0, 3, &wish());
    let manager = office.key(1);
    let more = intent.position().make_ready(&manager, 100 * QUOTE);
    office.by(Role::CollateralManager, "make_ready", &more);
    office.step(&second, Action::Accept, 0);
    office.step(&second, Action::Route, 0);
    let set = second.preauthorise(&manager, Atoms(AMOUNT));
    office.by(Role::CollateralManager, "preauthorise", &set);
    office.step(&second, Action::ConfirmReady, AMOUNT);
    let parts = [
        (second, 90 * QUOTE, 100 * TOKEN),
        (third, 90 * QUOTE, 100 * TOKEN),
    ];
    let stuck = office.seal("two", 2, &parts, 0);
    let engage = stuck.engage(&office.key(2), &second);
    office.by(Role::OrderManager, "engage", &engage);
    let runner = office.holder(Role::BatchManager);
    let send = stuck.send(&runner.pubkey());
    refuse(&mut office, &send, &[&runner], IndexError::Incomplete);
    refuse(&mut office, &stuck.complete(), &[], IndexError::TooEarly);
    office.tick(u64::from(desk_limits().batch_slots.0) + 1);
    ok(office.send("complete_batch", &stuck.complete(), &[]));
    ok(office.send("carry_over", &stuck.carry_over(&second), &[]));
    ends(
        &mut office,
        &second,
        &wallet,
        Action::Cancel,
        State::Cancelled,
    );
    // One that was never frozen gives its room back.
    let empty = office.create_batch("three", 3, 1);
    let close = empty.close(&office.key(0));
    office.by(Role::Solver, "close_batch", &close);
    let solver = office.holder(Role::Solver);
    let join = empty.join(
        &solver.pubkey(),
        &third,
        Atoms(1),
        flagstone_sdk::index_engine::amounts::Tokens(1),
    );
    refuse(&mut office, &join, &[&solver], IndexError::BadCapacity);
    office.audit();
    office.prove();
}
