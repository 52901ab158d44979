//! The liquidation keeper, on the real programs: nobody else does anything.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::crash::{Crash, LEFT, LOTS};
use flagstone_e2e_tests::govern::settle_down;
use flagstone_e2e_tests::rescue::Rescue;
use flagstone_e2e_tests::{QUOTE, ok};
use flagstone_keeper::{Liquidator, Step, Task};
use flagstone_sdk::interface::router::portfolio_status;
use flagstone_sdk::router;
use solana_signer::Signer;

fn keeper(crash: &Crash) -> Liquidator {
    Liquidator {
        slab: crash.exchange.slab,
        mint: crash.exchange.mint,
        keeper: crash.keeper.account,
    }
}

/// Lets the keeper work until nothing is due for `idle` slots; returns what it
/// sent. The books are added up after every step.
fn run(crash: &mut Crash, idle: u64) -> Vec<Step> {
    let keeper = keeper(crash);
    let mut sent = Vec::new();
    let mut quiet = 0;
    while quiet < idle {
        crash.oracle.post(&mut crash.exchange.session, crash.price);
        let steps = keeper.step(&mut crash.exchange.session);
        crash.audit();
        quiet = if steps.is_empty() { quiet + 5 } else { 0 };
        sent.extend(steps);
        assert!(sent.len() < 500, "it never comes to an end: {sent:?}");
        crash.exchange.session.wait(5);
    }
    sent
}

/// Tasks in the order in which they were sent, without repetitions.
fn tasks(steps: &[Step]) -> Vec<Task> {
    let mut tasks: Vec<_> = steps.iter().map(|step| step.task).collect();
    tasks.dedup();
    tasks
}

#[test]
fn lq1_lq4_the_keeper_finds_sweeps_and_ends() {
    let mut crash = Crash::open();
    crash.bid(9_290, 5, 40);
    // Healthy accounts are left alone.
    assert!(run(&mut crash, 50).is_empty());
    crash.fall_to(9_300);
    let sent = run(&mut crash, 100);
    let all = [Task::Begin, Task::Issue, Task::Sweep, Task::End];
    assert_eq!(tasks(&sent), all, "{sent:?}");
    assert!(sent.iter().all(|step| step.failure.is_none()), "{sent:?}");
    assert!(crash.health(&crash.victim).covers_initial());
    assert!(crash.lots(&crash.victim) < LOTS as i32);
    assert!(crash.account(&crash.keeper).cash_atoms > QUOTE as i64);
    assert_eq!(crash.portfolio().status, portfolio_status::OPEN);
    assert_eq!(crash.portfolio().cash_atoms, LEFT);
}

#[test]
fn lq5_x7_the_keeper_brings_a_slab_out_of_debt() {
    let mut crash = Crash::open();
    crash.insure(400 * QUOTE);
    crash.fall_to(8_500);
    let sent = run(&mut crash, 700);
    let all = [
        Task::Begin,
        Task::Issue,
        Task::Sweep,
        Task::Deleverage,
        Task::Cover,
        Task::Allocate,
        Task::End,
    ];
    assert_eq!(tasks(&sent), all, "{sent:?}");
    let failed = |step: &&Step| step.failure.is_some();
    // Only sweeps, because nobody bids.
    assert!(
        sent.iter()
            .filter(failed)
            .all(|step| step.task == Task::Sweep)
    );
    assert_eq!(crash.header().deficit_atoms, 0);
    assert_eq!(crash.account(&crash.victim).cash_atoms, 0);
    assert_eq!(crash.ledger().insurance_atoms, 300 * QUOTE);
    assert_eq!(crash.portfolio().cash_atoms, LEFT);
}

#[test]
fn lq4_the_keeper_shifts_margin_where_the_owner_agreed() {
    let mut crash = Crash::open();
    let (owner, slab, mint) = crash.at();
    let deposit = flagstone_e2e_tests::ok(crash.exchange.deposit(&crash.victim, 5_000 * QUOTE));
    assert!(deposit.compute_units > 0);
    let consent = router::set_liability_max(&owner, &slab, &mint, 5_000 * QUOTE);
    let wallet = [&crash.victim.wallet];
    flagstone_e2e_tests::ok(crash.exchange.session.send(&[consent], &wallet));
    crash.bid(9_290, 5, 40);
    crash.fall_to(9_300);
    let sent = run(&mut crash, 100);
    assert_eq!(
        tasks(&sent),
        [Task::Begin, Task::Shift, Task::End],
        "{sent:?}"
    );
    assert_eq!(crash.lots(&crash.victim), LOTS as i32);
}

