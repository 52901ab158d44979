//! A hostile program: whoever signs for it signs for whatever it calls. The
//! test of rule X6 hands it a trader's signature and watches the Slab refuse.

extern crate alloc;

use alloc::vec::Vec;
use anchor_lang::pinocchio::cpi::invoke_with_slice;
use anchor_lang::pinocchio::instruction::{InstructionAccount, InstructionView};
use anchor_lang::prelude::*;
use anchor_lang::sol_log_data;

declare_id!("HnbxUhAuVUg2hpAFxqxSF3mKR3WHHtwaHNUMHWJ7Dnxj");

/// The instructions.
#[program]
pub mod flagstone_cpi_caller {
    use super::*;

    /// Calls `target` with every other account, roles unchanged, and `data`.
    #[discrim = 0]
    pub fn forward(ctx: &mut Context<Forward>, data: &[u8]) -> Result<()> {
        call(ctx, data)
    }

    /// The same, writing `record` into the log before and after, as if it were
    /// an event of `target`.
    #[discrim = 1]
    pub fn forge(ctx: &mut Context<Forward>, data: &[u8], record: &[u8]) -> Result<()> {
        sol_log_data(&[record]);
        call(ctx, data)?;
        sol_log_data(&[record]);
        Ok(())
    }
}

fn call(ctx: &mut Context<Forward>, data: &[u8]) -> Result<()> {
    let views = ctx.remaining_accounts()?;
    let accounts: Vec<InstructionAccount<'_>> = views
        .iter()
        .map(|view| InstructionAccount::new(view.address(), view.is_writable(), view.is_signer()))
        .collect();
    let call = InstructionView {
        program_id: ctx.accounts.target.address(),
        data,
        accounts: &accounts,
    };
    invoke_with_slice(&call, &views)
}

/// The program to call; the accounts of the call follow.
#[derive(Accounts)]
pub struct Forward {
    /// Any program.
    pub target: UncheckedAccount,
}
