use crate::access::{create, fail, require_direct, require_setup, store};
use crate::log;
use crate::record::Stored;
use crate::version;
use anchor_lang::prelude::*;
use anchor_lang::programs::System;
use anchor_lang::{AccountView, AnchorAccount};
use bytemuck::Zeroable;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::SlabRegistered;
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

/// Directly, only while a deployment is set up: once there is a delay it takes
/// a proposal (rule X9).
#[inline(never)]
pub fn run(ctx: &mut Context<RegisterSlab>) -> Result<()> {
    require_direct(ctx.accounts.admin.address().as_array())?;
    let accounts = &mut ctx.accounts;
    require_setup(&accounts.config, &accounts.admin)?;
    NewSlab {
        payer: accounts.admin.account(),
        slab: accounts.slab.account(),
        program: accounts.program.account(),
        program_data: accounts.program_data.account(),
        entry: accounts.entry.account(),
        ledger: accounts.ledger.account(),
    }
    .register(&mut accounts.config, [0; 32])?;
    let entry: Stored<SlabEntry> = Stored::load(*accounts.entry.account())?;
    log::write(&SlabRegistered {
        tag: SlabRegistered::TAG,
        slab: entry.slab,
        program: entry.program_id,
        deploy_slot: entry.deploy_slot,
        slabs_total: accounts.config.slabs_total,
    });
    Ok(())
}

/// A slab to register, and where its records go.
pub struct NewSlab<'a> {
    pub payer: &'a AccountView,
    pub slab: &'a AccountView,
    pub program: &'a AccountView,
    pub program_data: &'a AccountView,
    pub entry: &'a AccountView,
    pub ledger: &'a AccountView,
}

impl NewSlab<'_> {
    /// Checks the slab and its program and creates entry and ledger.
    #[inline(never)]
    pub fn register(&self, config: &mut RouterConfig, program_hash: [u8; 32]) -> Result<()> {
        let mint = config.quote_mint;
        let slab = *self.slab.address().as_array();
        self.check(config)?;
        let deployment = version::attest(self.program, self.program_data)?;

        let mut view = *self.entry;
        let bump = create::<SlabEntry>(self.payer, &view, &[seeds::SLAB, &slab])?;
        let entry = SlabEntry {
            discriminator: SlabEntry::DISCRIMINATOR,
            version: SlabEntry::VERSION,
            bump,
            status: slab_status::ACTIVE,
            slab,
            program_id: *self.slab.owner().as_array(),
            program_hash,
            program_data: *self.program_data.address().as_array(),
            deploy_slot: deployment.slot,
            upgrade_authority: deployment.authority,
            ..SlabEntry::zeroed()
        };
        store(&mut view, &entry)?;

        let mut view = *self.ledger;
        let bump = create::<SlabLedger>(self.payer, &view, &[seeds::LEDGER, &slab, &mint])?;
        store_ledger(&mut view, bump, slab, mint)?;
        config.slabs_total += 1;
        Ok(())
    }

    fn check(&self, config: &RouterConfig) -> Result<()> {
        // SAFETY: the account belongs to another program, which is not called.
        let data = unsafe { self.slab.borrow_unchecked() };
        let header = SlabHeader::read(data).ok_or(fail(RouterError::WrongSlab))?;
        let fits = key_eq(&header.router_program, crate::ID.as_array())
            && key_eq(&header.quote_mint, &config.quote_mint)
            && key_eq(
                self.slab.owner().as_array(),
                self.program.address().as_array(),
            );
        if !fits {
            return Err(fail(RouterError::WrongSlab));
        }
        // Nothing changes a slab's delay after it was initialised.
        if header.terms_delay_slots < config.terms_delay_slots_min {
            return Err(fail(RouterError::DelayTooShort));
        }
        Ok(())
    }
}

/// In a frame of its own: the record takes a quarter of one.
#[inline(never)]
fn store_ledger(view: &mut AccountView, bump: u8, slab: [u8; 32], mint: [u8; 32]) -> Result<()> {
    let ledger = SlabLedger {
        discriminator: SlabLedger::DISCRIMINATOR,
        version: SlabLedger::VERSION,
        bump,
        slab,
        mint,
        ..SlabLedger::zeroed()
    };
    store(view, &ledger)
}
