//! Collateral other than the quote mint.

use super::liquidation::seat;
use super::{Change, SYSTEM, instruction};
use crate::address;
use flagstone_interface::Key;
use flagstone_interface::governance::kind;
use flagstone_interface::instruction::router as number;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

/// On which terms a mint is collateral; the record
/// [`CollateralTerms`](flagstone_interface::collateral::CollateralTerms)
/// explains them, and takes the decimals from the mints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollateralRules {
    /// Oracle account.
    pub oracle: Address,
    /// Feed that the oracle account has to carry.
    pub oracle_feed: Key,
    /// Part of the oracle's price that does not count, in ppm.
    pub haircut_ppm: u32,
    /// Slots for which a price is good.
    pub oracle_age_slots: u32,
    /// Largest half width of the confidence interval, in ppm of the price.
    pub confidence_max_ppm: u32,
    /// Start of an auction above the oracle's price, in ppm of it.
    pub premium_ppm: u32,
    /// End of an auction below the oracle's price, in ppm of it.
    pub discount_ppm: u32,
    /// Slots in which an auction's price falls.
    pub auction_slots: u32,
    /// Most of the mint that the vault takes, in atoms.
    pub deposit_cap_atoms: u64,
    /// Whether deposits are taken.
    pub enabled: bool,
}

impl CollateralRules {
    fn encode(&self) -> Vec<u8> {
        let mut data = self.oracle.to_bytes().to_vec();
        data.extend(self.oracle_feed);
        for word in [
            self.haircut_ppm,
            self.oracle_age_slots,
            self.confidence_max_ppm,
            self.premium_ppm,
            self.discount_ppm,
            self.auction_slots,
        ] {
            data.extend(word.to_le_bytes());
        }
        data.extend(self.deposit_cap_atoms.to_le_bytes());
        data.push(u8::from(self.enabled));
        data
    }
}

impl Change {
    /// Makes `mint` collateral beside the quote mint `quote`, or replaces its
    /// terms.
    pub fn add_collateral(mint: &Address, quote: &Address, rules: &CollateralRules) -> Self {
        let accounts = vec![
            AccountMeta::new_readonly(*mint, false),
            AccountMeta::new_readonly(*quote, false),
            AccountMeta::new_readonly(rules.oracle, false),
            AccountMeta::new(address::collateral_terms(mint), false),
            AccountMeta::new(address::vault(mint), false),
            AccountMeta::new(address::vault_tokens(mint), false),
            AccountMeta::new_readonly(address::vault_authority(), false),
            AccountMeta::new_readonly(address::TOKEN, false),
            AccountMeta::new_readonly(SYSTEM, false),
        ];
        let fields: [&[u8]; 2] = [mint.as_ref(), &rules.encode()];
        Self::new(kind::ADD_COLLATERAL, &fields, accounts)
    }
}

/// Moves `amount_atoms` of a collateral mint from `source` into its vault;
/// `owner` signs, and pays for the record of the first deposit.
pub fn deposit_collateral(
    owner: &Address,
    mint: &Address,
    source: &Address,
    amount_atoms: u64,
) -> Instruction {
    let mut data = vec![number::DEPOSIT_COLLATERAL];
    data.extend(amount_atoms.to_le_bytes());
    let portfolio = address::portfolio(owner);
    instruction(
        data,
        vec![
            AccountMeta::new(*owner, true),
            AccountMeta::new(portfolio, false),
            AccountMeta::new_readonly(address::collateral_terms(mint), false),
            AccountMeta::new(address::vault(mint), false),
            AccountMeta::new(address::vault_tokens(mint), false),
            AccountMeta::new(*source, false),
            AccountMeta::new(address::collateral_holding(&portfolio, mint), false),
            AccountMeta::new_readonly(address::TOKEN, false),
            AccountMeta::new_readonly(SYSTEM, false),
        ],
    )
}

/// Moves `amount_atoms` of collateral to the token account `destination`;
/// `owner` signs.
pub fn withdraw_collateral(
    owner: &Address,
    mint: &Address,
    destination: &Address,
    amount_atoms: u64,
) -> Instruction {
    let mut data = vec![number::WITHDRAW_COLLATERAL];
    data.extend(amount_atoms.to_le_bytes());
    let portfolio = address::portfolio(owner);
    instruction(
        data,
        vec![
            AccountMeta::new_readonly(*owner, true),
            AccountMeta::new_readonly(address::config(), false),
            AccountMeta::new(portfolio, false),
            AccountMeta::new(address::collateral_holding(&portfolio, mint), false),
            AccountMeta::new(address::vault(mint), false),
            AccountMeta::new(address::vault_tokens(mint), false),
            AccountMeta::new_readonly(address::vault_authority(), false),
            AccountMeta::new(*destination, false),
            AccountMeta::new_readonly(address::TOKEN, false),
        ],
    )
}

/// A bid for collateral of a portfolio under liquidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bid {
    /// Who buys, and signs.
    pub buyer: Address,
    /// Token account that pays.
    pub source: Address,
    /// Token account that receives the collateral.
    pub destination: Address,
    /// The collateral mint.
    pub collateral: Address,
    /// Its oracle.
    pub oracle: Address,
    /// Most to buy, in atoms of the collateral.
    pub amount_max_atoms: u64,
    /// Most to pay for all of that, and in proportion for less, in quote atoms.
    pub pay_max_atoms: u64,
}

/// Begins the auction of a collateral mint of `owner`, whose account at `slab`
/// is under liquidation, or buys in it. [`super::shift_margin`] then moves the
/// money on.
pub fn liquidate_collateral(
    owner: &Address,
    slab: &Address,
    mint: &Address,
    bid: &Bid,
) -> Instruction {
    let mut data = vec![number::LIQUIDATE_COLLATERAL];
    data.extend(bid.amount_max_atoms.to_le_bytes());
    data.extend(bid.pay_max_atoms.to_le_bytes());
    let position = address::collateral_holding(&address::portfolio(owner), &bid.collateral);
    let mut accounts = vec![
        AccountMeta::new_readonly(bid.buyer, true),
        AccountMeta::new_readonly(address::config(), false),
    ];
    accounts.extend(seat(owner, slab, mint));
    accounts.extend([
        AccountMeta::new_readonly(address::collateral_terms(&bid.collateral), false),
        AccountMeta::new(position, false),
        AccountMeta::new(address::vault(&bid.collateral), false),
        AccountMeta::new(address::vault_tokens(&bid.collateral), false),
        AccountMeta::new(bid.destination, false),
        AccountMeta::new(address::vault(mint), false),
        AccountMeta::new(address::vault_tokens(mint), false),
        AccountMeta::new(bid.source, false),
        AccountMeta::new_readonly(address::vault_authority(), false),
        AccountMeta::new_readonly(bid.oracle, false),
        AccountMeta::new_readonly(address::TOKEN, false),
    ]);
    instruction(data, accounts)
}
