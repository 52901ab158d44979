use crate::access::{fail, read_slab};
use crate::booking::{self, burn};
use crate::instructions::settle::Settle;
use crate::log;
use crate::version;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::Refunded;
use flagstone_interface::router::cap_state;
use flagstone_units::Slot;

/// Permissionless. Legal only after the capability's expiry, when no commit
/// can use it any more; books the slab's charges first, so that a charge made
/// in time is never returned (rule X1).
#[inline(never)]
pub fn run(ctx: &mut Context<Settle>, cap: u8) -> Result<()> {
    let slot = Slot::from_clock(Clock::get()?.slot);
    let accounts = &mut ctx.accounts;
    accounts.check()?;
    let data = read_slab(&accounts.slab, &accounts.entry)?;
    version::check(&accounts.entry, &accounts.program_data)?;
    let index = cap as usize;
    let live = |record: &flagstone_interface::router::Cap| record.state == cap_state::LIVE;
    match accounts.escrow.caps.get(index) {
        Some(record) if live(record) && slot <= record.expiry_slot => {
            return Err(fail(RouterError::NotExpired));
        }
        Some(record) if live(record) => {}
        _ => return Err(fail(RouterError::NoCap)),
    }
    let key = *accounts.escrow.key();
    let due = booking::inspect(data, &key, &accounts.escrow)?;
    let booked = booking::apply(
        &due,
        &mut accounts.escrow,
        &mut accounts.ledger,
        &mut accounts.portfolio,
    )?;
    let refunded_atoms = match accounts.escrow.caps.get(index).is_some_and(live) {
        true => burn(&mut accounts.escrow, index, &mut accounts.portfolio)?,
        false => 0,
    };
    log::write(&Refunded {
        tag: Refunded::TAG,
        escrow: key,
        cap,
        refunded_atoms,
        booked,
        cash_atoms: accounts.portfolio.cash_atoms,
    });
    Ok(())
}
