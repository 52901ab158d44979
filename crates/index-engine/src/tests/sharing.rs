//! What a batch buys is shared out exactly, whatever is filled and taken when.

use super::batches::{Ask, SIZE, asks, build, report, send, take};
use super::support::{Account, DESK, LIMITS, World, atoms_per_unit, key};
use crate::IndexError;
use crate::amounts::{Atoms, ONE, Quantity, Tokens};
use crate::batch::Batch;
use crate::carry::{Carry, carry_bytes};
use crate::machine::State;
use crate::members::BatchFill;
use crate::roles::Role;
use proptest::prelude::*;

/// Everything bought is either attributed or still in a lot, in quantity and cost.
fn check_conservation(account: &mut Account, asks: &[Ask], paid: u64) {
    let batch = Batch::open(account.data()).unwrap();
    let mut in_lots = 0;
    for (at, asset) in batch.assets().iter().enumerate() {
        let left: u128 = batch.lots(at).map(|lot| lot.remaining.get()).sum();
        let position = asset.position().unwrap().get();
        assert_eq!(asset.taken.get() + left, position, "asset {at}");
        let cells: u128 = (0..asks.len())
            .map(|m| batch.cells(m)[at].taken.get())
            .sum();
        assert_eq!(cells, asset.taken.get());
        assert!(asset.fractions.0 <= ONE);
        for lot in batch.lots(at) {
            let rest =
                |total| crate::amounts::slice(total, lot.remaining, lot.remaining, lot.original);
            in_lots += rest(lot.cost).unwrap().0 + rest(lot.fee).unwrap().0;
        }
    }
    for (at, member) in batch.members().iter().enumerate() {
        for cell in batch.cells(at) {
            // Rounded up by less than one unit: what is filled is always backed.
            let due = cell.contribution.get() * u128::from(member.filled.0);
            let taken = cell.taken.get() * u128::from(member.tokens.0);
            assert!(taken >= due && taken - due < u128::from(member.tokens.0));
        }
    }
    let spent: u64 = asks.iter().map(|ask| ask.order.holdings.spent.0).sum();
    assert_eq!(spent + in_lots, paid, "cost and fees are conserved");
    for (ask, member) in asks.iter().zip(batch.members()) {
        assert!(ask.order.is_balanced());
        assert_eq!(ask.order.holdings.filled, member.filled);
        assert_eq!(ask.order.holdings.spent, member.spent);
        assert!(member.filled <= member.tokens && member.spent <= member.engaged);
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Fill {
        asset: u32,
        share: u32,
        price: u64,
        fee: u64,
    },
    Take {
        member: usize,
        share: u32,
    },
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let fill =
        (0u32..3, 1u32..110, 1u64..=100_000, 0u64..3).prop_map(|(asset, share, price, fee)| {
            Op::Fill {
                asset,
                share,
                price,
                fee,
            }
        });
    let take = (0usize..4, 1u32..=110).prop_map(|(member, share)| Op::Take { member, share });
    prop::collection::vec(prop_oneof![fill, take], 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn ix7_what_a_batch_buys_is_shared_out_exactly(
        needs in prop::collection::vec([1u64..400_000, 0u64..400_000, 1u64..400_000], 1..=4),
        ops in ops(),
    ) {
        let mut world = World::new();
        let mut account = Account::new(SIZE.bytes());
        let mut asks = asks(&mut world, &needs);
        // 100 atoms to a unit at most: 400 units cost far less than is engaged.
        build(&mut world, &mut account, &asks, [atoms_per_unit(100_000); 3]).unwrap();
        send(&mut world, &mut account, &mut asks).unwrap();
        let (mut number, mut paid) = (0, 0);
        for op in ops {
            match op {
                Op::Fill { asset, share, price, fee } => {
                    number += 1;
                    let open = Batch::open(account.data()).unwrap().assets()[asset as usize].open().unwrap();
                    let quantity = Quantity::new(open.get() / 100 * u128::from(share));
                    let fill = BatchFill { asset, number, venue: [0; 32], quantity, price: atoms_per_unit(price), fee: Atoms(fee) };
                    let done = report(&mut world, &mut account, fill);
                    let cost = crate::amounts::value_floor(quantity, fill.price).unwrap();
                    let dear = fee * 1_000_000 > cost.0 * 2_000 + 999_999;
                    let expected = if quantity.is_zero() {
                        Err(IndexError::ZeroAmount)
                    } else if share > 100 && quantity.get() > open.get() {
                        Err(IndexError::AboveOrdered)
                    } else if dear {
                        Err(IndexError::AboveLimitPrice)
                    } else {
                        paid += cost.0 + fee;
                        Ok(())
                    };
                    prop_assert_eq!(done, expected);
                }
                Op::Take { member, share } => {
                    let Some(ask) = asks.get_mut(member) else { continue };
                    if ask.order.state().unwrap() == State::FullyMintable { continue }
                    let name = ask.order.chain.stream;
                    let most = Batch::open(account.data()).unwrap().available(&name).unwrap().0;
                    let quantity = (u128::from(most) * u128::from(share) / 100) as u64;
                    let done = take(&mut world, &mut account, ask, quantity);
                    let expected = match quantity {
                        0 => Err(IndexError::ZeroAmount),
                        more if more > most => Err(IndexError::AboveFill),
                        _ => Ok(()),
                    };
                    prop_assert_eq!(done, expected);
                }
            }
            check_conservation(&mut account, &asks, paid);
        }
        finish(&mut world, &mut account, &mut asks);
    }
}

/// Cancels, completes, takes what is left to take, lets everyone go and
/// retires the rests: the carry-over gets exactly what nobody took.
fn finish(world: &mut World, account: &mut Account, asks: &mut [Ask]) {
    let manager = world.role(Role::InventoryManager);
    for asset in 0..3 {
        let open = Batch::open(account.data()).unwrap().assets()[asset as usize]
            .open()
            .unwrap();
        let done =
            world.run(|journal| Batch::open(account.data())?.cancel_rest(asset, &manager, journal));
        assert_eq!(done.is_ok(), !open.is_zero());
    }
    world
        .run(|journal| Batch::open(account.data())?.complete(journal))
        .unwrap();
    for ask in asks.iter_mut() {
        if ask.order.state().unwrap() == State::FullyMintable {
            continue;
        }
        let name = ask.order.chain.stream;
        let most = Batch::open(account.data())
            .unwrap()
            .available(&name)
            .unwrap();
        if most > Tokens::ZERO {
            let early = world.run(|journal| {
                Batch::open(account.data())?.carry_over(&mut ask.order, &LIMITS, journal)
            });
            assert_eq!(early, Err(IndexError::Incomplete));
            take(world, account, ask, most.0).unwrap();
        }
        if ask.order.state().unwrap() != State::FullyMintable {
            world
                .run(|journal| {
                    Batch::open(account.data())?.carry_over(&mut ask.order, &LIMITS, journal)
                })
                .unwrap();
        }
        assert!(ask.order.is_balanced());
        assert_eq!(ask.order.holdings.engaged, Atoms::ZERO);
        assert_eq!(ask.order.batch, [0; 32]);
    }
    for asset in 0..3u32 {
        let mut kept = Account::new(carry_bytes(64));
        let label = u64::from(asset) + 10;
        Carry::create(kept.data(), key(0xca), DESK, label, 64).unwrap();
        let mut batch = Batch::open(account.data()).unwrap();
        let target = batch.assets()[asset as usize];
        let left = target.position().unwrap().minus(target.taken).unwrap();
        let mut carry = Carry::open(kept.data()).unwrap();
        let mut retired = Quantity::ZERO;
        // A call moves ten lots; one that moves none says that it is done.
        loop {
            let moved = world.run(|journal| carry.retire(&mut batch, asset, journal));
            let moved = moved.unwrap();
            if moved.is_zero() {
                break;
            }
            retired = retired.plus(moved).unwrap();
        }
        assert_eq!(retired, left);
        assert_eq!(carry.head.balance, left);
        let lots: u128 = carry.lots().map(|lot| lot.remaining.get()).sum();
        assert_eq!(lots, left.get());
        assert_eq!(batch.lots(asset as usize).count(), 0);
    }
}
