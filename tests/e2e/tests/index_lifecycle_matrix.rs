//! Every action on an index order in every state by every signer, and every
//! change of a batch likewise: what the table does not allow is refused by the
//! program, for that reason, and changes nothing.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::QUOTE;
use flagstone_e2e_tests::desk::{LIMIT_PERCENT, Office, ROLES, name, price};
use flagstone_e2e_tests::index::{ONE, TOKEN};
use flagstone_e2e_tests::refusal::{Why, refused};
use flagstone_sdk::index::batches::Batch;
use flagstone_sdk::index::intents::{Intent, Wish};
use flagstone_sdk::index_engine::amounts::{Atoms, Fraction, Price, Quantity, Tokens};
use flagstone_sdk::index_engine::engage::{AssetOrder, Share};
use flagstone_sdk::index_engine::machine::{Action, State, transition};
use flagstone_sdk::index_engine::roles::Role;
use flagstone_sdk::interface::error::IndexError;
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

/// Every action that a signer takes on an order, as its instruction.
fn attempt(
    office: &Office,
    (intent, batch): (&Intent, &Batch),
    action: Action,
    who: &Address,
) -> Option<Instruction> {
    use Action as A;
    let amount = Atoms(10 * QUOTE);
    Some(match action {
        // A new record each time, and what no signer is asked for.
        A::Submit | A::CarryOver => return None,
        A::Push | A::ConfirmReady => intent.step(who, action, amount),
        A::Accept | A::Reject | A::Route | A::CheckLater | A::Settle => {
            intent.step(who, action, Atoms(0))
        }
        A::Reduce => {
            let mut reduce = intent.reduce(amount);
            reduce.accounts[0].pubkey = *who;
            reduce
        }
        A::Cancel | A::DenyCollateral | A::Expire | A::Fail | A::DenyPayment => {
            intent.end(who, action)
        }
        A::Hop => intent.hop(who, &office.payout, Atoms(1)),
        A::Preauthorise => intent.preauthorise(who, amount),
        A::Engage => batch.engage(who, intent),
        A::Fill => batch.fill(who, intent, Tokens(1)),
        A::ConfirmPayment => intent.confirm_payment(who, &office.payout),
        A::Mint => intent.mint(who, &office.user_of(intent).tokens),
        A::Invoice => intent.write_invoice(who),
    })
}

/// The desk's six, its administrator, the owner, and a stranger.
fn everybody(office: &Office, stranger: &Keypair) -> Vec<(Role, Keypair)> {
    let mut all: Vec<_> = ROLES
        .iter()
        .map(|role| (*role, office.holder(*role)))
        .collect();
    all.push((Role::Admin, office.fair.admin.insecure_clone()));
    all.push((Role::Owner, office.wallet(0)));
    all.push((Role::Anyone, stranger.insecure_clone()));
    all
}

/// Tries everything that the table does not have for the order's state.
fn probe(office: &mut Office, intent: &Intent, batch: &Batch, stranger: &Keypair) -> (State, u32) {
    let state = office.state(intent);
    let mut tried = 0;
    for action in Action::ALL {
        let row = transition(state, *action).ok();
        for (role, who) in everybody(office, stranger) {
            let right = row.is_some_and(|row| row.role == role || row.role == Role::Anyone);
            let Some(instruction) = attempt(office, (intent, batch), *action, &who.pubkey()) else {
                continue;
            };
            if right {
                continue;
            }
            let why = match row {
                None => IndexError::IllegalTransition,
                Some(_) => IndexError::WrongSigner,
            };
            office.tick(0);
            let session = &mut office.fair.exchange.session;
            refused(session, &[instruction], &[&who], why);
            tried += 1;
        }
    }
    (state, tried)
}

#[test]
fn ix1_ix10_every_action_in_every_state_by_every_signer() {
    let mut office = Office::open(10, 3);
    let stranger = office.fair.exchange.session.new_wallet();
    let anna = office.join(1_000 * QUOTE);
    office.deposit(anna, 1, 100 * QUOTE);
    // All of it is engaged at its largest cost, so that filling all of it at
    // the limit prices spends 99.9 %: mintable, and not full.
    let tokens = 100 * TOKEN;
    let amount = 60_721_200;
    let wish = Wish {
        amount: Atoms(amount),
        limit_atoms: u64::MAX,
        routing_fee_max: 0,
    };
    let intent = office.submit(anna, 1, &wish);
    let parts = [(intent, amount, tokens)];
    let batch = office.seal("one", 1, &parts, 0);
    let mut seen = Vec::new();
    let mut tried = 0;
    let mut look = |office: &mut Office| {
        let (state, count) = probe(office, &intent, &batch, &stranger);
        seen.push(state);
        tried += count;
    };
    look(&mut office);
    office.step(&intent, Action::Accept, 0);
    look(&mut office);
    office.step(&intent, Action::Route, 0);
    look(&mut office);
    let manager = office.key(1);
    let ready = intent.position().make_ready(&manager, amount);
    office.by(Role::CollateralManager, "make_ready", &ready);
    let set = intent.preauthorise(&manager, Atoms(amount));
    office.by(Role::CollateralManager, "preauthorise", &set);
    office.step(&intent, Action::ConfirmReady, amount);
    look(&mut office);
    office.launch(&batch, &parts);
    look(&mut office);
    office.report(&batch, 10 * ONE, 10 * LIMIT_PERCENT);
    assert_eq!(office.take(&batch, &intent), tokens);
    look(&mut office);
    office.tick(26);
    office.finish(&batch, &parts);
    look(&mut office);
    let confirm = intent.confirm_payment(&manager, &office.payout);
    office.by(Role::CollateralManager, "confirm_payment", &confirm);
    look(&mut office);
    let mint = intent.mint(&office.key(5), &office.users[anna].tokens);
    office.by(Role::ChainConnector, "mint_index", &mint);
    look(&mut office);
    let invoice = intent.write_invoice(&office.key(2));
    office.by(Role::OrderManager, "write_invoice", &invoice);
    look(&mut office);
    // Every state of a life, and its end.
    let alive: Vec<State> = State::ALL[1..=10].to_vec();
    assert_eq!(seen, alive);
    println!("{tried} refused");
    assert!(tried > 1_500, "{tried}");
    office.audit();
    office.prove();
}

