//! The Router program: custody of collateral, portfolios, escrows, registry.
//!
//! Tokens move only between a user's token account and the vault; everything
//! else is bookkeeping between records that this program alone writes. The
//! only cross-program calls are to the System and SPL Token programs, and no
//! address of the Router ever signs for any other.
//!
//! Instruction numbers, records and error codes are those of
//! `flagstone-interface`.
#![no_std]

use anchor_lang::prelude::*;

mod access;
mod instructions;
mod record;
mod token;

use instructions::*;

declare_id!("F1agstoneRouter1111111111111111111111111111");

// The interface names the same address.
const _: () = {
    let (declared, expected) = (ID.as_array(), &flagstone_interface::ROUTER_ID);
    let mut at = 0;
    while at < 32 {
        assert!(declared[at] == expected[at]);
        at += 1;
    }
};

#[program]
pub mod flagstone_router {
    use super::*;

    /// Creates the configuration and the quote vault. Once per deployment.
    #[discrim = 0]
    pub fn initialize(ctx: &mut Context<Initialize>) -> Result<()> {
        initialize::run(ctx)
    }

    /// Adds a slab to the registry. For the administrator.
    #[discrim = 1]
    pub fn register_slab(ctx: &mut Context<RegisterSlab>) -> Result<()> {
        register_slab::run(ctx)
    }

    /// Opens the signer's portfolio.
    #[discrim = 2]
    pub fn open_portfolio(ctx: &mut Context<OpenPortfolio>) -> Result<()> {
        open_portfolio::run(ctx)
    }

    /// Moves tokens into the vault and credits portfolio cash.
    #[discrim = 3]
    pub fn deposit(ctx: &mut Context<Deposit>, amount_atoms: u64) -> Result<()> {
        deposit::run(ctx, amount_atoms)
    }

    /// Opens the signer's escrow for one slab, traded by a session key.
    #[discrim = 4]
    pub fn open_escrow(ctx: &mut Context<OpenEscrow>, trader: [u8; 32]) -> Result<()> {
        open_escrow::run(ctx, trader)
    }

    /// Binds an escrow to the slab account that opens next.
    #[discrim = 5]
    pub fn bind_escrow(ctx: &mut Context<BindEscrow>) -> Result<()> {
        bind_escrow::run(ctx)
    }

    /// Moves portfolio cash to a slab as standing margin.
    #[discrim = 6]
    pub fn fund_slab(ctx: &mut Context<FundSlab>, amount_atoms: u64) -> Result<()> {
        fund_slab::run(ctx, amount_atoms)
    }
}
