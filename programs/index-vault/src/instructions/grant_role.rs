use crate::access::{Owned, current_slot, fail, journaled, key_of, require_top_level};
use anchor_lang::prelude::*;
use flagstone_index_engine::roles::{Desk, Role};
use flagstone_index_engine::store;

/// Accounts of what a desk's administrator does.
#[derive(Accounts)]
pub struct AdministerDesk {
    /// The desk.
    #[account(mut)]
    pub desk: Owned,
    /// Its administrator.
    pub admin: Signer,
}

#[inline(never)]
pub fn run(ctx: &mut Context<AdministerDesk>, role: u8, key: [u8; 32]) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let signer = *key_of(&ctx.accounts.admin);
    let role = Role::from_code(role).map_err(fail)?;
    let desk = store::record::<Desk>(ctx.accounts.desk.bytes_mut()).map_err(fail)?;
    let party = desk.party(Role::Admin, &signer).map_err(fail)?;
    journaled(now, |journal| desk.grant(&party, role, key, journal))
}
