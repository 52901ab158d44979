//! What keeps a slab going and needs nobody's signature.
//!
//! | crank | due when |
//! |---|---|
//! | mark | the oracle has a newer price than the slab took |
//! | grid | an interval of the grid that lists the instrument has begun |
//! | funding | an interval is over and nobody has touched the instrument since, or the grid has a newer rate |
//! | batch | orders wait for a batch whose window has come |
//! | orders, holds | some have expired |
//! | sync | deposits or cover are not credited |
//! | settle | charges or releases are not booked, or a commit that charged nothing |
//! | refund | a capability has expired without a commit |
//! | free | the record of a commit is booked |
//! | fees | more than a threshold is due to insurance and the slab's LP |
//!
//! As all keepers it keeps no state: what is due follows from the accounts, so
//! a second keeper, or the same one after a crash, finds nothing to do where
//! the first was.

use crate::chain::{Chain, record};
use crate::snapshot::Snapshot;
use flagstone_sdk::engine::layout::{Instrument, Order};
use flagstone_sdk::engine::oracle::OraclePrice;
use flagstone_sdk::interface::grid::Grid;
use flagstone_sdk::interface::router::{
    CAPS_PER_ESCROW, Escrow, SlabEntry, SlabLedger, cap_state, slab_status,
};
use flagstone_sdk::interface::slab::{PoolId, Reservation, SlabAccount, account_flags, item_at};
use flagstone_sdk::units::Slot;
use flagstone_sdk::{address, router, slab};
use solana_address::Address;
use solana_instruction::Instruction;
use std::collections::BTreeMap;

/// Records that one sweep over expired orders or holds looks at.
const SWEEP_RECORDS: u32 = 128;

/// Accounts, holds and capabilities that one look serves, so that it ends.
const SENDS_MAX: usize = 64;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Crank {
    /// An instrument takes its oracle's price.
    Mark {
        /// Instrument number.
        instrument: u8,
    },
    /// The shared rate of the grid that lists an instrument is computed.
    Grid {
        /// Instrument number.
        instrument: u8,
    },
    /// An instrument begins a funding interval, or takes the shared rate.
    Funding {
        /// Instrument number.
        instrument: u8,
    },
    /// An instrument's pending orders come to rest.
    Batch {
        /// Instrument number.
        instrument: u8,
    },
    /// Orders leave that have expired.
    ExpireOrders {
        /// First record that is looked at.
        first: u32,
    },
    /// Holds end that have expired.
    ExpireHolds {
        /// First record that is looked at.
        first: u32,
    },
    /// An account is credited what the Router recorded.
    Sync {
        /// Slab account.
        account: u32,
    },
    /// The Router books what an account owes and is owed.
    Settle {
        /// Slab account.
        account: u32,
    },
    /// An expired capability gives back what it has left.
    Refund {
        /// Slab account.
        account: u32,
        /// Number of the capability record.
        cap: u8,
    },
    /// The record of a booked commit is freed.
    FreeHold {
        /// Hold index.
        hold: u32,
    },
    /// The Router books what the slab kept.
    CollectFees,
}

/// One transaction that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What it was for.
    pub crank: Crank,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// The cranks of one slab.
#[derive(Clone, Copy, Debug)]
pub struct Cranks {
    /// The slab.
    pub slab: Address,
    /// The quote mint.
    pub mint: Address,
    /// Fees and dues that are worth a transaction, in atoms.
    pub fees_min_atoms: u64,
}

/// What was read for one look.
struct Look<'a> {
    slab: &'a Snapshot,
    ledger: SlabLedger,
    slot: Slot,
    /// Open accounts with their escrows; another one comes first in every slot,
    /// so that nobody's business keeps the keeper from that of others.
    accounts: Vec<(u32, SlabAccount, Escrow)>,
}

