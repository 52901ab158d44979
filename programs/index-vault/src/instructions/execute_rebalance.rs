use crate::access::{
    Owned, current_slot, fail, journaled, kernel, require_same, require_top_level,
};
use crate::market::{Index, Market};
use crate::rebalance::Rebalance;
use alloc::vec::Vec;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::market::MarketState;
use flagstone_index_engine::rebalance::{LegTraded, RebalanceExecuted, RebalanceHead};
use flagstone_kernels::Amount;
use flagstone_kernels::rebalance::{Leg, execute};
use flagstone_units::Slot;

/// Accounts of `execute_rebalance`.
#[derive(Accounts)]
pub struct ExecuteRebalance {
    /// Account of the index's weights and legs.
    #[account(mut)]
    pub rebalance: Owned,
    /// The index.
    #[account(mut)]
    pub index: Owned,
    /// The market.
    #[account(mut)]
    pub market: Owned,
}

/// Least part of the market's capacity that a call uses, at 1e-18: a tenth.
/// With less, whoever calls first after each gap could keep an index from
/// trading for the price of a transaction.
pub const FACTOR_MIN: u64 = 100_000_000_000_000_000;

/// Trades the next `count` legs as far as the market lets them through, and no
/// more than `factor` of that, a tenth at least. Anyone may.
#[inline(never)]
pub fn run(ctx: &mut Context<ExecuteRebalance>, count: u32, factor: u64) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let (market_key, index_key) = (*accounts.market.key(), *accounts.index.key());
    require_same_account(accounts)?;
    let market = Market::open(accounts.market.bytes_mut())?;
    let index = Index::open_sealed(accounts.index.bytes_mut(), &market_key)?;
    let own = Rebalance::open(accounts.rebalance.bytes_mut(), &index_key)?;
    if factor < FACTOR_MIN {
        return Err(fail(IndexError::BadParameter));
    }
    let state = &index.head.state;
    if state.paused != 0 {
        return Err(fail(IndexError::IllegalTransition));
    }
    let gap = state.chunk_gap_slots;
    let range = own.head.next_legs(count, gap, now).map_err(fail)?;
    let first = range.start;
    let all = (own.head.legs as usize).min(own.legs.len());
    let legs = own.legs[..all].get_mut(range);
    let legs = legs.ok_or(fail(IndexError::OutOfOrder))?;
    require_fresh(&market.head.state, market.slots, legs, now)?;

    let used = (market.head.assets as usize).min(market.assets.len());
    let mut traded = Vec::with_capacity(legs.len());
    let places: Vec<u16> = legs.iter().map(|leg| leg.place.slot).collect();
    let factor = Amount::new(u128::from(factor));
    execute(
        &mut market.assets[..used],
        legs,
        factor,
        |position, bought, sold| {
            let (side, quantity) = if bought != 0 { (0, bought) } else { (1, sold) };
            if quantity != 0 {
                traded.push(LegTraded {
                    slot: places.get(position).copied().unwrap_or(0).into(),
                    side,
                    quantity: [quantity as u64, (quantity >> 64) as u64],
                });
            }
        },
    )
    .map_err(kernel)?;
    let event = RebalanceExecuted {
        weights_version: state.weights_version,
        market_sequence: market.head.state.sequence,
        factor: [factor.get() as u64, 0],
        first: first as u32,
        count: legs.len() as u32,
        legs: all as u32,
        traded: traded.len() as u32,
    };
    if own.legs[..all].iter().all(is_done) {
        own.head.legs = 0;
        own.head.cursor = 0;
    }
    journaled(now, |journal| {
        RebalanceHead::executed(&event, &traded, &mut index.head.chain, journal)
    })
}

/// The legs' account is the one that the index names.
fn require_same_account(accounts: &ExecuteRebalance) -> Result<()> {
    let head = crate::market::read_index(accounts.index.bytes())?.0;
    require_same(&head.rebalance, accounts.rebalance.key())
}

fn is_done(leg: &Leg) -> bool {
    leg.long == Amount::ZERO && leg.short == Amount::ZERO
}

/// Data of every asset with something to trade is fresh.
fn require_fresh(state: &MarketState, slots: &[Slot], legs: &[Leg], now: Slot) -> Result<()> {
    let pending = legs.iter().filter(|leg| !is_done(leg));
    let of = |leg: &Leg| slots.get(usize::from(leg.place.slot)).copied();
    let oldest = pending.map(|leg| of(leg).unwrap_or(Slot(0))).min();
    let oldest = oldest.unwrap_or(state.data_slot);
    state.check_fresh(oldest, now).map_err(fail)
}
