//! Bad debt: recognised, covered from insurance, or allocated to profits.

use crate::{Result, Slab};
use flagstone_interface::slab::SlabAccount;

/// Fraction bits of a haircut index: its low word.
const LOST_BITS: u32 = 32;

/// What the haircuts up to `index` take from an account that has not seen them
/// yet, in atoms, rounded up.
pub(crate) fn cut_atoms(account: &SlabAccount, index: u64) -> u64 {
    let seen = account.haircut_index;
    if seen == index || account.cash_atoms <= 0 {
        return 0;
    }
    let profit = (account.cash_atoms as u64).saturating_sub(account.principal_atoms);
    if seen >> LOST_BITS != index >> LOST_BITS {
        return profit;
    }
    // What is left of one atom of profit, before and after.
    let left = |index: u64| (1u64 << LOST_BITS) - u64::from(index as u32);
    let kept = u128::from(profit) * u128::from(left(index)) / u128::from(left(seen));
    profit.saturating_sub(kept as u64)
}

impl Slab<'_> {
    /// Applies the haircuts that an account has not seen yet to its profit.
    #[cold]
    #[inline(never)]
    pub(crate) fn cut_profit(&mut self, account: u32) -> Result<()> {
        self.accounts[account].haircut_index = self.header.haircut_index;
        Ok(())
    }
}
