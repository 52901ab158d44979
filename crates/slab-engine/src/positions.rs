//! Positions: open, increase, reduce, flip.
//!
//! A position stores what its lots cost rather than an entry price, so nothing
//! is rounded when it grows. When it shrinks, the cost that leaves with the
//! closed lots is rounded against the holder; what is rounded stays in the
//! cost of the lots that remain. For every fill
//! `change of cash - change of cost = -signed notional`, exactly.

use crate::layout::Position;
use flagstone_units::{Side, SignedLots, share_floor};

/// A position after a fill, and what the fill realised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The position afterwards; open orders are untouched.
    pub position: Position,
    /// Realised profit or loss, in atoms.
    pub realised_atoms: i64,
}

impl Position {
    /// The position after trading `lots` for `notional_atoms` on `side`.
    #[inline(always)]
    pub fn trade(&self, side: Side, lots: u32, notional_atoms: u64) -> Change {
        let delta = side.signed(i64::from(lots));
        let before = i64::from(self.lots.0);
        let mut position = *self;
        position.lots = SignedLots((before + delta) as i32);
        if before == 0 || (before > 0) == (delta > 0) {
            position.cost_atoms += side.signed(notional_atoms as i64);
            return Change {
                position,
                realised_atoms: 0,
            };
        }
        let held = self.lots.magnitude();
        if lots <= held {
            // Reduce, or close.
            let cost = share_ceil(self.cost_atoms, lots, held);
            position.cost_atoms -= cost;
            let realised_atoms = -side.signed(notional_atoms as i64) - cost;
            Change {
                position,
                realised_atoms,
            }
        } else {
            // Flip: everything closes at the pro-rata price of the fill, the
            // rest opens at what is left of the notional.
            let notional = notional_atoms as i64;
            let closing = match side {
                Side::Bid => share_ceil(notional, held, lots),
                Side::Ask => share_floor(notional, held, lots),
            };
            let realised_atoms = -side.signed(closing) - self.cost_atoms;
            position.cost_atoms = side.signed(notional - closing);
            Change {
                position,
                realised_atoms,
            }
        }
    }
}

impl Position {
    /// Whether this position is `before` made strictly smaller. A flip is not,
    /// however little it leaves on the other side.
    #[inline(always)]
    pub const fn reduces(&self, before: &Self) -> bool {
        let same_direction = self.lots.0 == 0 || (self.lots.0 > 0) == (before.lots.0 > 0);
        same_direction && self.lots.magnitude() < before.lots.magnitude()
    }
}

/// `value * part / whole` for `part <= whole`, rounded up.
#[inline(always)]
fn share_ceil(value: i64, part: u32, whole: u32) -> i64 {
    if part == whole {
        value
    } else {
        -share_floor(-value, part, whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(lots: i32, cost_atoms: i64) -> Position {
        Position {
            lots: SignedLots(lots),
            cost_atoms,
            ..Position::default()
        }
    }

    #[test]
    fn s10_the_four_cases() {
        // open, increase
        let opened = at(0, 0).trade(Side::Bid, 10, 1_000);
        assert_eq!((opened.position, opened.realised_atoms), (at(10, 1_000), 0));
        let grown = opened.position.trade(Side::Bid, 5, 600);
        assert_eq!((grown.position, grown.realised_atoms), (at(15, 1_600), 0));
        // partial close of a long at a profit: the entry price stays
        let reduced = at(10, 1_000).trade(Side::Ask, 4, 800);
        assert_eq!(
            (reduced.position, reduced.realised_atoms),
            (at(6, 600), 400)
        );
        // close of a short at a loss
        let closed = at(-10, -1_000).trade(Side::Bid, 10, 1_300);
        assert_eq!((closed.position, closed.realised_atoms), (at(0, 0), -300));
        // flip of a long
        let flipped = at(10, 1_000).trade(Side::Ask, 15, 1_800);
        assert_eq!(
            (flipped.position, flipped.realised_atoms),
            (at(-5, -600), 200)
        );
    }

    #[test]
    fn s10_a_partial_close_rounds_against_the_holder() {
        // A third of a cost of 100 is 33.3: a long keeps 66, a short keeps 67.
        assert_eq!(at(3, 100).trade(Side::Ask, 1, 33).realised_atoms, -1);
        assert_eq!(at(-3, -100).trade(Side::Bid, 1, 33).realised_atoms, 0);
        assert_eq!(
            at(-3, -100).trade(Side::Bid, 1, 33).position.cost_atoms,
            -67
        );
    }

    proptest! {
        #[test]
        fn s10_cash_and_cost_conserve_value(
            lots in -1_000_000i32..1_000_000,
            entry in 1u32..10_000_000,
            fill in 1u32..2_000_000,
            price in 1u32..10_000_000,
            buy: bool,
        ) {
            let side = if buy { Side::Bid } else { Side::Ask };
            let before = at(lots, i64::from(lots) * i64::from(entry));
            let notional = u64::from(fill) * u64::from(price);
            let change = before.trade(side, fill, notional);
            let cost_change = change.position.cost_atoms - before.cost_atoms;
            prop_assert_eq!(change.realised_atoms - cost_change, -side.signed(notional as i64));
            prop_assert_eq!(i64::from(change.position.lots.0), i64::from(lots) + side.signed(i64::from(fill)));
            if change.position.lots.0 == 0 {
                prop_assert_eq!(change.position.cost_atoms, 0);
            }
        }
    }
}
