//! The legs that a change of weights makes.

use flagstone_kernels::index::Constituent;
use flagstone_kernels::market::Place;
use flagstone_kernels::rebalance::{Leg, Reweighting, retarget, reweight, widen};
use flagstone_kernels::{Amount, KernelError, Label, Stable};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn place(slot: u16) -> Place {
    Place::new(Label::new(1_000 + u128::from(slot)), slot)
}

/// An index of the slots that are set, with weights that follow from them.
fn index(slots: &BTreeMap<u16, u64>) -> Vec<Constituent> {
    let constituent = |(slot, weight): (&u16, &u64)| {
        let weight = Amount::new(u128::from(*weight) + 1);
        Constituent::new(place(*slot), weight).expect("a weight")
    };
    slots.iter().map(constituent).collect()
}

fn slots() -> impl Strategy<Value = BTreeMap<u16, u64>> {
    prop::collection::btree_map(0..48u16, any::<u64>(), 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn k5_legs_are_those_of_both_indices_and_of_what_is_pending(
        old in slots(), new in slots(), pending in slots(),
        outstanding in 0..1u128 << 80, room in 0..64usize,
    ) {
        let (old, new) = (index(&old), index(&new));
        let leg = |(slot, long): (&u16, &u64)| Leg {
            place: place(*slot),
            // Every fourth has nothing left.
            long: Amount::new(if long % 4 == 0 { 0 } else { u128::from(*long) }),
            short: Amount::ZERO,
        };
        let before: Vec<Leg> = pending.iter().map(leg).collect();
        let mut expected: BTreeMap<u16, (Leg, Reweighting)> = BTreeMap::new();
        let fresh = |place: Place| (Leg { place, ..Leg::default() }, Reweighting::default());
        for leg in before.iter().filter(|leg| leg.long > Amount::ZERO) {
            expected.insert(leg.place.slot, (*leg, Reweighting::default()));
        }
        for one in &old {
            expected.entry(one.place.slot).or_insert_with(|| fresh(one.place)).1.old = one.weight;
        }
        for one in &new {
            expected.entry(one.place.slot).or_insert_with(|| fresh(one.place)).1.new = one.weight;
        }
        let mut legs = before.clone();
        legs.resize(before.len().max(room), Leg::default());
        let room = legs.len();
        let widened = widen(&mut legs, before.len(), [&old, &new]);
        if expected.len() > room {
            prop_assert_eq!(widened, Err(KernelError::MarketFull));
            return Ok(());
        }
        prop_assert_eq!(widened, Ok(expected.len()));
        let (mut all, weights): (Vec<Leg>, Vec<Reweighting>) = expected.into_values().unzip();
        let legs = &mut legs[..all.len()];
        prop_assert_eq!(&*legs, &all[..]);
        let outstanding = Amount::new(outstanding);
        reweight::<Stable>(legs, [&old, &new], outstanding).expect("small numbers");
        retarget::<Stable>(&mut all, &weights, outstanding).expect("small numbers");
        prop_assert_eq!(&*legs, &all[..]);
    }
}

#[test]
fn k8_legs_of_one_slot_and_two_names_are_refused() {
    let one = |label: u128| {
        let place = Place::new(Label::new(label), 3);
        Constituent::new(place, Amount::ONE).expect("a weight")
    };
    let mut legs = [Leg::default(); 4];
    let mismatch = Err(KernelError::LabelMismatch);
    assert_eq!(widen(&mut legs, 0, [&[one(1)], &[one(2)]]), mismatch);
    assert_eq!(widen(&mut legs, 0, [&[one(1)], &[one(1)]]), Ok(1));
    legs[0].long = Amount::ONE;
    assert_eq!(widen(&mut legs, 1, [&[one(2)], &[one(2)]]), mismatch);
    assert_eq!(
        widen(&mut legs, 5, [&[], &[]]),
        Err(KernelError::LengthMismatch)
    );
    // Weights of an asset that has no leg would be lost.
    let missing = reweight::<Stable>(&mut [], [&[one(1)], &[]], Amount::ONE);
    assert_eq!(missing, Err(KernelError::LengthMismatch));
}
