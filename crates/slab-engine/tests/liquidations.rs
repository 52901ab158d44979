//! Liquidation: who may, when, against which orders, how far and for what fee.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::crash::{Papers, crash_params};
use common::router::{handle, reserve};
use common::{Exchange, Handle, key_of, post_only};
use flagstone_interface::event::cancel_reason;
use flagstone_interface::router::{cap_state, portfolio_status};
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::cancels::Cancelled;
use flagstone_units::{Ppm, Side::Ask, Side::Bid, SignedPpm, Slot};

/// Account 1 is rich, account 2 has 150,000 and is long 10 at 100,000 against
/// it; account 3 is rich and has nothing. The mark is 89,000: equity 40,000,
/// maintenance margin 44,500, initial margin 89,000.
fn fallen() -> Exchange {
    let mut exchange = Exchange::crash(&[1_000_000_000, 150_000, 1_000_000_000]);
    exchange.pair(2, 1, 100_000, 10);
    exchange.set_mark(0, 89_000);
    assert_eq!(exchange.health(2), (40_000, 89_000, 44_500));
    exchange
}

/// Bids of account 3 that are old enough to be met.
fn aged_bids(exchange: &mut Exchange, bids: &[(u32, u32)]) -> Vec<Handle> {
    let post = |exchange: &mut Exchange, ticks, lots| exchange.post(3, Bid, ticks, lots).unwrap();
    let handles = bids
        .iter()
        .map(|(ticks, lots)| post(exchange, *ticks, *lots))
        .collect();
    exchange.slot += 5;
    handles
}

#[test]
fn rm3_only_below_maintenance_margin() {
    let mut exchange = fallen();
    let papers = exchange.ticket(2, 10);
    // Equity 150,000 - 10 * (100,000 - mark), maintenance half of the mark: at
    // 89,473 the two are 44,730 and 44,736.5, at 89,474 they are 44,740 and 44,737.
    exchange.set_mark(0, 89_474);
    aged_bids(&mut exchange, &[(89_400, 10)]);
    assert_eq!(exchange.liquidate(2, &papers), Err(SlabError::Healthy));
    exchange.set_mark(0, 89_473);
    assert!(exchange.liquidate(2, &papers).unwrap() > 0);
    exchange.audit_all();
}

#[test]
fn r10_only_with_the_routers_ticket() {
    let mut exchange = fallen();
    aged_bids(&mut exchange, &[(89_000, 10)]);
    let good = exchange.ticket(2, 10);
    let before = exchange.bytes().to_vec();
    type Change = fn(&mut Papers);
    let changes: [(Change, SlabError); 11] = [
        (|papers| papers.ticket.slab[0] ^= 1, SlabError::WrongRecord),
        (|papers| papers.slab[0] ^= 1, SlabError::WrongRecord),
        (
            |papers| papers.ticket.escrow = key_of(9, 1),
            SlabError::WrongRecord,
        ),
        (
            |papers| papers.portfolio_key[9] ^= 1,
            SlabError::WrongRecord,
        ),
        (
            |papers| papers.portfolio.status = portfolio_status::OPEN,
            SlabError::BadTicket,
        ),
        (
            |papers| papers.portfolio.status = portfolio_status::CLOSED,
            SlabError::BadTicket,
        ),
        (|papers| papers.portfolio.episode += 1, SlabError::BadTicket),
        (|papers| papers.ticket.nonce = 0, SlabError::BadTicket),
        (|papers| papers.ticket.lots_max = 0, SlabError::BadTicket),
        (|papers| papers.ticket.instrument = 1, SlabError::BadTicket),
        (
            |papers| papers.ticket.expiry_slot = papers.ticket.issued_slot,
            SlabError::BadTicket,
        ),
    ];
    exchange.slot += 1;
    for (at, (change, error)) in changes.into_iter().enumerate() {
        let mut papers = good;
        change(&mut papers);
        assert_eq!(exchange.liquidate(2, &papers), Err(error), "change {at}");
        assert_eq!(exchange.bytes().to_vec(), before, "change {at}");
    }
    assert_eq!(exchange.liquidate(2, &good), Ok(6));
}

