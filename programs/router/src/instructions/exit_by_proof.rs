use crate::access::{fail, require_direct, require_owner};
use crate::booking::{belong_together, burn};
use crate::exits::{claim_of, share};
use crate::log;
use crate::record::Stored;
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::ExitedByProof;
use flagstone_interface::key_eq;
use flagstone_interface::root::{Hash, Leaf, PROOF_HASHES_MAX, Proof};
use flagstone_interface::router::{
    CAPS_PER_ESCROW, Escrow, Portfolio, SlabEntry, SlabLedger, cap_state, escrow_state, exit_mode,
    portfolio_status, slab_status,
};

/// Accounts of `exit_by_proof`.
#[derive(Accounts)]
pub struct ExitByProof {
    /// Owner of the portfolio and the escrow: which leaf is shown decides what
    /// is paid, once and for all.
    pub owner: Signer,
    /// The owner's portfolio.
    #[account(mut)]
    pub portfolio: Stored<Portfolio>,
    /// The owner's escrow at the slab.
    #[account(mut)]
    pub escrow: Stored<Escrow>,
    /// What the Router holds for the slab.
    #[account(mut)]
    pub ledger: Stored<SlabLedger>,
    /// Registry entry of the slab.
    pub entry: Stored<SlabEntry>,
}

/// Leaf and way to the root: the leaf's bytes, the pages under the root, and a
/// neighbour per level; nothing at all without a leaf.
fn decode(proof: &[u8]) -> Option<(Leaf, u32, [Hash; PROOF_HASHES_MAX], usize)> {
    let (leaf, rest) = proof.split_at_checked(size_of::<Leaf>())?;
    let (pages, rest) = rest.split_first_chunk::<4>()?;
    let mut siblings = [[0; 32]; PROOF_HASHES_MAX];
    let (hashes, tail) = rest.as_chunks::<32>();
    if !tail.is_empty() || hashes.len() > siblings.len() {
        return None;
    }
    siblings[..hashes.len()].copy_from_slice(hashes);
    let leaf = bytemuck::pod_read_unaligned(leaf);
    Some((leaf, u32::from_le_bytes(*pages), siblings, hashes.len()))
}

/// What the escrow may claim. Under a root its leaf has to be shown, unless the
/// escrow was bound after the slot that the root describes.
#[inline(never)]
fn claim(proof: &[u8], escrow: &Stored<Escrow>, ledger: &SlabLedger) -> Result<u64> {
    let terms = &ledger.exit;
    if terms.mode == exit_mode::PRINCIPAL {
        return Ok(escrow.principal_atoms());
    }
    if proof.is_empty() {
        if escrow.bound_slot > terms.root_slot {
            return Ok(escrow.principal_since_bound_atoms());
        }
        return Err(fail(RouterError::BadProof));
    }
    let wrong = fail(RouterError::BadProof);
    let (leaf, pages, siblings, count) = decode(proof).ok_or(wrong.clone())?;
    let proof = Proof {
        pages,
        siblings: &siblings[..count],
    };
    let mine = key_eq(&leaf.escrow, escrow.key())
        && leaf.account == escrow.bound_account
        && leaf.generation == escrow.bound_generation
        && leaf.slot == terms.root_slot;
    if mine && proof.verify(&leaf, &terms.root, terms.root_sum_atoms) {
        Ok(claim_of(&leaf, escrow))
    } else {
        Err(wrong)
    }
}

/// Nothing of the portfolio's is left at this slab, and nobody can liquidate
/// there any more: a liquidation that waits for it must not go on for ever.
fn forget(portfolio: &mut Portfolio, escrow: &mut Stored<Escrow>) {
    if let Some(place) = portfolio.place_of(escrow.key()) {
        portfolio.escrows[place] = [0; 32];
    }
    if escrow.frozen != 0 {
        escrow.frozen = 0;
        portfolio.frozen_count = portfolio.frozen_count.saturating_sub(1);
        if portfolio.frozen_count == 0 {
            portfolio.status = portfolio_status::OPEN;
        }
    }
}

/// Once per escrow, and the end of it at this slab. Capabilities that are still
/// live were never booked: their money returns in full.
#[inline(never)]
pub fn run(ctx: &mut Context<ExitByProof>, proof: &[u8]) -> Result<()> {
    require_direct(ctx.accounts.owner.address().as_array())?;
    let accounts = &mut ctx.accounts;
    require_owner(&accounts.portfolio.owner, &accounts.owner)?;
    require_owner(&accounts.escrow.owner, &accounts.owner)?;
    if !belong_together(
        &accounts.entry,
        &accounts.portfolio,
        &accounts.escrow,
        &accounts.ledger,
    ) {
        return Err(fail(RouterError::WrongSlab));
    }
    let closed = accounts.entry.status == slab_status::QUARANTINED
        && accounts.ledger.exit.mode != exit_mode::NONE;
    if !closed || accounts.escrow.state == escrow_state::EXITED {
        return Err(fail(RouterError::NoExit));
    }
    let claim = claim(proof, &accounts.escrow, &accounts.ledger)?;
    let paid = share(claim, &accounts.ledger);
    accounts.ledger.backing_atoms -= paid;
    accounts.portfolio.cash_atoms = accounts
        .portfolio
        .cash_atoms
        .checked_add(paid)
        .ok_or(fail(RouterError::AmountOverflow))?;
    let mut returned = 0u64;
    for index in 0..CAPS_PER_ESCROW {
        if accounts.escrow.caps[index].state == cap_state::LIVE {
            let rest = burn(&mut accounts.escrow, index, &mut accounts.portfolio)?;
            // Part of the cash, so the sum fits.
            returned = returned.wrapping_add(rest);
        }
    }
    accounts.escrow.state = escrow_state::EXITED;
    forget(&mut accounts.portfolio, &mut accounts.escrow);
    log::write(&ExitedByProof {
        tag: ExitedByProof::TAG,
        escrow: *accounts.escrow.key(),
        slab: accounts.entry.slab,
        claim_atoms: claim,
        paid_atoms: paid,
        returned_atoms: returned,
        cash_atoms: accounts.portfolio.cash_atoms,
        backing_atoms: accounts.ledger.backing_atoms,
    });
    Ok(())
}
