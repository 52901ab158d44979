//! Replays: the recorded inputs through the engine, from nothing.

use super::{Audited, DeskHistory, Reason, Recorded, fault, verify};
use crate::Result;
use crate::amounts::Atoms;
use crate::chain::{Journal, Sha256};
use crate::collateral::{Collateral, CollateralAction, CollateralMoved, CollateralPosition};
use crate::inventory::{Assignment, Fill, Inventory, Stock};
use crate::machine::Action;
use crate::orders::{IndexOrder, OrderMoved, OrderSubmitted, Submission};
use crate::roles::{Limits, Party, Role};
use bytemuck::{bytes_of, pod_read_unaligned};
use flagstone_interface::Key;
use flagstone_units::Side;

/// Compares what the engine writes into one stream with what was recorded there.
struct Script<'a> {
    stream: Key,
    events: &'a [&'a [u8]],
    written: usize,
    equal: bool,
}

impl Script<'_> {
    fn hear(&mut self, pieces: &[&[u8]]) {
        let named = pieces.first().and_then(|head| head.get(8..40));
        if named != Some(&self.stream[..]) {
            // What the same action writes elsewhere is in another stream's replay.
            return;
        }
        let mut recorded = self.events.get(self.written).copied().unwrap_or(&[]);
        for piece in pieces {
            match recorded.strip_prefix(*piece) {
                Some(rest) => recorded = rest,
                None => self.equal = false,
            }
        }
        self.equal &= recorded.is_empty() && self.written < self.events.len();
        self.written += 1;
    }
}

/// Who signed an event, if the role was theirs.
pub(super) fn party(event: &Recorded, desk: &DeskHistory) -> Audited<Party> {
    let head = &event.head;
    let Ok(role) = Role::from_code(head.role) else {
        return fault(head.sequence, Reason::NotAnEvent);
    };
    let right = match role {
        // An owner's signature is checked against the record by the engine.
        Role::Owner => head.signer != [0; 32],
        Role::Anyone => head.signer == [0; 32],
        Role::Admin => false,
        role => desk.held(role, &head.signer, head.slot),
    };
    let address = match role {
        Role::Owner | Role::Anyone => [0; 32],
        _ => desk.address(),
    };
    match Party::recorded(head.role, head.signer, address) {
        Ok(party) if right => Ok(party),
        _ => fault(head.sequence, Reason::WrongSigner),
    }
}

/// Runs one recorded input; how many events it accounts for.
pub(super) fn run(
    events: &[&[u8]],
    event: &Recorded,
    sha256: Sha256,
    act: impl FnOnce(&mut Journal) -> Result<()>,
) -> Audited<usize> {
    let mut script = Script {
        stream: event.head.stream,
        events,
        written: 0,
        equal: true,
    };
    let mut sink = |pieces: &[&[u8]]| script.hear(pieces);
    let done = act(&mut Journal::new(sha256, event.head.slot, &mut sink));
    if done.is_err() || !script.equal || script.written == 0 {
        return fault(event.head.sequence, Reason::NotReproduced);
    }
    Ok(script.written)
}

/// Replays an order and compares it with its account.
///
/// # Errors
/// As [`verify`], and the first event that the engine does not reproduce.
pub fn order(
    account: &IndexOrder,
    desk: &DeskHistory,
    events: &[&[u8]],
    sha256: Sha256,
) -> Audited {
    verify(&account.chain, events.iter().copied(), sha256)?;
    let mut replayed: Option<IndexOrder> = None;
    for (at, bytes) in events.iter().enumerate() {
        let Some(event) = Recorded::parse(bytes) else {
            return fault(at as u64 + 1, Reason::NotAnEvent);
        };
        let party = party(&event, desk)?;
        let rest = &events[at..=at];
        let sequence = event.head.sequence;
        match (
            event.body::<OrderSubmitted>(),
            event.body::<OrderMoved>(),
            &mut replayed,
        ) {
            (Some(submitted), _, None) => {
                let stream = event.head.stream;
                run(rest, &event, sha256, |journal| {
                    let submission = submission(stream, &submitted)?;
                    replayed = Some(IndexOrder::submit(&submission, &party, journal)?);
                    Ok(())
                })?;
            }
            (_, Some(moved), Some(order)) => {
                let step = |limits: Limits| {
                    let mut next = *order;
                    run(rest, &event, sha256, |journal| {
                        let action = Action::from_code(moved.action)?;
                        next.apply(action, &moved.step, &limits, &party, journal)?;
                        Ok(())
                    })
                    .map(|_| next)
                };
                // The deadline comes of limits too, and no event tells it: of several
                // sets within a slot the one counts that leads to the account's.
                let fits = |next: &IndexOrder| next.deadline_slot == account.deadline_slot;
                let mut able = desk.limits(event.head.slot).filter_map(|at| step(at).ok());
                let Some(first) = able.next() else {
                    return fault(sequence, Reason::NotReproduced);
                };
                let found = (!fits(&first)).then(|| able.find(fits)).flatten();
                *order = found.unwrap_or(first);
            }
            _ => return fault(sequence, Reason::NotReproduced),
        }
    }
    let same = replayed.is_some_and(|order| bytes_of(&order) == bytes_of(account));
    if !same || account.desk != desk.address() {
        return fault(account.chain.sequence, Reason::AccountDiffers);
    }
    Ok(())
}

