//! Custody of collateral mints: who may become one, what goes in and out, and
//! that no mint is ever taken for another.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::collateral::{CONSENT, HELD, PRICE, Pledge, TOKEN, rules};
use flagstone_e2e_tests::forge::{stranger, swapped, while_changed};
use flagstone_e2e_tests::govern::{change, execute, propose, refusal, settle_down};
use flagstone_e2e_tests::random::Random;
use flagstone_e2e_tests::refusal::{DUPLICATE, NOT_WRITABLE, TOKEN_FUNDS, TOKEN_OWNER, UNSIGNED};
use flagstone_e2e_tests::{QUOTE, code, ok};
use flagstone_sdk::embedded::Oracle;
use flagstone_sdk::interface::error::RouterError;
use flagstone_sdk::interface::limits::RECENT_WINDOW_SLOTS;
use flagstone_sdk::router::{Change, CollateralRules};
use flagstone_sdk::{address, router};
use solana_address::Address;
use solana_signer::Signer;

/// SPL Token 2022.
const TOKEN_2022: Address = Address::from_str_const("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb");

#[track_caller]
fn refuse_terms(pledge: &mut Pledge, mint: &Address, rules: &CollateralRules, why: RouterError) {
    let quote = pledge.crash.exchange.mint;
    let bad = Change::add_collateral(mint, &quote, rules);
    let exchange = &mut pledge.crash.exchange;
    exchange.session.svm.expire_blockhash();
    let id = propose(exchange, &bad);
    assert_eq!(refusal(exchange, &bad, id), why.code(), "{rules:?}");
    assert!(
        exchange
            .session
            .data(&address::collateral_terms(mint))
            .is_empty()
    );
}

#[test]
fn p2_only_a_sound_mint_of_spl_token_becomes_collateral() {
    let mut pledge = Pledge::open();
    let good = rules(&pledge.oracle);
    let mint = ok(pledge.crash.exchange.create_mint(6));
    let many = ok(pledge.crash.exchange.create_mint(13));
    let quote = pledge.crash.exchange.mint;
    refuse_terms(&mut pledge, &quote, &good, RouterError::BadCollateral);
    refuse_terms(&mut pledge, &many, &good, RouterError::BadCollateral);
    refuse_terms(&mut pledge, &stranger(), &good, RouterError::WrongMint);
    let spoilers: [fn(&mut solana_account::Account); 4] = [
        |mint| mint.owner = TOKEN_2022,
        |mint| mint.data[45] = 0,
        |mint| mint.data.extend([0; 83]),
        |mint| mint.data.truncate(81),
    ];
    for spoil in spoilers {
        let before = pledge.crash.exchange.session.svm.get_account(&mint);
        let mut spoiled = before.clone().expect("a mint");
        spoil(&mut spoiled);
        let svm = &mut pledge.crash.exchange.session.svm;
        svm.set_account(mint, spoiled).expect("a changed mint");
        refuse_terms(&mut pledge, &mint, &good, RouterError::WrongMint);
        let svm = &mut pledge.crash.exchange.session.svm;
        svm.set_account(mint, before.expect("a mint"))
            .expect("the mint");
    }
    let elsewhere = Oracle::new([0xc1; 32]);
    let bounds: [fn(&mut CollateralRules); 9] = [
        |rules| rules.haircut_ppm = 900_001,
        |rules| rules.discount_ppm = rules.haircut_ppm + 1,
        |rules| rules.premium_ppm = 500_001,
        |rules| rules.auction_slots = 9,
        |rules| rules.oracle_age_slots = 251,
        |rules| rules.confidence_max_ppm = 0,
        |rules| rules.deposit_cap_atoms = 0,
        // An oracle that does not exist, and one that carries another feed.
        |rules| rules.oracle = Oracle::new([0xc1; 32]).key,
        |rules| rules.oracle_feed = [0xc1; 32],
    ];
    for bound in bounds {
        let mut bad = good;
        bound(&mut bad);
        refuse_terms(&mut pledge, &mint, &bad, RouterError::BadCollateral);
    }
    // An oracle that Pyth's receiver does not own.
    let session = &mut pledge.crash.exchange.session;
    elsewhere.post(session, PRICE);
    let mut forged = session.svm.get_account(&elsewhere.key).expect("an oracle");
    forged.owner = stranger();
    session
        .svm
        .set_account(elsewhere.key, forged)
        .expect("a forgery");
    refuse_terms(
        &mut pledge,
        &mint,
        &rules(&elsewhere),
        RouterError::BadCollateral,
    );

    // Vault and tokens lie where their seeds say, of the vaults' authority.
    let exchange = &mut pledge.crash.exchange;
    exchange.session.svm.expire_blockhash();
    let last = Change::add_collateral(&mint, &quote, &good);
    let id = propose(exchange, &last);
    let payer = exchange.session.new_wallet();
    for place in 7..=10 {
        let attempt = swapped(&last.execute(&payer.pubkey(), id), place, stranger());
        pledge.refuse_as(&payer, &attempt, RouterError::WrongAddress);
    }
    ok(execute(&mut pledge.crash.exchange, &last, id));
    pledge.crash.audit();
}

