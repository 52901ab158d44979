//! A route opens as its owner signed it, with the owner's money, or not at all.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::market::{Market, ROUTE};
use flagstone_e2e_tests::money::audit_money;
use flagstone_e2e_tests::refusal::refused;
use flagstone_e2e_tests::{MARK, ok};
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::route::{Route, RouteLeg};
use flagstone_sdk::units::{Lots, Side, Ticks};
use flagstone_sdk::{router, slab};
use solana_instruction::Instruction;
use solana_signer::Signer;
use std::slice::from_ref;

/// Accounts before the legs of `open_route`.
const FIXED: usize = 3;

/// The taker's route with its only leg changed.
fn with_leg(market: &Market, leg: &RouteLeg, change: impl FnOnce(&mut RouteLeg)) -> Instruction {
    let mut leg = *leg;
    change(&mut leg);
    market.route_of(vec![leg]).open()
}

#[test]
fn x4_a_route_opens_only_as_it_was_signed() {
    let mut market = Market::open(1);
    let leg = market.leg(0, 10, 0);
    let reserve = market.route_of(vec![leg]).reserve();
    market.step(&reserve);
    let hold = market.hold(0, leg.hold.index);
    let cheap = with_leg(&market, &leg, |leg| {
        leg.max_charge_atoms = hold.max_charge_atoms - 1;
    });
    market.refuse(&cheap, RouterError::BadRoute);
    let many = with_leg(&market, &leg, |leg| leg.reserve.lots_min = Lots(11));
    market.refuse(&many, RouterError::BadRoute);
    let (owner, trader) = (market.taker.wallet.pubkey(), market.taker.trader.pubkey());
    let mint = market.exchange.mint;
    let exact = RouteLeg {
        max_charge_atoms: hold.max_charge_atoms,
        ..leg
    };
    let open = |lots, notional| {
        let route = Route::new(owner, trader, mint, ROUTE, lots, notional, vec![exact]);
        route.expect("a route").open()
    };
    market.refuse(&open(11, u64::MAX), RouterError::BadRoute);
    market.refuse(&open(10, hold.notional_atoms - 1), RouterError::BadRoute);
    // No cash beyond the charge is needed, and not an atom less will do.
    let (cash, tokens) = (market.cash(), market.taker.tokens);
    let withdraw = router::withdraw(&owner, &mint, &tokens, cash - hold.max_charge_atoms + 1);
    market.step(&[withdraw]);
    let signed = open(10, hold.notional_atoms);
    market.refuse(&signed, RouterError::NotEnoughCash);
    market.step(&[router::deposit(&owner, &mint, &tokens, 1)]);
    market.step(&[signed]);
    assert_eq!(market.cash(), 0);
    assert_eq!(
        audit_money(&market.exchange.session).pledged,
        hold.max_charge_atoms
    );
}

#[test]
fn x4_a_limit_is_signed_for_all_that_a_hold_captured() {
    let mut market = Market::open(1);
    let (owner, trader) = (market.taker.wallet.pubkey(), market.taker.trader.pubkey());
    let mint = market.exchange.mint;
    for side in [Side::Bid, Side::Ask] {
        let mut leg = market.leg(0, 10, 0);
        leg.reserve.side = side;
        leg.reserve.lots_min = Lots(5);
        if side == Side::Ask {
            leg.reserve.limit = Ticks(MARK - 100);
        }
        let open = |notional| Route::new(owner, trader, mint, ROUTE, 5, notional, vec![leg]);
        let (none, loose) = match side {
            Side::Bid => (u64::MAX, u64::MAX - 1),
            Side::Ask => (0, 1),
        };
        let route = open(none).expect("a route");
        market.step(&route.reserve());
        // Commit may trade the dearest half only, so no limit would mean anything.
        let limited = open(loose).expect("a route").open();
        market.refuse(&limited, RouterError::BadRoute);
        // More than commit has to trade cannot be asked for either.
        let more = with_leg(&market, &leg, |leg| leg.reserve.lots_min = Lots(6));
        market.refuse(&more, RouterError::BadRoute);
        market.step(&[route.open()]);
        market.step(&route.commit());
        market.crank(route.settle());
    }
}

#[test]
fn x4_nobody_opens_a_route_with_anothers_money() {
    let mut market = Market::open(2);
    let other = market.join();
    let leg = market.leg(0, 10, 0);
    let route = market.route_of(vec![leg]);
    market.step(&route.reserve());
    let open = route.open();
    // In the taker's name, signed by somebody else.
    for thief in [&other.wallet, &market.taker.trader, &market.exchange.admin] {
        let mut stolen = open.clone();
        stolen.accounts[0].pubkey = thief.pubkey();
        let session = &mut market.exchange.session;
        refused(session, &[stolen], &[thief], RouterError::WrongOwner);
    }
    // From another portfolio into this escrow, and the other way round.
    let theirs = market.route_by(&other, vec![leg]).open();
    for (from, place) in [(&theirs, FIXED + 3), (&open, FIXED + 3)] {
        let mut mixed = from.clone();
        let donor = if std::ptr::eq(from, &open) {
            &theirs
        } else {
            &open
        };
        mixed.accounts[place].pubkey = donor.accounts[place].pubkey;
        let member = if std::ptr::eq(from, &open) {
            &market.taker
        } else {
            &other
        };
        let session = &mut market.exchange.session;
        refused(session, &[mixed], &[&member.wallet], RouterError::BadRoute);
    }
    // Entry, slab, escrow or ledger of the other slab.
    let elsewhere = market.route_of(vec![market.leg(1, 10, 0)]).open();
    let places = [
        (0, RouterError::BadRoute),
        (1, RouterError::WrongSlab),
        (3, RouterError::BadRoute),
        (4, RouterError::BadRoute),
    ];
    for (place, why) in places {
        let mut mixed = open.clone();
        mixed.accounts[FIXED + place].pubkey = elsewhere.accounts[FIXED + place].pubkey;
        market.refuse(&mixed, why);
    }
    ok(market.send(&[open]));
    // The capability pays for its own hold and account only.
    let commit = slab::commit(
        &leg.slab,
        &other.trader.pubkey(),
        &market.seats[0].escrow,
        other.account,
        leg.hold,
        0,
        None,
    );
    let session = &mut market.exchange.session;
    refused(
        session,
        from_ref(&commit),
        &[&other.trader],
        SlabError::NotBound,
    );
    let mut own = commit;
    own.accounts[2].pubkey = other.escrow;
    refused(session, &[own], &[&other.trader], SlabError::NotYourOrder);
}
