//! Frozen shares: whoever runs first, everyone gets theirs and nobody more.

use super::pending::{chunk, fresh, make};
use super::support::{Account, INDEX, LIMITS, World, key, owner};
use crate::allotment::{Allotment, NewAllotment, allotment_bytes};
use crate::amounts::{Fraction, ONE, Quantity};
use crate::market::{IndexState, MarketState};
use crate::pending::{Chunk, PendingOrder};
use crate::roles::{Party, Role};
use crate::{IndexError, Result};
use flagstone_units::{Side, Slot};
use proptest::prelude::*;

const NAME: [u8; 32] = key(0xa1);

struct Setting {
    world: World,
    account: Account,
    state: (MarketState, IndexState),
    orders: Vec<PendingOrder>,
}

/// An allotment of two assets with a member per pair of fractions.
fn setting(capacities: [u128; 2], fractions: &[[u64; 2]]) -> Setting {
    let mut world = World::new();
    let mut state = fresh(&world);
    // Freshness and pace are tested elsewhere.
    state.0.data_slots_max = Slot(100_000);
    state.0.supply_slots_max = Slot(100_000);
    state.1.quote_slots_max = Slot(100_000);
    state.1.chunk_gap_slots = Slot(0);
    let members = fractions.len() as u32;
    let mut account = Account::new(allotment_bytes(2, members));
    let (desk, solver) = (world.desk, world.role(Role::Solver));
    let capacities = capacities.map(Quantity::new);
    let new = NewAllotment {
        stream: NAME,
        index: INDEX,
        side: Side::Bid,
        members,
        capacities: &capacities,
    };
    world
        .run(|j| {
            let data = account.data();
            Allotment::create(data, &new, &desk, &solver, (&state.0, &state.1), j).map(|_| ())
        })
        .unwrap();
    let mut orders = Vec::new();
    for (at, shares) in fractions.iter().enumerate() {
        let name = 0x60 + at as u8;
        let mut order = make(&mut world, &mut state.1, name, Side::Bid, 1_000_000).unwrap();
        let shares = shares.map(Fraction);
        world
            .run(|j| Allotment::open(account.data())?.join(&mut order, &shares, &solver, j))
            .unwrap();
        orders.push(order);
    }
    Setting {
        world,
        account,
        state,
        orders,
    }
}

impl Setting {
    fn seal(&mut self) {
        let solver = self.world.role(Role::Solver);
        let account = &mut self.account;
        self.world
            .run(|j| Allotment::open(account.data())?.seal(&solver, j))
            .unwrap();
    }

    fn run(&mut self, member: usize, quantities: &[Quantity]) -> Result<()> {
        let (order, account) = (&mut self.orders[member], &mut self.account);
        let before = (*order, account.clone(), self.state);
        let executed = Chunk {
            quantities,
            ..chunk(1, 1_000_000_000)
        };
        let (market, index) = &mut self.state;
        let done = self.world.run(|j| {
            let mut allotment = Allotment::open(account.data())?;
            order.book_chunk(&executed, market, index, Some(&mut allotment), j)
        });
        if done.is_err() {
            (*order, *account, self.state) = before;
        }
        done
    }
}

/// The paper's scheme gives these two 50 and 25.
#[test]
fn ix3_two_halves_of_a_hundred_are_fifty_and_fifty_in_either_order() {
    for first in [0, 1] {
        let mut setting = setting([100, 100], &[[ONE / 2; 2]; 2]);
        let fifty = [Quantity::new(50); 2];
        assert_eq!(
            setting.run(first, &fifty),
            Err(IndexError::IllegalTransition),
            "not sealed"
        );
        setting.seal();
        for member in [first, 1 - first] {
            let above = [Quantity::new(50), Quantity::new(51)];
            assert_eq!(setting.run(member, &above), Err(IndexError::AboveAllotment));
            assert_eq!(setting.run(member, &fifty), Ok(()));
            let one = [Quantity::new(1), Quantity::ZERO];
            assert_eq!(setting.run(member, &one), Err(IndexError::AboveAllotment));
        }
    }
}

proptest! {
    #[test]
    fn ix3_members_together_never_take_more_than_the_capacity(
        capacities in [0u128..1 << 66, 0u128..1 << 66],
        weights in prop::collection::vec([0u64..1_000, 0u64..1_000], 1..6),
        draws in prop::collection::vec((0usize..6, 0u128..120, 0u128..120), 1..60),
    ) {
        let sums = [0, 1].map(|at| weights.iter().map(|w| w[at]).sum::<u64>().max(1));
        let fractions: Vec<[u64; 2]> = weights.iter().map(|weight| {
            [0, 1].map(|at| (u128::from(ONE) * u128::from(weight[at]) / u128::from(sums[at])) as u64)
        }).collect();
        let mut setting = setting(capacities, &fractions);
        setting.seal();
        let mut taken = vec![[0u128; 2]; fractions.len()];
        for (member, first, second) in draws {
            if member >= fractions.len() {
                continue;
            }
            // In hundredths of the member's share, so that some draws exceed it.
            let share = [0, 1].map(|at| {
                capacities[at] * u128::from(fractions[member][at]) / u128::from(ONE)
            });
            let quantities = [share[0] / 100 * first, share[1] / 100 * second];
            let fits = (0..2).all(|at| taken[member][at] + quantities[at] <= share[at]);
            let done = setting.run(member, &quantities.map(Quantity::new));
            prop_assert_eq!(done, if fits { Ok(()) } else { Err(IndexError::AboveAllotment) });
            let name = setting.orders[member].chain.stream;
            for at in 0..2 {
                taken[member][at] += if fits { quantities[at] } else { 0 };
                let all: u128 = taken.iter().map(|own| own[at]).sum();
                prop_assert!(all <= capacities[at]);
                let left = Allotment::open(setting.account.data()).unwrap().left(&name, at).unwrap();
                prop_assert_eq!(left.get() + taken[member][at], share[at]);
            }
        }
    }
}

