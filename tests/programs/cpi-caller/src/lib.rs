//! A hostile program: whoever signs for it signs for whatever it calls. The
//! test of rule X6 hands it a trader's signature and watches the Slab refuse.

extern crate alloc;

use alloc::vec::Vec;
use anchor_lang::pinocchio::cpi::invoke_with_slice;
use anchor_lang::pinocchio::instruction::{InstructionAccount, InstructionView};
use anchor_lang::prelude::*;

declare_id!("HnbxUhAuVUg2hpAFxqxSF3mKR3WHHtwaHNUMHWJ7Dnxj");

/// The instructions.
#[program]
pub mod flagstone_cpi_caller {
    use super::*;

    /// Calls `target` with every other account, roles unchanged, and `data`.
    #[discrim = 0]
    pub fn forward(ctx: &mut Context<Forward>, data: &[u8]) -> Result<()> {
        let views = ctx.remaining_accounts()?;
        let account = |view: &AccountView| (view.is_writable(), view.is_signer());
        let accounts: Vec<InstructionAccount<'_>> = views
            .iter()
            .map(|view| {
                let (writable, signer) = account(view);
                InstructionAccount::new(view.address(), writable, signer)
            })
            .collect();
        let program_id = ctx.accounts.target.address();
        let call = InstructionView { program_id, data, accounts: &accounts };
        invoke_with_slice(&call, &views)
    }
}

/// The program to call; the accounts of the call follow.
#[derive(Accounts)]
pub struct Forward {
    /// Any program.
    pub target: UncheckedAccount,
}
