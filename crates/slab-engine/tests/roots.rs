//! The Merkle root of the accounts: of one slot, whatever happens meanwhile.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::roots::{Hash, Model, digest};
use common::router::{handle, reserve};
use common::{Exchange, Rng, key_of, params};
use flagstone_interface::root::{Leaf, Proof, join};
use flagstone_interface::slab::SlabAccount;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::requests::{Place, Take};
use flagstone_slab_engine::roots::{LEAF_EMPTY, RootStep};
use flagstone_slab_engine::{Slab, SlabError};
use flagstone_units::{Ppm, Side::Ask, Side::Bid, SignedPpm, Slot, Ticks};

/// Entries behind those of the four pages.
const LEAVES: u32 = 12;

/// 256 accounts in four pages, three instruments that trade at a fee.
fn exchange(accounts: u32, leaves: u32) -> Exchange {
    let mut exchange = Exchange::with([4, 256, 256, 2_048, 1_024, 64, 512, 32, 1, 4 + leaves]);
    let params = InstrumentParams {
        taker_fee: SignedPpm(500),
        maker_fee: SignedPpm(-100),
        hold_fee: Ppm(100),
        ..params()
    };
    for _ in 0..3 {
        exchange.slab().add_instrument(&params, Slot(100)).unwrap();
    }
    for _ in 0..accounts {
        exchange.open(1_000_000);
    }
    exchange
}

fn publish(exchange: &mut Exchange, pages: u32) -> RootStep {
    let slot = Slot(exchange.slot);
    exchange.slab().publish_root(pages, slot)
}

/// The model of the slab as it is, without changing it.
fn model(exchange: &mut Exchange) -> Model {
    let slot = exchange.slot;
    let mut words: Vec<u64> = bytemuck::cast_slice(exchange.bytes()).to_vec();
    let mut slab = Slab::open(bytemuck::cast_slice_mut(&mut words)).unwrap();
    Model::of(&mut slab, slot)
}

fn leaf_number(account: &SlabAccount) -> u16 {
    account.flags >> 7
}

/// Holds that stand: account and handle.
type Holds = Vec<(u32, (u32, u32))>;

/// Something that a user, a keeper or the Router could do. Refusals are fine.
fn act(exchange: &mut Exchange, rng: &mut Rng, holds: &mut Holds) {
    let accounts = exchange.escrows.len() as u64;
    let account = rng.below(accounts) as u32 + 1;
    let side = if rng.below(2) == 0 { Bid } else { Ask };
    let price = 990 + rng.below(21) as u32;
    let lots = 1 + rng.below(20) as u32;
    let instrument = rng.below(3) as u8;
    match rng.below(13) {
        0..4 => {
            let order = Place {
                instrument,
                ..common::limit(account, side, price, lots)
            };
            let _ = exchange.place(&order);
        }
        4..6 => {
            let take = Take {
                instrument,
                ..common::ioc(account, side, price, lots)
            };
            let _ = exchange.take(&take);
        }
        6 => {
            exchange.deposit(account, rng.below(10_000)).unwrap();
        }
        7 => {
            let _ = exchange.release(account, 1 + rng.below(5_000));
        }
        8 => {
            let mut order = reserve(account, side, price, lots);
            order.instrument = instrument;
            order.ttl = Slot(rng.below(20) as u32);
            if let Ok(held) = exchange.reserve(&order) {
                match rng.below(3) {
                    0 => drop(exchange.mint_and_commit(&held)),
                    _ => holds.push((account, handle(&held))),
                }
            }
        }
        9 => {
            if let Some((account, hold)) = holds.pop() {
                exchange.cancel_hold(account, hold).unwrap();
            }
        }
        10 => drop(exchange.try_open(1_000 + rng.below(100_000))),
        11 => {
            // What the oracle and an interval of premium would do.
            let rate = rng.below(4 << 16) as i64 - (2 << 16);
            let mut slab = exchange.slab();
            slab.instruments[usize::from(instrument)].funding_rate = rate;
            slab.instruments[usize::from(instrument)].mark = Ticks(price);
        }
        _ => {
            let handle = {
                let slab = exchange.slab();
                let order = slab.accounts[account].orders_head;
                slab.orders
                    .get(order)
                    .map(|found| (order, found.generation))
            };
            if let Some(handle) = handle {
                let _ = exchange.cancel(account, handle);
            }
        }
    }
    exchange.slot += rng.below(3) as u32;
}

