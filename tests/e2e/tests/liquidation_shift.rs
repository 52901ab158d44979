//! Margin that an account lacks at one slab comes from another slab, by ticket
//! and without its owner, on the real programs.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::crash::{LEFT, LOTS, PLEDGED};
use flagstone_e2e_tests::govern::change;
use flagstone_e2e_tests::rescue::{MISSING, Rescue, SPARE, add_source};
use flagstone_e2e_tests::told::{Seen, tell};
use flagstone_e2e_tests::{QUOTE, ok};
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::interface::router::portfolio_status;
use flagstone_sdk::margin::times::{GRACE_SLOTS, SHIFT_SLOTS};
use flagstone_sdk::replica::Replica;
use flagstone_sdk::router::Change;
use flagstone_sdk::units::{Side, Slot};
use flagstone_sdk::{address, router, slab};
use solana_signer::Signer;

/// Atoms as the slab counts them.
fn cash(atoms: u64) -> i64 {
    atoms as i64
}

#[test]
fn lq4_ev1_margin_comes_from_another_slab_to_the_atom() {
    let mut rescue = Rescue::frozen();
    let before = rescue.money();
    assert_eq!(before[1..], [cash(SPARE), cash(LEFT)]);
    // Free cash comes first: the ticket is for the rest.
    let fetched = MISSING - LEFT;
    let issued = rescue.crash.exchange.session.slot() as u32;
    let issue = rescue.issue();
    rescue.crank(&[issue]);
    let (ticket, portfolio) = (rescue.ticket(), rescue.crash.portfolio());
    assert_eq!(ticket.amount_max_atoms, fetched);
    assert_eq!(ticket.enough_total_atoms, PLEDGED + MISSING);
    assert_eq!((ticket.nonce, ticket.episode), (1, 1));
    assert_eq!(ticket.expiry_slot, Slot(issued + SHIFT_SLOTS.0));
    assert_eq!((portfolio.ticket_nonce, portfolio.shift_nonce), (1, 1));
    assert_eq!(rescue.money(), before, "nothing has moved yet");

    // The slab releases, and says so.
    let slab = rescue.source.slab;
    let read = |rescue: &Rescue| {
        let data = rescue.crash.exchange.session.data(&slab);
        Replica::from_account(&data).expect("a slab")
    };
    let mut replica = read(&rescue);
    let release = rescue.release();
    let receipt = rescue.crank(&[release]);
    println!("release_shift: {} CU", receipt.compute_units);
    let [Event::Released(event)] = receipt.events[..] else {
        panic!("one event: {:?}", receipt.events)
    };
    assert_eq!({ event.amount_atoms }, fetched);
    assert_eq!({ event.account }, rescue.source.account);
    tell(&mut replica, &receipt, &mut Seen::default());
    let (told, there) = (replica.accounts(), read(&rescue));
    assert_eq!(
        told.collect::<Vec<_>>(),
        there.accounts().collect::<Vec<_>>()
    );
    assert_eq!(replica.seq(), there.seq());
    let left = cash(SPARE - fetched);
    assert_eq!(rescue.money(), [before[0], left, cash(LEFT)], "on its way");

    let settle = rescue.settle();
    rescue.crank(&[settle]);
    assert_eq!(rescue.money(), [before[0], left, cash(MISSING)]);
    assert_eq!(rescue.crash.portfolio().shift_nonce, 0, "booked");
    let shift = [rescue.crash.shift(), rescue.crash.sync()];
    rescue.crank(&shift);
    assert_eq!(rescue.money(), [before[0] + cash(MISSING), left, 0]);
    let health = rescue.crash.health(&rescue.crash.victim);
    assert_eq!(health.equity_atoms, health.initial_atoms as i64);
    assert_eq!(rescue.crash.escrow().shifted_atoms, MISSING);

    let end = [rescue.crash.end(), rescue.crash.sync()];
    rescue.crank(&end);
    assert_eq!(rescue.crash.portfolio().status, portfolio_status::OPEN);
    assert_eq!(rescue.crash.lots(&rescue.crash.victim), LOTS as i32);
    let sum: i64 = rescue.money().iter().sum();
    assert_eq!(sum, before.iter().sum::<i64>());
}

