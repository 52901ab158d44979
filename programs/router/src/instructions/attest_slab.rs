use crate::access::{fail, require_direct, require_setup};
use crate::log;
use crate::record::Stored;
use crate::version;
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::SlabAttested;
use flagstone_interface::key_eq;
use flagstone_interface::router::{RouterConfig, SlabEntry, slab_status};

/// Accounts of `attest_slab`.
#[derive(Accounts)]
pub struct AttestSlab {
    /// The administrator.
    pub admin: Signer,
    /// The configuration.
    pub config: Stored<RouterConfig>,
    /// Registry entry of the slab.
    #[account(mut)]
    pub entry: Stored<SlabEntry>,
    /// The slab's program.
    pub program: UncheckedAccount,
    /// Its program data account.
    pub program_data: UncheckedAccount,
}

/// Records the deployment anew and ends a suspension. Quarantine and death are
/// terminal. Only while a deployment is set up: after that `confirm_program` finds
/// the program unchanged, or a proposal accepts the new one (rule X9).
#[inline(never)]
pub fn run(ctx: &mut Context<AttestSlab>) -> Result<()> {
    require_direct(ctx.accounts.admin.address().as_array())?;
    let accounts = &mut ctx.accounts;
    require_setup(&accounts.config, &accounts.admin)?;
    let registered = key_eq(
        &accounts.entry.program_id,
        accounts.program.address().as_array(),
    );
    if !registered || accounts.entry.status >= slab_status::QUARANTINED {
        return Err(fail(RouterError::WrongSlab));
    }
    let deployment = version::attest(&accounts.program, &accounts.program_data)?;
    accounts.entry.program_data = *accounts.program_data.address().as_array();
    // Of the new code no hash is known.
    accounts.entry.program_hash = [0; 32];
    accounts.entry.deploy_slot = deployment.slot;
    accounts.entry.upgrade_authority = deployment.authority;
    accounts.entry.status = slab_status::ACTIVE;
    log::write(&SlabAttested {
        tag: SlabAttested::TAG,
        slab: accounts.entry.slab,
        deploy_slot: deployment.slot,
        authority: deployment.authority,
    });
    Ok(())
}
