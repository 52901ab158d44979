//! Attacks on the index-vault: wrong signers, forged and foreign accounts,
//! wrong mints, truncated lists and absurd numbers.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::forge::{account, plant, plant_copy, stranger, swapped};
use flagstone_e2e_tests::hostile::{called, deploy};
use flagstone_e2e_tests::index::{Fair, ONE, TOKEN, book, desk_limits, label, limits, place};
use flagstone_e2e_tests::refusal::{DUPLICATE, TOKEN_FUNDS, TOKEN_OWNER, Why, refused};
use flagstone_e2e_tests::{QUOTE, ok};
use flagstone_sdk::address;
use flagstone_sdk::index::{self, NewOrder, Pair};
use flagstone_sdk::index_engine::roles::Role;
use flagstone_sdk::interface::error::IndexError;
use flagstone_sdk::kernels::Amount;
use flagstone_sdk::kernels::market::{DataUpdate, MarginUpdate, SupplyUpdate};
use flagstone_sdk::units::Side;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

/// SPL Token 2022.
const TOKEN_2022: Address = Address::from_str_const("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb");

#[track_caller]
fn refuse(fair: &mut Fair, instruction: Instruction, signers: &[&Keypair], why: impl Into<Why>) {
    refused(&mut fair.exchange.session, &[instruction], signers, why);
    fair.audit();
}

fn buy(order_id: u64, given: u64) -> NewOrder {
    NewOrder {
        side: Side::Bid,
        order_id,
        given,
        limit_atoms: u64::MAX,
        deadline_slot: 0,
    }
}

#[test]
fn ix10_each_role_is_its_holders_alone() {
    let mut fair = Fair::open(20, 10);
    let thief = fair.exchange.session.new_wallet();
    let (market, key) = (fair.pair.market, thief.pubkey());
    let pair = fair.pair;
    let data = DataUpdate {
        place: place(0),
        price: Amount::new(ONE),
        ..DataUpdate::default()
    };
    let supply = SupplyUpdate {
        place: place(0),
        ..SupplyUpdate::default()
    };
    let margin = MarginUpdate {
        place: place(0),
        ..MarginUpdate::default()
    };
    let solver_of_another = index::grant_role(&fair.admin.pubkey(), Role::Solver, &key);
    let attempts = [
        index::set_market(&market, &key, &key, 1, 1, false),
        index::add_assets(&market, &key, &[label(900)]),
        index::submit_data(&market, &key, &[data]),
        index::submit_books(&market, &key, &[book(0)]),
        index::submit_supply(&market, &key, &[supply]),
        index::submit_margin(&market, &key, &[margin]),
        index::draw_reserve(&market, &key, &stranger(), 1),
        pair.set_limits(&key, &limits()),
        pair.add_constituents(&key, &[(place(11), Amount::new(ONE))]),
        pair.seal(&key),
        swapped(&solver_of_another, 1, key),
    ];
    for attempt in attempts {
        refuse(&mut fair, attempt, &[&thief], IndexError::WrongSigner);
    }
    // The administrator is no vendor, and the vendor no administrator.
    let admin = fair.admin.pubkey();
    let wrong = index::submit_books(&market, &admin, &[book(0)]);
    let session = &mut fair.exchange.session;
    refused(session, &[wrong], &[&fair.admin], IndexError::WrongSigner);
    let vendor = fair.vendor.key();
    let wrong = index::set_market(&market, &vendor, &vendor, 1, 1, false);
    refused(
        session,
        &[wrong],
        &[&fair.vendor.wallet],
        IndexError::WrongSigner,
    );
    // Constituents are settled once sealed.
    let late = pair.add_constituents(&admin, &[(place(11), Amount::new(ONE))]);
    refused(
        session,
        &[late],
        &[&fair.admin],
        IndexError::IllegalTransition,
    );
    let again = pair.seal(&admin);
    refused(
        session,
        &[again],
        &[&fair.admin],
        IndexError::IllegalTransition,
    );
    // A desk that is not the index's cannot share out its capacity.
    let open = [
        index::open_desk(&key, &desk_limits()),
        index::grant_role(&key, Role::Solver, &key),
    ];
    ok(session.send_large(&open, &[&thief]));
    let account = fair.seeded(&key, "mine", 4_000);
    let create = pair
        .create_allotment(&account, &address::desk(&key), Side::Bid, 10, 2)
        .expect("a short seed");
    let session = &mut fair.exchange.session;
    refused(session, &create, &[&thief], IndexError::WrongCounterpart);
}

