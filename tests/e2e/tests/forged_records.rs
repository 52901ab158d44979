//! Forged and swapped records, handed to the Router.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::forge::{account, spoilers, stranger, swapped, while_changed};
use flagstone_e2e_tests::refusal::{NOT_WRITABLE, refused};
use flagstone_e2e_tests::tiny::{capacities, new_slab};
use flagstone_e2e_tests::{QUOTE, exchange, ok};
use flagstone_sdk::embedded::{Exchange, Member};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::interface::error::RouterError;
use flagstone_sdk::interface::router::{SlabEntry, slab_status};
use flagstone_sdk::{address, router};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::slice::from_ref;

fn joined() -> (Exchange, Member) {
    let mut exchange = exchange(SlabSize::Dev);
    let member = ok(exchange.join(10_000 * QUOTE, 1_000 * QUOTE));
    ok(exchange.deposit(&member, 1_000 * QUOTE));
    (exchange, member)
}

/// An instruction, who signs it, and the places of its Router records.
struct Case {
    instruction: Instruction,
    signer: Keypair,
    records: &'static [usize],
}

/// Every instruction that reads a Router record.
fn cases(exchange: &mut Exchange, member: &Member) -> Vec<Case> {
    let (mint, slab, owner) = (exchange.mint, exchange.slab, member.wallet.pubkey());
    let newcomer = exchange.session.new_wallet();
    let open = [router::open_portfolio(&newcomer.pubkey())];
    ok(exchange.session.send(&open, &[&newcomer]));
    let escrow = router::open_escrow(&newcomer.pubkey(), &slab, &mint, &stranger());
    let case = |instruction, signer: &Keypair, records| Case {
        instruction,
        signer: signer.insecure_clone(),
        records,
    };
    let (wallet, admin) = (&member.wallet, &exchange.admin);
    vec![
        case(
            router::deposit(&owner, &mint, &member.tokens, 7),
            wallet,
            &[1, 2],
        ),
        case(
            router::fund_slab(&owner, &slab, &mint, 7),
            wallet,
            &[1, 2, 3, 4],
        ),
        case(router::bind_escrow(&owner, &slab, &mint), wallet, &[1, 2]),
        case(escrow, &newcomer, &[1, 2, 3]),
        case(
            router::register_slab(&admin.pubkey(), &slab, &mint),
            admin,
            &[1],
        ),
    ]
}

#[test]
fn spoiled_records_are_refused_everywhere() {
    let (mut exchange, member) = joined();
    for case in cases(&mut exchange, &member) {
        for place in case.records {
            let record = case.instruction.accounts[*place].pubkey;
            for spoil in spoilers() {
                while_changed(&mut exchange.session, &record, spoil, |session| {
                    let attempt = [case.instruction.clone()];
                    refused(session, &attempt, &[&case.signer], RouterError::WrongRecord);
                });
            }
        }
    }
}

#[test]
fn records_of_another_kind_are_refused_everywhere() {
    let (mut exchange, member) = joined();
    let (mint, slab) = (exchange.mint, exchange.slab);
    let records = [
        address::config(),
        address::vault(&mint),
        address::portfolio(&member.wallet.pubkey()),
        address::slab_entry(&slab),
        address::slab_ledger(&slab, &mint),
        member.escrow,
        address::vault_tokens(&mint),
        mint,
        slab,
        member.wallet.pubkey(),
        stranger(),
    ];
    for case in cases(&mut exchange, &member) {
        for place in case.records {
            let expected = account(&exchange.session, &case.instruction.accounts[*place].pubkey);
            for record in records {
                let found = exchange
                    .session
                    .svm
                    .get_account(&record)
                    .unwrap_or_default();
                if found.data.get(..8) == expected.data.get(..8) {
                    continue;
                }
                // A copy elsewhere, so that it is not refused merely as a duplicate.
                let copy = stranger();
                exchange
                    .session
                    .svm
                    .set_account(copy, found)
                    .expect("a copy");
                let attempt = [swapped(&case.instruction, *place, copy)];
                let session = &mut exchange.session;
                refused(session, &attempt, &[&case.signer], RouterError::WrongRecord);
            }
        }
    }
}

#[test]
fn records_that_are_written_have_to_be_writable() {
    let (mut exchange, member) = joined();
    for case in cases(&mut exchange, &member) {
        for place in case
            .records
            .iter()
            .filter(|at| case.instruction.accounts[**at].is_writable)
        {
            let mut attempt = case.instruction.clone();
            attempt.accounts[*place].is_writable = false;
            refused(
                &mut exchange.session,
                &[attempt],
                &[&case.signer],
                NOT_WRITABLE,
            );
        }
    }
}

