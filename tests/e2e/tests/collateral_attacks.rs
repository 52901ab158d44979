//! Collateral that somebody wants for less than it is worth, or more of it than
//! is asked for, and must not have.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::collateral::{CONSENT, HELD, LENGTH, Pledge, TOKEN, rules};
use flagstone_e2e_tests::forge::{self, plant_copy, stranger, swapped, while_changed};
use flagstone_e2e_tests::govern::{change, settle_down};
use flagstone_e2e_tests::hostile::{called, deploy};
use flagstone_e2e_tests::random::Random;
use flagstone_e2e_tests::refusal::{
    DUPLICATE, NOT_WRITABLE, TOKEN_FUNDS, TOKEN_OWNER, UNSIGNED, Why, refused,
};
use flagstone_e2e_tests::{QUOTE, code, ok};
use flagstone_sdk::interface::error::RouterError;
use flagstone_sdk::interface::governance::PAUSE_GRACE_SLOTS;
use flagstone_sdk::router::Change;
use flagstone_sdk::{address, router};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_signer::Signer;
use std::slice::from_ref;

/// Makes an account another.
type Spoiler = Box<dyn Fn(&mut Account)>;

/// Places of what the instruction writes to.
const WRITTEN: [usize; 10] = [2, 3, 4, 9, 10, 11, 12, 13, 14, 15];

/// At the end of its price, and a bid that is good.
fn open() -> (Pledge, Instruction) {
    let pledge = Pledge::in_auction(u64::from(LENGTH));
    let bid = pledge.bid(HELD, 20_000 * QUOTE);
    (pledge, bid)
}

#[test]
fn lq7_only_a_good_price_of_the_mints_own_oracle_sells() {
    let (mut pledge, bid) = open();
    let bad = RouterError::BadCollateralPrice;
    // The slab's oracle, another account with the same feed, none at all.
    let copy = plant_copy(
        &mut pledge.crash.exchange.session,
        &pledge.oracle.key,
        |_| {},
    );
    for other in [pledge.crash.oracle.key, copy, stranger(), pledge.mint] {
        pledge.refuse_bid(&swapped(&bid, 17, other), bad);
    }
    // By offset: verification, feed, price, interval, exponent, publish time,
    // slot of posting.
    let now = pledge.crash.exchange.session.slot();
    let spoilers: Vec<Spoiler> = vec![
        Box::new(|oracle| oracle.owner = stranger()),
        Box::new(|oracle| oracle.data[0] ^= 1),
        Box::new(|oracle| oracle.data[40] = 0),
        Box::new(|oracle| oracle.data[41] ^= 1),
        Box::new(|oracle| oracle.data[73..81].fill(0)),
        Box::new(|oracle| oracle.data[80] = 0x80),
        // A hundredth of 150.00, and an atom.
        Box::new(|oracle| oracle.data[81..89].copy_from_slice(&151u64.to_le_bytes())),
        Box::new(|oracle| oracle.data[89..93].copy_from_slice(&(-40i32).to_le_bytes())),
        Box::new(|oracle| oracle.data[89..93].copy_from_slice(&40i32.to_le_bytes())),
        Box::new(|oracle| oracle.data[93..101].fill(0)),
        Box::new(|oracle| oracle.data[93..101].copy_from_slice(&i64::MAX.to_le_bytes())),
        Box::new(move |oracle| oracle.data[125..133].copy_from_slice(&(now + 1).to_le_bytes())),
        Box::new(move |oracle| oracle.data[125..133].copy_from_slice(&(now - 26).to_le_bytes())),
        Box::new(|oracle| oracle.data.truncate(120)),
    ];
    let wallet = pledge.buyer.wallet.insecure_clone();
    // A clock of this century, so that old is old.
    let mut clock = pledge
        .crash
        .exchange
        .session
        .svm
        .get_sysvar::<solana_clock::Clock>();
    clock.unix_timestamp = 1_700_000_000;
    pledge.crash.exchange.session.svm.set_sysvar(&clock);
    pledge.post();
    for spoil in spoilers {
        let session = &mut pledge.crash.exchange.session;
        session.svm.expire_blockhash();
        while_changed(session, &pledge.oracle.key, spoil, |session| {
            refused(session, from_ref(&bid), &[&wallet], bad);
        });
    }
    // The slab's mark is fresh, the collateral's price is not.
    pledge.crash.wait(26);
    pledge.refuse_bid(&bid, bad);
    pledge.post();
    pledge.buy(&[bid]);
}

