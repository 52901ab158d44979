//! Index orders on the real programs: markets, quotes, chunks, batches, and
//! that no atom and no token is lost.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::index::{Fair, ONE, TOKEN, book, limits};
use flagstone_e2e_tests::refusal::refused;
use flagstone_e2e_tests::{QUOTE, ok};
use flagstone_sdk::address;
use flagstone_sdk::index::{self, NewOrder};
use flagstone_sdk::index_engine::amounts::Fraction;
use flagstone_sdk::index_engine::audit::verify;
use flagstone_sdk::interface::error::IndexError;
use flagstone_sdk::kernels::Amount;
use flagstone_sdk::kernels::arithmetic::{Arithmetic, Stable};
use flagstone_sdk::kernels::book::{Level, metrics_stable};
use flagstone_sdk::kernels::index::{Quote, update_quote_stable};
use flagstone_sdk::units::Side;
use solana_signer::Signer;

/// The quote that the host's kernels make of the market's data.
fn expected_quote(fair: &Fair) -> Quote {
    let (_, assets) = fair.market();
    let (_, constituents) = fair.index();
    update_quote_stable(&assets, &constituents).expect("a quote")
}

fn amount(words: [u64; 2]) -> u128 {
    u128::from(words[0]) | u128::from(words[1]) << 64
}

#[test]
fn a_market_of_512_takes_data_in_parts_and_quotes_an_index_of_256() {
    let mut fair = Fair::open(512, 256);
    let (head, assets) = fair.market();
    assert_eq!((head.assets, head.capacity), (512, 512));
    for slot in [0u16, 1, 77, 255, 511] {
        let book = book(slot);
        let levels = |side: &[[u64; 2]]| -> Vec<Level> {
            let level = |[price, quantity]: &[u64; 2]| Level {
                price: Amount::new(u128::from(*price) * 1_000_000_000_000),
                quantity: Amount::new(u128::from(*quantity) * 1_000_000_000_000),
            };
            side.iter().map(level).collect()
        };
        let expected = metrics_stable(&levels(&book.bids), &levels(&book.asks)).expect("a book");
        let asset = &assets[usize::from(slot)];
        assert_eq!(asset.price, expected.price);
        assert_eq!(asset.slope, expected.slope);
        assert_eq!(asset.liquidity, expected.liquidity);
        assert_eq!(asset.delta_long.get(), 10_000 * ONE);
        assert_eq!(asset.margin.get(), 20_000 * ONE);
    }
    let expected = expected_quote(&fair);
    let (index, _) = fair.index();
    for side in [index.state.quote.ask, index.state.quote.bid] {
        assert_eq!(amount(side.price), expected.price.get());
        assert_eq!(amount(side.slope), expected.slope.get());
        assert_eq!(amount(side.capacity), expected.capacity.get());
    }
    assert_eq!(index.state.quote.market_sequence, head.state.sequence);
    // The market's room is full.
    let more = index::add_assets(
        &fair.pair.market,
        &fair.admin.pubkey(),
        &[flagstone_e2e_tests::index::label(600)],
    );
    let session = &mut fair.exchange.session;
    refused(session, &[more], &[&fair.admin], IndexError::MarketFull);
}

#[test]
fn ix7_a_buy_is_what_the_kernels_say_and_is_continued_by_anyone() {
    let mut fair = Fair::open(150, 50);
    let user = fair.join(5_000 * QUOTE);
    let quote = expected_quote(&fair);
    let order = fair.order(&user, Side::Bid, 1, 2_500 * QUOTE);
    fair.audit();
    let execute = fair.pair.execute(&order, 0);
    let receipt = ok(fair.send(&[execute], &[]));
    println!("buy 50/150: {} CU", receipt.compute_units);
    assert!(
        receipt.compute_units < 60_000,
        "{} CU",
        receipt.compute_units
    );
    // One chunk is MaxOrderSize.
    let units = Stable::quantity_for(&quote, 1_000 * ONE).expect("a quantity");
    let tokens = (units / u128::from(TOKEN)) as u64;
    let cost = Stable::cost(&quote, u128::from(tokens) * u128::from(TOKEN)).expect("a cost");
    let first = fair.read(&order);
    assert_eq!(first.claimable, tokens);
    assert_eq!(u128::from(first.used), cost.div_ceil(1_000_000_000_000));
    fair.audit();
    // 2,500 are at least three chunks, and rounding leaves atoms for more.
    let last = fair.read(&order).remaining;
    assert_eq!(last, 2_500 * QUOTE - first.used);
    for _ in 0..2 {
        let execute = fair.pair.execute(&order, 0);
        let slot = fair.exchange.session.slot();
        fair.exchange.session.warp_to(slot + 1);
        ok(fair.send(&[execute], &[]));
        fair.audit();
    }
    let now = fair.read(&order);
    assert_eq!(now.chunks, 3);
    let claim = fair.pair.claim(&user.key(), 1, &user.tokens);
    ok(fair.send(&[claim], &[&user.wallet]));
    fair.audit();
    let held = fair.exchange.session.token_balance(&user.tokens);
    assert_eq!(held, now.received);
    assert_eq!(fair.supply(), held);
    let quoted = ok(fair.send(&[fair.pair.update_quote()], &[]));
    println!("update_quote 50/150: {} CU", quoted.compute_units);
    assert!(quoted.compute_units < 20_000, "{} CU", quoted.compute_units);
}