#[test]
fn ix3_fractions_above_one_are_refused_per_asset() {
    let mut setting = setting([100, 100], &[[ONE / 2, ONE], [0, 0]]);
    let solver = setting.world.role(Role::Solver);
    let mut order = make(
        &mut setting.world,
        &mut setting.state.1,
        0x70,
        Side::Bid,
        10,
    )
    .unwrap();
    // Room for one more is needed to get as far as the fractions.
    setting.account = allotment_with_room(&mut setting);
    for (fractions, done) in [
        ([ONE / 2 + 1, 0], Err(IndexError::FractionsAboveOne)),
        ([0, 1], Err(IndexError::FractionsAboveOne)),
        ([u64::MAX, 0], Err(IndexError::FractionsAboveOne)),
        ([ONE / 2, 0], Ok(())),
    ] {
        let fractions = fractions.map(Fraction);
        let joined = setting.world.run(|j| {
            Allotment::open(setting.account.data())?.join(&mut order, &fractions, &solver, j)
        });
        assert_eq!(joined, done, "{fractions:?}");
    }
}

/// The setting's allotment again, with room for a third member.
fn allotment_with_room(setting: &mut Setting) -> Account {
    let mut account = Account::new(allotment_bytes(2, 3));
    let (desk, solver) = (setting.world.desk, setting.world.role(Role::Solver));
    let capacities = [Quantity::new(100); 2];
    let new = NewAllotment {
        stream: NAME,
        index: INDEX,
        side: Side::Bid,
        members: 3,
        capacities: &capacities,
    };
    let state = (&setting.state.0, &setting.state.1);
    let (orders, world) = (&mut setting.orders, &mut setting.world);
    world
        .run(|j| {
            let mut made = Allotment::create(account.data(), &new, &desk, &solver, state, j)?;
            orders[0].allotment = [0; 32];
            made.join(
                &mut orders[0],
                &[Fraction(ONE / 2), Fraction(ONE)],
                &solver,
                j,
            )
        })
        .unwrap();
    account
}

#[test]
fn an_order_belongs_to_one_allotment_and_can_leave_it() {
    let mut setting = setting([100, 100], &[[ONE / 2; 2]; 2]);
    let solver = setting.world.role(Role::Solver);
    let shares = [Fraction(1); 2];
    let mut join = |order: &mut PendingOrder, party: &Party, shares: &[Fraction]| {
        let account = &mut setting.account;
        setting
            .world
            .run(|j| Allotment::open(account.data())?.join(order, shares, party, j))
    };
    let bound = setting.orders[0];
    assert_eq!(
        join(&mut bound.clone(), &solver, &shares),
        Err(IndexError::NotAMember)
    );
    let mut free = bound;
    free.allotment = [0; 32];
    assert_eq!(
        join(&mut free.clone(), &owner(), &shares),
        Err(IndexError::WrongSigner)
    );
    assert_eq!(
        join(&mut free.clone(), &solver, &shares[..1]),
        Err(IndexError::OutOfOrder)
    );
    assert_eq!(
        join(&mut free.clone(), &solver, &shares),
        Err(IndexError::BatchFull)
    );
    free.side = Side::Ask as u8;
    assert_eq!(
        join(&mut free, &solver, &shares),
        Err(IndexError::WrongCounterpart)
    );
    setting.seal();
    // A member cannot pass its share by, neither without the allotment nor with another.
    let (market, mut index) = setting.state;
    let mut order = setting.orders[0];
    let executed = chunk(1, 1_000_000_000);
    let without = setting
        .world
        .run(|j| order.book_chunk(&executed, &market, &mut index, None, j));
    assert_eq!(without, Err(IndexError::WrongCounterpart));
    let mut stranger = setting.orders[0];
    stranger.allotment = key(0xa2);
    setting.orders[0] = stranger;
    let other = setting.run(0, &[Quantity::ZERO; 2]);
    assert_eq!(other, Err(IndexError::WrongCounterpart));
    setting.orders[0] = order;
    let mut leave = |world: &mut World, at: usize, party: &Party| {
        let (account, order) = (&mut setting.account, &mut setting.orders[at]);
        world.run(|j| Allotment::open(account.data())?.leave(order, party, j))
    };
    let world = &mut setting.world;
    assert_eq!(leave(world, 0, &Party::ANYONE), Err(IndexError::TooEarly));
    assert_eq!(leave(world, 0, &solver), Err(IndexError::WrongSigner));
    assert_eq!(leave(world, 0, &owner()), Ok(()));
    assert_eq!(leave(world, 0, &owner()), Err(IndexError::WrongCounterpart));
    world.slot += LIMITS.batch_slots.0 + 1;
    assert_eq!(
        setting.run(1, &[Quantity::ZERO; 2]),
        Err(IndexError::TooLate)
    );
    let (account, order) = (&mut setting.account, &mut setting.orders[1]);
    let left = setting
        .world
        .run(|j| Allotment::open(account.data())?.leave(order, &Party::ANYONE, j));
    assert_eq!(left, Ok(()));
    assert_eq!(order.allotment, [0; 32]);
    // Free again, it trades without a share.
    let done = setting
        .world
        .run(|j| order.book_chunk(&executed, &market, &mut index, None, j));
    assert_eq!(done, Ok(()));
}
