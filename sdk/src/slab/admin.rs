//! What the slab's authority does, and what anyone may do in its wake.

use super::instruction;
use crate::address;
use flagstone_interface::Key;
use flagstone_interface::instruction::slab as number;
use flagstone_slab_engine::governance::Limits;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::layout::Terms;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

fn signed(data: Vec<u8>, slab: &Address, authority: &Address) -> Instruction {
    instruction(data, slab, AccountMeta::new_readonly(*authority, true))
}

fn with_entry(mut by: Instruction, slab: &Address, instrument: u8) -> Instruction {
    let entry = address::instrument_entry(slab, instrument);
    by.accounts.push(AccountMeta::new_readonly(entry, false));
    by
}

/// Adds the instrument that gets `instrument` as its number, the next one of
/// the slab; the slab's authority signs. [`crate::router::register_instrument`]
/// comes first, and its delay.
pub fn add_instrument(
    authority: &Address,
    slab: &Address,
    instrument: u8,
    params: &InstrumentParams,
) -> Instruction {
    let mut data = vec![number::ADD_INSTRUMENT];
    data.extend(params.underlying_id.to_le_bytes());
    data.extend(params.symbol);
    for word in [params.atoms_per_tick, params.price_max.0, params.mark.0] {
        data.extend(word.to_le_bytes());
    }
    data.extend(params.oracle);
    data.extend(params.oracle_feed);
    data.extend(params.oracle_scale.to_le_bytes());
    // Words without padding: the bytes in memory are the borsh encoding.
    data.extend(bytemuck::bytes_of(&params.terms()));
    with_entry(signed(data, slab, authority), slab, instrument)
}

/// Proposes terms of an instrument, to be applied after the slab's delay; the
/// slab's authority signs. Replaces terms proposed before.
pub fn propose_terms(
    authority: &Address,
    slab: &Address,
    instrument: u8,
    terms: &Terms,
) -> Instruction {
    let mut data = vec![number::PROPOSE_TERMS, instrument];
    // Words without padding: the bytes in memory are the borsh encoding.
    data.extend(bytemuck::bytes_of(terms));
    with_entry(signed(data, slab, authority), slab, instrument)
}

/// Lets proposed terms come into force after their delay. Anyone may send it.
pub fn apply_terms(slab: &Address, instrument: u8) -> Instruction {
    Instruction {
        program_id: address::SLAB,
        accounts: vec![
            AccountMeta::new(*slab, false),
            AccountMeta::new_readonly(address::instrument_entry(slab, instrument), false),
        ],
        data: vec![number::APPLY_TERMS, instrument],
    }
}

/// Sets the status of an instrument, or of the whole slab for 255, to one of
/// [`flagstone_interface::slab::status`]; the slab's authority signs.
pub fn set_status(authority: &Address, slab: &Address, instrument: u8, status: u32) -> Instruction {
    let mut data = vec![number::SET_STATUS, instrument];
    data.extend(status.to_le_bytes());
    signed(data, slab, authority)
}

/// Names or dismisses a designated liquidity provider; the slab's authority signs.
pub fn set_dlp(authority: &Address, slab: &Address, account: u16, on: bool) -> Instruction {
    let mut data = vec![number::SET_DLP];
    data.extend(account.to_le_bytes());
    data.push(on.into());
    signed(data, slab, authority)
}

/// Sets the slab's own limits; the slab's authority signs.
pub fn set_limits(authority: &Address, slab: &Address, limits: &Limits) -> Instruction {
    let mut data = vec![number::SET_LIMITS];
    for word in [
        limits.orders_per_account_max,
        limits.batch_slots,
        limits.insurance_share.0,
    ] {
        data.extend(word.to_le_bytes());
    }
    signed(data, slab, authority)
}

/// Names the next authority; the present one signs. The zero key withdraws the
/// name.
pub fn hand_over(authority: &Address, slab: &Address, next: &Key) -> Instruction {
    let mut data = vec![number::HAND_OVER];
    data.extend(next);
    signed(data, slab, authority)
}

/// The named authority takes over, and signs.
pub fn take_over(authority: &Address, slab: &Address) -> Instruction {
    signed(vec![number::TAKE_OVER], slab, authority)
}
