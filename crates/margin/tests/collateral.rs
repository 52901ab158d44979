//! Prices of auctions and sizes of sales: within their band, never more than is
//! asked for, and rounded against the buyer.
#![allow(missing_docs, reason = "tests")]

use bytemuck::Zeroable;
use flagstone_interface::collateral::{
    AUCTION_SLOTS, CollateralTerms, DECIMALS_MAX, HAIRCUT_PPM_MAX, PREMIUM_PPM_MAX,
};
use flagstone_interface::router::Escrow;
use flagstone_margin::Reading;
use flagstone_margin::collateral::{PRICE_ATOMS, Price, Sale, Unpriced, asked_atoms};
use flagstone_slab_engine::oracle::OraclePrice;
use flagstone_slab_engine::risk::Health;
use flagstone_units::Slot;
use proptest::prelude::*;

const SLOT: Slot = Slot(1_000);
const NOW: i64 = 1_700_000_000;
const FEED: [u8; 32] = [3; 32];

/// A mint of nine decimals against a quote of six: five per cent above the
/// oracle to ten below it in a hundred slots.
fn terms() -> CollateralTerms {
    CollateralTerms {
        enabled: 1,
        decimals: 9,
        quote_decimals: 6,
        oracle: [2; 32],
        oracle_feed: FEED,
        haircut_ppm: 200_000,
        oracle_age_slots: 25,
        confidence_max_ppm: 10_000,
        premium_ppm: 50_000,
        discount_ppm: 100_000,
        auction_slots: 100,
        deposit_cap_atoms: u64::MAX,
        ..CollateralTerms::zeroed()
    }
}

/// 150 and a bit for one token.
fn oracle() -> OraclePrice {
    OraclePrice {
        feed: FEED,
        price: 15_000_000_001,
        confidence: 1_000,
        exponent: -8,
        publish_time: NOW,
        posted_slot: 1_000,
    }
}

fn price(oracle: &OraclePrice) -> Result<Price, Unpriced> {
    Price::of(&terms(), oracle, SLOT, NOW)
}

fn plain() -> Price {
    price(&OraclePrice {
        price: 15_000_000_000,
        ..oracle()
    })
    .unwrap()
}

#[test]
fn lq7_a_price_is_for_atoms_of_both_mints() {
    // 150 quote tokens of 1e6 atoms for 1e9 atoms.
    let price = plain();
    assert_eq!(price.cost_atoms(1_000_000_000), Some(150_000_000));
    assert_eq!(price.cost_atoms(0), Some(0));
    // 0.15 of a quote atom for an atom.
    assert_eq!(price.cost_atoms(1), Some(1));
    assert_eq!(price.value_atoms(1), 0);
    assert_eq!(price.cost_atoms(20), Some(3));
    assert_eq!(price.cost_atoms(21), Some(4));
    assert_eq!(price.value_atoms(26), 3);
    assert_eq!(price.value_atoms(27), 4);
    assert_eq!(price.haircut_atoms(&terms(), 1_000_000_000), 120_000_000);
    assert_eq!(price.amount_for(3), 20);
    assert_eq!(price.amount_for(0), 0);
    // Decimals of either side move the point.
    let coarse = CollateralTerms {
        decimals: 0,
        ..terms()
    };
    let coarse = Price::of(&coarse, &oracle(), SLOT, NOW).unwrap();
    assert_eq!(coarse.cost_atoms(1), Some(150_000_001));
    assert_eq!(
        (
            coarse.amount_for(150_000_000),
            coarse.amount_for(300_000_000)
        ),
        (0, 1)
    );
    let fine = CollateralTerms {
        quote_decimals: 9,
        ..terms()
    };
    let fine = Price::of(&fine, &oracle(), SLOT, NOW).unwrap();
    assert_eq!(fine.cost_atoms(1_000_000_000), Some(150_000_000_010));
}

#[test]
fn lq7_an_auction_falls_in_a_line_and_stays_at_its_end() {
    let cost = |elapsed| {
        plain()
            .in_auction(&terms(), Slot(elapsed))
            .cost_atoms(1_000_000_000)
    };
    assert_eq!(cost(0), Some(157_500_000));
    assert_eq!(cost(1), Some(157_275_000));
    assert_eq!(cost(50), Some(146_250_000));
    assert_eq!(cost(99), Some(135_225_000));
    for end in [100, 101, 200, u32::MAX] {
        assert_eq!(cost(end), Some(135_000_000), "{end}");
    }
    // A third of a slot's fall is not given away.
    let steep = CollateralTerms {
        auction_slots: 37,
        ..terms()
    };
    let at = plain()
        .in_auction(&steep, Slot(1))
        .cost_atoms(1_000_000_000);
    // 1.05 less 150,000 / 37 = 4,054.05 millionths.
    assert_eq!(at, Some((1_050_000 - 4_054) * 150));
}

