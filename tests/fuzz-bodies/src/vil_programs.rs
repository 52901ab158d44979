//! Any bytes as a program of the vector machine, and the paper's listings
//! against the native kernels on markets that the bytes describe.

use crate::input::Input;
use flagstone_kernels::asm::listings::{BUY, Listing, SOLVE_QUADRATIC, UPDATE_QUOTE};
use flagstone_kernels::asm::{Assembly, Symbols, assemble};
use flagstone_kernels::index::{Constituent, Quote, update_quote_compat};
use flagstone_kernels::market::{Asset, Place};
use flagstone_kernels::orders::{OrderRow, Terms, buy};
use flagstone_kernels::vil::fuzz::fuzz_vil;
use flagstone_kernels::vil::store::copy_words;
use flagstone_kernels::vil::{
    Config, LoadError, Refused, Slot, Store, Workspace, run, validate_tree,
};
use flagstone_kernels::{Amount, Compat, Label};
use std::collections::BTreeMap;
use std::sync::OnceLock;

const ONE: u128 = 1_000_000_000_000_000_000;
const ASSETS_MAX: u32 = 12;
const SOLVER: u128 = 50;
const ORDER: u128 = 30;
const QUOTE: u128 = 31;
const FILL: u128 = 32;
const INDEX_FILL: u128 = 33;
const TRADED: u128 = 34;
const WEIGHTS: u128 = 22;
const FRACTIONS: u128 = 23;
/// Ids of the columns of an asset, from its price on.
const COLUMN: u128 = 10;

/// Feeds `data` to the machine; says whether a listing and its kernel both ran.
///
/// # Panics
/// When the machine leaves its bounds, or a listing and its kernel differ.
pub fn vil_programs(data: &[u8]) -> bool {
    let Some((first, rest)) = data.split_first() else {
        return false;
    };
    if first % 2 == 0 {
        fuzz_vil(rest);
        return false;
    }
    let mut market = Market::read(&mut Input(rest));
    market.quote() && market.buy()
}

#[derive(Default)]
struct Stored {
    vectors: BTreeMap<u128, Vec<u128>>,
    labels: BTreeMap<u128, Vec<u128>>,
}

impl Store for Stored {
    fn load_vector(&self, id: u128, into: &mut [u128]) -> Result<usize, LoadError> {
        copy_words(self.vectors.get(&id).ok_or(LoadError::NotFound)?, into)
    }
    fn load_labels(&self, id: u128, into: &mut [u128]) -> Result<usize, LoadError> {
        copy_words(self.labels.get(&id).ok_or(LoadError::NotFound)?, into)
    }
    fn store_vector(&mut self, id: u128, vector: &[u128]) -> Result<(), Refused> {
        self.vectors.insert(id, vector.to_vec());
        Ok(())
    }
    fn store_labels(&mut self, id: u128, labels: &[u128]) -> Result<(), Refused> {
        self.labels.insert(id, labels.to_vec());
        Ok(())
    }
}

struct Market {
    assets: Vec<Asset>,
    constituents: Vec<Constituent>,
    fractions: Vec<Amount>,
    row: OrderRow,
    added: Amount,
    stored: Stored,
}

/// A number of up to 80 bits: a byte of digits and a byte of zeros behind them.
fn amount(input: &mut Input<'_>) -> Amount {
    let digits = u128::from(input.byte()) << 8 | u128::from(input.byte());
    Amount::new(digits << input.below(65))
}

impl Market {
    fn read(input: &mut Input<'_>) -> Self {
        let count = 1 + input.below(ASSETS_MAX);
        let (mut assets, mut constituents, mut fractions) = (vec![], vec![], vec![]);
        let mut label = 0;
        for slot in 0..count as u16 {
            label += 1 + u128::from(input.below(3));
            let mut asset = Asset::new(Label::new(label));
            for field in [
                &mut asset.price,
                &mut asset.slope,
                &mut asset.liquidity,
                &mut asset.margin,
                &mut asset.supply_long,
                &mut asset.supply_short,
                &mut asset.demand_long,
                &mut asset.demand_short,
            ] {
                *field = amount(input);
            }
            // Sums of two numbers of 80 bits.
            asset.refresh_delta().expect("a small sum");
            let weight = amount(input);
            if weight != Amount::ZERO {
                let place = Place::new(Label::new(label), slot);
                constituents.push(Constituent::new(place, weight).expect("a small square"));
                let share = u128::from(input.byte()) * ONE / 255;
                fractions.push(Amount::new(share));
            }
            assets.push(asset);
        }
        Self {
            assets,
            constituents,
            fractions,
            row: OrderRow {
                remaining: amount(input),
                given: amount(input),
                got: amount(input),
            },
            added: amount(input),
            stored: Stored::default(),
        }
    }

    fn columns(&self) -> Vec<Vec<u128>> {
        let of = |read: fn(&Asset) -> Amount| self.assets.iter().map(|a| read(a).get()).collect();
        vec![
            of(|asset| asset.price),
            of(|asset| asset.slope),
            of(|asset| asset.liquidity),
            of(|asset| asset.margin),
            of(|asset| asset.supply_long),
            of(|asset| asset.supply_short),
            of(|asset| asset.demand_long),
            of(|asset| asset.demand_short),
            of(|asset| asset.delta_long),
            of(|asset| asset.delta_short),
        ]
    }

