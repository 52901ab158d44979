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
        terms_delay_slots: u32,
        capacities: [u32; 10],
        seed: &str,
    ) -> Result<()> {
        initialize::run(
            ctx,
            router_program,
            quote_mint,
            account_deposit_min_atoms,
            terms_delay_slots,
            capacities,
            seed,
        )
    }

    /// Adds an instrument as the registry allows. For the slab's authority.
    #[discrim = 1]
    pub fn add_instrument(ctx: &mut Context<Registered>, params: InstrumentArgs) -> Result<()> {
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
        reveal: Option<RevealArgs>,
    ) -> Result<()> {
        commit::run(ctx, account, hold, generation, cap, reveal)
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

    /// Cancels orders of an account, newest first: of one instrument or all
    /// (255), of one side or both (255), `most` at most, 32 per instruction.
    #[discrim = 13]
    pub fn cancel_all(
        ctx: &mut Context<Trade>,
        account: u16,
        instrument: u8,
        side: u8,
        most: u8,
    ) -> Result<()> {
        cancel_all::cancel_all(ctx, account, instrument, side, most)
    }

    /// Cancels an order, which has to be live, and places another.
    #[discrim = 14]
    pub fn replace(
        ctx: &mut Context<Trade>,
        order: u32,
        generation: u32,
        new: PlaceArgs,
    ) -> Result<()> {
        replace::run(ctx, order, generation, new)
    }

    /// Takes lots off a resting order, which keeps its place in the queue.
    #[discrim = 15]
    pub fn reduce(
        ctx: &mut Context<Trade>,
        account: u16,
        order: u32,
        generation: u32,
        lots: u32,
    ) -> Result<()> {
        reduce::run(ctx, account, order, generation, lots)
    }

    /// Cancels and places several orders of one instrument: `cancels` is 8
    /// bytes per order (order, generation), `places` 24 bytes per order (the
    /// fields of a placement after account and instrument), 32 in all.
    #[discrim = 16]
    pub fn batch_update(
        ctx: &mut Context<Trade>,
        account: u16,
        instrument: u8,
        cancels: &[u8],
        places: &[u8],
    ) -> Result<()> {
        batch_update::run(ctx, account, instrument, cancels, places)
    }

    /// Sets the slot after which anyone may cancel the account's orders; 0 is off.
    #[discrim = 17]
    pub fn set_dead_man(ctx: &mut Context<Trade>, account: u16, dead_man_slot: u32) -> Result<()> {
        cancel_all::set_dead_man(ctx, account, dead_man_slot)
    }

    /// Cancels orders of an account whose dead-man slot has passed.
    /// Permissionless.
    #[discrim = 18]
    pub fn cancel_dead_man(ctx: &mut Context<Crank>, account: u16, most: u8) -> Result<()> {
        cancel_all::cancel_dead_man(ctx, account, most)
    }

    /// Removes expired orders among `count` records from `first`.
    /// Permissionless.
    #[discrim = 19]
    pub fn expire_orders(ctx: &mut Context<Crank>, first: u32, count: u16) -> Result<()> {
        cancel_all::expire_orders(ctx, first, count)
    }

    /// Opens the batch of this window, or goes on promoting pending orders.
    /// Permissionless.
    #[discrim = 20]
    pub fn batch_open(ctx: &mut Context<Crank>, instrument: u8, most: u8) -> Result<()> {
        batch_open::run(ctx, instrument, most)
    }

    /// Accrues funding and takes the Router's shared rate, if given.
    /// Permissionless.
    #[discrim = 22]
    pub fn update_funding(ctx: &mut Context<UpdateFunding>, instrument: u8) -> Result<()> {
        update_funding::run(ctx, instrument)
    }

    /// Hashes the next pages of the Merkle root of the accounts, after starting
    /// one when none is under construction. Permissionless.
    #[discrim = 26]
    pub fn publish_root(ctx: &mut Context<Crank>, pages: u16) -> Result<()> {
        publish_root::run(ctx, pages)
    }

    /// Takes the oracle's price and moves the mark. Permissionless.
    #[discrim = 21]
    pub fn update_mark(ctx: &mut Context<UpdateMark>, instrument: u8) -> Result<()> {
        update_mark::run(ctx, instrument)
    }

    /// Closes part of the position of an account below its maintenance margin
    /// against the book, on the Router's ticket. `holds` are handles, index and
    /// generation, of holds to end first. Permissionless.
    #[discrim = 23]
    pub fn liquidation_call(
        ctx: &mut Context<Liquidation>,
        account: u16,
        keeper: u16,
        holds: [u32; 8],
    ) -> Result<()> {
        liquidation_call::run(ctx, account, keeper, holds)
    }

    /// Closes what an expired ticket left against opposite positions, most
    /// profitable first; zeroes end the list. Permissionless.
    #[discrim = 24]
    pub fn deleverage(
        ctx: &mut Context<Liquidation>,
        account: u16,
        counters: [u32; 16],
    ) -> Result<()> {
        deleverage::run(ctx, account, counters)
    }

    /// Pays a bankrupt account's debt from the profits of all others.
    /// Permissionless.
    #[discrim = 25]
    pub fn allocate_deficit(ctx: &mut Context<AllocateDeficit>, account: u16) -> Result<()> {
        allocate_deficit::run(ctx, account)
    }
    /// Proposes terms of an instrument. For the slab's authority.
    #[discrim = 27]
    pub fn propose_terms(
        ctx: &mut Context<Registered>,
        instrument: u8,
        terms: TermsArgs,
    ) -> Result<()> {
        propose_terms::run(ctx, instrument, &terms)
    }

    /// Lets proposed terms come into force after their delay. Permissionless.
    #[discrim = 28]
    pub fn apply_terms(ctx: &mut Context<ApplyTerms>, instrument: u8) -> Result<()> {
        apply_terms::run(ctx, instrument)
    }

    /// Sets the status of an instrument, or of the slab for 255. For the
    /// slab's authority.
    #[discrim = 29]
    pub fn set_status(ctx: &mut Context<Administer>, instrument: u8, status: u32) -> Result<()> {
        set_status::run(ctx, instrument, status)
    }

    /// Names or dismisses a designated liquidity provider. For the slab's
    /// authority.
    #[discrim = 30]
    pub fn set_dlp(ctx: &mut Context<Administer>, account: u16, on: u8) -> Result<()> {
        set_dlp::run(ctx, account, on)
    }

    /// Sets the slab's own limits. For the slab's authority.
    #[discrim = 31]
    pub fn set_limits(
        ctx: &mut Context<Administer>,
        orders_per_account_max: u32,
        batch_slots: u32,
        insurance_share_ppm: u32,
    ) -> Result<()> {
        set_limits::run(
            ctx,
            orders_per_account_max,
            batch_slots,
            insurance_share_ppm,
        )
    }

    /// Closes an empty account: by its trader, or by anyone once it is idle.
    #[discrim = 32]
    pub fn close_account(ctx: &mut Context<CloseAccount>, account: u16) -> Result<()> {
        close_account::run(ctx, account)
    }

    /// Frees a closed account whose escrow the Router has unbound. Permissionless.
    #[discrim = 33]
    pub fn free_account(ctx: &mut Context<Sync>, account: u16) -> Result<()> {
        free_account::run(ctx, account)
    }

    /// Names the next authority; the zero key withdraws the name. For the
    /// slab's authority.
    #[discrim = 34]
    pub fn hand_over(ctx: &mut Context<Administer>, next: [u8; 32]) -> Result<()> {
        hand_over::run(ctx, next)
    }

    /// The named authority takes over, and signs.
    #[discrim = 35]
    pub fn take_over(ctx: &mut Context<Administer>) -> Result<()> {
        take_over::run(ctx)
    }

    /// Gives cash of an account back to its escrow, on the Router's shift
    /// ticket, for an account of the same portfolio that lacks margin at
    /// another slab. Permissionless.
    #[discrim = 36]
    pub fn release_shift(ctx: &mut Context<ReleaseShift>) -> Result<()> {
        release_shift::run(ctx)
    }
}
