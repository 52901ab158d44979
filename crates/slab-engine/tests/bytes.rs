//! Bytes that are no slab, or no longer one.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::router::reserve;
use common::{Exchange, Rng, params};
use flagstone_interface::Record;
use flagstone_interface::router::Escrow;
use flagstone_interface::slab::{POOLS, SlabHeader};
use flagstone_slab_engine::holds::Reserve;
use flagstone_slab_engine::layout::{order_flags, switches};
use flagstone_slab_engine::{Capacities, Slab, SlabError, SlabSize};
use flagstone_units::{Lots, Side::Ask, Side::Bid, Slot};

/// Words to lay a slab of the small capacities in, and those.
fn blank() -> (Vec<u64>, Capacities) {
    let capacities = Capacities {
        items: common::small(),
    };
    (
        vec![0; capacities.layout_bytes().div_ceil(8) as usize],
        capacities,
    )
}

fn refused(data: &mut [u8]) -> bool {
    matches!(Slab::open(data), Err(SlabError::NotASlab))
}

#[test]
fn s1_a_slab_is_initialised_once() {
    // One look at the first byte was once all that guarded a live slab.
    let (mut words, capacities) = blank();
    let data: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
    Slab::initialize(data, &capacities).unwrap();
    let before = data.to_vec();
    assert_eq!(
        Slab::initialize(data, &capacities),
        Err(SlabError::AlreadyInitialized)
    );
    assert_eq!(data, before);
    for at in [0, 1, 511, 1_023] {
        let (mut words, capacities) = blank();
        let data: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
        data[at] = 1;
        assert_eq!(
            Slab::initialize(data, &capacities),
            Err(SlabError::AlreadyInitialized)
        );
    }
}

#[test]
fn s1_a_slab_survives_being_stored_and_opened_again() {
    let mut exchange = Exchange::new(&params(), 2);
    exchange.post(1, Bid, 990, 10).unwrap();
    let mut words = vec![0u64; exchange.bytes().len() / 8];
    let copy: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
    copy.copy_from_slice(exchange.bytes());
    Slab::open(copy).unwrap().audit().unwrap();
    assert_eq!(copy, exchange.bytes());
}

#[test]
fn s1_short_and_misaligned_data_is_refused() {
    let (mut words, capacities) = blank();
    let bytes = capacities.layout_bytes() as usize;
    let data: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
    for short in [0, 1, 8, 1_023, 1_024, bytes - 1] {
        let result = Slab::initialize(&mut data[..short], &capacities);
        assert_eq!(result, Err(SlabError::BadCapacities), "{short}");
    }
    let shifted = Slab::initialize(&mut data[1..], &SlabSize::Dev.capacities());
    assert!(shifted.is_err());
    Slab::initialize(data, &capacities).unwrap();
    for short in [0, 7, 8, 12, 1_023, 1_024, bytes - 1] {
        assert!(refused(&mut data[..short]), "{short}");
        // SAFETY: whole words that only the engine wrote, cut short.
        let owned = unsafe { Slab::open_owned(&mut data[..short]) };
        assert!(owned.is_err(), "{short}");
    }
    let mut room = vec![0u64; bytes / 8 + 1];
    let room: &mut [u8] = bytemuck::cast_slice_mut(&mut room);
    room[4..4 + bytes].copy_from_slice(data);
    assert!(refused(&mut room[4..4 + bytes]), "not 8-aligned");
}

#[test]
fn e9_other_records_are_no_slab() {
    // Without a discriminator any account of the program could be cast.
    let (mut words, capacities) = blank();
    let data: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
    Slab::initialize(data, &capacities).unwrap();
    let stamp = data[..12].to_vec();
    data[..8].copy_from_slice(&Escrow::DISCRIMINATOR);
    assert!(refused(data));
    data[..12].copy_from_slice(&stamp);
    for version in [0, 2, u32::MAX] {
        data[8..12].copy_from_slice(&version.to_le_bytes());
        assert!(refused(data), "version {version}");
    }
    data[..12].copy_from_slice(&stamp);
    Slab::open(data).unwrap();
}

