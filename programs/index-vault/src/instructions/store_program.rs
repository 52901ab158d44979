use crate::access::{create, fail, key_of, require_top_level};
use anchor_lang::prelude::*;
use anchor_lang::programs::System;
use bytemuck::Zeroable;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::records::VilProgram;
use flagstone_interface::Record;
use flagstone_interface::index::seeds;
use flagstone_kernels::vil::Config;
use flagstone_kernels::vil::program::validate_subroutine;

/// Accounts of `store_program`.
#[derive(Accounts)]
pub struct StoreProgram {
    /// Who stores it; pays for the account.
    #[account(mut)]
    pub owner: Signer,
    /// `"vil"`, owner, number.
    #[account(mut)]
    pub program: UncheckedAccount,
    /// System.
    pub system_program: Program<System>,
}

/// A program is never changed once stored: who runs it knows what it does. Those
/// that it calls are its owner's as well, by the numbers under which they are
/// stored; they may be stored later, and a run finds out whether they fit.
#[inline(never)]
pub fn run(
    ctx: &mut Context<StoreProgram>,
    id: u64,
    registers: u8,
    inputs: u8,
    code: &[u8],
) -> Result<()> {
    require_top_level()?;
    let accounts = &mut ctx.accounts;
    let owner = *key_of(&accounts.owner);
    let config = Config::default();
    let (_, summary) = validate_subroutine(code, registers, inputs, &config)
        .map_err(|_| fail(IndexError::BadProgram))?;
    if summary.instructions == 0 {
        return Err(fail(IndexError::BadProgram));
    }
    let number = id.to_le_bytes();
    let space = size_of::<VilProgram>() + code.len();
    create(
        &accounts.owner,
        &accounts.program,
        &[seeds::VIL, &owner, &number],
        space,
        &crate::ID,
    )?;
    let head = VilProgram {
        discriminator: VilProgram::DISCRIMINATOR,
        version: VilProgram::VERSION,
        registers,
        inputs,
        owner,
        id,
        code_bytes: code.len() as u32,
        instructions: summary.instructions,
        ..VilProgram::zeroed()
    };
    let mut view = *accounts.program.account();
    let mut data = view.try_borrow_mut()?;
    let (first, rest) = data.split_at_mut(size_of::<VilProgram>());
    first.copy_from_slice(bytemuck::bytes_of(&head));
    rest.copy_from_slice(code);
    Ok(())
}
