//! Expired holds end by themselves.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::router::{handle, reserve};
use common::{Exchange, Rng, params};
use flagstone_units::{Side::Ask, Side::Bid, Slot};

/// What the program does before it trades: lets a few due holds go.
fn expire(exchange: &mut Exchange, most: usize) -> usize {
    let slot = Slot(exchange.slot);
    let mut slab = exchange.slab();
    (0..most)
        .take_while(|_| slab.expire_next(slot).unwrap().is_some())
        .count()
}

#[test]
fn t4_a_forgotten_hold_locks_nothing_beyond_its_expiry() {
    let mut exchange = Exchange::new(&params(), 4);
    exchange.slot = 1_000;
    for maker in [1, 4, 1] {
        exchange.post(maker, Ask, 1_000, 5).unwrap();
    }
    // The program looks before every reserve, which sets an empty wheel.
    expire(&mut exchange, 4);
    // Free within its slot, and left behind by an account with nothing at stake.
    exchange.reserve(&reserve(2, Bid, 1_000, 15)).unwrap();
    assert_eq!(expire(&mut exchange, 4), 0);
    assert_eq!(exchange.ioc(3, Bid, 1_000, 15), Ok(0));
    exchange.slot = 1_001;
    assert_eq!(expire(&mut exchange, 4), 1);
    assert_eq!(exchange.ioc(3, Bid, 1_000, 15), Ok(15));
    exchange.audit();
}

#[test]
fn t4_holds_of_every_life_end_on_time_in_bounded_steps() {
    let mut exchange = Exchange::new(&params(), 12);
    let mut rng = Rng(7);
    exchange.slot = 10_000;
    for round in 0..2_000u32 {
        exchange.slot += rng.below(3) as u32;
        let account = 2 + rng.below(10) as u32;
        exchange.post(1, Ask, 1_000, 4).unwrap();
        let mut order = reserve(account, Bid, 1_000, 2);
        order.ttl = Slot(rng.below(301) as u32);
        let held = exchange.reserve(&order);
        if let (Ok(held), 0) = (&held, rng.below(4)) {
            exchange.cancel_hold(account, handle(held)).unwrap();
        }
        expire(&mut exchange, 4);
        let slot = exchange.slot;
        // Four a round are more than are made: none is late by much.
        let late = {
            let slab = exchange.slab();
            let held = slab.reservations.iter().filter(|(_, hold)| hold.is_held());
            held.filter(|(_, hold)| hold.expiry_slot.0 + 8 < slot)
                .count()
        };
        assert_eq!(late, 0, "round {round}");
        exchange.ioc(12, Bid, 1_000, 4).unwrap();
    }
    exchange.audit();
}

#[test]
fn t4_after_a_long_silence_one_turn_of_the_wheel_ends_all() {
    for silence in [400, 512, 513, 700, 5_000, 1_000_000] {
        let mut exchange = Exchange::new(&params(), 12);
        exchange.slot = 10_000;
        expire(&mut exchange, 1);
        for account in 2..12 {
            let maker = 1 + 11 * (account % 2);
            exchange.post(maker, Ask, 1_000, 2).unwrap();
            let mut order = reserve(account, Bid, 1_000, 2);
            order.ttl = Slot(account * 27);
            exchange.reserve(&order).unwrap();
        }
        exchange.slot += silence;
        // Each call is bounded; a turn of the wheel takes a few dozen of them.
        let ended: usize = (0..60).map(|_| expire(&mut exchange, 4)).sum();
        assert_eq!(ended, 10, "after {silence} slots");
        exchange.audit();
    }
}