impl Cranks {
    /// Looks once and sends what is due, in the order of [`Crank`]. What one of
    /// them makes due for another is found by the next look.
    pub fn step<C: Chain>(&self, chain: &mut C) -> Vec<Turn> {
        let due = self.due(chain);
        let send = |(crank, instruction): (Crank, Instruction)| Turn {
            crank,
            failure: chain
                .send(&[instruction])
                .err()
                .map(|failure| failure.to_string()),
        };
        due.into_iter().map(send).collect()
    }

    /// What is due now.
    pub fn due<C: Chain>(&self, chain: &C) -> Vec<(Crank, Instruction)> {
        let mut due = Vec::new();
        let Some(slab) = chain.data(&self.slab).as_deref().and_then(Snapshot::of) else {
            return due;
        };
        let Some(ledger) = record(chain, &address::slab_ledger(&self.slab, &self.mint)) else {
            return due;
        };
        let open = |(_, one): &(u32, &SlabAccount)| one.flags & account_flags::OPEN != 0;
        let accounts = slab.accounts().filter(open).filter_map(|(index, account)| {
            let escrow: Escrow = record(chain, &Address::from(account.escrow))?;
            let bound = account.is_bound(index, &account.escrow, &escrow);
            bound.then_some((index, *account, escrow))
        });
        let slot = Slot::from_clock(chain.slot());
        let mut accounts: Vec<_> = accounts.collect();
        if accounts.len() > SENDS_MAX {
            let first = slot.0 as usize % accounts.len();
            accounts.rotate_left(first);
        }
        let look = Look {
            slab: &slab,
            ledger,
            slot,
            accounts,
        };
        self.instruments(chain, &look, &mut due);
        self.expired(&look, &mut due);
        self.accounts(&look, &mut due);
        // What the Router does with a slab that it does not trust is nothing.
        let entry: Option<SlabEntry> = record(chain, &address::slab_entry(&self.slab));
        let trusted = [slab_status::ACTIVE, slab_status::DEAD];
        if entry.is_some_and(|entry| trusted.contains(&entry.status)) {
            self.bookings(&look, &mut due);
        }
        self.freed(&look, &mut due);
        due
    }

    fn instruments<C: Chain>(
        &self,
        chain: &C,
        look: &Look<'_>,
        due: &mut Vec<(Crank, Instruction)>,
    ) {
        let (at, slot) = (&self.slab, look.slot);
        let window = look.slab.header().batch_window(slot);
        for (number, instrument) in look.slab.instruments() {
            if instrument.has_oracle() {
                let oracle = Address::from(instrument.oracle);
                let price = chain.data(&oracle);
                let price = price.and_then(|data| OraclePrice::read(&data).ok());
                if price.is_some_and(|price| price.publish_time > instrument.index_time) {
                    let crank = Crank::Mark { instrument: number };
                    due.push((crank, slab::update_mark(at, &oracle, number)));
                }
            }
            self.funding(chain, slot, (number, instrument), due);
            let first: Option<&Order> =
                item_at(look.slab.bytes(), PoolId::Orders, instrument.pending[0]);
            let waits = first.zip(window);
            if waits.is_some_and(|(order, window)| order.batch_epoch <= window) {
                let crank = Crank::Batch { instrument: number };
                due.push((crank, slab::batch_open(at, number, 16)));
            }
        }
    }

    /// The shared rate of a grid that lists the instrument, once an interval of
    /// the grid, and taking it or the slab's own over, once an interval of the
    /// slab.
    fn funding<C: Chain>(
        &self,
        chain: &C,
        slot: Slot,
        (number, instrument): (u8, &Instrument),
        due: &mut Vec<(Crank, Instruction)>,
    ) {
        let interval = instrument.rules.funding_slots;
        if interval.0 == 0 {
            return;
        }
        let slab = self.slab.to_bytes();
        let key = address::grid(instrument.underlying_id, interval.0);
        let grid: Option<Grid> = record(chain, &key);
        let grid = grid.filter(|grid| {
            let mut listed = grid.listed().iter();
            listed.any(|one| one.slab == slab && one.instrument == number)
        });
        let mut newer = false;
        if let Some(grid) = &grid {
            let last = grid.shared.slot;
            newer = last > instrument.grid_slot;
            if last == Slot::ZERO || grid.interval_of(slot) > grid.interval_of(last) {
                let crank = Crank::Grid { instrument: number };
                due.push((crank, router::update_funding_grid(grid, &self.mint)));
            }
        }
        if newer || slot.saturating_sub(instrument.funding_start) >= interval {
            let crank = Crank::Funding { instrument: number };
            let grid = newer.then_some(&key);
            due.push((crank, slab::update_funding(&self.slab, number, grid)));
        }
    }

