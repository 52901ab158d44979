use crate::access::{Owned, current_slot, journaled, require_top_level};
use crate::desk::{desk, holder, position};
use anchor_lang::prelude::*;
use flagstone_index_engine::amounts::Atoms;
use flagstone_index_engine::roles::Role;

/// Accounts of `make_ready`.
#[derive(Accounts)]
pub struct MakeReady {
    /// The desk's collateral manager.
    pub manager: Signer,
    /// The desk.
    pub desk: Owned,
    /// The position.
    #[account(mut)]
    pub position: Owned,
}

#[inline(never)]
pub fn run(ctx: &mut Context<MakeReady>, amount_atoms: u64) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let key = *accounts.desk.key();
    let found = desk(&accounts.desk)?;
    let party = holder(found, Role::CollateralManager, &accounts.manager)?;
    let mut position = position(&mut accounts.position, &key)?;
    journaled(now, |journal| {
        position.make_ready(&party, Atoms(amount_atoms), journal)
    })
}
