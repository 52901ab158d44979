//! The engine against a plain model of the exchange, operation by operation.
//!
//! Both run the same random operations. After each one the result, the fills,
//! the evictions and the depth of both sides must agree; every few operations
//! the whole book, every position and all cash; and the engine's own audit
//! (conservation to the atom) must hold.
//!
//! `FLAGSTONE_MODEL_OPS` sets the operations of a long run and
//! `FLAGSTONE_MODEL_SEED` its seed.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;
mod reference;

use common::{Exchange, Handle, Rng};
use flagstone_interface::event::{Traded, outcome};
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::orders::{OrderKind, Place, Take};
use flagstone_units::{Lots, Side, Slot, Ticks};
use proptest::prelude::*;
use reference::setting::{Raw, Setting, crowded, deed, deep, roomy};
use reference::{Limits, Market, Person, Reference};
use std::collections::{BTreeMap, HashSet};

struct Run {
    setting: Setting,
    engine: Exchange,
    model: Reference,
    /// Handles that were ever handed out, the latest ones for cancels.
    handles: Vec<(Handle, u32)>,
    handed_out: HashSet<Handle>,
    /// Operations so far.
    steps: u64,
    /// How often each outcome and error was seen.
    seen: BTreeMap<String, u64>,
}

impl Run {
    fn new(setting: Setting) -> Self {
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
                ..Person::default()
            });
        }
        let [_, _, levels, orders, positions, ..] = setting.pools.map(|items| items as usize);
        let orders_each = setting.orders_each as usize;
        let limits = Limits {
            orders,
            levels,
            positions,
            orders_each,
        };
        let model = Reference {
            markets,
            people,
            limits,
            fees: 0,
            trades: 0,
        };
        let (handles, handed_out, seen) = Default::default();
        Self {
            setting,
            engine,
            model,
            handles,
            handed_out,
            steps: 0,
            seen,
        }
    }

    fn note(&mut self, what: impl Into<String>) {
        *self.seen.entry(what.into()).or_default() += 1;
    }

    fn step(&mut self, raw: Raw) {
        match raw.kind {
            0..=20 if raw.option & 63 == 0 => self.jolt(raw),
            0..=20 => self.engine.slot += 1 + u32::from(raw.price % 3),
            21..=170 => self.place(raw),
            171..=205 => self.take(raw),
            206..=240 => self.cancel(raw),
            241..=250 => self.deposit(raw),
            251..=255 => self.freeze(raw),
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
        self.model.people[account as usize - 1].cash += i128::from(atoms);
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
        let level = |(ticks, queue): (&u32, &std::collections::VecDeque<reference::Resting>)| {
            (*ticks, queue.iter().map(|order| order.lots).sum())
        };
        match side {
            Side::Bid => ladder.iter().rev().map(level).collect(),
            Side::Ask => ladder.iter().map(level).collect(),
        }
    }

    /// Everything that both sides know.
    fn compare_all(&mut self) {
        for (number, market) in self.model.markets.iter().enumerate() {
            let slab = self.engine.slab();
            let stored = &slab.instruments[number];
            assert_eq!(
                (stored.mark.0, stored.mark_slot.0),
                (market.mark, market.mark_slot)
            );
            for ladder in &market.sides {
                for queue in ladder.values() {
                    let mut index = queue[0].handle.0;
                    for expected in queue {
                        let order = &slab.orders[index];
                        let got = (order.generation, u32::from(order.account), order.lots.0);
                        let wanted = (expected.handle.1, expected.account, expected.lots);
                        assert_eq!((index, got), (expected.handle.0, wanted), "queue");
                        let times = (order.expiry.0, order.slot.0);
                        assert_eq!(times, (expected.expiry, expected.slot));
                        index = order.next;
                    }
                    assert_eq!(index, 0, "a queue is longer than it should be");
                }
            }
        }
        for account in 1..=self.setting.accounts {
            let person = &self.model.people[account as usize - 1];
            assert_eq!(
                i128::from(self.engine.cash(account)),
                person.cash,
                "cash of {account}"
            );
            for market in 0..self.model.markets.len() {
                let (lots, cost) = self.engine.position(account, market as u8);
                let expected = person.positions.get(&market).copied().unwrap_or_default();
                assert_eq!(
                    (lots.into(), cost.into()),
                    expected,
                    "position of {account}"
                );
            }
        }
        let slab = self.engine.slab();
        assert_eq!(slab.header.fees_out_total.get() as i128, self.model.fees);
        assert_eq!(slab.header.trades_total, self.model.trades);
        slab.audit().unwrap();
    }

    /// `ops` random operations from a seed.
    fn long(mut self, seed: u64, ops: u64, every: u64) -> BTreeMap<String, u64> {
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

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn s6_m1_m3_a_crowded_exchange_follows_the_model() {
    let ops = from_environment("FLAGSTONE_MODEL_OPS", 200_000);
    let seed = from_environment("FLAGSTONE_MODEL_SEED", 1);
    let seen = Run::new(crowded()).long(seed, ops, 64);
    println!("{seen:#?}");
    // A run that never meets a case proves nothing about it.
    let outcomes = (outcome::PARTIAL..=outcome::OUTSIDE_BAND).map(|kind| format!("outcome {kind}"));
    let errors = [
        SlabError::BadQuantity,
        SlabError::OutsideBand,
        SlabError::WouldCross,
        SlabError::Expired,
        SlabError::AccountOrdersFull,
        SlabError::OrdersFull,
        SlabError::LevelsFull,
        SlabError::PositionsFull,
        SlabError::AccountFrozen,
        SlabError::NotYourOrder,
        SlabError::BelowInitialMargin,
        SlabError::PositionTooLarge,
        SlabError::NotFilled,
    ];
    let cases = ["evicted", "cancelled", "stale"].map(String::from);
    let wanted = outcomes
        .chain(errors.map(|error| error.name().into()))
        .chain(cases);
    for case in wanted.filter(|_| ops >= 100_000) {
        assert!(seen.contains_key(&case), "never met: {case}");
    }
}

#[test]
fn s6_m1_m3_a_roomy_exchange_follows_the_model() {
    let ops = from_environment("FLAGSTONE_MODEL_OPS", 200_000) / 8;
    let seed = from_environment("FLAGSTONE_MODEL_SEED", 2);
    let seen = Run::new(roomy()).long(seed, ops, 256);
    println!("{seen:#?}");
}

#[test]
fn s6_m1_m3_a_deep_book_follows_the_model() {
    let ops = from_environment("FLAGSTONE_MODEL_OPS", 200_000) / 4;
    let seed = from_environment("FLAGSTONE_MODEL_SEED", 3);
    let seen = Run::new(deep()).long(seed, ops, 128);
    assert!(seen.contains_key("no room for fills") || ops < 20_000);
}

fn any_raw() -> impl Strategy<Value = Raw> {
    let fields = (
        any::<u8>(),
        any::<u8>(),
        any::<u8>(),
        any::<bool>(),
        any::<[u16; 3]>(),
    );
    fields.prop_map(|(kind, account, market, side, [price, lots, option])| Raw {
        kind,
        account,
        market,
        side,
        price,
        lots,
        option,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    /// The same from a few operations on, so that a failure shrinks to a handful.
    #[test]
    fn s6_m1_m3_short_runs_follow_the_model(raws in prop::collection::vec(any_raw(), 1..250)) {
        let mut run = Run::new(crowded());
        for raw in raws {
            run.step(raw);
            run.compare_all();
        }
    }
}
