//! Rule X11: users leave a slab that is lost, by proof or by their principal,
//! once, in proportion, and whoever comes last gets the same share.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::evil::{Evil, VICTIM_PLEDGE, of_evil};
use flagstone_e2e_tests::govern::change;
use flagstone_e2e_tests::market::{Market, TAKER_CASH};
use flagstone_e2e_tests::money::{audit_custody, audit_money};
use flagstone_e2e_tests::{QUOTE, code, ok};
use flagstone_sdk::embedded::{Failure, Member, Receipt};
use flagstone_sdk::engine::Slab;
use flagstone_sdk::interface::error::RouterError;
use flagstone_sdk::interface::router::{
    ROOT_AGE_SLOTS, SlabLedger, escrow_state, exit_mode, slab_status,
};
use flagstone_sdk::root::{AccountProof, RootTree};
use flagstone_sdk::router::Change;
use flagstone_sdk::units::Slot;
use flagstone_sdk::{address, router, slab};
use solana_account::Account;
use solana_address::Address;
use solana_signer::Signer;

/// A market in which maker and taker hold positions and cash.
fn traded() -> Market {
    let mut market = Market::open(1);
    let route = market.route(10, 0);
    market.step(&route.instructions());
    market.fund(0, 500 * QUOTE);
    market
}

/// Publishes a root and returns the tree that it is of.
///
/// On chain a root that is begun goes on at once, so the tree is read from a
/// copy in which it was only begun.
fn publish(market: &mut Market) -> RootTree {
    let key = market.exchange.slab;
    let session = &mut market.exchange.session;
    let slot = Slot(session.slot() as u32);
    let original = session.svm.get_account(&key).expect("a slab");
    let begin = |slab: &mut Slab<'_>| {
        let _ = slab.publish_root(0, slot);
        RootTree::read(slab)
    };
    let tree = session.edit_slab(&key, begin).expect("a slab");
    let tree = tree.expect("a root under construction");
    session.svm.set_account(key, original).expect("a slab");
    for _ in 0..100 {
        market.exchange.session.svm.expire_blockhash();
        market.crank(slab::publish_root(&key, 4));
        let session = &market.exchange.session;
        let done = session.with_slab(&key, |slab| slab.header.root_page_next == 0);
        if done.expect("a slab") {
            return tree;
        }
    }
    panic!("the root never ended")
}

fn verify(market: &mut Market) -> Result<Receipt, Box<Failure>> {
    let exchange = &mut market.exchange;
    let verify = router::verify_root(&exchange.slab, &address::SLAB, &exchange.mint);
    exchange.session.svm.expire_blockhash();
    exchange.session.send(&[verify], &[])
}

/// The counters of the taker's account run backwards, and somebody settles.
fn quarantine(market: &mut Market) {
    let seat = market.seats[0];
    let lie = |slab: &mut Slab<'_>| {
        slab.accounts[u32::from(seat.account)].debited_total_atoms = 0;
    };
    let edited = market.exchange.session.edit_slab(&seat.slab, lie);
    edited.expect("a slab");
    let settle = market.settle(0);
    ok(market.exchange.session.send(&[settle], &[]));
    assert_eq!(market.status(0), slab_status::QUARANTINED);
}

fn exit(
    market: &mut Market,
    taker: bool,
    proof: Option<&AccountProof>,
) -> Result<Receipt, Box<Failure>> {
    let member: &Member = if taker { &market.taker } else { &market.maker };
    let wallet = member.wallet.insecure_clone();
    let (slab_key, mint) = (market.exchange.slab, market.exchange.mint);
    let exit = router::exit_by_proof(&wallet.pubkey(), &slab_key, &mint, proof);
    market.exchange.session.svm.expire_blockhash();
    let outcome = market.exchange.session.send(&[exit], &[&wallet]);
    audit_custody(&market.exchange.session);
    outcome
}

fn cash(market: &Market, taker: bool) -> u64 {
    let member = if taker { &market.taker } else { &market.maker };
    market.exchange.portfolio(member).expect("one").cash_atoms
}

