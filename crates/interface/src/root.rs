//! The Merkle root of a slab's accounts: leaves, hashing, and proofs.
//!
//! A slab publishes the root so that its users can leave with proofs should its
//! program ever stop being what was registered (rule X11). The Router verifies
//! what the Slab hashed, so both use this module.
//!
//! ```text
//! root                    tag 5 | top | pages | slot | sum
//! tree over the pages     tag 4 | left | right       levels_over(pages) levels
//! page of 64 accounts     tag 3 | left | right       the top of six levels
//! nodes of a page         tag 2 | left | right
//! leaf                    tag 1 | Leaf, 120 bytes
//! positions of a leaf     tag 0 | 16 bytes each, by instrument
//! ```
//! Account `n` is leaf `n - 1` of the whole tree. Every hash starts with the tag
//! of what it stands for, so none can be passed off as another. A slot without
//! an account, and a tree in which no account is, hash to 32 zero bytes, which
//! nobody can make a digest be.

use crate::sha256::sha256;
use crate::slab::ROOT_PAGE_ACCOUNTS;
use crate::{Key, assert_layout};
use bytemuck::{Pod, Zeroable};
use flagstone_units::{SignedLots, Slot};

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// What stands for a slot without an account, and for a tree without accounts.
pub const EMPTY: Hash = [0; 32];

/// Levels between a leaf and the hash of its page.
pub const PAGE_LEVELS: u32 = ROOT_PAGE_ACCOUNTS.trailing_zeros();
const _: () = assert!(1 << PAGE_LEVELS == ROOT_PAGE_ACCOUNTS);

/// Levels over the pages of the largest slab there can be.
pub const TREE_LEVELS_MAX: u32 = levels_over(pages_for(u16::MAX as u32));

/// Hashes of the longest proof.
pub const PROOF_HASHES_MAX: usize = (PAGE_LEVELS + TREE_LEVELS_MAX) as usize;

/// First byte of what is hashed.
mod tag {
    pub(super) const POSITIONS: u8 = 0;
    pub(super) const LEAF: u8 = 1;
    pub(super) const NODE: u8 = 2;
    pub(super) const PAGE: u8 = 3;
    pub(super) const TREE: u8 = 4;
    pub(super) const ROOT: u8 = 5;
}

/// One account at the slot that a root describes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Leaf {
    /// Escrow that the account is bound to.
    pub escrow: Key,
    /// Hash of its positions, [`hash_positions`].
    pub positions: Hash,
    /// Cash and unrealised profit or loss at the root's marks, less unsettled
    /// funding and unseen haircuts, in atoms. May be negative.
    pub equity_atoms: i64,
    /// Deposits credited, in atoms.
    pub deposited_seen_atoms: u64,
    /// Charged to the escrow's capabilities, in atoms.
    pub debited_total_atoms: u64,
    /// Released to the escrow, in atoms.
    pub released_total_atoms: u64,
    /// Insurance cover credited, in atoms.
    pub covered_seen_atoms: u64,
    /// Index of the account.
    pub account: u32,
    /// Generation of that index.
    pub generation: u32,
    /// Slot that the root describes.
    pub slot: Slot,
    /// Zero.
    pub padding: u32,
}
assert_layout!(Leaf, 120, positions @ 32, equity_atoms @ 64, account @ 104, slot @ 112);

impl Leaf {
    /// Hash of the leaf.
    #[inline(always)]
    pub fn hash(&self) -> Hash {
        sha256(&[&[tag::LEAF], bytemuck::bytes_of(self)])
    }

    /// What the leaf adds to the sum that a root commits to, in atoms.
    ///
    /// Equity below zero counts nothing: its account can claim nothing, and
    /// what it owes pays none of the others' claims. The sum is therefore the
    /// most that all claims together can come to.
    #[inline(always)]
    pub const fn counted_atoms(&self) -> i64 {
        if self.equity_atoms > 0 {
            self.equity_atoms
        } else {
            0
        }
    }
}

/// A position as a leaf commits to it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct PositionLeaf {
    /// Instrument number.
    pub instrument: u32,
    /// Contracts; long is positive.
    pub lots: SignedLots,
    /// What they cost, in atoms.
    pub cost_atoms: i64,
}
assert_layout!(PositionLeaf, 16);

