use crate::access::{fail, require_direct};
use crate::instructions::administer::Administer;
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::event::AuthoritySet;

/// The signer is the authority to be, not the one in force.
#[inline(never)]
pub fn run(ctx: &mut Context<Administer>) -> Result<()> {
    require_direct(ctx.accounts.authority.address().as_array())?;
    let authority = *ctx.accounts.authority.address().as_array();
    let mut slab = ctx.accounts.slab.open()?;
    slab.take_over(&authority).map_err(fail)?;
    let seq = slab.next_seq();
    log::write(&AuthoritySet {
        tag: AuthoritySet::TAG,
        seq,
        authority,
        in_force: 1,
    });
    Ok(())
}
