//! What a proposal may change, once it is executed.
//!
//! | kind | accounts after the fixed ones |
//! |---|---|
//! | register_slab | slab, program, program data, its hash, entry, ledger, System |
//! | set_slab_status | entry, ledger |
//! | register_instrument | slab entry, instrument entry, System |
//! | set_limit | vault or slab ledger |
//! | set_cover_caps | slab ledger |
//! | set_guardian, set_delays, hand_over | none |
//! | accept_program | entry, program, program data, its hash |
//! | set_netting | entry |
//! | add_collateral | mint, quote mint, oracle, terms, vault, its tokens, authority, Token, System |

use crate::access::fail;
use crate::collateral::NewCollateral;
use crate::exits::quarantine;
use crate::instructions::register_instrument::{self, RegistryArgs};
use crate::instructions::register_slab::NewSlab;
use crate::programs::finished_hash;
use crate::record::Stored;
use crate::version;
use anchor_lang::AnchorAccount;
use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::prelude::*;
use bytemuck::Zeroable;
use flagstone_interface::collateral::{CollateralTerms, CollateralVault};
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::quarantine_reason;
use flagstone_interface::governance::{DELAY_SLOTS_MAX, kind};
use flagstone_interface::limits::OutflowLimit;
use flagstone_interface::router::{RouterConfig, SlabEntry, SlabLedger, Vault, slab_status};
use flagstone_interface::{Key, key_eq};
use flagstone_margin::cover;
use flagstone_units::Slot;

/// Reads the fields of a payload, in borsh encoding.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (field, rest) = self
            .0
            .split_first_chunk::<N>()
            .ok_or(fail(RouterError::BadProposal))?;
        self.0 = rest;
        Ok(*field)
    }

    fn key(&mut self) -> Result<Key> {
        self.take()
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take::<1>()?[0])
    }

    fn half(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.take()?))
    }

    fn word(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    fn long(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    /// Nothing may follow.
    fn end(&self) -> Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(fail(RouterError::BadProposal))
        }
    }
}

/// Makes the change that a payload describes. The caller checked its hash.
#[inline(never)]
pub fn make(
    payer: &AccountView,
    config: &mut RouterConfig,
    now: Slot,
    payload: &[u8],
    rest: &[AccountView],
) -> Result<()> {
    let mut fields = Fields(payload);
    match fields.byte()? {
        kind::REGISTER_SLAB => register_slab(payer, config, fields, rest),
        kind::SET_SLAB_STATUS => set_slab_status(now, fields, rest),
        kind::REGISTER_INSTRUMENT => instrument(payer, config, now, fields, rest),
        kind::SET_LIMIT => set_limit(now, fields, rest),
        kind::SET_GUARDIAN => {
            let guardian = fields.key()?;
            fields.end()?;
            config.guardian = guardian;
            Ok(())
        }
        kind::SET_DELAYS => set_delays(config, fields),
        kind::HAND_OVER => {
            let admin = fields.key()?;
            fields.end()?;
            config.admin_pending = admin;
            Ok(())
        }
        kind::SET_COVER_CAPS => set_cover_caps(fields, rest),
        kind::ACCEPT_PROGRAM => accept_program(fields, rest),
        kind::SET_NETTING => set_netting(fields, rest),
        kind::ADD_COLLATERAL => add_collateral(payer, config, fields, rest),
        _ => Err(fail(RouterError::BadProposal)),
    }
}

fn bad() -> Error {
    fail(RouterError::BadProposal)
}

#[inline(never)]
fn register_slab(
    payer: &AccountView,
    config: &mut RouterConfig,
    mut fields: Fields<'_>,
    rest: &[AccountView],
) -> Result<()> {
    let (slab_key, program_key, hash) = (fields.key()?, fields.key()?, fields.key()?);
    fields.end()?;
    let [slab, program, program_data, hashed, entry, ledger, _system] = rest else {
        return Err(bad());
    };
    if !key_eq(&slab_key, slab.address().as_array())
        || !key_eq(&program_key, program.address().as_array())
        || !key_eq(&hash, &finished_hash(hashed, program, program_data)?)
    {
        return Err(bad());
    }
    NewSlab {
        payer,
        slab,
        program,
        program_data,
        entry,
        ledger,
    }
    .register(config, hash)
}

