//! The shared funding rate of an underlying (rule T8), and which slabs make it.
//!
//! Who votes follows from the registry alone: anyone may bring a grid in line
//! with it, and an update has to show every member, in the grid's order. A
//! caller chooses neither the slabs nor what they say.

use crate::access::{allocate, derive, fail, read_slab, require_top_level};
use crate::alone::require_alone;
use crate::log;
use crate::record::Stored;
use crate::seat::current_slot;
use crate::version;
use anchor_lang::AnchorAccount;
use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::prelude::*;
use anchor_lang::programs::System;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::{GridMemberSet, GridUpdated};
use flagstone_interface::grid::{GRID_MEMBERS_MAX, Grid, GridMember};
use flagstone_interface::router::{InstrumentEntry, SlabEntry, SlabLedger, seeds, slab_status};
use flagstone_interface::{Record, key_eq};
use flagstone_margin::grid::{Ballot, local_rate_ppm, next_rate_ppm, terms_of};
use flagstone_units::Slot;

/// Accounts of each member, in the grid's order: registry entry, slab, program
/// data, ledger.
const ACCOUNTS_PER_MEMBER: usize = 4;

/// Accounts of `list_in_grid`.
#[derive(Accounts)]
pub struct ListInGrid {
    /// Pays for the grid's account, once.
    #[account(mut)]
    pub payer: Signer,
    /// `"grid"`, underlying, slots of the interval.
    #[account(mut)]
    pub grid: UncheckedAccount,
    /// Registry entry of the slab.
    pub entry: Stored<SlabEntry>,
    /// Registry entry of the instrument.
    pub instrument: Stored<InstrumentEntry>,
    /// What the Router holds for the slab.
    pub ledger: Stored<SlabLedger>,
    /// The slab.
    pub slab: UncheckedAccount,
    /// Program data account of the slab's program.
    pub program_data: UncheckedAccount,
    /// Sysvar of the transaction's instructions.
    pub instructions: UncheckedAccount,
    /// System.
    pub system_program: Program<System>,
}

/// Permissionless and idempotent: lists an instrument whose slab is active and
/// flagged for netting, and strikes one that no longer fits: its slab lost the
/// flag or winds down, or the instrument has another interval or another entry
/// by now. Of two instruments of one slab the first one votes.
///
/// A slab that is merely suspended, or an entry that waits for its delay, leaves
/// the list as it is. Without backing none is listed: it would weigh nothing at
/// every update to come, since only one that succeeds notes what it is backed
/// with by then, and a grid of such slabs would never have one.
#[inline(never)]
pub fn list(ctx: &mut Context<ListInGrid>) -> Result<()> {
    require_top_level()?;
    let accounts = &mut ctx.accounts;
    require_alone(&accounts.instructions)?;
    let (entry, wanted) = (&accounts.entry, &accounts.instrument);
    let together = key_eq(&wanted.slab, &entry.slab) && key_eq(&accounts.ledger.slab, &entry.slab);
    if !together || !key_eq(&entry.slab, accounts.slab.address().as_array()) {
        return Err(fail(RouterError::WrongSlab));
    }
    let here = version::unchanged(entry, &accounts.program_data)?
        .then(|| read_slab(&accounts.slab, entry).ok())
        .flatten();
    let found = here.and_then(|data| terms_of(data, wanted.instrument));
    let interval = found.map_or(0, |(_, interval)| interval);
    let described = found.is_some_and(|(underlying, _)| underlying == wanted.underlying_id);
    let admitted = entry.netting != 0 && entry.status == slab_status::ACTIVE;
    let backing_atoms = accounts.ledger.backing_atoms;
    let active = wanted.is_active(current_slot()?);
    let fits = admitted && described && interval != 0 && backing_atoms > 0 && active;

    let member = GridMember {
        slab: entry.slab,
        backing_atoms,
        instrument: wanted.instrument,
        padding: [0; 7],
    };
    let view = *accounts.grid.account();
    if view.data_len() == 0 {
        if !fits {
            return Err(fail(RouterError::BadGrid));
        }
        create(&accounts.payer, &view, wanted.underlying_id, interval)?;
    }
    // SAFETY: the only record of its kind in this instruction.
    let mut grid: Stored<Grid> = unsafe { Stored::load_mut(view)? };
    let shared = grid.shared;
    let same = shared.underlying_id == wanted.underlying_id;
    let listed = fits && same && shared.interval_slots == interval;
    let closed = matches!(entry.status, slab_status::DEAD | slab_status::QUARANTINED);
    // Nothing is struck for what the slab does not show at present.
    let elsewhere = found.is_some() && (!described || interval != shared.interval_slots);
    if listed {
        enter(&mut grid, member)?;
    } else if entry.netting == 0 || closed || !same || elsewhere {
        strike(&mut grid, &member)?;
    } else {
        return Err(fail(RouterError::BadGrid));
    }
    log::write(&GridMemberSet {
        tag: GridMemberSet::TAG,
        underlying_id: shared.underlying_id,
        interval_slots: shared.interval_slots,
        slab: member.slab,
        instrument: member.instrument,
        listed: u8::from(listed),
        members: grid.members_count as u8,
    });
    Ok(())
}

