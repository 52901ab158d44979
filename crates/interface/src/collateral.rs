//! Collateral other than the quote mint.
//!
//! A mint becomes collateral by proposal. Its tokens lie in a vault of their
//! own, and who owns how many is on record per portfolio and mint. They back
//! nothing: margin is quote alone. While an account of their owner is under
//! liquidation and lacks margin that its owner consented to bring, anyone may
//! buy as many of them as bring it, in an auction whose price falls from above
//! the oracle's to below it (rule LQ7).
//!
//! | record | seeds |
//! |---|---|
//! | [`CollateralTerms`] | `"collateral"`, mint |
//! | [`CollateralVault`] | `"vault"`, mint |
//! | [`CollateralPosition`] | `"holding"`, portfolio, mint |

use crate::limits::RecentDeposits;
use crate::router::Vault;
use crate::{Key, Record, assert_layout};
use bytemuck::{Pod, Zeroable};
use flagstone_units::Slot;

/// Seed prefixes of the records.
pub mod seeds {
    /// [`super::CollateralTerms`].
    pub const COLLATERAL: &[u8] = b"collateral";
    /// [`super::CollateralPosition`].
    pub const HOLDING: &[u8] = b"holding";
}

/// Most decimals of a mint that may be collateral, and of its quote mint: with
/// more, 64 bits hold hardly any tokens.
pub const DECIMALS_MAX: u8 = 12;

/// Oldest price that terms may allow, in slots: a hundred seconds.
pub const ORACLE_AGE_SLOTS_MAX: u32 = 250;

/// Widest confidence interval that terms may allow, in ppm of the price.
pub const CONFIDENCE_PPM_MAX: u32 = 50_000;

/// Highest start of an auction above the oracle's price, in ppm of it.
pub const PREMIUM_PPM_MAX: u32 = 500_000;

/// Largest haircut, and thereby the lowest end of an auction, in ppm.
pub const HAIRCUT_PPM_MAX: u32 = 900_000;

/// Shortest and longest auction, in slots: four seconds and an hour.
pub const AUCTION_SLOTS: core::ops::RangeInclusive<u32> = 10..=9_000;

/// On which terms a mint is collateral.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct CollateralTerms {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Bump of this address.
    pub bump: u8,
    /// 1 while deposits are taken. Withdrawals and sales go on without.
    pub enabled: u8,
    /// Decimals of the mint.
    pub decimals: u8,
    /// Decimals of the quote mint.
    pub quote_decimals: u8,
    /// The mint.
    pub mint: Key,
    /// Oracle account: price of one whole token in whole quote tokens.
    pub oracle: Key,
    /// Feed that the oracle account has to carry.
    pub oracle_feed: Key,
    /// Part of the oracle's price that does not count, in ppm: the most that an
    /// auction may give away.
    pub haircut_ppm: u32,
    /// Slots for which a price is good.
    pub oracle_age_slots: u32,
    /// Largest half width of the oracle's confidence interval, in ppm of the price.
    pub confidence_max_ppm: u32,
    /// Start of an auction above the oracle's price, in ppm of it.
    pub premium_ppm: u32,
    /// End of an auction below the oracle's price, in ppm of it.
    pub discount_ppm: u32,
    /// Slots in which an auction's price falls from its start to its end.
    pub auction_slots: u32,
    /// Most of the mint that the vault takes, in atoms.
    pub deposit_cap_atoms: u64,
    /// Reserved; zero.
    pub reserved: [u64; 14],
}
assert_layout!(CollateralTerms, 256, mint @ 16, haircut_ppm @ 112);

