//! Price levels against a sorted set, with keys chosen to hurt a bit-wise tree.
//!
//! Everything goes through the public interface: a level exists while an order
//! rests at its price. After each batch the levels are compared in order, the
//! engine's audit runs, and the tree's own invariants are checked from its root.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::{Exchange, Handle, Rng};
use flagstone_interface::slab::PoolId;
use flagstone_slab_engine::Slab;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::levels::NO_NODE;
use flagstone_units::{Lots, Ppm, Side, Ticks};
use std::collections::BTreeMap;

/// Prices from here to `HIGH` lie in the widest band that there is.
const LOW: u32 = 4_096;
const HIGH: u32 = u32::MAX - 4_096;

/// One side of one book and the set that it should equal.
struct Ladder {
    exchange: Exchange,
    side: Side,
    levels: BTreeMap<u32, Handle>,
}

impl Ladder {
    fn new(side: Side, capacity: u32) -> Self {
        let params = InstrumentParams {
            price_max: Ticks(u32::MAX),
            mark: Ticks(1 << 31),
            imr: Ppm(1_000_000),
            band: Ppm(999_999),
            order_lots_max: Lots(100_000),
            position_lots_max: Lots(100_000),
            ..common::params()
        };
        let mut exchange = Exchange::with([1, 2, capacity, capacity, 4, 1, 1, 4, 1, 1]);
        exchange
            .slab()
            .add_instrument(&params, flagstone_units::Slot(1))
            .unwrap();
        for _ in 0..2 {
            exchange.open(1 << 60);
        }
        Self {
            exchange,
            side,
            levels: BTreeMap::new(),
        }
    }

    fn insert(&mut self, ticks: u32) {
        let handle = self.exchange.post(1, self.side, ticks, 1).unwrap();
        assert!(self.levels.insert(ticks, handle).is_none());
    }

    fn remove(&mut self, ticks: u32) {
        let handle = self.levels.remove(&ticks).unwrap();
        assert!(self.exchange.cancel(1, handle).unwrap().is_some());
    }

    /// Fills the best level, which removes it from the other end of the code.
    fn take_best(&mut self) {
        let (limit, best) = match self.side {
            Side::Bid => (LOW, self.levels.pop_last()),
            Side::Ask => (HIGH, self.levels.pop_first()),
        };
        assert_eq!(self.exchange.ioc(2, self.side.contra(), limit, 1), Ok(1));
        assert!(best.is_some());
    }

    fn check(&mut self) {
        let mut expected: Vec<_> = self.levels.keys().map(|ticks| (*ticks, 1)).collect();
        if self.side == Side::Bid {
            expected.reverse();
        }
        assert_eq!(self.exchange.depth(0, self.side), expected);
        self.exchange.audit();
        check_tree(&self.exchange.slab(), self.side);
    }
}

/// Every leaf is reached once, every inner node decides on a lower bit than its
/// parent and is hosted by a level below itself, which is what lets a level
/// leave without looking for a new host.
fn check_tree(slab: &Slab<'_>, side: Side) {
    let book = &slab.instruments[0].books[side.index()];
    if book.root == 0 {
        assert_eq!((book.levels, book.best), (0, 0));
        return;
    }
    let (mut leaves, mut nodes) = (0, 0);
    // A link, the bit of its parent, and the inner nodes above it.
    let mut pending = vec![(book.root, 32u8, Vec::new())];
    while let Some((link, bit, above)) = pending.pop() {
        let level = &slab.levels[link >> 1];
        if link & 1 == 1 {
            leaves += 1;
            let hosts = level.bit != NO_NODE;
            assert_eq!(
                hosts,
                above.contains(&(link >> 1)),
                "a node is not above its host"
            );
            continue;
        }
        assert!(
            level.bit < bit,
            "a node does not decide on a lower bit than its parent"
        );
        nodes += 1;
        let mut path = above;
        path.push(link >> 1);
        // Links by their place in the account, as any other reader finds them.
        let [_, _, _, better, worse, ..]: [u32; 8] = bytemuck::cast(*level);
        pending.push((better, level.bit, path.clone()));
        pending.push((worse, level.bit, path));
    }
    assert_eq!((leaves, nodes), (book.levels, book.levels - 1));
}

/// Distinct keys within the band, in the order in which they were given.
fn distinct(keys: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let mut seen = std::collections::HashSet::new();
    let valid = keys.into_iter().filter(|key| (LOW..=HIGH).contains(key));
    valid.filter(|key| seen.insert(*key)).collect()
}

