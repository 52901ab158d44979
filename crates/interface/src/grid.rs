//! Records of the shared funding grid, and what accounts hold at their slabs.
//!
//! | record | seeds |
//! |---|---|
//! | [`Grid`] | `"grid"`, underlying id (eight bytes), slots of the interval (four bytes) |
//! | [`Exposure`] | `"exposure"`, escrow |
//!
//! A [`Grid`] starts with the [`FundingGrid`] that slabs read.

use crate::slab::INSTRUMENTS;
use crate::{Key, Record, assert_layout};
use bytemuck::{Pod, Zeroable};
use flagstone_units::Slot;

/// Seed prefixes of these records; that of a grid is
/// [`crate::router::seeds::GRID`].
pub mod seeds {
    /// [`super::Exposure`].
    pub const EXPOSURE: &[u8] = b"exposure";
}

/// Slabs of one grid: all are shown at once, and five full ones are what a
/// transaction can load.
pub const GRID_MEMBERS_MAX: usize = 5;

/// Most that the shared rate moves in one interval, in ppm of notional.
pub const GRID_STEP_MAX_PPM: u32 = 250;

/// Largest local rate that counts, in ppm of notional: what a slab's own terms
/// may allow at most.
pub const GRID_RATE_MAX_PPM: u32 = 50_000;

/// Shared funding rate of one underlying: the head of a [`Grid`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct FundingGrid {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Bump of this address.
    pub bump: u8,
    /// Reserved; zero.
    pub padding: [u8; 3],
    /// Number of the underlying.
    pub underlying_id: u64,
    /// Funding of one interval on notional, in ppm; longs pay when positive.
    pub rate_ppm: i32,
    /// Slots of the interval that the rate is for.
    pub interval_slots: u32,
    /// Slot in which the rate was computed.
    pub slot: Slot,
    /// Reserved; zero.
    pub padding2: u32,
    /// Reserved; zero.
    pub reserved: [u64; 11],
}
assert_layout!(FundingGrid, 128);

impl Record for FundingGrid {
    const DISCRIMINATOR: [u8; 8] = [0xd5, 0x20, 0x72, 0x48, 0xe1, 0x5b, 0x25, 0xda];
    const VERSION: u32 = 1;
}

/// A slab of a grid.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct GridMember {
    /// The slab.
    pub slab: Key,
    /// Its backing at the last update, or when it was listed, in atoms: no more
    /// than this counts at the next one.
    pub backing_atoms: u64,
    /// Number of the instrument in the slab.
    pub instrument: u8,
    /// Reserved; zero.
    pub padding: [u8; 7],
}
assert_layout!(GridMember, 48);

/// The shared funding rate of one underlying for intervals of one length, and
/// the slabs that it is made of.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Grid {
    /// What slabs read.
    pub shared: FundingGrid,
    /// Members in use.
    pub members_count: u32,
    /// Reserved; zero.
    pub padding: u32,
    /// Members, ascending by slab, each slab once.
    pub members: [GridMember; GRID_MEMBERS_MAX],
    /// Reserved; zero.
    pub reserved: [u64; 17],
}
assert_layout!(Grid, 512, members @ 136);

impl Grid {
    /// The members in use.
    pub fn listed(&self) -> &[GridMember] {
        let count = (self.members_count as usize).min(GRID_MEMBERS_MAX);
        &self.members[..count]
    }

    /// Number of the interval that a slot lies in; `None` without intervals.
    pub const fn interval_of(&self, slot: Slot) -> Option<u32> {
        slot.0.checked_div(self.shared.interval_slots)
    }
}

impl Record for Grid {
    // Slabs take the head of this record for a FundingGrid.
    const DISCRIMINATOR: [u8; 8] = FundingGrid::DISCRIMINATOR;
    const VERSION: u32 = FundingGrid::VERSION;
}

/// A position as the Router saw it: what a mark has to be added to.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct ExposedPosition {
    /// Number of the underlying.
    pub underlying_id: u64,
    /// What was paid for the position, in atoms; negative for what was received.
    pub cost_atoms: i64,
    /// Funding that it owed when the slab accrued last, in atoms; negative for
    /// what is owed to it.
    pub funding_atoms: i64,
    /// Size in lots; negative is short.
    pub lots: i32,
    /// Size in the worse of two cases: all bids or all asks fill, in lots.
    pub worst_lots: u32,
    /// Value of one tick on one lot, in atoms.
    pub atoms_per_tick: u32,
    /// Initial margin ratio, in ppm.
    pub imr_ppm: u32,
    /// Maintenance margin ratio, in ppm.
    pub mmr_ppm: u32,
    /// Number of the instrument in the slab.
    pub instrument: u8,
    /// Reserved; zero.
    pub padding: [u8; 3],
}
assert_layout!(ExposedPosition, 48);

/// What an escrow's account holds at its slab, read live and booked first
/// (rule X3): lots, cost and cash, never equity (rule N6). Whoever wants equity
/// takes the marks of the present.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Exposure {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Bump of this address.
    pub bump: u8,
    /// Reserved; zero.
    pub padding: [u8; 3],
    /// The escrow.
    pub escrow: Key,
    /// Its slab.
    pub slab: Key,
    /// Index of the slab account.
    pub account: u32,
    /// Generation of that index.
    pub generation: u32,
    /// Slot of the reading.
    pub slot: Slot,
    /// Positions in use.
    pub positions_count: u32,
    /// Cash that the account may count on, in atoms: less bonds and a haircut
    /// that it has not seen, with deposits and cover on their way.
    pub cash_atoms: i64,
    /// Deposits ever, as the Router counts them, in atoms.
    pub deposited_total_atoms: u64,
    /// Charges ever booked, in atoms.
    pub debited_seen_atoms: u64,
    /// Releases ever paid, in atoms.
    pub released_seen_atoms: u64,
    /// Releases that the slab shows and the Router has not paid, in atoms.
    pub released_owed_atoms: u64,
    /// Reserved; zero.
    pub reserved: [u64; 13],
    /// Positions, and open orders without one, ascending by instrument.
    pub positions: [ExposedPosition; INSTRUMENTS],
}
assert_layout!(Exposure, 1_776, escrow @ 16, cash_atoms @ 96, positions @ 240);

impl Exposure {
    /// The positions in use.
    pub fn held(&self) -> &[ExposedPosition] {
        let count = (self.positions_count as usize).min(INSTRUMENTS);
        &self.positions[..count]
    }
}

impl Record for Exposure {
    const DISCRIMINATOR: [u8; 8] = [0xf8, 0x4b, 0xcc, 0x15, 0x5c, 0xfb, 0xc5, 0x93];
    const VERSION: u32 = 1;
}
