//! Tickets: what the Router issues while a portfolio is under liquidation, and
//! slabs act on without its owner (rules LQ2 and LQ4).
//!
//! Both kinds take their serial numbers from one counter of the portfolio that
//! is never reset. A slab account remembers the last number that it acted on,
//! so no ticket of either kind counts again after a later one was used there.

use crate::router::Escrow;
use crate::{Key, Record, assert_layout};
use bytemuck::{Pod, Zeroable};
use flagstone_units::Slot;

/// Leave to liquidate one account of one slab, issued by the Router while the
/// portfolio is liquidating.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Ticket {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Bump of this address.
    pub bump: u8,
    /// Instrument to reduce.
    pub instrument: u8,
    /// Reserved; zero.
    pub padding: [u8; 2],
    /// The slab account.
    pub slab: Key,
    /// Escrow of the account to liquidate.
    pub escrow: Key,
    /// Portfolio that is liquidating.
    pub portfolio: Key,
    /// Liquidation episode of the portfolio.
    pub episode: u32,
    /// Serial number of the ticket within the portfolio.
    pub nonce: u32,
    /// Most lots to close.
    pub lots_max: u32,
    /// Slot of issue.
    pub issued_slot: Slot,
    /// Last slot in which the book may be swept; what is left then may be
    /// deleveraged.
    pub expiry_slot: Slot,
    /// Widest band around the mark, in ppm.
    pub band_max_ppm: u32,
    /// Largest loss to leave behind, in atoms: the sweep stops above it.
    pub deficit_max_atoms: u64,
    /// Reserved; zero.
    pub reserved: [u64; 14],
}
assert_layout!(Ticket, 256, slab @ 16, escrow @ 48);

impl Record for Ticket {
    const DISCRIMINATOR: [u8; 8] = [0x29, 0xe4, 0x18, 0xa5, 0x4e, 0x5a, 0xeb, 0xc8];
    const VERSION: u32 = 1;
}

/// Leave for one slab to release cash of an account that is well, because another
/// account of the same portfolio, at another slab, lacks margin.
///
/// There is one record per escrow that gives, written anew for every ticket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct ShiftTicket {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Bump of this address.
    pub bump: u8,
    /// Reserved; zero.
    pub padding: [u8; 3],
    /// The slab that releases.
    pub slab: Key,
    /// Escrow of the account that gives.
    pub escrow: Key,
    /// Escrow, at another slab, of the account that lacks margin.
    pub target: Key,
    /// Portfolio that owns both.
    pub portfolio: Key,
    /// Index of the slab account that gives.
    pub account: u32,
    /// Generation of that index.
    pub generation: u32,
    /// Liquidation episode of the portfolio.
    pub episode: u32,
    /// Serial number of the ticket within the portfolio.
    pub nonce: u32,
    /// Slot of issue.
    pub issued_slot: Slot,
    /// Last slot in which the slab may release.
    pub expiry_slot: Slot,
    /// Most atoms to release.
    pub amount_max_atoms: u64,
    /// What the target's deposits have to come to in all for its account to
    /// cover its initial margin, as read at issue, in atoms.
    pub enough_total_atoms: u64,
    /// Reserved; zero.
    pub reserved: [u64; 9],
}
assert_layout!(ShiftTicket, 256, slab @ 16, escrow @ 48, target @ 80);

impl Record for ShiftTicket {
    const DISCRIMINATOR: [u8; 8] = [0x26, 0x77, 0xa8, 0x71, 0x0f, 0x3b, 0x24, 0x9d];
    const VERSION: u32 = 1;
}

impl ShiftTicket {
    /// What the target still lacks beyond the portfolio's free cash, which comes
    /// first, and within what is left of its owner's consent, in atoms.
    pub fn wanted_atoms(&self, target: &Escrow, cash_atoms: u64) -> u64 {
        self.enough_total_atoms
            .saturating_sub(target.deposited_total_atoms)
            .min(target.consent_atoms())
            .saturating_sub(cash_atoms)
    }
}
