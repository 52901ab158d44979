//! Index orders from a user's intent to the token and its invoice, with six
//! signers of a desk and real tokens.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::QUOTE;
use flagstone_e2e_tests::desk::{Office, name};
use flagstone_e2e_tests::forge::swapped;
use flagstone_e2e_tests::index::{ONE, TOKEN};
use flagstone_e2e_tests::ok;
use flagstone_e2e_tests::orders::refuse;
use flagstone_sdk::address;
use flagstone_sdk::events::{index_invoices, sha256};
use flagstone_sdk::index::intents::Wish;
use flagstone_sdk::index::{batches, custody, stock};
use flagstone_sdk::index_engine::amounts::Atoms;
use flagstone_sdk::index_engine::machine::{Action, State};
use flagstone_sdk::index_engine::roles::Role;
use flagstone_sdk::interface::error::IndexError;
use solana_signer::Signer;

fn wish(units: u64) -> Wish {
    Wish {
        amount: Atoms(units * QUOTE),
        limit_atoms: u64::MAX,
        routing_fee_max: QUOTE,
    }
}

#[test]
fn ix6_ix7_two_orders_two_batches_and_every_atom_accounted_for() {
    let mut office = Office::open(10, 3);
    let (anna, ben) = (office.join(2_000 * QUOTE), office.join(2_000 * QUOTE));
    office.deposit(anna, 1, 700 * QUOTE);
    office.deposit(anna, 2, 500 * QUOTE);
    office.deposit(ben, 10, 600 * QUOTE);
    let first = office.submit(anna, 1, &wish(1_000));
    let second = office.submit(ben, 1, &wish(500));
    office.make_ready(&first, QUOTE);
    office.make_ready(&second, QUOTE);
    // A token is worth 0.1 + 0.2 + 0.3; at the limits 0.606, with fees 0.607212.
    let parts = [
        (first, 900 * QUOTE, 1_400 * TOKEN),
        (second, 450 * QUOTE, 700 * TOKEN),
    ];
    let batch = office.seal("one", 1, &parts, 5 * ONE);
    office.launch(&batch, &parts);
    // 210 and 5 ordered; the venues fill 100 and, at another price, 40.
    office.report(&batch, 100 * ONE, 1_000);
    let early = office.take(&batch, &first);
    assert!((666 * TOKEN..=667 * TOKEN).contains(&early), "{early}");
    office.report(&batch, 40 * ONE, 1_005);
    office.take(&batch, &first);
    let taken = office.take(&batch, &second);
    assert!((466 * TOKEN..=467 * TOKEN).contains(&taken), "{taken}");
    office.finish(&batch, &parts);
    assert_eq!(office.state(&first), State::Ready);
    let held = office.order(&first).holdings;
    assert_eq!(held.authorised, Atoms(999 * QUOTE));
    assert!(held.carried.0 > 0 && held.engaged.0 == 0);
    office.prove();

    // What is left of both in a second batch, which draws what the first left.
    let left = 1_400 * TOKEN - office.order(&first).holdings.filled.0;
    let other = 700 * TOKEN - office.order(&second).holdings.filled.0;
    let parts = [(first, 350 * QUOTE, left), (second, 170 * QUOTE, other)];
    let next = office.seal("two", 2, &parts, 5 * ONE);
    office.launch(&next, &parts);
    for slot in 0..3 {
        let before = office
            .fair
            .exchange
            .session
            .data(&office.stock(slot).carry());
        let before = batches::read_carry(&before).expect("a carry-over").balance;
        let draw = next.draw_carry(&office.key(3), Office::place(slot));
        office.by(Role::BatchManager, "draw_carry", &draw);
        let carried = office.batch(&next).1[usize::from(slot)].carried;
        assert_eq!(carried, before, "what was carried enters first");
    }
    office.report(&next, 70 * ONE, 995);
    office.take(&next, &first);
    office.take(&next, &second);
    office.finish(&next, &parts);

    // Nothing improves for a while: what there is, is minted.
    office.tick(26);
    for (intent, tokens) in [(first, 1_400), (second, 700)] {
        if office.state(&intent) == State::Ready {
            office.step(&intent, Action::Settle, 0);
        }
        assert_eq!(office.state(&intent), State::FullyMintable);
        let before = office.order(&intent).holdings;
        let receipt = office.pay_and_mint(&intent);
        let [invoice] = index_invoices(&receipt.logs)[..] else {
            panic!("one invoice")
        };
        let order = office.order(&intent);
        let hash = sha256(&[bytemuck::bytes_of(&invoice)]);
        assert_eq!(order.invoice_hash, hash, "the invoice is the order's");
        assert_eq!(invoice.paid, before.spent, "paid is what was spent");
        assert_eq!(invoice.returned.0, before.authorised.0 - before.spent.0);
        assert_eq!(invoice.routing_fee, Atoms(QUOTE));
        assert_eq!(invoice.minted, before.filled);
        let wallet = office.user_of(&intent).tokens;
        let got = office.fair.exchange.session.token_balance(&wallet);
        assert_eq!(got, before.filled.0);
        assert!(got <= tokens * TOKEN && got > (tokens - 2) * TOKEN, "{got}");
        ok(office.send("archive_spends", &intent.archive_spends(), &[]));
    }
    office.prove();
    println!("{:#?}", office.units);
}

