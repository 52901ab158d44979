//! Slabs that lie: the bytes of a slab, its program or its accounts are
//! forged, and the Router has to notice before it books anything.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::busy::{HOLD, busy, readers, refuse};
use flagstone_e2e_tests::forge::{account, plant_copy, spoilers, stranger};
use flagstone_e2e_tests::market::{Market, TAKER_CASH};
use flagstone_e2e_tests::money::{audit_custody, audit_money};
use flagstone_e2e_tests::refusal::refused;
use flagstone_e2e_tests::{QUOTE, ok};
use flagstone_sdk::engine::Slab;
use flagstone_sdk::engine::holds::HOLD_SLOTS_MAX;
use flagstone_sdk::interface::error::RouterError;
use flagstone_sdk::interface::router::{CAP_SLOTS_MAX, slab_status};
use flagstone_sdk::interface::slab::{HoldResult, hold_state};
use flagstone_sdk::{address, router};
use solana_account::Account;
use solana_signer::Signer;
use std::slice::from_ref;

type Lie = (&'static str, fn(&mut Slab<'_>, u32));

/// Writes a result into the open hold, as if it had been committed.
fn forge_result(slab: &mut Slab<'_>, charge_atoms: u64) {
    let result = HoldResult {
        charge_atoms,
        notional_atoms: 1,
        fee_atoms: 0,
        reserved: 0,
    };
    let hold = &mut slab.reservations[HOLD];
    hold.commitment.copy_from_slice(bytemuck::bytes_of(&result));
    hold.side_state = hold.side_state & 1 | hold_state::COMMITTED;
}

/// What proves a slab bad.
const EVIDENCE: [Lie; 8] = [
    ("debits run backwards", |slab, account| {
        slab.accounts[account].debited_total_atoms -= 1;
    }),
    ("debits start again", |slab, account| {
        slab.accounts[account].debited_total_atoms = 0;
    }),
    ("releases run backwards", |slab, account| {
        slab.accounts[account].released_total_atoms -= 1;
    }),
    ("a debit without a result", |slab, account| {
        slab.accounts[account].debited_total_atoms += 1;
    }),
    ("all that a counter holds", |slab, account| {
        slab.accounts[account].debited_total_atoms = u64::MAX;
    }),
    ("a result without a debit", |slab, _| forge_result(slab, 1)),
    ("a result that is not the debit", |slab, account| {
        slab.accounts[account].debited_total_atoms += 5;
        forge_result(slab, 4);
    }),
    ("more than the capability", |slab, account| {
        let charge = slab.reservations[HOLD].max_charge_atoms + 1;
        slab.accounts[account].debited_total_atoms += charge;
        forge_result(slab, charge);
    }),
];

#[test]
fn x5_evidence_aborts_routes_and_quarantines_for_good_when_settled() {
    for (what, lie) in EVIDENCE {
        let mut market = busy();
        let readers = readers(&mut market);
        let (seat, books) = (market.seats[0], audit_money(&market.exchange.session));
        let session = &mut market.exchange.session;
        let edited = session.edit_slab(&seat.slab, |slab| lie(slab, seat.account.into()));
        edited.expect("a slab");
        for reader in &readers {
            refuse(&mut market, reader, RouterError::BadCounters);
        }
        assert_eq!(market.status(0), slab_status::ACTIVE, "{what}");
        let escrow = market.escrow(0);
        let settle = market.settle(0);
        ok(market.exchange.session.send(from_ref(&settle), &[]));
        assert_eq!(market.status(0), slab_status::QUARANTINED, "{what}");
        let (after, custody) = (market.escrow(0), audit_custody(&market.exchange.session));
        assert_eq!(books, custody, "{what}: something was booked");
        assert_eq!(
            bytemuck::bytes_of(&escrow),
            bytemuck::bytes_of(&after),
            "{what}"
        );
        // Nothing reads it any more, and no attestation brings it back.
        for reader in readers.iter().chain([&(settle, false)]) {
            refuse(&mut market, reader, RouterError::WrongSlab);
        }
        let attest = router::attest_slab(&market.exchange.admin.pubkey(), &seat.slab);
        let admin = market.exchange.admin.insecure_clone();
        let session = &mut market.exchange.session;
        refused(session, &[attest], &[&admin], RouterError::WrongSlab);
        let fund = router::fund_slab(
            &market.taker.wallet.pubkey(),
            &seat.slab,
            &market.exchange.mint,
            1,
        );
        refuse(&mut market, &(fund, true), RouterError::WrongSlab);
        // The other slab goes on.
        let other = market.route_of(vec![market.leg(1, 5, 0)]);
        ok(market.send(&other.instructions()));
        audit_custody(&market.exchange.session);
    }
}

