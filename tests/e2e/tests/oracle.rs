//! `update_mark` with accounts in the format of Pyth's receiver, good and
//! forged, and `update_funding` with the Router's grid and without.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::forge::stranger;
use flagstone_e2e_tests::pyth::{AGE_MAX, FUNDING_SLOTS, ORACLE, Price, wait, with_oracle};
use flagstone_e2e_tests::refusal::refused;
use flagstone_e2e_tests::{MARK, QUOTE, audit, ok, session};
use flagstone_sdk::embedded::Exchange;
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::instruments::InstrumentParams;
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::error::SlabError;
use flagstone_sdk::interface::event::{Event, MarkUpdated};
use flagstone_sdk::interface::router::FundingGrid;
use flagstone_sdk::interface::{PYTH_RECEIVER_ID, Record};
use flagstone_sdk::units::{Side, Slot};
use flagstone_sdk::{address, slab};
use solana_account::Account;
use solana_address::Address;

/// Number of the instrument with an oracle.
const SPOKEN: u8 = 1;

/// A way to spoil a price.
type Spoil = fn(&mut Price);

fn spoken() -> Exchange {
    let mut exchange = ok(Exchange::open(session(), SlabSize::Dev));
    // A slab is marked by oracles or by its books; the first one's is silent.
    let silent = InstrumentParams {
        oracle: [8; 32],
        ..with_oracle()
    };
    ok(exchange.add_instrument(&silent));
    ok(exchange.add_instrument(&with_oracle()));
    wait(&mut exchange.session, 10);
    exchange
}

