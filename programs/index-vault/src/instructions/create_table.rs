use crate::access::{Owned, fail, key_of, records, require_seeded, require_top_level};
use anchor_lang::prelude::*;
use flagstone_index_engine::table::{Table, TableSpec};

/// Accounts of `create_table`.
#[derive(Accounts)]
pub struct CreateTable {
    /// Zeroed account of this program, created with `owner` as base.
    #[account(mut)]
    pub table: Owned,
    /// Whose it becomes.
    pub owner: Signer,
}

#[inline(never)]
pub fn run(ctx: &mut Context<CreateTable>, specs: &[u8], seed: &str) -> Result<()> {
    require_top_level()?;
    let accounts = &mut ctx.accounts;
    let (key, owner) = (*accounts.table.key(), *key_of(&accounts.owner));
    require_seeded(&key, &owner, seed)?;
    let specs: alloc::vec::Vec<TableSpec> = records(specs)?;
    Table::create(accounts.table.bytes_mut(), owner, &specs).map_err(fail)?;
    Ok(())
}
