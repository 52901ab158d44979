//! The index-vault program: markets of assets, indices over them, index orders.
//!
//! A vendor reports prices, slopes, liquidity, supply and margins of a market's
//! assets. An index is a list of weights over them and an SPL mint; its orders
//! are executed by the kernels against the market, in chunks that anyone may
//! continue, with collateral and index tokens in SPL Token accounts.
//!
//! The only cross-program calls are to the System and SPL Token programs. Each
//! market has an authority of its own, so no market can pay out another's
//! collateral or mint another's tokens.
//!
//! Instruction numbers and error codes are those of `flagstone-interface`.
#![no_std]

use anchor_lang::prelude::*;

extern crate alloc;

mod access;
mod fill;
mod instructions;
mod market;
mod token;

use instructions::*;

declare_id!("F1agstone1ndexVau1t111111111111111111111111");

// The interface names the same address.
const _: () = {
    let (declared, expected) = (ID.as_array(), &flagstone_interface::INDEX_VAULT_ID);
    let mut at = 0;
    while at < 32 {
        assert!(declared[at] == expected[at]);
        at += 1;
    }
};

#[program]
pub mod flagstone_index_vault {
    use super::*;

    /// Turns a zeroed account of this program into a market.
    #[discrim = 0]
    pub fn create_market(
        ctx: &mut Context<CreateMarket>,
        vendor: [u8; 32],
        data_slots_max: u32,
        supply_slots_max: u32,
        seed: &str,
    ) -> Result<()> {
        create_market::run(ctx, vendor, data_slots_max, supply_slots_max, seed)
    }

    /// Sets a market's vendor, ages and pause. For its administrator.
    #[discrim = 1]
    pub fn set_market(
        ctx: &mut Context<Administer>,
        vendor: [u8; 32],
        data_slots_max: u32,
        supply_slots_max: u32,
        paused: u8,
    ) -> Result<()> {
        set_market::run(ctx, vendor, data_slots_max, supply_slots_max, paused)
    }

    /// Adds assets to a market. For its administrator.
    #[discrim = 2]
    pub fn add_assets(ctx: &mut Context<Administer>, labels: &[u8]) -> Result<()> {
        add_assets::run(ctx, labels)
    }

    /// Takes prices, slopes and liquidity as such. For the vendor.
    #[discrim = 3]
    pub fn submit_data(ctx: &mut Context<Submit>, updates: &[u8]) -> Result<()> {
        submit_data::run(ctx, updates)
    }

    /// Takes order books and works out prices, slopes and liquidity. For the vendor.
    #[discrim = 4]
    pub fn submit_books(ctx: &mut Context<Submit>, books: &[u8]) -> Result<()> {
        submit_books::run(ctx, books)
    }

    /// Takes supply, long and short. For the vendor.
    #[discrim = 5]
    pub fn submit_supply(ctx: &mut Context<Submit>, updates: &[u8]) -> Result<()> {
        submit_supply::run(ctx, updates)
    }

    /// Takes margins. For the vendor.
    #[discrim = 6]
    pub fn submit_margin(ctx: &mut Context<Submit>, updates: &[u8]) -> Result<()> {
        submit_margin::run(ctx, updates)
    }

    /// Turns a zeroed account into an index and creates its mint.
    #[discrim = 7]
    pub fn create_index(
        ctx: &mut Context<CreateIndex>,
        limits: IndexLimits,
        desk: [u8; 32],
        seed: &str,
    ) -> Result<()> {
        create_index::run(ctx, limits, desk, seed)
    }

    /// Adds constituents to an index that is not sealed.
    #[discrim = 8]
    pub fn add_constituents(ctx: &mut Context<AdministerIndex>, constituents: &[u8]) -> Result<()> {
        add_constituents::run(ctx, constituents)
    }

    /// Ends the making of an index: its weights are in force.
    #[discrim = 9]
    pub fn seal_index(ctx: &mut Context<AdministerIndex>) -> Result<()> {
        seal_index::run(ctx)
    }

    /// Sets an index's limits and pause.
    #[discrim = 10]
    pub fn set_index(ctx: &mut Context<AdministerIndex>, limits: IndexLimits) -> Result<()> {
        set_index::run(ctx, limits)
    }

