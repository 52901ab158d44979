//! Replays of batches, carry-overs, market orders, allotments and desks accept
//! what happened, and nothing else: not an account that differs in a byte, not
//! an event that was changed by someone who can rewrite every hash.

use super::batches::{SIZE, asks, build_at, report, send, take};
use super::support::{Account, DESK, LIMITS, World, atoms_per_unit, key, sha256};
use crate::amounts::{Atoms, ONE, Quantity, Tokens};
use crate::audit::{self, Audited, DeskHistory, Reason, Recorded};
use crate::batch::{Batch, BatchEvent, BatchLot, BatchMoved, OrderBatch};
use crate::carry::{Carry, carry_bytes};
use crate::chain::{Chain, Event, EventHead};
use crate::members::{BatchFill, LotsTaken};
use crate::roles::Role;
use bytemuck::pod_read_unaligned;
use flagstone_interface::Key;
use std::collections::BTreeMap;

const FIRST: Key = key(0xba);
const SECOND: Key = key(0xbb);
/// Bytes before an event's body.
pub(super) const HEAD: usize = size_of::<EventHead>();
/// Where a batch's chain lies in its account.
const BATCH_CHAIN: usize = 48;
const CARRY_CHAIN: usize = 56;

/// Two batches, and what the first left for the second.
struct Carried {
    world: World,
    batches: [Account; 2],
    carries: Vec<Account>,
}

fn fill(asset: u32, number: u64, thousandths: u128, price: u64, fee: u64) -> BatchFill {
    BatchFill {
        asset,
        number,
        venue: [0; 32],
        quantity: Quantity::new(u128::from(ONE) / 1_000 * thousandths),
        price: atoms_per_unit(price),
        fee: Atoms(fee),
    }
}

/// Three members of whom one is dropped, several lots, takings in pieces, an
/// asset that is cancelled; lots left over go into the next batch.
fn carried() -> Carried {
    let mut world = World::new();
    let mut batches = [Account::new(SIZE.bytes()), Account::new(SIZE.bytes())];
    let [first, second] = &mut batches;
    let needs = [[2_000, 0, 500], [1_000, 700, 0], [300, 100, 0]];
    let mut early = asks(&mut world, &needs);
    build_at(&mut world, FIRST, first, &early, [atoms_per_unit(1_000); 3]).unwrap();
    let (solver, runner) = (world.role(Role::Solver), world.role(Role::BatchManager));
    let manager = world.role(Role::InventoryManager);
    let dropped = early.pop().unwrap().order.chain.stream;
    world
        .run(|j| Batch::open(first.data())?.drop_member(&solver, &dropped, j))
        .unwrap();
    send(&mut world, first, &mut early).unwrap();
    for reported in [
        fill(0, 1, 1_700, 900, 1),
        fill(2, 1, 500, 999, 0),
        fill(0, 2, 2_300, 950, 3),
        fill(1, 1, 400, 1_000, 0),
    ] {
        world.slot += 1;
        report(&mut world, first, reported).unwrap();
        for ask in &mut early {
            let stream = ask.order.chain.stream;
            let most = Batch::open(first.data())
                .unwrap()
                .available(&stream)
                .unwrap();
            if most > Tokens::ZERO {
                take(&mut world, first, ask, most.0).unwrap();
            }
        }
    }
    let carries = [10u64, 11, 12].map(|label| {
        let mut kept = Account::new(carry_bytes(4));
        Carry::create(kept.data(), key(0xc0 + label as u8), DESK, label, 4).unwrap();
        kept
    });
    let mut carries = carries.to_vec();
    world
        .run(|j| {
            let mut batch = Batch::open(first.data())?;
            for asset in 0..3 {
                if !batch.assets()[asset as usize].open()?.is_zero() {
                    batch.cancel_rest(asset, &manager, j)?;
                }
            }
            batch.complete(j)
        })
        .unwrap();
    world.slot += LIMITS.batch_slots.0 + 1;
    for ask in &mut early {
        let done = world.run(|j| Batch::open(first.data())?.carry_over(&mut ask.order, &LIMITS, j));
        done.unwrap();
    }
    for (asset, kept) in carries.iter_mut().enumerate() {
        world
            .run(|j| {
                let mut batch = Batch::open(first.data())?;
                Carry::open(kept.data())?.retire(&mut batch, asset as u32, j)
            })
            .unwrap();
    }
    let mut later = asks(&mut world, &[[1_000, 200, 0]]);
    build_at(
        &mut world,
        SECOND,
        second,
        &later,
        [atoms_per_unit(1_000); 3],
    )
    .unwrap();
    send(&mut world, second, &mut later).unwrap();
    let drawn = world.run(|j| {
        let mut batch = Batch::open(second.data())?;
        Carry::open(carries[0].data())?.draw(&mut batch, 0, &runner, j)
    });
    assert!(!drawn.unwrap().is_zero(), "something was left over");
    Carried {
        world,
        batches,
        carries,
    }
}

