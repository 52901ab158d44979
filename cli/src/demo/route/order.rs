//! The taker's orders over both slabs, and the bytes of the whole chain.

use super::stage::{By, ERIN, NAMES, SLABS, Stage};
use crate::demo::story::{QUOTE, ticks};
use crate::table::grouped;
use anyhow::{Context, Result, ensure};
use flagstone_sdk::embedded::Session;
use flagstone_sdk::engine::holds::Reserve;
use flagstone_sdk::interface::event::{Event, Held, Traded};
use flagstone_sdk::route::{Route, RouteLeg};
use flagstone_sdk::slab::{self, HoldHandle};
use flagstone_sdk::units::{Lots, Side, Slot, Ticks};
use solana_account::{AccountSharedData, ReadableAccount};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_signer::Signer;
use std::collections::BTreeMap;

/// Most that a hold of the story may charge, in atoms.
const CHARGE_MAX: u64 = 100 * QUOTE;

/// Part of an order: lots on one slab up to a price, all of them or none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Which slab.
    pub(super) at: usize,
    /// Worst price.
    pub(super) limit: u32,
    /// Quantity.
    pub(super) lots: u32,
}

/// An order of the taker over both slabs.
pub(super) struct Order {
    /// The route.
    pub(super) route: Route,
    /// Its legs in the order of the parts.
    pub(super) legs: Vec<RouteLeg>,
}

/// Names of the instructions of a route of three, in order.
pub(super) const ALL: [&str; 11] = [
    "reserve",
    "reserve",
    "reserve",
    "open_route",
    "commit",
    "commit",
    "commit",
    "settle_route",
    "free_hold",
    "free_hold",
    "free_hold",
];

impl Stage {
    /// Makes a route of the taker that buys `parts` for at most `limit_atoms`
    /// together; its holds may be committed in `ttl` further slots.
    ///
    /// # Errors
    /// When a slab has no free hold or the parts are no route.
    pub(super) fn order(
        &self,
        route_id: u64,
        parts: &[Part],
        ttl: u32,
        limit_atoms: u64,
    ) -> Result<Order> {
        let erin = &self.people[ERIN];
        let mut holds = Vec::new();
        for seat in &erin.seats {
            let data = self.exchange.session.data(&seat.slab);
            holds.push(HoldHandle::upcoming(&data, parts.len()).context("no free hold")?);
        }
        let mut used = [0; SLABS];
        let legs: Vec<_> = parts
            .iter()
            .map(|part| {
                let nth = used[part.at];
                used[part.at] += 1;
                RouteLeg {
                    slab: erin.seats[part.at].slab,
                    reserve: Reserve {
                        account: erin.seats[part.at].account.into(),
                        instrument: 0,
                        side: Side::Bid,
                        limit: Ticks(part.limit),
                        lots: Lots(part.lots),
                        lots_min: Lots(part.lots),
                        ttl: Slot(ttl),
                        route_id,
                        commitment: [0; 32],
                    },
                    hold: holds[part.at][nth],
                    cap: nth as u8,
                    salt: None,
                    max_charge_atoms: CHARGE_MAX,
                }
            })
            .collect();
        let lots = parts.iter().map(|part| u64::from(part.lots)).sum();
        let (owner, trader) = (self.owner(ERIN), erin.member.trader.pubkey());
        let mint = self.exchange.mint;
        let route = Route::new(
            owner,
            trader,
            mint,
            route_id,
            lots,
            limit_atoms,
            legs.clone(),
        )?;
        Ok(Order { route, legs })
    }

    /// Commits single legs.
    pub(super) fn commits(&self, order: &Order, parts: &[usize]) -> Vec<Instruction> {
        let erin = &self.people[ERIN];
        let trader = erin.member.trader.pubkey();
        let commit = |part: &usize| {
            let leg = &order.legs[*part];
            let seat = erin.seats.iter().find(|seat| seat.slab == leg.slab);
            let escrow = seat.map_or(erin.member.escrow, |seat| seat.escrow);
            let account = leg.reserve.account as u16;
            slab::commit(
                &leg.slab, &trader, &escrow, account, leg.hold, leg.cap, None,
            )
        };
        parts.iter().map(commit).collect()
    }