#[test]
fn ix10_nobody_else_continues_cancels_or_claims_to_their_own_profit() {
    let mut fair = Fair::open(20, 10);
    let (user, thief) = (fair.join(1_000 * QUOTE), fair.join(1_000 * QUOTE));
    let pair = fair.pair;
    let order = fair.order(&user, Side::Bid, 1, 500 * QUOTE);
    let execute = pair.execute(&order, 0);
    ok(fair.send(std::slice::from_ref(&execute), &[]));
    // The order's account with the thief as owner and signer.
    let claim = swapped(&pair.claim(&thief.key(), 1, &thief.tokens), 3, order);
    refuse(&mut fair, claim, &[&thief.wallet], IndexError::WrongSigner);
    let cancel = swapped(&pair.cancel(&thief.key(), 1, &thief.collateral), 3, order);
    refuse(&mut fair, cancel, &[&thief.wallet], IndexError::WrongSigner);
    // Paid once.
    let claim = pair.claim(&user.key(), 1, &user.tokens);
    ok(fair.send(std::slice::from_ref(&claim), &[&user.wallet]));
    let slot = fair.exchange.session.slot();
    fair.exchange.session.warp_to(slot + 1);
    refuse(&mut fair, claim, &[&user.wallet], IndexError::ZeroAmount);
    let cancel = pair.cancel(&user.key(), 1, &user.collateral);
    if fair.read(&order).remaining > 0 {
        ok(fair.send(std::slice::from_ref(&cancel), &[&user.wallet]));
        let slot = fair.exchange.session.slot();
        fair.exchange.session.warp_to(slot + 1);
    }
    refuse(
        &mut fair,
        cancel,
        &[&user.wallet],
        IndexError::IllegalTransition,
    );
    refuse(&mut fair, execute, &[], IndexError::IllegalTransition);
    // A number is used once, ever.
    let submit = pair.submit_order(&user.key(), &user.collateral, &buy(1, QUOTE));
    refuse(
        &mut fair,
        submit,
        &[&user.wallet],
        IndexError::AlreadyInitialized,
    );
    // A sell takes the tokens at once: they cannot be sold twice.
    let held = fair.exchange.session.token_balance(&user.tokens);
    let sold = fair.order(&user, Side::Ask, 2, held);
    let twice = NewOrder {
        side: Side::Ask,
        order_id: 3,
        given: 1,
        limit_atoms: 0,
        deadline_slot: 0,
    };
    let submit = pair.submit_order(&user.key(), &user.tokens, &twice);
    refuse(&mut fair, submit, &[&user.wallet], TOKEN_FUNDS);
    // Nor can the thief burn what is not theirs.
    fair.finish(&sold);
    let claim = pair.claim(&user.key(), 2, &user.collateral);
    ok(fair.send(&[claim], &[&user.wallet]));
    fair.audit();
    let theirs = pair.submit_order(&thief.key(), &user.collateral, &buy(9, QUOTE));
    refuse(&mut fair, theirs, &[&thief.wallet], TOKEN_OWNER);
}

