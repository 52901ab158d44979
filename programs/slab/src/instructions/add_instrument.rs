use crate::access::{current_slot, fail, registered};
use crate::instructions::administer::open_for;
use crate::instructions::{Registered, TermsArgs};
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::event::InstrumentAdded;
use flagstone_interface::slab::PoolId;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_units::Ticks;

/// Parameters of the instrument; the engine's `InstrumentParams` explains them.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct InstrumentArgs {
    pub underlying_id: u64,
    pub symbol: [u8; 16],
    pub atoms_per_tick: u32,
    pub price_ticks_max: u32,
    pub mark_ticks: u32,
    pub oracle: [u8; 32],
    pub oracle_feed: [u8; 32],
    pub oracle_scale: u64,
    pub terms: TermsArgs,
}

#[inline(never)]
pub fn run(ctx: &mut Context<Registered>, args: InstrumentArgs) -> Result<()> {
    let slot = current_slot()?;
    let address = *ctx.accounts.slab.key();
    let mut slab = open_for(&mut ctx.accounts.slab, &ctx.accounts.authority)?;
    let pool = slab.header.pool(PoolId::Instruments);
    if pool.high_water >= pool.capacity {
        return Err(fail(SlabError::InstrumentsFull));
    }
    let next = pool.high_water as u8;
    let router = &slab.header.router_program;
    let entry = registered(&ctx.accounts.entry, router, &address, next)?;
    let instrument = slab
        .add_registered(&params(&args), entry, slot)
        .map_err(fail)?;
    let seq = slab.next_seq();
    log::write(&InstrumentAdded {
        tag: InstrumentAdded::TAG,
        seq,
        instrument,
        mark_ticks: args.mark_ticks,
        atoms_per_tick: args.atoms_per_tick,
    });
    Ok(())
}

fn params(args: &InstrumentArgs) -> InstrumentParams {
    let terms = args.terms.terms();
    InstrumentParams {
        underlying_id: args.underlying_id,
        symbol: args.symbol,
        atoms_per_tick: args.atoms_per_tick,
        price_max: Ticks(args.price_ticks_max),
        order_lots_min: terms.order_lots_min,
        order_lots_max: terms.order_lots_max,
        position_lots_max: terms.position_lots_max,
        imr: terms.imr,
        mmr: terms.mmr,
        taker_fee: terms.taker_fee,
        maker_fee: terms.maker_fee,
        band: terms.band,
        mark: Ticks(args.mark_ticks),
        mark_move_max: terms.mark_move_max,
        mark_age: terms.mark_age,
        mark_lots_min: terms.mark_lots_min,
        kill_band: terms.kill_band,
        hold_fee: terms.hold_fee,
        oracle: args.oracle,
        oracle_feed: args.oracle_feed,
        oracle_scale: args.oracle_scale,
        rules: terms.rules,
    }
}