#[test]
fn p2_terms_change_by_proposal_alone_and_the_vault_stays() {
    let mut pledge = Pledge::open();
    let quote = pledge.crash.exchange.mint;
    settle_down(&mut pledge.crash.exchange);
    let (before, vault) = (pledge.terms(), pledge.vault());
    assert_eq!(
        (before.decimals, before.quote_decimals, before.enabled),
        (9, 6, 1)
    );
    let mut next = rules(&pledge.oracle);
    next.enabled = false;
    next.haircut_ppm = 300_000;
    let change = Change::add_collateral(&pledge.mint, &quote, &next);
    let id = propose(&mut pledge.crash.exchange, &change);
    let early = refusal(&mut pledge.crash.exchange, &change, id);
    assert_eq!(early, RouterError::NotDue.code());
    pledge.wait(u64::from(flagstone_e2e_tests::govern::DELAY));
    // Other accounts than those of the mint do not pass.
    let payer = pledge.crash.exchange.session.new_wallet();
    let good = change.execute(&payer.pubkey(), id);
    for (place, key, why) in [
        (4, quote, RouterError::BadCollateral),
        (5, pledge.mint, RouterError::BadCollateral),
        (6, stranger(), RouterError::BadCollateral),
        (7, stranger(), RouterError::WrongAddress),
        (7, address::vault(&pledge.mint), RouterError::WrongAddress),
    ] {
        let attempt = swapped(&good, place, key);
        pledge.refuse_as(&payer, &attempt, why);
    }
    ok(execute(&mut pledge.crash.exchange, &change, id));
    let after = pledge.terms();
    assert_eq!((after.enabled, after.haircut_ppm), (0, 300_000));
    assert_eq!(
        bytemuck::bytes_of(&pledge.vault()),
        bytemuck::bytes_of(&vault)
    );
    // Nothing new comes in, what is there may leave.
    let deposit = pledge.deposit(1);
    pledge.refuse(&deposit, RouterError::CollateralFull);
    let withdraw = pledge.withdraw(HELD);
    pledge.send(&[withdraw]);
}

