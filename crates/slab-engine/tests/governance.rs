//! What the authority of a slab may change, within the registry.
#![allow(missing_docs, reason = "tests")]

mod common;

use common::registry::{apply, delayed, entry, propose, wide, with_oracle};
use common::router::{handle, reserve};
use common::{Exchange, Outcome, key_of, params, post_only, small};
use flagstone_interface::router::InstrumentEntry;
use flagstone_interface::slab::{account_flags, status};
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::governance::{Limits, WHOLE_SLAB};
use flagstone_slab_engine::layout::switches;
use flagstone_units::{Ppm, Side, SignedPpm, Slot};

fn set_limits(exchange: &mut Exchange, limits: Limits) -> Outcome<()> {
    let slot = Slot(exchange.slot);
    exchange.run(|slab| slab.set_limits(&limits, slot))
}

fn limits() -> Limits {
    Limits {
        orders_per_account_max: 10,
        batch_slots: 4,
        insurance_share: Ppm(250_000),
    }
}

/// A change of an entry, and what it is about.
type Bar = (&'static str, fn(&mut InstrumentEntry));

/// Changes of an entry, each of which bars the parameters that it was made for.
const BARS: [Bar; 12] = [
    ("another underlying", |e| e.underlying_id += 1),
    ("another multiplier", |e| e.atoms_per_tick += 1),
    ("not yet", |e| e.active_slot = Slot(101)),
    ("another oracle", |e| e.oracle[31] ^= 1),
    ("another feed", |e| e.oracle_feed[0] ^= 1),
    ("another scale", |e| e.oracle_scale += 1),
    ("initial margin", |e| e.imr_min_ppm += 1),
    ("maintenance margin", |e| e.mmr_min_ppm += 1),
    ("mark", |e| e.mark_move_ticks_max -= 1),
    ("taker fee", |e| e.taker_fee_max_ppm -= 1),
    ("maker fee", |e| e.maker_fee_max_ppm -= 1),
    ("liquidation fee", |e| e.liquidation_fee_max_ppm -= 1),
];

#[test]
fn x10_an_instrument_is_added_exactly_as_its_entry_allows() {
    for params in [params(), with_oracle()] {
        let good = entry(&params);
        for (what, bar) in BARS {
            let mut exchange = Exchange::with(small());
            let mut barred = good;
            // A cap of zero has nothing below it.
            if what.ends_with("fee") && good.taker_fee_max_ppm == 0 {
                continue;
            }
            bar(&mut barred);
            let added = exchange.run(|slab| slab.add_registered(&params, &barred, Slot(100)));
            assert_eq!(added, Err(SlabError::OutsideRegistry), "{what}");
            assert!(exchange.slab().instrument(0).is_err(), "{what}");
        }
        let mut exchange = Exchange::with(small());
        let added = exchange.run(|slab| slab.add_registered(&params, &good, Slot(100)));
        assert_eq!(added, Ok(0));
        exchange.audit();
    }
}

#[test]
fn x10_a_rebate_is_below_every_cap() {
    let mut params = params();
    params.taker_fee = SignedPpm(100);
    params.maker_fee = SignedPpm(-100);
    let mut exchange = Exchange::with(small());
    let entry = entry(&params);
    assert_eq!(entry.maker_fee_max_ppm, 0);
    let added = exchange.run(|slab| slab.add_registered(&params, &entry, Slot(100)));
    assert_eq!(added, Ok(0));
}

#[test]
fn x10_terms_are_checked_against_the_entry_when_proposed_and_when_applied() {
    let params = with_oracle();
    let good = entry(&params);
    for (what, bar) in BARS {
        let mut exchange = delayed(&params, 1, 0);
        let mut barred = good;
        bar(&mut barred);
        let terms = params.terms();
        let proposed = propose(&mut exchange, &terms, &barred);
        assert_eq!(proposed, Err(SlabError::OutsideRegistry), "{what}");
        assert_eq!(
            apply(&mut exchange, &good),
            Err(SlabError::NotDue),
            "{what}"
        );
        // The entry changed between the two.
        propose(&mut exchange, &terms, &good).unwrap();
        let applied = apply(&mut exchange, &barred);
        assert_eq!(applied, Err(SlabError::OutsideRegistry), "{what}");
        apply(&mut exchange, &good).unwrap();
    }
}

#[test]
fn x9_no_instrument_no_terms_and_no_status() {
    let mut exchange = Exchange::new(&params(), 0);
    let (terms, entry) = (params().terms(), wide(&params()));
    for number in [1, 3, 31, 32, 255] {
        let proposed = exchange.run(|slab| slab.propose_terms(number, &terms, &entry, Slot(100)));
        assert_eq!(proposed, Err(SlabError::NoInstrument));
        let applied = exchange.run(|slab| slab.apply_terms(number, &entry, Slot(100)));
        assert_eq!(applied, Err(SlabError::NoInstrument));
        if number != WHOLE_SLAB {
            let set = exchange.run(|slab| slab.set_status(number, status::REDUCE_ONLY));
            assert_eq!(set, Err(SlabError::NoInstrument));
        }
    }
}

#[test]
fn x10_a_status_is_active_or_reduce_only() {
    let mut exchange = Exchange::new(&params(), 1);
    for number in [0, WHOLE_SLAB] {
        for bad in [status::NONE, 3, u32::MAX] {
            let set = exchange.run(|slab| slab.set_status(number, bad));
            assert_eq!(set, Err(SlabError::BadSetting));
        }
        for good in [status::REDUCE_ONLY, status::ACTIVE] {
            exchange.run(|slab| slab.set_status(number, good)).unwrap();
            let slab = exchange.slab();
            let found = match number {
                WHOLE_SLAB => slab.header.status,
                _ => slab.instruments[0].status,
            };
            assert_eq!(found, good);
        }
    }
}

#[test]
fn x10_no_status_bars_cancel_sync_release_or_the_end_of_a_hold() {
    for number in [0, WHOLE_SLAB] {
        let mut exchange = Exchange::new(&params(), 2);
        let first = exchange.post(1, Side::Bid, 990, 5).unwrap();
        exchange.post(1, Side::Bid, 991, 5).unwrap();
        let held = exchange.reserve(&reserve(2, Side::Ask, 991, 5)).unwrap();
        let closing = exchange.run(|slab| slab.set_status(number, status::REDUCE_ONLY));
        closing.unwrap();
        exchange.cancel(1, first).unwrap().expect("it rested");
        assert_eq!(exchange.deposit(1, 77), Ok(77));
        let slot = Slot(exchange.slot);
        let released = exchange.run(|slab| slab.release(&key_of(7, 1), 1, 77, slot));
        released.unwrap();
        let (hold, generation) = handle(&held);
        let ended = exchange.run(|slab| slab.cancel_hold(&key_of(7, 2), 2, hold, generation, slot));
        ended.unwrap().expect("it stood");
        exchange.audit();
    }
}

#[test]
fn x9_designated_liquidity_providers_are_named_and_dismissed() {
    let mut exchange = Exchange::new(&params(), 1);
    exchange.freeze(1, true);
    for on in [true, true, false, false] {
        exchange.run(|slab| slab.set_dlp(1, on)).unwrap();
        let flags = exchange.slab().accounts[1].flags;
        assert_eq!(flags & account_flags::DLP != 0, on);
        assert_eq!(flags & account_flags::FROZEN, account_flags::FROZEN);
    }
    for account in [0, 2, 33, u32::MAX] {
        let set = exchange.run(|slab| slab.set_dlp(account, true));
        assert_eq!(set, Err(SlabError::NoAccount));
    }
}

#[test]
fn x9_limits_are_bounded() {
    let mut exchange = Exchange::new(&params(), 0);
    let bad: [fn(&mut Limits); 6] = [
        |l| l.orders_per_account_max = 0,
        |l| l.orders_per_account_max = 65_536,
        |l| l.batch_slots = 1_001,
        |l| l.batch_slots = u32::MAX,
        |l| l.insurance_share = Ppm(1_000_001),
        |l| l.insurance_share = Ppm(u32::MAX),
    ];
    for spoil in bad {
        let mut limits = limits();
        spoil(&mut limits);
        assert_eq!(
            set_limits(&mut exchange, limits),
            Err(SlabError::BadSetting)
        );
    }
    for edge in [
        Limits {
            orders_per_account_max: 1,
            batch_slots: 1_000,
            insurance_share: Ppm(1_000_000),
        },
        Limits {
            orders_per_account_max: 65_535,
            batch_slots: 0,
            insurance_share: Ppm(0),
        },
        limits(),
    ] {
        set_limits(&mut exchange, edge).unwrap();
        let header = *exchange.slab().header;
        let found = Limits {
            orders_per_account_max: header.orders_per_account_max,
            batch_slots: header.batch_slots,
            insurance_share: header.insurance_share,
        };
        assert_eq!(found, edge);
    }
}

#[test]
fn t6_a_lower_cap_on_orders_bars_new_ones_and_keeps_the_old() {
    let mut exchange = Exchange::new(&params(), 1);
    let handles: Vec<_> = (0..3)
        .map(|at| exchange.post(1, Side::Bid, 990 + at, 1).unwrap())
        .collect();
    let lower = Limits {
        orders_per_account_max: 2,
        ..limits()
    };
    set_limits(&mut exchange, lower).unwrap();
    for handle in &handles[..2] {
        let refused = exchange.post(1, Side::Bid, 980, 1);
        assert_eq!(refused, Err(SlabError::AccountOrdersFull));
        exchange.cancel(1, *handle).unwrap().expect("it rested");
        exchange.audit();
    }
    exchange.post(1, Side::Bid, 980, 1).unwrap();
}

#[test]
fn x9_s4_batches_of_another_length_go_on_counting() {
    let mut params = params();
    params.rules.switches = switches::PENDING;
    let mut exchange = Exchange::new(&params, 1);
    exchange.slot = 1_007;
    let mut last = 0;
    // Longer, shorter, none at all, and again.
    for length in [4, 1_000, 10, 0, 4, 7, 0, 1_000] {
        let limits = Limits {
            batch_slots: length,
            ..limits()
        };
        set_limits(&mut exchange, limits).unwrap();
        let slot = Slot(exchange.slot);
        let window = exchange.slab().header.batch_window(slot);
        assert_eq!(window.is_none(), length == 0);
        if let Some(window) = window {
            assert!(window > last || last == 0, "{window} after {last}");
            exchange.slot += 3 * length;
            let slot = Slot(exchange.slot);
            let later = exchange.slab().header.batch_window(slot);
            assert_eq!(later, Some(window + 3));
            last = window + 3;
        }
        exchange.slot += 1;
    }
}

#[test]
fn x9_orders_that_wait_are_due_when_the_length_of_batches_changes() {
    for length in [1, 1_000] {
        let mut params = params();
        params.rules.switches = switches::PENDING;
        let mut exchange = Exchange::new(&params, 1);
        set_limits(&mut exchange, limits()).unwrap();
        let (placed, _) = exchange.place(&post_only(1, Side::Bid, 990, 5)).unwrap();
        assert_ne!(placed.batch_epoch, 0);
        // Without batches nothing would ever promote it.
        let none = Limits {
            batch_slots: 0,
            ..limits()
        };
        assert_eq!(set_limits(&mut exchange, none), Err(SlabError::BadSetting));
        let other = Limits {
            batch_slots: length,
            ..limits()
        };
        set_limits(&mut exchange, other).unwrap();
        let slot = Slot(exchange.slot);
        let batch = exchange.run(|slab| slab.batch_open(0, 16, slot)).unwrap();
        assert_eq!(batch.promoted_count, 1);
        exchange.audit();
        assert_eq!(exchange.depth(0, Side::Bid), [(990, 5)]);
        set_limits(&mut exchange, none).unwrap();
    }
}

#[test]
fn x9_authority_changes_hands_in_two_steps() {
    let mut exchange = Exchange::new(&params(), 0);
    let (old, new, other) = ([1; 32], [2; 32], [3; 32]);
    let zero = [0; 32];
    exchange.slab().header.authority = old;
    for nobody in [zero, old, new] {
        let taken = exchange.run(|slab| slab.take_over(&nobody));
        assert_eq!(taken, Err(SlabError::WrongAuthority), "nobody was named");
    }
    exchange.slab().hand_over(&new);
    assert_eq!(exchange.slab().require_authority(&old), Ok(()));
    let wrong = Err(SlabError::WrongAuthority);
    assert_eq!(exchange.slab().require_authority(&new), wrong);
    for thief in [zero, old, other] {
        assert_eq!(exchange.run(|slab| slab.take_over(&thief)), wrong);
    }
    // Named by mistake, withdrawn, named again.
    exchange.slab().hand_over(&zero);
    assert_eq!(exchange.run(|slab| slab.take_over(&new)), wrong);
    assert_eq!(exchange.run(|slab| slab.take_over(&zero)), wrong);
    exchange.slab().hand_over(&new);
    exchange.run(|slab| slab.take_over(&new)).unwrap();
    assert_eq!(exchange.slab().require_authority(&new), Ok(()));
    assert_eq!(exchange.slab().require_authority(&old), wrong);
    assert_eq!(exchange.run(|slab| slab.take_over(&new)), wrong, "once");
}
