//! Histories of a desk, a market and an index.

use super::replay::run;
use super::{Audited, Reason, Recorded, fault, verify};
use crate::chain::{Event as _, Sha256};
use crate::market::MarketState;
use crate::rebalance::RebalanceExecuted;
use crate::records::{IndexChanged, IndexEvent, IndexHead, MarketChanged, MarketEvent, MarketHead};
use crate::roles::{CustodySet, Desk, DeskChanged, Limits, Role};
use bytemuck::bytes_of;
use flagstone_interface::Key;
use flagstone_units::Slot;

/// Replays a desk and compares it with its account; the limits that it was
/// created with, which its first event tells.
///
/// # Errors
/// As [`verify`], [`Reason::WrongSigner`], and the first event that the engine
/// does not reproduce.
pub fn desk(account: &Desk, events: &[&[u8]], sha256: Sha256) -> Audited<Limits> {
    verify(&account.chain, events.iter().copied(), sha256)?;
    let first = events.first().and_then(|bytes| Recorded::parse(bytes));
    let Some(first) = first.and_then(|event| event.body::<DeskChanged>()) else {
        return fault(1, Reason::NotAnEvent);
    };
    let Ok(mut replayed) = Desk::new(account.chain.stream, account.admin, first.limits) else {
        return fault(1, Reason::NotReproduced);
    };
    for (at, bytes) in events.iter().enumerate() {
        let Some(event) = Recorded::parse(bytes) else {
            return fault(at as u64 + 1, Reason::NotAnEvent);
        };
        let Ok(admin) = replayed.party(Role::Admin, &event.head.signer) else {
            return fault(event.head.sequence, Reason::WrongSigner);
        };
        let (change, custody) = (event.body::<DeskChanged>(), event.body::<CustodySet>());
        run(&events[at..=at], &event, sha256, |journal| {
            match (change, custody) {
                (Some(change), _) if change.role == 0 => {
                    replayed.set_limits(&admin, change.limits, journal)
                }
                (Some(change), _) => {
                    let role = Role::from_code(change.role)?;
                    replayed.grant(&admin, role, change.key, journal)
                }
                (_, Some(set)) => replayed.set_custody(&admin, &set, journal),
                _ => Err(crate::IndexError::UnknownCode),
            }
        })?;
    }
    if bytes_of(&replayed) != bytes_of(account) {
        return fault(account.chain.sequence, Reason::AccountDiffers);
    }
    Ok(first.limits)
}

/// The part of a list that an event hashed: from where the one before ended,
/// as long as it has to be for the hash. `None` when there is no such part.
pub(super) fn part(
    list: &[u8],
    from: usize,
    width: usize,
    wanted: &[u8; 32],
    sha256: Sha256,
) -> Option<usize> {
    let rest = list.get(from * width..)?;
    let ends = 1..=rest.len() / width;
    let mut ends = ends.filter(|end| sha256(&[&rest[..end * width]]) == *wanted);
    ends.next().map(|end| from + end)
}

/// Holds a market's history against its account. `labels` are those of its
/// assets, 16 bytes each. What the vendor reported is in the account's vectors
/// and only hashed in the events; who reported it when, and how often, is held
/// against the account.
///
/// # Errors
/// As [`verify`], and the first event that cannot follow from those before.
pub fn market(account: &MarketHead, labels: &[u8], events: &[&[u8]], sha256: Sha256) -> Audited {
    verify(&account.chain, events.iter().copied(), sha256)?;
    let mut replayed = MarketReplay {
        account,
        labels,
        sha256,
        assets: 0,
        state: MarketState {
            sequence: 0,
            data_slot: Slot(0),
            supply_slot: Slot(0),
            margin_slot: Slot(0),
            ..account.state
        },
        vendor: Vendor::Unknown,
    };
    for (at, bytes) in events.iter().enumerate() {
        let number = at as u64 + 1;
        let event = Recorded::parse(bytes);
        let Some((event, changed)) = event.and_then(|e| Some((e, e.body::<MarketChanged>()?)))
        else {
            return fault(number, Reason::NotAnEvent);
        };
        if event.head.role != Role::Owner as u8 {
            return fault(number, Reason::WrongSigner);
        }
        replayed.take(number, &event, &changed)?;
    }
    // The last vendor named is the account's, whoever was before.
    let known = match replayed.vendor {
        Vendor::Hashed(hash) => sha256(&[&account.state.vendor]) == hash,
        Vendor::Known => true,
        Vendor::Unknown => false,
    };
    if replayed.state != account.state || replayed.assets != account.assets || !known {
        return fault(account.chain.sequence, Reason::AccountDiffers);
    }
    Ok(())
}

