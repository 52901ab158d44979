//! Events of one stream that another one speaks of: each side must know of the other.

use super::audit::{Case, fills};
use super::records::{Kept, Kind};
use super::report::Finding;
use flagstone_sdk::events::sha256;
use flagstone_sdk::index_engine::amounts::Tokens;
use flagstone_sdk::index_engine::audit::{Counterpart, Recorded, links};
use flagstone_sdk::index_engine::batch::{Batch, BatchEvent, BatchMoved, OrderBatch};
use flagstone_sdk::index_engine::collateral::{
    CollateralAction, CollateralMoved, CollateralPosition,
};
use flagstone_sdk::index_engine::inventory::{Assignment, Inventory};
use flagstone_sdk::index_engine::machine::Action;
use flagstone_sdk::index_engine::members::LotsTaken;
use flagstone_sdk::index_engine::orders::{IndexOrder, OrderMoved};
use flagstone_sdk::read_record;
use solana_address::Address;
use std::collections::{BTreeMap, BTreeSet};

/// Events of other streams that orders name: stream and number.
type Named = BTreeSet<(Address, u64)>;

/// Checks every link, in both directions.
pub(super) fn check(case: &Case, findings: &mut Vec<Finding>) {
    let mut named = Named::new();
    for kept in case.records.of(Kind::Intent) {
        if let Some(order) = read_record::<IndexOrder>(kept.data) {
            of_order(case, kept, &order, &mut named, findings);
        }
    }
    for kept in case.records.of(Kind::Position) {
        unnamed(case, kept, &named, is_for_order, findings);
    }
    for kept in case.records.of(Kind::Batch) {
        unnamed(case, kept, &named, is_of_member, findings);
        bought(case, kept, findings);
    }
    for kept in case.records.of(Kind::Inventory) {
        attributed(case, kept, findings);
    }
    moved_between(case, findings);
}

/// Lots are attributed to orders that were minted, at the same desk.
fn attributed(case: &Case, kept: &Kept, findings: &mut Vec<Finding>) {
    let desk = read_record::<Inventory>(kept.data).map(|inventory| inventory.desk);
    for bytes in case.events(&kept.address) {
        let event = Recorded::parse(bytes);
        let Some((event, assigned)) = event.and_then(|e| Some((e, e.body::<Assignment>()?))) else {
            continue;
        };
        let order: Option<IndexOrder> = case.records.find(Kind::Intent, &assigned.order);
        let minted = order
            .is_some_and(|order| order.holdings.minted > Tokens::ZERO && Some(order.desk) == desk);
        if !minted {
            let what = "the order that the lot is attributed to was not minted";
            findings.push(Finding::at(&kept.address, Some(event.head.sequence), what));
        }
    }
}

/// What an order says of its collateral and its batches.
fn of_order(
    case: &Case,
    kept: &Kept,
    order: &IndexOrder,
    named: &mut Named,
    findings: &mut Vec<Finding>,
) {
    let position = case.records.of(Kind::Position).find(|kept| {
        let position = read_record::<CollateralPosition>(kept.data);
        position.is_some_and(|it| it.desk == order.desk && it.owner == order.owner)
    });
    let position = position.map(|kept| kept.address);
    let batches: Vec<([u8; 32], &[&[u8]])> = case
        .records
        .of(Kind::Batch)
        .map(|kept| (kept.chain.stream, case.events(&kept.address)))
        .collect();
    let others = Counterpart {
        collateral: position.map_or(&[], |position| case.events(&position)),
        batches: &batches,
    };
    let events = case.events(&kept.address);
    if let Err(fault) = links(events, &others, sha256) {
        let what = fault.reason.to_string();
        findings.push(Finding::at(&kept.address, Some(fault.sequence), what));
    }
    let mut batch = None;
    for bytes in events {
        let moved = Recorded::parse(bytes).and_then(|event| event.body::<OrderMoved>());
        let Some((moved, action)) = moved.and_then(|moved| {
            let action = Action::from_code(moved.action).ok()?;
            Some((moved, action))
        }) else {
            continue;
        };
        let link = moved.step.link;
        if action == Action::Engage {
            batch = Some(Address::from(moved.step.subject));
        }
        let stream = match action {
            Action::Engage | Action::Fill | Action::CarryOver => batch,
            _ => position,
        };
        named.extend(stream.map(|stream| (stream, link)));
        if moved.released.0 > 0 {
            named.extend(position.map(|position| (position, link + 1)));
        }
    }
}