    fn publish(&mut self) {
        for (number, column) in self.columns().into_iter().enumerate() {
            let id = COLUMN + number as u128;
            self.stored.vectors.insert(id, column);
        }
        let amounts = |list: &[Amount]| list.iter().map(|one| one.get()).collect();
        let weights = self.constituents.iter().map(|one| one.weight.get());
        let row = [self.row.remaining, self.row.given, self.row.got];
        let vectors = &mut self.stored.vectors;
        vectors.insert(WEIGHTS, weights.collect());
        vectors.insert(FRACTIONS, amounts(&self.fractions));
        vectors.insert(ORDER, amounts(&row));
        let labels = self.assets.iter().map(|asset| asset.label.get());
        self.stored.labels.insert(1, labels.collect());
        let labels = self.constituents.iter().map(|one| one.place.label.get());
        self.stored.labels.insert(2, labels.collect());
    }

    /// Runs a listing; whether it succeeded.
    fn run(&mut self, program: &Assembly) -> bool {
        let solver = solver();
        let library: [(u128, &[u8]); 1] = [(SOLVER, &solver.code)];
        let config = Config::default();
        let code = &program.code;
        let valid = validate_tree(code, program.registers, &library[..], 4_096, &config);
        let (code, _) = valid.expect("the paper's listings are valid");
        let (mut slots, mut words) = ([Slot::Empty; 96], vec![0; 1_024]);
        let workspace = Workspace {
            slots: &mut slots,
            words: &mut words,
        };
        run(&code, &library[..], &mut self.stored, workspace, &config).is_ok()
    }

    /// The quote of both; whether there is one.
    fn quote(&mut self) -> bool {
        // Without constituents the machine refuses what the paper's kernel has no limit for.
        if self.constituents.is_empty() {
            return false;
        }
        self.publish();
        let native = update_quote_compat(&self.assets, &self.constituents);
        let listed = self.run(quoter());
        assert_eq!(native.is_ok(), listed, "quote: {native:?}");
        let Ok(quote) = native else {
            return false;
        };
        let numbers = [quote.capacity, quote.price, quote.slope].map(Amount::get);
        assert_eq!(self.stored.vectors[&QUOTE], numbers);
        true
    }

    /// The same buy of both; whether it was executed.
    fn buy(&mut self) -> bool {
        let numbers: &[u128] = &self.stored.vectors[&QUOTE];
        let quote = Quote {
            capacity: Amount::new(numbers[0]),
            price: Amount::new(numbers[1]),
            slope: Amount::new(numbers[2]),
        };
        let terms = Terms {
            quote: &quote,
            added: self.added,
            removed: Amount::ZERO,
            order_size_max: Amount::new(1 << 76),
            fractions: Some(&self.fractions),
        };
        let (mut assets, mut row) = (self.assets.clone(), self.row);
        let mut traded = Vec::new();
        let native = buy::<Compat>(
            &mut assets,
            &self.constituents,
            &mut row,
            &terms,
            |_, quantity| traded.push(quantity),
        );
        let program = buyer(self.added.get());
        let listed = self.run(&program);
        assert_eq!(native.is_ok(), listed, "buy: {native:?}");
        if native.is_err() {
            return false;
        }
        (self.assets, self.row) = (assets, row);
        let numbers = [row.remaining, row.given, row.got].map(Amount::get);
        assert_eq!(self.stored.vectors[&ORDER], numbers);
        assert_eq!(self.stored.vectors[&TRADED], traded);
        for (number, column) in self.columns().into_iter().enumerate() {
            let id = COLUMN + number as u128;
            assert_eq!(self.stored.vectors[&id], column, "column {number}");
        }
        true
    }
}

fn assembled(listing: &Listing, added: u128) -> Assembly {
    let names = [
        ("market_asset_names_id", 1),
        ("asset_names_id", 2),
        ("index_asset_names_id", 2),
        ("asset_prices_id", COLUMN),
        ("asset_slopes_id", COLUMN + 1),
        ("asset_liquidity_id", COLUMN + 2),
        ("margin_id", COLUMN + 3),
        ("supply_long_id", COLUMN + 4),
        ("supply_short_id", COLUMN + 5),
        ("demand_long_id", COLUMN + 6),
        ("demand_short_id", COLUMN + 7),
        ("delta_long_id", COLUMN + 8),
        ("delta_short_id", COLUMN + 9),
        ("weights_id", WEIGHTS),
        ("asset_weights_id", WEIGHTS),
        ("asset_contribution_fractions_id", FRACTIONS),
        ("order_id", ORDER),
        ("quote_id", QUOTE),
        ("index_quote_id", QUOTE),
        ("executed_fill_id", FILL),
        ("executed_index_quantities_id", INDEX_FILL),
        ("executed_asset_quantities_id", TRADED),
        ("solve_quadratic_id", SOLVER),
        ("collateral_added", added),
        ("collateral_removed", 0),
        ("max_order_size", 1 << 76),
    ];
    assemble(listing.text, &Symbols::from_iter(names)).expect("the paper's listings assemble")
}

fn solver() -> &'static Assembly {
    static SOLVED: OnceLock<Assembly> = OnceLock::new();
    SOLVED.get_or_init(|| assembled(&SOLVE_QUADRATIC, 0))
}

fn quoter() -> &'static Assembly {
    static QUOTED: OnceLock<Assembly> = OnceLock::new();
    QUOTED.get_or_init(|| assembled(&UPDATE_QUOTE, 0))
}

fn buyer(added: u128) -> Assembly {
    assembled(&BUY, added)
}