/// Who the vendor is, as far as events tell.
enum Vendor {
    /// Named when the market was created.
    Hashed([u8; 32]),
    /// Set later, to what the account has.
    Known,
    /// Set in between, together with limits that the event only hashes.
    Unknown,
}

struct MarketReplay<'a> {
    account: &'a MarketHead,
    labels: &'a [u8],
    sha256: Sha256,
    assets: u32,
    state: MarketState,
    vendor: Vendor,
}

impl MarketReplay<'_> {
    fn take(&mut self, number: u64, event: &Recorded, changed: &MarketChanged) -> Audited {
        use MarketEvent as E;
        let Ok(kind) = E::from_code(changed.kind) else {
            return fault(number, Reason::NotAnEvent);
        };
        let now = event.head.slot;
        if matches!(kind, E::Created) != (number == 1) {
            return fault(number, Reason::NotReproduced);
        }
        match kind {
            E::Created => self.vendor = Vendor::Hashed(changed.list_hash),
            E::Set => {
                // Vendor, ages and pause are the account's if this was the last.
                let given = (self.sha256)(&[bytes_of(&self.state)]);
                self.vendor = match given == changed.list_hash {
                    true => Vendor::Known,
                    false => Vendor::Unknown,
                };
            }
            E::AssetsAdded => {
                let list = &changed.list_hash;
                let end = part(self.labels, self.assets as usize, 16, list, self.sha256);
                let Some(end) = end else {
                    return fault(number, Reason::NotReproduced);
                };
                self.assets = end as u32;
            }
            E::Data => self.state.data_slot = now,
            E::Supply => self.state.supply_slot = now,
            E::Margin => self.state.margin_slot = now,
            E::Funded | E::Drawn => {}
        }
        let feeds = matches!(kind, E::Data | E::Supply | E::Margin);
        self.state.sequence += u64::from(feeds);
        self.check_signer(number, kind, &event.head.signer)?;
        let moves = matches!(kind, E::Funded | E::Drawn) == (changed.amount_atoms > 0);
        let counts = changed.sequence == self.state.sequence && changed.assets == self.assets;
        if !moves || !counts {
            return fault(number, Reason::NotReproduced);
        }
        Ok(())
    }

    fn check_signer(&self, number: u64, kind: MarketEvent, signer: &Key) -> Audited {
        use MarketEvent as E;
        let right = match kind {
            E::Created | E::Set | E::AssetsAdded => *signer == self.account.admin,
            E::Data | E::Supply | E::Margin | E::Drawn => match self.vendor {
                Vendor::Hashed(hash) => (self.sha256)(&[signer]) == hash,
                Vendor::Known => *signer == self.account.state.vendor,
                Vendor::Unknown => *signer != [0; 32],
            },
            E::Funded => *signer != [0; 32],
        };
        if !right {
            return fault(number, Reason::WrongSigner);
        }
        Ok(())
    }
}

