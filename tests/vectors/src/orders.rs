//! Quotes, buys, sells and batches on the native kernels.

use crate::Result;
use crate::state::{
    amount_or, constituents, market, market_value, quote, quote_value, row, row_value,
};
use crate::value::{decimal, decimals, error, labels, list, numbers};
use flagstone_kernels::compat;
use flagstone_kernels::factor::Factor;
use flagstone_kernels::index::{Constituent, Quote};
use flagstone_kernels::market::Asset;
use flagstone_kernels::orders::{Fill, OrderRow, Terms, buy, sell};
use flagstone_kernels::{Amount, Arithmetic, Compat, KernelError, Stable};
use serde_json::{Value, json};

/// A market, an index in it and its orders.
struct Case {
    assets: Vec<Asset>,
    constituents: Vec<Constituent>,
    rows: Vec<OrderRow>,
    quote: Option<Quote>,
    fractions: Option<Vec<Amount>>,
    added: Amount,
    removed: Amount,
    order_size_max: Amount,
}

impl Case {
    fn read(case: &Value) -> Result<Self> {
        let initial = &case["initial"];
        let assets = market(&initial["market"])?;
        let names = labels(&initial["index"]["labels"])?;
        let weights = numbers(&initial["index"]["W"])?;
        let fractions = match &initial["F"] {
            Value::Null => None,
            some => Some(numbers(some)?.into_iter().map(Amount::new).collect()),
        };
        let rows = match &initial["orders"] {
            Value::Null => vec![row(&initial["order"])?],
            some => list(some)?.iter().map(row).collect::<Result<_>>()?,
        };
        let given = [&initial["quote"], &initial["given_quote"]];
        let given = given.into_iter().find(|quote| !quote.is_null());
        let part = |buying: &str, selling: &str| {
            let either = [&initial[buying], &initial[selling]];
            let some = either.into_iter().find(|value| !value.is_null());
            some.map_or(Ok(Amount::ZERO), |value| amount_or(value, 0))
        };
        Ok(Self {
            constituents: constituents(&assets, &names, &weights)?,
            assets,
            rows,
            quote: given.map(quote).transpose()?,
            fractions,
            added: part("collateral_added", "itp_added")?,
            removed: part("collateral_removed", "itp_removed")?,
            order_size_max: amount_or(&initial["max_order_size"], u128::MAX)?,
        })
    }

    /// The quote that orders use: the given one, else the index's in the paper's arithmetic.
    fn quote(&self) -> std::result::Result<Quote, KernelError> {
        match self.quote {
            Some(quote) => Ok(quote),
            None => Compat::update_quote(&self.assets, &self.constituents),
        }
    }
}

type Order = fn(
    &mut [Asset],
    &[Constituent],
    &mut OrderRow,
    &Terms<'_>,
    &mut Vec<u128>,
) -> std::result::Result<Fill, KernelError>;

fn buy_into<A: Arithmetic>(
    assets: &mut [Asset],
    of: &[Constituent],
    row: &mut OrderRow,
    terms: &Terms<'_>,
    traded: &mut Vec<u128>,
) -> std::result::Result<Fill, KernelError> {
    buy::<A>(assets, of, row, terms, |_, quantity| traded.push(quantity))
}

fn sell_into<A: Arithmetic>(
    assets: &mut [Asset],
    of: &[Constituent],
    row: &mut OrderRow,
    terms: &Terms<'_>,
    traded: &mut Vec<u128>,
) -> std::result::Result<Fill, KernelError> {
    sell::<A>(assets, of, row, terms, |_, quantity| traded.push(quantity))
}

/// Runs a call of a buy, sell or batch case.
///
/// # Errors
/// A sentence when the case cannot be run.
pub fn run(case: &Value, call: &Value) -> Result<Value> {
    let op = call["op"].as_str().unwrap_or("");
    let mode = call["mode"].as_str();
    let case = Case::read(case)?;
    let stable = match mode {
        None if op == "two_buys" => false,
        Some("compat") => false,
        Some("stable") => true,
        _ => return Err(format!("mode {mode:?} is unknown")),
    };
    match (op, stable) {
        ("update_quote", false) => quoted::<Compat>(&case),
        ("update_quote", true) => quoted::<Stable>(&case),
        ("buy", false) => bought(case, buy_into::<Compat>),
        ("buy", true) => bought(case, buy_into::<Stable>),
        ("buy_paper", false) => bought_in_december(case),
        ("buy_v0", false) => bought_in_november(case),
        ("sell" | "sell_head", false) => sold(case, sell_into::<Compat>),
        ("sell", true) => sold(case, sell_into::<Stable>),
        ("two_buys", _) => two_buys(&case, call),
        _ => Err(format!("op {op} is unknown")),
    }
}

/// The index's quote; one that is given must be the index's too.
fn quoted<A: Arithmetic>(case: &Case) -> Result<Value> {
    Ok(match A::update_quote(&case.assets, &case.constituents) {
        Ok(quote) => quote_value(&quote),
        Err(refused) => error(refused),
    })
}

/// Runs the order of the first row; the other rows hear of the fill.
fn filled(case: &mut Case, order: Order) -> std::result::Result<(Fill, Vec<u128>), KernelError> {
    let quote = case.quote()?;
    let terms = Terms {
        quote: &quote,
        added: case.added,
        removed: case.removed,
        order_size_max: case.order_size_max,
        fractions: case.fractions.as_deref(),
    };
    let mut traded = Vec::new();
    let Some((first, others)) = case.rows.split_first_mut() else {
        return Err(KernelError::LengthMismatch);
    };
    let fill = order(
        &mut case.assets,
        &case.constituents,
        first,
        &terms,
        &mut traded,
    )?;
    for row in others {
        row.record(&fill)?;
    }
    Ok((fill, traded))
}

