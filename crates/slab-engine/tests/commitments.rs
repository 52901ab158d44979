//! Commitments: what a hold was made for has to be revealed when it commits.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::router::{handle, hash, reserve};
use common::{Exchange, Outcome, key_of, params};
use flagstone_interface::event::{Held, Traded};
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::holds::{Reserve, Reveal};
use flagstone_units::{Lots, Side, Side::Ask, Side::Bid, Slot, Ticks};

const SALT: [u8; 16] = *b"0123456789abcdef";

fn terms(lots: u32, limit: u32) -> Reveal {
    Reveal {
        lots: Lots(lots),
        limit: Ticks(limit),
        salt: SALT,
        sha256: hash,
    }
}

/// Ten lots at 1,000 and ten at 1,001 for sale, and a hold on `lots` of them
/// that is committed to `promise` under this route and side.
fn committed(lots: u32, promise: &Reveal, route_id: u64, side: Side) -> (Exchange, Held) {
    let mut exchange = Exchange::new(&params(), 3);
    exchange.post(1, Ask, 1_000, 10).unwrap();
    exchange.post(1, Ask, 1_001, 10).unwrap();
    let order = Reserve {
        ttl: Slot(5),
        commitment: promise.digest(route_id, 0, side),
        ..reserve(2, Bid, 1_010, lots)
    };
    let held = exchange.reserve(&order).unwrap();
    (exchange, held)
}

fn commit(
    exchange: &mut Exchange,
    held: &Held,
    cap: u8,
    reveal: Option<Reveal>,
) -> Outcome<Traded> {
    let (key, escrow) = (key_of(9, 2), exchange.escrows[1]);
    exchange.commit_revealing(2, handle(held), cap, (&key, &escrow), reveal)
}

#[test]
fn m6_only_the_terms_that_were_committed_to_open_the_hold() {
    // Once the hash was stored and never looked at.
    let promise = terms(15, 1_001);
    let (mut exchange, held) = committed(15, &promise, 7, Bid);
    let cap = exchange.mint_for(&held);
    let salt = |at: usize, bit: u8| {
        let mut salt = SALT;
        salt[at] ^= bit;
        Some(Reveal { salt, ..promise })
    };
    let wrong = [
        None,
        salt(0, 1),
        salt(15, 128),
        Some(terms(16, 1_001)),
        Some(terms(15, 1_002)),
        Some(terms(15, 1_000)),
        Some(terms(0, 0)),
    ];
    for reveal in wrong {
        let before = exchange.bytes().to_vec();
        let got = commit(&mut exchange, &held, cap, reveal);
        assert_eq!(got.map(|_| ()), Err(SlabError::BadReveal), "{reveal:?}");
        assert!(*exchange.bytes() == before);
    }
    let traded = commit(&mut exchange, &held, cap, Some(promise)).unwrap();
    assert_eq!({ traded.lots }, 15);
    exchange.audit();
    // The print carries the commitment that it reveals.
    let digest = promise.digest(7, 0, Bid);
    let first = u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]);
    let slab = exchange.slab();
    let prints: Vec<_> = slab
        .trades
        .iter()
        .filter(|trade| trade.number > 0)
        .collect();
    assert_eq!(prints.len(), 2);
    assert!(prints.iter().all(|trade| trade.commitment == first));
}

#[test]
fn m6_a_commitment_of_another_route_or_side_opens_nothing() {
    for (route_id, side) in [(8, Bid), (7, Ask), (7 << 8, Bid)] {
        let promise = terms(15, 1_001);
        let (mut exchange, held) = committed(15, &promise, route_id, side);
        let cap = exchange.mint_for(&held);
        let got = commit(&mut exchange, &held, cap, Some(promise));
        assert_eq!(got.map(|_| ()), Err(SlabError::BadReveal));
        // What cannot be opened can still be let go.
        exchange.cancel_hold(2, handle(&held)).unwrap().unwrap();
        exchange.audit();
    }
}

#[test]
fn m6_a_hold_beyond_what_it_is_committed_to_opens_never() {
    // Fewer lots than it took, or a better price than its worst.
    for promise in [terms(14, 1_001), terms(15, 1_000)] {
        let (mut exchange, held) = committed(15, &promise, 7, Bid);
        let cap = exchange.mint_for(&held);
        let got = commit(&mut exchange, &held, cap, Some(promise));
        assert_eq!(got.map(|_| ()), Err(SlabError::BadReveal));
    }
    // More lots and a worse price than it found are within the promise.
    let promise = terms(100, 1_090);
    let (mut exchange, held) = committed(15, &promise, 7, Bid);
    let cap = exchange.mint_for(&held);
    assert!(commit(&mut exchange, &held, cap, Some(promise)).is_ok());
}

#[test]
fn m6_a_hold_without_a_commitment_has_nothing_to_reveal() {
    for reveal in [None, Some(terms(1, 1))] {
        let mut exchange = Exchange::new(&params(), 2);
        exchange.post(1, Ask, 1_000, 10).unwrap();
        let held = exchange.reserve(&reserve(2, Bid, 1_000, 10)).unwrap();
        let cap = exchange.mint_for(&held);
        assert!(commit(&mut exchange, &held, cap, reveal).is_ok());
    }
}

#[test]
fn t10_a_commitment_binds_and_does_not_hide() {
    // Anyone can read what the hold is for, in its record and its event ...
    let promise = terms(15, 1_001);
    let (mut exchange, held) = committed(15, &promise, 7, Bid);
    assert_eq!((held.instrument, held.side, { held.lots }), (0, 0, 15));
    let record = exchange.record(held.hold);
    assert_eq!((record.lots, record.worst_ticks), (15, 1_001));
    // ... and that the terms were fixed before it: two sets of terms, or the
    // same under another salt, never share a commitment.
    let mut digests = vec![record.commitment];
    for lots in 1..20 {
        for limit in 990..1_010 {
            digests.push(terms(lots, limit).digest(7, 0, Bid));
        }
    }
    for byte in 0..16 {
        let mut salt = SALT;
        salt[byte] ^= 1;
        digests.push(Reveal { salt, ..promise }.digest(7, 0, Bid));
    }
    let all = digests.len();
    digests.sort_unstable();
    digests.dedup();
    // One of the grid is the promise itself.
    assert_eq!(digests.len(), all - 1);
}