#[test]
fn r10_an_instrument_without_a_fee_bars_liquidation() {
    let mut params = crash_params();
    params.rules.liquidation_fee = Ppm(0);
    let mut exchange = Exchange::crash_with(&params, &[1_000_000_000, 150_000, 1_000_000_000]);
    exchange.pair(2, 1, 100_000, 10);
    exchange.set_mark(0, 89_000);
    aged_bids(&mut exchange, &[(89_000, 10)]);
    let papers = exchange.ticket(2, 10);
    assert_eq!(
        exchange.liquidate(2, &papers),
        Err(SlabError::BadInstrument)
    );
}

#[test]
fn l1_nothing_happens_before_the_grace_is_over_or_after_margin_was_restored() {
    let mut exchange = fallen();
    aged_bids(&mut exchange, &[(89_000, 10)]);
    let mut papers = exchange.ticket(2, 10);
    papers.portfolio.grace_until = Slot(exchange.slot + 3);
    exchange.slot += 2;
    assert_eq!(exchange.liquidate(2, &papers), Err(SlabError::BadTicket));
    exchange.slot += 1;
    exchange.deposit(2, 4_500).unwrap();
    assert_eq!(exchange.liquidate(2, &papers), Err(SlabError::Healthy));
    exchange.set_mark(0, 88_999);
    assert!(exchange.liquidate(2, &papers).is_ok());
    exchange.audit_all();
}

#[test]
fn l2_a_liquidation_touches_no_capability() {
    let mut exchange = fallen();
    aged_bids(&mut exchange, &[(89_000, 10)]);
    let cap = exchange.mint(2, (1, 1), (7, 500_000, 1_000));
    let papers = exchange.ticket(2, 10);
    let before = exchange.slab().accounts[2];
    exchange.liquidate(2, &papers).unwrap();
    let after = exchange.slab().accounts[2];
    assert_eq!(after.debited_total_atoms, before.debited_total_atoms);
    assert_eq!(after.deposited_seen_atoms, before.deposited_seen_atoms);
    assert_eq!(exchange.slab().header.debits_total.get(), 0);
    let escrow = &exchange.escrows[1];
    let minted = &escrow.caps[usize::from(cap)];
    assert_eq!(
        (minted.state, minted.remaining_atoms),
        (cap_state::LIVE, 500_000)
    );
    exchange.audit_all();
}

#[test]
fn l3_fills_stay_within_a_band_that_widens_with_the_ticket() {
    // 0.5 % to 2 % of 89,000 over 75 slots: 445 to 1,780.
    for (age, worst) in [(0, 88_555), (25, 88_110), (50, 87_665), (75, 87_220)] {
        let mut exchange = fallen();
        let bids: Vec<_> = (0..20).map(|at| (89_000 - 89 - at * 89, 1)).collect();
        aged_bids(&mut exchange, &bids);
        exchange.deposit(2, 1).unwrap();
        let papers = exchange.ticket(2, 10);
        exchange.slot += age;
        // Never enough to restore margin, so the band alone ends the sweep.
        exchange.slab().accounts[2].cash_atoms -= 35_000;
        exchange.slab().accounts[2].principal_atoms -= 35_000;
        let (traded, _) = exchange
            .liquidation_call(2, 0, [(0, 0); 4], &papers)
            .unwrap();
        let within = bids.iter().filter(|(ticks, _)| *ticks >= worst).count();
        assert_eq!({ traded.lots } as usize, within.min(10), "age {age}");
        assert!(
            traded.fills().iter().all(|fill| fill.ticks >= worst),
            "age {age}"
        );
    }
}

#[test]
fn l3_the_ticket_may_narrow_the_band_and_shorts_have_one_too() {
    let mut exchange = Exchange::crash(&[150_000, 1_000_000_000, 1_000_000_000]);
    exchange.pair(2, 1, 100_000, 10);
    exchange.set_mark(0, 111_000);
    exchange.post(3, Ask, 111_334, 10).unwrap();
    exchange.slot += 5;
    let mut papers = exchange.ticket(1, 10);
    papers.ticket.band_max_ppm = 3_000;
    // 0.3 % of 111,000 is 333.
    assert_eq!(exchange.liquidate(1, &papers), Err(SlabError::NotFilled));
    papers.ticket.band_max_ppm = 4_000;
    assert!(exchange.liquidate(1, &papers).unwrap() > 0);
    exchange.audit_all();
}

