//! What a member of a batch gets for what it engages.
//!
//! The solver names the tokens of a member and the quantities that make them
//! up. Were they free numbers, a solver could have tokens minted that little
//! was bought for, to the loss of all who hold the index; so the quantities are
//! held against the index's weights before the order is locked, and the price
//! against what its owner allows.

use crate::amounts::{Atoms, Quantity, Tokens};
use crate::batch::{Batch, Member};
use crate::records::IntentTerms;
use crate::{IndexError, Result};
use flagstone_interface::Key;

/// Least parts of a token in a whole one.
const WHOLE: u128 = 1_000_000_000;

impl IntentTerms {
    /// Passes when `tokens` for `amount` cost no more than the owner allows.
    ///
    /// # Errors
    /// [`IndexError::WorsePrice`].
    pub fn check_price(&self, amount: Atoms, tokens: Tokens) -> Result<()> {
        let most = u128::from(self.limit_atoms) * u128::from(tokens.0);
        if self.limit_atoms != u64::MAX && u128::from(amount.0) * WHOLE > most {
            return Err(IndexError::WorsePrice);
        }
        Ok(())
    }

    /// Passes when routing cost no more than the owner allows.
    ///
    /// # Errors
    /// [`IndexError::AboveLimitPrice`].
    pub fn check_routing(&self, fees: Atoms) -> Result<()> {
        if fees.0 > self.routing_fee_max {
            return Err(IndexError::AboveLimitPrice);
        }
        Ok(())
    }
}

impl Batch<'_> {
    /// A member of the batch, by its order.
    ///
    /// # Errors
    /// [`IndexError::NotAMember`].
    pub fn member_of(&self, order: &Key) -> Result<&Member> {
        let mut members = self.members().iter();
        let found = members.find(|member| member.order == *order);
        found.ok_or(IndexError::NotAMember)
    }

    /// Passes when a member's contribution of the asset `label` is `quantity`
    /// or more.
    ///
    /// # Errors
    /// [`IndexError::NotAMember`], [`IndexError::AboveFill`] when it is less,
    /// or the batch does not buy the asset.
    pub fn must_contribute(&self, order: &Key, label: u64, quantity: Quantity) -> Result<()> {
        let mut members = self.members().iter();
        let position = members.position(|member| member.order == *order);
        let position = position.ok_or(IndexError::NotAMember)?;
        // Labels ascend; a batch takes no others.
        let at = self
            .assets()
            .binary_search_by_key(&label, |asset| asset.label);
        let at = at.map_err(|_| IndexError::AboveFill)?;
        let cell = self.cells(position).get(at).ok_or(IndexError::AboveFill)?;
        if cell.contribution.get() < quantity.get() {
            return Err(IndexError::AboveFill);
        }
        Ok(())
    }
}
