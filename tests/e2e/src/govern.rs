//! Governance in one call, and records of it.

use crate::{code, ok};
use flagstone_sdk::address;
use flagstone_sdk::embedded::{Exchange, Failure, Receipt};
use flagstone_sdk::interface::governance::Proposal;
use flagstone_sdk::interface::router::RouterConfig;
use flagstone_sdk::router::Change;
use solana_keypair::Keypair;
use solana_signer::Signer;

/// Delay and life of proposals in tests, in slots.
pub const DELAY: u32 = 1_000;
/// As [`DELAY`].
pub const LIFE: u32 = 5_000;

/// The configuration.
pub fn config(exchange: &Exchange) -> RouterConfig {
    let key = address::config();
    exchange.session.record(&key).expect("a configuration")
}

/// A proposal.
pub fn proposal(exchange: &Exchange, id: u64) -> Proposal {
    let key = address::proposal(id);
    exchange.session.record(&key).expect("a proposal")
}

/// Proposes a change as the administrator; returns its number.
#[track_caller]
pub fn propose(exchange: &mut Exchange, change: &Change) -> u64 {
    let id = config(exchange).proposals_total + 1;
    let admin = exchange.admin.insecure_clone();
    let propose = change.propose(&admin.pubkey(), id);
    ok(exchange.session.send(&[propose], &[&admin]));
    id
}

/// Executes a proposal as anyone.
///
/// # Errors
/// The failed transaction.
pub fn execute(exchange: &mut Exchange, change: &Change, id: u64) -> Result<Receipt, Box<Failure>> {
    let anyone = exchange.session.new_wallet();
    let execute = change.execute(&anyone.pubkey(), id);
    exchange.session.send_large(&[execute], &[&anyone])
}

/// Makes a change, waiting for its delay.
#[track_caller]
pub fn change(exchange: &mut Exchange, change: &Change) {
    let id = propose(exchange, change);
    let due = u64::from(proposal(exchange, id).due_slot.0);
    if due > exchange.session.slot() {
        exchange.session.warp_to(due);
    }
    ok(execute(exchange, change, id));
}

/// What executing a proposal is refused with.
#[track_caller]
pub fn refusal(exchange: &mut Exchange, change: &Change, id: u64) -> u32 {
    code(execute(exchange, change, id))
}

/// Ends the setting up: a guardian, and [`DELAY`] for everything from now on.
#[track_caller]
pub fn settle_down(exchange: &mut Exchange) -> Keypair {
    let guardian = exchange.session.new_wallet();
    change(exchange, &Change::set_guardian(&guardian.pubkey()));
    change(exchange, &Change::set_delays(DELAY, LIFE));
    guardian
}