    /// Makes an index's quote from the market's data. Permissionless.
    #[discrim = 11]
    pub fn update_quote(ctx: &mut Context<UpdateQuote>) -> Result<()> {
        update_quote::run(ctx)
    }

    /// Makes an order and takes what it gives.
    #[discrim = 12]
    pub fn submit_order(
        ctx: &mut Context<SubmitOrder>,
        side: u8,
        order_id: u64,
        given: u64,
        limit_atoms: u64,
        deadline_slot: u32,
    ) -> Result<()> {
        submit_order::run(ctx, side, order_id, given, limit_atoms, deadline_slot)
    }

    /// Executes the next chunk of an order. Permissionless.
    #[discrim = 13]
    pub fn execute(ctx: &mut Context<Execute>, received_min: u64) -> Result<()> {
        execute::run(ctx, received_min)
    }

    /// Executes the next chunk of a member of an allotment. Permissionless.
    #[discrim = 14]
    pub fn execute_member(ctx: &mut Context<ExecuteMember>, received_min: u64) -> Result<()> {
        execute_member::run(ctx, received_min)
    }

    /// Pays out what an order received. For its owner.
    #[discrim = 15]
    pub fn claim(ctx: &mut Context<Payout>) -> Result<()> {
        claim::run(ctx)
    }

    /// Ends an order and gives back what it did not use. For its owner.
    #[discrim = 16]
    pub fn cancel_order(ctx: &mut Context<Payout>) -> Result<()> {
        cancel_order::run(ctx)
    }

    /// Adds collateral to a market's reserve. Permissionless.
    #[discrim = 17]
    pub fn fund_reserve(ctx: &mut Context<FundReserve>, amount_atoms: u64) -> Result<()> {
        fund_reserve::run(ctx, amount_atoms)
    }

    /// Takes collateral out of a market's reserve. For the vendor.
    #[discrim = 18]
    pub fn draw_reserve(ctx: &mut Context<DrawReserve>, amount_atoms: u64) -> Result<()> {
        draw_reserve::run(ctx, amount_atoms)
    }

    /// Opens the signer's desk.
    #[discrim = 19]
    pub fn open_desk(ctx: &mut Context<OpenDesk>, limits: &[u8]) -> Result<()> {
        open_desk::run(ctx, limits)
    }

    /// Grants a role of a desk. For its administrator.
    #[discrim = 20]
    pub fn grant_role(ctx: &mut Context<AdministerDesk>, role: u8, key: [u8; 32]) -> Result<()> {
        grant_role::run(ctx, role, key)
    }

    /// Replaces a desk's limits. For its administrator.
    #[discrim = 21]
    pub fn set_limits(ctx: &mut Context<AdministerDesk>, limits: &[u8]) -> Result<()> {
        set_limits::run(ctx, limits)
    }

    /// Turns a zeroed account into an allotment. For the solver.
    #[discrim = 22]
    pub fn create_allotment(
        ctx: &mut Context<CreateAllotment>,
        side: u8,
        members: u32,
        seed: &str,
    ) -> Result<()> {
        create_allotment::run(ctx, side, members, seed)
    }

    /// Adds an order to an allotment. For the solver.
    #[discrim = 23]
    pub fn join_allotment(ctx: &mut Context<JoinAllotment>, fractions: &[u8]) -> Result<()> {
        join_allotment::run(ctx, fractions)
    }

    /// Freezes the shares of an allotment. For the solver.
    #[discrim = 24]
    pub fn seal_allotment(ctx: &mut Context<SealAllotment>) -> Result<()> {
        seal_allotment::run(ctx)
    }

    /// Takes an order out of an allotment: its owner, or anyone after the expiry.
    #[discrim = 25]
    pub fn leave_allotment(ctx: &mut Context<LeaveAllotment>) -> Result<()> {
        leave_allotment::run(ctx)
    }

    /// Stores a program of the vector machine, after validating it.
    #[discrim = 26]
    pub fn store_program(
        ctx: &mut Context<StoreProgram>,
        id: u64,
        registers: u8,
        code: &[u8],
    ) -> Result<()> {
        store_program::run(ctx, id, registers, code)
    }

    /// Runs a stored program on a market's and an index's vectors; what it
    /// stores is written to the log. Permissionless, changes nothing.
    #[discrim = 27]
    pub fn execute_vil(ctx: &mut Context<ExecuteVil>) -> Result<()> {
        execute_vil::run(ctx)
    }
}
