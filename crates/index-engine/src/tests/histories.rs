//! The audit accepts a true history and no other.

use super::lifecycle::{BATCH, ORDER, POSITION, STOCK, Trade};
use super::support::{ADMIN, DESK, LIMITS, atoms_per_unit, key, sha256, units};
use crate::amounts::{Atoms, Quantity};
use crate::audit::{self, Counterpart, DeskHistory, Fault, Reason, Recorded, links, verify};
use crate::batch::Batch;
use crate::chain::{Chain, Event, EventHead};
use crate::inventory::{Assignment, Fill, Stock};
use crate::machine::Action;
use crate::members::{Line, LotsTaken};
use crate::orders::OrderMoved;
use crate::roles::{Limits, Role};
use bytemuck::{bytes_of, pod_read_unaligned};
use flagstone_units::Side;

fn done() -> Trade {
    let mut trade = Trade::new();
    trade.until_ready();
    trade.until_sent();
    trade.until_mintable();
    trade.until_invoiced();
    trade.gate(|gate, journal| gate.archive(journal)).unwrap();
    flip(&mut trade);
    trade
}

/// Attributes a lot of the inventory, then sells it all and more.
fn flip(trade: &mut Trade) {
    let manager = trade.world.role(Role::InventoryManager);
    let assignment = Assignment {
        order: ORDER,
        lot: 1,
        quantity: Quantity::new(3),
    };
    let sale = Fill {
        number: 9,
        quantity: units(2),
        price: atoms_per_unit(500_000),
        fee: Atoms(7),
        side: Side::Ask as u8,
        ..Fill::default()
    };
    let stock = &mut trade.stock;
    let done = trade.world.run(|journal| {
        let mut stock = Stock::open(stock.data())?;
        stock.assign(&manager, &assignment, journal)?;
        stock.fill(&manager, &sale, journal)?;
        assert_eq!(stock.inventory.flips, 1);
        Ok(())
    });
    done.unwrap();
}

fn slices(events: &[Vec<u8>]) -> Vec<&[u8]> {
    events.iter().map(Vec::as_slice).collect()
}

fn held(chain: &Chain, events: &[Vec<u8>]) -> Result<(), Fault> {
    verify(chain, slices(events), sha256)
}

/// Chains of the four records, with their events.
fn streams(trade: &mut Trade) -> Vec<(Chain, Vec<Vec<u8>>)> {
    let batch = Batch::open(trade.batch.data()).unwrap().head.chain;
    let position: Chain = pod_read_unaligned(&trade.collateral.bytes()[80..152]);
    let stock: Chain = pod_read_unaligned(&trade.stock.bytes()[56..128]);
    let desk = trade.world.desk.chain;
    let chains = [trade.order.chain, batch, position, stock, desk];
    assert_eq!(
        chains.map(|chain| chain.stream),
        [ORDER, BATCH, POSITION, STOCK, DESK]
    );
    let log = &trade.world.log;
    chains
        .map(|chain| (chain, log[&chain.stream].clone()))
        .into()
}

#[test]
fn ix6_a_true_history_is_accepted_to_the_last_byte() {
    let mut trade = done();
    for (chain, events) in streams(&mut trade) {
        assert!(events.len() >= 6, "a short history proves little");
        assert_eq!(held(&chain, &events), Ok(()));
    }
    let desk_events = trade.world.events(&DESK);
    let desk = DeskHistory::new(&trade.world.desk, LIMITS, &desk_events, sha256).unwrap();
    let events = trade.world.events(&ORDER);
    assert_eq!(audit::order(&trade.order, &desk, &events, sha256), Ok(()));
    let others = Counterpart {
        collateral: &trade.world.events(&POSITION),
        batches: &[(BATCH, &trade.world.events(&BATCH))],
    };
    assert_eq!(links(&events, &others, sha256), Ok(()));
    let mut scratch = trade.collateral.clone();
    let events = trade.world.events(&POSITION);
    let account = trade.collateral.bytes();
    assert_eq!(
        audit::collateral(account, scratch.data(), &desk, &events, sha256),
        Ok(())
    );
    let mut scratch = trade.stock.clone();
    let events = trade.world.events(&STOCK);
    let account = trade.stock.bytes();
    assert_eq!(
        audit::inventory(account, scratch.data(), &desk, &events, sha256),
        Ok(())
    );
}

#[test]
fn ix6_every_single_bit_counts() {
    let mut trade = done();
    let mut bits = 0;
    for (chain, events) in streams(&mut trade) {
        for at in 0..events.len() {
            let mut forged = events.clone();
            for bit in 0..events[at].len() * 8 {
                forged[at][bit / 8] ^= 1 << (bit % 8);
                assert!(held(&chain, &forged).is_err(), "event {at}, bit {bit}");
                forged[at][bit / 8] ^= 1 << (bit % 8);
                bits += 1;
            }
            assert_eq!(held(&chain, &forged), Ok(()));
        }
    }
    assert!(bits > 50_000, "{bits}");
}