#[test]
fn x2_an_account_handed_to_somebody_else_is_an_error_and_no_evidence() {
    let lies: [Lie; 4] = [
        ("reopened: the next generation", |slab, account| {
            slab.accounts[account].generation += 1;
            slab.accounts[account].debited_total_atoms = 0;
        }),
        ("bound to another escrow", |slab, account| {
            slab.accounts[account].escrow[0] ^= 1;
        }),
        ("closed", |slab, account| slab.accounts[account].flags = 0),
        ("zeroed", |slab, account| {
            slab.accounts[account] = bytemuck::Zeroable::zeroed();
        }),
    ];
    for (what, lie) in lies {
        let mut market = busy();
        let mut readers = readers(&mut market);
        let settle = market.settle(0);
        readers.push((settle, false));
        let seat = market.seats[0];
        let session = &mut market.exchange.session;
        let edited = session.edit_slab(&seat.slab, |slab| lie(slab, seat.account.into()));
        edited.expect("a slab");
        for reader in &readers {
            refuse(&mut market, reader, RouterError::NotBound);
        }
        assert_eq!(market.status(0), slab_status::ACTIVE, "{what}");
        audit_custody(&market.exchange.session);
    }
}

#[test]
fn x1_a_hold_that_never_expires_cannot_pin_money_down() {
    let mut market = Market::open(1);
    let route = market.route(10, 0);
    market.step(&route.reserve());
    let (slab_key, slot) = (market.seats[0].slab, market.exchange.session.slot() as u32);
    let longest = CAP_SLOTS_MAX.0;
    assert_eq!(CAP_SLOTS_MAX, HOLD_SLOTS_MAX, "no honest hold is refused");
    for expiry in [slot + longest + 1, u32::MAX] {
        let forever = |slab: &mut Slab<'_>| slab.reservations[1].expiry_slot.0 = expiry;
        market
            .exchange
            .session
            .edit_slab(&slab_key, forever)
            .expect("a slab");
        refuse(&mut market, &(route.open(), true), RouterError::BadHold);
    }
    let longest = |slab: &mut Slab<'_>| slab.reservations[1].expiry_slot.0 = slot + longest;
    market
        .exchange
        .session
        .edit_slab(&slab_key, longest)
        .expect("a slab");
    ok(market.send(&[route.open()]));
}

#[test]
fn x3_a_release_beyond_the_backing_is_paid_as_far_as_it_goes() {
    let mut market = busy();
    let before = audit_money(&market.exchange.session);
    let (seat, cash) = (market.seats[0], market.cash());
    let (backing, other) = (
        market.ledger(0).backing_atoms,
        market.ledger(1).backing_atoms,
    );
    let lie = |slab: &mut Slab<'_>| {
        slab.accounts[u32::from(seat.account)].released_total_atoms = u64::MAX;
    };
    market
        .exchange
        .session
        .edit_slab(&seat.slab, lie)
        .expect("a slab");
    for _ in 0..2 {
        let settle = market.settle(0);
        ok(market.exchange.session.send(&[settle], &[]));
        // The slab's own backing and not an atom more; the rest stays owed.
        assert_eq!(market.cash(), cash + backing);
        assert_eq!(market.ledger(0).backing_atoms, 0);
        assert_eq!(market.ledger(1).backing_atoms, other);
        let owed = u64::MAX - market.escrow(0).released_seen_atoms;
        assert_eq!(owed, u64::MAX - 5 * QUOTE - backing);
        let after = audit_custody(&market.exchange.session);
        assert_eq!(after.booked(), before.booked());
        assert_eq!(after.pledged, before.pledged);
    }
}

