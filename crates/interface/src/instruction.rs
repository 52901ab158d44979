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
}