impl CollateralTerms {
    /// Whether the numbers are terms that an auction can be held on.
    pub fn are_sound(&self) -> bool {
        self.enabled <= 1
            && self.decimals <= DECIMALS_MAX
            && self.quote_decimals <= DECIMALS_MAX
            && self.oracle != [0; 32]
            && self.oracle_feed != [0; 32]
            && (1..=ORACLE_AGE_SLOTS_MAX).contains(&self.oracle_age_slots)
            && (1..=CONFIDENCE_PPM_MAX).contains(&self.confidence_max_ppm)
            && self.haircut_ppm <= HAIRCUT_PPM_MAX
            && self.premium_ppm <= PREMIUM_PPM_MAX
            // Never below what the haircut leaves.
            && self.discount_ppm <= self.haircut_ppm
            && AUCTION_SLOTS.contains(&self.auction_slots)
            && self.deposit_cap_atoms > 0
    }
}

impl Record for CollateralTerms {
    const DISCRIMINATOR: [u8; 8] = [0x0d, 0x67, 0x7c, 0x8f, 0x40, 0x8e, 0x3b, 0x55];
    const VERSION: u32 = 1;
}

/// Custody of one collateral mint. Invariant V: tokens held >= booked, the sum
/// of the positions in the mint.
///
/// A record of its own kind, laid out as the [`Vault`] of the quote mint:
/// whatever books quote refuses it, and it refuses whatever does not. It never
/// has claims; a withdrawal above its limit comes again later.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct CollateralVault(pub Vault);

impl Record for CollateralVault {
    const DISCRIMINATOR: [u8; 8] = [0x13, 0xbd, 0x5f, 0x9b, 0x64, 0x09, 0x9f, 0x91];
    const VERSION: u32 = 1;
}

/// What a portfolio holds of one collateral mint.
///
/// Never closed, so that no counter can start again from zero.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct CollateralPosition {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Bump of this address.
    pub bump: u8,
    /// Reserved; zero.
    pub padding: [u8; 3],
    /// The portfolio.
    pub portfolio: Key,
    /// The mint.
    pub mint: Key,
    /// What is held, in atoms of the mint.
    pub amount_atoms: u64,
    /// Deposits ever made, in atoms of the mint.
    pub deposited_total_atoms: u64,
    /// Withdrawals ever made, in atoms of the mint.
    pub withdrawn_total_atoms: u64,
    /// Ever sold in auctions, in atoms of the mint.
    pub sold_total_atoms: u64,
    /// Ever paid for it into the portfolio's cash, in atoms of the quote mint.
    pub raised_total_atoms: u64,
    /// Own deposits of late: they may leave uncounted.
    pub recent: RecentDeposits,
    /// Episode of the portfolio in which the last auction began.
    pub auction_episode: u32,
    /// Slot in which the last auction began.
    pub auction_slot: Slot,
    /// Reserved; zero.
    pub reserved: [u64; 13],
}
assert_layout!(CollateralPosition, 256, portfolio @ 16, amount_atoms @ 80);

impl CollateralPosition {
    /// Slots since the auction of this episode began; `None` when none runs.
    ///
    /// For as long as its price falls an auction then stays at its end, and is
    /// over after that: what is missing later begins again from the top.
    pub fn auction_elapsed(
        &self,
        terms: &CollateralTerms,
        episode: u32,
        now: Slot,
    ) -> Option<Slot> {
        let elapsed = now.checked_sub(self.auction_slot)?;
        // Both at most an hour, by the bounds of the terms.
        let runs = u64::from(elapsed.0) <= 2 * u64::from(terms.auction_slots);
        let here = self.auction_episode == episode && episode != 0;
        (here && runs).then_some(elapsed)
    }
}

impl Record for CollateralPosition {
    const DISCRIMINATOR: [u8; 8] = [0x75, 0x44, 0x28, 0xf6, 0x9f, 0xce, 0x83, 0x9f];
    const VERSION: u32 = 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> CollateralTerms {
        CollateralTerms {
            enabled: 1,
            decimals: 9,
            quote_decimals: 6,
            mint: [1; 32],
            oracle: [2; 32],
            oracle_feed: [3; 32],
            haircut_ppm: 200_000,
            oracle_age_slots: 25,
            confidence_max_ppm: 10_000,
            premium_ppm: 50_000,
            discount_ppm: 100_000,
            auction_slots: 100,
            deposit_cap_atoms: 1,
            ..CollateralTerms::zeroed()
        }
    }

