//! Part one: a market of 150 assets, an index of 50, and its quote.

use super::books::{ASSETS, LEVELS, Listed, ONE, move_on};
use super::stage::{By, DESK, Stage};
use crate::checks::Check;
use crate::demo::story::say;
use crate::flow::generated::Random;
use crate::print::tell;
use crate::table::{grouped, money, numbers};
use anyhow::{Context, Result};
use flagstone_sdk::address;
use flagstone_sdk::index::{self, Book, IndexLimits};
use flagstone_sdk::index_engine::market::QuoteSide;
use flagstone_sdk::index_engine::roles::{Limits, Role};
use flagstone_sdk::kernels::book::metrics_stable;
use flagstone_sdk::kernels::market::{MarginUpdate, Place, SupplyUpdate};
use flagstone_sdk::kernels::{Amount, Label};
use flagstone_sdk::units::{Ppm, Slot};

/// Constituents of the index: every third asset.
pub(super) const CONSTITUENTS: usize = 50;
/// Value of an index token when it is made, in dollars.
const LEVEL: u128 = 100;
/// Largest value of one chunk of an order, in atoms.
pub(super) const CHUNK_ATOMS: u64 = 1_000_000_000;
/// The same later on.
pub(super) const LATER_CHUNK_ATOMS: u64 = 1_500_000_000;
/// Index tokens that the scarce asset's margin lets through.
pub(super) const SCARCE_TOKENS: u128 = 60;
/// Margin of every other asset, and what the vendor holds of it, in dollars.
const MARGIN_DOLLARS: u128 = 400_000;
const SUPPLY_DOLLARS: u128 = 50_000;
/// Rows of tables that show a few of many.
const SHOWN: usize = 8;

/// A constituent: place in the list of assets, share of the index in
/// millionths, and weight at 1e-18.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) asset: usize,
    pub(super) share: u32,
    pub(super) weight: u128,
}

/// The market with its assets, and the desk of the administrator.
///
/// # Errors
/// The failed transaction.
pub(super) fn market(stage: &mut Stage) -> Result<()> {
    let (mint, vendor, pair) = (stage.exchange.mint, stage.key(By::Vendor), stage.pair);
    let account = stage.seeded(By::Admin, "market", index::market_bytes(ASSETS));
    let create = index::create_market(&account, ASSETS, &mint, &vendor, 100, 1_000);
    let create = create.context("a seed is too long")?;
    stage.accounts.push(pair.market);
    stage.send(By::Admin, "create_market", &create)?;
    let labels: Vec<Label> = stage.listed.iter().map(|asset| asset.place.label).collect();
    let admin = stage.key(By::Admin);
    for labels in labels.chunks(40) {
        let add = index::add_assets(&pair.market, &admin, labels);
        stage.send(By::Admin, "add_assets", &[add])?;
    }
    stage.accounts.push(stage.desk());
    stage.send(By::Admin, "open_desk", &[index::open_desk(&admin, &LIMITS)])?;
    for role in DESK {
        let grant = index::grant_role(&admin, role, &stage.key(By::Desk(role)));
        stage.send(By::Admin, "grant_role", &[grant])?;
    }
    let updates = supply_and_margin(&stage.listed);
    report_books(stage)?;
    for (supply, margin) in updates.0.chunks(14).zip(updates.1.chunks(14)) {
        let supply = index::submit_supply(&pair.market, &vendor, supply);
        stage.send(By::Vendor, "submit_supply", &[supply])?;
        let margin = index::submit_margin(&pair.market, &vendor, margin);
        stage.send(By::Vendor, "submit_margin", &[margin])?;
    }
    say!(
        "An administrator opens a market of {ASSETS} assets and a desk with six roles, each with a key"
    );
    say!(
        "of its own. A vendor reports {LEVELS} levels a side of every book; the program works out"
    );
    say!("micro-price, slope and liquidity. Some of them, in dollars:");
    show_assets(stage)
}