/// Inserts all keys in the given order, then removes them in three ways at random.
fn exercise(side: Side, keys: &[u32], seed: u64) {
    let mut rng = Rng(seed);
    let mut ladder = Ladder::new(side, keys.len() as u32);
    for batch in keys.chunks(keys.len().div_ceil(4)) {
        batch.iter().for_each(|key| ladder.insert(*key));
        ladder.check();
    }
    let mut order = keys.to_vec();
    rng.shuffle(&mut order);
    let (again, gone) = order.split_at(keys.len() / 2);
    gone.iter().for_each(|key| ladder.remove(*key));
    ladder.check();
    // Freed levels are used again, in another order than the first time.
    gone.iter().rev().for_each(|key| ladder.insert(*key));
    ladder.check();
    again.iter().for_each(|key| ladder.remove(*key));
    ladder.check();
    while !ladder.levels.is_empty() {
        ladder.take_best();
        if ladder.levels.len().is_multiple_of(256) {
            ladder.check();
        }
    }
    assert_eq!(ladder.exchange.slab().header.pool(PoolId::Levels).live, 0);
}

fn both_sides(keys: impl IntoIterator<Item = u32>) {
    let keys = distinct(keys);
    assert!(keys.len() > 30);
    exercise(Side::Bid, &keys, 5);
    exercise(Side::Ask, &keys, 6);
}

#[test]
fn s6_powers_of_two_and_their_neighbours() {
    // Depth 32: each key shares one bit more with the next.
    both_sides((0..32).flat_map(|bit| {
        let power = 1u32 << bit;
        [
            power,
            power - 1,
            power + 1,
            !power,
            u32::MAX - power,
            power | power >> 1,
        ]
    }));
}

#[test]
fn s6_sequential_and_reversed_prices() {
    both_sides(1_000_000..1_003_000);
    both_sides((1_000_000..1_003_000).rev());
    // Across the highest bit, where a key and its neighbour differ in every bit.
    both_sides((1u32 << 31) - 1_500..(1 << 31) + 1_500);
}

#[test]
fn s6_random_prices_of_32_bits() {
    let mut rng = Rng(77);
    both_sides((0..4_000).map(|_| rng.next() as u32));
}

#[test]
fn s6_mirrored_prices() {
    // Counting in the highest bits first: every insert splits near the root.
    both_sides((0..4_096u32).map(|count| count.reverse_bits() | 0x8000));
    // From both ends towards the middle.
    both_sides((0..2_000u32).flat_map(|step| [LOW + step, HIGH - step]));
}

#[test]
fn s6_prices_with_long_common_prefixes() {
    let mut rng = Rng(78);
    let prefixes = [
        0x0001_0000u32,
        0x7fff_ff00,
        0x8000_0000,
        0xffff_0000 - 0x100,
        0xaaaa_aa00,
    ];
    let keys = prefixes
        .iter()
        .flat_map(|prefix| (0..256).map(move |low| prefix | low));
    let mut keys: Vec<_> = keys.collect();
    rng.shuffle(&mut keys);
    both_sides(keys);
}

#[test]
fn s6_every_order_of_inserting_and_removing_five_prices() {
    // Five levels have all shapes of host and hosted node that removal tells apart.
    for keys in [
        [10_000, 10_001, 10_002, 10_003, 10_004],
        [1 << 13, 1 << 14, 1 << 20, 1 << 31, 3 << 30],
    ] {
        let orders = permutations(&keys);
        let mut ladder = Ladder::new(Side::Ask, 5);
        for inserted in &orders {
            // One removal order out of seven keeps this short; all 120 take part.
            for removed in orders.iter().skip(inserted[0] as usize % 7).step_by(7) {
                inserted.iter().for_each(|key| ladder.insert(*key));
                for key in removed {
                    ladder.remove(*key);
                    check_tree(&ladder.exchange.slab(), Side::Ask);
                }
            }
        }
        ladder.check();
    }
}

fn permutations(keys: &[u32]) -> Vec<Vec<u32>> {
    if keys.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for at in 0..keys.len() {
        let mut rest = keys.to_vec();
        let first = rest.remove(at);
        for mut tail in permutations(&rest) {
            tail.insert(0, first);
            all.push(tail);
        }
    }
    all
}

#[test]
fn s6_churn_on_a_small_dense_range() {
    for side in [Side::Bid, Side::Ask] {
        let (mut rng, mut ladder) = (Rng(79), Ladder::new(side, 96));
        for step in 0..60_000 {
            let key = 8_000 + rng.below(96) as u32;
            if ladder.levels.contains_key(&key) {
                ladder.remove(key);
            } else {
                ladder.insert(key);
            }
            if step % 500 == 0 {
                ladder.check();
            }
        }
    }
}
