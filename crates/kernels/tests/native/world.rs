//! Random markets: every size, empty books, flat, steep and nearly flat curves.

use flagstone_kernels::index::{Constituent, Quote};
use flagstone_kernels::market::{Asset, Place};
use flagstone_kernels::orders::OrderRow;
use flagstone_kernels::{Amount, Label};

/// A seeded generator, so that a failing number replays everything (splitmix64).
#[derive(Clone)]
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.word() % bound
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A number of `low..high` bits.
    pub(crate) fn bits(&mut self, low: u32, high: u32) -> u128 {
        let bits = low + self.below(u64::from(high - low)) as u32;
        let number = u128::from(self.word()) << 64 | u128::from(self.word());
        if bits == 0 {
            0
        } else {
            number >> (128 - bits) | 1 << (bits - 1)
        }
    }
}

/// A market, an index in it, and an order.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) assets: Vec<Asset>,
    pub(crate) constituents: Vec<Constituent>,
    pub(crate) fractions: Option<Vec<Amount>>,
    pub(crate) row: OrderRow,
    pub(crate) added: Amount,
    pub(crate) removed: Amount,
    pub(crate) order_size_max: Amount,
}

fn asset(random: &mut Seeded, label: u128, slopes: u64) -> Asset {
    let mut asset = Asset::new(Label::new(label));
    let amount = |number: u128| Amount::new(number);
    asset.price = amount(random.bits(40, 78));
    asset.slope = amount(match slopes {
        0 => 0,
        // A few units of 1e-18.
        1 => random.bits(1, 10),
        _ => random.bits(8, 60),
    });
    asset.liquidity = amount(if random.one_in(60) {
        0
    } else {
        random.bits(55, 90)
    });
    asset.margin = amount(if random.one_in(80) {
        0
    } else {
        random.bits(58, 85)
    });
    asset.supply_long = amount(random.bits(0, 75));
    asset.supply_short = amount(if random.one_in(4) {
        random.bits(0, 75)
    } else {
        0
    });
    asset.demand_long = amount(random.bits(0, 75));
    asset.demand_short = amount(if random.one_in(3) {
        random.bits(0, 75)
    } else {
        0
    });
    asset.refresh_delta().expect("fits");
    asset
}

impl World {
    /// The world of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let random = &mut Seeded::new(seed);
        let market = match random.below(8) {
            0 => 1,
            1 => 512,
            _ => 1 + random.below(512),
        };
        let slopes = random.below(4);
        // Slots are in any order of labels, and grow.
        let assets: Vec<Asset> = (0..market)
            .map(|slot| asset(random, u128::from(slot * 7_919 % 100_003 + 1), slopes))
            .collect();
        let wanted = 1 + random.below(market.min(256));
        let mut constituents = Vec::new();
        for (slot, asset) in assets.iter().enumerate() {
            let (left, needed) = (market - slot as u64, wanted - constituents.len() as u64);
            if needed > 0 && random.below(left) < needed {
                let place = Place::new(asset.label, slot as u16);
                let weight = Amount::new(random.bits(30, 68));
                constituents.push(Constituent::new(place, weight).expect("a weight"));
            }
        }
        assert_eq!(constituents.len() as u64, wanted);
        let fraction = |random: &mut Seeded| Amount::new(u128::from(random.below(1 << 59)) * 9 / 8);
        let fractions = random
            .one_in(2)
            .then(|| constituents.iter().map(|_| fraction(random)).collect());
        let row = OrderRow {
            remaining: Amount::new(random.bits(50, 90)),
            given: Amount::new(random.bits(0, 80)),
            got: Amount::new(random.bits(0, 80)),
        };
        Self {
            assets,
            constituents,
            fractions,
            row,
            added: Amount::new(random.bits(0, 80)),
            removed: Amount::new(random.bits(0, 50)),
            order_size_max: Amount::new(random.bits(60, 100)),
        }
    }

    /// A quote by hand: prices and slopes that no market of this generator has.
    pub(crate) fn odd_quote(random: &mut Seeded) -> Quote {
        let slope = match random.below(4) {
            0 => 0,
            1 => random.bits(1, 8),
            _ => random.bits(1, 90),
        };
        Quote {
            capacity: Amount::new(random.bits(40, 90)),
            price: Amount::new(random.bits(0, 100)),
            slope: Amount::new(slope),
        }
    }
}
