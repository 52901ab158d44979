//! What a slab account holds, written down: lots, cost and cash (rule N6).
//!
//! Positions are keyed by the instrument number that the slab's own bytes name,
//! never by where an account stands in an instruction. Nothing here depends on a
//! price.

use crate::reading::{Unreadable, bounded, cash_atoms, worst_lots};
use flagstone_interface::Record;
use flagstone_interface::grid::{ExposedPosition, Exposure};
use flagstone_interface::router::Escrow;
use flagstone_interface::slab::{INSTRUMENTS, PoolId, SlabAccount, SlabHeader, item_at};
use flagstone_slab_engine::layout::{Instrument, Position};
use flagstone_units::{PPM_ONE, Slot};

/// Writes down what the account that `escrow` is bound to holds in `slot`. The
/// caller has checked that both name each other; stamp, bump and the escrow's
/// address are the caller's.
///
/// # Errors
/// [`Unreadable`]; what was written then says nothing.
pub fn take(
    data: &[u8],
    account: &SlabAccount,
    escrow: &Escrow,
    slot: Slot,
    exposure: &mut Exposure,
) -> Result<(), Unreadable> {
    let header = SlabHeader::read(data).ok_or(Unreadable)?;
    exposure.slab = escrow.slab;
    exposure.account = escrow.bound_account;
    exposure.generation = escrow.bound_generation;
    exposure.slot = slot;
    exposure.cash_atoms = cash_atoms(header, account, escrow)?;
    exposure.deposited_total_atoms = escrow.deposited_total_atoms;
    exposure.debited_seen_atoms = escrow.debited_seen_atoms;
    exposure.released_seen_atoms = escrow.released_seen_atoms;
    exposure.released_owed_atoms = account
        .released_total_atoms
        .checked_sub(escrow.released_seen_atoms)
        .ok_or(Unreadable)?;

    let (mut index, mut count, mut seen) = (account.positions_head, 0, 0u32);
    while index != 0 {
        let position: &Position = item_at(data, PoolId::Positions, index).ok_or(Unreadable)?;
        // An account holds one position per instrument; another one is a lie.
        let bit = 1u32
            .checked_shl(position.instrument.into())
            .filter(|bit| seen & bit == 0)
            .ok_or(Unreadable)?;
        seen |= bit;
        exposure.positions[count] = expose(data, position)?;
        count += 1;
        index = position.next_in_account;
    }
    exposure.positions_count = count as u32;
    exposure.positions[count..].fill(ExposedPosition::default());
    Ok(())
}

// Each position has a bit of its own.
const _: () = assert!(INSTRUMENTS <= u32::BITS as usize);

fn expose(data: &[u8], position: &Position) -> Result<ExposedPosition, Unreadable> {
    let number = u32::from(position.instrument) + 1;
    let instrument: &Instrument = item_at(data, PoolId::Instruments, number).ok_or(Unreadable)?;
    if u64::from(instrument.imr.0.max(instrument.mmr.0)) > PPM_ONE {
        return Err(Unreadable);
    }
    let funding = position.funding_owed_atoms(instrument.funding_index);
    Ok(ExposedPosition {
        underlying_id: instrument.underlying_id,
        cost_atoms: bounded(Some(position.cost_atoms))?,
        funding_atoms: bounded(Some(funding))?,
        lots: position.lots.0,
        worst_lots: worst_lots(position)?,
        atoms_per_tick: instrument.atoms_per_tick,
        imr_ppm: instrument.imr.0,
        mmr_ppm: instrument.mmr.0,
        instrument: position.instrument,
        padding: [0; 3],
    })
}
