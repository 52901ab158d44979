//! The hashes of slab programs (rule X5).

use crate::access::fail;
use crate::record::Stored;
use crate::version;
use anchor_lang::AnchorAccount;
use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::governance::ProgramHash;
use flagstone_interface::key_eq;

/// The hash of a program, when it is finished and of the present deployment.
#[inline(never)]
pub fn finished_hash(
    record: &AccountView,
    program: &AccountView,
    program_data: &AccountView,
) -> Result<[u8; 32]> {
    let deployment = version::attest(program, program_data)?;
    let record: Stored<ProgramHash> = Stored::load(*record)?;
    let present = record.done == 1
        && key_eq(&record.program_data, program_data.address().as_array())
        && record.deploy_slot == deployment.slot
        && key_eq(&record.authority, &deployment.authority);
    if present {
        Ok(record.hash)
    } else {
        Err(fail(RouterError::BadHash))
    }
}
