use crate::access::{Owned, create, fail, key_of, require_top_level};
use crate::desk::{CREATED_BYTES_MAX, desk};
use anchor_lang::prelude::*;
use anchor_lang::programs::System;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::collateral::{Collateral, collateral_bytes};
use flagstone_interface::index::seeds;

/// Accounts of `open_position`.
#[derive(Accounts)]
pub struct OpenPosition {
    /// Becomes the owner and pays for the account.
    #[account(mut)]
    pub owner: Signer,
    /// The desk.
    pub desk: Owned,
    /// `"position"`, desk, owner.
    #[account(mut)]
    pub position: UncheckedAccount,
    /// System.
    pub system_program: Program<System>,
}

/// The owner alone opens it: room for fewer lots than they need would shut them out.
#[inline(never)]
pub fn run(ctx: &mut Context<OpenPosition>, lots: u32, spends: u32) -> Result<()> {
    require_top_level()?;
    let accounts = &mut ctx.accounts;
    desk(&accounts.desk)?;
    let most = CREATED_BYTES_MAX as u32;
    let space = collateral_bytes(lots.min(most), spends.min(most));
    if space > CREATED_BYTES_MAX {
        return Err(fail(IndexError::BadCapacity));
    }
    let (key, owner) = (*accounts.desk.key(), *key_of(&accounts.owner));
    create(
        &accounts.owner,
        &accounts.position,
        &[seeds::POSITION, &key, &owner],
        space,
        &crate::ID,
    )?;
    let stream = *accounts.position.address().as_array();
    let mut view = *accounts.position.account();
    let mut data = view.try_borrow_mut()?;
    Collateral::create(&mut data, stream, key, owner, [lots, spends]).map_err(fail)?;
    Ok(())
}
