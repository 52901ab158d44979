use crate::access::{current_slot, fail, require_direct};
use crate::instructions::Trade;
use crate::log;
use anchor_lang::prelude::*;
use bytemuck::Zeroable;
use flagstone_interface::event::Held;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::holds::Reserve;
use flagstone_units::{Lots, Side, Slot, Ticks};

/// A quantity to reserve.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct ReserveArgs {
    /// Account index.
    pub account: u16,
    /// Instrument number.
    pub instrument: u8,
    /// 0 buy, 1 sell.
    pub side: u8,
    /// Worst price.
    pub limit_ticks: u32,
    /// Quantity.
    pub lots: u32,
    /// Least quantity to capture and to trade.
    pub lots_min: u32,
    /// Slots beyond this one in which commit is legal.
    pub ttl_slots: u32,
    /// Route that the hold is a leg of.
    pub route_id: u64,
    /// `sha256` of the terms, which commit then has to reveal; the engine's
    /// `Reveal` says of what.
    pub commitment: Option<[u8; 32]>,
}

#[inline(never)]
pub fn run(ctx: &mut Context<Trade>, args: ReserveArgs) -> Result<()> {
    require_direct(ctx.accounts.trader.address().as_array())?;
    let slot = current_slot()?;
    let order = decode(&args).map_err(fail)?;
    let trader = ctx.accounts.trader.address().as_array();
    let mut slab = ctx.accounts.slab.open()?;
    log::expire_due(&mut slab, slot)?;
    let mut held = Held::zeroed();
    slab.reserve(trader, &order, slot, &mut held)
        .map_err(fail)?;
    held.seq = slab.next_seq();
    log::record(held.as_bytes());
    Ok(())
}

fn decode(args: &ReserveArgs) -> core::result::Result<Reserve, SlabError> {
    Ok(Reserve {
        account: args.account.into(),
        instrument: args.instrument,
        side: Side::from_byte(args.side).ok_or(SlabError::BadOrderKind)?,
        limit: Ticks(args.limit_ticks),
        lots: Lots(args.lots),
        lots_min: Lots(args.lots_min),
        ttl: Slot(args.ttl_slots),
        route_id: args.route_id,
        commitment: args.commitment.unwrap_or_default(),
    })
}