/// Builds one root, with `actions` random operations after the start and after
/// every page, and compares it with the model of the start.
fn check_root(exchange: &mut Exchange, rng: &mut Rng, holds: &mut Holds, actions: u64) {
    let before = model(exchange);
    let given = exchange.slab().conservation().unwrap();
    let started = exchange.slot;
    assert_eq!(publish(exchange, 0), RootStep::Building(1));
    let mut page = 1;
    let published = loop {
        for _ in 0..rng.below(actions + 1) {
            act(exchange, rng, holds);
            exchange.audit();
        }
        let pages = 1 + rng.below(2) as u32;
        match publish(exchange, pages) {
            RootStep::Building(next) => {
                page += pages;
                assert_eq!(next, page);
            }
            published => break published,
        }
        exchange.audit();
    };
    exchange.audit();
    let expected = RootStep::Published {
        root: before.root,
        slot: Slot(started),
        sum_atoms: before.sum_atoms as i64,
    };
    assert_eq!(published, expected);
    let slab = exchange.slab();
    let header = &slab.header;
    assert_eq!(
        (header.root, header.root_slot, header.root_sum_atoms),
        (before.root, Slot(started), before.sum_atoms as i64)
    );
    for (_, account) in slab.accounts.iter() {
        assert_eq!(leaf_number(account), 0, "a number outlived its root");
    }
    // What the model counts is what the books say, less what rounding keeps.
    assert!(before.net_atoms <= given.received_atoms - given.fees_atoms);
    for (account, leaf) in &before.leaves {
        let siblings = before.siblings(*account);
        let proof = Proof {
            pages: before.pages,
            siblings: &siblings,
        };
        assert!(proof.verify(leaf, &before.root, header.root_sum_atoms));
    }
}

#[test]
fn obs1_x11_a_root_is_of_its_slot_whatever_happens_until_it_is_complete() {
    for seed in 0..12 {
        let mut rng = Rng(seed);
        let mut exchange = exchange(150, LEAVES);
        for number in 0..3 {
            let mut slab = exchange.slab();
            slab.instruments[number].rules.funding_slots = Slot(30);
            // Funding follows an index, as an oracle would have set it.
            slab.instruments[number].oracle_scale = 1;
            slab.instruments[number].index_slot = Slot(1);
            slab.instruments[number].index = Ticks(1_000);
        }
        let mut holds = Vec::new();
        for _ in 0..150 {
            act(&mut exchange, &mut rng, &mut holds);
        }
        for _ in 0..4 {
            check_root(&mut exchange, &mut rng, &mut holds, 40);
        }
        assert_eq!(exchange.slab().header.roots_total, 4);
        assert!(exchange.slab().header.trades_total > 20);
        exchange.audit_router();
    }
}

#[test]
fn x11_leaves_are_fixed_once_and_their_room_is_respected() {
    let mut exchange = exchange(150, 2);
    let before = model(&mut exchange);
    assert_eq!(publish(&mut exchange, 1), RootStep::Building(2));
    // Of a page that is hashed: nothing to keep.
    exchange.deposit(1, 5).unwrap();
    assert_eq!(exchange.slab().header.root_leaves, 0);
    for (account, leaves) in [(70, 1), (70, 1), (130, 2)] {
        exchange.deposit(account, 5).unwrap();
        assert_eq!(exchange.slab().header.root_leaves, leaves);
    }
    assert!(!exchange.slab().is_page_hashed(3));
    // No room is left: the third page is hashed before its turn.
    exchange.deposit(131, 5).unwrap();
    assert!(exchange.slab().is_page_hashed(3));
    assert!(!exchange.slab().is_page_hashed(2));
    assert_eq!(leaf_number(&exchange.slab().accounts[131]), 0);
    assert_eq!(leaf_number(&exchange.slab().accounts[130]), 0);
    assert_eq!(leaf_number(&exchange.slab().accounts[70]), 1);
    exchange.deposit(132, 5).unwrap();
    exchange.audit();
    let expected = RootStep::Published {
        root: before.root,
        slot: Slot(exchange.slot),
        sum_atoms: 150_000_000,
    };
    assert_eq!(publish(&mut exchange, 9), expected);
    exchange.audit();
    // The next one sees all of it.
    let after = model(&mut exchange);
    assert_eq!(after.sum_atoms, 150_000_030);
    let RootStep::Published { root, .. } = publish(&mut exchange, 9) else {
        panic!("not complete");
    };
    assert_eq!(root, after.root);
}

