use crate::access::{SlabAccount, current_slot, fail, require_top_level};
use crate::instructions::TermsArgs;
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::{event::InstrumentAdded, key_eq};
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_units::Ticks;

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
    pub mark_ticks: u32,
    pub oracle: [u8; 32],
    pub oracle_feed: [u8; 32],
    pub oracle_scale: u64,
    pub terms: TermsArgs,
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
