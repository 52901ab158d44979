//! The shared funding rate against a model that counts out every atom of weight.
#![allow(missing_docs, reason = "tests")]

use bytemuck::Zeroable;
use flagstone_interface::grid::{GRID_RATE_MAX_PPM, GRID_STEP_MAX_PPM};
use flagstone_interface::slab::status;
use flagstone_margin::grid::{Ballot, local_rate_ppm, next_rate_ppm, terms_of};
use flagstone_slab_engine::layout::Instrument;
use flagstone_slab_engine::{Capacities, Slab};
use flagstone_units::{Ppm, Slot, Ticks};
use proptest::prelude::*;

const UNDERLYING: u64 = 42;
const INTERVAL: u32 = 40;
const START: u32 = 1_000;

fn ballot() -> impl Strategy<Value = Ballot> {
    (0u64..25, proptest::option::weighted(0.8, -500i32..500))
        .prop_map(|(weight, rate_ppm)| Ballot { weight, rate_ppm })
}

/// The largest cut to what the others have, in whole atoms.
fn cut(mut ballots: Vec<Ballot>) -> Vec<Ballot> {
    for at in 0..ballots.len() {
        let others: u64 = (0..ballots.len())
            .filter(|other| *other != at)
            .map(|other| ballots[other].weight)
            .sum();
        if ballots[at].weight > others {
            ballots[at].weight = others;
            break;
        }
    }
    ballots
}

/// Every atom of weight is a voter with one voice.
fn model(last: i32, ballots: &[Ballot]) -> Option<i32> {
    let everybody = cut(ballots.to_vec());
    let all: u64 = everybody.iter().map(|one| one.weight).sum();
    let heard: u64 = everybody
        .iter()
        .filter(|one| one.rate_ppm.is_some())
        .map(|one| one.weight)
        .sum();
    if 2 * heard < all {
        return None;
    }
    let present = ballots.iter().filter(|one| one.rate_ppm.is_some());
    let mut voices: Vec<i32> = cut(present.copied().collect())
        .iter()
        .flat_map(|one| vec![one.rate_ppm.expect("present"); one.weight as usize])
        .collect();
    voices.sort_unstable();
    let count = voices.len();
    if count == 0 {
        return None;
    }
    let (low, high) = (voices[(count - 1) / 2], voices[count / 2]);
    let target = last.clamp(low, high);
    let step = GRID_STEP_MAX_PPM as i32;
    Some(target.clamp(last - step, last + step))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn t8_the_shared_rate_is_the_median_of_every_atom_of_backing(
        last in -600i32..600,
        ballots in proptest::collection::vec(ballot(), 0..6),
    ) {
        prop_assert_eq!(next_rate_ppm(last, &ballots), model(last, &ballots));
    }

    #[test]
    fn t8_no_slab_alone_moves_the_shared_rate_beyond_the_others(
        last in -600i32..600,
        mut ballots in proptest::collection::vec(ballot(), 2..6),
        (weight, rate) in (0u64..1 << 60, -50_000i32..50_000),
    ) {
        ballots[0] = Ballot { weight, rate_ppm: Some(rate) };
        if let Some(next) = next_rate_ppm(last, &ballots) {
            let others = || ballots[1..].iter().filter(|one| one.weight != 0).filter_map(|one| one.rate_ppm);
            let low = others().min().expect("another vote").min(last);
            let high = others().max().expect("another vote").max(last);
            prop_assert!((low..=high).contains(&next), "{} is not within {}..{}", next, low, high);
        }
    }

    #[test]
    fn t8_the_order_of_the_votes_is_nothing(
        last in -600i32..600,
        ballots in proptest::collection::vec(ballot(), 0..6),
        turn in 0usize..6,
    ) {
        let mut other = ballots.clone();
        other.reverse();
        let length = other.len().max(1);
        other.rotate_left(turn % length);
        prop_assert_eq!(next_rate_ppm(last, &ballots), next_rate_ppm(last, &other));
    }

    #[test]
    fn t8_whatever_a_slab_shows_its_rate_is_bounded(
        sums in (any::<i64>(), any::<i64>()),
        weights in (any::<u32>(), any::<u32>()),
        (index, start, most) in (any::<u32>(), any::<u32>(), any::<u32>()),
        (interval, now) in (any::<u32>(), any::<u32>()),
    ) {
        let bytes = slab_with(|instrument| {
            (instrument.premium_sum, instrument.premium_before) = sums;
            (instrument.premium_weight, instrument.premium_before_weight) = weights;
            (instrument.index, instrument.funding_start) = (Ticks(index), Slot(start));
            instrument.rules.funding_slots = Slot(interval);
            instrument.rules.funding_max = Ppm(most);
        });
        if let Some(rate) = rate_in(&bytes, interval, now) {
            prop_assert!(rate.unsigned_abs() <= GRID_RATE_MAX_PPM.min(most));
        }
    }

    #[test]
    fn t8_a_slabs_rate_is_its_premium_over_the_last_interval(
        before in proptest::collection::vec(-300i64..300, INTERVAL as usize),
        running in proptest::collection::vec(-300i64..300, 0..INTERVAL as usize),
    ) {
        // A premium for each slot; the window holds as many slots as an interval.
        // What the interval before gives is its average, for the slots missing.
        let bytes = slab_with(|instrument| {
            instrument.premium_before = before.iter().sum();
            instrument.premium_before_weight = INTERVAL;
            instrument.premium_sum = running.iter().sum();
            instrument.premium_weight = running.len() as u32;
        });
        let length = i128::from(INTERVAL);
        let missing = length - running.len() as i128;
        let sum = i128::from(running.iter().sum::<i64>()) * length
            + i128::from(before.iter().sum::<i64>()) * missing;
        let exact = sum * 1_000_000 / (length * length * 10_000);
        let found = rate_in(&bytes, INTERVAL, START + running.len() as u32);
        prop_assert_eq!(found.map(i128::from), Some(exact));
    }
}

