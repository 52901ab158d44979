//! Routes with commitments: what was fixed before the hold was made is what
//! commit has to reveal.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::market::{CHARGE_MAX, Market, ROUTE};
use flagstone_e2e_tests::{MARK, QUOTE, ok};
use flagstone_sdk::engine::holds::Reveal;
use flagstone_sdk::interface::error::SlabError;
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::route::Route;
use flagstone_sdk::slab;
use flagstone_sdk::units::{Lots, Side, Ticks};
use solana_instruction::Instruction;
use solana_signer::Signer;

const SALT: [u8; 16] = *b"sixteen of salt.";

/// A route with commitments over all slabs.
fn committed(market: &Market, lots: u32, ttl: u32) -> Route {
    let legs = (0..market.seats.len()).map(|at| {
        let mut leg = market.leg(at, lots, ttl);
        leg.salt = Some(SALT);
        leg
    });
    market.route_of(legs.collect())
}

/// A reserved and opened route of one leg, with the hold open.
fn open() -> (Market, Route) {
    let mut market = Market::open(1);
    market.fund(0, 20 * QUOTE);
    let route = committed(&market, 10, 20);
    market.step(&route.reserve());
    market.step(&[route.open()]);
    (market, route)
}

fn commit(market: &Market, route: &Route, reveal: Option<Reveal>) -> Instruction {
    let (leg, seat) = (&route.legs()[0], &market.seats[0]);
    let trader = market.taker.trader.pubkey();
    slab::commit(
        &seat.slab,
        &trader,
        &seat.escrow,
        seat.account,
        leg.hold,
        leg.cap,
        reveal.as_ref(),
    )
}

fn reveal(lots: u32, limit: u32, salt: [u8; 16]) -> Option<Reveal> {
    Some(Reveal {
        lots: Lots(lots),
        limit: Ticks(limit),
        salt,
        // Never called on this side.
        sha256: |_| [0; 32],
    })
}

#[test]
fn m6_only_the_terms_that_were_fixed_open_a_commitment() {
    let (mut market, route) = open();
    let mut salt = SALT;
    salt[15] ^= 1;
    for wrong in [
        None,
        reveal(10, MARK + 100, salt),
        reveal(10, MARK + 100, [0; 16]),
        reveal(11, MARK + 100, SALT),
        reveal(9, MARK + 100, SALT),
        reveal(10, MARK + 101, SALT),
        reveal(10, MARK + 99, SALT),
        reveal(10, MARK + 1, SALT),
        reveal(u32::MAX, u32::MAX, SALT),
        reveal(0, 0, SALT),
    ] {
        let bad = commit(&market, &route, wrong);
        market.refuse(&bad, SlabError::BadReveal);
    }
    // A reveal that says whether it is there in no known way, or is cut short.
    let good = commit(&market, &route, reveal(10, MARK + 100, SALT));
    for (length, flag) in [(good.data.len(), 2), (good.data.len() - 1, 1), (13, 1)] {
        let mut bad = good.clone();
        bad.data[12] = flag;
        bad.data.truncate(length);
        assert!(market.send(&[bad]).is_err(), "{length} bytes, {flag}");
    }
    let receipt = market.step(&[good]);
    assert!(matches!(receipt.events[..], [Event::Traded(trade)] if trade.lots == 10));
    market.step(&[route.settle()]);
    market.step(&route.free());
    assert_eq!((market.position(0), market.holds(0)), (10, 0));
}

/// The commitment of the same leg in a route of this number on this side.
fn digest(market: &Market, route_id: u64, side: Side) -> [u8; 32] {
    let mut leg = market.leg(0, 10, 20);
    leg.salt = Some(SALT);
    leg.reserve.side = side;
    let (owner, trader) = (market.taker.wallet.pubkey(), market.taker.trader.pubkey());
    let mint = market.exchange.mint;
    let route = Route::new(owner, trader, mint, route_id, 10, u64::MAX, vec![leg]);
    route.expect("a route").legs()[0].reserve.commitment
}

#[test]
fn m6_a_commitment_to_another_route_or_side_opens_nothing() {
    for (route_id, side) in [(ROUTE + 1, Side::Bid), (ROUTE, Side::Ask)] {
        let mut market = Market::open(1);
        market.fund(0, 20 * QUOTE);
        let route = committed(&market, 10, 20);
        let mut reserve = route.legs()[0].reserve;
        assert_eq!(reserve.commitment, digest(&market, ROUTE, Side::Bid));
        reserve.commitment = digest(&market, route_id, side);
        let trader = market.taker.trader.pubkey();
        let reserve = slab::reserve(&market.seats[0].slab, &trader, &reserve);
        market.step(&[reserve]);
        market.step(&[route.open()]);
        let bad = commit(&market, &route, reveal(10, MARK + 100, SALT));
        market.refuse(&bad, SlabError::BadReveal);
    }
}

#[test]
fn m6_the_print_of_a_committed_trade_carries_the_commitment() {
    let (mut market, route) = open();
    let commitment = route.legs()[0].reserve.commitment;
    assert_ne!(commitment, [0; 32]);
    market.step(&route.commit());
    let read = |slab: &flagstone_sdk::engine::Slab<'_>| {
        let latest = slab.trades.iter().max_by_key(|trade| trade.number);
        latest.map(|trade| trade.commitment)
    };
    let printed = market
        .exchange
        .session
        .with_slab(&market.seats[0].slab, read);
    let first = u32::from_le_bytes(commitment[..4].try_into().expect("four bytes"));
    assert_eq!(printed, Ok(Some(first)));
}

#[test]
fn m6_three_slabs_with_commitments_fit_one_transaction() {
    let mut market = Market::open(3);
    let route = committed(&market, 10, 0);
    assert!(
        route
            .legs()
            .iter()
            .all(|leg| leg.max_charge_atoms == CHARGE_MAX)
    );
    let session = &mut market.exchange.session;
    let table = ok(session.create_lookup_table(&route.lookup_addresses()));
    let signers = [&market.taker.wallet, &market.taker.trader];
    let receipt = ok(session.send_with_table(&route.instructions(), &signers, &table));
    println!(
        "route of 3 with commitments: {} bytes, {} CU",
        receipt.bytes, receipt.compute_units
    );
    assert!(receipt.bytes <= 1_232, "{} bytes", receipt.bytes);
    for at in 0..3 {
        assert_eq!((market.position(at), market.holds(at)), (10, 0));
    }
}