#[test]
fn a_fault_names_the_event() {
    let mut trade = done();
    for (chain, events) in streams(&mut trade) {
        for at in 0..events.len() {
            let mut forged = events.clone();
            *forged[at].last_mut().unwrap() ^= 1;
            let fault = held(&chain, &forged).unwrap_err();
            assert_eq!(
                (fault.sequence, fault.reason),
                (at as u64 + 1, Reason::Altered)
            );
        }
    }
}

#[test]
fn ix6_no_event_can_be_dropped_doubled_or_moved() {
    let mut trade = done();
    for (chain, events) in streams(&mut trade) {
        let count = events.len();
        for at in 0..count {
            let mut dropped = events.clone();
            dropped.remove(at);
            let reason = if at == count - 1 {
                Reason::WrongLength
            } else {
                Reason::OutOfSequence
            };
            assert_eq!(
                held(&chain, &dropped).unwrap_err().reason,
                reason,
                "drop {at}"
            );
            let mut doubled = events.clone();
            doubled.insert(at, events[at].clone());
            let fault = held(&chain, &doubled).unwrap_err();
            assert_eq!(fault.reason, Reason::OutOfSequence, "double {at}");
            for other in at + 1..count {
                let mut swapped = events.clone();
                swapped.swap(at, other);
                let fault = held(&chain, &swapped).unwrap_err();
                assert_eq!(fault.reason, Reason::OutOfSequence, "swap {at} {other}");
            }
            let mut short = events.clone();
            short.truncate(at);
            assert!(held(&chain, &short).is_err(), "cut at {at}");
            let mut torn = events.clone();
            torn[at].pop();
            assert_eq!(held(&chain, &torn).unwrap_err().reason, Reason::NotAnEvent);
        }
        let mut foreign = events.clone();
        foreign[0][8] ^= 1;
        assert_eq!(
            held(&chain, &foreign).unwrap_err().reason,
            Reason::WrongStream
        );
    }
}

/// Rewrites the hashes after a change, as a forger would who can write the account.
fn rechain(chain: &mut Chain, events: &mut [Vec<u8>]) {
    let mut last = [0; 32];
    for event in events {
        event[40..72].copy_from_slice(&last);
        last = sha256(&[event]);
    }
    chain.last = last;
}

/// Forges one event of the order, rewrites all hashes, and audits.
fn forge(
    trade: &Trade,
    action: Action,
    spoil: impl FnOnce(&mut EventHead, &mut OrderMoved),
) -> Reason {
    let mut events = trade.world.log[&ORDER].clone();
    let at = events.iter().position(|event| {
        let event = Recorded::parse(event).unwrap();
        event
            .body::<OrderMoved>()
            .is_some_and(|moved| moved.action == action as u8)
    });
    let event = &mut events[at.unwrap()];
    let parsed = Recorded::parse(event).unwrap();
    let (mut head, mut moved) = (parsed.head, parsed.body::<OrderMoved>().unwrap());
    spoil(&mut head, &mut moved);
    *event = [bytes_of(&head), bytes_of(&moved)].concat();
    let mut account = trade.order;
    rechain(&mut account.chain, &mut events);
    assert_eq!(
        held(&account.chain, &events),
        Ok(()),
        "the chain alone is consistent"
    );
    let desk_events = trade.world.events(&DESK);
    let desk = DeskHistory::new(&trade.world.desk, LIMITS, &desk_events, sha256).unwrap();
    let events = slices(&events);
    let others = Counterpart {
        collateral: &trade.world.events(&POSITION),
        batches: &[(BATCH, &trade.world.events(&BATCH))],
    };
    let replayed = audit::order(&account, &desk, &events, sha256);
    let linked = links(&events, &others, sha256);
    replayed.and(linked).expect_err("a forgery").reason
}

#[test]
fn ix6_a_forged_event_is_found_even_when_all_hashes_are_rewritten() {
    let trade = done();
    let stranger = forge(&trade, Action::Preauthorise, |head, _| {
        head.signer = key(0x99)
    });
    assert_eq!(stranger, Reason::WrongSigner);
    let solver = trade.world.role(Role::Solver).key();
    let other = forge(&trade, Action::ConfirmPayment, |head, _| {
        head.signer = solver
    });
    assert_eq!(other, Reason::WrongSigner);
    let role = forge(&trade, Action::ConfirmPayment, |head, _| {
        (head.signer, head.role) = (solver, Role::Solver as u8);
    });
    assert_eq!(role, Reason::NotReproduced);
    let amount = forge(&trade, Action::Fill, |_, moved| moved.step.amount.0 -= 1);
    assert_eq!(amount, Reason::NotReproduced);
    let skipped = forge(&trade, Action::Mint, |_, moved| moved.from = moved.to);
    assert_eq!(skipped, Reason::NotReproduced);
    // What agrees with itself must still agree with the other records.
    let link = forge(&trade, Action::Engage, |_, moved| moved.step.link += 1);
    assert_eq!(link, Reason::NotLinked);
    let hop = forge(&trade, Action::Hop, |_, moved| moved.step.link += 1);
    assert_eq!(hop, Reason::NotLinked);
}

