use crate::access::{SlabAccount, fail, require_direct};
use anchor_lang::prelude::*;
use flagstone_slab_engine::Slab;

/// Accounts of every instruction of the slab's authority that needs no other.
#[derive(Accounts)]
pub struct Administer {
    /// The slab.
    #[account(mut)]
    pub slab: SlabAccount,
    /// The slab's authority.
    pub authority: Signer,
}

/// Opens the slab for its authority, which has signed, and not for another program.
#[inline(always)]
pub fn open_for<'a>(slab: &'a mut SlabAccount, authority: &Signer) -> Result<Slab<'a>> {
    require_direct(authority.address().as_array())?;
    let slab = slab.open()?;
    slab.require_authority(authority.address().as_array())
        .map_err(fail)?;
    Ok(slab)
}
