use crate::access::{Owned, current_slot, fail, journaled, require_top_level};
use crate::desk::{batch, desk, holder};
use anchor_lang::prelude::*;
use flagstone_index_engine::batch::Batch;
use flagstone_index_engine::carry::Carry;
use flagstone_index_engine::roles::Role;

/// Accounts of `draw_carry`.
#[derive(Accounts)]
pub struct DrawCarry {
    /// The batch.
    #[account(mut)]
    pub batch: Owned,
    /// Batch manager of the desk.
    pub manager: Signer,
    /// The desk.
    pub desk: Owned,
    /// The desk's carry-over of the asset.
    #[account(mut)]
    pub carry: Owned,
}

/// Up to ten lots of a call enter the batch and cancel as much of its exchange order.
#[inline(never)]
pub fn run(ctx: &mut Context<DrawCarry>, asset: u32) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let key = *accounts.desk.key();
    let desk = desk(&accounts.desk)?;
    let party = holder(desk, Role::BatchManager, &accounts.manager)?;
    let mut batch = batch(&mut accounts.batch, &key)?;
    let mut carry = Carry::open(accounts.carry.bytes_mut()).map_err(fail)?;
    journaled(now, |journal| {
        carry.draw(&mut batch, asset, &party, journal)?;
        Ok(())
    })
}

/// Accounts of `retire_lots`.
#[derive(Accounts)]
pub struct RetireLots {
    /// The batch.
    #[account(mut)]
    pub batch: Owned,
    /// The desk's carry-over of the asset.
    #[account(mut)]
    pub carry: Owned,
}

/// Up to ten lots of a call leave a batch that is over. Anyone may.
#[inline(never)]
pub fn retire(ctx: &mut Context<RetireLots>, asset: u32) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let mut batch = Batch::open(accounts.batch.bytes_mut()).map_err(fail)?;
    let mut carry = Carry::open(accounts.carry.bytes_mut()).map_err(fail)?;
    journaled(now, |journal| {
        carry.retire(&mut batch, asset, journal)?;
        Ok(())
    })
}
