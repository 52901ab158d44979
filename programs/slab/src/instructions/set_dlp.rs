use crate::access::fail;
use crate::instructions::administer::{Administer, open_for};
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::event::DlpSet;
use flagstone_slab_engine::SlabError;

#[inline(never)]
pub fn run(ctx: &mut Context<Administer>, account: u16, on: u8) -> Result<()> {
    let mut slab = open_for(&mut ctx.accounts.slab, &ctx.accounts.authority)?;
    if on > 1 {
        return Err(fail(SlabError::BadSetting));
    }
    slab.set_dlp(account.into(), on == 1).map_err(fail)?;
    let seq = slab.next_seq();
    log::write(&DlpSet {
        tag: DlpSet::TAG,
        seq,
        account,
        on,
    });
    Ok(())
}
