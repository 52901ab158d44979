//! What a commit may charge: at most what the hold was bounded by, what its
//! capability has left, and what the escrow holds beyond charges that are not
//! booked yet. By exhaustion at small amounts, at random over the whole width.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::market::Market;
use flagstone_e2e_tests::random::Random;
use flagstone_sdk::engine::commits::Commit;
use flagstone_sdk::engine::{Slab, SlabError};
use flagstone_sdk::interface::event::Traded;
use flagstone_sdk::interface::router::Escrow;
use flagstone_sdk::route::RouteLeg;
use flagstone_sdk::units::Slot;
use solana_signer::Signer;

/// Amounts that bound a charge.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    hold: u64,
    capability: u64,
    balance: u64,
    debited_total: u64,
    debited_seen: u64,
}

impl Bounds {
    /// The rule, in one line each.
    fn allow(&self, charge: u64) -> Result<(), SlabError> {
        if self.debited_seen > self.debited_total {
            return Err(SlabError::CounterBackwards);
        }
        let unbooked = self.debited_total - self.debited_seen;
        let least = self.hold.min(self.capability);
        // In wider numbers than the program has.
        let covered = i128::from(self.balance) - i128::from(unbooked);
        if i128::from(charge) <= i128::from(least).min(covered.max(0)) {
            Ok(())
        } else {
            Err(SlabError::ChargeTooLarge)
        }
    }
}

/// A hold with its capability, on the host.
struct Bench {
    bytes: Vec<u64>,
    escrow: Escrow,
    escrow_key: [u8; 32],
    trader: [u8; 32],
    leg: RouteLeg,
    slot: Slot,
}

impl Bench {
    fn new() -> Self {
        let mut market = Market::open(1);
        let route = market.reserve_and_open(10, 0);
        let data = market.exchange.session.data(&market.seats[0].slab);
        let mut bytes = vec![0u64; data.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut bytes)[..data.len()].copy_from_slice(&data);
        Self {
            bytes,
            escrow: market.escrow(0),
            escrow_key: market.seats[0].escrow.to_bytes(),
            trader: market.taker.trader.pubkey().to_bytes(),
            leg: route.legs()[0],
            slot: Slot(market.exchange.session.slot() as u32),
        }
    }

    /// Commits with these bounds and this much cash at the slab, on a copy;
    /// returns the charge.
    fn commit(&self, cash: i64, bounds: &Bounds) -> Result<u64, SlabError> {
        let mut bytes = self.bytes.clone();
        let mut slab = Slab::open(bytemuck::cast_slice_mut(&mut bytes))?;
        let (account, hold) = (self.leg.reserve.account, self.leg.hold.index);
        slab.accounts[account].cash_atoms = cash;
        slab.accounts[account].debited_total_atoms = bounds.debited_total;
        slab.reservations[hold].max_charge_atoms = bounds.hold;
        let mut escrow = self.escrow;
        escrow.balance_atoms = bounds.balance;
        escrow.debited_seen_atoms = bounds.debited_seen;
        escrow.caps[0].remaining_atoms = bounds.capability;
        let commit = Commit {
            account,
            hold,
            generation: self.leg.hold.generation,
            cap: 0,
            escrow_key: &self.escrow_key,
            escrow: &escrow,
            reveal: None,
        };
        let mut traded: Traded = bytemuck::Zeroable::zeroed();
        slab.commit(&self.trader, &commit, self.slot, &mut traded)?;
        let account = slab.accounts[account];
        let charge = account.debited_total_atoms - bounds.debited_total;
        let result = slab.reservations[hold].result().expect("a result");
        assert_eq!(result.charge_atoms, charge);
        assert_eq!(
            slab.reservations[hold].debited_after_atoms,
            account.debited_total_atoms
        );
        Ok(charge)
    }

    /// Cash at which the trade lacks exactly `charge`.
    fn cash_lacking(&self, charge: u64) -> i64 {
        let free = Bounds {
            hold: u64::MAX,
            capability: u64::MAX,
            balance: u64::MAX,
            debited_total: 0,
            debited_seen: 0,
        };
        let whole = self.commit(0, &free).expect("a charge");
        let cash = (whole - charge) as i64;
        assert_eq!(self.commit(cash, &free), Ok(charge));
        cash
    }

    /// Returns whether the commit went through.
    fn agrees(&self, charge: u64, cash: i64, bounds: &Bounds) -> bool {
        let expected = bounds.allow(charge).map(|()| charge);
        assert_eq!(self.commit(cash, bounds), expected, "{charge} {bounds:?}");
        expected.is_ok()
    }
}

#[test]
fn r6_a_charge_stays_within_every_bound_by_exhaustion() {
    let bench = Bench::new();
    let (mut went, mut stopped) = (0, 0);
    for charge in 0..=2 {
        let cash = bench.cash_lacking(charge);
        for number in 0..4u64.pow(4) * 2 {
            let digit = |place: u32| number / 4u64.pow(place) % 4;
            let bounds = Bounds {
                hold: digit(0),
                capability: digit(1),
                balance: digit(2),
                debited_total: digit(3),
                debited_seen: number / 256,
            };
            match bench.agrees(charge, cash, &bounds) {
                true => went += 1,
                false => stopped += 1,
            }
        }
    }
    assert!(went > 150 && stopped > 500, "{went} {stopped}");
}

#[test]
fn adv1_no_bound_gives_way_at_any_width() {
    let bench = Bench::new();
    let mut random = Random::new(11);
    let (mut went, mut stopped) = (0, 0);
    for _ in 0..4_000 {
        let charge = u64::from(random.below(100_000_000));
        let cash = bench.cash_lacking(charge);
        // Around the charge, around the ends of the field, anywhere.
        let mut amount = || match random.below(8) {
            0 => charge,
            1 => charge.saturating_sub(1),
            2 | 3 => charge + u64::from(random.below(3)),
            4 => u64::MAX - u64::from(random.below(2)),
            5 => random.word(),
            6 => 2 * charge,
            _ => u64::from(random.below(3)),
        };
        let bounds = Bounds {
            hold: amount(),
            capability: amount(),
            balance: amount(),
            // The counter itself has room for the charge.
            debited_total: amount().min(u64::MAX - charge),
            debited_seen: amount(),
        };
        match bench.agrees(charge, cash, &bounds) {
            true => went += 1,
            false => stopped += 1,
        }
    }
    assert!(went > 100 && stopped > 500, "{went} {stopped}");
}