#[test]
fn x3_whatever_reads_a_slab_books_all_of_it() {
    // A charge and a release wait; each reader books both.
    for reader in 0..4 {
        let mut market = Market::open(1);
        market.fund(0, 20 * QUOTE);
        let route = market.reserve_and_open(10, 5);
        market.step(&route.commit());
        market.fund(0, 10 * QUOTE);
        let release = market.release(0, 4 * QUOTE);
        market.step(&[release]);
        let mut next = market.leg(0, 1, 0);
        next.cap = 1;
        let fresh = market.route_of(vec![next]);
        market.step(&fresh.reserve());
        market.wait(if reader == 3 { 6 } else { 0 });
        let read = match reader {
            0 => fresh.open(),
            1 => route.settle(),
            2 => market.settle(0),
            _ => market.refund(0, 0),
        };
        market.step(&[read]);
        let (escrow, account) = (market.escrow(0), market.account(0));
        assert!(account.debited_total_atoms > 0);
        assert_eq!(escrow.debited_seen_atoms, account.debited_total_atoms);
        assert_eq!(escrow.released_seen_atoms, 4 * QUOTE);
        let spent = 26 * QUOTE + account.debited_total_atoms + escrow.balance_atoms;
        assert_eq!(market.cash(), TAKER_CASH - spent);
    }
}

#[test]
fn x5_a_forged_slab_is_refused_by_every_reader() {
    let mut market = busy();
    let mut readers = readers(&mut market);
    let settle = market.settle(0);
    readers.push((settle, false));
    // Where each lists the slab, the escrow and the ledger.
    let places = [[4, 6, 7], [2, 4, 5], [4, 1, 2], [4, 1, 2]];
    let seat = market.seats[0];
    for (reader, [slab_at, escrow_at, ledger_at]) in readers.iter().zip(places) {
        // A copy at another address, with more released than ever was.
        let key = plant_copy(&mut market.exchange.session, &seat.slab, |_| ());
        let generous = |slab: &mut Slab<'_>| {
            slab.accounts[u32::from(seat.account)].released_total_atoms += QUOTE;
        };
        market
            .exchange
            .session
            .edit_slab(&key, generous)
            .expect("a slab");
        let mut forged = reader.clone();
        assert_eq!(forged.0.accounts[slab_at].pubkey, seat.slab);
        forged.0.accounts[slab_at].pubkey = key;
        refuse(&mut market, &forged, RouterError::WrongSlab);
        // A copy of the escrow or the ledger that the Router did not write.
        for place in [escrow_at, ledger_at] {
            for owner in [address::SLAB, stranger(), Default::default()] {
                let original = reader.0.accounts[place].pubkey;
                let copy = |account: &mut Account| account.owner = owner;
                let key = plant_copy(&mut market.exchange.session, &original, copy);
                let mut forged = reader.clone();
                forged.0.accounts[place].pubkey = key;
                refuse(&mut market, &forged, RouterError::WrongRecord);
            }
            // Another slab in their place.
            let mut forged = reader.clone();
            forged.0.accounts[place].pubkey = market.seats[1].slab;
            refuse(&mut market, &forged, RouterError::WrongRecord);
        }
        // The right address, the wrong owner or bytes.
        for spoil in spoilers() {
            let original = account(&market.exchange.session, &seat.slab);
            let mut spoiled = original.clone();
            spoil(&mut spoiled);
            let svm = &mut market.exchange.session.svm;
            svm.set_account(seat.slab, spoiled).expect("an account");
            refuse(&mut market, reader, RouterError::WrongSlab);
            let svm = &mut market.exchange.session.svm;
            svm.set_account(seat.slab, original).expect("an account");
        }
    }
}
