//! Forged escrows and slabs, handed to the Slab.
#![allow(missing_docs, reason = "tests")]

use core::mem::offset_of;
use flagstone_e2e_tests::forge::{account, plant, plant_copy, spoilers, stranger, while_changed};
use flagstone_e2e_tests::refusal::{NOT_WRITABLE, refused};
use flagstone_e2e_tests::tiny::{capacities, header, new_slab};
use flagstone_e2e_tests::{MARK, QUOTE, exchange, ok};
use flagstone_sdk::embedded::exchange::standard_instrument;
use flagstone_sdk::embedded::{Exchange, Member};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::router::Escrow;
use flagstone_sdk::interface::slab::SlabHeader;
use flagstone_sdk::units::{Side, Ticks};
use flagstone_sdk::{address, router, slab};
use solana_account::Account;
use solana_address::Address;
use solana_instruction::Instruction;
use solana_signer::Signer;
use std::slice::from_ref;

fn joined() -> (Exchange, Member) {
    let mut exchange = exchange(SlabSize::Dev);
    let member = ok(exchange.join(10_000 * QUOTE, 1_000 * QUOTE));
    (exchange, member)
}

fn sync(exchange: &Exchange, member: &Member, escrow: &Address) -> Instruction {
    slab::sync(&exchange.slab, escrow, member.account)
}

/// Makes an escrow look funded with more than it is.
fn inflate(account: &mut Account) {
    let at = offset_of!(Escrow, deposited_total_atoms);
    account.data[at..at + 8].copy_from_slice(&(1u64 << 50).to_le_bytes());
}

#[test]
fn an_escrow_of_another_program_with_identical_bytes_credits_nothing() {
    let (mut exchange, member) = joined();
    for owner in [
        stranger(),
        address::SLAB,
        address::TOKEN,
        Address::default(),
    ] {
        let forged = plant_copy(&mut exchange.session, &member.escrow, |copy| {
            copy.owner = owner;
            inflate(copy);
        });
        for forged in [
            sync(&exchange, &member, &forged),
            slab::open_account(&exchange.slab, &forged),
        ] {
            refused(
                &mut exchange.session,
                &[forged],
                &[],
                SlabError::WrongEscrow,
            );
        }
    }
}

#[test]
fn spoiled_escrows_are_refused() {
    let (mut exchange, member) = joined();
    for spoil in spoilers() {
        let instructions = [
            sync(&exchange, &member, &member.escrow),
            slab::open_account(&exchange.slab, &member.escrow),
        ];
        while_changed(&mut exchange.session, &member.escrow, spoil, |session| {
            for instruction in &instructions {
                refused(session, from_ref(instruction), &[], SlabError::WrongEscrow);
            }
        });
    }
}

#[test]
fn escrows_of_another_slab_or_mint_or_closed_ones_are_refused() {
    let (mut exchange, member) = joined();
    let flips = [
        offset_of!(Escrow, slab),
        offset_of!(Escrow, mint),
        offset_of!(Escrow, state),
    ];
    for at in flips {
        let instruction = sync(&exchange, &member, &member.escrow);
        let flip = |account: &mut Account| account.data[at] ^= 1;
        while_changed(&mut exchange.session, &member.escrow, flip, |session| {
            refused(session, &[instruction], &[], SlabError::WrongEscrow);
        });
    }
}

#[test]
fn x2_an_escrow_that_is_not_bound_to_this_account_and_generation_is_refused() {
    let (mut exchange, member) = joined();
    let index = offset_of!(Escrow, bound_account);
    let generation = offset_of!(Escrow, bound_generation);
    let set = |at: usize, value: u32| {
        move |account: &mut Account| account.data[at..at + 4].copy_from_slice(&value.to_le_bytes())
    };
    let account = u32::from(member.account);
    for (at, value) in [
        (index, 0),
        (index, account + 1),
        (index, u32::MAX),
        (generation, 0),
        (generation, 2),
        (generation, u32::MAX),
    ] {
        let instruction = sync(&exchange, &member, &member.escrow);
        let open = slab::open_account(&exchange.slab, &member.escrow);
        while_changed(
            &mut exchange.session,
            &member.escrow,
            set(at, value),
            |session| {
                refused(session, &[instruction], &[], SlabError::NotBound);
                // Bound to the next account is what opening it asks for.
                if (at, value) != (index, account + 1) {
                    refused(session, &[open], &[], SlabError::NotBound);
                }
            },
        );
    }
}

#[test]
fn x2_an_escrow_credits_only_its_own_account() {
    let (mut exchange, member) = joined();
    let other = ok(exchange.join(1_000 * QUOTE, 100 * QUOTE));
    let crossed = sync(&exchange, &member, &other.escrow);
    refused(&mut exchange.session, &[crossed], &[], SlabError::NotBound);
    // A second record that names the same account, were there one, is not the bound one.
    let twin = plant_copy(&mut exchange.session, &member.escrow, inflate);
    let forged = sync(&exchange, &member, &twin);
    refused(&mut exchange.session, &[forged], &[], SlabError::NotBound);
    for account in [0, 3, 129, u16::MAX] {
        let nowhere = slab::sync(&exchange.slab, &member.escrow, account);
        refused(&mut exchange.session, &[nowhere], &[], SlabError::NoAccount);
    }
}

#[test]
fn the_routers_other_records_are_no_escrows() {
    let (mut exchange, member) = joined();
    let (mint, owner) = (exchange.mint, member.wallet.pubkey());
    for record in [
        address::config(),
        address::vault(&mint),
        address::portfolio(&owner),
        address::slab_entry(&exchange.slab),
        address::slab_ledger(&exchange.slab, &mint),
        address::vault_tokens(&mint),
        owner,
    ] {
        let instruction = sync(&exchange, &member, &record);
        refused(
            &mut exchange.session,
            &[instruction],
            &[],
            SlabError::WrongEscrow,
        );
    }
}

