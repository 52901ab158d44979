//! Instruction data that is cut short, too long, unknown or random.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::random::Random;
use flagstone_e2e_tests::refusal::{BAD_DATA, Snapshot, refused, snapshot};
use flagstone_e2e_tests::tiny::{capacities, new_slab};
use flagstone_e2e_tests::{MARK, QUOTE, audit, exchange, ok};
use flagstone_sdk::embedded::exchange::standard_instrument;
use flagstone_sdk::embedded::{Exchange, Member};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::governance::Limits;
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::router::InstrumentRules;
use flagstone_sdk::units::{Ppm, Side, Ticks};
use flagstone_sdk::{router, slab};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

/// One valid instruction of each kind, and who signs it.
fn every_instruction(exchange: &Exchange, member: &Member) -> Vec<(Instruction, Option<Keypair>)> {
    let (mint, slab_key, owner) = (exchange.mint, exchange.slab, member.wallet.pubkey());
    let (admin, trader) = (exchange.admin.pubkey(), member.trader.pubkey());
    let order = member.order(OrderKind::Limit, Side::Bid, MARK - 5, 2);
    let take = member.taking(Side::Bid, MARK, 1, 0);
    let new = new_slab(exchange, "malformed", capacities(&[]));
    let [_, initialize]: [_; 2] = new
        .instructions()
        .expect("a short seed")
        .try_into()
        .expect("two");
    let params = standard_instrument(Ticks(MARK));
    let by = |key: &Keypair| Some(key.insecure_clone());
    vec![
        (initialize, by(&exchange.admin)),
        (
            slab::add_instrument(&admin, &slab_key, 1, &params),
            by(&exchange.admin),
        ),
        (slab::open_account(&slab_key, &member.escrow), None),
        (slab::sync(&slab_key, &member.escrow, member.account), None),
        (slab::place(&slab_key, &trader, &order), by(&member.trader)),
        (
            slab::cancel(&slab_key, &trader, member.account, 1, 1),
            by(&member.trader),
        ),
        (slab::take(&slab_key, &trader, &take), by(&member.trader)),
        (router::initialize(&admin, &mint), by(&exchange.admin)),
        (
            router::register_slab(&admin, &slab_key, &mint),
            by(&exchange.admin),
        ),
        (router::open_portfolio(&owner), by(&member.wallet)),
        (
            router::deposit(&owner, &mint, &member.tokens, 7),
            by(&member.wallet),
        ),
        (
            router::open_escrow(&owner, &slab_key, &mint, &trader),
            by(&member.wallet),
        ),
        (
            router::bind_escrow(&owner, &slab_key, &mint),
            by(&member.wallet),
        ),
        (
            router::fund_slab(&owner, &slab_key, &mint, 7),
            by(&member.wallet),
        ),
        (
            router::register_instrument(&admin, &slab_key, 1, &InstrumentRules::wide(&params)),
            by(&exchange.admin),
        ),
        (router::unbind_escrow(&owner, &slab_key, &mint), None),
        (
            slab::propose_terms(&admin, &slab_key, 0, &params.terms()),
            by(&exchange.admin),
        ),
        (slab::apply_terms(&slab_key, 0), None),
        (
            slab::set_status(&admin, &slab_key, 0, 2),
            by(&exchange.admin),
        ),
        (
            slab::set_dlp(&admin, &slab_key, member.account, true),
            by(&exchange.admin),
        ),
        (
            slab::set_limits(&admin, &slab_key, &LIMITS),
            by(&exchange.admin),
        ),
        (
            slab::hand_over(&admin, &slab_key, &[7; 32]),
            by(&exchange.admin),
        ),
        (slab::take_over(&trader, &slab_key), by(&member.trader)),
        (
            slab::close_account(&slab_key, &trader, &member.escrow, member.account),
            by(&member.trader),
        ),
        (
            slab::free_account(&slab_key, &member.escrow, member.account),
            None,
        ),
    ]
}

const LIMITS: Limits = Limits {
    orders_per_account_max: 9,
    batch_slots: 5,
    insurance_share: Ppm(1_000),
};

