//! The Slab program: one account that is a whole perpetuals engine.
//!
//! Thin by design: each instruction checks its accounts, calls the engine and
//! writes one event. The program makes no cross-program calls at all, so no
//! path leads from a slab to a vault; a test looks for them in the binary.
//!
//! Instruction numbers and error codes are those of `flagstone-interface`.
#![no_std]

use anchor_lang::prelude::*;

mod access;
mod instructions;
mod log;

use instructions::*;

declare_id!("F1agstoneS1ab111111111111111111111111111111");

// The interface names the same address.
const _: () = {
    let (declared, expected) = (ID.as_array(), &flagstone_interface::SLAB_ID);
    let mut at = 0;
    while at < 32 {
        assert!(declared[at] == expected[at]);
        at += 1;
    }
};

#[program]
pub mod flagstone_slab {
    use super::*;

    /// Turns a zeroed account of this program into an empty slab.
    #[discrim = 0]
    pub fn initialize(
        ctx: &mut Context<Initialize>,
        router_program: [u8; 32],
        quote_mint: [u8; 32],
        account_deposit_min_atoms: u64,
        capacities: [u32; 10],
        seed: &str,
    ) -> Result<()> {
        initialize::run(
            ctx,
            router_program,
            quote_mint,
            account_deposit_min_atoms,
            capacities,
            seed,
        )
    }

    /// Adds an instrument. For the slab's authority.
    #[discrim = 1]
    pub fn add_instrument(ctx: &mut Context<AddInstrument>, params: InstrumentArgs) -> Result<()> {
        add_instrument::run(ctx, params)
    }

    /// Opens the account that an escrow was bound to. Permissionless.
    #[discrim = 2]
    pub fn open_account(ctx: &mut Context<OpenAccount>) -> Result<()> {
        open_account::run(ctx)
    }

    /// Credits the deposits that the Router recorded. Permissionless, idempotent.
    #[discrim = 3]
    pub fn sync(ctx: &mut Context<Sync>, account: u16) -> Result<()> {
        sync::run(ctx, account)
    }

    /// Places a limit or post-only order.
    #[discrim = 4]
    pub fn place(ctx: &mut Context<Trade>, order: PlaceArgs) -> Result<()> {
        place::run(ctx, order)
    }

    /// Cancels a resting order; a stale handle is ignored.
    #[discrim = 5]
    pub fn cancel(
        ctx: &mut Context<Trade>,
        account: u16,
        order: u32,
        generation: u32,
    ) -> Result<()> {
        cancel::run(ctx, account, order, generation)
    }

    /// Trades against the book at once.
    #[discrim = 6]
    pub fn take(ctx: &mut Context<Trade>, take: TakeArgs) -> Result<()> {
        take::run(ctx, take)
    }

    /// Captures resting quantity at its prices and locks it.
    #[discrim = 7]
    pub fn reserve(ctx: &mut Context<Trade>, order: ReserveArgs) -> Result<()> {
        reserve::run(ctx, order)
    }

    /// Trades a hold at its captured prices and charges its capability.
    #[discrim = 8]
    pub fn commit(
        ctx: &mut Context<Commit>,
        account: u16,
        hold: u32,
        generation: u32,
        cap: u8,
    ) -> Result<()> {
        commit::run(ctx, account, hold, generation, cap)
    }

    /// Ends a hold without trading; a stale handle is ignored.
    #[discrim = 9]
    pub fn cancel_hold(
        ctx: &mut Context<Trade>,
        account: u16,
        hold: u32,
        generation: u32,
    ) -> Result<()> {
        cancel_hold::run(ctx, account, hold, generation)
    }

    /// Ends the holds among `count` records from `first` whose expiry has
    /// passed. Permissionless, idempotent.
    #[discrim = 10]
    pub fn expire_holds(ctx: &mut Context<Crank>, first: u32, count: u16) -> Result<()> {
        expire_holds::run(ctx, first, count)
    }

    /// Frees the record of a hold that the Router has booked. Permissionless,
    /// idempotent.
    #[discrim = 11]
    pub fn free_hold(ctx: &mut Context<Sync>, hold: u32) -> Result<()> {
        free_hold::run(ctx, hold)
    }

    /// Gives cash back to the escrow; the Router pays it on settle.
    #[discrim = 12]
    pub fn release(ctx: &mut Context<Trade>, account: u16, amount_atoms: u64) -> Result<()> {
        release::run(ctx, account, amount_atoms)
    }
}