#[test]
fn lq7_stale_uncertain_and_foreign_prices_are_none() {
    assert!(price(&oracle()).is_ok());
    let bad: [fn(&mut OraclePrice); 12] = [
        |oracle| oracle.feed[31] ^= 1,
        |oracle| oracle.posted_slot = 974,
        |oracle| oracle.posted_slot = 1_001,
        |oracle| oracle.posted_slot = u64::MAX,
        |oracle| oracle.publish_time = NOW - 11,
        |oracle| oracle.publish_time = NOW + 3_601,
        |oracle| oracle.publish_time = i64::MIN,
        |oracle| oracle.confidence = 150_000_001,
        |oracle| oracle.price = 0,
        |oracle| oracle.price = -1,
        |oracle| oracle.exponent = i32::MAX,
        |oracle| oracle.exponent = i32::MIN,
    ];
    for (at, spoil) in bad.iter().enumerate() {
        let mut spoiled = oracle();
        spoil(&mut spoiled);
        assert_eq!(price(&spoiled), Err(Unpriced), "{at}");
    }
    let good: [fn(&mut OraclePrice); 4] = [
        |oracle| oracle.posted_slot = 975,
        |oracle| oracle.publish_time = NOW - 10,
        |oracle| oracle.publish_time = NOW + 3_600,
        |oracle| oracle.confidence = 150_000_000,
    ];
    for (at, change) in good.iter().enumerate() {
        let mut changed = oracle();
        change(&mut changed);
        assert!(price(&changed).is_ok(), "{at}");
    }
    // What cannot be told from nothing, or from everything, is no price.
    let at = |exponent| {
        price(&OraclePrice {
            price: 1,
            confidence: 0,
            exponent,
            ..oracle()
        })
    };
    assert!(at(-9).is_ok() && at(-10).is_err());
    assert!(at(16).is_ok() && at(17).is_err());
}

/// A frozen account that lacks 400 of 1,000.
fn short() -> (Reading, Escrow) {
    let reading = Reading {
        health: Health {
            equity_atoms: 600,
            initial_atoms: 1_000,
            maintenance_atoms: 700,
        },
        settled_initial_atoms: 1_000,
        largest: None,
        is_fresh: true,
        is_bare: false,
        is_bankrupt: false,
    };
    let escrow = Escrow {
        frozen: 1,
        liability_max_atoms: 5_000,
        ..Escrow::zeroed()
    };
    (reading, escrow)
}

#[test]
fn lq7_no_more_is_asked_for_than_can_be_moved() {
    let (reading, escrow) = short();
    assert_eq!(asked_atoms(&reading, &escrow, 0), 400);
    assert_eq!(asked_atoms(&reading, &escrow, 399), 1);
    assert_eq!(asked_atoms(&reading, &escrow, 400), 0);
    // What is owed beyond margin counts as long as there are positions.
    let mut owing = reading;
    owing.health.equity_atoms = -50;
    assert_eq!(asked_atoms(&owing, &escrow, 0), 1_050);
    // The owner's consent, less what it was used for.
    let consent = Escrow {
        liability_max_atoms: 300,
        shifted_atoms: 100,
        ..escrow
    };
    assert_eq!(asked_atoms(&reading, &consent, 0), 200);
    assert_eq!(asked_atoms(&reading, &consent, 150), 50);
    let used = Escrow {
        shifted_atoms: 300,
        ..consent
    };
    assert_eq!(asked_atoms(&reading, &used, 0), 0);
    // Orders are cancelled, not paid for.
    let mut quoting = reading;
    quoting.health.initial_atoms = 9_000;
    assert_eq!(asked_atoms(&quoting, &escrow, 0), 400);
    let mut stale = reading;
    stale.is_fresh = false;
    let mut debt = owing;
    (debt.settled_initial_atoms, debt.health.initial_atoms) = (0, 9_000);
    let mut well = reading;
    well.health.equity_atoms = 1_000;
    for nothing in [stale, debt, well] {
        assert_eq!(asked_atoms(&nothing, &escrow, 0), 0);
    }
    let free = Escrow {
        frozen: 0,
        ..escrow
    };
    assert_eq!(asked_atoms(&reading, &free, 0), 0);
}

