use crate::access::{Owned, current_slot, fail, journaled, require_same, require_top_level};
use crate::fill::{self, Ask, Filled, quote_of};
use crate::market::{Index, Market};
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::allotment::Allotment;
use flagstone_index_engine::pending::{Chunk, PendingOrder};
use flagstone_index_engine::records::OrderTerms;
use flagstone_units::{Side, Slot};

/// Accounts of `execute`.
#[derive(Accounts)]
pub struct Execute {
    /// The market.
    #[account(mut)]
    pub market: Owned,
    /// The index.
    #[account(mut)]
    pub index: Owned,
    /// The order.
    #[account(mut)]
    pub order: Owned,
}

/// Executes the next chunk of an order. Anyone may.
#[inline(never)]
pub fn run(ctx: &mut Context<Execute>, received_min: u64) -> Result<()> {
    require_top_level()?;
    let accounts = &mut ctx.accounts;
    let order = &mut accounts.order;
    chunk(
        &mut accounts.market,
        &mut accounts.index,
        order,
        None,
        received_min,
    )
}

/// Executes a chunk and books it.
pub fn chunk(
    market: &mut Owned,
    index: &mut Owned,
    order: &mut Owned,
    mut allotment: Option<Allotment<'_>>,
    received_min: u64,
) -> Result<()> {
    let now = current_slot()?;
    let (market_key, index_key) = (*market.key(), *index.key());
    let market = Market::open(market.bytes_mut())?;
    let index = Index::open_sealed(index.bytes_mut(), &market_key)?;
    require_open_until(order.bytes(), now)?;
    let order = PendingOrder::open(order.bytes_mut()).map_err(fail)?;
    require_same(&order.index, &index_key)?;
    let (head, constituents) = (index.head, &*index.constituents);
    head.state
        .check_quote(&market.head.state, now)
        .map_err(fail)?;
    let side = order.side().map_err(fail)?;
    let quote = quote_of(match side {
        Side::Bid => &head.state.quote.ask,
        Side::Ask => &head.state.quote.bid,
    });
    // Members of a batch are priced as if each came first, as the paper does;
    // everybody else starts where those before have left the price, and so
    // does the batch as a whole.
    let start = match &allotment {
        None => head.state.traded(side),
        Some(share) => share.start(&head.state, side),
    };
    let quote = fill::moved(&quote, side, start)?;
    let units_max = match &allotment {
        None => u128::MAX,
        Some(allotment) => {
            allotment.check_weights(&head.state).map_err(fail)?;
            super::execute_member::units_left(allotment, &order.chain.stream, constituents)?
        }
    };
    let ask = Ask {
        quote: &quote,
        given: order.chunk_max(&head.state).map_err(fail)?,
        atoms_max: head.state.order_atoms_max.0,
        units_max,
    };
    let used = (market.head.assets as usize).min(market.assets.len());
    let assets = &mut market.assets[..used];
    let filled = match side {
        Side::Bid => fill::buy(assets, constituents, &ask)?,
        Side::Ask => fill::sell(assets, constituents, &ask)?,
    };
    let received = match side {
        Side::Bid => filled.tokens.0,
        Side::Ask => filled.atoms.0,
    };
    if received < received_min {
        return Err(fail(IndexError::WorsePrice));
    }
    settle(&mut market.head.reserve_atoms, side, &filled)?;
    let done = Chunk {
        atoms: filled.atoms,
        tokens: filled.tokens,
        quantities: &filled.quantities,
    };
    journaled(now, |journal| {
        let share = allotment.as_mut();
        order.book_chunk(&done, &market.head.state, &mut head.state, share, journal)
    })
}

/// What buyers spend is the reserve's; what sellers get comes out of it.
fn settle(reserve_atoms: &mut u64, side: Side, filled: &Filled) -> Result<()> {
    let atoms = filled.atoms.0;
    let (after, error) = match side {
        Side::Bid => (reserve_atoms.checked_add(atoms), IndexError::AmountOverflow),
        Side::Ask => (
            reserve_atoms.checked_sub(atoms),
            IndexError::NotEnoughCollateral,
        ),
    };
    *reserve_atoms = after.ok_or(fail(error))?;
    Ok(())
}

/// Refuses an order whose deadline has passed.
fn require_open_until(data: &[u8], now: Slot) -> Result<()> {
    let from = size_of::<PendingOrder>();
    let bytes = data.get(from..from + size_of::<OrderTerms>());
    let terms: OrderTerms =
        bytemuck::pod_read_unaligned(bytes.ok_or(fail(IndexError::WrongRecord))?);
    if terms.deadline_slot != Slot(0) && now > terms.deadline_slot {
        return Err(fail(IndexError::TooLate));
    }
    Ok(())
}
