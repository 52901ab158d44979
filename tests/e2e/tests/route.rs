//! Routes over several slabs: reserve, open, commit, settle, release, withdraw.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::{MARK, QUOTE, audit, exchange, ok};
use flagstone_sdk::embedded::exchange::standard_instrument;
use flagstone_sdk::embedded::{Exchange, Member, Seat};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::holds::Reserve;
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::route::{Route, RouteLeg};
use flagstone_sdk::slab::{self, HoldHandle};
use flagstone_sdk::units::{Lots, Side, Slot, Ticks};
use solana_signer::Signer;

/// An exchange with three slabs, a maker who quotes on each, and a taker with
/// cash at the Router only.
fn market() -> (Exchange, Vec<Seat>, Member) {
    let mut exchange = exchange(SlabSize::Dev);
    let maker = ok(exchange.join(100_000 * QUOTE, 10_000 * QUOTE));
    let taker = ok(exchange.open_member(100_000 * QUOTE));
    ok(exchange.deposit(&taker, 50_000 * QUOTE));
    let mut seats = vec![taker.seat(&exchange)];
    ok(exchange.place(&maker, OrderKind::PostOnly, Side::Ask, MARK + 10, 20));
    for seed in ["second", "third"] {
        let slab = ok(exchange.add_slab(seed, SlabSize::Dev));
        ok(exchange.add_instrument_at(&slab, &standard_instrument(Ticks(MARK))));
        let seat = ok(exchange.add_seat(&maker, &slab));
        ok(exchange.deposit(&maker, 10_000 * QUOTE));
        let owner = maker.wallet.pubkey();
        let fund = [
            flagstone_sdk::router::fund_slab(&owner, &slab, &exchange.mint, 10_000 * QUOTE),
            slab::sync(&slab, &seat.escrow, seat.account),
        ];
        ok(exchange.session.send(&fund, &[&maker.wallet]));
        let mut order = maker.order(OrderKind::PostOnly, Side::Ask, MARK + 12, 20);
        order.account = seat.account.into();
        let place = slab::place(&slab, &maker.trader.pubkey(), &order);
        ok(exchange.session.send(&[place], &[&maker.trader]));
        seats.push(ok(exchange.add_seat(&taker, &slab)));
    }
    (exchange, seats, taker)
}

fn route(exchange: &Exchange, seats: &[Seat], taker: &Member, lots: u32) -> Route {
    let legs = seats
        .iter()
        .map(|seat| RouteLeg {
            slab: seat.slab,
            reserve: Reserve {
                account: seat.account.into(),
                instrument: 0,
                side: Side::Bid,
                limit: Ticks(MARK + 100),
                lots: Lots(lots),
                lots_min: Lots(lots),
                ttl: Slot(0),
                route_id: 0,
                commitment: [0; 32],
            },
            hold: HoldHandle::next(&exchange.session.data(&seat.slab)).expect("a slab"),
            cap: 0,
            salt: None,
            max_charge_atoms: 5_000 * QUOTE,
        })
        .collect();
    Route::new(
        taker.wallet.pubkey(),
        taker.trader.pubkey(),
        exchange.mint,
        7,
        u64::from(lots) * 3,
        u64::MAX,
        legs,
    )
    .expect("a route")
}

#[test]
fn e2e1_three_slabs_in_one_transaction() {
    let (mut exchange, seats, taker) = market();
    let route = route(&exchange, &seats, &taker, 10);
    let table = ok(exchange
        .session
        .create_lookup_table(&route.lookup_addresses()));
    let receipt = ok(exchange.session.send_with_table(
        &route.instructions(),
        &[&taker.wallet, &taker.trader],
        &table,
    ));
    println!(
        "route of 3: {} CU, {} bytes",
        receipt.compute_units, receipt.bytes
    );
    for seat in &seats {
        let lots = exchange
            .session
            .with_slab(&seat.slab, |slab| {
                slab.audit().expect("audit");
                let head = slab.accounts[u32::from(seat.account)].positions_head;
                slab.positions[head].lots.0
            })
            .expect("a slab");
        assert_eq!(lots, 10);
    }
    audit(&exchange);
}

#[test]
fn t4_a_hold_left_behind_ends_with_the_next_slots_first_trade() {
    let (mut exchange, seats, taker) = market();
    let other = ok(exchange.join(50_000 * QUOTE, 10_000 * QUOTE));
    let route = route(&exchange, &seats[..1], &taker, 20);
    // Everything at the touch is locked, for nothing, and left behind.
    ok(exchange.session.send(&route.reserve(), &[&taker.trader]));
    let none = ok(exchange.take(&other, Side::Bid, MARK + 10, 20, 0));
    assert!(matches!(none.events[..], [Event::Traded(trade)] if trade.lots == 0));
    let slot = exchange.session.slot();
    exchange.session.warp_to(slot + 1);
    let all = ok(exchange.take(&other, Side::Bid, MARK + 10, 20, 20));
    let [Event::HoldEnded(ended), Event::Traded(trade)] = all.events[..] else {
        panic!("{:?}", all.events)
    };
    assert_eq!({ ended.hold }, route.legs()[0].hold.index);
    assert_eq!(({ ended.fee_atoms }, { trade.lots }), (0, 20));
    audit(&exchange);
}
