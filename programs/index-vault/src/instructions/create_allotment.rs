use crate::access::{
    Owned, current_slot, fail, journaled, kernel, key_of, require_same, require_seeded,
    require_top_level,
};
use crate::fill::quote_of;
use crate::market::{MarketRef, read_head, read_index};
use alloc::vec::Vec;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::allotment::{Allotment, NewAllotment};
use flagstone_index_engine::amounts::Quantity;
use flagstone_index_engine::roles::{Desk, Role};
use flagstone_kernels::capacity::asset_limit;
use flagstone_kernels::market::asset;
use flagstone_units::Side;

/// Accounts of `create_allotment`.
#[derive(Accounts)]
pub struct CreateAllotment {
    /// Zeroed account of this program, created with `solver` as base.
    #[account(mut)]
    pub allotment: Owned,
    /// Solver of the index's desk.
    pub solver: Signer,
    /// The index's desk.
    pub desk: Owned,
    /// The market.
    pub market: Owned,
    /// The index.
    pub index: Owned,
}

/// Measures what the market can take of each constituent, once for all members.
#[inline(never)]
pub fn run(ctx: &mut Context<CreateAllotment>, side: u8, members: u32, seed: &str) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let (key, signer) = (*accounts.allotment.key(), *key_of(&accounts.solver));
    require_seeded(&key, &signer, seed)?;
    let side = Side::from_byte(side).ok_or(fail(IndexError::UnknownCode))?;
    let market = MarketRef::open(accounts.market.bytes())?;
    let (head, constituents) = read_index(accounts.index.bytes())?;
    require_same(&head.market, accounts.market.key())?;
    require_same(&head.desk, accounts.desk.key())?;
    let desk = read_head::<Desk>(accounts.desk.bytes())?;
    let party = desk.party(Role::Solver, &signer).map_err(fail)?;
    let quote = quote_of(match side {
        Side::Bid => &head.state.quote.ask,
        Side::Ask => &head.state.quote.bid,
    });
    let mut capacities = Vec::with_capacity(constituents.len());
    for constituent in constituents {
        let asset = asset(market.assets, constituent.place).map_err(kernel)?;
        let weight = constituent.weight.get();
        let limit = asset_limit(asset, weight, quote.capacity.get(), side).map_err(kernel)?;
        capacities.push(Quantity::new(limit));
    }
    let new = NewAllotment {
        stream: key,
        index: *accounts.index.key(),
        side,
        members,
        capacities: &capacities,
    };
    let state = (&market.head.state, &head.state);
    let data = accounts.allotment.bytes_mut();
    journaled(now, |journal| {
        Allotment::create(data, &new, desk, &party, state, journal).map(|_| ())
    })
}
