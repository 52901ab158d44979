//! The registry of instruments, terms with delays, and the slab's authority,
//! on the real programs.
#![allow(missing_docs, reason = "tests")]

use core::mem::offset_of;
use flagstone_e2e_tests::forge::{account, plant_copy, spoilers, stranger, swapped, while_changed};
use flagstone_e2e_tests::hostile::{called, deploy};
use flagstone_e2e_tests::refusal::{UNSIGNED, Why, refused};
use flagstone_e2e_tests::tiny::{capacities, header, new_slab};
use flagstone_e2e_tests::{MARK, QUOTE, audit, exchange, ok, session};
use flagstone_sdk::embedded::Exchange;
use flagstone_sdk::embedded::exchange::standard_instrument;
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::governance::Limits;
use flagstone_sdk::engine::instruments::InstrumentParams;
use flagstone_sdk::engine::layout::{Instrument, Terms};
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::interface::router::{InstrumentEntry, RouterConfig};
use flagstone_sdk::interface::slab::status;
use flagstone_sdk::router::{Delays, InstrumentRules};
use flagstone_sdk::units::{Lots, Ppm, SignedPpm, Ticks};
use flagstone_sdk::{address, router, slab};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::slice::from_ref;

/// Delay of the registry in [`delayed`], in slots.
const REGISTRY: u32 = 1_000;
/// Delay of terms there.
const TERMS: u32 = 300;

fn good() -> InstrumentParams {
    standard_instrument(Ticks(MARK))
}

/// Facts of [`good`], with floors and caps at its own values.
fn tight() -> InstrumentRules {
    let params = good();
    InstrumentRules {
        imr_min_ppm: params.imr.0,
        mmr_min_ppm: params.mmr.0,
        mark_move_ticks_max: params.mark_move_max.0,
        taker_fee_max_ppm: params.taker_fee.0 as u32,
        maker_fee_max_ppm: 0,
        liquidation_fee_max_ppm: 0,
        ..InstrumentRules::wide(&params)
    }
}

/// An exchange without instruments where everything has a delay.
fn delayed() -> Exchange {
    let delays = Delays {
        instrument_slots: REGISTRY,
        terms_slots_min: TERMS,
    };
    Exchange::open_with(session(), SlabSize::Dev, &delays).unwrap_or_else(|e| panic!("{e}"))
}

fn register(exchange: &Exchange, number: u8, rules: &InstrumentRules) -> Instruction {
    router::register_instrument(&exchange.admin.pubkey(), &exchange.slab, number, rules)
}

fn add(exchange: &Exchange, number: u8, params: &InstrumentParams) -> Instruction {
    slab::add_instrument(&exchange.admin.pubkey(), &exchange.slab, number, params)
}

fn propose(exchange: &Exchange, terms: &Terms) -> Instruction {
    slab::propose_terms(&exchange.admin.pubkey(), &exchange.slab, 0, terms)
}

/// Sends what the administrator signs.
#[track_caller]
fn by_admin(exchange: &mut Exchange, instruction: Instruction) -> Vec<Event> {
    let admin = exchange.admin.insecure_clone();
    ok(exchange.session.send(&[instruction], &[&admin])).events
}

#[track_caller]
fn refuse_admin(exchange: &mut Exchange, instruction: &Instruction, why: impl Into<Why>) {
    let admin = exchange.admin.insecure_clone();
    refused(&mut exchange.session, from_ref(instruction), &[&admin], why);
}

#[track_caller]
fn refuse_anyone(exchange: &mut Exchange, instruction: &Instruction, why: impl Into<Why>) {
    refused(&mut exchange.session, from_ref(instruction), &[], why);
}

fn wait(exchange: &mut Exchange, slots: u32) {
    let slot = exchange.session.slot();
    exchange.session.warp_to(slot + u64::from(slots));
}

fn instrument(exchange: &Exchange) -> Instrument {
    let read = |slab: &flagstone_sdk::engine::Slab<'_>| slab.instruments[0];
    exchange
        .session
        .with_slab(&exchange.slab, read)
        .expect("a slab")
}

