//! One run of random operations on the engine and on the model.
//!
//! After every operation both must have done the same.

#![allow(unreachable_pub, reason = "part of one test crate")]

mod compare;
mod holding;

use crate::common::{Exchange, Handle, Rng};
use crate::reference::setting::{Raw, Setting, deed};
use crate::reference::{Limits, Market, Person, Reference, Resting};
use flagstone_interface::event::{Held, Traded};
use flagstone_slab_engine::orders::{OrderKind, Place, Take};
use flagstone_units::{Lots, Side, Slot, Ticks};
use std::collections::{BTreeMap, HashSet};

pub struct Run {
    setting: Setting,
    engine: Exchange,
    model: Reference,
    /// Handles that were ever handed out, the latest ones for cancels.
    handles: Vec<(Handle, u32)>,
    handed_out: HashSet<Handle>,
    /// Holds that were ever made.
    held: Vec<Held>,
    held_out: HashSet<Handle>,
    /// Operations so far.
    steps: u64,
    /// How often each outcome and error was seen.
    seen: BTreeMap<String, u64>,
}

impl Run {
    pub fn new(setting: Setting) -> Self {
        let mut engine = Exchange::with(setting.pools);
        let slot = engine.slot;
        engine.slab().header.orders_per_account_max = setting.orders_each;
        let mut markets = Vec::new();
        for params in setting.markets.into_iter().flatten() {
            engine.slab().add_instrument(&params, Slot(slot)).unwrap();
            let mark = params.mark.0;
            markets.push(Market {
                params,
                mark,
                mark_slot: slot,
                mark_moved: slot,
                sides: Default::default(),
            });
        }
        let mut people = Vec::new();
        for number in 0..setting.accounts {
            // Few are rich; the others run into their margin all the time.
            let cash = if number < 2 {
                1_000_000_000
            } else {
                setting.cash << (number % 5)
            };
            engine.open(cash);
            people.push(Person {
                cash: cash.into(),
                principal: cash.into(),
                ..Person::default()
            });
        }
        let pools = setting.pools.map(|items| items as usize);
        let [_, _, levels, orders, positions, holds, slices, ..] = pools;
        let orders_each = setting.orders_each as usize;
        let limits = Limits {
            orders,
            levels,
            positions,
            orders_each,
            holds,
            slices,
        };
        let model = Reference {
            markets,
            people,
            limits,
            fees: 0,
            trades: 0,
            holds: Vec::new(),
        };
        let (handles, handed_out, seen) = Default::default();
        let (held, held_out) = Default::default();
        Self {
            setting,
            engine,
            model,
            handles,
            handed_out,
            held,
            held_out,
            steps: 0,
            seen,
        }
    }

    fn note(&mut self, what: impl Into<String>) {
        *self.seen.entry(what.into()).or_default() += 1;
    }

    pub fn step(&mut self, raw: Raw) {
        match raw.kind {
            0..=20 if raw.option & 63 == 0 => self.jolt(raw),
            0..=20 => self.engine.slot += 1 + u32::from(raw.price % 3),
            21..=120 => self.place(raw),
            121..=145 => self.take(raw),
            146..=170 => self.cancel(raw),
            171..=176 => self.deposit(raw),
            177..=179 => self.freeze(raw),
            180..=204 => self.reserve(raw),
            205..=229 => self.commit(raw),
            230..=237 => self.cancel_hold(raw),
            238..=241 => self.expire(raw),
            242..=249 => self.settle(raw),
            250..=255 => self.release(raw),
        }
        self.steps += 1;
        let market = self.market(raw);
        for side in [Side::Bid, Side::Ask] {
            let depth = self.engine.depth(market, side);
            assert_eq!(depth, self.model_depth(market, side), "depth {side:?}");
        }
    }

    fn account(&self, raw: Raw) -> u32 {
        1 + u32::from(raw.account) % self.setting.accounts
    }

    fn market(&self, raw: Raw) -> u8 {
        raw.market % self.model.markets.len() as u8
    }

    /// A price near a middle that wanders around the mark, so that the mark
    /// follows it and leaves orders behind, outside the band.
    fn price(&self, raw: Raw, resting: bool) -> Ticks {
        let mark = u64::from(self.model.markets[usize::from(self.market(raw))].mark);
        let reach = mark * self.setting.reach / 1_000;
        let middle = mark - reach / 2 + reach * (self.steps / 900 % 5) / 4;
        let distance = (u64::from(raw.price) * (reach + 1)) >> 16;
        let below = raw.side == (resting || raw.option & 3 == 0);
        Ticks(if below {
            middle.saturating_sub(distance)
        } else {
            middle + distance
        } as u32)
    }

    /// Small as a rule; now and then enough to sweep the book, or none at all.
    fn lots(&self, raw: Raw) -> Lots {
        let most = self.setting.lots * if raw.lots & 15 == 0 { 40 } else { 1 };
        Lots(((u64::from(raw.lots >> 4) * most) >> 12) as u32 + u32::from(raw.lots & 31 > 1))
    }

    fn side(raw: Raw) -> Side {
        if raw.side { Side::Bid } else { Side::Ask }
    }

