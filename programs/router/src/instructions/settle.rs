use crate::access::{fail, read_slab, require_slab};
use crate::booking::{self, Obstacle};
use crate::exits::quarantine;
use crate::instructions::issue_shift::is_booked;
use crate::log;
use crate::record::Stored;
use crate::version;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::{Settled, SlabSuspended, quarantine_reason};
use flagstone_interface::router::{Escrow, Portfolio, SlabEntry, SlabLedger, slab_status};
use flagstone_units::Slot;

/// Accounts of `settle` and `refund`.
#[derive(Accounts)]
pub struct Settle {
    /// Portfolio of the escrow's owner.
    #[account(mut)]
    pub portfolio: Stored<Portfolio>,
    /// The escrow.
    #[account(mut)]
    pub escrow: Stored<Escrow>,
    /// What the Router holds for the slab.
    #[account(mut)]
    pub ledger: Stored<SlabLedger>,
    /// Registry entry of the slab.
    #[account(mut)]
    pub entry: Stored<SlabEntry>,
    /// The slab.
    pub slab: UncheckedAccount,
    /// Program data account of the slab's program.
    pub program_data: UncheckedAccount,
}

impl Settle {
    /// Checks that the records belong together.
    pub fn check(&self) -> Result<()> {
        if booking::belong_together(&self.entry, &self.portfolio, &self.escrow, &self.ledger) {
            Ok(())
        } else {
            Err(fail(RouterError::WrongSlab))
        }
    }
}

/// Keeps business away from a slab whose program changed, and tells it.
#[cold]
#[inline(never)]
fn suspend(accounts: &mut Settle) {
    accounts.entry.status = slab_status::SUSPENDED;
    msg!("settle: the slab's program changed; suspended");
    log::write(&SlabSuspended {
        tag: SlabSuspended::TAG,
        slab: accounts.entry.slab,
        escrow: *accounts.escrow.key(),
    });
}

fn now() -> Result<Slot> {
    Ok(Slot::from_clock(Clock::get()?.slot))
}

/// Permissionless and idempotent. The one place that records what speaks
/// against a slab: a redeployed program suspends it, bad counters quarantine
/// it; either way nothing is booked and the instruction succeeds (rule X5).
#[inline(never)]
pub fn run(ctx: &mut Context<Settle>) -> Result<()> {
    let accounts = &mut ctx.accounts;
    accounts.check()?;
    // What the slab holds says nothing once its program changed: it may be
    // anything, and must not keep that from being recorded.
    require_slab(&accounts.slab, &accounts.entry)?;
    if !version::unchanged(&accounts.entry, &accounts.program_data)? {
        if accounts.entry.status == slab_status::DEAD {
            let reason = quarantine_reason::PROGRAM;
            quarantine(&mut accounts.entry, &mut accounts.ledger, now()?, reason);
            msg!("settle: the dead slab's program changed; quarantined");
        } else {
            suspend(accounts);
        }
        return Ok(());
    }
    let data = read_slab(&accounts.slab, &accounts.entry)?;
    let key = *accounts.escrow.key();
    match booking::inspect(data, &key, &accounts.escrow) {
        Ok(due) => {
            let booked = booking::apply(
                &due,
                &mut accounts.escrow,
                &mut accounts.ledger,
                &mut accounts.portfolio,
            )?;
            if accounts.portfolio.shift_nonce != 0 {
                end_shift(data, &accounts.escrow, &mut accounts.portfolio)?;
            }
            log::write(&Settled {
                tag: Settled::TAG,
                escrow: key,
                booked,
                owed_atoms: due.released.saturating_sub(booked.released_atoms),
                cash_atoms: accounts.portfolio.cash_atoms,
                backing_atoms: accounts.ledger.backing_atoms,
            });
            Ok(())
        }
        Err(Obstacle::Evidence) => {
            let reason = quarantine_reason::COUNTERS;
            quarantine(&mut accounts.entry, &mut accounts.ledger, now()?, reason);
            msg!("settle: the slab's counters are bad; quarantined");
            Ok(())
        }
        Err(Obstacle::Error(error)) => Err(fail(error)),
    }
}

/// Lets the next shift ticket be issued once what was released under the last
/// one is booked.
#[cold]
#[inline(never)]
fn end_shift(data: &[u8], escrow: &Stored<Escrow>, portfolio: &mut Portfolio) -> Result<()> {
    let account = booking::bound_account(data, escrow.key(), escrow)?;
    if is_booked(portfolio, escrow, account) {
        portfolio.shift_nonce = 0;
    }
    Ok(())
}
