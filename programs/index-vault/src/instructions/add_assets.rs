use crate::access::{current_slot, fail, journaled, kernel, key_of, records, require_top_level};
use crate::instructions::set_market::Administer;
use crate::market::Market;
use anchor_lang::prelude::*;
use flagstone_index_engine::records::MarketEvent;
use flagstone_index_engine::roles::Party;
use flagstone_kernels::Label;
use flagstone_kernels::market::add_assets;

/// Slots only ever grow: an index keeps the slots of its constituents for ever.
#[inline(never)]
pub fn run(ctx: &mut Context<Administer>, labels: &[u8]) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let signer = *key_of(&ctx.accounts.admin);
    let mut market = Market::open(ctx.accounts.market.bytes_mut())?;
    let party = Party::owner(&market.head.admin, &signer).map_err(fail)?;
    let names = records::<Label>(labels)?;
    let count = market.head.assets as usize;
    let end = add_assets(market.assets, count, &names).map_err(kernel)?;
    market.head.assets = end as u32;
    journaled(now, |journal| {
        market.changed(MarketEvent::AssetsAdded, &party, 0, labels, journal)
    })
}