/// One instruction of each kind, on the exchange's slab.
fn every_instruction(exchange: &Exchange, member: &Member) -> Vec<Instruction> {
    let (slab_key, trader) = (exchange.slab, member.trader.pubkey());
    let order = member.order(OrderKind::Limit, Side::Bid, MARK - 5, 2);
    let params = standard_instrument(Ticks(MARK));
    vec![
        slab::place(&slab_key, &trader, &order),
        slab::take(&slab_key, &trader, &member.taking(Side::Bid, MARK, 1, 0)),
        slab::cancel(&slab_key, &trader, member.account, 1, 1),
        slab::sync(&slab_key, &member.escrow, member.account),
        slab::open_account(&slab_key, &member.escrow),
        slab::add_instrument(&exchange.admin.pubkey(), &slab_key, 1, &params),
    ]
}

#[test]
fn spoiled_slabs_are_refused() {
    let (mut exchange, member) = joined();
    let layout = header(&exchange).layout_bytes as usize;
    let cut = |slab: &mut Account| slab.data.truncate(layout - 1);
    let ways = spoilers().map(|spoil| Box::new(spoil) as Box<dyn FnOnce(&mut Account)>);
    let ways = ways.into_iter().chain([Box::new(cut) as _]);
    for spoil in ways {
        let slab_key = exchange.slab;
        let all = every_instruction(&exchange, &member);
        let admin = exchange.admin.insecure_clone();
        while_changed(&mut exchange.session, &slab_key, spoil, |session| {
            for instruction in all {
                let key = instruction.accounts[1].pubkey;
                let keys = [&member.trader, &admin];
                let signers: Vec<_> = keys.into_iter().filter(|one| one.pubkey() == key).collect();
                refused(session, &[instruction], &signers, SlabError::NotASlab);
            }
        });
    }
}

#[test]
fn an_uninitialised_slab_does_nothing() {
    let (mut exchange, member) = joined();
    let empty = plant_copy(&mut exchange.session, &exchange.slab.clone(), |copy| {
        copy.data.fill(0)
    });
    let admin = exchange.admin.insecure_clone();
    for instruction in every_instruction(&exchange, &member) {
        let mut moved = instruction;
        moved.accounts[0].pubkey = empty;
        let key = moved.accounts[1].pubkey;
        let keys = [&member.trader, &admin];
        let signers: Vec<_> = keys.into_iter().filter(|one| one.pubkey() == key).collect();
        refused(
            &mut exchange.session,
            &[moved],
            &signers,
            SlabError::NotASlab,
        );
    }
}

#[test]
fn a_read_only_slab_is_refused() {
    let (mut exchange, member) = joined();
    let mut trade = every_instruction(&exchange, &member).swap_remove(0);
    trade.accounts[0].is_writable = false;
    refused(
        &mut exchange.session,
        &[trade],
        &[&member.trader],
        NOT_WRITABLE,
    );
}

#[test]
fn a_slab_of_another_router_honours_neither_our_escrows_nor_our_registry() {
    let (mut exchange, member) = joined();
    let new = new_slab(&exchange, "foreign", capacities(&[]));
    let [create, mut initialize]: [_; 2] = new
        .instructions()
        .expect("a short seed")
        .try_into()
        .expect("two");
    initialize.data[1..33].copy_from_slice(stranger().as_ref());
    ok(exchange
        .session
        .send(&[create, initialize], &[&exchange.admin]));
    let foreign = new.address().expect("a short seed");
    let register = router::register_slab(&exchange.admin.pubkey(), &foreign, &exchange.mint);
    let admin = exchange.admin.insecure_clone();
    refused(
        &mut exchange.session,
        &[register],
        &[&admin],
        RouterError::WrongSlab,
    );

    // Even an escrow of our Router that names it.
    let at = offset_of!(Escrow, slab);
    let named = plant_copy(&mut exchange.session, &member.escrow, |copy| {
        copy.data[at..at + 32].copy_from_slice(foreign.as_ref());
    });
    let open = slab::open_account(&foreign, &named);
    refused(&mut exchange.session, &[open], &[], SlabError::WrongEscrow);
}

#[test]
fn a_slab_of_another_mint_is_not_registered() {
    let (mut exchange, _) = joined();
    let mut new = new_slab(&exchange, "mint", capacities(&[]));
    new.mint = stranger();
    ok(exchange.session.send(
        &new.instructions().expect("a short seed"),
        &[&exchange.admin],
    ));
    let slab_key = new.address().expect("a short seed");
    let register = router::register_slab(&exchange.admin.pubkey(), &slab_key, &exchange.mint);
    let admin = exchange.admin.insecure_clone();
    refused(
        &mut exchange.session,
        &[register],
        &[&admin],
        RouterError::WrongSlab,
    );
}

#[test]
fn what_is_not_a_slab_is_not_registered() {
    let (mut exchange, member) = joined();
    let admin = exchange.admin.insecure_clone();
    let mut empty = account(&exchange.session, &exchange.slab);
    empty.data.fill(0);
    let short = Account {
        data: vec![1; size_of::<SlabHeader>() - 1],
        ..empty.clone()
    };
    let candidates = [
        plant(&mut exchange.session, empty),
        plant(&mut exchange.session, short),
        member.escrow,
    ];
    for candidate in candidates {
        let register = router::register_slab(&admin.pubkey(), &candidate, &exchange.mint);
        refused(
            &mut exchange.session,
            &[register],
            &[&admin],
            RouterError::WrongSlab,
        );
    }
}
