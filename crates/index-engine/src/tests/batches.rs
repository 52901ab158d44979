//! Batches: frozen fractions, the order of states, and limits.

use super::support::{Account, DESK, LIMITS, World, atoms_per_unit, key, units};
use crate::amounts::{Atoms, Fraction, ONE, Price, Quantity, Tokens};
use crate::batch::{Batch, BatchSize, BatchState, Standing};
use crate::engage::{AssetOrder, BatchPlan, Share, fraction_of};
use crate::inventory::{Stock, inventory_bytes};
use crate::machine::State;
use crate::members::{BatchFill, Line};
use crate::orders::IndexOrder;
use crate::roles::{Party, Role};
use crate::{IndexError, Result};
use bytemuck::Zeroable;
use flagstone_interface::Key;
use flagstone_units::Slot;
use proptest::prelude::*;

pub(super) const SIZE: BatchSize = BatchSize {
    assets: 3,
    members: 4,
    lots: 64,
};

fn plan(stream: Key) -> BatchPlan {
    BatchPlan {
        stream,
        number: 1,
        market_sequence: 9,
        size: SIZE,
    }
}

/// What a member asks for: tokens, collateral, and quantity of each asset.
pub(super) struct Ask {
    pub(super) order: IndexOrder,
    pub(super) tokens: u64,
    pub(super) collateral: u64,
    pub(super) needs: [Quantity; 3],
}

/// An order past the gates, free to be engaged.
pub(super) fn ready(world: &mut World, name: u8, amount: u64) -> IndexOrder {
    let mut order = world.order(key(name), amount);
    order.state = State::Ready as u8;
    order.holdings.authorised = Atoms(amount);
    order
}

pub(super) fn build(
    world: &mut World,
    account: &mut Account,
    asks: &[Ask],
    limits: [Price; 3],
) -> Result<()> {
    build_at(world, key(0xba), account, asks, limits)
}

/// The same with a stream of its own.
pub(super) fn build_at(
    world: &mut World,
    stream: Key,
    account: &mut Account,
    asks: &[Ask],
    limits: [Price; 3],
) -> Result<()> {
    let (desk, solver) = (world.desk, world.role(Role::Solver));
    let total = |asset: usize| {
        let needs = asks.iter().map(|ask| ask.needs[asset].get());
        Quantity::new(needs.sum::<u128>().max(1))
    };
    world.run(|journal| {
        let mut batch = Batch::create(account.data(), &desk, &solver, &plan(stream), journal)?;
        let orders: Vec<AssetOrder> = (0..3)
            .map(|asset| AssetOrder {
                label: 10 + asset as u64,
                limit: limits[asset],
                quantity: total(asset).plus(units(1)).unwrap(),
            })
            .collect();
        batch.set_assets(&solver, 0, &orders[..2], journal)?;
        batch.set_assets(&solver, 2, &orders[2..], journal)?;
        for ask in asks {
            let name = ask.order.chain.stream;
            let (atoms, tokens) = (Atoms(ask.collateral), Tokens(ask.tokens));
            batch.join(&solver, name, atoms, tokens, &LIMITS, journal)?;
            let shares: Vec<Share> = (0..3)
                .map(|asset| Share {
                    fraction: fraction_of(ask.needs[asset], total(asset)).unwrap(),
                    contribution: ask.needs[asset],
                })
                .collect();
            batch.set_cells(&solver, &name, 0, &shares[..1], &LIMITS, journal)?;
            batch.set_cells(&solver, &name, 1, &shares[1..], &LIMITS, journal)?;
        }
        batch.seal(&solver, journal)
    })
}

pub(super) fn send(world: &mut World, account: &mut Account, asks: &mut [Ask]) -> Result<()> {
    let (orders, runner) = (
        world.role(Role::OrderManager),
        world.role(Role::BatchManager),
    );
    world.run(|journal| {
        let mut batch = Batch::open(account.data())?;
        for ask in asks.iter_mut() {
            batch.engage(&mut ask.order, &orders, &LIMITS, journal)?;
        }
        batch.send(&runner, journal)
    })
}

pub(super) fn asks(world: &mut World, needs: &[[u64; 3]]) -> Vec<Ask> {
    let ask = |(at, needs): (usize, &[u64; 3])| Ask {
        order: ready(world, 0x60 + at as u8, 900_000_000),
        tokens: 1_000_000_000 + at as u64,
        collateral: 800_000_000,
        needs: needs.map(|need| Quantity::new(u128::from(need) * u128::from(ONE) / 1_000)),
    };
    needs.iter().enumerate().map(ask).collect()
}

