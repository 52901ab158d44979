//! One file per instruction.

pub mod attest_slab;
pub mod bind_escrow;
pub mod deposit;
pub mod fund_slab;
pub mod initialize;
pub mod open_escrow;
pub mod open_portfolio;
pub mod open_route;
pub mod refund;
pub mod register_instrument;
pub mod register_slab;
pub mod set_trader;
pub mod settle;
pub mod settle_route;
pub mod unbind_escrow;
pub mod withdraw;

pub use attest_slab::*;
pub use bind_escrow::*;
pub use deposit::*;
pub use fund_slab::*;
pub use initialize::*;
pub use open_escrow::*;
pub use open_portfolio::*;
pub use open_route::*;
pub use register_instrument::*;
pub use register_slab::*;
pub use set_trader::*;
pub use settle::*;
pub use settle_route::*;
pub use unbind_escrow::*;
pub use withdraw::*;
