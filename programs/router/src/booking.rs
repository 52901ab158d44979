//! Booking what a slab account owes and is owed (rules X1 to X4).
//!
//! The slab's counters only grow; what the Router has seen of them is booked.
//! A charge is booked hold by hold, from the result that the commit left,
//! against the capability that was minted for it. If the sum of those results
//! is not what the counter moved by, or exceeds a capability, the slab is bad:
//! nothing is booked.

use crate::access::fail;
use crate::waiting;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use flagstone_interface::debit::Bounds;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::Booked;
use flagstone_interface::router::{
    CAPS_PER_ESCROW, Escrow, Portfolio, SlabEntry, SlabLedger, cap_state,
};
use flagstone_interface::slab::{PoolId, Reservation, SlabAccount, account_flags, item_at};
use flagstone_interface::{Key, key_eq};
use flagstone_units::Slot;

/// What a slab account shows and has not been booked.
pub struct Due {
    debited_total: u64,
    /// Charge of each live capability whose hold was committed.
    charges: [Option<u64>; CAPS_PER_ESCROW],
    charged: u64,
    /// Released and not paid yet.
    pub released: u64,
}

/// Why nothing can be booked.
pub enum Obstacle {
    /// The instruction is wrong; says nothing about the slab.
    Error(RouterError),
    /// The slab is bad: a counter ran backwards or a charge exceeds its capability.
    Evidence,
}

impl From<Obstacle> for Error {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Error(error) => fail(error),
            Obstacle::Evidence => fail(RouterError::BadCounters),
        }
    }
}

/// The account that an escrow is bound to, both ways (rule X2).
pub fn bound_account<'a>(
    data: &'a [u8],
    key: &Key,
    escrow: &Escrow,
) -> core::result::Result<&'a SlabAccount, Obstacle> {
    let account: Option<&SlabAccount> = item_at(data, PoolId::Accounts, escrow.bound_account);
    account
        .filter(|account| {
            account.flags & account_flags::OPEN != 0
                && account.is_bound(escrow.bound_account, key, escrow)
        })
        .ok_or(Obstacle::Error(RouterError::NotBound))
}

/// Whether the records of one owner at one slab belong together.
pub fn belong_together(
    entry: &SlabEntry,
    portfolio: &Portfolio,
    escrow: &Escrow,
    ledger: &SlabLedger,
) -> bool {
    key_eq(&escrow.slab, &entry.slab)
        && key_eq(&escrow.owner, &portfolio.owner)
        && key_eq(&ledger.slab, &entry.slab)
        && key_eq(&ledger.mint, &escrow.mint)
}

/// Reads what is due, changing nothing.
#[inline(never)]
pub fn inspect(data: &[u8], key: &Key, escrow: &Escrow) -> core::result::Result<Due, Obstacle> {
    let account = bound_account(data, key, escrow)?;
    let moved = account
        .debited_total_atoms
        .checked_sub(escrow.debited_seen_atoms)
        .ok_or(Obstacle::Evidence)?;
    let released = account
        .released_total_atoms
        .checked_sub(escrow.released_seen_atoms)
        .ok_or(Obstacle::Evidence)?;

    let mut charges = [None; CAPS_PER_ESCROW];
    let mut charged = 0u64;
    for (cap, charge) in escrow.caps.iter().zip(charges.iter_mut()) {
        if cap.state != cap_state::LIVE {
            continue;
        }
        let hold: Option<&Reservation> = item_at(data, PoolId::Reservations, cap.hold);
        let result = hold
            .filter(|hold| hold.generation == cap.hold_generation)
            .and_then(|hold| hold.result());
        if let Some(result) = result {
            // The guard that the slab's commit went through, asked again.
            let bounds = Bounds {
                hold: cap.amount_max_atoms,
                capability: cap.remaining_atoms,
                balance: escrow.balance_atoms,
                debited_total: charged,
                debited_seen: 0,
            };
            if bounds
                .limit()
                .is_none_or(|limit| result.charge_atoms > limit)
            {
                return Err(Obstacle::Evidence);
            }
            charged = charged
                .checked_add(result.charge_atoms)
                .ok_or(Obstacle::Evidence)?;
            *charge = Some(result.charge_atoms);
        }
    }
    if charged != moved {
        return Err(Obstacle::Evidence);
    }
    Ok(Due {
        debited_total: account.debited_total_atoms,
        charges,
        charged,
        released,
    })
}