#[test]
fn lq7_a_bid_is_a_price_for_every_atom_of_it() {
    let price = plain();
    // Asked for 30, which buys 200 atoms.
    let sale = Sale::of(price, 30, 1_000).unwrap();
    assert_eq!((sale.amount_atoms, sale.cost_atoms), (200, 30));
    assert!(sale.is_within(150, 1_000));
    // A fifth of 146 is 29.2: the buyer pays the whole atom.
    assert!(sale.is_within(146, 1_000));
    assert!(!sale.is_within(145, 1_000));
    assert_eq!(
        Sale::of(price, 30, 7).unwrap(),
        Sale {
            amount_atoms: 7,
            cost_atoms: 2
        }
    );
    assert_eq!(Sale::of(price, 30, 0), None);
    assert_eq!(Sale::of(price, 0, 1_000), None);
    // An atom for more than is asked for is not sold.
    let coarse = CollateralTerms {
        decimals: 0,
        ..terms()
    };
    let coarse = Price::of(&coarse, &oracle(), SLOT, NOW).unwrap();
    assert_eq!(Sale::of(coarse, 150_000_000, 10), None);
    let all = Sale::of(coarse, u64::MAX, u64::MAX).unwrap();
    assert!(all.cost_atoms > u64::MAX - 150_000_001);
    assert!(all.is_within(u64::MAX, all.amount_atoms) && !all.is_within(0, 1));
}

fn any_terms() -> impl Strategy<Value = CollateralTerms> {
    let ppm = (0..=HAIRCUT_PPM_MAX, 0..=PREMIUM_PPM_MAX, 0u32..=1_000_000);
    let rest = (AUCTION_SLOTS, 0..=DECIMALS_MAX, 0..=DECIMALS_MAX);
    (ppm, rest).prop_map(
        |((haircut, premium, part), (auction_slots, decimals, quote))| CollateralTerms {
            haircut_ppm: haircut,
            premium_ppm: premium,
            discount_ppm: (u64::from(haircut) * u64::from(part) / 1_000_000) as u32,
            auction_slots,
            decimals,
            quote_decimals: quote,
            ..terms()
        },
    )
}

fn any_oracle() -> impl Strategy<Value = OraclePrice> {
    (1i64..=i64::MAX, -20i32..=10).prop_map(|(price, exponent)| OraclePrice {
        price,
        confidence: 0,
        exponent,
        ..oracle()
    })
}

/// Costs of so much collateral that rounding hardly shows.
const MUCH: u64 = 1 << 40;