#[test]
fn x11_an_account_that_opens_while_a_root_is_built_is_not_in_it() {
    let mut exchange = exchange(126, LEAVES);
    let before = model(&mut exchange);
    assert_eq!(publish(&mut exchange, 1), RootStep::Building(2));
    for account in 127..=140 {
        assert_eq!(exchange.open(1_000), account);
        exchange.deposit(account, 1_000).unwrap();
        exchange.audit();
    }
    let slab = exchange.slab();
    // 127 and 128 in the second page, the rest beyond the root's pages.
    assert_eq!(leaf_number(&slab.accounts[127]), LEAF_EMPTY);
    assert_eq!(leaf_number(&slab.accounts[128]), LEAF_EMPTY);
    assert_eq!(leaf_number(&slab.accounts[129]), 0);
    assert_eq!(slab.header.root_leaves, 0);
    let RootStep::Published { root, .. } = publish(&mut exchange, 9) else {
        panic!("not complete");
    };
    assert_eq!((root, before.pages), (before.root, 2));
    exchange.audit();
}

#[test]
fn x11_a_slab_without_accounts_has_a_root() {
    let mut exchange = exchange(0, LEAVES);
    let before = model(&mut exchange);
    let RootStep::Published {
        root, sum_atoms, ..
    } = publish(&mut exchange, 1)
    else {
        panic!("not complete");
    };
    assert_eq!((root, sum_atoms), (before.root, 0));
}

/// A small exchange whose accounts trade, its model, and its root.
fn published() -> (Model, Hash, i64) {
    let mut exchange = exchange(70, LEAVES);
    exchange.post(3, Ask, 1_000, 10).unwrap();
    assert_eq!(exchange.ioc(70, Bid, 1_000, 7), Ok(7));
    let before = model(&mut exchange);
    let RootStep::Published {
        root, sum_atoms, ..
    } = publish(&mut exchange, 9)
    else {
        panic!("not complete");
    };
    assert_eq!(root, before.root);
    (before, root, sum_atoms)
}

#[test]
fn x11_a_proof_fails_with_any_bit_changed() {
    let (model, root, sum_atoms) = published();
    for account in [3, 70] {
        let leaf = model.leaves[&account];
        let siblings = model.siblings(account);
        let verify = |pages, siblings: &[Hash], leaf: &Leaf, root: &Hash, sum_atoms| {
            Proof { pages, siblings }.verify(leaf, root, sum_atoms)
        };
        assert!(verify(2, &siblings, &leaf, &root, sum_atoms));
        for bit in 0..size_of::<Leaf>() * 8 {
            let mut bad = leaf;
            bytemuck::bytes_of_mut(&mut bad)[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify(2, &siblings, &bad, &root, sum_atoms), "leaf {bit}");
        }
        for bit in 0..siblings.len() * 256 {
            let mut bad = siblings.clone();
            bad[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
            assert!(!verify(2, &bad, &leaf, &root, sum_atoms), "sibling {bit}");
        }
        for bit in 0..256 {
            let mut bad = root;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify(2, &siblings, &leaf, &bad, sum_atoms), "root {bit}");
        }
        for bit in 0..64 {
            let bad = sum_atoms ^ 1 << bit;
            assert!(!verify(2, &siblings, &leaf, &root, bad), "sum {bit}");
        }
        for bit in 0..32 {
            let bad = 2 ^ 1 << bit;
            assert!(
                !verify(bad, &siblings, &leaf, &root, sum_atoms),
                "pages {bit}"
            );
        }
        // Another's place, one neighbour too few, one too many.
        let other = model.siblings(account - 1);
        assert!(!verify(2, &other, &leaf, &root, sum_atoms));
        assert!(!verify(2, &siblings[1..], &leaf, &root, sum_atoms));
        let longer = [&siblings[..], &[[0; 32]]].concat();
        assert!(!verify(2, &longer, &leaf, &root, sum_atoms));
        assert!(!verify(
            u32::MAX,
            &vec![[0; 32]; 38],
            &leaf,
            &root,
            sum_atoms
        ));
    }
}