/// Books what is due: charges become backing, what is left of a spent
/// capability becomes portfolio cash again, releases are paid from backing as
/// far as it goes and the slab's limit allows; the rest stays owed. Returns what
/// was booked.
#[inline(never)]
pub fn apply(
    due: &Due,
    escrow: &mut Escrow,
    ledger: &mut SlabLedger,
    portfolio: &mut Portfolio,
) -> Result<Booked> {
    let overflow = fail(RouterError::AmountOverflow);
    let principal = escrow.principal_atoms();
    let mut returned = 0u64;
    for (cap, charge) in escrow.caps.iter_mut().zip(due.charges) {
        let Some(charge) = charge else { continue };
        let rest = cap
            .remaining_atoms
            .checked_sub(charge)
            .ok_or(overflow.clone())?;
        escrow.balance_atoms = escrow
            .balance_atoms
            .checked_sub(cap.remaining_atoms)
            .ok_or(overflow.clone())?;
        portfolio.cash_atoms = portfolio
            .cash_atoms
            .checked_add(rest)
            .ok_or(overflow.clone())?;
        // Part of the cash, so it fits.
        returned = returned.wrapping_add(rest);
        cap.remaining_atoms = 0;
        cap.state = cap_state::BURNED;
    }
    escrow.debited_seen_atoms = due.debited_total;

    let backing = ledger
        .backing_atoms
        .checked_add(due.charged)
        .ok_or(overflow.clone())?;
    let paid = waiting::admit(due.released, backing, escrow, ledger)?;
    ledger.backing_atoms = backing - paid;
    ledger.released_total_atoms = ledger.released_total_atoms.saturating_add(paid);
    escrow.released_seen_atoms = escrow
        .released_seen_atoms
        .checked_add(paid)
        .ok_or(overflow.clone())?;
    portfolio.cash_atoms = portfolio.cash_atoms.checked_add(paid).ok_or(overflow)?;
    note_principal(ledger, principal, escrow);
    Ok(Booked {
        charged_atoms: due.charged,
        returned_atoms: returned,
        released_atoms: paid,
    })
}

/// Keeps the sum of principals when one of them changed.
pub fn note_principal(ledger: &mut SlabLedger, before: u64, escrow: &Escrow) {
    let others = ledger.principal_total_atoms.saturating_sub(before);
    ledger.principal_total_atoms = others.saturating_add(escrow.principal_atoms());
}

/// Gives what a live capability has left back to the portfolio and burns it.
/// Returns how much that was.
pub fn burn(escrow: &mut Escrow, index: usize, portfolio: &mut Portfolio) -> Result<u64> {
    let overflow = fail(RouterError::AmountOverflow);
    let cap = escrow.caps.get_mut(index).ok_or(fail(RouterError::NoCap))?;
    let rest = cap.remaining_atoms;
    escrow.balance_atoms = escrow
        .balance_atoms
        .checked_sub(rest)
        .ok_or(overflow.clone())?;
    portfolio.cash_atoms = portfolio.cash_atoms.checked_add(rest).ok_or(overflow)?;
    cap.remaining_atoms = 0;
    cap.state = cap_state::BURNED;
    Ok(rest)
}

/// Most that one escrow may ever fund: below the cash that a slab credits, so
/// that no deposit can get stuck between the two.
const DEPOSITS_ATOMS_MAX: u64 = 1 << 60;

/// Turns portfolio cash into backing; the escrow's counter grows, and
/// `slab.sync` credits the account by it. Changes nothing when it fails.
pub fn add_deposit(
    amount_atoms: u64,
    portfolio: &mut Portfolio,
    escrow: &mut Escrow,
    ledger: &mut SlabLedger,
) -> Result<()> {
    let overflow = fail(RouterError::AmountOverflow);
    let cash = portfolio
        .cash_atoms
        .checked_sub(amount_atoms)
        .ok_or(fail(RouterError::NotEnoughCash))?;
    let backing = ledger
        .backing_atoms
        .checked_add(amount_atoms)
        .ok_or(overflow.clone())?;
    let total = escrow
        .deposited_total_atoms
        .checked_add(amount_atoms)
        .filter(|total| *total <= DEPOSITS_ATOMS_MAX)
        .ok_or(overflow)?;
    let principal = escrow.principal_atoms();
    portfolio.cash_atoms = cash;
    ledger.backing_atoms = backing;
    escrow.deposited_total_atoms = total;
    let now = Slot::from_clock(Clock::get()?.slot);
    escrow.recent.add(now, amount_atoms);
    note_principal(ledger, principal, escrow);
    Ok(())
}
