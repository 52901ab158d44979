//! How much of one account's cash may go to another account of the same
//! portfolio, at another slab (rule LQ4).
//!
//! ```text
//! wanted = min(what the target lacks to initial margin, consent left) - free cash
//! spare  = what the source's slab would release: equity without unrealised
//!          profit, above initial margin, of settled cash that is principal or
//!          has matured
//! amount = min(wanted, spare, what the source's ledger can pay now)
//! ```
//! Free cash comes first, because it moves without any slab's help. The slab
//! applies its own rules again when it releases; what is read here keeps a
//! ticket from being issued in vain, and from taking more than is wanted.

use crate::reading::{Reading, Unreadable, arriving_atoms, open_profit_atoms};
use flagstone_interface::Record;
use flagstone_interface::router::{Escrow, SlabLedger};
use flagstone_interface::slab::{SlabAccount, SlabHeader};
use flagstone_slab_engine::deficits::cut_atoms;
use flagstone_slab_engine::releases::WARMUP_SLOTS;
use flagstone_units::Slot;

/// What a frozen account wants from other slabs, in atoms: 0 while its marks are
/// stale, and once its positions are gone, since that would pay a debt and not a
/// margin.
pub fn wanted_atoms(target: &Reading, escrow: &Escrow, cash_atoms: u64) -> u64 {
    if escrow.frozen == 0 || !target.is_fresh || target.is_bare {
        return 0;
    }
    target
        .missing_atoms()
        .min(escrow.consent_atoms())
        .saturating_sub(cash_atoms)
}

/// What the account of `source` can give at marks that are fresh, in atoms; 0
/// while one is stale, the account is frozen, or its slab releases nothing to
/// anybody because a loss is to be paid first.
///
/// Deposits on their way do not count: its slab has not credited them.
///
/// # Errors
/// [`Unreadable`].
pub fn spare_atoms(
    data: &[u8],
    account: &SlabAccount,
    escrow: &Escrow,
    slot: Slot,
) -> Result<u64, Unreadable> {
    let header = SlabHeader::read(data).ok_or(Unreadable)?;
    let reading = Reading::of(data, account, escrow, slot)?;
    if escrow.frozen != 0 || !reading.is_fresh || header.deficit_atoms > 0 {
        return Ok(0);
    }
    let health = &reading.health;
    let initial = i64::try_from(health.initial_atoms).map_err(|_| Unreadable)?;
    // Each was found to be below 2^61 but the margin, which is a sum of parts
    // of notionals below 2^53.
    let free = health.equity_atoms
        - arriving_atoms(account, escrow)?
        - open_profit_atoms(data, account)?
        - initial;
    let mut principal = account.principal_atoms;
    let mut cash = account.cash_atoms;
    if account.haircut_index != header.haircut_index {
        cash -= cut_atoms(account, header.haircut_index) as i64;
    }
    if slot.saturating_sub(account.warmup_slot) >= WARMUP_SLOTS {
        principal = u64::MAX;
    }
    let cash = cash.max(0) as u64;
    let most = (free.max(0) as u64).min(cash).min(principal);
    Ok(above_deposit(most, cash, account, header))
}

/// What `settle` would pay of a release made now, in atoms: all of the backing
/// without a limit; with one, what is exempt and, while nobody waits, what the
/// limit has room for. Counts nothing.
pub fn payable_atoms(escrow: &Escrow, ledger: &SlabLedger, now: Slot) -> u64 {
    let backing = ledger.backing_atoms;
    if !ledger.outflow.is_set() && ledger.waiting_count == 0 {
        return backing;
    }
    let mut recent = escrow.recent;
    let exempt = recent.take(now, backing);
    if ledger.waiting_count == 0 {
        let room = ledger.outflow.room_atoms(now).min(backing - exempt);
        exempt + room
    } else {
        exempt
    }
}

/// Whether the account released what the Router has not paid: that waits, and
/// more would wait behind it.
pub const fn is_owed(account: &SlabAccount, escrow: &Escrow) -> bool {
    account.released_total_atoms != escrow.released_seen_atoms
}

/// The slab's rule T6: the deposit that opens an account stays in it, unless
/// everything leaves an account that holds nothing else.
fn above_deposit(most: u64, cash: u64, account: &SlabAccount, header: &SlabHeader) -> u64 {
    let least = header.account_deposit_min_atoms;
    let left = cash - most;
    let busy = account.positions_count > 0 || account.holds_count > 0;
    if left < least && (left > 0 || busy) {
        most.min(cash.saturating_sub(least))
    } else {
        most
    }
}
