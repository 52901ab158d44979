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
//! | stored program | `"vil"`, owner, number (eight bytes) |
//! | custody of a desk, which signs for its tokens | `"custody"`, desk |
//! | collateral of a desk | `"vault"`, desk |
//! | collateral position | `"position"`, desk, owner |
//! | index order to a desk | `"intent"`, index, owner, number (eight bytes) |
//! | inventory of an asset | `"inventory"`, desk, label (eight bytes) |
//! | carry-over of an asset | `"carry"`, desk, label (eight bytes) |
//!
//! A batch lies at an address with seed, like an allotment.

/// What the record of an invoice in the log starts with.
pub const INVOICE: [u8; 8] = *b"FLGINVC1";

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
    /// A stored program.
    pub const VIL: &[u8] = b"vil";
    /// Custody of a desk.
    pub const CUSTODY: &[u8] = b"custody";
    /// Token account of a desk's collateral.
    pub const VAULT: &[u8] = b"vault";
    /// A user's collateral position at a desk.
    pub const POSITION: &[u8] = b"position";
    /// An index order to a desk.
    pub const INTENT: &[u8] = b"intent";
    /// A desk's inventory of an asset.
    pub const INVENTORY: &[u8] = b"inventory";
    /// A desk's carry-over of an asset.
    pub const CARRY: &[u8] = b"carry";
}

/// Under which ids a stored program finds the vectors of market and index.
pub mod vil {
    /// Labels of the market's assets.
    pub const MARKET_LABELS: u128 = 1;
    /// Prices.
    pub const PRICES: u128 = 2;
    /// Slopes.
    pub const SLOPES: u128 = 3;
    /// Liquidity.
    pub const LIQUIDITY: u128 = 4;
    /// Margins.
    pub const MARGINS: u128 = 5;
    /// Supply, long.
    pub const SUPPLY_LONG: u128 = 6;
    /// Supply, short.
    pub const SUPPLY_SHORT: u128 = 7;
    /// Demand, long.
    pub const DEMAND_LONG: u128 = 8;
    /// Demand, short.
    pub const DEMAND_SHORT: u128 = 9;
    /// Net exposure, long.
    pub const DELTA_LONG: u128 = 10;
    /// Net exposure, short.
    pub const DELTA_SHORT: u128 = 11;
    /// Labels of the index's constituents.
    pub const INDEX_LABELS: u128 = 21;
    /// Weights of the index's constituents.
    pub const INDEX_WEIGHTS: u128 = 22;
    /// The index's quote for buyers: capacity, price, slope.
    pub const QUOTE_ASK: u128 = 23;
    /// The index's quote for sellers: capacity, price, slope.
    pub const QUOTE_BID: u128 = 24;
    /// Ids below this one belong to market and index; a program stores there only
    /// in a table that has them, which then shadows the market and the index.
    pub const OUTPUTS_FROM: u128 = 1_000;
}
