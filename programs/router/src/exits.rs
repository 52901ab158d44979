//! Leaving a slab that is closed to its users (rule X11).
//!
//! When a slab is quarantined the Router freezes how its users leave: under the
//! last root that lay with the Router for long enough before, or else by what
//! the Router itself knows of their principal. Numerator and denominator are
//! frozen, so that nobody gains by being first.

use crate::log;
use flagstone_interface::event::router::SlabQuarantined;
use flagstone_interface::root::Leaf;
use flagstone_interface::router::{
    CopiedRoot, Escrow, ExitTerms, ROOT_AGE_SLOTS, SlabEntry, SlabLedger, exit_mode, slab_status,
};
use flagstone_units::Slot;

/// Quarantines a slab for one of the `quarantine_reason`s, freezes how its users
/// leave, and tells it.
#[cold]
#[inline(never)]
pub fn quarantine(entry: &mut SlabEntry, ledger: &mut SlabLedger, now: Slot, reason: u8) {
    entry.status = slab_status::QUARANTINED;
    let backing = ledger.backing_atoms;
    let aged = |root: &&CopiedRoot| {
        root.copied_slot != Slot::ZERO
            && now.saturating_sub(root.copied_slot) >= Slot(ROOT_AGE_SLOTS)
    };
    ledger.exit = match ledger.roots.iter().find(aged) {
        Some(root) => {
            // All equities and what came in since add up to the backing and what
            // was paid out since; an account that was paid more than its own
            // leaf leaves the others short by that much at most.
            let paid = ledger
                .released_total_atoms
                .saturating_sub(root.released_total_atoms);
            let sum = u64::try_from(root.sum_atoms).unwrap_or(0);
            ExitTerms {
                numerator_atoms: backing,
                denominator_atoms: backing.saturating_add(paid).max(sum),
                mode: exit_mode::ROOT,
                slot: now,
                root_slot: root.slot,
                root_sum_atoms: root.sum_atoms,
                root: root.root,
                ..ExitTerms::default()
            }
        }
        None => ExitTerms {
            numerator_atoms: backing,
            denominator_atoms: ledger.principal_total_atoms.max(backing),
            mode: exit_mode::PRINCIPAL,
            slot: now,
            ..ExitTerms::default()
        },
    };
    let terms = &ledger.exit;
    log::write(&SlabQuarantined {
        tag: SlabQuarantined::TAG,
        slab: entry.slab,
        reason,
        mode: terms.mode as u8,
        numerator_atoms: terms.numerator_atoms,
        denominator_atoms: terms.denominator_atoms,
        root_slot: terms.root_slot.0,
    });
}

/// What an escrow may claim under its leaf: the equity there, and what has come
/// in and gone out since. Nothing when that is negative.
pub fn claim_of(leaf: &Leaf, escrow: &Escrow) -> u64 {
    let since = |now: u64, then: u64| i128::from(now) - i128::from(then);
    let claim = i128::from(leaf.equity_atoms)
        + since(escrow.deposited_total_atoms, leaf.deposited_seen_atoms)
        + since(escrow.debited_seen_atoms, leaf.debited_total_atoms)
        - since(escrow.released_seen_atoms, leaf.released_total_atoms);
    u64::try_from(claim.max(0)).unwrap_or(u64::MAX)
}

/// What is paid for a claim: pro rata, rounded down, and never more than is left.
pub fn share(claim: u64, ledger: &SlabLedger) -> u64 {
    let terms = &ledger.exit;
    let whole = u128::from(terms.denominator_atoms.max(1));
    let part = u128::from(claim) * u128::from(terms.numerator_atoms) / whole;
    u64::try_from(part).map_or(ledger.backing_atoms, |part| part.min(ledger.backing_atoms))
}
