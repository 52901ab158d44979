use crate::access::{
    Owned, current_slot, fail, journaled, key_of, records, require_same, require_top_level,
};
use crate::market::read_head;
use alloc::vec;
use anchor_lang::prelude::*;
use flagstone_index_engine::allotment::Allotment;
use flagstone_index_engine::amounts::Fraction;
use flagstone_index_engine::pending::PendingOrder;
use flagstone_index_engine::roles::{Desk, Role};

/// Accounts of `join_allotment`.
#[derive(Accounts)]
pub struct JoinAllotment {
    /// The allotment.
    #[account(mut)]
    pub allotment: Owned,
    /// Solver of its desk.
    pub solver: Signer,
    /// Its desk.
    pub desk: Owned,
    /// The order that joins.
    #[account(mut)]
    pub order: Owned,
}

/// One fraction for each constituent, or a single one for all of them: the
/// list of a large index does not fit a transaction.
#[inline(never)]
pub fn run(ctx: &mut Context<JoinAllotment>, fractions: &[u8]) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let signer = *key_of(&accounts.solver);
    let desk = read_head::<Desk>(accounts.desk.bytes())?;
    let party = desk.party(Role::Solver, &signer).map_err(fail)?;
    let mut allotment = Allotment::open(accounts.allotment.bytes_mut()).map_err(fail)?;
    require_same(&allotment.head.desk, accounts.desk.key())?;
    let order = PendingOrder::open(accounts.order.bytes_mut()).map_err(fail)?;
    let mut shares = records::<Fraction>(fractions)?;
    if let [same] = shares.as_slice() {
        shares = vec![*same; allotment.head.assets as usize];
    }
    journaled(now, |journal| {
        allotment.join(order, &shares, &party, journal)
    })
}
