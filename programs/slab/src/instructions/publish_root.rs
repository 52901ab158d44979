use crate::access::current_slot;
use crate::instructions::Crank;
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::event::{RootPublished, RootRefused};
use flagstone_slab_engine::roots::RootStep;

#[inline(never)]
pub fn run(ctx: &mut Context<Crank>, pages: u16) -> Result<()> {
    let slot = current_slot()?;
    let mut slab = ctx.accounts.slab.open()?;
    match slab.publish_root(pages.into(), slot) {
        RootStep::Building(_) => {}
        RootStep::Published {
            root,
            slot,
            sum_atoms,
        } => log::write(&RootPublished {
            tag: RootPublished::TAG,
            seq: slab.next_seq(),
            slot: slot.0,
            root,
            sum_atoms,
        }),
        // No error: that would undo the dropping of the root.
        RootStep::Refused {
            error,
            slot,
            sum_atoms,
            given_atoms,
        } => log::write(&RootRefused {
            tag: RootRefused::TAG,
            seq: slab.next_seq(),
            slot: slot.0,
            error: error.code(),
            sum_atoms,
            given_atoms,
        }),
    }
    Ok(())
}
