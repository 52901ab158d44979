use crate::access::{EscrowAccount, SlabAccount, current_slot, fail, require_direct};
use crate::log;
use anchor_lang::prelude::*;
use bytemuck::Zeroable;
use flagstone_interface::event::Traded;
use flagstone_slab_engine::commits;
use flagstone_slab_engine::holds::Reveal;
use flagstone_units::{Lots, Ticks};

/// Accounts of `commit`.
#[derive(Accounts)]
pub struct Commit {
    /// The slab.
    #[account(mut)]
    pub slab: SlabAccount,
    /// Session key of the account; owns nothing.
    pub trader: Signer,
    /// Escrow that the account is bound to; holds the capability.
    pub escrow: EscrowAccount,
}

/// Terms that a hold was committed to.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct RevealArgs {
    /// Quantity that was asked for.
    pub lots: u32,
    /// Worst price that was asked for.
    pub limit_ticks: u32,
    /// Salt of the commitment.
    pub salt: [u8; 16],
}

#[inline(never)]
pub fn run(
    ctx: &mut Context<Commit>,
    account: u16,
    hold: u32,
    generation: u32,
    cap: u8,
    reveal: Option<RevealArgs>,
) -> Result<()> {
    require_direct(ctx.accounts.trader.address().as_array())?;
    let slot = current_slot()?;
    let address = *ctx.accounts.slab.key();
    let trader = ctx.accounts.trader.address().as_array();
    let mut slab = ctx.accounts.slab.open()?;
    let header = &slab.header;
    let escrow = ctx
        .accounts
        .escrow
        .read(&header.router_program, &address, &header.quote_mint)?;
    let commit = commits::Commit {
        account: account.into(),
        hold,
        generation,
        cap,
        escrow_key: ctx.accounts.escrow.key(),
        escrow,
        reveal: reveal.map(|terms| Reveal {
            lots: Lots(terms.lots),
            limit: Ticks(terms.limit_ticks),
            salt: terms.salt,
            sha256,
        }),
    };
    let mut traded = Traded::zeroed();
    slab.commit(trader, &commit, slot, &mut traded)
        .map_err(fail)?;
    log::traded(&mut slab, &mut traded);
    Ok(())
}
