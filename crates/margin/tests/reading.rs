//! What the Router reads is what the engine computes, and a plan restores
//! margin wherever in the band it trades.
#![allow(missing_docs, reason = "tests")]

use bytemuck::Zeroable;
use flagstone_interface::router::{Escrow, SlabLedger};
use flagstone_interface::slab::{SlabAccount, account_flags};
use flagstone_margin::cover::{
    DAY_BPS, DAY_BPS_MAX, EVENT_BPS, EVENT_BPS_MAX, day, is_sound, payable_atoms,
};
use flagstone_margin::shift;
use flagstone_margin::times::DAY_SLOTS;
use flagstone_margin::{Leg, Plan, Reading, Standing, Unreadable};
use flagstone_slab_engine::layout::{Instrument, Position};
use flagstone_slab_engine::risk::{Health, Proposal};
use flagstone_slab_engine::{Capacities, Slab};
use flagstone_units::{
    Lots, PPM_ONE, Ppm, Side, SignedLots, Slot, Ticks, mul_ppm_ceil, notional_atoms,
};
use proptest::prelude::*;

const ACCOUNT: u32 = 3;
const SLOT: Slot = Slot(1_000);
const INSTRUMENTS: usize = 8;

/// A slab's bytes, aligned.
struct Bytes(Vec<u64>);

impl Bytes {
    fn new() -> Self {
        let items = [INSTRUMENTS as u32, 64, 64, 64, 64, 8, 8, 8, 8, 8];
        let capacities = Capacities { items };
        let mut bytes = Self(vec![0; capacities.layout_bytes().div_ceil(8) as usize]);
        Slab::initialize(bytemuck::cast_slice_mut(&mut bytes.0), &capacities).unwrap();
        bytes
    }

    fn data(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }

    fn slab(&mut self) -> Slab<'_> {
        Slab::open(bytemuck::cast_slice_mut(&mut self.0)).unwrap()
    }

    fn read(&mut self, escrow: &Escrow) -> Result<Reading, Unreadable> {
        let account = self.slab().accounts[ACCOUNT];
        Reading::of(self.data(), &account, escrow, SLOT)
    }
}

#[derive(Clone, Copy, Debug)]
struct Holding {
    mark: u32,
    unit: u32,
    lots: i32,
    cost_ppm: u32,
    bids: u32,
    asks: u32,
    imr: u32,
    mmr_ppm: u32,
    funding: i64,
}

/// Ten lots at 1,000 ticks of 10 atoms, at cost.
const PLAIN: Holding = Holding {
    mark: 1_000,
    unit: 10,
    lots: 10,
    cost_ppm: 1_000_000,
    bids: 0,
    asks: 0,
    imr: 100_000,
    mmr_ppm: 500_000,
    funding: 0,
};

fn holding() -> impl Strategy<Value = Holding> {
    (
        (1u32..2_000_000, 1u32..2_000, -20_000i32..20_000),
        (500_000u32..1_500_000, 0u32..5_000, 0u32..5_000),
        (
            60_000u32..500_000,
            500_000u32..1_000_000,
            -(1i64 << 30)..1 << 30,
        ),
    )
        .prop_map(
            |((mark, unit, lots), (cost_ppm, bids, asks), rest)| Holding {
                mark,
                unit,
                lots,
                cost_ppm,
                bids,
                asks,
                imr: rest.0,
                mmr_ppm: rest.1,
                funding: rest.2,
            },
        )
}

