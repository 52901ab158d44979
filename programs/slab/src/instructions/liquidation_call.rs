use crate::access::{RouterRecord, SlabAccount, current_slot, fail};
use crate::log;
use anchor_lang::prelude::*;
use bytemuck::Zeroable;
use flagstone_interface::event::Traded;
use flagstone_interface::router::{Portfolio, Ticket};
use flagstone_slab_engine::liquidations;
use flagstone_slab_engine::tickets::Warrant;

/// Accounts of `liquidation_call` and `deleverage`.
#[derive(Accounts)]
pub struct Liquidation {
    /// The slab.
    #[account(mut)]
    pub slab: SlabAccount,
    /// Ticket of the Router for the account's escrow.
    pub ticket: RouterRecord,
    /// Portfolio under liquidation.
    pub portfolio: RouterRecord,
}

#[inline(never)]
pub fn run(
    ctx: &mut Context<Liquidation>,
    account: u16,
    keeper: u16,
    holds: [u32; 8],
) -> Result<()> {
    let slot = current_slot()?;
    let address = *ctx.accounts.slab.key();
    let mut slab = ctx.accounts.slab.open()?;
    let router = slab.header.router_program;
    let warrant = Warrant {
        slab: &address,
        ticket: ctx.accounts.ticket.require::<Ticket>(&router)?,
        portfolio_key: ctx.accounts.portfolio.key(),
        portfolio: ctx.accounts.portfolio.require::<Portfolio>(&router)?,
    };
    let call = liquidations::LiquidationCall {
        account: account.into(),
        keeper: keeper.into(),
        holds: [
            (holds[0], holds[1]),
            (holds[2], holds[3]),
            (holds[4], holds[5]),
            (holds[6], holds[7]),
        ],
        warrant,
    };
    let mut traded = Traded::zeroed();
    let mut done = liquidations::Liquidation::none();
    slab.liquidation_call(&call, slot, &mut traded, &mut done)
        .map_err(fail)?;
    for event in done.cancelled.orders() {
        log::cancelled(&mut slab, *event);
    }
    for event in done.ended() {
        log::ended(&mut slab, *event);
    }
    log::traded(&mut slab, &mut traded);
    done.liquidated.seq = slab.next_seq();
    log::write(&done.liquidated);
    log::recognised(&mut slab, done.recognised);
    Ok(())
}