#[test]
fn ix10_forged_and_foreign_accounts_are_refused() {
    let mut fair = Fair::open(20, 10);
    let user = fair.join(1_000 * QUOTE);
    let (pair, admin) = (fair.pair, fair.admin.pubkey());
    let order = fair.order(&user, Side::Bid, 1, 500 * QUOTE);
    let execute = pair.execute(&order, 0);
    // Copies owned by nobody's program, and of another kind.
    for (slot, key) in [pair.market, pair.index, order].into_iter().enumerate() {
        let spoil: [fn(&mut solana_account::Account); 4] = [
            |account| account.owner = stranger(),
            |account| account.data[0] ^= 1,
            |account| account.data[8] ^= 2,
            |account| account.data.truncate(100),
        ];
        for change in spoil {
            let forged = plant_copy(&mut fair.exchange.session, &key, change);
            let attempt = swapped(&execute, slot, forged);
            refuse(&mut fair, attempt, &[], IndexError::WrongRecord);
        }
    }
    // One record in the place of another.
    let mixed = swapped(&execute, 2, pair.index);
    refuse(&mut fair, mixed, &[], DUPLICATE);
    let other = plant_copy(&mut fair.exchange.session, &pair.index, |_| ());
    let mixed = swapped(&execute, 2, other);
    refuse(&mut fair, mixed, &[], IndexError::WrongRecord);
    // Another market or index of this very program.
    let create = fair.new_market("second", 20);
    fair.administer(&create);
    let second = address::index_with_seed(&admin, "second").expect("a short seed");
    let attempt = swapped(&execute, 0, second);
    refuse(&mut fair, attempt, &[], IndexError::WrongCounterpart);
    let twin = fair.open_index("twin", 5);
    let attempt = swapped(&execute, 1, twin.index);
    refuse(&mut fair, attempt, &[], IndexError::WrongCounterpart);
    let quote = Pair {
        market: second,
        index: pair.index,
    };
    refuse(
        &mut fair,
        quote.update_quote(),
        &[],
        IndexError::WrongCounterpart,
    );
    // Truncated lists of accounts.
    for count in 0..3 {
        let mut short = execute.clone();
        short.accounts.truncate(count);
        let session = &mut fair.exchange.session;
        refused(session, &[short], &[], Why::Runtime("NotEnoughAccountKeys"));
    }
    ok(fair.send(&[execute], &[]));
    // Payouts: every key in the place of another.
    let claim = pair.claim(&user.key(), 1, &user.tokens);
    let twin_mint = address::index_mint(&twin.index);
    let foreign = fair.plant_tokens(&user.key(), &twin_mint);
    for (slot, key, why) in [
        (1, second, IndexError::WrongCounterpart),
        (2, twin.index, IndexError::WrongCounterpart),
        (4, user.collateral, IndexError::WrongMint),
        (4, foreign, IndexError::WrongMint),
        (6, twin_mint, IndexError::WrongCounterpart),
        (6, fair.exchange.mint, IndexError::WrongCounterpart),
        (7, stranger(), IndexError::WrongCounterpart),
        (
            7,
            address::market_authority(&second),
            IndexError::WrongCounterpart,
        ),
    ] {
        let attempt = swapped(&claim, slot, key);
        refuse(&mut fair, attempt, &[&user.wallet], why);
    }
    // A refund to the vault itself, or out of another vault.
    let vault = address::market_tokens(&pair.market);
    let cancel = pair.cancel(&user.key(), 1, &user.collateral);
    if fair.read(&order).remaining > 0 {
        let attempt = swapped(&cancel, 4, vault);
        refuse(&mut fair, attempt, &[&user.wallet], DUPLICATE);
        let attempt = swapped(&cancel, 5, address::market_tokens(&second));
        refuse(
            &mut fair,
            attempt,
            &[&user.wallet],
            IndexError::WrongCounterpart,
        );
    }
    // A deposit to somebody else's account, from another mint's.
    let submit = pair.submit_order(&user.key(), &user.collateral, &buy(5, QUOTE));
    let attempt = swapped(&submit, 5, user.tokens);
    refuse(
        &mut fair,
        attempt,
        &[&user.wallet],
        IndexError::WrongCounterpart,
    );
    let attempt = swapped(&submit, 4, user.tokens);
    refuse(&mut fair, attempt, &[&user.wallet], IndexError::WrongMint);
    let attempt = swapped(&submit, 3, stranger());
    refuse(
        &mut fair,
        attempt,
        &[&user.wallet],
        IndexError::WrongAddress,
    );
}

