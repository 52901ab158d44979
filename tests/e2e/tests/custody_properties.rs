//! The properties of custody, one test each: P2 to P6, P7 on the real programs,
//! and P11. The attacks behind them have files of their own.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::busy::{busy, readers, refuse};
use flagstone_e2e_tests::evil::{self, EVIL};
use flagstone_e2e_tests::forge::{account, stranger, swapped};
use flagstone_e2e_tests::market::{Market, TAKER_CASH};
use flagstone_e2e_tests::money::audit_money;
use flagstone_e2e_tests::random::Random;
use flagstone_e2e_tests::refusal::{TOKEN_OWNER, Why, assert_unchanged, refused, snapshot};
use flagstone_e2e_tests::{QUOTE, ok};
use flagstone_sdk::embedded::exchange::create_slab;
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::router::{
    Escrow, RouterConfig, SlabLedger, Vault, cap_state, slab_status,
};
use flagstone_sdk::{address, router, slab};
use solana_account::ReadableAccount;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};
use solana_signer::Signer;
use std::collections::BTreeMap;

/// The runtime: a program wrote into an account that is not its own.
const FOREIGN_WRITE: Why = Why::Runtime("ExternalAccountDataModified");

/// Every record of the Router, byte by byte.
fn router_records(market: &Market) -> BTreeMap<Address, Vec<u8>> {
    let accounts = &market.exchange.session.svm.accounts_db().inner;
    let ours = accounts
        .iter()
        .filter(|(_, account)| account.owner() == &address::ROUTER);
    ours.map(|(key, account)| (*key, account.data().to_vec()))
        .collect()
}

/// An instruction of SPL Token on the vault's tokens.
fn token(market: &Market, data: Vec<u8>, rest: &[AccountMeta]) -> Instruction {
    let tokens = address::vault_tokens(&market.exchange.mint);
    let mut accounts = vec![AccountMeta::new(tokens, false)];
    accounts.extend_from_slice(rest);
    Instruction {
        program_id: address::TOKEN,
        accounts,
        data,
    }
}

#[test]
fn p2_mints_match_everywhere_and_the_vault_obeys_one_authority() {
    let mut market = busy();
    let mint = market.exchange.mint;
    let session = &market.exchange.session;
    let config: RouterConfig = session.record(&address::config()).expect("a config");
    let vault: Vault = session.record(&address::vault(&mint)).expect("a vault");
    assert_eq!([config.quote_mint, vault.mint], [mint.to_bytes(); 2]);
    let tokens = address::vault_tokens(&mint);
    assert_eq!(vault.tokens, tokens.to_bytes());
    for (key, data) in router_records(&market) {
        let session = &market.exchange.session;
        let escrow: Option<Escrow> = session.record(&key);
        let ledger: Option<SlabLedger> = session.record(&key);
        let mints = escrow
            .map(|escrow| escrow.mint)
            .into_iter()
            .chain(ledger.map(|ledger| ledger.mint));
        for found in mints {
            assert_eq!(found, mint.to_bytes(), "{key}, {} bytes", data.len());
        }
    }
    // Mint, owner, no delegate, nobody who may close it: after all that moved.
    let standing = |market: &Market| {
        let data = market.exchange.session.data(&tokens);
        assert_eq!(data[..32], mint.to_bytes());
        assert_eq!(data[32..64], address::vault_authority().to_bytes());
        assert_eq!(data[72..76], [0; 4], "a delegate");
        assert_eq!(data[129..133], [0; 4], "somebody may close it");
    };
    standing(&market);
    let withdraw = router::withdraw(
        &market.taker.wallet.pubkey(),
        &mint,
        &market.taker.tokens,
        QUOTE,
    );
    market.step(&[withdraw]);
    standing(&market);
    // Nobody who could sign is the authority, and the authority has no key.
    assert!(!address::vault_authority().is_on_curve());
    for thief in [
        market.exchange.admin.insecure_clone(),
        market.taker.wallet.insecure_clone(),
        market.taker.trader.insecure_clone(),
    ] {
        let (own, signer) = (
            market.taker.tokens,
            AccountMeta::new_readonly(thief.pubkey(), true),
        );
        let one = 1u64.to_le_bytes();
        let mut new_owner = vec![6, 2, 1];
        new_owner.extend(thief.pubkey().to_bytes());
        let attempts = [
            token(
                &market,
                [vec![3], one.to_vec()].concat(),
                &[AccountMeta::new(own, false), signer.clone()],
            ),
            token(
                &market,
                [vec![4], one.to_vec()].concat(),
                &[
                    AccountMeta::new_readonly(thief.pubkey(), false),
                    signer.clone(),
                ],
            ),
            token(&market, new_owner, &[signer]),
        ];
        for attempt in attempts {
            let session = &mut market.exchange.session;
            refused(session, &[attempt], &[&thief], TOKEN_OWNER);
        }
    }
    standing(&market);
}

