//! Events of the Slab that end with a list: what a taker or a hold met in the
//! book, order by order.

use super::Listed;
use bytemuck::{Pod, Zeroable};

/// Slices of one hold.
pub const SLICES_PER_HOLD_MAX: usize = 32;

/// Part of a resting order that a hold captured.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct HeldSlice {
    /// Order index.
    pub order: u32,
    /// Captured price.
    pub ticks: u32,
    /// Captured quantity.
    pub lots: u32,
}

/// A hold was made. Borsh layout with a vector of slices at the end.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Held {
    /// Kind of event.
    pub tag: u8,
    /// Sequence number within the slab.
    pub seq: u64,
    /// Instrument number.
    pub instrument: u8,
    /// Side of the hold: 0 bid, 1 ask.
    pub side: u8,
    /// Account that holds.
    pub account: u16,
    /// Hold index.
    pub hold: u32,
    /// Generation of that index.
    pub generation: u32,
    /// Route that the hold is a leg of.
    pub route_id: u64,
    /// Lots captured.
    pub lots: u32,
    /// Their value, in atoms.
    pub notional_atoms: u64,
    /// Most that commit may charge, in atoms.
    pub max_charge_atoms: u64,
    /// Last slot in which commit is legal.
    pub expiry_slot: u32,
    /// Number of entries of `slices` that are in use.
    pub slices_count: u32,
    /// One entry per order touched, in order.
    pub slices: [HeldSlice; SLICES_PER_HOLD_MAX],
}

impl Held {
    /// Kind of event.
    pub const TAG: u8 = 8;

    /// The entries in use.
    pub fn slices(&self) -> &[HeldSlice] {
        &self.slices[..(self.slices_count as usize).min(SLICES_PER_HOLD_MAX)]
    }

    /// The encoded event: everything up to the last entry in use.
    #[inline(always)]
    pub fn as_bytes(&self) -> &[u8] {
        let used = (self.slices_count as usize).min(SLICES_PER_HOLD_MAX);
        let unused = (SLICES_PER_HOLD_MAX - used) * core::mem::size_of::<HeldSlice>();
        let bytes = bytemuck::bytes_of(self);
        &bytes[..bytes.len() - unused]
    }
}

/// What happened to one resting order that a taker met.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Fill {
    /// Account of the maker.
    pub account: u16,
    /// Order index.
    pub order: u32,
    /// Generation of that index.
    pub generation: u32,
    /// Price.
    pub ticks: u32,
    /// Lots traded, or lots removed when the outcome is a removal.
    pub lots: u32,
    /// One of [`outcome`].
    pub outcome: u8,
}

/// Values of [`Fill::outcome`].
pub mod outcome {
    /// Traded; part of the order still rests.
    pub const PARTIAL: u8 = 0;
    /// Traded; the order is gone.
    pub const FULL: u8 = 1;
    /// Traded; a remainder below the smallest order was cancelled.
    pub const DUST: u8 = 2;
    /// Removed: its expiry slot has passed.
    pub const EXPIRED: u8 = 3;
    /// Removed or reduced: it belongs to the taker.
    pub const SELF_TRADE: u8 = 4;
    /// Removed: its owner could not carry the margin.
    pub const MARGIN: u8 = 5;
    /// Removed: its price lies outside the band around the mark.
    pub const OUTSIDE_BAND: u8 = 6;
    /// Skipped by a commit and no longer reserved: margin or band forbade the trade.
    pub const SKIPPED: u8 = 7;
    /// Removed: it may only reduce a position that is gone.
    pub const NOT_REDUCING: u8 = 8;

    /// Whether lots changed hands.
    pub const fn traded(outcome: u8) -> bool {
        outcome <= DUST
    }
}

/// Resting orders that one instruction may meet.
pub const FILLS_MAX: usize = 48;

/// A taker met the book. Borsh layout with a vector of fills at the end.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Traded {
    /// Kind of event.
    pub tag: u8,
    /// Sequence number within the slab.
    pub seq: u64,
    /// Instrument number.
    pub instrument: u8,
    /// Side of the taker: 0 bid, 1 ask.
    pub side: u8,
    /// Account of the taker.
    pub account: u16,
    /// Lots traded.
    pub lots: u32,
    /// Their value, in atoms.
    pub notional_atoms: u64,
    /// Fee charged to the taker, tax included, in atoms.
    pub fee_atoms: i64,
    /// Tax on the profit of an aggressive round trip, in atoms.
    pub tax_atoms: u64,
    /// Hold that was committed, 0 for a take.
    pub hold: u32,
    /// Charged to the escrow's capability, in atoms.
    pub charge_atoms: u64,
    /// Number of entries of `fills` that are in use.
    pub fills_count: u32,
    /// One entry per resting order met, in order.
    pub fills: [Fill; FILLS_MAX],
}

impl Traded {
    /// Kind of event.
    pub const TAG: u8 = 7;

    /// The entries in use.
    pub fn fills(&self) -> &[Fill] {
        let used = (self.fills_count as usize).min(FILLS_MAX);
        // A reference into the packed array is fine: `Fill` has alignment 1.
        &self.fills[..used]
    }

    /// Adds an entry; `false` when there is no room.
    #[inline(always)]
    pub fn push(&mut self, fill: Fill) -> bool {
        let at = self.fills_count as usize;
        if at >= FILLS_MAX {
            return false;
        }
        self.fills[at] = fill;
        self.fills_count = at as u32 + 1;
        true
    }

    /// The encoded event: everything up to the last entry in use.
    #[inline(always)]
    pub fn as_bytes(&self) -> &[u8] {
        let used = (self.fills_count as usize).min(FILLS_MAX);
        let unused = (FILLS_MAX - used) * core::mem::size_of::<Fill>();
        let bytes = bytemuck::bytes_of(self);
        &bytes[..bytes.len() - unused]
    }
}

impl Listed for Held {
    fn is_sound(&self) -> bool {
        self.slices_count as usize <= SLICES_PER_HOLD_MAX
    }

    fn encoded_len(&self) -> usize {
        self.as_bytes().len()
    }
}

impl Listed for Traded {
    fn is_sound(&self) -> bool {
        self.fills_count as usize <= FILLS_MAX
    }

    fn encoded_len(&self) -> usize {
        self.as_bytes().len()
    }
}
