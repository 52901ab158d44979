//! Every way in which an order or a trade can be wrong: its own error, and not
//! a byte changed.
#![allow(missing_docs, reason = "tests")]

use core::mem::offset_of;
use flagstone_e2e_tests::refusal::{Why, refused};
use flagstone_e2e_tests::tiny::tiny;
use flagstone_e2e_tests::{MARK, QUOTE, exchange, handle, ok};
use flagstone_sdk::embedded::exchange::standard_instrument;
use flagstone_sdk::embedded::{Exchange, Member};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::holds::Reserve;
use flagstone_sdk::engine::instruments::InstrumentParams;
use flagstone_sdk::engine::requests::{OrderKind, Place, Take};
use flagstone_sdk::interface::error::SlabError;
use flagstone_sdk::interface::event::{Event, cancel_reason};
use flagstone_sdk::interface::router::Escrow;
use flagstone_sdk::router::InstrumentRules;
use flagstone_sdk::units::{Lots, Ppm, Side, SignedPpm, Slot, Ticks};
use flagstone_sdk::{router, slab};
use solana_signer::Signer;

/// Half width of the price band, in ticks.
const BAND: u32 = MARK / 100 * 9;

fn joined() -> (Exchange, Member, Member) {
    let mut exchange = exchange(SlabSize::Dev);
    let one = ok(exchange.join(100_000 * QUOTE, 50_000 * QUOTE));
    let other = ok(exchange.join(100_000 * QUOTE, 50_000 * QUOTE));
    (exchange, one, other)
}

#[track_caller]
fn refuse_place(exchange: &mut Exchange, member: &Member, order: &Place, why: impl Into<Why>) {
    let place = slab::place(&exchange.slab, &member.trader.pubkey(), order);
    refused(&mut exchange.session, &[place], &[&member.trader], why);
}

#[track_caller]
fn refuse_take(exchange: &mut Exchange, member: &Member, take: &Take, why: impl Into<Why>) {
    let take = slab::take(&exchange.slab, &member.trader.pubkey(), take);
    refused(&mut exchange.session, &[take], &[&member.trader], why);
}

#[test]
fn prices_and_quantities_out_of_range() {
    let (mut exchange, member, _) = joined();
    use SlabError::{BadPrice, BadQuantity, OutsideBand};
    for (ticks, lots, why) in [
        (0, 5, BadPrice),
        (4_000_001, 5, BadPrice),
        (u32::MAX, 5, BadPrice),
        (MARK, 0, BadQuantity),
        (MARK, 100_001, BadQuantity),
        (MARK, u32::MAX, BadQuantity),
        (MARK - BAND - 1, 5, OutsideBand),
        (MARK + BAND + 1, 5, OutsideBand),
        (1, 5, OutsideBand),
        (4_000_000, 5, OutsideBand),
    ] {
        for side in [Side::Bid, Side::Ask] {
            let order = member.order(OrderKind::Limit, side, ticks, lots);
            refuse_place(&mut exchange, &member, &order, why);
            if why != OutsideBand {
                refuse_take(
                    &mut exchange,
                    &member,
                    &member.taking(side, ticks, lots, 0),
                    why,
                );
            }
        }
    }
    // Both edges of the band are inside it.
    ok(exchange.place(&member, OrderKind::PostOnly, Side::Bid, MARK - BAND, 5));
    ok(exchange.place(&member, OrderKind::PostOnly, Side::Ask, MARK + BAND, 5));
}

#[test]
fn instruments_that_are_not_there() {
    let (mut exchange, member, _) = joined();
    for instrument in [1, 3, 4, 31, 32, u8::MAX] {
        let mut order = member.order(OrderKind::Limit, Side::Bid, MARK, 5);
        order.instrument = instrument;
        refuse_place(&mut exchange, &member, &order, SlabError::NoInstrument);
        let mut take = member.taking(Side::Bid, MARK, 5, 0);
        take.instrument = instrument;
        refuse_take(&mut exchange, &member, &take, SlabError::NoInstrument);
    }
}

