//! Quotes, buys and sells.

use flagstone_kernels::asm::listings;
use flagstone_kernels::index::update_quote_compat;
use flagstone_kernels::orders::{OrderRow, Terms, buy, sell};
use flagstone_kernels::vil::Config;
use flagstone_kernels::{Amount, Compat};

use super::world::{Tally, World, row_of};

impl World {
    pub(crate) fn update_quote(&mut self, config: &Config, tally: &mut Tally) {
        for (name, of) in [
            ("weights_id", "asset_weights_id"),
            ("index_asset_names_id", "asset_names_id"),
            ("asset_prices_id", "market_asset_prices_id"),
            ("asset_slopes_id", "market_asset_slopes_id"),
            ("asset_liquidity_id", "market_asset_liquidity_id"),
            ("quote_id", "index_quote_id"),
        ] {
            let id = self.session.id(of);
            self.session.symbols.define(name, id);
        }
        self.publish();
        let before = self.assets.clone();
        let native = update_quote_compat(&self.assets, &self.constituents);
        let listing = &listings::UPDATE_QUOTE;
        if let Some(quote) = self.agree("quote", native, listing, &before, config, tally) {
            let stored = [quote.capacity.get(), quote.price.get(), quote.slope.get()];
            assert_eq!(self.session.get("index_quote_id"), stored);
            self.quote = quote;
        }
        // The next listings give these names to the inputs of an update.
        for name in ["asset_prices_id", "asset_slopes_id", "asset_liquidity_id"] {
            let id = 100_000 + self.session.id(name);
            self.session.symbols.define(name, id);
        }
    }

    /// What is added to an order and removed from it, and the largest order.
    fn change_of_funds(&mut self, low: u32, high: u32) -> [Amount; 3] {
        let added = Amount::new(self.random.amount(low, high));
        let removed = Amount::new(match self.random.below(20) {
            0 => self.random.amount(high, high + 1),
            1..12 => 0,
            _ => self.random.amount(low - 3, low),
        });
        let order_size_max = Amount::new(self.random.amount(20, 23));
        for (name, value) in [
            ("collateral_added", added),
            ("collateral_removed", removed),
            ("tokens_added", added),
            ("tokens_removed", removed),
            ("max_order_size", order_size_max),
        ] {
            self.session.scalar(name, value.get());
        }
        [added, removed, order_size_max]
    }

    pub(crate) fn order(&mut self, buys: bool, config: &Config, tally: &mut Tally) {
        let (low, high) = if buys { (18, 23) } else { (15, 19) };
        self.row = OrderRow {
            remaining: Amount::new(self.random.wild(low, high)),
            given: Amount::new(self.random.amount(15, 22)),
            got: Amount::new(self.random.amount(15, 22)),
        };
        self.publish();
        let [added, removed, order_size_max] = self.change_of_funds(low, high);
        let before = self.assets.clone();
        let (quote, fractions, mut row) = (self.quote, self.fractions.clone(), self.row);
        let terms = Terms {
            quote: &quote,
            added,
            removed,
            order_size_max,
            fractions: Some(&fractions),
        };
        let mut traded = vec![0; self.constituents.len()];
        let record = |position: usize, quantity| traded[position] = quantity;
        let (assets, of) = (&mut self.assets, &self.constituents);
        let (listing, native) = if buys {
            (
                &listings::BUY,
                buy::<Compat>(assets, of, &mut row, &terms, record),
            )
        } else {
            (
                &listings::SELL,
                sell::<Compat>(assets, of, &mut row, &terms, record),
            )
        };
        let step = format!("{} {:?} {:?}", listing.name, self.row, terms.quote);
        let Some(fill) = self.agree(&step, native, listing, &before, config, tally) else {
            return;
        };
        self.row = row;
        assert_eq!(self.session.get("order_id"), row_of(&row), "{step}");
        let executed = [fill.given.get(), fill.got.get()];
        assert_eq!(self.session.get("executed_fill_id"), executed, "{step}");
        assert_eq!(
            self.session.get("executed_asset_quantities_id"),
            traded,
            "{step}"
        );
        if buys {
            let quantities = [fill.got.get(), fill.unfilled().get()];
            assert_eq!(
                self.session.get("executed_index_quantities_id"),
                quantities,
                "{step}"
            );
        }
    }
}