/// Every instruction of the slab's authority, on instrument 0 and account 1.
fn administration(exchange: &Exchange, authority: &Address) -> Vec<Instruction> {
    let slab_key = exchange.slab;
    let limits = Limits {
        orders_per_account_max: 7,
        batch_slots: 3,
        insurance_share: Ppm(5),
    };
    vec![
        slab::add_instrument(authority, &slab_key, 1, &good()),
        slab::propose_terms(authority, &slab_key, 0, &good().terms()),
        slab::set_status(authority, &slab_key, 0, status::REDUCE_ONLY),
        slab::set_status(authority, &slab_key, 255, status::REDUCE_ONLY),
        slab::set_dlp(authority, &slab_key, 1, true),
        slab::set_limits(authority, &slab_key, &limits),
        slab::hand_over(authority, &slab_key, &[7; 32]),
    ]
}

#[test]
fn p10_x10_an_instrument_waits_for_the_delay_of_its_entry() {
    let mut exchange = delayed();
    let (admin, slab_key) = (exchange.admin.pubkey(), exchange.slab);
    let add = add(&exchange, 0, &good());
    // Without an entry, with one that is not active yet, and with it.
    refuse_admin(&mut exchange, &add, SlabError::WrongRecord);
    let slot = exchange.session.slot() as u32;
    let entry = register(&exchange, 0, &tight());
    by_admin(&mut exchange, entry.clone());
    let key = address::instrument_entry(&slab_key, 0);
    let record: InstrumentEntry = exchange.session.record(&key).expect("an entry");
    assert_eq!(record.active_slot.0, slot + REGISTRY);
    assert_eq!((record.slab, record.instrument), (slab_key.to_bytes(), 0));
    refuse_admin(&mut exchange, &add, SlabError::OutsideRegistry);
    wait(&mut exchange, REGISTRY - 1);
    refuse_admin(&mut exchange, &add, SlabError::OutsideRegistry);
    // Replaced one slot before: the delay starts anew.
    by_admin(&mut exchange, entry);
    wait(&mut exchange, REGISTRY - 1);
    refuse_admin(&mut exchange, &add, SlabError::OutsideRegistry);
    wait(&mut exchange, 1);
    by_admin(&mut exchange, add);
    audit(&exchange);
    let config: RouterConfig = exchange.session.record(&address::config()).expect("one");
    assert_eq!(
        (config.instrument_delay_slots, config.admin),
        (REGISTRY, admin.to_bytes())
    );
}

#[test]
fn p10_only_the_administrator_registers_instruments() {
    let mut exchange = delayed();
    let thief = exchange.session.new_wallet();
    let stolen = router::register_instrument(&thief.pubkey(), &exchange.slab, 0, &tight());
    let session = &mut exchange.session;
    refused(
        session,
        from_ref(&stolen),
        &[&thief],
        RouterError::WrongAdmin,
    );
    let mut unsigned = register(&exchange, 0, &tight());
    unsigned.accounts[0].is_signer = false;
    refuse_anyone(&mut exchange, &unsigned, UNSIGNED);
    // Not through another program either.
    deploy(&mut exchange.session);
    let called = called(&register(&exchange, 0, &tight()));
    refuse_admin(&mut exchange, &called, RouterError::CalledByProgram);
}

