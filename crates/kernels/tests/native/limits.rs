//! What kernels refuse, and where curves end.

use flagstone_kernels::book::{Level, metrics_compat, metrics_stable};
use flagstone_kernels::capacity::share_of_rest;
use flagstone_kernels::index::{Constituent, Quote, check_slots};
use flagstone_kernels::market::{
    Asset, MarginUpdate, Place, add_assets, even_margin, locate, update_margin,
};
use flagstone_kernels::orders::{OrderRow, Terms, buy, sell, transfer};
use flagstone_kernels::rebalance::{Leg, Reweighting, execute, retarget};
use flagstone_kernels::{
    Amount, Arithmetic, Compat, KernelError, Label, MathError, Stable, compat, stable,
};

const ONE: u128 = compat::ONE;

fn units(number: u128) -> Amount {
    Amount::new(number * ONE)
}

fn one_asset() -> (Vec<Asset>, Vec<Constituent>) {
    let mut asset = Asset::new(Label::new(9));
    asset.price = units(100);
    asset.slope = units(1);
    asset.liquidity = units(1_000);
    asset.margin = units(1_000);
    let place = Place::new(Label::new(9), 0);
    (
        vec![asset],
        vec![Constituent::new(place, Amount::ONE).expect("a weight")],
    )
}

fn selling(offered: u128) -> OrderRow {
    OrderRow {
        remaining: units(offered),
        ..OrderRow::default()
    }
}

fn terms(quote: &Quote) -> Terms<'_> {
    Terms {
        quote,
        added: Amount::ZERO,
        removed: Amount::ZERO,
        order_size_max: Amount::new(u128::MAX),
        fractions: None,
    }
}

#[test]
fn k2_a_sell_stops_at_the_peak_where_the_paper_follows_the_curve_down() {
    let (assets, of) = one_asset();
    let quote = Stable::update_quote(&assets, &of).expect("a quote");
    for (offered, burned, gain) in [
        (80, 50, 2_500),
        (500, 50, 2_500),
        (50, 50, 2_500),
        (20, 20, 1_600),
    ] {
        let mut row = selling(offered);
        let fill = sell::<Stable>(
            &mut assets.clone(),
            &of,
            &mut row,
            &terms(&quote),
            |_, _| {},
        );
        let fill = fill.expect("sells");
        assert_eq!(
            (fill.given, fill.got),
            (units(burned), units(gain)),
            "{offered}"
        );
        assert_eq!(row.remaining, units(offered - burned));
    }
    // Offered 80 the paper pays what 20 bring, and at the end of the curve nothing.
    for (offered, burned, gain) in [(80, 20, 1_600), (100, 0, 0), (500, 0, 0)] {
        let mut row = selling(offered);
        let fill = sell::<Compat>(
            &mut assets.clone(),
            &of,
            &mut row,
            &terms(&quote),
            |_, _| {},
        );
        let fill = fill.expect("sells");
        assert_eq!(
            (fill.given, fill.got),
            (units(burned), units(gain)),
            "{offered}"
        );
    }
}

#[test]
fn no_slope_is_a_price_and_no_price_is_an_error() {
    let quote = Quote {
        capacity: Amount::ONE,
        price: units(4),
        slope: Amount::ZERO,
    };
    assert_eq!(stable::quantity_for(&quote, 10 * ONE), Ok(ONE * 5 / 2));
    assert_eq!(stable::quantity_bringing(&quote, 10 * ONE), Ok(ONE * 5 / 2));
    assert_eq!(stable::quantity_at_peak(&quote), u128::MAX);
    assert_eq!(
        Compat::quantity_for(&quote, 10 * ONE),
        Err(MathError::DivisionByZero)
    );
    let nothing = Quote {
        price: Amount::ZERO,
        ..quote
    };
    assert_eq!(
        stable::quantity_for(&nothing, ONE),
        Err(MathError::DivisionByZero)
    );
    let wide = Quote {
        price: Amount::new(u128::MAX),
        slope: Amount::new(u128::MAX),
        ..quote
    };
    assert_eq!(
        stable::quantity_for(&wide, u128::MAX),
        Err(MathError::Overflow)
    );
}

