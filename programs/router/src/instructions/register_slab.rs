use crate::access::{create, fail, require_top_level, store};
use crate::record::Stored;
use crate::version;
use anchor_lang::prelude::*;
use anchor_lang::programs::System;
use bytemuck::Zeroable;
use flagstone_interface::error::RouterError;
use flagstone_interface::router::{RouterConfig, SlabEntry, SlabLedger, seeds, slab_status};
use flagstone_interface::slab::SlabHeader;
use flagstone_interface::{Record, key_eq};

/// Accounts of `register_slab`.
#[derive(Accounts)]
pub struct RegisterSlab {
    /// The administrator; pays for the accounts.
    #[account(mut)]
    pub admin: Signer,
    /// The configuration.
    #[account(mut)]
    pub config: Stored<RouterConfig>,
    /// An initialised slab that honours this Router.
    pub slab: UncheckedAccount,
    /// The slab's program.
    pub program: UncheckedAccount,
    /// Its program data account.
    pub program_data: UncheckedAccount,
    /// `"slab"`, slab.
    #[account(mut)]
    pub entry: UncheckedAccount,
    /// `"ledger"`, slab, mint.
    #[account(mut)]
    pub ledger: UncheckedAccount,
    /// System.
    pub system_program: Program<System>,
}

#[inline(never)]
pub fn run(ctx: &mut Context<RegisterSlab>) -> Result<()> {
    require_top_level()?;
    let accounts = &mut ctx.accounts;
    if !key_eq(&accounts.config.admin, accounts.admin.address().as_array()) {
        return Err(fail(RouterError::WrongAdmin));
    }
    let mint = accounts.config.quote_mint;
    let slab = *accounts.slab.address().as_array();
    let program_id = *accounts.slab.owner().as_array();
    {
        // SAFETY: the account belongs to another program, which is not called.
        let data = unsafe { accounts.slab.borrow_unchecked() };
        let header = SlabHeader::read(data).ok_or(fail(RouterError::WrongSlab))?;
        let fits = key_eq(&header.router_program, crate::ID.as_array())
            && key_eq(&header.quote_mint, &mint);
        if !fits {
            return Err(fail(RouterError::WrongSlab));
        }
        // Nothing changes a slab's delay after it was initialised.
        if header.terms_delay_slots < accounts.config.terms_delay_slots_min {
            return Err(fail(RouterError::DelayTooShort));
        }
    }

    if !key_eq(&program_id, accounts.program.address().as_array()) {
        return Err(fail(RouterError::WrongSlab));
    }
    let deployment = version::attest(&accounts.program, &accounts.program_data)?;

    let mut view = *accounts.entry.account();
    let bump = create::<SlabEntry>(&accounts.admin, &view, &[seeds::SLAB, &slab])?;
    let entry = SlabEntry {
        discriminator: SlabEntry::DISCRIMINATOR,
        version: SlabEntry::VERSION,
        bump,
        status: slab_status::ACTIVE,
        slab,
        program_id,
        program_data: *accounts.program_data.address().as_array(),
        deploy_slot: deployment.slot,
        upgrade_authority: deployment.authority,
        ..SlabEntry::zeroed()
    };
    store(&mut view, &entry)?;

    let mut view = *accounts.ledger.account();
    let bump = create::<SlabLedger>(&accounts.admin, &view, &[seeds::LEDGER, &slab, &mint])?;
    let ledger = SlabLedger {
        discriminator: SlabLedger::DISCRIMINATOR,
        version: SlabLedger::VERSION,
        bump,
        slab,
        mint,
        ..SlabLedger::zeroed()
    };
    store(&mut view, &ledger)?;
    accounts.config.slabs_total += 1;
    Ok(())
}