#[test]
fn ix8_splitting_an_order_over_accounts_and_quotes_gains_nothing() {
    // One order of three chunks.
    let mut fair = Fair::open(150, 50);
    let whole = fair.join(3_000 * QUOTE);
    let order = fair.order(&whole, Side::Bid, 1, 3_000 * QUOTE);
    for _ in 0..3 {
        let execute = fair.pair.execute(&order, 0);
        ok(fair.send(&[execute], &[]));
        let slot = fair.exchange.session.slot();
        fair.exchange.session.warp_to(slot + 1);
    }
    let one = fair.read(&order);
    // Three orders of one chunk each, by three users, who quote in between.
    let mut fair = Fair::open(150, 50);
    let quote = expected_quote(&fair);
    let mut orders = Vec::new();
    for number in 0..3 {
        let user = fair.join(1_000 * QUOTE);
        let order = fair.order(&user, Side::Bid, 1, 1_000 * QUOTE);
        let execute = fair.pair.execute(&order, 0);
        ok(fair.send(&[execute], &[]));
        fair.audit();
        orders.push(fair.read(&order));
        let bought: u64 = orders.iter().map(|order| order.received).sum();
        let slot = fair.exchange.session.slot();
        fair.exchange.session.warp_to(slot + 1);
        ok(fair.send(&[fair.pair.update_quote()], &[]));
        let (index, _) = fair.index();
        assert_eq!(index.state.quote_bought.0, bought, "order {number}");
    }
    assert!(orders[0].received > orders[1].received && orders[1].received > orders[2].received);
    let total: u64 = orders.iter().map(|order| order.received).sum();
    assert!(
        one.received.abs_diff(total) <= 3,
        "{} {total}",
        one.received
    );
    // Together they paid what the quote asks for the whole.
    let used: u64 = orders.iter().map(|order| order.used).sum();
    let units = u128::from(total) * u128::from(TOKEN);
    let cost = Stable::cost(&quote, units).expect("a cost");
    let atoms = cost.div_ceil(1_000_000_000_000) as u64;
    assert!(used >= atoms && used - atoms <= 3, "{used} {atoms}");
    // New data knows of what was traded, once it is of every asset of the
    // index: not of others alone, nor supply and margins, nor of some.
    for slots in [50..150, 0..49] {
        fair.report(slots);
        ok(fair.send(&[fair.pair.update_quote()], &[]));
        assert_eq!(fair.index().0.state.quote_bought.0, total);
    }
    fair.report(49..50);
    ok(fair.send(&[fair.pair.update_quote()], &[]));
    assert_eq!(fair.index().0.state.quote_bought.0, 0);
}

