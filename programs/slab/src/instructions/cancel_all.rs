use crate::access::{SlabAccount, current_slot, fail, require_direct};
use crate::instructions::{Crank, Trade};
use crate::log;
use anchor_lang::prelude::*;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::cancels::{Cancelled, Which};
use flagstone_units::{Side, Slot};

/// Stands for every instrument, or both sides.
const ALL: u8 = 255;

#[inline(never)]
pub fn cancel_all(
    ctx: &mut Context<Trade>,
    account: u16,
    instrument: u8,
    side: u8,
    most: u8,
) -> Result<()> {
    require_direct(ctx.accounts.trader.address().as_array())?;
    let which = Which {
        instrument: (instrument != ALL).then_some(instrument),
        side: match side {
            ALL => None,
            side => Some(Side::from_byte(side).ok_or(fail(SlabError::BadOrderKind))?),
        },
        most: most.into(),
    };
    let trader = ctx.accounts.trader.address().as_array();
    let mut slab = ctx.accounts.slab.open()?;
    let mut cancelled = Cancelled::none();
    slab.cancel_all(trader, account.into(), &which, &mut cancelled)
        .map_err(fail)?;
    log::all_cancelled(&mut slab, cancelled.orders());
    Ok(())
}

#[inline(never)]
pub fn set_dead_man(ctx: &mut Context<Trade>, account: u16, dead_man_slot: u32) -> Result<()> {
    require_direct(ctx.accounts.trader.address().as_array())?;
    let slot = current_slot()?;
    let trader = ctx.accounts.trader.address().as_array();
    let mut slab = ctx.accounts.slab.open()?;
    slab.set_dead_man(trader, account.into(), Slot(dead_man_slot), slot)
        .map_err(fail)?;
    let seq = slab.next_seq();
    log::write(&flagstone_interface::event::DeadManSet {
        tag: flagstone_interface::event::DeadManSet::TAG,
        seq,
        account,
        slot: dead_man_slot,
    });
    Ok(())
}

#[inline(never)]
pub fn cancel_dead_man(ctx: &mut Context<Crank>, account: u16, most: u8) -> Result<()> {
    crank(&mut ctx.accounts.slab, |slab, slot, cancelled| {
        slab.cancel_dead_man(account.into(), most.into(), slot, cancelled)
    })
}

#[inline(never)]
pub fn expire_orders(ctx: &mut Context<Crank>, first: u32, count: u16) -> Result<()> {
    crank(&mut ctx.accounts.slab, |slab, slot, cancelled| {
        slab.expire_orders(first, count, slot, cancelled);
        Ok(())
    })
}

/// Runs a permissionless cancellation and writes what it cancelled.
fn crank(
    account: &mut SlabAccount,
    cancel: impl FnOnce(
        &mut flagstone_slab_engine::Slab<'_>,
        Slot,
        &mut Cancelled,
    ) -> flagstone_slab_engine::Result<()>,
) -> Result<()> {
    let slot = current_slot()?;
    let mut slab = account.open()?;
    let mut cancelled = Cancelled::none();
    cancel(&mut slab, slot, &mut cancelled).map_err(fail)?;
    log::all_cancelled(&mut slab, cancelled.orders());
    Ok(())
}
