//! Merkle root of the accounts, built in bounded steps (rule X11).
//!
//! A root describes one slot: the one in which it was started. Marks, funding
//! and haircut indices are noted then, and what an account was is kept, as its
//! leaf's hash, before its first change. So pages of 64 accounts can be hashed
//! one by one while trading goes on.
//!
//! | what is known of an account | where |
//! |---|---|
//! | its page is hashed | the page's hash, or a page before `root_page_next` |
//! | its leaf was fixed early | numbered in its flags; hash behind the pages' |
//! | its slot was free at the start and is not now | numbered [`LEAF_EMPTY`] |
//! | neither | it has not changed since the start |
//!
//! Leaves fixed early have limited room. When it is used up, the whole page of
//! the account that is about to change is hashed at once. A page takes 64 hashes
//! of leaves, one more per account with positions and 63 to join them: 191 at
//! most, of 105 to 155 compute units each, or 25,000 together where accounts
//! hold one position. The tree over 157 pages takes 157 to 163 more.

use crate::layout::RootPage;
use crate::{Slab, SlabError, deficits};
use flagstone_interface::root::{
    EMPTY, Hash, Leaf, PAGE_LEVELS, PositionLeaf, Tower, hash_positions, hash_root, levels_over,
    pages_for,
};
use flagstone_interface::slab::{
    INSTRUMENTS, PoolId, ROOT_PAGE_ACCOUNTS, SlabAccount, account_flags,
};
use flagstone_units::{Slot, notional_atoms};

/// Number of a leaf that was fixed as that of a free slot; needs no room.
pub const LEAF_EMPTY: u16 = account_flags::LEAF >> account_flags::LEAF_SHIFT;

/// Where a root stands after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootStep {
    /// This page is next.
    Building(u32),
    /// The root is complete and in the header.
    Published {
        /// The root.
        root: Hash,
        /// Slot that it describes.
        slot: Slot,
        /// Sum that it commits to, in atoms.
        sum_atoms: i64,
    },
    /// The root was complete and is dropped; the next step starts another.
    ///
    /// This is a result and no error, because an error would undo the dropping
    /// and leave the root under construction for ever.
    Refused {
        /// Why.
        error: SlabError,
        /// Slot that it described.
        slot: Slot,
        /// Sum of the leaves, in atoms.
        sum_atoms: i64,
        /// What the slab was given and had not kept for itself, in atoms.
        given_atoms: i64,
    },
}