#[test]
fn lq4_orders_that_are_to_be_cancelled_bring_no_margin() {
    let mut rescue = Rescue::open();
    let crash = &mut rescue.crash;
    // Worth another 93 of initial margin where the price is to fall to.
    let rests = crash
        .victim
        .order(OrderKind::PostOnly, Side::Bid, 9_200, 10);
    let rests = slab::place(&crash.exchange.slab, &crash.victim.trader.pubkey(), &rests);
    let trader = crash.victim.trader.insecure_clone();
    ok(crash.exchange.session.send(&[rests], &[&trader]));
    crash.sink();
    let before = rescue.money();
    // A stranger who wants to bring as much as possible begins, and has the
    // margin brought before the slab cancels the order.
    let all = [
        rescue.crash.begin(),
        rescue.issue(),
        rescue.release(),
        rescue.settle(),
        rescue.crash.shift(),
    ];
    rescue.crank(&all);
    assert_eq!(rescue.crash.account(&rescue.crash.victim).orders_count, 1);
    assert_eq!(rescue.ticket().amount_max_atoms, MISSING - LEFT);
    assert_eq!(rescue.crash.escrow().shifted_atoms, MISSING);
    let sync = rescue.crash.sync();
    rescue.crank(&[sync]);
    assert_eq!(rescue.money()[0], before[0] + cash(MISSING));
    assert_eq!(rescue.crash.account(&rescue.crash.victim).orders_count, 0);
    // It was enough.
    let end = rescue.crash.end();
    rescue.crank(&[end]);
    assert_eq!(rescue.crash.portfolio().status, portfolio_status::OPEN);
}

#[test]
fn lq4_all_of_it_fits_one_transaction() {
    let mut rescue = Rescue::frozen();
    let all = [
        rescue.issue(),
        rescue.release(),
        rescue.settle(),
        rescue.crash.shift(),
        rescue.crash.sync(),
        rescue.crash.end(),
    ];
    let receipt = rescue.crank(&all);
    println!("a rescue: {} CU", receipt.compute_units);
    assert_eq!(rescue.crash.portfolio().status, portfolio_status::OPEN);
    assert_eq!(rescue.crash.portfolio().cash_atoms, 0);
    // Soon after, another one is due: a new ticket in the same account.
    rescue.crash.fall_to(8_800);
    let again = [rescue.crash.begin(), rescue.crash.sync()];
    rescue.crank(&again);
    let issue = rescue.issue();
    rescue.crank(&[issue]);
    assert_eq!((rescue.ticket().nonce, rescue.ticket().episode), (2, 2));
}

#[test]
fn lq4_neither_slab_is_left_below_initial_margin() {
    let mut rescue = Rescue::open();
    rescue.buy_at_source();
    rescue.crash.sink();
    // At 95.00 the 200 lots there lost 1,000 and need 1,900; the fee was 10.
    rescue.mark_source(9_500);
    rescue.crash.wait(1);
    let begin = [rescue.crash.begin(), rescue.crash.sync()];
    rescue.crank(&begin);
    let spare = SPARE - 10 * QUOTE - 1_000 * QUOTE - 1_900 * QUOTE;
    let all = [rescue.issue(), rescue.release(), rescue.settle()];
    rescue.crank(&all);
    assert_eq!(rescue.ticket().amount_max_atoms, spare);
    let health = |rescue: &Rescue| {
        let account = rescue.source.account.into();
        let session = &rescue.crash.exchange.session;
        let read = session.with_slab(&rescue.source.slab, |slab| slab.health(account, None));
        read.expect("a slab")
    };
    let after = health(&rescue);
    assert_eq!(after.equity_atoms, after.initial_atoms as i64);
    let issue = rescue.issue();
    rescue.refuse(&issue, RouterError::NothingToShift);
    // What is brought is not enough, so tickets to liquidate follow as ever.
    let shift = [rescue.crash.shift(), rescue.crash.sync()];
    rescue.crank(&shift);
    assert!(!rescue.crash.health(&rescue.crash.victim).covers_initial());
    assert_eq!(rescue.crash.portfolio().cash_atoms, 0);
}