    fn place(&mut self, raw: Raw) {
        let kind = if raw.option & 4 == 0 {
            OrderKind::Limit
        } else {
            OrderKind::PostOnly
        };
        let expiry = match raw.option >> 3 & 7 {
            0 => self.engine.slot,
            1 => self.engine.slot + u32::from(raw.option >> 10),
            2 => self.engine.slot - 1 + u32::from(raw.option >> 10 & 1),
            _ => 0,
        };
        let order = Place {
            account: self.account(raw),
            instrument: self.market(raw),
            side: Self::side(raw),
            kind,
            self_trade: raw.self_trade(),
            ticks: self.price(raw, kind == OrderKind::PostOnly || raw.option & 64 == 0),
            lots: self.lots(raw),
            expiry: Slot(expiry),
            client_id: u64::from(raw.option),
            reduce_only: false,
        };
        let expected = self.model.place(&order, self.engine.slot);
        let got = self.engine.place(&order);
        let (placed, traded) = match (got, expected) {
            (Ok(got), Ok(expected)) => {
                assert_eq!(deed(&got.1, Some(&got.0)), expected, "{order:?}");
                got
            }
            (got, expected) => {
                let error = got.map(|_| ()).unwrap_err();
                assert_eq!(Err(error), expected.map(|_| ()), "{order:?}");
                return self.note(error.name());
            }
        };
        self.note_meetings(&traded);
        if placed.evicted.count > 0 {
            self.note("evicted");
        }
        if let Some(rested) = placed.rested {
            let handle = (rested.order, rested.generation);
            assert!(
                self.handed_out.insert(handle),
                "a handle was handed out twice"
            );
            self.handles.push((handle, order.account));
            let market = &mut self.model.markets[usize::from(order.instrument)];
            let queue = market.sides[order.side.index()]
                .get_mut(&order.ticks.0)
                .unwrap();
            queue.back_mut().unwrap().handle = handle;
        }
    }

    fn take(&mut self, raw: Raw) {
        let lots = self.lots(raw);
        let take = Take {
            account: self.account(raw),
            instrument: self.market(raw),
            side: Self::side(raw),
            self_trade: raw.self_trade(),
            limit: self.price(raw, false),
            lots,
            lots_min: match raw.option >> 3 & 15 {
                0 => Lots(lots.0 / 2),
                1 => lots,
                2 => Lots(lots.0 + 1),
                _ => Lots(0),
            },
            reduce_only: false,
        };
        let expected = self.model.take(&take, self.engine.slot);
        match (self.engine.take(&take), expected) {
            (Ok(traded), Ok(expected)) => {
                assert_eq!(deed(&traded, None), expected, "{take:?}");
                self.note_meetings(&traded);
            }
            (got, expected) => {
                let error = got.map(|_| ()).unwrap_err();
                assert_eq!(Err(error), expected.map(|_| ()), "{take:?}");
                self.note(error.name());
            }
        }
    }

    fn cancel(&mut self, raw: Raw) {
        let recent = self.handles.len().min(150);
        if recent == 0 {
            return;
        }
        let at = self.handles.len() - 1 - usize::from(raw.price) % recent;
        let (handle, owner) = self.handles[at];
        // One in sixteen tries to cancel what may be another's order.
        let account = if raw.option & 15 == 0 {
            self.account(raw)
        } else {
            owner
        };
        let expected = self.model.cancel(account, handle);
        let got = self.engine.cancel(account, handle);
        let got = got.map(|event| event.map(|event| event.lots));
        assert_eq!(got, expected, "cancel {handle:?} of {owner} by {account}");
        match got {
            Ok(Some(_)) => self.note("cancelled"),
            Ok(None) => self.note("stale"),
            Err(error) => self.note(error.name()),
        }
    }

    fn deposit(&mut self, raw: Raw) {
        let (account, atoms) = (self.account(raw), u64::from(raw.price) / 4);
        assert_eq!(self.engine.deposit(account, atoms), Ok(atoms));
        let person = &mut self.model.people[account as usize - 1];
        person.cash += i128::from(atoms);
        person.principal += i128::from(atoms);
    }

    fn freeze(&mut self, raw: Raw) {
        let (account, frozen) = (self.account(raw), raw.option & 15 == 0);
        self.engine.freeze(account, frozen);
        self.model.people[account as usize - 1].frozen = frozen;
    }

    /// Moves the mark as an oracle would, against the book: the only way by
    /// which an order on the touch comes to lie outside the band.
    fn jolt(&mut self, raw: Raw) {
        let market = usize::from(self.market(raw));
        let start = self.setting.markets[market].unwrap().mark.0;
        let mark = start / 2 + ((u64::from(start) * u64::from(raw.price)) >> 16) as u32;
        self.engine.slab().instruments[market].mark = Ticks(mark);
        self.model.markets[market].mark = mark;
    }

    fn note_meetings(&mut self, traded: &Traded) {
        if traded.fills().len() == 48 {
            self.note("no room for fills");
        }
        for fill in traded.fills() {
            self.note(format!("outcome {}", fill.outcome));
        }
    }

    fn model_depth(&self, market: u8, side: Side) -> Vec<(u32, u32)> {
        let ladder = &self.model.markets[usize::from(market)].sides[side.index()];
        let level = |(ticks, queue): (&u32, &std::collections::VecDeque<Resting>)| {
            (*ticks, queue.iter().map(|order| order.lots).sum())
        };
        match side {
            Side::Bid => ladder.iter().rev().map(level).collect(),
            Side::Ask => ladder.iter().map(level).collect(),
        }
    }

    /// `ops` random operations from a seed.
    pub fn long(mut self, seed: u64, ops: u64, every: u64) -> BTreeMap<String, u64> {
        let mut rng = Rng(seed);
        for op in 0..ops {
            let raw = Raw::draw(&mut rng);
            let step = std::panic::AssertUnwindSafe(|| {
                self.step(raw);
                if op % every == 0 {
                    self.compare_all();
                }
            });
            if let Err(panic) = std::panic::catch_unwind(step) {
                eprintln!("seed {seed}, operation {op}: {raw:?}");
                std::panic::resume_unwind(panic);
            }
        }
        self.compare_all();
        self.seen
    }
}
