use crate::access::{allocate, derive, fail, require_direct, require_setup, store};
use crate::log;
use crate::record::Stored;
use anchor_lang::AccountView;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use anchor_lang::programs::System;
use bytemuck::Zeroable;
use flagstone_interface::Record;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::InstrumentRegistered;
use flagstone_interface::router::{InstrumentEntry, RouterConfig, SlabEntry, seeds};
use flagstone_interface::slab::INSTRUMENTS;
use flagstone_units::{PPM_ONE, Slot};

/// Accounts of `register_instrument`.
#[derive(Accounts)]
pub struct RegisterInstrument {
    /// The administrator; pays for the account.
    #[account(mut)]
    pub admin: Signer,
    /// The configuration.
    pub config: Stored<RouterConfig>,
    /// Registry entry of the slab.
    pub slab_entry: Stored<SlabEntry>,
    /// `"instrument"`, slab, number.
    #[account(mut)]
    pub entry: UncheckedAccount,
    /// System.
    pub system_program: Program<System>,
}

/// What an instrument is and may be; the interface's `InstrumentEntry` explains it.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct RegistryArgs {
    pub instrument: u8,
    pub underlying_id: u64,
    pub atoms_per_tick: u32,
    pub oracle: [u8; 32],
    pub oracle_feed: [u8; 32],
    pub oracle_scale: u64,
    pub imr_min_ppm: u32,
    pub mmr_min_ppm: u32,
    pub mark_move_ticks_max: u32,
    pub taker_fee_max_ppm: u32,
    pub maker_fee_max_ppm: u32,
    pub liquidation_fee_max_ppm: u32,
}

impl RegistryArgs {
    /// Whether the facts and limits make sense by themselves.
    fn are_sound(&self) -> bool {
        let oracle = self.oracle != [0; 32];
        let ratios = self.mmr_min_ppm <= self.imr_min_ppm && within_one(self.imr_min_ppm);
        let fees = within_one(self.taker_fee_max_ppm)
            && within_one(self.maker_fee_max_ppm)
            && within_one(self.liquidation_fee_max_ppm);
        (self.instrument as usize) < INSTRUMENTS
            && self.atoms_per_tick > 0
            && self.mark_move_ticks_max > 0
            && oracle == (self.oracle_scale != 0)
            && (oracle || self.oracle_feed == [0; 32])
            && ratios
            && fees
    }
}

fn within_one(ppm: u32) -> bool {
    u64::from(ppm) <= PPM_ONE
}

/// Creates the entry or replaces it; either way it counts only after the
/// registry's delay (rule X10). Replacing suspends what the old one allowed:
/// until the delay has passed, no terms of the instrument change.
#[inline(never)]
pub fn run(ctx: &mut Context<RegisterInstrument>, args: &RegistryArgs) -> Result<()> {
    require_direct(ctx.accounts.admin.address().as_array())?;
    let now = Slot::from_clock(Clock::get()?.slot);
    let accounts = &mut ctx.accounts;
    require_setup(&accounts.config, &accounts.admin)?;
    let slab = accounts.slab_entry.slab;
    let entry = accounts.entry.account();
    let active_slot = register(&accounts.admin, &accounts.config, &slab, entry, now, args)?;
    log::write(&InstrumentRegistered {
        tag: InstrumentRegistered::TAG,
        slab,
        instrument: args.instrument,
        active_slot: active_slot.0,
    });
    Ok(())
}

/// Writes the entry at `view`; its own delay counts from now, beside that of the
/// proposal. Returns the slot from which it counts.
#[inline(never)]
pub fn register(
    payer: &AccountView,
    config: &RouterConfig,
    slab: &[u8; 32],
    view: &AccountView,
    now: Slot,
    args: &RegistryArgs,
) -> Result<Slot> {
    if !args.are_sound() {
        return Err(fail(RouterError::BadInstrument));
    }
    let number = [args.instrument];
    let seeds: [&[u8]; 3] = [seeds::INSTRUMENT, slab, &number];
    let mut view = *view;
    let bump = derive(&view, &seeds)?;
    if view.data_len() == 0 {
        let space = size_of::<InstrumentEntry>();
        allocate(payer, &view, &seeds, bump, space, &crate::ID)?;
    }
    let delay = config.instrument_delay_slots;
    let entry = InstrumentEntry {
        discriminator: InstrumentEntry::DISCRIMINATOR,
        version: InstrumentEntry::VERSION,
        bump,
        instrument: args.instrument,
        slab: *slab,
        underlying_id: args.underlying_id,
        atoms_per_tick: args.atoms_per_tick,
        active_slot: Slot(now.0.saturating_add(delay)),
        oracle: args.oracle,
        oracle_feed: args.oracle_feed,
        oracle_scale: args.oracle_scale,
        imr_min_ppm: args.imr_min_ppm,
        mmr_min_ppm: args.mmr_min_ppm,
        mark_move_ticks_max: args.mark_move_ticks_max,
        taker_fee_max_ppm: args.taker_fee_max_ppm,
        maker_fee_max_ppm: args.maker_fee_max_ppm,
        liquidation_fee_max_ppm: args.liquidation_fee_max_ppm,
        ..InstrumentEntry::zeroed()
    };
    store(&mut view, &entry)?;
    Ok(entry.active_slot)
}
