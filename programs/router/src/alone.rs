//! Instructions that weigh what a slab is backed with must not meet money that
//! is there for one transaction only.

use crate::access::fail;
use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::{Key, key_eq};

/// The sysvar that shows a transaction's instructions.
const INSTRUCTIONS: Address =
    Address::from_str_const("Sysvar1nstructions1111111111111111111111111");

/// The program whose instructions set a transaction's compute limit and price.
const COMPUTE_BUDGET: Address =
    Address::from_str_const("ComputeBudget111111111111111111111111111111");

/// Refuses a transaction with any other instruction but those of the compute
/// budget: tokens that were borrowed for it could come and go, by an instruction
/// of the Router or by a call of a program that owns a portfolio (rule X6).
#[inline(never)]
pub fn require_alone(sysvar: &AccountView) -> Result<()> {
    if !key_eq(sysvar.address().as_array(), INSTRUCTIONS.as_array()) {
        return Err(fail(RouterError::WrongAddress));
    }
    // SAFETY: only the runtime writes this account.
    let data = unsafe { sysvar.borrow_unchecked() };
    // What cannot be read might be one.
    match others(data) {
        Some(0) => Ok(()),
        _ => Err(fail(RouterError::NotAlone)),
    }
}

/// Top-level instructions beside this one. The layout: count, then the offset of
/// each instruction; there, the number of its accounts, 33 bytes for each,
/// program, length of the data, data.
fn others(data: &[u8]) -> Option<usize> {
    let word = |at: usize| {
        let bytes = data.get(at..at.checked_add(2)?)?;
        Some(usize::from(u16::from_le_bytes([bytes[0], bytes[1]])))
    };
    let budget: &Key = COMPUTE_BUDGET.as_array();
    let mut found = 0usize;
    for number in 0..word(0)? {
        let start = word(2 + 2 * number)?;
        let at = start + 2 + word(start)? * 33;
        let named = data.get(at..)?.first_chunk::<32>()?;
        found += usize::from(!key_eq(named, budget));
    }
    // This one is at the top level itself.
    found.checked_sub(1)
}
