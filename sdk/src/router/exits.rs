//! Leaving a slab for good, and what an owner decides about a portfolio.

use super::instruction;
use crate::address;
use crate::root::AccountProof;
use flagstone_interface::instruction::router as number;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

/// Copies the root that a slab of `program` published. Anyone may send it; a new
/// root is taken once the last one is an hour old.
pub fn verify_root(slab: &Address, program: &Address, mint: &Address) -> Instruction {
    instruction(
        vec![number::VERIFY_ROOT],
        vec![
            AccountMeta::new(address::slab_ledger(slab, mint), false),
            AccountMeta::new_readonly(address::slab_entry(slab), false),
            AccountMeta::new_readonly(*slab, false),
            AccountMeta::new_readonly(address::program_data(program), false),
        ],
    )
}

/// Leaves a quarantined slab, once and for all; `owner` signs.
///
/// The proof is that of the owner's leaf under the root that the ledger's exit
/// terms name. None is needed where they name no root, or when the escrow was
/// bound after it.
pub fn exit_by_proof(
    owner: &Address,
    slab: &Address,
    mint: &Address,
    proof: Option<&AccountProof>,
) -> Instruction {
    let mut bytes = Vec::new();
    if let Some(proof) = proof {
        bytes.extend(bytemuck::bytes_of(&proof.leaf));
        bytes.extend(proof.pages.to_le_bytes());
        bytes.extend(proof.siblings.iter().flatten());
    }
    let mut data = vec![number::EXIT_BY_PROOF];
    data.extend((bytes.len() as u32).to_le_bytes());
    data.extend(bytes);
    instruction(
        data,
        vec![
            AccountMeta::new_readonly(*owner, true),
            AccountMeta::new(address::portfolio(owner), false),
            AccountMeta::new(address::escrow(slab, owner, mint), false),
            AccountMeta::new(address::slab_ledger(slab, mint), false),
            AccountMeta::new_readonly(address::slab_entry(slab), false),
        ],
    )
}

/// Lets `delegate` open routes and fund slabs with up to `allowance_atoms` a
/// day, at prices no worse than the mark by more than `band_ppm` of it, which is
/// 1,000,000 at the most; `owner` signs. The zero key with nothing dismisses the
/// delegate.
pub fn set_delegate(
    owner: &Address,
    delegate: &Address,
    allowance_atoms: u64,
    band_ppm: u32,
) -> Instruction {
    let mut data = vec![number::SET_DELEGATE];
    data.extend(delegate.as_ref());
    data.extend(allowance_atoms.to_le_bytes());
    data.extend(band_ppm.to_le_bytes());
    instruction(
        data,
        vec![
            AccountMeta::new_readonly(*owner, true),
            AccountMeta::new(address::portfolio(owner), false),
        ],
    )
}

/// Marks an empty portfolio closed; `owner` signs. None of its escrows may be
/// bound to a slab account any more.
pub fn close_portfolio(owner: &Address) -> Instruction {
    instruction(
        vec![number::CLOSE_PORTFOLIO],
        vec![
            AccountMeta::new_readonly(*owner, true),
            AccountMeta::new(address::portfolio(owner), false),
        ],
    )
}