fn proof_of(market: &Market, tree: &RootTree, taker: bool) -> AccountProof {
    let seats = if taker {
        &market.seats
    } else {
        &market.maker_seats
    };
    tree.proof(seats[0].account.into()).expect("a proof")
}

#[track_caller]
fn refused<T>(outcome: Result<T, Box<Failure>>, why: RouterError) {
    assert_eq!(code(outcome), why.code(), "{why}");
}

/// A traded market with a root that is old enough, and what moved since.
fn aged() -> (Market, RootTree) {
    let mut market = traded();
    let tree = publish(&mut market);
    ok(verify(&mut market));
    market.wait(u64::from(ROOT_AGE_SLOTS));
    (market, tree)
}

#[test]
fn x11_users_leave_by_proof_with_what_moved_since() {
    let (mut market, tree) = aged();
    // Since the root: a deposit and a release, both booked.
    market.fund(0, 70 * QUOTE);
    let release = market.release(0, 30 * QUOTE);
    ok(market.send(&[release]));
    let settle = market.settle(0);
    ok(market.exchange.session.send(&[settle], &[]));
    let backing = market.ledger(0).backing_atoms;
    quarantine(&mut market);
    let terms = market.ledger(0).exit;
    assert_eq!(terms.mode, exit_mode::ROOT);
    assert_eq!(terms.numerator_atoms, backing);
    assert_eq!(terms.denominator_atoms, backing + 30 * QUOTE);
    let share = |atoms: u64| {
        let whole = u128::from(terms.denominator_atoms);
        (u128::from(atoms) * u128::from(backing) / whole) as u64
    };
    let before = [cash(&market, true), cash(&market, false)];
    for (at, taker) in [true, false].into_iter().enumerate() {
        let proof = proof_of(&market, &tree, taker);
        let equity = proof.leaf.equity_atoms as u64;
        let claim = if taker { equity + 40 * QUOTE } else { equity };
        ok(exit(&mut market, taker, Some(&proof)));
        assert_eq!(cash(&market, taker) - before[at], share(claim));
        // Once.
        refused(exit(&mut market, taker, Some(&proof)), RouterError::NoExit);
    }
    assert_eq!(market.escrow(0).state, escrow_state::EXITED);
    let after = market.ledger(0).backing_atoms;
    assert!(
        after <= 31 * QUOTE,
        "what is left is what was set aside: {after}"
    );
}

#[test]
fn x11_a_proof_is_of_ones_own_leaf_under_the_frozen_root() {
    let (mut market, tree) = aged();
    quarantine(&mut market);
    let own = proof_of(&market, &tree, true);
    let other = proof_of(&market, &tree, false);
    assert!(other.leaf.equity_atoms > own.leaf.equity_atoms);
    let mut forged = Vec::new();
    // Somebody else's leaf; more equity; fewer releases; another way up.
    forged.push(other.clone());
    for change in [
        |proof: &mut AccountProof| proof.leaf.equity_atoms += 1,
        |proof: &mut AccountProof| proof.leaf.deposited_seen_atoms -= 1,
        |proof: &mut AccountProof| proof.leaf.released_total_atoms += 1,
        |proof: &mut AccountProof| proof.leaf.account += 1,
        |proof: &mut AccountProof| proof.leaf.generation += 1,
        |proof: &mut AccountProof| proof.leaf.slot.0 += 1,
        |proof: &mut AccountProof| proof.siblings[0][0] ^= 1,
        |proof: &mut AccountProof| proof.pages += 1,
        |proof: &mut AccountProof| proof.siblings.clear(),
    ] {
        let mut bad = own.clone();
        change(&mut bad);
        forged.push(bad);
    }
    let mut dressed = other;
    dressed.leaf.escrow = own.leaf.escrow;
    forged.push(dressed);
    for bad in &forged {
        refused(exit(&mut market, true, Some(bad)), RouterError::BadProof);
    }
    // A loser cannot leave his leaf at home either.
    refused(exit(&mut market, true, None), RouterError::BadProof);
    ok(exit(&mut market, true, Some(&own)));
}

