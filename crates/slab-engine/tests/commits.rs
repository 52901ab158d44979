//! Commit: at which prices, with whose money, and when not.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::router::{handle, reserve};
use common::{Exchange, Rng, key_of, params};
use flagstone_interface::event::{Fill, Held, Traded, outcome};
use flagstone_interface::router::Escrow;
use flagstone_interface::slab::HoldResult;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::holds::Reserve;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_units::{Lots, Side::Ask, Side::Bid, SignedPpm, Slot, Ticks};

/// A rich maker, account 1, and a taker without any cash, account 2.
fn with_poor_taker(params: &InstrumentParams) -> Exchange {
    let mut exchange = Exchange::new(params, 1);
    exchange.open(0);
    exchange
}

/// Ten lots at 1,000 held by account 2 until the end of the slot.
fn hold_ten(exchange: &mut Exchange) -> Held {
    exchange.post(1, Ask, 1_000, 10).unwrap();
    let order = reserve(2, Bid, 1_000, 10);
    exchange.reserve(&order).unwrap()
}

fn refused(exchange: &mut Exchange, held: &Held, cap: u8, error: SlabError) {
    let before = exchange.bytes().to_vec();
    assert_eq!(exchange.commit(held, cap).map(|_| ()), Err(error));
    assert!(*exchange.bytes() == before, "a refused commit left a trace");
}

fn met(traded: &Traded) -> Vec<(u16, u32, u32, u8)> {
    let entry = |fill: &Fill| (fill.account, fill.ticks, fill.lots, fill.outcome);
    traded.fills().iter().map(entry).collect()
}

#[test]
fn s9_a_hold_trades_at_the_captured_prices_although_the_book_moved() {
    // Once the price was read again at commit: 10 at 100 became 10 at 7,777.
    let mut exchange = Exchange::new(&params(), 4);
    let order = exchange.post(1, Ask, 1_000, 10).unwrap();
    exchange.post(3, Ask, 1_002, 10).unwrap();
    let held = exchange.reserve(&reserve(2, Bid, 1_002, 15)).unwrap();
    exchange.cancel(1, order).unwrap().unwrap();
    exchange.post(3, Ask, 990, 10).unwrap();
    exchange.post(4, Bid, 985, 10).unwrap();
    let traded = exchange.mint_and_commit(&held).unwrap();
    let expected = [
        (1, 1_000, 10, outcome::FULL),
        (3, 1_002, 5, outcome::PARTIAL),
    ];
    assert_eq!(met(&traded), expected);
    assert_eq!(exchange.position(2, 0), (15, 10 * 1_000 + 5 * 1_002));
    assert_eq!(exchange.position(3, 0), (-5, -5 * 1_002));
    exchange.audit();
}

#[test]
fn s8_a_captured_order_keeps_its_slot_until_the_hold_ends() {
    // Once a slice named an index only, and the slot could be used again.
    let mut exchange = Exchange::new(&params(), 3);
    let order = exchange.post(1, Ask, 1_000, 10).unwrap();
    let held = exchange.reserve(&reserve(2, Bid, 1_000, 10)).unwrap();
    exchange.cancel(1, order).unwrap().unwrap();
    assert_ne!(exchange.post(3, Ask, 1_090, 3).unwrap().0, order.0);
    assert_eq!(
        { exchange.mint_and_commit(&held).unwrap().notional_atoms },
        10_000
    );
    assert_eq!(exchange.position(3, 0), (0, 0));
    // Now it may be.
    assert_eq!(
        exchange.post(3, Ask, 1_090, 3).unwrap(),
        (order.0, order.1 + 1)
    );
    exchange.audit();
}

#[test]
fn s9_s12_the_record_the_event_and_the_prints_say_the_same() {
    let fees = InstrumentParams {
        taker_fee: SignedPpm(1_000),
        maker_fee: SignedPpm(-200),
        ..params()
    };
    let mut exchange = with_poor_taker(&fees);
    let held = hold_ten(&mut exchange);
    assert_eq!({ held.max_charge_atoms }, 1_000 + 10 + 200);
    let traded = exchange.mint_and_commit(&held).unwrap();
    // Margin of 10 % and the fee; the mark did not move.
    let result = HoldResult {
        charge_atoms: 1_010,
        notional_atoms: 10_000,
        fee_atoms: 10,
        reserved: 0,
    };
    let record = exchange.record(held.hold);
    assert_eq!(record.result(), Some(result));
    assert_eq!(
        (record.filled_lots, record.debited_after_atoms),
        (10, 1_010)
    );
    assert_eq!((record.bond_atoms, record.slices_head), (0, 0));
    assert_eq!(({ traded.charge_atoms }, { traded.fee_atoms }), (1_010, 10));
    assert_eq!(exchange.cash(2), 1_000);
    let print = exchange.slab().trades[0];
    assert_eq!((print.ticks, print.lots), (Ticks(1_000), Lots(10)));
    assert_eq!((print.maker, print.taker, print.side), (1, 2, 0));
    exchange.audit();
    exchange.audit_router();
}

