//! The listings in `listings/`, as text.
//!
//! The constants at the top of this module are the programs that run: the
//! paper's, corrected and completed, and those that the paper only describes.
//! [`paper`] has its listings as they are printed. `docs/vil.md` lists the
//! differences.

/// A listing and what a run of it needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    /// File name without its ending.
    pub name: &'static str,
    /// Text.
    pub text: &'static str,
    /// Operands on its stack at the start: 0, or the inputs of a subroutine.
    pub inputs: u8,
}

macro_rules! listings {
    ($($(#[$doc:meta])* $constant:ident $path:literal $inputs:literal;)*) => {
        $(
            $(#[$doc])*
            pub const $constant: Listing = Listing {
                name: $path,
                text: include_str!(concat!("../../listings/", $path, ".vil")),
                inputs: $inputs,
            };
        )*

        /// All listings of this module.
        pub const ALL: &[Listing] = &[$($constant,)*];
    };
}

listings! {
    /// Price, slope and capacity of an index.
    UPDATE_QUOTE "update_quote" 0;
    /// Absolute supply of some assets, and delta.
    UPDATE_SUPPLY "update_supply" 0;
    /// Prices, slopes and liquidity of some assets.
    UPDATE_MARKET_DATA "update_market_data" 0;
    /// Margin of some assets.
    UPDATE_MARGIN "update_margin" 0;
    /// New names in the market.
    ADD_MARKET_ASSETS "add_market_assets" 0;
    /// Quantity that an amount buys; a subroutine.
    SOLVE_QUADRATIC "solve_quadratic" 3;
    /// Quantity that must be sold for an amount; a subroutine.
    SOLVE_QUADRATIC_ASK "solve_quadratic_ask" 3;
    /// A buy order, one step.
    BUY "buy" 0;
    /// A buy order as in December 2025: minted is overwritten.
    BUY_PAPER "buy_paper" 0;
    /// A buy order as in November 2025: no margin, no fractions, no largest order.
    BUY_NOVEMBER "buy_november" 0;
    /// A sell order, one step.
    SELL "sell" 0;
    /// Adds a fill to the totals of a vendor or a vault.
    CREDIT_ROW "credit_row" 0;
    /// New weights become rebalancing orders.
    UPDATE_REBALANCE "update_rebalance" 0;
    /// Executes rebalancing orders.
    EXECUTE_REBALANCE "execute_rebalance" 0;
    /// Moves index tokens with their cost.
    TRANSFER "transfer" 0;
    /// The three joins on one pair of lists.
    JOINS "joins" 0;
}

/// The listings as the paper prints them, with their misprints and omissions.
pub mod paper {
    use super::Listing;

    listings! {
        /// Section 3.4.
        UPDATE_QUOTE "paper/update_quote" 0;
        /// Section 4.3.
        UPDATE_SUPPLY "paper/update_supply" 0;
        /// Section 5.4.
        UPDATE_MARKET_DATA "paper/update_market_data" 0;
        /// Sections 6.1.1 to 6.6.1, as one program.
        BUY "paper/buy" 0;
    }
}