#[test]
fn ix5_only_the_program_mints_and_only_spl_token_is_taken() {
    let mut fair = Fair::open(20, 10);
    let user = fair.join(1_000 * QUOTE);
    let mint = address::index_mint(&fair.pair.index);
    let data = account(&fair.exchange.session, &mint).data;
    let authority = address::market_authority(&fair.pair.market);
    assert_eq!(&data[4..36], authority.as_ref(), "mint authority");
    assert_eq!(data[44], 9, "decimals");
    assert_eq!(&data[46..50], [0; 4], "nobody can freeze");
    // Everybody who signs for anything else, asking the Token program itself.
    let mut raw = vec![7];
    raw.extend(TOKEN.to_le_bytes());
    let keys = [
        fair.admin.insecure_clone(),
        fair.vendor.wallet.insecure_clone(),
        fair.solver.insecure_clone(),
        user.wallet.insecure_clone(),
    ];
    for key in &keys {
        let mint_to = Instruction {
            program_id: address::TOKEN,
            accounts: vec![
                AccountMeta::new(mint, false),
                AccountMeta::new(user.tokens, false),
                AccountMeta::new_readonly(key.pubkey(), true),
            ],
            data: raw.clone(),
        };
        refuse(&mut fair, mint_to, &[key], TOKEN_OWNER);
    }
    // A market on a mint of Token-2022.
    let mut create = fair.new_market("other", 5);
    let foreign = plant_copy(&mut fair.exchange.session, &fair.exchange.mint, |account| {
        account.owner = TOKEN_2022;
    });
    let last = create.len() - 1;
    create[last] = swapped(&create[last], 2, foreign);
    let session = &mut fair.exchange.session;
    refused(session, &create, &[&fair.admin], IndexError::WrongMint);
    // Somebody's market under a name that is not theirs, and twice.
    let thief = session.new_wallet();
    let made = swapped(&fair.new_market("other", 5)[1], 1, thief.pubkey());
    let empty = solana_account::Account {
        lamports: 1_000_000_000,
        data: vec![0; index::market_bytes(5)],
        owner: address::INDEX_VAULT,
        ..solana_account::Account::default()
    };
    let place = plant(&mut fair.exchange.session, empty);
    let session = &mut fair.exchange.session;
    let attempt = swapped(&made, 0, place);
    refused(session, &[attempt], &[&thief], IndexError::WrongAddress);
    let again = fair.new_market("market", 20)[1].clone();
    let session = &mut fair.exchange.session;
    refused(
        session,
        &[again],
        &[&fair.admin],
        IndexError::AlreadyInitialized,
    );
}

