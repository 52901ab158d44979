use crate::access::{current_slot, fail, require_direct};
use crate::instructions::{Trade, flag};
use crate::log::{self, Record};
use anchor_lang::prelude::*;
use bytemuck::{Pod, Zeroable};
use flagstone_interface::event::Traded;
use flagstone_slab_engine::matching::SelfTrade;
use flagstone_slab_engine::orders::Openings;
use flagstone_slab_engine::requests::{OrderKind, Place};
use flagstone_slab_engine::{Slab, SlabError};
use flagstone_units::{Lots, Side, Slot, Ticks};

/// Cancels and placements of one instruction.
const PARTS_MAX: usize = 32;

/// An order to cancel, as it lies in the instruction.
#[repr(C, packed)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Handle {
    order: u32,
    generation: u32,
}

/// An order to place, as it lies in the instruction: the fields of `PlaceArgs`
/// after account and instrument.
#[repr(C, packed)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Part {
    side: u8,
    kind: u8,
    self_trade: u8,
    reduce_only: u8,
    ticks: u32,
    lots: u32,
    expiry_slot: u32,
    client_id: u64,
}

/// Cancels first, then places, in order; margin is checked once, for the sum
/// of what then rests. A stale handle is ignored; anything
/// else that fails undoes all of it.
#[inline(never)]
pub fn run(
    ctx: &mut Context<Trade>,
    account: u16,
    instrument: u8,
    cancels: &[u8],
    places: &[u8],
) -> Result<()> {
    require_direct(ctx.accounts.trader.address().as_array())?;
    let slot = current_slot()?;
    let cancels: &[Handle] =
        bytemuck::try_cast_slice(cancels).map_err(|_| fail(SlabError::BadQuantity))?;
    let places: &[Part] =
        bytemuck::try_cast_slice(places).map_err(|_| fail(SlabError::BadQuantity))?;
    if cancels.len() + places.len() > PARTS_MAX {
        return Err(fail(SlabError::BadQuantity));
    }
    let trader = ctx.accounts.trader.address().as_array();
    let mut slab = ctx.accounts.slab.open()?;
    slab.traded_account(account.into(), trader).map_err(fail)?;
    let mut record = Record::new();
    for handle in cancels {
        let (order, generation) = (handle.order, handle.generation);
        let cancelled = slab
            .cancel_next(account.into(), order, generation)
            .map_err(fail)?;
        if let Some(mut event) = cancelled {
            event.seq = slab.next_seq();
            record.push(&event);
        }
    }
    if !places.is_empty() {
        log::expire_due_into(&mut slab, slot, &mut record)?;
    }
    let mut openings = Openings::default();
    for part in places {
        let order = decode(account, instrument, part).map_err(fail)?;
        place(&mut slab, &order, slot, &mut openings, &mut record)?;
    }
    slab.check_openings(account.into(), &openings, slot)
        .map_err(fail)?;
    record.flush();
    Ok(())
}

/// In a frame of its own: the event of a trade takes a quarter of one.
#[inline(never)]
fn place(
    slab: &mut Slab<'_>,
    order: &Place,
    slot: Slot,
    openings: &mut Openings,
    record: &mut Record,
) -> Result<()> {
    let mut traded = Traded::zeroed();
    let placed = slab
        .place_next(order, slot, &mut traded, openings)
        .map_err(fail)?;
    log::placed(slab, &placed, &mut traded, record);
    Ok(())
}

fn decode(account: u16, instrument: u8, part: &Part) -> core::result::Result<Place, SlabError> {
    Ok(Place {
        account: account.into(),
        instrument,
        side: Side::from_byte(part.side).ok_or(SlabError::BadOrderKind)?,
        kind: OrderKind::from_byte(part.kind).ok_or(SlabError::BadOrderKind)?,
        self_trade: SelfTrade::from_byte(part.self_trade).ok_or(SlabError::BadOrderKind)?,
        ticks: Ticks(part.ticks),
        lots: Lots(part.lots),
        expiry: Slot(part.expiry_slot),
        client_id: part.client_id,
        reduce_only: flag(part.reduce_only)?,
    })
}
