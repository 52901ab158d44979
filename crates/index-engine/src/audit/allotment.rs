//! Replays of allotments.

use super::replay::{compare, party, run};
use super::{Audited, DeskHistory, Reason, Recorded, fault, verify};
use crate::Result;
use crate::allotment::{Allotment, AllotmentEvent, AllotmentHead, AllotmentMoved, NewAllotment};
use crate::amounts::{Fraction, Quantity};
use crate::batch::ASSETS_MAX;
use crate::chain::{Journal, Sha256};
use crate::market::{IndexState, MarketState};
use crate::pending::{PendingOrder, PendingState};
use crate::roles::{Desk, Party, Role};
use bytemuck::{Zeroable, pod_read_unaligned};
use flagstone_interface::Key;
use flagstone_units::{Side, Slot};

/// Replays an allotment and compares it with its account, cell by cell: the
/// capacity and the fractions that it has are those that were frozen, and no
/// member drew more than its share. `account` is an 8-aligned copy, `scratch`
/// 8-aligned room of the same length.
///
/// # Errors
/// As [`verify`]; [`Reason::NotReproduced`] when the account's capacities or
/// fractions are not those that an event hashed.
pub fn allotment(
    account: &mut [u8],
    scratch: &mut [u8],
    desk: &DeskHistory,
    events: &[&[u8]],
    sha256: Sha256,
) -> Audited {
    let Some(head) = account.get(..size_of::<AllotmentHead>()) else {
        return fault(0, Reason::AccountDiffers);
    };
    let head: AllotmentHead = pod_read_unaligned(head);
    verify(&head.chain, events.iter().copied(), sha256)?;
    let length = account.len();
    let Ok(found) = Allotment::open(account) else {
        return fault(0, Reason::AccountDiffers);
    };
    let room = scratch.get_mut(..length);
    let Some(scratch) = room.filter(|_| head.assets <= ASSETS_MAX) else {
        return fault(0, Reason::AccountDiffers);
    };
    for (at, bytes) in events.iter().enumerate() {
        let event = Recorded::parse(bytes);
        let Some((event, moved)) = event.and_then(|e| Some((e, e.body::<AllotmentMoved>()?)))
        else {
            return fault(at as u64 + 1, Reason::NotAnEvent);
        };
        let party = party(&event, desk)?;
        let mut tried = desk.limits(event.head.slot).filter(|_| at == 0);
        let rest = &events[at..=at];
        let done = if at == 0 {
            // Only the expiry depends on the limits that were in force.
            let expires = |limits: &crate::roles::Limits| {
                let slots = limits.batch_slots.0;
                Slot(event.head.slot.0.saturating_add(slots)) == head.expiry_slot
            };
            let Some(limits) = tried.find(expires) else {
                return fault(1, Reason::AccountDiffers);
            };
            let Ok(at_desk) = Desk::new(desk.address(), [1; 32], limits) else {
                return fault(1, Reason::NotReproduced);
            };
            run(rest, &event, sha256, |journal| {
                create(scratch, &found, &at_desk, &moved, &party, journal)
            })
        } else {
            run(rest, &event, sha256, |journal| {
                again(scratch, &found, &moved, &party, journal)
            })
        };
        done?;
    }
    let sound = draws(scratch, &found);
    if !matches!(sound, Ok(true)) {
        return fault(head.chain.sequence, Reason::AccountDiffers);
    }
    compare(scratch, account, head.chain.sequence)
}

/// Creates it again, with the capacities that the account has.
fn create(
    scratch: &mut [u8],
    found: &Allotment,
    desk: &Desk,
    moved: &AllotmentMoved,
    solver: &Party,
    journal: &mut Journal,
) -> Result<()> {
    if moved.kind != AllotmentEvent::Created as u8 {
        return Err(crate::IndexError::IllegalTransition);
    }
    let mut capacities = [Quantity::ZERO; ASSETS_MAX as usize];
    let used = found.capacities().len();
    for (place, capacity) in capacities.iter_mut().zip(found.capacities()) {
        *place = capacity.quantity;
    }
    let now = journal.slot();
    // A market and a quote that nothing is wrong with: their age is no part of
    // the allotment's history.
    let market = MarketState {
        sequence: moved.market_sequence,
        data_slot: now,
        supply_slot: now,
        ..MarketState::zeroed()
    };
    let mut state = IndexState::zeroed();
    state.quote.market_sequence = moved.market_sequence;
    (state.quote.slot, state.quote.oldest_slot) = (now, now);
    // Of which weights it is, and where its prices start: the event has the hash.
    state.quote_bought = found.head.traded;
    state.quote_sold = found.head.traded;
    state.weights_version = found.head.weights_version;
    state.quote.weights_version = found.head.weights_version;
    let new = NewAllotment {
        stream: found.head.chain.stream,
        index: found.head.index,
        side: Side::from_byte(moved.side).ok_or(crate::IndexError::UnknownCode)?,
        members: found.head.members_max,
        capacities: &capacities[..used],
    };
    scratch.fill(0);
    Allotment::create(scratch, &new, desk, solver, (&market, &state), journal).map(|_| ())
}

/// Takes a recorded action again.
fn again(
    scratch: &mut [u8],
    found: &Allotment,
    moved: &AllotmentMoved,
    party: &Party,
    journal: &mut Journal,
) -> Result<()> {
    let mut allotment = Allotment::open(scratch)?;
    let mut order = member(&found.head.index, moved);
    match AllotmentEvent::from_code(moved.kind)? {
        AllotmentEvent::Created => Err(crate::IndexError::IllegalTransition),
        AllotmentEvent::Joined => {
            let mut fractions = [Fraction::ZERO; ASSETS_MAX as usize];
            let cells = found.cells(allotment.head.members as usize);
            for (place, cell) in fractions.iter_mut().zip(cells) {
                *place = cell.fraction;
            }
            let fractions = &fractions[..cells.len()];
            allotment.join(&mut order, fractions, party, journal)
        }
        AllotmentEvent::Sealed => allotment.seal(party, journal),
        AllotmentEvent::Left => {
            // Refuses one that never joined.
            allotment.left(&moved.order, 0)?;
            order.allotment = allotment.head.chain.stream;
            if party.role() == Role::Owner {
                order.owner = party.key();
            }
            allotment.leave(&mut order, party, journal)
        }
    }
}

/// The order that an event names, as far as an allotment looks at it.
fn member(index: &Key, moved: &AllotmentMoved) -> PendingOrder {
    let mut order = PendingOrder::zeroed();
    order.chain.stream = moved.order;
    order.index = *index;
    order.side = moved.side;
    order.state = PendingState::Open as u8;
    order
}

/// Copies what members drew, which their own streams tell; whether each drew
/// no more than its share.
fn draws(scratch: &mut [u8], found: &Allotment) -> Result<bool> {
    let mut replayed = Allotment::open(scratch)?;
    for member in 0..found.members().len() {
        // Nothing was drawn in the replay: what is left there is the share.
        let (shares, left) = (replayed.cells(member), found.cells(member));
        if shares
            .iter()
            .zip(left)
            .any(|(share, one)| one.left.get() > share.left.get())
        {
            return Ok(false);
        }
        replayed.copy_left(found, member);
    }
    Ok(true)
}