#[test]
fn lq4_unrealised_profit_and_stale_accounts_give_nothing() {
    let mut rescue = Rescue::open();
    rescue.buy_at_source();
    rescue.crash.sink();
    // 200 lots at 105.00 are 1,000 in profit, which counts nothing; 2,100 stay.
    rescue.mark_source(10_500);
    rescue.crash.wait(1);
    let begin = [rescue.crash.begin(), rescue.crash.sync()];
    rescue.crank(&begin);
    let (issue, release) = (rescue.issue(), rescue.release());
    let issued = rescue.crank(std::slice::from_ref(&issue));
    println!("issue_shift: {} CU", issued.compute_units);
    let spare = SPARE - 10 * QUOTE - 2_100 * QUOTE;
    assert_eq!(rescue.ticket().amount_max_atoms, spare.min(MISSING - LEFT));
    rescue.crank(&[release]);
    let settle = rescue.settle();
    rescue.crank(&[settle]);
    // Eleven slots later the source is stale, the target is not.
    let shift = [rescue.crash.shift(), rescue.crash.sync()];
    rescue.crank(&shift);
    rescue.crash.fall_to(9_250);
    rescue.refuse(&issue, RouterError::NothingToShift);
    rescue.crash.exchange.session.wait(11);
    rescue.mark_source(10_500);
    // Now the target is.
    rescue.crash.exchange.session.wait(9);
    rescue.refuse(&issue, RouterError::NothingToShift);
}

#[test]
fn lq4_one_shift_is_out_at_a_time_and_none_is_for_more_than_is_wanted() {
    let mut rescue = Rescue::open();
    let third = add_source(&mut rescue.crash, "third", 600 * QUOTE);
    rescue.crash.sink();
    let begin = [rescue.crash.begin(), rescue.crash.sync()];
    rescue.crank(&begin);
    let (second_issue, third_issue) = (rescue.issue(), rescue.issue_from(&third.slab));
    rescue.crank(std::slice::from_ref(&third_issue));
    assert_eq!(
        rescue.ticket_of(&third.escrow).amount_max_atoms,
        600 * QUOTE
    );
    let out = RouterError::NoTicketDue;
    rescue.refuse(&second_issue, out);
    rescue.refuse(&third_issue, out);
    let release = rescue.release_at(&third);
    rescue.crank(&[release]);
    // Released and not settled: it is still under way, and not to be had twice.
    rescue.refuse(&second_issue, out);
    let settle = rescue.settle_at(&third.slab);
    rescue.crank(&[settle]);
    rescue.crank(std::slice::from_ref(&second_issue));
    let rest = MISSING - LEFT - 600 * QUOTE;
    assert_eq!(rescue.ticket().amount_max_atoms, rest);
    assert_eq!(rescue.ticket().nonce, 2);
    let finish = [
        rescue.release(),
        rescue.settle(),
        rescue.crash.shift(),
        rescue.crash.sync(),
        rescue.crash.end(),
    ];
    rescue.crank(&finish);
    assert_eq!(rescue.crash.portfolio().cash_atoms, 0);
    assert_eq!(rescue.account(&third).cash_atoms, 0);
    assert_eq!(
        rescue.account(&rescue.source).cash_atoms,
        cash(SPARE - rest)
    );
}

#[test]
fn lq4_a_ticket_that_nobody_used_makes_room_when_it_expires() {
    let mut rescue = Rescue::open();
    let third = add_source(&mut rescue.crash, "third", 600 * QUOTE);
    rescue.crash.sink();
    let begin = [rescue.crash.begin(), rescue.crash.sync()];
    rescue.crank(&begin);
    let (issue, release) = (rescue.issue(), rescue.release());
    rescue.crank(&[issue]);
    let third_issue = rescue.issue_from(&third.slab);
    rescue.crash.wait(SHIFT_SLOTS.0.into());
    rescue.refuse(&third_issue, RouterError::NoTicketDue);
    rescue.crash.wait(1);
    rescue.refuse(&release, SlabError::BadShift);
    rescue.crank(&[third_issue]);
    rescue.refuse(&release, SlabError::BadShift);
    let release = rescue.release_at(&third);
    rescue.crank(&[release]);
}

#[test]
fn lq4_cash_that_arrives_meanwhile_is_not_shifted_twice() {
    for brought in [100 * QUOTE, 2_000 * QUOTE] {
        let mut rescue = Rescue::frozen();
        let (issue, release) = (rescue.issue(), rescue.release());
        rescue.crank(&[issue]);
        let (exchange, victim) = (&mut rescue.crash.exchange, &rescue.crash.victim);
        ok(exchange.deposit(victim, brought));
        if brought < MISSING {
            rescue.crank(&[release]);
            let left = SPARE - (MISSING - LEFT - brought);
            assert_eq!(rescue.account(&rescue.source).cash_atoms, cash(left));
        } else {
            rescue.refuse(&release, SlabError::BadShift);
            // Nor after that cash has arrived where it was wanted.
            let shift = [rescue.crash.shift(), rescue.crash.sync()];
            rescue.crank(&shift);
            rescue.refuse(&release, SlabError::BadShift);
        }
    }
}

