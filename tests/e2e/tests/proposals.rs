//! Rules X9, GOV1 and P10: what governs the Router changes behind a delay, in
//! the open, and nobody is locked in meanwhile.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::evil::{EVIL, deploy};
use flagstone_e2e_tests::forge::{account, stranger};
use flagstone_e2e_tests::govern::{
    DELAY, LIFE, config, execute, proposal, propose, refusal, settle_down,
};
use flagstone_e2e_tests::market::Market;
use flagstone_e2e_tests::money::{audit_custody, audit_money};
use flagstone_e2e_tests::refusal::refused;
use flagstone_e2e_tests::{QUOTE, code, ok};
use flagstone_sdk::embedded::Exchange;
use flagstone_sdk::embedded::exchange::{create_slab, standard_instrument};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::interface::error::RouterError;
use flagstone_sdk::interface::governance::{
    HASH_CHUNK_BYTES, PAUSE_GRACE_SLOTS, PAUSE_SLOTS_MAX, ProgramHash, proposal_state,
};
use flagstone_sdk::interface::router::{InstrumentEntry, SlabEntry, slab_status};
use flagstone_sdk::router::{Change, InstrumentRules};
use flagstone_sdk::units::{Slot, Ticks};
use flagstone_sdk::{address, router, slab};
use solana_account::Account;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

/// A market that has been set up, and its guardian.
fn governed() -> (Market, Keypair) {
    let mut market = Market::open(1);
    let guardian = settle_down(&mut market.exchange);
    (market, guardian)
}

fn wait(market: &mut Market, slots: u32) {
    market.wait(u64::from(slots));
}

fn send(exchange: &mut Exchange, instruction: Instruction, by: &Keypair) -> Result<(), u32> {
    exchange.session.svm.expire_blockhash();
    match exchange.session.send_large(&[instruction], &[by]) {
        Ok(_) => Ok(()),
        failed => Err(code(failed)),
    }
}

fn entry(exchange: &Exchange, slab: &Address) -> SlabEntry {
    let key = address::slab_entry(slab);
    exchange.session.record(&key).expect("an entry")
}

#[test]
fn x9_a_proposal_waits_expires_and_is_executed_once_by_anyone() {
    let (mut market, _) = governed();
    let change = Change::set_guardian(&stranger());
    let id = propose(&mut market.exchange, &change);
    let made = proposal(&market.exchange, id);
    let slot = market.exchange.session.slot() as u32;
    assert_eq!(made.due_slot, Slot(slot + DELAY));
    assert_eq!(made.expiry_slot, Slot(slot + DELAY + LIFE));
    let early = refusal(&mut market.exchange, &change, id);
    assert_eq!(early, RouterError::NotDue.code());
    wait(&mut market, DELAY - 1);
    let early = refusal(&mut market.exchange, &change, id);
    assert_eq!(early, RouterError::NotDue.code());
    wait(&mut market, 1);
    ok(execute(&mut market.exchange, &change, id));
    let again = refusal(&mut market.exchange, &change, id);
    assert_eq!(again, RouterError::BadProposal.code());
    // Nobody comes back to an old one.
    let id = propose(&mut market.exchange, &change);
    wait(&mut market, DELAY + LIFE + 1);
    let late = refusal(&mut market.exchange, &change, id);
    assert_eq!(late, RouterError::NotDue.code());
}

#[test]
fn x9_ids_only_grow_and_a_payload_is_the_one_that_was_proposed() {
    let (mut market, _) = governed();
    let shown = Change::set_guardian(&stranger());
    let hidden = Change::hand_over(&stranger());
    let id = propose(&mut market.exchange, &shown);
    let next = propose(&mut market.exchange, &shown);
    assert_eq!(next, id + 1);
    wait(&mut market, DELAY);
    let guardian = config(&market.exchange).guardian;
    for other in [Change::set_guardian(&stranger()), hidden] {
        let why = refusal(&mut market.exchange, &other, id);
        assert_eq!(why, RouterError::BadProposal.code());
    }
    assert_eq!(config(&market.exchange).guardian, guardian);
    // An id is used once: its address exists.
    let admin = market.exchange.admin.insecure_clone();
    let again = shown.propose(&admin.pubkey(), id);
    let why = send(&mut market.exchange, again, &admin);
    assert_eq!(why, Err(RouterError::WrongAddress.code()));
    let thief = market.exchange.session.new_wallet();
    let own = shown.propose(&thief.pubkey(), id + 2);
    let why = send(&mut market.exchange, own, &thief);
    assert_eq!(why, Err(RouterError::WrongAdmin.code()));
}

