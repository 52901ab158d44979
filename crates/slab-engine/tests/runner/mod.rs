//! One run of random operations on the engine and on the model.
//!
//! After every operation both must have done the same.

#![allow(unreachable_pub, reason = "part of one test crate")]

mod batching;
mod compare;
mod holding;
mod ordering;

use crate::common::{Exchange, Handle, Rng};
use crate::reference::setting::{Raw, Setting};
use crate::reference::{Limits, Market, Person, Reference, Resting};
use flagstone_interface::event::{Held, Traded};
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
    /// What is left of the funding that was paid.
    pool: i64,
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
            let number = engine.slab().add_instrument(&params, Slot(slot)).unwrap();
            let market = Market::new(params, slot);
            if params.oracle_scale != 0 {
                // The oracle has spoken, and that is good for ever.
                let mut slab = engine.slab();
                let stored = &mut slab.instruments[usize::from(number)];
                stored.fresh_until = Slot(u32::MAX - 1);
                (stored.index, stored.index_slot) = (params.mark, Slot(slot));
            }
            markets.push(market);
        }
        engine.slab().header.batch_slots = setting.batch_slots;
        engine.slab().header.insurance_share = setting.insurance_share;
        let mut people = Vec::new();
        for number in 0..setting.accounts {
            // Few are rich; the others run into their margin all the time.
            let cash = if number < 2 {
                1_000_000_000
            } else {
                setting.cash << (number % 5)
            };
            let account = engine.open(cash);
            let designated = account % 3 == 1;
            engine.designate(account, designated);
            people.push(Person {
                cash: cash.into(),
                principal: cash.into(),
                designated,
                ..Person::default()
            });
        }
        let pools = setting.pools.map(|items| items as usize);
        let [_, _, levels, orders, positions, holds, slices, _, ring, _] = pools;
        let orders_each = setting.orders_each as usize;
        let limits = Limits {
            orders,
            levels,
            positions,
            orders_each,
            holds,
            slices,
            ring,
            batch_slots: setting.batch_slots,
            insurance_share: setting.insurance_share.0,
        };
        let model = Reference {
            markets,
            people,
            limits,
            till: Default::default(),
            reduce_only: false,
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
            pool: 0,
            steps: 0,
            seen,
        }
    }

    fn note(&mut self, what: impl Into<String>) {
        *self.seen.entry(what.into()).or_default() += 1;
    }

    pub fn step(&mut self, raw: Raw) {
        match raw.kind {
            0..=13 if raw.option & 63 == 0 => self.jolt(raw),
            0..=13 => self.engine.slot += 1 + u32::from(raw.price % 3),
            14..=121 => self.place(raw),
            122..=141 => self.take(raw),
            142..=156 => self.cancel(raw),
            157 => self.cancel_all(raw),
            158..=162 => self.reduce(raw),
            163..=168 => self.replace(raw),
            169..=170 => self.dead_man(raw),
            171 => self.expire_orders(raw),
            172..=178 => self.batch_open(raw),
            179..=181 => self.premium(raw),
            182..=183 => self.govern(raw),
            184..=188 => self.deposit(raw),
            189..=190 => self.freeze(raw),
            191..=213 => self.reserve(raw),
            214..=233 => self.commit(raw),
            234..=239 => self.cancel_hold(raw),
            240..=242 => self.expire(raw),
            243..=249 => self.settle(raw),
            250..=255 => self.release(raw),
        }
        self.steps += 1;
        let pool = self.engine.slab().header.funding_pool_atoms;
        if pool != self.pool {
            self.note(if pool > self.pool {
                "funding paid"
            } else {
                "funding received"
            });
            self.pool = pool;
        }
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

    fn deposit(&mut self, raw: Raw) {
        let (account, atoms) = (self.account(raw), u64::from(raw.price) / 4);
        assert_eq!(self.engine.deposit(account, atoms), Ok(atoms));
        self.model.fund(account, atoms.into());
    }

    fn freeze(&mut self, raw: Raw) {
        let (account, frozen) = (self.account(raw), raw.option & 15 == 0);
        self.engine.freeze(account, frozen);
        self.model.people[account as usize - 1].frozen = frozen;
    }

    fn note_meetings(&mut self, traded: &Traded) {
        if traded.fills().len() == 48 {
            self.note("no room for fills");
        }
        if { traded.tax_atoms } > 0 {
            self.note("taxed");
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