#[test]
fn p2_no_mint_is_taken_for_another() {
    let mut pledge = Pledge::open();
    let (owner, quote, mint) = (
        pledge.crash.owner(),
        pledge.crash.exchange.mint,
        pledge.mint,
    );
    let (slab, purse) = (pledge.crash.exchange.slab, pledge.crash.victim.tokens);
    let destination = pledge.tokens;
    let wrong = RouterError::WrongRecord;
    // Everything that moves quote refuses the vault of a collateral mint: its
    // tokens never become cash, insurance or fees, and it pays none of them.
    let funder = pledge.crash.exchange.admin.insecure_clone();
    for instruction in [
        router::deposit(&owner, &mint, &pledge.tokens, TOKEN),
        router::withdraw(&owner, &mint, &destination, QUOTE),
        router::claim_withdrawal(&owner, &mint, &destination, QUOTE),
        router::cancel_claim(&owner, &mint),
    ] {
        pledge.refuse(&instruction, wrong);
    }
    let fund = router::fund_insurance(&owner, &slab, &quote, &pledge.tokens, TOKEN);
    let fund = swapped(
        &swapped(&fund, 2, address::vault(&mint)),
        3,
        address::vault_tokens(&mint),
    );
    pledge.refuse(&fund, wrong);
    let fees = router::withdraw_fees(&funder.pubkey(), &slab, &quote, &purse, 1);
    let fees = swapped(&fees, 6, address::vault(&mint));
    pledge.refuse_as(&funder, &fees, wrong);
    let skim = router::skim_surplus(&funder.pubkey(), &slab, &quote);
    let skim = swapped(&skim, 4, address::vault(&mint));
    let skim = swapped(&skim, 5, address::vault_tokens(&mint));
    pledge.refuse_as(&funder, &skim, wrong);
    // And what moves collateral refuses the quote's.
    let deposit = pledge.deposit(TOKEN);
    let withdraw = pledge.withdraw(TOKEN);
    for (instruction, place) in [(&deposit, 3), (&withdraw, 4)] {
        let attempt = swapped(instruction, place, address::vault(&quote));
        pledge.refuse(&attempt, wrong);
    }
    let attempt = swapped(&deposit, 4, address::vault_tokens(&quote));
    pledge.refuse(&attempt, wrong);
    let attempt = swapped(&withdraw, 5, address::vault_tokens(&quote));
    pledge.refuse(&attempt, wrong);
    // Tokens of another mint neither pay nor receive.
    let attempt = swapped(&deposit, 5, purse);
    pledge.refuse(&attempt, RouterError::WrongMint);
    let attempt = swapped(&withdraw, 7, purse);
    pledge.refuse(&attempt, RouterError::WrongMint);
    // A second collateral mint is as foreign.
    let other = ok(pledge.crash.exchange.create_mint(9));
    let change_ = Change::add_collateral(&other, &quote, &rules(&pledge.oracle));
    change(&mut pledge.crash.exchange, &change_);
    let holding = address::collateral_holding(&address::portfolio(&owner), &other);
    for (instruction, place, key) in [
        (&deposit, 2, address::collateral_terms(&other)),
        (&deposit, 3, address::vault(&other)),
        (&deposit, 4, address::vault_tokens(&other)),
        (&withdraw, 4, address::vault(&other)),
        (&withdraw, 5, address::vault_tokens(&other)),
    ] {
        let attempt = swapped(instruction, place, key);
        pledge.refuse(&attempt, wrong);
    }
    // Nor when everything but the position is of that mint.
    let theirs = ok(pledge
        .crash
        .exchange
        .create_tokens_of(&other, &owner, TOKEN));
    let (vault, tokens) = (address::vault(&other), address::vault_tokens(&other));
    for (instruction, [one, two, three]) in [(&deposit, [3, 4, 5]), (&withdraw, [4, 5, 7])] {
        let attempt = swapped(&swapped(instruction, one, vault), two, tokens);
        pledge.refuse(&swapped(&attempt, three, theirs), wrong);
    }
    // Neither its record nor an address of nobody's is where a first deposit goes.
    for key in [holding, stranger()] {
        let attempt = swapped(&deposit, 6, key);
        pledge.refuse(&attempt, RouterError::WrongAddress);
    }
}

#[test]
fn p3_nothing_leaves_that_is_not_there() {
    let mut pledge = Pledge::open();
    let (member, tokens) = pledge.add_holder(3 * TOKEN);
    let zero = pledge.withdraw(0);
    pledge.refuse(&zero, RouterError::ZeroAmount);
    let zero = pledge.deposit(0);
    pledge.refuse(&zero, RouterError::ZeroAmount);
    for atoms in [HELD + 1, HELD + 3 * TOKEN, u64::MAX] {
        let more = pledge.withdraw(atoms);
        pledge.refuse(&more, RouterError::NotEnoughCash);
    }
    let more = pledge.deposit(30 * TOKEN + 1);
    pledge.refuse(&more, TOKEN_FUNDS);
    // Nobody moves what is another's.
    let owner = member.wallet.pubkey();
    let theirs = router::withdraw_collateral(&owner, &pledge.mint, &tokens, TOKEN);
    let own = pledge.withdraw(TOKEN);
    let thief = member.wallet.insecure_clone();
    let stolen = swapped(&theirs, 3, own.accounts[3].pubkey);
    pledge.refuse_as(&thief, &stolen, RouterError::WrongRecord);
    let stolen = swapped(
        &swapped(&theirs, 2, own.accounts[2].pubkey),
        3,
        own.accounts[3].pubkey,
    );
    pledge.refuse_as(&thief, &stolen, RouterError::WrongOwner);
    let mut unsigned = own.clone();
    unsigned.accounts[0].is_signer = false;
    let session = &mut pledge.crash.exchange.session;
    flagstone_e2e_tests::refusal::refused(session, &[unsigned], &[], UNSIGNED);
    let deposit = router::deposit_collateral(&owner, &pledge.mint, &pledge.tokens, TOKEN);
    pledge.refuse_as(&thief, &deposit, TOKEN_OWNER);
    // Nor into the vault itself, which would leave tokens that nobody owns.
    let vault = address::vault_tokens(&pledge.mint);
    pledge.refuse(&swapped(&own, 7, vault), DUPLICATE);
    let deposit = pledge.deposit(TOKEN);
    pledge.refuse(&swapped(&deposit, 5, vault), DUPLICATE);
    pledge.send(&[own]);
    assert_eq!(pledge.position().amount_atoms, HELD - TOKEN);
    // Tokens that somebody sent there are nobody's, and stay.
    let mint = pledge.mint;
    let authority = address::vault_authority();
    ok(pledge
        .crash
        .exchange
        .create_tokens_of(&mint, &authority, TOKEN));
    let rest = pledge.withdraw(HELD - TOKEN + 1);
    pledge.refuse(&rest, RouterError::NotEnoughCash);
}

