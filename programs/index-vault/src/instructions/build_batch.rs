use crate::access::{Owned, current_slot, fail, journaled, records, require_top_level};
use crate::desk::{batch, desk, holder, read_intent};
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::amounts::{Atoms, Tokens};
use flagstone_index_engine::engage::{AssetOrder, Share};
use flagstone_index_engine::roles::{Party, Role};
use flagstone_interface::key_eq;

/// Accounts of what changes a batch alone.
#[derive(Accounts)]
pub struct OnBatch {
    /// The batch.
    #[account(mut)]
    pub batch: Owned,
    /// Who acts, in the role that the action needs.
    pub who: Signer,
    /// The desk.
    pub desk: Owned,
}

/// What changes a batch alone.
pub enum Change<'a> {
    /// The solver sets the next assets.
    Assets(u32, &'a [u8]),
    /// The solver freezes it.
    Seal,
    /// The batch manager sends it.
    Send,
    /// The inventory manager cancels what is open of an asset; anyone after the deadline.
    CancelRest(u32),
}

/// Builds, freezes and sends a batch.
#[inline(never)]
pub fn run(ctx: &mut Context<OnBatch>, change: &Change<'_>) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let key = *accounts.desk.key();
    let desk = desk(&accounts.desk)?;
    let party = match change {
        Change::Assets(..) | Change::Seal => holder(desk, Role::Solver, &accounts.who)?,
        Change::Send => holder(desk, Role::BatchManager, &accounts.who)?,
        Change::CancelRest(_) => {
            let manager = &desk.record(Role::InventoryManager).map_err(fail)?.key;
            if key_eq(manager, accounts.who.address().as_array()) {
                holder(desk, Role::InventoryManager, &accounts.who)?
            } else {
                Party::ANYONE
            }
        }
    };
    let mut batch = batch(&mut accounts.batch, &key)?;
    match change {
        Change::Assets(first, list) => {
            let orders = records::<AssetOrder>(list)?;
            journaled(now, |journal| {
                batch.set_assets(&party, *first, &orders, journal)
            })
        }
        Change::Seal => journaled(now, |journal| batch.seal(&party, journal)),
        Change::Send => journaled(now, |journal| batch.send(&party, journal)),
        Change::CancelRest(asset) => {
            journaled(now, |journal| batch.cancel_rest(*asset, &party, journal))
        }
    }
}

/// Accounts of what the solver does with a member of a batch.
#[derive(Accounts)]
pub struct OnMember {
    /// The batch.
    #[account(mut)]
    pub batch: Owned,
    /// Solver of the desk.
    pub solver: Signer,
    /// The desk.
    pub desk: Owned,
    /// The member's order.
    pub intent: Owned,
}

/// What the solver does with a member.
pub enum Membership<'a> {
    /// Adds it, with what it engages and the tokens for it.
    Join(u64, u64),
    /// Sets its next contributions and fractions.
    Cells(u32, &'a [u8]),
    /// Drops it before it is locked.
    Drop,
}

/// Adds, fills in and drops members. The order itself is not touched before
/// its manager locks it.
#[inline(never)]
pub fn member(ctx: &mut Context<OnMember>, membership: &Membership<'_>) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let key = *accounts.desk.key();
    let desk = desk(&accounts.desk)?;
    let party = holder(desk, Role::Solver, &accounts.solver)?;
    let order = read_intent(&accounts.intent, &key)?.chain.stream;
    let mut batch = batch(&mut accounts.batch, &key)?;
    let limits = &desk.limits;
    match membership {
        Membership::Join(engaged, tokens) => {
            let (engaged, tokens) = (Atoms(*engaged), Tokens(*tokens));
            journaled(now, |journal| {
                batch.join(&party, order, engaged, tokens, limits, journal)
            })
        }
        Membership::Cells(first, list) => {
            let shares = records::<Share>(list)?;
            let widest = flagstone_index_engine::batch::ASSETS_MAX as usize;
            if shares.len() > widest {
                return Err(fail(IndexError::OutOfOrder));
            }
            journaled(now, |journal| {
                batch.set_cells(&party, &order, *first, &shares, limits, journal)
            })
        }
        Membership::Drop => journaled(now, |journal| batch.drop_member(&party, &order, journal)),
    }
}
