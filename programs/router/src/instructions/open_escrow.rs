use crate::access::{
    create, fail, read_slab, require_active, require_direct, require_owner, store,
};
use crate::instructions::owners::require_open;
use crate::log;
use crate::record::Stored;
use crate::version;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use anchor_lang::programs::System;
use bytemuck::Zeroable;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::EscrowOpened;
use flagstone_interface::router::{Escrow, Portfolio, RouterConfig, SlabEntry, seeds};
use flagstone_interface::{Record, key_eq};
use flagstone_units::Slot;

/// Accounts of `open_escrow`.
#[derive(Accounts)]
pub struct OpenEscrow {
    /// Owner of the portfolio; pays for the escrow.
    #[account(mut)]
    pub owner: Signer,
    /// The configuration.
    pub config: Stored<RouterConfig>,
    /// The owner's portfolio.
    #[account(mut)]
    pub portfolio: Stored<Portfolio>,
    /// Registry entry of the slab.
    pub entry: Stored<SlabEntry>,
    /// The slab.
    pub slab: UncheckedAccount,
    /// `"pledge"`, slab, owner, mint.
    #[account(mut)]
    pub escrow: UncheckedAccount,
    /// System.
    pub system_program: Program<System>,
    /// Program data account of the slab's program.
    pub program_data: UncheckedAccount,
}

/// The trader is a session key: a wallet must never sign for a slab (rule X6).
#[inline(never)]
pub fn run(ctx: &mut Context<OpenEscrow>, trader: [u8; 32]) -> Result<()> {
    require_direct(ctx.accounts.owner.address().as_array())?;
    let accounts = &mut ctx.accounts;
    require_owner(&accounts.portfolio.owner, &accounts.owner)?;
    let owner = accounts.portfolio.owner;
    require_trader(&trader, &owner).map_err(fail)?;
    if accounts
        .config
        .is_paused(Slot::from_clock(Clock::get()?.slot))
    {
        return Err(fail(RouterError::Paused));
    }
    require_open(&accounts.portfolio)?;
    require_active(&accounts.entry)?;
    read_slab(&accounts.slab, &accounts.entry)?;
    version::check(&accounts.entry, &accounts.program_data)?;
    let (slab, mint) = (accounts.entry.slab, accounts.config.quote_mint);
    let mut view = *accounts.escrow.account();
    let bump = create::<Escrow>(
        &accounts.owner,
        &view,
        &[seeds::PLEDGE, &slab, &owner, &mint],
    )?;
    store_escrow(&mut view, bump, slab, owner, mint, trader)?;
    accounts.portfolio.escrows_total += 1;
    log::write(&EscrowOpened {
        tag: EscrowOpened::TAG,
        escrow: *view.address().as_array(),
        slab,
        owner,
        trader,
    });
    Ok(())
}

/// Refuses a trader key that could not sign, or that owns the money.
pub fn require_trader(
    trader: &[u8; 32],
    owner: &[u8; 32],
) -> core::result::Result<(), RouterError> {
    if key_eq(trader, &[0; 32]) || key_eq(trader, owner) {
        return Err(RouterError::BadTrader);
    }
    Ok(())
}

/// In a frame of its own: the record takes a third of one.
#[inline(never)]
fn store_escrow(
    view: &mut anchor_lang::AccountView,
    bump: u8,
    slab: [u8; 32],
    owner: [u8; 32],
    mint: [u8; 32],
    trader: [u8; 32],
) -> Result<()> {
    let escrow = Escrow {
        discriminator: Escrow::DISCRIMINATOR,
        version: Escrow::VERSION,
        bump,
        slab,
        owner,
        mint,
        trader,
        ..Escrow::zeroed()
    };
    store(view, &escrow)
}
