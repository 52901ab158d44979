//! Liquidation, bad debt, fees and insurance.

use super::{SYSTEM, instruction, settle_accounts};
use crate::address;
use flagstone_interface::instruction::router as number;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

/// The accounts of one owner's seat at a slab; only `settle` writes the entry.
pub(super) fn seat(owner: &Address, slab: &Address, mint: &Address) -> Vec<AccountMeta> {
    let mut accounts = settle_accounts(owner, slab, mint);
    accounts[3].is_writable = false;
    accounts
}

fn ticket(owner: &Address, slab: &Address, mint: &Address) -> AccountMeta {
    let escrow = address::escrow(slab, owner, mint);
    AccountMeta::new(address::ticket(&escrow), false)
}

/// Freezes the escrow of a slab account that is below its maintenance margin.
/// Anyone may send it. [`crate::slab::sync`] takes the freeze over and cancels
/// the account's orders.
pub fn begin_liquidation(owner: &Address, slab: &Address, mint: &Address) -> Instruction {
    let mut accounts = seat(owner, slab, mint);
    accounts.push(AccountMeta::new_readonly(address::config(), false));
    instruction(vec![number::BEGIN_LIQUIDATION], accounts)
}

/// Issues a ticket for a frozen account after its grace; `payer` pays for its
/// account, once. Anyone may send it.
pub fn issue_ticket(
    payer: &Address,
    owner: &Address,
    slab: &Address,
    mint: &Address,
) -> Instruction {
    let mut accounts = vec![AccountMeta::new(*payer, true)];
    accounts.extend(seat(owner, slab, mint));
    accounts.push(ticket(owner, slab, mint));
    accounts.push(AccountMeta::new_readonly(SYSTEM, false));
    accounts.push(AccountMeta::new_readonly(address::config(), false));
    instruction(vec![number::ISSUE_TICKET], accounts)
}

/// Issues a ticket by which the slab `source` releases what the owner's frozen
/// account at `target` lacks beyond free cash, within the consent there;
/// `payer` pays for its account, once per source. Anyone may send it. Then
/// [`crate::slab::release_shift`] at the source, [`super::settle`] of the source
/// and [`shift_margin`] to the target bring it there.
pub fn issue_shift(
    payer: &Address,
    owner: &Address,
    source: &Address,
    target: &Address,
    mint: &Address,
) -> Instruction {
    let mut accounts = vec![AccountMeta::new(*payer, true)];
    accounts.extend(seat(owner, source, mint));
    // The portfolio is listed once.
    accounts.extend(seat(owner, target, mint).into_iter().skip(1));
    let escrow = address::escrow(source, owner, mint);
    accounts.push(AccountMeta::new(address::shift_ticket(&escrow), false));
    accounts.push(AccountMeta::new_readonly(SYSTEM, false));
    instruction(vec![number::ISSUE_SHIFT], accounts)
}

/// Unfreezes the escrow of an account that covers its initial margin again.
/// Anyone may send it.
pub fn end_liquidation(owner: &Address, slab: &Address, mint: &Address) -> Instruction {
    let mut accounts = seat(owner, slab, mint);
    accounts.push(ticket(owner, slab, mint));
    instruction(vec![number::END_LIQUIDATION], accounts)
}

/// Moves as much of the portfolio's free cash to an account under liquidation
/// as it lacks, within its owner's consent. Anyone may send it;
/// [`crate::slab::sync`] credits it.
pub fn shift_margin(owner: &Address, slab: &Address, mint: &Address) -> Instruction {
    instruction(vec![number::SHIFT_MARGIN], seat(owner, slab, mint))
}

/// Sets how much free cash anyone may move to the escrow while its account is
/// under liquidation, and starts counting anew; `owner` signs.
pub fn set_liability_max(
    owner: &Address,
    slab: &Address,
    mint: &Address,
    amount_atoms: u64,
) -> Instruction {
    let mut data = vec![number::SET_LIABILITY_MAX];
    data.extend(amount_atoms.to_le_bytes());
    instruction(
        data,
        vec![
            AccountMeta::new_readonly(*owner, true),
            AccountMeta::new(address::escrow(slab, owner, mint), false),
        ],
    )
}

/// Pays the debt of an account that has nothing else left from the slab's
/// insurance. Anyone may send it; [`crate::slab::sync`] credits it.
pub fn cover_bad_debt(owner: &Address, slab: &Address, mint: &Address) -> Instruction {
    instruction(vec![number::COVER_BAD_DEBT], seat(owner, slab, mint))
}

/// Books the fees that a slab kept, for its insurance and its LP. Anyone may
/// send it.
pub fn collect_fees(slab: &Address, mint: &Address) -> Instruction {
    instruction(
        vec![number::COLLECT_FEES],
        vec![
            AccountMeta::new(address::slab_ledger(slab, mint), false),
            AccountMeta::new_readonly(address::slab_entry(slab), false),
            AccountMeta::new_readonly(*slab, false),
            AccountMeta::new_readonly(address::program_data(&address::SLAB), false),
        ],
    )
}

/// Pays `amount_atoms` of the collected fees to the token account
/// `destination`; the slab's authority signs.
pub fn withdraw_fees(
    authority: &Address,
    slab: &Address,
    mint: &Address,
    destination: &Address,
    amount_atoms: u64,
) -> Instruction {
    let mut data = vec![number::WITHDRAW_FEES];
    data.extend(amount_atoms.to_le_bytes());
    instruction(
        data,
        vec![
            AccountMeta::new_readonly(*authority, true),
            AccountMeta::new_readonly(address::config(), false),
            AccountMeta::new(address::slab_ledger(slab, mint), false),
            AccountMeta::new_readonly(address::slab_entry(slab), false),
            AccountMeta::new_readonly(*slab, false),
            AccountMeta::new_readonly(address::program_data(&address::SLAB), false),
            AccountMeta::new(address::vault(mint), false),
            AccountMeta::new(address::vault_tokens(mint), false),
            AccountMeta::new_readonly(address::vault_authority(), false),
            AccountMeta::new(*destination, false),
            AccountMeta::new_readonly(address::TOKEN, false),
        ],
    )
}

/// Adds `amount_atoms` from the token account `source` to a slab's insurance;
/// `funder` signs.
pub fn fund_insurance(
    funder: &Address,
    slab: &Address,
    mint: &Address,
    source: &Address,
    amount_atoms: u64,
) -> Instruction {
    let mut data = vec![number::FUND_INSURANCE];
    data.extend(amount_atoms.to_le_bytes());
    instruction(
        data,
        vec![
            AccountMeta::new_readonly(*funder, true),
            AccountMeta::new(address::slab_ledger(slab, mint), false),
            AccountMeta::new(address::vault(mint), false),
            AccountMeta::new(address::vault_tokens(mint), false),
            AccountMeta::new(*source, false),
            AccountMeta::new_readonly(address::TOKEN, false),
        ],
    )
}
