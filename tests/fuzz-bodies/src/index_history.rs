//! Any bytes as accounts and events of the index-vault, and genuine histories
//! with something changed.

use crate::input::Input;
use bytemuck::Zeroable;
use flagstone_index_engine::allotment::{Allotment, AllotmentMoved};
use flagstone_index_engine::amounts::Atoms;
use flagstone_index_engine::audit::{self, DeskHistory, Recorded};
use flagstone_index_engine::batch::{Batch, BatchMoved};
use flagstone_index_engine::chain::{Chain, Journal};
use flagstone_index_engine::collateral::{Collateral, CollateralMoved};
use flagstone_index_engine::inventory::{Assignment, Fill, Stock};
use flagstone_index_engine::market::IndexState;
use flagstone_index_engine::orders::{IndexOrder, OrderMoved, OrderSubmitted};
use flagstone_index_engine::pending::{NewPending, PendingMoved, PendingOrder};
use flagstone_index_engine::rebalance::{RebalanceExecuted, RebalanceHead};
use flagstone_index_engine::records::{IndexChanged, IndexHead, MarketChanged, MarketHead};
use flagstone_index_engine::roles::{Desk, DeskChanged, Party};
use flagstone_index_engine::store;
use flagstone_index_engine::table::Table;
use flagstone_interface::Record;
use flagstone_units::{Side, Slot};

/// Bytes of an account at most.
const ACCOUNT_BYTES: usize = 4_096;

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    solana_sha256_hasher::hashv(parts).to_bytes()
}

/// Feeds `data` to decoders and audits; says which way it took.
///
/// # Panics
/// When a decoder or an audit does, or an altered history is accepted.
pub fn index_history(data: &[u8]) -> Option<usize> {
    let (first, rest) = data.split_first()?;
    let way = usize::from(first % 3);
    match way {
        0 => accounts(rest),
        1 => raw_events(rest),
        _ => altered(&mut Input(rest)),
    }
    Some(way)
}

/// Bytes behind the stamp of each record, in its view.
fn accounts(data: &[u8]) {
    let Some((which, rest)) = data.split_first() else {
        return;
    };
    let length = rest.len().min(ACCOUNT_BYTES - 16);
    let mut words = [0u64; ACCOUNT_BYTES / 8];
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
    bytes[12..12 + length].copy_from_slice(&rest[..length]);
    let bytes = &mut bytes[..12 + length];
    fn stamp<R: Record>(bytes: &mut [u8]) {
        bytes[..8].copy_from_slice(&R::DISCRIMINATOR);
        bytes[8..12].copy_from_slice(&R::VERSION.to_le_bytes());
    }
    fn head<R: Record>(bytes: &mut [u8]) {
        stamp::<R>(bytes);
        let _ = store::record::<R>(bytes).is_ok();
    }
    match which % 8 {
        0 => {
            stamp::<flagstone_index_engine::allotment::AllotmentHead>(bytes);
            if let Ok(share) = Allotment::open(bytes) {
                let _ = share.left(&[0; 32], 0);
            }
        }
        1 => {
            stamp::<flagstone_index_engine::table::TableHead>(bytes);
            if let Ok(mut table) = Table::open(bytes) {
                let length = table.get(0, 0).map_or(0, <[_]>::len);
                let _ = table.write(0, 0, length as u32, [1, 2].into_iter());
            }
        }
        2 => {
            stamp::<flagstone_index_engine::collateral::CollateralPosition>(bytes);
            let _ = Collateral::open(bytes).is_ok();
        }
        3 => {
            stamp::<flagstone_index_engine::inventory::Inventory>(bytes);
            let _ = Stock::open(bytes).is_ok();
        }
        4 => {
            stamp::<flagstone_index_engine::batch::OrderBatch>(bytes);
            let _ = Batch::open(bytes).is_ok();
        }
        5 => {
            head::<IndexOrder>(bytes);
            head::<PendingOrder>(bytes);
        }
        6 => {
            head::<MarketHead>(bytes);
            head::<IndexHead>(bytes);
        }
        _ => {
            head::<RebalanceHead>(bytes);
            if let Ok(head) = store::record::<RebalanceHead>(bytes) {
                let mut state = IndexState::zeroed();
                let _ = head.collect(head.proposed, 3);
                let _ = head.announce([1; 32], Slot(5));
                let _ = head.take_effect(&mut state, Slot(u32::MAX));
                let _ = head.check_value(u128::MAX, 1);
                if let Ok(range) = head.next_legs(7, Slot(0), Slot(9)) {
                    assert!(range.end <= head.legs as usize && range.len() <= 7);
                }
            }
        }
    }
}

