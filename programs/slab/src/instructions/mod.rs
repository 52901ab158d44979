//! One file per instruction: check, call the engine, write the event.

pub mod add_instrument;
pub mod cancel;
pub mod cancel_hold;
pub mod commit;
pub mod expire_holds;
pub mod free_hold;
pub mod initialize;
pub mod open_account;
pub mod place;
pub mod release;
pub mod reserve;
pub mod sync;
pub mod take;
pub mod terms;
mod trade;

pub use add_instrument::*;
pub use commit::*;
pub use expire_holds::*;
pub use initialize::*;
pub use open_account::*;
pub use place::PlaceArgs;
pub use reserve::ReserveArgs;
pub use sync::*;
pub use take::TakeArgs;
pub use terms::TermsArgs;
pub use trade::*;
