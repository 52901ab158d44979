use crate::access::{RouterRecord, SlabAccount, current_slot, fail, registered};
use crate::instructions::TermsArgs;
use crate::instructions::administer::open_for;
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::event::TermsProposed;

/// Accounts of `add_instrument` and `propose_terms`.
#[derive(Accounts)]
pub struct Registered {
    /// The slab.
    #[account(mut)]
    pub slab: SlabAccount,
    /// The slab's authority.
    pub authority: Signer,
    /// The instrument's entry in the Router's registry.
    pub entry: RouterRecord,
}

#[inline(never)]
pub fn run(ctx: &mut Context<Registered>, instrument: u8, terms: &TermsArgs) -> Result<()> {
    let slot = current_slot()?;
    let address = *ctx.accounts.slab.key();
    let mut slab = open_for(&mut ctx.accounts.slab, &ctx.accounts.authority)?;
    let router = &slab.header.router_program;
    let entry = registered(&ctx.accounts.entry, router, &address, instrument)?;
    let due = slab
        .propose_terms(instrument, &terms.terms(), entry, slot)
        .map_err(fail)?;
    let seq = slab.next_seq();
    log::write(&TermsProposed {
        tag: TermsProposed::TAG,
        seq,
        instrument,
        due_slot: due.0,
    });
    Ok(())
}
