//! Lots carried from one batch to the next, and orders that leave when they are full.

use super::batches::{Ask, SIZE, asks, build, report, send, take};
use super::support::{Account, DESK, LIMITS, World, atoms_per_unit, key, units};
use crate::IndexError;
use crate::amounts::{Atoms, Price, Quantity, Tokens};
use crate::batch::{Batch, Standing};
use crate::carry::{Carry, carry_bytes};
use crate::machine::State;
use crate::members::BatchFill;
use crate::roles::{Party, Role};

#[test]
fn carried_lots_enter_the_next_batch_first_and_cancel_its_orders() {
    let mut world = World::new();
    let mut first = Account::new(SIZE.bytes());
    let mut early = asks(&mut world, &[[2_000, 0, 0]]);
    build(&mut world, &mut first, &early, [atoms_per_unit(1_000); 3]).unwrap();
    send(&mut world, &mut first, &mut early).unwrap();
    // The padding unit is bought too: two and one, of which the order takes two.
    for (number, quantity) in [(1, 2), (2, 1)] {
        let fill = BatchFill {
            asset: 0,
            number,
            venue: [0; 32],
            quantity: units(quantity),
            price: atoms_per_unit(900),
            fee: Atoms(1),
        };
        report(&mut world, &mut first, fill).unwrap();
    }
    let manager = world.role(Role::InventoryManager);
    for asset in 1..3 {
        world
            .run(|j| Batch::open(first.data())?.cancel_rest(asset, &manager, j))
            .unwrap();
    }
    world
        .run(|j| Batch::open(first.data())?.complete(j))
        .unwrap();
    let tokens = early[0].tokens;
    take(&mut world, &mut first, &mut early[0], tokens).unwrap();
    let mut kept = Account::new(carry_bytes(4));
    Carry::create(kept.data(), key(0xca), DESK, 10, 4).unwrap();
    let mut carry = Carry::open(kept.data()).unwrap();
    let mut batch = Batch::open(first.data()).unwrap();
    let locked = world.run(|j| carry.retire(&mut batch, 0, j));
    assert_eq!(locked, Err(IndexError::Incomplete));
    world
        .run(|j| batch.carry_over(&mut early[0].order, &LIMITS, j))
        .unwrap();
    let wrong = world.run(|j| carry.retire(&mut batch, 1, j));
    assert_eq!(wrong, Err(IndexError::WrongCounterpart));
    assert_eq!(world.run(|j| carry.retire(&mut batch, 0, j)), Ok(units(1)));

    let mut second = Account::new(SIZE.bytes());
    let mut later = asks(&mut world, &[[1_000, 0, 0]]);
    build(&mut world, &mut second, &later, [atoms_per_unit(1_000); 3]).unwrap();
    send(&mut world, &mut second, &mut later).unwrap();
    let runner = world.role(Role::BatchManager);
    let mut batch = Batch::open(second.data()).unwrap();
    assert_eq!(
        world.run(|j| carry.draw(&mut batch, 0, &runner, j)),
        Ok(units(1))
    );
    assert_eq!(carry.head.balance, Quantity::ZERO);
    let asset = batch.assets()[0];
    assert_eq!((asset.carried, asset.filled), (units(1), Quantity::ZERO));
    assert_eq!(
        asset.open(),
        Ok(units(1)),
        "half the exchange order is cancelled"
    );
    let tokens = later[0].tokens;
    take(&mut world, &mut second, &mut later[0], tokens).unwrap();
    assert_eq!(
        later[0].order.holdings.spent,
        Atoms(901),
        "at the price that was paid for it"
    );
}

/// A carry-over with one lot of a unit at 900 atoms, left by a batch.
fn one_carried(world: &mut World) -> Account {
    let mut batch = Account::new(SIZE.bytes());
    let mut early = asks(world, &[[1_000, 0, 0]]);
    build(world, &mut batch, &early, [atoms_per_unit(1_000); 3]).unwrap();
    send(world, &mut batch, &mut early).unwrap();
    let fill = BatchFill {
        asset: 0,
        number: 1,
        venue: [0; 32],
        quantity: units(1),
        price: atoms_per_unit(900),
        fee: Atoms(0),
    };
    report(world, &mut batch, fill).unwrap();
    world.slot += LIMITS.batch_slots.0 + 1;
    let mut kept = Account::new(carry_bytes(4));
    Carry::create(kept.data(), key(0xca), DESK, 10, 4).unwrap();
    let retired = world.run(|j| {
        let mut batch = Batch::open(batch.data())?;
        for asset in 0..3 {
            batch.cancel_rest(asset, &Party::ANYONE, j)?;
        }
        batch.complete(j)?;
        batch.carry_over(&mut early[0].order, &LIMITS, j)?;
        Carry::open(kept.data())?.retire(&mut batch, 0, j)
    });
    assert_eq!(retired, Ok(units(1)));
    kept
}

