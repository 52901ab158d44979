//! Proof that nothing of a record's history is missing or altered.
//!
//! Two steps. [`verify`] holds a stream's events against the [`Chain`] in the
//! account: each event must carry the number and the hash that follow from the
//! one before, and the last must be the one the account names. The replays
//! ([`desk`], [`order`], [`collateral`], [`inventory`], [`batch`], [`carry`],
//! [`pending`], [`allotment`]) then run every event's inputs through the engine
//! from nothing: each event must come out byte for byte as it was recorded,
//! signed by who held the role then, and the account that results must be the
//! account there is. A market's and an index's vectors are only hashed in their
//! events; [`market`] and [`index`] hold what can be known against the account.
//! [`links`] checks that what an order says happened in another record is in
//! that record's stream.
//!
//! Works without allocation; `flagstone index audit` feeds it from the logs.

mod allotment;
mod batch;
mod heads;
mod links;
mod pending;
mod replay;

pub use allotment::allotment;
pub use batch::{Origin, batch, carry};
pub use heads::{desk, index, market};
pub use links::{Counterpart, links};
pub use pending::{Traded, pending};
pub use replay::{collateral, inventory, order};

use crate::chain::{Chain, DOMAIN, EventHead, Sha256};
use crate::roles::{DeskChanged, Limits, Role};
use bytemuck::{Pod, pod_read_unaligned};
use flagstone_interface::Key;
use flagstone_units::Slot;

/// Why a history is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The bytes are not an event.
    NotAnEvent,
    /// The event belongs to another stream.
    WrongStream,
    /// Its number does not follow: an event is missing, doubled or out of place.
    OutOfSequence,
    /// The event after it, or the account, names another hash: it was altered.
    Altered,
    /// The account has more or fewer events than the history.
    WrongLength,
    /// The signer did not hold the role.
    WrongSigner,
    /// The engine does not do what the event says.
    NotReproduced,
    /// Replayed from nothing, the account comes out different.
    AccountDiffers,
    /// The other record's stream has no matching event.
    NotLinked,
}

impl core::fmt::Display for Reason {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(match self {
            Self::NotAnEvent => "the bytes are not an event",
            Self::WrongStream => "the event belongs to another stream",
            Self::OutOfSequence => "an event is missing, doubled or out of place",
            Self::Altered => "the event was altered",
            Self::WrongLength => "the account has more or fewer events",
            Self::WrongSigner => "the signer did not hold the role",
            Self::NotReproduced => "the engine does not do what the event says",
            Self::AccountDiffers => "replayed from nothing, the account comes out different",
            Self::NotLinked => "the other record's stream has no matching event",
        })
    }
}

/// What is wrong, and from which event on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Number of the event within its stream.
    pub sequence: u64,
    /// What is wrong.
    pub reason: Reason,
}

impl core::fmt::Display for Fault {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "event {}: {}", self.sequence, self.reason)
    }
}

impl core::error::Error for Fault {}

/// Result of an audit.
pub type Audited<T = ()> = Result<T, Fault>;

pub(crate) const fn fault<T>(sequence: u64, reason: Reason) -> Audited<T> {
    Err(Fault { sequence, reason })
}

/// An event, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded<'a> {
    /// Its head.
    pub head: EventHead,
    /// Its body.
    pub body: &'a [u8],
}

impl<'a> Recorded<'a> {
    /// Takes bytes apart; `None` when they are not an event of this engine.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (head, body) = bytes.split_at_checked(size_of::<EventHead>())?;
        let head: EventHead = pod_read_unaligned(head);
        let right = head.domain == DOMAIN && usize::from(head.body_bytes) == body.len();
        right.then_some(Self { head, body })
    }

    /// The body as the fixed part of an event of this kind.
    pub fn body<E: crate::chain::Event>(&self) -> Option<E> {
        (self.head.tag == E::TAG).then(|| self.fixed()).flatten()
    }

    /// The list behind a fixed part of this type.
    pub fn list<E: Pod>(&self) -> &'a [u8] {
        self.body.get(size_of::<E>()..).unwrap_or(&[])
    }

    fn fixed<T: Pod>(&self) -> Option<T> {
        let bytes = self.body.get(..size_of::<T>())?;
        Some(pod_read_unaligned(bytes))
    }
}

