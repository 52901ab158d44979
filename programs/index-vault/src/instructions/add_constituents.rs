use crate::access::{current_slot, fail, journaled, kernel, records, require_top_level};
use crate::instructions::set_index::{AdministerIndex, administered};
use crate::market::MarketRef;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::records::IndexEvent;
use flagstone_kernels::Amount;
use flagstone_kernels::index::{Constituent, check_slots};
use flagstone_kernels::market::{Place, asset};

/// A constituent to add.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Added {
    /// Which asset.
    pub place: Place,
    /// Asset units per index unit.
    pub weight: Amount,
}

/// The constituent that it becomes; what its place has in reserve is dropped.
pub fn constituent(added: &Added) -> Result<Constituent> {
    let named = Place::new(added.place.label, added.place.slot);
    Constituent::new(named, added.weight).map_err(|_| fail(IndexError::BadWeight))
}

/// In increasing order of slots; a large index takes several instructions.
#[inline(never)]
pub fn run(ctx: &mut Context<AdministerIndex>, constituents: &[u8]) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let items = records::<Added>(constituents)?;
    {
        let market = MarketRef::open(ctx.accounts.market.bytes())?;
        for item in &items {
            asset(market.assets, item.place).map_err(kernel)?;
        }
    }
    let (mut index, party) = administered(&mut ctx.accounts)?;
    if index.head.sealed != 0 {
        return Err(fail(IndexError::IllegalTransition));
    }
    let from = index.head.constituents as usize;
    let end = from + items.len();
    let room = index.constituents.get_mut(..end);
    let used = room.ok_or(fail(IndexError::MarketFull))?;
    for (place, item) in used[from..].iter_mut().zip(&items) {
        *place = constituent(item)?;
    }
    check_slots(used).map_err(kernel)?;
    index.head.constituents = end as u32;
    journaled(now, |journal| {
        index.changed(IndexEvent::ConstituentsAdded, &party, constituents, journal)
    })
}
