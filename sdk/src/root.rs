//! Proofs under a slab's Merkle root, for leaving by proof.
//!
//! A root describes the slot in which it was started, so a proof needs the
//! slab's bytes from then: send [`crate::slab::publish_root`] with no pages, read
//! the account, keep the [`RootTree`]. Whoever trades in between loses nothing but
//! the tree's knowledge of that leaf, and the others' proofs still hold.

use flagstone_interface::root::{
    EMPTY, Hash, Leaf, PAGE_LEVELS, Proof, Tower, hash_root, join, levels_over,
};
use flagstone_interface::slab::ROOT_PAGE_ACCOUNTS;
use flagstone_slab_engine::Slab;
use flagstone_units::Slot;
use std::collections::BTreeMap;

/// Accounts of a page.
const PAGE: usize = ROOT_PAGE_ACCOUNTS as usize;

/// The tree of the root that a slab has under construction.
#[derive(Clone, Debug)]
pub struct RootTree {
    leaves: BTreeMap<u32, Leaf>,
    leaf_hashes: Vec<Hash>,
    page_hashes: Vec<Hash>,
    slot: Slot,
    sum_atoms: i64,
}

/// A leaf and its way to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountProof {
    /// The leaf.
    pub leaf: Leaf,
    /// Pages under the root.
    pub pages: u32,
    /// The neighbour at every level, the leaf's own first.
    pub siblings: Vec<Hash>,
}

impl AccountProof {
    /// Whether the leaf is under `root`, which commits to `sum_atoms`.
    pub fn verify(&self, root: &Hash, sum_atoms: i64) -> bool {
        let proof = Proof {
            pages: self.pages,
            siblings: &self.siblings,
        };
        proof.verify(&self.leaf, root, sum_atoms)
    }
}

impl RootTree {
    /// The tree as far as the slab still shows it: all of it right after the
    /// root was started. Of accounts that changed since, and of pages hashed
    /// since, only hashes are left.
    ///
    /// `None` when no root is under construction.
    pub fn read(slab: &Slab<'_>) -> Option<Self> {
        let header = &slab.header;
        if header.root_page_next == 0 {
            return None;
        }
        let mut tree = Self {
            leaves: BTreeMap::new(),
            leaf_hashes: Vec::new(),
            page_hashes: Vec::new(),
            slot: header.root_slot_next,
            sum_atoms: header.root_sum_next_atoms,
        };
        for page in 1..=header.root_pages_next {
            tree.read_page(slab, page);
        }
        Some(tree)
    }

    fn read_page(&mut self, slab: &Slab<'_>, page: u32) {
        if slab.is_page_hashed(page) {
            self.leaf_hashes.extend([EMPTY; PAGE]);
            self.page_hashes.push(slab.page_hash(page));
            return;
        }
        let mut tower = Tower::over_leaves();
        let first = (page - 1) * ROOT_PAGE_ACCOUNTS + 1;
        for account in first..first + ROOT_PAGE_ACCOUNTS {
            let hash = self.read_leaf(slab, account);
            self.leaf_hashes.push(hash);
            tower.push(hash);
        }
        self.page_hashes.push(tower.finish(PAGE_LEVELS));
    }

    fn read_leaf(&mut self, slab: &Slab<'_>, index: u32) -> Hash {
        let fixed = slab.accounts.get(index);
        if let Some(hash) = fixed.and_then(|account| slab.fixed_leaf(account)) {
            return hash;
        }
        let Some(leaf) = slab.root_leaf(index) else {
            return EMPTY;
        };
        self.leaves.insert(index, leaf);
        self.sum_atoms = self.sum_atoms.saturating_add(leaf.counted_atoms());
        leaf.hash()
    }

    /// The root that the slab will publish.
    pub fn root(&self) -> Hash {
        let mut tower = Tower::over_pages();
        for page in &self.page_hashes {
            tower.push(*page);
        }
        let top = tower.finish(levels_over(self.pages()));
        hash_root(&top, self.pages(), self.slot, self.sum_atoms)
    }

    /// Sum of the leaves' equity above zero, in atoms, which the root commits to.
    pub fn sum_atoms(&self) -> i64 {
        self.sum_atoms
    }