#[test]
fn lq7_a_bad_price_begins_nothing_and_a_stale_mark_sells_nothing() {
    let mut pledge = Pledge::frozen();
    let bid = pledge.bid(HELD, 20_000 * QUOTE);
    pledge.crash.wait(26);
    pledge.refuse_bid(&bid, RouterError::BadCollateralPrice);
    pledge.post();
    pledge.buy(from_ref(&bid));
    // Only the collateral's oracle is posted: the slab's mark goes stale.
    pledge.crash.exchange.session.wait(20);
    pledge.post();
    pledge.refuse_bid(&bid, RouterError::NoDeficit);
}

#[test]
fn lq7_records_of_others_and_of_other_mints_do_not_pass() {
    let (mut pledge, bid) = open();
    let (member, _) = pledge.add_holder(5 * TOKEN);
    let quote = pledge.crash.exchange.mint;
    let other = ok(pledge.crash.exchange.create_mint(6));
    let terms = Change::add_collateral(&other, &quote, &rules(&pledge.oracle));
    change(&mut pledge.crash.exchange, &terms);
    let owner = pledge.crash.owner();
    let tokens = ok(pledge
        .crash
        .exchange
        .create_tokens_of(&other, &owner, TOKEN));
    pledge.send(&[router::deposit_collateral(&owner, &other, &tokens, TOKEN)]);
    pledge.wait(1);
    let portfolio = address::portfolio(&owner);
    let theirs = address::portfolio(&member.wallet.pubkey());
    let wrong = RouterError::WrongRecord;
    for (place, key, why) in [
        // Another user's holding, portfolio and escrow.
        (9, address::collateral_holding(&theirs, &pledge.mint), wrong),
        (2, theirs, wrong),
        (3, member.escrow, RouterError::WrongSlab),
        // Another mint's terms, holding, vault and tokens: the atoms of one are
        // worth a thousand of the other.
        (8, address::collateral_terms(&other), wrong),
        (9, address::collateral_holding(&portfolio, &other), wrong),
        (10, address::vault(&other), wrong),
        (11, address::vault_tokens(&other), wrong),
        (12, tokens, RouterError::WrongMint),
        // Quote for collateral and the reverse.
        (13, address::vault(&other), wrong),
        (14, address::vault_tokens(&other), wrong),
        (15, pledge.tokens, RouterError::WrongMint),
        (12, pledge.crash.victim.tokens, RouterError::WrongMint),
    ] {
        pledge.refuse_bid(&swapped(&bid, place, key), why);
    }
    let all = [
        (8, address::collateral_terms(&other)),
        (9, address::collateral_holding(&portfolio, &other)),
        (10, address::vault(&other)),
        (11, address::vault_tokens(&other)),
    ];
    // All of the other mint but the receiving account: 150 quote atoms for one.
    let dear = pledge.bid(1, 1_000);
    let mixed = all
        .iter()
        .fold(dear, |bid, (place, key)| swapped(&bid, *place, *key));
    let own = ok(pledge
        .crash
        .exchange
        .create_tokens_of(&other, &pledge.buyer.wallet.pubkey(), 0));
    // Terms and holding of the one, tokens of the other.
    let swap = |bid, (place, key): &(usize, _)| swapped(&bid, *place, *key);
    let tokens_of_other = swapped(&all[2..].iter().fold(bid.clone(), swap), 12, own);
    pledge.refuse_bid(&tokens_of_other, wrong);
    // All of the other: a sale of that mint, whose auction begins.
    pledge.buy(&[swapped(&mixed, 12, own)]);
    assert_eq!(pledge.balance(&own), 0);
    pledge.refuse_bid(&mixed, RouterError::WrongMint);
    // A healthy user's whole seat asks for nothing.
    let seat = router::settle(&member.wallet.pubkey(), &pledge.crash.exchange.slab, &quote);
    let mut healthy = bid.clone();
    for (place, meta) in seat.accounts.iter().take(3).enumerate() {
        healthy = swapped(&healthy, 2 + place, meta.pubkey);
    }
    let holding = address::collateral_holding(&theirs, &pledge.mint);
    pledge.refuse_bid(&swapped(&healthy, 9, holding), RouterError::NoDeficit);
    pledge.buy(&[bid]);
}