#[test]
fn ix7_two_users_and_a_vendor_come_out_even_to_the_atom() {
    let mut fair = Fair::open(150, 50);
    let (one, two) = (fair.join(5_000 * QUOTE), fair.join(3_000 * QUOTE));
    let mut bought = Vec::new();
    for (user, atoms) in [(&one, 2_345_678_901), (&two, 1_234_567_890)] {
        let order = fair.order(user, Side::Bid, 1, atoms);
        // The last atoms may buy nothing; the owner takes them back.
        fair.finish(&order);
        let claim = fair.pair.claim(&user.key(), 1, &user.tokens);
        ok(fair.send(&[claim], &[&user.wallet]));
        fair.audit();
        if fair.read(&order).remaining > 0 {
            let cancel = fair.pair.cancel(&user.key(), 1, &user.collateral);
            ok(fair.send(&[cancel], &[&user.wallet]));
        }
        fair.audit();
        bought.push(fair.exchange.session.token_balance(&user.tokens));
    }
    // The vendor takes half of what was spent, and brings it back later.
    let reserve = fair.market().0.reserve_atoms;
    let (market, vendor) = (fair.pair.market, fair.vendor.key());
    let draw = index::draw_reserve(&market, &vendor, &fair.vendor.collateral, reserve / 2);
    ok(fair
        .exchange
        .session
        .send_large(&[draw], &[&fair.vendor.wallet]));
    fair.audit();
    let fund = index::fund_reserve(&market, &vendor, &fair.vendor.collateral, reserve / 2);
    ok(fair
        .exchange
        .session
        .send_large(&[fund], &[&fair.vendor.wallet]));
    fair.audit();
    // One sells all, two sells half and takes the other half back unsold.
    let sold = fair.order(&one, Side::Ask, 2, bought[0]);
    assert_eq!(fair.exchange.session.token_balance(&one.tokens), 0);
    fair.audit();
    let chunks = fair.finish(&sold);
    let done = fair.read(&sold);
    assert!(u128::from(done.received) <= u128::from(chunks) * u128::from(1_000 * QUOTE));
    assert!(chunks >= 2, "chunks of a thousand");
    if fair.read(&sold).remaining > 0 {
        let cancel = fair.pair.cancel(&one.key(), 2, &one.tokens);
        ok(fair.send(&[cancel], &[&one.wallet]));
    }
    let back = fair.order(&two, Side::Ask, 2, bought[1]);
    let execute = fair.pair.execute(&back, 1);
    ok(fair.send(&[execute], &[]));
    fair.audit();
    if fair.read(&back).remaining > 0 {
        let cancel = fair.pair.cancel(&two.key(), 2, &two.tokens);
        ok(fair.send(&[cancel], &[&two.wallet]));
    }
    fair.audit();
    for user in [&one, &two] {
        let claim = fair.pair.claim(&user.key(), 2, &user.collateral);
        ok(fair.send(&[claim], &[&user.wallet]));
        fair.audit();
    }
    let session = &fair.exchange.session;
    let held = session.token_balance(&one.collateral) + session.token_balance(&two.collateral);
    assert_eq!(
        held + fair.vault(),
        8_000 * QUOTE,
        "no atom is lost or made"
    );
    assert!(held < 8_000 * QUOTE, "nobody gains by a round trip");
}

#[test]
fn ix3_ix8_one_allotment_after_another_does_not_start_at_the_same_price() {
    let mut fair = Fair::open(20, 10);
    let user = fair.join(9_000 * QUOTE);
    let (pair, solver) = (fair.pair, fair.solver.pubkey());
    let desk = address::desk(&fair.admin.pubkey());
    let bytes = flagstone_sdk::index_engine::allotment::allotment_bytes(10, 1);
    let mut got = Vec::new();
    // The third is made, and then there is new data of every asset.
    for (number, seed) in [(1, "one"), (2, "two"), (3, "three")] {
        let order = fair.order(&user, Side::Bid, number, 900 * QUOTE);
        let account = fair.seeded(&solver, seed, bytes);
        let allotment = account.address().expect("a short seed");
        let create = pair.create_allotment(&account, &desk, Side::Bid, 10, 1);
        let mut create = create.expect("a short seed");
        let all = [Fraction(1_000_000_000_000_000_000)];
        create.push(index::join_allotment(
            &allotment, &solver, &desk, &order, &all,
        ));
        create.push(index::seal_allotment(&allotment, &solver, &desk));
        ok(fair.exchange.session.send_large(&create, &[&fair.solver]));
        if number == 3 {
            let slot = fair.exchange.session.slot();
            fair.exchange.session.warp_to(slot + 1);
            fair.report(0..20);
            ok(fair.send(&[pair.update_quote()], &[]));
        }
        let execute = pair.execute_member(&order, &allotment, 0);
        ok(fair.send(&[execute], &[]));
        fair.audit();
        got.push(fair.read(&order).received);
    }
    assert!(got[1] < got[0], "the second starts where the first ended");
    assert_eq!(got[2], got[0], "new data knows of what was traded");
}

