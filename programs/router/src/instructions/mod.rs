//! One file per instruction.

pub mod bind_escrow;
pub mod deposit;
pub mod fund_slab;
pub mod initialize;
pub mod open_escrow;
pub mod open_portfolio;
pub mod register_slab;

pub use bind_escrow::*;
pub use deposit::*;
pub use fund_slab::*;
pub use initialize::*;
pub use open_escrow::*;
pub use open_portfolio::*;
pub use register_slab::*;
