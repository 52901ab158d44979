//! What a snapshot and the marks say is what the engine computes.
#![allow(missing_docs, reason = "tests")]

use bytemuck::Zeroable;
use flagstone_interface::grid::Exposure;
use flagstone_interface::router::Escrow;
use flagstone_interface::slab::{SlabAccount, account_flags};
use flagstone_margin::health::{liquidation_ticks, mark_in};
use flagstone_margin::{AccountHealth, PortfolioHealth, Reading, Unreadable, exposure};
use flagstone_slab_engine::layout::{Instrument, Position};
use flagstone_slab_engine::risk::Health;
use flagstone_slab_engine::{Capacities, Slab};
use flagstone_units::{Lots, Ppm, SignedLots, Slot, Ticks};
use proptest::prelude::*;

const ACCOUNT: u32 = 3;
const SLOT: Slot = Slot(1_000);
const INSTRUMENTS: usize = 6;

#[derive(Clone, Copy, Debug)]
struct Holding {
    instrument: u8,
    mark: u32,
    unit: u32,
    lots: i32,
    cost: i64,
    open: (u32, u32),
    imr: u32,
    mmr: u32,
    funding: i64,
    fresh: bool,
}

fn holding(instrument: u8) -> impl Strategy<Value = Holding> {
    (
        (1u32..2_000_000, 1u32..200, -2_000i32..2_000),
        (-(1i64 << 36)..1 << 36, (0u32..500, 0u32..500)),
        (
            60_000u32..500_000,
            0u32..1_000_000,
            -(1i64 << 30)..1 << 30,
            any::<bool>(),
        ),
    )
        .prop_map(move |((mark, unit, lots), (cost, open), rest)| Holding {
            instrument,
            mark,
            unit,
            lots,
            cost,
            open,
            imr: rest.0,
            mmr: (u64::from(rest.0) * u64::from(rest.1) / 1_000_000) as u32,
            funding: rest.2,
            fresh: rest.3,
        })
}

/// An account's holdings, one for each of some instruments.
fn holdings() -> impl Strategy<Value = Vec<Holding>> {
    let each: Vec<_> = (0..INSTRUMENTS as u8)
        .map(|number| proptest::option::of(holding(number)))
        .collect();
    each.prop_map(|some| some.into_iter().flatten().collect())
}

/// A slab with one account.
struct World {
    words: Vec<u64>,
    escrow: Escrow,
}

impl World {
    fn new(cash: i64, holdings: &[Holding]) -> Self {
        let items = [INSTRUMENTS as u32, 64, 64, 64, 64, 8, 8, 8, 8, 8];
        let capacities = Capacities { items };
        let mut words = vec![0u64; capacities.layout_bytes().div_ceil(8) as usize];
        Slab::initialize(bytemuck::cast_slice_mut(&mut words), &capacities).unwrap();
        let mut escrow = Escrow::zeroed();
        (escrow.bound_account, escrow.bound_generation) = (ACCOUNT, 9);
        let mut world = Self { words, escrow };
        world.fill(cash, holdings);
        world
    }