#[test]
fn records_of_another_slab_are_refused() {
    let (mut exchange, member) = joined();
    let new = new_slab(&exchange, "second", capacities(&[]));
    let (mint, second) = (exchange.mint, new.address().expect("a short seed"));
    ok(exchange.session.send(
        &new.instructions().expect("a short seed"),
        &[&exchange.admin],
    ));
    let register = router::register_slab(&exchange.admin.pubkey(), &second, &mint);
    ok(exchange.session.send(&[register], &[&exchange.admin]));

    let owner = member.wallet.pubkey();
    let fund = router::fund_slab(&owner, &exchange.slab, &mint, 7);
    let bind = router::bind_escrow(&owner, &exchange.slab, &mint);
    let other_entry = address::slab_entry(&second);
    for crossed in [
        swapped(&fund, 3, address::slab_ledger(&second, &mint)),
        swapped(&fund, 4, other_entry),
        swapped(&fund, 5, second),
        swapped(&swapped(&fund, 4, other_entry), 5, second),
        // Everything of the second slab but the escrow.
        Instruction {
            accounts: [
                &fund.accounts[..3],
                &router::fund_slab(&owner, &second, &mint, 7).accounts[3..],
            ]
            .concat(),
            ..fund.clone()
        },
        swapped(&bind, 2, other_entry),
        swapped(&bind, 3, second),
        swapped(&swapped(&bind, 2, other_entry), 3, second),
    ] {
        let session = &mut exchange.session;
        refused(
            session,
            &[crossed],
            &[&member.wallet],
            RouterError::WrongSlab,
        );
    }
}

#[test]
fn x5_a_slab_that_left_its_registered_program_is_not_read() {
    let (mut exchange, member) = joined();
    let owner = member.wallet.pubkey();
    let (mint, slab) = (exchange.mint, exchange.slab);
    let newcomer = exchange.session.new_wallet();
    ok(exchange
        .session
        .send(&[router::open_portfolio(&newcomer.pubkey())], &[&newcomer]));
    let attempts = [
        (router::fund_slab(&owner, &slab, &mint, 7), &member.wallet),
        (router::bind_escrow(&owner, &slab, &mint), &member.wallet),
        (
            router::open_escrow(&newcomer.pubkey(), &slab, &mint, &stranger()),
            &newcomer,
        ),
    ];
    for spoil in spoilers() {
        while_changed(&mut exchange.session, &slab, spoil, |session| {
            for (attempt, signer) in &attempts {
                refused(
                    session,
                    from_ref(attempt),
                    &[signer],
                    RouterError::WrongSlab,
                );
            }
        });
    }
    let entry = address::slab_entry(&slab);
    let at = core::mem::offset_of!(SlabEntry, status);
    for status in (0..=u8::MAX).filter(|status| *status != slab_status::ACTIVE) {
        let switch = |entry: &mut solana_account::Account| entry.data[at] = status;
        while_changed(&mut exchange.session, &entry, switch, |session| {
            for (attempt, signer) in &attempts {
                refused(
                    session,
                    from_ref(attempt),
                    &[signer],
                    RouterError::WrongSlab,
                );
            }
        });
    }
}

#[test]
fn records_at_addresses_that_are_not_derived_are_not_created() {
    let (mut exchange, member) = joined();
    let (mint, slab) = (exchange.mint, exchange.slab);
    let newcomer = exchange.session.new_wallet();
    let owner = newcomer.pubkey();
    let portfolio = router::open_portfolio(&owner);
    let attempts = [
        swapped(&portfolio, 1, stranger()),
        swapped(&portfolio, 1, address::escrow(&slab, &owner, &mint)),
    ];
    for attempt in attempts {
        refused(
            &mut exchange.session,
            &[attempt],
            &[&newcomer],
            RouterError::WrongAddress,
        );
    }
    ok(exchange.session.send(&[portfolio], &[&newcomer]));
    let escrow = router::open_escrow(&owner, &slab, &mint, &member.trader.pubkey());
    for elsewhere in [stranger(), address::portfolio(&stranger())] {
        let attempt = swapped(&escrow, 5, elsewhere);
        refused(
            &mut exchange.session,
            &[attempt],
            &[&newcomer],
            RouterError::WrongAddress,
        );
    }
}