    /// Slot that the root describes.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// Accounts whose leaves are known.
    pub fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        self.leaves.values()
    }

    /// The proof for an account; `None` when its leaf is not known.
    pub fn proof(&self, account: u32) -> Option<AccountProof> {
        let leaf = *self.leaves.get(&account)?;
        let index = account as usize - 1;
        let start = index / PAGE * PAGE;
        let page = &self.leaf_hashes[start..start + PAGE];
        let mut siblings = siblings(page, index % PAGE, 0, PAGE_LEVELS);
        let over = levels_over(self.pages());
        siblings.extend(self::siblings(
            &self.page_hashes,
            index / PAGE,
            PAGE_LEVELS,
            over,
        ));
        Some(AccountProof {
            leaf,
            pages: self.pages(),
            siblings,
        })
    }

    fn pages(&self) -> u32 {
        self.page_hashes.len() as u32
    }
}

/// The neighbours on the way up from place `at`, `levels` of them, where `row`
/// lies at level `base`.
fn siblings(row: &[Hash], mut at: usize, base: u32, levels: u32) -> Vec<Hash> {
    let mut row = row.to_vec();
    let mut siblings = Vec::new();
    for level in base..base + levels {
        row.resize(row.len().next_multiple_of(2), EMPTY);
        siblings.push(row[at ^ 1]);
        row = row
            .chunks(2)
            .map(|pair| join(level, &pair[0], &pair[1]))
            .collect();
        at /= 2;
    }
    siblings
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;
    use flagstone_interface::router::Escrow;
    use flagstone_slab_engine::Capacities;
    use flagstone_slab_engine::roots::RootStep;

    fn escrow(account: u32, atoms: u64) -> Escrow {
        Escrow {
            bound_account: account,
            bound_generation: 1,
            deposited_total_atoms: atoms,
            ..Escrow::zeroed()
        }
    }

    fn key(account: u32) -> [u8; 32] {
        [account as u8; 32]
    }

    /// Runs `test` on a slab of 150 accounts in three pages.
    fn with_slab(test: impl FnOnce(&mut Slab<'_>)) {
        let capacities = Capacities {
            items: [1, 200, 8, 8, 8, 8, 8, 8, 1, 14],
        };
        let mut words = vec![0u64; capacities.layout_bytes().div_ceil(8) as usize];
        let bytes = bytemuck::cast_slice_mut(&mut words);
        Slab::initialize(bytes, &capacities).unwrap();
        let mut slab = Slab::open(bytes).unwrap();
        for account in 1..=150 {
            let escrow = escrow(account, 1_000);
            slab.open_account(&key(account), &escrow, Slot(5)).unwrap();
            slab.sync(account, &key(account), &escrow, Slot(5)).unwrap();
        }
        test(&mut slab);
    }

    #[test]
    fn x11_a_tree_read_at_the_start_proves_every_account() {
        with_slab(|slab| {
            assert!(RootTree::read(slab).is_none());
            slab.publish_root(0, Slot(9));
            let tree = RootTree::read(slab).unwrap();
            slab.sync(7, &key(7), &escrow(7, 1_500), Slot(10)).unwrap();
            let expected = RootStep::Published {
                root: tree.root(),
                slot: Slot(9),
                sum_atoms: 150_000,
            };
            assert_eq!(slab.publish_root(3, Slot(11)), expected);
            assert_eq!((tree.slot(), tree.sum_atoms()), (Slot(9), 150_000));
            assert_eq!(tree.leaves().count(), 150);
            for account in 1..=150 {
                let proof = tree.proof(account).unwrap();
                assert_eq!(proof.siblings.len(), 8);
                assert!(proof.verify(&slab.header.root, slab.header.root_sum_atoms));
                assert!(!proof.verify(&slab.header.root, slab.header.root_sum_atoms + 1));
            }
            assert_eq!(tree.proof(151), None);
        });
    }

    #[test]
    fn x11_a_tree_read_later_proves_what_has_not_changed() {
        with_slab(|slab| {
            slab.publish_root(1, Slot(9));
            slab.sync(70, &key(70), &escrow(70, 1_500), Slot(10))
                .unwrap();
            let tree = RootTree::read(slab).unwrap();
            let RootStep::Published {
                root, sum_atoms, ..
            } = slab.publish_root(9, Slot(11))
            else {
                panic!("not complete");
            };
            assert_eq!((tree.root(), tree.sum_atoms()), (root, sum_atoms));
            for account in 1..=150 {
                match tree.proof(account) {
                    Some(proof) => assert!(proof.verify(&root, sum_atoms)),
                    None => assert!(account <= 64 || account == 70),
                }
            }
            assert!(tree.proof(64).is_none() && tree.proof(70).is_none());
        });
    }
}