/// Reports every book.
///
/// # Errors
/// The failed transaction.
pub(super) fn report_books(stage: &mut Stage) -> Result<()> {
    let (market, vendor) = (stage.pair.market, stage.key(By::Vendor));
    let books: Vec<Book> = stage
        .listed
        .iter()
        .map(|asset| asset.book.clone())
        .collect();
    for books in books.chunks(4) {
        let submit = index::submit_books(&market, &vendor, books);
        stage.send(By::Vendor, "submit_books", &[submit])?;
    }
    Ok(())
}

/// Prices move a little, and the vendor reports them.
///
/// # Errors
/// The failed transaction.
pub(super) fn prices_move(stage: &mut Stage, random: &mut Random) -> Result<()> {
    move_on(random, &mut stage.listed);
    report_books(stage)?;
    requote(stage)
}

/// Anyone makes the quote.
///
/// # Errors
/// The failed transaction.
pub(super) fn requote(stage: &mut Stage) -> Result<()> {
    let quote = stage.pair.update_quote();
    stage.send(By::Anyone, "update_quote", &[quote])?;
    Ok(())
}

fn supply_and_margin(listed: &[Listed]) -> (Vec<SupplyUpdate>, Vec<MarginUpdate>) {
    let supply = |asset: &Listed| SupplyUpdate {
        place: asset.place,
        long: Amount::new(asset.units(SUPPLY_DOLLARS)),
        short: Amount::ZERO,
    };
    let margin = |asset: &Listed| MarginUpdate {
        place: asset.place,
        margin: Amount::new(asset.units(MARGIN_DOLLARS)),
    };
    let (supplies, margins) = (listed.iter().map(supply), listed.iter().map(margin));
    (supplies.collect(), margins.collect())
}

fn show_assets(stage: &mut Stage) -> Result<()> {
    let market = index::read_market(&stage.data(&stage.pair.market));
    let (_, assets) = market.context("the market is gone")?;
    let mut equal = 0;
    let mut rows = Vec::new();
    for (at, (listed, asset)) in stage.listed.iter().zip(&assets).enumerate() {
        let metrics = metrics_stable(&listed.side(true), &listed.side(false));
        let metrics = metrics.map_err(|error| anyhow::anyhow!("{}: {error}", listed.ticker))?;
        let own = (asset.price, asset.slope, asset.liquidity);
        equal += usize::from(own == (metrics.price, metrics.slope, metrics.liquidity));
        if at % (ASSETS / SHOWN) == 0 && rows.len() < SHOWN {
            let places = listed.decimals();
            let (bids, asks) = (listed.side(true), listed.side(false));
            rows.push(vec![
                listed.ticker.clone(),
                decimal(bids[0].price.get(), places),
                decimal(asks[0].price.get(), places),
                decimal(asset.price.get(), places + 2),
                decimal(asset.liquidity.get(), 2),
                dollars(asset.liquidity.get(), asset.price.get()),
            ]);
        }
    }
    let headers = ["", "bid", "ask", "micro-price", "units on offer", "worth"];
    tell!("{}", numbers(&headers, rows));
    stage.found.push(Check::new(
        format!("market: price, slope and liquidity of {equal} assets on chain are the books'"),
        equal == ASSETS,
    ));
    Ok(())
}

