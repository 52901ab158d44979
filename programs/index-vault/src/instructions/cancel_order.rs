use crate::access::{current_slot, fail, journaled, key_of, require_same, require_top_level};
use crate::instructions::claim::{Paid, Payout, pay};
use crate::market::Index;
use anchor_lang::prelude::*;
use flagstone_index_engine::pending::PendingOrder;
use flagstone_index_engine::roles::Party;
use flagstone_units::Side;

/// Gives back what was not executed: a buy's collateral, or a sell's tokens,
/// minted again. What was received stays to be claimed.
#[inline(never)]
pub fn run(ctx: &mut Context<Payout>) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let signer = *key_of(&accounts.owner);
    let (market_key, index_key) = (*accounts.market.key(), *accounts.index.key());
    let index = Index::open_sealed(accounts.index.bytes_mut(), &market_key)?;
    let order = PendingOrder::open(accounts.order.bytes_mut()).map_err(fail)?;
    require_same(&order.index, &index_key)?;
    let rest = journaled(now, |journal| {
        let party = Party::owner(&order.owner, &signer)?;
        order.cancel(&party, &mut index.head.state, journal)
    })?;
    let paid = match order.side().map_err(fail)? {
        Side::Bid => Paid::Atoms(rest),
        Side::Ask => Paid::Tokens(rest),
    };
    pay(accounts, &index_key, paid)
}
