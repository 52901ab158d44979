use crate::access::{
    Owned, create, current_slot, fail, journaled, key_of, require_same, require_top_level,
};
use crate::{custody, desk, token};
use anchor_lang::prelude::*;
use anchor_lang::programs::{System, Token};
use bytemuck::Zeroable;
use flagstone_index_engine::records::Custody;
use flagstone_index_engine::roles::{CustodySet, Desk, Role};
use flagstone_index_engine::store;
use flagstone_interface::index::seeds;
use flagstone_interface::{Key, Record};
use pinocchio_token::instructions::InitializeAccount3;

/// Accounts of `open_custody`.
#[derive(Accounts)]
pub struct OpenCustody {
    /// Administrator of the desk; pays for the accounts.
    #[account(mut)]
    pub admin: Signer,
    /// The desk.
    #[account(mut)]
    pub desk: Owned,
    /// Mint of the collateral.
    pub mint: UncheckedAccount,
    /// `"custody"`, desk.
    #[account(mut)]
    pub custody: UncheckedAccount,
    /// `"vault"`, desk.
    #[account(mut)]
    pub vault: UncheckedAccount,
    /// Token account that the desk is paid to.
    pub payout: UncheckedAccount,
    /// SPL Token.
    pub token_program: Program<Token>,
    /// System.
    pub system_program: Program<System>,
}

/// A desk takes collateral of one mint.
#[inline(never)]
pub fn run(ctx: &mut Context<OpenCustody>) -> Result<()> {
    require_top_level()?;
    let accounts = &mut ctx.accounts;
    desk::holder(desk::desk(&accounts.desk)?, Role::Admin, &accounts.admin)?;
    let key = *accounts.desk.key();
    token::require_mint(&accounts.mint)?;
    let bump = create(
        &accounts.admin,
        &accounts.custody,
        &[seeds::CUSTODY, &key],
        size_of::<Custody>(),
        &crate::ID,
    )?;
    let vault_bump = create(
        &accounts.admin,
        &accounts.vault,
        &[seeds::VAULT, &key],
        token::ACCOUNT_BYTES,
        &pinocchio_token::ID,
    )?;
    InitializeAccount3::new(&accounts.vault, &accounts.mint, accounts.custody.address())
        .invoke()?;
    let record = Custody {
        discriminator: Custody::DISCRIMINATOR,
        version: Custody::VERSION,
        bump,
        vault_bump,
        desk: key,
        mint: *accounts.mint.address().as_array(),
        vault: *accounts.vault.address().as_array(),
        payout: *accounts.payout.address().as_array(),
        ..Custody::zeroed()
    };
    custody::require_payout(&record, &accounts.payout)?;
    let mut view = *accounts.custody.account();
    view.try_borrow_mut()?
        .copy_from_slice(bytemuck::bytes_of(&record));
    tell(
        &mut accounts.desk,
        accounts.admin.address().as_array(),
        &record,
    )
}

/// Accounts of `set_payout`.
#[derive(Accounts)]
pub struct SetPayout {
    /// Administrator of the desk.
    pub admin: Signer,
    /// The desk.
    #[account(mut)]
    pub desk: Owned,
    /// Its custody.
    #[account(mut)]
    pub custody: Owned,
    /// Token account that the desk is paid to from now on.
    pub payout: UncheckedAccount,
}

/// What the desk is owed is its own; the tokens of positions stay where they are.
#[inline(never)]
pub fn set_payout(ctx: &mut Context<SetPayout>) -> Result<()> {
    require_top_level()?;
    let accounts = &mut ctx.accounts;
    let admin = *key_of(&accounts.admin);
    desk::holder(desk::desk(&accounts.desk)?, Role::Admin, &accounts.admin)?;
    let record = custody::open(&mut accounts.custody, accounts.desk.key())?;
    custody::require_payout(record, &accounts.payout)?;
    record.payout = *accounts.payout.address().as_array();
    tell(&mut accounts.desk, &admin, record)
}

/// Writes it into the desk's history.
#[inline(never)]
fn tell(desk: &mut Owned, admin: &Key, record: &Custody) -> Result<()> {
    let now = current_slot()?;
    require_same(&record.desk, desk.key())?;
    let desk = store::record::<Desk>(desk.bytes_mut()).map_err(fail)?;
    let set = CustodySet {
        mint: record.mint,
        vault: record.vault,
        payout: record.payout,
    };
    let party = desk.party(Role::Admin, admin).map_err(fail)?;
    journaled(now, |journal| desk.set_custody(&party, &set, journal))
}
