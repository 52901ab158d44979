//! The hash chain that every transition of a record is written into.
//!
//! Each record account is a *stream* of its own: it keeps the number and the
//! hash of its last event, and each event carries the stream's address, its
//! number and the hash of the event before. From the account's [`Chain`] alone
//! a reader knows how many events there must be and what each of them hashes
//! to, so a missing, altered, doubled or reordered event shows. The scheme is
//! section 6 of the consensus paper ("immutable, cryptographically verifiable
//! record") with one chain per record instead of one per deployment, so that
//! two orders never contend for a lock.
//!
//! An event is [`EventHead`] and then its body, both plain bytes; its hash is
//! `sha256(head, body)`. The hash function is an argument, because the program
//! has a system call for it.

use crate::roles::Party;
use crate::{IndexError, Result};
use bytemuck::{Pod, Zeroable, bytes_of};
use flagstone_interface::{Key, assert_layout};
use flagstone_units::Slot;

/// A SHA-256 over the concatenation of byte strings.
pub type Sha256 = fn(&[&[u8]]) -> [u8; 32];

/// First bytes of every event, so that no other hash of the suite can be mistaken for one.
pub const DOMAIN: [u8; 8] = *b"FLGINDX1";

/// Largest body of an event, in bytes.
///
/// A transaction's log is cut at 10,000 bytes in total.
pub const BODY_BYTES_MAX: usize = 8_192;

/// Where the chain of a record stands.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Chain {
    /// Address of the record, which names the stream.
    pub stream: Key,
    /// Hash of the last event; zero before the first.
    pub last: [u8; 32],
    /// Events written so far; the first has number 1.
    pub sequence: u64,
}
assert_layout!(Chain, 72, last @ 32, sequence @ 64);

/// What every event starts with.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct EventHead {
    /// [`DOMAIN`].
    pub domain: [u8; 8],
    /// Address of the record.
    pub stream: Key,
    /// Hash of the event before; zero in the first.
    pub previous: [u8; 32],
    /// Who signed; zero when the action needs no signature.
    pub signer: Key,
    /// Number within the stream, from 1.
    pub sequence: u64,
    /// When, in slots.
    pub slot: Slot,
    /// Kind of body.
    pub tag: u8,
    /// [`crate::roles::Role`] that the signer acted in.
    pub role: u8,
    /// Length of the body, in bytes.
    pub body_bytes: u16,
}
assert_layout!(EventHead, 120, stream @ 8, previous @ 40, signer @ 72, sequence @ 104, body_bytes @ 118);

/// The body of an event.
pub trait Event: Pod {
    /// Kind of body; no two kinds share one.
    const TAG: u8;
}

impl Chain {
    /// The empty chain of a stream.
    pub const fn new(stream: Key) -> Self {
        Self {
            stream,
            last: [0; 32],
            sequence: 0,
        }
    }
}

/// Where events go, with the time and the hash function of the instruction.
pub struct Journal<'a> {
    sha256: Sha256,
    slot: Slot,
    sink: &'a mut dyn FnMut(&[&[u8]]),
}

impl core::fmt::Debug for Journal<'_> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "Journal at slot {}", self.slot.0)
    }
}

impl<'a> Journal<'a> {
    /// A journal of one instruction at `slot` that hands the pieces of each event to `sink`.
    pub fn new(sha256: Sha256, slot: Slot, sink: &'a mut dyn FnMut(&[&[u8]])) -> Self {
        Self { sha256, slot, sink }
    }

    /// The time of the instruction.
    pub const fn slot(&self) -> Slot {
        self.slot
    }

    /// The hash of byte strings put together.
    pub fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        (self.sha256)(parts)
    }

    /// Appends an event to a chain.
    ///
    /// # Errors
    /// [`IndexError::AmountOverflow`] when the stream has no further number.
    pub fn record<E: Event>(&mut self, chain: &mut Chain, party: &Party, body: &E) -> Result<()> {
        self.record_with(chain, party, body, &[])
    }

    /// Appends an event whose fixed part is followed by a list.
    ///
    /// # Errors
    /// As [`Journal::record`], and [`IndexError::ScratchFull`] when the body
    /// exceeds [`BODY_BYTES_MAX`].
    pub fn record_with<E: Event>(
        &mut self,
        chain: &mut Chain,
        party: &Party,
        body: &E,
        list: &[u8],
    ) -> Result<()> {
        let body_bytes = size_of::<E>() + list.len();
        if body_bytes > BODY_BYTES_MAX {
            return Err(IndexError::ScratchFull);
        }
        let sequence = chain.sequence.checked_add(1);
        let head = EventHead {
            domain: DOMAIN,
            stream: chain.stream,
            previous: chain.last,
            signer: party.key(),
            sequence: sequence.ok_or(IndexError::AmountOverflow)?,
            slot: self.slot,
            tag: E::TAG,
            role: party.role() as u8,
            body_bytes: body_bytes as u16,
        };
        chain.sequence = head.sequence;
        let pieces = [bytes_of(&head), bytes_of(body), list];
        chain.last = self.hash(&pieces);
        (self.sink)(&pieces);
        Ok(())
    }
}
