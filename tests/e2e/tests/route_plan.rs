//! How many transactions a route takes, and that the runtime agrees.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::market::Market;
use flagstone_e2e_tests::money::audit_money;
use flagstone_e2e_tests::{QUOTE, ok};
use flagstone_sdk::address;
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::route::{
    LEGS_MAX, LOADED_BYTES_MAX, Part, RouteError, RouteLeg, TRANSACTION_BYTES_MAX, Venue, groups,
};
use solana_address::Address;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_message::AddressLookupTableAccount;
use solana_transaction_error::TransactionError;

/// Slots for which holds live where a route takes several transactions.
const TTL: u32 = 20;

fn plan(
    market: &Market,
    lots: u32,
    ttl: u32,
    tables: &[AddressLookupTableAccount],
) -> Result<Vec<Part>, RouteError> {
    let session = &market.exchange.session;
    market.route(lots, ttl).plan(&Venue {
        payer: session.payer(),
        tables,
        data_len: &|key| session.data(key).len() as u64,
    })
}

/// Asks for another amount of loaded data.
fn asking(part: &Part, bytes: u64) -> Part {
    let mut part = part.clone();
    part.instructions[1] =
        ComputeBudgetInstruction::set_loaded_accounts_data_size_limit(bytes as u32);
    part
}

#[test]
fn e2e1_five_full_slabs_in_one_transaction() {
    let mut market = Market::open_with(LEGS_MAX, SlabSize::Full);
    let addresses = market.route(5, 0).lookup_addresses();
    let table = ok(market.exchange.session.create_lookup_table(&addresses));
    let parts = plan(&market, 5, 0, std::slice::from_ref(&table)).expect("a plan");
    let [part] = &parts[..] else {
        panic!("{} transactions", parts.len())
    };
    assert!(part.loaded_bytes > 50 << 20 && part.loaded_bytes <= LOADED_BYTES_MAX);
    let signers = [&market.taker.wallet, &market.taker.trader];
    let session = &mut market.exchange.session;
    // The runtime counts what the plan counts, but for the code of the Router,
    // which the embedded chain forgets: with less it refuses to load.
    let code = session.data(&address::program_data(&address::ROUTER)).len();
    let less = asking(part, part.loaded_bytes - code as u64 - (1 << 10));
    let refused = session.send_with_table(&less.instructions, &signers, &table);
    let error = refused
        .map(|receipt| receipt.bytes)
        .map_err(|failure| failure.error);
    assert_eq!(
        error,
        Err(TransactionError::MaxLoadedAccountsDataSizeExceeded)
    );
    let receipt = ok(session.send_with_table(&part.instructions, &signers, &table));
    println!(
        "route of 5 full slabs: {} CU, {} bytes, {} bytes loaded",
        receipt.compute_units, receipt.bytes, part.loaded_bytes
    );
    assert_eq!(receipt.bytes, part.bytes);
    assert!(receipt.bytes <= TRANSACTION_BYTES_MAX);
    assert!(receipt.compute_units < 75_000, "{}", receipt.compute_units);
    for at in 0..LEGS_MAX {
        assert_eq!(market.position(at), 5);
        assert_eq!(market.holds(at), 0);
    }
    audit_money(&market.exchange.session);
}

#[test]
fn e2e1_a_route_too_long_for_one_transaction_takes_several() {
    let mut market = Market::open(LEGS_MAX);
    // Within one slot no hold is sure to live through several.
    let hurried = plan(&market, 5, 0, &[]);
    assert!(matches!(hurried, Err(RouteError::HoldsEndWithSlot)));
    for at in 0..LEGS_MAX {
        market.fund(at, QUOTE);
    }
    let parts = plan(&market, 5, TTL, &[]).expect("a plan");
    assert!(parts.len() > 1, "{} transactions", parts.len());
    for part in &parts {
        let receipt = ok(market.send(&part.instructions));
        // Without a table the session sends a message of the older kind.
        assert_eq!(receipt.bytes + 2, part.bytes);
        audit_money(&market.exchange.session);
        market.wait(1);
    }
    for at in 0..LEGS_MAX {
        assert_eq!(market.position(at), 5);
        assert_eq!(market.holds(at), 0);
    }
    // A table makes it one again.
    let addresses = market.route(5, 0).lookup_addresses();
    let table = ok(market.exchange.session.create_lookup_table(&addresses));
    assert_eq!(plan(&market, 5, 0, &[table]).expect("a plan").len(), 1);
}

#[test]
fn e2e1_a_step_that_loads_too_much_is_said_so() {
    let market = Market::open(LEGS_MAX);
    let slabs = market.slabs();
    let venue = |slab_bytes: u64| {
        let planned = market.route(5, TTL).plan(&Venue {
            payer: market.exchange.session.payer(),
            tables: &[],
            data_len: &|key| {
                if slabs.contains(key) {
                    slab_bytes
                } else {
                    1 << 19
                }
            },
        });
        planned.map(|parts| parts.len())
    };
    assert!(matches!(venue(10 << 20), Ok(2..)));
    assert_eq!(venue(13 << 20), Err(RouteError::TooLarge));
}

#[test]
fn e2e1_legs_beyond_what_loads_at_once_become_routes_of_their_own() {
    let market = Market::open(1);
    let leg = |number: u8| RouteLeg {
        slab: Address::new_from_array([number; 32]),
        ..market.leg(0, 5, 0)
    };
    let legs: Vec<RouteLeg> = (1..=7).map(leg).collect();
    let sizes = |slab_bytes: u64| -> Vec<usize> {
        let data_len = |key: &Address| match legs.iter().any(|leg| leg.slab == *key) {
            true => slab_bytes,
            false => 1 << 19,
        };
        let groups = groups(&legs, &data_len);
        let slabs: Vec<Address> = groups.iter().flatten().map(|leg| leg.slab).collect();
        let expected: Vec<Address> = legs.iter().map(|leg| leg.slab).collect();
        assert_eq!(slabs, expected, "every leg once, in order");
        groups.iter().map(Vec::len).collect()
    };
    assert_eq!(sizes(256 << 10), [5, 2]);
    assert_eq!(sizes(10 << 20), [5, 2]);
    assert_eq!(sizes(14 << 20), [4, 3]);
    assert_eq!(sizes(30 << 20), [2, 2, 2, 1]);
}