/// A slab with one instrument, index 10,000, that was sampled for nothing yet.
fn slab_with(change: impl FnOnce(&mut Instrument)) -> Vec<u64> {
    let items = [4, 8, 8, 8, 8, 8, 8, 8, 8, 8];
    let capacities = Capacities { items };
    let mut words = vec![0u64; capacities.layout_bytes().div_ceil(8) as usize];
    let bytes = bytemuck::cast_slice_mut(&mut words);
    Slab::initialize(bytes, &capacities).unwrap();
    let mut instrument = Instrument::zeroed();
    instrument.status = status::ACTIVE;
    instrument.underlying_id = UNDERLYING;
    instrument.index = Ticks(10_000);
    instrument.funding_start = Slot(START);
    instrument.rules.funding_slots = Slot(INTERVAL);
    instrument.rules.funding_max = Ppm(50_000);
    change(&mut instrument);
    Slab::open(bytes).unwrap().instruments[1] = instrument;
    words
}

fn rate_in(slab: &[u64], interval: u32, now: u32) -> Option<i32> {
    local_rate_ppm(
        bytemuck::cast_slice(slab),
        1,
        UNDERLYING,
        interval,
        Slot(now),
    )
}

/// Sampled for a whole interval, 30 ticks above the index.
fn sampled() -> Vec<u64> {
    slab_with(|instrument| {
        (instrument.premium_sum, instrument.premium_weight) = (30 * 40, 40);
    })
}

#[test]
fn t8_a_slab_without_a_rate_of_its_own_has_none() {
    let good = sampled();
    assert_eq!(rate_in(&good, INTERVAL, START + 40), Some(3_000));
    assert_eq!(
        terms_of(bytemuck::cast_slice(&good), 1),
        Some((UNDERLYING, INTERVAL))
    );
    // Another underlying, other intervals, no such instrument, no slab at all.
    let bytes = bytemuck::cast_slice(&good);
    let of = |instrument, underlying, interval| {
        local_rate_ppm(bytes, instrument, underlying, interval, Slot(START + 40))
    };
    assert_eq!(of(1, UNDERLYING + 1, INTERVAL), None);
    assert_eq!(of(1, UNDERLYING, INTERVAL + 1), None);
    for instrument in [0, 2, 4, 255] {
        assert_eq!(of(instrument, UNDERLYING, INTERVAL), None);
    }
    assert_eq!(
        local_rate_ppm(&[0; 64], 1, UNDERLYING, INTERVAL, Slot(START)),
        None
    );
    // Nobody came by for an interval; the clock runs backwards.
    assert_eq!(rate_in(&good, INTERVAL, START + 79), Some(3_000));
    assert_eq!(rate_in(&good, INTERVAL, START + 80), None);
    assert_eq!(rate_in(&good, INTERVAL, START - 1), None);
    // Sampled for less than half an interval, with what was before.
    for (before, running, rate) in [(0, 19, None), (0, 20, Some(3_000)), (10, 10, Some(3_000))] {
        let thin = slab_with(|instrument| {
            (instrument.premium_sum, instrument.premium_weight) = (30 * running, running as u32);
            instrument.premium_before = 30 * before;
            instrument.premium_before_weight = before as u32;
        });
        assert_eq!(rate_in(&thin, INTERVAL, START + 40), rate);
    }
    // No index, no funding, and never more than the slab itself may take.
    assert_eq!(
        rate_in(&slab_with(|one| one.index = Ticks(0)), INTERVAL, START),
        None
    );
    let tight = slab_with(|instrument| {
        (instrument.premium_sum, instrument.premium_weight) = (-30 * 40, 40);
        instrument.rules.funding_max = Ppm(700);
    });
    assert_eq!(rate_in(&tight, INTERVAL, START + 40), Some(-700));
}

#[test]
fn t8_a_giant_and_a_dwarf_have_to_agree() {
    let vote = |weight, rate| Ballot {
        weight,
        rate_ppm: Some(rate),
    };
    let silent = |weight| Ballot {
        weight,
        rate_ppm: None,
    };
    // Whoever votes alone, however heavy, moves nothing.
    assert_eq!(next_rate_ppm(0, &[vote(1 << 60, 100)]), None);
    assert_eq!(next_rate_ppm(0, &[vote(1 << 60, 100), vote(0, 100)]), None);
    // As far as both agree, whichever of them is hostile.
    assert_eq!(
        next_rate_ppm(0, &[vote(1 << 60, 100), vote(1, 40)]),
        Some(40)
    );
    assert_eq!(
        next_rate_ppm(0, &[vote(1 << 60, -9_000), vote(1, 40)]),
        Some(0)
    );
    assert_eq!(next_rate_ppm(0, &[]), None);
    // Half of the weight has to speak; silence of the heaviest is half of it.
    let two = [vote(10, 80), vote(10, 60)];
    assert_eq!(
        next_rate_ppm(0, &[two[0], two[1], silent(1 << 60)]),
        Some(60)
    );
    assert_eq!(
        next_rate_ppm(0, &[vote(10, 80), silent(10), silent(10)]),
        None
    );
    // One step at most.
    assert_eq!(
        next_rate_ppm(0, &[vote(7, 40_000), vote(7, 40_000)]),
        Some(250)
    );
    assert_eq!(
        next_rate_ppm(0, &[vote(7, -40_000), vote(7, -40_000)]),
        Some(-250)
    );
}
