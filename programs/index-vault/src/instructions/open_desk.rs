use crate::access::{create, current_slot, fail, journaled, key_of, records, require_top_level};
use anchor_lang::prelude::*;
use anchor_lang::programs::System;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::roles::{Desk, Limits, Role};
use flagstone_interface::index::seeds;

/// Accounts of `open_desk`.
#[derive(Accounts)]
pub struct OpenDesk {
    /// Becomes the administrator and pays for the account.
    #[account(mut)]
    pub admin: Signer,
    /// `"desk"`, administrator.
    #[account(mut)]
    pub desk: UncheckedAccount,
    /// System.
    pub system_program: Program<System>,
}

#[inline(never)]
pub fn run(ctx: &mut Context<OpenDesk>, limits: &[u8]) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let admin = *key_of(&accounts.admin);
    let limits = one(limits)?;
    let space = size_of::<Desk>();
    let seeds: [&[u8]; 2] = [seeds::DESK, &admin];
    create(&accounts.admin, &accounts.desk, &seeds, space, &crate::ID)?;
    let stream = *accounts.desk.address().as_array();
    let mut desk = Desk::new(stream, admin, limits).map_err(fail)?;
    // The first event tells the limits that the desk starts with.
    journaled(now, |journal| {
        let party = desk.party(Role::Admin, &admin)?;
        desk.set_limits(&party, limits, journal)
    })?;
    let mut view = *accounts.desk.account();
    view.try_borrow_mut()?
        .copy_from_slice(bytemuck::bytes_of(&desk));
    Ok(())
}

/// The limits that an argument holds.
pub fn one(bytes: &[u8]) -> Result<Limits> {
    match records::<Limits>(bytes)?.as_slice() {
        [limits] => Ok(*limits),
        _ => Err(fail(IndexError::BadParameter)),
    }
}
