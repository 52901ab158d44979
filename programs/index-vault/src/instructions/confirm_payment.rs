use crate::access::{Owned, current_slot, journaled, require_top_level};
use crate::{custody, desk};
use anchor_lang::prelude::*;
use anchor_lang::programs::Token;
use flagstone_index_engine::amounts::Atoms;
use flagstone_index_engine::gates::Gate;
use flagstone_index_engine::machine::Action;

/// Accounts of what pays the desk for an order.
#[derive(Accounts)]
pub struct PayDesk {
    /// The desk's collateral manager.
    pub manager: Signer,
    /// The desk.
    pub desk: Owned,
    /// The order.
    #[account(mut)]
    pub intent: Owned,
    /// Its owner's position at the desk.
    #[account(mut)]
    pub position: Owned,
    /// The desk's custody.
    #[account(mut)]
    pub custody: Owned,
    /// The custody's token account.
    #[account(mut)]
    pub vault: UncheckedAccount,
    /// Token account that the desk is paid to.
    #[account(mut)]
    pub payout: UncheckedAccount,
    /// SPL Token.
    pub token_program: Program<Token>,
}

/// What the desk is paid for.
pub enum Due {
    /// A hop of the collateral, for this fee.
    Hop(u64),
    /// The order's assets, for what was spent on them.
    Assets,
}

/// Exactly what an order owes leaves the custody; the rest is its owner's again.
#[inline(never)]
pub fn run(ctx: &mut Context<PayDesk>, due: &Due) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let key = *accounts.desk.key();
    let found = desk::desk(&accounts.desk)?;
    let terms = desk::terms(&accounts.intent)?;
    let order = desk::intent(&mut accounts.intent, &key)?;
    let action = match due {
        Due::Hop(_) => Action::Hop,
        Due::Assets => Action::ConfirmPayment,
    };
    let party = desk::actor(order, action, found, &accounts.manager)?;
    let mut position = desk::position(&mut accounts.position, &key)?;
    let limits = found.limits;
    let atoms = journaled(now, |journal| match due {
        Due::Hop(fee) => {
            Gate::new(order, &mut position, limits)?.hop(&party, Atoms(*fee), journal)?;
            terms.check_routing(order.holdings.routing_fee)?;
            Ok(*fee)
        }
        Due::Assets => {
            Gate::new(order, &mut position, limits)?.confirm_payment(&party, journal)?;
            Ok(order.holdings.paid.0)
        }
    })?;
    custody::pay_desk(
        &mut accounts.custody,
        &key,
        accounts.vault.account(),
        accounts.payout.account(),
        atoms,
    )
}
