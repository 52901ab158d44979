//! What is asked of a book, and what became of it.

use crate::book::Evictions;
use crate::matching::SelfTrade;
use flagstone_interface::event::OrderPlaced;
use flagstone_units::{Lots, Side, Slot, Ticks};

/// Kind of an order.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// Trades what it can, then rests.
    Limit = 0,
    /// Rests, or is refused when it would trade.
    PostOnly = 1,
    /// Rests; where it would trade, one tick short of that.
    PostOnlySlide = 2,
    /// Trades what it can at once; never rests.
    ImmediateOrCancel = 3,
    /// Trades all of it at once, or is refused.
    FillOrKill = 4,
}

impl OrderKind {
    /// Decodes the byte of an instruction.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Limit),
            1 => Some(Self::PostOnly),
            2 => Some(Self::PostOnlySlide),
            3 => Some(Self::ImmediateOrCancel),
            4 => Some(Self::FillOrKill),
            _ => None,
        }
    }
}

/// An order to place.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Account index.
    pub account: u32,
    /// Instrument number.
    pub instrument: u8,
    /// Side.
    pub side: Side,
    /// Kind.
    pub kind: OrderKind,
    /// What to do on meeting an order of the same account.
    pub self_trade: SelfTrade,
    /// Price.
    pub ticks: Ticks,
    /// Quantity.
    pub lots: Lots,
    /// Last slot in which it may trade; 0 is never.
    pub expiry: Slot,
    /// The client's own number.
    pub client_id: u64,
    /// May only reduce the position: it is cut to the lots that do.
    pub reduce_only: bool,
}

/// A trade to make at once.
#[derive(Clone, Copy, Debug)]
pub struct Take {
    /// Account index.
    pub account: u32,
    /// Instrument number.
    pub instrument: u8,
    /// Side.
    pub side: Side,
    /// What to do on meeting an order of the same account.
    pub self_trade: SelfTrade,
    /// Worst price.
    pub limit: Ticks,
    /// Quantity.
    pub lots: Lots,
    /// Least quantity, or nothing happens: 0 is immediate-or-cancel, `lots` fill-or-kill.
    pub lots_min: Lots,
    /// May only reduce the position: it is cut to the lots that do.
    pub reduce_only: bool,
}

/// What a placement did.
#[derive(Clone, Copy, Debug)]
pub struct Placed {
    /// The order that came to rest, unless all of it traded.
    pub rested: Option<OrderPlaced>,
    /// Batch that the order waits for; 0 when it rests at once.
    pub batch_epoch: u32,
    /// Whether the book was met; then the trade event says what happened.
    pub traded: bool,
    /// Orders that made room.
    pub evicted: Evictions,
}

impl Placed {
    /// Whether the order came to rest and nothing else happened.
    #[inline(always)]
    pub const fn is_plain(&self) -> bool {
        !self.traded && self.batch_epoch == 0 && self.evicted.count == 0
    }
}
