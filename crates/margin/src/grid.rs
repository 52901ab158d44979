//! The shared funding rate of an underlying: a median of slabs' own rates,
//! weighed by their backing (rule T8).
//!
//! A slab's own rate is the premium of its book over the index, averaged over
//! the last `interval` slots that it sampled: what the running interval has, and
//! of the one before as much as is missing. It moves by `1 / interval` of a
//! sample for every slot, so that there is no moment at which few samples decide,
//! and it is never a rate that was shared: the grid does not hear itself.
//!
//! ```text
//! weight  = min(backing now, backing at the last update)
//! largest = min(largest, sum of the others)
//! rate    = last + clamp(nearest of [lower median, upper median] - last, +-step)
//! ```
//! No slab has more than half of all weights, so none moves the rate alone: it
//! moves as far as at least half agrees, and by one step at most.

use flagstone_interface::grid::{GRID_RATE_MAX_PPM, GRID_STEP_MAX_PPM};
use flagstone_interface::slab::{PoolId, item_at, status};
use flagstone_slab_engine::layout::Instrument;
use flagstone_units::{PPM_ONE, Slot};

/// One slab's vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// Backing that counts, in atoms.
    pub weight: u64,
    /// Its own rate, in ppm of notional for one interval; `None` when it has
    /// none: the weight then counts for the quorum alone.
    pub rate_ppm: Option<i32>,
}

/// Underlying of an instrument and slots of its funding interval, as the slab has
/// them; `None` when there is no such instrument.
pub fn terms_of(data: &[u8], instrument: u8) -> Option<(u64, u32)> {
    let found: &Instrument = item_at(data, PoolId::Instruments, u32::from(instrument) + 1)?;
    (found.status != status::NONE).then_some((found.underlying_id, found.rules.funding_slots.0))
}

/// The own rate of an instrument of a slab, in ppm of notional for one interval.
///
/// `None` when the bytes are no such instrument of this underlying with
/// intervals of this length, nobody touched it for an interval, or its premium
/// was sampled for less than half of one.
pub fn local_rate_ppm(
    data: &[u8],
    instrument: u8,
    underlying_id: u64,
    interval_slots: u32,
    slot: Slot,
) -> Option<i32> {
    let found: &Instrument = item_at(data, PoolId::Instruments, u32::from(instrument) + 1)?;
    let elapsed = slot.0.checked_sub(found.funding_start.0)?;
    let fits = terms_of(data, instrument) == Some((underlying_id, interval_slots))
        && interval_slots != 0
        && found.index.0 != 0
        && u64::from(elapsed) < 2 * u64::from(interval_slots);
    if !fits {
        return None;
    }
    // What the running interval has not sampled comes from the one before.
    let missing = interval_slots.saturating_sub(found.premium_weight);
    let before = found.premium_before_weight.min(missing);
    let weight = u64::from(found.premium_weight) + u64::from(before);
    if 2 * weight < u64::from(interval_slots) {
        return None;
    }
    // Sums are below 2^63 and weights and index below 2^33, whatever a slab
    // shows: at most 2^116 above and 2^97 below the line.
    let whole = i128::from(found.premium_before_weight.max(1));
    let sum = i128::from(found.premium_sum) * whole
        + i128::from(found.premium_before) * i128::from(before);
    let slots = whole.unsigned_abs() * u128::from(weight) * u128::from(found.index.0);
    let size = sum.unsigned_abs() * u128::from(PPM_ONE) / slots;
    let most = found.rules.funding_max.0.min(GRID_RATE_MAX_PPM);
    let size = u32::try_from(size).map_or(most, |size| size.min(most)) as i32;
    Some(if sum < 0 { -size } else { size })
}

/// The rate that follows on `last_ppm`.
///
/// `None` unless at least half of all weight has a rate, and at least two slabs
/// with weight do.
pub fn next_rate_ppm(last_ppm: i32, ballots: &[Ballot]) -> Option<i32> {
    let (cap, all) = weigh(ballots.iter());
    let present = ballots.iter().filter(|ballot| ballot.rate_ppm.is_some());
    let heard: u128 = present.map(|ballot| ballot.capped(cap)).sum();
    if 2 * heard < all {
        return None;
    }
    let (low, high) = median_ppm(ballots)?;
    let step = GRID_STEP_MAX_PPM as i32;
    let target = last_ppm.min(high).max(low);
    Some(last_ppm + target.saturating_sub(last_ppm).clamp(-step, step))
}

impl Ballot {
    fn capped(&self, cap: u128) -> u128 {
        u128::from(self.weight).min(cap)
    }
}

/// Lower and upper median of the ballots that have a rate. `None` when fewer
/// than two of them have weight.
fn median_ppm(ballots: &[Ballot]) -> Option<(i32, i32)> {
    let present = || ballots.iter().filter(|ballot| ballot.rate_ppm.is_some());
    let (cap, all) = weigh(present());
    if all == 0 {
        return None;
    }
    let has_half = |counts: &dyn Fn(i32) -> bool| {
        let these = present().filter(|ballot| ballot.rate_ppm.is_some_and(counts));
        2 * these.map(|ballot| ballot.capped(cap)).sum::<u128>() >= all
    };
    // As few as a transaction shows: quadratic is quicker than sorting.
    let rates = || {
        let weighty = present().filter(|ballot| ballot.weight != 0);
        weighty.filter_map(|ballot| ballot.rate_ppm)
    };
    let low = rates().filter(|rate| has_half(&|one| one <= *rate)).min()?;
    let high = rates().filter(|rate| has_half(&|one| one >= *rate)).max()?;
    Some((low, high))
}

/// Most that one ballot weighs, which is what all others do together where it is
/// the largest; and what all weigh then.
fn weigh<'a>(ballots: impl Iterator<Item = &'a Ballot>) -> (u128, u128) {
    let (mut largest, mut all) = (0u128, 0u128);
    for ballot in ballots {
        largest = largest.max(ballot.weight.into());
        all += u128::from(ballot.weight);
    }
    let others = all - largest;
    if largest > others {
        (others, 2 * others)
    } else {
        (largest, all)
    }
}