#[test]
fn x9_the_guardian_cancels_anything_but_its_own_replacement() {
    let (mut market, guardian) = governed();
    let exchange = &mut market.exchange;
    let limit = Change::set_limit(&address::vault(&exchange.mint), 0, 0);
    let harmful = propose(exchange, &limit);
    let dismissal = Change::set_guardian(&stranger());
    let dismissed = propose(exchange, &dismissal);
    let thief = exchange.session.new_wallet();
    let cancel = router::cancel_proposal(&thief.pubkey(), harmful);
    let why = send(exchange, cancel, &thief);
    assert_eq!(why, Err(RouterError::WrongGuardian.code()));
    let cancel = router::cancel_proposal(&guardian.pubkey(), dismissed);
    let why = send(exchange, cancel, &guardian);
    assert_eq!(why, Err(RouterError::WrongGuardian.code()));
    let cancel = router::cancel_proposal(&guardian.pubkey(), harmful);
    assert_eq!(send(exchange, cancel.clone(), &guardian), Ok(()));
    let why = send(exchange, cancel, &guardian);
    assert_eq!(why, Err(RouterError::BadProposal.code()));
    assert_eq!(proposal(exchange, harmful).state, proposal_state::CANCELLED);
    wait(&mut market, DELAY);
    let exchange = &mut market.exchange;
    let why = refusal(exchange, &limit, harmful);
    assert_eq!(why, RouterError::BadProposal.code());
    ok(execute(exchange, &dismissal, dismissed));
    // The old guardian is nobody now.
    let pause = router::pause(&guardian.pubkey(), 1);
    let why = send(exchange, pause, &guardian);
    assert_eq!(why, Err(RouterError::WrongGuardian.code()));
}

#[test]
fn x9_delays_shrink_by_half_at_most_and_never_to_nothing() {
    let (mut market, _) = governed();
    for (delay, life) in [
        (0, LIFE),
        (DELAY / 2 - 1, LIFE),
        (DELAY, 0),
        (u32::MAX, LIFE),
    ] {
        let bad = Change::set_delays(delay, life);
        let id = propose(&mut market.exchange, &bad);
        wait(&mut market, DELAY);
        let why = refusal(&mut market.exchange, &bad, id);
        assert_eq!(why, RouterError::BadSetting.code());
    }
    let half = Change::set_delays(DELAY / 2, LIFE);
    let id = propose(&mut market.exchange, &half);
    wait(&mut market, DELAY);
    ok(execute(&mut market.exchange, &half, id));
    assert_eq!(config(&market.exchange).proposal_delay_slots, DELAY / 2);
}

#[test]
fn x9_the_office_is_handed_over_in_two_steps() {
    let (mut market, _) = governed();
    let next = market.exchange.session.new_wallet();
    let take = router::take_over(&next.pubkey());
    let why = send(&mut market.exchange, take.clone(), &next);
    assert_eq!(why, Err(RouterError::WrongAdmin.code()));
    let change = Change::hand_over(&next.pubkey());
    let id = propose(&mut market.exchange, &change);
    wait(&mut market, DELAY);
    ok(execute(&mut market.exchange, &change, id));
    let old = market.exchange.admin.pubkey();
    assert_eq!(config(&market.exchange).admin, old.to_bytes());
    assert_eq!(send(&mut market.exchange, take.clone(), &next), Ok(()));
    assert_eq!(config(&market.exchange).admin, next.pubkey().to_bytes());
    let why = send(&mut market.exchange, take, &next);
    assert_eq!(why, Err(RouterError::WrongAdmin.code()));
    // Nobody takes an office that is not offered: not even the zero key's.
    assert_eq!(config(&market.exchange).admin_pending, [0; 32]);
}

