use crate::access::{fail, read_slab};
use crate::log;
use crate::record::Stored;
use crate::version;
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::EscrowUnbound;
use flagstone_interface::key_eq;
use flagstone_interface::router::{Escrow, Portfolio, SlabEntry};
use flagstone_interface::slab::{PoolId, SlabAccount, account_flags, item_at};

/// Accounts of `unbind_escrow`.
#[derive(Accounts)]
pub struct UnbindEscrow {
    /// The escrow.
    #[account(mut)]
    pub escrow: Stored<Escrow>,
    /// Registry entry of the slab.
    pub entry: Stored<SlabEntry>,
    /// The slab.
    pub slab: UncheckedAccount,
    /// Program data account of the slab's program.
    pub program_data: UncheckedAccount,
    /// Portfolio of the escrow's owner.
    #[account(mut)]
    pub portfolio: Stored<Portfolio>,
}

/// Permissionless. Legal once the bound account is closed and empty and nothing
/// is on its way between it and the escrow: then there is nothing to book, and
/// what the counters say is over (rules X2 and X3).
#[inline(never)]
pub fn run(ctx: &mut Context<UnbindEscrow>) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let own = key_eq(&accounts.escrow.owner, &accounts.portfolio.owner);
    if !own || !key_eq(&accounts.escrow.slab, &accounts.entry.slab) {
        return Err(fail(RouterError::WrongSlab));
    }
    version::check(&accounts.entry, &accounts.program_data)?;
    let data = read_slab(&accounts.slab, &accounts.entry)?;
    let escrow = &accounts.escrow;
    let index = escrow.bound_account;
    let account: &SlabAccount = item_at(data, PoolId::Accounts, index)
        .filter(|account: &&SlabAccount| account.is_bound(index, escrow.key(), escrow))
        .ok_or(fail(RouterError::NotBound))?;
    const STAGE: u16 = account_flags::OPEN | account_flags::CLOSED;
    let over = account.flags & STAGE == account_flags::CLOSED
        && account.is_empty()
        && account.is_settled_with(escrow);
    if !over {
        return Err(fail(RouterError::NotClosed));
    }
    // Nothing of the portfolio's is left at this slab (rule LQ6).
    if let Some(place) = accounts.portfolio.place_of(accounts.escrow.key()) {
        accounts.portfolio.escrows[place] = [0; 32];
    }
    log::write(&EscrowUnbound {
        tag: EscrowUnbound::TAG,
        escrow: *accounts.escrow.key(),
        account: accounts.escrow.bound_account,
        generation: accounts.escrow.bound_generation,
    });
    accounts.escrow.bound_account = 0;
    accounts.escrow.bound_generation = 0;
    Ok(())
}
