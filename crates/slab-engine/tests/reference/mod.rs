//! What the exchange is meant to do, in the plainest form: sorted maps of
//! queues, sums recomputed from the book, and wide exact arithmetic.
//!
//! Written from the rules, not from the engine: it shares parameter and error
//! types with it and no logic. An operation that fails leaves no trace.
#![allow(unreachable_pub, reason = "part of one test crate")]

use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::matching::SelfTrade;
use flagstone_slab_engine::requests::{OrderKind, Place, Take};
use flagstone_units::Side;

mod batching;
mod cancelling;
mod funding;
mod holding;
mod holds;
mod market;
mod releasing;
mod room;
pub mod setting;
mod taking;
mod taxing;

pub use super::common::Handle;
pub use batching::{Opened, Waiting};
pub use holding::Person;
use holding::fee;
pub use holds::{Hold, Payment, Secret};
pub use market::{Market, Resting};
use taxing::Aggression;

/// One resting order that a taker met: handle, account, ticks, lots, outcome.
pub type Meeting = (Handle, u16, u32, u32, u8);

/// What an operation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deed {
    pub met: Vec<Meeting>,
    pub lots: u32,
    pub notional: i128,
    pub fee: i128,
    /// Part of the fee that taxes a round trip.
    pub tax: i128,
    /// Charged to a capability.
    pub charge: i128,
    /// Orders that made room, with their lots.
    pub evicted: Vec<(Handle, u32)>,
    /// Price and lots that came to rest, and the batch that they wait for.
    pub rested: Option<(u32, u32, Option<u32>)>,
}

/// Orders of those that are not designated wait for a batch.
pub const PENDING: u32 = 1;
/// Orders of those that are earn no rebate in the batch they were posted in.
pub const JIT_PENALTY: u32 = 2;

/// What the slab itself keeps.
#[derive(Clone, Debug, Default)]
pub struct Till {
    pub fees: i128,
    /// Due to insurance.
    pub dues: i128,
    /// Of makers, until the taker's fee is known.
    pub collected: i128,
    /// Funding paid less funding received.
    pub funding: i128,
    /// How often funding was settled, and so rounded, at most.
    pub roundings: i128,
    pub trades: u64,
    /// Orders ever posted.
    pub orders: u64,
    pub ring: Vec<Aggression>,
    pub ring_next: usize,
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
    pub ring: usize,
    pub batch_slots: u32,
    pub insurance_share: u32,
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
    pub till: Till,
    /// The whole slab is.
    pub reduce_only: bool,
    /// Holds that stand, and committed ones until they are freed.
    pub holds: Vec<Hold>,
}

type Checked<T> = Result<T, SlabError>;

impl Reference {
    pub fn place(&mut self, order: &Place, slot: u32) -> Checked<Deed> {
        self.attempt(order.instrument, |model| {
            let (deed, _) = model.place_inner(order, slot, false)?;
            Ok(deed)
        })
    }

    /// The same with its margin checked at the end, when all else is done.
    fn place_last(&mut self, order: &Place, slot: u32) -> Checked<Deed> {
        self.attempt(order.instrument, |model| {
            let (deed, needs) = model.place_inner(order, slot, true)?;
            let Some(cost) = needs else {
                return Ok(deed);
            };
            let (equity, initial, _) = model.health(order.account, -cost, None);
            if equity < initial {
                return Err(SlabError::BelowInitialMargin);
            }
            Ok(deed)
        })
    }

    pub fn take(&mut self, take: &Take, slot: u32) -> Checked<Deed> {
        self.attempt(take.instrument, |model| model.take_inner(take, slot))
    }

    /// An instrument's operations change that instrument, the funding of
    /// others, and people only.
    fn attempt<T>(
        &mut self,
        number: u8,
        change: impl FnOnce(&mut Self) -> Checked<T>,
    ) -> Checked<T> {
        let Some(market) = self.markets.get(usize::from(number)).cloned() else {
            return Err(SlabError::NoInstrument);
        };
        let fundings: Vec<_> = self.markets.iter().map(|market| market.funding).collect();
        let (people, till) = (self.people.clone(), self.till.clone());
        let holds = self.holds.clone();
        let result = change(self);
        if result.is_err() {
            self.markets[usize::from(number)] = market;
            for (market, funding) in self.markets.iter_mut().zip(fundings) {
                market.funding = funding;
            }
            (self.people, self.till) = (people, till);
            self.holds = holds;
        }
        result
    }