#[test]
fn p10_an_entry_is_written_at_its_own_address_for_a_registered_slab_only() {
    let mut exchange = delayed();
    let entry = register(&exchange, 0, &tight());
    let slab_key = exchange.slab;
    for elsewhere in [
        stranger(),
        address::instrument_entry(&slab_key, 1),
        address::instrument_entry(&stranger(), 0),
        address::slab_entry(&stranger()),
        address::config(),
    ] {
        let moved = swapped(&entry, 3, elsewhere);
        let why = match elsewhere == address::config() {
            // A record of the Router that exists, named twice.
            true => Why::Code(2040),
            false => RouterError::WrongAddress.into(),
        };
        refuse_admin(&mut exchange, &moved, why);
    }
    // A slab that nobody registered has no entry to be named by.
    let nobodys = router::register_instrument(&exchange.admin.pubkey(), &stranger(), 0, &tight());
    refuse_admin(&mut exchange, &nobodys, RouterError::WrongRecord);
    for place in [1, 2] {
        let original = entry.accounts[place].pubkey;
        for spoil in spoilers() {
            let forged = plant_copy(&mut exchange.session, &original, spoil);
            let forged = swapped(&entry, place, forged);
            refuse_admin(&mut exchange, &forged, RouterError::WrongRecord);
        }
    }
}

#[test]
fn p10_entries_that_make_no_sense_are_refused() {
    let mut exchange = delayed();
    let bad: [fn(&mut InstrumentRules); 10] = [
        |r| r.atoms_per_tick = 0,
        |r| r.mark_move_ticks_max = 0,
        |r| r.imr_min_ppm = 1_000_001,
        |r| r.mmr_min_ppm = r.imr_min_ppm + 1,
        |r| r.taker_fee_max_ppm = 1_000_001,
        |r| r.maker_fee_max_ppm = u32::MAX,
        |r| r.liquidation_fee_max_ppm = 1_000_001,
        |r| r.oracle = [1; 32],
        |r| r.oracle_feed = [1; 32],
        |r| r.oracle_scale = 1,
    ];
    for spoil in bad {
        let mut rules = tight();
        spoil(&mut rules);
        let entry = register(&exchange, 0, &rules);
        refuse_admin(&mut exchange, &entry, RouterError::BadInstrument);
    }
    for number in [32, 255] {
        let entry = register(&exchange, number, &tight());
        refuse_admin(&mut exchange, &entry, RouterError::BadInstrument);
    }
    let last = register(&exchange, 31, &tight());
    by_admin(&mut exchange, last);
}

#[test]
fn x10_forged_entries_and_those_of_others_are_no_entries() {
    let mut exchange = exchange(SlabSize::Dev);
    let other = ok(exchange.add_slab("other", SlabSize::Dev));
    let admin = exchange.admin.pubkey();
    for (slab_key, number) in [(exchange.slab, 1), (exchange.slab, 2), (other, 1)] {
        let entry = router::register_instrument(&admin, &slab_key, number, &tight());
        by_admin(&mut exchange, entry);
    }
    let terms = propose(&exchange, &good().terms());
    by_admin(&mut exchange, terms.clone());
    let add = add(&exchange, 1, &good());
    let apply = slab::apply_terms(&exchange.slab, 0);
    // Where each lists the entry, and the instrument that it is for.
    for (instruction, place) in [(&add, 2), (&terms, 2), (&apply, 1)] {
        let own = instruction.accounts[place].pubkey;
        // Another number, another slab, another record of the Router, no record.
        let mut others = vec![
            address::instrument_entry(&exchange.slab, 2),
            address::instrument_entry(&other, 1),
            address::slab_entry(&exchange.slab),
            address::config(),
            address::instrument_entry(&exchange.slab, 9),
            exchange.mint,
        ];
        // The right bytes under another owner, or spoiled.
        let same = |copy: &mut solana_account::Account| copy.owner = address::SLAB;
        others.push(plant_copy(&mut exchange.session, &own, same));
        for spoil in spoilers() {
            others.push(plant_copy(&mut exchange.session, &own, spoil));
        }
        for forged in others {
            let forged = swapped(instruction, place, forged);
            match place {
                1 => refuse_anyone(&mut exchange, &forged, SlabError::WrongRecord),
                _ => refuse_admin(&mut exchange, &forged, SlabError::WrongRecord),
            }
        }
    }
    by_admin(&mut exchange, add);
    by_admin(&mut exchange, terms);
    ok(exchange.session.send(&[apply], &[]));
}

