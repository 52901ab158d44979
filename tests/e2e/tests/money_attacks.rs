//! Attacks on routes that need no forged account: wrong handles, wrong order,
//! wrong time, the same thing twice, more than was signed.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::market::{Market, ROUTE, TAKER_CASH, send_as};
use flagstone_e2e_tests::money::audit_money;
use flagstone_e2e_tests::refusal::{assert_unchanged, refused, snapshot};
use flagstone_e2e_tests::{MARK, QUOTE, ok};
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::route::{Route, RouteLeg};
use flagstone_sdk::slab;
use flagstone_sdk::units::{Side, Ticks};
use solana_instruction::Instruction;
use solana_signer::Signer;
use std::slice::from_ref;

/// Bytes before the legs in the data of `open_route`.
const HEAD: usize = 1 + 8 + 1 + 8 + 8 + 4;
/// Bytes of one leg.
const LEG: usize = 4 + 4 + 8 + 4 + 1 + 1;
/// Accounts before the legs of `open_route`.
const FIXED: usize = 3;

/// The taker's route with its only leg changed.
fn with_leg(market: &Market, leg: &RouteLeg, change: impl FnOnce(&mut RouteLeg)) -> Instruction {
    let mut leg = *leg;
    change(&mut leg);
    market.route_of(vec![leg]).open()
}

#[test]
fn x1_expiry_bars_commit_and_nothing_else() {
    let mut market = Market::open(1);
    market.fund(0, QUOTE);
    let route = market.reserve_and_open(10, 5);
    market.wait(6);
    let commit = route.commit().remove(0);
    market.refuse(&commit, SlabError::Expired);
    // A hold that claims to live longer does not make its capability do so.
    let slab_key = market.seats[0].slab;
    let (index, slot) = (route.legs()[0].hold.index, market.exchange.session.slot());
    let extend = |slab: &mut flagstone_sdk::engine::Slab<'_>| {
        slab.reservations[index].expiry_slot.0 = slot as u32 + 9;
    };
    market
        .exchange
        .session
        .edit_slab(&slab_key, extend)
        .expect("a slab");
    market.refuse(&commit, SlabError::NoCap);
    let refund = market.refund(0, 0);
    ok(market.send(&[refund]));
    assert_eq!(market.cash(), TAKER_CASH - QUOTE);
}

#[test]
fn x1_a_refund_returns_neither_early_nor_what_was_charged() {
    let mut market = Market::open(1);
    market.fund(0, QUOTE);
    let cash = market.cash();
    let route = market.reserve_and_open(10, 5);
    market.wait(5);
    let refund = market.refund(0, 0);
    market.refuse(&refund, RouterError::NotExpired);
    // Committed in the last slot, and the client is gone before it settles.
    market.step(&route.commit());
    market.refuse(&refund, RouterError::NotExpired);
    market.wait(100);
    let charged = market.account(0).debited_total_atoms;
    assert!(charged > 0);
    market.crank(refund.clone());
    assert_eq!(market.cash(), cash - charged);
    assert_eq!(market.escrow(0).debited_seen_atoms, charged);
    market.refuse(&refund, RouterError::NoCap);
    for cap in [1, 15, 16, 255] {
        let other = market.refund(0, cap);
        market.refuse(&other, RouterError::NoCap);
    }
}

#[test]
fn f3_every_step_replayed_has_its_effect_once() {
    let mut market = Market::open(2);
    let route = market.route(10, 0);
    market.step(&route.instructions());
    for commit in route.commit() {
        market.refuse(&commit, SlabError::NoHold);
    }
    // The route id alone does not open it again.
    market.refuse(&route.open(), RouterError::BadHold);
    let release = market.release(0, 20 * QUOTE);
    market.refuse(&release, SlabError::ReleaseTooLarge);
    market.fund(0, 20 * QUOTE);
    market.step(from_ref(&release));
    market.refuse(&release, SlabError::ReleaseTooLarge);
    let settle = market.settle(0);
    market.crank(settle.clone());
    let before = snapshot(&market.exchange.session);
    for again in [settle, route.settle(), market.settle(1)] {
        market.crank(again);
        assert_unchanged(&market.exchange.session, &before);
    }
}

