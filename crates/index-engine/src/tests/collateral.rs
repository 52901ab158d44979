//! Collateral lots against a model in which every atom is an item of its own.

use super::support::{Account, DESK, OWNER, World, key, owner};
use crate::amounts::Atoms;
use crate::collateral::{Buckets, Collateral, collateral_bytes};
use crate::collateral_moves::RECLAIM_SLOTS;
use crate::roles::{Party, Role};
use crate::{IndexError, Result};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    Unconfirmed,
    Ready,
    Authorised(u8),
    Spent(u8),
    Charged,
    Withdrawn,
}

#[derive(Clone, Copy, Debug)]
struct Atom {
    deposit: u64,
    place: Where,
    /// When it was last set aside: spending goes by that.
    stamp: u64,
}

#[derive(Clone, Debug, Default)]
struct Model {
    atoms: Vec<Atom>,
    clock: u64,
}

impl Model {
    /// Moves the oldest `amount` atoms; `None` when there are fewer.
    fn shift(&mut self, from: Where, to: Where, amount: u64) -> Option<u64> {
        let mut own: Vec<usize> = (0..self.atoms.len())
            .filter(|at| self.atoms[*at].place == from)
            .collect();
        if matches!(from, Where::Authorised(_)) {
            own.sort_by_key(|at| (self.atoms[*at].stamp, *at));
        }
        let taken = own.get(..amount as usize)?;
        self.clock += 1;
        let mut newest = 0;
        for at in taken {
            let atom = &mut self.atoms[*at];
            atom.place = to;
            atom.stamp = self.clock;
            newest = newest.max(atom.deposit);
        }
        Some(newest)
    }

    fn buckets<'a>(atoms: impl Iterator<Item = &'a Atom>) -> Buckets {
        let mut buckets = Buckets::default();
        for atom in atoms {
            let place = match atom.place {
                Where::Unconfirmed => &mut buckets.unconfirmed,
                Where::Ready => &mut buckets.ready,
                Where::Authorised(_) => &mut buckets.authorised,
                Where::Spent(_) | Where::Charged => &mut buckets.spent,
                Where::Withdrawn => &mut buckets.withdrawn,
            };
            place.0 += 1;
        }
        buckets
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Deposit(u64),
    Ready(u64),
    Charge(u64),
    Authorise(u8, u64),
    Confirm(u8, u64),
    Release(u8, u64),
    Withdraw(u64),
    Archive(u8),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let order = 0u8..4;
    let op = prop_oneof![
        3 => (1u64..20).prop_map(Op::Deposit),
        3 => (1u64..25).prop_map(Op::Ready),
        1 => (1u64..4).prop_map(Op::Charge),
        4 => (order.clone(), 1u64..20).prop_map(|(o, a)| Op::Authorise(o, a)),
        3 => (order.clone(), 1u64..20).prop_map(|(o, a)| Op::Confirm(o, a)),
        2 => (order.clone(), 1u64..20).prop_map(|(o, a)| Op::Release(o, a)),
        2 => (1u64..10).prop_map(Op::Withdraw),
        1 => order.prop_map(Op::Archive),
    ];
    prop::collection::vec(op, 1..150)
}

fn apply(world: &mut World, account: &mut Account, op: Op, deposit: u64) -> Result<()> {
    let manager = world.role(Role::CollateralManager);
    let mut position = Collateral::open(account.data())?;
    let name = |order: u8| key(0x60 + order);
    world.run(|journal| match op {
        Op::Deposit(amount) => position.deposit(&manager, deposit, Atoms(amount), journal),
        Op::Ready(amount) => position.make_ready(&manager, Atoms(amount), journal),
        Op::Charge(amount) => position.charge(&manager, key(9), Atoms(amount), journal),
        Op::Authorise(order, amount) => {
            position.authorise(&manager, name(order), Atoms(amount), journal)
        }
        Op::Confirm(order, amount) => position
            .confirm(&manager, name(order), Atoms(amount), journal)
            .map(|_| ()),
        Op::Release(order, amount) => {
            position.release(&manager, name(order), Atoms(amount), journal)
        }
        Op::Withdraw(amount) => position.withdraw(&owner(), Atoms(amount), journal),
        Op::Archive(order) => position.archive(&manager, name(order), journal),
    })
}