#[test]
fn a_carried_lot_that_is_too_large_or_too_dear_stays() {
    // Ordered are the need and a unit of padding; 600 of the lot's thousandths stay open.
    let exactly = atoms_per_unit(900);
    let below = Price::new(exactly.get() - 1);
    for (limit, bought, drawn) in [
        (exactly, 600, units(1)),
        (below, 600, Quantity::ZERO),
        (exactly, 601, Quantity::ZERO),
    ] {
        let mut world = World::new();
        let mut kept = one_carried(&mut world);
        let mut account = Account::new(SIZE.bytes());
        let mut later = asks(&mut world, &[[600, 0, 0]]);
        build(&mut world, &mut account, &later, [limit; 3]).unwrap();
        send(&mut world, &mut account, &mut later).unwrap();
        let fill = BatchFill {
            asset: 0,
            number: 1,
            venue: [0; 32],
            quantity: Quantity::new(units(1).get() / 1_000 * bought),
            price: limit,
            fee: Atoms(0),
        };
        report(&mut world, &mut account, fill).unwrap();
        let runner = world.role(Role::BatchManager);
        let mut batch = Batch::open(account.data()).unwrap();
        let mut carry = Carry::open(kept.data()).unwrap();
        let stranger = world.run(|j| carry.draw(&mut batch, 0, &Party::ANYONE, j));
        assert_eq!(stranger, Err(IndexError::WrongSigner));
        assert_eq!(
            world.run(|j| carry.draw(&mut batch, 0, &runner, j)),
            Ok(drawn)
        );
        assert_eq!(carry.head.balance, units(1).minus(drawn).unwrap());
        assert_eq!(batch.assets()[0].carried, drawn);
    }
}

#[test]
fn an_order_that_is_full_leaves_its_batch_at_once() {
    let mut world = World::new();
    let mut account = Account::new(SIZE.bytes());
    let mut asks: Vec<Ask> = asks(&mut world, &[[1_000, 0, 0]]);
    // 998,003 and the largest fee on it, 1,997, are the million that is engaged.
    asks[0].order = world.order(key(0x60), 1_000_000);
    asks[0].order.state = State::Ready as u8;
    asks[0].order.holdings.authorised = Atoms(1_000_000);
    asks[0].collateral = 1_000_000;
    build(
        &mut world,
        &mut account,
        &asks,
        [atoms_per_unit(998_003); 3],
    )
    .unwrap();
    send(&mut world, &mut account, &mut asks).unwrap();
    let fill = BatchFill {
        asset: 0,
        number: 1,
        venue: [0; 32],
        quantity: units(1),
        price: atoms_per_unit(998_003),
        fee: Atoms(1_997),
    };
    report(&mut world, &mut account, fill).unwrap();
    let tokens = asks[0].tokens;
    take(&mut world, &mut account, &mut asks[0], tokens).unwrap();
    let order = &mut asks[0].order;
    assert_eq!(order.state(), Ok(State::FullyMintable));
    assert_eq!(
        (order.batch, order.holdings.engaged_tokens),
        ([0; 32], Tokens::ZERO)
    );
    let mut batch = Batch::open(account.data()).unwrap();
    assert_eq!(batch.members()[0].standing, Standing::Left as u8);
    assert!(!batch.has_engaged());
    let manager = world.role(Role::InventoryManager);
    let left = world.run(|j| {
        for asset in 0..3 {
            batch.cancel_rest(asset, &manager, j)?;
        }
        batch.complete(j)?;
        batch.carry_over(order, &LIMITS, j)
    });
    assert_eq!(left, Err(IndexError::WrongCounterpart));
}
