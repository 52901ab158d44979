//! What accounts hold, written down and marked: `router.refresh_exposure` and the
//! SDK's health of a portfolio (properties P8 and P9).
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::forge::{spoilers, stranger, swapped, while_changed};
use flagstone_e2e_tests::market::{Market, TAKER_CASH};
use flagstone_e2e_tests::money::audit_money;
use flagstone_e2e_tests::refusal::{NOT_WRITABLE, Why, assert_unchanged, refused, snapshot};
use flagstone_e2e_tests::{MARK, QUOTE, ok};
use flagstone_sdk::embedded::Member;
use flagstone_sdk::engine::risk::Health as Engine;
use flagstone_sdk::health::{self, Health};
use flagstone_sdk::interface::error::RouterError;
use flagstone_sdk::interface::grid::Exposure;
use flagstone_sdk::interface::router::{Escrow, SlabLedger};
use flagstone_sdk::interface::slab::PoolId;
use flagstone_sdk::margin::{AccountHealth, Mark};
use flagstone_sdk::units::{Side, Slot, Ticks};
use flagstone_sdk::{address, router, slab};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_signer::Signer;
use std::slice::from_ref;

/// A lot at the mark, in atoms.
const LOT: u64 = 100 * QUOTE;

/// Three slabs; the taker has cash at each.
fn market() -> Market {
    let mut market = Market::open(3);
    (0..3).for_each(|at| market.fund(at, 5_000 * QUOTE));
    market
}

fn refresh(market: &Market, at: usize) -> Instruction {
    let (payer, owner) = (
        market.exchange.session.payer(),
        market.taker.wallet.pubkey(),
    );
    router::refresh_exposure(
        &payer,
        &owner,
        &market.seats[at].slab,
        &market.exchange.mint,
    )
}

/// The taker trades at a slab, with any limit.
fn take(market: &mut Market, at: usize, side: Side, limit: u32, lots: u32) {
    let mut take = market.taker.taking(side, limit, lots, lots);
    take.account = market.seats[at].account.into();
    let slab_key = market.seats[at].slab;
    let take = slab::take(&slab_key, &market.taker.trader.pubkey(), &take);
    ok(market.send(&[take]));
}

fn exposure(market: &Market, at: usize) -> Exposure {
    let key = address::exposure(&market.seats[at].escrow);
    market.exchange.session.record(&key).expect("an exposure")
}

fn health_of(market: &Market, member: &Member) -> Health {
    let session = &market.exchange.session;
    let slot = Slot(session.slot() as u32);
    health::of(&member.wallet.pubkey(), slot, |key| {
        session.svm.get_account(key).map(|account| account.data)
    })
    .expect("a portfolio")
}

/// What the engine computes for the taker's account at a slab.
fn engine(market: &Market, at: usize) -> Engine {
    let seat = market.seats[at];
    let read = |slab: &flagstone_sdk::engine::Slab<'_>| slab.health(seat.account.into(), None);
    market
        .exchange
        .session
        .with_slab(&seat.slab, read)
        .expect("a slab")
}

#[track_caller]
fn refuse(market: &mut Market, instruction: &Instruction, why: impl Into<Why>) {
    let session = &mut market.exchange.session;
    refused(session, from_ref(instruction), &[], why);
}

#[test]
fn p8_margin_is_the_sum_of_the_slabs_and_a_hedge_frees_none_of_it() {
    let mut market = market();
    take(&mut market, 0, Side::Bid, MARK + 10, 10);
    let one = health_of(&market, &market.taker).total;
    // 10 % and 5 % of ten lots at the mark.
    assert_eq!((one.initial_atoms, one.maintenance_atoms), (LOT, LOT / 2));
    // Short as much of the same underlying at another slab.
    take(&mut market, 1, Side::Ask, MARK - 10, 10);
    take(&mut market, 2, Side::Ask, MARK - 10, 4);
    let all = health_of(&market, &market.taker);
    let engines: Vec<_> = (0..3).map(|at| engine(&market, at)).collect();
    assert_eq!(all.total.initial_atoms, 2 * LOT + 4 * LOT / 10);
    let sum = engines.iter().map(|one| one.initial_atoms).sum::<u64>();
    assert_eq!(all.total.initial_atoms, sum);
    let sum = engines.iter().map(|one| one.maintenance_atoms).sum::<u64>();
    assert_eq!(all.total.maintenance_atoms, sum);
    assert_eq!(
        (all.total.accounts, all.total.stale, all.total.unread),
        (3, 0, 0)
    );
    for (seat, engine) in all.seats.iter().zip(engines) {
        assert_eq!(seat.account.health, engine);
    }
}