pub(super) fn report(world: &mut World, account: &mut Account, fill: BatchFill) -> Result<()> {
    let manager = world.role(Role::InventoryManager);
    let before = account.clone();
    let mut shelf = Account::new(inventory_bytes(1));
    let label = 10 + u64::from(fill.asset);
    let mut stock = Stock::create(shelf.data(), key(0x57), DESK, label, 1)?;
    let done = world.run(|journal| {
        Batch::open(account.data())?.report_fill(&mut stock, &manager, &fill, &LIMITS, journal)
    });
    if done.is_ok() {
        assert_eq!(stock.inventory.balance, fill.quantity);
    }
    if done.is_err() {
        *account = before;
    }
    done
}

pub(super) fn take(
    world: &mut World,
    account: &mut Account,
    ask: &mut Ask,
    quantity: u64,
) -> Result<()> {
    let manager = world.role(Role::BatchManager);
    let before = (account.clone(), ask.order);
    let mut lines = [Line::zeroed(); 64];
    let done = world.run(|journal| {
        let (mut batch, tokens) = (Batch::open(account.data())?, Tokens(quantity));
        batch.fill_order(
            &mut ask.order,
            tokens,
            &manager,
            &LIMITS,
            &mut lines,
            journal,
        )
    });
    if done.is_err() {
        (*account, ask.order) = before;
    }
    done.map(|_| ())
}

#[test]
fn ix3_fractions_of_an_asset_never_exceed_one() {
    let mut world = World::new();
    let (desk, solver) = (world.desk, world.role(Role::Solver));
    let mut account = Account::new(SIZE.bytes());
    let share = |fraction| Share {
        fraction: Fraction(fraction),
        contribution: units(1),
    };
    world
        .run(|journal| {
            let mut batch =
                Batch::create(account.data(), &desk, &solver, &plan(key(0xba)), journal)?;
            let orders = [10, 11, 12].map(|label| AssetOrder {
                label,
                limit: atoms_per_unit(1),
                quantity: units(5),
            });
            batch.set_assets(&solver, 0, &orders, journal)?;
            for name in 1..=3 {
                batch.join(&solver, key(name), Atoms(100), Tokens(5), &LIMITS, journal)?;
            }
            let half = [share(ONE / 2); 3];
            batch.set_cells(&solver, &key(1), 0, &half, &LIMITS, journal)?;
            batch.set_cells(&solver, &key(2), 0, &half[..2], &LIMITS, journal)
        })
        .unwrap();
    let mut set = |order: u8, first, fraction| {
        let before = account.clone();
        let done = world.run(|journal| {
            let shares = [share(fraction)];
            Batch::open(account.data())?.set_cells(
                &solver,
                &key(order),
                first,
                &shares,
                &LIMITS,
                journal,
            )
        });
        if done.is_err() {
            account = before;
        }
        done
    };
    // One atom of a share above the half that is left, and shares that wrap around.
    for above in [ONE / 2 + 1, ONE, u64::MAX, u64::MAX - ONE / 2 + 1] {
        assert_eq!(
            set(2, 2, above),
            Err(IndexError::FractionsAboveOne),
            "{above}"
        );
    }
    assert_eq!(set(2, 2, ONE / 2), Ok(()));
    assert_eq!(
        set(2, 2, 1),
        Err(IndexError::OutOfOrder),
        "a cell is set once"
    );
    assert_eq!(set(3, 0, 1), Err(IndexError::FractionsAboveOne));
    assert_eq!(set(3, 1, 1), Err(IndexError::OutOfOrder));
    assert_eq!(
        set(3, 0, 0),
        Err(IndexError::WrongAmount),
        "a need without a share"
    );
    assert_eq!(set(9, 0, 1), Err(IndexError::NotAMember));
    let sealed = world.run(|journal| Batch::open(account.data())?.seal(&solver, journal));
    assert_eq!(sealed, Err(IndexError::Incomplete), "member 3 has no cells");
}

proptest! {
    #[test]
    fn ix3_fractions_by_need_sum_to_at_most_one(needs in prop::collection::vec(0u128..1 << 100, 1..16)) {
        let total = Quantity::new(needs.iter().sum::<u128>().max(1));
        let mut sum = Fraction::ZERO;
        for need in &needs {
            let fraction = fraction_of(Quantity::new(*need), total).unwrap();
            sum = crate::engage::add_fraction(sum, fraction).unwrap();
        }
        prop_assert!(ONE - sum.0 <= needs.len() as u64 || needs.iter().all(|need| *need == 0));
    }
}

