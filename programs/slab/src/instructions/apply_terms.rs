use crate::access::{RouterRecord, SlabAccount, current_slot, fail, registered};
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::event::TermsApplied;

/// Accounts of `apply_terms`.
#[derive(Accounts)]
pub struct ApplyTerms {
    /// The slab.
    #[account(mut)]
    pub slab: SlabAccount,
    /// The instrument's entry in the Router's registry.
    pub entry: RouterRecord,
}

#[inline(never)]
pub fn run(ctx: &mut Context<ApplyTerms>, instrument: u8) -> Result<()> {
    let slot = current_slot()?;
    let address = *ctx.accounts.slab.key();
    let mut slab = ctx.accounts.slab.open()?;
    let router = &slab.header.router_program;
    let entry = registered(&ctx.accounts.entry, router, &address, instrument)?;
    slab.apply_terms(instrument, entry, slot).map_err(fail)?;
    let seq = slab.next_seq();
    log::write(&TermsApplied {
        tag: TermsApplied::TAG,
        seq,
        instrument,
    });
    Ok(())
}
