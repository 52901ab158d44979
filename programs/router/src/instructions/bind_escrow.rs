use crate::access::{fail, read_slab, require_active, require_direct, require_owner};
use crate::log;
use crate::record::Stored;
use crate::version;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::EscrowBound;
use flagstone_interface::router::{Escrow, Portfolio, SlabEntry};
use flagstone_interface::slab::{PoolId, SlabAccount, SlabHeader, item_at, next_generation};
use flagstone_interface::{Record, key_eq};
use flagstone_units::Slot;

/// Accounts of `bind_escrow`.
#[derive(Accounts)]
pub struct BindEscrow {
    /// Owner of the escrow.
    pub owner: Signer,
    /// The escrow.
    #[account(mut)]
    pub escrow: Stored<Escrow>,
    /// Registry entry of the slab.
    pub entry: Stored<SlabEntry>,
    /// The slab.
    pub slab: UncheckedAccount,
    /// Program data account of the slab's program.
    pub program_data: UncheckedAccount,
    /// The owner's portfolio, which lists its bound escrows.
    #[account(mut)]
    pub portfolio: Stored<Portfolio>,
}

/// Binds the escrow to exactly one account index and generation (rule X2): the
/// one that the slab opens next. `slab.open_account` follows in the same
/// transaction and accepts only that binding. Binding again is possible as
/// long as the bound account was not opened for this escrow, or after it has
/// closed and the escrow was unbound.
///
/// Deposits before the binding went to an account that closed and are not
/// credited again. Those made since an earlier binding that was never opened
/// are still to be credited: they go with the escrow.
#[inline(never)]
pub fn run(ctx: &mut Context<BindEscrow>) -> Result<()> {
    require_direct(ctx.accounts.owner.address().as_array())?;
    let accounts = &mut ctx.accounts;
    require_owner(&accounts.escrow.owner, &accounts.owner)?;
    require_owner(&accounts.portfolio.owner, &accounts.owner)?;
    if !key_eq(&accounts.escrow.slab, &accounts.entry.slab) {
        return Err(fail(RouterError::WrongSlab));
    }
    require_active(&accounts.entry)?;
    version::check(&accounts.entry, &accounts.program_data)?;
    let key = *accounts.escrow.key();
    let data = read_slab(&accounts.slab, &accounts.entry)?;
    let bound: Option<&SlabAccount> =
        item_at(data, PoolId::Accounts, accounts.escrow.bound_account);
    let index = accounts.escrow.bound_account;
    if bound.is_some_and(|bound| bound.is_bound(index, &key, &accounts.escrow)) {
        return Err(fail(RouterError::AlreadyBound));
    }
    let header = SlabHeader::read(data).ok_or(fail(RouterError::WrongSlab))?;
    let next = header
        .pool(PoolId::Accounts)
        .next_index()
        .ok_or(fail(RouterError::SlabFull))?;
    let account =
        item_at::<SlabAccount>(data, PoolId::Accounts, next).ok_or(fail(RouterError::WrongSlab))?;
    list(&mut accounts.portfolio, &key)?;
    if !accounts.escrow.is_bound() {
        accounts.escrow.bound_deposited_atoms = accounts.escrow.deposited_total_atoms;
        accounts.escrow.bound_net_atoms = accounts.escrow.net_atoms();
    }
    // A root that this slot started already has no leaf for what opens now.
    let now = Slot::from_clock(Clock::get()?.slot);
    let after_root = u32::from(header.root_slot_next == now);
    accounts.escrow.bound_slot = Slot(now.0.saturating_add(after_root));
    accounts.escrow.bound_account = next;
    accounts.escrow.bound_generation = next_generation(account.generation);
    log::write(&EscrowBound {
        tag: EscrowBound::TAG,
        escrow: key,
        account: next,
        generation: accounts.escrow.bound_generation,
    });
    Ok(())
}

/// Puts an escrow into the portfolio's table, unless it is there (rule LQ6).
fn list(portfolio: &mut Portfolio, escrow: &[u8; 32]) -> Result<()> {
    if portfolio.place_of(escrow).is_none() {
        let free = portfolio.place_of(&[0; 32]);
        let free = free.ok_or(fail(RouterError::TooManySlabs))?;
        portfolio.escrows[free] = *escrow;
    }
    Ok(())
}
