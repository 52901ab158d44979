//! Accounts that close, open again, are freed, and the counters that go on.
#![allow(missing_docs, reason = "tests")]

mod common;

use common::ends::*;
use common::roots::Model;
use common::router::reserve;
use common::{Exchange, Rng, key_of, params, small};
use flagstone_interface::router::Escrow;
use flagstone_interface::slab::{PoolId, SlabAccount, account_flags};
use flagstone_slab_engine::accounts::IDLE_SLOTS;
use flagstone_slab_engine::roots::RootStep;
use flagstone_slab_engine::{Slab, SlabError};
use flagstone_units::{Side, Slot};

/// A change of a record, and what it is about.
type Spoil<T> = (&'static str, fn(&mut T));

#[test]
fn x2_an_account_closes_only_when_nothing_is_left_in_it() {
    let spoil: [Spoil<SlabAccount>; 7] = [
        ("cash", |a| a.cash_atoms = 1),
        ("a debt", |a| a.cash_atoms = -1),
        ("a bond", |a| a.bond_atoms = 1),
        ("an order", |a| a.orders_count = 1),
        ("a hold", |a| a.holds_count = 1),
        ("a position", |a| a.positions_count = 1),
        ("bankrupt", |a| a.flags |= account_flags::BANKRUPT),
    ];
    for (what, spoil) in spoil {
        let mut exchange = drained();
        let before = exchange.slab().accounts[1];
        spoil(&mut exchange.slab().accounts[1]);
        let (record, slot) = (exchange.escrows[0], Slot(exchange.slot));
        let trader = record.trader;
        let closed =
            exchange.run(|slab| slab.close_account(Some(&trader), 1, &address(1), &record, slot));
        assert_eq!(closed, Err(SlabError::NotEmpty), "{what}");
        exchange.slab().accounts[1] = before;
        close(&mut exchange, 1).unwrap();
    }
}

#[test]
fn x2_an_account_closes_only_when_every_counter_is_equal() {
    let spoil: [Spoil<Escrow>; 8] = [
        ("deposit to come", |e| e.deposited_total_atoms += 1),
        ("deposits backwards", |e| e.deposited_total_atoms -= 1),
        ("debit not booked", |e| e.debited_seen_atoms = 1),
        ("release not paid", |e| e.released_seen_atoms -= 1),
        ("paid too much", |e| e.released_seen_atoms += 1),
        ("cover to come", |e| e.covered_total_atoms = 1),
        ("money in a capability", |e| e.balance_atoms = 1),
        ("an empty capability", |e| e.caps[15].state = 1),
    ];
    for (what, spoil) in spoil {
        let mut exchange = drained();
        let before = exchange.escrows[0];
        spoil(&mut exchange.escrows[0]);
        assert_eq!(close(&mut exchange, 1), Err(SlabError::NotEmpty), "{what}");
        exchange.escrows[0] = before;
        close(&mut exchange, 1).unwrap();
        // What bars closing bars unbinding.
        spoil(&mut exchange.escrows[0]);
        assert!(!unbind(&mut exchange, 1), "{what}");
    }
}

#[test]
fn x2_orders_holds_and_positions_keep_an_account_open() {
    let mut exchange = Exchange::new(&params(), 3);
    let order = exchange.post(1, Side::Bid, 990, 5).unwrap();
    assert_eq!(close(&mut exchange, 1), Err(SlabError::NotEmpty));
    exchange.reserve(&reserve(2, Side::Ask, 990, 5)).unwrap();
    assert_eq!(close(&mut exchange, 2), Err(SlabError::NotEmpty));
    exchange.cancel(1, order).unwrap();
    exchange.post(3, Side::Ask, 1_000, 5).unwrap();
    exchange.ioc(1, Side::Bid, 1_000, 5).unwrap();
    for who in 1..=3 {
        assert_eq!(close(&mut exchange, who), Err(SlabError::NotEmpty));
    }
}

#[test]
fn t6_only_the_trader_closes_until_the_account_is_idle() {
    let mut exchange = drained();
    let wrong = Err(SlabError::WrongTrader);
    let touched = exchange.slot;
    for signer in [None, Some(key_of(7, 2)), Some([0; 32]), Some(address(1))] {
        for slot in [touched, touched + IDLE_SLOTS.0 - 1] {
            exchange.slot = slot;
            assert_eq!(close_as(&mut exchange, signer, 1, 1), wrong);
        }
    }
    // A sync that credits nothing keeps no account from being idle.
    exchange.slot = touched + IDLE_SLOTS.0 - 1;
    assert_eq!(sync(&mut exchange, 1), Ok(0));
    exchange.slot += 1;
    close_as(&mut exchange, None, 1, 1).unwrap();
}

#[test]
fn t6_an_idle_account_that_holds_something_stays() {
    let mut exchange = Exchange::new(&params(), 1);
    exchange.slot += IDLE_SLOTS.0 * 5;
    let closed = close_as(&mut exchange, None, 1, 1);
    assert_eq!(closed, Err(SlabError::NotEmpty));
    // To the last atom, and a deposit makes it busy again.
    let (trader, slot) = (key_of(7, 1), Slot(exchange.slot));
    let most = exchange.cash(1) as u64 - 1;
    exchange
        .run(|slab| slab.release(&trader, 1, most, slot))
        .unwrap();
    pay(&mut exchange, 1);
    exchange.slot += IDLE_SLOTS.0;
    let closed = close_as(&mut exchange, None, 1, 1);
    assert_eq!(closed, Err(SlabError::NotEmpty));
    fund(&mut exchange, 1, 1);
    sync(&mut exchange, 1).unwrap();
    let closed = close_as(&mut exchange, None, 1, 1);
    assert_eq!(closed, Err(SlabError::WrongTrader));
}

#[test]
fn x2_nothing_closes_or_frees_by_anothers_escrow_or_index() {
    let mut exchange = drained();
    drain(&mut exchange, 2);
    let trader = Some(key_of(7, 1));
    assert_eq!(
        close_as(&mut exchange, trader, 1, 2),
        Err(SlabError::NotBound)
    );
    assert_eq!(
        close_as(&mut exchange, trader, 2, 1),
        Err(SlabError::NotBound)
    );
    for index in [0, 3, 33, u32::MAX] {
        assert_eq!(
            close_as(&mut exchange, trader, index, 1),
            Err(SlabError::NoAccount)
        );
        assert_eq!(free(&mut exchange, index, 1), Err(SlabError::NoAccount));
    }
    // A stale binding: the same index, another generation.
    exchange.escrows[0].bound_generation += 1;
    assert_eq!(
        close_as(&mut exchange, trader, 1, 1),
        Err(SlabError::NotBound)
    );
    exchange.escrows[0].bound_generation -= 1;
    close(&mut exchange, 1).unwrap();
    assert!(unbind(&mut exchange, 1));
    assert_eq!(free(&mut exchange, 1, 2), Err(SlabError::NotBound));
    assert_eq!(free(&mut exchange, 2, 2), Err(SlabError::NoAccount), "open");
    free(&mut exchange, 1, 1).unwrap();
    assert_eq!(
        free(&mut exchange, 1, 1),
        Err(SlabError::NoAccount),
        "twice"
    );
}

#[test]
fn x2_lq2_a_frozen_account_does_not_close() {
    let mut exchange = drained();
    // Whether the slab has seen the freeze or not.
    exchange.escrows[0].frozen = 1;
    assert_eq!(close(&mut exchange, 1), Err(SlabError::AccountFrozen));
    sync(&mut exchange, 1).unwrap();
    assert_eq!(close(&mut exchange, 1), Err(SlabError::AccountFrozen));
    exchange.escrows[0].frozen = 0;
    close(&mut exchange, 1).unwrap();
}

#[test]
fn x2_a_closed_account_does_nothing_but_open_again_or_leave() {
    let mut exchange = drained();
    close(&mut exchange, 1).unwrap();
    let (closed, none) = (exchange.slab().accounts[1], Err(SlabError::NoAccount));
    assert_eq!(closed.flags, account_flags::CLOSED);
    assert_eq!(exchange.post(1, Side::Bid, 990, 5).err(), none.err());
    assert_eq!(exchange.ioc(1, Side::Bid, 990, 5).err(), none.err());
    assert_eq!(
        exchange.reserve(&reserve(1, Side::Bid, 990, 5)).err(),
        none.err()
    );
    let slot = Slot(exchange.slot);
    let released = exchange.run(|slab| slab.release(&key_of(7, 1), 1, 1, slot));
    assert_eq!(released.err(), none.err());
    assert_eq!(exchange.run(|slab| slab.set_dlp(1, true)), none);
    assert_eq!(close(&mut exchange, 1), none, "twice");
    assert_eq!(
        sync(&mut exchange, 1).err(),
        none.err(),
        "nothing to credit"
    );
    // Bound still: neither freed nor handed out.
    assert_eq!(free(&mut exchange, 1, 1), Err(SlabError::NotEmpty));
    assert_eq!(
        exchange.slab().header.pool(PoolId::Accounts).next_index(),
        Some(3)
    );
    assert_eq!(exchange.slab().header.pool(PoolId::Accounts).live, 2);
}

#[test]
fn x2_a_deposit_that_slips_in_opens_the_account_again() {
    let mut exchange = drained();
    exchange.run(|slab| slab.set_dlp(1, true)).unwrap();
    close(&mut exchange, 1).unwrap();
    fund(&mut exchange, 1, 55);
    assert!(!unbind(&mut exchange, 1));
    assert_eq!(free(&mut exchange, 1, 1), Err(SlabError::NotEmpty));
    assert_eq!(sync(&mut exchange, 1), Ok(55));
    let opened = exchange.slab().accounts[1];
    assert_eq!(opened.flags, account_flags::OPEN | account_flags::DLP);
    assert_eq!((opened.cash_atoms, opened.principal_atoms), (55, 55));
    exchange.audit_router();
    drain(&mut exchange, 1);
    close(&mut exchange, 1).unwrap();
    assert!(unbind(&mut exchange, 1));
    // The escrow is unbound: no sync finds the account any more.
    let (record, slot) = (exchange.escrows[0], Slot(exchange.slot));
    let synced = exchange.run(|slab| slab.sync(1, &address(1), &record, slot));
    assert_eq!(synced, Err(SlabError::NotBound));
    free(&mut exchange, 1, 1).unwrap();
}

#[test]
fn x2_counters_go_on_over_three_accounts_of_one_escrow() {
    let mut exchange = Exchange::with(small());
    exchange
        .slab()
        .add_instrument(&params(), Slot(100))
        .unwrap();
    exchange.open(1_000_000_000);
    exchange.open(1_000_000_000);
    let (mut indices, mut deposited) = (Vec::new(), 1_000_000_000u64);
    for round in 1..=3u64 {
        // A loss to the second account leaves dust nowhere.
        let index = exchange.escrows[0].bound_account;
        indices.push((index, account(&mut exchange, 1).generation));
        let trader = exchange.escrows[0].trader;
        let lots = 7 * round as u32;
        exchange.post(2, Side::Ask, 1_003, lots).unwrap();
        let slot = Slot(exchange.slot);
        let mut traded = bytemuck::Zeroable::zeroed();
        let take = common::ioc(index, Side::Bid, 1_003, lots);
        exchange
            .run(|slab| slab.take(&trader, &take, slot, &mut traded))
            .unwrap();
        exchange.post(2, Side::Bid, 998, lots).unwrap();
        let mut traded = bytemuck::Zeroable::zeroed();
        let take = common::ioc(index, Side::Ask, 998, lots);
        exchange
            .run(|slab| slab.take(&trader, &take, slot, &mut traded))
            .unwrap();
        exchange.audit();
        assert_eq!(close(&mut exchange, 1), Err(SlabError::NotEmpty));
        drain(&mut exchange, 1);
        close(&mut exchange, 1).unwrap();
        assert!(unbind(&mut exchange, 1));
        // The escrow may be bound again before its old slot is free.
        if round == 2 {
            bind(&mut exchange, 1);
            assert_ne!(exchange.escrows[0].bound_account, index);
        }
        free(&mut exchange, index, 1).unwrap();
        bind(&mut exchange, 1);
        let record = exchange.escrows[0];
        assert_eq!(record.deposited_total_atoms, deposited);
        assert_eq!(record.bound_deposited_atoms, deposited);
        fund(&mut exchange, 1, 1_000 * round + 1);
        let opened = open(&mut exchange, 1).unwrap();
        assert_eq!(opened, record.bound_account);
        let fresh = account(&mut exchange, 1);
        assert_eq!(fresh.cash_atoms, 0);
        assert_eq!(fresh.deposited_seen_atoms, deposited);
        assert_eq!(fresh.released_total_atoms, record.released_seen_atoms);
        assert_eq!(sync(&mut exchange, 1), Ok(1_000 * round + 1));
        deposited += 1_000 * round + 1;
        fund(&mut exchange, 1, 1_000_000);
        deposited += 1_000_000;
        assert_eq!(sync(&mut exchange, 1), Ok(1_000_000));
        let synced = exchange.slab().conservation().unwrap();
        assert_eq!(synced.received_atoms, exchange.backing_atoms, "to the atom");
    }
    assert_eq!(indices, [(1, 1), (1, 2), (1, 3)]);
}

#[test]
fn x2_an_account_starts_from_the_other_sides_counters() {
    let mut exchange = drained();
    close(&mut exchange, 1).unwrap();
    assert!(unbind(&mut exchange, 1));
    free(&mut exchange, 1, 1).unwrap();
    let record = escrow(&mut exchange, 1);
    (record.debited_seen_atoms, record.covered_total_atoms) = (123, 45);
    bind(&mut exchange, 1);
    open(&mut exchange, 1).unwrap();
    let (fresh, record) = (account(&mut exchange, 1), exchange.escrows[0]);
    assert_eq!(
        (fresh.debited_total_atoms, fresh.covered_seen_atoms),
        (123, 45)
    );
    assert!(fresh.is_settled_with(&record) && fresh.is_empty());
}

#[test]
fn t6_the_minimum_deposit_counts_from_the_binding() {
    let mut exchange = drained();
    exchange.slab().header.account_deposit_min_atoms = 500;
    close(&mut exchange, 1).unwrap();
    assert!(unbind(&mut exchange, 1));
    free(&mut exchange, 1, 1).unwrap();
    bind(&mut exchange, 1);
    assert_eq!(open(&mut exchange, 1), Err(SlabError::DepositTooSmall));
    fund(&mut exchange, 1, 499);
    assert_eq!(open(&mut exchange, 1), Err(SlabError::DepositTooSmall));
    // Bound again without having been opened: the 499 still count.
    bind(&mut exchange, 1);
    fund(&mut exchange, 1, 1);
    open(&mut exchange, 1).unwrap();
    assert_eq!(sync(&mut exchange, 1), Ok(500));
    exchange.escrows[0].bound_deposited_atoms = u64::MAX;
    bind(&mut exchange, 1);
    assert_eq!(open(&mut exchange, 1), Err(SlabError::CounterBackwards));
}

#[test]
fn x11_an_account_that_ends_while_a_root_is_built_keeps_its_leaf() {
    // With room for leaves fixed early, and without.
    for leaves in [4, 0] {
        let mut items = small();
        items[PoolId::RootPages as usize] = 1 + leaves;
        let mut exchange = Exchange::with(items);
        for _ in 0..3 {
            exchange.open(1_000);
        }
        let slot = exchange.slot;
        let mut words: Vec<u64> = bytemuck::cast_slice(exchange.bytes()).to_vec();
        let mut copy = Slab::open(bytemuck::cast_slice_mut(&mut words)).unwrap();
        let before = Model::of(&mut copy, slot);
        let step = exchange.slab().publish_root(0, Slot(slot));
        assert_eq!(step, RootStep::Building(1));
        // Its slot goes to its next account, with cash again.
        drain(&mut exchange, 1);
        close(&mut exchange, 1).unwrap();
        assert!(unbind(&mut exchange, 1));
        free(&mut exchange, 1, 1).unwrap();
        bind(&mut exchange, 1);
        assert_eq!(open(&mut exchange, 1), Ok(1));
        fund(&mut exchange, 1, 5_000);
        sync(&mut exchange, 1).unwrap();
        let RootStep::Published { root, .. } = exchange.slab().publish_root(1, Slot(slot)) else {
            panic!("not complete");
        };
        assert_eq!(root, before.root);
        exchange.audit();
    }
}

#[test]
fn x2_random_steps_in_any_order_conserve_every_atom() {
    let (mut closed, mut freed, mut reopened) = (0, 0, 0);
    for seed in 0..30 {
        let mut rng = Rng(seed);
        let mut exchange = Exchange::new(&params(), 4);
        let mut stale = Vec::new();
        for _ in 0..600 {
            let who = rng.below(4) as u32 + 1;
            let bound = exchange.escrows[who as usize - 1].is_bound();
            match rng.below(8) {
                0 if is_ours(&mut exchange, who) => {
                    if account(&mut exchange, who).flags & account_flags::OPEN != 0 {
                        drain(&mut exchange, who);
                    }
                }
                1 | 2 if bound => {
                    if close(&mut exchange, who).is_ok() {
                        stale.push((exchange.escrows[who as usize - 1].bound_account, who));
                        closed += 1;
                    }
                }
                3 if bound => drop(unbind(&mut exchange, who)),
                4 => {
                    let at = rng.below(stale.len().max(1) as u64) as usize;
                    if let Some((index, owner)) = stale.get(at).copied()
                        && free(&mut exchange, index, owner).is_ok()
                    {
                        freed += 1;
                    }
                }
                5 if !bound => bind(&mut exchange, who),
                6 if bound => {
                    fund(&mut exchange, who, 1 + rng.below(1_000));
                    let before = account(&mut exchange, who).flags;
                    if sync(&mut exchange, who).is_ok() && before & account_flags::CLOSED != 0 {
                        reopened += 1;
                    }
                }
                _ if bound => drop(open(&mut exchange, who)),
                _ => exchange.slot += 1,
            }
            // What is on its way, and what is there, is what was paid in.
            let received = exchange.slab().conservation().unwrap().received_atoms;
            let mut coming = 0;
            for at in 0..exchange.escrows.len() {
                let record = exchange.escrows[at];
                if !record.is_bound() {
                    continue;
                }
                let seen = match is_ours(&mut exchange, at as u32 + 1) {
                    true => account(&mut exchange, at as u32 + 1).deposited_seen_atoms,
                    false => record.bound_deposited_atoms,
                };
                coming += i128::from(record.deposited_total_atoms - seen);
            }
            assert_eq!(received + coming, exchange.backing_atoms, "seed {seed}");
        }
    }
    let all = (closed, freed, reopened);
    assert!(closed > 300 && freed > 150 && reopened > 100, "{all:?}");
}