#[test]
fn x10_parameters_beyond_floors_and_caps_are_outside_the_registry() {
    let mut exchange = exchange(SlabSize::Dev);
    let tight = register(&exchange, 1, &tight());
    by_admin(&mut exchange, tight);
    let beyond: [fn(&mut InstrumentParams); 8] = [
        |p| p.underlying_id = 2,
        |p| p.atoms_per_tick -= 1,
        |p| p.imr = Ppm(99_999),
        |p| p.mmr = Ppm(49_999),
        |p| p.mark_move_max.0 += 1,
        |p| p.taker_fee = SignedPpm(501),
        |p| p.maker_fee = SignedPpm(1),
        |p| {
            (p.oracle, p.oracle_scale) = ([9; 32], 1_000_000);
            p.mark_move_max = Ticks(1);
            p.rules.oracle_age_max.0 = 10;
            p.rules.oracle_confidence_max = Ppm(1_000);
        },
    ];
    for spoil in beyond {
        let mut params = good();
        spoil(&mut params);
        let add = add(&exchange, 1, &params);
        refuse_admin(&mut exchange, &add, SlabError::OutsideRegistry);
    }
    let add = add(&exchange, 1, &good());
    by_admin(&mut exchange, add);
    audit(&exchange);
}

/// [`delayed`] with an instrument under the rules of [`tight`].
fn trading() -> Exchange {
    let mut exchange = delayed();
    let entry = register(&exchange, 0, &tight());
    by_admin(&mut exchange, entry);
    wait(&mut exchange, REGISTRY);
    let add = add(&exchange, 0, &good());
    by_admin(&mut exchange, add);
    exchange
}

#[test]
fn s2_terms_come_into_force_after_their_delay_for_anyone_who_asks() {
    let mut exchange = trading();
    let mut terms = good().terms();
    terms.order_lots_min = Lots(3);
    terms.imr = Ppm(200_000);
    let apply = slab::apply_terms(&exchange.slab, 0);
    refuse_anyone(&mut exchange, &apply, SlabError::NotDue);
    let slot = exchange.session.slot() as u32;
    let proposal = propose(&exchange, &terms);
    let [Event::TermsProposed(event)] = by_admin(&mut exchange, proposal)[..] else {
        panic!("no event")
    };
    assert_eq!((event.instrument, { event.due_slot }), (0, slot + TERMS));
    refuse_anyone(&mut exchange, &apply, SlabError::NotDue);
    wait(&mut exchange, TERMS - 1);
    refuse_anyone(&mut exchange, &apply, SlabError::NotDue);
    assert_eq!(instrument(&exchange).terms(), good().terms());
    wait(&mut exchange, 1);
    let receipt = ok(exchange.session.send(from_ref(&apply), &[]));
    let [Event::TermsApplied(event)] = receipt.events[..] else {
        panic!("no event")
    };
    assert_eq!(event.instrument, 0);
    assert_eq!(instrument(&exchange).terms(), terms);
    refuse_anyone(&mut exchange, &apply, SlabError::NotDue);
    audit(&exchange);
}

#[test]
fn x10_a_replaced_entry_bars_terms_until_its_own_delay_has_passed() {
    let mut exchange = trading();
    let mut terms = good().terms();
    terms.taker_fee = SignedPpm(600);
    let dearer = propose(&exchange, &terms);
    refuse_admin(&mut exchange, &dearer, SlabError::OutsideRegistry);
    let same = propose(&exchange, &good().terms());
    by_admin(&mut exchange, same.clone());
    wait(&mut exchange, TERMS);
    let mut rules = tight();
    rules.taker_fee_max_ppm = 600;
    let entry = register(&exchange, 0, &rules);
    by_admin(&mut exchange, entry);
    // Neither what the old entry allowed nor what the new one will.
    let apply = slab::apply_terms(&exchange.slab, 0);
    refuse_anyone(&mut exchange, &apply, SlabError::OutsideRegistry);
    for proposal in [&same, &dearer] {
        refuse_admin(&mut exchange, proposal, SlabError::OutsideRegistry);
    }
    // Trading goes on meanwhile.
    let member = ok(exchange.join(1_000 * QUOTE, 1_000 * QUOTE));
    use flagstone_sdk::engine::requests::OrderKind;
    use flagstone_sdk::units::Side;
    ok(exchange.place(&member, OrderKind::PostOnly, Side::Bid, MARK, 1));
    wait(&mut exchange, REGISTRY);
    by_admin(&mut exchange, dearer);
    wait(&mut exchange, TERMS);
    ok(exchange.session.send(&[apply], &[]));
    assert_eq!(instrument(&exchange).taker_fee, SignedPpm(600));
    audit(&exchange);
}