#[test]
fn f3_two_keepers_and_one_that_comes_late_do_no_harm() {
    let mut crash = Crash::open();
    crash.bid(9_290, 5, 40);
    crash.fall_to(9_300);
    let keeper = keeper(&crash);
    let mut sent = Vec::new();
    for _ in 0..40 {
        crash.oracle.post(&mut crash.exchange.session, crash.price);
        sent.extend(keeper.step(&mut crash.exchange.session));
        sent.extend(keeper.step(&mut crash.exchange.session));
        crash.audit();
        // Longer than a mark is fresh.
        crash.exchange.session.wait(13);
    }
    assert_eq!(crash.portfolio().status, portfolio_status::OPEN);
    assert_eq!(crash.portfolio().episode, 1);
    assert!(crash.health(&crash.victim).covers_initial());
}

#[test]
fn lq4_the_keeper_rescues_an_account_with_margin_from_another_slab() {
    let mut rescue = Rescue::open();
    rescue.crash.bid(9_290, 5, 40);
    rescue.crash.fall_to(9_300);
    let before = rescue.money();
    assert_eq!(
        before,
        [2_290, 3_000, 100].map(|units| units * QUOTE as i64)
    );
    let backing = (
        rescue.crash.ledger().backing_atoms,
        rescue.ledger().backing_atoms,
    );
    let sent = run(&mut rescue.crash, 100);
    let all = [Task::Begin, Task::Fetch, Task::End];
    assert_eq!(tasks(&sent), all, "{sent:?}");
    assert!(sent.iter().all(|step| step.failure.is_none()), "{sent:?}");
    // 970 were missing: 100 of free cash and 870 from the second slab.
    let after = [3_260, 2_130, 0].map(|units| units * QUOTE as i64);
    assert_eq!(rescue.money(), after);
    let moved = (backing.0 + 970 * QUOTE, backing.1 - 870 * QUOTE);
    let backing = (
        rescue.crash.ledger().backing_atoms,
        rescue.ledger().backing_atoms,
    );
    assert_eq!(backing, moved);
    assert_eq!(rescue.crash.lots(&rescue.crash.victim), LOTS as i32);
    assert_eq!(rescue.crash.portfolio().status, portfolio_status::OPEN);
}

#[test]
fn lq4_a_source_that_does_not_give_holds_up_no_liquidation() {
    let mut rescue = Rescue::open();
    rescue.crash.bid(9_190, 5, 40);
    rescue.crash.fall_to(9_200);
    // The second slab has cash to spare and takes no ticket, as a bad one might.
    let (slab, account) = (rescue.source.slab, rescue.source.account);
    let hold_back = |slab: &mut flagstone_sdk::engine::Slab<'_>| {
        slab.accounts[account.into()].ticket_nonce = u32::MAX;
    };
    let session = &mut rescue.crash.exchange.session;
    session.edit_slab(&slab, hold_back).expect("a slab");
    let sent = run(&mut rescue.crash, 100);
    let tried = |step: &&Step| step.failure.is_some();
    let failed: Vec<_> = sent.iter().filter(tried).collect();
    assert!(!failed.is_empty(), "{sent:?}");
    assert!(
        failed.iter().all(|step| step.task == Task::Fetch),
        "{sent:?}"
    );
    let done = |task| {
        sent.iter()
            .any(|step| step.task == task && step.failure.is_none())
    };
    assert!(
        done(Task::Issue) && done(Task::Sweep) && done(Task::End),
        "{sent:?}"
    );
    assert_eq!(rescue.money()[1], 3_000 * QUOTE as i64);
}

#[test]
fn x9_the_keeper_rests_in_a_pause() {
    let mut crash = Crash::open();
    let guardian = settle_down(&mut crash.exchange);
    crash.wait(1);
    crash.bid(9_290, 5, 40);
    crash.fall_to(9_300);
    let pause = router::pause(&guardian.pubkey(), 100);
    ok(crash.exchange.session.send(&[pause], &[&guardian]));
    assert!(run(&mut crash, 60).is_empty());
    assert!(crash.health(&crash.victim).is_liquidatable());
    let sent = run(&mut crash, 250);
    let all = [Task::Begin, Task::Issue, Task::Sweep, Task::End];
    assert_eq!(tasks(&sent), all, "{sent:?}");
}
