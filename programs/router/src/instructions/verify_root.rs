use crate::access::{fail, read_slab, require_top_level};
use crate::log;
use crate::record::Stored;
use crate::version;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::RootCopied;
use flagstone_interface::root::EMPTY;
use flagstone_interface::router::{CopiedRoot, ROOT_AGE_SLOTS, SlabEntry, SlabLedger};
use flagstone_interface::slab::SlabHeader;
use flagstone_interface::{Record, key_eq};
use flagstone_units::Slot;

/// Accounts of `verify_root`.
#[derive(Accounts)]
pub struct VerifyRoot {
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

/// Permissionless: copies the root that the slab published last, while its
/// program is the attested one (rule X11).
///
/// A new root is taken only when the last one is old enough to count, so that
/// there always is one that does, however often this is sent.
#[inline(never)]
pub fn run(ctx: &mut Context<VerifyRoot>) -> Result<()> {
    require_top_level()?;
    let now = Slot::from_clock(Clock::get()?.slot);
    let accounts = &mut ctx.accounts;
    if !key_eq(&accounts.ledger.slab, &accounts.entry.slab) {
        return Err(fail(RouterError::WrongSlab));
    }
    let data = read_slab(&accounts.slab, &accounts.entry)?;
    version::check(&accounts.entry, &accounts.program_data)?;
    let header = SlabHeader::read(data).ok_or(fail(RouterError::WrongSlab))?;
    let ledger = &mut accounts.ledger;
    let last = ledger.roots[0];
    let counts = |root: &CopiedRoot| {
        root.copied_slot == Slot::ZERO
            || now.saturating_sub(root.copied_slot) >= Slot(ROOT_AGE_SLOTS)
    };
    let backed = u64::try_from(header.root_sum_atoms).is_ok_and(|sum| sum <= ledger.backing_atoms);
    let fresh = !key_eq(&header.root, &EMPTY)
        && header.root_slot > last.slot
        && header.root_slot <= now
        && now.saturating_sub(header.root_slot) <= Slot(ROOT_AGE_SLOTS);
    if !fresh || !backed || !counts(&last) {
        return Err(fail(RouterError::BadRoot));
    }
    ledger.roots[1] = last;
    ledger.roots[0] = CopiedRoot {
        root: header.root,
        sum_atoms: header.root_sum_atoms,
        slot: header.root_slot,
        copied_slot: now,
        released_total_atoms: ledger.released_total_atoms,
    };
    log::write(&RootCopied {
        tag: RootCopied::TAG,
        slab: ledger.slab,
        slot: header.root_slot.0,
        root: header.root,
        sum_atoms: header.root_sum_atoms,
    });
    Ok(())
}
