//! Withdrawals above the vault's limit.

use super::instruction;
use crate::address;
use flagstone_interface::instruction::router as number;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

/// Queues a withdrawal above the limit, to be paid to the token account
/// `destination`; `owner` signs. One at a time.
pub fn claim_withdrawal(
    owner: &Address,
    mint: &Address,
    destination: &Address,
    amount_atoms: u64,
) -> Instruction {
    let mut data = vec![number::CLAIM_WITHDRAWAL];
    data.extend(amount_atoms.to_le_bytes());
    instruction(
        data,
        vec![
            AccountMeta::new_readonly(*owner, true),
            AccountMeta::new_readonly(address::config(), false),
            AccountMeta::new(address::portfolio(owner), false),
            AccountMeta::new(address::vault(mint), false),
            AccountMeta::new_readonly(*destination, false),
        ],
    )
}

/// Pays the claim of `owner`, whose turn it is, to the token account that it
/// names. Anyone may send it.
pub fn pay_claim(owner: &Address, mint: &Address, destination: &Address) -> Instruction {
    instruction(
        vec![number::PAY_CLAIM],
        vec![
            AccountMeta::new_readonly(address::config(), false),
            AccountMeta::new(address::portfolio(owner), false),
            AccountMeta::new(address::vault(mint), false),
            AccountMeta::new(address::vault_tokens(mint), false),
            AccountMeta::new_readonly(address::vault_authority(), false),
            AccountMeta::new(*destination, false),
            AccountMeta::new_readonly(address::TOKEN, false),
        ],
    )
}

/// Turns a claim back into cash; `owner` signs. Its place in the queue passes
/// when its turn comes.
pub fn cancel_claim(owner: &Address, mint: &Address) -> Instruction {
    instruction(
        vec![number::CANCEL_CLAIM],
        vec![
            AccountMeta::new_readonly(*owner, true),
            AccountMeta::new(address::portfolio(owner), false),
            AccountMeta::new(address::vault(mint), false),
        ],
    )
}
