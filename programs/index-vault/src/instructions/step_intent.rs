use crate::access::{Owned, current_slot, fail, journaled, require_top_level};
use crate::desk::{actor, desk, intent};
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::amounts::Atoms;
use flagstone_index_engine::machine::Action;
use flagstone_index_engine::orders::Step;

/// Accounts of an action that changes an index order alone.
#[derive(Accounts)]
pub struct OnIntent {
    /// Who acts, in the role that the action needs.
    pub who: Signer,
    /// The desk.
    pub desk: Owned,
    /// The order.
    #[account(mut)]
    pub intent: Owned,
}

/// Accepts, rejects, pushes, routes, checks later, confirms or settles.
///
/// A mint changes an order alone too, but comes with its tokens.
#[inline(never)]
pub fn run(ctx: &mut Context<OnIntent>, action: u8, amount_atoms: u64) -> Result<()> {
    use Action::{Accept, CheckLater, ConfirmReady, Push, Reject, Route, Settle};
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let action = Action::from_code(action).map_err(fail)?;
    match action {
        Accept | Reject | Route | CheckLater | Settle if amount_atoms != 0 => {
            return Err(fail(IndexError::WrongAmount));
        }
        Accept | Reject | Push | Route | CheckLater | ConfirmReady | Settle => {}
        _ => return Err(fail(IndexError::NeedsCounterpart)),
    }
    let desk_key = *accounts.desk.key();
    let desk = desk(&accounts.desk)?;
    let order = intent(&mut accounts.intent, &desk_key)?;
    let party = actor(order, action, desk, &accounts.who)?;
    let step = Step {
        amount: Atoms(amount_atoms),
        ..Step::default()
    };
    journaled(now, |journal| {
        order.act(action, &step, &desk.limits, &party, journal)?;
        Ok(())
    })
}
