//! Replays of market orders, allotments and desks, as those of batches.

use super::pending::{book, chunk, fresh, make, renew};
use super::replays::{HEAD, forged, holds, rechain, slices};
use super::support::{ADMIN, Account, DESK, INDEX, LIMITS, World, key, owner, sha256};
use crate::allotment::{Allotment, NewAllotment, allotment_bytes};
use crate::amounts::{Atoms, Fraction, ONE, Quantity, Tokens};
use crate::audit::{self, DeskHistory, Recorded, Traded};
use crate::pending::{PendingAction, PendingMoved, PendingOrder};
use crate::roles::{Desk, Role};
use bytemuck::{bytes_of, pod_read_unaligned};
use flagstone_units::Side;

/// A record as account bytes.
fn stored<T: bytemuck::Pod>(record: &T) -> Account {
    let mut account = Account::new(size_of::<T>());
    account.data().copy_from_slice(bytes_of(record));
    account
}

/// What only other streams hold: the quantities of a chunk and its quote's number.
fn chunks_own(event: &Recorded, byte: usize) -> bool {
    let moved = event.body::<PendingMoved>();
    let chunk = moved.is_some_and(|moved| moved.action == PendingAction::Chunk as u8);
    chunk && byte >= HEAD + core::mem::offset_of!(PendingMoved, market_sequence)
}

#[test]
fn ix6_a_market_order_is_replayed_to_the_last_byte() {
    let replay = |account: &mut Account, desk: &DeskHistory, events: &[&[u8]]| {
        let order: PendingOrder = pod_read_unaligned(account.bytes());
        audit::pending(&order, Some(desk), events, sha256).map(|_| ())
    };
    for side in [Side::Bid, Side::Ask] {
        let mut world = World::new();
        let mut state = fresh(&world);
        let mut order = make(&mut world, &mut state.1, 0x61, side, 1_000_000_000).unwrap();
        let limit = 110;
        // A buy pays 90 atoms for a whole token, a sell gets 115.
        let (atoms, tokens) = match side {
            Side::Bid => (90, 1_000_000_000),
            Side::Ask => (115, 400_000_000 + limit),
        };
        for _ in 0..2 {
            book(&mut world, &mut order, &chunk(atoms, tokens), &mut state).unwrap();
            renew(&mut world, &mut state);
        }
        world.run(|j| order.claim(&owner(), j)).unwrap();
        world
            .run(|j| order.cancel(&owner(), &mut state.1, j))
            .unwrap();
        assert_eq!(world.events(&key(0x61)).len(), 5);
        holds(&world, &stored(&order), 112, chunks_own, replay);
        let desk_events = world.events(&DESK);
        let desk = DeskHistory::new(&world.desk, LIMITS, &desk_events, sha256).unwrap();
        let events = world.events(&key(0x61));
        let traded = audit::pending(&order, Some(&desk), &events, sha256).unwrap();
        let wanted = match side {
            Side::Bid => Traded {
                minted: Tokens(2 * tokens),
                ..Traded::default()
            },
            Side::Ask => Traded {
                burned: Tokens(2 * tokens),
                ..Traded::default()
            },
        };
        assert_eq!(traded, wanted);
    }
}

