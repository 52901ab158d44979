use crate::access::{current_slot, fail};
use crate::instructions::administer::{Administer, open_for};
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::event::LimitsSet;
use flagstone_slab_engine::governance::Limits;
use flagstone_units::Ppm;

#[inline(never)]
pub fn run(
    ctx: &mut Context<Administer>,
    orders_per_account_max: u32,
    batch_slots: u32,
    insurance_share_ppm: u32,
) -> Result<()> {
    let slot = current_slot()?;
    let mut slab = open_for(&mut ctx.accounts.slab, &ctx.accounts.authority)?;
    let limits = Limits {
        orders_per_account_max,
        batch_slots,
        insurance_share: Ppm(insurance_share_ppm),
    };
    slab.set_limits(&limits, slot).map_err(fail)?;
    let seq = slab.next_seq();
    log::write(&LimitsSet {
        tag: LimitsSet::TAG,
        seq,
        orders_per_account_max,
        batch_slots,
        insurance_share_ppm,
    });
    Ok(())
}