/// Lots as their fills made them.
fn origins(carried: &mut Carried) -> BTreeMap<(u64, u64), BatchLot> {
    let mut lots = BTreeMap::new();
    for (account, stream) in carried.batches.iter_mut().zip([FIRST, SECOND]) {
        let batch = Batch::open(account.data()).unwrap();
        for bytes in carried.world.events(&stream) {
            let event = Recorded::parse(bytes).unwrap();
            let Some(moved) = event.body::<BatchMoved>() else {
                continue;
            };
            if moved.kind == BatchEvent::Filled as u8 {
                let lot = BatchLot {
                    fill: moved.fill,
                    batch: batch.head.number,
                    price: moved.price,
                    original: moved.quantity,
                    remaining: moved.quantity,
                    cost: moved.amount,
                    fee: moved.fee,
                    slot: event.head.slot,
                    next: 0,
                };
                let label = batch.assets()[moved.position as usize].label;
                lots.insert((label, moved.fill), lot);
            }
        }
    }
    lots
}

/// Rewrites all hashes after a change, as a forger would who can write the
/// account; `at` is where its chain lies.
pub(super) fn rechain(account: &mut Account, at: usize, events: &mut [Vec<u8>]) {
    let mut last = [0; 32];
    for event in events.iter_mut() {
        event[40..72].copy_from_slice(&last);
        last = sha256(&[event]);
    }
    account.data()[at + 32..at + 64].copy_from_slice(&last);
}

pub(super) fn slices(events: &[Vec<u8>]) -> Vec<&[u8]> {
    events.iter().map(Vec::as_slice).collect()
}

/// Holds a replay against changes of its account and of its events;
/// `elsewhere` says which bytes of an event other streams hold.
pub(super) fn holds(
    world: &World,
    account: &Account,
    chain_at: usize,
    elsewhere: impl Fn(&Recorded, usize) -> bool,
    replay: impl Fn(&mut Account, &DeskHistory, &[&[u8]]) -> Audited,
) {
    let desk_events = world.events(&DESK);
    let desk = DeskHistory::new(&world.desk, LIMITS, &desk_events, sha256).unwrap();
    let chain: Chain = pod_read_unaligned(&account.bytes()[chain_at..chain_at + 72]);
    let events = world.log[&chain.stream].clone();
    assert_eq!(
        replay(&mut account.clone(), &desk, &slices(&events)),
        Ok(())
    );
    for byte in 0..account.bytes().len() {
        let mut other = account.clone();
        other.data()[byte] ^= 1;
        let audited = replay(&mut other, &desk, &slices(&events));
        assert!(audited.is_err(), "byte {byte} of the account");
    }
    forged(world, account, chain_at, elsewhere, &desk, replay);
}

#[test]
fn ix6_a_batch_is_replayed_to_the_last_byte() {
    let mut carried = carried();
    let origins = origins(&mut carried);
    let origin = |label, fill| origins.get(&(label, fill)).copied();
    for (account, stream) in carried.batches.iter().zip([FIRST, SECOND]) {
        let kinds: Vec<u8> = carried
            .world
            .events(&stream)
            .iter()
            .filter_map(|bytes| Recorded::parse(bytes)?.body::<BatchMoved>())
            .map(|moved| moved.kind)
            .collect();
        assert!(kinds.len() >= 10, "{kinds:?}");
        holds(
            &carried.world,
            account,
            BATCH_CHAIN,
            prices_own,
            |account, desk, events| {
                let mut scratch = Account::new(2 * SIZE.bytes());
                let account = &mut account.data()[..SIZE.bytes()];
                audit::batch(account, scratch.data(), desk, events, &origin, sha256).map(|_| ())
            },
        );
    }
    let taken =
        carried.world.events(&FIRST).iter().any(|bytes| {
            Recorded::parse(bytes).is_some_and(|event| event.head.tag == LotsTaken::TAG)
        });
    assert!(taken, "no lots were taken");
}