#[test]
fn x9_a_pause_stops_new_risk_and_no_way_out() {
    let (mut market, guardian) = governed();
    // Something of everything under way before the pause.
    market.fund(0, 50 * QUOTE);
    let open = market.reserve_and_open(10, 20);
    let exchange = &mut market.exchange;
    let pause = router::pause(&guardian.pubkey(), 500);
    assert_eq!(send(exchange, pause, &guardian), Ok(()));
    let mut next = market.leg(0, 1, 0);
    next.cap = 1;
    let fresh = market.route_of(vec![next]);
    market.step(&fresh.reserve());
    market.refuse(&fresh.open(), RouterError::Paused);
    let (seat, trader) = (market.seats[0], market.taker.trader.pubkey());
    let hold = fresh.legs()[0].hold;
    market.step(&[slab::cancel_hold(&seat.slab, &trader, seat.account, hold)]);
    // What was promised is kept, and whoever wants to leaves.
    market.step(&open.commit());
    market.step(&[open.settle()]);
    market.fund(0, 10 * QUOTE);
    let release = market.release(0, 5 * QUOTE);
    market.step(&[release]);
    let settle = market.settle(0);
    market.crank(settle);
    let (owner, mint) = (market.taker.wallet.pubkey(), market.exchange.mint);
    let withdraw = router::withdraw(&owner, &mint, &market.taker.tokens, 100 * QUOTE);
    market.step(&[withdraw]);
    // A pause ends by itself, and the next one waits as long again.
    let exchange = &mut market.exchange;
    let again = |exchange: &mut Exchange| {
        let pause = router::pause(&guardian.pubkey(), 500);
        send(exchange, pause, &guardian)
    };
    let too_soon = Err(RouterError::PauseTooLong.code());
    assert_eq!(again(exchange), too_soon);
    let paused = config(exchange);
    let slot = exchange.session.slot();
    assert_eq!(u64::from(paused.paused_until.0), slot + 500);
    exchange.session.warp_to(slot + 500);
    assert_eq!(again(exchange), too_soon);
    let mut next = market.leg(0, 1, 0);
    next.cap = 2;
    let fresh = market.route_of(vec![next]);
    market.step(&fresh.reserve());
    market.step(&[fresh.open()]);
    let end = paused.paused_until;
    assert!(!paused.may_liquidate(Slot(end.0 + PAUSE_GRACE_SLOTS - 1)));
    assert!(paused.may_liquidate(Slot(end.0 + PAUSE_GRACE_SLOTS)));
    let over = slot + 1_000 + 2 * u64::from(PAUSE_GRACE_SLOTS);
    market.exchange.session.warp_to(over - 1);
    assert_eq!(again(&mut market.exchange), too_soon);
    market.exchange.session.warp_to(over);
    assert_eq!(again(&mut market.exchange), Ok(()));
    audit_money(&market.exchange.session);
}

#[test]
fn x9_an_early_end_of_a_pause_shortens_no_cool_down() {
    let (mut market, guardian) = governed();
    let exchange = &mut market.exchange;
    let key = guardian.pubkey();
    for slots in [0, PAUSE_SLOTS_MAX + 1] {
        let why = send(exchange, router::pause(&key, slots), &guardian);
        assert_eq!(why, Err(RouterError::PauseTooLong.code()));
    }
    let admin = exchange.admin.insecure_clone();
    let why = send(exchange, router::pause(&admin.pubkey(), 10), &admin);
    assert_eq!(why, Err(RouterError::WrongGuardian.code()));
    assert_eq!(send(exchange, router::pause(&key, 100), &guardian), Ok(()));
    assert_eq!(send(exchange, router::unpause(&key), &guardian), Ok(()));
    let slot = exchange.session.slot();
    assert!(!config(exchange).is_paused(Slot(slot as u32)));
    let over = slot + 200 + 2 * u64::from(PAUSE_GRACE_SLOTS);
    exchange.session.warp_to(over - 1);
    let why = send(exchange, router::pause(&key, 100), &guardian);
    assert_eq!(why, Err(RouterError::PauseTooLong.code()));
    exchange.session.warp_to(over);
    assert_eq!(send(exchange, router::pause(&key, 100), &guardian), Ok(()));
}