#[test]
fn lq7_forged_records_sell_nothing() {
    let (mut pledge, bid) = open();
    let wallet = pledge.buyer.wallet.insecure_clone();
    for place in [1, 2, 3, 4, 5, 8, 9, 10, 13] {
        for spoil in forge::spoilers() {
            let key = bid.accounts[place].pubkey;
            let session = &mut pledge.crash.exchange.session;
            session.svm.expire_blockhash();
            while_changed(session, &key, spoil, |session| {
                refused(
                    session,
                    from_ref(&bid),
                    &[&wallet],
                    RouterError::WrongRecord,
                );
            });
        }
    }
    // A copy of the escrow or of the holding is no program's record elsewhere.
    for place in [3, 9] {
        let key = bid.accounts[place].pubkey;
        let session = &mut pledge.crash.exchange.session;
        let copy = plant_copy(session, &key, |account| account.owner = stranger());
        pledge.refuse_bid(&swapped(&bid, place, copy), RouterError::WrongRecord);
    }
}

#[test]
fn lq7_no_written_account_is_named_twice_or_read_only() {
    let (mut pledge, bid) = open();
    for from in WRITTEN {
        for to in WRITTEN.iter().filter(|to| **to != from) {
            let doubled = swapped(&bid, *to, bid.accounts[from].pubkey);
            pledge.refuse_bid(&doubled, DUPLICATE);
        }
        let mut frozen = bid.clone();
        frozen.accounts[from].is_writable = false;
        pledge.refuse_bid(&frozen, NOT_WRITABLE);
    }
}

#[test]
fn lq7_who_does_not_pay_gets_nothing() {
    let (mut pledge, bid) = open();
    for (amount, pay) in [(0, QUOTE), (TOKEN, 0), (0, 0)] {
        let zero = pledge.bid(amount, pay);
        pledge.refuse_bid(&zero, RouterError::ZeroAmount);
    }
    let mut unsigned = bid.clone();
    unsigned.accounts[0].is_signer = false;
    let session = &mut pledge.crash.exchange.session;
    refused(session, from_ref(&unsigned), &[], UNSIGNED);
    // Somebody else's quote, and the vault's own.
    let theirs = pledge.crash.buyer.tokens;
    pledge.refuse_bid(&swapped(&bid, 15, theirs), TOKEN_OWNER);
    let mint = pledge.mint;
    let poor = Pledge::purse(&mut pledge.crash, &mint, 869 * QUOTE);
    let dear = pledge.bid_of(&poor, HELD, 20_000 * QUOTE);
    pledge.refuse_as(&poor.wallet, &dear, TOKEN_FUNDS);
    let other = Why::Runtime("IncorrectProgramId");
    pledge.refuse_bid(&swapped(&bid, 18, address::SLAB), other);
    // Nor by a price per atom that only the whole offer would reach.
    let half = pledge.bid(10_000 * TOKEN, 10_000 * 134_999_999);
    pledge.refuse_bid(&half, RouterError::BidTooLow);
    let most = pledge.bid(u64::MAX, u64::MAX);
    pledge.buy(&[most]);
    assert_eq!(pledge.position().raised_total_atoms, 870 * QUOTE);
}

#[test]
fn lq7_nothing_is_sold_in_a_pause_nor_soon_after() {
    let mut pledge = Pledge::open();
    let guardian = settle_down(&mut pledge.crash.exchange);
    pledge.consent(CONSENT);
    pledge.wait(1);
    pledge.crash.sink();
    pledge.freeze();
    let bid = pledge.bid(HELD, 20_000 * QUOTE);
    pledge.buy(from_ref(&bid));
    pledge.wait(100);
    let pause = router::pause(&guardian.pubkey(), 10);
    pledge.send_as(&guardian, &[pause]);
    pledge.refuse_bid(&bid, RouterError::Paused);
    pledge.wait(10);
    pledge.refuse_bid(&bid, RouterError::Paused);
    pledge.wait(u64::from(PAUSE_GRACE_SLOTS) - 1);
    pledge.refuse_bid(&bid, RouterError::Paused);
    // Two lengths have passed by now, so that it begins again.
    pledge.wait(1);
    pledge.buy(from_ref(&bid));
    assert_eq!(pledge.position().raised_total_atoms, 0);
    pledge.buy(&[bid]);
    assert_eq!(pledge.position().raised_total_atoms, 870 * QUOTE);
}