    /// What was done and, when the margin of what rests is left to be checked,
    /// what it costs.
    fn place_inner(
        &mut self,
        order: &Place,
        slot: u32,
        later: bool,
    ) -> Checked<(Deed, Option<i128>)> {
        let mut terms = Terms {
            account: order.account,
            market: usize::from(order.instrument),
            side: order.side,
            limit: order.ticks.0,
            lots: order.lots.0,
            self_trade: order.self_trade,
        };
        if self.person(order.account).frozen && !order.reduce_only {
            return Err(SlabError::AccountFrozen);
        }
        let all = order.kind == OrderKind::FillOrKill;
        let at_once = all || order.kind == OrderKind::ImmediateOrCancel;
        if self.orders_of(order.account) >= self.limits.orders_each && !at_once {
            return Err(SlabError::AccountOrdersFull);
        }
        self.check_terms(&terms)?;
        if self.is_reduce_only(terms.market) && !order.reduce_only {
            return Err(SlabError::ReduceOnlyStatus);
        }
        if at_once {
            let least = if all { order.lots.0 } else { 0 };
            let deed = self.trade_at_once(&terms, least, order.reduce_only, slot)?;
            return Ok((deed, None));
        }
        if order.expiry.0 != 0 && order.expiry.0 < slot {
            return Err(SlabError::Expired);
        }
        self.move_mark(terms.market, slot);
        let (low, high) = self.markets[terms.market].band();
        if terms.limit < low || terms.limit > high {
            return Err(SlabError::OutsideBand);
        }
        self.room_for_position(terms.account, terms.market)?;
        self.prepare(terms.account, terms.market, slot);
        if order.reduce_only {
            // What orders on the side would already close is spoken for.
            let holding = self.holding(terms.account, terms.market);
            let room = holding.reducible(terms.side) - holding.open[terms.side.index()];
            if room <= 0 {
                return Err(SlabError::NotReducing);
            }
            terms.lots = i128::from(terms.lots).min(room) as u32;
        }

        let mut deed = Deed::default();
        let mut left = terms.lots;
        let mut met = false;
        if self.crosses(&terms) {
            match order.kind {
                OrderKind::PostOnly => return Err(SlabError::WouldCross),
                OrderKind::PostOnlySlide => self.slide(&mut terms)?,
                _ => {
                    met = true;
                    left = self.sweep(&terms, slot, &mut deed)?;
                    self.tax(&terms, slot, &mut deed);
                    self.settle_taker(&terms, slot, &mut deed)?;
                }
            }
        }
        let mut needs = None;
        let stuck = self.crosses(&terms);
        if left >= self.markets[terms.market].params.order_lots_min.0 && !stuck {
            needs = self.check_open(&terms, left, later)?;
            self.post(&terms, order, left, slot, &mut deed)?;
        } else if !met {
            // Nothing traded and nothing may rest: it has done nothing.
            return Err(SlabError::NotReducing);
        }
        Ok((deed, needs))
    }

    /// One tick short of trading.
    fn slide(&self, terms: &mut Terms) -> Checked<()> {
        let market = &self.markets[terms.market];
        let best = market.best(terms.side.contra()).expect("it crosses");
        terms.limit = match terms.side {
            Side::Bid => best - 1,
            Side::Ask => best + 1,
        };
        let (low, high) = market.band();
        if (low..=high).contains(&terms.limit) {
            Ok(())
        } else {
            Err(SlabError::WouldCross)
        }
    }

    /// Lets an order rest, or wait for its batch.
    fn post(
        &mut self,
        terms: &Terms,
        order: &Place,
        lots: u32,
        slot: u32,
        deed: &mut Deed,
    ) -> Checked<()> {
        let waits = self.waits_for(terms, slot);
        self.make_room(terms, lots, waits.is_some(), deed)?;
        self.till.orders += 1;
        let serial = self.till.orders;
        let market = &mut self.markets[terms.market];
        let order = Resting {
            handle: (0, 0),
            account: terms.account,
            lots,
            expiry: order.expiry.0,
            slot,
            closing: false,
            reduce_only: order.reduce_only,
            batch: waits.unwrap_or(market.batch.window),
            serial,
        };
        let (side, ticks) = (terms.side, terms.limit);
        if waits.is_some() {
            market.pending.push_back(Waiting { side, ticks, order });
        } else {
            let ladder = &mut market.sides[side.index()];
            ladder.entry(ticks).or_default().push_back(order);
        }
        deed.rested = Some((ticks, lots, waits));
        Ok(())
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
        self.trade_at_once(&terms, take.lots_min.0, take.reduce_only, slot)
    }

    /// Trades at least `least` lots, or nothing happens.
    fn trade_at_once(
        &mut self,
        terms: &Terms,
        least: u32,
        reduce_only: bool,
        slot: u32,
    ) -> Checked<Deed> {
        let mut terms = *terms;
        self.move_mark(terms.market, slot);
        self.room_for_position(terms.account, terms.market)?;
        self.prepare(terms.account, terms.market, slot);
        if reduce_only {
            let held = self.holding(terms.account, terms.market);
            let most = held.reducible(terms.side);
            if most == 0 {
                return Err(SlabError::NotReducing);
            }
            terms.lots = i128::from(terms.lots).min(most) as u32;
        }
        let mut deed = Deed::default();
        self.sweep(&terms, slot, &mut deed)?;
        self.tax(&terms, slot, &mut deed);
        self.settle_taker(&terms, slot, &mut deed)?;
        if deed.lots < least {
            return Err(SlabError::NotFilled);
        }
        Ok(deed)
    }

    pub fn is_reduce_only(&self, market: usize) -> bool {
        self.reduce_only || self.markets[market].reduce_only
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

    /// What the order costs when it can make the worst case worse and its
    /// margin is checked later.
    fn check_open(&self, terms: &Terms, lots: u32, later: bool) -> Checked<Option<i128>> {
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
        let worse = after.worst() > before.worst();
        if later {
            return Ok(worse.then_some(cost));
        }
        let (equity, initial, _) = self.health(terms.account, -cost, Some((terms.market, after)));
        if equity < initial && worse {
            return Err(SlabError::BelowInitialMargin);
        }
        Ok(None)
    }

    fn person(&self, account: u32) -> &Person {
        &self.people[account as usize - 1]
    }

    fn person_mut(&mut self, account: u32) -> &mut Person {
        &mut self.people[account as usize - 1]
    }
}

fn reaches(terms: &Terms, ticks: u32) -> bool {
    match terms.side {
        Side::Bid => ticks <= terms.limit,
        Side::Ask => ticks >= terms.limit,
    }
}
