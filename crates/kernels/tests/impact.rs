//! An order costs the same in one part or in many.
#![allow(missing_docs, reason = "tests")]

use flagstone_kernels::Amount;
use flagstone_kernels::arithmetic::{Arithmetic, Stable};
use flagstone_kernels::index::Quote;
use flagstone_kernels::stable::quantity_at_peak;
use flagstone_kernels::wide::SCALE;
use proptest::prelude::*;

fn quotes() -> impl Strategy<Value = Quote> {
    // Prices of 1e-6 to 1e6, slopes of nothing to 1e3 per unit.
    (
        SCALE / 1_000_000..SCALE * 1_000_000,
        prop_oneof![Just(0), 1..1_000_000u128, 0..SCALE * 1_000],
    )
        .prop_map(|(price, slope)| Quote {
            capacity: Amount::new(SCALE * 1_000_000),
            price: Amount::new(price),
            slope: Amount::new(slope),
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn parts_of_a_buy_cost_what_the_whole_does(
        quote in quotes(),
        parts in prop::collection::vec(0..SCALE * 1_000, 1..12),
    ) {
        let whole: u128 = parts.iter().sum();
        let (mut bought, mut paid) = (0, 0);
        for part in &parts {
            let now = quote.after_buying(bought).unwrap();
            paid += Stable::cost(&now, *part).unwrap();
            bought += part;
            prop_assert_eq!(now.capacity.get() + bought - part, quote.capacity.get());
        }
        let cost = Stable::cost(&quote, whole).unwrap();
        // Each part rounds its price and its cost up: never cheaper, and dearer
        // by a little less than two units of the price per index unit and one.
        prop_assert!(paid >= cost);
        let slack = 2 * (whole / SCALE + 1) + 2 * parts.len() as u128;
        prop_assert!(paid - cost <= slack, "{paid} {cost}");
    }

    #[test]
    fn parts_of_a_sale_bring_what_the_whole_does(
        quote in quotes(),
        parts in prop::collection::vec(0..SCALE * 1_000, 1..12),
    ) {
        let peak = quantity_at_peak(&quote);
        let (mut sold, mut got) = (0u128, 0);
        for part in &parts {
            let now = quote.after_selling(sold).unwrap();
            let part = (*part).min(peak.saturating_sub(sold));
            let sale = Stable::sale(&now, part, u128::MAX).unwrap();
            got += sale.gain;
            // The peak of what is left rounds down: a sale may stop short of it.
            sold += sale.burned;
        }
        let whole = Stable::sale(&quote, sold, u128::MAX).unwrap().gain;
        prop_assert!(got <= whole);
        let slack = 2 * (sold / SCALE + 1) * 12 + 2 * parts.len() as u128;
        prop_assert!(whole - got <= slack, "{got} {whole}");
    }
}