    /// Sweeps over records among which some have expired.
    fn expired(&self, look: &Look<'_>, due: &mut Vec<(Crank, Instruction)>) {
        let (data, slot) = (look.slab.bytes(), look.slot);
        let order = |index: u32| {
            let order: Option<&Order> = item_at(data, PoolId::Orders, index);
            order.is_some_and(|one| {
                one.is_live() && one.is_expired(slot) && one.reserved_lots.0 == 0
            })
        };
        let count = SWEEP_RECORDS as u16;
        for first in sweeps(look.used(PoolId::Orders), order) {
            let sweep = slab::expire_orders(&self.slab, first, count);
            due.push((Crank::ExpireOrders { first }, sweep));
        }
        let hold = |index: u32| {
            let hold: Option<&Reservation> = item_at(data, PoolId::Reservations, index);
            hold.is_some_and(|one| one.is_held() && slot > one.expiry_slot)
        };
        for first in sweeps(look.used(PoolId::Reservations), hold) {
            let sweep = slab::expire_holds(&self.slab, first, count);
            due.push((Crank::ExpireHolds { first }, sweep));
        }
    }

    fn accounts(&self, look: &Look<'_>, due: &mut Vec<(Crank, Instruction)>) {
        let waits = |(_, account, escrow): &&(u32, SlabAccount, Escrow)| {
            account.deposited_seen_atoms != escrow.deposited_total_atoms
                || account.covered_seen_atoms != escrow.covered_total_atoms
        };
        for (index, account, _) in look.accounts.iter().filter(waits).take(SENDS_MAX) {
            let escrow = Address::from(account.escrow);
            let sync = slab::sync(&self.slab, &escrow, *index as u16);
            due.push((Crank::Sync { account: *index }, sync));
        }
    }

    fn bookings(&self, look: &Look<'_>, due: &mut Vec<(Crank, Instruction)>) {
        let (at, mint) = (&self.slab, &self.mint);
        let settles = |(index, account, escrow): &&(u32, SlabAccount, Escrow)| {
            account.debited_total_atoms != escrow.debited_seen_atoms
                || (0..CAPS_PER_ESCROW).any(|cap| look.is_committed(escrow, cap))
                || look.is_payable(*index, account, escrow)
        };
        for (index, _, escrow) in look.accounts.iter().filter(settles).take(SENDS_MAX) {
            let settle = router::settle(&Address::from(escrow.owner), at, mint);
            due.push((Crank::Settle { account: *index }, settle));
        }
        for (index, _, escrow) in look.accounts.iter().take(SENDS_MAX) {
            for (cap, one) in escrow.caps.iter().enumerate() {
                let over = one.state == cap_state::LIVE && look.slot > one.expiry_slot;
                if over && !look.is_committed(escrow, cap) {
                    let (account, cap) = (*index, cap as u8);
                    let refund = router::refund(&Address::from(escrow.owner), at, mint, cap);
                    due.push((Crank::Refund { account, cap }, refund));
                }
            }
        }
        let header = look.slab.header();
        let ledger = &look.ledger;
        let due_total = header.insurance_due_total.get();
        let dues = due_total.saturating_sub(ledger.insurance_due_seen.get());
        let fees = match header.deficit_atoms {
            0 => header
                .fees_out_total
                .get()
                .saturating_sub(ledger.fees_seen.get()),
            // Fees wait for the users.
            _ => 0,
        };
        let worth = u128::from(self.fees_min_atoms.max(1));
        if dues + fees >= worth && ledger.backing_atoms > 0 {
            due.push((Crank::CollectFees, router::collect_fees(at, mint)));
        }
    }