#[test]
fn x4_stale_and_foreign_holds_open_nothing() {
    let mut market = Market::open(1);
    let other = market.join();
    market.fund(0, QUOTE);
    let leg = market.leg(0, 10, 5);
    let reserve = market.route_of(vec![leg]).reserve();
    market.step(&reserve);
    let handles = [
        (leg.hold.index, leg.hold.generation + 1),
        (leg.hold.index, 0),
        (leg.hold.index + 1, leg.hold.generation),
        (0, leg.hold.generation),
        (u32::MAX, leg.hold.generation),
    ];
    for (index, generation) in handles {
        let open = with_leg(&market, &leg, |leg| {
            (leg.hold.index, leg.hold.generation) = (index, generation);
        });
        market.refuse(&open, RouterError::BadHold);
    }
    // Another member opens a route with this hold: its account did not make it.
    let mut theirs = leg;
    theirs.reserve.account = other.account.into();
    let theirs = market.route_by(&other, vec![theirs]).open();
    let session = &mut market.exchange.session;
    refused(session, &[theirs], &[&other.wallet], RouterError::BadHold);
    // Another route, the other side.
    let (owner, trader) = (market.taker.wallet.pubkey(), market.taker.trader.pubkey());
    let mint = market.exchange.mint;
    let renamed = Route::new(owner, trader, mint, ROUTE + 1, 10, u64::MAX, vec![leg]);
    market.refuse(&renamed.expect("a route").open(), RouterError::BadHold);
    let sell = with_leg(&market, &leg, |leg| leg.reserve.side = Side::Ask);
    market.refuse(&sell, RouterError::BadHold);
    let mut no_side = with_leg(&market, &leg, |_| ());
    no_side.data[9] = 2;
    market.refuse(&no_side, RouterError::BadRoute);
    // A hold on another instrument than the owner signed.
    let mut other_instrument = with_leg(&market, &leg, |_| ());
    *other_instrument.data.last_mut().expect("a byte") ^= 1;
    market.refuse(&other_instrument, RouterError::BadHold);
    // Past its expiry, cancelled, its slot handed out again.
    let open = with_leg(&market, &leg, |_| ());
    market.wait(6);
    market.refuse(&open, RouterError::BadHold);
    market.crank(slab::expire_holds(&leg.slab, leg.hold.index, 1));
    market.refuse(&open, RouterError::BadHold);
    let next = market.leg(0, 10, 0);
    assert_eq!(next.hold.index, leg.hold.index, "the slot is reused");
    let reserve = market.route_of(vec![next]).reserve();
    market.step(&reserve);
    market.refuse(&open, RouterError::BadHold);
}

/// `open_route` with its legs in this order; a leg may be named again.
fn reordered(open: &Instruction, order: &[usize]) -> Instruction {
    let mut other = open.clone();
    other.accounts.truncate(FIXED);
    other.data.truncate(HEAD - 4);
    other.data.extend((order.len() as u32).to_le_bytes());
    for leg in order {
        let accounts = &open.accounts[FIXED + 5 * leg..][..5];
        other.accounts.extend_from_slice(accounts);
        other.data.extend(&open.data[HEAD + LEG * leg..][..LEG]);
    }
    other
}

#[test]
fn x4_duplicate_and_descending_legs_are_refused() {
    let mut market = Market::open(3);
    let route = market.route(10, 0);
    let reserve = route.reserve();
    market.step(&reserve);
    let open = route.open();
    for order in [
        &[1, 0, 2][..],
        &[0, 2, 1],
        &[0, 0],
        &[0, 1, 1],
        &[2, 1],
        &[0, 1, 0],
    ] {
        market.refuse(&reordered(&open, order), RouterError::BadRoute);
    }
    // The same hold, the second time for another capability.
    let mut twice = reordered(&open, &[0, 0]);
    // The capability comes before the instrument.
    let cap = twice.data.len() - 2;
    twice.data[cap] = 1;
    market.refuse(&twice, RouterError::BadRoute);
    // No leg; more legs than a route has; legs and accounts that do not match.
    market.refuse(&reordered(&open, &[]), RouterError::BadRoute);
    market.refuse(
        &reordered(&open, &[0, 0, 1, 1, 2, 2]),
        RouterError::BadRoute,
    );
    for (legs, accounts) in [
        (3, FIXED + 10),
        (2, FIXED + 15),
        (3, FIXED + 14),
        (3, FIXED),
    ] {
        let mut uneven = open.clone();
        uneven.accounts.truncate(accounts);
        uneven.data[HEAD - 4..HEAD].copy_from_slice(&(legs as u32).to_le_bytes());
        uneven.data.truncate(HEAD + LEG * legs);
        market.refuse(&uneven, RouterError::BadRoute);
    }
    market.step(&[open]);
    market.step(&route.commit());
    let settle = route.settle();
    for order in [&[1, 0][..], &[0, 0], &[2, 2, 1]] {
        let mut other = settle.clone();
        other.accounts.truncate(1);
        for leg in order {
            other
                .accounts
                .extend_from_slice(&settle.accounts[1 + 5 * leg..][..5]);
        }
        market.refuse(&other, RouterError::BadRoute);
    }
    market.crank(settle);
}

