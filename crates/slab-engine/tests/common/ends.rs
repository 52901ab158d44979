//! The Router's part in the end of an account, by the same predicates.

use super::{Exchange, Outcome, key_of, params};
use flagstone_interface::Key;
use flagstone_interface::router::Escrow;
use flagstone_interface::slab::{PoolId, SlabAccount, account_flags, next_generation};
use flagstone_units::Slot;

/// Address of somebody's escrow.
pub fn address(who: u32) -> Key {
    key_of(9, who)
}

/// Somebody's escrow.
pub fn escrow(exchange: &mut Exchange, who: u32) -> &mut Escrow {
    &mut exchange.escrows[who as usize - 1]
}

/// The account that somebody's escrow is bound to.
pub fn account(exchange: &mut Exchange, who: u32) -> SlabAccount {
    let index = escrow(exchange, who).bound_account;
    exchange.slab().accounts[index]
}

/// Whether somebody's escrow and the account it is bound to name each other.
pub fn is_ours(exchange: &mut Exchange, who: u32) -> bool {
    let record = *escrow(exchange, who);
    record.is_bound()
        && account(exchange, who).is_bound(record.bound_account, &address(who), &record)
}

/// `close_account` of an index, with an escrow, signed by `signer`.
pub fn close_as(exchange: &mut Exchange, signer: Option<Key>, index: u32, who: u32) -> Outcome<()> {
    let (record, slot) = (*escrow(exchange, who), Slot(exchange.slot));
    let key = address(who);
    let closed =
        exchange.run(|slab| slab.close_account(signer.as_ref(), index, &key, &record, slot));
    exchange.audit();
    closed
}

/// Closed by its trader.
pub fn close(exchange: &mut Exchange, who: u32) -> Outcome<()> {
    let (index, trader) = (
        escrow(exchange, who).bound_account,
        escrow(exchange, who).trader,
    );
    close_as(exchange, Some(trader), index, who)
}

/// `free_account` of an index, with an escrow.
pub fn free(exchange: &mut Exchange, index: u32, who: u32) -> Outcome<()> {
    let (record, key) = (*escrow(exchange, who), address(who));
    let freed = exchange.run(|slab| slab.free_account(index, &key, &record));
    exchange.audit();
    freed
}

/// What the Router's `unbind_escrow` does, by the same predicates.
pub fn unbind(exchange: &mut Exchange, who: u32) -> bool {
    if !is_ours(exchange, who) {
        return false;
    }
    let (bound, record) = (account(exchange, who), *escrow(exchange, who));
    let over = bound.flags & account_flags::CLOSED != 0
        && bound.is_empty()
        && bound.is_settled_with(&record);
    if over {
        let escrow = escrow(exchange, who);
        (escrow.bound_account, escrow.bound_generation) = (0, 0);
    }
    over
}

/// What the Router's `bind_escrow` does.
pub fn bind(exchange: &mut Exchange, who: u32) {
    let slab = exchange.slab();
    let next = slab.header.pool(PoolId::Accounts).next_index().unwrap();
    let generation = next_generation(slab.accounts[next].generation);
    let escrow = escrow(exchange, who);
    if !escrow.is_bound() {
        escrow.bound_deposited_atoms = escrow.deposited_total_atoms;
    }
    (escrow.bound_account, escrow.bound_generation) = (next, generation);
}

/// Opens the account that somebody's escrow is bound to.
pub fn open(exchange: &mut Exchange, who: u32) -> Outcome<u32> {
    let (record, slot) = (*escrow(exchange, who), Slot(exchange.slot));
    let index = exchange.run(|slab| slab.open_account(&address(who), &record, slot));
    exchange.audit();
    index
}

/// What `fund_slab` does.
pub fn fund(exchange: &mut Exchange, who: u32, atoms: u64) {
    escrow(exchange, who).deposited_total_atoms += atoms;
    exchange.backing_atoms += i128::from(atoms);
}

/// Credits the deposits of an escrow.
pub fn sync(exchange: &mut Exchange, who: u32) -> Outcome<u64> {
    let (record, slot) = (*escrow(exchange, who), Slot(exchange.slot));
    let index = record.bound_account;
    let synced = exchange.run(|slab| slab.sync(index, &address(who), &record, slot));
    exchange.audit();
    Ok(synced?.credited_atoms)
}

/// Releases everything and has the Router pay it.
pub fn drain(exchange: &mut Exchange, who: u32) {
    let (record, slot) = (*escrow(exchange, who), Slot(exchange.slot));
    let (index, cash) = (
        record.bound_account,
        account(exchange, who).cash_atoms as u64,
    );
    if cash > 0 {
        let released = exchange.run(|slab| slab.release(&record.trader, index, cash, slot));
        released.unwrap();
    }
    pay(exchange, who);
}

/// Has the Router pay what was released.
pub fn pay(exchange: &mut Exchange, who: u32) {
    let released = account(exchange, who).released_total_atoms;
    let escrow = escrow(exchange, who);
    let owed = released - escrow.released_seen_atoms;
    escrow.released_seen_atoms = released;
    exchange.backing_atoms -= i128::from(owed);
}

/// Two accounts of a billion atoms, the first one drained.
pub fn drained() -> Exchange {
    let mut exchange = Exchange::new(&params(), 2);
    drain(&mut exchange, 1);
    exchange
}
