//! What collateral is sold for, and how much of it (rule LQ7).
//!
//! The price of an auction is the oracle's, times a factor that falls in a
//! straight line:
//!
//! ```text
//! factor = 1 + premium - (premium + discount) * elapsed / length
//! ```
//! and stays at `1 - discount` after that. Prices and costs are rounded up and
//! what is bought for an amount is rounded down: always against the buyer.
//!
//! As much is asked for as can be moved to the account and is not there as cash
//! already. Selling more would turn the owner's tokens into cash that nobody
//! may use.

use crate::reading::Reading;
use flagstone_interface::collateral::CollateralTerms;
use flagstone_interface::key_eq;
use flagstone_interface::router::Escrow;
use flagstone_slab_engine::marks::PUBLISH_AHEAD_SECONDS_MAX;
pub use flagstone_slab_engine::oracle::OraclePrice;
use flagstone_units::{PPM_ONE, Ppm, Slot};

/// Atoms of collateral that a [`Price`] is for.
pub const PRICE_ATOMS: u128 = 1_000_000_000_000_000_000;

/// Power of ten of [`PRICE_ATOMS`].
const PRICE_DIGITS: i32 = 18;

/// Smallest price: rounding one up changes it by a millionth at most.
const PRICE_MIN: u128 = 1_000_000;

/// Largest price: ten million million quote atoms for one atom of collateral.
/// With the highest premium it is still far below what a product has room for.
const PRICE_MAX: u128 = PRICE_ATOMS * 10_000_000_000_000;

/// The oracle says nothing that could be sold at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpriced;

/// Quote atoms for [`PRICE_ATOMS`] atoms of collateral; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Price(u128);

impl Price {
    /// The oracle's price, rounded up: of the right feed, posted and published
    /// within the terms' age limit, and certain.
    ///
    /// # Errors
    /// [`Unpriced`].
    pub fn of(
        terms: &CollateralTerms,
        oracle: &OraclePrice,
        slot: Slot,
        unix_time: i64,
    ) -> Result<Self, Unpriced> {
        let slots = u64::from(terms.oracle_age_slots);
        // A slot is 400 ms; at most 250 of them.
        let seconds = (slots * 2).div_ceil(5) as i64;
        let age = u64::from(slot.0).checked_sub(oracle.posted_slot);
        let recent = age.is_some_and(|age| age <= slots)
            && unix_time.saturating_sub(oracle.publish_time) <= seconds
            && oracle.publish_time.saturating_sub(unix_time) <= PUBLISH_AHEAD_SECONDS_MAX;
        let good = recent
            && key_eq(&oracle.feed, &terms.oracle_feed)
            && oracle.is_certain(Ppm(terms.confidence_max_ppm));
        if !good {
            return Err(Unpriced);
        }
        Self::exact(terms, oracle)
    }

    /// `price * 10^exponent` whole quote tokens for a whole token of collateral,
    /// in atoms of both.
    fn exact(terms: &CollateralTerms, oracle: &OraclePrice) -> Result<Self, Unpriced> {
        let price = u64::try_from(oracle.price).map_err(|_| Unpriced)?;
        let digits = PRICE_DIGITS + i32::from(terms.quote_decimals) - i32::from(terms.decimals);
        let power = oracle.exponent.checked_add(digits).ok_or(Unpriced)?;
        let scale = 10u128.checked_pow(power.unsigned_abs()).ok_or(Unpriced)?;
        let price = if power >= 0 {
            u128::from(price).checked_mul(scale).ok_or(Unpriced)?
        } else {
            u128::from(price).div_ceil(scale)
        };
        if (PRICE_MIN..=PRICE_MAX).contains(&price) {
            Ok(Self(price))
        } else {
            Err(Unpriced)
        }
    }

