use crate::access::{current_slot, fail, require_direct};
use crate::instructions::{Trade, flag};
use crate::log::{self, Record};
use anchor_lang::prelude::*;
use bytemuck::Zeroable;
use flagstone_interface::event::Traded;
use flagstone_slab_engine::matching::SelfTrade;
use flagstone_slab_engine::requests::{OrderKind, Place, Placed};
use flagstone_slab_engine::{Slab, SlabError};
use flagstone_units::{Lots, Side, Slot, Ticks};

/// An order to place.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct PlaceArgs {
    /// Account index.
    pub account: u16,
    /// Instrument number.
    pub instrument: u8,
    /// 0 bid, 1 ask.
    pub side: u8,
    /// 0 limit, 1 post-only, 2 post-only that slides, 3 immediate-or-cancel,
    /// 4 fill-or-kill.
    pub kind: u8,
    /// 0 cancel resting, 1 cancel taking, 2 decrement both.
    pub self_trade: u8,
    /// 1 reduce-only, else 0.
    pub reduce_only: u8,
    /// Price.
    pub ticks: u32,
    /// Quantity.
    pub lots: u32,
    /// Last slot in which it may trade; 0 is never.
    pub expiry_slot: u32,
    /// The client's own number.
    pub client_id: u64,
}

#[inline(never)]
pub fn run(ctx: &mut Context<Trade>, args: PlaceArgs) -> Result<()> {
    require_direct(ctx.accounts.trader.address().as_array())?;
    let slot = current_slot()?;
    let order = decode(&args).map_err(fail)?;
    let trader = ctx.accounts.trader.address().as_array();
    let mut slab = ctx.accounts.slab.open()?;
    log::expire_due(&mut slab, slot)?;
    let mut traded = Traded::zeroed();
    let placed = slab
        .place(trader, &order, slot, &mut traded)
        .map_err(fail)?;

    match placed.rested {
        // As a rule an order just rests.
        Some(mut event) if placed.is_plain() => {
            event.seq = slab.next_seq();
            log::write(&event);
        }
        _ => all(&mut slab, &placed, &mut traded),
    }
    Ok(())
}

/// Writes everything that a placement did.
#[inline(never)]
fn all(slab: &mut Slab<'_>, placed: &Placed, traded: &mut Traded) {
    let mut record = Record::new();
    log::placed(slab, placed, traded, &mut record);
    record.flush();
}

pub fn decode(args: &PlaceArgs) -> core::result::Result<Place, SlabError> {
    Ok(Place {
        account: args.account.into(),
        instrument: args.instrument,
        side: Side::from_byte(args.side).ok_or(SlabError::BadOrderKind)?,
        kind: OrderKind::from_byte(args.kind).ok_or(SlabError::BadOrderKind)?,
        self_trade: SelfTrade::from_byte(args.self_trade).ok_or(SlabError::BadOrderKind)?,
        ticks: Ticks(args.ticks),
        lots: Lots(args.lots),
        expiry: Slot(args.expiry_slot),
        client_id: args.client_id,
        reduce_only: flag(args.reduce_only)?,
    })
}
