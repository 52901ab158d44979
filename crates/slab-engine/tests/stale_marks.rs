//! What a stale mark stops, and what it never stops; the gap that it may leave.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use bytemuck::Zeroable;
use common::oracle::*;
use common::router::reserve;
use common::{Exchange, ioc, key_of, params, post_only};
use flagstone_interface::event::{Traded, outcome};
use flagstone_slab_engine::SlabError::{self, StaleMark};
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_units::{Lots, Ppm, Side::Ask, Side::Bid, Slot, Ticks};

#[test]
fn t1_nobody_trades_before_the_oracle_speaks() {
    let mut exchange = Exchange::new(&with_oracle(), 2);
    for side in [Bid, Ask] {
        assert_eq!(exchange.post(1, side, 10_000, 1).unwrap_err(), StaleMark);
    }
    exchange.slot = 101;
    speak(&mut exchange, 10_000);
    exchange.post(1, Ask, 10_000, 1).unwrap();
    assert_eq!(exchange.ioc(2, Bid, 10_000, 1), Ok(1));
    exchange.audit();
}

#[test]
fn t1_a_stale_mark_stops_every_way_to_open() {
    let mut exchange = about_to_go_stale();
    exchange.slot = 126;
    assert_eq!(exchange.ioc(3, Bid, 10_010, 1), Ok(1));
    exchange.slot = 127;
    for account in [2, 3] {
        assert_eq!(exchange.ioc(account, Bid, 10_010, 1), Err(StaleMark));
        let order = common::limit(account, Bid, 10_010, 1);
        assert_eq!(exchange.place(&order).unwrap_err(), StaleMark);
        let resting = exchange.post(account, Bid, 9_980, 1).unwrap_err();
        assert_eq!(resting, StaleMark);
        let held = exchange.reserve(&reserve(account, Bid, 10_010, 1));
        assert_eq!(held.unwrap_err(), StaleMark);
    }
    // A flip opens on the other side, whatever it closes first.
    assert_eq!(exchange.ioc(2, Ask, 9_990, 11), Err(StaleMark));
    let flip = exchange.reserve(&reserve(2, Ask, 9_990, 11)).unwrap_err();
    assert_eq!(flip, StaleMark);
    speak(&mut exchange, 10_000);
    assert_eq!(exchange.ioc(3, Bid, 10_010, 1), Ok(1));
    exchange.audit();
}

#[test]
fn t1_a_stale_mark_stops_no_cancel_no_reduction_and_no_release() {
    let mut exchange = about_to_go_stale();
    let resting = exchange.post(3, Bid, 9_900, 5).unwrap();
    exchange.slot = 127;
    assert!(exchange.cancel(3, resting).unwrap().is_some());
    assert_eq!(exchange.ioc(2, Ask, 9_990, 3), Ok(3));
    exchange.audit();
    // An order that can only reduce may rest.
    exchange.post(2, Ask, 10_005, 2).unwrap();
    let held = exchange.reserve(&reserve(2, Ask, 9_990, 4)).unwrap();
    let traded = exchange.mint_and_commit(&held).unwrap();
    assert_eq!({ traded.lots }, 4);
    exchange.settle(2);
    assert_eq!(exchange.position(2, 0).0, 3);
    // Account 1 is short; its bids reduced it, and it may buy back more.
    assert_eq!(exchange.ioc(1, Bid, 10_005, 2), Ok(2));
    exchange.audit();
    assert!(exchange.release(3, 1_000_000_000).is_ok());
    assert!(exchange.release(2, 900_000_000).is_ok());
    exchange.audit();
    exchange.audit_router();
}