#[test]
fn p3_every_pot_empties_to_nothing_and_never_below() {
    let mut market = Market::open(1);
    let (owner, mint) = (market.taker.wallet.pubkey(), market.exchange.mint);
    let (tokens, seat) = (market.taker.tokens, market.seats[0]);
    let withdraw = |atoms| router::withdraw(&owner, &mint, &tokens, atoms);
    let fund = |atoms| router::fund_slab(&owner, &seat.slab, &mint, atoms);
    let claim = |atoms| router::claim_withdrawal(&owner, &mint, &tokens, atoms);
    // Cash to the slab: all of it and not one atom more.
    market.refuse(&fund(TAKER_CASH + 1), RouterError::NotEnoughCash);
    market.step(&[
        fund(TAKER_CASH),
        slab::sync(&seat.slab, &seat.escrow, seat.account),
    ]);
    assert_eq!(market.cash(), 0);
    for attempt in [fund(1), withdraw(1), claim(QUOTE)] {
        market.refuse(&attempt, RouterError::NotEnoughCash);
    }
    // Back, out, and then there is nothing that a route could move to its escrow.
    let release = market.release(0, TAKER_CASH);
    market.step(&[release]);
    let settle = market.settle(0);
    market.crank(settle);
    market.step(&[withdraw(TAKER_CASH)]);
    let route = market.route(40, 0);
    market.step(&route.reserve());
    market.refuse(&route.open(), RouterError::NotEnoughCash);
    // Slab and backing.
    let release = market.release(0, 1);
    market.refuse(&release, SlabError::ReleaseTooLarge);
    let ledger = market.ledger(0);
    assert_eq!(market.account(0).cash_atoms, 0);
    assert_eq!(market.cash(), 0);
    assert_eq!(ledger.backing_atoms, 20_000 * QUOTE, "the maker's alone");
    market.refuse(&withdraw(1), RouterError::NotEnoughCash);
    // Fees and insurance that were never collected do not leave.
    let admin = market.exchange.admin.insecure_clone();
    let account = ok(market.exchange.create_tokens(&admin.pubkey(), 0));
    let fees = router::withdraw_fees(&admin.pubkey(), &seat.slab, &mint, &account, 1);
    let session = &mut market.exchange.session;
    refused(session, &[fees], &[&admin], RouterError::NotEnoughCash);
    audit_money(&market.exchange.session);
}

/// Every step of a slab in the life of a route, a deposit and a release.
fn slab_steps(market: &mut Market) -> Vec<(&'static str, Vec<Instruction>)> {
    let route = market.route(5, 20);
    let seat = market.seats[0];
    let sync = slab::sync(&seat.slab, &seat.escrow, seat.account);
    let expire = slab::expire_holds(&seat.slab, 1, 64);
    vec![
        ("sync", vec![sync]),
        ("release", vec![market.release(0, 1)]),
        ("reserve", route.reserve()),
        ("open", vec![route.open()]),
        ("commit", route.commit()),
        ("expire", vec![expire]),
        ("settle", vec![route.settle()]),
        ("free", route.free()),
    ]
}

#[test]
fn p4_p6_no_instruction_of_a_slab_changes_a_record_of_the_router() {
    let mut market = Market::open(2);
    for at in 0..2 {
        market.fund(at, QUOTE);
    }
    let mut moved = 0;
    for (name, mut instructions) in slab_steps(&mut market) {
        let before = router_records(&market);
        let routers = instructions
            .iter()
            .any(|one| one.program_id == address::ROUTER);
        if !routers {
            // Not even where the escrow may be written to.
            for meta in instructions.iter_mut().flat_map(|one| &mut one.accounts) {
                meta.is_writable = true;
            }
        }
        ok(market.send(&instructions));
        let same = before == router_records(&market);
        assert_eq!(same, !routers, "{name}");
        moved += usize::from(routers);
    }
    assert_eq!(moved, 2, "opened and settled");
    let escrow = market.escrow(0);
    assert!(escrow.debited_seen_atoms > 0);
    assert_eq!(escrow.caps[0].state, cap_state::BURNED);
    audit_money(&market.exchange.session);
}

