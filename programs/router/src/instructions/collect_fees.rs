use crate::access::{fail, read_slab};
use crate::log;
use crate::record::Stored;
use crate::version;
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::FeesCollected;
use flagstone_interface::router::{SlabEntry, SlabLedger};
use flagstone_interface::slab::{SlabHeader, WideTotal};
use flagstone_interface::{Record, key_eq};

/// Accounts of `collect_fees`.
#[derive(Accounts)]
pub struct CollectFees {
    /// What the Router holds for the slab.
    #[account(mut)]
    pub ledger: Stored<SlabLedger>,
    /// Registry entry of the slab.
    pub entry: Stored<SlabEntry>,
    /// The slab.
    pub slab: UncheckedAccount,
    /// Program data account of the slab's program.
    pub program_data: UncheckedAccount,
}

/// Permissionless and idempotent. Books what the slab kept since the last time:
/// from backing to insurance, and from backing to the LP's fees (rule X7). What
/// backing does not hold stays due.
///
/// Like releases, fees wait while a recognised deficit is unallocated: users
/// come first. Insurance does not wait, because it pays for them.
#[inline(never)]
pub fn run(ctx: &mut Context<CollectFees>) -> Result<()> {
    let accounts = &mut ctx.accounts;
    if !key_eq(&accounts.ledger.slab, &accounts.entry.slab) {
        return Err(fail(RouterError::WrongSlab));
    }
    let data = read_slab(&accounts.slab, &accounts.entry)?;
    version::check(&accounts.entry, &accounts.program_data)?;
    let header = SlabHeader::read(data).ok_or(fail(RouterError::WrongSlab))?;
    let ledger = &mut *accounts.ledger;
    let mut backing = ledger.backing_atoms;
    let due = take(
        header.insurance_due_total,
        &mut ledger.insurance_due_seen,
        &mut backing,
    )?;
    let mut fees = 0;
    if header.deficit_atoms == 0 {
        fees = take(header.fees_out_total, &mut ledger.fees_seen, &mut backing)?;
    }
    let overflow = fail(RouterError::AmountOverflow);
    let insurance = ledger.insurance_atoms.checked_add(due);
    let total = ledger.fees_atoms.checked_add(fees);
    ledger.insurance_atoms = insurance.ok_or(overflow.clone())?;
    ledger.fees_atoms = total.ok_or(overflow)?;
    ledger.backing_atoms = backing;
    log::write(&FeesCollected {
        tag: FeesCollected::TAG,
        slab: ledger.slab,
        insured_atoms: due,
        collected_atoms: fees,
        insurance_atoms: ledger.insurance_atoms,
        fees_atoms: ledger.fees_atoms,
        backing_atoms: backing,
    });
    Ok(())
}

/// Takes what a total moved by out of backing, as far as it goes.
///
/// # Errors
/// A total that ran backwards; only `settle` holds it against the slab.
fn take(total: WideTotal, seen: &mut WideTotal, backing: &mut u64) -> Result<u64> {
    let due = total
        .get()
        .checked_sub(seen.get())
        .ok_or(fail(RouterError::BadCounters))?;
    let paid = u64::try_from(due).map_or(*backing, |due| due.min(*backing));
    *backing -= paid;
    seen.add(paid);
    Ok(paid)
}
