//! The program of `tests/programs/cpi-caller`: it hands the signatures that it
//! gets to whatever it calls.

use crate::programs;
use flagstone_sdk::embedded::Session;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

/// Address of the hostile program, as it declares it.
pub const HOSTILE: Address =
    Address::from_str_const("HnbxUhAuVUg2hpAFxqxSF3mKR3WHHtwaHNUMHWJ7Dnxj");

/// Deploys it.
pub fn deploy(session: &mut Session) {
    let file = programs().join("flagstone_cpi_caller.so");
    let added = session.svm.add_program_from_file(HOSTILE, &file);
    added.unwrap_or_else(|error| {
        panic!(
            "{}: {error}: run `cargo xtask build-sbf --program cpi-caller`",
            file.display()
        )
    });
}

/// `inner`, called by it with the signatures of the outer transaction.
pub fn called(inner: &Instruction) -> Instruction {
    let mut data = vec![0];
    data.extend((inner.data.len() as u32).to_le_bytes());
    data.extend(&inner.data);
    let mut accounts = vec![AccountMeta::new_readonly(inner.program_id, false)];
    accounts.extend(inner.accounts.iter().cloned());
    Instruction {
        program_id: HOSTILE,
        accounts,
        data,
    }
}