#[test]
fn x11_an_escrow_bound_after_the_root_leaves_with_what_it_paid_in() {
    let (mut market, _) = aged();
    let late = market.join();
    ok(market.exchange.fund(&late, 80 * QUOTE));
    audit_money(&market.exchange.session);
    quarantine(&mut market);
    let before = market.exchange.portfolio(&late).expect("one").cash_atoms;
    let wallet = late.wallet.insecure_clone();
    let (slab_key, mint) = (market.exchange.slab, market.exchange.mint);
    let exit = router::exit_by_proof(&wallet.pubkey(), &slab_key, &mint, None);
    ok(market.exchange.session.send(&[exit], &[&wallet]));
    let after = market.exchange.portfolio(&late).expect("one").cash_atoms;
    assert_eq!(after - before, 80 * QUOTE);
    audit_custody(&market.exchange.session);
}

/// Leaves as a member who joined late.
fn leave(
    market: &mut Market,
    member: &Member,
    proof: Option<&AccountProof>,
) -> Result<Receipt, Box<Failure>> {
    let (slab_key, mint) = (market.exchange.slab, market.exchange.mint);
    let wallet = member.wallet.insecure_clone();
    let exit = router::exit_by_proof(&wallet.pubkey(), &slab_key, &mint, proof);
    market.exchange.session.svm.expire_blockhash();
    market.exchange.session.send(&[exit], &[&wallet])
}

#[test]
fn x11_the_slot_of_a_root_locks_nobody_in_and_lets_nobody_hide() {
    let mut market = traded();
    // All in one slot: one account opens before the root, one after it.
    let early = market.join();
    ok(market.exchange.fund(&early, 80 * QUOTE));
    let tree = publish(&mut market);
    let late = market.join();
    ok(market.exchange.fund(&late, 80 * QUOTE));
    ok(verify(&mut market));
    market.wait(u64::from(ROOT_AGE_SLOTS));
    quarantine(&mut market);
    assert_eq!(market.ledger(0).exit.root_slot, tree.slot());
    refused(leave(&mut market, &early, None), RouterError::BadProof);
    let proof = tree.proof(early.account.into()).expect("a proof");
    ok(leave(&mut market, &early, Some(&proof)));
    ok(leave(&mut market, &late, None));
    for member in [&early, &late] {
        let cash = market.exchange.portfolio(member).expect("one").cash_atoms;
        assert_eq!(cash, TAKER_CASH);
    }
    audit_custody(&market.exchange.session);
}

#[test]
fn x11_a_root_counts_only_when_it_aged_before_the_evidence() {
    // None at all, and one copied a slot too late.
    for slots in [None, Some(ROOT_AGE_SLOTS - 1), Some(ROOT_AGE_SLOTS)] {
        let mut market = traded();
        if let Some(slots) = slots {
            publish(&mut market);
            ok(verify(&mut market));
            market.wait(u64::from(slots));
        }
        quarantine(&mut market);
        let expected = match slots {
            Some(ROOT_AGE_SLOTS) => exit_mode::ROOT,
            _ => exit_mode::PRINCIPAL,
        };
        assert_eq!(market.ledger(0).exit.mode, expected);
    }
}

#[test]
fn x11_fresh_roots_never_push_out_the_one_that_counts() {
    let (mut market, _) = aged();
    let counts = market.ledger(0).roots[0].root;
    // Whoever wants no root to count copies a new one as often as possible.
    for _ in 0..5 {
        publish(&mut market);
        let _ = verify(&mut market);
        market.wait(u64::from(ROOT_AGE_SLOTS) / 10);
    }
    let [newest, older] = market.ledger(0).roots;
    assert_ne!(newest.root, counts);
    assert_eq!(older.root, counts);
    quarantine(&mut market);
    let exit = market.ledger(0).exit;
    assert_eq!((exit.mode, exit.root), (exit_mode::ROOT, counts));
}