#[test]
fn p8_a_users_own_price_makes_no_margin() {
    // Once the limit of an order was the price of its margin: whoever named a
    // tiny one needed none.
    let mut margins = Vec::new();
    for limit in [MARK - 10, MARK - 500, MARK - 900] {
        let mut market = market();
        take(&mut market, 0, Side::Ask, limit, 10);
        let found = health_of(&market, &market.taker);
        let position = found.seats[0].positions[0];
        assert_eq!((position.mark, position.lots), (Ticks(MARK), -10));
        margins.push(found.total.initial_atoms);
    }
    assert_eq!(margins, [LOT; 3]);
}

#[test]
fn p9_equity_is_cash_and_unrealised_profit_wherever_the_cash_is() {
    let mut market = Market::open(3);
    (0..2).for_each(|at| market.fund(at, 5_000 * QUOTE));
    market.fund(2, QUOTE);
    let start = health_of(&market, &market.taker).total;
    assert_eq!(start.equity_atoms, TAKER_CASH as i64);
    take(&mut market, 0, Side::Bid, MARK + 10, 10);
    take(&mut market, 1, Side::Ask, MARK - 10, 7);
    check_equity(&market);
    // Money in capabilities, reserved and then charged but not booked.
    let route = market.reserve_and_open(3, 4);
    let pledged: u64 = (0..3).map(|at| market.escrow(at).balance_atoms).sum();
    assert!(pledged > 0);
    check_equity(&market);
    market.step(&route.commit());
    assert!((0..3).any(|at| market.escrow(at).balance_atoms != 0));
    check_equity(&market);
    // Released and not paid, deposited and not credited, claimed and not paid.
    let release = market.release(0, 1_000 * QUOTE);
    ok(market.send(&[release]));
    check_equity(&market);
    market.step(&[route.settle()]);
    check_equity(&market);
    let (owner, mint) = (market.taker.wallet.pubkey(), market.exchange.mint);
    let slab_key = market.seats[0].slab;
    ok(market.send(&[router::fund_slab(&owner, &slab_key, &mint, 11 * QUOTE)]));
    check_equity(&market);
    // A mark that moves makes profit and loss of it.
    for at in 0..2 {
        let key = market.seats[at].slab;
        let moved = |slab: &mut flagstone_sdk::engine::Slab<'_>| {
            slab.instruments[0].mark = Ticks(MARK + 37);
        };
        let session = &mut market.exchange.session;
        session.edit_slab(&key, moved).expect("a slab");
    }
    check_equity(&market);
}

/// Everybody's equity, and what nobody owns, is what was paid in.
#[track_caller]
fn check_equity(market: &Market) {
    let books = audit_money(&market.exchange.session).booked();
    let members = [&market.taker, &market.maker];
    let equity: i64 = members
        .iter()
        .map(|member| health_of(market, member).total.equity_atoms)
        .sum();
    // Fees that the slabs kept and bonds of live holds, and parts of atoms.
    let mut kept = 0i128;
    for seat in &market.seats {
        let session = &market.exchange.session;
        let read = |slab: &flagstone_sdk::engine::Slab<'_>| {
            let (fees, dues) = (slab.header.fees_out_total, slab.header.insurance_due_total);
            let bonds = (1..=slab.header.pool(PoolId::Accounts).high_water)
                .map(|index| i128::from(slab.accounts[index].bond_atoms));
            (fees.get() + dues.get()) as i128 + bonds.sum::<i128>()
        };
        kept += session.with_slab(&seat.slab, read).expect("a slab");
        let key = address::slab_ledger(&seat.slab, &market.exchange.mint);
        let ledger: SlabLedger = session.record(&key).expect("a ledger");
        kept -= (ledger.fees_seen.get() + ledger.insurance_due_seen.get()) as i128;
    }
    let apart = i128::from(books) - i128::from(equity) - kept;
    assert!((0..=8).contains(&apart), "{apart} atoms nobody owns");
}