#[test]
fn bytes_that_name_no_side_kind_or_mode() {
    let (mut exchange, member, _) = joined();
    let trader = member.trader.pubkey();
    let order = member.order(OrderKind::Limit, Side::Bid, MARK, 5);
    let place = slab::place(&exchange.slab, &trader, &order);
    let take = slab::take(
        &exchange.slab,
        &trader,
        &member.taking(Side::Bid, MARK, 5, 0),
    );
    // Tag, account (2), instrument, then side, kind, self-trade mode; reduce-only;
    // a take has no kind.
    for (instruction, at, first) in [
        (&place, 4, 2),
        (&place, 5, 5),
        (&place, 6, 3),
        (&place, 7, 2),
        (&take, 4, 2),
        (&take, 5, 3),
        (&take, 6, 2),
    ] {
        for byte in [first, 128, 255] {
            let mut bad = instruction.clone();
            bad.data[at] = byte;
            refused(
                &mut exchange.session,
                &[bad],
                &[&member.trader],
                SlabError::BadOrderKind,
            );
        }
    }
}

#[test]
fn bytes_that_name_no_side_kind_or_mode_in_other_instructions() {
    let (mut exchange, member, _) = joined();
    let (key, slab_key) = (member.trader.pubkey(), exchange.slab);
    let own = handle(&ok(exchange.place(
        &member,
        OrderKind::PostOnly,
        Side::Bid,
        MARK,
        5,
    )));
    let order = member.order(OrderKind::Limit, Side::Bid, MARK, 5);
    let replace = slab::replace(&slab_key, &key, own, &order);
    let all = slab::cancel_all(&slab_key, &key, member.account, None, None, 9);
    let reserve = Reserve {
        account: member.account.into(),
        instrument: 0,
        side: Side::Ask,
        limit: Ticks(MARK),
        lots: Lots(2),
        lots_min: Lots(2),
        ttl: Slot(0),
        route_id: 1,
        commitment: [0; 32],
    };
    let reserve = slab::reserve(&slab_key, &key, &reserve);
    // A replacement has a handle before the placement's fields; 255 of
    // cancel_all's side is both.
    for (instruction, at, bytes) in [
        (&replace, 12, [2, 128, 255]),
        (&replace, 13, [5, 128, 255]),
        (&replace, 14, [3, 128, 255]),
        (&replace, 15, [2, 128, 255]),
        (&all, 4, [2, 128, 254]),
        (&reserve, 4, [2, 128, 255]),
    ] {
        for byte in bytes {
            let mut bad = instruction.clone();
            bad.data[at] = byte;
            refused(
                &mut exchange.session,
                &[bad],
                &[&member.trader],
                SlabError::BadOrderKind,
            );
        }
    }
}

#[test]
fn instructions_that_do_not_exist() {
    let (mut exchange, member, _) = joined();
    let cancel = slab::cancel(
        &exchange.slab,
        &member.trader.pubkey(),
        member.account,
        1,
        1,
    );
    for number in [64, 100, 254, 255] {
        let mut bad = cancel.clone();
        bad.data[0] = number;
        let failed = exchange.session.send(&[bad], &[&member.trader]);
        assert!(failed.is_err(), "{number} went through");
    }
}

#[test]
fn expiries_that_have_passed() {
    let (mut exchange, member, _) = joined();
    let slot = exchange.session.slot() as u32;
    let mut order = member.order(OrderKind::Limit, Side::Bid, MARK, 5);
    for expiry in [1, slot - 1] {
        order.expiry = Slot(expiry);
        refuse_place(&mut exchange, &member, &order, SlabError::Expired);
    }
    for expiry in [slot, slot + 1, u32::MAX] {
        order.expiry = Slot(expiry);
        let place = slab::place(&exchange.slab, &member.trader.pubkey(), &order);
        ok(exchange.trade(&member, place));
    }
}

