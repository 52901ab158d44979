//! Attacks on a desk's orders and their collateral: borrowed roles, foreign
//! and forged records, replays, and numbers that would take from others.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::desk::Office;
use flagstone_e2e_tests::forge::{swapped, while_changed};
use flagstone_e2e_tests::hostile::{called, deploy};
use flagstone_e2e_tests::index::desk_limits;
use flagstone_e2e_tests::orders::{AMOUNT, deeds, mintable, queued, refuse, wish};
use flagstone_e2e_tests::refusal::{DUPLICATE, TOKEN_OWNER};
use flagstone_e2e_tests::{QUOTE, ok};
use flagstone_sdk::address;
use flagstone_sdk::index::intents::Wish;
use flagstone_sdk::index::{self, custody};
use flagstone_sdk::index_engine::amounts::Atoms;
use flagstone_sdk::index_engine::collateral_moves::RECLAIM_SLOTS;
use flagstone_sdk::index_engine::machine::{Action, State};
use flagstone_sdk::index_engine::roles::{Desk, Limits, Role};
use flagstone_sdk::interface::error::IndexError;
use flagstone_sdk::units::Slot;
use solana_keypair::Keypair;
use solana_signer::Signer;

#[test]
fn the_barrier_needs_two_signers_whoever_holds_the_roles() {
    let (mut office, intent) = queued();
    office.step(&intent, Action::Accept, 0);
    office.step(&intent, Action::Route, 0);
    let (first, second) = (
        office.holder(Role::CollateralManager),
        office.holder(Role::OrderManager),
    );
    let all = intent.position().make_ready(&first.pubkey(), 2 * AMOUNT);
    office.by(Role::CollateralManager, "make_ready", &all);
    // One key cannot be given both roles.
    let admin = office.fair.admin.insecure_clone();
    let grant = index::grant_role(&admin.pubkey(), Role::OrderManager, &first.pubkey());
    refuse(&mut office, &grant, &[&admin], IndexError::RoleTaken);
    // Nor can one pass the barrier by changing its role in between.
    let half = intent.preauthorise(&first.pubkey(), Atoms(AMOUNT));
    ok(office.send("preauthorise", &half, &[&first]));
    refuse(&mut office, &half, &[&first], IndexError::BarrierRepeated);
    let other = office.fair.exchange.session.new_wallet();
    for (role, key) in [
        (Role::CollateralManager, other.pubkey()),
        (Role::OrderManager, first.pubkey()),
    ] {
        let grant = index::grant_role(&admin.pubkey(), role, &key);
        office.fair.administer(&[grant]);
    }
    let confirm = intent.step(&first.pubkey(), Action::ConfirmReady, Atoms(AMOUNT));
    refuse(&mut office, &confirm, &[&first], IndexError::SameSigner);
    // Whoever lost a role is nobody.
    let late = intent.step(&second.pubkey(), Action::ConfirmReady, Atoms(AMOUNT));
    refuse(&mut office, &late, &[&second], IndexError::WrongSigner);
    let third = office.fair.exchange.session.new_wallet();
    let grant = index::grant_role(&admin.pubkey(), Role::OrderManager, &third.pubkey());
    office.fair.administer(&[grant]);
    let confirm = intent.step(&third.pubkey(), Action::ConfirmReady, Atoms(AMOUNT - 1));
    refuse(&mut office, &confirm, &[&third], IndexError::WrongAmount);
    let confirm = intent.step(&third.pubkey(), Action::ConfirmReady, Atoms(AMOUNT));
    ok(office.send("step_intent", &confirm, &[&third]));
    assert_eq!(office.state(&intent), State::Ready);
    office.audit();
    office.prove();
}

