//! Bad debt: recognised, covered from insurance, or allocated to profits.
//!
//! An account that is left without positions, orders and holds but owes cash is
//! *bankrupt*: its debt becomes part of the slab's recognised deficit, which
//! bars every release until it is gone (rule T2). Three things reduce it, each
//! by exactly what it pays: a deposit of the owner, cover that the Router paid
//! from insurance (rule X7), and, when insurance has nothing left to pay, a cut
//! of the profits of the slab's other accounts (rule T9).
//!
//! # The haircut in O(1)
//! The header's index says which part of a profit is kept: `keep` of 2^32, and
//! an epoch that counts how often all of it was lost. An account remembers the
//! index of its last touch; at the next one its profit `p` becomes
//! `floor(p * keep / keep then)`, or nothing when the epoch moved. What it
//! loses goes to `haircut_pool_atoms`, from which the debts were paid ahead.
//!
//! ```text
//! real        = sum(p * keep / keep then)     what profits are worth, unrounded
//! real       <= profit_total
//! profit_total + spare = sum(p) + pool        to the atom
//! ```
//! The first line is why every allocation collects at least what it pays: after
//! it, `pool + what untouched accounts still owe >= profit_total + spare - real
//! >= 0`. Rounding always takes too much, never too little; what it took too
//! much of is `spare` and pays for the next deficit before any profit does.
//!
//! Principal is never cut: what exceeds the profits stays a deficit until later
//! profits, insurance or a deposit pay it.

use crate::releases::WARMUP_SLOTS;
use crate::{Result, Slab, SlabError};
use flagstone_interface::event::{DeficitAllocated, DeficitRecognised};
use flagstone_interface::router::{Escrow, SlabLedger};
use flagstone_interface::slab::{SlabAccount, SlabHeader, account_flags};
use flagstone_interface::{Key, key_eq};
use flagstone_units::Slot;

/// All of a profit, in the parts that the index counts.
const WHOLE: u64 = 1 << 32;

/// A haircut index: how often all profit was lost, and the part that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Index {
    epoch: u32,
    /// From 1 to [`WHOLE`].
    keep: u64,
}

impl Index {
    const fn unpack(index: u64) -> Self {
        Self {
            epoch: (index >> 32) as u32,
            keep: WHOLE - (index & (WHOLE - 1)),
        }
    }

    const fn pack(self) -> u64 {
        (self.epoch as u64) << 32 | (WHOLE - self.keep)
    }
}

/// What is left at index `now` of a profit that was touched at index `then`.
pub(crate) fn profit_left(profit: u64, then: u64, now: u64) -> u64 {
    let (then, now) = (Index::unpack(then), Index::unpack(now));
    if then.epoch != now.epoch {
        return 0;
    }
    // At most `profit`: what is kept only ever shrinks within an epoch.
    (u128::from(profit) * u128::from(now.keep) / u128::from(then.keep)) as u64
}

/// What the haircuts up to `index` take from an account that has not seen them
/// yet, in atoms, rounded up.
pub fn cut_atoms(account: &SlabAccount, index: u64) -> u64 {
    let profit = account.profit_atoms();
    profit.saturating_sub(profit_left(profit, account.haircut_index, index))
}

/// What proves that insurance cannot pay a debt, and whose debt it is.
#[derive(Clone, Copy, Debug)]
pub struct Allocation<'r> {
    /// Index of the bankrupt account.
    pub account: u32,
    /// Address of its escrow.
    pub escrow_key: &'r Key,
    /// Its escrow.
    pub escrow: &'r Escrow,
    /// Address of this slab.
    pub slab: &'r Key,
    /// What the Router holds for this slab in its mint.
    pub ledger: &'r SlabLedger,
}