#[test]
fn p9_a_snapshot_holds_lots_cost_and_cash_and_takes_any_mark() {
    let mut market = market();
    take(&mut market, 0, Side::Bid, MARK + 10, 10);
    let first = refresh(&market, 0);
    market.crank(first);
    let found = exposure(&market, 0);
    let escrow = market.escrow(0);
    assert_eq!(found.escrow, market.seats[0].escrow.to_bytes());
    assert_eq!(found.slab, market.seats[0].slab.to_bytes());
    assert_eq!(found.account, escrow.bound_account);
    assert_eq!(found.generation, escrow.bound_generation);
    assert_eq!(found.slot, Slot(market.exchange.session.slot() as u32));
    assert_eq!(found.deposited_total_atoms, 5_000 * QUOTE);
    let [position] = found.held() else {
        panic!("one position")
    };
    assert_eq!((position.lots, position.worst_lots), (10, 10));
    assert_eq!((position.instrument, position.underlying_id), (0, 1));
    // Ten lots at ten ticks above the mark.
    assert_eq!(position.cost_atoms, (10 * LOT + 10 * 10 * 10_000) as i64);
    // Equity is the marks' business: a tick is 0.01 for each of ten lots.
    let at = |ticks: u32| {
        let mark = Mark {
            ticks: Ticks(ticks),
            is_fresh: true,
        };
        AccountHealth::of(&found, |_| Some(mark))
            .expect("readable")
            .health
    };
    assert_eq!(at(MARK), engine(&market, 0));
    assert_eq!(at(MARK + 1).equity_atoms - at(MARK).equity_atoms, 100_000);
    // Closed, it is gone from the record.
    take(&mut market, 0, Side::Ask, MARK - 10, 10);
    let again = refresh(&market, 0);
    market.crank(again);
    assert!(exposure(&market, 0).held().is_empty());
}

#[test]
fn x3_a_refresh_books_first() {
    let mut market = market();
    let cash = market.cash();
    let release = market.release(0, 100 * QUOTE);
    ok(market.send(&[release]));
    let first = refresh(&market, 0);
    let receipt = market.crank(first);
    println!("first refresh: {} units", receipt.compute_units);
    assert_eq!(market.cash(), cash + 100 * QUOTE);
    let found = exposure(&market, 0);
    assert_eq!(found.released_seen_atoms, 100 * QUOTE);
    assert_eq!(found.released_owed_atoms, 0);
    // Nothing left to book: the same again, in the same slot too.
    let again = refresh(&market, 0);
    market.crank(again);
    assert_eq!(
        bytemuck::bytes_of(&exposure(&market, 0)),
        bytemuck::bytes_of(&found)
    );
}

#[test]
fn p8_h7_exposure_is_keyed_by_slab_and_instrument_not_by_place() {
    let mut market = market();
    take(&mut market, 0, Side::Bid, MARK + 10, 10);
    take(&mut market, 1, Side::Ask, MARK - 10, 10);
    let (first, second) = (refresh(&market, 0), refresh(&market, 1));
    market.crank(first.clone());
    // Any account of the other slab in one's place; what lies there is of no
    // other escrow.
    for place in 2..6 {
        let other = swapped(&first, place, second.accounts[place].pubkey);
        refuse(&mut market, &other, RouterError::WrongSlab);
    }
    let other = swapped(&second, 7, first.accounts[7].pubkey);
    refuse(&mut market, &other, RouterError::BadExposure);
    let other = swapped(&second, 7, stranger());
    refuse(&mut market, &other, RouterError::WrongAddress);
    // Another owner's portfolio, and slab accounts in the other order.
    let maker = address::portfolio(&market.maker.wallet.pubkey());
    refuse(
        &mut market,
        &swapped(&first, 1, maker),
        RouterError::WrongSlab,
    );
    let mut turned = first.clone();
    turned.accounts.swap(4, 5);
    refuse(&mut market, &turned, RouterError::WrongRecord);
    market.crank(second);
    assert_eq!(exposure(&market, 0).held()[0].lots, 10);
    assert_eq!(exposure(&market, 1).held()[0].lots, -10);
}

