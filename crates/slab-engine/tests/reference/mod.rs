//! What the exchange is meant to do, in the plainest form: sorted maps of
//! queues, sums recomputed from the book, and wide exact arithmetic.
//!
//! Written from the rules, not from the engine: it shares parameter and error
//! types with it and no logic. An operation that fails leaves no trace.
#![allow(unreachable_pub, reason = "part of one test crate")]

use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::matching::SelfTrade;
use flagstone_slab_engine::orders::{OrderKind, Place, Take};
use flagstone_units::Side;

mod holding;
mod holds;
mod market;
mod releasing;
pub mod setting;
mod taking;

pub use super::common::Handle;
pub use holding::Person;
use holding::fee;
pub use holds::{Hold, Payment};
pub use market::{Market, Resting};

/// One resting order that a taker met: handle, account, ticks, lots, outcome.
pub type Meeting = (Handle, u16, u32, u32, u8);

/// What an operation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deed {
    pub met: Vec<Meeting>,
    pub lots: u32,
    pub notional: i128,
    pub fee: i128,
    /// Charged to a capability.
    pub charge: i128,
    /// Orders that made room, with their lots.
    pub evicted: Vec<(Handle, u32)>,
    /// Lots that came to rest.
    pub rested: Option<u32>,
}

/// Sizes of the slab that the rules depend on.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub orders: usize,
    pub levels: usize,
    pub positions: usize,
    pub orders_each: usize,
    pub holds: usize,
    pub slices: usize,
}

/// A trade or an order, as one set of terms.
#[derive(Clone, Copy)]
struct Terms {
    account: u32,
    market: usize,
    side: Side,
    limit: u32,
    lots: u32,
    self_trade: SelfTrade,
}

/// The whole exchange.
#[derive(Clone, Debug)]
pub struct Reference {
    pub markets: Vec<Market>,
    /// Account `at + 1`.
    pub people: Vec<Person>,
    pub limits: Limits,
    pub fees: i128,
    pub trades: u64,
    /// Holds that stand, and committed ones until they are freed.
    pub holds: Vec<Hold>,
}

type Checked<T> = Result<T, SlabError>;

impl Reference {
    pub fn place(&mut self, order: &Place, slot: u32) -> Checked<Deed> {
        self.attempt(order.instrument, |model| model.place_inner(order, slot))
    }

    pub fn take(&mut self, take: &Take, slot: u32) -> Checked<Deed> {
        self.attempt(take.instrument, |model| model.take_inner(take, slot))
    }

    /// Lots cancelled, `None` for a handle that is no longer valid. What holds
    /// have reserved of an order stays, and nobody else gets at it.
    pub fn cancel(&mut self, account: u32, handle: Handle) -> Checked<Option<u32>> {
        let reserved = self.reserved(handle);
        for market in &mut self.markets {
            let Some((side, ticks, at)) = market.find(handle) else {
                continue;
            };
            let order = market.order(side, ticks, at);
            if order.account != account {
                return Err(SlabError::NotYourOrder);
            }
            if order.closing {
                return Ok(None);
            }
            let gone = order.lots - reserved;
            if reserved == 0 {
                market.remove(side, ticks, at);
            } else {
                order.lots = reserved;
                order.closing = true;
            }
            return Ok(Some(gone));
        }
        Ok(None)
    }

    /// An instrument's operations change that instrument and people only.
    fn attempt<T>(
        &mut self,
        number: u8,
        change: impl FnOnce(&mut Self) -> Checked<T>,
    ) -> Checked<T> {
        let Some(market) = self.markets.get(usize::from(number)).cloned() else {
            return Err(SlabError::NoInstrument);
        };
        let (people, fees, trades) = (self.people.clone(), self.fees, self.trades);
        let holds = self.holds.clone();
        let result = change(self);
        if result.is_err() {
            self.markets[usize::from(number)] = market;
            (self.people, self.fees, self.trades) = (people, fees, trades);
            self.holds = holds;
        }
        result
    }