#[test]
fn x11_no_root_is_copied_that_the_slab_cannot_mean() {
    let mut market = traded();
    refused(verify(&mut market), RouterError::BadRoot);
    publish(&mut market);
    let key = market.exchange.slab;
    let backing = market.ledger(0).backing_atoms as i64;
    let lies: [(&str, i64, u32); 4] = [
        ("above the backing", backing + 1, 0),
        ("below zero", -1, 0),
        ("of a later slot", 5, 1),
        ("of another age", 5, u32::MAX),
    ];
    let original = market
        .exchange
        .session
        .svm
        .get_account(&key)
        .expect("a slab");
    for (what, sum, later) in lies {
        let lie = |slab: &mut Slab<'_>| {
            slab.header.root_sum_atoms = sum;
            slab.header.root_slot.0 = slab.header.root_slot.0.wrapping_add(later);
            if later == u32::MAX {
                slab.header.root_slot.0 = 0;
            }
        };
        market
            .exchange
            .session
            .edit_slab(&key, lie)
            .expect("a slab");
        assert_eq!(
            code(verify(&mut market)),
            RouterError::BadRoot.code(),
            "{what}"
        );
        let svm = &mut market.exchange.session.svm;
        svm.set_account(key, original.clone()).expect("a slab");
    }
    ok(verify(&mut market));
    refused(verify(&mut market), RouterError::BadRoot);
}

#[test]
fn x11_without_a_root_users_share_by_principal_whoever_is_first() {
    for accomplice_first in [true, false] {
        let mut evil = Evil::open();
        // The thief takes as much as is there, and then the lie comes out.
        evil.edit_account(false, |account| {
            account.released_total_atoms = VICTIM_PLEDGE / 2;
        });
        let settle = evil.settle(false);
        ok(evil.send(false, &[settle]));
        evil.edit_account(true, |account| account.debited_total_atoms = 1);
        let settle = evil.settle(true);
        ok(evil.send(true, &[settle]));
        assert_eq!(evil.entry().status, slab_status::QUARANTINED);
        let terms = evil.ledger().exit;
        assert_eq!(terms.mode, exit_mode::PRINCIPAL);
        assert_eq!(terms.denominator_atoms, VICTIM_PLEDGE);
        let left = evil.ledger().backing_atoms;
        let before = [
            evil.portfolio(true).cash_atoms,
            evil.portfolio(false).cash_atoms,
        ];
        for victim in [!accomplice_first, accomplice_first] {
            let owner = evil.member(victim).wallet.pubkey();
            let mint = evil.market.exchange.mint;
            let exit = of_evil(router::exit_by_proof(&owner, &evil.slab, &mint, None));
            ok(evil.send(victim, &[exit]));
            audit_custody(&evil.market.exchange.session);
        }
        // Who got more than he paid in has no principal left to claim.
        assert_eq!(evil.portfolio(true).cash_atoms - before[0], left);
        assert_eq!(evil.portfolio(false).cash_atoms, before[1]);
    }
}

#[test]
fn x11_capabilities_that_were_never_booked_return_in_full() {
    let mut market = Market::open(1);
    let route = market.route(10, 0);
    market.step(&route.instructions());
    market.fund(0, QUOTE);
    let mut next = market.leg(0, 5, 20);
    next.cap = 1;
    let route = market.route_of(vec![next]);
    market.step(&route.reserve());
    market.step(&[route.open()]);
    let pledged = market.escrow(0).balance_atoms;
    assert!(pledged > 0);
    quarantine(&mut market);
    let before = cash(&market, true);
    let principal = market.escrow(0).principal_atoms();
    ok(exit(&mut market, true, None));
    assert_eq!(market.escrow(0).balance_atoms, 0);
    let terms = market.ledger(0).exit;
    let share = u128::from(principal) * u128::from(terms.numerator_atoms)
        / u128::from(terms.denominator_atoms);
    assert_eq!(cash(&market, true) - before, pledged + share as u64);
}

#[test]
fn x11_nobody_leaves_a_slab_that_is_open_nor_for_somebody_else() {
    let (mut market, tree) = aged();
    let proof = proof_of(&market, &tree, true);
    refused(exit(&mut market, true, Some(&proof)), RouterError::NoExit);
    quarantine(&mut market);
    let (owner, thief) = (
        market.taker.wallet.pubkey(),
        market.maker.wallet.insecure_clone(),
    );
    let (slab_key, mint) = (market.exchange.slab, market.exchange.mint);
    let mut foreign = router::exit_by_proof(&owner, &slab_key, &mint, Some(&proof));
    foreign.accounts[0].pubkey = thief.pubkey();
    let outcome = market.exchange.session.send(&[foreign], &[&thief]);
    refused(outcome, RouterError::WrongOwner);
    let own = router::exit_by_proof(&thief.pubkey(), &slab_key, &mint, Some(&proof));
    let outcome = market.exchange.session.send(&[own], &[&thief]);
    refused(outcome, RouterError::BadProof);
}

