//! Inventory lots against a queue of single units, and their exact conservation.

use super::support::{Account, DESK, World, atoms_per_unit, key, units};
use crate::amounts::{Atoms, Price, Quantity, slice, value_floor};
use crate::inventory::{Assignment, Fill, Stock, inventory_bytes};
use crate::roles::{Party, Role};
use crate::{IndexError, Result};
use flagstone_units::Side;
use proptest::prelude::*;
use std::collections::VecDeque;

fn stock(lots: u32) -> Account {
    let mut account = Account::new(inventory_bytes(lots));
    Stock::create(account.data(), key(0x57), DESK, 42, lots).unwrap();
    account
}

fn fill(number: u64, side: Side, quantity: Quantity, price: Price, fee: u64) -> Fill {
    Fill {
        number,
        quantity,
        price,
        fee: Atoms(fee),
        side: side as u8,
        ..Fill::default()
    }
}

fn book(world: &mut World, account: &mut Account, fill: &Fill) -> Result<()> {
    let manager = world.role(Role::InventoryManager);
    let mut stock = Stock::open(account.data())?;
    world.run(|journal| stock.fill(&manager, fill, journal))
}

#[derive(Default)]
struct Model {
    side: Option<Side>,
    /// One entry per unit held: its fill and price.
    held: VecDeque<(u64, u64)>,
    realised: i64,
    flips: u64,
}