#[test]
fn p4_p6_a_hostile_slab_program_writes_no_escrow_and_no_capability() {
    let mut market = Market::open(1);
    evil::deploy(&mut market.exchange.session);
    market.fund(0, QUOTE);
    let route = market.reserve_and_open(5, 20);
    let seat = market.seats[0];
    let mint = market.exchange.mint;
    let owner = market.taker.wallet.pubkey();
    for key in [
        seat.escrow,
        address::portfolio(&owner),
        address::slab_ledger(&seat.slab, &mint),
        address::slab_entry(&seat.slab),
        address::vault(&mint),
        address::config(),
    ] {
        // Its first capability, or wherever that lies in another record; and the start.
        let data = market.exchange.session.data(&key);
        for offset in [0, (data.len() - 8).min(256)] {
            let bytes: Vec<u8> = data[offset..offset + 8].iter().map(|byte| !byte).collect();
            let mut write = vec![0];
            write.extend((offset as u32).to_le_bytes());
            write.extend(8u32.to_le_bytes());
            write.extend(bytes);
            let attempt = Instruction {
                program_id: EVIL,
                accounts: vec![AccountMeta::new(key, false)],
                data: write,
            };
            let session = &mut market.exchange.session;
            refused(session, &[attempt], &[], FOREIGN_WRITE);
        }
    }
    market.step(&route.commit());
    market.step(&[route.settle()]);
}

#[test]
fn p5_what_comes_back_comes_back_once_in_any_order() {
    let mut ends = Vec::new();
    for seed in 0..8 {
        let mut random = Random::new(seed);
        let mut market = Market::open(2);
        for at in 0..2 {
            market.fund(at, QUOTE);
        }
        // One leg trades, one is left to expire; a release waits.
        let route = market.reserve_and_open(10, 20);
        let first = market.seats[0].slab;
        let commits = route.commit().into_iter().zip(route.legs());
        let commits = commits.filter(|(_, leg)| leg.slab == first);
        let commits: Vec<_> = commits.map(|(commit, _)| commit).collect();
        market.step(&commits);
        market.fund(0, 30 * QUOTE);
        let release = market.release(0, 10 * QUOTE);
        market.step(&[release]);
        let in_escrow = [
            market.escrow(0).balance_atoms,
            market.escrow(1).balance_atoms,
        ];
        assert!(in_escrow.iter().all(|balance| *balance > 0));
        market.wait(30);
        let mut steps = vec![
            market.settle(0),
            market.settle(1),
            route.settle(),
            market.refund(0, 0),
            market.refund(1, 0),
            market.refund(1, 1),
        ];
        steps.extend(route.free());
        let mut cash = market.cash();
        for _ in 0..24 {
            let step = steps[random.below(steps.len() as u32) as usize].clone();
            market.exchange.session.svm.expire_blockhash();
            // What is not due yet, or no more, fails and changes nothing.
            let _ = market.exchange.session.send(&[step], &[]);
            audit_money(&market.exchange.session);
            assert!(market.cash() >= cash, "money went the wrong way");
            cash = market.cash();
        }
        for step in [route.settle(), market.settle(0)] {
            market.crank(step);
        }
        let before = snapshot(&market.exchange.session);
        for step in [route.settle(), market.settle(0), market.settle(1)] {
            market.crank(step);
            assert_unchanged(&market.exchange.session, &before);
        }
        let escrows = [market.escrow(0), market.escrow(1)];
        assert!(escrows.iter().all(|escrow| escrow.balance_atoms == 0));
        ends.push((market.cash(), escrows.map(|one| one.debited_seen_atoms)));
    }
    ends.dedup();
    assert_eq!(ends.len(), 1, "the order made a difference: {ends:?}");
}