#[test]
fn t1_reductions_at_a_stale_mark_stay_within_the_band_of_the_last_one() {
    let mut exchange = speaking(2);
    exchange.post(1, Ask, 10_000, 10).unwrap();
    exchange.ioc(2, Bid, 10_000, 10).unwrap();
    exchange.post(1, Bid, 9_990, 4).unwrap();
    exchange.post(1, Bid, 9_200, 10).unwrap();
    // The band of 10,200 ends at 9,282.
    exchange.slab().instruments[0].mark = Ticks(10_200);
    exchange.slot = 127;
    assert_eq!(exchange.ioc(2, Ask, 1, 10), Ok(4));
    let below = exchange.post(2, Ask, 9_281, 1).unwrap_err();
    assert_eq!(below, SlabError::OutsideBand);
    exchange.audit();
}

/// Account 2, with this much cash, bought ten lots at 10,000; then both mark
/// and index rose to 10,200 and are good until slot 126.
fn in_profit(cash: u64) -> Exchange {
    let mut exchange = Exchange::new(&with_oracle(), 1);
    exchange.open(cash);
    exchange.slot = 101;
    speak(&mut exchange, 10_000);
    exchange.post(1, Ask, 10_000, 10).unwrap();
    exchange.ioc(2, Bid, 10_000, 10).unwrap();
    let instrument = &mut exchange.slab().instruments[0];
    (instrument.mark, instrument.index) = (Ticks(10_200), Ticks(10_200));
    exchange
}

#[test]
fn t1_a_profit_at_a_stale_mark_carries_nothing_elsewhere() {
    // Equity 17,000 on a margin of 10,200, of which 2,000 are profit; a lot of
    // the other instrument takes 100.
    for (slot, most) in [(126, 68), (127, 48)] {
        let mut exchange = in_profit(15_000);
        exchange
            .slab()
            .add_instrument(&params(), Slot(101))
            .unwrap();
        exchange.slot = slot;
        let mut order = post_only(2, Bid, 990, most + 1);
        order.instrument = 1;
        let short = exchange.place(&order).unwrap_err();
        assert_eq!(short, SlabError::BelowInitialMargin, "{slot}");
        order.lots = Lots(most);
        exchange.place(&order).unwrap();
        let plain = exchange.slab().health(2, None).equity_atoms;
        let strict = exchange.slab().health_at(2, None, Slot(slot)).equity_atoms;
        assert_eq!(plain, 17_000);
        assert_eq!(strict, if slot == 126 { 17_000 } else { 15_000 });
    }
}

#[test]
fn t1_a_profit_at_a_stale_mark_pays_for_no_trade_elsewhere() {
    for (slot, most, charge) in [(126, 68, 0), (127, 48, 1_200)] {
        let mut exchange = in_profit(15_000);
        let mut other = params();
        other.mark_age = Slot(0);
        exchange.slab().add_instrument(&other, Slot(101)).unwrap();
        exchange.slot = slot;
        let mut quote = post_only(1, Ask, 1_000, 200);
        quote.instrument = 1;
        exchange.place(&quote).unwrap();
        // A hold of 60 lots needs 16,200 in all; the escrow pays what lacks.
        let mut order = reserve(2, Bid, 1_000, 60);
        order.instrument = 1;
        let held = exchange.reserve(&order).unwrap();
        let before = exchange.bytes().to_vec();
        let traded = exchange.mint_and_commit(&held).unwrap();
        assert_eq!({ traded.charge_atoms }, charge, "{slot}");
        exchange.audit();
        exchange.bytes().copy_from_slice(&before);
        exchange
            .cancel_hold(2, (held.hold, held.generation))
            .unwrap();
        let mut take = ioc(2, Bid, 1_000, most + 1);
        take.instrument = 1;
        let short = exchange.take(&take).map(|_| ());
        assert_eq!(short, Err(SlabError::BelowInitialMargin), "{slot}");
        take.lots = Lots(most);
        assert_eq!({ exchange.take(&take).unwrap().lots }, most);
    }
}