#[test]
fn ix3_a_batch_shares_capacity_as_it_was_frozen_in_any_order() {
    let mut fair = Fair::open(20, 10);
    let (one, two) = (fair.join(900_000 * QUOTE), fair.join(900_000 * QUOTE));
    let wide = index::IndexLimits {
        order_atoms_max: u64::MAX,
        ..limits()
    };
    let (pair, admin) = (fair.pair, fair.admin.pubkey());
    fair.administer(&[pair.set_limits(&admin, &wide)]);
    let orders = [
        fair.order(&one, Side::Bid, 7, 900_000 * QUOTE),
        fair.order(&two, Side::Bid, 7, 900_000 * QUOTE),
    ];
    let solver = fair.solver.pubkey();
    let desk = address::desk(&admin);
    let bytes = flagstone_sdk::index_engine::allotment::allotment_bytes(10, 2);
    let account = fair.seeded(&solver, "batch", bytes);
    let allotment = account.address().expect("a short seed");
    let create = pair.create_allotment(&account, &desk, Side::Bid, 10, 2);
    let create = create.expect("a short seed");
    ok(fair.exchange.session.send_large(&create, &[&fair.solver]));
    let half = Fraction(500_000_000_000_000_000);
    let join = |order, shares: &[Fraction]| {
        index::join_allotment(&allotment, &solver, &desk, order, shares)
    };
    let above = [Fraction(500_000_000_000_000_001)];
    let session = &mut fair.exchange.session;
    ok(session.send_large(&[join(&orders[0], &[half])], &[&fair.solver]));
    let excess = join(&orders[1], &above);
    refused(
        session,
        &[excess],
        &[&fair.solver],
        IndexError::FractionsAboveOne,
    );
    // One list for each asset, and one share for all, mean the same.
    ok(session.send_large(&[join(&orders[1], &[half; 10])], &[&fair.solver]));
    let early = pair.execute_member(&orders[0], &allotment, 0);
    refused(session, &[early], &[], IndexError::IllegalTransition);
    let seal = index::seal_allotment(&allotment, &solver, &desk);
    ok(session.send_large(&[seal], &[&fair.solver]));
    let alone = pair.execute(&orders[0], 0);
    refused(session, &[alone], &[], IndexError::WrongCounterpart);
    let mut got = Vec::new();
    for order in orders {
        let execute = pair.execute_member(&order, &allotment, 0);
        ok(fair.send(&[execute], &[]));
        fair.audit();
        got.push(fair.read(&order).received);
    }
    assert_eq!(got[0], got[1], "the second gets as much as the first");
    // Nothing is left of either share.
    let slot = fair.exchange.session.slot();
    fair.exchange.session.warp_to(slot + 1);
    let again = pair.execute_member(&orders[0], &allotment, 0);
    let session = &mut fair.exchange.session;
    refused(session, &[again], &[], IndexError::ZeroAmount);
    // The owner leaves at once, a stranger only after the expiry.
    let stranger = fair.exchange.session.new_wallet();
    let leave = index::leave_allotment(&allotment, &orders[1], &stranger.pubkey());
    let session = &mut fair.exchange.session;
    refused(
        session,
        std::slice::from_ref(&leave),
        &[&stranger],
        IndexError::TooEarly,
    );
    let own = index::leave_allotment(&allotment, &orders[0], &one.key());
    ok(session.send_large(&[own], &[&one.wallet]));
    session.warp_to(slot + 101);
    ok(session.send_large(&[leave], &[&stranger]));
    for user in [&one, &two] {
        let rest = [
            pair.claim(&user.key(), 7, &user.tokens),
            pair.cancel(&user.key(), 7, &user.collateral),
        ];
        ok(fair.send(&rest, &[&user.wallet]));
        fair.audit();
    }
}