#[test]
fn x11_a_node_passes_neither_for_a_leaf_nor_for_a_page() {
    let (model, root, sum_atoms) = published();
    let pair = (&model.levels[0][2], &model.levels[0][3]);
    assert_ne!(*pair.0, [0; 32]);
    // Two neighbours hash differently as a node, as a page and above the pages.
    let (node, page, tree) = (
        join(0, pair.0, pair.1),
        join(5, pair.0, pair.1),
        join(6, pair.0, pair.1),
    );
    assert_eq!(node, digest(2, &[*pair.0, *pair.1].concat()));
    assert_eq!(page, digest(3, &[*pair.0, *pair.1].concat()));
    assert_eq!(tree, digest(4, &[*pair.0, *pair.1].concat()));
    // A leaf that carries a node's bytes hashes to something else than the node.
    let mut forged = model.leaves[&3];
    (forged.escrow, forged.positions) = (*pair.0, *pair.1);
    assert_ne!(forged.hash(), node);
    let siblings = model.siblings(3);
    for skip in 0..siblings.len() {
        let proof = Proof {
            pages: 2,
            siblings: &siblings[skip..],
        };
        assert!(!proof.verify(&forged, &root, sum_atoms));
    }
    // A tree of pages passed off as one page, and the other way round.
    for pages in [1, 2, 3, 64, 128] {
        for levels in 0..siblings.len() {
            let proof = Proof {
                pages,
                siblings: &siblings[..levels],
            };
            assert!(!proof.verify(&model.leaves[&3], &root, sum_atoms));
        }
    }
    // A slot without an account has no leaf.
    let siblings = model.siblings(71);
    let proof = Proof {
        pages: 2,
        siblings: &siblings,
    };
    let empty: Leaf = bytemuck::Zeroable::zeroed();
    assert!(!proof.verify(
        &Leaf {
            account: 71,
            ..empty
        },
        &root,
        sum_atoms
    ));
}

#[test]
fn x11_a_root_above_what_the_slab_was_given_is_refused_and_the_next_starts_anew() {
    let mut exchange = exchange(70, LEAVES);
    let RootStep::Published { root, .. } = publish(&mut exchange, 9) else {
        panic!("not complete");
    };
    // An atom from nowhere, as only a broken slab could have it.
    exchange.slab().accounts[5].cash_atoms += 1;
    exchange.slot += 10;
    assert_eq!(publish(&mut exchange, 1), RootStep::Building(2));
    // What is deposited while the root is built backs no leaf of it.
    exchange.deposit(70, 1_000).unwrap();
    let refused = RootStep::Refused {
        error: SlabError::RootTooLarge,
        slot: Slot(exchange.slot),
        sum_atoms: 70_000_001,
        given_atoms: 70_000_000,
    };
    assert_eq!(publish(&mut exchange, 1), refused);
    let slab = exchange.slab();
    assert_eq!((slab.header.root, slab.header.roots_total), (root, 1));
    assert_eq!(slab.header.root_page_next, 0);
    exchange.slab().accounts[5].cash_atoms -= 1;
    exchange.audit();
    let expected = model(&mut exchange).root;
    assert_eq!(publish(&mut exchange, 1), RootStep::Building(2));
    // What is released meanwhile was there at the start.
    exchange.release(1, 1_000_000).unwrap();
    let RootStep::Published { root, .. } = publish(&mut exchange, 1) else {
        panic!("not complete");
    };
    assert_eq!(root, expected);
}