/// Puts the holdings into an account, one per instrument.
fn fill(bytes: &mut Bytes, cash: i64, holdings: &[Holding]) {
    let mut slab = bytes.slab();
    let mut head = 0;
    for (number, one) in holdings.iter().enumerate() {
        let mut instrument = Instrument::zeroed();
        instrument.mark = Ticks(one.mark);
        instrument.price_max = Ticks(u32::MAX);
        instrument.atoms_per_tick = one.unit;
        instrument.imr = Ppm(one.imr);
        instrument.mmr = Ppm((u64::from(one.imr) * u64::from(one.mmr_ppm) / PPM_ONE) as u32);
        instrument.funding_index = one.funding;
        instrument.fresh_until = Slot(u32::MAX);
        instrument.rules.liquidation_fee = Ppm(5_000);
        instrument.rules.liquidation_band_max = Ppm(20_000);
        slab.instruments[number] = instrument;
        let index = number as u32 + 10;
        let value = notional_atoms(Ticks(one.mark), one.lots.unsigned_abs(), one.unit);
        let cost = (u128::from(value) * u128::from(one.cost_ppm) / u128::from(PPM_ONE)) as i64;
        slab.positions[index] = Position {
            account: ACCOUNT as u16,
            instrument: number as u8,
            used: 1,
            lots: SignedLots(one.lots),
            cost_atoms: if one.lots < 0 { -cost } else { cost },
            open_bid_lots: Lots(one.bids),
            open_ask_lots: Lots(one.asks),
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn lq1_what_is_read_is_what_the_engine_computes(
        cash in -(1i64 << 45)..1i64 << 45,
        bond in 0u64..1 << 30,
        (deposit, cover) in (0u64..1 << 40, 0u64..1 << 40),
        holdings in proptest::collection::vec(holding(), 0..INSTRUMENTS),
    ) {
        let mut bytes = Bytes::new();
        fill(&mut bytes, cash, &holdings);
        bytes.slab().accounts[ACCOUNT].bond_atoms = bond;
        let mut escrow = Escrow::zeroed();
        let plain = bytes.read(&escrow).unwrap();
        let engine: Health = bytes.slab().health(ACCOUNT, None);
        prop_assert_eq!(plain.health, engine);
        prop_assert_eq!(plain.is_liquidatable(), engine.is_liquidatable());
        prop_assert!(plain.settled_initial_atoms <= engine.initial_atoms);
        // What is on its way counts.
        escrow.deposited_total_atoms = deposit;
        escrow.covered_total_atoms = cover;
        let more = bytes.read(&escrow).unwrap().health;
        let way = (deposit + cover) as i64;
        prop_assert_eq!(more.equity_atoms, engine.equity_atoms + way);
    }

    #[test]
    fn lq4_what_an_account_can_give_is_what_its_slab_would_release(
        cash in -(1i64 << 45)..1i64 << 45,
        (bond, principal) in (0u64..1 << 30, 0u64..1 << 46),
        (deposit, matured, deficit) in (0u64..1 << 40, any::<bool>(), 0u64..4),
        holdings in proptest::collection::vec(holding(), 0..INSTRUMENTS),
    ) {
        let mut bytes = Bytes::new();
        fill(&mut bytes, cash, &holdings);
        let mut slab = bytes.slab();
        slab.accounts[ACCOUNT].bond_atoms = bond;
        slab.accounts[ACCOUNT].principal_atoms = principal;
        slab.accounts[ACCOUNT].warmup_slot = Slot(if matured { 400 } else { 401 });
        slab.header.deficit_atoms = deficit / 3;
        let engine = slab.releasable_atoms(ACCOUNT, SLOT);
        let account = slab.accounts[ACCOUNT];
        // What is on its way was not credited, and so cannot be released.
        let mut escrow = Escrow::zeroed();
        escrow.deposited_total_atoms = deposit;
        let spare = shift::spare_atoms(bytes.data(), &account, &escrow, SLOT);
        prop_assert_eq!(spare, Ok(engine));
        escrow.frozen = 1;
        let frozen = shift::spare_atoms(bytes.data(), &account, &escrow, SLOT);
        prop_assert_eq!(frozen, Ok(0));
    }

    #[test]
    fn lq2_a_plan_restores_margin_at_the_edge_of_the_band(
        shortfall in 0u32..1_000_000,
        one in holding().prop_filter("a position", |one| one.lots != 0),
    ) {
        let mut bytes = Bytes::new();
        // Orders are cancelled before the sweep, and funding is settled.
        let one = Holding { bids: 0, asks: 0, funding: 0, ..one };
        fill(&mut bytes, 0, &[one]);
        let flat = bytes.slab().health(ACCOUNT, None);
        // Equity anywhere below maintenance margin, down to nothing.
        let below = (u128::from(flat.maintenance_atoms) * u128::from(shortfall) / 1_000_000) as i64;
        let equity = flat.maintenance_atoms as i64 - 1 - below;
        prop_assume!(equity >= 0);
        bytes.slab().accounts[ACCOUNT].cash_atoms = equity - flat.equity_atoms;
        let reading = bytes.read(&Escrow::zeroed()).unwrap();
        prop_assert!(reading.is_liquidatable());
        let plan = Plan::of(&reading, 7).unwrap();
        let size = one.lots.unsigned_abs();
        prop_assert!(plan.lots_max >= 1 && plan.lots_max <= size);
        prop_assert_eq!(plan.deficit_max_atoms, 7);
        // At the edge: 2 % of the mark, rounded down as the slab does.
        let width = (u64::from(one.mark) * 20_000 / PPM_ONE) as u32;
        let (side, ticks) = match one.lots > 0 {
            true => (Side::Ask, (one.mark - width).max(1)),
            false => (Side::Bid, one.mark + width),
        };
        let notional = notional_atoms(Ticks(ticks), plan.lots_max, one.unit);
        let slab = bytes.slab();
        let change = slab.positions[10].trade(side, plan.lots_max, notional);
        let proposal = Proposal {
            index: 10,
            position: change.position,
            cash_change_atoms: change.realised_atoms,
        };
        let after = slab.health(ACCOUNT, Some(&proposal));
        let fee = mul_ppm_ceil(notional, 5_000) as i64;
        let restored = after.equity_atoms - fee >= after.initial_atoms as i64;
        prop_assert!(restored || plan.lots_max == size, "{plan:?} {after:?} {fee}");
    }

    #[test]
    fn x7_cover_stays_within_the_parts_of_the_day_however_it_is_asked_for(
        insurance in 0u64..1 << 50,
        set in proptest::option::of((1..=EVENT_BPS_MAX, 0..=DAY_BPS_MAX)),
        asks in proptest::collection::vec((0usize..3, any::<bool>(), 0u64..1 << 50), 1..60),
    ) {
        let mut ledger = SlabLedger::zeroed();
        ledger.insurance_atoms = insurance;
        let (event_bps, day_bps) = match set {
            Some((event, day)) => {
                let day = day.max(event);
                (ledger.cover_event_bps, ledger.cover_day_bps) = (event, day);
                (event, day)
            }
            None => (EVENT_BPS, DAY_BPS),
        };
        prop_assert!(is_sound(ledger.cover_event_bps, ledger.cover_day_bps));
        let mut escrows = [Escrow::zeroed(); 3];
        let mut slot = Slot(5);
        let (mut base, mut paid_today) = (insurance, 0u64);
        let mut events = [0u64; 3];
        for (who, next_day, wanted) in asks {
            if next_day && wanted % 7 == 0 {
                slot = Slot(slot.0 + DAY_SLOTS.0);
                (base, paid_today) = (ledger.insurance_atoms, 0);
            }
            let escrow = &mut escrows[who];
            let paid = wanted.min(payable_atoms(&ledger, escrow, 1, slot));
            // As the Router books it.
            if ledger.cover_day != day(slot) {
                (ledger.cover_day, ledger.cover_day_atoms) = (day(slot), 0);
            }
            escrow.cover_episode = 1;
            escrow.cover_event_atoms += paid;
            ledger.cover_day_atoms += paid;
            ledger.insurance_atoms -= paid;
            paid_today += paid;
            events[who] += paid;
            let part = |bps: u16| (u128::from(base) * u128::from(bps) / 10_000) as u64;
            prop_assert!(paid_today <= part(day_bps));
            prop_assert!(paid == 0 || events[who] <= part(event_bps));
        }
    }
}

#[test]
fn lq2_the_leg_with_the_largest_margin_comes_first() {
    let mut bytes = Bytes::new();
    let holdings = [-30, 20].map(|lots| Holding { lots, ..PLAIN });
    fill(&mut bytes, 0, &[PLAIN, holdings[0], holdings[1]]);
    let reading = bytes.read(&Escrow::zeroed()).unwrap();
    let leg: Leg = reading.largest.unwrap();
    assert_eq!((leg.instrument, leg.lots), (1, 30));
    assert_eq!(Plan::of(&reading, 0).unwrap().instrument, 1);
    // One that bars liquidation is passed over.
    bytes.slab().instruments[1].rules.liquidation_fee = Ppm(0);
    let reading = bytes.read(&Escrow::zeroed()).unwrap();
    assert_eq!(Plan::of(&reading, 0).unwrap().instrument, 2);
    // Nothing to close.
    fill(&mut bytes, -5, &[]);
    let reading = bytes.read(&Escrow::zeroed()).unwrap();
    assert_eq!(Plan::of(&reading, 0), None);
}

#[test]
fn lq2_a_debt_that_is_there_already_does_not_bar_the_sweep() {
    let mut bytes = Bytes::new();
    fill(&mut bytes, -2_000, &[PLAIN]);
    let reading = bytes.read(&Escrow::zeroed()).unwrap();
    let plan = Plan::of(&reading, 300).unwrap();
    assert_eq!(plan.deficit_max_atoms, 2_300);
    assert_eq!(plan.lots_max, 10, "all of it");
}

#[test]
fn lq1_a_stale_account_neither_begins_nor_ends_anything() {
    let mut bytes = Bytes::new();
    let dear = Holding {
        cost_ppm: 1_500_000,
        ..PLAIN
    };
    fill(&mut bytes, 0, &[dear]);
    assert!(bytes.read(&Escrow::zeroed()).unwrap().is_liquidatable());
    bytes.slab().instruments[0].fresh_until = Slot(SLOT.0 - 1);
    let stale = bytes.read(&Escrow::zeroed());
    assert!(!stale.unwrap().is_liquidatable());
    // Its loss counts, its gain would not.
    let mut standing = Standing::default();
    standing.add(&stale);
    standing.add(&Err(Unreadable));
    assert_eq!((standing.accounts, standing.stale), (2, 2));
    assert_eq!(standing.equity_atoms, -50_000);
    bytes.slab().accounts[ACCOUNT].cash_atoms = 1_000_000;
    let rich = bytes.read(&Escrow::zeroed());
    assert!(!rich.unwrap().is_restored());
    let mut standing = Standing::default();
    standing.add(&rich);
    assert_eq!(standing.equity_atoms, 0);
}

#[test]
fn lq1_what_one_account_has_covers_nothing_of_another() {
    let mut bytes = Bytes::new();
    fill(&mut bytes, 3_000, &[PLAIN]);
    let poor = bytes.read(&Escrow::zeroed());
    bytes.slab().accounts[ACCOUNT].cash_atoms = 1_000_000;
    let rich = bytes.read(&Escrow::zeroed());
    let mut standing = Standing::default();
    standing.add(&rich);
    standing.add(&poor);
    // Margins of 10,000 and 5,000 on 100,000 each.
    assert_eq!(standing.liquidatable, 1);
    assert_eq!(standing.missing_atoms, 7_000);
    assert_eq!(standing.equity_atoms, 1_003_000);
    assert_eq!(standing.initial_atoms, 20_000);
}

#[test]
fn x7_a_debt_is_one_only_when_nothing_else_is_left() {
    let mut bytes = Bytes::new();
    fill(&mut bytes, -500, &[]);
    // The slab could not credit what it does not know to be owed.
    assert_eq!(bytes.read(&Escrow::zeroed()).unwrap().debt_atoms(), 0);
    bytes.slab().accounts[ACCOUNT].flags |= account_flags::BANKRUPT;
    let debt = |bytes: &mut Bytes| bytes.read(&Escrow::zeroed()).unwrap().debt_atoms();
    assert_eq!(debt(&mut bytes), 500);
    bytes.slab().accounts[ACCOUNT].orders_count = 1;
    assert_eq!(debt(&mut bytes), 0);
    bytes.slab().accounts[ACCOUNT].orders_count = 0;
    bytes.slab().accounts[ACCOUNT].holds_count = 1;
    assert_eq!(debt(&mut bytes), 0);
    bytes.slab().accounts[ACCOUNT].holds_count = 0;
    let mut escrow = Escrow::zeroed();
    escrow.covered_total_atoms = 200;
    escrow.deposited_total_atoms = 299;
    assert_eq!(bytes.read(&escrow).unwrap().debt_atoms(), 1);
    // A counter that the slab has ahead of the Router is no counter.
    bytes.slab().accounts[ACCOUNT].covered_seen_atoms = 201;
    assert_eq!(bytes.read(&escrow), Err(Unreadable));
}

#[test]
fn t9_a_haircut_that_the_account_has_not_seen_counts() {
    let mut bytes = Bytes::new();
    fill(&mut bytes, 1_000, &[]);
    // A quarter of all profits is lost; 600 of the cash are profit.
    bytes.slab().accounts[ACCOUNT].principal_atoms = 400;
    bytes.slab().header.haircut_index = 1 << 30;
    let reading = bytes.read(&Escrow::zeroed()).unwrap();
    assert_eq!(reading.health.equity_atoms, 850);
}

#[test]
fn lq4_what_is_wanted_comes_after_free_cash_and_within_the_consent() {
    let mut bytes = Bytes::new();
    fill(&mut bytes, 3_000, &[PLAIN]);
    let reading = bytes.read(&Escrow::zeroed()).unwrap();
    assert_eq!(reading.missing_atoms(), 7_000);
    let mut escrow = Escrow::zeroed();
    let wanted = |escrow: &Escrow, cash| shift::wanted_atoms(&reading, escrow, cash);
    escrow.liability_max_atoms = 10_000;
    assert_eq!(wanted(&escrow, 0), 0, "not frozen");
    escrow.frozen = 1;
    assert_eq!(wanted(&escrow, 0), 7_000);
    assert_eq!(wanted(&escrow, 6_999), 1);
    assert_eq!(wanted(&escrow, u64::MAX), 0);
    escrow.shifted_atoms = 4_000;
    assert_eq!(wanted(&escrow, 1_000), 5_000);
    escrow.shifted_atoms = 11_000;
    assert_eq!(wanted(&escrow, 0), 0);
    // Stale marks say nothing; without positions it would pay a debt.
    escrow.shifted_atoms = 0;
    bytes.slab().instruments[0].fresh_until = Slot(SLOT.0 - 1);
    let stale = bytes.read(&escrow).unwrap();
    assert_eq!(shift::wanted_atoms(&stale, &escrow, 0), 0);
    let account = bytes.slab().accounts[ACCOUNT];
    escrow.frozen = 0;
    let spare = shift::spare_atoms(bytes.data(), &account, &escrow, SLOT);
    assert_eq!(spare, Ok(0));
    escrow.frozen = 1;
    fill(&mut bytes, -500, &[]);
    let bare = bytes.read(&escrow).unwrap();
    assert_eq!(shift::wanted_atoms(&bare, &escrow, 0), 0);
}

#[test]
fn lq4_the_opening_deposit_is_not_spare_unless_everything_leaves() {
    let mut bytes = Bytes::new();
    let spare = |bytes: &mut Bytes| {
        let account = bytes.slab().accounts[ACCOUNT];
        shift::spare_atoms(bytes.data(), &account, &Escrow::zeroed(), SLOT)
    };
    fill(&mut bytes, 12_000, &[]);
    bytes.slab().accounts[ACCOUNT].principal_atoms = 12_000;
    bytes.slab().header.account_deposit_min_atoms = 500;
    assert_eq!(spare(&mut bytes), Ok(12_000));
    bytes.slab().accounts[ACCOUNT].warmup_slot = SLOT;
    bytes.slab().accounts[ACCOUNT].principal_atoms = 11_900;
    assert_eq!(spare(&mut bytes), Ok(11_500));
    bytes.slab().accounts[ACCOUNT].holds_count = 1;
    bytes.slab().accounts[ACCOUNT].principal_atoms = 12_000;
    assert_eq!(spare(&mut bytes), Ok(11_500));
}

#[test]
fn lq4_t9_a_haircut_that_the_account_has_not_seen_is_not_spare() {
    let mut bytes = Bytes::new();
    fill(&mut bytes, 1_000, &[]);
    // A quarter of all profits is lost; 600 of the cash are profit.
    bytes.slab().accounts[ACCOUNT].principal_atoms = 400;
    bytes.slab().header.haircut_index = 1 << 30;
    let spare = |bytes: &mut Bytes| {
        let account = bytes.slab().accounts[ACCOUNT];
        shift::spare_atoms(bytes.data(), &account, &Escrow::zeroed(), SLOT)
    };
    assert_eq!(spare(&mut bytes), Ok(850));
    bytes.slab().accounts[ACCOUNT].warmup_slot = SLOT;
    assert_eq!(spare(&mut bytes), Ok(400));
}

#[test]
fn lq4_x8_a_limit_bounds_what_a_source_can_pay_now() {
    let (mut ledger, mut escrow) = (SlabLedger::zeroed(), Escrow::zeroed());
    ledger.backing_atoms = 10_000;
    let payable = |ledger: &SlabLedger, escrow: &Escrow| shift::payable_atoms(escrow, ledger, SLOT);
    assert_eq!(payable(&ledger, &escrow), 10_000);
    ledger.outflow.set(SLOT, 3_000, 100);
    assert_eq!(payable(&ledger, &escrow), 3_000);
    // Own deposits of late are exempt, and all of it is within the backing.
    escrow.recent.add(SLOT, 2_000);
    assert_eq!(payable(&ledger, &escrow), 5_000);
    escrow.recent.add(SLOT, 7_500);
    assert_eq!(payable(&ledger, &escrow), 10_000);
    // Others wait.
    ledger.waiting_count = 1;
    assert_eq!(payable(&ledger, &escrow), 9_500);
}

#[test]
fn x7_the_parts_of_the_insurance_are_bounded() {
    assert!(is_sound(0, 0) && is_sound(1, 1) && is_sound(EVENT_BPS_MAX, DAY_BPS_MAX));
    assert!(is_sound(EVENT_BPS, DAY_BPS));
    let unsound = [
        (0, 1),
        (1, 0),
        (2, 1),
        (EVENT_BPS_MAX + 1, DAY_BPS_MAX),
        (EVENT_BPS_MAX, DAY_BPS_MAX + 1),
        (u16::MAX, u16::MAX),
    ];
    for (event, day) in unsound {
        assert!(!is_sound(event, day), "{event} {day}");
    }
}
