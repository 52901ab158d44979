//! One state on both sides: native assets and stored vectors.

use flagstone_kernels::asm::listings::{self, Listing};
use flagstone_kernels::index::{Constituent, Quote};
use flagstone_kernels::market::{Asset, Place};
use flagstone_kernels::orders::OrderRow;
use flagstone_kernels::vil::{Config, Fault};
use flagstone_kernels::{Amount, KernelError, Label};

use super::random::Random;
use crate::support::*;

pub(crate) const ONE: u128 = 1_000_000_000_000_000_000;

/// A market, an index and an order on both sides.
pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) assets: Vec<Asset>,
    pub(crate) constituents: Vec<Constituent>,
    pub(crate) fractions: Vec<Amount>,
    pub(crate) quote: Quote,
    pub(crate) row: OrderRow,
    pub(crate) session: Session,
}

pub(crate) fn column(assets: &[Asset], of: impl Fn(&Asset) -> Amount) -> Vec<u128> {
    assets.iter().map(|asset| of(asset).get()).collect()
}

pub(crate) fn columns(assets: &[Asset]) -> [(&'static str, Vec<u128>); 10] {
    [
        (
            "market_asset_prices_id",
            column(assets, |asset| asset.price),
        ),
        (
            "market_asset_slopes_id",
            column(assets, |asset| asset.slope),
        ),
        (
            "market_asset_liquidity_id",
            column(assets, |asset| asset.liquidity),
        ),
        ("margin_id", column(assets, |asset| asset.margin)),
        ("supply_long_id", column(assets, |asset| asset.supply_long)),
        (
            "supply_short_id",
            column(assets, |asset| asset.supply_short),
        ),
        ("demand_long_id", column(assets, |asset| asset.demand_long)),
        (
            "demand_short_id",
            column(assets, |asset| asset.demand_short),
        ),
        ("delta_long_id", column(assets, |asset| asset.delta_long)),
        ("delta_short_id", column(assets, |asset| asset.delta_short)),
    ]
}

pub(crate) fn row_of(row: &OrderRow) -> [u128; 3] {
    [row.remaining.get(), row.given.get(), row.got.get()]
}

/// What both sides made of one step.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) done: u32,
    pub(crate) refused: u32,
}

impl World {
    pub(crate) fn new(seed: u64, assets_max: u64) -> Self {
        let mut random = Random(seed);
        let count = 1 + random.below(assets_max);
        let flat = random.one_in(12);
        let mut label = 0;
        let mut assets = Vec::new();
        for _ in 0..count {
            label += 1 + u128::from(random.below(4));
            let mut asset = Asset::new(Label::new(label));
            asset.price = Amount::new(random.amount(15, 22));
            asset.slope = Amount::new(if flat { 0 } else { random.wild(6, 17) });
            asset.liquidity = Amount::new(random.wild(17, 24));
            asset.margin = Amount::new(random.wild(17, 24));
            let side = random.below(4);
            let amount = Amount::new(random.amount(15, 21));
            (if side & 1 == 0 {
                &mut asset.supply_long
            } else {
                &mut asset.supply_short
            })
            .clone_from(&amount);
            let amount = Amount::new(random.amount(15, 21));
            (if side & 2 == 0 {
                &mut asset.demand_long
            } else {
                &mut asset.demand_short
            })
            .clone_from(&amount);
            asset.refresh_delta().expect("small");
            assets.push(asset);
        }
        let mut places = Self::some_places(&mut random, &assets);
        places.truncate(256);
        let constituent = |random: &mut Random, place: &Place| {
            Constituent::new(*place, Amount::new(random.amount(12, 20))).expect("moderate weight")
        };
        let constituents: Vec<_> = places
            .iter()
            .map(|place| constituent(&mut random, place))
            .collect();
        let fractions = places
            .iter()
            .map(|_| Amount::new(u128::from(random.below(1001)) * (ONE / 1000)))
            .collect();
        let mut session = Session::default();
        session.program("solve_quadratic_id", listings::SOLVE_QUADRATIC.text);
        session.program("solve_quadratic_ask_id", listings::SOLVE_QUADRATIC_ASK.text);
        Self {
            random,
            assets,
            constituents,
            fractions,
            quote: Quote::default(),
            row: OrderRow::default(),
            session,
        }
    }

    /// A subset of the market in the order of its labels, never empty.
    pub(crate) fn some_places(random: &mut Random, assets: &[Asset]) -> Vec<Place> {
        let density = 1 + random.below(8);
        let always = random.below(assets.len() as u64);
        let mut places = Vec::new();
        for (slot, asset) in assets.iter().enumerate() {
            if random.one_in(density) || slot as u64 == always {
                places.push(Place::new(asset.label, slot as u16));
            }
        }
        places
    }

    /// Writes the native state into the store.
    pub(crate) fn publish(&mut self) {
        let session = &mut self.session;
        let labels: Vec<u128> = self.assets.iter().map(|asset| asset.label.get()).collect();
        session.labels("market_asset_names_id", &labels);
        for (name, values) in columns(&self.assets) {
            session.vector(name, &values);
        }
        let names: Vec<u128> = self
            .constituents
            .iter()
            .map(|one| one.place.label.get())
            .collect();
        let weights: Vec<u128> = self
            .constituents
            .iter()
            .map(|one| one.weight.get())
            .collect();
        let fractions: Vec<u128> = self
            .fractions
            .iter()
            .map(|fraction| fraction.get())
            .collect();
        session.labels("asset_names_id", &names);
        session.vector("asset_weights_id", &weights);
        session.vector("asset_contribution_fractions_id", &fractions);
        let Quote {
            capacity,
            price,
            slope,
        } = self.quote;
        session.vector(
            "index_quote_id",
            &[capacity.get(), price.get(), slope.get()],
        );
        session.vector("order_id", &row_of(&self.row));
    }

    /// Both sides have done the same, or both refused and nothing has changed.
    pub(crate) fn agree<T>(
        &mut self,
        step: &str,
        native: Result<T, KernelError>,
        listing: &Listing,
        before: &[Asset],
        config: &Config,
        tally: &mut Tally,
    ) -> Option<T> {
        let stored = self.session.stored.clone();
        let ran: Result<_, Fault> = self.session.run(listing, config);
        match (native, ran) {
            (Ok(value), Ok(outcome)) => {
                assert_eq!(outcome.operands_left, 0, "{step}");
                for (name, values) in columns(&self.assets) {
                    assert_eq!(self.session.get(name), values, "{step}: {name}");
                }
                tally.done += 1;
                Some(value)
            }
            (Err(_), Err(_)) => {
                self.assets.copy_from_slice(before);
                self.session.stored = stored;
                tally.refused += 1;
                None
            }
            (Ok(_), Err(fault)) => panic!("{step}: only the listing refused: {fault}"),
            (Err(error), Ok(_)) => panic!("{step}: only the kernel refused: {error}"),
        }
    }
}
