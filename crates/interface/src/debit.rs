//! What may be debited from a user's pledge: the one guard of that money.
//!
//! A slab charges a hold at commit, and the Router books the charge later. Both
//! ask [`Bounds::limit`] how much it may be; the slab first establishes through
//! [`Pledge`] whose money it is and which capability pays.
//!
//! The arithmetic is generic over the width of the amounts, so that the code
//! that runs is also the code whose every case is tried on narrow numbers
//! (`tests` below, property P7).

use crate::Key;
use crate::router::{Cap, Escrow, cap_state};
use crate::slab::{Reservation, SlabAccount};
use flagstone_units::Slot;

/// An unsigned amount of money, of any width.
pub trait Amount: Copy + Ord {
    /// The difference; `None` when it would be below zero.
    fn less(self, other: Self) -> Option<Self>;
    /// The difference, not below zero.
    fn less_floored(self, other: Self) -> Self;
}

macro_rules! amount {
    ($($width:ty),*) => {$(
        impl Amount for $width {
            #[inline(always)]
            fn less(self, other: Self) -> Option<Self> {
                self.checked_sub(other)
            }
            #[inline(always)]
            fn less_floored(self, other: Self) -> Self {
                self.saturating_sub(other)
            }
        }
    )*};
}
amount!(u8, u64);

/// Everything that bounds one charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds<N = u64> {
    /// Most that the hold may charge, as its owner let it be opened.
    pub hold: N,
    /// What is left of the hold's capability.
    pub capability: N,
    /// Balance of the escrow.
    pub balance: N,
    /// Charges ever made.
    pub debited_total: N,
    /// Charges that the balance no longer contains.
    pub debited_seen: N,
}

impl<N: Amount> Bounds<N> {
    /// The most that may be charged: within hold and capability, and within what
    /// the balance covers beside the charges that are not booked yet. `None`
    /// when the counters run backwards: then nothing may be.
    #[inline(always)]
    pub fn limit(&self) -> Option<N> {
        let unbooked = self.debited_total.less(self.debited_seen)?;
        let covered = self.balance.less_floored(unbooked);
        Some(self.hold.min(self.capability).min(covered))
    }
}

/// Why nothing may be debited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The capability is not live, has expired, or is another hold's.
    NoCap,
    /// More was booked than was ever charged.
    CounterBackwards,
}

/// An escrow and the slab account that it is bound to, both ways: the money of
/// one user, at one slab, in one mint.
#[derive(Clone, Copy, Debug)]
pub struct Pledge<'e> {
    escrow: &'e Escrow,
    debited_total_atoms: u64,
}

impl<'e> Pledge<'e> {
    /// The pledge of the account at `index`; `None` unless the account and the
    /// escrow at `key` name each other. Whoever reads the escrow has checked that
    /// it is the Router's, of this slab and of its mint.
    #[inline(always)]
    pub fn of(index: u32, account: &SlabAccount, key: &Key, escrow: &'e Escrow) -> Option<Self> {
        account.is_bound(index, key, escrow).then_some(Self {
            escrow,
            debited_total_atoms: account.debited_total_atoms,
        })
    }

    /// Most that commit may charge for the hold at `index`, paid by capability
    /// number `cap`, in atoms.
    ///
    /// # Errors
    /// [`Refusal`].
    #[inline(always)]
    pub fn limit(
        &self,
        (index, hold): (u32, &Reservation),
        cap: u8,
        slot: Slot,
    ) -> Result<u64, Refusal> {
        let pays = |cap: &&Cap| {
            cap.state == cap_state::LIVE
                && cap.hold == index
                && cap.hold_generation == hold.generation
                && cap.route_id == hold.route_id
                && slot <= cap.expiry_slot
        };
        let cap = self.escrow.caps.get(cap as usize).filter(pays);
        let bounds = Bounds {
            hold: hold.max_charge_atoms,
            capability: cap.ok_or(Refusal::NoCap)?.remaining_atoms,
            balance: self.escrow.balance_atoms,
            debited_total: self.debited_total_atoms,
            debited_seen: self.escrow.debited_seen_atoms,
        };
        bounds.limit().ok_or(Refusal::CounterBackwards)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule, in numbers wider than any that is tried.
    fn allows(bounds: &Bounds<u8>, charge: u8) -> bool {
        let wide = i32::from;
        let unbooked = wide(bounds.debited_total) - wide(bounds.debited_seen);
        unbooked >= 0
            && charge <= bounds.hold
            && charge <= bounds.capability
            && wide(charge) + unbooked <= wide(bounds.balance).max(unbooked)
    }

    fn agrees(bounds: &Bounds<u8>, charges: core::ops::RangeInclusive<u8>) {
        let limit = bounds.limit();
        for charge in charges {
            let within = limit.is_some_and(|limit| charge <= limit);
            assert_eq!(within, allows(bounds, charge), "{charge} of {bounds:?}");
        }
    }

    /// Every charge against every five bounds of four bits: the code that
    /// programs run, on other numbers.
    #[test]
    fn p7_no_charge_beyond_a_bound_by_exhaustion() {
        for number in 0..1u32 << 20 {
            let digit = |place: u32| (number >> (4 * place) & 15) as u8;
            let bounds = Bounds {
                hold: digit(0),
                capability: digit(1),
                balance: digit(2),
                debited_total: digit(3),
                debited_seen: digit(4),
            };
            agrees(&bounds, 0..=15);
        }
    }

    /// What the balance covers, over all eight bits: no narrower number hides an
    /// overflow at the end of the width.
    #[test]
    fn p7_what_is_not_booked_stays_covered_at_the_ends_of_the_width() {
        for number in 0..1u32 << 24 {
            let byte = |place: u32| (number >> (8 * place)) as u8;
            let bounds = Bounds {
                hold: u8::MAX,
                capability: u8::MAX,
                balance: byte(0),
                debited_total: byte(1),
                debited_seen: byte(2),
            };
            let unbooked = i32::from(bounds.debited_total) - i32::from(bounds.debited_seen);
            let covered = i32::from(bounds.balance) - unbooked;
            let expected = (unbooked >= 0).then_some(covered.max(0) as u8);
            assert_eq!(bounds.limit(), expected, "{bounds:?}");
        }
    }

    /// At full width: around the ends of the field and around each other.
    #[test]
    fn p7_no_bound_gives_way_at_full_width() {
        let mut state = 7u64;
        let mut word = || {
            // SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^ (word >> 31)
        };
        let (mut allowed, mut refused) = (0, 0);
        for _ in 0..200_000 {
            let near = word() >> (word() % 64);
            let mut amount = || match word() % 6 {
                0 => near,
                1 => near.saturating_sub(word() % 3),
                2 => near.saturating_add(word() % 3),
                3 => u64::MAX - word() % 3,
                4 => word() % 3,
                _ => word(),
            };
            let bounds = Bounds {
                hold: amount(),
                capability: amount(),
                balance: amount(),
                debited_total: amount(),
                debited_seen: amount(),
            };
            let charge = amount();
            let unbooked = i128::from(bounds.debited_total) - i128::from(bounds.debited_seen);
            let covered = (i128::from(bounds.balance) - unbooked).max(0);
            let expected = unbooked >= 0
                && charge <= bounds.hold
                && charge <= bounds.capability
                && i128::from(charge) <= covered;
            let within = bounds.limit().is_some_and(|limit| charge <= limit);
            assert_eq!(within, expected, "{charge} of {bounds:?}");
            match within {
                true => allowed += 1,
                false => refused += 1,
            }
        }
        assert!(allowed > 10_000 && refused > 10_000, "{allowed} {refused}");
    }
}
