//! Which leg to close, how much of it, and within which bounds (rule LQ2).
//!
//! The leg with the largest maintenance margin comes first. Closing one lot of
//! it at the edge of the band, with the fee, brings equity nearer to initial
//! margin by at least
//!
//! ```text
//! gain = value of a lot * (imr - band_max - fee * (1 + band_max))
//! lots = ceil((initial margin - equity) / gain)
//! ```
//! and where that is nothing or less, all of it has to go. The slab's sweep
//! stops at the very lot that restores margin, so too many lots cost nothing.
//!
//! A sweep may leave no larger debt than there is at the mark already and
//! insurance may pay: what is worse is left to deleveraging, which closes at
//! the price that leaves no debt.

use crate::reading::{Leg, Reading};
use flagstone_units::{PPM_ONE, mul_ppm_ceil};

/// Atoms by which rounding up two amounts can fall short.
const ROUNDING_ATOMS: u64 = 2;

/// What a ticket allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Instrument to reduce.
    pub instrument: u8,
    /// Most lots to close.
    pub lots_max: u32,
    /// Widest band around the mark, in ppm.
    pub band_max_ppm: u32,
    /// Largest debt to leave behind, in atoms.
    pub deficit_max_atoms: u64,
}

impl Plan {
    /// The plan for an account below its margin; `cover_atoms` is what
    /// insurance may pay for it. `None` when there is nothing to close.
    pub fn of(reading: &Reading, cover_atoms: u64) -> Option<Self> {
        let leg = reading.largest?;
        let there = reading.health.equity_atoms.min(0).unsigned_abs();
        Some(Self {
            instrument: leg.instrument,
            lots_max: lots_to_restore(reading, &leg),
            band_max_ppm: leg.band_max_ppm,
            deficit_max_atoms: there.saturating_add(cover_atoms),
        })
    }
}

/// Fewest lots of a leg that bring equity back to initial margin wherever in
/// the band they trade; all of them when none do. At least one.
fn lots_to_restore(reading: &Reading, leg: &Leg) -> u32 {
    let initial = reading.settled_initial_atoms as i64;
    let missing = initial.saturating_sub(reading.health.equity_atoms);
    if missing <= 0 {
        return 1;
    }
    let gain_ppm = leg.imr_ppm.saturating_sub(lost_ppm(leg));
    // The value is the size times a whole number, and the size is not zero.
    let lot_atoms = leg.value_atoms / u64::from(leg.lots);
    let gain = u128::from(lot_atoms) * u128::from(gain_ppm);
    if gain == 0 {
        return leg.lots;
    }
    let missing = u128::from(missing.unsigned_abs() + ROUNDING_ATOMS) * u128::from(PPM_ONE);
    let lots = missing.div_ceil(gain);
    // What is above the size is more than there is.
    u32::try_from(lots).map_or(leg.lots, |lots| lots.min(leg.lots))
}

/// The most that closing costs, as a part of the value at the mark: the band,
/// and the fee on what is paid at its edge when buying back.
fn lost_ppm(leg: &Leg) -> u32 {
    let one = PPM_ONE as u32;
    let dear_ppm = leg.band_max_ppm.min(one).saturating_add(one);
    let fee_ppm = mul_ppm_ceil(u64::from(leg.fee_ppm.min(one)), dear_ppm);
    // Of two parts of at most two.
    leg.band_max_ppm.min(one).saturating_add(fee_ppm as u32)
}