    /// The price of an auction that began `elapsed` slots ago.
    #[must_use]
    pub fn in_auction(self, terms: &CollateralTerms, elapsed: Slot) -> Self {
        let (premium, discount) = (u64::from(terms.premium_ppm), u64::from(terms.discount_ppm));
        // Sound terms have a length; of none the price is at its end at once.
        let length = u64::from(terms.auction_slots).max(1);
        let elapsed = u64::from(elapsed.0).min(length);
        // Words of 32 bits each: the fall is rounded down, the factor thereby up.
        let fall = (premium + discount) * elapsed / length;
        let factor = u128::from((PPM_ONE + premium).saturating_sub(fall));
        Self((self.0 * factor).div_ceil(u128::from(PPM_ONE)).max(1))
    }

    /// What an amount of collateral costs, in quote atoms, rounded up; `None`
    /// when no amount of quote would do.
    pub fn cost_atoms(self, amount_atoms: u64) -> Option<u64> {
        let product = u128::from(amount_atoms).checked_mul(self.0)?;
        u64::try_from(product.div_ceil(PRICE_ATOMS)).ok()
    }

    /// The most collateral whose cost is at most so many quote atoms, in atoms.
    pub fn amount_for(self, quote_atoms: u64) -> u64 {
        // Below 2^64 * 2^60.
        let amount = u128::from(quote_atoms) * PRICE_ATOMS / self.0;
        u64::try_from(amount).unwrap_or(u64::MAX)
    }

    /// What an amount of collateral is worth, in quote atoms, rounded down.
    pub fn value_atoms(self, amount_atoms: u64) -> u64 {
        let value = match u128::from(amount_atoms).checked_mul(self.0) {
            Some(product) => product / PRICE_ATOMS,
            None => return u64::MAX,
        };
        u64::try_from(value).unwrap_or(u64::MAX)
    }

    /// What is left of that value after the haircut, in quote atoms, rounded
    /// down: no more than any auction brings.
    pub fn haircut_atoms(self, terms: &CollateralTerms, amount_atoms: u64) -> u64 {
        let left = PPM_ONE.saturating_sub(u64::from(terms.haircut_ppm));
        let value = u128::from(self.value_atoms(amount_atoms)) * u128::from(left);
        // A part of 64 bits.
        (value / u128::from(PPM_ONE)) as u64
    }
}

/// What an account under liquidation asks of its owner's collateral, in quote
/// atoms: the margin that its positions lack, as far as its owner consented to
/// bring it and it is not there as free cash already.
///
/// Orders do not count: they are cancelled, not paid for. Without positions
/// nothing is asked, because what is missing then is a debt, which the owner's
/// other money does not answer for; nor at a stale mark.
pub fn asked_atoms(reading: &Reading, escrow: &Escrow, cash_atoms: u64) -> u64 {
    if escrow.frozen == 0 || !reading.is_fresh {
        return 0;
    }
    reading
        .missing_atoms()
        .min(escrow.consent_atoms())
        .saturating_sub(cash_atoms)
}

/// A purchase of collateral.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sale {
    /// Collateral sold, in atoms.
    pub amount_atoms: u64,
    /// Paid for it, in quote atoms.
    pub cost_atoms: u64,
}

impl Sale {
    /// The largest sale of at most `amount_atoms` at this price that costs no
    /// more than what is asked for; `None` when that is nothing.
    pub fn of(price: Price, asked_atoms: u64, amount_atoms: u64) -> Option<Self> {
        let amount_atoms = amount_atoms.min(price.amount_for(asked_atoms));
        let cost_atoms = price.cost_atoms(amount_atoms)?;
        (amount_atoms > 0).then_some(Self {
            amount_atoms,
            cost_atoms,
        })
    }

    /// Whether the cost is at most the part that it is of a bid of `pay_atoms`
    /// quote atoms for `amount_atoms` of collateral, rounded up.
    pub fn is_within(&self, pay_atoms: u64, amount_atoms: u64) -> bool {
        let short = u128::from(self.cost_atoms.saturating_sub(1)) * u128::from(amount_atoms);
        short < u128::from(pay_atoms) * u128::from(self.amount_atoms)
    }
}