#[test]
fn e9_a_forged_directory_never_reaches_outside_the_account() {
    let mut exchange = Exchange::new(&params(), 1);
    let genuine = exchange.bytes().to_vec();
    let mut rng = Rng(4);
    let forged = [0, 1, 7, 8, 1_023, 1_024, 0x0100_0000, 0x7fff_ffff, u32::MAX];
    for pool in 0..POOLS {
        for field in [0, 4, 20] {
            for value in forged {
                exchange.bytes().copy_from_slice(&genuine);
                let at = 152 + pool * 24 + field;
                exchange.bytes()[at..at + 4].copy_from_slice(&value.to_le_bytes());
                if exchange.bytes() != genuine {
                    assert!(
                        refused(exchange.bytes()),
                        "pool {pool} field {field} = {value}"
                    );
                }
            }
        }
    }
    // Any words at all: refused, or a slab whose items can all be read.
    for _ in 0..20_000 {
        exchange.bytes().copy_from_slice(&genuine);
        for _ in 0..=rng.below(3) {
            let at = (16 + rng.below(380)) as usize;
            exchange.bytes()[at] = rng.next() as u8;
        }
        if let Ok(slab) = Slab::open(exchange.bytes()) {
            assert_eq!(slab.accounts.iter().count(), 32);
            assert_eq!(slab.root_pages.len(), 1);
        }
    }
}

#[test]
fn s1_no_forged_word_makes_the_audit_panic() {
    // A link, a count or a total that leads outside, in every place there is.
    let mut exchange = Exchange::new(&params(), 2);
    exchange.post(1, Bid, 990, 10).unwrap();
    exchange.post(1, Ask, 1_000, 10).unwrap();
    exchange.ioc(2, Bid, 1_000, 4).unwrap();
    exchange.reserve(&reserve(2, Bid, 1_000, 2)).unwrap();
    let genuine = exchange.bytes().to_vec();
    let (mut opened, mut broken) = (0, 0);
    for at in (0..genuine.len()).step_by(4) {
        for value in [33, 0x7fff_ffff, u32::MAX] {
            let word = at..at + 4;
            exchange.bytes()[word.clone()].copy_from_slice(&u32::to_le_bytes(value));
            if let Ok(slab) = Slab::open(exchange.bytes()) {
                opened += 1;
                broken += u32::from(slab.audit().is_err());
            }
            exchange.bytes()[word.clone()].copy_from_slice(&genuine[word]);
        }
    }
    assert!(opened > 1_000 && broken > 300, "{broken} of {opened}");
    exchange.audit();
}

#[test]
fn s1_a_free_list_or_count_beyond_what_was_handed_out_is_refused() {
    let mut exchange = Exchange::new(&params(), 1);
    let genuine = exchange.bytes().to_vec();
    for pool in 0..POOLS {
        for field in [12, 16] {
            let at = 152 + pool * 24 + field;
            let high_water = &genuine[152 + pool * 24 + 8..][..4];
            let beyond = u32::from_le_bytes(high_water.try_into().unwrap()) + 1;
            exchange.bytes()[at..at + 4].copy_from_slice(&beyond.to_le_bytes());
            assert!(refused(exchange.bytes()), "pool {pool} field {field}");
            exchange.bytes().copy_from_slice(&genuine);
        }
    }
}

#[test]
fn e9_random_bytes_are_refused() {
    let mut rng = Rng(5);
    for _ in 0..2_000 {
        let mut words: Vec<u64> = (0..rng.below(600)).map(|_| rng.next()).collect();
        let data: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
        assert!(refused(data));
        // The same behind a genuine stamp.
        if data.len() >= 12 {
            data[..8].copy_from_slice(&SlabHeader::DISCRIMINATOR);
            data[8..12].copy_from_slice(&SlabHeader::VERSION.to_le_bytes());
            assert!(refused(data));
        }
    }
}

#[test]
fn s1_capacities_that_cannot_be_are_refused() {
    let huge = [1u32 << 24; POOLS];
    for (at, items) in [
        (0, 33),
        (1, 65_536),
        (2, (1 << 24) + 1),
        (3, u32::MAX),
        (9, 0),
    ] {
        let mut capacities = SlabSize::Dev.capacities();
        capacities.items[at] = items;
        let directory = capacities.directory(u64::MAX);
        assert_eq!(
            directory,
            Err(SlabError::BadCapacities),
            "pool {at} of {items}"
        );
    }
    // The sum of offsets passes 32 bits; it must not wrap into range.
    let mut capacities = Capacities { items: huge };
    (capacities.items[0], capacities.items[1]) = (32, 65_535);
    assert_eq!(
        capacities.directory(u64::MAX),
        Err(SlabError::BadCapacities)
    );
}

