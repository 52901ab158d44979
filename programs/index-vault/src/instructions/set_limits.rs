use crate::access::{current_slot, fail, journaled, key_of, require_top_level};
use crate::instructions::grant_role::AdministerDesk;
use crate::instructions::open_desk::one;
use anchor_lang::prelude::*;
use flagstone_index_engine::roles::{Desk, Role};
use flagstone_index_engine::store;

#[inline(never)]
pub fn run(ctx: &mut Context<AdministerDesk>, limits: &[u8]) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let signer = *key_of(&ctx.accounts.admin);
    let limits = one(limits)?;
    let desk = store::record::<Desk>(ctx.accounts.desk.bytes_mut()).map_err(fail)?;
    let party = desk.party(Role::Admin, &signer).map_err(fail)?;
    journaled(now, |journal| desk.set_limits(&party, limits, journal))
}