#[test]
fn ix10_a_desks_limits_are_its_administrators_and_hold_for_what_comes_next() {
    let (mut office, intent) = queued();
    let admin = office.fair.admin.insecure_clone();
    let tight = Limits {
        collateral_slots: Slot(7),
        batch_slots: Slot(9),
        ..desk_limits()
    };
    // Nobody else's, not even a role's holder's.
    for nobody in [office.holder(Role::OrderManager), office.wallet(0)] {
        let set = index::set_desk_limits(&admin.pubkey(), &tight);
        let set = swapped(&set, 1, nobody.pubkey());
        refuse(&mut office, &set, &[&nobody], IndexError::WrongSigner);
    }
    // Nor limits that make no sense.
    let none = Limits {
        order_atoms_max: 0,
        ..desk_limits()
    };
    let set = index::set_desk_limits(&admin.pubkey(), &none);
    refuse(&mut office, &set, &[&admin], IndexError::BadParameter);
    // What comes next goes by the new ones, and the history tells both.
    office
        .fair
        .administer(&[index::set_desk_limits(&admin.pubkey(), &tight)]);
    let session = &office.fair.exchange.session;
    let desk: Desk = session.record(&office.desk).expect("a desk");
    assert_eq!(desk.limits, tight);
    office.step(&intent, Action::Accept, 0);
    let now = office.fair.exchange.session.slot();
    let deadline = office.order(&intent).deadline_slot;
    assert_eq!(u64::from(deadline.0), now + 7);
    let batch = office.create_batch("tight", 1, 1);
    let deadline = office.batch(&batch).0.deadline_slot;
    assert_eq!(u64::from(deadline.0), now + 9);
    // Also of a slot in which they changed, which of them held is no riddle.
    office.audit();
    office.prove();
}

#[test]
fn a_desk_has_no_say_at_another() {
    let (mut office, intent, batch) = mintable(100);
    // A thief opens a desk of their own and holds all its roles.
    let thief = office.fair.exchange.session.new_wallet();
    let desk = address::desk(&thief.pubkey());
    let mut limits = desk_limits();
    limits.patience_slots.0 = 0;
    let open = index::open_desk(&thief.pubkey(), &limits);
    ok(office.send("open_desk", &open, &[&thief]));
    for (role, instruction) in deeds(&office, &intent, &batch) {
        let grant = index::grant_role(&thief.pubkey(), role, &thief.pubkey());
        ok(office.send("grant_role", &grant, &[&thief]));
        let mut own = instruction.clone();
        let signer = own.accounts.iter().position(|meta| meta.is_signer);
        own.accounts[signer.expect("a signer")].pubkey = thief.pubkey();
        // With the right desk the thief is nobody; the states differ.
        office.tick(0);
        let sent = office.fair.exchange.session.send(&[own.clone()], &[&thief]);
        let code = sent.map(|_| ()).expect_err("refused").code;
        let nobody = [IndexError::WrongSigner, IndexError::IllegalTransition];
        assert!(
            nobody.iter().any(|error| code == Some(error.code())),
            "{role:?}"
        );
        // With their own desk the records are not theirs.
        for meta in &mut own.accounts {
            if meta.pubkey == office.desk {
                meta.pubkey = desk;
            }
        }
        refuse(&mut office, &own, &[&thief], IndexError::WrongCounterpart);
        let none = index::grant_role(&thief.pubkey(), role, &Default::default());
        ok(office.send("grant_role", &none, &[&thief]));
    }
    // What anyone may do goes by the limits of the order's own desk.
    let next = office.submit(0, 2, &wish());
    for action in [Action::Settle, Action::Accept] {
        let step = swapped(&next.step(&thief.pubkey(), action, Atoms(0)), 1, desk);
        refuse(&mut office, &step, &[&thief], IndexError::WrongCounterpart);
    }
    let expire = swapped(&next.end(&thief.pubkey(), Action::Expire), 1, desk);
    refuse(
        &mut office,
        &expire,
        &[&thief],
        IndexError::WrongCounterpart,
    );
    let leave = swapped(&batch.carry_over(&intent), 1, desk);
    refuse(&mut office, &leave, &[], IndexError::WrongCounterpart);
    let archive = swapped(&intent.archive_spends(), 0, desk);
    refuse(&mut office, &archive, &[], IndexError::WrongCounterpart);
    // Nor is anything opened or paid in its name.
    let purse = office.users[0].collateral;
    let take = swapped(&custody::set_payout(&thief.pubkey(), &purse), 2, {
        address::desk_custody(&office.desk)
    });
    refuse(&mut office, &take, &[&thief], IndexError::WrongCounterpart);
    let take = swapped(&take, 1, office.desk);
    refuse(&mut office, &take, &[&thief], IndexError::WrongSigner);
    let stock = office.stock(5);
    let opened = [
        stock.open_inventory(&thief.pubkey(), 4),
        stock.open_carry(&thief.pubkey(), 4),
    ];
    for open in opened {
        refuse(&mut office, &open, &[&thief], IndexError::WrongSigner);
    }
    office.audit();
}