impl Slab<'_> {
    /// Applies the haircuts that an account has not seen yet to its profit.
    #[cold]
    #[inline(never)]
    pub(crate) fn cut_profit(&mut self, account: u32) -> Result<()> {
        let now = self.header.haircut_index;
        let owner = &mut self.accounts[account];
        let lost = cut_atoms(owner, now);
        owner.haircut_index = now;
        // Profit is cash, so it fits.
        owner.cash_atoms -= lost as i64;
        self.header.haircut_pool_atoms += lost as i64;
        Ok(())
    }

    /// Makes an account bankrupt that owes cash and has nothing left that could
    /// change that: no position, no order, no hold.
    ///
    /// Returns the event when it did.
    #[inline(always)]
    pub(crate) fn recognise(&mut self, account: u32, slot: Slot) -> Option<DeficitRecognised> {
        if self.accounts[account].cash_atoms < 0 {
            self.recognise_debt(account, slot)
        } else {
            None
        }
    }

    #[cold]
    #[inline(never)]
    fn recognise_debt(&mut self, account: u32, slot: Slot) -> Option<DeficitRecognised> {
        let owner = &mut self.accounts[account];
        // Without orders, a position that is listed has lots.
        let empty = owner.positions_count == 0 && owner.orders_count == 0 && owner.holds_count == 0;
        if !empty || owner.is_bankrupt() {
            return None;
        }
        owner.flags |= account_flags::BANKRUPT;
        // It has no profit to mature: the slot says since when the debt stands.
        owner.warmup_slot = slot;
        let deficit_atoms = owner.debt_atoms();
        self.header.deficit_atoms = self.header.deficit_atoms.saturating_add(deficit_atoms);
        Some(DeficitRecognised {
            tag: DeficitRecognised::TAG,
            seq: 0,
            account: account as u16,
            deficit_atoms,
        })
    }

    /// Keeps the recognised deficit after an account's debt went down from
    /// `before`.
    #[inline(always)]
    pub(crate) fn note_debt(&mut self, account: u32, before: u64) {
        let owner = &mut self.accounts[account];
        if owner.is_bankrupt() {
            let after = owner.debt_atoms();
            self.header.deficit_atoms -= before - after;
            if after == 0 {
                owner.flags &= !account_flags::BANKRUPT;
            }
        }
    }

    /// Credits the insurance that the Router paid for a bankrupt account since
    /// the last sync. Returns the atoms credited.
    ///
    /// # Errors
    /// [`SlabError::CounterBackwards`]; [`SlabError::NoDeficit`] for cover of an
    /// account that owes nothing, or of more than it owes.
    #[inline(always)]
    pub(crate) fn take_cover(&mut self, account: u32, escrow: &Escrow) -> Result<u64> {
        let owner = &mut self.accounts[account];
        let cover = escrow
            .covered_total_atoms
            .checked_sub(owner.covered_seen_atoms)
            .ok_or(SlabError::CounterBackwards)?;
        if cover == 0 {
            return Ok(0);
        }
        let debt = owner.debt_atoms();
        if !owner.is_bankrupt() || cover > debt {
            return Err(SlabError::NoDeficit);
        }
        owner.covered_seen_atoms = escrow.covered_total_atoms;
        owner.cash_atoms += cover as i64;
        self.header.covered_total.add(cover);
        self.note_debt(account, debt);
        Ok(cover)
    }

    /// Pays a bankrupt account's debt from the profits of all others, as far as
    /// they go. Anyone may ask, once insurance has nothing left to pay or the
    /// debt has stood for [`WARMUP_SLOTS`].
    ///
    /// # Errors
    /// [`SlabError::NoAccount`], [`SlabError::NotBound`];
    /// [`SlabError::WrongRecord`] for another slab's ledger;
    /// [`SlabError::NoDeficit`] when the account is not bankrupt, its escrow or
    /// the slab's dues are not settled, insurance could still pay, or no profit
    /// is left.
    pub fn allocate_deficit(
        &mut self,
        allocation: &Allocation<'_>,
        slot: Slot,
    ) -> Result<DeficitAllocated> {
        let account = allocation.account;
        let owner = self.open_account_at(account)?;
        if !owner.is_bound(account, allocation.escrow_key, allocation.escrow) {
            return Err(SlabError::NotBound);
        }
        let ledger = allocation.ledger;
        let ours =
            key_eq(&ledger.slab, allocation.slab) && key_eq(&ledger.mint, &self.header.quote_mint);
        if !ours {
            return Err(SlabError::WrongRecord);
        }
        // Cover that was paid and not credited yet must not be paid twice: it
        // would be too much then, and could never be credited.
        let settled = owner.covered_seen_atoms == allocation.escrow.covered_total_atoms
            && owner.deposited_seen_atoms == allocation.escrow.deposited_total_atoms;
        let spent = ledger.insurance_atoms == 0
            && ledger.insurance_due_seen == self.header.insurance_due_total;
        let stood = slot.saturating_sub(owner.warmup_slot) >= WARMUP_SLOTS;
        if !owner.is_bankrupt() || !settled || !(spent || stood) {
            return Err(SlabError::NoDeficit);
        }
        self.touch(account)?;
        let debt = self.accounts[account].debt_atoms();
        let deficit_atoms = debt.min(self.header.haircut_base_atoms());
        if deficit_atoms == 0 {
            return Err(SlabError::NoDeficit);
        }
        move_index(self.header, deficit_atoms);
        let owner = &mut self.accounts[account];
        // Nothing of it is profit: the account's own copy moves along.
        owner.haircut_index = self.header.haircut_index;
        owner.cash_atoms += deficit_atoms as i64;
        owner.touched_slot = slot;
        self.header.haircut_pool_atoms -= deficit_atoms as i64;
        self.note_debt(account, debt);
        Ok(DeficitAllocated {
            tag: DeficitAllocated::TAG,
            seq: 0,
            account: allocation.account as u16,
            deficit_atoms,
            haircut_index: self.header.haircut_index,
        })
    }
}

