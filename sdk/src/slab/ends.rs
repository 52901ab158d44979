//! The end of an account: closed here, unbound by the Router, freed here.

use super::instruction;
use crate::address;
use flagstone_interface::instruction::slab as number;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

/// Closes an empty account; its session key signs.
///
/// [`crate::router::unbind_escrow`] and [`free_account`] follow, in the same
/// transaction or later.
pub fn close_account(
    slab: &Address,
    trader: &Address,
    escrow: &Address,
    account: u16,
) -> Instruction {
    let trader = AccountMeta::new_readonly(*trader, true);
    close(slab, escrow, account, trader)
}

/// Closes an empty account that has been idle for about a day. Anyone may send it.
pub fn reclaim_account(slab: &Address, escrow: &Address, account: u16) -> Instruction {
    let nobody = AccountMeta::new_readonly(address::SLAB, false);
    close(slab, escrow, account, nobody)
}

fn close(slab: &Address, escrow: &Address, account: u16, trader: AccountMeta) -> Instruction {
    let mut data = vec![number::CLOSE_ACCOUNT];
    data.extend(account.to_le_bytes());
    let mut close = instruction(data, slab, AccountMeta::new_readonly(*escrow, false));
    close.accounts.push(trader);
    close
}

/// Frees a closed account whose escrow the Router has unbound. Anyone may send it.
pub fn free_account(slab: &Address, escrow: &Address, account: u16) -> Instruction {
    let mut data = vec![number::FREE_ACCOUNT];
    data.extend(account.to_le_bytes());
    instruction(data, slab, AccountMeta::new_readonly(*escrow, false))
}
