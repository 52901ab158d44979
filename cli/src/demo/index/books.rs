//! Order books of 150 assets, from a seed.
//!
//! Their shape is that of a liquid spot venue (a snapshot of XRPUSDT: five
//! significant digits in a price, so that a tick is one to ten hundred-thousandths
//! of it; a spread of a tick or two; some ten thousand dollars a level, more and
//! less by a factor of three, and a little more further out).

use crate::flow::generated::Random;
use flagstone_sdk::index::Book;
use flagstone_sdk::kernels::book::Level;
use flagstone_sdk::kernels::market::Place;
use flagstone_sdk::kernels::{Amount, Label};

/// Assets of the market.
pub(super) const ASSETS: usize = 150;
/// Levels a side; four books of five levels fit a transaction with its compute limit.
pub(super) const LEVELS: u64 = 5;
/// One whole unit of the kernels' numbers.
pub(super) const ONE: u128 = 1_000_000_000_000_000_000;

/// Powers of ten of prices, as often as they occur.
const MAGNITUDES: [i32; 12] = [-3, -2, -1, -1, 0, 0, 0, 1, 1, 2, 3, 4];
/// Digits of a price after the first: ticks are the fifth.
const DIGITS: i32 = 4;
/// Value of a middling level, in dollars.
const LEVEL_DOLLARS: u64 = 8_000;

/// An asset with its order book.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// Four letters.
    pub(super) ticker: String,
    /// Where it lies in the market; its label is the ticker's bytes.
    pub(super) place: Place,
    /// Power of ten of its price.
    magnitude: i32,
    /// Middle of the book, in ticks.
    pub(super) middle: u64,
    /// The book as the vendor reports it.
    pub(super) book: Book,
}

impl Listed {
    /// Decimal places of a price.
    pub(super) fn decimals(&self) -> usize {
        (DIGITS - self.magnitude).max(0) as usize
    }

    /// The middle of the book, at 1e-18.
    pub(super) fn price(&self) -> u128 {
        u128::from(self.middle) * 10u128.pow(u32::from(self.book.price_scale))
    }

    /// Asset units worth so many dollars, at 1e-18.
    pub(super) fn units(&self, dollars: u128) -> u128 {
        // At 1e-18, as one over the price is: 36 decimals less those of its unit.
        let decimals = 36 - u32::from(self.book.price_scale);
        dollars * 10u128.pow(decimals) / u128::from(self.middle)
    }

    /// A side of the book in the kernels' units, best level first.
    pub(super) fn side(&self, bids: bool) -> Vec<Level> {
        let (price, quantity) = (self.book.price_scale, self.book.quantity_scale);
        let scaled =
            |number: u64, scale: u8| Amount::new(u128::from(number) * 10u128.pow(scale.into()));
        let side = if bids {
            &self.book.bids
        } else {
            &self.book.asks
        };
        side.iter()
            .map(|level| Level {
                price: scaled(level[0], price),
                quantity: scaled(level[1], quantity),
            })
            .collect()
    }
}

/// The assets of a market, in order of their tickers. The same seed lists the same.
pub(super) fn list(seed: u64) -> Vec<Listed> {
    let mut random = Random(seed);
    let mut listed: Vec<Listed> = tickers(&mut random)
        .into_iter()
        .enumerate()
        .map(|(slot, ticker)| asset(&mut random, ticker, slot as u16))
        .collect();
    for asset in &mut listed {
        quote(&mut random, asset);
    }
    listed
}

/// Lets every price take a small step, and fills the book anew.
pub(super) fn move_on(random: &mut Random, listed: &mut [Listed]) {
    for asset in listed {
        // Up to a thousandth up or down.
        let reach = asset.middle / 1_000 + 1;
        asset.middle = asset.middle + random.below(2 * reach + 1) - reach;
        quote(random, asset);
    }
}

/// Distinct tickers of consonants and vowels in turn, sorted.
fn tickers(random: &mut Random) -> Vec<String> {
    const CONSONANTS: &[u8] = b"BCDFGKLMNPRSTVXZ";
    const VOWELS: &[u8] = b"AEIOU";
    let mut names = std::collections::BTreeSet::new();
    while names.len() < ASSETS {
        let mut letter = |of: &[u8]| char::from(of[random.below(of.len() as u64) as usize]);
        let name = [CONSONANTS, VOWELS, CONSONANTS, VOWELS].map(&mut letter);
        names.insert(String::from_iter(name));
    }
    names.into_iter().collect()
}

fn asset(random: &mut Random, ticker: String, slot: u16) -> Listed {
    let magnitude = MAGNITUDES[random.below(MAGNITUDES.len() as u64) as usize];
    let mut name = [0; 8];
    name[..ticker.len()].copy_from_slice(ticker.as_bytes());
    let place = Place::new(Label::new(u128::from(u64::from_be_bytes(name))), slot);
    Listed {
        ticker,
        place,
        magnitude,
        middle: 10_000 + random.below(90_000),
        book: Book {
            place,
            price_scale: (18 + magnitude - DIGITS) as u8,
            // A lot is worth some dollars, and is at most one unit.
            quantity_scale: (18 - magnitude.max(0)) as u8,
            bids: Vec::new(),
            asks: Vec::new(),
        },
    }
}

/// Fills both sides around the middle.
fn quote(random: &mut Random, asset: &mut Listed) {
    let spread = 1 + random.below(3);
    let mut bid = asset.middle - spread / 2;
    let mut ask = bid + spread;
    let (mut bids, mut asks) = (Vec::new(), Vec::new());
    for level in 0..LEVELS {
        bids.push([bid, lots(random, asset, level)]);
        asks.push([ask, lots(random, asset, level)]);
        bid -= 1 + random.below(3);
        ask += 1 + random.below(3);
    }
    (asset.book.bids, asset.book.asks) = (bids, asks);
}

/// Lots of a level: a third to three times the middling value, and more further out.
fn lots(random: &mut Random, asset: &Listed, level: u64) -> u64 {
    let percent = 33 + random.below(267);
    let dollars = LEVEL_DOLLARS * percent / 100 * (4 + level) / 4;
    let lot = 10u128.pow(u32::from(asset.book.quantity_scale));
    (asset.units(u128::from(dollars)) / lot).max(1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use flagstone_sdk::kernels::book::metrics_stable;

    #[test]
    fn every_seed_lists_books_that_the_kernels_accept() {
        for seed in 0..200 {
            let mut listed = list(seed);
            move_on(&mut Random(seed), &mut listed);
            assert_eq!(listed.len(), ASSETS);
            assert!(listed.is_sorted_by(|a, b| a.place.label < b.place.label));
            for asset in &listed {
                let metrics = metrics_stable(&asset.side(true), &asset.side(false));
                let price = metrics
                    .unwrap_or_else(|error| panic!("{asset:?}: {error}"))
                    .price;
                let apart = price.get().abs_diff(asset.price());
                assert!(apart * 2_000 < asset.price(), "{asset:?}: {price:?}");
            }
        }
        assert_eq!(list(7)[149].book.bids, list(7)[149].book.bids);
    }
}
