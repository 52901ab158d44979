//! What the vendor's four instructions share.

use crate::access::{Owned, current_slot, fail, journaled, key_of, require_top_level};
use crate::market::Market;
use anchor_lang::prelude::*;
use flagstone_index_engine::market::Feed;
use flagstone_index_engine::records::MarketEvent;
use flagstone_index_engine::roles::Party;
use flagstone_kernels::market::{Asset, Place};
use flagstone_units::Slot;

/// Accounts of a vendor's update.
#[derive(Accounts)]
pub struct Submit {
    /// The market.
    #[account(mut)]
    pub market: Owned,
    /// Its vendor.
    pub vendor: Signer,
}

/// Counts an update, lets `write` change the assets in use, and records it.
pub fn update(
    ctx: &mut Context<Submit>,
    feed: Feed,
    list: &[u8],
    write: impl FnOnce(&mut [Asset], &mut [Slot], Slot) -> Result<()>,
) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let signer = *key_of(&ctx.accounts.vendor);
    let mut market = Market::open(ctx.accounts.market.bytes_mut())?;
    let state = &mut market.head.state;
    state.update(&signer, feed, now).map_err(fail)?;
    let party = Party::owner(&signer, &signer).map_err(fail)?;
    let used = (market.head.assets as usize).min(market.assets.len());
    write(&mut market.assets[..used], &mut market.slots[..used], now)?;
    let kind = match feed {
        Feed::Data => MarketEvent::Data,
        Feed::Supply => MarketEvent::Supply,
        Feed::Margin => MarketEvent::Margin,
    };
    journaled(now, |journal| {
        market.changed(kind, &party, 0, list, journal)
    })
}

/// Marks the data of the places as new.
pub fn touch(slots: &mut [Slot], places: impl Iterator<Item = Place>, now: Slot) {
    for place in places {
        if let Some(slot) = slots.get_mut(usize::from(place.slot)) {
            *slot = now;
        }
    }
}
