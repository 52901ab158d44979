//! Durable nonces are refused where a signature could be kept for later.
//!
//! A transaction whose first instruction advances a durable nonce stays valid
//! until somebody sends it. A governance key may thus be made to sign today what
//! is executed in another situation.

use crate::access::fail;
use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::key_eq;

/// The sysvar that shows a transaction's instructions.
const INSTRUCTIONS: Address =
    Address::from_str_const("Sysvar1nstructions1111111111111111111111111");
/// Number of the System instruction that advances a nonce.
const ADVANCE_NONCE: [u8; 4] = [4, 0, 0, 0];

/// Refuses a transaction whose first instruction advances a durable nonce.
#[inline(never)]
pub fn refuse_durable_nonce(sysvar: &AccountView) -> Result<()> {
    if !key_eq(sysvar.address().as_array(), INSTRUCTIONS.as_array()) {
        return Err(fail(RouterError::WrongAddress));
    }
    // SAFETY: only the runtime writes this account.
    let data = unsafe { sysvar.borrow_unchecked() };
    let refused = fail(RouterError::DurableNonce);
    // What cannot be read might be one.
    match first_advances_nonce(data) {
        Some(false) => Ok(()),
        _ => Err(refused),
    }
}

/// The layout: count, then the offset of each instruction; there, the number of
/// its accounts, 33 bytes for each, program, length of the data, data.
fn first_advances_nonce(data: &[u8]) -> Option<bool> {
    let word = |at: usize| {
        let bytes = data.get(at..at.checked_add(2)?)?;
        Some(usize::from(u16::from_le_bytes([bytes[0], bytes[1]])))
    };
    let start = word(2)?;
    let program = start + 2 + word(start)? * 33;
    let system = data
        .get(program..program + 32)?
        .iter()
        .all(|byte| *byte == 0);
    if !system {
        return Some(false);
    }
    let length = word(program + 32)?;
    let from = program + 34;
    let body = data.get(from..from + length)?;
    Some(body.get(..4) == Some(&ADVANCE_NONCE))
}
