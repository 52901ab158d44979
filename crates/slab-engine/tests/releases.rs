//! Release: principal, profit that is old enough, and nothing else.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::{Exchange, key_of, params};
use flagstone_slab_engine::SlabError;
use flagstone_units::{Side, Side::Ask, Side::Bid, Slot, Ticks};

fn releasable(exchange: &mut Exchange, account: u32) -> u64 {
    let slot = Slot(exchange.slot);
    exchange.slab().releasable_atoms(account, slot)
}

/// Account 2 buys from account 1 at 1,000 and sells at 1,010.
fn profit(exchange: &mut Exchange, lots: u32) {
    for (maker, taker, ticks) in [(Ask, Bid, 1_000), (Bid, Ask, 1_010)] {
        exchange.post(1, maker, ticks, lots).unwrap();
        assert_eq!(exchange.ioc(2, taker, ticks, lots), Ok(lots));
    }
}

#[test]
fn t2_principal_leaves_at_once_and_profit_when_it_is_old() {
    let mut exchange = Exchange::new(&params(), 1);
    exchange.open(10_000);
    exchange.slot = 5_000;
    profit(&mut exchange, 50);
    assert_eq!(exchange.cash(2), 10_500);
    assert_eq!(releasable(&mut exchange, 2), 10_000);
    assert_eq!(exchange.release(2, 10_001), Err(SlabError::ReleaseTooLarge));
    assert_eq!(exchange.release(2, 10_000), Ok(500));
    assert_eq!(releasable(&mut exchange, 2), 0);
    exchange.slot = 5_599;
    assert_eq!(exchange.release(2, 1), Err(SlabError::ReleaseTooLarge));
    exchange.slot = 5_600;
    assert_eq!(exchange.release(2, 501), Err(SlabError::ReleaseTooLarge));
    assert_eq!(exchange.release(2, 500), Ok(0));
    assert_eq!(exchange.release(2, 1), Err(SlabError::ReleaseTooLarge));
    assert_eq!(exchange.pay_released(2), 10_500);
    exchange.audit();
    exchange.audit_router();
}

#[test]
fn t2_profits_wait_for_their_weighted_mean() {
    let mut exchange = Exchange::new(&params(), 1);
    exchange.open(10_000);
    for slot in [5_000, 5_400] {
        exchange.slot = slot;
        profit(&mut exchange, 50);
    }
    exchange.slot = 5_799;
    assert_eq!(releasable(&mut exchange, 2), 10_000);
    exchange.slot = 5_800;
    assert_eq!(releasable(&mut exchange, 2), 11_000);
}

#[test]
fn t2_old_profit_neither_waits_for_new_nor_carries_it_out() {
    let mut exchange = Exchange::new(&params(), 1);
    exchange.open(10_000);
    for slot in [5_000, 9_000] {
        exchange.slot = slot;
        profit(&mut exchange, 50);
    }
    assert_eq!(releasable(&mut exchange, 2), 10_500);
    exchange.slot = 9_599;
    assert_eq!(releasable(&mut exchange, 2), 10_500);
    exchange.slot = 9_600;
    assert_eq!(releasable(&mut exchange, 2), 11_000);
}

#[test]
fn t2_lost_principal_is_no_leave_for_later_profit() {
    // Two accounts of one owner: what one loses to the other must not let its
    // next profit out at once.
    let mut exchange = Exchange::new(&params(), 1);
    exchange.open(10_000);
    exchange.slot = 5_000;
    for (maker, taker, ticks) in [(Ask, Bid, 1_010), (Bid, Ask, 1_000)] {
        exchange.post(1, maker, ticks, 50).unwrap();
        assert_eq!(exchange.ioc(2, taker, ticks, 50), Ok(50));
    }
    assert_eq!(exchange.cash(2), 9_500);
    profit(&mut exchange, 50);
    assert_eq!(exchange.cash(2), 10_000);
    assert_eq!(releasable(&mut exchange, 2), 9_500);
}

