use crate::access::{Owned, create, fail, require_top_level};
use crate::desk::{CREATED_BYTES_MAX, desk, holder};
use anchor_lang::prelude::*;
use anchor_lang::programs::System;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::carry::{Carry, carry_bytes};
use flagstone_index_engine::inventory::{Stock, inventory_bytes};
use flagstone_index_engine::roles::Role;
use flagstone_interface::index::seeds;

/// Accounts of what opens a desk's record of an asset.
#[derive(Accounts)]
pub struct OpenOfAsset {
    /// Manager of the record; pays for the account.
    #[account(mut)]
    pub manager: Signer,
    /// The desk.
    pub desk: Owned,
    /// `"inventory"` or `"carry"`, desk, label.
    #[account(mut)]
    pub record: UncheckedAccount,
    /// System.
    pub system_program: Program<System>,
}

/// Which record of an asset.
#[derive(Clone, Copy)]
pub enum Kind {
    /// What the desk holds of it, long or short.
    Inventory,
    /// What batches bought and no order took.
    Carry,
}

/// One record of each kind per desk and asset.
#[inline(never)]
pub fn run(ctx: &mut Context<OpenOfAsset>, kind: Kind, label: u64, lots: u32) -> Result<()> {
    require_top_level()?;
    let accounts = &mut ctx.accounts;
    let fit = lots.min(CREATED_BYTES_MAX as u32);
    let (role, seed, space) = match kind {
        Kind::Inventory => (
            Role::InventoryManager,
            seeds::INVENTORY,
            inventory_bytes(fit),
        ),
        Kind::Carry => (Role::BatchManager, seeds::CARRY, carry_bytes(fit)),
    };
    holder(desk(&accounts.desk)?, role, &accounts.manager)?;
    if space > CREATED_BYTES_MAX {
        return Err(fail(IndexError::BadCapacity));
    }
    let key = *accounts.desk.key();
    let seeds: [&[u8]; 3] = [seed, &key, &label.to_le_bytes()];
    create(
        &accounts.manager,
        &accounts.record,
        &seeds,
        space,
        &crate::ID,
    )?;
    let stream = *accounts.record.address().as_array();
    let mut view = *accounts.record.account();
    let mut data = view.try_borrow_mut()?;
    match kind {
        Kind::Inventory => Stock::create(&mut data, stream, key, label, lots).map(|_| ()),
        Kind::Carry => Carry::create(&mut data, stream, key, label, lots).map(|_| ()),
    }
    .map_err(fail)
}
