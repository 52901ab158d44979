//! Positions, fees and margin in wide exact arithmetic.

use super::Reference;
use flagstone_units::{Side, SignedPpm};
use std::collections::BTreeMap;

/// A trading account.
#[derive(Clone, Debug, Default)]
pub struct Person {
    pub cash: i128,
    pub frozen: bool,
    /// Deposits credited and charges of commits, less what left or was lost.
    pub principal: i128,
    pub debited: i128,
    pub released: i128,
    /// When its profit was made, weighted by amount.
    pub profit_slot: u32,
    /// Market to lots and cost; an entry exists only while lots are held.
    pub positions: BTreeMap<usize, (i128, i128)>,
    /// What a lot had paid of funding when the account last did.
    pub funding_seen: BTreeMap<usize, i128>,
    /// Designated liquidity provider.
    pub designated: bool,
    pub dead_man: u32,
}

/// A position with the open orders that could change it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Holding {
    pub lots: i128,
    pub cost: i128,
    pub open: [i128; 2],
}

impl Holding {
    pub fn worst(&self) -> i128 {
        (self.lots + self.open[0]).max(self.open[1] - self.lots)
    }

    /// The holding after a fill, and the profit it realises. What is rounded
    /// is rounded against the holder.
    pub fn trade(&self, side: Side, lots: i128, notional: i128) -> (Self, i128) {
        let sign = if side == Side::Bid { 1 } else { -1 };
        let (mut after, held) = (*self, self.lots.abs());
        after.lots += sign * lots;
        if self.lots * sign >= 0 {
            after.cost += sign * notional;
            (after, 0)
        } else if lots <= held {
            let leaving = ceil_div(self.cost * lots, held);
            after.cost -= leaving;
            (after, -sign * notional - leaving)
        } else {
            // A buyer pays the larger share to close, a seller gets the smaller.
            let closing = match side {
                Side::Bid => ceil_div(notional * held, lots),
                Side::Ask => (notional * held).div_euclid(lots),
            };
            after.cost = sign * (notional - closing);
            (after, -sign * closing - self.cost)
        }
    }

    /// Lots by which trading on a side makes the holding smaller.
    pub fn reducible(&self, side: Side) -> i128 {
        match side {
            Side::Bid => (-self.lots).max(0),
            Side::Ask => self.lots.max(0),
        }
    }

    pub fn strictly_reduces(&self, before: &Self) -> bool {
        self.lots.abs() < before.lots.abs() && self.lots * before.lots >= 0
    }
}

pub fn ceil_div(value: i128, by: i128) -> i128 {
    -(-value).div_euclid(by)
}

pub fn ppm_ceil(amount: i128, ratio: u32) -> i128 {
    ceil_div(amount * i128::from(ratio), 1_000_000)
}

pub fn ppm_floor(amount: i128, ratio: u32) -> i128 {
    (amount * i128::from(ratio)).div_euclid(1_000_000)
}

/// Charges round up, rebates round down.
pub fn fee(notional: i128, rate: SignedPpm) -> i128 {
    ceil_div(notional * i128::from(rate.0), 1_000_000)
}

impl Reference {
    /// Rule T1: initial margin afterwards, or a strict reduction that leaves
    /// equity whole and its ratio to maintenance margin no lower.
    pub fn may_carry(
        &self,
        account: u32,
        market: usize,
        before: &Holding,
        after: &Holding,
        cash: i128,
    ) -> bool {
        let (equity, initial, maintenance) = self.health(account, cash, Some((market, *after)));
        let (equity_before, _, maintenance_before) = self.health(account, 0, None);
        equity >= initial
            || (after.strictly_reduces(before)
                && equity >= 0
                && equity * maintenance_before >= equity_before * maintenance)
    }

    /// Equity, initial and maintenance margin, with one holding replaced.
    pub fn health(
        &self,
        account: u32,
        cash: i128,
        replaced: Option<(usize, Holding)>,
    ) -> (i128, i128, i128) {
        let mut sums = (self.person(account).cash + cash - self.bonds(account), 0, 0);
        for (number, market) in self.markets.iter().enumerate() {
            let holding = match replaced {
                Some((place, holding)) if place == number => holding,
                _ => self.holding(account, number),
            };
            let unit = i128::from(market.mark) * i128::from(market.params.atoms_per_tick);
            sums.0 += holding.lots * unit - holding.cost;
            sums.0 -= self.owed(account, number, holding.lots);
            sums.1 += ppm_ceil(holding.worst() * unit, market.params.imr.0);
            sums.2 += ppm_ceil(holding.lots.abs() * unit, market.params.mmr.0);
        }
        sums
    }

    pub fn holding(&self, account: u32, market: usize) -> Holding {
        let (lots, cost) = self
            .person(account)
            .positions
            .get(&market)
            .copied()
            .unwrap_or_default();
        let stored = &self.markets[market];
        let open = [Side::Bid, Side::Ask].map(|side| {
            let queues = stored.sides[side.index()].values().flatten();
            let waiting = stored.pending.iter();
            let waiting = waiting.filter(|waiting| waiting.side == side);
            let orders = queues.chain(waiting.map(|waiting| &waiting.order));
            let own = orders.filter(|order| order.account == account);
            own.map(|order| i128::from(order.lots)).sum()
        });
        Holding { lots, cost, open }
    }

    pub fn store(&mut self, account: u32, market: usize, holding: &Holding, cash: i128) {
        let person = self.person_mut(account);
        person.cash += cash;
        if holding.lots == 0 {
            assert_eq!(holding.cost, 0, "a flat position has a cost");
            person.positions.remove(&market);
        } else {
            person
                .positions
                .insert(market, (holding.lots, holding.cost));
        }
    }
}
