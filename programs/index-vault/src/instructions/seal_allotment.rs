use crate::access::{Owned, current_slot, fail, journaled, key_of, require_top_level};
use crate::market::read_head;
use anchor_lang::prelude::*;
use flagstone_index_engine::allotment::Allotment;
use flagstone_index_engine::roles::{Desk, Role};

/// Accounts of `seal_allotment`.
#[derive(Accounts)]
pub struct SealAllotment {
    /// The allotment.
    #[account(mut)]
    pub allotment: Owned,
    /// Solver of its desk.
    pub solver: Signer,
    /// Its desk.
    pub desk: Owned,
}

#[inline(never)]
pub fn run(ctx: &mut Context<SealAllotment>) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let signer = *key_of(&accounts.solver);
    let desk = read_head::<Desk>(accounts.desk.bytes())?;
    let party = desk.party(Role::Solver, &signer).map_err(fail)?;
    // A party of another desk is refused: it is the allotment's solver that seals.
    let mut allotment = Allotment::open(accounts.allotment.bytes_mut()).map_err(fail)?;
    journaled(now, |journal| allotment.seal(&party, journal))
}