#[test]
fn t2_hold_fees_are_profit_too() {
    let mut params = params();
    params.hold_fee = flagstone_units::Ppm(1_000);
    let mut exchange = Exchange::new(&params, 1);
    exchange.open(100_000);
    exchange.slot = 5_000;
    exchange.post(1, Ask, 1_000, 50).unwrap();
    let before = exchange.cash(1);
    let mut order = common::router::reserve(2, Bid, 1_000, 50);
    order.ttl = Slot(100);
    let held = exchange.reserve(&order).unwrap();
    exchange.slot = 5_100;
    exchange
        .cancel_hold(2, common::router::handle(&held))
        .unwrap();
    // Fifty a slot for a hundred slots, four fifths of it for the maker.
    assert_eq!(exchange.cash(1) - before, 4_000);
    let open = exchange.cash(1) as u64 - 5_000;
    assert!(releasable(&mut exchange, 1) <= open - 4_000 + 5_000 - 1_000);
    assert_eq!(exchange.slab().accounts[1].warmup_slot, Slot(5_100));
    exchange.audit();
}

#[test]
fn t2_what_was_released_is_no_principal_any_more() {
    let mut exchange = Exchange::new(&params(), 1);
    exchange.open(1_000);
    exchange.slot = 5_000;
    exchange.release(2, 1_000).unwrap();
    exchange.deposit(2, 7_000).unwrap();
    profit(&mut exchange, 20);
    assert_eq!(releasable(&mut exchange, 2), 7_000);
    exchange.release(2, 6_999).unwrap();
    assert_eq!(releasable(&mut exchange, 2), 1);
    // A charge of a commit is principal as well.
    exchange.release(2, 1).unwrap();
    exchange.slot = 9_000;
    exchange.release(2, 200).unwrap();
    exchange.post(1, Ask, 1_000, 10).unwrap();
    let held = exchange
        .reserve(&common::router::reserve(2, Bid, 1_000, 10))
        .unwrap();
    exchange.mint_and_commit(&held).unwrap();
    assert_eq!((exchange.cash(2), releasable(&mut exchange, 2)), (1_000, 0));
    exchange.post(1, Bid, 1_000, 10).unwrap();
    exchange.ioc(2, Ask, 1_000, 10).unwrap();
    // Principal or old profit: all of it is free again.
    assert_eq!(releasable(&mut exchange, 2), 1_000);
    exchange.audit();
}

#[test]
fn t1_unrealised_profit_counts_nothing_and_loss_in_full() {
    for (side, mark, free) in [
        (Bid, 1_000, 9_000),
        (Bid, 1_040, 9_000 - 40),
        (Bid, 990, 9_000 - 100 + 10),
        (Ask, 1_000, 9_000),
        (Ask, 960, 9_000 + 40),
        (Ask, 1_010, 9_000 - 100 - 10),
    ] {
        let mut exchange = Exchange::new(&params(), 1);
        exchange.open(10_000);
        let contra: Side = side.contra();
        exchange.post(1, contra, 1_000, 10).unwrap();
        exchange.ioc(2, side, 1_000, 10).unwrap();
        exchange.slab().instruments[0].mark = Ticks(mark);
        exchange.slot = 9_000;
        assert_eq!(releasable(&mut exchange, 2), free, "{side:?} at {mark}");
        assert!(exchange.release(2, free + 1).is_err());
        exchange.release(2, free).unwrap();
        exchange.audit();
    }
}

#[test]
fn t1_the_margin_of_open_orders_stays() {
    let mut exchange = Exchange::new(&params(), 1);
    exchange.open(10_000);
    let order = exchange.post(2, Bid, 1_000, 30).unwrap();
    assert_eq!(releasable(&mut exchange, 2), 7_000);
    exchange.release(2, 7_000).unwrap();
    // The order can still trade.
    assert_eq!(exchange.ioc(1, Ask, 1_000, 30), Ok(30));
    assert_eq!(exchange.position(2, 0), (30, 30_000));
    assert_eq!(exchange.cancel(2, order), Ok(None));
    assert_eq!(releasable(&mut exchange, 2), 0);
    exchange.audit();
}