#[test]
fn x9_only_the_authority_administers() {
    let mut exchange = exchange(SlabSize::Dev);
    let member = ok(exchange.join(1_000 * QUOTE, 1_000 * QUOTE));
    let admin = exchange.admin.pubkey();
    let entry = register(&exchange, 1, &tight());
    by_admin(&mut exchange, entry);
    for key in [&member.wallet, &member.trader, &Keypair::new()] {
        for attempt in administration(&exchange, &key.pubkey()) {
            let session = &mut exchange.session;
            refused(session, &[attempt], &[key], SlabError::WrongAuthority);
        }
    }
    deploy(&mut exchange.session);
    for attempt in administration(&exchange, &admin) {
        let mut unsigned = attempt.clone();
        unsigned.accounts[1].is_signer = false;
        refuse_anyone(&mut exchange, &unsigned, UNSIGNED);
        refuse_admin(&mut exchange, &called(&attempt), SlabError::CalledByProgram);
    }
    for attempt in administration(&exchange, &admin) {
        assert_eq!(by_admin(&mut exchange, attempt).len(), 1);
    }
    audit(&exchange);
}

#[test]
fn x9_settings_out_of_range_are_refused() {
    let mut exchange = exchange(SlabSize::Dev);
    ok(exchange.join(1_000 * QUOTE, 1_000 * QUOTE));
    let (admin, slab_key) = (exchange.admin.pubkey(), exchange.slab);
    let limits = |orders_per_account_max, batch_slots, share| {
        let limits = Limits {
            orders_per_account_max,
            batch_slots,
            insurance_share: Ppm(share),
        };
        slab::set_limits(&admin, &slab_key, &limits)
    };
    let mut on = slab::set_dlp(&admin, &slab_key, 1, true);
    *on.data.last_mut().expect("data") = 2;
    for (bad, why) in [
        (limits(0, 0, 0), SlabError::BadSetting),
        (limits(65_536, 0, 0), SlabError::BadSetting),
        (limits(1, 1_001, 0), SlabError::BadSetting),
        (limits(1, 0, 1_000_001), SlabError::BadSetting),
        (on, SlabError::BadSetting),
        (
            slab::set_status(&admin, &slab_key, 0, 0),
            SlabError::BadSetting,
        ),
        (
            slab::set_status(&admin, &slab_key, 255, 3),
            SlabError::BadSetting,
        ),
        (
            slab::set_status(&admin, &slab_key, 1, 1),
            SlabError::NoInstrument,
        ),
        (
            slab::set_dlp(&admin, &slab_key, 0, true),
            SlabError::NoAccount,
        ),
        (
            slab::set_dlp(&admin, &slab_key, 2, true),
            SlabError::NoAccount,
        ),
    ] {
        refuse_admin(&mut exchange, &bad, why);
    }
    let set = by_admin(&mut exchange, limits(65_535, 1_000, 1_000_000));
    let [Event::LimitsSet(event)] = set[..] else {
        panic!("no event")
    };
    assert_eq!({ event.batch_slots }, 1_000);
    let found = header(&exchange);
    assert_eq!(
        (found.orders_per_account_max, found.batch_slots),
        (65_535, 1_000)
    );
    assert_eq!(found.insurance_share, Ppm(1_000_000));
}

