use crate::access::{Owned, create, fail, require_same, require_top_level};
use crate::desk::{CREATED_BYTES_MAX, desk, holder};
use anchor_lang::prelude::*;
use anchor_lang::programs::System;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::carry::{Carry, CarryOver, carry_bytes};
use flagstone_index_engine::inventory::{Inventory, Stock, inventory_bytes};
use flagstone_index_engine::roles::Role;
use flagstone_interface::Record;
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

/// Accounts of `grow_record`.
#[derive(Accounts)]
pub struct GrowRecord {
    /// Manager of the record; pays for the room.
    #[account(mut)]
    pub manager: Signer,
    /// The desk.
    pub desk: Owned,
    /// An inventory or a carry-over of the desk.
    #[account(mut)]
    pub record: Owned,
    /// System.
    pub system_program: Program<System>,
}

/// Every purchase opens a lot that stays open until it is sold, so an inventory
/// that could not grow would stop its desk.
#[inline(never)]
pub fn grow(ctx: &mut Context<GrowRecord>, lots: u32) -> Result<()> {
    require_top_level()?;
    let accounts = &mut ctx.accounts;
    let data = accounts.record.bytes();
    let (kind, owner) = match (Inventory::read(data), CarryOver::read(data)) {
        (Some(inventory), _) => (Kind::Inventory, inventory.desk),
        (_, Some(carry)) => (Kind::Carry, carry.desk),
        _ => return Err(fail(IndexError::WrongRecord)),
    };
    require_same(&owner, accounts.desk.key())?;
    let fit = lots.min(u32::from(u16::MAX));
    let (role, space) = match kind {
        Kind::Inventory => (Role::InventoryManager, inventory_bytes(fit)),
        Kind::Carry => (Role::BatchManager, carry_bytes(fit)),
    };
    holder(desk(&accounts.desk)?, role, &accounts.manager)?;
    // One instruction adds as much as one can create.
    if space.saturating_sub(data.len()) > CREATED_BYTES_MAX || space <= data.len() {
        return Err(fail(IndexError::BadCapacity));
    }
    let mut view = *accounts.record.account();
    anchor_lang::realloc_account(&mut view, space, accounts.manager.account(), true)?;
    // What the account was before is not looked at any more.
    let mut data = view.try_borrow_mut()?;
    match kind {
        Kind::Inventory => Stock::grow(&mut data, lots),
        Kind::Carry => Carry::grow(&mut data, lots),
    }
    .map_err(fail)
}
