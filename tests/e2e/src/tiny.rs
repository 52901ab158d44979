//! Slabs so small that their pools fill.

use crate::{MARK, ok, session};
use flagstone_sdk::embedded::Exchange;
use flagstone_sdk::embedded::exchange::standard_instrument;
use flagstone_sdk::engine::{Capacities, SlabSize};
use flagstone_sdk::interface::slab::PoolId;
use flagstone_sdk::slab::NewSlab;
use flagstone_sdk::units::Ticks;
use flagstone_sdk::{interface, router};
use solana_signer::Signer;

/// The development preset with some pools made smaller.
pub fn capacities(pools: &[(PoolId, u32)]) -> Capacities {
    let mut capacities = SlabSize::Dev.capacities();
    for (pool, items) in pools {
        capacities.items[*pool as usize] = *items;
    }
    capacities
}

/// A slab to create beside the exchange's first one, with its rent set.
pub fn new_slab<'a>(exchange: &Exchange, seed: &'a str, capacities: Capacities) -> NewSlab<'a> {
    let authority = exchange.admin.pubkey();
    let mut new = NewSlab::preset(authority, seed, exchange.mint, SlabSize::Dev);
    new.capacities = capacities;
    new.account_bytes = capacities.layout_bytes();
    new.rent_lamports = exchange
        .session
        .svm
        .minimum_balance_for_rent_exemption(new.account_bytes as usize);
    new
}

/// Creates `new`, registers it, gives it an instrument and makes it the
/// exchange's slab.
pub fn move_to(exchange: &mut Exchange, new: &NewSlab<'_>) {
    let admin = exchange.admin.pubkey();
    let slab = new.address().expect("a short seed");
    let create = new.instructions().expect("a short seed");
    ok(exchange.session.send_large(&create, &[&exchange.admin]));
    let register = router::register_slab(&admin, &slab, &exchange.mint);
    ok(exchange.session.send_large(&[register], &[&exchange.admin]));
    exchange.slab = slab;
    ok(exchange.add_instrument(&standard_instrument(Ticks(MARK))));
}

/// An exchange on a slab whose named pools are this small.
pub fn tiny(pools: &[(PoolId, u32)]) -> Exchange {
    let mut exchange = Exchange::open(session(), SlabSize::Dev).unwrap_or_else(|e| panic!("{e}"));
    let new = new_slab(&exchange, "tiny", capacities(pools));
    move_to(&mut exchange, &new);
    exchange
}

/// Items in use in a pool of the exchange's slab.
pub fn live(exchange: &Exchange, pool: PoolId) -> u32 {
    let read = |slab: &flagstone_sdk::engine::Slab<'_>| slab.header.pool(pool).live;
    exchange
        .session
        .with_slab(&exchange.slab, read)
        .expect("a slab")
}

/// Header of the exchange's slab, copied.
pub fn header(exchange: &Exchange) -> interface::slab::SlabHeader {
    exchange
        .session
        .with_slab(&exchange.slab, |slab| *slab.header)
        .expect("a slab")
}