#[test]
fn a_minted_token_is_sold_to_the_market_and_free_collateral_goes_home() {
    let mut office = Office::open(10, 3);
    let anna = office.join(1_000 * QUOTE);
    office.deposit(anna, 1, 200 * QUOTE);
    let intent = office.submit(anna, 1, &wish(100));
    office.make_ready(&intent, 0);
    let parts = [(intent, 99 * QUOTE, 160 * TOKEN)];
    let batch = office.seal("one", 1, &parts, 0);
    office.launch(&batch, &parts);
    office.report(&batch, 16 * ONE, 1_000);
    assert_eq!(office.take(&batch, &intent), 160 * TOKEN);
    office.finish(&batch, &parts);
    // The owner ends it: what was bought is minted, the rest is theirs at once.
    let wallet = office.wallet(anna);
    let cancel = intent.end(&wallet.pubkey(), Action::Cancel);
    ok(office.send("end_intent", &cancel, &[&wallet]));
    assert_eq!(office.state(&intent), State::FullyMintable);
    office.pay_and_mint(&intent);
    // 16 units of each of three assets at 1, 2 and 3, and one in a thousand.
    assert_eq!(office.order(&intent).holdings.paid, Atoms(96_096_000));
    let totals = office.totals(anna);
    assert_eq!(totals.authorised, Atoms(0));
    let manager = office.key(1);
    let rest = intent.position().make_ready(&manager, totals.unconfirmed.0);
    office.by(Role::CollateralManager, "make_ready", &rest);
    let ready = office.totals(anna).ready.0;
    assert_eq!(ready, 200 * QUOTE - 96_096_000);
    let purse = office.users[anna].collateral;
    let withdraw = intent.position().withdraw(&purse, ready);
    ok(office.send("withdraw", &withdraw, &[&wallet]));
    let left = office.fair.exchange.session.token_balance(&purse);
    assert_eq!(left, 1_000 * QUOTE - 96_096_000);
    // The market takes the tokens back: the vendor funds what it owes for them.
    let vendor = office.fair.vendor.key();
    let source = ok(office.fair.exchange.create_tokens(&vendor, 500 * QUOTE));
    let fund =
        flagstone_sdk::index::fund_reserve(&office.pair().market, &vendor, &source, 500 * QUOTE);
    let signer = office.fair.vendor.wallet.insecure_clone();
    ok(office.send("fund_reserve", &fund, &[&signer]));
    ok(office.send("update_quote", &office.pair().update_quote(), &[]));
    let user = office.users.remove(anna);
    let order = office
        .fair
        .order(&user, flagstone_sdk::units::Side::Ask, 1, 160 * TOKEN);
    office.fair.finish(&order);
    let claim = office.pair().claim(&user.key(), 1, &user.collateral);
    ok(office.send("claim", &claim, &[&user.wallet]));
    assert_eq!(office.fair.supply(), 0);
    office.fair.audit();
    office.users.push(user);
    office.audit();
    office.prove();
}

