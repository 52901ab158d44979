//! Money that a user pledged to one slab, and the capabilities that may charge it.
//!
//! An [`Escrow`] is the one record of the Router that a slab's money path reads.
//! It lies at `"pledge"`, slab, owner, mint.

use crate::limits::RecentDeposits;
use crate::{Key, Record, assert_layout};
use bytemuck::{Pod, Zeroable};
use flagstone_units::Slot;

/// Capability records of one escrow.
pub const CAPS_PER_ESCROW: usize = 16;

/// Longest life of a capability: two minutes of 400 ms slots.
pub const CAP_SLOTS_MAX: Slot = Slot(300);

/// Leave for one slab to charge one hold of one user, minted by the Router.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct Cap {
    /// Route that the capability belongs to.
    pub route_id: u64,
    /// Most that may be charged, in atoms.
    pub amount_max_atoms: u64,
    /// What is left of it, in atoms.
    pub remaining_atoms: u64,
    /// Serial number within the escrow; never reused.
    pub nonce: u64,
    /// Hold that it pays for.
    pub hold: u32,
    /// Generation of that hold.
    pub hold_generation: u32,
    /// Last slot in which commit may use it.
    pub expiry_slot: Slot,
    /// One of [`cap_state`].
    pub state: u32,
    /// Locked lots that the commit may release (netting).
    pub unlock_lots: u32,
    /// Reserved; zero.
    pub reserved: [u32; 3],
}
assert_layout!(Cap, 64);

/// Values of [`Cap::state`].
pub mod cap_state {
    /// Never used.
    pub const FREE: u32 = 0;
    /// May be charged until it expires.
    pub const LIVE: u32 = 1;
    /// Booked or refunded; the record may be used again.
    pub const BURNED: u32 = 2;
}

/// A user's money pledged to one slab, and the Router's side of its counters.
///
/// Never closed, so that no counter can start again from zero.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Escrow {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Bump of this address.
    pub bump: u8,
    /// One of [`escrow_state`].
    pub state: u8,
    /// 1 while the Router forbids risk increases: the account is under liquidation.
    pub frozen: u8,
    /// Reserved; zero.
    pub padding: u8,
    /// The slab that may charge.
    pub slab: Key,
    /// Wallet that owns the money.
    pub owner: Key,
    /// Mint of the money.
    pub mint: Key,
    /// Session key that trades on the slab.
    pub trader: Key,
    /// Index of the bound slab account, 0 when unbound.
    pub bound_account: u32,
    /// Generation of the bound slab account.
    pub bound_generation: u32,
    /// Sum of the live capabilities' remainders, in atoms.
    pub balance_atoms: u64,
    /// Atoms ever funded as standing margin; only grows.
    pub deposited_total_atoms: u64,
    /// Copy of the slab's debited total up to which debits are booked.
    pub debited_seen_atoms: u64,
    /// Copy of the slab's released total up to which releases are paid.
    pub released_seen_atoms: u64,
    /// Insurance ever paid for this account, in atoms; only grows.
    pub covered_total_atoms: u64,
    /// Most free cash that anyone may move here while the account is under
    /// liquidation, in atoms, as its owner last signed it.
    pub liability_max_atoms: u64,
    /// Serial number of the last capability.
    pub cap_nonce: u64,
    /// `deposited_total_atoms` when the account was bound: what came before was
    /// credited to an account that has closed.
    pub bound_deposited_atoms: u64,
    /// Moved here under that consent since it was signed, in atoms.
    pub shifted_atoms: u64,
    /// Insurance paid in the episode `cover_episode`, in atoms.
    pub cover_event_atoms: u64,
    /// Episode of the last cover.
    pub cover_episode: u32,
    /// Slot from which tickets may be issued while the escrow is frozen.
    pub grace_until: Slot,
    /// Slot in which the last liquidation ended; 0 before the first.
    pub restored_slot: Slot,
    /// Reserved; zero.
    pub padding2: u32,
    /// Reserved; zero.
    pub reserved: [u64; 1],
    /// Capability records.
    pub caps: [Cap; CAPS_PER_ESCROW],
    /// Own deposits of late: releases of as much are not limited.
    pub recent: RecentDeposits,
    /// Slot in which the escrow was bound last; the next one when a root of that
    /// slot had been started: only later roots have a leaf for it.
    pub bound_slot: Slot,
    /// Reserved; zero.
    pub padding3: u32,
    /// Deposits and debits less releases when the escrow was bound last, in atoms.
    pub bound_net_atoms: i64,
    /// Reserved; zero.
    pub reserved2: [u64; 3],
}
assert_layout!(Escrow, 1344, slab @ 16, trader @ 112, bound_account @ 144, deposited_total_atoms @ 160, caps @ 256);

/// Values of [`Escrow::state`].
pub mod escrow_state {
    /// Open.
    pub const OPEN: u8 = 0;
    /// Closed.
    pub const CLOSED: u8 = 1;
    /// Its owner left a quarantined slab.
    pub const EXITED: u8 = 2;
}

impl Escrow {
    /// What the Router knows that the owner paid in and did not get back, in atoms.
    pub const fn principal_atoms(&self) -> u64 {
        self.deposited_total_atoms
            .saturating_add(self.debited_seen_atoms)
            .saturating_sub(self.released_seen_atoms)
    }

    /// What is left of the owner's consent, in atoms.
    #[inline(always)]
    pub const fn consent_atoms(&self) -> u64 {
        self.liability_max_atoms.saturating_sub(self.shifted_atoms)
    }

    /// Deposits and booked debits less releases, in atoms.
    pub const fn net_atoms(&self) -> i64 {
        let paid_in = self
            .deposited_total_atoms
            .wrapping_add(self.debited_seen_atoms);
        paid_in.wrapping_sub(self.released_seen_atoms) as i64
    }

    /// What the owner paid in since the escrow was bound and did not get back, in
    /// atoms.
    pub const fn principal_since_bound_atoms(&self) -> u64 {
        let net = self.net_atoms().wrapping_sub(self.bound_net_atoms);
        if net > 0 { net as u64 } else { 0 }
    }

    /// Whether the escrow is bound to an account of its slab.
    #[inline(always)]
    pub const fn is_bound(&self) -> bool {
        self.bound_account != 0
    }

    /// Whether a capability may still be charged or has not been refunded.
    pub fn has_live_cap(&self) -> bool {
        self.caps.iter().any(|cap| cap.state == cap_state::LIVE)
    }
}

impl Record for Escrow {
    const DISCRIMINATOR: [u8; 8] = [0x1f, 0xd5, 0x7b, 0xbb, 0xba, 0x16, 0xda, 0x9b];
    const VERSION: u32 = 1;
}
