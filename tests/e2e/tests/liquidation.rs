//! A price crash: the keeper sweeps a leveraged trader's position on the
//! Router's ticket, on the real programs.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::crash::{Crash, LEFT, LOTS, PLEDGED};
use flagstone_e2e_tests::{QUOTE, ok};
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::interface::router::portfolio_status;
use flagstone_sdk::interface::slab::account_flags;
use flagstone_sdk::margin::times::{GRACE_SLOTS, RETURN_SLOTS, TICKET_SLOTS};
use flagstone_sdk::router;
use flagstone_sdk::units::{Side, Slot};
use std::slice::from_ref;

#[test]
fn lq1_lq2_lq4_a_crash_is_swept_until_margin_is_back() {
    let mut crash = Crash::open();
    let before = crash.exchange.session.slot();
    crash.sink();
    let health = crash.health(&crash.victim);
    // 200 lots from 100.00 to 93.00 lose 1,400; the fee of the trade was 10.
    assert_eq!(health.equity_atoms, 890 * QUOTE as i64);
    assert_eq!(health.maintenance_atoms, 930 * QUOTE);

    let now = crash.exchange.session.slot();
    let begin = [crash.begin(), crash.sync()];
    crash.crank(&begin);
    let portfolio = crash.portfolio();
    assert_eq!(portfolio.status, portfolio_status::LIQUIDATING);
    assert_eq!(portfolio.episode, 1);
    assert_eq!(
        u64::from(portfolio.grace_until.0),
        now + u64::from(GRACE_SLOTS.0)
    );
    assert!(before < now);
    assert_eq!(crash.escrow().frozen, 1);
    let flags = crash.account(&crash.victim).flags;
    assert_ne!(flags & account_flags::FROZEN, 0);

    crash.wait(GRACE_SLOTS.0.into());
    let issue = [crash.issue()];
    crash.crank(&issue);
    let ticket = crash.ticket();
    assert_eq!((ticket.nonce, ticket.episode), (1, 1));
    assert_eq!(
        ticket.expiry_slot,
        Slot(ticket.issued_slot.0 + TICKET_SLOTS.0)
    );
    assert_eq!(ticket.band_max_ppm, 20_000);
    // 970 are missing; a lot brings 93 * (10 % - 2 % - 0.51 %) = 6.9657.
    assert_eq!(ticket.lots_max, 140);

    let sweep = [crash.sweep()];
    let receipt = crash.crank(&sweep);
    let done = receipt.events.iter().find_map(|event| match event {
        Event::Liquidated(done) => Some(*done),
        _ => None,
    });
    let done = done.expect("a liquidation");
    assert!(done.lots > 0 && done.lots < ticket.lots_max);
    assert!(done.fee_atoms > 0 && done.reward_atoms * 5 == done.fee_atoms * 2);
    assert_eq!(crash.lots(&crash.victim), (LOTS - done.lots) as i32);
    assert_eq!(crash.lots(&crash.buyer), done.lots as i32);
    let keeper = crash.account(&crash.keeper);
    assert_eq!(keeper.cash_atoms as u64, QUOTE + done.reward_atoms);
    let health = crash.health(&crash.victim);
    assert!(health.covers_initial());

    let end = [crash.end(), crash.sync()];
    crash.crank(&end);
    let portfolio = crash.portfolio();
    assert_eq!(portfolio.status, portfolio_status::OPEN);
    assert_eq!(portfolio.frozen_count, 0);
    assert_eq!(portfolio.cash_atoms, LEFT);
    assert_eq!(crash.escrow().frozen, 0);
    assert_eq!(crash.ticket().nonce, 0, "void");
    let flags = crash.account(&crash.victim).flags;
    assert_eq!(flags & account_flags::FROZEN, 0);

    // What the liquidation's fee left for insurance, and the fees of trading.
    let collect = [crash.collect()];
    crash.crank(&collect);
    let ledger = crash.ledger();
    assert_eq!(ledger.insurance_atoms, done.fee_atoms - done.reward_atoms);
    // Buying cost 5 bps of 20,000, of which the maker got 1 bp back.
    assert_eq!(ledger.fees_atoms, 8 * QUOTE);
    assert_eq!(
        crash.escrow().deposited_total_atoms,
        PLEDGED,
        "neither capability nor escrow was charged"
    );
}

#[test]
fn l1_nothing_before_the_grace_is_over_nor_after_margin_is_back() {
    let mut crash = Crash::open();
    let begin = crash.begin();
    crash.refuse(&begin, RouterError::Healthy);
    crash.sink();
    let (issue, end, sync) = (crash.issue(), crash.end(), crash.sync());
    crash.refuse(&issue, RouterError::NoTicketDue);
    crash.crank(&[begin.clone(), sync.clone()]);
    crash.refuse(&begin, RouterError::Liquidating);
    crash.refuse(&issue, RouterError::NoTicketDue);
    crash.wait(u64::from(GRACE_SLOTS.0) - 1);
    crash.refuse(&issue, RouterError::NoTicketDue);
    crash.refuse(&end, RouterError::NotRestored);
    // The owner brings margin: a cure is allowed where all else is not.
    let (owner, slab, mint) = crash.at();
    let fund = router::fund_slab(&owner, &slab, &mint, LEFT);
    ok(crash
        .exchange
        .session
        .send(&[fund], &[&crash.victim.wallet]));
    crash.audit();
    // 990 of 930: above maintenance, below initial margin. It counts before
    // the slab has seen it.
    crash.wait(1);
    crash.refuse(&issue, RouterError::Healthy);
    crash.refuse(&end, RouterError::NotRestored);
    crash.crank(from_ref(&sync));
    crash.price = 10_000;
    crash.fall_to(10_000);
    crash.crank(&[end, sync]);
    assert_eq!(crash.lots(&crash.victim), LOTS as i32, "nothing was closed");
}