#[test]
fn l3_a_better_price_counts_as_far_as_anybody_may_trade() {
    let mut exchange = fallen();
    // The band of 9 % ends at 97,010; an order that was inside when it was
    // posted and is outside now must not be picked off, but stays.
    exchange.set_mark(0, 100_000);
    exchange.post(3, Bid, 97_011, 1).unwrap();
    exchange.post(3, Bid, 97_010, 1).unwrap();
    exchange.slot += 5;
    exchange.set_mark(0, 89_000);
    let papers = exchange.ticket(2, 10);
    let (traded, _) = exchange
        .liquidation_call(2, 0, [(0, 0); 4], &papers)
        .unwrap();
    assert_eq!(traded.fills().len(), 1);
    assert_eq!({ traded.fills()[0].ticks }, 97_010);
    assert_eq!(exchange.depth(0, Bid), [(97_011, 1)]);
}

#[test]
fn lq1_a_stale_mark_starts_no_liquidation() {
    let mut exchange = fallen();
    aged_bids(&mut exchange, &[(89_000, 10)]);
    let papers = exchange.ticket(2, 10);
    exchange.slab().instruments[0].fresh_until = Slot(exchange.slot - 1);
    assert_eq!(exchange.liquidate(2, &papers), Err(SlabError::StaleMark));
    exchange.slab().instruments[0].fresh_until = Slot(exchange.slot);
    assert!(exchange.liquidate(2, &papers).is_ok());
}

#[test]
fn lq2_lots_add_up_under_a_ticket_and_older_tickets_are_void() {
    let mut exchange = fallen();
    exchange.set_mark(0, 86_000);
    aged_bids(&mut exchange, &[(86_000, 2), (85_990, 8)]);
    let mut papers = exchange.ticket(2, 3);
    papers.ticket.nonce = 7;
    papers.ticket.lots_max = 1;
    assert_eq!(exchange.liquidate(2, &papers), Ok(1));
    assert_eq!(exchange.liquidate(2, &papers), Err(SlabError::BadTicket));
    papers.ticket.lots_max = 3;
    assert_eq!(exchange.liquidate(2, &papers), Ok(2));
    assert_eq!(exchange.liquidate(2, &papers), Err(SlabError::BadTicket));
    papers.ticket.nonce = 6;
    assert_eq!(exchange.liquidate(2, &papers), Err(SlabError::BadTicket));
    papers.ticket.nonce = 8;
    papers.ticket.lots_max = 1;
    assert_eq!(exchange.liquidate(2, &papers), Ok(1));
    let account = exchange.slab().accounts[2];
    assert_eq!((account.ticket_nonce, account.ticket_lots_used), (8, 1));
    exchange.audit_all();
}

#[test]
fn lq3_young_expired_and_reserved_orders_are_passed_over_and_stay() {
    let mut exchange = fallen();
    let reserved = exchange.post(3, Bid, 88_999, 3).unwrap();
    let held = exchange.reserve(&reserve(1, Ask, 88_999, 3)).unwrap();
    assert_eq!({ held.slices()[0].order }, reserved.0);
    let mut dying = post_only(3, Bid, 88_998, 3);
    dying.expiry = Slot(exchange.slot + 1);
    exchange.place(&dying).unwrap();
    exchange.post(3, Bid, 88_900, 9).unwrap();
    exchange.slot += 1;
    exchange.post(3, Bid, 88_997, 3).unwrap();
    exchange.slot += 4;
    let papers = exchange.ticket(2, 10);
    assert_eq!(exchange.liquidate(2, &papers), Ok(6));
    let left = [(88_999, 3), (88_998, 3), (88_997, 3), (88_900, 3)];
    assert_eq!(exchange.depth(0, Bid), left);
    exchange.audit_all();
}