/// Hash of an account's positions: those with lots, by instrument. [`EMPTY`]
/// when there are none.
#[inline(always)]
pub fn hash_positions(positions: &[PositionLeaf]) -> Hash {
    if positions.is_empty() {
        return EMPTY;
    }
    sha256(&[&[tag::POSITIONS], bytemuck::cast_slice(positions)])
}

/// Pages that hold accounts up to this index; one at least.
#[inline(always)]
pub const fn pages_for(accounts: u32) -> u32 {
    let pages = accounts.div_ceil(ROOT_PAGE_ACCOUNTS);
    if pages == 0 { 1 } else { pages }
}

/// Levels of the tree over so many pages.
#[inline(always)]
pub const fn levels_over(pages: u32) -> u32 {
    if pages <= 1 {
        0
    } else {
        u32::BITS - (pages - 1).leading_zeros()
    }
}

/// Hash of two neighbours at `level`, 0 for leaves.
#[inline(always)]
pub fn join(level: u32, left: &Hash, right: &Hash) -> Hash {
    if *left == EMPTY && *right == EMPTY {
        return EMPTY;
    }
    let tag = if level + 1 < PAGE_LEVELS {
        tag::NODE
    } else if level + 1 == PAGE_LEVELS {
        tag::PAGE
    } else {
        tag::TREE
    };
    sha256(&[&[tag], left, right])
}

/// The root over the top of the tree, and what it commits to beside the leaves.
#[inline(always)]
pub fn hash_root(top: &Hash, pages: u32, slot: Slot, sum_atoms: i64) -> Hash {
    sha256(&[
        &[tag::ROOT],
        top,
        &pages.to_le_bytes(),
        &slot.0.to_le_bytes(),
        &sum_atoms.to_le_bytes(),
    ])
}

/// Builds one tree from its leaves in order, keeping one hash per level.
#[derive(Clone, Copy, Debug)]
pub struct Tower {
    /// Complete subtree per level that waits for its right neighbour.
    left: [Hash; TREE_LEVELS_MAX as usize + 1],
    /// Level of what is pushed.
    base: u32,
    /// Hashes pushed so far.
    count: u32,
}

impl Tower {
    /// For the leaves of one page.
    #[inline(always)]
    pub const fn over_leaves() -> Self {
        Self::at(0)
    }

    /// For the hashes of the pages.
    #[inline(always)]
    pub const fn over_pages() -> Self {
        Self::at(PAGE_LEVELS)
    }

    const fn at(base: u32) -> Self {
        Self {
            left: [EMPTY; TREE_LEVELS_MAX as usize + 1],
            base,
            count: 0,
        }
    }

    /// Adds the next hash. What is beyond the widest tree there can be is left out.
    #[inline(always)]
    pub fn push(&mut self, hash: Hash) {
        let (mut node, mut level) = (hash, 0);
        while self.count >> level & 1 != 0 {
            let Some(left) = self.left.get(level as usize) else {
                return;
            };
            node = join(self.base + level, left, &node);
            level += 1;
        }
        if let Some(left) = self.left.get_mut(level as usize) {
            *left = node;
            self.count += 1;
        }
    }

    /// Top of a tree of so many levels, empty where nothing was pushed.
    #[inline(always)]
    pub fn finish(&self, levels: u32) -> Hash {
        let mut node = EMPTY;
        for (level, left) in (0..levels).zip(&self.left) {
            node = if self.count >> level & 1 != 0 {
                join(self.base + level, left, &node)
            } else {
                join(self.base + level, &node, &EMPTY)
            };
        }
        match self.left.get(levels as usize) {
            Some(full) if self.count >> levels & 1 != 0 => *full,
            _ => node,
        }
    }
}

/// The way from a leaf to a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof<'a> {
    /// Pages under the root.
    pub pages: u32,
    /// The neighbour at every level, the leaf's own first.
    pub siblings: &'a [Hash],
}