#[test]
fn t2_a_recognised_deficit_holds_everything_back() {
    let mut exchange = Exchange::new(&params(), 1);
    exchange.slab().header.deficit_atoms = 1;
    assert_eq!(releasable(&mut exchange, 1), 0);
    assert_eq!(exchange.release(1, 1), Err(SlabError::ReleaseTooLarge));
}

#[test]
fn x6_only_the_accounts_own_trader_releases_and_never_nothing() {
    let mut exchange = Exchange::new(&params(), 2);
    assert_eq!(exchange.release(1, 0), Err(SlabError::ReleaseTooLarge));
    assert_eq!(
        exchange.release(1, u64::MAX),
        Err(SlabError::ReleaseTooLarge)
    );
    assert_eq!(exchange.release(3, 1), Err(SlabError::NoAccount));
    let got = exchange.run(|slab| slab.release(&key_of(7, 2), 1, 1, Slot(100)));
    assert_eq!(got, Err(SlabError::WrongTrader));
    // A frozen account takes no risk on, but its free cash is its own.
    exchange.freeze(1, true);
    exchange.release(1, 1_000_000_000).unwrap();
    exchange.audit();
}

#[test]
fn t6_the_deposit_that_opened_an_account_leaves_last() {
    let mut exchange = Exchange::new(&params(), 1);
    exchange.slab().header.account_deposit_min_atoms = 1_000;
    exchange.open(5_000);
    assert_eq!(exchange.release(2, 4_001), Err(SlabError::ReleaseTooLarge));
    assert_eq!(exchange.release(2, 4_000), Ok(1_000));
    // Not with an order or a position, and not in part.
    let order = exchange.post(2, Bid, 1_000, 1).unwrap();
    assert_eq!(exchange.release(2, 900), Err(SlabError::ReleaseTooLarge));
    exchange.cancel(2, order).unwrap();
    assert_eq!(exchange.release(2, 1), Err(SlabError::ReleaseTooLarge));
    assert_eq!(exchange.release(2, 1_000), Ok(0));
    exchange.audit();
}

#[test]
fn t6_crumbs_hold_no_slot() {
    let mut exchange = Exchange::new(&params(), 1);
    exchange.slab().header.account_deposit_min_atoms = 1_000;
    exchange.open(5_000);
    assert_eq!(exchange.release(2, 5_000), Ok(0));
    exchange.pay_released(2);
    // An atom a day, so that the account is never empty and never idle.
    let crumbs = |exchange: &mut Exchange| {
        let (slot, escrow) = (Slot(exchange.slot), exchange.escrows[1]);
        exchange.run(|slab| slab.release_crumbs(2, &key_of(9, 2), &escrow, slot))
    };
    exchange.slot += 200_000;
    assert_eq!(exchange.deposit(2, 1), Ok(1));
    assert_eq!(crumbs(&mut exchange), Ok(None));
    exchange.slot += 16_000;
    assert_eq!(exchange.deposit(2, 1), Ok(1));
    assert_eq!(crumbs(&mut exchange), Ok(Some(2)));
    assert_eq!(exchange.pay_released(2), 2);
    let (slot, escrow) = (Slot(exchange.slot), exchange.escrows[1]);
    let closed = exchange.run(|slab| slab.close_account(None, 2, &key_of(9, 2), &escrow, slot));
    assert_eq!(closed, Ok(()));
    // A rich account is nobody's to close.
    exchange.slot += 300_000;
    let escrow = exchange.escrows[0];
    let slot = Slot(exchange.slot);
    let rich = exchange.run(|slab| slab.release_crumbs(1, &key_of(9, 1), &escrow, slot));
    assert_eq!(rich, Ok(None));
    exchange.audit();
}
