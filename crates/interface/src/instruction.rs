//! Numbers of the instructions: the first byte of their data.
//!
//! Arguments follow in borsh encoding; the SDK's builders document each
//! account list.

/// Instructions of the Slab.
pub mod slab {
    /// Turns a zeroed account into an empty slab.
    pub const INITIALIZE: u8 = 0;
    /// Adds an instrument.
    pub const ADD_INSTRUMENT: u8 = 1;
    /// Opens the account that an escrow was bound to.
    pub const OPEN_ACCOUNT: u8 = 2;
    /// Credits deposits that the Router recorded.
    pub const SYNC: u8 = 3;
    /// Places a limit or post-only order.
    pub const PLACE: u8 = 4;
    /// Cancels a resting order by handle.
    pub const CANCEL: u8 = 5;
    /// Trades against the book at once.
    pub const TAKE: u8 = 6;
    /// Captures resting quantity at its prices.
    pub const RESERVE: u8 = 7;
    /// Trades a hold and charges its capability.
    pub const COMMIT: u8 = 8;
    /// Ends a hold without trading.
    pub const CANCEL_HOLD: u8 = 9;
    /// Ends holds whose expiry has passed.
    pub const EXPIRE_HOLDS: u8 = 10;
    /// Frees the record of a committed and booked hold.
    pub const FREE_HOLD: u8 = 11;
    /// Gives cash back to the escrow.
    pub const RELEASE: u8 = 12;
}

/// Instructions of the Router.
pub mod router {
    /// Creates the configuration and the quote vault.
    pub const INITIALIZE: u8 = 0;
    /// Adds a slab to the registry.
    pub const REGISTER_SLAB: u8 = 1;
    /// Opens a portfolio.
    pub const OPEN_PORTFOLIO: u8 = 2;
    /// Moves tokens into the vault and credits portfolio cash.
    pub const DEPOSIT: u8 = 3;
    /// Opens an escrow for one slab.
    pub const OPEN_ESCROW: u8 = 4;
    /// Binds an escrow to the slab account that opens next.
    pub const BIND_ESCROW: u8 = 5;
    /// Moves portfolio cash to a slab as standing margin.
    pub const FUND_SLAB: u8 = 6;
    /// Moves portfolio cash back to a token account of the owner.
    pub const WITHDRAW: u8 = 7;
    /// Changes the session key of an escrow.
    pub const SET_TRADER: u8 = 8;
    /// Mints capabilities for the holds of a route.
    pub const OPEN_ROUTE: u8 = 9;
    /// Books a route's charges and refunds the rest.
    pub const SETTLE_ROUTE: u8 = 10;
    /// Books everything that one slab account owes or is owed.
    pub const SETTLE: u8 = 11;
    /// Returns what an expired capability has left.
    pub const REFUND: u8 = 12;
    /// Records the slab program's deployment anew.
    pub const ATTEST_SLAB: u8 = 13;
}