#[test]
fn an_inventory_goes_from_long_to_short_and_back() {
    let mut office = Office::open(10, 3);
    let manager = office.key(4);
    let asset = office.stock(0);
    // Bought 30, sold 50, bought 40: 30 long, 20 short, 20 long; two flips.
    for (side, units, per_mille, expected) in [
        (0u8, 30, 1_000, (0u8, 30)),
        (1, 50, 1_100, (1, 20)),
        (0, 40, 900, (0, 20)),
    ] {
        let mut fill = office.fill_of(0, 0, units * ONE, per_mille);
        fill.side = side;
        office.by(
            Role::InventoryManager,
            "inventory_fill",
            &asset.fill(&manager, &fill),
        );
        let data = office.fair.exchange.session.data(&asset.inventory());
        let (head, lots) = stock::read_inventory(&data).expect("an inventory");
        assert_eq!(
            (head.side, head.balance.get()),
            (expected.0, expected.1 * ONE)
        );
        let sum: u128 = lots.iter().map(|lot| lot.remaining.get()).sum();
        assert_eq!(sum, head.balance.get());
    }
    let data = office.fair.exchange.session.data(&asset.inventory());
    let (head, _) = stock::read_inventory(&data).expect("an inventory");
    assert_eq!(head.flips, 2);
    // 30 bought at 1 and sold at 1.1; 20 sold at 1.1 and bought at 0.9.
    assert_eq!(head.realised_atoms, 3_000_000 + 4_000_000);
    assert_eq!(head.asset, name(0));
    office.prove();
}

#[test]
fn records_of_an_asset_grow_and_keep_what_is_in_them() {
    let mut office = Office::open(10, 3);
    let (asset, manager) = (office.stock(0), office.key(4));
    // The fixture has room for forty lots; every purchase opens one.
    let buy = |office: &mut Office| {
        let fill = office.fill_of(0, 0, ONE, 1_000);
        asset.fill(&manager, &fill)
    };
    for _ in 0..40 {
        let fill = buy(&mut office);
        office.by(Role::InventoryManager, "inventory_fill", &fill);
    }
    let full = buy(&mut office);
    let holder = office.holder(Role::InventoryManager);
    refuse(&mut office, &full, &[&holder], IndexError::LotsFull);
    for lots in [0, 40, 40 + 99, u32::MAX] {
        let grow = asset.grow_inventory(&manager, lots);
        refuse(&mut office, &grow, &[&holder], IndexError::BadCapacity);
    }
    let runner = office.holder(Role::BatchManager);
    let foreign = asset.grow_inventory(&runner.pubkey(), 60);
    refuse(&mut office, &foreign, &[&runner], IndexError::WrongSigner);
    let other = swapped(&asset.grow_inventory(&manager, 60), 2, office.pair().index);
    refuse(&mut office, &other, &[&holder], IndexError::WrongRecord);
    let grow = asset.grow_inventory(&manager, 40 + 98);
    office.by(Role::InventoryManager, "grow_record", &grow);
    let grow = asset.grow_carry(&runner.pubkey(), 30);
    office.by(Role::BatchManager, "grow_record", &grow);
    for _ in 0..60 {
        let fill = buy(&mut office);
        office.by(Role::InventoryManager, "inventory_fill", &fill);
    }
    let data = office.fair.exchange.session.data(&asset.inventory());
    let (head, lots) = stock::read_inventory(&data).expect("an inventory");
    assert_eq!((lots.len(), head.balance.get()), (100, 100 * ONE));
    office.prove();
}

