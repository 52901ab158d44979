use crate::access::{current_slot, fail, journaled, require_top_level};
use crate::instructions::set_index::{AdministerIndex, administered};
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::records::IndexEvent;

/// From here on the weights change only as announced, after their notice, where
/// the index has an account for that.
#[inline(never)]
pub fn run(ctx: &mut Context<AdministerIndex>) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let (mut index, party) = administered(&mut ctx.accounts)?;
    if index.head.sealed != 0 {
        return Err(fail(IndexError::IllegalTransition));
    }
    if index.head.constituents == 0 {
        return Err(fail(IndexError::Incomplete));
    }
    index.head.sealed = 1;
    index.head.state.weights_version = 1;
    let used = index.head.constituents as usize;
    let weights = bytemuck::cast_slice(&index.constituents[..used]);
    let digest = crate::access::hash(&[weights]);
    journaled(now, |journal| {
        index.changed(IndexEvent::Sealed, &party, &digest, journal)
    })
}