#[test]
fn k8_slots_and_labels_are_checked_on_each_touch() {
    let (mut assets, of) = one_asset();
    let wrong = Place::new(Label::new(8), 0);
    let beyond = Place::new(Label::new(9), 1);
    for (place, error) in [
        (wrong, KernelError::LabelMismatch),
        (beyond, KernelError::SlotOutOfRange),
    ] {
        let of = [Constituent::new(place, Amount::ONE).expect("a weight")];
        let update = MarginUpdate {
            place,
            margin: Amount::ONE,
        };
        assert_eq!(Stable::update_quote(&assets, &of), Err(error));
        assert_eq!(Compat::update_quote(&assets, &of), Err(error));
        assert_eq!(update_margin(&mut assets, &[update]), Err(error));
        let mut legs = [Leg {
            place,
            ..Leg::default()
        }];
        assert_eq!(
            execute(&mut assets, &mut legs, Amount::ONE, |_, _, _| {}),
            Err(error)
        );
    }
    assert_eq!(
        Constituent::new(of[0].place, Amount::ZERO),
        Err(KernelError::ZeroWeight)
    );
    assert_eq!(
        check_slots(&[of[0], of[0]]),
        Err(KernelError::SlotsUnsorted)
    );
    assert_eq!(check_slots(&of), Ok(()));
}

#[test]
fn k8_assets_are_appended_once_and_keep_their_slots() {
    let mut room = vec![Asset::default(); 4];
    let labels = |labels: &[u128]| {
        labels
            .iter()
            .map(|label| Label::new(*label))
            .collect::<Vec<_>>()
    };
    assert_eq!(add_assets(&mut room, 0, &labels(&[7, 3])), Ok(2));
    room[1].margin = Amount::ONE;
    assert_eq!(
        add_assets(&mut room, 2, &labels(&[3])),
        Err(KernelError::LabelDuplicate)
    );
    assert_eq!(
        add_assets(&mut room, 2, &labels(&[5, 5])),
        Err(KernelError::LabelDuplicate)
    );
    assert_eq!(
        add_assets(&mut room, 2, &labels(&[1, 2, 4])),
        Err(KernelError::MarketFull)
    );
    assert_eq!(
        add_assets(&mut room, 5, &labels(&[])),
        Err(KernelError::MarketFull)
    );
    assert_eq!(add_assets(&mut room, 2, &labels(&[1, 2])), Ok(4));
    assert_eq!(
        locate(&room, Label::new(3)),
        Some(Place::new(Label::new(3), 1))
    );
    assert_eq!(room[1].margin, Amount::ONE);
    assert_eq!(locate(&room, Label::new(6)), None);
}

#[test]
fn k1_k4_funds_fractions_and_lengths_are_checked() {
    let (mut assets, of) = one_asset();
    let quote = Stable::update_quote(&assets, &of).expect("a quote");
    let mut row = selling(1);
    let removing = Terms {
        removed: units(2),
        ..terms(&quote)
    };
    let refused = buy::<Stable>(&mut assets, &of, &mut row, &removing, |_, _| {});
    assert_eq!(refused, Err(KernelError::Insufficient));
    let above = [Amount::new(ONE + 1)];
    for (fractions, error) in [
        (&above[..], KernelError::FractionAboveOne),
        (&[], KernelError::LengthMismatch),
    ] {
        let terms = Terms {
            fractions: Some(fractions),
            ..terms(&quote)
        };
        let refused = buy::<Stable>(&mut assets, &of, &mut row, &terms, |_, _| {});
        assert_eq!(refused, Err(error));
    }
    assert_eq!(row, selling(1));
}

#[test]
fn k4_fractions_of_a_batch_are_taken_of_what_is_left() {
    let tenth = |tenths: u128| Amount::new(tenths * ONE / 10);
    assert_eq!(share_of_rest(tenth(5), tenth(0)), Ok(tenth(5)));
    assert_eq!(share_of_rest(tenth(5), tenth(5)), Ok(Amount::ONE));
    assert_eq!(share_of_rest(tenth(2), tenth(6)), Ok(tenth(5)));
    assert_eq!(share_of_rest(tenth(0), tenth(10)), Ok(Amount::ZERO));
    assert_eq!(
        share_of_rest(tenth(6), tenth(5)),
        Err(KernelError::FractionAboveOne)
    );
    assert_eq!(
        share_of_rest(tenth(0), tenth(11)),
        Err(KernelError::FractionAboveOne)
    );
}