#[test]
fn x4_one_live_capability_per_hold_and_record() {
    let mut market = Market::open(1);
    market.fund(0, QUOTE);
    let route = market.reserve_and_open(10, 5);
    let leg = route.legs()[0];
    // The same hold again, in the same record or in another.
    for cap in [0, 1, 15] {
        let again = with_leg(&market, &leg, |leg| leg.cap = cap);
        market.refuse(&again, RouterError::BadHold);
    }
    // Another hold in the record that is live, and in records that do not exist.
    let second = market.leg(0, 5, 5);
    let reserve = market.route_of(vec![second]).reserve();
    market.step(&reserve);
    for cap in [0, 16, 255] {
        let over = with_leg(&market, &second, |leg| leg.cap = cap);
        market.refuse(&over, RouterError::CapsFull);
    }
    let open = with_leg(&market, &second, |leg| leg.cap = 1);
    market.step(&[open]);
    // Neither pays for the other's hold.
    for (of, cap) in [(leg, 1), (second, 0), (leg, 2), (leg, 16)] {
        let swapped = market.route_of(vec![RouteLeg { cap, ..of }]);
        market.refuse(&swapped.commit()[0], SlabError::NoCap);
    }
    let commits = [leg, RouteLeg { cap: 1, ..second }]
        .map(|leg| market.route_of(vec![leg]).commit().remove(0));
    market.step(&commits);
    market.crank(route.settle());
    assert_eq!(market.position(0), 15);
}

#[test]
fn adv1_cash_taken_away_between_reserve_and_commit_is_not_charged_instead() {
    let mut market = Market::open(1);
    market.fund(0, 100 * QUOTE);
    let route = market.reserve_and_open(10, 5);
    let signed = market.escrow(0).balance_atoms;
    assert!(signed < 25 * QUOTE, "most of the margin is there: {signed}");
    let release = market.release(0, 90 * QUOTE);
    market.step(&[release]);
    let commit = route.commit().remove(0);
    market.refuse(&commit, SlabError::ChargeTooLarge);
    market.fund(0, 90 * QUOTE);
    market.step(&[commit]);
    market.crank(route.settle());
    assert!(market.account(0).debited_total_atoms <= signed);
}

#[test]
fn r7_a_hold_does_not_trade_when_the_mark_left_the_kill_band() {
    let mut market = Market::open(1);
    market.fund(0, QUOTE);
    let route = market.reserve_and_open(10, 5);
    let slab_key = market.seats[0].slab;
    let commit = route.commit().remove(0);
    for mark in [MARK + MARK / 100 + 1, MARK - MARK / 100 - 1] {
        let slot = market.exchange.session.slot() as u32;
        let jump = |slab: &mut flagstone_sdk::engine::Slab<'_>| {
            slab.instruments[0].mark = Ticks(mark);
            slab.instruments[0].mark_slot.0 = slot;
        };
        market
            .exchange
            .session
            .edit_slab(&slab_key, jump)
            .expect("a slab");
        market.refuse(&commit, SlabError::MarkMoved);
    }
}

#[test]
fn x6_settling_early_is_no_way_to_end_a_route() {
    let mut market = Market::open(2);
    for at in 0..2 {
        market.fund(at, QUOTE);
    }
    let other = market.join();
    let route = market.reserve_and_open(10, 5);
    market.refuse(&route.settle(), RouterError::NotCommitted);
    market.step(&route.commit()[..1]);
    market.refuse(&route.settle(), RouterError::NotCommitted);
    // Nor is there any in the hands of others.
    let settle = route.settle();
    let settled = send_as(&mut market.exchange, &other, from_ref(&settle));
    assert!(settled.is_err());
    let cancel = slab::cancel_hold(
        &route.legs()[1].slab,
        &other.trader.pubkey(),
        market.seats[1].account,
        route.legs()[1].hold,
    );
    let session = &mut market.exchange.session;
    refused(session, &[cancel], &[&other.trader], SlabError::WrongTrader);
    market.wait(6);
    market.crank(settle);
    assert_eq!(audit_money(&market.exchange.session).pledged, 0);
}