#[test]
fn lq4_a_liquidating_portfolio_moves_no_money_but_to_cure() {
    let mut crash = Crash::open();
    crash.sink();
    let (owner, _, mint) = crash.at();
    let other = ok(crash
        .exchange
        .add_slab("other", flagstone_sdk::engine::SlabSize::Dev));
    let seat = ok(crash.exchange.add_seat(&crash.victim, &other));
    crash.crank(&[crash.begin(), crash.sync()]);
    let wallet = [&crash.victim.wallet];
    let withdraw = router::withdraw(&owner, &mint, &crash.victim.tokens, 1);
    let fund = router::fund_slab(&owner, &seat.slab, &mint, 1);
    let session = &mut crash.exchange.session;
    for instruction in [withdraw, fund] {
        flagstone_e2e_tests::refusal::refused(
            session,
            &[instruction],
            &wallet,
            RouterError::Liquidating,
        );
    }
    // The session key may not open anything either.
    let exchange = &mut crash.exchange;
    let bid = exchange.place(&crash.victim, OrderKind::PostOnly, Side::Bid, 9_200, 1);
    assert_eq!(
        flagstone_e2e_tests::code(bid),
        SlabError::AccountFrozen.code()
    );
}

#[test]
fn lq4_anyone_shifts_what_is_missing_within_the_owners_consent() {
    let mut crash = Crash::open();
    let (owner, slab, mint) = crash.at();
    ok(crash.exchange.deposit(&crash.victim, 5_000 * QUOTE));
    crash.sink();
    let shift = crash.shift();
    crash.refuse(&shift, RouterError::NothingToShift);
    crash.crank(&[crash.begin(), crash.sync()]);
    crash.refuse(&shift, RouterError::NothingToShift);
    let consent = |crash: &mut Crash, atoms| {
        let set = router::set_liability_max(&owner, &slab, &mint, atoms);
        ok(crash.exchange.session.send(&[set], &[&crash.victim.wallet]));
    };
    consent(&mut crash, 300 * QUOTE);
    crash.crank(from_ref(&shift));
    assert_eq!(crash.escrow().shifted_atoms, 300 * QUOTE);
    crash.refuse(&shift, RouterError::NothingToShift);
    consent(&mut crash, 5_000 * QUOTE);
    crash.crank(&[shift.clone(), crash.sync(), crash.end()]);
    // 970 were missing in all, to the atom.
    assert_eq!(crash.escrow().deposited_total_atoms, PLEDGED + 970 * QUOTE);
    assert_eq!(crash.portfolio().cash_atoms, LEFT + (5_000 - 970) * QUOTE);
    let health = crash.health(&crash.victim);
    assert_eq!(health.equity_atoms, health.initial_atoms as i64);
    crash.refuse(&shift, RouterError::NothingToShift);
    assert_eq!(crash.lots(&crash.victim), LOTS as i32);
}

#[test]
fn lq3_no_grace_below_half_nor_without_cash_nor_on_return() {
    let grace = |crash: &mut Crash| {
        crash.crank(&[crash.begin(), crash.sync()]);
        crash.portfolio().grace_until.0 - crash.exchange.session.slot() as u32
    };
    // Below half: 200 lots at 90.50 have 905 of margin, and 390 are left.
    let mut deep = Crash::open();
    deep.fall_to(9_050);
    assert_eq!(grace(&mut deep), 0);
    // Without cash at the Router.
    let mut poor = Crash::open();
    let (owner, slab, mint) = poor.at();
    let fund = router::fund_slab(&owner, &slab, &mint, LEFT);
    ok(poor.exchange.session.send(&[fund], &[&poor.victim.wallet]));
    poor.crank(&[poor.sync()]);
    poor.fall_to(9_200);
    assert_eq!(grace(&mut poor), 0);
    // Soon after the last one.
    let mut back = Crash::open();
    back.sink();
    assert_eq!(grace(&mut back), GRACE_SLOTS.0);
    back.wait(GRACE_SLOTS.0.into());
    back.crank(&[back.issue()]);
    back.crank(&[back.sweep()]);
    back.crank(&[back.end(), back.sync()]);
    back.fall_to(8_780);
    assert!(back.health(&back.victim).is_liquidatable());
    assert_eq!(grace(&mut back), 0);
    // Long after it.
    back.fall_to(10_000);
    back.crank(&[back.end(), back.sync()]);
    back.wait(u64::from(RETURN_SLOTS.0) + 1);
    back.fall_to(8_780);
    assert_eq!(grace(&mut back), GRACE_SLOTS.0);
    assert_eq!(back.portfolio().episode, 3);
}
