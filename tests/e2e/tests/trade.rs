//! A slab trades: the flows of two makers and a taker.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::{MARK, QUOTE, audit, exchange, ok};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::event::{Event, outcome};
use flagstone_sdk::units::Side;

#[test]
fn a_quote_a_trade_and_a_cancel() {
    let mut exchange = exchange(SlabSize::Dev);
    let maker = ok(exchange.join(50_000 * QUOTE, 10_000 * QUOTE));
    let taker = ok(exchange.join(50_000 * QUOTE, 10_000 * QUOTE));

    let placed = ok(exchange.place(&maker, OrderKind::PostOnly, Side::Ask, MARK + 5, 10));
    println!("place {}", placed.compute_units);
    let [Event::OrderPlaced(order)] = placed.events[..] else {
        panic!("{:?}", placed.events)
    };
    assert_eq!({ order.ticks }, MARK + 5);
    audit(&exchange);

    let traded = ok(exchange.take(&taker, Side::Bid, MARK + 5, 4, 4));
    println!("take {}", traded.compute_units);
    let [Event::Traded(trade)] = traded.events[..] else {
        panic!("{:?}", traded.events)
    };
    assert_eq!(({ trade.lots }, trade.fills().len()), (4, 1));
    assert_eq!(trade.fills()[0].outcome, outcome::PARTIAL);
    audit(&exchange);

    let cancelled = ok(exchange.cancel(&maker, order.order, order.generation));
    println!("cancel {}", cancelled.compute_units);
    let [Event::OrderCancelled(cancel)] = cancelled.events[..] else {
        panic!("no cancel")
    };
    assert_eq!({ cancel.lots }, 6);
    audit(&exchange);
}