/// Holds a stream's events, oldest first, against the chain in its account.
///
/// # Errors
/// The first event that cannot be part of it.
pub fn verify<'a>(
    chain: &Chain,
    events: impl IntoIterator<Item = &'a [u8]>,
    sha256: Sha256,
) -> Audited {
    let (mut count, mut last) = (0, [0; 32]);
    for bytes in events {
        let number = count + 1;
        let Some(event) = Recorded::parse(bytes) else {
            return fault(number, Reason::NotAnEvent);
        };
        if event.head.stream != chain.stream {
            return fault(number, Reason::WrongStream);
        }
        if event.head.sequence != number {
            return fault(number, Reason::OutOfSequence);
        }
        if event.head.previous != last {
            // The event before does not hash to what this one was chained to.
            return fault(count.max(1), Reason::Altered);
        }
        last = sha256(&[bytes]);
        count = number;
    }
    if count != chain.sequence {
        return fault(count.min(chain.sequence) + 1, Reason::WrongLength);
    }
    if last != chain.last {
        return fault(count, Reason::Altered);
    }
    Ok(())
}

/// A desk's history, verified against its account: who held which role when,
/// and which limits were in force.
#[derive(Clone, Copy, Debug)]
pub struct DeskHistory<'a> {
    address: Key,
    events: &'a [&'a [u8]],
    first: Limits,
}

impl<'a> DeskHistory<'a> {
    /// Verifies the desk's events. `first` are the limits that it was created with.
    ///
    /// # Errors
    /// As [`verify`]; [`Reason::AccountDiffers`] when the last limits or the
    /// roles are not the account's.
    pub fn new(
        desk: &crate::roles::Desk,
        first: Limits,
        events: &'a [&'a [u8]],
        sha256: Sha256,
    ) -> Audited<Self> {
        verify(&desk.chain, events.iter().copied(), sha256)?;
        let history = Self {
            address: desk.chain.stream,
            events,
            first,
        };
        let mut limits = first;
        let mut keys = [[0; 32]; crate::roles::ROLES];
        for (_, change) in history.changes() {
            limits = change.limits;
            let role = usize::from(change.role).wrapping_sub(Role::Solver as usize);
            if let Some(key) = keys.get_mut(role) {
                *key = change.key;
            }
        }
        let granted = desk.roles.iter().map(|role| role.key);
        if limits != desk.limits || !granted.eq(keys) {
            return fault(desk.chain.sequence, Reason::AccountDiffers);
        }
        Ok(history)
    }

    /// Address of the desk.
    pub const fn address(&self) -> Key {
        self.address
    }

    fn changes(&self) -> impl Iterator<Item = (Slot, DeskChanged)> + '_ {
        self.events.iter().filter_map(|bytes| {
            let event = Recorded::parse(bytes)?;
            Some((event.head.slot, event.body::<DeskChanged>()?))
        })
    }

    /// Whether a key held a desk role in this slot, at its start or after a grant in it.
    pub fn held(&self, role: Role, key: &Key, slot: Slot) -> bool {
        let mut holder = [0; 32];
        let mut held = false;
        let grants = self
            .changes()
            .filter(|(_, change)| change.role == role as u8);
        for (granted, change) in grants {
            if granted > slot {
                break;
            }
            // A grant replaces its predecessor at once, but within one slot
            // the order of two streams is not recorded.
            held = change.key == *key || (granted == slot && (held || holder == *key));
            holder = change.key;
        }
        held && *key != [0; 32]
    }

    /// The limits in force in this slot: those at its start and each set in it.
    pub fn limits(&self, slot: Slot) -> impl Iterator<Item = Limits> + '_ {
        let before = self.changes().take_while(move |(at, _)| *at < slot);
        let start = before
            .last()
            .map_or(self.first, |(_, change)| change.limits);
        let within = self.changes().filter(move |(at, _)| *at == slot);
        core::iter::once(start).chain(within.map(|(_, change)| change.limits))
    }
}