#[test]
fn p9_forged_records_are_no_snapshot() {
    let mut market = market();
    let first = refresh(&market, 0);
    market.crank(first.clone());
    for place in [1, 2, 3, 4, 7] {
        let key = first.accounts[place].pubkey;
        for spoil in spoilers() {
            let session = &mut market.exchange.session;
            while_changed(session, &key, spoil, |session| {
                refused(session, from_ref(&first), &[], RouterError::WrongRecord);
            });
        }
    }
    for place in [1, 2, 3] {
        let mut fixed = first.clone();
        fixed.accounts[place].is_writable = false;
        refuse(&mut market, &fixed, NOT_WRITABLE);
    }
    let data = address::program_data(&address::ROUTER);
    let other = swapped(&first, 6, data);
    refuse(&mut market, &other, RouterError::WrongProgramVersion);
    // An escrow that is bound to no account.
    let newcomer = market.join();
    let payer = market.exchange.session.payer();
    let (owner, mint) = (newcomer.wallet.pubkey(), market.exchange.mint);
    let slab_key = market.seats[0].slab;
    let fresh = router::refresh_exposure(&payer, &owner, &slab_key, &mint);
    let unbind = |account: &mut solana_account::Account| {
        let at = core::mem::offset_of!(Escrow, bound_account);
        account.data[at..at + 4].fill(0);
    };
    let session = &mut market.exchange.session;
    while_changed(session, &newcomer.escrow, unbind, |session| {
        refused(session, from_ref(&fresh), &[], RouterError::NotBound);
    });
    market.crank(fresh);
}

#[test]
fn lq1_the_liquidation_price_is_where_begin_liquidation_succeeds() {
    let mut market = Market::open(2);
    (0..2).for_each(|at| market.fund(at, 500 * QUOTE));
    take(&mut market, 0, Side::Bid, MARK + 10, 40);
    take(&mut market, 1, Side::Ask, MARK - 10, 40);
    let found = health_of(&market, &market.taker);
    let (owner, mint) = (market.taker.wallet.pubkey(), market.exchange.mint);
    for at in 0..2 {
        let seat = found
            .seats
            .iter()
            .find(|one| one.slab == market.seats[at].slab);
        let position = seat.expect("a seat").positions[0];
        let price = position.liquidation.expect("a price");
        let begin = router::begin_liquidation(&owner, &market.seats[at].slab, &mint);
        let long = position.lots > 0;
        assert_eq!(long, at == 0);
        let spared = if long { price.0 + 1 } else { price.0 - 1 };
        set_mark(&mut market, at, spared);
        refuse(&mut market, &begin, RouterError::Healthy);
        set_mark(&mut market, at, price.0);
        ok(market.exchange.session.send(&[begin], &[]));
        assert_eq!(market.escrow(at).frozen, 1);
    }
}

fn set_mark(market: &mut Market, at: usize, ticks: u32) {
    let key: Address = market.seats[at].slab;
    let set = |slab: &mut flagstone_sdk::engine::Slab<'_>| {
        slab.instruments[0].mark = Ticks(ticks);
    };
    let session = &mut market.exchange.session;
    session.edit_slab(&key, set).expect("a slab");
}

#[test]
fn p9_reading_health_changes_nothing_and_costs_are_known() {
    let mut market = market();
    take(&mut market, 0, Side::Bid, MARK + 10, 10);
    let first = refresh(&market, 0);
    let created = market.crank(first.clone());
    let before = snapshot(&market.exchange.session);
    health_of(&market, &market.taker);
    assert_unchanged(&market.exchange.session, &before);
    let again = market.crank(first);
    let settle = market.settle(0);
    let settled = market.crank(settle);
    println!(
        "refresh: {} units, the first {}; settle {}",
        again.compute_units, created.compute_units, settled.compute_units
    );
    assert!(again.compute_units < 12_000);
}