    fn slab(&mut self) -> Slab<'_> {
        Slab::open(bytemuck::cast_slice_mut(&mut self.words)).unwrap()
    }

    fn data(&self) -> &[u8] {
        bytemuck::cast_slice(&self.words)
    }

    fn fill(&mut self, cash: i64, holdings: &[Holding]) {
        let mut slab = self.slab();
        let mut head = 0;
        for one in holdings {
            let mut instrument = Instrument::zeroed();
            instrument.mark = Ticks(one.mark);
            instrument.atoms_per_tick = one.unit;
            instrument.underlying_id = 7;
            (instrument.imr, instrument.mmr) = (Ppm(one.imr), Ppm(one.mmr));
            instrument.funding_index = one.funding;
            instrument.fresh_until = if one.fresh { Slot(u32::MAX) } else { Slot(1) };
            instrument.oracle_scale = 1;
            slab.instruments[one.instrument as usize] = instrument;
            let index = u32::from(one.instrument) + 10;
            slab.positions[index] = Position {
                account: ACCOUNT as u16,
                instrument: one.instrument,
                used: 1,
                lots: SignedLots(one.lots),
                cost_atoms: one.cost,
                open_bid_lots: Lots(one.open.0),
                open_ask_lots: Lots(one.open.1),
                next_in_account: head,
                ..Position::default()
            };
            head = index;
        }
        slab.accounts[ACCOUNT] = SlabAccount {
            cash_atoms: cash,
            positions_head: head,
            flags: account_flags::OPEN,
            ..SlabAccount::zeroed()
        };
    }

    fn engine(&mut self) -> Health {
        self.slab().health(ACCOUNT, None)
    }

    fn exposure(&mut self) -> Result<Exposure, Unreadable> {
        let account = self.slab().accounts[ACCOUNT];
        let mut found = Exposure::zeroed();
        // What was written before must not show.
        found.positions.fill(bytemuck::Zeroable::zeroed());
        found.positions[31].lots = 77;
        exposure::take(self.data(), &account, &self.escrow, SLOT, &mut found)?;
        Ok(found)
    }

    fn health(&mut self) -> AccountHealth {
        let exposure = self.exposure().unwrap();
        AccountHealth::of(&exposure, |number| mark_in(self.data(), number, SLOT)).unwrap()
    }
}

/// Value of a holding in i128, with nothing of the engine.
fn worth(one: &Holding) -> i128 {
    let value = i128::from(one.lots) * i128::from(one.mark) * i128::from(one.unit);
    // Funding is owed rounded up.
    let owed = (i128::from(one.lots) * i128::from(one.funding) + 0xffff) >> 16;
    value - i128::from(one.cost) - owed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn p8_p9_a_snapshot_at_the_marks_is_what_the_engine_computes(
        cash in -(1i64 << 45)..1i64 << 45,
        holdings in holdings(),
    ) {
        let mut world = World::new(cash, &holdings);
        let found = world.health();
        prop_assert_eq!(found.health, world.engine());
        let account = world.slab().accounts[ACCOUNT];
        let live = Reading::of(world.data(), &account, &world.escrow, SLOT).unwrap();
        prop_assert_eq!(found.health, live.health);
        prop_assert_eq!(found.is_fresh, live.is_fresh);
        let exposure = world.exposure().unwrap();
        prop_assert_eq!(exposure.held().len(), holdings.len());
        prop_assert_eq!(exposure.positions[31].lots, 0);
    }

    #[test]
    fn p8_every_account_needs_its_own_margin_and_order_is_nothing(
        accounts in proptest::collection::vec((-(1i64 << 40)..1i64 << 40, holdings()), 1..6),
        free in 0i64..1 << 40,
    ) {
        let mut total = PortfolioHealth::default();
        total.add_cash(free);
        let mut turned = PortfolioHealth::default();
        let (mut initial, mut maintenance, mut equity) = (0u64, 0u64, i128::from(free));
        for (cash, holdings) in &accounts {
            let mut world = World::new(*cash, holdings);
            total.add(&Ok(world.health()));
            let engine = world.engine();
            initial += engine.initial_atoms;
            maintenance += engine.maintenance_atoms;
            equity += i128::from(*cash) + holdings.iter().map(worth).sum::<i128>();
        }
        // The accounts the other way round, and each one's list of positions.
        for (cash, holdings) in accounts.iter().rev() {
            let reversed: Vec<_> = holdings.iter().rev().copied().collect();
            turned.add(&Ok(World::new(*cash, &reversed).health()));
        }
        turned.add_cash(free);
        prop_assert_eq!(total, turned);
        prop_assert_eq!(total.initial_atoms, initial);
        prop_assert_eq!(total.maintenance_atoms, maintenance);
        // P9: cash and unrealised profit, nothing else.
        prop_assert_eq!(i128::from(total.equity_atoms), equity);
    }

    #[test]
    fn p8_a_hedge_elsewhere_frees_nothing(one in holding(0), cash in 0i64..1 << 40) {
        let hedge = Holding { lots: -one.lots, open: (one.open.1, one.open.0), ..one };
        let (mut long, mut short) = (World::new(cash, &[one]), World::new(cash, &[hedge]));
        let mut total = PortfolioHealth::default();
        total.add(&Ok(long.health()));
        let alone = total.initial_atoms;
        total.add(&Ok(short.health()));
        prop_assert_eq!(total.initial_atoms, alone + short.engine().initial_atoms);
        prop_assert_eq!(short.engine().initial_atoms, alone);
    }

    #[test]
    fn lq1_the_liquidation_price_is_the_first_at_which_the_engine_would(
        cash in -(1i64 << 36)..1i64 << 38,
        holdings in holdings(),
        at in 0u8..INSTRUMENTS as u8,
    ) {
        let mut world = World::new(cash, &holdings);
        let exposure = world.exposure().unwrap();
        let marks = |number| mark_in(world.data(), number, SLOT);
        let found = liquidation_ticks(&exposure, marks, at).unwrap();
        let held = holdings.iter().find(|one| one.instrument == at && one.lots != 0);
        let Some(held) = held else {
            prop_assert_eq!(found, None);
            return Ok(());
        };
        let mut falls = |ticks: u32| {
            world.slab().instruments[at as usize].mark = Ticks(ticks);
            world.engine().is_liquidatable()
        };
        let long = held.lots > 0;
        match found {
            None => {
                let last = if long { 1 } else { u32::MAX };
                prop_assert!(!falls(last));
            }
            Some(Ticks(ticks)) => {
                prop_assert!(falls(ticks), "not at {}", ticks);
                let next = if long { ticks.checked_add(1) } else { Some(ticks - 1) };
                if let Some(next) = next.filter(|next| *next > 0) {
                    prop_assert!(!falls(next), "still at {}", next);
                }
            }
        }
    }
}

