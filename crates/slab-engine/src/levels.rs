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
//! level (`left`, `right`, `bit`), so levels need no second pool. Invariant:
//! *the inner node that a slot hosts is an ancestor of that slot's own leaf*.
//! It holds when a leaf brings its parent with it, and removal keeps it by
//! moving the leaf's hosted node into the slot that its dissolved parent was
//! hosted in.
//!
//! Links are tagged: `index << 1` is an inner node, `index << 1 | 1` a leaf.

use crate::layout::{BookSide, Level};
use crate::pools::{Pool, allocate, release};
use flagstone_interface::slab::PoolHeader;
use flagstone_units::{Lots, Side, Ticks};

/// [`Level::bit`] of a slot that hosts no inner node.
pub const NO_NODE: u8 = 0xff;

const LEAF: u32 = 1;

/// Key of a price: smaller is better.
#[inline(always)]
const fn key(side: Side, ticks: Ticks) -> u32 {
    match side {
        Side::Bid => !ticks.0,
        Side::Ask => ticks.0,
    }
}

/// One side of one book, with the pools that it lives in.
pub(crate) struct Tree<'s, 'a> {
    pub(crate) side: Side,
    pub(crate) book: &'s mut BookSide,
    pub(crate) header: &'s mut PoolHeader,
    pub(crate) levels: &'s mut Pool<'a, Level>,
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
            self.book.root = index << 1 | LEAF;
            self.book.best = index;
            return Some(index);
        }
        let key = key(self.side, ticks);
        let near = self.descend(key);
        let difference = self.key_of(near) ^ key;
        if difference == 0 {
            return Some(near);
        }
        let bit = 31 - difference.leading_zeros() as u8;
        let index = self.new_level(instrument, ticks)?;

        // The new node goes above the first link whose subtree agrees with the
        // key on every bit above `bit`.
        let (mut parent, mut down) = (0, false);
        let mut link = self.book.root;
        while link & LEAF == 0 {
            let node = &self.levels[link >> 1];
            if node.bit < bit {
                break;
            }
            parent = link >> 1;
            down = key >> (node.bit & 31) & 1 == 1;
            link = if down { node.right } else { node.left };
        }
        let worse = key >> bit & 1 == 1;
        let leaf = index << 1 | LEAF;
        let (left, right) = if worse { (link, leaf) } else { (leaf, link) };
        let node = &mut self.levels[index];
        node.left = left;
        node.right = right;
        node.bit = bit;
        self.set(parent, down, index << 1);
        self.link_beside(index, link, worse);
        Some(index)
    }

    /// Removes an empty level.
    #[inline(never)]
    pub(crate) fn remove(&mut self, index: u32) {
        let gone = self.levels[index];
        self.unlink_neighbours(&gone);
        let key = key(self.side, gone.ticks);
        // Walk down, remembering the last two nodes and which way they led,
        // and who links to the node that this slot hosts.
        let (mut parent, mut grand, mut hosted_by) = (0, 0, 0);
        let (mut down, mut grand_down, mut hosted_down) = (false, false, false);
        let mut link = self.book.root;
        while link & LEAF == 0 {
            let node = link >> 1;
            if node == index {
                (hosted_by, hosted_down) = (parent, down);
            }
            (grand, grand_down) = (parent, down);
            parent = node;
            let inner = &self.levels[node];
            down = key >> (inner.bit & 31) & 1 == 1;
            link = if down { inner.right } else { inner.left };
        }
        debug_assert_eq!(link, index << 1 | LEAF);
        self.book.levels -= 1;
        if parent == 0 {
            self.book.root = 0;
        } else {
            let node = &self.levels[parent];
            let sibling = if down { node.left } else { node.right };
            self.set(grand, grand_down, sibling);
            self.rehost(index, parent, hosted_by, hosted_down);
        }
        release(self.header, self.levels, index);
    }

    /// Moves the node hosted in a leaving slot into the slot of its dissolved parent.
    #[inline(always)]
    fn rehost(&mut self, index: u32, parent: u32, hosted_by: u32, hosted_down: bool) {
        let hosted = self.levels[index];
        if parent == index || hosted.bit == NO_NODE {
            self.levels[parent].bit = NO_NODE;
            return;
        }
        let host = &mut self.levels[parent];
        host.left = hosted.left;
        host.right = hosted.right;
        host.bit = hosted.bit;
        self.set(hosted_by, hosted_down, parent << 1);
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
            left: 0,
            right: 0,
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

    /// The leaf that a search for `key` ends at.
    #[inline(always)]
    fn descend(&self, key: u32) -> u32 {
        let mut link = self.book.root;
        while link & LEAF == 0 {
            let node = &self.levels[link >> 1];
            link = if key >> (node.bit & 31) & 1 == 1 {
                node.right
            } else {
                node.left
            };
        }
        link >> 1
    }

    /// Changes the link from a node, or from the root when `node` is 0.
    #[inline(always)]
    fn set(&mut self, node: u32, down: bool, link: u32) {
        if node == 0 {
            self.book.root = link;
        } else if down {
            self.levels[node].right = link;
        } else {
            self.levels[node].left = link;
        }
    }

    /// Best (or worst) leaf below a link.
    fn extreme(&self, mut link: u32, worst: bool) -> u32 {
        while link & LEAF == 0 {
            let node = &self.levels[link >> 1];
            link = if worst { node.right } else { node.left };
        }
        link >> 1
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

    #[inline(always)]
    fn unlink_neighbours(&mut self, gone: &Level) {
        if gone.prev == 0 {
            self.book.best = gone.next;
        } else {
            self.levels[gone.prev].next = gone.next;
        }
        if gone.next != 0 {
            self.levels[gone.next].prev = gone.prev;
        }
    }
}