proptest! {
    #[test]
    fn lq7_prices_stay_in_their_band_and_only_fall(
        terms in any_terms(),
        oracle in any_oracle(),
        early in 0u32..20_000,
        later in 0u32..20_000,
    ) {
        prop_assert!(terms.are_sound());
        let Ok(base) = Price::of(&terms, &oracle, SLOT, NOW) else { return Ok(()) };
        let at = |elapsed| base.in_auction(&terms, Slot(elapsed));
        let (early, later) = (early.min(later), early.max(later));
        prop_assert!(at(early) >= at(later));
        prop_assert!(at(0) >= at(early) && at(later) >= at(u32::MAX));
        if terms.premium_ppm == 0 {
            prop_assert_eq!(at(0), base);
        }
        prop_assert!(at(0) >= base && at(u32::MAX) <= base);
        // Never below what the haircut leaves.
        let low = at(u32::MAX).cost_atoms(MUCH).unwrap_or(u64::MAX);
        prop_assert!(low >= base.haircut_atoms(&terms, MUCH) || base.value_atoms(MUCH) == u64::MAX);
    }

    /// Against the exact price, as a fraction: at least its part of the
    /// oracle's, and less than two millionths more.
    #[test]
    fn lq7_prices_round_against_the_buyer_and_no_further(
        terms in any_terms(),
        price in 1i64..=1 << 40,
        exponent in -12i32..=0,
        elapsed in 0u32..10_000,
    ) {
        let quoted = OraclePrice { price, exponent, confidence: 0, ..oracle() };
        let Ok(base) = Price::of(&terms, &quoted, SLOT, NOW) else { return Ok(()) };
        let asked = base.in_auction(&terms, Slot(elapsed));
        let Some(cost) = asked.cost_atoms(1_000_000_000_000_000) else { return Ok(()) };
        let length = f64::from(terms.auction_slots);
        let gone = f64::from(elapsed).min(length) / length;
        let (premium, discount) = (f64::from(terms.premium_ppm), f64::from(terms.discount_ppm));
        let factor = 1.0 + (premium - (premium + discount) * gone) / 1e6;
        let power = 15 + exponent + i32::from(terms.quote_decimals) - i32::from(terms.decimals);
        let exact = price as f64 * factor * 10f64.powi(power);
        // Doubles are good for sixteen digits.
        prop_assert!(cost as f64 >= exact * (1.0 - 1e-12), "{cost} < {exact}");
        // A factor of at least a tenth is rounded up by less than a millionth.
        prop_assert!((cost as f64) <= exact * (1.0 + 3e-5) + 1.0, "{cost} > {exact}");
    }

    #[test]
    fn lq7_a_sale_is_no_more_than_asked_for_and_the_largest_such(
        terms in any_terms(),
        oracle in any_oracle(),
        elapsed in 0u32..10_000,
        asked: u64,
        amount: u64,
    ) {
        let Ok(base) = Price::of(&terms, &oracle, SLOT, NOW) else { return Ok(()) };
        let price = base.in_auction(&terms, Slot(elapsed));
        let Some(sale) = Sale::of(price, asked, amount) else {
            let one = price.cost_atoms(1);
            prop_assert!(amount == 0 || one.is_none_or(|one| one > asked));
            return Ok(());
        };
        prop_assert!(sale.amount_atoms > 0 && sale.amount_atoms <= amount);
        prop_assert!(sale.cost_atoms > 0 && sale.cost_atoms <= asked);
        // The buyer pays what it is worth or up to an atom more.
        let worth = price.value_atoms(sale.amount_atoms);
        prop_assert!(sale.cost_atoms >= worth && sale.cost_atoms - worth <= 1);
        if sale.amount_atoms < amount {
            let more = price.cost_atoms(sale.amount_atoms + 1);
            prop_assert!(more.is_none_or(|more| more > asked));
        }
        // A bid at just this price is good, one of an atom less is not.
        prop_assert!(sale.is_within(sale.cost_atoms, sale.amount_atoms));
        prop_assert!(!sale.is_within(sale.cost_atoms - 1, sale.amount_atoms));
    }

    /// Parts never cost less than the whole: nobody gains by buying bit by bit.
    #[test]
    fn lq7_buying_in_parts_is_never_cheaper(
        oracle in any_oracle(),
        first in 0u64..=1 << 40,
        second in 0u64..=1 << 40,
    ) {
        let Ok(price) = Price::of(&terms(), &oracle, SLOT, NOW) else { return Ok(()) };
        let (Some(one), Some(two), Some(whole)) = (
            price.cost_atoms(first),
            price.cost_atoms(second),
            price.cost_atoms(first + second),
        ) else { return Ok(()) };
        prop_assert!(u128::from(one) + u128::from(two) >= u128::from(whole));
        // Exactly the product, rounded up: PRICE_ATOMS atoms are the price itself.
        let unit = price.cost_atoms(PRICE_ATOMS as u64);
        if let Some(unit) = unit {
            let exact = u128::from(unit) * u128::from(first);
            prop_assert_eq!(u128::from(one), exact.div_ceil(PRICE_ATOMS));
        }
    }

    #[test]
    fn lq7_nothing_asked_is_above_consent_or_what_is_missing(
        equity in -(1i64 << 61)..(1i64 << 61),
        initial in 0u64..(1 << 58),
        liability_max_atoms: u64,
        shifted_atoms: u64,
        cash: u64,
    ) {
        let (mut reading, escrow) = short();
        reading.health.equity_atoms = equity;
        reading.settled_initial_atoms = initial;
        let escrow = Escrow { liability_max_atoms, shifted_atoms, ..escrow };
        let asked = asked_atoms(&reading, &escrow, cash);
        if asked > 0 {
            let then = u128::from(asked) + u128::from(cash);
            prop_assert!(then + u128::from(shifted_atoms) <= u128::from(liability_max_atoms));
            prop_assert!(then as i128 <= i128::from(initial) - i128::from(equity));
        }
    }
}