#[test]
fn forged_records_are_no_records() {
    let (mut office, intent, batch) = mintable(100);
    let session = &mut office.fair.exchange.session;
    deploy(session);
    let wallet = office.wallet(0);
    let purse = office.users[0].collateral;
    let position = intent.position();
    // So that nothing else is in the way of a withdrawal.
    let manager = office.key(1);
    let some = position.make_ready(&manager, 10);
    office.by(Role::CollateralManager, "make_ready", &some);
    office.tick(u64::from(RECLAIM_SLOTS) + 1);
    let mut all = deeds(&office, &intent, &batch);
    let owned = [
        position.deposit(&wallet.pubkey(), &purse, 9, 1),
        position.withdraw(&purse, 1),
        position.reclaim(&purse, 1),
        office.named(0, 7).submit(&wish()),
        intent.reduce(Atoms(1)),
        intent.end(&wallet.pubkey(), Action::Cancel),
    ];
    all.extend(owned.map(|instruction| (Role::Owner, instruction)));
    let open = [
        batch.complete(),
        batch.carry_over(&intent),
        batch.retire_lots(Office::place(0)),
        intent.archive_spends(),
    ];
    all.extend(open.map(|instruction| (Role::Anyone, instruction)));
    let spoil: [fn(&mut solana_account::Account); 4] = [
        |account| account.owner = address::TOKEN,
        |account| account.data[0] ^= 1,
        |account| account.data[8] ^= 2,
        |account| account.data.truncate(100),
    ];
    let mut tried = 0;
    for (role, instruction) in all {
        let who = match role {
            Role::Owner => vec![wallet.insecure_clone()],
            Role::Anyone => Vec::new(),
            role => vec![office.holder(role)],
        };
        let who: Vec<&Keypair> = who.iter().collect();
        for meta in &instruction.accounts {
            let session = &mut office.fair.exchange.session;
            let found = session.svm.get_account(&meta.pubkey);
            let ours = found.is_some_and(|account| account.owner == address::INDEX_VAULT);
            if !ours {
                continue;
            }
            for change in spoil {
                while_changed(session, &meta.pubkey, change, |session| {
                    session.warp_to(session.slot());
                    let sent = session.send(std::slice::from_ref(&instruction), &who);
                    let code = sent.map(|_| ()).expect_err("refused").code;
                    // A record that is looked at after the state is not looked at.
                    let codes = [IndexError::WrongRecord, IndexError::IllegalTransition];
                    assert!(
                        codes.iter().any(|error| code == Some(error.code())),
                        "{code:?}"
                    );
                });
                tried += 1;
            }
        }
        // No program may call it.
        let inner = called(&instruction);
        refuse(&mut office, &inner, &who, IndexError::CalledByProgram);
    }
    assert!(tried > 300, "{tried}");
    office.audit();
    office.prove();
}

#[test]
fn collateral_moves_once_and_only_where_it_belongs() {
    let (mut office, intent) = queued();
    let (anna, ben) = (0, office.join(500 * QUOTE));
    office.deposit(ben, 1, 50 * QUOTE);
    let (wallet, thief) = (office.wallet(anna), office.wallet(ben));
    let (purse, loot) = (office.users[anna].collateral, office.users[ben].collateral);
    let position = intent.position();
    let owner = wallet.pubkey();
    // A payment is booked once, by whoever sent it, from their own tokens.
    for payment in [0, 1] {
        let again = position.deposit(&owner, &purse, payment, QUOTE);
        refuse(&mut office, &again, &[&wallet], IndexError::DepositRepeated);
    }
    let nothing = position.deposit(&owner, &purse, 2, 0);
    refuse(&mut office, &nothing, &[&wallet], IndexError::ZeroAmount);
    let stolen = position.deposit(&owner, &loot, 2, QUOTE);
    refuse(&mut office, &stolen, &[&wallet], TOKEN_OWNER);
    let gift = position.deposit(&thief.pubkey(), &loot, u64::MAX, 1);
    refuse(&mut office, &gift, &[&thief], IndexError::WrongSigner);
    let vault = address::desk_vault(&office.desk);
    let own = position.deposit(&owner, &vault, 2, QUOTE);
    refuse(&mut office, &own, &[&wallet], DUPLICATE);
    let mint = office.fair.exchange.mint;
    let other = office.fair.plant_tokens(&owner, &mint);
    let elsewhere = swapped(&position.deposit(&owner, &purse, 2, QUOTE), 5, other);
    refuse(
        &mut office,
        &elsewhere,
        &[&wallet],
        IndexError::WrongCounterpart,
    );
    let tokens = office.users[anna].tokens;
    let wrong = position.deposit(&owner, &tokens, 2, QUOTE);
    refuse(&mut office, &wrong, &[&wallet], IndexError::WrongMint);
    // Not before it is ready, not more than is ready, not another's.
    let early = position.withdraw(&purse, 1);
    refuse(
        &mut office,
        &early,
        &[&wallet],
        IndexError::NotEnoughCollateral,
    );
    let soon = position.reclaim(&purse, 1);
    refuse(&mut office, &soon, &[&wallet], IndexError::TooEarly);
    office.make_ready(&intent, 0);
    let authorised = position.withdraw(&purse, 1);
    refuse(
        &mut office,
        &authorised,
        &[&wallet],
        IndexError::NotEnoughCollateral,
    );
    let theirs = swapped(&position.withdraw(&loot, 1), 0, thief.pubkey());
    refuse(&mut office, &theirs, &[&thief], IndexError::WrongSigner);
    let itself = position.withdraw(&vault, 1);
    refuse(&mut office, &itself, &[&wallet], DUPLICATE);
    // What nobody routes comes back, after its time; what is set aside does not.
    office.tick(u64::from(RECLAIM_SLOTS));
    refuse(&mut office, &soon, &[&wallet], IndexError::TooEarly);
    office.tick(1);
    let all = position.reclaim(&purse, 100 * QUOTE + 1);
    refuse(
        &mut office,
        &all,
        &[&wallet],
        IndexError::NotEnoughCollateral,
    );
    let back = position.reclaim(&purse, 100 * QUOTE);
    ok(office.send("reclaim", &back, &[&wallet]));
    refuse(
        &mut office,
        &back,
        &[&wallet],
        IndexError::NotEnoughCollateral,
    );
    assert_eq!(office.totals(anna).authorised, Atoms(AMOUNT));
    office.audit();
    office.prove();
}