#[test]
fn r4_x1_commit_is_legal_up_to_the_expiry_slot_and_no_longer() {
    for (slot, legal) in [(100, true), (104, true), (105, false), (10_000, false)] {
        let mut exchange = Exchange::new(&params(), 2);
        exchange.post(1, Ask, 1_000, 10).unwrap();
        let order = Reserve {
            ttl: Slot(4),
            ..reserve(2, Bid, 1_000, 10)
        };
        let held = exchange.reserve(&order).unwrap();
        // A capability that lives longer does not prolong the hold.
        let cap = exchange.mint(2, handle(&held), (7, 9_999, 20_000));
        exchange.slot = slot;
        if legal {
            exchange.commit(&held, cap).unwrap();
        } else {
            refused(&mut exchange, &held, cap, SlabError::Expired);
        }
        exchange.audit();
    }
}

#[test]
fn f1_r4_a_capability_that_is_not_for_this_hold_and_now_pays_nothing() {
    let mut exchange = Exchange::new(&params(), 2);
    exchange.post(1, Ask, 1_000, 20).unwrap();
    let order = Reserve {
        ttl: Slot(9),
        ..reserve(2, Bid, 1_000, 10)
    };
    let (held, other) = (
        exchange.reserve(&order).unwrap(),
        exchange.reserve(&order).unwrap(),
    );
    let (index, generation) = handle(&held);
    let atoms = held.max_charge_atoms + 50;
    let wrong = [
        ((7, atoms, 100), (index, generation)),
        ((8, atoms, 109), (index, generation)),
        ((7, atoms, 109), (index, generation + 1)),
        ((7, atoms, 109), (index, generation - 1)),
        ((7, atoms, 109), handle(&other)),
    ];
    exchange.slot = 101;
    for (terms, hold) in wrong {
        let cap = exchange.mint(2, hold, terms);
        refused(&mut exchange, &held, cap, SlabError::NoCap);
    }
    // Never minted, beyond the last, and burned.
    for cap in [15, 16, 255] {
        refused(&mut exchange, &held, cap, SlabError::NoCap);
    }
    let cap = exchange.mint(2, (index, generation), (7, atoms, 109));
    exchange.escrows[1].caps[usize::from(cap)].state = 2;
    refused(&mut exchange, &held, cap, SlabError::NoCap);
    exchange.escrows[1].caps[usize::from(cap)].state = 1;
    exchange.slot = 109;
    exchange.commit(&held, cap).unwrap();
    exchange.audit();
}

#[test]
fn x4_only_the_accounts_own_escrow_pays() {
    let mut exchange = Exchange::new(&params(), 3);
    let held = hold_ten(&mut exchange);
    let cap = exchange.mint_for(&held);
    let escrow = exchange.escrows[1];
    let wrong: [(u32, Escrow); 4] = [
        (3, escrow),
        (
            2,
            Escrow {
                bound_account: 3,
                ..escrow
            },
        ),
        (
            2,
            Escrow {
                bound_account: 0,
                ..escrow
            },
        ),
        (
            2,
            Escrow {
                bound_generation: 2,
                ..escrow
            },
        ),
    ];
    for (owner, escrow) in wrong {
        let key = key_of(9, owner);
        let got = exchange.commit_with(2, handle(&held), cap, (&key, &escrow));
        assert_eq!(got.map(|_| ()), Err(SlabError::NotBound));
    }
    // Another account, with a fitting capability of its own.
    let cap = exchange.mint(3, handle(&held), (7, 9_999, 100));
    let got = exchange.commit_from(3, handle(&held), 3, cap);
    assert_eq!(got.map(|_| ()), Err(SlabError::NotYourOrder));
    let got = exchange.commit_from(2, handle(&held), 3, cap);
    assert_eq!(got.map(|_| ()), Err(SlabError::NotBound));
    exchange.commit(&held, 0).unwrap();
    exchange.audit();
}

#[test]
fn r6_adv1_the_charge_stays_within_every_bound() {
    // The charge is 1,000 atoms of margin: one atom less anywhere refuses it.
    let mut exchange = with_poor_taker(&params());
    let held = hold_ten(&mut exchange);
    let cap = exchange.mint(2, handle(&held), (7, 999, 100));
    refused(&mut exchange, &held, cap, SlabError::ChargeTooLarge);
    exchange.escrows[1].caps[usize::from(cap)].remaining_atoms = 1_000;
    refused(&mut exchange, &held, cap, SlabError::ChargeTooLarge);
    exchange.escrows[1].balance_atoms = 1_000;
    let (index, generation) = handle(&held);
    exchange.slab().reservations[index].max_charge_atoms = 999;
    refused(&mut exchange, &held, cap, SlabError::ChargeTooLarge);
    exchange.slab().reservations[index].max_charge_atoms = 1_000;
    let traded = exchange
        .commit_from(2, (index, generation), 2, cap)
        .unwrap();
    assert_eq!({ traded.charge_atoms }, 1_000);
    exchange.audit();
    exchange.audit_router();
}