#[test]
fn t1_the_bond_of_a_reducing_hold_needs_no_profit() {
    // Cash of 11,000 on a margin of 10,200; the profit of 2,000 counts neither
    // for nor against it.
    let mut exchange = in_profit(11_000);
    exchange.post(1, Bid, 10_190, 5).unwrap();
    exchange.slot = 127;
    let mut order = reserve(2, Ask, 10_190, 5);
    order.ttl = Slot(20);
    exchange.reserve(&order).unwrap();
    assert!(exchange.slab().accounts[2].bond_atoms > 0);
    exchange.audit();
}

#[test]
fn t1_a_loss_at_a_stale_mark_counts_in_full() {
    let mut exchange = in_profit(15_000);
    exchange.slab().instruments[0].mark = Ticks(9_900);
    assert_eq!(
        exchange.slab().health_at(2, None, Slot(127)).equity_atoms,
        14_000
    );
}

#[test]
fn t1_a_maker_at_a_stale_mark_needs_margin_without_its_profit() {
    // Worst case of 15 lots takes 15,300; 14,000 of cash cover it with the profit alone.
    for (slot, expected) in [(126, outcome::FULL), (127, outcome::MARGIN)] {
        let mut exchange = in_profit(14_000);
        exchange.open(1_000_000);
        exchange.post(1, Bid, 10_150, 10).unwrap();
        // Account 3 gets lots to reduce.
        exchange.post(1, Ask, 10_210, 5).unwrap();
        exchange.ioc(3, Bid, 10_210, 5).unwrap();
        exchange.post(2, Bid, 10_190, 5).unwrap();
        exchange.slot = slot;
        let traded = exchange.take(&ioc(3, Ask, 10_100, 5)).unwrap();
        let first = traded.fills()[0];
        assert_eq!((first.account, first.outcome), (2, expected), "{slot}");
        assert_eq!({ traded.lots }, 5, "the next order takes over");
        exchange.audit();
    }
}

#[test]
fn t1_a_maker_short_of_margin_may_reduce_at_a_stale_mark() {
    let mut exchange = in_profit(10_000);
    exchange.open(1_000_000);
    exchange.post(2, Ask, 10_210, 5).unwrap();
    exchange.post(1, Bid, 10_195, 5).unwrap();
    exchange.ioc(3, Ask, 10_195, 5).unwrap();
    exchange.slot = 127;
    // Account 2 has 10,000 of cash on a margin of 10,200, but sells.
    assert_eq!(exchange.ioc(3, Bid, 10_210, 5), Ok(5));
    assert_eq!(exchange.position(2, 0).0, 5);
    exchange.audit();
}

#[test]
fn t1_release_gives_up_what_the_mark_could_have_moved() {
    let releasable =
        |exchange: &mut Exchange, slot| exchange.slab().releasable_atoms(2, Slot(slot));
    let mut exchange = in_profit(15_000);
    exchange.slab().instruments[0].mark = Ticks(10_000);
    // Cash 15,000, margin 10,000; ten lots lose 20 a slot.
    for (slot, expected) in [
        (101, 5_000),
        (126, 5_000),
        (127, 4_980),
        (376, 0),
        (377, 0),
        (u32::MAX, 0),
    ] {
        assert_eq!(releasable(&mut exchange, slot), expected, "{slot}");
    }
    exchange.slot = 127;
    assert_eq!(exchange.release(2, 4_981), Err(SlabError::ReleaseTooLarge));
    assert!(exchange.release(2, 4_980).is_ok());
    // What a price can lose ends with the price: a long of ten lots at 10,000
    // loses 99,990, and a fortune beside it stays free.
    exchange.deposit(2, 1_000_000).unwrap();
    let free = 1_000_000 + 20;
    assert_eq!(releasable(&mut exchange, 2_000_000), free - 99_990);
    exchange.audit();
}

#[test]
fn t1_a_short_can_have_lost_up_to_the_largest_price() {
    let mut exchange = in_profit(15_000);
    exchange.slab().instruments[0].mark = Ticks(10_000);
    exchange.slab().accounts[1].principal_atoms = 1_000_000_000;
    let at = |exchange: &mut Exchange, slot| exchange.slab().releasable_atoms(1, Slot(slot));
    let fresh = at(&mut exchange, 126);
    assert_eq!(at(&mut exchange, 136), fresh - 10 * 20);
    assert_eq!(at(&mut exchange, u32::MAX), fresh - 10 * 990_000);
}

