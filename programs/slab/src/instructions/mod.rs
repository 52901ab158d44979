//! One file per instruction: check, call the engine, write the event.

pub mod add_instrument;
pub mod batch_open;
pub mod batch_update;
pub mod cancel;
pub mod cancel_all;
pub mod cancel_hold;
pub mod commit;
pub mod expire_holds;
pub mod free_hold;
pub mod initialize;
pub mod open_account;
pub mod place;
pub mod publish_root;
pub mod reduce;
pub mod release;
pub mod replace;
pub mod reserve;
pub mod sync;
pub mod take;
pub mod terms;
mod trade;
pub mod update_funding;
pub mod update_mark;

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
pub use update_funding::*;
pub use update_mark::*;