#[test]
fn adv1_no_capability_pays_for_two_holds() {
    // The balance covers both, but 1,000 of it are spent and not yet booked.
    let mut exchange = with_poor_taker(&params());
    exchange.post(1, Ask, 1_000, 20).unwrap();
    let order = reserve(2, Bid, 1_000, 10);
    let (first, second) = (
        exchange.reserve(&order).unwrap(),
        exchange.reserve(&order).unwrap(),
    );
    exchange.mint_and_commit(&first).unwrap();
    let cap = exchange.mint(2, handle(&second), (7, 1_000, 100));
    exchange.escrows[1].balance_atoms = 1_999;
    refused(&mut exchange, &second, cap, SlabError::ChargeTooLarge);
    exchange.escrows[1].balance_atoms = 2_000;
    exchange.commit(&second, cap).unwrap();
    assert_eq!(exchange.slab().accounts[2].debited_total_atoms, 2_000);
    // A Router that has seen more than was debited is not believed.
    exchange.escrows[1].debited_seen_atoms = 2_001;
    exchange.post(1, Ask, 1_000, 10).unwrap();
    let third = exchange.reserve(&order).unwrap();
    let cap = exchange.mint_for(&third);
    refused(&mut exchange, &third, cap, SlabError::CounterBackwards);
}

#[test]
fn adv1_random_bounds_never_charge_more_than_any_of_them() {
    let mut rng = Rng(9);
    let (mut charged, mut kept) = (0, 0);
    for _ in 0..2_000 {
        let mut exchange = with_poor_taker(&params());
        exchange.deposit(2, rng.below(400)).unwrap();
        let ticks = 995 + rng.below(10) as u32;
        exchange.post(1, Ask, ticks, 10).unwrap();
        let held = exchange.reserve(&reserve(2, Bid, 1_010, 10)).unwrap();
        let [remaining, balance] = [(); 2].map(|()| 500 + rng.below(1_000));
        let cap = exchange.mint(2, handle(&held), (7, remaining, 100));
        exchange.escrows[1].balance_atoms = balance;
        let mark = 1_000 + rng.below(21) as u32 - 10;
        exchange.slab().instruments[0].mark = Ticks(mark);
        let cash = exchange.cash(2);
        // Margin is a tenth of ten lots at the mark.
        let lacking = i64::from(mark) - 10 * (i64::from(mark) - i64::from(ticks)) - cash;
        let lacking = lacking.max(0) as u64;
        let most = remaining.min(balance).min(held.max_charge_atoms);
        match exchange.commit(&held, cap) {
            Ok(traded) => {
                assert!(lacking <= most);
                assert_eq!({ traded.charge_atoms }, lacking);
                charged += 1;
            }
            Err(error) => {
                assert_eq!((error, lacking > most), (SlabError::ChargeTooLarge, true));
                assert_eq!(exchange.cash(2), cash);
                kept += 1;
            }
        }
        exchange.audit();
    }
    assert!(charged > 500 && kept > 300, "{charged} {kept}");
}

#[test]
fn r7_m10_the_kill_band_is_measured_from_the_mark_at_reserve() {
    for (mark, legal) in [(1_010, true), (990, true), (1_011, false), (989, false)] {
        let mut exchange = Exchange::new(&params(), 2);
        let held = hold_ten(&mut exchange);
        let cap = exchange.mint(2, handle(&held), (7, 9_999, 100));
        exchange.slab().instruments[0].mark = Ticks(mark);
        if legal {
            exchange.commit(&held, cap).unwrap();
        } else {
            refused(&mut exchange, &held, cap, SlabError::MarkMoved);
            // It can still end.
            exchange.cancel_hold(2, handle(&held)).unwrap().unwrap();
        }
        exchange.audit();
    }
}

#[test]
fn r6_within_the_kill_band_the_charge_asked_for_is_enough() {
    for (mark, ticks) in [
        (990, 1_010),
        (1_000, 1_000),
        (1_010, 990),
        (990, 990),
        (1_010, 1_010),
    ] {
        for side in [Bid, Ask] {
            let mut exchange = with_poor_taker(&params());
            exchange.post(1, side.contra(), ticks, 137).unwrap();
            let limit = if side == Bid { 1_090 } else { 910 };
            let held = exchange.reserve(&reserve(2, side, limit, 137)).unwrap();
            exchange.slab().instruments[0].mark = Ticks(mark);
            exchange.mint_and_commit(&held).unwrap();
            exchange.audit_router();
        }
    }
}

#[test]
fn t1_a_frozen_account_commits_nothing_and_may_let_go() {
    let mut exchange = Exchange::new(&params(), 2);
    let held = hold_ten(&mut exchange);
    let cap = exchange.mint_for(&held);
    // Whether or not anybody told the slab.
    exchange.escrows[1].frozen = 1;
    refused(&mut exchange, &held, cap, SlabError::AccountFrozen);
    exchange.sync(2).unwrap();
    refused(&mut exchange, &held, cap, SlabError::AccountFrozen);
    exchange.cancel_hold(2, handle(&held)).unwrap().unwrap();
    exchange.audit();
}