fn joined() -> (Exchange, Member) {
    let mut exchange = exchange(SlabSize::Dev);
    let member = ok(exchange.join(10_000 * QUOTE, 1_000 * QUOTE));
    ok(exchange.deposit(&member, 1_000 * QUOTE));
    let new = new_slab(&exchange, "malformed", capacities(&[]));
    let [create, _]: [_; 2] = new
        .instructions()
        .expect("a short seed")
        .try_into()
        .expect("two");
    ok(exchange.session.send(&[create], &[&exchange.admin]));
    let rules = InstrumentRules::wide(&standard_instrument(Ticks(MARK)));
    let register = router::register_instrument(&exchange.admin.pubkey(), &exchange.slab, 1, &rules);
    ok(exchange.session.send(&[register], &[&exchange.admin]));
    (exchange, member)
}

#[test]
fn data_that_is_cut_short_is_refused() {
    let (mut exchange, member) = joined();
    for (instruction, signer) in every_instruction(&exchange, &member) {
        let signers: Vec<_> = signer.iter().collect();
        for length in 0..instruction.data.len() {
            let mut cut = instruction.clone();
            cut.data.truncate(length);
            refused(&mut exchange.session, &[cut], &signers, BAD_DATA);
        }
    }
}

#[test]
fn numbers_of_no_instruction_are_refused() {
    let (mut exchange, member) = joined();
    for (instruction, signer) in every_instruction(&exchange, &member)
        .into_iter()
        .skip(6)
        .take(2)
    {
        let signers: Vec<_> = signer.iter().collect();
        // Room for instructions to come is left below.
        for number in 128..=u8::MAX {
            let mut unknown = instruction.clone();
            unknown.data[0] = number;
            refused(&mut exchange.session, &[unknown], &signers, BAD_DATA);
        }
    }
}

#[test]
fn seeds_that_are_no_text_or_longer_than_the_data_are_refused() {
    let (mut exchange, member) = joined();
    let (initialize, signer) = every_instruction(&exchange, &member).swap_remove(0);
    let signers: Vec<_> = signer.iter().collect();
    let at = initialize.data.len() - "malformed".len();
    let mut no_text = initialize.clone();
    no_text.data[at] = 0xff;
    refused(&mut exchange.session, &[no_text], &signers, BAD_DATA);
    for length in [10, 1 << 16, u32::MAX] {
        let mut longer = initialize.clone();
        longer.data[at - 4..at].copy_from_slice(&u32::to_le_bytes(length));
        refused(&mut exchange.session, &[longer], &signers, BAD_DATA);
    }
}

#[test]
fn random_data_never_makes_a_program_panic() {
    let (mut exchange, member) = joined();
    let mut random = Random::new(0x5eed);
    for (instruction, signer) in every_instruction(&exchange, &member) {
        let signers: Vec<_> = signer.iter().collect();
        for _ in 0..40 {
            let mut noise = instruction.clone();
            for byte in &mut noise.data[1..] {
                *byte = random.word() as u8;
            }
            if let Err(failure) = exchange.session.send(&[noise], &signers) {
                let text = failure.logs.join("\n");
                let aborted = text.contains("panicked") || text.contains("failed to complete");
                assert!(!aborted, "{text}");
            }
            audit(&exchange);
        }
    }
}

/// What an instruction does to the chain, without doing it.
fn effect(
    exchange: &mut Exchange,
    instruction: Instruction,
    signers: &[&Keypair],
) -> (Option<String>, Snapshot) {
    let saved = exchange.session.svm.clone();
    let outcome = exchange.session.send(&[instruction], signers);
    let after = snapshot(&exchange.session);
    exchange.session.svm = saved;
    (
        outcome.err().map(|failure| failure.error.to_string()),
        after,
    )
}

#[test]
fn trailing_bytes_change_nothing() {
    let (mut exchange, member) = joined();
    for (instruction, signer) in every_instruction(&exchange, &member) {
        let signers: Vec<_> = signer.iter().collect();
        let plain = effect(&mut exchange, instruction.clone(), &signers);
        for tail in [&[0u8][..], &[0xaa; 5], &[0xff; 300]] {
            let mut longer = instruction.clone();
            longer.data.extend(tail);
            assert!(
                effect(&mut exchange, longer, &signers) == plain,
                "{:?}",
                instruction.data
            );
        }
    }
}
