//! A market with something of everything under way, and every instruction of
//! the Router that reads a slab account.

use crate::market::Market;
use crate::refusal::{Why, refused};
use crate::{QUOTE, ok};
use solana_instruction::Instruction;
use std::slice::from_ref;

/// The hold that [`busy`] leaves open.
pub const HOLD: u32 = 1;

/// An instruction, and whether the taker's wallet signs it.
pub type Reader = (Instruction, bool);

/// Two slabs; at the first one a charge and a release are booked, and the hold
/// number [`HOLD`] has its capability and may be committed.
pub fn busy() -> Market {
    let mut market = Market::open(2);
    let route = market.route(10, 0);
    market.step(&route.instructions());
    market.fund(0, 20 * QUOTE);
    let release = market.release(0, 5 * QUOTE);
    market.step(&[release]);
    let settle = market.settle(0);
    market.crank(settle);
    let route = market.route_of(vec![market.leg(0, 10, 50)]);
    market.step(&route.reserve());
    market.step(&[route.open()]);
    assert_eq!(route.legs()[0].hold.index, HOLD);
    market
}

/// `open_route`, `settle_route` and `refund` of the taker at the first slab,
/// each of which would succeed: the open hold has expired.
pub fn readers(market: &mut Market) -> Vec<Reader> {
    market.wait(60);
    let mut next = market.leg(0, 1, 0);
    next.cap = 3;
    let fresh = market.route_of(vec![next]);
    market.step(&fresh.reserve());
    vec![
        (fresh.open(), true),
        (fresh.settle(), false),
        (market.refund(0, 0), false),
    ]
}

/// Sends one of them, which has to fail for this reason and change nothing.
#[track_caller]
pub fn refuse(market: &mut Market, reader: &Reader, why: impl Into<Why>) {
    let signers = [&market.taker.wallet];
    let signers = &signers[..usize::from(reader.1)];
    refused(
        &mut market.exchange.session,
        from_ref(&reader.0),
        signers,
        why,
    );
}

/// Sends one of them, which has to succeed.
#[track_caller]
pub fn accept(market: &mut Market, reader: &Reader) {
    let signers = [&market.taker.wallet];
    let signers = &signers[..usize::from(reader.1)];
    ok(market.exchange.session.send(from_ref(&reader.0), signers));
}
