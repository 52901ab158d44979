//! Price levels: ordered lookup, neighbours, best price.
//!
//! Each side of each book is a crit-bit tree over the price and, beside it, a
//! doubly linked list of levels from best to worst. The tree finds a price in
//! at most 32 steps whatever the number of levels, and needs no rebalancing;
//! the list makes the next level O(1).
//!
//! Bids are keyed by the complement of their price, so that on both sides a
//! smaller key is a better price and no code below asks for the side.
//!
//! A tree of n levels has n - 1 inner nodes. Each is embedded in the slot of a
//! level (`child`, `bit`), so levels need no second pool. Invariant: *the inner
//! node that a slot hosts is an ancestor of that slot's own leaf*. It holds
//! when a leaf brings its parent with it, and removal keeps it by moving the
//! leaf's hosted node into the slot that its dissolved parent was hosted in.
//!
//! Links are tagged: `index << 1` is an inner node, `index << 1 | 1` a leaf.
//! An *arc*, `index << 1 | bit`, names a child link itself; 0 is the root.

use crate::layout::{BookSide, Level};
use crate::pools::{Pool, allocate, release};
use flagstone_interface::slab::PoolHeader;
use flagstone_units::{Lots, Side, Ticks};

/// [`Level::bit`] of a slot that hosts no inner node.
pub const NO_NODE: u8 = 0xff;

const LEAF: u64 = 1;

/// Key of a price: smaller is better.
#[inline(always)]
const fn key(side: Side, ticks: Ticks) -> u32 {
    match side {
        Side::Bid => !ticks.0,
        Side::Ask => ticks.0,
    }
}

/// Which child of a node a key leads to.
#[inline(always)]
const fn turn(key: u32, bit: u8) -> u64 {
    (key as u64) >> (bit & 31) & 1
}

/// The level that hosts the node, or is the leaf, at a link. The loops below
/// hold links in whole words: the target has no arithmetic on halves of them.
#[inline(always)]
fn at(levels: &[Level], link: u64) -> &Level {
    &levels[(link >> 1).wrapping_sub(1) as usize]
}

/// One side of one book, with the pools that it lives in.
pub(crate) struct Tree<'s, 'a> {
    pub(crate) side: Side,
    pub(crate) book: &'s mut BookSide,
    pub(crate) header: &'s mut PoolHeader,
    pub(crate) levels: &'s mut Pool<'a, Level>,
}

/// The way of a search: the arc taken at each node, by the bit it decides on.
#[derive(Default)]
struct Path {
    /// Bits that a node on the way decided on.
    bits: u64,
    arcs: [u32; 32],
}

impl Path {
    /// The last arc taken above a node that decides on `bit`; 0 is the root.
    ///
    /// Bits shrink on the way down, so that is the arc of the lowest bit above.
    #[inline(always)]
    fn above(&self, bit: u8) -> u32 {
        let higher = self.bits >> (bit & 31) >> 1;
        match higher {
            0 => 0,
            higher => {
                let next = u32::from(bit) + 1 + higher.trailing_zeros();
                self.arcs[next as usize & 31]
            }
        }
    }
}

impl Tree<'_, '_> {
    /// The level with this price, made when there is none; `None` when the pool is full.
    #[inline(always)]
    pub(crate) fn find_or_insert(&mut self, instrument: u8, ticks: Ticks) -> Option<u32> {
        if self.book.best != 0 && self.levels[self.book.best].ticks == ticks {
            return Some(self.book.best);
        }
        self.find_or_insert_deep(instrument, ticks)
    }

    #[inline(never)]
    fn find_or_insert_deep(&mut self, instrument: u8, ticks: Ticks) -> Option<u32> {
        if self.book.root == 0 {
            let index = self.new_level(instrument, ticks)?;
            self.book.root = index << 1 | LEAF as u32;
            self.book.best = index;
            return Some(index);
        }
        let key = key(self.side, ticks);
        let mut path = Path::default();
        let near = self.descend(key, &mut path);
        let difference = self.key_of(near) ^ key;
        if difference == 0 {
            return Some(near);
        }
        let bit = 31 - difference.leading_zeros() as u8;
        let index = self.new_level(instrument, ticks)?;
        let arc = path.above(bit);
        let link = self.link_at(arc);
        let worse = turn(key, bit) as usize;
        let node = &mut self.levels[index];
        node.child[worse] = index << 1 | LEAF as u32;
        node.child[1 - worse] = link;
        node.bit = bit;
        self.set(arc, index << 1);
        self.link_beside(index, link, worse == 1);
        Some(index)
    }