#[test]
fn x11_a_loss_that_nobody_has_covered_pays_no_claim() {
    let mut exchange = exchange(2, LEAVES);
    for fee in 0..3 {
        let mut slab = exchange.slab();
        slab.instruments[fee].taker_fee = SignedPpm(0);
        slab.instruments[fee].maker_fee = SignedPpm(0);
    }
    exchange.post(1, Ask, 1_000, 5_000).unwrap();
    assert_eq!(exchange.ioc(2, Bid, 1_000, 5_000), Ok(5_000));
    // One side is 1,000 atoms under water: the other's gain has no backing.
    exchange.slab().instruments[0].mark = Ticks(1_200);
    exchange.deposit(2, 1_000).unwrap();
    assert!(matches!(
        publish(&mut exchange, 9),
        RootStep::Published { .. }
    ));
    exchange.slab().instruments[0].mark = Ticks(1_201);
    let before = model(&mut exchange);
    assert_eq!(before.leaves[&1].equity_atoms, -5_000);
    assert_eq!(before.net_atoms, 2_001_000);
    let refused = RootStep::Refused {
        error: SlabError::RootTooLarge,
        slot: Slot(exchange.slot),
        sum_atoms: 2_006_000,
        given_atoms: 2_001_000,
    };
    assert_eq!(publish(&mut exchange, 9), refused);
    // The loser's deposit covers it.
    exchange.deposit(1, 5_000).unwrap();
    let RootStep::Published { sum_atoms, .. } = publish(&mut exchange, 9) else {
        panic!("not complete");
    };
    assert_eq!(sum_atoms, 2_006_000);
}

#[test]
fn x11_a_leaf_counts_the_haircuts_up_to_its_root_and_no_later_one() {
    let mut exchange = exchange(70, LEAVES);
    // Profit of a third of the cash, and none.
    exchange.slab().accounts[2].principal_atoms = 666_667;
    for (index, equity) in [
        (0, 1_000_000),
        // A quarter is lost, and of 333,333 that is rounded up.
        (1 << 30, 916_666),
        (3 << 30, 750_000),
        (1 << 32, 666_667),
    ] {
        exchange.slab().header.haircut_index = index;
        let before = model(&mut exchange);
        assert_eq!(before.leaves[&2].equity_atoms, equity);
        assert_eq!(before.leaves[&3].equity_atoms, 1_000_000);
        assert_eq!(publish(&mut exchange, 0), RootStep::Building(1));
        // Another one while the root is built.
        exchange.slab().header.haircut_index = index + (5 << 32);
        let RootStep::Published { root, .. } = publish(&mut exchange, 9) else {
            panic!("not complete");
        };
        assert_eq!(root, before.root);
    }
    // The same with the leaf fixed by a touch that also brings the haircut.
    exchange.slab().header.haircut_index = 1 << 32;
    let before = model(&mut exchange);
    assert_eq!(publish(&mut exchange, 0), RootStep::Building(1));
    exchange.slab().header.haircut_index = 2 << 32;
    exchange.deposit(2, 0).unwrap();
    let RootStep::Published { root, .. } = publish(&mut exchange, 9) else {
        panic!("not complete");
    };
    assert_eq!(root, before.root);
    assert_eq!(key_of(9, 2), before.leaves[&2].escrow);
}

#[test]
fn x11_a_closed_account_keeps_its_leaf_and_a_free_slot_has_none() {
    let mut exchange = exchange(4, LEAVES);
    // Its counters may still differ from the escrow's when a root is used.
    exchange.slab().accounts[2].flags = 8;
    exchange.slab().accounts[3].flags = 0;
    let before = model(&mut exchange);
    assert_eq!(before.leaves.keys().copied().collect::<Vec<_>>(), [1, 2, 4]);
    assert_eq!(before.levels[0][2], [0; 32]);
    let RootStep::Published { root, .. } = publish(&mut exchange, 1) else {
        panic!("not complete");
    };
    assert_eq!(root, before.root);
}
