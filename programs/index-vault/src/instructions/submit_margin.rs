use crate::access::{kernel, records};
use crate::instructions::submit::{Submit, update};
use anchor_lang::prelude::*;
use flagstone_index_engine::market::Feed;
use flagstone_kernels::market::{MarginUpdate, update_margin};

#[inline(never)]
pub fn run(ctx: &mut Context<Submit>, updates: &[u8]) -> Result<()> {
    let items = records::<MarginUpdate>(updates)?;
    update(ctx, Feed::Margin, updates, |assets, _, _| {
        update_margin(assets, &items).map_err(kernel)
    })
}
