//! Proposals, and what they carry (rule X9).
//!
//! A proposal is a hash; its payload is shown when it is executed. The payload
//! is a kind and the fields of that kind, in borsh encoding.

use crate::{Key, Record, assert_layout};
use bytemuck::{Pod, Zeroable};
use flagstone_units::Slot;

/// Longest delay and longest life of a proposal: thirty days of 400 ms slots.
pub const DELAY_SLOTS_MAX: u32 = 6_480_000;

/// Longest pause: a day.
pub const PAUSE_SLOTS_MAX: u32 = 216_000;

/// Slots after a pause in which liquidation stays off: a minute.
pub const PAUSE_GRACE_SLOTS: u32 = 150;

/// Slots for which a proposal may be executed while none is set: a week.
pub const PROPOSAL_LIFE_SLOTS: u32 = 1_512_000;

/// A change that waits for its delay.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Proposal {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Bump of this address.
    pub bump: u8,
    /// One of [`proposal_state`].
    pub state: u8,
    /// One of [`kind`].
    pub kind: u8,
    /// Reserved; zero.
    pub padding: u8,
    /// Serial number, from 1; never used twice.
    pub id: u64,
    /// Sha256 of the payload.
    pub payload_hash: [u8; 32],
    /// Slot of the proposal.
    pub slot: Slot,
    /// First slot in which it may be executed.
    pub due_slot: Slot,
    /// Last slot in which it may be executed.
    pub expiry_slot: Slot,
    /// Reserved; zero.
    pub padding2: u32,
    /// Reserved; zero.
    pub reserved: [u64; 7],
}
assert_layout!(Proposal, 128, id @ 16);

impl Record for Proposal {
    const DISCRIMINATOR: [u8; 8] = [0x1a, 0x5e, 0xbd, 0xbb, 0x74, 0x88, 0x35, 0x21];
    const VERSION: u32 = 1;
}

/// Values of [`Proposal::state`].
pub mod proposal_state {
    /// Waits.
    pub const OPEN: u8 = 0;
    /// Was executed.
    pub const EXECUTED: u8 = 1;
    /// Was cancelled.
    pub const CANCELLED: u8 = 2;
}

/// First byte of a payload. Each constant lists the fields that follow.
pub mod kind {
    /// Adds a slab to the registry: slab, program, hash of the program.
    pub const REGISTER_SLAB: u8 = 0;
    /// Sets a slab's status: slab, status (one byte).
    pub const SET_SLAB_STATUS: u8 = 1;
    /// Sets what an instrument may be: slab, then as `register_instrument`.
    pub const REGISTER_INSTRUMENT: u8 = 2;
    /// Limits what leaves: vault or slab ledger, atoms, slots of a window.
    pub const SET_LIMIT: u8 = 3;
    /// Replaces the guardian: the key. The guardian cannot cancel it.
    pub const SET_GUARDIAN: u8 = 4;
    /// Sets the delay and the life of proposals, in slots.
    pub const SET_DELAYS: u8 = 5;
    /// Names the next administrator: the key.
    pub const HAND_OVER: u8 = 6;
    /// Takes a slab's new program: slab, hash of the program.
    pub const ACCEPT_PROGRAM: u8 = 7;
    /// Lets a slab take part in netting and in the shared funding grid, or not:
    /// slab, flag (one byte), largest equity that it may show (E_max), in atoms.
    pub const SET_NETTING: u8 = 8;
    /// Makes a mint collateral, or replaces its terms: mint, oracle, feed, then
    /// in the order of [`CollateralTerms`](crate::collateral::CollateralTerms)
    /// from the haircut to the cap, and whether deposits are taken (one byte).
    pub const ADD_COLLATERAL: u8 = 9;
    /// Sets which parts of a slab's insurance one event and one day may take:
    /// slab, event in bps, day in bps.
    pub const SET_COVER_CAPS: u8 = 10;
    /// Kinds there are.
    pub const COUNT: u8 = 11;
}

/// Bytes of a program that one step of its hash covers.
pub const HASH_CHUNK_BYTES: usize = 16 * 1024;

/// The hash of a program's code, made in steps.
///
/// Code is what follows the 45 bytes of metadata in a program data account, cut
/// into chunks of [`HASH_CHUNK_BYTES`]. The hash starts as 32 zero bytes; each
/// chunk that is not all zeros replaces it by sha256(hash | number of the chunk,
/// four bytes | chunk without its trailing zeros). Zeros at the end thus change
/// nothing: extending a program does not change its hash (rule X5).
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct ProgramHash {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Bump of this address.
    pub bump: u8,
    /// 1 when every chunk is covered.
    pub done: u8,
    /// Reserved; zero.
    pub padding: [u8; 2],
    /// The program data account.
    pub program_data: Key,
    /// Hash so far.
    pub hash: [u8; 32],
    /// Upgrade authority when the hash was begun; zero for none.
    pub authority: Key,
    /// Slot of the deployment that is hashed.
    pub deploy_slot: u64,
    /// Next chunk.
    pub chunk: u32,
    /// Reserved; zero.
    pub padding2: u32,
    /// Reserved; zero.
    pub reserved: [u64; 16],
}
assert_layout!(ProgramHash, 256, program_data @ 16);

impl Record for ProgramHash {
    const DISCRIMINATOR: [u8; 8] = [0x17, 0xb0, 0x87, 0x0f, 0x1b, 0x5f, 0xa7, 0x4f];
    const VERSION: u32 = 1;
}

impl ProgramHash {
    /// Covers the next chunk.
    #[inline(always)]
    pub fn push(&mut self, bytes: &[u8]) {
        let used = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1);
        if let Some(code) = bytes.get(..used).filter(|code| !code.is_empty()) {
            self.hash = crate::sha256::sha256(&[&self.hash, &self.chunk.to_le_bytes(), code]);
        }
        self.chunk = self.chunk.wrapping_add(1);
    }
}

/// Hash of a payload.
#[inline(always)]
pub fn hash_payload(payload: &[u8]) -> [u8; 32] {
    crate::sha256::sha256(&[payload])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x5_zeros_at_the_end_do_not_change_a_hash_and_zeros_within_do() {
        let hash = |chunks: &[&[u8]]| {
            let mut hash = ProgramHash::zeroed();
            chunks.iter().for_each(|chunk| hash.push(chunk));
            hash.hash
        };
        let base = hash(&[&[1, 0, 2], &[3]]);
        assert_eq!(base, hash(&[&[1, 0, 2, 0, 0], &[3, 0], &[0; 9], &[]]));
        assert_ne!(base, hash(&[&[1, 0, 2], &[0; 4], &[3]]));
        assert_ne!(base, hash(&[&[1, 0, 2, 3]]));
        assert_ne!(base, hash(&[&[1, 0, 2]]));
        assert_eq!(hash(&[&[0; 5]]), [0; 32]);
    }
}