/// Whether an event of a collateral position belongs to an order.
fn is_for_order(event: &Recorded) -> bool {
    use CollateralAction as A;
    event.body::<CollateralMoved>().is_some_and(|moved| {
        let orders = [A::Charge, A::Authorise, A::Confirm, A::Release];
        orders.iter().any(|action| *action as u8 == moved.action)
    })
}

/// Whether an event of a batch belongs to a member's order.
fn is_of_member(event: &Recorded) -> bool {
    let moved = event.body::<BatchMoved>();
    event.body::<LotsTaken>().is_some()
        || moved.is_some_and(|moved| {
            moved.kind == BatchEvent::Engaged as u8 || moved.kind == BatchEvent::Left as u8
        })
}

/// Events that an order should have named and none did.
fn unnamed(
    case: &Case,
    kept: &Kept,
    named: &Named,
    concerns: fn(&Recorded) -> bool,
    findings: &mut Vec<Finding>,
) {
    for bytes in case.events(&kept.address) {
        let Some(event) = Recorded::parse(bytes) else {
            continue;
        };
        let number = event.head.sequence;
        if concerns(&event) && !named.contains(&(kept.address, number)) {
            let what = "no order has a matching event";
            findings.push(Finding::at(&kept.address, Some(number), what));
        }
    }
}

/// Every fill of a batch is in the inventory of its asset.
fn bought(case: &Case, kept: &Kept, findings: &mut Vec<Finding>) {
    let Some(batch) = read_record::<OrderBatch>(kept.data) else {
        return;
    };
    let labels = labels(kept);
    let inventory = |label: Option<&u64>| {
        let mut all = case.records.of(Kind::Inventory);
        all.find(|kept| {
            let inventory = read_record::<Inventory>(kept.data);
            inventory.is_some_and(|it| it.desk == batch.desk && Some(&it.asset) == label)
        })
    };
    for bytes in case.events(&kept.address) {
        let event = Recorded::parse(bytes);
        let Some((event, moved)) = event.and_then(|e| Some((e, e.body::<BatchMoved>()?))) else {
            continue;
        };
        // The labels of a closed batch are gone with its lists.
        if moved.kind != BatchEvent::Filled as u8 || labels.is_empty() {
            continue;
        }
        let events = inventory(labels.get(moved.position as usize));
        let events = events.map_or(&[][..], |kept| case.events(&kept.address));
        let known = fills(events).any(|(fill, slot)| {
            fill.number == moved.fill
                && fill.batch == batch.number
                && fill.quantity == moved.quantity
                && fill.price == moved.price
                && fill.fee == moved.fee
                && slot == event.head.slot
        });
        if !known {
            let what = "the inventory of the asset has no such fill";
            findings.push(Finding::at(&kept.address, Some(event.head.sequence), what));
        }
    }
}

/// Labels of a batch's assets; none when it was closed.
fn labels(kept: &Kept) -> Vec<u64> {
    let mut words = vec![0u64; kept.data.len().div_ceil(8)];
    let copy: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
    copy[..kept.data.len()].copy_from_slice(kept.data);
    let batch = Batch::open(&mut copy[..kept.data.len()]);
    batch.map_or_else(
        |_| Vec::new(),
        |batch| batch.assets().iter().map(|asset| asset.label).collect(),
    )
}

/// Lots that change hands between a batch and a carry-over are told by both, alike.
fn moved_between(case: &Case, findings: &mut Vec<Finding>) {
    let mut balance: BTreeMap<Vec<u8>, (i64, Address, u64)> = BTreeMap::new();
    for kept in &case.records.kept {
        let side = match kept.kind {
            Kind::Batch => 1,
            Kind::Carry => -1,
            _ => continue,
        };
        for bytes in case.events(&kept.address) {
            let event = Recorded::parse(bytes);
            let Some((event, moved)) = event.and_then(|e| Some((e, e.body::<BatchMoved>()?)))
            else {
                continue;
            };
            let transfers = [BatchEvent::Drawn, BatchEvent::Retired];
            if !transfers.iter().any(|kind| *kind as u8 == moved.kind) {
                continue;
            }
            let key = [event.body, &event.head.slot.0.to_le_bytes()].concat();
            let entry = balance.entry(key);
            let entry = entry.or_insert((0, kept.address, event.head.sequence));
            entry.0 += side;
            (entry.1, entry.2) = (kept.address, event.head.sequence);
        }
    }
    for (count, stream, number) in balance.into_values() {
        if count != 0 {
            let what = "the lot moved in one of batch and carry-over only";
            findings.push(Finding::at(&stream, Some(number), what));
        }
    }
}
