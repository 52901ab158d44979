use crate::instructions::administer::{Administer, open_for};
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::event::AuthoritySet;

#[inline(never)]
pub fn run(ctx: &mut Context<Administer>, next: [u8; 32]) -> Result<()> {
    let mut slab = open_for(&mut ctx.accounts.slab, &ctx.accounts.authority)?;
    slab.hand_over(&next);
    let seq = slab.next_seq();
    log::write(&AuthoritySet {
        tag: AuthoritySet::TAG,
        seq,
        authority: next,
        in_force: 0,
    });
    Ok(())
}
