use crate::access::{fail, read_slab, require_direct};
use crate::instructions::withdraw::count_outflow;
use crate::log;
use crate::record::Stored;
use crate::{token, version};
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use anchor_lang::programs::Token;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::FeesWithdrawn;
use flagstone_interface::router::{RouterConfig, SlabEntry, SlabLedger, Vault};
use flagstone_interface::slab::SlabHeader;
use flagstone_interface::{Record, key_eq};
use flagstone_units::Slot;

/// Accounts of `withdraw_fees`.
#[derive(Accounts)]
pub struct WithdrawFees {
    /// The slab's authority.
    pub signer: Signer,
    /// The configuration.
    pub config: Stored<RouterConfig>,
    /// What the Router holds for the slab.
    #[account(mut)]
    pub ledger: Stored<SlabLedger>,
    /// Registry entry of the slab.
    pub entry: Stored<SlabEntry>,
    /// The slab.
    pub slab: UncheckedAccount,
    /// Program data account of the slab's program.
    pub program_data: UncheckedAccount,
    /// The vault of the mint.
    #[account(mut)]
    pub vault: Stored<Vault>,
    /// The vault's token account.
    #[account(mut)]
    pub tokens: UncheckedAccount,
    /// `"authority"`.
    pub authority: UncheckedAccount,
    /// Token account that receives.
    #[account(mut)]
    pub destination: UncheckedAccount,
    /// SPL Token.
    pub token_program: Program<Token>,
}

/// Who the slab says is its authority may take what was collected for it, and
/// no more.
#[inline(never)]
pub fn run(ctx: &mut Context<WithdrawFees>, amount_atoms: u64) -> Result<()> {
    require_direct(ctx.accounts.signer.address().as_array())?;
    let accounts = &mut ctx.accounts;
    let ours = key_eq(&accounts.ledger.slab, &accounts.entry.slab)
        && key_eq(&accounts.ledger.mint, &accounts.vault.mint);
    if !ours {
        return Err(fail(RouterError::WrongSlab));
    }
    let data = read_slab(&accounts.slab, &accounts.entry)?;
    version::check(&accounts.entry, &accounts.program_data)?;
    let header = SlabHeader::read(data).ok_or(fail(RouterError::WrongSlab))?;
    if !key_eq(&header.authority, accounts.signer.address().as_array()) {
        return Err(fail(RouterError::WrongOwner));
    }
    if amount_atoms == 0 {
        return Err(fail(RouterError::ZeroAmount));
    }
    let ledger = &mut accounts.ledger;
    let overflow = fail(RouterError::AmountOverflow);
    ledger.fees_atoms = ledger
        .fees_atoms
        .checked_sub(amount_atoms)
        .ok_or(fail(RouterError::NotEnoughCash))?;
    let withdrawn = ledger.fees_withdrawn_total_atoms.checked_add(amount_atoms);
    ledger.fees_withdrawn_total_atoms = withdrawn.ok_or(overflow.clone())?;
    // It leaves the vault like any withdrawal, behind the claims that wait (rule X8).
    let now = Slot::from_clock(Clock::get()?.slot);
    count_outflow(&mut accounts.vault, now, amount_atoms)?;
    let booked = accounts.vault.booked_atoms.checked_sub(amount_atoms);
    accounts.vault.booked_atoms = booked.ok_or(overflow)?;
    token::pay_out(
        &accounts.config,
        &accounts.vault,
        &accounts.tokens,
        &accounts.authority,
        &accounts.destination,
        amount_atoms,
    )?;
    log::write(&FeesWithdrawn {
        tag: FeesWithdrawn::TAG,
        slab: accounts.ledger.slab,
        amount_atoms,
        fees_atoms: accounts.ledger.fees_atoms,
        booked_atoms: accounts.vault.booked_atoms,
    });
    Ok(())
}