/// A nonce account of `authority`, and the instruction that advances it.
fn nonce(exchange: &mut Exchange, authority: &Address) -> Instruction {
    let mut data = vec![0; 80];
    data[0] = 1;
    data[4] = 1;
    data[8..40].copy_from_slice(authority.as_ref());
    data[40..72].copy_from_slice(&[7; 32]);
    data[72] = 136;
    let key = stranger();
    let account = Account {
        lamports: 10_000_000,
        data,
        ..Account::default()
    };
    exchange
        .session
        .svm
        .set_account(key, account)
        .expect("a nonce");
    let blockhashes = Address::from_str_const("SysvarRecentB1ockHashes11111111111111111111");
    Instruction {
        program_id: Address::default(),
        accounts: vec![
            AccountMeta::new(key, false),
            AccountMeta::new_readonly(blockhashes, false),
            AccountMeta::new_readonly(*authority, true),
        ],
        data: vec![4, 0, 0, 0],
    }
}

#[test]
fn x9_a_signature_kept_with_a_durable_nonce_governs_nothing() {
    let (mut market, guardian) = governed();
    let exchange = &mut market.exchange;
    let admin = exchange.admin.insecure_clone();
    let change = Change::set_guardian(&stranger());
    let id = propose(exchange, &change);
    let advance_admin = nonce(exchange, &admin.pubkey());
    let advance_guardian = nonce(exchange, &guardian.pubkey());
    let signed = [
        (
            &advance_admin,
            change.propose(&admin.pubkey(), id + 1),
            &admin,
        ),
        (
            &advance_admin,
            router::cancel_proposal(&admin.pubkey(), id),
            &admin,
        ),
        (
            &advance_guardian,
            router::pause(&guardian.pubkey(), 5),
            &guardian,
        ),
        (
            &advance_guardian,
            router::unpause(&guardian.pubkey()),
            &guardian,
        ),
        (&advance_admin, router::take_over(&admin.pubkey()), &admin),
        (&advance_admin, change.execute(&admin.pubkey(), id), &admin),
    ];
    for (advance, instruction, by) in signed {
        let both = [advance.clone(), instruction.clone()];
        refused(
            &mut exchange.session,
            &both,
            &[by],
            RouterError::DurableNonce,
        );
        // Nor does another account in the sysvar's place help.
        let mut blind = instruction;
        let sysvar = blind
            .accounts
            .iter_mut()
            .find(|meta| meta.pubkey.to_string() == "Sysvar1nstructions1111111111111111111111111");
        sysvar.expect("the sysvar").pubkey = stranger();
        let both = [advance.clone(), blind];
        refused(
            &mut exchange.session,
            &both,
            &[by],
            RouterError::WrongAddress,
        );
    }
    // The nonce itself works: it is the Router that refuses.
    ok(exchange.session.send(&[advance_admin], &[&admin]));
}

/// Hashes a program to the end, so many chunks at a time.
fn hash(exchange: &mut Exchange, program: &Address, chunks: u8) -> ProgramHash {
    let payer = exchange.session.new_wallet();
    let key = address::program_hash(&address::program_data(program));
    loop {
        let step = router::hash_program(&payer.pubkey(), program, chunks);
        assert_eq!(send(exchange, step, &payer), Ok(()));
        let record: ProgramHash = exchange.session.record(&key).expect("a hash");
        if record.done == 1 {
            return record;
        }
    }
}

