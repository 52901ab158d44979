//! Every flow of the money path, with the books added up after each step.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::market::{HOLD_FEE_PER_SLOT, Market, TAKER_CASH};
use flagstone_e2e_tests::money::audit_money;
use flagstone_e2e_tests::refusal::{assert_unchanged, refused, snapshot};
use flagstone_e2e_tests::{MARK, QUOTE, ok};
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::router::cap_state;
use flagstone_sdk::route::Route;
use flagstone_sdk::units::{Side, Ticks};
use flagstone_sdk::{router, slab};

use solana_signer::Signer;

/// Charges booked at all slabs of the taker.
fn debited(market: &Market) -> u64 {
    let escrows = (0..market.seats.len()).map(|at| market.escrow(at));
    escrows.map(|escrow| escrow.debited_seen_atoms).sum()
}

#[test]
fn e2e1_a_route_over_one_to_five_slabs_in_one_transaction() {
    for slabs in 1..=5 {
        let mut market = Market::open(slabs);
        let before = audit_money(&market.exchange.session);
        let route = market.route(10, 0);
        let session = &mut market.exchange.session;
        let table = ok(session.create_lookup_table(&route.lookup_addresses()));
        let signers = [&market.taker.wallet, &market.taker.trader];
        let receipt = ok(session.send_with_table(&route.instructions(), &signers, &table));
        println!(
            "{slabs} slabs: {} CU, {} bytes",
            receipt.compute_units, receipt.bytes
        );
        let after = audit_money(&market.exchange.session);
        assert_eq!(after.pledged, 0, "every capability is burned");
        assert_eq!(after.booked(), before.booked());
        for at in 0..slabs {
            assert_eq!(market.position(at), 10);
            let escrow = market.escrow(at);
            assert_eq!(escrow.caps[0].state, cap_state::BURNED);
            assert_eq!(
                escrow.debited_seen_atoms,
                market.account(at).debited_total_atoms
            );
            assert!(
                escrow.debited_seen_atoms > 100 * QUOTE,
                "margin was charged"
            );
        }
        assert_eq!(market.cash(), TAKER_CASH - debited(&market));
    }
}

#[test]
fn e2e1_the_four_steps_in_separate_transactions() {
    let mut market = Market::open(3);
    // Standing longer than the slot costs, so a bond has to be there.
    let route = market.route(10, 20);
    let reserve = route.reserve();
    refused(
        &mut market.exchange.session,
        &reserve[..1],
        &[&market.taker.trader],
        SlabError::BelowInitialMargin,
    );
    for at in 0..3 {
        market.fund(at, 10 * QUOTE);
    }
    let cash = market.cash();
    market.step(&reserve);
    for at in 0..3 {
        assert_eq!(market.account(at).bond_atoms, 20 * HOLD_FEE_PER_SLOT);
    }
    market.wait(3);
    market.step(&[route.open()]);
    assert_eq!(
        cash - market.cash(),
        audit_money(&market.exchange.session).pledged
    );
    market.wait(4);
    let maker_cash = maker_cash(&market);
    for commit in route.commit() {
        market.step(&[commit]);
    }
    let held = 7 * HOLD_FEE_PER_SLOT;
    for at in 0..3 {
        let account = market.account(at);
        assert_eq!(account.bond_atoms, 0, "the bond is back");
        let hold = route
            .legs()
            .iter()
            .find(|leg| leg.slab == market.seats[at].slab);
        let hold = market.hold(at, hold.expect("a leg").hold.index);
        let result = hold.result().expect("a committed hold");
        let paid = held as i64 + result.fee_atoms;
        assert_eq!(
            account.cash_atoms,
            (10 * QUOTE + result.charge_atoms) as i64 - paid
        );
    }
    // Four fifths of the hold fee, and the rebate, are the maker's.
    let rebate = 1_001 * QUOTE / 10_000;
    assert_eq!(
        self::maker_cash(&market) - maker_cash,
        (held * 4 / 5 + rebate) as i64
    );
    market.wait(2);
    market.crank(route.settle());
    assert_eq!(market.cash(), cash - debited(&market));
    assert_eq!(audit_money(&market.exchange.session).pledged, 0);
}

/// Cash of the maker at the first slab.
fn maker_cash(market: &Market) -> i64 {
    let seat = market.maker_seats[0];
    let read = |slab: &flagstone_sdk::engine::Slab<'_>| slab.accounts[seat.account.into()];
    let session = &market.exchange.session;
    session
        .with_slab(&seat.slab, read)
        .expect("a slab")
        .cash_atoms
}