/// Makes an empty grid.
#[inline(never)]
fn create(payer: &AccountView, view: &AccountView, underlying: u64, interval: u32) -> Result<()> {
    let (underlying_bytes, interval_bytes) = (underlying.to_le_bytes(), interval.to_le_bytes());
    let seeds: [&[u8]; 3] = [seeds::GRID, &underlying_bytes, &interval_bytes];
    let bump = derive(view, &seeds)?;
    allocate(payer, view, &seeds, bump, size_of::<Grid>(), &crate::ID)?;
    let mut view = *view;
    let mut data = view.try_borrow_mut()?;
    let stamp = data.get_mut(..12).ok_or(fail(RouterError::WrongRecord))?;
    stamp[..8].copy_from_slice(&Grid::DISCRIMINATOR);
    stamp[8..].copy_from_slice(&Grid::VERSION.to_le_bytes());
    drop(data);
    // SAFETY: the account was empty, so nothing else refers to its record.
    let mut grid: Stored<Grid> = unsafe { Stored::load_mut(view)? };
    grid.shared.bump = bump;
    grid.shared.underlying_id = underlying;
    grid.shared.interval_slots = interval;
    Ok(())
}

/// Puts a member into its place; one that is there already stays as it is.
fn enter(grid: &mut Grid, member: GridMember) -> Result<()> {
    let count = grid.listed().len();
    let place = grid.listed().iter().position(|one| one.slab >= member.slab);
    let place = place.unwrap_or(count);
    if let Some(one) = grid.listed().get(place)
        && key_eq(&one.slab, &member.slab)
    {
        if member.instrument < one.instrument {
            grid.members[place] = member;
        } else if member.instrument > one.instrument {
            return Err(fail(RouterError::BadGrid));
        }
        return Ok(());
    }
    if count == GRID_MEMBERS_MAX {
        return Err(fail(RouterError::GridFull));
    }
    grid.members.copy_within(place..count, place + 1);
    grid.members[place] = member;
    grid.members_count = count as u32 + 1;
    Ok(())
}

/// Takes a member off the list.
fn strike(grid: &mut Grid, member: &GridMember) -> Result<()> {
    let count = grid.listed().len();
    let here =
        |one: &GridMember| key_eq(&one.slab, &member.slab) && one.instrument == member.instrument;
    let place = grid.listed().iter().position(here);
    let place = place.ok_or(fail(RouterError::BadGrid))?;
    grid.members.copy_within(place + 1..count, place);
    grid.members[count - 1] = GridMember::default();
    grid.members_count = count as u32 - 1;
    Ok(())
}