#[test]
fn p10_gov1_a_slab_is_registered_by_the_hash_of_its_program() {
    let (mut market, _) = governed();
    let exchange = &mut market.exchange;
    let admin = exchange.admin.insecure_clone();
    let mint = exchange.mint;
    let size = SlabSize::Dev;
    let slab_key = ok(create_slab(
        &mut exchange.session,
        &admin,
        &mint,
        "late",
        size,
    ));
    // No longer directly.
    let direct = router::register_slab(&admin.pubkey(), &slab_key, &mint);
    assert_eq!(
        send(exchange, direct, &admin),
        Err(RouterError::NotDue.code())
    );
    let rules = InstrumentRules::wide(&standard_instrument(Ticks(1_000)));
    let main = exchange.slab;
    let direct = router::register_instrument(&admin.pubkey(), &main, 5, &rules);
    assert_eq!(
        send(exchange, direct, &admin),
        Err(RouterError::NotDue.code())
    );
    let direct = router::attest_slab(&admin.pubkey(), &main);
    assert_eq!(
        send(exchange, direct, &admin),
        Err(RouterError::NotDue.code())
    );

    let unhashed = Change::register_slab(&slab_key, &address::SLAB, &[1; 32], &mint);
    let id = propose(exchange, &unhashed);
    wait(&mut market, DELAY);
    let exchange = &mut market.exchange;
    let why = refusal(exchange, &unhashed, id);
    assert_eq!(why, RouterError::WrongRecord.code(), "no hash yet");
    let hashed = hash(exchange, &address::SLAB, 9).hash;
    let why = refusal(exchange, &unhashed, id);
    assert_eq!(why, RouterError::BadProposal.code(), "unknown version hash");
    // The hash of another program does not stand for this one's.
    deploy(&mut exchange.session);
    hash(exchange, &EVIL, 9);
    let right = Change::register_slab(&slab_key, &address::SLAB, &hashed, &mint);
    let id = propose(exchange, &right);
    wait(&mut market, DELAY);
    let exchange = &mut market.exchange;
    let anyone = exchange.session.new_wallet();
    let mut other = right.execute(&anyone.pubkey(), id);
    other.accounts[7].pubkey = address::program_hash(&address::program_data(&EVIL));
    let why = send(exchange, other, &anyone);
    assert_eq!(why, Err(RouterError::BadHash.code()));
    ok(execute(exchange, &right, id));
    let entry = entry(exchange, &slab_key);
    assert_eq!(entry.program_hash, hashed);
    assert_eq!(entry.status, slab_status::ACTIVE);

    let change = Change::register_instrument(&slab_key, 0, &rules);
    let id = propose(exchange, &change);
    wait(&mut market, DELAY);
    let exchange = &mut market.exchange;
    ok(execute(exchange, &change, id));
    let key = address::instrument_entry(&slab_key, 0);
    let entry: InstrumentEntry = exchange.session.record(&key).expect("an entry");
    assert_eq!(entry.slab, slab_key.to_bytes());
    assert_eq!(entry.underlying_id, rules.underlying_id);
    assert_eq!(entry.liquidation_fee_max_ppm, rules.liquidation_fee_max_ppm);
    let params = standard_instrument(Ticks(1_000));
    let add = slab::add_instrument(&admin.pubkey(), &slab_key, 0, &params);
    assert_eq!(send(exchange, add, &admin), Ok(()));
}

fn program_data() -> Address {
    address::program_data(&address::SLAB)
}

/// Changes the slab program's data account.
fn redeploy(exchange: &mut Exchange, change: impl FnOnce(&mut Account)) {
    let mut data = account(&exchange.session, &program_data());
    change(&mut data);
    let slot = exchange.session.slot();
    data.data[4..12].copy_from_slice(&slot.to_le_bytes());
    let lamports = exchange
        .session
        .svm
        .minimum_balance_for_rent_exemption(data.data.len());
    data.lamports = data.lamports.max(lamports);
    let svm = &mut exchange.session.svm;
    svm.set_account(program_data(), data).expect("program data");
}

fn confirm(exchange: &mut Exchange) -> Result<(), u32> {
    let confirm = router::confirm_program(&exchange.slab, &address::SLAB);
    exchange.session.svm.expire_blockhash();
    match exchange.session.send(&[confirm], &[]) {
        Ok(_) => Ok(()),
        failed => Err(code(failed)),
    }
}

