//! Heads of the market's and the index's account, and the end of an order's.
//!
//! ```text
//! market | MarketHead | asset[capacity] | slot of its data[capacity]
//! index  | IndexHead  | constituent[capacity]
//! order  | PendingOrder | OrderTerms
//! intent | IndexOrder | IntentTerms
//! ```
//!
//! What follows the heads belongs to the kernels, which this crate does not know.

use crate::chain::{Chain, Event};
use crate::market::{IndexState, MarketState, QuoteSide};
use bytemuck::{Pod, Zeroable};
use flagstone_interface::{Key, Record, assert_layout};
use flagstone_units::Slot;

/// Head of a market's account.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct MarketHead {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Bump of the authority's address.
    pub authority_bump: u8,
    /// Bump of the token account's address.
    pub tokens_bump: u8,
    /// Reserved; zero.
    pub padding: [u8; 2],
    /// Who names the vendor, sets limits and makes indices.
    pub admin: Key,
    /// Collateral mint.
    pub mint: Key,
    /// Token account that holds all collateral of the market.
    pub tokens: Key,
    /// Signs for the token account and mints index tokens.
    pub authority: Key,
    /// Its history.
    pub chain: Chain,
    /// Vendor, and age of the data.
    pub state: MarketState,
    /// Collateral that buyers have spent and the vendor funded, less what
    /// sellers got and the vendor drew, in atoms.
    pub reserve_atoms: u64,
    /// Collateral that the token account owes: the reserve, what open buys
    /// have left and what sellers have not claimed, in atoms.
    pub booked_atoms: u64,
    /// Assets.
    pub assets: u32,
    /// Assets that fit.
    pub capacity: u32,
    /// Reserved; zero.
    pub reserved: [u64; 11],
}
assert_layout!(MarketHead, 392, admin @ 16, chain @ 144, state @ 216, reserve_atoms @ 280);

impl Record for MarketHead {
    const DISCRIMINATOR: [u8; 8] = [0x2b, 0x00, 0xe6, 0x96, 0x37, 0xdc, 0xae, 0xb9];
    const VERSION: u32 = 1;
}

/// Head of an index's account.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct IndexHead {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// 1 once the constituents are complete.
    pub sealed: u8,
    /// Bump of the mint's address.
    pub mint_bump: u8,
    /// Reserved; zero.
    pub padding: [u8; 2],
    /// Market of its constituents; its administrator is the index's.
    pub market: Key,
    /// Mint of the index token, 9 decimals.
    pub mint: Key,
    /// Desk whose solver may share out capacity; zero for none.
    pub desk: Key,
    /// Its history.
    pub chain: Chain,
    /// Quote, totals and limits.
    pub state: IndexState,
    /// Constituents.
    pub constituents: u32,
    /// Constituents that fit.
    pub capacity: u32,
    /// Account of its next weights and of what they leave to trade; zero for none.
    pub rebalance: Key,
    /// Reserved; zero.
    pub reserved: u64,
}
assert_layout!(IndexHead, 432, market @ 16, chain @ 112, state @ 184, constituents @ 384);

impl Record for IndexHead {
    const DISCRIMINATOR: [u8; 8] = [0xa6, 0x23, 0xda, 0xda, 0xca, 0xfb, 0xb0, 0xcc];
    const VERSION: u32 = 1;
}

/// What the program adds to a [`crate::pending::PendingOrder`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct OrderTerms {
    /// Last slot in which a chunk may be executed; 0 for no end.
    pub deadline_slot: Slot,
    /// Reserved; zero.
    pub padding: u32,
    /// Reserved; zero.
    pub reserved: [u64; 3],
}
assert_layout!(OrderTerms, 32);

/// What the program adds to an [`crate::orders::IndexOrder`]: what its owner
/// allows the desk, whose solver and collateral manager name prices and fees.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct IntentTerms {
    /// Most that a whole token may cost, exchange fees included, in atoms;
    /// `u64::MAX` for any price.
    pub limit_atoms: u64,
    /// Most that routing may cost in total, in atoms.
    pub routing_fee_max: u64,
    /// Version of the weights that the order was engaged for last; 0 before that.
    pub weights_version: u64,
    /// Reserved; zero.
    pub reserved: u64,
}
assert_layout!(IntentTerms, 32);