impl Proof<'_> {
    /// Whether `leaf` is under `root`, which commits to `sum_atoms` and the
    /// leaf's slot.
    #[inline(never)]
    pub fn verify(&self, leaf: &Leaf, root: &Hash, sum_atoms: i64) -> bool {
        let Some(index) = leaf.account.checked_sub(1) else {
            return false;
        };
        let levels = PAGE_LEVELS + levels_over(self.pages);
        let fits = index / ROOT_PAGE_ACCOUNTS < self.pages
            && self.siblings.len() <= PROOF_HASHES_MAX
            && self.siblings.len() as u32 == levels;
        if !fits {
            return false;
        }
        let mut node = leaf.hash();
        for (level, sibling) in (0..levels).zip(self.siblings) {
            node = if index >> level & 1 == 0 {
                join(level, &node, sibling)
            } else {
                join(level, sibling, &node)
            };
        }
        hash_root(&node, self.pages, leaf.slot, sum_atoms) == *root
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf() -> Leaf {
        let position = |instrument, lots, cost_atoms| PositionLeaf {
            instrument,
            lots: SignedLots(lots),
            cost_atoms,
        };
        Leaf {
            escrow: [1; 32],
            positions: hash_positions(&[position(0, -7, -7_000), position(3, 5, 1_234)]),
            equity_atoms: -5,
            deposited_seen_atoms: 10,
            debited_total_atoms: 20,
            released_total_atoms: 30,
            covered_seen_atoms: 40,
            account: 2,
            generation: 9,
            slot: Slot(77),
            padding: 0,
        }
    }

    /// Made by another implementation; a change of any layout or tag shows here.
    #[test]
    fn x11_leaf_and_root_are_the_documented_bytes() {
        let leaf_hash = [
            0x38, 0x44, 0xf1, 0xc6, 0xdd, 0x36, 0xe4, 0x30, 0xbc, 0x11, 0x57, 0xa9, 0x8f, 0x45,
            0x2d, 0xe9, 0x31, 0x2e, 0xe0, 0x85, 0x9f, 0xac, 0xd4, 0xd9, 0x46, 0x4d, 0xd5, 0xdd,
            0x9d, 0xf8, 0xbd, 0xbd,
        ];
        let root = [
            0x50, 0x70, 0xd0, 0x2f, 0x16, 0x67, 0xfe, 0xe9, 0x0f, 0xe3, 0xdf, 0xf9, 0xae, 0xb4,
            0x06, 0x5a, 0xdc, 0x30, 0x20, 0x87, 0xef, 0xa3, 0xf1, 0xde, 0x5e, 0x9c, 0x55, 0xdb,
            0x74, 0xe0, 0xac, 0x8c,
        ];
        assert_eq!(leaf().hash(), leaf_hash);
        let mut tower = Tower::over_leaves();
        tower.push(EMPTY);
        tower.push(leaf_hash);
        let page = tower.finish(PAGE_LEVELS);
        assert_eq!(hash_root(&page, 1, Slot(77), 123), root);
        let proof = Proof {
            pages: 1,
            siblings: &[EMPTY; 6],
        };
        assert!(proof.verify(&leaf(), &root, 123));
        assert_eq!(leaf().counted_atoms(), 0);
    }

    #[test]
    fn x11_a_tower_is_the_tree_of_all_levels() {
        for pages in [1u32, 2, 3, 5, 8, 157, 1_023, 1_024] {
            let hash = |page: u32| sha256(&[&page.to_le_bytes()]);
            let mut tower = Tower::over_pages();
            (0..pages).for_each(|page| tower.push(hash(page)));
            let levels = levels_over(pages);
            assert!(1 << levels >= pages && (pages == 1 || 1 << (levels - 1) < pages));
            let mut row = [EMPTY; 1_024];
            (0..pages).for_each(|page| row[page as usize] = hash(page));
            for level in 0..levels {
                for at in 0..512 >> level {
                    row[at] = join(PAGE_LEVELS + level, &row[2 * at], &row[2 * at + 1]);
                }
            }
            assert_eq!(tower.finish(levels), row[0], "{pages} pages");
        }
        // A proof in the largest preset is 14 hashes long; in any slab, 16.
        assert_eq!(PAGE_LEVELS + levels_over(pages_for(10_000)), 14);
        assert_eq!(PROOF_HASHES_MAX, 16);
    }
}