#[test]
fn a_desk_is_paid_where_its_administrator_says() {
    let mut office = Office::open(10, 3);
    let admin = office.fair.admin.insecure_clone();
    let key = admin.pubkey();
    let vault = address::desk_vault(&office.desk);
    let mint = office.fair.exchange.mint;
    let tokens = office
        .fair
        .plant_tokens(&key, &address::index_mint(&office.pair().index));
    for wrong in [vault, tokens, office.pair().index] {
        let set = custody::set_payout(&key, &wrong);
        refuse(&mut office, &set, &[&admin], IndexError::WrongMint);
    }
    let again = custody::open_custody(&key, &mint, &office.payout);
    refuse(
        &mut office,
        &again,
        &[&admin],
        IndexError::AlreadyInitialized,
    );
    let next = office.fair.plant_tokens(&key, &mint);
    office.fair.administer(&[custody::set_payout(&key, &next)]);
    let (anna, old) = (office.join(1_000 * QUOTE), office.payout);
    office.deposit(anna, 1, 200 * QUOTE);
    let intent = office.submit(anna, 1, &wish(100));
    office.step(&intent, Action::Accept, 0);
    office.step(&intent, Action::Route, 0);
    let manager = office.holder(Role::CollateralManager);
    let hop = intent.hop(&manager.pubkey(), &old, Atoms(QUOTE));
    refuse(&mut office, &hop, &[&manager], IndexError::WrongCounterpart);
    office.payout = next;
    let hop = intent.hop(&manager.pubkey(), &next, Atoms(QUOTE));
    office.by(Role::CollateralManager, "hop", &hop);
    office.audit();
    office.prove();
}

#[test]
fn two_orders_of_fifty_assets_fit_their_transactions() {
    let mut office = Office::open(150, 50);
    let (anna, ben) = (office.join(2_000 * QUOTE), office.join(2_000 * QUOTE));
    office.deposit(anna, 1, 1_500 * QUOTE);
    office.deposit(ben, 1, 1_500 * QUOTE);
    let first = office.submit(anna, 1, &wish(1_500));
    let second = office.submit(ben, 1, &wish(1_400));
    office.make_ready(&first, QUOTE);
    office.make_ready(&second, QUOTE);
    // A token of fifty assets is worth 47.5, and 48.07 at the limits.
    let parts = [
        (first, 1_490 * QUOTE, 30 * TOKEN),
        (second, 1_390 * QUOTE, 28 * TOKEN),
    ];
    let batch = office.seal("one", 1, &parts, ONE / 10);
    office.launch(&batch, &parts);
    // In two fills of each asset: a fill of an order takes up to a hundred lots.
    office.report(&batch, 2_950_000_000_000_000_000, 1_000);
    office.report(&batch, 2_950_000_000_000_000_000, 1_005);
    assert_eq!(office.take(&batch, &first), 30 * TOKEN);
    assert_eq!(office.take(&batch, &second), 28 * TOKEN);
    office.tick(26);
    office.finish(&batch, &parts);
    for intent in [first, second] {
        if office.state(&intent) == State::Ready {
            office.step(&intent, Action::Settle, 0);
        }
        office.pay_and_mint(&intent);
    }
    office.prove();
    println!("{:#?}", office.units);
    // The largest is an order's fill; twice its share of a transaction is room
    // for a market that is twice as broken up.
    for (what, units) in &office.units {
        let most = if *what == "fill_intent" {
            500_000
        } else {
            60_000
        };
        assert!(*units <= most, "{what} takes {units}");
    }
}

#[test]
fn the_widest_index_of_a_desk_is_filled_and_a_wider_one_is_not_taken_on() {
    let mut office = Office::open(150, 128);
    let anna = office.join(5_000 * QUOTE);
    office.deposit(anna, 1, 3_000 * QUOTE);
    let intent = office.submit(anna, 1, &wish(3_000));
    office.make_ready(&intent, 0);
    let parts = [(intent, 2_990 * QUOTE, 20 * TOKEN)];
    let batch = office.seal("one", 1, &parts, 0);
    office.launch(&batch, &parts);
    office.report(&batch, 2 * ONE, 1_000);
    // One lot of each: the event lists all of them, and the log is not cut.
    assert_eq!(office.take(&batch, &intent), 20 * TOKEN);
    office.finish(&batch, &parts);
    office.tick(26);
    office.step(&intent, Action::Settle, 0);
    office.pay_and_mint(&intent);
    office.prove();
    let units =
        ["engage", "fill_intent", "carry_over", "mint_index"].map(|what| office.units[what]);
    println!("128 assets: engage, fill, carry over, mint: {units:?}");
    // One more constituent, and an order could be locked and never filled.
    let pair = office.fair.open_index("wide", 129);
    let mut wide = office.named(anna, 2);
    wide.pair = pair;
    let wallet = office.wallet(anna);
    let submit = wide.submit(&wish(1));
    refuse(&mut office, &submit, &[&wallet], IndexError::BadCapacity);
}