#[test]
fn p3_no_written_account_is_named_twice_or_read_only() {
    let mut pledge = Pledge::open();
    let (deposit, withdraw) = (pledge.deposit(TOKEN), pledge.withdraw(TOKEN));
    for (instruction, places) in [(&deposit, [1, 3, 4, 5, 6]), (&withdraw, [2, 3, 4, 5, 7])] {
        for from in places {
            for to in places.iter().filter(|to| **to != from) {
                let key = instruction.accounts[from].pubkey;
                let doubled = swapped(instruction, *to, key);
                pledge.refuse(&doubled, DUPLICATE);
            }
            let mut frozen = instruction.clone();
            frozen.accounts[from].is_writable = false;
            pledge.refuse(&frozen, NOT_WRITABLE);
        }
    }
}

#[test]
fn p3_forged_records_hold_nothing() {
    let mut pledge = Pledge::open();
    let (deposit, withdraw) = (pledge.deposit(TOKEN), pledge.withdraw(TOKEN));
    let wallet = pledge.crash.victim.wallet.insecure_clone();
    for (instruction, places) in [(&deposit, &[1, 2, 3, 6][..]), (&withdraw, &[1, 2, 3, 4])] {
        for place in places {
            for spoil in flagstone_e2e_tests::forge::spoilers() {
                let key = instruction.accounts[*place].pubkey;
                let session = &mut pledge.crash.exchange.session;
                session.svm.expire_blockhash();
                while_changed(session, &key, spoil, |session| {
                    let one = std::slice::from_ref(instruction);
                    let why = RouterError::WrongRecord;
                    flagstone_e2e_tests::refusal::refused(session, one, &[&wallet], why);
                });
            }
        }
    }
}

#[test]
fn x8_deposits_end_at_the_cap_and_count_what_arrived() {
    let mut pledge = Pledge::open();
    let quote = pledge.crash.exchange.mint;
    let mut tight = rules(&pledge.oracle);
    tight.deposit_cap_atoms = HELD + 5 * TOKEN;
    let change_ = Change::add_collateral(&pledge.mint, &quote, &tight);
    change(&mut pledge.crash.exchange, &change_);
    let (member, tokens) = pledge.add_holder(4 * TOKEN);
    // The cap is the vault's, whoever brings it.
    let more = pledge.deposit(TOKEN + 1);
    pledge.refuse(&more, RouterError::CollateralFull);
    let last = pledge.deposit(TOKEN);
    pledge.send(std::slice::from_ref(&last));
    pledge.refuse(&last, RouterError::CollateralFull);
    let owner = member.wallet.pubkey();
    let leave = router::withdraw_collateral(&owner, &pledge.mint, &tokens, TOKEN);
    pledge.send_as(&member.wallet, &[leave]);
    pledge.send(&[last]);
    let position = pledge.position();
    assert_eq!(position.deposited_total_atoms, HELD + 2 * TOKEN);
    assert_eq!(position.amount_atoms, HELD + 2 * TOKEN);
    assert_eq!(pledge.vault().booked_atoms, HELD + 5 * TOKEN);
}

#[test]
fn x8_withdrawals_are_limited_but_for_own_deposits_of_late() {
    let mut pledge = Pledge::open();
    let vault = address::vault(&pledge.mint);
    let limit = Change::set_limit(&vault, 4 * TOKEN, 1_000);
    change(&mut pledge.crash.exchange, &limit);
    // Own deposits of late leave uncounted, however full the bucket.
    let recent = pledge.withdraw(5 * TOKEN);
    pledge.send(&[recent]);
    assert_eq!(pledge.vault().outflow.level_atoms, 0);
    let windows = 2 * u64::from(RECENT_WINDOW_SLOTS);
    let slot = pledge.crash.exchange.session.slot();
    pledge.crash.exchange.session.warp_to(slot + windows);
    let over = pledge.withdraw(4 * TOKEN + 1);
    pledge.refuse(&over, RouterError::OverLimit);
    let full = pledge.withdraw(4 * TOKEN);
    pledge.send(&[full]);
    let one = pledge.withdraw(TOKEN);
    pledge.refuse(&one, RouterError::OverLimit);
    let add = pledge.deposit(TOKEN);
    pledge.send(&[add]);
    pledge.send(std::slice::from_ref(&one));
    pledge.refuse(&one, RouterError::OverLimit);
    // A quarter of the window leaks a quarter of the limit.
    let slot = pledge.crash.exchange.session.slot();
    pledge.crash.exchange.session.warp_to(slot + 250);
    pledge.send(std::slice::from_ref(&one));
    pledge.refuse(&one, RouterError::OverLimit);
}

