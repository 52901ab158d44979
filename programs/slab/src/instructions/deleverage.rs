use crate::access::{current_slot, fail};
use crate::instructions::Liquidation;
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::router::{Portfolio, Ticket};
use flagstone_slab_engine::deleverages::{COUNTERS_MAX, Deleverage, Deleverages};
use flagstone_slab_engine::tickets::Warrant;

#[inline(never)]
pub fn run(
    ctx: &mut Context<Liquidation>,
    account: u16,
    counters: [u32; COUNTERS_MAX],
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
    let named = counters.iter().position(|counter| *counter == 0);
    let deleverage = Deleverage {
        account: account.into(),
        counters: &counters[..named.unwrap_or(COUNTERS_MAX)],
        warrant,
    };
    let mut done = Deleverages::none();
    slab.deleverage(&deleverage, slot, &mut done)
        .map_err(fail)?;
    for event in done.events() {
        let mut event = *event;
        event.seq = slab.next_seq();
        log::write(&event);
    }
    log::recognised(&mut slab, done.recognised);
    Ok(())
}