    /// Removes an empty level.
    #[inline(never)]
    pub(crate) fn remove(&mut self, index: u32) {
        let key = self.unlink_neighbours(index);
        let (mut above, mut arc) = (0, 0);
        let mut link = u64::from(self.book.root);
        // Where the pool lies is looked up once, not on every step.
        let levels: &[Level] = self.levels.items();
        while link & LEAF == 0 {
            let node = at(levels, link);
            let turn = turn(key, node.bit);
            (above, arc) = (arc, link | turn);
            link = node.child[turn as usize].into();
        }
        debug_assert_eq!(link, u64::from(index) << 1 | LEAF);
        let (above, arc) = (above as u32, arc as u32);
        self.book.levels -= 1;
        let parent = arc >> 1;
        if parent == 0 {
            self.book.root = 0;
        } else {
            let sibling = self.levels[parent].child[(arc & 1 ^ 1) as usize];
            self.set(above, sibling);
            if parent != index && self.levels[index].bit != NO_NODE {
                self.rehost(index, parent, key);
            } else {
                self.levels[parent].bit = NO_NODE;
            }
        }
        release(self.header, self.levels, index);
    }

    /// Moves the node hosted in a leaving slot into the slot of its dissolved
    /// parent. It is an ancestor of the leaving leaf, so its key leads there.
    #[inline(never)]
    fn rehost(&mut self, index: u32, parent: u32, key: u32) {
        let mut arc = 0;
        let mut link = u64::from(self.book.root);
        let levels: &[Level] = self.levels.items();
        while link >> 1 != u64::from(index) {
            let node = at(levels, link);
            let turn = turn(key, node.bit);
            arc = link | turn;
            link = node.child[turn as usize].into();
        }
        let hosted = self.levels[index];
        let host = &mut self.levels[parent];
        host.child = hosted.child;
        host.bit = hosted.bit;
        self.set(arc as u32, parent << 1);
    }

    /// The worst level, 0 when there is none.
    #[inline(never)]
    pub(crate) fn worst(&self) -> u32 {
        if self.book.root == 0 {
            0
        } else {
            self.extreme(self.book.root, true)
        }
    }

    fn new_level(&mut self, instrument: u8, ticks: Ticks) -> Option<u32> {
        let index = allocate(self.header, self.levels)?;
        self.levels[index] = Level {
            ticks,
            head: 0,
            lots: Lots::ZERO,
            child: [0; 2],
            next: 0,
            prev: 0,
            bit: NO_NODE,
            side: self.side as u8,
            instrument,
            padding: 0,
        };
        self.book.levels += 1;
        Some(index)
    }

    #[inline(always)]
    fn key_of(&self, index: u32) -> u32 {
        key(self.side, self.levels[index].ticks)
    }

    /// The leaf that a search for `key` ends at, and the way there.
    #[inline(always)]
    fn descend(&self, key: u32, path: &mut Path) -> u32 {
        let levels: &[Level] = self.levels.items();
        let mut link = u64::from(self.book.root);
        while link & LEAF == 0 {
            let node = at(levels, link);
            let bit = node.bit & 31;
            let arc = link | turn(key, bit);
            path.arcs[bit as usize] = arc as u32;
            path.bits |= 1 << bit;
            link = node.child[(arc & 1) as usize].into();
        }
        (link >> 1) as u32
    }

    /// The link at an arc.
    #[inline(always)]
    fn link_at(&self, arc: u32) -> u32 {
        if arc == 0 {
            self.book.root
        } else {
            self.levels[arc >> 1].child[(arc & 1) as usize]
        }
    }

    /// Changes the link at an arc.
    #[inline(always)]
    fn set(&mut self, arc: u32, link: u32) {
        if arc == 0 {
            self.book.root = link;
        } else {
            self.levels[arc >> 1].child[(arc & 1) as usize] = link;
        }
    }

    /// Best (or worst) leaf below a link.
    #[inline(always)]
    fn extreme(&self, link: u32, worst: bool) -> u32 {
        let levels: &[Level] = self.levels.items();
        let mut link = u64::from(link);
        while link & LEAF == 0 {
            link = at(levels, link).child[usize::from(worst)].into();
        }
        (link >> 1) as u32
    }

    /// Links a new level into the list beside the subtree that it was split from.
    fn link_beside(&mut self, index: u32, subtree: u32, worse: bool) {
        let (prev, next) = if worse {
            let prev = self.extreme(subtree, true);
            (prev, self.levels[prev].next)
        } else {
            let next = self.extreme(subtree, false);
            (self.levels[next].prev, next)
        };
        let level = &mut self.levels[index];
        level.prev = prev;
        level.next = next;
        if prev == 0 {
            self.book.best = index;
        } else {
            self.levels[prev].next = index;
        }
        if next != 0 {
            self.levels[next].prev = index;
        }
    }

    /// Takes a level out of the list and returns its key.
    #[inline(always)]
    fn unlink_neighbours(&mut self, index: u32) -> u32 {
        let gone = &self.levels[index];
        let (prev, next, key) = (gone.prev, gone.next, key(self.side, gone.ticks));
        if prev == 0 {
            self.book.best = next;
        } else {
            self.levels[prev].next = next;
        }
        if next != 0 {
            self.levels[next].prev = prev;
        }
        key
    }
}
