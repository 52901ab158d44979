//! Any bytes into every decoder that a host may be handed.

use crate::common::{Exchange, key_of, limit, oracle, post_only, router::reserve};
use crate::input::Input;
use crate::setting;
use bytemuck::Zeroable;
use flagstone_interface::Record;
use flagstone_interface::event::{Event, Traded, decode_all};
use flagstone_interface::root::{EMPTY, Hash, Leaf, PAGE_LEVELS, Proof, hash_root, join};
use flagstone_interface::router::{
    Escrow, FundingGrid, InstrumentEntry, Portfolio, RouterConfig, SlabEntry, SlabLedger, Ticket,
    Vault,
};
use flagstone_interface::slab::{PoolId, Reservation, SlabAccount, SlabHeader, item_at};
use flagstone_slab_engine::Slab;
use flagstone_slab_engine::cancels::{Cancelled, Which};
use flagstone_slab_engine::layout::{Instrument, Level, Order, Slice};
use flagstone_slab_engine::oracle::OraclePrice;
use flagstone_units::{Ppm, Side, Slot, Ticks};
use std::panic::{self, AssertUnwindSafe};
use std::sync::OnceLock;

/// Words changed of a genuine slab at most.
const PATCHES_MAX: usize = 64;

/// Feeds `data` to the decoders that its first byte selects.
///
/// # Panics
/// When one accepts what it must refuse, or a slab that was accepted cannot be
/// audited without a panic.
pub fn account_bytes(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    match first % 4 {
        0 => raw(rest),
        1 => forged_slab(rest),
        2 => forged_proof(rest),
        _ => oracle_account(rest),
    }
}

/// Bytes as they are, at every alignment that a buffer can have.
fn raw(data: &[u8]) {
    let mut words = vec![0u64; data.len() / 8 + 2];
    let room: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
    for shift in [0, 1, 4] {
        let bytes = &mut room[shift..shift + data.len()];
        bytes.copy_from_slice(data);
        records(bytes);
        if let Ok(slab) = Slab::open(bytes) {
            read_everything(&slab);
        }
    }
    let mut seen = 0;
    for event in decode_all(data) {
        seen += 1;
        assert!(seen <= data.len(), "events of no length");
        walk(&event);
    }
    if let Some(event) = Event::decode(data) {
        walk(&event);
        let again: Vec<Event> = decode_all(data).collect();
        assert_eq!(again.len(), 1, "one whole event is one event");
    }
}

/// What reads of a decoded event.
fn walk(event: &Event) {
    event.seq();
    match event {
        Event::Held(held) => assert!(held.slices().len() == held.slices_count as usize),
        Event::Traded(traded) => assert!(traded.fills().len() == traded.fills_count as usize),
        _ => {}
    }
}

/// Every record of both programs, and items of a slab by index.
fn records(data: &[u8]) {
    fn stamped<T: Record>(data: &[u8]) {
        if let Some(record) = T::read(data) {
            let bytes = bytemuck::bytes_of(record);
            assert_eq!(bytes, &data[..bytes.len()], "another record was read");
            assert_eq!(bytes[..8], T::DISCRIMINATOR, "a foreign record was read");
        }
    }
    stamped::<SlabHeader>(data);
    stamped::<RouterConfig>(data);
    stamped::<Vault>(data);
    stamped::<Portfolio>(data);
    stamped::<SlabEntry>(data);
    stamped::<SlabLedger>(data);
    stamped::<Escrow>(data);
    stamped::<InstrumentEntry>(data);
    stamped::<Ticket>(data);
    stamped::<FundingGrid>(data);
    for pool in PoolId::ALL {
        for index in [0, 1, 2, 63, 0xffff, u32::MAX] {
            let sized = item_at::<SlabAccount>(data, pool, index).is_some() as u8
                + item_at::<Reservation>(data, pool, index).is_some() as u8
                + item_at::<Instrument>(data, pool, index).is_some() as u8
                + item_at::<Level>(data, pool, index).is_some() as u8
                + item_at::<Order>(data, pool, index).is_some() as u8
                + item_at::<Slice>(data, pool, index).is_some() as u8;
            assert!(sized <= 1, "an item of two sizes");
            assert!(sized == 0 || index != 0, "an item at no index");
        }
    }
}

