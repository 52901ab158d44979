use crate::access::{Owned, current_slot, fail, journaled, require_top_level};
use crate::backing::Backing;
use crate::desk::{actor, desk, intent, position};
use anchor_lang::AnchorAccount;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::amounts::Atoms;
use flagstone_index_engine::gates::Gate;
use flagstone_index_engine::machine::Action;

/// Accounts of what changes an index order and its collateral at once.
#[derive(Accounts)]
pub struct OnGate {
    /// Who acts, in the role that the action needs.
    pub who: Signer,
    /// The desk.
    pub desk: Owned,
    /// The order.
    #[account(mut)]
    pub intent: Owned,
    /// Its owner's position at the desk.
    #[account(mut)]
    pub position: Owned,
}

/// What is done at the gate.
pub enum Deed {
    /// Ends the order by this action.
    End(u8),
    /// Takes off the order, or turns it around.
    Reduce(u64),
    /// Sets collateral aside.
    Preauthorise(u64),
}

impl Deed {
    fn action(&self) -> Result<Action> {
        use Action::{Cancel, DenyCollateral, DenyPayment, Expire, Fail};
        let action = match self {
            Self::End(code) => Action::from_code(*code).map_err(fail)?,
            Self::Reduce(_) => return Ok(Action::Reduce),
            Self::Preauthorise(_) => return Ok(Action::Preauthorise),
        };
        match action {
            Cancel | DenyCollateral | DenyPayment | Expire | Fail => Ok(action),
            _ => Err(fail(IndexError::NeedsCounterpart)),
        }
    }
}

/// What the order lets go of is free in the position at once.
#[inline(never)]
pub fn run(ctx: &mut Context<OnGate>, deed: &Deed) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let action = deed.action()?;
    let backed = match action {
        Action::DenyPayment => ctx.remaining_accounts()?,
        _ => Default::default(),
    };
    let accounts = &mut ctx.accounts;
    let desk_key = *accounts.desk.key();
    let desk = desk(&accounts.desk)?;
    let order = intent(&mut accounts.intent, &desk_key)?;
    let party = actor(order, action, desk, &accounts.who)?;
    let mut position = position(&mut accounts.position, &desk_key)?;
    journaled(now, |journal| {
        let mut gate = Gate::new(order, &mut position, desk.limits)?;
        match deed {
            Deed::End(_) => gate.give_up(action, &party, journal)?,
            Deed::Reduce(amount) => gate.reduce(&party, Atoms(*amount), journal)?,
            Deed::Preauthorise(amount) => gate.preauthorise(&party, Atoms(*amount), journal)?,
        };
        Ok(())
    })?;
    if action != Action::DenyPayment {
        return Ok(());
    }
    // What was bought stays the desk's: the market backs it no more.
    let [market, index] = backed.as_slice() else {
        return Err(fail(IndexError::NeedsCounterpart));
    };
    let (mut market, mut index) = (Owned::load(*market)?, Owned::load(*index)?);
    Backing::open(&mut market, &mut index, &order.index)?.take_back(order.holdings.filled)
}