#[test]
fn ix10_absurd_numbers_are_refused_cleanly() {
    let mut fair = Fair::open(20, 10);
    let user = fair.join(1_000 * QUOTE);
    let (pair, market, vendor) = (fair.pair, fair.pair.market, fair.vendor.key());
    for given in [1_001 * QUOTE, u64::MAX] {
        let submit = pair.submit_order(&user.key(), &user.collateral, &buy(1, given));
        refuse(&mut fair, submit, &[&user.wallet], TOKEN_FUNDS);
    }
    let nothing = pair.submit_order(&user.key(), &user.collateral, &buy(1, 0));
    refuse(&mut fair, nothing, &[&user.wallet], IndexError::ZeroAmount);
    let mut unlimited = buy(1, QUOTE);
    unlimited.limit_atoms = 0;
    let submit = pair.submit_order(&user.key(), &user.collateral, &unlimited);
    refuse(&mut fair, submit, &[&user.wallet], IndexError::BadParameter);
    // Crossed, empty and unknown books.
    let mut crossed = book(0);
    std::mem::swap(&mut crossed.bids, &mut crossed.asks);
    let mut empty = book(0);
    empty.asks.clear();
    let mut scaled = book(0);
    scaled.price_scale = 19;
    let mut unknown = book(0);
    unknown.place = place(19);
    unknown.place.slot = 18;
    let mut beyond = book(0);
    beyond.place = place(20);
    for (bad, why) in [
        (crossed, IndexError::BadBook),
        (empty, IndexError::BadBook),
        (scaled, IndexError::BadParameter),
        (unknown, IndexError::WrongAsset),
        (beyond, IndexError::WrongAsset),
    ] {
        let submit = index::submit_books(&market, &vendor, &[bad]);
        let session = &mut fair.exchange.session;
        refused(session, &[submit], &[&fair.vendor.wallet], why);
    }
    let twice = index::add_assets(&market, &fair.admin.pubkey(), &[label(3)]);
    let session = &mut fair.exchange.session;
    refused(session, &[twice], &[&fair.admin], IndexError::MarketFull);
    let much = index::draw_reserve(&market, &vendor, &fair.vendor.collateral, 1);
    let wallet = &fair.vendor.wallet;
    refused(session, &[much], &[wallet], IndexError::NotEnoughCollateral);
    // The largest numbers there are, in every vector.
    let order = fair.order(&user, Side::Bid, 1, 500 * QUOTE);
    let most = Amount::new(u128::MAX);
    let supply = SupplyUpdate {
        place: place(0),
        long: most,
        short: most,
    };
    let margin = MarginUpdate {
        place: place(0),
        margin: most,
    };
    let data = DataUpdate {
        place: place(0),
        price: most,
        slope: most,
        liquidity: most,
    };
    let session = &mut fair.exchange.session;
    let all = [
        index::submit_supply(&market, &vendor, &[supply]),
        index::submit_margin(&market, &vendor, &[margin]),
    ];
    ok(session.send_large(&all, &[&fair.vendor.wallet]));
    ok(session.send_large(&[pair.update_quote()], &[]));
    let execute = pair.execute(&order, 0);
    refuse(&mut fair, execute, &[], IndexError::AmountOverflow);
    let session = &mut fair.exchange.session;
    let all = [index::submit_data(&market, &vendor, &[data])];
    ok(session.send_large(&all, &[&fair.vendor.wallet]));
    // An index at such a price can be quoted, and not be bought for anything.
    ok(session.send_large(&[pair.update_quote()], &[]));
    let execute = pair.execute(&order, 1);
    refuse(&mut fair, execute, &[], IndexError::WorsePrice);
    let execute = pair.execute(&order, 0);
    refuse(&mut fair, execute, &[], IndexError::ZeroAmount);
    // The owner gets out of all this.
    let cancel = pair.cancel(&user.key(), 1, &user.collateral);
    ok(fair.send(&[cancel], &[&user.wallet]));
    fair.audit();
    let held = fair.exchange.session.token_balance(&user.collateral);
    assert_eq!(held, 1_000 * QUOTE);
}

#[test]
fn ix10_x6_no_signature_works_through_another_program() {
    let mut fair = Fair::open(20, 10);
    deploy(&mut fair.exchange.session);
    let user = fair.join(1_000 * QUOTE);
    let pair = fair.pair;
    let order = fair.order(&user, Side::Bid, 1, 500 * QUOTE);
    let why = IndexError::CalledByProgram;
    for inner in [
        pair.submit_order(&user.key(), &user.collateral, &buy(2, QUOTE)),
        pair.claim(&user.key(), 1, &user.tokens),
        pair.cancel(&user.key(), 1, &user.collateral),
    ] {
        refuse(&mut fair, called(&inner), &[&user.wallet], why);
    }
    for inner in [pair.execute(&order, 0), pair.update_quote()] {
        refuse(&mut fair, called(&inner), &[], why);
    }
}