/// Takes `atoms`, at most the base, from the spare and then from all profits.
fn move_index(header: &mut SlabHeader, atoms: u64) {
    let spare = atoms.min(header.haircut_spare_atoms);
    header.haircut_spare_atoms -= spare;
    let cut = atoms - spare;
    if cut == 0 {
        return;
    }
    let index = Index::unpack(header.haircut_index);
    let total = header.profit_total_atoms;
    let left = total - cut;
    let keep = (u128::from(index.keep) * u128::from(left) / u128::from(total)) as u64;
    let (index, kept) = if keep == 0 {
        let epoch = index.epoch.wrapping_add(1);
        (Index { epoch, keep: WHOLE }, 0)
    } else {
        // Rounded up, so that it stays above what the profits are worth; at
        // most `left`, because `keep` was rounded down.
        let kept = (u128::from(total) * u128::from(keep)).div_ceil(u128::from(index.keep));
        (Index { keep, ..index }, kept as u64)
    };
    header.haircut_index = index.pack();
    header.haircut_spare_atoms += left - kept;
    header.profit_total_atoms = kept;
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn t9_profits_stay_within_their_sum_however_often_they_are_cut(
            profit in 1u64..1 << 50,
            cuts in proptest::collection::vec((1u64..1 << 20, 0u32..50), 1..60),
        ) {
            let mut header = SlabHeader::zeroed();
            header.profit_total_atoms = profit;
            let mut paid = 0;
            for (size, shift) in cuts {
                let base = header.haircut_base_atoms();
                let atoms = (size << shift).min(base);
                move_index(&mut header, atoms);
                paid += atoms;
                prop_assert_eq!(header.haircut_base_atoms() + paid, profit);
                let index = Index::unpack(header.haircut_index);
                prop_assert_eq!(index.pack(), header.haircut_index);
                if index.epoch == 0 {
                    // Exactly, not only after rounding.
                    let worth = u128::from(profit) * u128::from(index.keep);
                    prop_assert!(worth <= u128::from(header.profit_total_atoms) << 32);
                } else {
                    prop_assert_eq!(header.profit_total_atoms, 0);
                }
            }
        }
    }
}