/// Both records agree on an invoice line that is a coin short of the charge.
#[test]
fn lines_that_do_not_sum_to_the_charge_are_found() {
    let trade = done();
    let (mut order, mut batch) = (
        trade.world.log[&ORDER].clone(),
        trade.world.log[&BATCH].clone(),
    );
    let taken = batch
        .iter_mut()
        .find(|event| Recorded::parse(event).is_some_and(|event| event.head.tag == LotsTaken::TAG));
    let taken = taken.unwrap();
    let list = size_of::<EventHead>() + size_of::<LotsTaken>();
    let old = sha256(&[&taken[list..]]);
    let cost = list + core::mem::offset_of!(Line, cost);
    taken[cost] ^= 1;
    let new = sha256(&[&taken[list..]]);
    let mut replaced = 0;
    for event in order.iter_mut().chain(&mut batch) {
        for at in 0..event.len().saturating_sub(31) {
            if event[at..at + 32] == old {
                event[at..at + 32].copy_from_slice(&new);
                replaced += 1;
            }
        }
    }
    assert_eq!(replaced, 2, "the hash stands in both streams");
    let others = Counterpart {
        collateral: &trade.world.events(&POSITION),
        batches: &[(BATCH, &slices(&batch))],
    };
    let fault = links(&slices(&order), &others, sha256).unwrap_err();
    assert_eq!(fault.reason, Reason::NotLinked);
}

#[test]
fn an_account_that_differs_from_its_history_is_found() {
    let trade = done();
    let desk_events = trade.world.events(&DESK);
    let desk = DeskHistory::new(&trade.world.desk, LIMITS, &desk_events, sha256).unwrap();
    let mut order = trade.order;
    order.holdings.minted.0 += 1;
    let events = trade.world.events(&ORDER);
    let fault = audit::order(&order, &desk, &events, sha256).unwrap_err();
    assert_eq!(fault.reason, Reason::AccountDiffers);
    let events = trade.world.events(&POSITION);
    let whole = trade.collateral.bytes().len();
    for byte in (152..whole).step_by(7) {
        let mut account = trade.collateral.clone();
        account.data()[byte] ^= 1;
        let mut scratch = trade.collateral.clone();
        let audited = audit::collateral(account.bytes(), scratch.data(), &desk, &events, sha256);
        assert!(audited.is_err(), "byte {byte}");
    }
    let events = trade.world.events(&STOCK);
    for byte in (128..trade.stock.bytes().len()).step_by(5) {
        let mut account = trade.stock.clone();
        account.data()[byte] ^= 1;
        let mut scratch = trade.stock.clone();
        let audited = audit::inventory(account.bytes(), scratch.data(), &desk, &events, sha256);
        assert!(audited.is_err(), "byte {byte}");
    }
}

#[test]
fn the_desks_history_knows_who_held_a_role_when() {
    let mut trade = Trade::new();
    let mut desk = trade.world.desk;
    let admin = desk.party(Role::Admin, &ADMIN).unwrap();
    let (old, new) = (trade.world.role(Role::Solver).key(), key(0x98));
    let granted = trade.world.slot + 10;
    trade.world.slot = granted;
    let tight = Limits {
        order_atoms_max: 5,
        ..LIMITS
    };
    trade
        .world
        .run(|journal| desk.grant(&admin, Role::Solver, new, journal))
        .unwrap();
    trade
        .world
        .run(|journal| desk.set_limits(&admin, tight, journal))
        .unwrap();
    let events = trade.world.events(&DESK);
    let history = DeskHistory::new(&desk, LIMITS, &events, sha256).unwrap();
    let held = |key, slot| history.held(Role::Solver, key, flagstone_units::Slot(slot));
    let seen = |key| [granted - 1, granted, granted + 1].map(|slot| held(key, slot));
    assert_eq!(seen(&old), [true, true, false]);
    assert_eq!(seen(&new), [false, true, true]);
    assert_eq!(seen(&[0; 32]), [false; 3]);
    assert!(!held(&old, 999), "not before it was granted");
    let limits = |slot| -> Vec<Limits> { history.limits(flagstone_units::Slot(slot)).collect() };
    assert_eq!(limits(granted - 1), [LIMITS]);
    assert_eq!(limits(granted), [LIMITS, LIMITS, tight]);
    assert_eq!(limits(granted + 1), [tight]);
    desk.limits = LIMITS;
    let fault = DeskHistory::new(&desk, LIMITS, &events, sha256).unwrap_err();
    assert_eq!(fault.reason, Reason::AccountDiffers);
}