fn result(case: &Case, traded: Vec<u128>) -> Value {
    let mut value = market_value(&case.assets);
    value["A"] = decimals(traded);
    value["orders"] = case.rows.iter().map(row_value).collect();
    value["order"] = case.rows.first().map_or(Value::Null, row_value);
    value
}

fn bought(mut case: Case, order: Order) -> Result<Value> {
    let funds = case.rows.first().map_or(0, |row| row.remaining.get()) + case.added.get();
    let money = (funds - case.removed.get().min(funds)).min(case.order_size_max.get());
    let (fill, traded) = match filled(&mut case, order) {
        Ok(done) => done,
        Err(refused) => return Ok(error(refused)),
    };
    let mut value = result(&case, traded);
    let (quantity, spent) = (decimal(fill.got.get()), decimal(fill.given.get()));
    value["Q"] = quantity.clone();
    value["Q_unfilled"] = decimal(fill.unfilled().get());
    value["spent"] = spent.clone();
    value["index"] = json!([quantity, decimal(fill.unfilled().get())]);
    value["trace"] = json!({
        "C_eff": decimal(money),
        "Q_max": decimal(fill.wanted.get()),
        "CL": decimal(fill.capacity.get()),
        "Q": quantity,
        "spent": spent,
        "binding": if fill.is_capacity_bound() { "capacity" } else { "pricing" },
    });
    Ok(value)
}

/// The paper's buy, which replaces what was minted instead of adding to it.
fn bought_in_december(mut case: Case) -> Result<Value> {
    for row in &mut case.rows {
        row.got = Amount::ZERO;
    }
    bought(case, buy_into::<Compat>)
}

fn sold(mut case: Case, order: Order) -> Result<Value> {
    let (fill, traded) = match filled(&mut case, order) {
        Ok(done) => done,
        Err(refused) => return Ok(error(refused)),
    };
    let mut value = result(&case, traded);
    let (quantity, gain) = (decimal(fill.given.get()), decimal(fill.got.get()));
    value["Q"] = quantity.clone();
    value["gain"] = gain.clone();
    value["index"] = json!([quantity, gain]);
    value["trace"] = json!({
        "CL": decimal(fill.capacity.get()),
        "q_capped": decimal(fill.wanted.min(fill.capacity).get()),
        "Q": quantity,
        "gain": gain,
    });
    Ok(value)
}

/// The first public buy: no margin, no largest order, minted replaced.
fn bought_in_november(mut case: Case) -> Result<Value> {
    match november(&mut case) {
        Ok((traded, quantity)) => {
            let mut value = result(&case, traded);
            value["index"] = json!([decimal(quantity), "0"]);
            Ok(value)
        }
        Err(refused) => Ok(error(refused)),
    }
}

fn november(case: &mut Case) -> std::result::Result<(Vec<u128>, u128), KernelError> {
    let quote = case.quote()?;
    let row = case.rows.first_mut().ok_or(KernelError::LengthMismatch)?;
    let funds = row.remaining.get();
    let quantity = Compat::quantity_for(&quote, funds)?;
    let factor = Factor::new(quantity);
    let mut traded = Vec::new();
    for constituent in &case.constituents {
        let bought = Compat::bought(&factor, constituent.weight.get())?;
        let asset = flagstone_kernels::market::asset_mut(&mut case.assets, constituent.place)?;
        asset.demand_more(bought)?;
        traded.push(bought);
    }
    for asset in &mut case.assets {
        asset.refresh_delta()?;
    }
    let spent = Compat::cost(&quote, quantity)?;
    row.remaining = Amount::new(funds.saturating_sub(spent));
    row.given = Amount::new(compat::add(row.given.get(), spent)?);
    row.got = Amount::new(quantity);
    Ok((traded, quantity))
}

/// Two orders of a batch, one after the other, in both arithmetics.
fn two_buys(case: &Case, call: &Value) -> Result<Value> {
    let quote = case.quote().map_err(|error| error.to_string())?;
    let fractions = numbers(&call["F"])?;
    let run = |order: Order| -> std::result::Result<Vec<u128>, KernelError> {
        let mut assets = case.assets.clone();
        let fill = |fraction: &u128| {
            let fractions = vec![Amount::new(*fraction); case.constituents.len()];
            let mut row = *case.rows.first().ok_or(KernelError::LengthMismatch)?;
            let terms = Terms {
                quote: &quote,
                added: case.added,
                removed: case.removed,
                order_size_max: case.order_size_max,
                fractions: Some(&fractions),
            };
            let fill = order(
                &mut assets,
                &case.constituents,
                &mut row,
                &terms,
                &mut Vec::new(),
            )?;
            Ok(fill.got.get())
        };
        fractions.iter().map(fill).collect()
    };
    let compat = run(buy_into::<Compat>).map_err(|error| error.to_string())?;
    let stable = run(buy_into::<Stable>).map_err(|error| error.to_string())?;
    if compat != stable {
        return Err(format!("compat fills {compat:?}, stable {stable:?}"));
    }
    Ok(json!({ "Q": decimals(compat) }))
}