#[test]
fn p7_no_debit_beyond_what_remains_nor_after_its_end() {
    let mut market = Market::open(1);
    market.fund(0, QUOTE);
    let route = market.reserve_and_open(10, 5);
    let commit = route.commit().remove(0);
    let escrow_key = market.seats[0].escrow;
    let original = account(&market.exchange.session, &escrow_key);
    // The charge, as the commit would make it.
    let before = market
        .exchange
        .session
        .svm
        .get_account(&market.seats[0].slab);
    market.step(std::slice::from_ref(&commit));
    let charge = market.account(0).debited_total_atoms;
    let put = |market: &mut Market, edit: &dyn Fn(&mut Escrow)| {
        let mut copy = original.clone();
        edit(bytemuck::from_bytes_mut(&mut copy.data));
        let svm = &mut market.exchange.session.svm;
        svm.set_account(escrow_key, copy).expect("an escrow");
    };
    let slab_key = market.seats[0].slab;
    let svm = &mut market.exchange.session.svm;
    svm.set_account(slab_key, before.expect("a slab"))
        .expect("a slab");
    type Edit<'a> = &'a dyn Fn(&mut Escrow);
    let refusals: [(Edit<'_>, SlabError); 9] = [
        (
            &|it| it.caps[0].remaining_atoms = charge - 1,
            SlabError::ChargeTooLarge,
        ),
        (
            &|it| it.caps[0].remaining_atoms = 0,
            SlabError::ChargeTooLarge,
        ),
        (
            &|it| it.balance_atoms = charge - 1,
            SlabError::ChargeTooLarge,
        ),
        (&|it| it.debited_seen_atoms = 1, SlabError::CounterBackwards),
        (&|it| it.caps[0].state = cap_state::BURNED, SlabError::NoCap),
        (&|it| it.caps[0].hold_generation += 1, SlabError::NoCap),
        (&|it| it.caps[0].hold += 1, SlabError::NoCap),
        (&|it| it.caps[0].route_id += 1, SlabError::NoCap),
        (&|it| it.bound_generation += 1, SlabError::NotBound),
    ];
    for (edit, why) in refusals {
        put(&mut market, edit);
        market.refuse(&commit, why);
    }
    put(&mut market, &|it| it.caps[0].remaining_atoms = charge);
    let escrow = account(&market.exchange.session, &escrow_key);
    market.wait(6);
    market.refuse(&commit, SlabError::Expired);
    // A hold that lives longer than its capability does not help.
    let index = route.legs()[0].hold.index;
    let edited = market.exchange.session.edit_slab(&slab_key, |slab| {
        slab.reservations[index].expiry_slot.0 += 50;
    });
    edited.expect("a slab");
    market.refuse(&commit, SlabError::NoCap);
    assert_eq!(escrow, account(&market.exchange.session, &escrow_key));
}

#[test]
fn p11_a_slab_that_is_not_registered_or_has_other_code_is_refused() {
    let mut market = busy();
    let (owner, mint) = (market.taker.wallet.pubkey(), market.exchange.mint);
    let admin = market.exchange.admin.insecure_clone();
    let session = &mut market.exchange.session;
    let stray = ok(create_slab(session, &admin, &mint, "stray", SlabSize::Dev));
    let trader = stranger();
    let open = router::open_escrow(&owner, &stray, &mint, &trader);
    market.refuse(&open, RouterError::WrongRecord);
    let known = address::slab_entry(&market.seats[0].slab);
    // Under the entry of a slab that is registered: place 3 is the entry, 4 the slab.
    market.refuse(&swapped(&open, 3, known), RouterError::WrongSlab);
    let readers = readers(&mut market);
    let seat = market.seats[0];
    let others = [
        (router::fund_slab(&owner, &seat.slab, &mint, 1), true),
        (market.settle(0), false),
        (router::bind_escrow(&owner, &seat.slab, &mint), true),
    ];
    for (instruction, signed) in readers.iter().chain(&others) {
        let mut moved = instruction.clone();
        for meta in &mut moved.accounts {
            if meta.pubkey == seat.slab {
                meta.pubkey = stray;
            }
        }
        refuse(&mut market, &(moved, *signed), RouterError::WrongSlab);
        let mut unlisted = instruction.clone();
        for meta in &mut unlisted.accounts {
            if meta.pubkey == known {
                meta.pubkey = address::slab_entry(&stray);
            }
        }
        refuse(&mut market, &(unlisted, *signed), RouterError::WrongRecord);
    }
    // The code behind a registered slab was deployed anew.
    let code = address::program_data(&address::SLAB);
    let mut redeployed = account(&market.exchange.session, &code);
    redeployed.data[4] ^= 1;
    let svm = &mut market.exchange.session.svm;
    svm.set_account(code, redeployed).expect("program data");
    for reader in readers.iter().chain([&others[0], &others[2]]) {
        refuse(&mut market, reader, RouterError::WrongProgramVersion);
    }
    ok(market.exchange.session.send(&[others[1].0.clone()], &[]));
    assert_eq!(market.status(0), slab_status::SUSPENDED);
    for reader in &readers {
        refuse(&mut market, reader, RouterError::WrongSlab);
    }
}
