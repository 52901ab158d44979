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
mod backing;
mod custody;
mod desk;
mod fill;
mod instructions;
mod market;
mod rebalance;
mod token;
mod vectors;

use flagstone_index_engine::amounts::Atoms;
use flagstone_index_engine::batch::BatchSize;
use flagstone_index_engine::records::IntentTerms;
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
        inputs: u8,
        code: &[u8],
    ) -> Result<()> {
        store_program::run(ctx, id, registers, inputs, code)
    }

    /// Runs a stored program on a market's and an index's vectors, with the
    /// subroutines and the table that follow. What it stores goes to the table
    /// or the log. Permissionless; changes nothing but the table.
    #[discrim = 27]
    pub fn execute_vil(ctx: &mut Context<ExecuteVil>, words: u32) -> Result<()> {
        execute_vil::run(ctx, words)
    }

    /// Opens the custody of a desk's collateral. For its administrator.
    #[discrim = 28]
    pub fn open_custody(ctx: &mut Context<OpenCustody>) -> Result<()> {
        open_custody::run(ctx)
    }

    /// Sets where a desk is paid. For its administrator.
    #[discrim = 29]
    pub fn set_payout(ctx: &mut Context<SetPayout>) -> Result<()> {
        open_custody::set_payout(ctx)
    }

    /// Opens the signer's collateral position at a desk.
    #[discrim = 30]
    pub fn open_position(ctx: &mut Context<OpenPosition>, lots: u32, spends: u32) -> Result<()> {
        open_position::run(ctx, lots, spends)
    }

    /// Moves collateral into a desk's custody and opens a lot. For the
    /// position's owner and the collateral manager.
    #[discrim = 31]
    pub fn deposit(ctx: &mut Context<Deposit>, payment: u64, amount_atoms: u64) -> Result<()> {
        deposit::run(ctx, payment, amount_atoms)
    }

    /// Routed collateral is ready. For the collateral manager.
    #[discrim = 32]
    pub fn make_ready(ctx: &mut Context<MakeReady>, amount_atoms: u64) -> Result<()> {
        make_ready::run(ctx, amount_atoms)
    }

    /// Pays ready collateral back. For its owner.
    #[discrim = 33]
    pub fn withdraw(ctx: &mut Context<Withdraw>, amount_atoms: u64) -> Result<()> {
        withdraw::run(ctx, withdraw::From::Ready, amount_atoms)
    }

    /// Pays collateral back that nobody routed in time. For its owner.
    #[discrim = 34]
    pub fn reclaim(ctx: &mut Context<Withdraw>, amount_atoms: u64) -> Result<()> {
        withdraw::run(ctx, withdraw::From::Unconfirmed, amount_atoms)
    }

    /// Submits an index order to the desk of the index.
    #[discrim = 35]
    pub fn submit_intent(
        ctx: &mut Context<SubmitIntent>,
        side: u8,
        order_id: u64,
        amount_atoms: u64,
        limit_atoms: u64,
        routing_fee_max: u64,
    ) -> Result<()> {
        let terms = IntentTerms {
            limit_atoms,
            routing_fee_max,
            ..IntentTerms::default()
        };
        let asked = Asked {
            order_id,
            amount: Atoms(amount_atoms),
            terms,
        };
        submit_intent::run(ctx, side, &asked)
    }

    /// Takes an action that changes an index order alone: accept, reject, push,
    /// route, check later, confirm ready, settle.
    #[discrim = 36]
    pub fn step_intent(ctx: &mut Context<OnIntent>, action: u8, amount_atoms: u64) -> Result<()> {
        step_intent::run(ctx, action, amount_atoms)
    }

    /// Takes off an index order, or turns it around. For its owner.
    #[discrim = 37]
    pub fn reduce_intent(ctx: &mut Context<OnGate>, amount_atoms: u64) -> Result<()> {
        end_intent::run(ctx, &Deed::Reduce(amount_atoms))
    }

    /// Ends an index order without payment: cancel, deny collateral, expire,
    /// fail, deny payment. The last takes market and index as further accounts.
    #[discrim = 38]
    pub fn end_intent(ctx: &mut Context<OnGate>, action: u8) -> Result<()> {
        end_intent::run(ctx, &Deed::End(action))
    }

    /// Charges a hop of an order's collateral. For the collateral manager.
    #[discrim = 39]
    pub fn hop(ctx: &mut Context<PayDesk>, fee_atoms: u64) -> Result<()> {
        confirm_payment::run(ctx, &Due::Hop(fee_atoms))
    }

    /// Sets collateral aside for an order. For the collateral manager.
    #[discrim = 40]
    pub fn preauthorise(ctx: &mut Context<OnGate>, amount_atoms: u64) -> Result<()> {
        end_intent::run(ctx, &Deed::Preauthorise(amount_atoms))
    }

    /// Turns a zeroed account into a batch. For the solver.
    #[discrim = 41]
    pub fn create_batch(
        ctx: &mut Context<CreateBatch>,
        number: u64,
        assets: u32,
        members: u32,
        lots: u32,
        seed: &str,
    ) -> Result<()> {
        let size = BatchSize {
            assets,
            members,
            lots,
        };
        create_batch::run(ctx, number, size, seed)
    }

    /// Sets the next assets of a batch. For the solver.
    #[discrim = 42]
    pub fn set_batch_assets(ctx: &mut Context<OnBatch>, first: u32, assets: &[u8]) -> Result<()> {
        build_batch::run(ctx, &Change::Assets(first, assets))
    }

    /// Adds an index order to a batch. For the solver.
    #[discrim = 43]
    pub fn join_batch(ctx: &mut Context<OnMember>, engaged_atoms: u64, tokens: u64) -> Result<()> {
        build_batch::member(ctx, &Membership::Join(engaged_atoms, tokens))
    }

    /// Sets the next contributions and fractions of a member. For the solver.
    #[discrim = 44]
    pub fn set_batch_cells(ctx: &mut Context<OnMember>, first: u32, shares: &[u8]) -> Result<()> {
        build_batch::member(ctx, &Membership::Cells(first, shares))
    }

    /// Freezes a batch. For the solver.
    #[discrim = 45]
    pub fn seal_batch(ctx: &mut Context<OnBatch>) -> Result<()> {
        build_batch::run(ctx, &Change::Seal)
    }

    /// Drops a member that was not locked. For the solver.
    #[discrim = 46]
    pub fn drop_member(ctx: &mut Context<OnMember>) -> Result<()> {
        build_batch::member(ctx, &Membership::Drop)
    }

    /// Locks an index order into its batch. For the order manager.
    #[discrim = 47]
    pub fn engage(ctx: &mut Context<Engage>) -> Result<()> {
        engage::run(ctx)
    }

    /// Sends a batch to the venues. For the batch manager.
    #[discrim = 48]
    pub fn send_batch(ctx: &mut Context<OnBatch>) -> Result<()> {
        build_batch::run(ctx, &Change::Send)
    }

    /// Opens the inventory of an asset. For the inventory manager.
    #[discrim = 49]
    pub fn open_inventory(ctx: &mut Context<OpenOfAsset>, label: u64, lots: u32) -> Result<()> {
        open_inventory::run(ctx, Kind::Inventory, label, lots)
    }

    /// Books a venue's fill for a batch and in the inventory. For the inventory manager.
    #[discrim = 50]
    pub fn report_fill(ctx: &mut Context<ReportFill>, asset: u32, fill: &[u8]) -> Result<()> {
        report_fill::run(ctx, asset, fill)
    }

    /// Cancels what is open of a batch's asset: the inventory manager, or
    /// anyone after the deadline.
    #[discrim = 51]
    pub fn cancel_rest(ctx: &mut Context<OnBatch>, asset: u32) -> Result<()> {
        build_batch::run(ctx, &Change::CancelRest(asset))
    }

    /// Books what a batch bought for an index order. For the batch manager.
    #[discrim = 52]
    pub fn fill_intent(ctx: &mut Context<FillIntent>, tokens: u64) -> Result<()> {
        fill_intent::run(ctx, tokens)
    }

    /// Ends a batch of which nothing is open. Permissionless.
    #[discrim = 53]
    pub fn complete_batch(ctx: &mut Context<CompleteBatch>) -> Result<()> {
        fill_intent::complete(ctx)
    }

    /// Lets an index order leave a batch that is over. Permissionless.
    #[discrim = 54]
    pub fn carry_over(ctx: &mut Context<CarryOver>) -> Result<()> {
        fill_intent::carry_over(ctx)
    }

    /// Opens the carry-over of an asset. For the batch manager.
    #[discrim = 55]
    pub fn open_carry(ctx: &mut Context<OpenOfAsset>, label: u64, lots: u32) -> Result<()> {
        open_inventory::run(ctx, Kind::Carry, label, lots)
    }

    /// Moves carried lots into a batch. For the batch manager.
    #[discrim = 56]
    pub fn draw_carry(ctx: &mut Context<DrawCarry>, asset: u32) -> Result<()> {
        draw_carry::run(ctx, asset)
    }

    /// Moves lots that no order took to the carry-over. Permissionless.
    #[discrim = 57]
    pub fn retire_lots(ctx: &mut Context<RetireLots>, asset: u32) -> Result<()> {
        draw_carry::retire(ctx, asset)
    }

    /// Frees the room of a batch that is over. For the solver.
    #[discrim = 58]
    pub fn close_batch(ctx: &mut Context<CloseBatch>) -> Result<()> {
        close_batch::run(ctx)
    }

    /// Charges what an index order spent and frees the rest. For the collateral manager.
    #[discrim = 59]
    pub fn confirm_payment(ctx: &mut Context<PayDesk>) -> Result<()> {
        confirm_payment::run(ctx, &Due::Assets)
    }

    /// Mints the tokens of a paid index order. For the chain connector.
    #[discrim = 60]
    pub fn mint_index(ctx: &mut Context<MintIndex>) -> Result<()> {
        mint_index::run(ctx)
    }

    /// Writes the invoice of a minted index order. For the order manager.
    #[discrim = 61]
    pub fn write_invoice(ctx: &mut Context<OnIntent>) -> Result<()> {
        write_invoice::run(ctx)
    }

    /// Drops the spend lots of an index order that has ended. Permissionless.
    #[discrim = 62]
    pub fn archive_spends(ctx: &mut Context<ArchiveSpends>) -> Result<()> {
        archive_spends::run(ctx)
    }

    /// Books a venue's fill in the inventory. For the inventory manager.
    #[discrim = 63]
    pub fn inventory_fill(ctx: &mut Context<InventoryFill>, fill: &[u8]) -> Result<()> {
        report_fill::inventory_fill(ctx, fill)
    }

    /// Attributes part of an inventory lot to a minted index order. For the
    /// inventory manager.
    #[discrim = 64]
    pub fn assign_lot(ctx: &mut Context<AssignLot>, assigned: &[u8]) -> Result<()> {
        report_fill::assign_lot(ctx, assigned)
    }

    /// Makes room for more lots in an inventory or a carry-over. For its manager.
    #[discrim = 65]
    pub fn grow_record(ctx: &mut Context<GrowRecord>, lots: u32) -> Result<()> {
        open_inventory::grow(ctx, lots)
    }

    /// Turns a zeroed account into that of an index's next weights.
    #[discrim = 70]
    pub fn create_rebalance(
        ctx: &mut Context<Reweigh>,
        constituents: u32,
        notice_slots: u32,
        value_max_ppm: u32,
        seed: &str,
    ) -> Result<()> {
        create_rebalance::run(ctx, constituents, notice_slots, value_max_ppm, seed)
    }

    /// Collects new weights; the last part announces them. For the administrator.
    #[discrim = 71]
    pub fn propose_weights(
        ctx: &mut Context<Reweigh>,
        from: u32,
        announces: u8,
        constituents: &[u8],
    ) -> Result<()> {
        propose_weights::run(ctx, from, announces, constituents)
    }

    /// Brings announced weights into force after their notice. For the administrator.
    #[discrim = 72]
    pub fn change_weights(ctx: &mut Context<Reweigh>, proposal_hash: [u8; 32]) -> Result<()> {
        change_weights::run(ctx, proposal_hash)
    }

    /// Trades part of what a change of weights left to trade. Permissionless.
    #[discrim = 73]
    pub fn execute_rebalance(
        ctx: &mut Context<ExecuteRebalance>,
        count: u32,
        factor: u64,
    ) -> Result<()> {
        execute_rebalance::run(ctx, count, factor)
    }

    /// Turns a zeroed account into a table of vectors for stored programs.
    #[discrim = 74]
    pub fn create_table(ctx: &mut Context<CreateTable>, specs: &[u8], seed: &str) -> Result<()> {
        create_table::run(ctx, specs, seed)
    }

    /// Writes part of a vector of a table, which then ends there. For its owner.
    #[discrim = 75]
    pub fn write_table(
        ctx: &mut Context<WriteTable>,
        id: [u8; 16],
        from: u32,
        words: &[u8],
    ) -> Result<()> {
        write_table::run(ctx, id, from, words)
    }
}