#[test]
fn lq3_a_wall_of_young_orders_hides_nothing() {
    // Young orders cost no room for fills.
    let mut exchange = fallen();
    aged_bids(&mut exchange, &[(88_900, 10)]);
    for at in 0..60 {
        exchange.post(3, Bid, 88_901 + at, 1).unwrap();
    }
    let papers = exchange.ticket(2, 10);
    assert_eq!(exchange.liquidate(2, &papers), Ok(6));
}

#[test]
fn lq3_makers_short_of_margin_leave_and_makers_earn_no_rebate() {
    let mut params = crash_params();
    (params.taker_fee, params.maker_fee) = (SignedPpm(300), SignedPpm(-200));
    let deposits = [1_000_000_000, 150_000, 1_000_000_000, 9_100];
    let mut exchange = Exchange::crash_with(&params, &deposits);
    exchange.pair(2, 1, 100_000, 10);
    exchange.set_mark(0, 89_000);
    exchange.post(4, Bid, 89_000, 1).unwrap();
    exchange.slab().accounts[4].cash_atoms -= 8_000;
    exchange.slab().accounts[4].principal_atoms -= 8_000;
    exchange.slab().header.released_total.add(8_000);
    aged_bids(&mut exchange, &[(88_990, 10)]);
    let papers = exchange.ticket(2, 10);
    let (rich, fees) = (
        exchange.cash(3),
        exchange.slab().header.fees_out_total.get(),
    );
    assert_eq!(exchange.liquidate(2, &papers), Ok(6));
    assert_eq!(exchange.cash(3), rich);
    assert_eq!(exchange.slab().header.fees_out_total.get(), fees);
    assert_eq!(exchange.slab().accounts[4].orders_count, 0);
    exchange.audit();
}

#[test]
fn lq3_the_reward_is_a_part_of_the_fee_that_was_collected() {
    let mut exchange = fallen();
    aged_bids(&mut exchange, &[(88_900, 10)]);
    let papers = exchange.ticket(2, 10);
    let before = [2, 1].map(|account| exchange.cash(account));
    let (traded, done) = exchange
        .liquidation_call(2, 1, [(0, 0); 4], &papers)
        .unwrap();
    let event = done.liquidated;
    // Six lots at 88,900: half a percent of 533,400, and 40 % of it.
    assert_eq!(
        ({ event.lots }, { event.fee_atoms }, { event.reward_atoms }),
        (6, 2_667, 1_066)
    );
    assert_eq!({ traded.fee_atoms }, 2_667);
    let realised = 6 * (88_900 - 100_000);
    assert_eq!(exchange.cash(2), before[0] + realised - 2_667);
    assert_eq!(exchange.cash(1), before[1] + 1_066);
    assert_eq!(exchange.slab().header.insurance_due_total.get(), 1_601);
    exchange.audit_all();
}

#[test]
fn lq3_no_fee_is_taken_from_an_account_with_nothing() {
    // Equity is 5,000 at 85,500, 1,000 at 85,100 and -5,000 at 84,500.
    for (mark, fee) in [(85_500, 4_275), (85_100, 1_000), (85_000, 0), (84_500, 0)] {
        let mut exchange = fallen();
        exchange.set_mark(0, mark);
        aged_bids(&mut exchange, &[(mark, 10)]);
        let papers = exchange.ticket(2, 10);
        let equity = exchange.health(2).0;
        let (_, done) = exchange
            .liquidation_call(2, 1, [(0, 0); 4], &papers)
            .unwrap();
        let event = done.liquidated;
        assert_eq!({ event.fee_atoms }, fee, "{mark}");
        assert_eq!(exchange.health(2).0, equity - event.fee_atoms as i64);
        exchange.audit_all();
    }
}

#[test]
fn lq3_the_keeper_is_another_open_account() {
    let mut exchange = fallen();
    aged_bids(&mut exchange, &[(88_900, 10)]);
    let papers = exchange.ticket(2, 10);
    for keeper in [2, 4, 500] {
        let refused = exchange.liquidation_call(2, keeper, [(0, 0); 4], &papers);
        assert_eq!(refused.err(), Some(SlabError::NoAccount), "{keeper}");
    }
}

