use crate::access::{SlabAccount, fail, require_top_level};
use crate::log;
use anchor_lang::prelude::*;
use flagstone_interface::{event::SlabInitialized, key_eq};
use flagstone_slab_engine::{Capacities, Slab, SlabError};

/// Longest seed of an address with seed.
const SEED_BYTES_MAX: usize = 32;

/// Accounts of `initialize`.
#[derive(Accounts)]
pub struct Initialize {
    /// Zeroed account of this program, created with `authority` as base.
    #[account(mut)]
    pub slab: SlabAccount,
    /// Becomes the slab's authority.
    pub authority: Signer,
}

/// The address has to derive from the signer, so a slab that was created but
/// not yet initialised cannot be taken over by another.
#[inline(never)]
pub fn run(
    ctx: &mut Context<Initialize>,
    router_program: [u8; 32],
    quote_mint: [u8; 32],
    account_deposit_min_atoms: u64,
    terms_delay_slots: u32,
    capacities: [u32; 10],
    seed: &str,
) -> Result<()> {
    require_top_level()?;
    let authority = *ctx.accounts.authority.address().as_array();
    let address = address_with_seed(&authority, seed)?;
    if !key_eq(&address, ctx.accounts.slab.key()) {
        return Err(fail(SlabError::WrongAddress));
    }
    Slab::initialize(
        ctx.accounts.slab.bytes_mut(),
        &Capacities { items: capacities },
    )
    .map_err(fail)?;
    let mut slab = ctx.accounts.slab.open()?;
    slab.header.router_program = router_program;
    slab.header.authority = authority;
    slab.header.quote_mint = quote_mint;
    slab.header.account_deposit_min_atoms = account_deposit_min_atoms;
    slab.header.terms_delay_slots = terms_delay_slots;
    let seq = slab.next_seq();
    log::write(&SlabInitialized {
        tag: SlabInitialized::TAG,
        seq,
        authority,
    });
    Ok(())
}

/// `sha256(base, seed, owner)`, the System program's rule.
fn address_with_seed(base: &[u8; 32], seed: &str) -> Result<[u8; 32]> {
    let seed = seed.as_bytes();
    if seed.len() > SEED_BYTES_MAX {
        return Err(fail(SlabError::WrongAddress));
    }
    let mut preimage = [0; 32 + SEED_BYTES_MAX + 32];
    preimage[..32].copy_from_slice(base);
    preimage[32..32 + seed.len()].copy_from_slice(seed);
    preimage[32 + seed.len()..64 + seed.len()].copy_from_slice(crate::ID.as_array());
    Ok(sha256(&preimage[..64 + seed.len()]))
}