/// Bytes as events, cut where they say, and audited as every kind of history.
fn raw_events(data: &[u8]) {
    let mut input = Input(data);
    let mut events: Vec<&[u8]> = Vec::new();
    let mut rest = data;
    while !rest.is_empty() && events.len() < 8 {
        let length = (usize::from(input.byte()) * 2).clamp(1, rest.len());
        let (event, after) = rest.split_at(length);
        events.push(event);
        rest = after;
    }
    for event in &events {
        read(event);
    }
    let chain = Chain::new([3; 32]);
    let all = events.iter().copied();
    assert!(events.is_empty() == audit::verify(&chain, all, sha256).is_ok());
    let desk = Desk::zeroed();
    let nobody: [&[u8]; 0] = [];
    let history = DeskHistory::new(&desk, desk.limits, &nobody, sha256);
    let Ok(history) = history else {
        panic!("a desk without a history");
    };
    let order = IndexOrder::zeroed();
    assert!(audit::order(&order, &history, &events, sha256).is_err());
    let mut scratch = vec![0u64; data.len() / 8 + 1];
    let scratch: &mut [u8] = bytemuck::cast_slice_mut(&mut scratch);
    let _ = audit::collateral(data, scratch, &history, &events, sha256).is_ok();
    let _ = audit::inventory(data, scratch, &history, &events, sha256).is_ok();
    let others = audit::Counterpart {
        collateral: &events,
        batches: &[([0; 32], &events)],
    };
    let _ = audit::links(&events, &others, sha256).is_ok();
}

/// Everything that reads one event.
fn read(event: &[u8]) {
    let Some(event) = Recorded::parse(event) else {
        return;
    };
    let bodies = [
        event.body::<OrderSubmitted>().is_some(),
        event.body::<OrderMoved>().is_some(),
        event.body::<CollateralMoved>().is_some(),
        event.body::<Fill>().is_some(),
        event.body::<Assignment>().is_some(),
        event.body::<BatchMoved>().is_some(),
        event.body::<PendingMoved>().is_some(),
        event.body::<AllotmentMoved>().is_some(),
        event.body::<MarketChanged>().is_some(),
        event.body::<IndexChanged>().is_some(),
        event.body::<DeskChanged>().is_some(),
        event.body::<RebalanceExecuted>().is_some(),
    ];
    let kinds = bodies.iter().filter(|read| **read).count();
    assert!(kinds <= 1, "an event of two kinds");
    assert!(event.list::<IndexChanged>().len() <= event.body.len());
}

/// A genuine history with one thing changed.
fn altered(input: &mut Input<'_>) {
    let mut events: Vec<Vec<u8>> = Vec::new();
    let chain = history(input, &mut events);
    let verified = |events: &[Vec<u8>]| {
        let all = events.iter().map(Vec::as_slice);
        audit::verify(&chain, all, sha256).is_ok()
    };
    assert!(verified(&events), "a genuine history");
    let genuine = events.clone();
    let at = input.byte() as usize % events.len();
    match input.byte() % 5 {
        0 => {
            events.remove(at);
        }
        1 => events.insert(at, events[at].clone()),
        2 => {
            let other = input.byte() as usize % events.len();
            events.swap(at, other);
        }
        3 => {
            let event = &mut events[at];
            let length = usize::from(input.byte()) % event.len();
            event.truncate(length);
        }
        _ => {
            let event = &mut events[at];
            let place = (input.word() % event.len() as u64) as usize;
            event[place] ^= input.byte();
        }
    }
    assert_eq!(verified(&events), events == genuine, "an altered history");
}

/// Makes an order, records what may happen beside it, and cancels it; its chain.
fn history(input: &mut Input<'_>, events: &mut Vec<Vec<u8>>) -> Chain {
    let mut sink = |pieces: &[&[u8]]| events.push(pieces.concat());
    let mut journal = Journal::new(sha256, Slot(7), &mut sink);
    let mut index = IndexState::zeroed();
    let new = NewPending {
        stream: [5; 32],
        index: [6; 32],
        order_id: input.word(),
        side: Side::Bid,
        given: 1 + u64::from(input.byte()),
        limit_atoms: Atoms(1 + u64::from(input.byte())),
    };
    let owner = Party::owner(&[8; 32], &[8; 32]).expect("an owner");
    let order = PendingOrder::make(&new, &owner, &mut index, &mut journal);
    let mut order = order.expect("an order");
    for _ in 0..1 + input.below(4) {
        let changed = IndexChanged {
            kind: input.byte(),
            market_sequence: input.word(),
            ..IndexChanged::default()
        };
        let recorded = journal.record(&mut order.chain, &Party::ANYONE, &changed);
        recorded.expect("a further event");
    }
    let rest = order.cancel(&owner, &mut index, &mut journal);
    assert_eq!(rest, Ok(new.given));
    order.chain
}
