use crate::access::{create, derive, fail, require_top_level, store};
use crate::log;
use crate::programs::finished_hash;
use crate::record::Stored;
use crate::version::{self, Deployment};
use anchor_lang::AnchorAccount;
use anchor_lang::prelude::*;
use anchor_lang::programs::System;
use bytemuck::Zeroable;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::{ProgramConfirmed, ProgramHashed};
use flagstone_interface::governance::{HASH_CHUNK_BYTES, ProgramHash};
use flagstone_interface::router::{SlabEntry, seeds, slab_status};
use flagstone_interface::{Record, key_eq};

/// Accounts of `hash_program`.
#[derive(Accounts)]
pub struct HashProgram {
    /// Pays for the record.
    #[account(mut)]
    pub payer: Signer,
    /// Program data account.
    pub program_data: UncheckedAccount,
    /// `"hash"`, program data.
    #[account(mut)]
    pub record: UncheckedAccount,
    /// System.
    pub system_program: Program<System>,
}

/// Permissionless and resumable: covers up to `chunks` more chunks. A deployment
/// in between starts the hash anew.
#[inline(never)]
pub fn hash(ctx: &mut Context<HashProgram>, chunks: u8) -> Result<()> {
    require_top_level()?;
    let accounts = &mut ctx.accounts;
    let deployment = version::read(&accounts.program_data)?;
    let data_key = *accounts.program_data.address().as_array();
    let mut view = *accounts.record.account();
    let seeds: [&[u8]; 2] = [seeds::HASH, &data_key];
    if view.data_len() == 0 {
        let bump = create::<ProgramHash>(&accounts.payer, &view, &seeds)?;
        store(&mut view, &fresh(bump, data_key, deployment))?;
    } else {
        derive(&view, &seeds)?;
    }
    // SAFETY: the only record of this instruction.
    let mut record: Stored<ProgramHash> = unsafe { Stored::load_mut(view)? };
    let same =
        record.deploy_slot == deployment.slot && key_eq(&record.authority, &deployment.authority);
    if !same {
        *record = fresh(record.bump, data_key, deployment);
    }
    // SAFETY: only the loader writes this account, and it is not called.
    let bytes = unsafe { accounts.program_data.borrow_unchecked() };
    let code = bytes.get(version::METADATA_BYTES..).unwrap_or_default();
    for _ in 0..chunks {
        let from = record.chunk as usize * HASH_CHUNK_BYTES;
        if from >= code.len() {
            break;
        }
        let to = code.len().min(from + HASH_CHUNK_BYTES);
        record.push(&code[from..to]);
    }
    if record.chunk as usize * HASH_CHUNK_BYTES >= code.len() {
        record.done = 1;
    }
    log::write(&ProgramHashed {
        tag: ProgramHashed::TAG,
        program_data: data_key,
        deploy_slot: deployment.slot,
        chunks: record.chunk,
        done: record.done,
    });
    Ok(())
}

fn fresh(bump: u8, program_data: [u8; 32], deployment: Deployment) -> ProgramHash {
    ProgramHash {
        discriminator: ProgramHash::DISCRIMINATOR,
        version: ProgramHash::VERSION,
        bump,
        program_data,
        authority: deployment.authority,
        deploy_slot: deployment.slot,
        ..ProgramHash::zeroed()
    }
}

/// Accounts of `confirm_program`.
#[derive(Accounts)]
pub struct ConfirmProgram {
    /// Registry entry of the slab.
    #[account(mut)]
    pub entry: Stored<SlabEntry>,
    /// The slab's program.
    pub program: UncheckedAccount,
    /// Its program data account.
    pub program_data: UncheckedAccount,
    /// The finished hash of it.
    pub record: UncheckedAccount,
}

/// Permissionless. Records the hash of the deployment that was registered; once
/// there is one, finds that a later deployment is the same code in the same
/// hands, and ends the suspension. Extending a program thus kills no slab.
#[inline(never)]
pub fn confirm(ctx: &mut Context<ConfirmProgram>) -> Result<()> {
    require_top_level()?;
    let accounts = &mut ctx.accounts;
    let entry = &mut accounts.entry;
    let open = [
        slab_status::ACTIVE,
        slab_status::SUSPENDED,
        slab_status::DEAD,
    ];
    if !key_eq(&entry.program_id, accounts.program.address().as_array())
        || !open.contains(&entry.status)
    {
        return Err(fail(RouterError::WrongSlab));
    }
    let hash = finished_hash(&accounts.record, &accounts.program, &accounts.program_data)?;
    let deployment = version::attest(&accounts.program, &accounts.program_data)?;
    let known = entry.program_hash != [0; 32];
    let same = if known {
        key_eq(&hash, &entry.program_hash)
            && key_eq(&deployment.authority, &entry.upgrade_authority)
    } else {
        version::unchanged(entry, &accounts.program_data)?
    };
    if !same {
        return Err(fail(RouterError::BadHash));
    }
    entry.program_hash = hash;
    entry.program_data = *accounts.program_data.address().as_array();
    entry.deploy_slot = deployment.slot;
    if entry.status == slab_status::SUSPENDED && known {
        entry.status = slab_status::ACTIVE;
    }
    log::write(&ProgramConfirmed {
        tag: ProgramConfirmed::TAG,
        slab: entry.slab,
        hash,
        deploy_slot: deployment.slot,
        status: entry.status,
    });
    Ok(())
}