    fn place_inner(&mut self, order: &Place, slot: u32) -> Checked<Deed> {
        let terms = Terms {
            account: order.account,
            market: usize::from(order.instrument),
            side: order.side,
            limit: order.ticks.0,
            lots: order.lots.0,
            self_trade: order.self_trade,
        };
        if self.person(order.account).frozen {
            return Err(SlabError::AccountFrozen);
        }
        if self.orders_of(order.account) >= self.limits.orders_each {
            return Err(SlabError::AccountOrdersFull);
        }
        self.check_terms(&terms)?;
        if order.expiry.0 != 0 && order.expiry.0 < slot {
            return Err(SlabError::Expired);
        }
        self.move_mark(terms.market, slot);
        let market = &self.markets[terms.market];
        let (low, high) = market.band();
        if terms.limit < low || terms.limit > high {
            return Err(SlabError::OutsideBand);
        }
        self.room_for_position(terms.account, terms.market)?;

        let mut deed = Deed::default();
        let mut left = terms.lots;
        if self.crosses(&terms) {
            if order.kind == OrderKind::PostOnly {
                return Err(SlabError::WouldCross);
            }
            left = self.sweep(&terms, slot, &mut deed)?;
            self.settle_taker(&terms, slot, &mut deed)?;
        }
        let stuck = self.crosses(&terms);
        if left >= self.markets[terms.market].params.order_lots_min.0 && !stuck {
            self.check_open(&terms, left)?;
            self.make_room(&terms, left, &mut deed)?;
            let ladder = &mut self.markets[terms.market].sides[terms.side.index()];
            ladder.entry(terms.limit).or_default().push_back(Resting {
                handle: (0, 0),
                account: terms.account,
                lots: left,
                expiry: order.expiry.0,
                slot,
                closing: false,
            });
            deed.rested = Some(left);
        }
        Ok(deed)
    }

    fn take_inner(&mut self, take: &Take, slot: u32) -> Checked<Deed> {
        let terms = Terms {
            account: take.account,
            market: usize::from(take.instrument),
            side: take.side,
            limit: take.limit.0,
            lots: take.lots.0,
            self_trade: take.self_trade,
        };
        self.check_terms(&terms)?;
        if take.lots_min > take.lots {
            return Err(SlabError::BadQuantity);
        }
        self.move_mark(terms.market, slot);
        self.room_for_position(terms.account, terms.market)?;
        let mut deed = Deed::default();
        self.sweep(&terms, slot, &mut deed)?;
        self.settle_taker(&terms, slot, &mut deed)?;
        if deed.lots < take.lots_min.0 {
            return Err(SlabError::NotFilled);
        }
        Ok(deed)
    }

    fn check_terms(&self, terms: &Terms) -> Checked<()> {
        let params = &self.markets[terms.market].params;
        if terms.limit == 0 || terms.limit > params.price_max.0 {
            return Err(SlabError::BadPrice);
        }
        if terms.lots < params.order_lots_min.0 || terms.lots > params.order_lots_max.0 {
            return Err(SlabError::BadQuantity);
        }
        Ok(())
    }

    fn crosses(&self, terms: &Terms) -> bool {
        let best = self.markets[terms.market].best(terms.side.contra());
        best.is_some_and(|best| reaches(terms, best))
    }

    fn check_open(&self, terms: &Terms, lots: u32) -> Checked<()> {
        let before = self.holding(terms.account, terms.market);
        let mut after = before;
        after.open[terms.side.index()] += i128::from(lots);
        let most = self.markets[terms.market].params.position_lots_max.0;
        if after.worst() > i128::from(most) {
            return Err(SlabError::PositionTooLarge);
        }
        // What the order loses against the mark, and its fee, are there already.
        let market = &self.markets[terms.market];
        let unit = i128::from(market.params.atoms_per_tick) * i128::from(lots);
        let (limit, mark) = (i128::from(terms.limit), i128::from(market.mark));
        let loss = match terms.side {
            Side::Bid => (limit - mark).max(0),
            Side::Ask => (mark - limit).max(0),
        };
        let cost = loss * unit + fee(limit * unit, market.params.maker_fee).max(0);
        let (equity, initial, _) = self.health(terms.account, -cost, Some((terms.market, after)));
        if equity < initial && after.worst() > before.worst() {
            return Err(SlabError::BelowInitialMargin);
        }
        Ok(())
    }