#[test]
fn lq4_the_consent_bounds_what_is_released_and_what_arrives() {
    let mut rescue = Rescue::frozen();
    // Free cash uses the consent first.
    rescue.consent(LEFT + 300 * QUOTE);
    let all = [
        rescue.issue(),
        rescue.release(),
        rescue.settle(),
        rescue.crash.shift(),
        rescue.crash.sync(),
    ];
    rescue.crank(&all);
    let account = rescue.account(&rescue.source);
    assert_eq!(account.cash_atoms, cash(SPARE - 300 * QUOTE));
    assert_eq!(rescue.crash.escrow().shifted_atoms, LEFT + 300 * QUOTE);
    let issue = rescue.issue();
    rescue.refuse(&issue, RouterError::NothingToShift);
    // A consent that is taken back voids the ticket that rested on it.
    rescue.consent(5_000 * QUOTE);
    rescue.crank(&[issue]);
    rescue.consent(0);
    let release = rescue.release();
    rescue.refuse(&release, SlabError::BadShift);
}

#[test]
fn lq4_x8_no_ticket_is_for_more_than_the_sources_limit_lets_out() {
    let mut rescue = Rescue::open();
    // Two windows later nothing is exempt as a deposit of late.
    rescue.crash.exchange.session.wait(500_000);
    rescue.crash.post();
    rescue.crash.sink();
    let ledger = address::slab_ledger(&rescue.source.slab, &rescue.crash.exchange.mint);
    let limit = Change::set_limit(&ledger, 400 * QUOTE, 1_000);
    change(&mut rescue.crash.exchange, &limit);
    let begin = [rescue.crash.begin(), rescue.crash.sync()];
    rescue.crank(&begin);
    let all = [rescue.issue(), rescue.release(), rescue.settle()];
    rescue.crank(&all);
    assert_eq!(rescue.ticket().amount_max_atoms, 400 * QUOTE);
    let cash_atoms = rescue.crash.portfolio().cash_atoms;
    assert_eq!(cash_atoms, LEFT + 400 * QUOTE);
    let issue = rescue.issue();
    rescue.refuse(&issue, RouterError::NothingToShift);
    // A slot lets 0.4 out again.
    rescue.crash.wait(1);
    rescue.crank(&[issue]);
    assert_eq!(rescue.ticket().amount_max_atoms, 400 * QUOTE / 1_000);
}

#[test]
fn lq3_another_account_that_could_give_is_something_to_bring() {
    let grace = |bring: fn(&mut Rescue)| {
        let mut rescue = Rescue::open();
        let (owner, slab, mint) = rescue.crash.at();
        // No free cash.
        let fund = router::fund_slab(&owner, &slab, &mint, LEFT);
        let wallet = &rescue.crash.victim.wallet;
        ok(rescue.crash.exchange.session.send(&[fund], &[wallet]));
        let sync = rescue.crash.sync();
        rescue.crank(&[sync]);
        bring(&mut rescue);
        rescue.crash.fall_to(9_200);
        let begin = [rescue.crash.begin(), rescue.crash.sync()];
        rescue.crank(&begin);
        let until = rescue.crash.escrow().grace_until.0;
        until - rescue.crash.exchange.session.slot() as u32
    };
    assert_eq!(grace(|_| {}), GRACE_SLOTS.0);
    // Not without a consent: nothing may be brought.
    assert_eq!(grace(|rescue| rescue.consent(0)), 0);
    // Nor when there is no other account.
    let close = |rescue: &mut Rescue| {
        let (owner, _, mint) = rescue.crash.at();
        let (seat, portfolio) = (rescue.source, address::portfolio(&owner));
        assert_ne!(portfolio, seat.escrow);
        let trader = &rescue.crash.victim.trader;
        let key = solana_signer::Signer::pubkey(trader);
        let end = [
            slab::release(&seat.slab, &key, seat.account, SPARE),
            router::settle(&owner, &seat.slab, &mint),
            slab::close_account(&seat.slab, &key, &seat.escrow, seat.account),
            router::unbind_escrow(&owner, &seat.slab, &mint),
        ];
        ok(rescue.crash.exchange.session.send_large(&end, &[trader]));
        let withdraw = router::withdraw(&owner, &mint, &rescue.crash.victim.tokens, SPARE);
        let wallet = &rescue.crash.victim.wallet;
        ok(rescue.crash.exchange.session.send(&[withdraw], &[wallet]));
    };
    assert_eq!(grace(close), 0);
}
