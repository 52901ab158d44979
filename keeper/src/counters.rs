//! Opposite positions for a deleveraging: the most profitable first, as the
//! slab asks for them.

use crate::snapshot::Snapshot;
use flagstone_sdk::engine::deleverages::COUNTERS_MAX;
use flagstone_sdk::engine::layout::{Instrument, Position};
use flagstone_sdk::units::{Ticks, notional_atoms};

/// Indices of the positions that `lots` of an account's position in an
/// instrument are closed against; empty when there is nothing to close or
/// nobody in profit.
pub fn counters(slab: &Snapshot, account: u32, number: u8, lots: u32) -> Vec<u32> {
    let own = slab.positions().find(|(_, one)| {
        one.used != 0 && u32::from(one.account) == account && one.instrument == number
    });
    let (Some((_, own)), Some(instrument)) = (own, slab.instrument(number)) else {
        return Vec::new();
    };
    let long = own.lots.0 > 0;
    let opposite = |one: &Position| {
        one.used != 0 && one.instrument == number && one.lots.0 != 0 && (one.lots.0 > 0) != long
    };
    let mut found: Vec<(u64, u32, u32)> = slab
        .positions()
        .filter(|(_, one)| opposite(one))
        .filter_map(|(index, one)| Some((entry(one, instrument)?, index, one.lots.magnitude())))
        .collect();
    if long {
        // Shorts that sold dearest gain most.
        found.sort_by_key(|(entry, index, _)| (core::cmp::Reverse(*entry), *index));
    } else {
        found.sort_by_key(|(entry, index, _)| (*entry, *index));
    }
    let mut left = lots;
    let mut chosen = Vec::new();
    for (_, index, size) in found {
        if left == 0 || chosen.len() == COUNTERS_MAX {
            break;
        }
        chosen.push(index);
        left = left.saturating_sub(size);
    }
    chosen
}

/// Entry of a position in whole atoms per lot, when it is in profit.
fn entry(position: &Position, instrument: &Instrument) -> Option<u64> {
    let lots = position.lots.magnitude();
    let mark: Ticks = instrument.mark;
    let value = notional_atoms(mark, lots, instrument.atoms_per_tick);
    let cost = position.cost_atoms.unsigned_abs();
    let in_profit = if position.lots.0 < 0 {
        cost > value
    } else {
        cost < value
    };
    in_profit.then(|| cost / u64::from(lots))
}