fn model_apply(model: &mut Model, op: Op, deposit: u64) -> bool {
    use Where::{Authorised, Charged, Ready, Spent, Unconfirmed, Withdrawn};
    let moved = match op {
        Op::Deposit(amount) => {
            let atom = Atom {
                deposit,
                place: Unconfirmed,
                stamp: 0,
            };
            model.atoms.extend((0..amount).map(|_| atom));
            Some(deposit)
        }
        Op::Ready(amount) => model.shift(Unconfirmed, Ready, amount),
        Op::Charge(amount) => model.shift(Unconfirmed, Charged, amount),
        Op::Authorise(order, amount) => model.shift(Ready, Authorised(order), amount),
        Op::Confirm(order, amount) => model.shift(Authorised(order), Spent(order), amount),
        Op::Release(order, amount) => model.shift(Authorised(order), Ready, amount),
        Op::Withdraw(amount) => model.shift(Ready, Withdrawn, amount),
        Op::Archive(order) => {
            let held = model
                .atoms
                .iter()
                .any(|atom| atom.place == Authorised(order));
            (!held).then_some(0)
        }
    };
    moved.is_some()
}

fn compare(position: &Collateral, model: &Model, archived: &BTreeMap<u8, u64>) {
    assert_eq!(position.position.totals, Model::buckets(model.atoms.iter()));
    let open: Vec<(u64, Buckets)> = position
        .lots()
        .map(|lot| (lot.deposit, lot.buckets))
        .collect();
    let mut expected = Vec::new();
    let mut deposits: Vec<u64> = model.atoms.iter().map(|atom| atom.deposit).collect();
    deposits.dedup();
    for deposit in deposits {
        let buckets = Model::buckets(model.atoms.iter().filter(|atom| atom.deposit == deposit));
        if !buckets.is_closed() {
            expected.push((deposit, buckets));
        }
    }
    assert_eq!(open, expected);
    for lot in position.lots() {
        assert_eq!(lot.buckets.total(), Ok(lot.original));
    }
    for order in 0..4 {
        let count = |place| {
            model
                .atoms
                .iter()
                .filter(|atom| atom.place == place)
                .count() as u64
        };
        let (held, spent) = position.of_order(&key(0x60 + order)).unwrap();
        assert_eq!(held.0, count(Where::Authorised(order)));
        let kept = count(Where::Spent(order)) - archived.get(&order).unwrap_or(&0);
        assert_eq!(spent.0, kept);
    }
    assert_eq!(position.position.lots.live as usize, open.len());
    assert_eq!(
        position.position.spends.live as usize,
        position.spends().count()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn ix4_collateral_lots_follow_the_model(ops in ops(), lots in 3u32..24, spends in 4u32..40) {
        let mut world = World::new();
        let mut account = Account::new(collateral_bytes(lots, spends));
        Collateral::create(account.data(), key(0xc0), DESK, OWNER, [lots, spends]).unwrap();
        let (mut model, mut archived, mut deposit) = (Model::default(), BTreeMap::new(), 0);
        for op in ops {
            if matches!(op, Op::Deposit(_)) {
                deposit += 1;
            }
            let before = account.clone();
            let mut next = model.clone();
            let possible = model_apply(&mut next, op, deposit);
            match apply(&mut world, &mut account, op, deposit) {
                Ok(()) => {
                    prop_assert!(possible, "{op:?} should have been refused");
                    model = next;
                    if let Op::Archive(order) = op {
                        let spent = model.atoms.iter().filter(|a| a.place == Where::Spent(order));
                        archived.insert(order, spent.count() as u64);
                    }
                }
                Err(IndexError::LotsFull | IndexError::SpendsFull) => account = before,
                Err(error) => {
                    prop_assert!(!possible, "{op:?} was refused: {error}");
                    let expected = match op {
                        Op::Archive(_) => IndexError::Incomplete,
                        _ => IndexError::NotEnoughCollateral,
                    };
                    prop_assert_eq!(error, expected);
                    account = before;
                }
            }
            compare(&Collateral::open(account.data()).unwrap(), &model, &archived);
        }
    }
}

#[test]
fn ix4_a_deposit_counts_once_and_by_its_managers_or_owners_word() {
    let mut world = World::new();
    let mut account = Account::new(collateral_bytes(2, 2));
    Collateral::create(account.data(), key(0xc0), DESK, OWNER, [2, 2]).unwrap();
    let manager = world.role(Role::CollateralManager);
    let solver = world.role(Role::Solver);
    let mut position = Collateral::open(account.data()).unwrap();
    let mut deposit = |party: &Party, number, amount| {
        world.run(|journal| position.deposit(party, number, Atoms(amount), journal))
    };
    assert_eq!(deposit(&manager, 5, 10), Ok(()));
    assert_eq!(deposit(&manager, 5, 10), Err(IndexError::DepositRepeated));
    assert_eq!(deposit(&manager, 4, 10), Err(IndexError::DepositRepeated));
    assert_eq!(deposit(&manager, 6, 0), Err(IndexError::ZeroAmount));
    assert_eq!(deposit(&solver, 6, 10), Err(IndexError::WrongSigner));
    let other = Party::owner(&key(0x77), &key(0x77)).unwrap();
    assert_eq!(deposit(&other, 6, 10), Err(IndexError::WrongSigner));
    assert_eq!(
        deposit(&manager, 6, u64::MAX),
        Err(IndexError::AmountOverflow)
    );
    assert_eq!(deposit(&manager, 6, 10), Ok(()));
    assert_eq!(deposit(&manager, 7, 10), Err(IndexError::LotsFull));
    let by_manager = world.run(|journal| position.withdraw(&manager, Atoms(1), journal));
    assert_eq!(by_manager, Err(IndexError::WrongSigner));
}

#[test]
fn an_owner_deposits_and_takes_back_what_nobody_routed() {
    let mut world = World::new();
    let mut account = Account::new(collateral_bytes(4, 4));
    Collateral::create(account.data(), key(0xc0), DESK, OWNER, [4, 4]).unwrap();
    let manager = world.role(Role::CollateralManager);
    let mut position = Collateral::open(account.data()).unwrap();
    world
        .run(|j| position.deposit(&owner(), 1, Atoms(100), j))
        .unwrap();
    world.slot += RECLAIM_SLOTS;
    let mut reclaim = |world: &mut World, party: &Party, amount| {
        world.run(|j| position.reclaim(party, Atoms(amount), j))
    };
    assert_eq!(reclaim(&mut world, &owner(), 1), Err(IndexError::TooEarly));
    world.slot += 1;
    assert_eq!(
        reclaim(&mut world, &manager, 1),
        Err(IndexError::WrongSigner)
    );
    assert_eq!(reclaim(&mut world, &owner(), 30), Ok(()));
    // A younger deposit waits its own time, and does not hold up the older one.
    world
        .run(|j| position.deposit(&owner(), 2, Atoms(50), j))
        .unwrap();
    let mut reclaim =
        |world: &mut World, amount| world.run(|j| position.reclaim(&owner(), Atoms(amount), j));
    assert_eq!(reclaim(&mut world, 71), Err(IndexError::TooEarly));
    assert_eq!(reclaim(&mut world, 70), Ok(()));
    let totals = position.position.totals;
    assert_eq!(
        (totals.unconfirmed, totals.withdrawn),
        (Atoms(50), Atoms(100))
    );
    let routed = world.run(|j| position.make_ready(&manager, Atoms(50), j));
    assert_eq!(routed, Ok(()));
}

#[test]
fn an_account_is_created_once_and_read_with_care() {
    let mut account = Account::new(collateral_bytes(2, 2));
    let open = Collateral::open(account.data()).map(|_| ());
    assert_eq!(open, Err(IndexError::WrongRecord));
    let data = &mut account.data()[8..];
    let short = Collateral::create(data, key(1), DESK, OWNER, [2, 2]).map(|_| ());
    assert_eq!(short, Err(IndexError::BadCapacity));
    let mut account = Account::new(collateral_bytes(2, 2));
    let zero = Collateral::create(account.data(), key(1), DESK, OWNER, [0, 2]).map(|_| ());
    assert_eq!(zero, Err(IndexError::BadCapacity));
    let mut account = Account::new(collateral_bytes(2, 2));
    Collateral::create(account.data(), key(1), DESK, OWNER, [2, 2]).unwrap();
    let twice = Collateral::create(account.data(), key(1), DESK, OWNER, [2, 2]).map(|_| ());
    assert_eq!(twice, Err(IndexError::AlreadyInitialized));
    let misaligned = Collateral::open(&mut account.data()[1..]).map(|_| ());
    assert_eq!(misaligned, Err(IndexError::WrongRecord));
}