/// Holds an index's history against its account. `added` are its constituents
/// as they are given to the program, `width` bytes each, and `weights` as they
/// lie in the account; `admin` is the market's administrator.
///
/// # Errors
/// As [`market`].
pub fn index(
    account: &IndexHead,
    admin: &Key,
    added: (&[u8], usize),
    weights: &[u8],
    events: &[&[u8]],
    sha256: Sha256,
) -> Audited {
    verify(&account.chain, events.iter().copied(), sha256)?;
    let mut replayed = IndexReplay {
        desk: &account.desk,
        added,
        weights,
        sha256,
        constituents: 0,
        version: 0,
        quoted: Slot(0),
        limits: None,
        given: None,
        reweighted: account.state.weights_version > 1,
        last: IndexChanged::default(),
    };
    for (at, bytes) in events.iter().enumerate() {
        let number = at as u64 + 1;
        let Some(event) = Recorded::parse(bytes) else {
            return fault(number, Reason::NotAnEvent);
        };
        let Some(changed) = event.body::<IndexChanged>() else {
            if number == 1 || event.head.tag != RebalanceExecuted::TAG {
                return fault(number, Reason::NotAnEvent);
            }
            // Trades after a change of weights leave the head as it is.
            continue;
        };
        let signed = match changed.kind == IndexEvent::Quoted as u8 {
            true => event.head.role == Role::Anyone as u8,
            false => event.head.role == Role::Owner as u8 && event.head.signer == *admin,
        };
        if !signed {
            return fault(number, Reason::WrongSigner);
        }
        if !replayed.follows(number, &changed, event.head.slot) {
            return fault(number, Reason::NotReproduced);
        }
    }
    if !replayed.became(account) {
        return fault(account.chain.sequence, Reason::AccountDiffers);
    }
    Ok(())
}

struct IndexReplay<'a> {
    desk: &'a Key,
    added: (&'a [u8], usize),
    weights: &'a [u8],
    sha256: Sha256,
    constituents: u32,
    version: u64,
    quoted: Slot,
    limits: Option<[u8; 32]>,
    /// Hash of weights that replaced the first.
    given: Option<[u8; 32]>,
    /// Whether the account's weights are not the first, which are then gone.
    reweighted: bool,
    last: IndexChanged,
}

impl IndexReplay<'_> {
    /// Takes an event; whether it can follow from those before.
    fn follows(&mut self, number: u64, changed: &IndexChanged, now: Slot) -> bool {
        use IndexEvent as E;
        let Ok(kind) = E::from_code(changed.kind) else {
            return false;
        };
        let (hash, sha256, last) = (&changed.list_hash, self.sha256, self.last);
        let mut right = (kind == E::Created) == (number == 1);
        match kind {
            E::Created => right &= *hash == sha256(&[self.desk]),
            E::ConstituentsAdded if self.reweighted => self.constituents = changed.constituents,
            E::ConstituentsAdded => {
                let (list, width) = self.added;
                let end = part(list, self.constituents as usize, width, hash, sha256);
                self.constituents = end.unwrap_or(0) as u32;
                right &= self.version == 0 && end.is_some();
            }
            E::Sealed => {
                self.version += 1;
                let given = *hash == sha256(&[&sha256(&[self.weights])]);
                right &= self.version == 1 && (given || self.reweighted);
            }
            E::Set => self.limits = Some(*hash),
            E::Quoted => {
                self.quoted = now;
                right &= self.version > 0 && changed.market_sequence >= last.market_sequence;
            }
            E::Rebalanceable | E::WeightsAnnounced => right &= self.version > 0,
            E::WeightsChanged => {
                right &= self.version > 0;
                self.version += 1;
                self.constituents = changed.constituents;
                self.given = Some(*hash);
            }
        }
        if kind != E::Quoted {
            right &= changed.ask == last.ask && changed.market_sequence == last.market_sequence;
        }
        self.last = *changed;
        right
            && changed.constituents == self.constituents
            && changed.weights_version == self.version
    }

    /// Whether the account is what the events lead to.
    fn became(&self, account: &IndexHead) -> bool {
        let (state, quote) = (&account.state, &account.state.quote);
        // As the program is given them; those of the creation are in no event.
        let limits = (self.sha256)(&[
            &state.order_atoms_max.0.to_le_bytes(),
            bytes_of(&[state.quote_slots_max.0, state.quote_lag_max]),
            bytes_of(&[state.chunk_gap_slots.0, state.paused]),
        ]);
        // Both sides are quoted alike; the event has the one for buyers.
        let quoted = quote.bid == quote.ask
            && quote.ask == self.last.ask
            && quote.market_sequence == self.last.market_sequence
            && quote.slot == self.quoted;
        let weights = (self.sha256)(&[self.weights]);
        quoted
            && self.given.is_none_or(|given| given == weights)
            && self.limits.is_none_or(|set| set == limits)
            && account.constituents == self.constituents
            && state.weights_version == self.version
            && u64::from(account.sealed) == self.version.min(1)
    }
}