impl Slab<'_> {
    /// Hashes up to `pages_max` pages of the root under construction, after
    /// starting one when there is none. Anyone may ask.
    ///
    /// With the last page the root is complete. It is refused when its leaves
    /// add up to more than the slab was given by its own books and has not kept
    /// as fees and dues: [`SlabError::RootTooLarge`]. Leaves count as
    /// [`Leaf::counted_atoms`] says, so a loss that nobody has covered yet keeps
    /// new roots from being published, as it keeps cash from being released.
    pub fn publish_root(&mut self, pages_max: u32, slot: Slot) -> RootStep {
        if self.header.root_page_next == 0 {
            self.start_root(slot);
        }
        for _ in 0..pages_max {
            let page = self.header.root_page_next;
            if page > self.header.root_pages_next {
                break;
            }
            if !self.is_page_hashed(page) {
                self.hash_page(page);
            }
            self.header.root_page_next = page + 1;
        }
        if self.header.root_page_next > self.header.root_pages_next {
            self.complete_root()
        } else {
            RootStep::Building(self.header.root_page_next)
        }
    }

    /// The leaf of an account as the root under construction has it, if it has
    /// not changed since; `None` for a slot without an account.
    #[inline(never)]
    pub fn root_leaf(&self, index: u32) -> Option<Leaf> {
        let account = self.accounts.get(index)?;
        if !is_taken(account) {
            return None;
        }
        let cut = deficits::cut_atoms(account, self.header.root_haircut_index);
        let (profit_atoms, positions) = self.root_positions(account.positions_head);
        Some(Leaf {
            escrow: account.escrow,
            positions,
            equity_atoms: account
                .cash_atoms
                .saturating_sub_unsigned(cut)
                .saturating_add(profit_atoms),
            deposited_seen_atoms: account.deposited_seen_atoms,
            debited_total_atoms: account.debited_total_atoms,
            released_total_atoms: account.released_total_atoms,
            covered_seen_atoms: account.covered_seen_atoms,
            account: index,
            generation: account.generation,
            slot: self.header.root_slot_next,
            padding: 0,
        })
    }

    /// Unrealised profit or loss of an account's positions less the funding
    /// that they owe, in atoms, and their hash.
    #[inline(always)]
    fn root_positions(&self, head: u32) -> (i64, Hash) {
        let mut profit_atoms = 0i64;
        let mut sorted = [PositionLeaf::default(); INSTRUMENTS];
        let mut count = 0;
        let mut at = head;
        while at != 0 {
            let position = &self.positions[at];
            at = position.next_in_account;
            if position.lots.0 == 0 {
                continue;
            }
            let instrument = &self.instruments[position.instrument as usize];
            let size = position.lots.magnitude();
            let unit = instrument.atoms_per_tick;
            let value = notional_atoms(instrument.root_mark, size, unit) as i64;
            let signed = if position.lots.0 < 0 { -value } else { value };
            let owed = position.funding_owed_atoms(instrument.root_funding_index);
            profit_atoms = profit_atoms
                .saturating_add(signed - position.cost_atoms)
                .saturating_sub(owed);
            let leaf = PositionLeaf {
                instrument: position.instrument.into(),
                lots: position.lots,
                cost_atoms: position.cost_atoms,
            };
            insert(&mut sorted, count, leaf);
            count += 1;
        }
        let sorted = sorted.get(..count).unwrap_or(&sorted);
        (profit_atoms, hash_positions(sorted))
    }

    /// Whether the root under construction has the hash of this page, from 1.
    pub fn is_page_hashed(&self, page: u32) -> bool {
        // A page that was hashed before its turn holds an account, so its hash
        // is not that of an empty one.
        page < self.header.root_page_next || self.page_hash(page) != EMPTY
    }

    /// Hash of a page of the root under construction, from 1.
    pub fn page_hash(&self, page: u32) -> Hash {
        self.root_pages
            .get((page as usize).wrapping_sub(1))
            .map_or(EMPTY, |entry| entry.hash)
    }

    /// Hash of an account's leaf if it was fixed early.
    pub fn fixed_leaf(&self, account: &SlabAccount) -> Option<Hash> {
        match leaf_number(account) {
            0 => None,
            LEAF_EMPTY => Some(EMPTY),
            number => {
                let at = self.pages_room() + usize::from(number) - 1;
                Some(self.root_pages.get(at).map_or(EMPTY, |entry| entry.hash))
            }
        }
    }

    /// Entries of the pool that page hashes may take; leaves follow.
    fn pages_room(&self) -> usize {
        pages_for(self.accounts.capacity()) as usize
    }

    /// Leaves that can be fixed early.
    pub(crate) fn leaves_room(&self) -> u32 {
        let entries = self.root_pages.len().saturating_sub(self.pages_room());
        (entries as u32).min(u32::from(LEAF_EMPTY) - 1)
    }

    /// Notes the instant that the root describes.
    #[inline(never)]
    fn start_root(&mut self, slot: Slot) {
        for number in 0..self.header.pool(PoolId::Instruments).high_water as u8 {
            self.accrue_funding(number, slot);
            let instrument = &mut self.instruments[number as usize];
            instrument.root_mark = instrument.mark;
            instrument.root_funding_index = instrument.funding_index;
        }
        // 5 KiB for 10,000 accounts, in one system call.
        let room = self.pages_room();
        if let Some(pages) = self.root_pages.get_mut(..room) {
            bytemuck::cast_slice_mut::<RootPage, u8>(pages).fill(0);
        }
        let given_atoms = self.given_atoms();
        let header = &mut self.header;
        header.root_pages_next = pages_for(header.pools[PoolId::Accounts as usize].high_water);
        header.root_page_next = 1;
        header.root_slot_next = slot;
        header.root_sum_next_atoms = 0;
        header.root_haircut_index = header.haircut_index;
        header.root_given_atoms = given_atoms;
    }

    /// What the slab was given and has not kept for itself, in atoms.
    fn given_atoms(&self) -> i64 {
        let header = &self.header;
        let total = |total: u128| i128::try_from(total).unwrap_or(i128::MAX);
        let given = total(header.deposits_total.get())
            .saturating_add(total(header.debits_total.get()))
            .saturating_add(total(header.covered_total.get()))
            .saturating_sub(total(header.released_total.get()))
            .saturating_sub(total(header.fees_out_total.get()))
            .saturating_sub(total(header.insurance_due_total.get()));
        given.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// Fixes an account's leaf before its first change while a root is under
    /// construction.
    #[cold]
    #[inline(never)]
    pub(crate) fn fix_leaf(&mut self, index: u32) {
        let page = index.wrapping_sub(1) / ROOT_PAGE_ACCOUNTS + 1;
        let done = leaf_number(&self.accounts[index]) != 0
            || page > self.header.root_pages_next
            || self.is_page_hashed(page);
        if done {
            return;
        }
        let Some(leaf) = self.root_leaf(index) else {
            number_leaf(&mut self.accounts[index], LEAF_EMPTY);
            return;
        };
        if self.header.root_leaves >= self.leaves_room() {
            self.hash_page(page);
            return;
        }
        let at = self.pages_room() + self.header.root_leaves as usize;
        let Some(entry) = self.root_pages.get_mut(at) else {
            return;
        };
        entry.hash = leaf.hash();
        self.count_leaf(&leaf);
        self.header.root_leaves += 1;
        let number = self.header.root_leaves as u16;
        number_leaf(&mut self.accounts[index], number);
    }

    /// Hashes one page, from 1.
    #[inline(never)]
    fn hash_page(&mut self, page: u32) {
        let mut tower = Tower::over_leaves();
        let first = (page - 1) * ROOT_PAGE_ACCOUNTS + 1;
        for index in first..first + ROOT_PAGE_ACCOUNTS {
            let hash = self.take_leaf(index);
            tower.push(hash);
        }
        let hash = tower.finish(PAGE_LEVELS);
        if let Some(entry) = self.root_pages.get_mut(page as usize - 1) {
            entry.hash = hash;
        }
    }

    /// Hash of a leaf, which is counted and no longer numbered afterwards.
    #[inline(always)]
    fn take_leaf(&mut self, index: u32) -> Hash {
        let Some(account) = self.accounts.get(index) else {
            return EMPTY;
        };
        if let Some(hash) = self.fixed_leaf(account) {
            number_leaf(&mut self.accounts[index], 0);
            return hash;
        }
        match self.root_leaf(index) {
            Some(leaf) => {
                self.count_leaf(&leaf);
                leaf.hash()
            }
            None => EMPTY,
        }
    }

    fn count_leaf(&mut self, leaf: &Leaf) {
        let sum = &mut self.header.root_sum_next_atoms;
        *sum = sum.saturating_add(leaf.counted_atoms());
    }

    /// Publishes or refuses the root whose pages are all hashed.
    #[inline(never)]
    fn complete_root(&mut self) -> RootStep {
        let mut tower = Tower::over_pages();
        let pages = self.header.root_pages_next;
        for page in 1..=pages {
            tower.push(self.page_hash(page));
        }
        let top = tower.finish(levels_over(pages));
        let header = &mut self.header;
        header.root_page_next = 0;
        header.root_leaves = 0;
        let (slot, sum_atoms) = (header.root_slot_next, header.root_sum_next_atoms);
        let given_atoms = header.root_given_atoms;
        // A sum that went out of bounds stayed at the largest.
        if sum_atoms > given_atoms || sum_atoms == i64::MAX {
            return RootStep::Refused {
                error: SlabError::RootTooLarge,
                slot,
                sum_atoms,
                given_atoms,
            };
        }
        let root = hash_root(&top, pages, slot, sum_atoms);
        header.root = root;
        header.root_slot = slot;
        header.root_sum_atoms = sum_atoms;
        header.roots_total = header.roots_total.wrapping_add(1);
        RootStep::Published {
            root,
            slot,
            sum_atoms,
        }
    }
}