#[test]
fn a_post_only_order_never_trades() {
    let (mut exchange, maker, other) = joined();
    ok(exchange.place(&maker, OrderKind::PostOnly, Side::Ask, MARK + 5, 5));
    ok(exchange.place(&maker, OrderKind::PostOnly, Side::Bid, MARK - 5, 5));
    for (side, ticks) in [
        (Side::Bid, MARK + 5),
        (Side::Bid, MARK + 6),
        (Side::Ask, MARK - 5),
        (Side::Ask, MARK - 6),
    ] {
        // Against others as against itself.
        for member in [&other, &maker] {
            let order = member.order(OrderKind::PostOnly, side, ticks, 1);
            refuse_place(&mut exchange, member, &order, SlabError::WouldCross);
        }
    }
}

#[test]
fn minimum_quantities_that_cannot_be_filled() {
    let (mut exchange, maker, taker) = joined();
    ok(exchange.place(&maker, OrderKind::PostOnly, Side::Ask, MARK, 5));
    ok(exchange.place(&maker, OrderKind::PostOnly, Side::Ask, MARK + 10, 5));
    for (limit, lots, lots_min, why) in [
        (MARK, 6, 6, SlabError::NotFilled),
        (MARK - 1, 1, 1, SlabError::NotFilled),
        (MARK + 10, 20, 11, SlabError::NotFilled),
        (MARK, 5, 6, SlabError::BadQuantity),
        (MARK, 1, u32::MAX, SlabError::BadQuantity),
    ] {
        let take = taker.taking(Side::Bid, limit, lots, lots_min);
        refuse_take(&mut exchange, &taker, &take, why);
    }
    ok(exchange.take(&taker, Side::Bid, MARK + 10, 20, 10));
}

#[test]
fn t1_orders_and_trades_beyond_the_margin_or_the_position_limit() {
    let (mut exchange, maker, _) = joined();
    let poor = ok(exchange.join(2_000 * QUOTE, 1_000 * QUOTE));
    ok(exchange.place(&maker, OrderKind::PostOnly, Side::Ask, MARK, 1_000));
    // A lot is worth 100 QUOTE, its initial margin is 10.
    let order = poor.order(OrderKind::PostOnly, Side::Bid, MARK - 1, 101);
    refuse_place(&mut exchange, &poor, &order, SlabError::BelowInitialMargin);
    let take = poor.taking(Side::Bid, MARK, 101, 0);
    refuse_take(&mut exchange, &poor, &take, SlabError::BelowInitialMargin);
    ok(exchange.place(&poor, OrderKind::PostOnly, Side::Bid, MARK - 1, 60));
    let order = poor.order(OrderKind::PostOnly, Side::Bid, MARK - 1, 41);
    refuse_place(&mut exchange, &poor, &order, SlabError::BelowInitialMargin);
    ok(exchange.place(&poor, OrderKind::PostOnly, Side::Ask, MARK + 1, 100));
    for lots in [100_000, 99_999] {
        let order = poor.order(OrderKind::PostOnly, Side::Bid, MARK - 1, lots);
        refuse_place(&mut exchange, &poor, &order, SlabError::BelowInitialMargin);
    }
    // The limit of the position is 200,000 lots; the margin of the maker is set aside.
    let rich = ok(exchange.join(10_000_000 * QUOTE, 10_000_000 * QUOTE));
    ok(exchange.place(&rich, OrderKind::PostOnly, Side::Bid, MARK - 900, 100_000));
    ok(exchange.place(&rich, OrderKind::PostOnly, Side::Bid, MARK - 900, 100_000));
    let order = rich.order(OrderKind::PostOnly, Side::Bid, MARK - 900, 1);
    refuse_place(&mut exchange, &rich, &order, SlabError::PositionTooLarge);
    let take = rich.taking(Side::Bid, MARK, 1, 1);
    refuse_take(&mut exchange, &rich, &take, SlabError::PositionTooLarge);
    ok(exchange.place(&rich, OrderKind::PostOnly, Side::Ask, MARK + 900, 100_000));
}

