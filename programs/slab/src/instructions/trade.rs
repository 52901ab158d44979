use crate::access::SlabAccount;
use anchor_lang::prelude::*;

/// Accounts of every instruction of a trader.
#[derive(Accounts)]
pub struct Trade {
    /// The slab.
    #[account(mut)]
    pub slab: SlabAccount,
    /// Session key of the account; owns nothing.
    pub trader: Signer,
}