#[test]
fn routing_costs_what_the_owner_allows_and_orders_are_served_by_their_desk() {
    let (mut office, intent) = queued();
    office.step(&intent, Action::Accept, 0);
    office.step(&intent, Action::Route, 0);
    let manager = office.holder(Role::CollateralManager);
    let key = manager.pubkey();
    let dear = intent.hop(&key, &office.payout, Atoms(QUOTE + 1));
    refuse(&mut office, &dear, &[&manager], IndexError::AboveLimitPrice);
    let most = intent.hop(&key, &office.payout, Atoms(QUOTE));
    office.by(Role::CollateralManager, "hop", &most);
    let more = intent.hop(&key, &office.payout, Atoms(1));
    refuse(&mut office, &more, &[&manager], IndexError::AboveLimitPrice);
    let purse = office.users[0].collateral;
    let away = intent.hop(&key, &purse, Atoms(0));
    refuse(
        &mut office,
        &away,
        &[&manager],
        IndexError::WrongCounterpart,
    );
    office.audit();
    // A second order under the same number, a sell, one for nothing.
    let wallet = office.wallet(0);
    let again = intent.submit(&wish());
    refuse(
        &mut office,
        &again,
        &[&wallet],
        IndexError::AlreadyInitialized,
    );
    let next = office.named(0, 2);
    let mut sell = next.submit(&wish());
    sell.data[1] = 1;
    refuse(&mut office, &sell, &[&wallet], IndexError::WrongSide);
    let nothing = Wish {
        amount: Atoms(0),
        ..wish()
    };
    let nothing = next.submit(&nothing);
    refuse(&mut office, &nothing, &[&wallet], IndexError::ZeroAmount);
    // At a desk that is not the index's, and with a position of another.
    let ben = office.join(QUOTE);
    let other = office.position_of(&office.users[ben].key()).address();
    let borrowed = swapped(&next.submit(&wish()), 5, other);
    refuse(
        &mut office,
        &borrowed,
        &[&wallet],
        IndexError::WrongCounterpart,
    );
    let thief = office.wallet(ben);
    let open = index::open_desk(&thief.pubkey(), &desk_limits());
    ok(office.send("open_desk", &open, &[&thief]));
    let foreign = swapped(&next.submit(&wish()), 1, address::desk(&thief.pubkey()));
    refuse(
        &mut office,
        &foreign,
        &[&wallet],
        IndexError::WrongCounterpart,
    );
    // Tokens are minted with a mint instruction, never by a bare step.
    let connector = office.holder(Role::ChainConnector);
    for action in [Action::Submit, Action::Mint, Action::Fill, Action::Cancel] {
        let step = intent.step(&connector.pubkey(), action, Atoms(0));
        refuse(
            &mut office,
            &step,
            &[&connector],
            IndexError::NeedsCounterpart,
        );
    }
    office.prove();
}
