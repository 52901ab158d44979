//! Releases above a slab's limit wait their turn (rule X8).
//!
//! What a slab released and the limit held back stays owed, as a release does
//! that the backing does not cover: the counters show it. The queue only says
//! whose turn it is; `settle` of that escrow, which anyone may send, pays it.

use crate::access::fail;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::router::{Escrow, RELEASES_WAITING_MAX, SlabLedger, Waiting};
use flagstone_units::Slot;

/// How much of what is `owed` may be paid now. Counts it.
///
/// What the owner funded of late is exempt. Of the rest only the first in the
/// queue is paid, up to what it had queued for, or anyone while the queue is
/// empty; what is left over queues.
#[inline(always)]
pub fn admit(owed: u64, backing: u64, escrow: &mut Escrow, ledger: &mut SlabLedger) -> Result<u64> {
    if !ledger.outflow.is_set() && ledger.waiting_count == 0 {
        return Ok(owed.min(backing));
    }
    limited(owed, backing, escrow, ledger)
}

#[cold]
#[inline(never)]
fn limited(owed: u64, backing: u64, escrow: &mut Escrow, ledger: &mut SlabLedger) -> Result<u64> {
    let now = Slot::from_clock(Clock::get()?.slot);
    let exempt = escrow.recent.take(now, owed.min(backing));
    let counted = owed - exempt;
    let place = place_of(escrow, ledger)?;
    let room = ledger.outflow.room_atoms(now).min(backing - exempt);
    let paid = match place {
        Some(0) => counted.min(room).min(ledger.waiting[0].atoms),
        None if ledger.waiting_count == 0 => counted.min(room),
        _ => 0,
    };
    ledger.outflow.count(now, paid);
    let left = counted - paid;
    match place {
        Some(at) => {
            let entry = &mut ledger.waiting[at];
            let mine = if at == 0 { paid } else { 0 };
            entry.atoms = (entry.atoms - mine).min(left);
            let (account, generation) = (entry.account, entry.generation);
            if entry.atoms == 0 {
                remove(ledger, at);
                // What was released since waits behind the others.
                queue(ledger, account, generation, left);
            }
        }
        None => queue(ledger, escrow.bound_account, escrow.bound_generation, left),
    }
    Ok(exempt + paid)
}

/// Place of the escrow in the queue.
fn place_of(escrow: &Escrow, ledger: &SlabLedger) -> Result<Option<usize>> {
    let waiting = ledger
        .waiting
        .get(..ledger.waiting_count as usize)
        .ok_or(fail(RouterError::WrongRecord))?;
    Ok(waiting.iter().position(|entry| {
        entry.account == escrow.bound_account && entry.generation == escrow.bound_generation
    }))
}

fn remove(ledger: &mut SlabLedger, at: usize) {
    let count = ledger.waiting_count as usize;
    ledger.waiting.copy_within(at + 1..count, at);
    ledger.waiting_count -= 1;
    ledger.waiting[count - 1] = Waiting::default();
}

/// A full queue leaves the amount owed all the same; it may queue later.
fn queue(ledger: &mut SlabLedger, account: u32, generation: u32, atoms: u64) {
    let at = ledger.waiting_count as usize;
    if atoms > 0 && at < RELEASES_WAITING_MAX {
        ledger.waiting[at] = Waiting {
            account,
            generation,
            atoms,
        };
        ledger.waiting_count += 1;
    }
}