/// A price that differs by less than an atom is held against the inventory.
fn prices_own(event: &Recorded, byte: usize) -> bool {
    let price = HEAD + core::mem::offset_of!(BatchMoved, price);
    let moved = event.body::<BatchMoved>();
    let filled = moved.is_some_and(|moved| moved.kind == BatchEvent::Filled as u8);
    filled && (price..price + 16).contains(&byte)
}

#[test]
fn ix6_a_closed_batch_is_known_by_its_chain_alone() {
    let carried = carried();
    let desk_events = carried.world.events(&DESK);
    let desk = DeskHistory::new(&carried.world.desk, LIMITS, &desk_events, sha256).unwrap();
    let events = carried.world.events(&FIRST);
    let origin = |_, _| None;
    let closed = |live: u8, events: &[&[u8]]| {
        let mut account = Account::new(size_of::<OrderBatch>());
        let head = &carried.batches[0].bytes()[..size_of::<OrderBatch>()];
        account.data().copy_from_slice(head);
        let live_at = core::mem::offset_of!(OrderBatch, lots)
            + core::mem::offset_of!(crate::store::PoolHead, live);
        account.data()[live_at] = live;
        let mut scratch = Account::new(2 * size_of::<OrderBatch>());
        audit::batch(
            account.data(),
            scratch.data(),
            &desk,
            events,
            &origin,
            sha256,
        )
    };
    assert_eq!(closed(0, &events), Ok(false));
    let left = closed(1, &events).unwrap_err();
    assert_eq!(left.reason, Reason::AccountDiffers);
    let short = closed(0, &events[..events.len() - 1]).unwrap_err();
    assert_eq!(short.reason, Reason::WrongLength);
}

#[test]
fn ix6_a_carry_over_is_replayed_to_the_last_byte() {
    let mut carried = carried();
    let origins = origins(&mut carried);
    let origin = |label, fill| origins.get(&(label, fill)).copied();
    // State and place of a move are the batch's, and held against its stream.
    let in_batch = |_: &Recorded, byte: usize| (HEAD + 1..HEAD + 40).contains(&byte);
    for account in &carried.carries {
        let moves = Carry::open(account.clone().data())
            .unwrap()
            .head
            .chain
            .sequence;
        if moves == 0 {
            continue;
        }
        holds(
            &carried.world,
            account,
            CARRY_CHAIN,
            in_batch,
            |account, desk, events| {
                let mut scratch = account.clone();
                audit::carry(
                    account.bytes(),
                    scratch.data(),
                    desk,
                    events,
                    &origin,
                    sha256,
                )
            },
        );
    }
    // A lot that no fill made is none.
    let desk_events = carried.world.events(&DESK);
    let desk = DeskHistory::new(&carried.world.desk, LIMITS, &desk_events, sha256).unwrap();
    let account = &carried.carries[0];
    let events = carried.world.events(&key(0xca));
    let mut scratch = account.clone();
    let nothing = |_, _| None;
    let audited = audit::carry(
        account.bytes(),
        scratch.data(),
        &desk,
        &events,
        &nothing,
        sha256,
    );
    assert_eq!(audited.unwrap_err().reason, Reason::NotReproduced);
}

/// The second half of [`holds`].
pub(super) fn forged(
    world: &World,
    account: &Account,
    chain_at: usize,
    elsewhere: impl Fn(&Recorded, usize) -> bool,
    desk: &DeskHistory,
    replay: impl Fn(&mut Account, &DeskHistory, &[&[u8]]) -> Audited,
) {
    let chain: Chain = pod_read_unaligned(&account.bytes()[chain_at..chain_at + 72]);
    let events = world.log[&chain.stream].clone();
    for at in 0..events.len() {
        let recorded = Recorded::parse(&events[at]).unwrap();
        // The body, who signed, and in which role.
        let body = (HEAD..events[at].len()).chain([72, 103, 117]);
        for byte in body.filter(|byte| !elsewhere(&recorded, *byte)) {
            let (mut forged, mut account) = (events.clone(), account.clone());
            forged[at][byte] ^= 1;
            rechain(&mut account, chain_at, &mut forged);
            let audited = replay(&mut account, desk, &slices(&forged));
            assert!(audited.is_err(), "byte {byte} of event {}", at + 1);
        }
    }
}
