//! Instructions for the program of `bench/programs/cpi-router`: the same calls
//! as at the top level, made by a program that owns the portfolio.

use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

/// Address of the program, as it declares it.
pub const CPI_ROUTER: Address =
    Address::from_str_const("54jeZ746qoiudikFeTVqhvENDgr6FGwvdic9AC6qs6nr");

/// Accounts that one batch can name.
const ACCOUNTS_MAX: usize = 64;
/// Bit of a role: signer.
const SIGNER: u8 = 64;
/// Bit of a role: writable.
const WRITABLE: u8 = 128;

/// The address at `"owner"`, which owns the program's portfolio.
pub fn owner() -> Address {
    derived(b"owner").0
}

/// The address at `"trader"`: session key of the program's accounts.
pub fn trader() -> Address {
    derived(b"trader").0
}

fn derived(seed: &[u8]) -> (Address, u8) {
    Address::find_program_address(&[seed], &CPI_ROUTER)
}

/// One instruction that makes these calls, signed by owner and trader as far as
/// they ask for it. Other signers sign the transaction.
///
/// # Panics
/// When the calls name too many accounts.
pub fn batch(calls: &[Instruction]) -> Instruction {
    let mut accounts: Vec<AccountMeta> = Vec::new();
    let mut place_of = |meta: AccountMeta| match accounts
        .iter()
        .position(|known| known.pubkey == meta.pubkey)
    {
        Some(place) => {
            accounts[place].is_signer |= meta.is_signer;
            accounts[place].is_writable |= meta.is_writable;
            place as u8
        }
        None => {
            assert!(accounts.len() < ACCOUNTS_MAX, "too many accounts");
            accounts.push(meta);
            accounts.len() as u8 - 1
        }
    };
    let mut bytes = Vec::new();
    for call in calls {
        bytes.push(place_of(AccountMeta::new_readonly(call.program_id, false)));
        bytes.push(call.accounts.len() as u8);
        for meta in &call.accounts {
            let derived = [owner(), trader()].contains(&meta.pubkey);
            let mut outer = meta.clone();
            outer.is_signer &= !derived;
            let flag = |set: bool, bit: u8| if set { bit } else { 0 };
            let flags = flag(meta.is_signer, SIGNER) | flag(meta.is_writable, WRITABLE);
            bytes.push(place_of(outer) | flags);
        }
        bytes.extend((call.data.len() as u16).to_le_bytes());
        bytes.extend(&call.data);
    }
    let mut data = vec![0, derived(b"owner").1, derived(b"trader").1];
    data.extend((bytes.len() as u32).to_le_bytes());
    data.extend(bytes);
    Instruction {
        program_id: CPI_ROUTER,
        accounts,
        data,
    }
}
