use crate::access::{kernel, records};
use crate::instructions::submit::{Submit, update};
use anchor_lang::prelude::*;
use flagstone_index_engine::market::Feed;
use flagstone_kernels::market::{SupplyUpdate, update_supply};

#[inline(never)]
pub fn run(ctx: &mut Context<Submit>, updates: &[u8]) -> Result<()> {
    let items = records::<SupplyUpdate>(updates)?;
    update(ctx, Feed::Supply, updates, |assets, _, _| {
        update_supply(assets, &items).map_err(kernel)
    })
}
