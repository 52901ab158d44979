//! Proposals: made by the administrator, executed by anyone after their delay,
//! cancelled by the guardian (rule X9).

use crate::access::{create, fail, require_direct, require_top_level, store};
use crate::changes;
use crate::log;
use crate::nonce::refuse_durable_nonce;
use crate::record::Stored;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use anchor_lang::programs::System;
use bytemuck::Zeroable;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::{
    AdminChanged, ProposalCancelled, ProposalExecuted, Proposed,
};
use flagstone_interface::governance::{
    PROPOSAL_LIFE_SLOTS, Proposal, hash_payload, kind, proposal_state,
};
use flagstone_interface::router::{RouterConfig, seeds};
use flagstone_interface::{Record, key_eq};
use flagstone_units::Slot;

/// Accounts of `propose`.
#[derive(Accounts)]
pub struct Propose {
    /// The administrator; pays for the account.
    #[account(mut)]
    pub admin: Signer,
    /// The configuration.
    #[account(mut)]
    pub config: Stored<RouterConfig>,
    /// `"proposal"`, the next id.
    #[account(mut)]
    pub proposal: UncheckedAccount,
    /// Sysvar of the transaction's instructions.
    pub instructions: UncheckedAccount,
    /// System.
    pub system_program: Program<System>,
}

/// Only the hash of the payload is kept, and nothing changes it.
#[inline(never)]
pub fn propose(ctx: &mut Context<Propose>, kind: u8, payload_hash: [u8; 32]) -> Result<()> {
    require_direct(ctx.accounts.admin.address().as_array())?;
    let accounts = &mut ctx.accounts;
    refuse_durable_nonce(&accounts.instructions)?;
    if !key_eq(&accounts.config.admin, accounts.admin.address().as_array()) {
        return Err(fail(RouterError::WrongAdmin));
    }
    if kind >= kind::COUNT {
        return Err(fail(RouterError::BadProposal));
    }
    let now = Slot::from_clock(Clock::get()?.slot);
    let config = &mut accounts.config;
    let id = config.proposals_total + 1;
    config.proposals_total = id;
    let life = match config.proposal_life_slots {
        0 => PROPOSAL_LIFE_SLOTS,
        life => life,
    };
    let due_slot = Slot(now.0.saturating_add(config.proposal_delay_slots));
    let mut view = *accounts.proposal.account();
    let seeds: [&[u8]; 2] = [seeds::PROPOSAL, &id.to_le_bytes()];
    let bump = create::<Proposal>(&accounts.admin, &view, &seeds)?;
    let proposal = Proposal {
        discriminator: Proposal::DISCRIMINATOR,
        version: Proposal::VERSION,
        bump,
        kind,
        id,
        payload_hash,
        slot: now,
        due_slot,
        expiry_slot: Slot(due_slot.0.saturating_add(life)),
        ..Proposal::zeroed()
    };
    store(&mut view, &proposal)?;
    log::write(&Proposed {
        tag: Proposed::TAG,
        id,
        kind,
        due_slot: proposal.due_slot.0,
        expiry_slot: proposal.expiry_slot.0,
        payload_hash,
    });
    Ok(())
}

/// Accounts of `execute`; those of the change follow, see [`changes`].
#[derive(Accounts)]
pub struct Execute {
    /// Pays for what the change creates.
    #[account(mut)]
    pub payer: Signer,
    /// The configuration.
    #[account(mut)]
    pub config: Stored<RouterConfig>,
    /// The proposal.
    #[account(mut)]
    pub proposal: Stored<Proposal>,
    /// Sysvar of the transaction's instructions.
    pub instructions: UncheckedAccount,
}

/// Permissionless, once.
#[inline(never)]
pub fn execute(ctx: &mut Context<Execute>, payload: &[u8]) -> Result<()> {
    require_top_level()?;
    let now = Slot::from_clock(Clock::get()?.slot);
    let rest = ctx.remaining_accounts()?;
    let accounts = &mut ctx.accounts;
    refuse_durable_nonce(&accounts.instructions)?;
    let proposal = &mut accounts.proposal;
    let fits = proposal.state == proposal_state::OPEN
        && payload.first() == Some(&proposal.kind)
        && key_eq(&hash_payload(payload), &proposal.payload_hash);
    if !fits {
        return Err(fail(RouterError::BadProposal));
    }
    if now < proposal.due_slot || now > proposal.expiry_slot {
        return Err(fail(RouterError::NotDue));
    }
    proposal.state = proposal_state::EXECUTED;
    changes::make(&accounts.payer, &mut accounts.config, now, payload, &rest)?;
    // Every payload that names a key begins with it, after its kind.
    let target = payload.get(1..33).and_then(|key| key.first_chunk());
    log::write(&ProposalExecuted {
        tag: ProposalExecuted::TAG,
        id: accounts.proposal.id,
        kind: accounts.proposal.kind,
        target: target.copied().unwrap_or([0; 32]),
    });
    Ok(())
}

/// Accounts of `cancel_proposal`.
#[derive(Accounts)]
pub struct CancelProposal {
    /// The guardian, or the administrator.
    pub signer: Signer,
    /// The configuration.
    pub config: Stored<RouterConfig>,
    /// The proposal.
    #[account(mut)]
    pub proposal: Stored<Proposal>,
    /// Sysvar of the transaction's instructions.
    pub instructions: UncheckedAccount,
}

/// The guardian cancels anything but its own replacement: that is how it is
/// dismissed.
#[inline(never)]
pub fn cancel(ctx: &mut Context<CancelProposal>) -> Result<()> {
    require_direct(ctx.accounts.signer.address().as_array())?;
    let accounts = &mut ctx.accounts;
    refuse_durable_nonce(&accounts.instructions)?;
    let signer = accounts.signer.address().as_array();
    let admin = key_eq(&accounts.config.admin, signer);
    let guardian =
        key_eq(&accounts.config.guardian, signer) && accounts.proposal.kind != kind::SET_GUARDIAN;
    if !admin && !guardian {
        return Err(fail(RouterError::WrongGuardian));
    }
    if accounts.proposal.state != proposal_state::OPEN {
        return Err(fail(RouterError::BadProposal));
    }
    accounts.proposal.state = proposal_state::CANCELLED;
    log::write(&ProposalCancelled {
        tag: ProposalCancelled::TAG,
        id: accounts.proposal.id,
        kind: accounts.proposal.kind,
        signer: *signer,
    });
    Ok(())
}

/// Accounts of `take_over`.
#[derive(Accounts)]
pub struct TakeOver {
    /// The named administrator.
    pub admin: Signer,
    /// The configuration.
    #[account(mut)]
    pub config: Stored<RouterConfig>,
    /// Sysvar of the transaction's instructions.
    pub instructions: UncheckedAccount,
}

/// The second step of handing over: whoever was named shows that it can sign.
#[inline(never)]
pub fn take_over(ctx: &mut Context<TakeOver>) -> Result<()> {
    require_direct(ctx.accounts.admin.address().as_array())?;
    let accounts = &mut ctx.accounts;
    refuse_durable_nonce(&accounts.instructions)?;
    let named = accounts.config.admin_pending;
    if !key_eq(&named, accounts.admin.address().as_array()) {
        return Err(fail(RouterError::WrongAdmin));
    }
    accounts.config.admin = named;
    accounts.config.admin_pending = [0; 32];
    log::write(&AdminChanged {
        tag: AdminChanged::TAG,
        admin: named,
    });
    Ok(())
}
