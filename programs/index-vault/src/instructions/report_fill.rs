use crate::access::{Owned, current_slot, fail, journaled, records, require_top_level};
use crate::desk::{batch, desk, fill, holder, read_intent, stock};
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::inventory::Assignment;
use flagstone_index_engine::machine::State;
use flagstone_index_engine::members::BatchFill;
use flagstone_index_engine::roles::Role;

/// Accounts of `report_fill`.
#[derive(Accounts)]
pub struct ReportFill {
    /// The batch.
    #[account(mut)]
    pub batch: Owned,
    /// Inventory manager of the desk.
    pub manager: Signer,
    /// The desk.
    pub desk: Owned,
    /// The desk's inventory of the asset.
    #[account(mut)]
    pub inventory: Owned,
}

/// A purchase for a batch: its number, venue, quantity, price and fee. The
/// batch is the one given, and its side a buy.
#[inline(never)]
pub fn run(ctx: &mut Context<ReportFill>, asset: u32, list: &[u8]) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let key = *accounts.desk.key();
    let desk = desk(&accounts.desk)?;
    let party = holder(desk, Role::InventoryManager, &accounts.manager)?;
    let reported = fill(list)?;
    let mut batch = batch(&mut accounts.batch, &key)?;
    if reported.side != 0 {
        return Err(fail(IndexError::WrongSide));
    }
    if reported.batch != batch.head.number {
        return Err(fail(IndexError::WrongCounterpart));
    }
    let mut stock = stock(&mut accounts.inventory, &key)?;
    let fill = BatchFill {
        asset,
        number: reported.number,
        venue: reported.venue,
        quantity: reported.quantity,
        price: reported.price,
        fee: reported.fee,
    };
    journaled(now, |journal| {
        batch.report_fill(&mut stock, &party, &fill, &desk.limits, journal)
    })
}

/// Accounts of `inventory_fill`.
#[derive(Accounts)]
pub struct InventoryFill {
    /// Inventory manager of the desk.
    pub manager: Signer,
    /// The desk.
    pub desk: Owned,
    /// The desk's inventory of the asset.
    #[account(mut)]
    pub inventory: Owned,
}

/// A fill that is for no batch, of either side: what a batch gets is reported
/// to the batch.
#[inline(never)]
pub fn inventory_fill(ctx: &mut Context<InventoryFill>, list: &[u8]) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let key = *accounts.desk.key();
    let desk = desk(&accounts.desk)?;
    let party = holder(desk, Role::InventoryManager, &accounts.manager)?;
    let fill = fill(list)?;
    let mut stock = stock(&mut accounts.inventory, &key)?;
    journaled(now, |journal| stock.fill(&party, &fill, journal))
}

/// Accounts of `assign_lot`.
#[derive(Accounts)]
pub struct AssignLot {
    /// Inventory manager of the desk.
    pub manager: Signer,
    /// The desk.
    pub desk: Owned,
    /// The desk's inventory of the asset.
    #[account(mut)]
    pub inventory: Owned,
    /// The order that was minted.
    pub intent: Owned,
}

/// Says which lots a minted order stands on.
#[inline(never)]
pub fn assign_lot(ctx: &mut Context<AssignLot>, list: &[u8]) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let key = *accounts.desk.key();
    let desk = desk(&accounts.desk)?;
    let party = holder(desk, Role::InventoryManager, &accounts.manager)?;
    let order = read_intent(&accounts.intent, &key)?;
    let state = order.state().map_err(fail)?;
    if !matches!(state, State::Minted | State::Invoiced) {
        return Err(fail(IndexError::IllegalTransition));
    }
    let assigned = records::<Assignment>(list)?;
    let [assigned] = assigned.as_slice() else {
        return Err(fail(IndexError::BadParameter));
    };
    crate::access::require_same(&assigned.order, &order.chain.stream)?;
    let mut stock = stock(&mut accounts.inventory, &key)?;
    journaled(now, |journal| stock.assign(&party, assigned, journal))
}