fn submission(stream: Key, event: &OrderSubmitted) -> Result<Submission> {
    Ok(Submission {
        stream,
        desk: event.desk,
        index: event.index,
        order_id: event.order_id,
        side: Side::from_byte(event.side).ok_or(crate::IndexError::UnknownCode)?,
        amount: event.amount,
    })
}

/// Replays a collateral position and compares it with its account, lot by lot.
/// `scratch` is 8-aligned room of the account's length.
///
/// # Errors
/// As [`order`]; [`Reason::AccountDiffers`] also when `scratch` does not fit.
pub fn collateral(
    account: &[u8],
    scratch: &mut [u8],
    desk: &DeskHistory,
    events: &[&[u8]],
    sha256: Sha256,
) -> Audited {
    let Some(head) = account.get(..size_of::<CollateralPosition>()) else {
        return fault(0, Reason::AccountDiffers);
    };
    let head: CollateralPosition = pod_read_unaligned(head);
    verify(&head.chain, events.iter().copied(), sha256)?;
    scratch.fill(0);
    let capacities = [head.lots.capacity, head.spends.capacity];
    let stream = head.chain.stream;
    let made = Collateral::create(scratch, stream, head.desk, head.owner, capacities);
    let Ok(mut position) = made else {
        return fault(0, Reason::AccountDiffers);
    };
    for (at, bytes) in events.iter().enumerate() {
        let event = Recorded::parse(bytes);
        let Some((event, moved)) = event.and_then(|e| Some((e, e.body::<CollateralMoved>()?)))
        else {
            return fault(at as u64 + 1, Reason::NotAnEvent);
        };
        let party = party(&event, desk)?;
        run(&events[at..=at], &event, sha256, |journal| {
            again(&mut position, &moved, &party, journal)
        })?;
    }
    compare(scratch, account, head.chain.sequence)
}

/// Takes a recorded collateral action again.
fn again(
    position: &mut Collateral,
    moved: &CollateralMoved,
    party: &Party,
    journal: &mut Journal,
) -> Result<()> {
    use CollateralAction as A;
    let (order, amount): (Key, Atoms) = (moved.order, moved.amount);
    match CollateralAction::from_code(moved.action)? {
        A::Deposit => position.deposit(party, moved.deposit, amount, journal),
        A::MakeReady => position.make_ready(party, amount, journal),
        A::Withdraw => position.withdraw(party, amount, journal),
        A::Charge => position.charge(party, order, amount, journal),
        A::Authorise => position.authorise(party, order, amount, journal),
        A::Confirm => position.confirm(party, order, amount, journal).map(|_| ()),
        A::Release => position.release(party, order, amount, journal),
        A::Reclaim => position.reclaim(party, amount, journal),
        A::Archive => position.archive(party, order, journal),
    }
}

/// Replays an inventory and compares it with its account, lot by lot.
/// `scratch` is 8-aligned room of the account's length.
///
/// # Errors
/// As [`collateral`].
pub fn inventory(
    account: &[u8],
    scratch: &mut [u8],
    desk: &DeskHistory,
    events: &[&[u8]],
    sha256: Sha256,
) -> Audited {
    let Some(head) = account.get(..size_of::<Inventory>()) else {
        return fault(0, Reason::AccountDiffers);
    };
    let head: Inventory = pod_read_unaligned(head);
    verify(&head.chain, events.iter().copied(), sha256)?;
    scratch.fill(0);
    let (stream, lots) = (head.chain.stream, head.lots.capacity);
    let Ok(mut stock) = Stock::create(scratch, stream, head.desk, head.asset, lots) else {
        return fault(0, Reason::AccountDiffers);
    };
    let mut at = 0;
    while at < events.len() {
        let Some(event) = Recorded::parse(events[at]) else {
            return fault(at as u64 + 1, Reason::NotAnEvent);
        };
        let party = party(&event, desk)?;
        at += run(&events[at..], &event, sha256, |journal| {
            match (event.body::<Fill>(), event.body::<Assignment>()) {
                (Some(fill), _) => stock.fill(&party, &fill, journal),
                (_, Some(assigned)) => stock.assign(&party, &assigned, journal),
                _ => Err(crate::IndexError::UnknownCode),
            }
        })?;
    }
    compare(scratch, account, head.chain.sequence)
}

pub(super) fn compare(replayed: &[u8], account: &[u8], sequence: u64) -> Audited {
    if replayed != account {
        return fault(sequence, Reason::AccountDiffers);
    }
    Ok(())
}