fn status(market: &mut Market, status: u8) {
    let (slab_key, mint) = (market.exchange.slab, market.exchange.mint);
    let change_to = Change::set_slab_status(&slab_key, &mint, status);
    change(&mut market.exchange, &change_to);
}

#[test]
fn x10_x11_a_dead_slab_takes_no_new_money_and_pays_what_it_owes() {
    let mut market = traded();
    status(&mut market, slab_status::DEAD);
    let (owner, mint, slab_key) = (
        market.taker.wallet.pubkey(),
        market.exchange.mint,
        market.exchange.slab,
    );
    let fund = router::fund_slab(&owner, &slab_key, &mint, QUOTE);
    market.refuse(&fund, RouterError::WrongSlab);
    let mut next = market.leg(0, 1, 0);
    next.cap = 1;
    let route = market.route_of(vec![next]);
    market.step(&route.reserve());
    market.refuse(&route.open(), RouterError::WrongSlab);
    // While its program is the attested one users leave with live data.
    let before = cash(&market, true);
    let release = market.release(0, 20 * QUOTE);
    market.step(&[release]);
    let settle = market.settle(0);
    market.crank(settle);
    assert_eq!(cash(&market, true) - before, 20 * QUOTE);
    refused(exit(&mut market, true, None), RouterError::NoExit);
}

#[test]
fn x5_x11_a_dead_slab_whose_program_changes_lets_its_users_go_whatever_it_holds() {
    for ruined in [false, true] {
        let mut market = traded();
        status(&mut market, slab_status::DEAD);
        let key = address::program_data(&address::SLAB);
        let mut data = market.exchange.session.svm.get_account(&key).expect("data");
        data.data[4] ^= 1;
        let svm = &mut market.exchange.session.svm;
        svm.set_account(key, data).expect("program data");
        if ruined {
            // The new code leaves nothing that anyone could read.
            let slab_key: Address = market.exchange.slab;
            let zeros = Account {
                owner: address::SLAB,
                lamports: 1_000_000_000,
                ..Account::default()
            };
            let svm = &mut market.exchange.session.svm;
            svm.set_account(slab_key, zeros).expect("a slab");
        }
        let settle = market.settle(0);
        ok(market.exchange.session.send(&[settle], &[]));
        assert_eq!(market.status(0), slab_status::QUARANTINED);
        ok(exit(&mut market, true, None));
        ok(exit(&mut market, false, None));
    }
}

#[test]
fn x11_governance_opens_the_exit_of_a_slab_that_nobody_can_settle() {
    let mut market = traded();
    let seat = market.seats[0];
    // Unbound: an error for every reader, and no evidence.
    let lie = |slab: &mut Slab<'_>| slab.accounts[u32::from(seat.account)].escrow[0] ^= 1;
    market
        .exchange
        .session
        .edit_slab(&seat.slab, lie)
        .expect("a slab");
    let settle = market.settle(0);
    market.refuse(&settle, RouterError::NotBound);
    status(&mut market, slab_status::QUARANTINED);
    ok(exit(&mut market, true, None));
    ok(exit(&mut market, false, None));
    // There is no way back.
    let ledger: SlabLedger = market.ledger(0);
    let (slab_key, mint) = (market.exchange.slab, market.exchange.mint);
    for back in [
        slab_status::ACTIVE,
        slab_status::DEAD,
        slab_status::QUARANTINED,
    ] {
        let change_to = Change::set_slab_status(&slab_key, &mint, back);
        let id = flagstone_e2e_tests::govern::propose(&mut market.exchange, &change_to);
        let why = flagstone_e2e_tests::govern::refusal(&mut market.exchange, &change_to, id);
        assert_eq!(why, RouterError::BadProposal.code());
    }
    assert_eq!(ledger.exit, market.ledger(0).exit);
}
