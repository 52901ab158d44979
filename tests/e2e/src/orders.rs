//! Orders at a desk, brought to where a test needs them.

use crate::QUOTE;
use crate::desk::Office;
use crate::index::{ONE, TOKEN};
use crate::refusal::{Why, refused};
use flagstone_sdk::index::batches;
use flagstone_sdk::index::intents::{Intent, Wish};
use flagstone_sdk::index_engine::amounts::{Atoms, Fraction, Quantity, Tokens};
use flagstone_sdk::index_engine::engage::Share;
use flagstone_sdk::index_engine::machine::{Action, State};
use flagstone_sdk::index_engine::roles::Role;
use solana_instruction::Instruction;
use solana_keypair::Keypair;

/// Collateral of an order of these tests.
pub const AMOUNT: u64 = 100 * QUOTE;

/// An order at any price, with little for routing.
pub fn wish() -> Wish {
    Wish {
        amount: Atoms(AMOUNT),
        limit_atoms: u64::MAX,
        routing_fee_max: QUOTE,
    }
}

/// Sends an instruction that has to fail for this reason and change nothing.
#[track_caller]
pub fn refuse(office: &mut Office, attempt: &Instruction, who: &[&Keypair], why: impl Into<Why>) {
    office.tick(0);
    let session = &mut office.fair.exchange.session;
    refused(session, std::slice::from_ref(attempt), who, why);
}

/// A desk with one user, whose order of 100 units waits in the queue.
pub fn queued() -> (Office, Intent) {
    let mut office = Office::open(10, 3);
    let anna = office.join(1_000 * QUOTE);
    office.deposit(anna, 1, 200 * QUOTE);
    let intent = office.submit(anna, 1, &wish());
    (office, intent)
}

/// The same, and the order's collateral is authorised.
pub fn ready() -> (Office, Intent) {
    let (mut office, intent) = queued();
    office.make_ready(&intent, 0);
    (office, intent)
}

/// The same, and what it asked for was bought, all of it or this share.
pub fn mintable(percent: u128) -> (Office, Intent, batches::Batch) {
    let (mut office, intent) = ready();
    let parts = [(intent, 99 * QUOTE, 160 * TOKEN)];
    let batch = office.seal("one", 1, &parts, 0);
    office.launch(&batch, &parts);
    office.report(&batch, 16 * ONE * percent / 100, 1_000);
    office.take(&batch, &intent);
    office.finish(&batch, &parts);
    office.tick(26);
    office.step(&intent, Action::Settle, 0);
    assert_eq!(office.state(&intent), State::FullyMintable);
    (office, intent, batch)
}

/// Everything that is done with an order or a batch that was bought for.
pub fn deeds(office: &Office, intent: &Intent, batch: &batches::Batch) -> Vec<(Role, Instruction)> {
    let key = |place| office.key(place);
    let zero = Atoms(0);
    let share = Share {
        fraction: Fraction(1),
        contribution: Quantity::new(1),
    };
    let position = intent.position();
    vec![
        (Role::Solver, intent.step(&key(0), Action::Route, zero)),
        (Role::Solver, intent.end(&key(0), Action::Fail)),
        (Role::Solver, batch.seal(&key(0))),
        (
            Role::Solver,
            batch.join(&key(0), intent, Atoms(1), Tokens(1)),
        ),
        (Role::Solver, batch.set_cells(&key(0), intent, 0, &[share])),
        (Role::Solver, batch.drop_member(&key(0), intent)),
        (Role::Solver, batch.close(&key(0))),
        (Role::CollateralManager, position.make_ready(&key(1), 1)),
        (
            Role::CollateralManager,
            intent.hop(&key(1), &office.payout, Atoms(1)),
        ),
        (
            Role::CollateralManager,
            intent.preauthorise(&key(1), Atoms(1)),
        ),
        (
            Role::CollateralManager,
            intent.confirm_payment(&key(1), &office.payout),
        ),
        (
            Role::OrderManager,
            intent.step(&key(2), Action::Accept, zero),
        ),
        (Role::OrderManager, batch.engage(&key(2), intent)),
        (Role::OrderManager, intent.write_invoice(&key(2))),
        (Role::BatchManager, batch.send(&key(3))),
        (Role::BatchManager, batch.fill(&key(3), intent, Tokens(1))),
        (
            Role::BatchManager,
            batch.draw_carry(&key(3), Office::place(0)),
        ),
        (Role::InventoryManager, batch.cancel_rest(&key(4), 0)),
        (
            Role::ChainConnector,
            intent.mint(&key(5), &office.user_of(intent).tokens),
        ),
    ]
}