/// A slab may be declared dead, which ends new business and nothing else, or
/// quarantined, which lets its users leave without it: for a slab that nobody
/// can read any more, so that nothing can be settled nor counters prove it bad.
#[inline(never)]
fn set_slab_status(now: Slot, mut fields: Fields<'_>, rest: &[AccountView]) -> Result<()> {
    let (slab, status) = (fields.key()?, fields.byte()?);
    fields.end()?;
    let [entry, ledger] = rest else {
        return Err(bad());
    };
    // SAFETY: the only record of its kind in this instruction.
    let mut entry: Stored<SlabEntry> = unsafe { Stored::load_mut(*entry)? };
    // SAFETY: as above.
    let mut ledger: Stored<SlabLedger> = unsafe { Stored::load_mut(*ledger)? };
    if !key_eq(&entry.slab, &slab) || !key_eq(&ledger.slab, &slab) {
        return Err(bad());
    }
    match (entry.status, status) {
        (slab_status::ACTIVE | slab_status::SUSPENDED, slab_status::DEAD) => {
            entry.status = status;
            Ok(())
        }
        (slab_status::QUARANTINED, _) => Err(bad()),
        (_, slab_status::QUARANTINED) => {
            quarantine(&mut entry, &mut ledger, now, quarantine_reason::PROPOSAL);
            Ok(())
        }
        _ => Err(bad()),
    }
}

#[inline(never)]
fn instrument(
    payer: &AccountView,
    config: &RouterConfig,
    now: Slot,
    mut fields: Fields<'_>,
    rest: &[AccountView],
) -> Result<()> {
    let slab = fields.key()?;
    let args = RegistryArgs {
        instrument: fields.byte()?,
        underlying_id: fields.long()?,
        atoms_per_tick: fields.word()?,
        oracle: fields.key()?,
        oracle_feed: fields.key()?,
        oracle_scale: fields.long()?,
        imr_min_ppm: fields.word()?,
        mmr_min_ppm: fields.word()?,
        mark_move_ticks_max: fields.word()?,
        taker_fee_max_ppm: fields.word()?,
        maker_fee_max_ppm: fields.word()?,
        liquidation_fee_max_ppm: fields.word()?,
    };
    fields.end()?;
    let [slab_entry, entry, _system] = rest else {
        return Err(bad());
    };
    let slab_entry: Stored<SlabEntry> = Stored::load(*slab_entry)?;
    if !key_eq(&slab_entry.slab, &slab) {
        return Err(bad());
    }
    register_instrument::register(payer, config, &slab, entry, now, &args).map(drop)
}

/// The limit itself lies behind the delay (rule X8).
#[inline(never)]
fn set_limit(now: Slot, mut fields: Fields<'_>, rest: &[AccountView]) -> Result<()> {
    let (target, limit_atoms, window_slots) = (fields.key()?, fields.long()?, fields.word()?);
    fields.end()?;
    let [account] = rest else { return Err(bad()) };
    if !key_eq(&target, account.address().as_array()) {
        return Err(bad());
    }
    if !OutflowLimit::is_sound(limit_atoms, window_slots) {
        return Err(fail(RouterError::BadSetting));
    }
    // SAFETY: the only account of the change, and neither a configuration nor a
    // proposal: a record of another kind is refused.
    if let Ok(mut vault) = unsafe { Stored::<Vault>::load_mut(*account) } {
        vault.outflow.set(now, limit_atoms, window_slots);
        return Ok(());
    }
    // SAFETY: as above.
    if let Ok(mut vault) = unsafe { Stored::<CollateralVault>::load_mut(*account) } {
        vault.0.outflow.set(now, limit_atoms, window_slots);
        return Ok(());
    }
    // SAFETY: as above.
    let mut ledger: Stored<SlabLedger> = unsafe { Stored::load_mut(*account)? };
    ledger.outflow.set(now, limit_atoms, window_slots);
    Ok(())
}

/// How much of a slab's insurance one debt and one day may take (rule X7). What
/// was paid today and in a running event counts against the new parts.
#[inline(never)]
fn set_cover_caps(mut fields: Fields<'_>, rest: &[AccountView]) -> Result<()> {
    let (slab, event_bps, day_bps) = (fields.key()?, fields.half()?, fields.half()?);
    fields.end()?;
    let [ledger] = rest else { return Err(bad()) };
    // SAFETY: the only account of the change, and no record of another kind.
    let mut ledger: Stored<SlabLedger> = unsafe { Stored::load_mut(*ledger)? };
    if !key_eq(&ledger.slab, &slab) {
        return Err(bad());
    }
    if !cover::is_sound(event_bps, day_bps) {
        return Err(fail(RouterError::BadSetting));
    }
    ledger.cover_event_bps = event_bps;
    ledger.cover_day_bps = day_bps;
    Ok(())
}

