use crate::access::{Owned, current_slot, fail, journaled, key_of, require_top_level};
use crate::custody;
use anchor_lang::prelude::*;
use anchor_lang::programs::Token;
use flagstone_index_engine::amounts::Atoms;
use flagstone_index_engine::collateral::Collateral;
use flagstone_index_engine::roles::Party;

/// Accounts of `withdraw` and of `reclaim`.
#[derive(Accounts)]
pub struct Withdraw {
    /// Owner of the position.
    pub owner: Signer,
    /// The position.
    #[account(mut)]
    pub position: Owned,
    /// The desk's custody.
    #[account(mut)]
    pub custody: Owned,
    /// Token account that receives.
    #[account(mut)]
    pub destination: UncheckedAccount,
    /// The custody's token account.
    #[account(mut)]
    pub vault: UncheckedAccount,
    /// SPL Token.
    pub token_program: Program<Token>,
}

/// Which collateral is taken.
pub enum From {
    /// Ready, and set aside for no order.
    Ready,
    /// Never routed, though the collateral manager had its time.
    Unconfirmed,
}

/// Needs nobody of the desk.
#[inline(never)]
pub fn run(ctx: &mut Context<Withdraw>, from: From, amount_atoms: u64) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let signer = *key_of(&accounts.owner);
    let mut position = Collateral::open(accounts.position.bytes_mut()).map_err(fail)?;
    let desk = position.position.desk;
    let party = Party::owner(&position.position.owner, &signer).map_err(fail)?;
    let amount = Atoms(amount_atoms);
    journaled(now, |journal| match from {
        From::Ready => position.withdraw(&party, amount, journal),
        From::Unconfirmed => position.reclaim(&party, amount, journal),
    })?;
    custody::pay_out(
        &mut accounts.custody,
        &desk,
        accounts.vault.account(),
        accounts.destination.account(),
        amount_atoms,
    )
}
