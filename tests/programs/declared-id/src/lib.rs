//! An Anchor program that does nothing, to see what doing nothing costs: an id
//! that is decoded from base58 at run time shows as a thousand compute units.

use anchor_lang::prelude::*;

declare_id!("Fg6PaFpoGXkYsidMpWTK6W2BeZ7FEfcYkg476zPFsLnS");

/// The instructions.
#[program]
pub mod flagstone_declared_id {
    use super::*;

    /// Does nothing.
    #[discrim = 0]
    pub fn idle(_ctx: &mut Context<Idle>) -> Result<()> {
        Ok(())
    }

    /// Asks for the program's id by the function instead of the constant.
    #[discrim = 1]
    pub fn check_id(ctx: &mut Context<Idle>) -> Result<()> {
        require!(ctx.program_id == &id(), ErrorCode::ConstraintAddress);
        Ok(())
    }
}

/// One signer, as in every real instruction.
#[derive(Accounts)]
pub struct Idle {
    /// Whoever pays.
    pub payer: Signer,
}
