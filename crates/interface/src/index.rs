//! Addresses of the index-vault.
//!
//! Its records are those of the index engine; markets, indices and allotments
//! lie at addresses with seed, because they exceed what a program can create.
//!
//! | account | seeds |
//! |---|---|
//! | authority of a market's tokens and mints | `"authority"`, market |
//! | collateral of a market | `"tokens"`, market |
//! | index mint | `"mint"`, index |
//! | order | `"order"`, index, owner, number (eight bytes) |
//! | desk | `"desk"`, administrator |

/// Seed prefixes of the index-vault's derived addresses.
pub mod seeds {
    /// Authority of a market's tokens and mints.
    pub const AUTHORITY: &[u8] = b"authority";
    /// Collateral of a market.
    pub const TOKENS: &[u8] = b"tokens";
    /// Mint of an index.
    pub const MINT: &[u8] = b"mint";
    /// An order.
    pub const ORDER: &[u8] = b"order";
    /// A desk.
    pub const DESK: &[u8] = b"desk";
}