#[test]
fn x6_no_instruction_of_collateral_may_be_called_by_a_program() {
    let (mut pledge, bid) = open();
    deploy(&mut pledge.crash.exchange.session);
    let (deposit, withdraw) = (pledge.deposit(1), pledge.withdraw(1));
    pledge.refuse(&called(&deposit), RouterError::CalledByProgram);
    pledge.refuse(&called(&withdraw), RouterError::CalledByProgram);
    pledge.refuse_bid(&called(&bid), RouterError::CalledByProgram);
}

/// Two buyers, prices that move, margin moved on now and then: what was raised
/// stays within what was ever missing and consented to, every atom was paid at
/// least its lowest price, and the books add up after every step.
#[test]
fn lq7_whatever_buyers_do_the_owner_is_paid_for_what_was_asked() {
    for seed in 1..4 {
        let mut pledge = Pledge::frozen();
        let mint = pledge.mint;
        let second = Pledge::purse(&mut pledge.crash, &mint, 100_000 * QUOTE);
        let mut random = Random::new(seed);
        let mut bought = 0;
        for _ in 0..120 {
            if random.chance(50) {
                pledge.price = 14_000 + random.below(2_000);
                pledge.wait(1 + u64::from(random.below(8)));
            }
            let purse = if random.chance(50) {
                &second
            } else {
                &pledge.buyer
            };
            let amount = 1 + random.word() % (TOKEN / 2);
            let pay = (u128::from(amount) * (130 + u128::from(random.below(30))) / 1_000) as u64;
            let bid = pledge.bid_of(purse, amount, pay.max(1));
            let wallet = purse.wallet.insecure_clone();
            let before = pledge.position();
            let session = &mut pledge.crash.exchange.session;
            session.svm.expire_blockhash();
            match session.send(&[bid], &[&wallet]) {
                Ok(_) => {
                    let after = pledge.position();
                    let sold = after.sold_total_atoms - before.sold_total_atoms;
                    let paid = after.raised_total_atoms - before.raised_total_atoms;
                    bought += u32::from(sold > 0);
                    // 90 % of the oracle's price, in hundredths, for 1e9 atoms.
                    let least = u128::from(sold) * u128::from(pledge.price) * 9_000;
                    assert!(u128::from(paid) * u128::from(TOKEN) >= least);
                    // No more than its part of the bid, rounded up.
                    let bid = u128::from(pay.max(1)) * u128::from(sold);
                    assert!(u128::from(paid) <= bid.div_ceil(u128::from(amount)));
                }
                failed => {
                    let known = [RouterError::BidTooLow.code(), RouterError::NoDeficit.code()];
                    assert!(known.contains(&code(failed)));
                }
            }
            pledge.crash.audit();
            if random.chance(10) {
                let shift = [pledge.crash.shift(), pledge.crash.sync()];
                let session = &mut pledge.crash.exchange.session;
                session.svm.expire_blockhash();
                let _ = session.send_large(&shift, &[]);
                pledge.crash.audit();
            }
            assert!(pledge.position().raised_total_atoms <= 870 * QUOTE);
        }
        assert!(bought > 5, "seed {seed}: {bought} sales");
        assert!(pledge.position().raised_total_atoms > 400 * QUOTE);
    }
}

#[test]
fn lq7_tokens_that_arrive_by_themselves_belong_to_nobody() {
    let (mut pledge, bid) = open();
    let vault = address::vault_tokens(&pledge.mint);
    let session = &mut pledge.crash.exchange.session;
    let mut account = forge::account(session, &vault);
    account.data[64..72].copy_from_slice(&(HELD + 7 * TOKEN).to_le_bytes());
    session
        .svm
        .set_account(vault, account)
        .expect("the vault's tokens");
    pledge.crash.audit();
    pledge.buy(&[bid]);
    assert_eq!(pledge.vault().booked_atoms, pledge.position().amount_atoms);
    let left = pledge.balance(&vault) - pledge.vault().booked_atoms;
    assert_eq!(left, 7 * TOKEN);
}
