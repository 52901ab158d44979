//! E2E2: what a route pays over all its slabs is within the limit that its owner
//! signed, to the atom, whatever the books hold.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::market::{Market, ROUTE};
use flagstone_e2e_tests::random::Random;
use flagstone_e2e_tests::{MARK, ok};
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::error::RouterError;
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::route::{Route, RouteLeg};
use flagstone_sdk::slab;
use flagstone_sdk::units::{Side, Ticks};
use solana_signer::Signer;

/// Value of a tick on a lot of the test instrument, in atoms.
const ATOMS_PER_TICK: u64 = 10_000;

/// Slabs of every route.
const SLABS: usize = 3;

/// Gives every slab a second level on each side, at a distance of its own.
fn deepen(market: &mut Market, random: &mut Random) {
    for at in 0..SLABS {
        for side in [Side::Bid, Side::Ask] {
            let away = 11 + random.below(60);
            let ticks = match side {
                Side::Bid => MARK - away,
                Side::Ask => MARK + away,
            };
            let seat = market.maker_seats[at];
            let mut order = market.maker.order(OrderKind::PostOnly, side, ticks, 40);
            order.account = seat.account.into();
            let place = slab::place(&seat.slab, &market.maker.trader.pubkey(), &order);
            let session = &mut market.exchange.session;
            ok(session.send(&[place], &[&market.maker.trader]));
        }
    }
}

fn legs(market: &Market, side: Side, random: &mut Random) -> Vec<RouteLeg> {
    let leg = |at| {
        let lots = 30 + random.below(40);
        let mut leg = market.leg(at, lots, 0);
        leg.reserve.side = side;
        leg.reserve.limit = match side {
            Side::Bid => Ticks(MARK + 100),
            Side::Ask => Ticks(MARK - 100),
        };
        leg
    };
    (0..SLABS).map(leg).collect()
}

/// The limit in atoms for a price in millionths of a tick: rounded so that no
/// rounding lets the route be dearer, or sell for less.
fn limit_atoms(side: Side, lots: u64, micro_ticks: u64) -> u64 {
    let exact = u128::from(lots) * u128::from(micro_ticks) * u128::from(ATOMS_PER_TICK);
    let million = 1_000_000;
    (match side {
        Side::Bid => exact / million,
        Side::Ask => exact.div_ceil(million),
    }) as u64
}

fn route(market: &Market, side: Side, lots: u64, limit: u64, legs: &[RouteLeg]) -> Route {
    assert!(legs.iter().all(|leg| leg.reserve.side == side));
    let (owner, trader) = (market.taker.wallet.pubkey(), market.taker.trader.pubkey());
    let mint = market.exchange.mint;
    Route::new(owner, trader, mint, ROUTE, lots, limit, legs.to_vec()).expect("a route")
}

/// Notional that the holds of a route captured, in atoms.
fn captured(market: &Market, route: &Route) -> u64 {
    let slabs = market.slabs();
    let notional = |leg: &RouteLeg| {
        let at = slabs.iter().position(|key| *key == leg.slab);
        let hold = market.hold(at.expect("a seat"), leg.hold.index);
        assert_eq!(hold.lots, leg.reserve.lots.0);
        hold.notional_atoms
    };
    route.legs().iter().map(notional).sum()
}

#[test]
fn e2e2_a_route_never_trades_beyond_its_blended_limit() {
    for seed in 0..6 {
        let mut random = Random::new(seed);
        let mut market = Market::open(SLABS);
        deepen(&mut market, &mut random);
        let side = if seed % 2 == 0 { Side::Bid } else { Side::Ask };
        let legs = legs(&market, side, &mut random);
        let lots: u64 = legs.iter().map(|leg| u64::from(leg.reserve.lots.0)).sum();
        let any = if side == Side::Bid { u64::MAX } else { 0 };
        let unlimited = route(&market, side, lots, any, &legs);
        market.step(&unlimited.reserve());
        let total = captured(&market, &unlimited);
        // The average price lies at or above this many millionths of a tick, and
        // below the next.
        let exact = u128::from(total) * 1_000_000 / u128::from(lots * ATOMS_PER_TICK);
        let micro = exact as u64;
        let (within, beyond, tighter) = match side {
            Side::Bid => (micro + 1, micro - 1, total - 1),
            Side::Ask => (micro, micro + 1, total + 1),
        };
        for limit in [tighter, limit_atoms(side, lots, beyond)] {
            let tight = route(&market, side, lots, limit, &legs);
            market.refuse(&tight.open(), RouterError::BadRoute);
        }
        let limit = if seed < 3 {
            total
        } else {
            limit_atoms(side, lots, within)
        };
        let signed = route(&market, side, lots, limit, &legs);
        market.step(&[signed.open()]);
        let receipt = market.step(&signed.commit());
        let traded = receipt.events.iter().filter_map(|event| match event {
            Event::Traded(traded) => Some((u64::from(traded.lots), { traded.notional_atoms })),
            _ => None,
        });
        let (filled, paid) = traded.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        assert_eq!((filled, paid), (lots, total), "trades what it captured");
        assert!(if side == Side::Bid {
            paid <= limit
        } else {
            paid >= limit
        });
        market.step(&[vec![signed.settle()], signed.free()].concat());
    }
}