/// Accounts of `update_funding_grid`; four of each member follow.
#[derive(Accounts)]
pub struct UpdateFundingGrid {
    /// The grid.
    #[account(mut)]
    pub grid: Stored<Grid>,
    /// Sysvar of the transaction's instructions.
    pub instructions: UncheckedAccount,
}

/// Permissionless, once in an interval, counted from slot 0. Every member is
/// shown; which of them vote depends on the registry and their bytes.
#[inline(never)]
pub fn update(ctx: &mut Context<UpdateFundingGrid>) -> Result<()> {
    require_top_level()?;
    let rest = ctx.remaining_accounts()?;
    let grid = &mut ctx.accounts.grid;
    require_alone(&ctx.accounts.instructions)?;
    let now = current_slot()?;
    let (last, interval) = (grid.shared.slot, grid.interval_of(now));
    if last != Slot::ZERO && interval <= grid.interval_of(last) {
        return Err(fail(RouterError::NotDue));
    }
    let count = grid.listed().len();
    if rest.len() != count * ACCOUNTS_PER_MEMBER {
        return Err(fail(RouterError::BadGrid));
    }
    const NONE: Ballot = Ballot {
        weight: 0,
        rate_ppm: None,
    };
    let mut ballots = [NONE; GRID_MEMBERS_MAX];
    for (at, shown) in rest.chunks_exact(ACCOUNTS_PER_MEMBER).enumerate() {
        let member = grid.members[at];
        let (ballot, backing) = vote(grid, &member, shown, now)?;
        ballots[at] = ballot;
        grid.members[at].backing_atoms = backing;
    }
    let rate = next_rate_ppm(grid.shared.rate_ppm, &ballots[..count]);
    grid.shared.rate_ppm = rate.ok_or(fail(RouterError::BadGrid))?;
    let voters = |ballot: &&Ballot| ballot.weight > 0 && ballot.rate_ppm.is_some();
    let voting = ballots[..count].iter().filter(voters).count();
    grid.shared.slot = now;
    log::write(&GridUpdated {
        tag: GridUpdated::TAG,
        underlying_id: grid.shared.underlying_id,
        interval_slots: grid.shared.interval_slots,
        slabs: voting as u8,
        rate_ppm: grid.shared.rate_ppm,
    });
    Ok(())
}

/// What a member says, and its backing now, in atoms. Accounts that are not the
/// member's are an error; a slab that must not or cannot vote only has no say.
#[inline(never)]
fn vote(
    grid: &Grid,
    member: &GridMember,
    shown: &[AccountView],
    now: Slot,
) -> Result<(Ballot, u64)> {
    let [entry, slab, program_data, ledger] = shown else {
        return Err(fail(RouterError::BadGrid));
    };
    let entry: Stored<SlabEntry> = Stored::load(*entry)?;
    let ledger: Stored<SlabLedger> = Stored::load(*ledger)?;
    let fits = key_eq(&entry.slab, &member.slab)
        && key_eq(&ledger.slab, &member.slab)
        && key_eq(slab.address().as_array(), &member.slab);
    if !fits {
        return Err(fail(RouterError::BadGrid));
    }
    let attested = version::unchanged(&entry, program_data)?;
    let admitted = attested && entry.netting != 0 && entry.status == slab_status::ACTIVE;
    let backing = ledger.backing_atoms;
    if !admitted {
        let ballot = Ballot {
            weight: 0,
            rate_ppm: None,
        };
        return Ok((ballot, backing));
    }
    let shared = &grid.shared;
    let rate_ppm = read_slab(slab, &entry).ok().and_then(|data| {
        let (underlying, interval) = (shared.underlying_id, shared.interval_slots);
        local_rate_ppm(data, member.instrument, underlying, interval, now)
    });
    let ballot = Ballot {
        weight: backing.min(member.backing_atoms),
        rate_ppm,
    };
    Ok((ballot, backing))
}
