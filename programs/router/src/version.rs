//! Which deployment of a slab program the registry knows (rule X5).
//!
//! A program of the upgradeable loader points to a data account that records
//! when it was last deployed and who may deploy it again. The registry keeps
//! both; when they differ later, the code behind the slab is no longer the
//! code that was attested.

use crate::access::fail;
use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::router::SlabEntry;
use flagstone_interface::{Key, key_eq};

/// Address of the upgradeable BPF loader.
const LOADER: Address = Address::from_str_const("BPFLoaderUpgradeab1e11111111111111111111111");
/// First word of a program account of that loader.
const PROGRAM: u32 = 2;
/// Bytes before the code in a program data account.
pub const METADATA_BYTES: usize = 45;
/// First word of a program data account.
const PROGRAM_DATA: u32 = 3;

/// A deployment: slot and upgrade authority; zero when the program is final.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Deployment {
    pub slot: u64,
    pub authority: Key,
}

/// Reads the deployment of `program` out of its data account.
pub fn attest(program: &AccountView, data_account: &AccountView) -> Result<Deployment> {
    let known = key_eq(program.owner().as_array(), LOADER.as_array());
    // SAFETY: only the loader writes this account, and it is not called.
    let bytes = unsafe { program.borrow_unchecked() };
    let points_there = bytes.first_chunk::<4>() == Some(&PROGRAM.to_le_bytes())
        && bytes.get(4..36) == Some(data_account.address().as_array().as_slice());
    if !known || !points_there {
        return Err(fail(RouterError::WrongProgramVersion));
    }
    read(data_account)
}

/// Whether the registered program is still the deployment on record.
///
/// An account other than the registered program's is the caller's mistake and
/// an error: it says nothing about the program.
pub fn unchanged(entry: &SlabEntry, data_account: &AccountView) -> Result<bool> {
    if !key_eq(&entry.program_data, data_account.address().as_array()) {
        return Err(fail(RouterError::WrongProgramVersion));
    }
    let recorded = Deployment {
        slot: entry.deploy_slot,
        authority: entry.upgrade_authority,
    };
    // A data account that the loader closed or changed counts as another deployment.
    Ok(read(data_account).is_ok_and(|found| found == recorded))
}

/// Refuses a program that is no longer the deployment on record.
pub fn check(entry: &SlabEntry, data_account: &AccountView) -> Result<()> {
    if unchanged(entry, data_account)? {
        Ok(())
    } else {
        Err(fail(RouterError::WrongProgramVersion))
    }
}

/// Reads the deployment out of a program data account.
pub fn read(data_account: &AccountView) -> Result<Deployment> {
    let wrong = fail(RouterError::WrongProgramVersion);
    if !key_eq(data_account.owner().as_array(), LOADER.as_array()) {
        return Err(wrong);
    }
    // SAFETY: only the loader writes this account, and it is not called.
    let bytes = unsafe { data_account.borrow_unchecked() };
    let (Some(tag), Some(slot), Some(flag)) =
        (bytes.first_chunk::<4>(), bytes.get(4..12), bytes.get(12))
    else {
        return Err(wrong);
    };
    if *tag != PROGRAM_DATA.to_le_bytes() {
        return Err(wrong);
    }
    let mut deployment = Deployment {
        slot: 0,
        authority: [0; 32],
    };
    let mut word = [0; 8];
    word.copy_from_slice(slot);
    deployment.slot = u64::from_le_bytes(word);
    if *flag != 0 {
        let key = bytes.get(13..45).ok_or(wrong)?;
        deployment.authority.copy_from_slice(key);
    }
    Ok(deployment)
}
