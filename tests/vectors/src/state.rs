//! Markets and indexes, to and from JSON.

use crate::Result;
use crate::value::{amount, decimals, labels, number, numbers};
use flagstone_kernels::index::{Constituent, Quote};
use flagstone_kernels::market::{Asset, Place, locate};
use flagstone_kernels::orders::OrderRow;
use flagstone_kernels::{Amount, Label};
use serde_json::{Value, json};

/// Name of a market vector in the files, and its place in an asset.
pub type Field = (&'static str, fn(&mut Asset) -> &mut Amount);

/// The ten market vectors.
pub const FIELDS: [Field; 10] = [
    ("P", |asset| &mut asset.price),
    ("S", |asset| &mut asset.slope),
    ("L", |asset| &mut asset.liquidity),
    ("M", |asset| &mut asset.margin),
    ("SL", |asset| &mut asset.supply_long),
    ("SS", |asset| &mut asset.supply_short),
    ("DL", |asset| &mut asset.demand_long),
    ("DS", |asset| &mut asset.demand_short),
    ("XL", |asset| &mut asset.delta_long),
    ("XS", |asset| &mut asset.delta_short),
];

/// A market, whose slots are in the file's order.
///
/// # Errors
/// A sentence when a vector is missing or has another length than the labels.
pub fn market(value: &Value) -> Result<Vec<Asset>> {
    let mut assets: Vec<Asset> = labels(&value["labels"])?
        .into_iter()
        .map(|label| Asset::new(Label::new(label)))
        .collect();
    for (name, field) in FIELDS {
        let vector = numbers(&value[name]).map_err(|reason| format!("{name}: {reason}"))?;
        if vector.len() != assets.len() {
            return Err(format!("{name} has {} elements", vector.len()));
        }
        for (asset, number) in assets.iter_mut().zip(vector) {
            *field(asset) = Amount::new(number);
        }
    }
    Ok(assets)
}

/// The market's vectors and labels, in the order of labels.
pub fn market_value(assets: &[Asset]) -> Value {
    let mut sorted = assets.to_vec();
    sorted.sort_by_key(|asset| asset.label);
    let mut value = json!({});
    for (name, field) in FIELDS {
        value[name] = decimals(sorted.iter_mut().map(|asset| field(asset).get()));
    }
    value["labels"] = sorted
        .iter()
        .map(|asset| asset.label.get() as u64)
        .collect();
    value
}

/// Where labels are in a market.
///
/// # Errors
/// A sentence when one is not.
pub fn place(assets: &[Asset], label: u128) -> Result<Place> {
    locate(assets, Label::new(label)).ok_or_else(|| format!("{label} is not in the market"))
}

/// An index's constituents.
///
/// # Errors
/// A sentence when labels and weights do not fit each other or the market.
pub fn constituents(
    assets: &[Asset],
    names: &[u128],
    weights: &[u128],
) -> Result<Vec<Constituent>> {
    if names.len() != weights.len() {
        return Err("labels and weights differ in length".to_owned());
    }
    let constituent = |(label, weight): (&u128, &u128)| {
        let place = place(assets, *label)?;
        Constituent::new(place, Amount::new(*weight)).map_err(|error| error.to_string())
    };
    names.iter().zip(weights).map(constituent).collect()
}

/// A quote.
///
/// # Errors
/// A sentence when there is none.
pub fn quote(value: &Value) -> Result<Quote> {
    Ok(Quote {
        capacity: amount(&value["C"])?,
        price: amount(&value["P"])?,
        slope: amount(&value["S"])?,
    })
}

/// A quote as the files write it.
pub fn quote_value(quote: &Quote) -> Value {
    let decimal = |amount: Amount| crate::value::decimal(amount.get());
    json!({ "C": decimal(quote.capacity), "P": decimal(quote.price), "S": decimal(quote.slope) })
}

/// An order's row.
///
/// # Errors
/// A sentence when it is not three numbers.
pub fn row(value: &Value) -> Result<OrderRow> {
    let [remaining, given, got] = numbers(value)?[..] else {
        return Err(format!("{value} is no order"));
    };
    Ok(OrderRow {
        remaining: Amount::new(remaining),
        given: Amount::new(given),
        got: Amount::new(got),
    })
}

/// An order's row as the files write it.
pub fn row_value(row: &OrderRow) -> Value {
    decimals([row.remaining, row.given, row.got].map(Amount::get))
}

/// A decimal, or `otherwise` when the file has none.
///
/// # Errors
/// A sentence when there is something else.
pub fn amount_or(value: &Value, otherwise: u128) -> Result<Amount> {
    if value.is_null() {
        return Ok(Amount::new(otherwise));
    }
    number(value).map(Amount::new)
}
