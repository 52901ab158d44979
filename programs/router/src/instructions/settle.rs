use crate::access::{fail, read_slab};
use crate::booking::{self, Obstacle};
use crate::record::Stored;
use crate::version;
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::router::{Escrow, Portfolio, SlabEntry, SlabLedger, slab_status};

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

/// Permissionless and idempotent. The one place that records what speaks
/// against a slab: a redeployed program suspends it, bad counters quarantine
/// it; either way nothing is booked and the instruction succeeds (rule X5).
#[inline(never)]
pub fn run(ctx: &mut Context<Settle>) -> Result<()> {
    let accounts = &mut ctx.accounts;
    accounts.check()?;
    let data = read_slab(&accounts.slab, &accounts.entry)?;
    if !version::unchanged(&accounts.entry, &accounts.program_data)? {
        accounts.entry.status = slab_status::SUSPENDED;
        msg!("settle: the slab's program changed; suspended");
        return Ok(());
    }
    let key = *accounts.escrow.key();
    match booking::inspect(data, &key, &accounts.escrow) {
        Ok(due) => booking::apply(
            &due,
            &mut accounts.escrow,
            &mut accounts.ledger,
            &mut accounts.portfolio,
        ),
        Err(Obstacle::Evidence) => {
            accounts.entry.status = slab_status::QUARANTINED;
            msg!("settle: the slab's counters are bad; quarantined");
            Ok(())
        }
        Err(Obstacle::Error(error)) => Err(fail(error)),
    }
}