/// Every change of a batch, with the role that may make it and the state in
/// which it may be made.
fn changes(batch: &Batch, intent: &Intent, who: &Address) -> Vec<(Role, u8, Instruction)> {
    let asset = AssetOrder {
        label: u64::MAX,
        limit: Price::new(ONE),
        quantity: Quantity::new(ONE),
    };
    let share = Share {
        fraction: Fraction(1),
        contribution: Quantity::new(1),
    };
    vec![
        (Role::Solver, 1, batch.set_assets(who, 3, &[asset])),
        (
            Role::Solver,
            1,
            batch.join(who, intent, Atoms(1), Tokens(1)),
        ),
        (Role::Solver, 1, batch.set_cells(who, intent, 0, &[share])),
        (Role::Solver, 1, batch.seal(who)),
        (Role::Solver, 2, batch.drop_member(who, intent)),
        (Role::BatchManager, 2, batch.send(who)),
        (
            Role::BatchManager,
            3,
            batch.draw_carry(who, Office::place(0)),
        ),
    ]
}

#[test]
fn ix1_ix10_every_change_of_a_batch_in_every_state_by_every_signer() {
    let mut office = Office::open(10, 3);
    let stranger = office.fair.exchange.session.new_wallet();
    let anna = office.join(1_000 * QUOTE);
    office.deposit(anna, 1, 100 * QUOTE);
    let wish = Wish {
        amount: Atoms(100 * QUOTE),
        limit_atoms: u64::MAX,
        routing_fee_max: 0,
    };
    let intent = office.submit(anna, 1, &wish);
    office.make_ready(&intent, 0);
    let parts = [(intent, 90 * QUOTE, 100 * TOKEN)];
    let batch = office.create_batch("one", 1, 1);
    office.build(&batch, &parts, 0);
    for state in 1u8..=4 {
        assert_eq!(office.batch(&batch).0.state, state);
        for (role, who) in everybody(&office, &stranger) {
            for (right, when, change) in changes(&batch, &intent, &who.pubkey()) {
                let why = match (role == right, when == state) {
                    (false, _) => IndexError::WrongSigner,
                    (true, false) => IndexError::IllegalTransition,
                    (true, true) => continue,
                };
                refuse(&mut office, &change, &who, why);
            }
            let wrong = state != 3;
            let fill = flagstone_sdk::index_engine::inventory::Fill {
                number: 1,
                batch: 1,
                quantity: Quantity::new(ONE),
                price: Price::new(price(0)),
                ..Default::default()
            };
            let report = batch.report_fill(&who.pubkey(), (0, name(0)), &fill);
            match role {
                Role::InventoryManager if wrong => {
                    refuse(&mut office, &report, &who, IndexError::IllegalTransition);
                }
                Role::InventoryManager => {}
                _ => refuse(&mut office, &report, &who, IndexError::WrongSigner),
            }
            let cancel = batch.cancel_rest(&who.pubkey(), 0);
            match role {
                _ if wrong => refuse(&mut office, &cancel, &who, IndexError::IllegalTransition),
                Role::InventoryManager => {}
                // To all others it opens at the deadline.
                _ => refuse(&mut office, &cancel, &who, IndexError::TooEarly),
            }
            let close = batch.close(&who.pubkey());
            match role {
                Role::Solver if state == 2 || state == 3 => {
                    refuse(&mut office, &close, &who, IndexError::IllegalTransition);
                }
                Role::Solver => {}
                _ => refuse(&mut office, &close, &who, IndexError::WrongSigner),
            }
        }
        let complete = match state {
            1 => Some(IndexError::IllegalTransition),
            2 => Some(IndexError::TooEarly),
            3 => Some(IndexError::Incomplete),
            _ => Some(IndexError::IllegalTransition),
        };
        if let Some(why) = complete {
            refuse(&mut office, &batch.complete(), &stranger, why);
        }
        match state {
            1 => drop(office.by(Role::Solver, "seal_batch", &batch.seal(&office.key(0)))),
            2 => office.launch(&batch, &parts),
            3 => office.finish(&batch, &parts),
            _ => {
                let close = batch.close(&office.key(0));
                office.by(Role::Solver, "close_batch", &close);
            }
        }
    }
    // What is left of a closed batch is no batch, and its address stays taken.
    let session = &office.fair.exchange.session;
    assert_eq!(session.data(&batch.key).len(), 256);
    let retire = batch.retire_lots(Office::place(0));
    refuse(&mut office, &retire, &stranger, IndexError::BadCapacity);
    let close = batch.close(&office.key(0));
    let solver = office.holder(Role::Solver);
    refuse(&mut office, &close, &solver, IndexError::BadCapacity);
    office.audit();
    office.prove();
}

fn refuse(office: &mut Office, instruction: &Instruction, who: &Keypair, why: impl Into<Why>) {
    office.tick(0);
    let signs = instruction.accounts.iter().any(|meta| meta.is_signer);
    let signers: &[&Keypair] = if signs { &[who] } else { &[] };
    let session = &mut office.fair.exchange.session;
    refused(session, std::slice::from_ref(instruction), signers, why);
}