/// Whether an instrument with these parameters is accepted.
fn accepted(params: &InstrumentParams) -> bool {
    let mut exchange = Exchange::with(common::small());
    let added = exchange.run(|slab| slab.add_instrument(params, Slot(100)));
    assert!(matches!(added, Ok(0) | Err(SlabError::BadInstrument)));
    added.is_ok()
}

#[test]
fn t1_gap_what_a_mark_can_lose_is_within_maintenance() {
    // 2 ticks of 10,000 in 25 + 150 slots: 3.5 % of the 5 %.
    let base = with_oracle();
    let with = |change: &dyn Fn(&mut InstrumentParams)| {
        let mut params = base;
        change(&mut params);
        accepted(&params)
    };
    assert!(with(&|params| params.mmr = Ppm(35_000)));
    assert!(!with(&|params| params.mmr = Ppm(34_999)));
    assert!(with(&|params| params.rules.oracle_age_max = Slot(100)));
    assert!(!with(&|params| params.rules.oracle_age_max = Slot(101)));
    assert!(!with(&|params| params.mark_move_max = Ticks(3)));
    // Liquidation: band and fee add up.
    let liquidation = |band, fee| {
        with(&|params| {
            params.rules.liquidation_band_max = Ppm(band);
            params.rules.liquidation_fee = Ppm(fee);
        })
    };
    assert!(liquidation(10_000, 5_000));
    assert!(!liquidation(10_001, 5_000) && !liquidation(10_000, 5_001));
    // Funding: once per interval that begins within the 175 slots.
    let funding = |slots, most| {
        with(&|params| {
            params.rules.funding_slots = Slot(slots);
            params.rules.funding_max = Ppm(most);
        })
    };
    assert!(funding(175, 15_000) && !funding(175, 15_001));
    assert!(funding(174, 7_500) && !funding(174, 7_501));
    assert!(funding(1_000_000, 15_000) && !funding(1_000_000, 15_001));
}

#[test]
fn t1_gap_rounds_against_the_instrument() {
    // 350 of 9,999 ticks are 35,003.5 millionths.
    let mut params = with_oracle();
    params.mark = Ticks(9_999);
    params.mmr = Ppm(35_003);
    assert!(!accepted(&params));
    params.mmr = Ppm(35_004);
    assert!(accepted(&params));
}

#[test]
fn t1_gap_binds_only_where_an_oracle_makes_the_mark() {
    let mut params = params();
    params.mark_move_max = Ticks(500);
    assert!(accepted(&params));
    // An oracle is an account and a scale, both or neither.
    for (oracle, oracle_scale) in [([4; 32], 0), ([0; 32], 1)] {
        let halfway = InstrumentParams {
            oracle,
            oracle_scale,
            ..with_oracle()
        };
        assert!(!accepted(&halfway));
    }
}

#[test]
fn t1_a_replacement_at_a_stale_mark_may_not_open_more() {
    let mut exchange = about_to_go_stale();
    let resting = exchange.post(3, Bid, 9_980, 5).unwrap();
    exchange.slot = 127;
    let (slot, trader) = (Slot(127), key_of(7, 3));
    let mut replace = |lots| {
        let (order, mut traded) = (post_only(3, Bid, 9_980, lots), Traded::zeroed());
        let replaced =
            exchange.run(|slab| slab.replace(&trader, resting, &order, slot, &mut traded));
        exchange.audit();
        replaced.map(|_| ())
    };
    // The order that goes first takes the room with it.
    assert_eq!(replace(6), Err(StaleMark));
    assert_eq!(replace(5), Err(StaleMark));
    speak(&mut exchange, 10_000);
    exchange.cancel(3, resting).unwrap().unwrap();
}