    #[test]
    fn lq7_terms_have_bounds_and_no_auction_ends_below_the_haircut() {
        assert!(terms().are_sound());
        let edges: [fn(&mut CollateralTerms); 8] = [
            |terms| terms.enabled = 0,
            |terms| terms.discount_ppm = terms.haircut_ppm,
            |terms| (terms.haircut_ppm, terms.discount_ppm) = (HAIRCUT_PPM_MAX, HAIRCUT_PPM_MAX),
            |terms| (terms.haircut_ppm, terms.discount_ppm, terms.premium_ppm) = (0, 0, 0),
            |terms| terms.premium_ppm = PREMIUM_PPM_MAX,
            |terms| terms.auction_slots = *AUCTION_SLOTS.start(),
            |terms| terms.auction_slots = *AUCTION_SLOTS.end(),
            |terms| (terms.decimals, terms.quote_decimals) = (DECIMALS_MAX, 0),
        ];
        for edge in edges {
            let mut at = terms();
            edge(&mut at);
            assert!(at.are_sound(), "{at:?}");
        }
        let spoilers: [fn(&mut CollateralTerms); 15] = [
            |terms| terms.enabled = 2,
            |terms| terms.decimals = DECIMALS_MAX + 1,
            |terms| terms.quote_decimals = DECIMALS_MAX + 1,
            |terms| terms.oracle = [0; 32],
            |terms| terms.oracle_feed = [0; 32],
            |terms| terms.oracle_age_slots = 0,
            |terms| terms.oracle_age_slots = ORACLE_AGE_SLOTS_MAX + 1,
            |terms| terms.confidence_max_ppm = 0,
            |terms| terms.confidence_max_ppm = CONFIDENCE_PPM_MAX + 1,
            |terms| terms.haircut_ppm = HAIRCUT_PPM_MAX + 1,
            |terms| terms.premium_ppm = PREMIUM_PPM_MAX + 1,
            |terms| terms.discount_ppm = terms.haircut_ppm + 1,
            |terms| terms.auction_slots = AUCTION_SLOTS.start() - 1,
            |terms| terms.auction_slots = AUCTION_SLOTS.end() + 1,
            |terms| terms.deposit_cap_atoms = 0,
        ];
        for spoil in spoilers {
            let mut spoiled = terms();
            spoil(&mut spoiled);
            assert!(!spoiled.are_sound(), "{spoiled:?}");
        }
    }

    #[test]
    fn lq7_an_auction_is_of_its_episode_and_over_after_twice_its_length() {
        let position = CollateralPosition {
            auction_episode: 3,
            auction_slot: Slot(1_000),
            ..CollateralPosition::zeroed()
        };
        let elapsed = |episode, now| position.auction_elapsed(&terms(), episode, Slot(now));
        assert_eq!(elapsed(3, 1_000), Some(Slot(0)));
        assert_eq!(elapsed(3, 1_200), Some(Slot(200)));
        assert_eq!(elapsed(3, 1_201), None);
        assert_eq!(elapsed(2, 1_001), None);
        assert_eq!(elapsed(4, 1_001), None);
        assert_eq!(elapsed(3, 999), None);
        // Nothing runs in a record that is new.
        let fresh = CollateralPosition::zeroed();
        assert_eq!(fresh.auction_elapsed(&terms(), 0, Slot(0)), None);
    }

    #[test]
    fn p2_a_collateral_vault_is_never_read_as_the_quote_vault() {
        let mut vault = Vault::zeroed();
        vault.discriminator = CollateralVault::DISCRIMINATOR;
        vault.version = CollateralVault::VERSION;
        let bytes = bytemuck::bytes_of(&vault);
        assert!(CollateralVault::read(bytes).is_some());
        assert!(Vault::read(bytes).is_none());
        vault.discriminator = Vault::DISCRIMINATOR;
        assert!(CollateralVault::read(bytemuck::bytes_of(&vault)).is_none());
    }
}