#[test]
fn ix6_an_allotment_and_its_members_are_replayed_to_the_last_byte() {
    let mut world = World::new();
    let mut state = fresh(&world);
    let (desk, solver) = (world.desk, world.role(Role::Solver));
    let capacities = [100, 200].map(Quantity::new);
    let bytes = allotment_bytes(2, 3);
    let mut account = Account::new(bytes);
    let new = NewAllotment {
        stream: key(0xa1),
        index: INDEX,
        side: Side::Bid,
        members: 3,
        capacities: &capacities,
    };
    world
        .run(|j| {
            let data = account.data();
            Allotment::create(data, &new, &desk, &solver, (&state.0, &state.1), j).map(|_| ())
        })
        .unwrap();
    let mut orders = Vec::new();
    for (name, share) in [(0x61, ONE / 2), (0x62, ONE / 4)] {
        let mut order = make(&mut world, &mut state.1, name, Side::Bid, 1_000_000).unwrap();
        let shares = [Fraction(share), Fraction(share / 2)];
        world
            .run(|j| Allotment::open(account.data())?.join(&mut order, &shares, &solver, j))
            .unwrap();
        orders.push(order);
    }
    world
        .run(|j| Allotment::open(account.data())?.seal(&solver, j))
        .unwrap();
    let drawn = [Quantity::new(50), Quantity::new(9)];
    world
        .run(|j| {
            let mut share = Allotment::open(account.data())?;
            let chunk = crate::pending::Chunk {
                atoms: Atoms(90),
                tokens: Tokens(1_000_000_000),
                quantities: &drawn,
            };
            orders[0].book_chunk(&chunk, &state.0, &mut state.1, Some(&mut share), j)
        })
        .unwrap();
    world
        .run(|j| Allotment::open(account.data())?.leave(&mut orders[1], &owner(), j))
        .unwrap();
    let taken = allotment_bytes(2, 0) + 3 * 32;
    // Whose an order is that leaves, its own stream tells.
    let own = |event: &Recorded, byte: usize| {
        (72..104).contains(&byte) && event.head.role == Role::Owner as u8
    };
    // What a member drew is in its own stream, up to its share.
    let drew = |byte: usize| (taken..bytes).contains(&byte) && (byte - taken) % 24 >= 8;
    let replay = |account: &mut Account, desk: &DeskHistory, events: &[&[u8]]| {
        let mut scratch = account.clone();
        let length = account.bytes().len();
        let found = account.data();
        audit::allotment(&mut found[..length], scratch.data(), desk, events, sha256)
    };
    let desk_events = world.events(&DESK);
    let history = DeskHistory::new(&world.desk, LIMITS, &desk_events, sha256).unwrap();
    let events = world.events(&key(0xa1));
    for byte in 0..bytes {
        let mut other = account.clone();
        other.data()[byte] ^= 1;
        let audited = replay(&mut other, &history, &events);
        // Of which index it is, its members' streams tell.
        let elsewhere = drew(byte) || (48..80).contains(&byte);
        assert!(audited.is_err() || elsewhere, "byte {byte}");
    }
    // More than the share of 50 is more than any member may draw.
    let mut greedy = account.clone();
    greedy.data()[taken + 8] = 51;
    assert!(replay(&mut greedy, &history, &events).is_err());
    forged(&world, &account, 80, own, &history, replay);
    for order in orders {
        let replay = |account: &mut Account, desk: &DeskHistory, events: &[&[u8]]| {
            let order: PendingOrder = pod_read_unaligned(account.bytes());
            audit::pending(&order, Some(desk), events, sha256).map(|_| ())
        };
        holds(&world, &stored(&order), 112, chunks_own, replay);
    }
}

#[test]
fn ix6_a_desk_is_replayed_to_the_last_byte() {
    let mut world = World::new();
    // The program's first event tells the limits that the desk starts with.
    world.log.clear();
    let mut desk = Desk::new(DESK, ADMIN, LIMITS).unwrap();
    let admin = desk.party(Role::Admin, &ADMIN).unwrap();
    let tight = crate::roles::Limits {
        order_atoms_max: 5,
        ..LIMITS
    };
    world.run(|j| desk.set_limits(&admin, LIMITS, j)).unwrap();
    world
        .run(|j| desk.grant(&admin, Role::Solver, key(0x51), j))
        .unwrap();
    world.slot += 7;
    world.run(|j| desk.set_limits(&admin, tight, j)).unwrap();
    world
        .run(|j| desk.grant(&admin, Role::Solver, [0; 32], j))
        .unwrap();
    let events = world.log[&DESK].clone();
    assert_eq!(audit::desk(&desk, &slices(&events), sha256), Ok(LIMITS));
    let account = stored(&desk);
    let replay = |account: &Account, events: &[Vec<u8>]| {
        let desk: Desk = pod_read_unaligned(account.bytes());
        audit::desk(&desk, &slices(events), sha256)
    };
    for byte in 0..size_of::<Desk>() {
        let mut other = account.clone();
        other.data()[byte] ^= 1;
        assert!(replay(&other, &events).is_err(), "byte {byte}");
    }
    for at in 0..events.len() {
        for byte in (HEAD..events[at].len()).chain([72]) {
            let (mut forged, mut account) = (events.clone(), account.clone());
            forged[at][byte] ^= 1;
            rechain(&mut account, 48, &mut forged);
            let told = replay(&account, &forged);
            // The first limits are told, not held, and who held a role before is
            // what orders are replayed by.
            assert!(told.is_err() || at < 2, "byte {byte} of event {}", at + 1);
        }
    }
}
