//! Market data, margin, supply and rebalancing.

use flagstone_kernels::asm::listings;
use flagstone_kernels::market::{
    DataUpdate, MarginUpdate, Place, SupplyUpdate, update_margin, update_market_data, update_supply,
};
use flagstone_kernels::rebalance::{Leg, Reweighting, execute, retarget};
use flagstone_kernels::vil::Config;
use flagstone_kernels::{Amount, Compat};

use super::world::{ONE, Tally, World};

/// Names of the inputs of updates, in the order of [`Inputs::lists`].
const INPUTS: [&str; 6] = [
    "asset_prices_id",
    "asset_slopes_id",
    "asset_liquidity_id",
    "asset_margin_id",
    "asset_quantities_long_id",
    "asset_quantities_short_id",
];

/// New values of some assets.
struct Inputs {
    places: Vec<Place>,
    lists: [Vec<u128>; 6],
}

impl Inputs {
    fn get(&self, list: usize, at: usize) -> Amount {
        Amount::new(self.lists[list][at])
    }

    fn each<T>(&self, of: impl Fn(usize, Place) -> T) -> Vec<T> {
        self.places
            .iter()
            .enumerate()
            .map(|(at, place)| of(at, *place))
            .collect()
    }
}

/// What an index has pending and where it goes.
struct Target {
    legs: Vec<Leg>,
    weights: Vec<Reweighting>,
    labels: Vec<u128>,
    outstanding: Amount,
}

impl World {
    /// Draws and stores new values of some assets.
    fn inputs(&mut self) -> Inputs {
        let places = Self::some_places(&mut self.random, &self.assets);
        let mut lists = [(); 6].map(|()| {
            places
                .iter()
                .map(|_| self.random.wild(14, 22))
                .collect::<Vec<u128>>()
        });
        // A few impossible totals stay in: both sides must refuse them.
        if !self.random.one_in(8) {
            lists[3..]
                .iter_mut()
                .flatten()
                .for_each(|value| *value %= 1 << 100);
        }
        self.publish();
        let labels: Vec<u128> = places.iter().map(|place| place.label.get()).collect();
        self.session.labels("asset_names_id", &labels);
        for (name, list) in INPUTS.iter().zip(&lists) {
            self.session.vector(name, list);
        }
        Inputs { places, lists }
    }

    /// Supply, market data and margin of some assets.
    pub(crate) fn maintain(&mut self, config: &Config, tally: &mut Tally) {
        let inputs = self.inputs();
        let data = inputs.each(|at, place| DataUpdate {
            place,
            price: inputs.get(0, at),
            slope: inputs.get(1, at),
            liquidity: inputs.get(2, at),
        });
        let margins = inputs.each(|at, place| MarginUpdate {
            place,
            margin: inputs.get(3, at),
        });
        let supply = inputs.each(|at, place| SupplyUpdate {
            place,
            long: inputs.get(4, at),
            short: inputs.get(5, at),
        });
        let before = self.assets.clone();
        let native = update_market_data(&mut self.assets, &data);
        self.agree(
            "data",
            native,
            &listings::UPDATE_MARKET_DATA,
            &before,
            config,
            tally,
        );
        let before = self.assets.clone();
        let native = update_margin(&mut self.assets, &margins);
        self.agree(
            "margin",
            native,
            &listings::UPDATE_MARGIN,
            &before,
            config,
            tally,
        );
        let before = self.assets.clone();
        let native = update_supply(&mut self.assets, &supply);
        self.agree(
            "supply",
            native,
            &listings::UPDATE_SUPPLY,
            &before,
            config,
            tally,
        );
    }

