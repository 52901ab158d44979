use crate::access::{Owned, current_slot, fail, journaled, key_of, require_top_level};
use crate::{custody, desk};
use anchor_lang::prelude::*;
use anchor_lang::programs::Token;
use flagstone_index_engine::amounts::Atoms;
use flagstone_index_engine::roles::{Party, Role};
use flagstone_interface::key_eq;

/// Accounts of `deposit`.
#[derive(Accounts)]
pub struct Deposit {
    /// Owner of the source: the position's owner, or the collateral manager,
    /// who deposits what arrived elsewhere.
    pub payer: Signer,
    /// The desk.
    pub desk: Owned,
    /// The position.
    #[account(mut)]
    pub position: Owned,
    /// The desk's custody.
    #[account(mut)]
    pub custody: Owned,
    /// Token account that pays.
    #[account(mut)]
    pub source: UncheckedAccount,
    /// The custody's token account.
    #[account(mut)]
    pub vault: UncheckedAccount,
    /// SPL Token.
    pub token_program: Program<Token>,
}

/// Numbers of payments only grow, so that none is booked twice.
#[inline(never)]
pub fn run(ctx: &mut Context<Deposit>, payment: u64, amount_atoms: u64) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let (key, payer) = (*accounts.desk.key(), *key_of(&accounts.payer));
    let found = desk::desk(&accounts.desk)?;
    let mut position = desk::position(&mut accounts.position, &key)?;
    let party = if key_eq(&position.position.owner, &payer) {
        Party::owner(&payer, &payer)
    } else {
        found.party(Role::CollateralManager, &payer)
    };
    let party = party.map_err(fail)?;
    journaled(now, |journal| {
        position.deposit(&party, payment, Atoms(amount_atoms), journal)
    })?;
    custody::take_in(
        &mut accounts.custody,
        &key,
        accounts.source.account(),
        accounts.vault.account(),
        accounts.payer.account(),
        amount_atoms,
    )
}