/// The index: shares that sum to one, weights that give them at today's prices.
///
/// # Errors
/// The failed transaction.
pub(super) fn make_index(stage: &mut Stage, seed: u64) -> Result<Vec<Part>> {
    let parts = parts(stage, seed)?;
    let (pair, admin, desk) = (stage.pair, stage.key(By::Admin), stage.desk());
    let account = stage.seeded(By::Admin, "index", index::index_bytes(CONSTITUENTS));
    let create = index::create_index(&account, CONSTITUENTS, &pair.market, &INDEX_LIMITS, &desk);
    let create = create.context("a seed is too long")?;
    stage.accounts.push(pair.index);
    stage.send(By::Admin, "create_index", &create)?;
    let weights: Vec<(Place, Amount)> = parts
        .iter()
        .map(|part| (stage.listed[part.asset].place, Amount::new(part.weight)))
        .collect();
    for weights in weights.chunks(20) {
        let add = pair.add_constituents(&admin, weights);
        stage.send(By::Admin, "add_constituents", &[add])?;
    }
    stage.send(By::Admin, "seal_index", &[pair.seal(&admin)])?;
    let mut largest: Vec<&Part> = parts.iter().collect();
    largest.sort_by_key(|part| std::cmp::Reverse(part.share));
    let row = |part: &&Part| {
        let share = f64::from(part.share) / 10_000.0;
        vec![
            stage.listed[part.asset].ticker.clone(),
            format!("{share:.4} %"),
            decimal(part.weight, 9),
        ]
    };
    let rows: Vec<_> = largest.iter().take(SHOWN).map(row).collect();
    say!(
        "An index of {CONSTITUENTS} of them. A token is worth {LEVEL} dollars today; the largest shares:"
    );
    tell!("{}", numbers(&["", "share", "units in a token"], rows));
    let whole: u32 = parts.iter().map(|part| part.share).sum();
    stage.found.push(Check::new(
        format!("index: {} shares sum to {whole} millionths", parts.len()),
        whole == 1_000_000 && parts.len() == CONSTITUENTS,
    ));
    Ok(parts)
}

/// Every third asset, with shares by a size that is spread over two orders of
/// magnitude; the rest of the division goes to the largest remainders.
fn parts(stage: &Stage, seed: u64) -> Result<Vec<Part>> {
    let market = index::read_market(&stage.data(&stage.pair.market));
    let (_, assets) = market.context("the market is gone")?;
    let mut random = Random(seed ^ 0x1d);
    let sizes: Vec<u64> = (0..CONSTITUENTS)
        .map(|_| (1 + random.below(10)) * (1 + random.below(10)))
        .collect();
    let total: u64 = sizes.iter().sum();
    let mut shares: Vec<u64> = sizes.iter().map(|size| size * 1_000_000 / total).collect();
    let lacking = 1_000_000 - shares.iter().sum::<u64>();
    let mut by_rest: Vec<usize> = (0..CONSTITUENTS).collect();
    by_rest.sort_by_key(|at| std::cmp::Reverse(sizes[*at] * 1_000_000 % total));
    for at in by_rest.into_iter().take(lacking as usize) {
        shares[at] += 1;
    }
    let part = |(at, share): (usize, u64)| {
        let asset = at * ASSETS / CONSTITUENTS;
        let value = u128::from(share) * LEVEL * ONE / 1_000_000;
        let weight = value * ONE / assets[asset].price.get();
        Part {
            asset,
            share: share as u32,
            weight,
        }
    };
    Ok(shares.into_iter().enumerate().map(part).collect())
}

/// The administrator lets chunks be larger, and data be a little older.
///
/// # Errors
/// The failed transaction.
pub(super) fn raise_limits(stage: &mut Stage) -> Result<()> {
    let (pair, admin, vendor) = (stage.pair, stage.key(By::Admin), stage.key(By::Vendor));
    let limits = IndexLimits {
        order_atoms_max: LATER_CHUNK_ATOMS,
        ..INDEX_LIMITS
    };
    let set = pair.set_limits(&admin, &limits);
    stage.send(By::Admin, "set_index", &[set])?;
    let set = index::set_market(&pair.market, &admin, &vendor, 120, 1_000, false);
    stage.send(By::Admin, "set_market", &[set])?;
    Ok(())
}

/// Makes one constituent scarce, so that a batch has something to share.
///
/// # Errors
/// The failed transaction.
pub(super) fn make_scarce(stage: &mut Stage, part: &Part) -> Result<()> {
    restock(stage, part, part.weight * SCARCE_TOKENS, 0)
}