#[test]
fn x9_authority_is_handed_over_in_two_steps() {
    let mut exchange = exchange(SlabSize::Dev);
    let (admin, slab_key) = (exchange.admin.pubkey(), exchange.slab);
    let (next, thief) = (exchange.session.new_wallet(), exchange.session.new_wallet());
    let take = |key: &Keypair| slab::take_over(&key.pubkey(), &slab_key);
    let wrong = SlabError::WrongAuthority;
    for key in [&next, &thief] {
        refused(&mut exchange.session, &[take(key)], &[key], wrong);
    }
    let name = |key: [u8; 32]| slab::hand_over(&admin, &slab_key, &key);
    let [Event::AuthoritySet(event)] = by_admin(&mut exchange, name(next.pubkey().to_bytes()))[..]
    else {
        panic!("no event")
    };
    assert_eq!(
        (event.authority, event.in_force),
        (next.pubkey().to_bytes(), 0)
    );
    refused(&mut exchange.session, &[take(&thief)], &[&thief], wrong);
    let mut unsigned = take(&next);
    unsigned.accounts[1].is_signer = false;
    refuse_anyone(&mut exchange, &unsigned, UNSIGNED);
    // Withdrawn, then named again.
    by_admin(&mut exchange, name([0; 32]));
    refused(&mut exchange.session, &[take(&next)], &[&next], wrong);
    by_admin(&mut exchange, name(next.pubkey().to_bytes()));
    deploy(&mut exchange.session);
    let through = called(&take(&next));
    refused(
        &mut exchange.session,
        &[through],
        &[&next],
        SlabError::CalledByProgram,
    );
    let receipt = ok(exchange.session.send(&[take(&next)], &[&next]));
    let [Event::AuthoritySet(event)] = receipt.events[..] else {
        panic!("no event")
    };
    assert_eq!(
        (event.authority, event.in_force),
        (next.pubkey().to_bytes(), 1)
    );
    let status = |key: &Address| slab::set_status(key, &slab_key, 0, status::REDUCE_ONLY);
    refuse_admin(&mut exchange, &status(&admin), wrong);
    ok(exchange.session.send(&[status(&next.pubkey())], &[&next]));
    refused(&mut exchange.session, &[take(&next)], &[&next], wrong);
}

#[test]
fn p10_a_slab_whose_terms_change_too_fast_is_not_registered() {
    let mut exchange = delayed();
    let admin = exchange.admin.insecure_clone();
    for (seed, delay, fits) in [
        ("none", 0, false),
        ("short", TERMS - 1, false),
        ("ok", TERMS, true),
    ] {
        let mut new = new_slab(&exchange, seed, capacities(&[]));
        new.terms_delay_slots = delay;
        let create = new.instructions().expect("a short seed");
        ok(exchange.session.send(&create, &[&admin]));
        let slab_key = new.address().expect("a short seed");
        let register = router::register_slab(&admin.pubkey(), &slab_key, &exchange.mint);
        if fits {
            ok(exchange.session.send(&[register], &[&admin]));
        } else {
            refuse_admin(&mut exchange, &register, RouterError::DelayTooShort);
        }
    }
}

#[test]
fn x10_an_entry_of_another_router_is_no_entry() {
    let mut exchange = exchange(SlabSize::Dev);
    let admin = exchange.admin.pubkey();
    let entry = register(&exchange, 1, &tight());
    by_admin(&mut exchange, entry);
    let add = slab::add_instrument(&admin, &exchange.slab, 1, &good());
    // The slab honours another Router: ours has nothing to say there.
    let slab_key = exchange.slab;
    let at = offset_of!(flagstone_sdk::interface::slab::SlabHeader, router_program);
    let other = |copy: &mut solana_account::Account| {
        copy.data[at..at + 32].copy_from_slice(stranger().as_ref());
    };
    let signer = exchange.admin.insecure_clone();
    while_changed(&mut exchange.session, &slab_key, other, |session| {
        refused(session, from_ref(&add), &[&signer], SlabError::WrongRecord);
    });
    assert_eq!(account(&exchange.session, &slab_key).owner, address::SLAB);
    by_admin(&mut exchange, add);
}
