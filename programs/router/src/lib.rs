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

extern crate alloc;

mod access;
mod alone;
mod booking;
mod changes;
mod collateral;
mod exits;
mod instructions;
mod leg;
mod log;
mod nonce;
mod programs;
mod record;
mod seat;
mod token;
mod version;
mod waiting;

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
    pub fn initialize(
        ctx: &mut Context<Initialize>,
        instrument_delay_slots: u32,
        terms_delay_slots_min: u32,
    ) -> Result<()> {
        initialize::run(ctx, instrument_delay_slots, terms_delay_slots_min)
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

    /// Moves portfolio cash to a token account.
    #[discrim = 7]
    pub fn withdraw(ctx: &mut Context<Withdraw>, amount_atoms: u64) -> Result<()> {
        withdraw::run(ctx, amount_atoms)
    }

    /// Changes the session key of the signer's escrow.
    #[discrim = 8]
    pub fn set_trader(ctx: &mut Context<SetTrader>, trader: [u8; 32]) -> Result<()> {
        set_trader::run(ctx, trader)
    }

    /// Mints one capability per hold of a route and moves its money there.
    #[discrim = 9]
    pub fn open_route(ctx: &mut Context<OpenRoute>, route: RouteArgs) -> Result<()> {
        open_route::run(ctx, &route)
    }

    /// Books a route's charges and refunds the rest. Permissionless.
    #[discrim = 10]
    pub fn settle_route(ctx: &mut Context<SettleRoute>, route_id: u64) -> Result<()> {
        settle_route::run(ctx, route_id)
    }

    /// Books everything that one slab account owes or is owed. Permissionless.
    #[discrim = 11]
    pub fn settle(ctx: &mut Context<Settle>) -> Result<()> {
        settle::run(ctx)
    }

    /// Returns what an expired capability has left. Permissionless.
    #[discrim = 12]
    pub fn refund(ctx: &mut Context<Settle>, cap: u8) -> Result<()> {
        refund::run(ctx, cap)
    }

    /// Records the slab program's deployment anew. For the administrator.
    #[discrim = 13]
    pub fn attest_slab(ctx: &mut Context<AttestSlab>) -> Result<()> {
        attest_slab::run(ctx)
    }

    /// Sets what an instrument of a slab may be, after the registry's delay.
    /// For the administrator.
    #[discrim = 14]
    pub fn register_instrument(
        ctx: &mut Context<RegisterInstrument>,
        args: RegistryArgs,
    ) -> Result<()> {
        register_instrument::run(ctx, &args)
    }

    /// Unbinds an escrow from an account that closed. Permissionless.
    #[discrim = 15]
    pub fn unbind_escrow(ctx: &mut Context<UnbindEscrow>) -> Result<()> {
        unbind_escrow::run(ctx)
    }

    /// Finds a slab account below its maintenance margin and freezes its
    /// escrow. Permissionless.
    #[discrim = 16]
    pub fn begin_liquidation(ctx: &mut Context<BeginLiquidation>) -> Result<()> {
        begin_liquidation::run(ctx)
    }

    /// Issues a ticket to close part of a frozen account's positions.
    /// Permissionless.
    #[discrim = 17]
    pub fn issue_ticket(ctx: &mut Context<IssueTicket>) -> Result<()> {
        issue_ticket::run(ctx)
    }

    /// Finds margin restored and unfreezes the escrow. Permissionless.
    #[discrim = 18]
    pub fn end_liquidation(ctx: &mut Context<EndLiquidation>) -> Result<()> {
        end_liquidation::run(ctx)
    }

    /// Moves free cash to an account under liquidation, within its owner's
    /// consent. Permissionless.
    #[discrim = 19]
    pub fn shift_margin(ctx: &mut Context<Liquidation>) -> Result<()> {
        shift_margin::shift(ctx)
    }

    /// Sets how much free cash anyone may move to the signer's escrow while it
    /// is under liquidation.
    #[discrim = 20]
    pub fn set_liability_max(ctx: &mut Context<SetLiabilityMax>, amount_atoms: u64) -> Result<()> {
        shift_margin::set_liability_max(ctx, amount_atoms)
    }

    /// Pays a bankrupt account's debt from the slab's insurance. Permissionless.
    #[discrim = 21]
    pub fn cover_bad_debt(ctx: &mut Context<Liquidation>) -> Result<()> {
        cover_bad_debt::run(ctx)
    }

    /// Books the fees that a slab kept. Permissionless.
    #[discrim = 22]
    pub fn collect_fees(ctx: &mut Context<CollectFees>) -> Result<()> {
        collect_fees::run(ctx)
    }

    /// Pays collected fees to a token account. For the slab's authority.
    #[discrim = 23]
    pub fn withdraw_fees(ctx: &mut Context<WithdrawFees>, amount_atoms: u64) -> Result<()> {
        withdraw_fees::run(ctx, amount_atoms)
    }

    /// Adds tokens to a slab's insurance. For anyone.
    #[discrim = 24]
    pub fn fund_insurance(ctx: &mut Context<FundInsurance>, amount_atoms: u64) -> Result<()> {
        fund_insurance::run(ctx, amount_atoms)
    }

    /// Issues a ticket to release margin at one slab for an account under
    /// liquidation at another. Permissionless.
    #[discrim = 25]
    pub fn issue_shift(ctx: &mut Context<IssueShift>) -> Result<()> {
        issue_shift::run(ctx)
    }

    /// Writes down what a slab account holds. Permissionless.
    #[discrim = 26]
    pub fn refresh_exposure(ctx: &mut Context<RefreshExposure>) -> Result<()> {
        refresh_exposure::run(ctx)
    }

    /// Computes the shared funding rate of an underlying. Permissionless.
    #[discrim = 27]
    pub fn update_funding_grid(ctx: &mut Context<UpdateFundingGrid>) -> Result<()> {
        funding_grid::update(ctx)
    }

    /// Books what the vault holds beyond its books to a slab's insurance. For
    /// the administrator.
    #[discrim = 28]
    pub fn skim_surplus(ctx: &mut Context<SkimSurplus>) -> Result<()> {
        skim_surplus::run(ctx)
    }

    /// Brings a slab's place in a funding grid in line with the registry.
    /// Permissionless.
    #[discrim = 29]
    pub fn list_in_grid(ctx: &mut Context<ListInGrid>) -> Result<()> {
        funding_grid::list(ctx)
    }

    /// Queues a withdrawal above the limit, to be paid to a token account.
    #[discrim = 30]
    pub fn claim_withdrawal(ctx: &mut Context<ClaimWithdrawal>, amount_atoms: u64) -> Result<()> {
        claims::claim(ctx, amount_atoms)
    }

    /// Pays the next claim as far as the limit allows. Permissionless.
    #[discrim = 31]
    pub fn pay_claim(ctx: &mut Context<PayClaim>) -> Result<()> {
        claims::pay(ctx)
    }

    /// Turns the signer's claim back into cash; its place passes.
    #[discrim = 32]
    pub fn cancel_claim(ctx: &mut Context<CancelClaim>) -> Result<()> {
        claims::cancel(ctx)
    }

    /// Proposes a change by the hash of its payload. For the administrator.
    #[discrim = 33]
    pub fn propose(ctx: &mut Context<Propose>, kind: u8, payload_hash: [u8; 32]) -> Result<()> {
        proposals::propose(ctx, kind, payload_hash)
    }

    /// Executes a proposal after its delay. Permissionless.
    #[discrim = 34]
    pub fn execute(ctx: &mut Context<Execute>, payload: &[u8]) -> Result<()> {
        proposals::execute(ctx, payload)
    }

    /// Cancels a proposal. For the guardian and the administrator.
    #[discrim = 35]
    pub fn cancel_proposal(ctx: &mut Context<CancelProposal>) -> Result<()> {
        proposals::cancel(ctx)
    }

    /// Pauses new risk for a number of slots. For the guardian.
    #[discrim = 36]
    pub fn pause(ctx: &mut Context<Pause>, slots: u32) -> Result<()> {
        pauses::pause(ctx, slots)
    }

    /// Ends a pause early. For the guardian.
    #[discrim = 37]
    pub fn unpause(ctx: &mut Context<Pause>) -> Result<()> {
        pauses::unpause(ctx)
    }

    /// The named administrator takes office.
    #[discrim = 38]
    pub fn take_over(ctx: &mut Context<TakeOver>) -> Result<()> {
        proposals::take_over(ctx)
    }

    /// Hashes the next chunks of a program. Permissionless.
    #[discrim = 39]
    pub fn hash_program(ctx: &mut Context<HashProgram>, chunks: u8) -> Result<()> {
        hash_program::hash(ctx, chunks)
    }

    /// Records a slab program's hash, or finds it unchanged. Permissionless.
    #[discrim = 40]
    pub fn confirm_program(ctx: &mut Context<ConfirmProgram>) -> Result<()> {
        hash_program::confirm(ctx)
    }

    /// Copies the root that a slab published. Permissionless.
    #[discrim = 41]
    pub fn verify_root(ctx: &mut Context<VerifyRoot>) -> Result<()> {
        verify_root::run(ctx)
    }

    /// Leaves a quarantined slab, once and for all.
    #[discrim = 42]
    pub fn exit_by_proof(ctx: &mut Context<ExitByProof>, proof: &[u8]) -> Result<()> {
        exit_by_proof::run(ctx, proof)
    }

    /// Names a delegate, what it may move in a day and how far from the mark it
    /// may trade.
    #[discrim = 43]
    pub fn set_delegate(
        ctx: &mut Context<OwnPortfolio>,
        delegate: [u8; 32],
        allowance_atoms: u64,
        band_ppm: u32,
    ) -> Result<()> {
        owners::set_delegate(ctx, delegate, allowance_atoms, band_ppm)
    }

    /// Marks an empty portfolio closed.
    #[discrim = 44]
    pub fn close_portfolio(ctx: &mut Context<OwnPortfolio>) -> Result<()> {
        owners::close(ctx)
    }

    /// Moves tokens of a collateral mint into their vault.
    #[discrim = 45]
    pub fn deposit_collateral(
        ctx: &mut Context<DepositCollateral>,
        amount_atoms: u64,
    ) -> Result<()> {
        deposit_collateral::run(ctx, amount_atoms)
    }

    /// Moves collateral back to a token account.
    #[discrim = 46]
    pub fn withdraw_collateral(
        ctx: &mut Context<WithdrawCollateral>,
        amount_atoms: u64,
    ) -> Result<()> {
        withdraw_collateral::run(ctx, amount_atoms)
    }

    /// Begins the auction of a collateral mint of a portfolio under liquidation,
    /// or buys in it. For anyone.
    #[discrim = 47]
    pub fn liquidate_collateral(
        ctx: &mut Context<LiquidateCollateral>,
        amount_max_atoms: u64,
        pay_max_atoms: u64,
    ) -> Result<()> {
        liquidate_collateral::run(ctx, amount_max_atoms, pay_max_atoms)
    }
}
