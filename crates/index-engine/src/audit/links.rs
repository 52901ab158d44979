//! What an order says of other records, held against their streams.

use super::{Audited, Reason, Recorded, fault};
use crate::amounts::Atoms;
use crate::batch::{BatchEvent, BatchMoved};
use crate::chain::Sha256;
use crate::collateral::{CollateralAction, CollateralMoved};
use crate::machine::Action;
use crate::members::{Line, LotsTaken};
use crate::orders::OrderMoved;
use bytemuck::pod_read_unaligned;
use flagstone_interface::Key;

/// The verified streams that an order refers to.
#[derive(Clone, Copy, Debug)]
pub struct Counterpart<'a> {
    /// Events of the owner's collateral position, all of them.
    pub collateral: &'a [&'a [u8]],
    /// Address of a batch that the order was in, and all its events.
    pub batches: &'a [(Key, &'a [&'a [u8]])],
}

/// Checks every amount that an order took from, or gave to, another record.
///
/// The streams must have passed [`super::verify`]. An order's fills are
/// checked down to the lots: their lines must sum to what it was charged.
///
/// # Errors
/// The first event of the order without a match.
pub fn links(order: &[&[u8]], others: &Counterpart, sha256: Sha256) -> Audited {
    let mut batch: Option<&[&[u8]]> = None;
    for (at, bytes) in order.iter().enumerate() {
        let Some(event) = Recorded::parse(bytes) else {
            return fault(at as u64 + 1, Reason::NotAnEvent);
        };
        let Some(moved) = event.body::<OrderMoved>() else {
            continue;
        };
        let sequence = event.head.sequence;
        let Ok(action) = Action::from_code(moved.action) else {
            return fault(sequence, Reason::NotAnEvent);
        };
        if action == Action::Engage {
            let mut known = others.batches.iter();
            let found = known.find(|(key, _)| *key == moved.step.subject);
            batch = found.map(|(_, events)| *events);
        }
        let order = &event.head.stream;
        let linked = in_collateral(order, action, &moved, others.collateral)
            && in_batch(order, action, &moved, batch.unwrap_or(&[]), sha256);
        if !linked {
            return fault(sequence, Reason::NotLinked);
        }
    }
    Ok(())
}

fn at<'a>(events: &[&'a [u8]], sequence: u64) -> Option<Recorded<'a>> {
    let index = usize::try_from(sequence).ok()?.checked_sub(1)?;
    Recorded::parse(events.get(index)?)
}

fn in_collateral(order: &Key, action: Action, moved: &OrderMoved, events: &[&[u8]]) -> bool {
    let matches = |sequence: u64, kind: CollateralAction, amount: Atoms| {
        let found = at(events, sequence).and_then(|event| event.body::<CollateralMoved>());
        found.is_some_and(|event| {
            event.action == kind as u8 && event.order == *order && event.amount == amount
        })
    };
    let (link, amount) = (moved.step.link, moved.step.amount);
    let taken = match action {
        Action::Hop => amount == Atoms::ZERO || matches(link, CollateralAction::Charge, amount),
        Action::Preauthorise => matches(link, CollateralAction::Authorise, amount),
        Action::ConfirmPayment => matches(link, CollateralAction::Confirm, amount),
        _ => true,
    };
    // What the order lets go of is freed by the position's next event.
    let freed = moved.released == Atoms::ZERO
        || matches(link + 1, CollateralAction::Release, moved.released);
    taken && freed
}

fn in_batch(
    order: &Key,
    action: Action,
    moved: &OrderMoved,
    events: &[&[u8]],
    sha256: Sha256,
) -> bool {
    let step = &moved.step;
    let found = at(events, step.link);
    let same = |event: &BatchMoved, kind: BatchEvent| {
        event.kind == kind as u8 && event.order == *order && event.amount == step.amount
    };
    match action {
        Action::Engage => {
            let event = found.and_then(|event| event.body::<BatchMoved>());
            event.is_some_and(|event| {
                same(&event, BatchEvent::Engaged) && event.tokens == step.quantity
            })
        }
        Action::CarryOver => {
            let event = found.and_then(|event| event.body::<BatchMoved>());
            event.is_some_and(|event| same(&event, BatchEvent::Left))
        }
        Action::Fill => {
            let Some(recorded) = found else { return false };
            let Some(LotsTaken(event)) = recorded.body::<LotsTaken>() else {
                return false;
            };
            let list = recorded.list::<LotsTaken>();
            same(&event, BatchEvent::Taken)
                && event.tokens == step.quantity
                && event.fee == step.fee
                && event.list_hash == step.subject
                && sha256(&[list]) == event.list_hash
                && adds_up(list, &event)
        }
        _ => true,
    }
}

/// Whether the lines of a fill sum to its cost and fee.
fn adds_up(list: &[u8], event: &BatchMoved) -> bool {
    let lines = list.chunks_exact(size_of::<Line>());
    let whole = lines.remainder().is_empty();
    let (mut amount, mut fee) = (0u128, 0u128);
    for line in lines {
        let line: Line = pod_read_unaligned(line);
        amount += u128::from(line.cost.0) + u128::from(line.fee.0);
        fee += u128::from(line.fee.0);
    }
    whole && amount == u128::from(event.amount.0) && fee == u128::from(event.fee.0)
}