#[test]
fn lq1_lists_that_lie_are_unreadable() {
    let one = Holding {
        instrument: 0,
        mark: 1_000,
        unit: 10,
        lots: 5,
        cost: 0,
        open: (0, 0),
        imr: 100_000,
        mmr: 50_000,
        funding: 0,
        fresh: true,
    };
    let two = Holding {
        instrument: 1,
        ..one
    };
    let refuse = |change: &dyn Fn(&mut Slab<'_>)| {
        let mut world = World::new(1_000_000, &[one, two]);
        assert!(world.exposure().is_ok());
        change(&mut world.slab());
        assert!(world.exposure().is_err());
    };
    // A loop; the same instrument twice; beyond all instruments and pools.
    refuse(&|slab| slab.positions[10].next_in_account = 11);
    refuse(&|slab| slab.positions[11].instrument = 0);
    refuse(&|slab| slab.positions[11].instrument = INSTRUMENTS as u8);
    refuse(&|slab| slab.positions[11].instrument = 32);
    refuse(&|slab| slab.positions[11].instrument = 255);
    refuse(&|slab| slab.positions[10].next_in_account = u32::MAX);
    // Ratios and amounts beyond all bounds, counters that ran backwards.
    refuse(&|slab| slab.instruments[0].imr = Ppm(1_000_001));
    refuse(&|slab| slab.positions[10].cost_atoms = i64::MIN);
    refuse(&|slab| slab.accounts[ACCOUNT].cash_atoms = i64::MIN);
    refuse(&|slab| slab.accounts[ACCOUNT].deposited_seen_atoms = 1);
    // A value beyond the bound reads, and has no health.
    let mut world = World::new(0, &[one]);
    world.slab().instruments[0].mark = Ticks(u32::MAX);
    world.slab().instruments[0].atoms_per_tick = u32::MAX;
    let exposure = world.exposure().unwrap();
    assert!(AccountHealth::of(&exposure, |number| mark_in(world.data(), number, SLOT)).is_err());
    // And a price that nobody has.
    assert!(AccountHealth::of(&exposure, |_| None).is_err());
}