#[test]
fn x8_a_sale_is_not_limited_and_uses_up_deposits_of_late() {
    let mut pledge = Pledge::open();
    let vault = address::vault(&pledge.mint);
    let limit = Change::set_limit(&vault, 4 * TOKEN, 1_000);
    change(&mut pledge.crash.exchange, &limit);
    let windows = 2 * u64::from(RECENT_WINDOW_SLOTS);
    pledge.wait(windows);
    let late = pledge.deposit(5 * TOKEN);
    pledge.send(&[late]);
    pledge.consent(CONSENT);
    pledge.crash.sink();
    pledge.freeze();
    let bid = pledge.bid(HELD, 20_000 * QUOTE);
    pledge.buy(std::slice::from_ref(&bid));
    pledge.wait(100);
    pledge.buy(&[bid]);
    // More than the limit is sold, and more than was brought of late.
    assert!(pledge.position().sold_total_atoms > 6 * TOKEN);
    assert_eq!(pledge.vault().outflow.level_atoms, 0);
    let cure = [
        pledge.crash.shift(),
        pledge.crash.sync(),
        pledge.crash.end(),
    ];
    pledge.crash.crank(&cure);
    let over = pledge.withdraw(4 * TOKEN + 1);
    pledge.refuse(&over, RouterError::OverLimit);
    let full = pledge.withdraw(4 * TOKEN);
    pledge.send(&[full]);
}

#[test]
fn x8_a_pause_stops_no_withdrawal_of_collateral() {
    let mut pledge = Pledge::open();
    let guardian = settle_down(&mut pledge.crash.exchange);
    let pause = router::pause(&guardian.pubkey(), 1_000);
    pledge.send_as(&guardian, &[pause]);
    let half = pledge.withdraw(HELD / 2);
    pledge.send(&[half]);
}

/// Anything in any order: the books add up after every step, and what is in the
/// vault is what went in less what came out.
#[test]
fn p3_x8_any_order_of_moves_keeps_every_atom() {
    let mut pledge = Pledge::open();
    let (member, tokens) = pledge.add_holder(7 * TOKEN);
    let vault = address::vault(&pledge.mint);
    change(
        &mut pledge.crash.exchange,
        &Change::set_limit(&vault, 6 * TOKEN, 500),
    );
    let mut random = Random::new(11);
    let (mut held, mut done) = ([HELD, 7 * TOKEN], 0);
    for _ in 0..150 {
        let user = random.below(2) as usize;
        let atoms = match random.below(3) {
            0 => random.word() % 20,
            1 => random.word() % TOKEN,
            _ => random.word() % (9 * TOKEN),
        };
        let (owner, purse, wallet) = match user {
            0 => (
                pledge.crash.owner(),
                pledge.tokens,
                pledge.crash.victim.wallet.insecure_clone(),
            ),
            _ => (
                member.wallet.pubkey(),
                tokens,
                member.wallet.insecure_clone(),
            ),
        };
        let adds = random.below(2) == 0;
        let instruction = match adds {
            true => router::deposit_collateral(&owner, &pledge.mint, &purse, atoms),
            false => router::withdraw_collateral(&owner, &pledge.mint, &purse, atoms),
        };
        let session = &mut pledge.crash.exchange.session;
        session.warp_to(session.slot() + u64::from(random.below(90)));
        let outcome = session.send(&[instruction], &[&wallet]);
        pledge.crash.audit();
        match outcome {
            Ok(_) if adds => held[user] += atoms,
            Ok(_) => held[user] -= atoms,
            failed => {
                let known = [
                    RouterError::ZeroAmount.code(),
                    RouterError::NotEnoughCash.code(),
                    RouterError::OverLimit.code(),
                    1,
                ];
                assert!(known.contains(&code(failed)));
                continue;
            }
        }
        done += 1;
        assert_eq!(pledge.vault().booked_atoms, held[0] + held[1]);
        assert_eq!(pledge.position().amount_atoms, held[0]);
    }
    assert!(done > 40, "{done} went through");
}