/// A delay shrinks by half at most, so that no single proposal does away with
/// the time that users have to leave.
fn set_delays(config: &mut RouterConfig, mut fields: Fields<'_>) -> Result<()> {
    let (delay, life) = (fields.word()?, fields.word()?);
    fields.end()?;
    let sound = delay > 0
        && life > 0
        && delay <= DELAY_SLOTS_MAX
        && life <= DELAY_SLOTS_MAX
        && delay >= config.proposal_delay_slots / 2;
    if !sound {
        return Err(fail(RouterError::BadSetting));
    }
    config.proposal_delay_slots = delay;
    config.proposal_life_slots = life;
    Ok(())
}

/// A slab's program was replaced, and users had the delay to read the new one.
#[inline(never)]
fn accept_program(mut fields: Fields<'_>, rest: &[AccountView]) -> Result<()> {
    let (slab, hash) = (fields.key()?, fields.key()?);
    fields.end()?;
    let [entry, program, program_data, hashed] = rest else {
        return Err(bad());
    };
    // SAFETY: the only record of its kind in this instruction.
    let mut entry: Stored<SlabEntry> = unsafe { Stored::load_mut(*entry)? };
    let fits = key_eq(&entry.slab, &slab)
        && key_eq(&entry.program_id, program.address().as_array())
        && key_eq(&hash, &finished_hash(hashed, program, program_data)?)
        && [slab_status::ACTIVE, slab_status::SUSPENDED].contains(&entry.status);
    if !fits {
        return Err(bad());
    }
    let deployment = version::attest(program, program_data)?;
    entry.program_hash = hash;
    entry.program_data = *program_data.address().as_array();
    entry.deploy_slot = deployment.slot;
    entry.upgrade_authority = deployment.authority;
    entry.status = slab_status::ACTIVE;
    Ok(())
}

/// A slab's place in netting and in the funding grids, which
/// [`crate::instructions::funding_grid`] brings in line with it. That its
/// program is final or behind a time lock (rule N5) is for those to judge who
/// have the proposal's delay to object: no account shows a time lock.
#[inline(never)]
fn set_netting(mut fields: Fields<'_>, rest: &[AccountView]) -> Result<()> {
    let (slab, flag, equity_max_atoms) = (fields.key()?, fields.byte()?, fields.long()?);
    fields.end()?;
    let [entry] = rest else { return Err(bad()) };
    // SAFETY: the only record of its kind in this instruction.
    let mut entry: Stored<SlabEntry> = unsafe { Stored::load_mut(*entry)? };
    let sound = match flag {
        0 => equity_max_atoms == 0,
        1 => entry.status == slab_status::ACTIVE,
        _ => false,
    };
    if !sound || !key_eq(&entry.slab, &slab) {
        return Err(bad());
    }
    entry.netting = flag.into();
    entry.equity_max_atoms = equity_max_atoms;
    Ok(())
}

/// The decimals are not part of the payload: they are the mints' own.
#[inline(never)]
fn add_collateral(
    payer: &AccountView,
    config: &RouterConfig,
    mut fields: Fields<'_>,
    rest: &[AccountView],
) -> Result<()> {
    let terms = CollateralTerms {
        mint: fields.key()?,
        oracle: fields.key()?,
        oracle_feed: fields.key()?,
        haircut_ppm: fields.word()?,
        oracle_age_slots: fields.word()?,
        confidence_max_ppm: fields.word()?,
        premium_ppm: fields.word()?,
        discount_ppm: fields.word()?,
        auction_slots: fields.word()?,
        deposit_cap_atoms: fields.long()?,
        enabled: fields.byte()?,
        ..CollateralTerms::zeroed()
    };
    fields.end()?;
    let [
        mint,
        quote_mint,
        oracle,
        record,
        vault,
        tokens,
        authority,
        _token,
        _system,
    ] = rest
    else {
        return Err(bad());
    };
    NewCollateral {
        payer,
        mint,
        quote_mint,
        oracle,
        record,
        vault,
        tokens,
        authority,
    }
    .register(config, terms)
}