#[test]
fn ix1_a_batch_goes_through_its_states_in_order_only() {
    let mut world = World::new();
    let mut account = Account::new(SIZE.bytes());
    let mut asks = asks(&mut world, &[[1_000, 0, 2_000], [3_000, 1_000, 0]]);
    build(&mut world, &mut account, &asks, [atoms_per_unit(1_000); 3]).unwrap();
    let solver = world.role(Role::Solver);
    let runner = world.role(Role::BatchManager);
    let mut tried = |act: &mut dyn FnMut(&mut Batch, &mut crate::chain::Journal) -> Result<()>| {
        let before = account.clone();
        let done = world.run(|journal| act(&mut Batch::open(account.data())?, journal));
        account = before;
        done
    };
    let refused = Err(IndexError::IllegalTransition);
    assert_eq!(tried(&mut |b, j| b.seal(&solver, j)), refused);
    assert_eq!(
        tried(&mut |b, j| b.join(&solver, key(9), Atoms(1), Tokens(1), &LIMITS, j)),
        refused
    );
    assert_eq!(
        tried(&mut |b, j| b.send(&runner, j)),
        Err(IndexError::Incomplete)
    );
    assert_eq!(
        tried(&mut |b, j| b.send(&solver, j)),
        Err(IndexError::WrongSigner)
    );
    assert_eq!(
        tried(&mut |b, j| b.drop_member(&runner, &key(0x60), j)),
        Err(IndexError::WrongSigner)
    );
    assert_eq!(tried(&mut |b, j| b.complete(j)), Err(IndexError::TooEarly));
    let fill = BatchFill {
        asset: 0,
        number: 1,
        venue: [0; 32],
        quantity: units(1),
        price: atoms_per_unit(1_000),
        fee: Atoms(0),
    };
    assert_eq!(report(&mut world, &mut account, fill), refused);
    send(&mut world, &mut account, &mut asks).unwrap();
    let again = send(&mut world, &mut account.clone(), &mut asks);
    assert_eq!(again, refused, "an order is locked once");
    let dear = BatchFill {
        price: Price::new(atoms_per_unit(1_000).get() + 1),
        ..fill
    };
    assert_eq!(
        report(&mut world, &mut account, dear),
        Err(IndexError::AboveLimitPrice)
    );
    let costly = BatchFill {
        fee: Atoms(3),
        ..fill
    };
    assert_eq!(
        report(&mut world, &mut account, costly),
        Err(IndexError::AboveLimitPrice)
    );
    report(
        &mut world,
        &mut account,
        BatchFill {
            fee: Atoms(2),
            ..fill
        },
    )
    .unwrap();
    assert_eq!(
        report(&mut world, &mut account, fill),
        Err(IndexError::FillRepeated)
    );
    let early = world.run(|j| Batch::open(account.data())?.cancel_rest(0, &Party::ANYONE, j));
    assert_eq!(early, Err(IndexError::TooEarly));
    let stranger = world.run(|j| Batch::open(account.data())?.cancel_rest(0, &solver, j));
    assert_eq!(stranger, Err(IndexError::WrongSigner));
    let open = world.run(|j| Batch::open(account.data())?.complete(j));
    assert_eq!(open, Err(IndexError::Incomplete));
    // After its deadline anyone can end it, and nobody stays locked.
    world.slot += LIMITS.batch_slots.0 + 1;
    for asset in 0..3 {
        world
            .run(|j| Batch::open(account.data())?.cancel_rest(asset, &Party::ANYONE, j))
            .unwrap();
    }
    world
        .run(|j| Batch::open(account.data())?.complete(j))
        .unwrap();
    assert_eq!(
        Batch::open(account.data()).unwrap().state(),
        Ok(BatchState::Complete)
    );
    for ask in &mut asks {
        world
            .run(|j| Batch::open(account.data())?.carry_over(&mut ask.order, &LIMITS, j))
            .unwrap();
        assert_eq!(ask.order.state(), Ok(State::Ready));
        assert_eq!(ask.order.holdings.carried, Atoms(800_000_000));
    }
}