    /// Frees the records of holds that were committed and booked.
    ///
    /// # Errors
    /// The failed transaction, or a record that stays.
    pub(super) fn free_holds(&mut self, order: &Order, parts: &[usize]) -> Result<()> {
        let seats = self.people[ERIN].seats;
        let free = parts.iter().filter_map(|part| {
            let leg = &order.legs[*part];
            let seat = seats.iter().find(|seat| seat.slab == leg.slab)?;
            Some(slab::free_hold(&seat.slab, &seat.escrow, leg.hold.index))
        });
        let free: Vec<_> = free.collect();
        let receipt = self.send(By::Anyone, &vec!["free_hold"; free.len()], &free)?;
        let freed = receipt.events.len();
        ensure!(freed == parts.len(), "the record of a hold was not freed");
        Ok(())
    }
}

/// The holds that a transaction made.
pub(super) fn helds(events: &[Event]) -> Vec<Held> {
    let held = events.iter().filter_map(|event| match event {
        Event::Held(held) => Some(*held),
        _ => None,
    });
    held.collect()
}

/// What a transaction traded: notional and fees in atoms.
pub(super) fn traded(events: &[Event]) -> (u64, i64) {
    let traded = events.iter().filter_map(|event| match event {
        Event::Traded(traded) => Some(totals(traded)),
        _ => None,
    });
    traded.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

/// Notional and fee of a trade in atoms.
pub(super) fn totals(traded: &Traded) -> (u64, i64) {
    (traded.notional_atoms, traded.fee_atoms)
}

/// Quantities and places of holds, in words.
pub(super) fn locked(helds: &[Held], parts: &[Part]) -> String {
    let words = helds.iter().zip(parts).map(|(held, part)| {
        let slices = held.slices.iter().take(held.slices_count as usize);
        let slices: Vec<_> = slices
            .map(|slice| format!("{} at {}", grouped(slice.lots), ticks(slice.ticks)))
            .collect();
        format!("{} on {}", slices.join(" and "), NAMES[part.at])
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Every account of the chain but the fee payer's, with owner, lamports and data.
pub(super) struct Bytes(BTreeMap<Address, AccountSharedData>);

impl Bytes {
    /// Takes a copy; data is shared, so that full slabs cost nothing.
    pub(super) fn of(session: &Session) -> Self {
        let accounts = session.svm.accounts_db().inner.iter();
        let others = accounts.filter(|(key, _)| **key != session.payer());
        Self(
            others
                .map(|(key, account)| (*key, account.clone()))
                .collect(),
        )
    }

    /// Accounts that are not the same in both.
    pub(super) fn differ(&self, other: &Self) -> usize {
        let gone = self.0.keys().filter(|key| !other.0.contains_key(*key));
        let changed = other
            .0
            .iter()
            .filter(|(key, account)| self.0.get(*key) != Some(*account));
        gone.count() + changed.count()
    }

    /// How many accounts, and how many bytes they hold, in words.
    pub(super) fn size(&self) -> String {
        let bytes: usize = self.0.values().map(|account| account.data().len()).sum();
        format!(
            "{} accounts of {} bytes",
            grouped(self.0.len() as u64),
            grouped(bytes as u64)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_that_differs_is_counted() {
        let account = |lamports, data: &[u8]| {
            let mut account = AccountSharedData::new(lamports, 0, &Address::default());
            account.set_data_from_slice(data);
            account
        };
        let bytes = |accounts: &[(u8, AccountSharedData)]| {
            let keyed = accounts.iter();
            Bytes(
                keyed
                    .map(|(key, account)| (Address::from([*key; 32]), account.clone()))
                    .collect(),
            )
        };
        let before = bytes(&[(1, account(1, &[1])), (2, account(1, &[]))]);
        let same = bytes(&[(1, account(1, &[1])), (2, account(1, &[]))]);
        assert_eq!(before.differ(&same), 0);
        let data = bytes(&[(1, account(1, &[2])), (2, account(1, &[]))]);
        assert_eq!(before.differ(&data), 1);
        let lamports = bytes(&[(1, account(1, &[1])), (2, account(2, &[]))]);
        assert_eq!(before.differ(&lamports), 1);
        let others = bytes(&[(1, account(1, &[1])), (3, account(1, &[]))]);
        assert_eq!(before.differ(&others), 2);
        assert_eq!(before.size(), "2 accounts of 1 bytes");
    }
}
