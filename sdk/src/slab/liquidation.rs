//! Liquidation, bad debt, and shifting margin to another slab.

use super::{HoldHandle, instruction};
use crate::address;
use flagstone_interface::instruction::slab as number;
use flagstone_slab_engine::deleverages::COUNTERS_MAX;
use flagstone_slab_engine::liquidations::PREEMPTED_MAX;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

/// What allows a liquidation: the Router's records for one account.
#[derive(Clone, Copy, Debug)]
pub struct LiquidationRecords {
    /// Ticket of the account's escrow.
    pub ticket: Address,
    /// Portfolio under liquidation.
    pub portfolio: Address,
}

impl LiquidationRecords {
    fn append(&self, mut instruction: Instruction) -> Instruction {
        let portfolio = AccountMeta::new_readonly(self.portfolio, false);
        instruction.accounts.push(portfolio);
        instruction
    }

    fn first(&self) -> AccountMeta {
        AccountMeta::new_readonly(self.ticket, false)
    }
}

/// Closes part of a position against the book, on the Router's ticket. Anyone
/// may send it; `keeper` is the account that is paid, 0 for none, and up to
/// four `holds` that lock the book are ended first.
pub fn liquidation_call(
    slab: &Address,
    records: &LiquidationRecords,
    account: u16,
    keeper: u16,
    holds: &[HoldHandle],
) -> Instruction {
    let mut data = vec![number::LIQUIDATION_CALL];
    data.extend(account.to_le_bytes());
    data.extend(keeper.to_le_bytes());
    for at in 0..PREEMPTED_MAX {
        let hold = holds.get(at);
        let (index, generation) = hold.map_or((0, 0), |hold| (hold.index, hold.generation));
        data.extend(index.to_le_bytes());
        data.extend(generation.to_le_bytes());
    }
    records.append(instruction(data, slab, records.first()))
}

/// Closes what an expired ticket left against up to 16 opposite positions,
/// most profitable first. Anyone may send it.
pub fn deleverage(
    slab: &Address,
    records: &LiquidationRecords,
    account: u16,
    counters: &[u32],
) -> Instruction {
    let mut data = vec![number::DELEVERAGE];
    data.extend(account.to_le_bytes());
    for at in 0..COUNTERS_MAX {
        let counter = counters.get(at).copied().unwrap_or(0);
        data.extend(counter.to_le_bytes());
    }
    records.append(instruction(data, slab, records.first()))
}

/// Releases cash of the account at escrow `source`, one of `slab`, on the
/// Router's shift ticket for the escrow `target` of the same `portfolio`. Anyone
/// may send it; [`crate::router::settle`] pays it.
pub fn release_shift(
    slab: &Address,
    portfolio: &Address,
    source: &Address,
    target: &Address,
) -> Instruction {
    let ticket = AccountMeta::new_readonly(address::shift_ticket(source), false);
    let mut release = instruction(vec![number::RELEASE_SHIFT], slab, ticket);
    let read = [portfolio, source, target].map(|key| AccountMeta::new_readonly(*key, false));
    release.accounts.extend(read);
    release
}

/// Pays a bankrupt account's debt from the profits of all others; `ledger` is
/// the Router's for the slab. Anyone may send it.
pub fn allocate_deficit(
    slab: &Address,
    escrow: &Address,
    ledger: &Address,
    account: u16,
) -> Instruction {
    let mut data = vec![number::ALLOCATE_DEFICIT];
    data.extend(account.to_le_bytes());
    let mut allocate = instruction(data, slab, AccountMeta::new_readonly(*escrow, false));
    let ledger = AccountMeta::new_readonly(*ledger, false);
    allocate.accounts.push(ledger);
    allocate
}
