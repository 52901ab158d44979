//! Where operations run: on the programs in the embedded SVM, or on the bare
//! engine.

mod host;
mod svm;

pub(crate) use host::Host;
pub(crate) use svm::{Chains, Svm, custody, open, open_sized};

use anyhow::Result;
use flagstone_sdk::engine::matching::SelfTrade;
use flagstone_sdk::engine::requests::{OrderKind, Place, Take};
use flagstone_sdk::engine::{Slab, SlabError};
use flagstone_sdk::interface::event::Fill;
use flagstone_sdk::units::{Lots, Side, Slot, Ticks};

/// Index and generation of an order on the slab.
pub(crate) type Handle = (u32, u32);

/// One instruction of one participant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// Number of the participant.
    pub(crate) user: usize,
    /// What to do.
    pub(crate) call: Call,
    /// The model expects a refusal: the venue has to be able to undo.
    pub(crate) may_fail: bool,
}

/// What a request does, on instrument 0.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    /// A post-only order.
    Place {
        /// Goes with the order as its client id.
        id: u64,
        /// Side.
        side: Side,
        /// Price.
        ticks: u32,
        /// Quantity.
        lots: u32,
    },
    /// Cancel by handle.
    Cancel {
        /// The order.
        handle: Handle,
    },
    /// Takes lots off an order, which keeps its place.
    Reduce {
        /// The order.
        handle: Handle,
        /// Lots to take off.
        lots: u32,
    },
    /// Immediate-or-cancel.
    Take {
        /// Side of the taker.
        side: Side,
        /// Worst price.
        limit: u32,
        /// Quantity.
        lots: u32,
    },
}

/// What a request did.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// The order rests; these made room for it.
    Placed(Handle, Vec<Handle>),
    /// The order left with so many lots.
    Cancelled(u32),
    /// The order rests with so many lots less.
    Reduced(u32),
    /// The handle was stale; nothing happened.
    Stale,
    /// The resting orders that were met.
    Taken(Vec<Fill>),
    /// The slab refused, and nothing changed.
    Refused(SlabError),
}

/// A reply and what it took.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    /// What happened.
    pub(crate) reply: Reply,
    /// Compute units, where they are counted.
    pub(crate) compute_units: Option<u64>,
}

/// What the Router holds, in atoms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Custody {
    /// Tokens in the vault.
    pub(crate) vault_atoms: u64,
    /// What the vault's record says.
    pub(crate) booked_atoms: u64,
    /// Backing of the slab.
    pub(crate) backing_atoms: u64,
    /// Cash in the participants' portfolios.
    pub(crate) cash_atoms: u64,
    /// Deposits ever made.
    pub(crate) deposits_atoms: u64,
}

/// A slab with one instrument and funded participants.
pub(crate) trait Venue {
    /// Moves the clock.
    fn set_slot(&mut self, slot: u32);
    /// Runs requests in order; one reply each.
    ///
    /// # Errors
    /// When a request failed in a way that is not the slab's refusal.
    fn execute(&mut self, requests: &[Request]) -> Result<Vec<Done>>;
    /// Shows the slab.
    ///
    /// # Errors
    /// When the account is no slab.
    fn inspect(&mut self, look: &mut dyn FnMut(&Slab<'_>)) -> Result<()>;
    /// The Router's side; `None` where there is no Router.
    fn custody(&self) -> Option<Custody>;
    /// Transactions sent, and the bytes of the largest.
    fn transactions(&self) -> Option<(u64, usize)>;
    /// Name in reports.
    fn name(&self) -> &'static str;
}

impl Call {
    /// The engine's order, for a placement of `account`.
    fn order(&self, account: u32) -> Option<Place> {
        let Self::Place {
            id,
            side,
            ticks,
            lots,
        } = *self
        else {
            return None;
        };
        Some(Place {
            account,
            instrument: 0,
            side,
            kind: OrderKind::PostOnly,
            self_trade: SelfTrade::CancelResting,
            ticks: Ticks(ticks),
            lots: Lots(lots),
            expiry: Slot::ZERO,
            client_id: id,
            reduce_only: false,
        })
    }
}

/// The engine's trade of `account`.
fn taking(account: u32, side: Side, limit: u32, lots: u32) -> Take {
    Take {
        account,
        instrument: 0,
        side,
        self_trade: SelfTrade::CancelResting,
        limit: Ticks(limit),
        lots: Lots(lots),
        lots_min: Lots(0),
        reduce_only: false,
    }
}