#[test]
fn lq4_the_sweep_ends_at_the_lot_that_restores_initial_margin() {
    for price in [88_600, 88_900, 89_000, 90_000] {
        let mut exchange = fallen();
        aged_bids(&mut exchange, &[(price, 3), (price - 20, 7)]);
        let papers = exchange.ticket(2, 10);
        let closed = exchange.liquidate(2, &papers).unwrap();
        let (equity, initial, _) = exchange.health(2);
        assert!(equity >= initial as i64, "{price}");
        assert_eq!(exchange.liquidate(2, &papers), Err(SlabError::Healthy));
        // One lot less would not have done.
        let mut exchange = fallen();
        aged_bids(&mut exchange, &[(price, 3), (price - 20, 7)]);
        let papers = exchange.ticket(2, closed - 1);
        assert_eq!(exchange.liquidate(2, &papers), Ok(closed - 1));
        let (equity, initial, _) = exchange.health(2);
        assert!(equity < initial as i64, "{price}");
    }
}

#[test]
fn lq4_margin_restored_exactly_at_the_end_of_an_order_is_enough() {
    let mut exchange = fallen();
    aged_bids(&mut exchange, &[(88_900, 6), (88_890, 4)]);
    let papers = exchange.ticket(2, 10);
    assert_eq!(exchange.liquidate(2, &papers), Ok(6));
}

#[test]
fn lq4_no_margin_check_blocks_it_and_the_loss_stays_within_the_ticket() {
    let mut exchange = fallen();
    // Equity -40,000: far below everything, and closing at a worse price than
    // the mark makes it worse still.
    exchange.set_mark(0, 81_000);
    aged_bids(&mut exchange, &[(80_700, 10)]);
    let mut papers = exchange.ticket(2, 10);
    papers.ticket.deficit_max_atoms = 39_999;
    assert_eq!(exchange.liquidate(2, &papers), Err(SlabError::NotFilled));
    papers.ticket.deficit_max_atoms = 40_900;
    assert_eq!(exchange.liquidate(2, &papers), Ok(3));
    assert_eq!(exchange.health(2).0, -40_900);
    papers.ticket.deficit_max_atoms = u64::MAX;
    assert_eq!(exchange.liquidate(2, &papers), Ok(7));
    assert_eq!(exchange.cash(2), -43_000);
    exchange.audit_all();
}

#[test]
fn lq4_a_frozen_account_loses_its_orders_in_bounded_steps() {
    let mut exchange = Exchange::crash(&[1_000_000_000, 1_000_000_000]);
    for at in 0..40 {
        exchange.post(1, Bid, 99_000 + at, 1).unwrap();
    }
    let held = exchange.reserve(&reserve(2, Ask, 99_039, 1)).unwrap();
    let mut none = Cancelled::none();
    exchange
        .run(|slab| slab.cancel_frozen(1, &mut none))
        .unwrap();
    assert_eq!(none.count, 0);
    exchange.freeze(1, true);
    let (mut gone, mut calls) = (0, 0);
    loop {
        let mut cancelled = Cancelled::none();
        exchange
            .run(|slab| slab.cancel_frozen(1, &mut cancelled))
            .unwrap();
        let frozen = |event: &flagstone_interface::event::OrderCancelled| {
            event.reason == cancel_reason::FROZEN
        };
        assert!(cancelled.orders().iter().all(frozen));
        if cancelled.count == 0 {
            break;
        }
        (gone, calls) = (gone + cancelled.count, calls + 1);
        exchange.audit();
    }
    // What is reserved stays, and leaves with its hold.
    assert_eq!((gone, calls), (40, 2));
    assert_eq!(exchange.depth(0, Bid), [(99_039, 1)]);
    exchange.cancel_hold(2, handle(&held)).unwrap();
    assert_eq!(exchange.depth(0, Bid), []);
    exchange.audit();
}