#[test]
fn a_member_that_cannot_be_locked_is_dropped_and_moves_no_share() {
    let mut world = World::new();
    let mut account = Account::new(SIZE.bytes());
    let mut asks = asks(&mut world, &[[1_000, 1_000, 1_000], [1_000, 1_000, 1_000]]);
    build(&mut world, &mut account, &asks, [atoms_per_unit(1_000); 3]).unwrap();
    let cells = Batch::open(account.data()).unwrap().cells(0).to_vec();
    asks[1].order.state = State::Cancelled as u8;
    let solver = world.role(Role::Solver);
    let name = asks[1].order.chain.stream;
    world
        .run(|j| Batch::open(account.data())?.drop_member(&solver, &name, j))
        .unwrap();
    let twice = world.run(|j| Batch::open(account.data())?.drop_member(&solver, &name, j));
    assert_eq!(twice, Err(IndexError::NotAMember));
    let orders = world.role(Role::OrderManager);
    asks[1].order.state = State::Ready as u8;
    let locked =
        world.run(|j| Batch::open(account.data())?.engage(&mut asks[1].order, &orders, &LIMITS, j));
    assert_eq!(locked, Err(IndexError::NotAMember));
    asks.truncate(1);
    send(&mut world, &mut account, &mut asks).unwrap();
    let batch = Batch::open(account.data()).unwrap();
    assert_eq!(batch.cells(0), cells);
    assert_eq!(batch.members()[1].standing, Standing::Dropped as u8);
    assert_eq!(batch.head.engaged, Atoms(800_000_000));
}

#[test]
fn ix4_a_batch_that_may_cost_more_than_it_engages_is_not_sealed() {
    let mut world = World::new();
    // 4,000 units at 200,000 atoms are 800,000,000: all that is engaged, without the fee.
    for (need, done) in [(3_992_015, Ok(())), (3_992_017, Err(IndexError::Overspend))] {
        let mut account = Account::new(SIZE.bytes());
        let asks = asks(&mut world, &[[need, 0, 0]]);
        let built = build(
            &mut world,
            &mut account,
            &asks,
            [atoms_per_unit(200_000); 3],
        );
        assert_eq!(built, done, "{need}");
    }
    let mut account = Account::new(SIZE.bytes());
    let mut large = asks(&mut world, &[[1, 1, 1]]);
    large[0].collateral = LIMITS.order_atoms_max + 1;
    let built = build(&mut world, &mut account, &large, [atoms_per_unit(1); 3]);
    assert_eq!(built, Err(IndexError::AboveVolley));
}

#[test]
fn engagement_is_bounded_by_time_and_by_what_the_order_has() {
    let mut world = World::new();
    let mut account = Account::new(SIZE.bytes());
    let mut asks = asks(&mut world, &[[1_000, 1_000, 1_000]]);
    build(&mut world, &mut account, &asks, [atoms_per_unit(1_000); 3]).unwrap();
    asks[0]
        .order
        .updates
        .cancel_newest(Atoms(200_000_000))
        .unwrap();
    let poor = send(&mut world, &mut account.clone(), &mut asks);
    assert_eq!(poor, Err(IndexError::NotEnoughCollateral));
    let deadline = Batch::open(account.data()).unwrap().head.deadline_slot;
    world.slot = deadline.0 + 1;
    let late = send(&mut world, &mut account, &mut asks);
    assert_eq!(late, Err(IndexError::TooLate));
    assert_eq!(deadline, Slot(1_001 + LIMITS.batch_slots.0));
}

#[test]
fn a_fill_enters_the_inventory_of_its_own_asset_and_desk() {
    let mut world = World::new();
    let mut account = Account::new(SIZE.bytes());
    let mut asks = asks(&mut world, &[[1_000, 1_000, 1_000]]);
    build(&mut world, &mut account, &asks, [atoms_per_unit(1_000); 3]).unwrap();
    send(&mut world, &mut account, &mut asks).unwrap();
    let manager = world.role(Role::InventoryManager);
    let fill = BatchFill {
        asset: 1,
        number: 1,
        venue: key(3),
        quantity: units(1),
        price: atoms_per_unit(900),
        fee: Atoms(1),
    };
    for (desk, label, done) in [
        (DESK, 10, Err(IndexError::WrongCounterpart)),
        (key(2), 11, Err(IndexError::WrongCounterpart)),
        (DESK, 11, Ok(())),
    ] {
        let mut shelf = Account::new(inventory_bytes(1));
        let mut stock = Stock::create(shelf.data(), key(0x57), desk, label, 1).unwrap();
        let mut batch = Batch::open(account.data()).unwrap();
        let reported = world.run(|j| batch.report_fill(&mut stock, &manager, &fill, &LIMITS, j));
        assert_eq!(reported, done);
        let lots: Vec<_> = stock
            .lots()
            .map(|lot| (lot.fill, lot.batch, lot.cost))
            .collect();
        let expected: &[_] = if done.is_ok() {
            &[(1, 1, Atoms(900))]
        } else {
            &[]
        };
        assert_eq!(lots, expected);
    }
}