/// Where a desk keeps the collateral of all its positions.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Custody {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Bump of this record's address, which signs for the tokens.
    pub bump: u8,
    /// Bump of the token account's address.
    pub vault_bump: u8,
    /// Reserved; zero.
    pub padding: [u8; 2],
    /// The desk.
    pub desk: Key,
    /// Mint of the collateral.
    pub mint: Key,
    /// Token account that holds it.
    pub vault: Key,
    /// Token account that the desk is paid to.
    pub payout: Key,
    /// What all positions together have unconfirmed, ready or authorised, in
    /// atoms: what the token account owes.
    pub booked_atoms: u64,
    /// Paid to the desk so far, for assets and for routing, in atoms.
    pub paid_atoms: u64,
    /// Reserved; zero.
    pub reserved: [u64; 4],
}
assert_layout!(Custody, 192, desk @ 16, payout @ 112, booked_atoms @ 144);

impl Record for Custody {
    const DISCRIMINATOR: [u8; 8] = [0x4d, 0x71, 0xe0, 0x2c, 0x93, 0x5b, 0xa8, 0x16];
    const VERSION: u32 = 1;
}

/// Head of a stored program's account; its code follows.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct VilProgram {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Registers that a run gives to it.
    pub registers: u8,
    /// Operands that it expects from its caller; 0 for one that can be run alone.
    pub inputs: u8,
    /// Reserved; zero.
    pub padding: [u8; 2],
    /// Who stored it.
    pub owner: Key,
    /// Number chosen by the owner.
    pub id: u64,
    /// Length of the code, in bytes.
    pub code_bytes: u32,
    /// Instructions in it.
    pub instructions: u32,
}
assert_layout!(VilProgram, 64, owner @ 16, id @ 48);

impl Record for VilProgram {
    const DISCRIMINATOR: [u8; 8] = [0xa2, 0xe3, 0xb9, 0x5d, 0x3a, 0x86, 0xa5, 0xbc];
    const VERSION: u32 = 1;
}

crate::roles::codes! {
    /// What happened to a market.
    MarketEvent {
        /// It was created.
        Created = 1,
        /// Vendor, ages or pause were set.
        Set = 2,
        /// Assets were added.
        AssetsAdded = 3,
        /// Prices, slopes and liquidity were replaced.
        Data = 4,
        /// Supply was replaced.
        Supply = 5,
        /// Margins were replaced.
        Margin = 6,
        /// Collateral was added to the reserve.
        Funded = 7,
        /// Collateral was taken out of the reserve.
        Drawn = 8,
    }
}

/// A market changed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct MarketChanged {
    /// [`MarketEvent`].
    pub kind: u8,
    /// Reserved; zero.
    pub padding: [u8; 3],
    /// Assets afterwards.
    pub assets: u32,
    /// [`MarketState::sequence`] afterwards.
    pub sequence: u64,
    /// Collateral moved, in atoms.
    pub amount_atoms: u64,
    /// Reserve afterwards, in atoms.
    pub reserve_atoms: u64,
    /// Hash of the records that were given, as they lie in the instruction.
    pub list_hash: [u8; 32],
}
assert_layout!(MarketChanged, 64);

impl Event for MarketChanged {
    const TAG: u8 = 12;
}

crate::roles::codes! {
    /// What happened to an index.
    IndexEvent {
        /// It was created.
        Created = 1,
        /// Constituents were added.
        ConstituentsAdded = 2,
        /// Its weights came into force.
        Sealed = 3,
        /// Limits or pause were set.
        Set = 4,
        /// It was quoted.
        Quoted = 5,
        /// It may get new weights, from an account of their own.
        Rebalanceable = 6,
        /// New weights were announced.
        WeightsAnnounced = 7,
        /// The weights announced came into force.
        WeightsChanged = 8,
    }
}

/// An index changed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct IndexChanged {
    /// [`IndexEvent`].
    pub kind: u8,
    /// Reserved; zero.
    pub padding: [u8; 3],
    /// Constituents afterwards.
    pub constituents: u32,
    /// Version of the weights.
    pub weights_version: u64,
    /// Market sequence of the quote in force.
    pub market_sequence: u64,
    /// The quote in force, for buyers.
    pub ask: QuoteSide,
    /// Hash of the constituents or limits that were given.
    pub list_hash: [u8; 32],
}
assert_layout!(IndexChanged, 104);

impl Event for IndexChanged {
    const TAG: u8 = 13;
}