#[test]
fn k5_transfers_move_cost_in_proportion_and_leave_what_is_reserved() {
    let held = OrderRow {
        remaining: Amount::ZERO,
        given: units(90),
        got: units(3),
    };
    for arithmetic in [transfer::<Compat>, transfer::<Stable>] {
        let (mut from, mut to) = (held, OrderRow::default());
        let refused = arithmetic(&mut from, &mut to, units(2), units(2));
        assert_eq!(
            (refused, from, to),
            (Err(KernelError::Insufficient), held, OrderRow::default())
        );
        arithmetic(&mut from, &mut to, units(2), units(1)).expect("moves");
        assert_eq!((from.got, to.got), (units(2), units(1)));
        assert_eq!(from.given.get() + to.given.get(), 90 * ONE);
    }
    // The paper floors the ratio first: a third of 90 is a little less than 30.
    let cost = |transfer: fn(&mut OrderRow, &mut OrderRow, Amount, Amount) -> _| {
        let moved: Result<Amount, KernelError> = transfer(
            &mut held.clone(),
            &mut OrderRow::default(),
            Amount::ZERO,
            units(1),
        );
        moved.expect("moves").get()
    };
    assert_eq!(cost(transfer::<Stable>), 30 * ONE);
    assert_eq!(cost(transfer::<Compat>), 30 * ONE - 30);
}

#[test]
fn k5_rebalancing_trades_in_steps_until_nothing_is_left() {
    let (mut assets, _) = one_asset();
    assets[0].liquidity = units(4);
    let mut legs = [Leg {
        place: Place::new(Label::new(9), 0),
        ..Leg::default()
    }];
    let change = [Reweighting {
        old: units(1),
        new: units(2),
    }];
    retarget::<Stable>(&mut legs, &change, units(10)).expect("fits");
    assert_eq!(legs[0].long, units(10));
    let (mut bought, mut steps) = (0, 0);
    while legs[0].long > Amount::ZERO && steps < 100 {
        let half = Amount::new(ONE / 2);
        execute(&mut assets, &mut legs, half, |_, long, _| bought += long).expect("trades");
        steps += 1;
    }
    assert_eq!((bought, steps), (10 * ONE, 5));
    assert_eq!(
        (assets[0].demand_long, assets[0].delta_short),
        (units(10), units(10))
    );
    let refused = execute(&mut assets, &mut legs, Amount::new(ONE + 1), |_, _, _| {});
    assert_eq!(refused, Err(KernelError::FractionAboveOne));
    assert_eq!(
        retarget::<Stable>(&mut legs, &[], units(1)),
        Err(KernelError::LengthMismatch)
    );
}

#[test]
fn books_are_ordered_filled_and_uncrossed() {
    let level = |price: u128, quantity: u128| Level {
        price: units(price),
        quantity: units(quantity),
    };
    let (bids, asks) = ([level(99, 1), level(98, 2)], [level(101, 3), level(102, 4)]);
    let good = metrics_stable(&bids, &asks).expect("a book");
    // (101 * 1 + 99 * 3) / 4; (102 - 98) / 10.
    assert_eq!(good.price, Amount::new(99 * ONE + ONE / 2));
    assert_eq!(
        (good.slope, good.liquidity),
        (Amount::new(ONE * 4 / 10), units(10))
    );
    assert_eq!(metrics_compat(&bids, &asks), Ok(good));
    let swapped = [level(98, 2), level(99, 1)];
    let empty = [level(99, 1), level(98, 0)];
    for bids in [&swapped[..], &empty, &[], &[level(101, 1)]] {
        assert_eq!(metrics_stable(bids, &asks), Err(KernelError::BadBook));
    }
    assert_eq!(metrics_stable(&bids, &[]), Err(KernelError::BadBook));
    assert_eq!(metrics_compat(&[], &asks), Err(KernelError::BadBook));
    // A third of a unit: the slope is rounded up, the paper's down.
    let thirds = [level(102, 2)];
    let bids = [level(101, 1)];
    let (up, down) = (
        metrics_stable(&bids, &thirds),
        metrics_compat(&bids, &thirds),
    );
    assert_eq!(up.expect("a book").slope.get(), ONE / 3 + 1);
    assert_eq!(down.expect("a book").slope.get(), ONE / 3);
}

#[test]
fn k4_even_margins_never_exceed_the_reserve() {
    let margin = even_margin(units(100), 3, units(7)).expect("fits").get();
    assert!(3 * 7 * margin <= 100 * ONE && 3 * 7 * (margin + 1) > 100 * ONE - 21);
    let none = KernelError::Math(MathError::DivisionByZero);
    assert_eq!(even_margin(units(1), 0, units(1)), Err(none));
    assert_eq!(even_margin(units(1), 1, Amount::ZERO), Err(none));
}