impl Model {
    fn fill(&mut self, number: u64, side: Side, count: u64, price: u64) {
        let was = self.side.filter(|_| !self.held.is_empty());
        let mut flipped = false;
        for _ in 0..count {
            if self.side == Some(side.contra()) && !self.held.is_empty() {
                let (_, cost) = self.held.pop_front().unwrap();
                let gain = price as i64 - cost as i64;
                self.realised += if side == Side::Ask { gain } else { -gain };
            } else {
                flipped |= was == Some(side.contra());
                self.side = Some(side);
                self.held.push_back((number, price));
            }
        }
        self.flips += u64::from(flipped);
    }
    fn lots(&self) -> Vec<(u64, u64)> {
        let mut lots: Vec<(u64, u64)> = Vec::new();
        for (number, _) in &self.held {
            match lots.last_mut() {
                Some(lot) if lot.0 == *number => lot.1 += 1,
                _ => lots.push((*number, 1)),
            }
        }
        lots
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn ix7_inventory_follows_the_model(
        fills in prop::collection::vec((any::<bool>(), 1u64..12, 1u64..200, 0u64..5), 1..120)
    ) {
        let (mut world, mut account, mut model) = (World::new(), stock(128), Model::default());
        let mut fees = 0;
        for (at, (sell, count, price, fee)) in fills.into_iter().enumerate() {
            let number = at as u64 + 1;
            let side = if sell { Side::Ask } else { Side::Bid };
            book(&mut world, &mut account, &fill(number, side, units(count), atoms_per_unit(price), fee)).unwrap();
            model.fill(number, side, count, price);
            fees += fee;
            let stock = Stock::open(account.data()).unwrap();
            let side = model.side.filter(|_| !model.held.is_empty());
            prop_assert_eq!(stock.side().unwrap(), side);
            prop_assert_eq!(stock.inventory.balance, units(model.held.len() as u64));
            prop_assert_eq!(stock.inventory.realised_atoms, model.realised);
            prop_assert_eq!(stock.inventory.flips, model.flips);
            prop_assert_eq!(stock.inventory.fees, Atoms(fees));
            let lots: Vec<_> = stock.lots().map(|lot| (lot.fill, lot.remaining)).collect();
            let expected: Vec<_> = model.lots().into_iter().map(|(n, c)| (n, units(c))).collect();
            prop_assert_eq!(lots, expected);
        }
    }

    /// With quantities and prices of any size: nothing is rounded away.
    #[test]
    fn ix7_conservation_is_exact_at_any_size(
        fills in prop::collection::vec((any::<bool>(), 1u128..1 << 70, 1u128..1 << 62), 1..80)
    ) {
        let (mut world, mut account) = (World::new(), stock(128));
        let (mut quantity, mut value) = (0i128, 0i128);
        for (at, (sell, size, price)) in fills.into_iter().enumerate() {
            let side = if sell { Side::Ask } else { Side::Bid };
            let (size, price) = (Quantity::new(size), Price::new(price));
            book(&mut world, &mut account, &fill(at as u64 + 1, side, size, price, 0)).unwrap();
            let sign = if sell { -1 } else { 1 };
            quantity += sign * size.get() as i128;
            value += sign * i128::from(value_floor(size, price).unwrap().0);
            let stock = Stock::open(account.data()).unwrap();
            let long = if stock.inventory.side == 0 { 1 } else { -1 };
            let (mut open, mut cost) = (0i128, 0i128);
            for lot in stock.lots() {
                open += lot.remaining.get() as i128;
                let rest = slice(lot.cost, lot.remaining, lot.remaining, lot.original).unwrap();
                cost += i128::from(rest.0);
            }
            prop_assert_eq!(open, stock.inventory.balance.get() as i128);
            prop_assert_eq!(long * open, quantity, "bought less sold is what is held");
            prop_assert_eq!(
                value + i128::from(stock.inventory.realised_atoms), long * cost,
                "paid less received and earned is what the lots cost"
            );
        }
    }
}

#[test]
fn a_sale_beyond_the_position_flips_it() {
    let (mut world, mut account) = (World::new(), stock(8));
    let price = atoms_per_unit;
    let steps: [(Side, u64, u64, Option<Side>, u64, u64); 7] = [
        (Side::Bid, 4, 10, Some(Side::Bid), 4, 0),
        (Side::Ask, 4, 12, None, 0, 0),
        (Side::Ask, 3, 12, Some(Side::Ask), 3, 0),
        (Side::Bid, 5, 10, Some(Side::Bid), 2, 1),
        (Side::Ask, 3, 11, Some(Side::Ask), 1, 2),
        (Side::Ask, 2, 11, Some(Side::Ask), 3, 2),
        (Side::Bid, 3, 11, None, 0, 2),
    ];
    for (at, (side, count, at_price, held, balance, flips)) in steps.into_iter().enumerate() {
        let fill = fill(at as u64 + 1, side, units(count), price(at_price), 0);
        book(&mut world, &mut account, &fill).unwrap();
        let stock = Stock::open(account.data()).unwrap();
        assert_eq!(stock.side().unwrap(), held, "step {at}");
        assert_eq!(stock.inventory.balance, units(balance), "step {at}");
        assert_eq!(stock.inventory.flips, flips, "step {at}");
    }
    // 4*(12-10) + 3*(12-10) + 2*(11-10) + 1*(11-11) + 2*(11-11)
    let stock = Stock::open(account.data()).unwrap();
    assert_eq!(stock.inventory.realised_atoms, 16);
    assert_eq!(stock.inventory.lots.live, 0);
}

#[test]
fn a_fill_counts_once_and_assignments_stay_within_their_lot() {
    let (mut world, mut account) = (World::new(), stock(2));
    let one = fill(3, Side::Bid, units(5), atoms_per_unit(10), 1);
    book(&mut world, &mut account, &one).unwrap();
    assert_eq!(
        book(&mut world, &mut account, &one),
        Err(IndexError::FillRepeated)
    );
    let bad = |number, quantity, price, side| Fill {
        side,
        ..fill(number, Side::Bid, quantity, price, 0)
    };
    let cases = [
        (
            bad(2, units(1), atoms_per_unit(1), 0),
            IndexError::FillRepeated,
        ),
        (
            bad(4, units(0), atoms_per_unit(1), 0),
            IndexError::ZeroAmount,
        ),
        (bad(4, units(1), Price::ZERO, 0), IndexError::ZeroAmount),
        (
            bad(4, units(1), atoms_per_unit(1), 2),
            IndexError::UnknownCode,
        ),
    ];
    for (fill, error) in cases {
        assert_eq!(book(&mut world, &mut account, &fill), Err(error));
    }
    book(
        &mut world,
        &mut account,
        &bad(4, units(1), atoms_per_unit(1), 0),
    )
    .unwrap();
    let before = account.clone();
    let full = book(
        &mut world,
        &mut account,
        &bad(5, units(1), atoms_per_unit(1), 0),
    );
    assert_eq!(full, Err(IndexError::LotsFull));
    account = before;
    let manager = world.role(Role::InventoryManager);
    let mut assign = |party: &Party, lot, quantity| {
        let to = Assignment {
            order: key(0x0e),
            lot,
            quantity: units(quantity),
        };
        let mut stock = Stock::open(account.data()).unwrap();
        world.run(|journal| stock.assign(party, &to, journal))
    };
    assert_eq!(assign(&manager, 3, 4), Ok(()));
    assert_eq!(assign(&manager, 3, 2), Err(IndexError::NoLot));
    assert_eq!(assign(&manager, 9, 1), Err(IndexError::NoLot));
    assert_eq!(assign(&Party::ANYONE, 3, 1), Err(IndexError::WrongSigner));
    assert_eq!(assign(&manager, 3, 0), Err(IndexError::ZeroAmount));
    assert_eq!(assign(&manager, 3, 1), Ok(()));
}
