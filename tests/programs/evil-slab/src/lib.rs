//! A hostile slab program: registered like any other, it writes whatever it is
//! told into its slab. Counters, holds, results, fees, bindings, roots: to the
//! Router they are all bytes of a registered program.
//!
//! Whoever calls it may lie, so a test does not have to foresee what a thief
//! would write.

use anchor_lang::prelude::*;

declare_id!("EvixS1ab11111111111111111111111111111111111");

/// The instructions.
#[program]
pub mod flagstone_evil_slab {
    use super::*;

    /// Writes `bytes` into the slab from `offset` on.
    #[discrim = 0]
    pub fn write(ctx: &mut Context<Write>, offset: u32, bytes: &[u8]) -> Result<()> {
        let mut view = *ctx.accounts.slab.account();
        let mut data = view.try_borrow_mut()?;
        let from = offset as usize;
        let room = from
            .checked_add(bytes.len())
            .and_then(|to| data.get_mut(from..to));
        let Some(room) = room else {
            return Err(Error::AccountDataTooSmall);
        };
        room.copy_from_slice(bytes);
        Ok(())
    }
}

/// The slab, an account that this program owns.
#[derive(Accounts)]
pub struct Write {
    /// Written without any check.
    #[account(mut)]
    pub slab: UncheckedAccount,
}
