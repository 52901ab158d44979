//! Update lots against a model that counts atoms one by one.

use crate::IndexError;
use crate::amounts::Atoms;
use crate::updates::{UPDATES, Updates};
use bytemuck::Zeroable;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Op {
    Push(u64),
    Reduce(u64, bool),
    Engage(u64),
    Charge(u64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        (1u64..30).prop_map(Op::Push),
        (1u64..40, any::<bool>()).prop_map(|(amount, flip)| Op::Reduce(amount, flip)),
        (1u64..30).prop_map(Op::Engage),
        (1u64..10).prop_map(Op::Charge),
    ];
    prop::collection::vec(op, 1..60)
}

/// Each atom: the push that it came from, and whether it is engaged. Oldest first.
#[derive(Default)]
struct Model {
    atoms: Vec<(u64, bool)>,
}

impl Model {
    fn free(&self) -> usize {
        self.atoms.iter().filter(|atom| !atom.1).count()
    }
    fn lots(&self) -> Vec<(u64, u64, u64)> {
        let mut lots: Vec<(u64, u64, u64)> = Vec::new();
        for (push, engaged) in &self.atoms {
            if lots.last().is_none_or(|lot| lot.0 != *push) {
                lots.push((*push, 0, 0));
            }
            let lot = lots.last_mut().unwrap();
            if *engaged { lot.2 += 1 } else { lot.1 += 1 }
        }
        lots
    }
}

proptest! {
    #[test]
    fn update_lots_follow_the_model(ops in ops()) {
        let (mut updates, mut model) = (Updates::zeroed(), Model::default());
        for (at, op) in ops.into_iter().enumerate() {
            let sequence = at as u64 + 1;
            match op {
                Op::Push(amount) => {
                    let full = updates.open().len() == UPDATES;
                    let done = updates.push(sequence, Atoms(amount));
                    prop_assert_eq!(done, if full { Err(IndexError::UpdatesFull) } else { Ok(()) });
                    if !full {
                        model.atoms.extend((0..amount).map(|_| (sequence, false)));
                    }
                }
                Op::Reduce(amount, flip) => {
                    let done = updates.reduce(sequence, Atoms(amount), flip).unwrap();
                    let mut removed = 0;
                    while removed < amount {
                        let Some(newest) = model.atoms.iter().rposition(|atom| !atom.1) else { break };
                        model.atoms.remove(newest);
                        removed += 1;
                    }
                    let flips = flip && model.atoms.is_empty();
                    let flipped = if flips { amount - removed } else { 0 };
                    model.atoms.extend((0..flipped).map(|_| (sequence, false)));
                    prop_assert_eq!((done.removed.0, done.flipped.0), (removed, flipped));
                }
                Op::Engage(amount) | Op::Charge(amount) => {
                    let engage = matches!(op, Op::Engage(_));
                    let enough = model.free() as u64 >= amount;
                    let done = if engage {
                        updates.engage_oldest(Atoms(amount))
                    } else {
                        updates.charge_oldest(Atoms(amount))
                    };
                    prop_assert_eq!(done.is_ok(), enough);
                    for _ in 0..if enough { amount } else { 0 } {
                        let oldest = model.atoms.iter().position(|atom| !atom.1).unwrap();
                        if engage { model.atoms[oldest].1 = true } else { model.atoms.remove(oldest); }
                    }
                }
            }
            let lots: Vec<_> = updates.open().iter().map(|l| (l.sequence, l.remaining.0, l.engaged.0)).collect();
            prop_assert_eq!(lots, model.lots());
            prop_assert_eq!(updates.remaining().unwrap().0, model.free() as u64);
        }
    }
}
