use crate::access::{SlabAccount, current_slot, fail, require_top_level};
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::{event::InstrumentAdded, key_eq};
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_units::{Lots, Ppm, SignedPpm, Slot, Ticks};

/// Accounts of `add_instrument`.
#[derive(Accounts)]
pub struct AddInstrument {
    /// The slab.
    #[account(mut)]
    pub slab: SlabAccount,
    /// The slab's authority.
    pub authority: Signer,
}

/// Parameters of the instrument; the engine's `InstrumentParams` explains them.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct InstrumentArgs {
    pub underlying_id: u64,
    pub symbol: [u8; 16],
    pub atoms_per_tick: u32,
    pub price_ticks_max: u32,
    pub order_lots_min: u32,
    pub order_lots_max: u32,
    pub position_lots_max: u32,
    pub imr_ppm: u32,
    pub mmr_ppm: u32,
    pub taker_fee_ppm: i32,
    pub maker_fee_ppm: i32,
    pub band_ppm: u32,
    pub mark_ticks: u32,
    pub mark_move_ticks_max: u32,
    pub mark_age_slots: u32,
    pub mark_lots_min: u32,
    pub kill_band_ppm: u32,
    pub hold_fee_ppm: u32,
}

#[inline(never)]
pub fn run(ctx: &mut Context<AddInstrument>, args: InstrumentArgs) -> Result<()> {
    require_top_level()?;
    let slot = current_slot()?;
    let authority = *ctx.accounts.authority.address().as_array();
    let mut slab = ctx.accounts.slab.open()?;
    if !key_eq(&slab.header.authority, &authority) {
        return Err(fail(SlabError::WrongAuthority));
    }
    let instrument = slab.add_instrument(&params(&args), slot).map_err(fail)?;
    let seq = slab.next_seq();
    log::write(&InstrumentAdded {
        tag: InstrumentAdded::TAG,
        seq,
        instrument,
        mark_ticks: args.mark_ticks,
    });
    Ok(())
}

fn params(args: &InstrumentArgs) -> InstrumentParams {
    InstrumentParams {
        underlying_id: args.underlying_id,
        symbol: args.symbol,
        atoms_per_tick: args.atoms_per_tick,
        price_max: Ticks(args.price_ticks_max),
        order_lots_min: Lots(args.order_lots_min),
        order_lots_max: Lots(args.order_lots_max),
        position_lots_max: Lots(args.position_lots_max),
        imr: Ppm(args.imr_ppm),
        mmr: Ppm(args.mmr_ppm),
        taker_fee: SignedPpm(args.taker_fee_ppm),
        maker_fee: SignedPpm(args.maker_fee_ppm),
        band: Ppm(args.band_ppm),
        mark: Ticks(args.mark_ticks),
        mark_move_max: Ticks(args.mark_move_ticks_max),
        mark_age: Slot(args.mark_age_slots),
        mark_lots_min: Lots(args.mark_lots_min),
        kill_band: Ppm(args.kill_band_ppm),
        hold_fee: Ppm(args.hold_fee_ppm),
    }
}