/// Whether a slot has an account, closed ones included: their counters count.
fn is_taken(account: &SlabAccount) -> bool {
    account.flags & (account_flags::OPEN | account_flags::CLOSED) != 0
}

/// Number of the leaf that was fixed early, 0 for none.
#[inline(always)]
pub(crate) const fn leaf_number(account: &SlabAccount) -> u16 {
    account.flags >> account_flags::LEAF_SHIFT
}

#[inline(always)]
fn number_leaf(account: &mut SlabAccount, number: u16) {
    account.flags = account.flags & !account_flags::LEAF | number << account_flags::LEAF_SHIFT;
}

/// Puts a position among the first `count`, which are in order of instrument.
#[inline(always)]
fn insert(positions: &mut [PositionLeaf; INSTRUMENTS], count: usize, new: PositionLeaf) {
    let mut at = count.min(INSTRUMENTS - 1);
    while at > 0 && positions[at - 1].instrument > new.instrument {
        positions[at] = positions[at - 1];
        at -= 1;
    }
    positions[at] = new;
}

/// Invariants of a root under construction.
impl Slab<'_> {
    pub(crate) fn audit_root(&self) -> core::result::Result<(), &'static str> {
        let header = &self.header;
        let building = header.root_page_next != 0;
        if building && header.root_page_next > header.root_pages_next {
            return Err("a complete root was neither published nor dropped");
        }
        if header.root_leaves > self.leaves_room() {
            return Err("more leaves are fixed than there is room for");
        }
        let mut seen = [0u64; 8];
        for (index, account) in self.accounts.iter() {
            let number = leaf_number(account);
            if number == 0 {
                continue;
            }
            let page = (index - 1) / ROOT_PAGE_ACCOUNTS + 1;
            if !building || page > header.root_pages_next || self.is_page_hashed(page) {
                return Err("a leaf is numbered that no page waits for");
            }
            if number == LEAF_EMPTY {
                continue;
            }
            let (word, bit) = (usize::from(number) / 64, 1 << (number % 64));
            if seen[word] & bit != 0 || u32::from(number) > header.root_leaves {
                return Err("two accounts share a fixed leaf");
            }
            seen[word] |= bit;
            if self.fixed_leaf(account) == Some(EMPTY) {
                return Err("a fixed leaf has no hash");
            }
        }
        Ok(())
    }
}
