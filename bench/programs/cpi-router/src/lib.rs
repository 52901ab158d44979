//! What a route costs when it goes by cross-program call.
//!
//! The program owns a portfolio, as a multisig would: its two derived addresses
//! are the portfolio's owner and the session key, and it signs for them in
//! every call. One of its instructions carries a whole batch of calls, so that
//! the bench can send the same route once at the top level and once from here.
//!
//! For measuring and for tests: anyone may send it anything.

extern crate alloc;

use alloc::vec::Vec;
use anchor_lang::AccountView;
use anchor_lang::pinocchio::cpi::{Seed, Signer, invoke_signed_with_slice};
use anchor_lang::pinocchio::instruction::{InstructionAccount, InstructionView};
use anchor_lang::prelude::*;

declare_id!("54jeZ746qoiudikFeTVqhvENDgr6FGwvdic9AC6qs6nr");

/// Lower bits of a role: which account.
const INDEX: u8 = 63;
/// Bit of a role: signer.
const SIGNER: u8 = 64;
/// Bit of a role: writable.
const WRITABLE: u8 = 128;

/// The instructions.
#[program]
pub mod flagstone_cpi_router {
    use super::*;

    /// Makes the calls of `batch`, one after the other, each signed by the
    /// addresses at `"owner"` and `"trader"` as far as it asks for them.
    ///
    /// A call is: index of the program among the other accounts, number of its
    /// accounts, one role per account, length of its data in two bytes, data.
    #[discrim = 0]
    pub fn run(
        ctx: &mut Context<Batch>,
        owner_bump: u8,
        trader_bump: u8,
        batch: &[u8],
    ) -> Result<()> {
        let views = ctx.remaining_accounts()?;
        let (owner_bump, trader_bump) = ([owner_bump], [trader_bump]);
        let owner = [Seed::from(b"owner"), Seed::from(&owner_bump)];
        let trader = [Seed::from(b"trader"), Seed::from(&trader_bump)];
        let signers = [Signer::from(&owner), Signer::from(&trader)];
        let mut rest = batch;
        while !rest.is_empty() {
            rest = call(&views, rest, &signers).ok_or(ProgramError::InvalidInstructionData)??;
        }
        Ok(())
    }
}

/// Makes the first call of a batch and returns the rest of it; `None` when it
/// does not decode.
fn call<'a>(
    views: &[AccountView],
    batch: &'a [u8],
    signers: &[Signer<'_, '_>],
) -> Option<Result<&'a [u8]>> {
    let (&[program, count], rest) = batch.split_first_chunk()?;
    let (roles, rest) = rest.split_at_checked(usize::from(count))?;
    let (length, rest) = rest.split_first_chunk()?;
    let (data, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    let mut named = Vec::with_capacity(roles.len());
    for role in roles {
        named.push(*views.get(usize::from(role & INDEX))?);
    }
    let accounts: Vec<_> = named
        .iter()
        .zip(roles)
        .map(|(view, role)| {
            InstructionAccount::new(view.address(), role & WRITABLE != 0, role & SIGNER != 0)
        })
        .collect();
    let call = InstructionView {
        program_id: views.get(usize::from(program))?.address(),
        data,
        accounts: &accounts,
    };
    Some(invoke_signed_with_slice(&call, &named, signers).map(|()| rest))
}

/// No account of its own; those of the calls follow.
#[derive(Accounts)]
pub struct Batch {}