#[test]
fn x5_gov1_an_extended_program_is_the_same_program_and_another_is_not() {
    let (mut market, _) = governed();
    let first = hash(&mut market.exchange, &address::SLAB, 5);
    let bytes = account(&market.exchange.session, &program_data())
        .data
        .len()
        - 45;
    assert_eq!(first.chunk as usize, bytes.div_ceil(HASH_CHUNK_BYTES));
    assert_eq!(confirm(&mut market.exchange), Ok(()));
    let slab_key = market.exchange.slab;
    assert_eq!(entry(&market.exchange, &slab_key).program_hash, first.hash);

    // Extended: zeros at the end and another slot. Settling suspends the slab.
    market.wait(10);
    redeploy(&mut market.exchange, |data| {
        let longer = data.data.len() + 50_000;
        data.data.resize(longer, 0);
    });
    let settle = market.settle(0);
    ok(market.exchange.session.send(&[settle], &[]));
    assert_eq!(market.status(0), slab_status::SUSPENDED);
    // The old hash says nothing of the new deployment.
    assert_eq!(
        confirm(&mut market.exchange),
        Err(RouterError::BadHash.code())
    );
    let second = hash(&mut market.exchange, &address::SLAB, 200);
    assert_eq!(second.hash, first.hash);
    assert_eq!(confirm(&mut market.exchange), Ok(()));
    assert_eq!(market.status(0), slab_status::ACTIVE);
    let route = market.route(5, 0);
    market.step(&route.instructions());

    // One byte of the code is another program, and so are other hands.
    let other: [fn(&mut Account); 2] = [
        |data| data.data[60_000] ^= 1,
        |data| {
            data.data[12] = 1;
            data.data[13..45].copy_from_slice(&[9; 32]);
        },
    ];
    let original = account(&market.exchange.session, &program_data());
    for change in other {
        market.wait(10);
        redeploy(&mut market.exchange, change);
        hash(&mut market.exchange, &address::SLAB, 200);
        assert_eq!(
            confirm(&mut market.exchange),
            Err(RouterError::BadHash.code())
        );
        let svm = &mut market.exchange.session.svm;
        svm.set_account(program_data(), original.clone())
            .expect("data");
    }
}

#[test]
fn x5_a_deployment_in_the_middle_starts_the_hash_anew() {
    let (mut market, _) = governed();
    let exchange = &mut market.exchange;
    let payer = exchange.session.new_wallet();
    let key = address::program_hash(&program_data());
    let step = router::hash_program(&payer.pubkey(), &address::SLAB, 3);
    assert_eq!(send(exchange, step.clone(), &payer), Ok(()));
    market.wait(10);
    let exchange = &mut market.exchange;
    // The first chunks change once they are covered.
    redeploy(exchange, |data| data.data[100] ^= 1);
    assert_eq!(send(exchange, step, &payer), Ok(()));
    let record: ProgramHash = exchange.session.record(&key).expect("a hash");
    assert_eq!((record.chunk, record.done), (3, 0));
    let changed = hash(exchange, &address::SLAB, 30).hash;
    market.wait(10);
    let exchange = &mut market.exchange;
    redeploy(exchange, |data| data.data[100] ^= 1);
    assert_ne!(hash(exchange, &address::SLAB, 30).hash, changed);
}

#[test]
fn x5_gov1_a_new_program_is_taken_only_by_its_hash_behind_the_delay() {
    let (mut market, _) = governed();
    hash(&mut market.exchange, &address::SLAB, 50);
    assert_eq!(confirm(&mut market.exchange), Ok(()));
    market.wait(10);
    // A harmless change: a byte of padding after the code.
    redeploy(&mut market.exchange, |data| data.data.push(1));
    let settle = market.settle(0);
    ok(market.exchange.session.send(&[settle], &[]));
    assert_eq!(market.status(0), slab_status::SUSPENDED);
    let exchange = &mut market.exchange;
    let slab_key = exchange.slab;
    let new = hash(exchange, &address::SLAB, 50);
    let change = Change::accept_program(&slab_key, &address::SLAB, &new.hash);
    let id = propose(exchange, &change);
    let why = refusal(exchange, &change, id);
    assert_eq!(why, RouterError::NotDue.code());
    wait(&mut market, DELAY);
    // Swapped for yet another one at the last moment.
    let accepted = account(&market.exchange.session, &program_data());
    redeploy(&mut market.exchange, |data| data.data.push(2));
    let why = refusal(&mut market.exchange, &change, id);
    assert_eq!(why, RouterError::BadHash.code());
    hash(&mut market.exchange, &address::SLAB, 50);
    let why = refusal(&mut market.exchange, &change, id);
    assert_eq!(why, RouterError::BadProposal.code());
    let svm = &mut market.exchange.session.svm;
    svm.set_account(program_data(), accepted).expect("data");
    hash(&mut market.exchange, &address::SLAB, 50);
    ok(execute(&mut market.exchange, &change, id));
    assert_eq!(market.status(0), slab_status::ACTIVE);
    assert_eq!(entry(&market.exchange, &slab_key).program_hash, new.hash);
    audit_custody(&market.exchange.session);
}