    /// Evicts the furthest orders of the same side, at most four, youngest first.
    fn make_room(&mut self, terms: &Terms, lots: u32, deed: &mut Deed) -> Checked<()> {
        while self.orders_live() >= self.limits.orders {
            self.evict(terms, SlabError::OrdersFull, deed)?;
        }
        let has_level = |model: &Self| {
            model.markets[terms.market].sides[terms.side.index()].contains_key(&terms.limit)
        };
        while !has_level(self) && self.levels_live() >= self.limits.levels {
            self.evict(terms, SlabError::LevelsFull, deed)?;
        }
        let queue = self.markets[terms.market].sides[terms.side.index()].get(&terms.limit);
        let there: u64 = queue
            .into_iter()
            .flatten()
            .map(|order| u64::from(order.lots))
            .sum();
        if there + u64::from(lots) > u64::from(u32::MAX) {
            return Err(SlabError::LevelOverflow);
        }
        Ok(())
    }

    fn evict(&mut self, terms: &Terms, full: SlabError, deed: &mut Deed) -> Checked<()> {
        let market = &mut self.markets[terms.market];
        let worst = market.worst(terms.side).ok_or(full)?;
        let further = match terms.side {
            Side::Bid => worst < terms.limit,
            Side::Ask => worst > terms.limit,
        };
        if !further || deed.evicted.len() == 4 {
            return Err(full);
        }
        let youngest = market.sides[terms.side.index()][&worst].len() - 1;
        // What a hold captured makes room for nobody.
        let victim = market.sides[terms.side.index()][&worst][youngest].handle;
        if self.reserved(victim) > 0 {
            return Err(full);
        }
        let market = &mut self.markets[terms.market];
        let order = market.remove(terms.side, worst, youngest);
        deed.evicted.push((order.handle, order.lots));
        Ok(())
    }

    fn room_for_position(&self, account: u32, market: usize) -> Checked<()> {
        if self.uses_position(account, market) {
            return Ok(());
        }
        let accounts = 1..=self.people.len() as u32;
        let used: usize = accounts.map(|account| self.positions_of(account)).sum();
        if used < self.limits.positions {
            Ok(())
        } else {
            Err(SlabError::PositionsFull)
        }
    }

    /// Positions of an account that are items of the pool.
    pub fn positions_of(&self, account: u32) -> usize {
        let markets = 0..self.markets.len();
        markets
            .filter(|market| self.uses_position(account, *market))
            .count()
    }

    /// A position is an item of a pool while it has lots or open orders.
    fn uses_position(&self, account: u32, market: usize) -> bool {
        let holding = self.holding(account, market);
        holding.lots != 0 || holding.open != [0, 0]
    }

    fn person(&self, account: u32) -> &Person {
        &self.people[account as usize - 1]
    }

    fn person_mut(&mut self, account: u32) -> &mut Person {
        &mut self.people[account as usize - 1]
    }

    fn resting(&self) -> impl Iterator<Item = &Resting> {
        let ladders = self.markets.iter().flat_map(|market| &market.sides);
        ladders.flat_map(|ladder| ladder.values().flatten())
    }

    pub fn orders_of(&self, account: u32) -> usize {
        self.resting()
            .filter(|order| order.account == account)
            .count()
    }

    fn orders_live(&self) -> usize {
        self.resting().count()
    }

    fn levels_live(&self) -> usize {
        let ladders = self.markets.iter().flat_map(|market| &market.sides);
        ladders.map(|ladder| ladder.len()).sum()
    }
}

fn reaches(terms: &Terms, ticks: u32) -> bool {
    match terms.side {
        Side::Bid => ticks <= terms.limit,
        Side::Ask => ticks >= terms.limit,
    }
}