#[test]
fn lq4_a_frozen_account_has_its_orders_cancelled_and_places_nothing() {
    let (mut exchange, member, _) = joined();
    let (order, generation) = handle(&ok(exchange.place(
        &member,
        OrderKind::PostOnly,
        Side::Bid,
        MARK - 5,
        5,
    )));
    let mut escrow = exchange
        .session
        .svm
        .get_account(&member.escrow)
        .expect("an escrow");
    escrow.data[offset_of!(Escrow, frozen)] = 1;
    exchange
        .session
        .svm
        .set_account(member.escrow, escrow)
        .expect("an escrow");
    // Sync copies the freeze and cancels the account's orders (rule LQ4).
    let sync = slab::sync(&exchange.slab, &member.escrow, member.account);
    let synced = ok(exchange.session.send(&[sync], &[]));
    let gone = synced.events.iter().filter_map(|event| match event {
        Event::OrderCancelled(gone) if gone.reason == cancel_reason::FROZEN => Some(gone.order),
        _ => None,
    });
    assert_eq!(gone.collect::<Vec<_>>(), [order]);
    let place = member.order(OrderKind::PostOnly, Side::Bid, MARK - 5, 5);
    refuse_place(&mut exchange, &member, &place, SlabError::AccountFrozen);
    assert!(
        ok(exchange.cancel(&member, order, generation))
            .events
            .is_empty()
    );
}

#[test]
fn more_than_a_level_can_count_does_not_rest_there() {
    let mut exchange = tiny(&[]);
    let most = (1 << 30) - 1;
    let params = InstrumentParams {
        atoms_per_tick: 1,
        price_max: Ticks(1_000),
        order_lots_max: Lots(most),
        position_lots_max: Lots(most),
        ..standard_instrument(Ticks(100))
    };
    ok(exchange.add_instrument(&params));
    for number in 0..5 {
        let member = ok(exchange.join(100_000 * QUOTE, 100_000 * QUOTE));
        let mut order = member.order(OrderKind::PostOnly, Side::Bid, 99, most);
        order.instrument = 1;
        if number == 4 {
            refuse_place(&mut exchange, &member, &order, SlabError::LevelOverflow);
        } else {
            let place = slab::place(&exchange.slab, &member.trader.pubkey(), &order);
            ok(exchange.trade(&member, place));
        }
    }
}

#[test]
fn t7_instruments_with_parameters_out_of_range() {
    let (mut exchange, ..) = joined();
    let good = standard_instrument(Ticks(MARK));
    let spoilers: [fn(&mut InstrumentParams); 18] = [
        |p| p.atoms_per_tick = 0,
        |p| p.atoms_per_tick = u32::MAX,
        |p| p.price_max = Ticks(MARK - 1),
        |p| p.price_max = Ticks(u32::MAX),
        |p| p.order_lots_min = Lots(0),
        |p| p.order_lots_min = Lots(100_001),
        |p| p.order_lots_max = Lots(200_001),
        |p| p.position_lots_max = Lots(u32::MAX),
        |p| p.imr = Ppm(1_000_001),
        |p| p.mmr = Ppm(0),
        |p| p.mmr = Ppm(100_001),
        |p| p.taker_fee = SignedPpm(99),
        |p| p.maker_fee = SignedPpm(-501),
        |p| p.taker_fee = SignedPpm(i32::MAX),
        |p| p.maker_fee = SignedPpm(i32::MIN),
        |p| p.band = Ppm(100_000),
        |p| p.mark = Ticks(0),
        |p| p.mark_move_max = Ticks(0),
    ];
    let admin = exchange.admin.insecure_clone();
    let rules = InstrumentRules::wide(&good);
    let register = router::register_instrument(&admin.pubkey(), &exchange.slab, 1, &rules);
    ok(exchange.session.send(&[register], &[&admin]));
    for spoil in spoilers {
        let mut params = good;
        spoil(&mut params);
        let add = slab::add_instrument(&admin.pubkey(), &exchange.slab, 1, &params);
        refused(
            &mut exchange.session,
            &[add],
            &[&admin],
            SlabError::BadInstrument,
        );
    }
}
