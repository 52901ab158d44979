use crate::access::{current_slot, fail, require_direct};
use crate::instructions::{Trade, flag};
use crate::log;
use anchor_lang::prelude::*;
use bytemuck::Zeroable;
use flagstone_interface::event::Traded;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::matching::SelfTrade;
use flagstone_slab_engine::requests::Take;
use flagstone_units::{Lots, Side, Ticks};

/// A trade to make at once.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct TakeArgs {
    /// Account index.
    pub account: u16,
    /// Instrument number.
    pub instrument: u8,
    /// 0 buy, 1 sell.
    pub side: u8,
    /// 0 cancel resting, 1 cancel taking, 2 decrement both.
    pub self_trade: u8,
    /// 1 reduce-only, else 0.
    pub reduce_only: u8,
    /// Worst price.
    pub limit_ticks: u32,
    /// Quantity.
    pub lots: u32,
    /// Least quantity, or nothing happens.
    pub lots_min: u32,
}

#[inline(never)]
pub fn run(ctx: &mut Context<Trade>, args: TakeArgs) -> Result<()> {
    require_direct(ctx.accounts.trader.address().as_array())?;
    let slot = current_slot()?;
    let take = decode(&args).map_err(fail)?;
    let trader = ctx.accounts.trader.address().as_array();
    let mut slab = ctx.accounts.slab.open()?;
    log::expire_due(&mut slab, slot)?;
    let mut traded = Traded::zeroed();
    slab.take(trader, &take, slot, &mut traded).map_err(fail)?;
    log::traded(&mut slab, &mut traded);
    Ok(())
}

fn decode(args: &TakeArgs) -> core::result::Result<Take, SlabError> {
    Ok(Take {
        account: args.account.into(),
        instrument: args.instrument,
        side: Side::from_byte(args.side).ok_or(SlabError::BadOrderKind)?,
        self_trade: SelfTrade::from_byte(args.self_trade).ok_or(SlabError::BadOrderKind)?,
        limit: Ticks(args.limit_ticks),
        lots: Lots(args.lots),
        lots_min: Lots(args.lots_min),
        reduce_only: flag(args.reduce_only)?,
    })
}