#[test]
fn ix8_old_data_old_quotes_and_late_orders_do_not_trade() {
    let mut fair = Fair::open(20, 10);
    let user = fair.join(1_000 * QUOTE);
    let order = fair.order(&user, Side::Bid, 1, 100 * QUOTE);
    let execute = fair.pair.execute(&order, 0);
    let slot = fair.exchange.session.slot();
    let session = &mut fair.exchange.session;
    // The quote lives 50 slots, the data 100.
    session.warp_to(slot + 51);
    refused(
        session,
        std::slice::from_ref(&execute),
        &[],
        IndexError::StaleQuote,
    );
    let quote = fair.pair.update_quote();
    ok(session.send_large(std::slice::from_ref(&quote), &[]));
    session.warp_to(slot + 101);
    refused(
        session,
        std::slice::from_ref(&execute),
        &[],
        IndexError::StaleMarket,
    );
    refused(
        session,
        std::slice::from_ref(&quote),
        &[],
        IndexError::StaleMarket,
    );
    // New data for some constituents is not enough: the oldest counts.
    fair.report(0..9);
    let session = &mut fair.exchange.session;
    refused(
        session,
        std::slice::from_ref(&quote),
        &[],
        IndexError::StaleMarket,
    );
    fair.report(9..10);
    let session = &mut fair.exchange.session;
    // New data does not make an old quote young.
    refused(
        session,
        std::slice::from_ref(&execute),
        &[],
        IndexError::StaleMarket,
    );
    ok(session.send_large(std::slice::from_ref(&quote), &[]));
    // A quote from before an update is behind it.
    fair.report(0..1);
    let session = &mut fair.exchange.session;
    refused(
        session,
        std::slice::from_ref(&execute),
        &[],
        IndexError::StaleQuote,
    );
    ok(session.send_large(std::slice::from_ref(&quote), &[]));
    // Paused, nothing trades; the owner still gets out.
    let (pair, admin) = (fair.pair, fair.admin.pubkey());
    let paused = index::IndexLimits {
        paused: true,
        ..limits()
    };
    fair.administer(&[pair.set_limits(&admin, &paused)]);
    let session = &mut fair.exchange.session;
    refused(session, &[execute], &[], IndexError::IllegalTransition);
    let cancel = pair.cancel(&user.key(), 1, &user.collateral);
    ok(fair.send(&[cancel], &[&user.wallet]));
    assert_eq!(
        fair.exchange.session.token_balance(&user.collateral),
        1_000 * QUOTE
    );
    fair.administer(&[pair.set_limits(&admin, &limits())]);
    fair.audit();
    // A deadline, a worst price and a least amount.
    let now = fair.exchange.session.slot() as u32;
    let mut new = NewOrder {
        side: Side::Bid,
        order_id: 2,
        given: 100 * QUOTE,
        limit_atoms: QUOTE,
        deadline_slot: now + 2,
    };
    let submit = pair.submit_order(&user.key(), &user.collateral, &new);
    ok(fair.send(&[submit], &[&user.wallet]));
    let second = pair.order(&user.key(), 2);
    fair.orders.push(second);
    let execute = pair.execute(&second, 0);
    let session = &mut fair.exchange.session;
    refused(
        session,
        std::slice::from_ref(&execute),
        &[],
        IndexError::WorsePrice,
    );
    session.warp_to(u64::from(now) + 3);
    refused(session, &[execute], &[], IndexError::TooLate);
    new.order_id = 3;
    let late = pair.submit_order(&user.key(), &user.collateral, &new);
    refused(session, &[late], &[&user.wallet], IndexError::TooLate);
    let third = fair.order(&user, Side::Bid, 4, 100 * QUOTE);
    let greedy = pair.execute(&third, 1_000 * TOKEN);
    let session = &mut fair.exchange.session;
    refused(session, &[greedy], &[], IndexError::WorsePrice);
    fair.audit();
}

#[test]
fn ix6_an_orders_history_in_the_logs_is_whole_and_shows_when_it_is_not() {
    let mut fair = Fair::open(20, 10);
    let user = fair.join(5_000 * QUOTE);
    let order = fair.order(&user, Side::Bid, 1, 2_500 * QUOTE);
    fair.finish(&order);
    let mut last = vec![fair.pair.claim(&user.key(), 1, &user.tokens)];
    if fair.read(&order).remaining > 0 {
        last.push(fair.pair.cancel(&user.key(), 1, &user.collateral));
    }
    ok(fair.send(&last, &[&user.wallet]));
    let chain = fair.read(&order).chain;
    let events = fair.history(&order);
    let hash = flagstone_sdk::events::sha256;
    assert!(events.len() >= 5, "made, three chunks, claimed");
    assert_eq!(verify(&chain, events.iter().copied(), hash), Ok(()));
    for missing in 0..events.len() {
        let mut gap = events.clone();
        gap.remove(missing);
        assert!(
            verify(&chain, gap, hash).is_err(),
            "event {missing} missing"
        );
    }
    for place in [48, 72, 110, 130] {
        let mut bytes = events[1].to_vec();
        bytes[place] ^= 1;
        let mut forged = events.clone();
        forged[1] = &bytes;
        assert!(
            verify(&chain, forged, hash).is_err(),
            "byte {place} altered"
        );
    }
}