    /// Records of commits that the Router has booked.
    fn freed(&self, look: &Look<'_>, due: &mut Vec<(Crank, Instruction)>) {
        let accounts: BTreeMap<u32, (&SlabAccount, &Escrow)> = look
            .accounts
            .iter()
            .map(|(at, account, escrow)| (*at, (account, escrow)))
            .collect();
        let holds = (1..=look.used(PoolId::Reservations)).filter_map(|index| {
            let hold: &Reservation = item_at(look.slab.bytes(), PoolId::Reservations, index)?;
            let (account, escrow) = accounts.get(&u32::from(hold.account))?;
            let live = |cap: usize| {
                let cap = &escrow.caps[cap];
                cap.state == cap_state::LIVE
                    && (cap.hold, cap.hold_generation) == (index, hold.generation)
            };
            let booked = escrow.debited_seen_atoms >= hold.debited_after_atoms;
            let over = hold.is_committed() && booked && !(0..CAPS_PER_ESCROW).any(live);
            over.then_some((index, Address::from(account.escrow)))
        });
        for (hold, escrow) in holds.take(SENDS_MAX) {
            let free = slab::free_hold(&self.slab, &escrow, hold);
            due.push((Crank::FreeHold { hold }, free));
        }
    }
}

impl Look<'_> {
    /// Records of a pool that were ever handed out.
    fn used(&self, pool: PoolId) -> u32 {
        self.slab.header().pool(pool).high_water
    }

    /// Whether the hold of a live capability was committed.
    fn is_committed(&self, escrow: &Escrow, cap: usize) -> bool {
        let cap = &escrow.caps[cap];
        let hold: Option<&Reservation> = item_at(self.slab.bytes(), PoolId::Reservations, cap.hold);
        cap.state == cap_state::LIVE
            && hold
                .is_some_and(|hold| hold.generation == cap.hold_generation && hold.is_committed())
    }

    /// Whether part of what an account released can be paid: there is backing
    /// for it, and under a limit it is its turn and there is room. What its
    /// owner funded of late is exempt from the limit, and left to the owner.
    fn is_payable(&self, index: u32, account: &SlabAccount, escrow: &Escrow) -> bool {
        let ledger = &self.ledger;
        let owed = account.released_total_atoms != escrow.released_seen_atoms;
        let waiting = ledger.waiting_count > 0;
        let first = &ledger.waiting[0];
        let turn = !waiting || (first.account, first.generation) == (index, account.generation);
        let limited = ledger.outflow.is_set() || waiting;
        let room = !limited || ledger.outflow.room_atoms(self.slot) > 0;
        owed && ledger.backing_atoms > 0 && turn && room
    }
}

/// Where sweeps have to start to meet every record for which `expired` holds.
fn sweeps(used: u32, expired: impl Fn(u32) -> bool) -> Vec<u32> {
    let mut starts: Vec<u32> = Vec::new();
    for index in 1..=used {
        let met = starts
            .last()
            .is_some_and(|first| index < first + SWEEP_RECORDS);
        if !met && starts.len() < SENDS_MAX && expired(index) {
            starts.push(index);
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_meet_every_expired_record_and_nothing_starts_in_vain() {
        let gone = [3, 100, 131, 400];
        let starts = sweeps(500, |index| gone.contains(&index));
        assert_eq!(starts, [3, 131, 400]);
        assert!(sweeps(500, |_| false).is_empty());
        assert_eq!(sweeps(u32::from(u16::MAX), |_| true).len(), SENDS_MAX);
    }
}
