use crate::access::SlabAccount;
use anchor_lang::prelude::*;
use flagstone_slab_engine::SlabError;

/// Decodes a byte that is 0 or 1.
pub fn flag(byte: u8) -> core::result::Result<bool, SlabError> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(SlabError::BadOrderKind),
    }
}

/// Accounts of every instruction of a trader.
#[derive(Accounts)]
pub struct Trade {
    /// The slab.
    #[account(mut)]
    pub slab: SlabAccount,
    /// Session key of the account; owns nothing.
    pub trader: Signer,
}
