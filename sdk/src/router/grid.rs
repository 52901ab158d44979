//! The shared funding grid, and what accounts hold.

use super::{INSTRUCTIONS, SYSTEM, instruction, settle_accounts};
use crate::address;
use flagstone_interface::grid::Grid;
use flagstone_interface::instruction::router as number;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

/// Brings the place of an instrument in the grid of `underlying_id` with
/// intervals of `interval_slots` in line with the registry: listed while its
/// slab is flagged for netting, struck when it no longer fits. Anyone may send
/// it, in a transaction of its own but for the compute budget; `payer` signs and
/// pays for the grid's account, once.
pub fn list_in_grid(
    payer: &Address,
    underlying_id: u64,
    interval_slots: u32,
    slab: &Address,
    instrument: u8,
    mint: &Address,
) -> Instruction {
    super::instruction(
        vec![number::LIST_IN_GRID],
        vec![
            AccountMeta::new(*payer, true),
            AccountMeta::new(address::grid(underlying_id, interval_slots), false),
            AccountMeta::new_readonly(address::slab_entry(slab), false),
            AccountMeta::new_readonly(address::instrument_entry(slab, instrument), false),
            AccountMeta::new_readonly(address::slab_ledger(slab, mint), false),
            AccountMeta::new_readonly(*slab, false),
            AccountMeta::new_readonly(address::program_data(&address::SLAB), false),
            AccountMeta::new_readonly(INSTRUCTIONS, false),
            AccountMeta::new_readonly(SYSTEM, false),
        ],
    )
}

/// Computes the shared rate out of the members of `grid`, all of which are
/// shown. Anyone may send it, once in an interval, in a transaction of its
/// own but for the compute budget; [`crate::slab::update_funding`] takes the rate
/// to a slab.
pub fn update_funding_grid(grid: &Grid, mint: &Address) -> Instruction {
    let shared = &grid.shared;
    let key = address::grid(shared.underlying_id, shared.interval_slots);
    let mut accounts = vec![
        AccountMeta::new(key, false),
        AccountMeta::new_readonly(INSTRUCTIONS, false),
    ];
    for member in grid.listed() {
        let slab = Address::from(member.slab);
        let keys = [
            address::slab_entry(&slab),
            slab,
            address::program_data(&address::SLAB),
            address::slab_ledger(&slab, mint),
        ];
        accounts.extend(keys.map(|key| AccountMeta::new_readonly(key, false)));
    }
    instruction(vec![number::UPDATE_FUNDING_GRID], accounts)
}

/// Writes down what the account of `owner` holds at a slab. Anyone may send it;
/// `payer` signs and pays for the record's account, once.
pub fn refresh_exposure(
    payer: &Address,
    owner: &Address,
    slab: &Address,
    mint: &Address,
) -> Instruction {
    let mut accounts = vec![AccountMeta::new(*payer, true)];
    accounts.extend(settle_accounts(owner, slab, mint));
    // Only `settle` writes the registry entry.
    accounts[4].is_writable = false;
    let escrow = address::escrow(slab, owner, mint);
    accounts.push(AccountMeta::new(address::exposure(&escrow), false));
    accounts.push(AccountMeta::new_readonly(SYSTEM, false));
    instruction(vec![number::REFRESH_EXPOSURE], accounts)
}

/// Books what the vault of the quote mint holds beyond its books to the
/// insurance of a slab; the administrator signs.
pub fn skim_surplus(admin: &Address, slab: &Address, mint: &Address) -> Instruction {
    instruction(
        vec![number::SKIM_SURPLUS],
        vec![
            AccountMeta::new_readonly(*admin, true),
            AccountMeta::new_readonly(address::config(), false),
            AccountMeta::new_readonly(address::slab_entry(slab), false),
            AccountMeta::new(address::slab_ledger(slab, mint), false),
            AccountMeta::new(address::vault(mint), false),
            AccountMeta::new_readonly(address::vault_tokens(mint), false),
        ],
    )
}