#[test]
fn e2e1_a_failing_leg_undoes_everything() {
    let mut market = Market::open(2);
    let whole = market.route(10, 0);
    // Reserve: the second slab has not that much.
    let mut legs = whole.legs().to_vec();
    legs[1].reserve.lots = flagstone_sdk::units::Lots(41);
    legs[1].reserve.lots_min = flagstone_sdk::units::Lots(41);
    let too_much = market.route_of(legs).instructions();
    // Open: the second hold may charge more than was signed.
    let mut legs = whole.legs().to_vec();
    legs[1].max_charge_atoms = 100 * QUOTE;
    let too_dear = market.route_of(legs).instructions();
    // Commit: the second one names a capability that was not minted.
    let mut wrong_cap = whole.instructions();
    // The byte before the one that says that nothing is revealed.
    let at = wrong_cap[4].data.len() - 2;
    wrong_cap[4].data[at] = 1;
    // Settle: the second leg was not committed.
    let mut missing = whole.instructions();
    missing.remove(4);
    let attempts = [
        (too_much, SlabError::NotFilled.code()),
        (too_dear, RouterError::BadRoute.code()),
        (wrong_cap, SlabError::NoCap.code()),
        (missing, RouterError::NotCommitted.code()),
    ];
    for (instructions, code) in attempts {
        refused(
            &mut market.exchange.session,
            &instructions,
            &[&market.taker.wallet, &market.taker.trader],
            flagstone_e2e_tests::refusal::Why::Code(code),
        );
        audit_money(&market.exchange.session);
    }
    ok(market.send(&whole.instructions()));
}

#[test]
fn e2e1_what_is_released_is_withdrawn_to_the_atom() {
    let mut market = Market::open(2);
    let wallet = market.exchange.session.token_balance(&market.taker.tokens);
    let route = market.route(10, 0);
    market.step(&route.instructions());
    // Sell again what was bought: nothing more is charged.
    let mut legs = vec![market.leg(0, 10, 0), market.leg(1, 10, 0)];
    for leg in &mut legs {
        leg.reserve.side = Side::Ask;
        leg.reserve.limit = Ticks(MARK - 100);
    }
    let bring = 2 * 10 * u64::from(MARK - 10) * 10_000;
    let (owner, trader) = (market.taker.wallet.pubkey(), market.taker.trader.pubkey());
    let back = |bring| {
        Route::new(
            owner,
            trader,
            market.exchange.mint,
            8,
            20,
            bring,
            legs.clone(),
        )
    };
    let (short, exact) = (
        back(bring + 1).expect("a route"),
        back(bring).expect("a route"),
    );
    let before = snapshot(&market.exchange.session);
    assert_eq!(
        flagstone_e2e_tests::code(market.send(&short.instructions())),
        RouterError::BadRoute.code()
    );
    assert_unchanged(&market.exchange.session, &before);
    let charged = debited(&market);
    market.step(&exact.instructions());
    assert_eq!(debited(&market), charged, "closing charges nothing");

    let mut released = 0;
    for at in 0..2 {
        let cash = market.account(at).cash_atoms as u64;
        let (all, more) = (market.release(at, cash), market.release(at, cash + 1));
        refused(
            &mut market.exchange.session,
            &[more],
            &[&market.taker.trader],
            SlabError::ReleaseTooLarge,
        );
        market.step(&[all]);
        let settle = market.settle(at);
        market.crank(settle);
        assert_eq!(market.account(at).cash_atoms, 0);
        released += cash;
    }
    let cash = market.cash();
    assert_eq!(cash, TAKER_CASH - charged + released);
    let (mint, tokens) = (market.exchange.mint, market.taker.tokens);
    refused(
        &mut market.exchange.session,
        &[router::withdraw(&owner, &mint, &tokens, cash + 1)],
        &[&market.taker.wallet],
        RouterError::NotEnoughCash,
    );
    market.step(&[router::withdraw(&owner, &mint, &tokens, cash)]);
    assert_eq!(market.cash(), 0);
    let now = market.exchange.session.token_balance(&tokens);
    assert_eq!(now, wallet + cash);
    // Two ticks of ten on twenty lots, and the fee of both trades.
    let fees = 2 * 10 * 2 * u64::from(MARK) * 10_000 / 2_000;
    assert_eq!(TAKER_CASH - cash, 20 * 20 * 10_000 + fees);
}

#[test]
fn x4_two_holds_of_one_slab_in_one_route() {
    let mut market = Market::open(1);
    let handles =
        slab::HoldHandle::upcoming(&market.exchange.session.data(&market.seats[0].slab), 2);
    let handles = handles.expect("two free holds");
    let mut legs = vec![market.leg(0, 10, 0), market.leg(0, 5, 0)];
    for (at, (leg, hold)) in legs.iter_mut().zip(handles).enumerate() {
        leg.hold = hold;
        leg.cap = at as u8 * 15;
    }
    let route = market.route_of(legs);
    market.step(&route.instructions());
    assert_eq!(market.position(0), 15);
    assert_eq!(market.cash(), TAKER_CASH - debited(&market));
    assert_eq!(audit_money(&market.exchange.session).pledged, 0);
}