/// The vendor reports another margin and supply of a constituent.
///
/// # Errors
/// The failed transaction.
pub(super) fn restock(stage: &mut Stage, part: &Part, margin: u128, long: u128) -> Result<()> {
    let (market, vendor) = (stage.pair.market, stage.key(By::Vendor));
    let place = stage.listed[part.asset].place;
    let supply = SupplyUpdate {
        place,
        long: Amount::new(long),
        short: Amount::ZERO,
    };
    let margin = MarginUpdate {
        place,
        margin: Amount::new(margin),
    };
    let supply = index::submit_supply(&market, &vendor, &[supply]);
    stage.send(By::Vendor, "submit_supply", &[supply])?;
    let margin = index::submit_margin(&market, &vendor, &[margin]);
    stage.send(By::Vendor, "submit_margin", &[margin])?;
    requote(stage)
}

/// The plenty of a constituent that is not scarce.
pub(super) fn plenty(stage: &Stage, part: &Part) -> (u128, u128) {
    let asset = &stage.listed[part.asset];
    (asset.units(MARGIN_DOLLARS), asset.units(SUPPLY_DOLLARS))
}

/// The first quote.
///
/// # Errors
/// The failed transaction.
pub(super) fn quote(stage: &mut Stage) -> Result<()> {
    requote(stage)?;
    let index = index::read_index(&stage.data(&stage.pair.index));
    let (head, _) = index.context("the index is gone")?;
    let word = |words: [u64; 2]| u128::from(words[0]) | u128::from(words[1]) << 64;
    let side: &QuoteSide = &head.state.quote.ask;
    let (price, slope, capacity) = (word(side.price), word(side.slope), word(side.capacity));
    let units = stage.steps.last().map_or(0, |step| step.compute_units);
    say!(
        "Anyone lets the program quote it, for {} compute units:",
        grouped(units)
    );
    let rows = [
        ("price of the first token", decimal(price, 9)),
        ("rise per token", decimal(slope, 12)),
        (
            "tokens that the venues' liquidity is good for",
            decimal(capacity, 2),
        ),
        (
            "market update that it was made from",
            grouped(head.state.quote.market_sequence),
        ),
    ];
    let rows = rows.map(|(name, value)| vec![name.to_owned(), value]);
    tell!("{}", numbers(&["quote", "dollars"], rows.to_vec()));
    let apart = price.abs_diff(LEVEL * ONE);
    stage.found.push(Check::new(
        format!(
            "quote: {} dollars a token, as the shares say",
            decimal(price, 9)
        ),
        apart < ONE / 1_000,
    ));
    Ok(())
}

/// A number at 1e-18 with so many decimal places, the rest cut off.
pub(super) fn decimal(number: u128, places: usize) -> String {
    let whole = grouped((number / ONE) as i128);
    let rest = format!("{:018}", number % ONE);
    match places {
        0 => whole,
        places => format!("{whole}.{}", &rest[..places.min(18)]),
    }
}

/// Value of a quantity at a price, both at 1e-18, in whole dollars.
fn dollars(quantity: u128, price: u128) -> String {
    let cents = quantity / 1_000_000_000 * (price / 1_000_000_000);
    let text = money((cents / 1_000_000_000_000) as i128);
    text.split('.').next().unwrap_or_default().to_owned()
}

/// Limits of the index.
const INDEX_LIMITS: IndexLimits = IndexLimits {
    order_atoms_max: CHUNK_ATOMS,
    quote_slots_max: 50,
    quote_lag_max: 0,
    chunk_gap_slots: 1,
    paused: false,
};

/// Limits of the desk.
const LIMITS: Limits = Limits {
    order_atoms_max: 10_000_000_000,
    batch_atoms_max: 40_000_000_000,
    mint_threshold: Ppm(990_000),
    fill_threshold: Ppm(999_900),
    exchange_fee_max: Ppm(2_000),
    patience_slots: Slot(25),
    collateral_slots: Slot(4_500),
    batch_slots: Slot(100),
};

/// Who shares out the market's capacity.
pub(super) const SOLVER: By = By::Desk(Role::Solver);

/// Address of the index's mint.
pub(super) fn mint(stage: &Stage) -> solana_address::Address {
    address::index_mint(&stage.pair.index)
}
