use crate::access::{Owned, fail, key_of, require_top_level};
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::table::{Table, Word, number};
use flagstone_interface::key_eq;

/// Bytes of an element.
const WORD_BYTES: usize = size_of::<Word>();

/// Accounts of `write_table`.
#[derive(Accounts)]
pub struct WriteTable {
    /// The table.
    #[account(mut)]
    pub table: Owned,
    /// Its owner.
    pub owner: Signer,
}

/// Elements from the number `from` on; a vector of numbers if the table has one
/// of this id, else of labels. No elements at 0 empty the vector, which then
/// shadows nothing.
#[inline(never)]
pub fn run(ctx: &mut Context<WriteTable>, id: [u8; 16], from: u32, words: &[u8]) -> Result<()> {
    require_top_level()?;
    let accounts = &mut ctx.accounts;
    let owner = *key_of(&accounts.owner);
    let mut table = Table::open(accounts.table.bytes_mut()).map_err(fail)?;
    if !key_eq(&table.head.owner, &owner) {
        return Err(fail(IndexError::WrongSigner));
    }
    if !words.len().is_multiple_of(WORD_BYTES) {
        return Err(fail(IndexError::BadParameter));
    }
    let id = u128::from_le_bytes(id);
    let kind = u32::from(table.get(id, 0).is_none());
    let words = words.chunks_exact(WORD_BYTES);
    let numbers = words.map(|word| number(bytemuck::pod_read_unaligned(word)));
    table.write(id, kind, from, numbers).map_err(fail)
}