#[track_caller]
fn speak(exchange: &mut Exchange, ticks: u32) -> MarkUpdated {
    Price::now(&exchange.session, ticks).post(&mut exchange.session);
    let update = slab::update_mark(&exchange.slab, &ORACLE, SPOKEN);
    let receipt = ok(exchange.session.send(&[update], &[]));
    audit(exchange);
    match receipt.events[..] {
        [Event::MarkUpdated(event)] => event,
        ref other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refuse(exchange: &mut Exchange, price: &Price, why: SlabError) {
    price.post(&mut exchange.session);
    let update = slab::update_mark(&exchange.slab, &ORACLE, SPOKEN);
    refused(&mut exchange.session, &[update], &[], why);
}

#[test]
fn t3_anyone_brings_a_price_and_the_mark_follows_by_a_bounded_step() {
    let mut exchange = spoken();
    let first = speak(&mut exchange, MARK + 500);
    assert_eq!({ first.index_ticks }, MARK + 500);
    let mark = first.mark_ticks;
    assert!(mark > MARK && mark < MARK + 500, "{mark}");
    wait(&mut exchange.session, 2);
    let second = speak(&mut exchange, MARK + 500);
    // Three ticks a slot.
    assert_eq!({ second.mark_ticks }, mark + 6);
}

#[test]
fn t3_accounts_of_another_owner_or_address_are_no_oracle() {
    let mut exchange = spoken();
    let price = Price::now(&exchange.session, MARK);
    let receiver = Address::new_from_array(PYTH_RECEIVER_ID);
    let update = |slab_key: &Address, key: &Address| slab::update_mark(slab_key, key, SPOKEN);
    let slab_key = exchange.slab;
    // The right address, owned by somebody else.
    for owner in [
        stranger(),
        Address::default(),
        address::SLAB,
        address::ROUTER,
    ] {
        price.post_at(&mut exchange.session, ORACLE, owner);
        let bad = update(&slab_key, &ORACLE);
        refused(&mut exchange.session, &[bad], &[], SlabError::WrongOracle);
    }
    // A genuine account of the receiver, at another address: one that a
    // stranger posted, of the same feed.
    let other = stranger();
    price.post_at(&mut exchange.session, other, receiver);
    let bad = update(&slab_key, &other);
    refused(&mut exchange.session, &[bad], &[], SlabError::WrongOracle);
    // No account at all, and the slab's own.
    let bad = update(&slab_key, &stranger());
    refused(&mut exchange.session, &[bad], &[], SlabError::WrongOracle);
    // An instrument that has none, and ones that are not there.
    price.post(&mut exchange.session);
    for (instrument, why) in [
        (0, SlabError::WrongOracle),
        (2, SlabError::NoInstrument),
        (255, SlabError::NoInstrument),
    ] {
        let bad = slab::update_mark(&slab_key, &ORACLE, instrument);
        refused(&mut exchange.session, &[bad], &[], why);
    }
    speak(&mut exchange, MARK);
}

#[test]
fn t3_forged_and_partly_verified_data_is_refused() {
    let mut exchange = spoken();
    let good = Price::now(&exchange.session, MARK);
    let spoil: [(Spoil, SlabError); 6] = [
        (|price| price.feed[31] ^= 1, SlabError::WrongOracle),
        (
            |price| price.verification = vec![0, 5],
            SlabError::BadOraclePrice,
        ),
        (
            |price| price.verification = vec![0, 255],
            SlabError::BadOraclePrice,
        ),
        (|price| price.verification = vec![2], SlabError::WrongOracle),
        (|price| price.ticks = 0, SlabError::BadOraclePrice),
        (
            |price| price.confidence = u64::MAX,
            SlabError::BadOraclePrice,
        ),
    ];
    for (spoil, why) in spoil {
        let mut price = good.clone();
        spoil(&mut price);
        refuse(&mut exchange, &price, why);
    }
    // Another account of the receiver, cut short, and empty.
    for length in [0, 7, 8, 40, 41, 100, 132] {
        let mut data = good.data();
        data.truncate(length);
        let account = Account {
            lamports: 10_000_000,
            data,
            owner: Address::new_from_array(PYTH_RECEIVER_ID),
            ..Account::default()
        };
        exchange
            .session
            .svm
            .set_account(ORACLE, account)
            .expect("an account");
        let bad = slab::update_mark(&exchange.slab, &ORACLE, SPOKEN);
        refused(&mut exchange.session, &[bad], &[], SlabError::WrongOracle);
    }
    speak(&mut exchange, MARK);
}

#[test]
fn t3_old_early_and_replayed_prices_are_refused() {
    let mut exchange = spoken();
    speak(&mut exchange, MARK);
    // The same one again, in this slot and the next.
    let update = slab::update_mark(&exchange.slab, &ORACLE, SPOKEN);
    for _ in 0..2 {
        let again = [update.clone()];
        refused(
            &mut exchange.session,
            &again,
            &[],
            SlabError::BadOraclePrice,
        );
        wait(&mut exchange.session, 1);
    }
    wait(&mut exchange.session, AGE_MAX + 5);
    let now = Price::now(&exchange.session, MARK + 1);
    let age = u64::from(AGE_MAX);
    type Shift<'a> = &'a dyn Fn(&mut Price);
    let spoil: [(&str, Shift<'_>); 6] = [
        ("posted too long ago", &|price| price.posted_slot -= age + 1),
        ("posted in the future", &|price| price.posted_slot += 1),
        ("posted beyond all slots", &|price| {
            price.posted_slot = u64::MAX
        }),
        ("published too long ago", &|price| price.publish_time -= 11),
        ("published far ahead", &|price| price.publish_time += 3_601),
        ("published before all time", &|price| {
            price.publish_time = i64::MIN
        }),
    ];
    for (name, spoil) in spoil {
        let mut price = now.clone();
        spoil(&mut price);
        println!("{name}");
        refuse(&mut exchange, &price, SlabError::BadOraclePrice);
    }
    // Just young enough.
    let mut price = now.clone();
    price.posted_slot -= age;
    price.publish_time -= 10;
    price.post(&mut exchange.session);
    ok(exchange.session.send(&[update], &[]));
    // An older one after a newer one: a replay by another way.
    let mut older = now.clone();
    older.posted_slot -= age;
    refuse(&mut exchange, &older, SlabError::BadOraclePrice);
    let mut older = now;
    older.publish_time -= 10;
    refuse(&mut exchange, &older, SlabError::BadOraclePrice);
}

#[test]
fn t1_a_stale_mark_bars_opening_until_the_next_price() {
    let mut exchange = spoken();
    let maker = ok(exchange.join(100_000 * QUOTE, 50_000 * QUOTE));
    speak(&mut exchange, MARK);
    let mut order = maker.order(OrderKind::PostOnly, Side::Bid, MARK - 5, 3);
    order.instrument = SPOKEN;
    let trader = solana_signer::Signer::pubkey(&maker.trader);
    let place = slab::place(&exchange.slab, &trader, &order);
    ok(exchange.trade(&maker, place.clone()));
    wait(&mut exchange.session, AGE_MAX + 1);
    let stale = [place.clone()];
    refused(
        &mut exchange.session,
        &stale,
        &[&maker.trader],
        SlabError::StaleMark,
    );
    speak(&mut exchange, MARK);
    ok(exchange.trade(&maker, place));
}

/// The Router's shared rate for the instrument's underlying.
fn grid(exchange: &Exchange) -> FundingGrid {
    FundingGrid {
        discriminator: FundingGrid::DISCRIMINATOR,
        version: FundingGrid::VERSION,
        underlying_id: with_oracle().underlying_id,
        rate_ppm: 40,
        interval_slots: FUNDING_SLOTS,
        slot: Slot(exchange.session.slot() as u32),
        ..bytemuck::Zeroable::zeroed()
    }
}

fn plant(exchange: &mut Exchange, grid: &FundingGrid, owner: Address) -> Address {
    let key = stranger();
    let account = Account {
        lamports: 10_000_000,
        data: bytemuck::bytes_of(grid).to_vec(),
        owner,
        ..Account::default()
    };
    exchange
        .session
        .svm
        .set_account(key, account)
        .expect("an account");
    key
}

/// Funding that the last event told, if there was one.
fn update(exchange: &mut Exchange, grid: Option<&Address>) -> Option<i64> {
    let update = slab::update_funding(&exchange.slab, SPOKEN, grid);
    let receipt = ok(exchange.session.send(&[update], &[]));
    audit(exchange);
    match receipt.events[..] {
        [] => None,
        [Event::FundingUpdated(event)] => Some(event.funding_rate),
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn t8_funding_accrues_for_anyone_and_an_interval_is_told_once() {
    let mut exchange = spoken();
    speak(&mut exchange, MARK);
    wait(&mut exchange.session, FUNDING_SLOTS);
    assert_eq!(update(&mut exchange, None), Some(0));
    assert_eq!(update(&mut exchange, None), None);
    wait(&mut exchange.session, 1);
    assert_eq!(update(&mut exchange, None), None);
    for instrument in [2, 31, 255] {
        let bad = slab::update_funding(&exchange.slab, instrument, None);
        refused(&mut exchange.session, &[bad], &[], SlabError::NoInstrument);
    }
}

#[test]
fn t8_the_routers_rate_is_taken_and_nobody_elses() {
    let mut exchange = spoken();
    speak(&mut exchange, MARK);
    update(&mut exchange, None);
    wait(&mut exchange.session, 2);
    let good = grid(&exchange);
    for owner in [stranger(), Address::default(), address::SLAB] {
        let forged = plant(&mut exchange, &good, owner);
        let bad = slab::update_funding(&exchange.slab, SPOKEN, Some(&forged));
        refused(&mut exchange.session, &[bad], &[], SlabError::WrongRecord);
    }
    let now = exchange.session.slot() as u32;
    let spoil: [&dyn Fn(&mut FundingGrid); 6] = [
        &|grid| grid.discriminator[0] ^= 1,
        &|grid| grid.version += 1,
        &|grid| grid.underlying_id += 1,
        &|grid| grid.interval_slots += 1,
        &|grid| grid.slot = Slot(now + 1),
        &|grid| grid.slot = Slot(0),
    ];
    for spoil in spoil {
        let mut grid = good;
        spoil(&mut grid);
        let forged = plant(&mut exchange, &grid, address::ROUTER);
        let bad = slab::update_funding(&exchange.slab, SPOKEN, Some(&forged));
        refused(&mut exchange.session, &[bad], &[], SlabError::WrongRecord);
    }
    // Another record of the Router.
    let portfolio = address::vault(&exchange.mint);
    let bad = slab::update_funding(&exchange.slab, SPOKEN, Some(&portfolio));
    refused(&mut exchange.session, &[bad], &[], SlabError::WrongRecord);
    // The genuine one counts from the next interval on, and only once.
    let key = plant(&mut exchange, &good, address::ROUTER);
    update(&mut exchange, Some(&key));
    let bad = slab::update_funding(&exchange.slab, SPOKEN, Some(&key));
    refused(&mut exchange.session, &[bad], &[], SlabError::WrongRecord);
    wait(&mut exchange.session, FUNDING_SLOTS);
    // 40 ppm of a notional of 10,000 ticks of 10,000 atoms, scaled by 2^16.
    let rate = update(&mut exchange, None).expect("an interval began");
    assert_eq!(rate, 4_000 << 16);
}