    /// Draws and stores new weights on new assets, and what is pending from before.
    fn target(&mut self) -> Target {
        let outstanding = self.random.amount(15, 20);
        let [locked, burned] = [(); 2].map(|()| self.random.amount(12, 14));
        let wanted = Self::some_places(&mut self.random, &self.assets);
        let new: Vec<u128> = wanted.iter().map(|_| self.random.amount(12, 20)).collect();
        self.publish();
        let labels: Vec<u128> = wanted.iter().map(|place| place.label.get()).collect();
        self.session.labels("new_asset_names_id", &labels);
        self.session.vector("new_asset_weights_id", &new);
        self.session
            .vector("total_bid_id", &[0, 0, outstanding + locked + burned]);
        self.session.vector("total_ask_id", &[locked, burned, 0]);
        let (mut legs, mut weights) = (Vec::new(), Vec::new());
        for (slot, asset) in self.assets.iter().enumerate() {
            let old = self
                .constituents
                .iter()
                .find(|one| usize::from(one.place.slot) == slot);
            let new_at = wanted
                .iter()
                .position(|place| usize::from(place.slot) == slot);
            let mut leg = Leg {
                place: Place::new(asset.label, slot as u16),
                ..Leg::default()
            };
            if self.random.one_in(5) {
                let amount = Amount::new(self.random.amount(15, 20));
                *(if self.random.one_in(2) {
                    &mut leg.long
                } else {
                    &mut leg.short
                }) = amount;
            } else if old.is_none() && new_at.is_none() {
                continue;
            }
            legs.push(leg);
            weights.push(Reweighting {
                old: old.map_or(Amount::ZERO, |one| one.weight),
                new: Amount::new(new_at.map_or(0, |at| new[at])),
            });
        }
        let pending = legs
            .iter()
            .filter(|leg| leg.long.max(leg.short) > Amount::ZERO);
        let pending: Vec<Leg> = pending.copied().collect();
        self.store_legs(&pending);
        Target {
            legs,
            weights,
            labels,
            outstanding: Amount::new(outstanding),
        }
    }

    /// New weights on new assets, and one step towards them.
    pub(crate) fn rebalance(&mut self, config: &Config, tally: &mut Tally) {
        let Target {
            mut legs,
            weights,
            labels,
            outstanding,
        } = self.target();
        let before = self.assets.clone();
        let native = retarget::<Compat>(&mut legs, &weights, outstanding);
        let listing = &listings::UPDATE_REBALANCE;
        if self
            .agree("retarget", native, listing, &before, config, tally)
            .is_none()
        {
            return;
        }
        let names: Vec<u128> = legs.iter().map(|leg| leg.place.label.get()).collect();
        assert_eq!(self.session.get_labels("rebalance_asset_names_id"), names);
        self.same_legs(&legs, "retarget");
        assert_eq!(self.session.get_labels("asset_names_id"), labels);

        let factor = u128::from(self.random.below(1001)) * (ONE / 1000);
        self.session.scalar("capacity_factor", factor);
        let before = self.assets.clone();
        let mut traded = (vec![0; legs.len()], vec![0; legs.len()]);
        let record = |at: usize, bought, sold| (traded.0[at], traded.1[at]) = (bought, sold);
        let native = execute(&mut self.assets, &mut legs, Amount::new(factor), record);
        let listing = &listings::EXECUTE_REBALANCE;
        if self
            .agree("execute", native, listing, &before, config, tally)
            .is_some()
        {
            self.same_legs(&legs, "execute");
            assert_eq!(self.session.get("executed_long_id"), traded.0);
            assert_eq!(self.session.get("executed_short_id"), traded.1);
        }
    }

    fn store_legs(&mut self, legs: &[Leg]) {
        let each = |of: fn(&Leg) -> u128| legs.iter().map(of).collect::<Vec<_>>();
        self.session.labels(
            "rebalance_asset_names_id",
            &each(|leg| leg.place.label.get()),
        );
        self.session
            .vector("rebalance_long_id", &each(|leg| leg.long.get()));
        self.session
            .vector("rebalance_short_id", &each(|leg| leg.short.get()));
    }

    fn same_legs(&self, legs: &[Leg], step: &str) {
        let long: Vec<u128> = legs.iter().map(|leg| leg.long.get()).collect();
        let short: Vec<u128> = legs.iter().map(|leg| leg.short.get()).collect();
        assert_eq!(self.session.get("rebalance_long_id"), long, "{step}");
        assert_eq!(self.session.get("rebalance_short_id"), short, "{step}");
    }
}