#[test]
fn t5_reserved_parts_of_a_liquidated_makers_orders_stay_and_count() {
    let mut exchange = fallen();
    exchange.deposit(2, 160_000).unwrap();
    let order = exchange.post(2, Bid, 88_000, 4).unwrap();
    let mut wanted = reserve(1, Ask, 88_000, 3);
    wanted.ttl = Slot(50);
    exchange.reserve(&wanted).unwrap();
    exchange.set_mark(0, 72_500);
    aged_bids(&mut exchange, &[(72_500, 10)]);
    let papers = exchange.ticket(2, 10);
    let (_, done) = exchange
        .liquidation_call(2, 0, [(0, 0); 4], &papers)
        .unwrap();
    assert_eq!(done.cancelled.count, 1);
    let event = done.cancelled.orders()[0];
    assert_eq!(
        ({ event.lots }, event.reason),
        (1, cancel_reason::LIQUIDATED)
    );
    assert_eq!(exchange.reserved(order.0), (3, 3));
    // Initial margin counts the three lots that the hold may still trade.
    let (equity, initial, _) = exchange.health(2);
    let worst = exchange.position(2, 0).0 as u64 + 3;
    assert_eq!(initial, worst * 7_250);
    assert!(equity >= initial as i64);
    exchange.audit_all();
}

#[test]
fn t4_a_liquidation_takes_slices_of_holds_older_than_a_slot() {
    let mut exchange = fallen();
    aged_bids(&mut exchange, &[(88_900, 6)]);
    let mut wanted = reserve(1, Ask, 88_900, 6);
    wanted.ttl = Slot(50);
    let held = exchange.reserve(&wanted).unwrap();
    let hint = handle(&held);
    let holds = [hint, (0, 0), (99_999, 1), (hint.0, hint.1 + 1)];
    let papers = exchange.ticket(2, 10);
    for _ in 0..2 {
        let early = exchange.liquidation_call(2, 0, holds, &papers);
        assert_eq!(early.err(), Some(SlabError::NotFilled));
        exchange.slot += 1;
    }
    let (_, done) = exchange.liquidation_call(2, 0, holds, &papers).unwrap();
    assert_eq!(done.ended().len(), 1);
    assert_eq!({ done.ended()[0].hold }, hint.0);
    assert_eq!({ done.liquidated.lots }, 6);
    exchange.audit_all();
}

#[test]
fn t4_a_hold_on_the_other_side_is_left_alone() {
    let mut exchange = fallen();
    aged_bids(&mut exchange, &[(88_900, 6)]);
    exchange.post(3, Ask, 90_000, 5).unwrap();
    let mut wanted = reserve(1, Bid, 90_000, 5);
    wanted.ttl = Slot(50);
    let held = exchange.reserve(&wanted).unwrap();
    exchange.slot += 10;
    let papers = exchange.ticket(2, 10);
    let holds = [handle(&held), (0, 0), (0, 0), (0, 0)];
    let (_, done) = exchange.liquidation_call(2, 0, holds, &papers).unwrap();
    assert_eq!(done.ended().len(), 0);
    assert!(exchange.record(held.hold).is_held());
}

#[test]
fn lq4_the_accounts_own_orders_leave_and_are_not_met() {
    let mut exchange = fallen();
    exchange.post(2, Ask, 95_000, 2).unwrap();
    aged_bids(&mut exchange, &[(88_900, 6)]);
    let papers = exchange.ticket(2, 10);
    let (_, done) = exchange
        .liquidation_call(2, 0, [(0, 0); 4], &papers)
        .unwrap();
    assert_eq!(done.cancelled.count, 1);
    assert_eq!(exchange.slab().accounts[2].orders_count, 0);
    exchange.audit_all();
}

#[test]
fn lq3_a_reduce_only_order_trades_what_it_still_reduces() {
    let mut exchange = fallen();
    let mut order = post_only(1, Bid, 88_900, 10);
    order.reduce_only = true;
    exchange.place(&order).unwrap();
    // Account 1 is short 10 and buys seven back elsewhere.
    exchange.post(3, Ask, 89_000, 7).unwrap();
    assert_eq!(exchange.ioc(1, Bid, 89_000, 7), Ok(7));
    aged_bids(&mut exchange, &[(88_890, 10)]);
    let papers = exchange.ticket(2, 10);
    assert_eq!(exchange.liquidate(2, &papers), Ok(6));
    assert_eq!(exchange.position(1, 0).0, 0);
    assert_eq!(exchange.position(3, 0).0, -4);
    exchange.audit_all();
}