/// A slab that trades, with some of its words replaced.
fn forged_slab(patches: &[u8]) {
    let mut words = genuine().to_vec();
    let mut input = Input(patches);
    for _ in 0..PATCHES_MAX {
        if input.is_empty() {
            break;
        }
        let (bits, near) = (input.byte(), usize::from(input.byte()));
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
        // The header, its places and the wheel; or anywhere.
        let at = match bits & 3 {
            0 => near * 4,
            _ => (near << 8 | usize::from(input.byte())) * 4,
        } % bytes.len();
        match bits >> 2 & 3 {
            0 => bytes[at] = input.byte(),
            1 => bytes[at..at + 4].copy_from_slice(&u32::from(input.byte()).to_le_bytes()),
            2 => bytes[at..at + 4].copy_from_slice(&(input.word() as u32).to_le_bytes()),
            _ => bytes[at] ^= 1 << (bits >> 5),
        }
    }
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
    records(bytes);
    let Ok(mut slab) = Slab::open(bytes) else {
        return;
    };
    read_everything(&slab);
    if slab.audit().is_ok() {
        operate(&mut slab);
    }
}

/// What a host does with a slab that it was handed: look at all of it.
fn read_everything(slab: &Slab<'_>) {
    let mut sum = 0u64;
    let mut add = |bytes: &[u8]| sum += bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    add(bytemuck::bytes_of(&*slab.header));
    slab.instruments
        .iter()
        .for_each(|item| add(bytemuck::bytes_of(item)));
    slab.accounts
        .iter()
        .for_each(|(_, item)| add(bytemuck::bytes_of(item)));
    slab.levels
        .iter()
        .for_each(|(_, item)| add(bytemuck::bytes_of(item)));
    slab.orders
        .iter()
        .for_each(|(_, item)| add(bytemuck::bytes_of(item)));
    slab.positions
        .iter()
        .for_each(|(_, item)| add(bytemuck::bytes_of(item)));
    slab.reservations
        .iter()
        .for_each(|(_, item)| add(bytemuck::bytes_of(item)));
    slab.slices
        .iter()
        .for_each(|(_, item)| add(bytemuck::bytes_of(item)));
    slab.trades
        .iter()
        .for_each(|item| add(bytemuck::bytes_of(item)));
    slab.ledger
        .iter()
        .for_each(|(_, item)| add(bytemuck::bytes_of(item)));
    slab.root_pages
        .iter()
        .for_each(|item| add(bytemuck::bytes_of(item)));
    std::hint::black_box(sum);
    for index in [0, u32::MAX] {
        assert!(slab.orders.get(index).is_none());
        assert!(slab.accounts.get(index).is_none());
    }
    let past = slab.orders.capacity() + 1;
    assert!(slab.orders.get(past).is_none());
    // Bytes that break an invariant are an error, never a panic.
    std::hint::black_box(slab.audit().is_ok());
}

/// Goes on with a slab whose links are sound but whose numbers may be any: it
/// may panic at one that the engine would never have written, as it would
/// abort an instruction, but it ends, and it stays within its memory.
fn operate(slab: &mut Slab<'_>) {
    let slot = Slot(110);
    quietly(|| slab.expire_next(slot));
    for account in 1..=3 {
        let trader = key_of(7, account);
        for side in [Side::Bid, Side::Ask] {
            let order = limit(account, side, 1_000, 3);
            quietly(|| slab.place(&trader, &order, slot, &mut Traded::zeroed()));
        }
        let which = Which {
            instrument: None,
            side: None,
            most: 32,
        };
        quietly(|| slab.cancel_all(&trader, account, &which, &mut Cancelled::none()));
        quietly(|| slab.releasable_atoms(account, slot));
    }
    for hold in 0..=slab.reservations.capacity() {
        quietly(|| slab.expire_hold(hold, Slot(u32::MAX)));
    }
    quietly(|| slab.batch_open(0, 16, slot));
    quietly(|| slab.publish_root(2, slot));
}

/// Runs something that may panic without telling the fuzzer, which takes every
/// panic for a find.
fn quietly<T>(work: impl FnOnce() -> T) {
    let loud = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    panic::set_hook(loud);
    drop(result);
}

/// A slab with orders, positions, a hold and a committed hold.
fn genuine() -> &'static [u64] {
    static GENUINE: OnceLock<Vec<u64>> = OnceLock::new();
    GENUINE.get_or_init(|| {
        let mut exchange = setting::exchange(&mut Input(&[]));
        build(&mut exchange);
        exchange.audit();
        bytemuck::cast_slice(exchange.bytes()).to_vec()
    })
}