#[test]
fn s5_the_audit_sees_each_kind_of_damage() {
    // An auditor that passes everything would make every other test worthless.
    type Harm = fn(&mut Slab<'_>);
    let damage: [(&str, Harm); 12] = [
        ("more reserved than rests", |slab| {
            slab.orders[1].reserved_lots = Lots(11)
        }),
        ("a queue that runs in a circle", |slab| {
            slab.orders[2].next = 1
        }),
        ("an order without its elder", |slab| slab.orders[2].prev = 2),
        ("a level's sum", |slab| slab.levels[1].lots.0 += 1),
        ("levels out of order", |slab| slab.levels[2].ticks.0 = 999),
        ("a lost level", |slab| slab.instruments[0].books[0].best = 2),
        ("a node on the wrong bit", |slab| slab.levels[2].bit ^= 31),
        ("an order in no list", |slab| {
            slab.accounts[1].orders_head = 0
        }),
        ("minted cash", |slab| slab.accounts[1].cash_atoms += 1),
        ("lots from nowhere", |slab| slab.positions[1].lots.0 += 1),
        ("wrong open lots", |slab| {
            slab.positions[1].open_bid_lots.0 -= 1
        }),
        ("a lost item", |slab| slab.header.pools[3].live -= 1),
    ];
    for (name, harm) in damage {
        let mut exchange = Exchange::new(&params(), 2);
        exchange.post(1, Bid, 990, 10).unwrap();
        exchange.post(1, Bid, 990, 10).unwrap();
        exchange.post(1, Bid, 980, 10).unwrap();
        exchange.audit();
        let mut slab = exchange.slab();
        harm(&mut slab);
        assert!(slab.audit().is_err(), "the audit does not see {name}");
    }
}

#[test]
fn s5_the_audit_sees_damage_to_queues_holds_and_funding() {
    type Harm = fn(&mut Slab<'_>);
    let damage: [(&str, Harm); 16] = [
        ("a miscounted queue", |slab| {
            slab.instruments[0].pending_count += 1
        }),
        ("a lost youngest order", |slab| {
            slab.instruments[0].pending[1] = slab.instruments[0].pending[0]
        }),
        ("a lost oldest order", |slab| {
            slab.instruments[0].pending[0] = slab.instruments[0].pending[1]
        }),
        ("an order that forgot that it waits", |slab| {
            let index = slab.instruments[0].pending[0];
            slab.orders[index].side_flags &= !order_flags::PENDING;
        }),
        ("an order that waits at a level", |slab| {
            slab.orders[1].side_flags |= order_flags::PENDING
        }),
        ("a torn queue", |slab| {
            let index = slab.instruments[0].pending[1];
            slab.orders[index].prev = index;
        }),
        ("a queue out of order", |slab| {
            let index = slab.instruments[0].pending[0];
            slab.orders[index].batch_epoch += 9;
        }),
        ("an order of another book", |slab| {
            let index = slab.instruments[0].pending[0];
            slab.orders[index].instrument = 1;
        }),
        ("a reserved order that waits", |slab| {
            let index = slab.instruments[0].pending[0];
            slab.orders[index].reserved_lots = Lots(1);
        }),
        ("an order on the wrong side", |slab| {
            slab.orders[1].side_flags ^= 1
        }),
        ("wrong lots of a side", |slab| {
            slab.instruments[0].resting_lots[1] += 1
        }),
        ("wrong lots under holds", |slab| {
            slab.instruments[0].held_lots[1] -= 1
        }),
        ("lots under holds on the wrong side", |slab| {
            slab.instruments[0].held_lots.reverse()
        }),
        ("funding from nowhere", |slab| {
            slab.header.funding_pool_atoms += 1
        }),
        ("funding that nobody paid", |slab| {
            slab.header.funding_pool_atoms -= 100;
            slab.accounts[1].cash_atoms += 100;
        }),
        ("a position that was forgiven its funding", |slab| {
            let longs = slab.positions.iter();
            let (long, _) = longs.max_by_key(|(_, position)| position.lots.0).unwrap();
            slab.positions[long].funding_index += 1 << 20;
        }),
    ];
    for (name, harm) in damage {
        let mut exchange = Exchange::new(&params(), 3);
        exchange.post(1, Ask, 1_010, 10).unwrap();
        exchange.post(1, Ask, 1_000, 3).unwrap();
        exchange.ioc(2, Bid, 1_000, 3).unwrap();
        let order = Reserve {
            ttl: Slot(5),
            ..reserve(2, Bid, 1_010, 4)
        };
        exchange.reserve(&order).unwrap();
        exchange.slab().instruments[0].rules.switches = switches::PENDING;
        exchange.slab().header.batch_slots = 10;
        for ticks in [980, 981, 982] {
            exchange.post(3, Bid, ticks, 5).unwrap();
        }
        exchange.audit();
        let mut slab = exchange.slab();
        harm(&mut slab);
        assert!(slab.audit().is_err(), "the audit does not see {name}");
    }
}
