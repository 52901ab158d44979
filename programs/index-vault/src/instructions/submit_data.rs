use crate::access::{kernel, records};
use crate::instructions::submit::{Submit, touch, update};
use anchor_lang::prelude::*;
use flagstone_index_engine::market::Feed;
use flagstone_kernels::market::{DataUpdate, update_market_data};

#[inline(never)]
pub fn run(ctx: &mut Context<Submit>, updates: &[u8]) -> Result<()> {
    let items = records::<DataUpdate>(updates)?;
    update(ctx, Feed::Data, updates, |assets, slots, now| {
        update_market_data(assets, &items).map_err(kernel)?;
        touch(slots, items.iter().map(|item| item.place), now);
        Ok(())
    })
}