fn build(exchange: &mut Exchange) {
    for (side, ticks) in [(Side::Ask, 1_001), (Side::Ask, 1_003), (Side::Bid, 998)] {
        let order = post_only(1, side, ticks, 6);
        exchange.place(&order).expect("a quote rests");
    }
    let order = post_only(3, Side::Bid, 990, 2);
    exchange.place(&order).expect("a quote rests");
    let order = post_only(3, Side::Bid, 989, 2);
    let (gone, _) = exchange.place(&order).expect("a quote rests");
    let gone = gone.rested.expect("it rests");
    exchange
        .cancel(3, (gone.order, gone.generation))
        .expect("it is cancelled");
    exchange
        .take(&crate::common::ioc(2, Side::Bid, 1_001, 2))
        .expect("a trade");
    let order = reserve(3, Side::Bid, 1_003, 5);
    let held = exchange.reserve(&order).expect("a hold");
    exchange.mint_and_commit(&held).expect("a commit");
    let mut order = reserve(2, Side::Ask, 998, 1);
    order.ttl = Slot(20);
    exchange.reserve(&order).expect("a hold");
}

/// The one leaf that a genuine root has, and everything that proves it.
struct Proven {
    leaf: Leaf,
    siblings: Vec<Hash>,
    root: Hash,
    sum_atoms: i64,
}

fn proven() -> &'static Proven {
    static PROVEN: OnceLock<Proven> = OnceLock::new();
    PROVEN.get_or_init(|| {
        let leaf = Leaf {
            escrow: [9; 32],
            equity_atoms: 1_234,
            deposited_seen_atoms: 1_000,
            account: 6,
            generation: 1,
            slot: Slot(100),
            ..Leaf::zeroed()
        };
        let mut siblings = vec![EMPTY; PAGE_LEVELS as usize];
        siblings[0] = [1; 32];
        siblings[3] = [2; 32];
        let (mut node, index) = (leaf.hash(), leaf.account - 1);
        for (level, sibling) in (0..).zip(&siblings) {
            node = match index >> level & 1 {
                0 => join(level, &node, sibling),
                _ => join(level, sibling, &node),
            };
        }
        Proven {
            root: hash_root(&node, 1, leaf.slot, 5_000),
            leaf,
            siblings,
            sum_atoms: 5_000,
        }
    })
}

/// A proof of any shape, and a genuine one with bits flipped: only the genuine
/// one proves anything.
fn forged_proof(data: &[u8]) {
    let genuine = proven();
    let mut input = Input(data);
    let mut leaf = genuine.leaf;
    let mut siblings = genuine.siblings.clone();
    let (mut pages, mut sum_atoms) = (1, genuine.sum_atoms);
    match input.byte() {
        0 => {}
        1 => pages = input.word() as u32,
        2 => siblings.truncate(input.below(8) as usize),
        3 => siblings.resize(usize::from(input.byte()), EMPTY),
        4 => sum_atoms = input.word() as i64,
        5 => leaf.account = input.word() as u32,
        _ => {
            siblings.resize(usize::from(input.byte()), EMPTY);
            (pages, leaf.account) = (input.word() as u32, input.word() as u32);
        }
    }
    for _ in 0..PATCHES_MAX {
        if input.is_empty() {
            break;
        }
        let (at, flip) = (usize::from(input.byte()), input.byte());
        let mut bytes = bytemuck::bytes_of_mut(&mut leaf)
            .iter_mut()
            .chain(siblings.iter_mut().flatten());
        if let Some(byte) = bytes.nth(at) {
            *byte ^= flip;
        }
    }
    let proof = Proof {
        pages,
        siblings: &siblings,
    };
    let same = pages == 1
        && leaf == genuine.leaf
        && siblings == genuine.siblings
        && sum_atoms == genuine.sum_atoms;
    let proves = proof.verify(&leaf, &genuine.root, sum_atoms);
    assert_eq!(
        proves, same,
        "a forged proof was accepted, or a genuine one refused"
    );
}

/// The oracle's account: read, converted, and brought to a mark.
fn oracle_account(data: &[u8]) {
    let mut input = Input(data);
    let (scale, price_max) = (input.word(), Ticks(input.word() as u32));
    let Ok(price) = OraclePrice::read(input.0) else {
        return;
    };
    std::hint::black_box(price.is_certain(Ppm(scale as u32)));
    if let Ok(ticks) = price.ticks(scale, price_max) {
        assert!(ticks.0 > 0 && ticks <= price_max, "a price out of range");
    }
    let mut exchange = setting::exchange(&mut Input(&[]));
    let time = price.publish_time.saturating_add(scale as u8 as i64);
    // The clock gets as far as half the range of slots in thirty years.
    let slot = Slot(price.posted_slot as u32 / 2);

    let mut fitting = price;
    fitting.feed = oracle::price(1, 1).feed;
    fitting.posted_slot = slot.0.into();
    let brought = exchange.run(|slab| slab.update_mark(setting::ORACLE, &fitting, slot, time));
    if brought.is_ok() {
        exchange.audit();
    }
}
