//! Market upkeep, rebalancing and book metrics on the native kernels.

use crate::Result;
use crate::state::{constituents, market, market_value, place, quote_value};
use crate::value::{amount, decimal, decimals, labels, list, number, numbers};
use flagstone_kernels::book::{Level, metrics_compat, metrics_stable};
use flagstone_kernels::market::{
    Asset, DataUpdate, MarginUpdate, SupplyUpdate, add_assets, update_margin, update_market_data,
    update_supply,
};
use flagstone_kernels::rebalance::{Leg, Reweighting, execute, retarget};
use flagstone_kernels::{Amount, Arithmetic, Compat, KernelError, Label};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Runs a call of an upkeep, rebalance or metrics case.
///
/// # Errors
/// A sentence when the case cannot be run or a kernel refuses it.
pub fn run(kind: &str, case: &Value, call: &Value) -> Result<Value> {
    let initial = &case["initial"];
    match (kind, call["op"].as_str().unwrap_or("")) {
        ("maintenance", "maintenance") => maintenance(initial),
        ("rebalance_target", "update_rebalance") => target(initial),
        ("rebalance_execute", "execute_rebalance") => executed(initial),
        ("metrics", "book_metrics") => metrics(initial),
        (_, op) => Err(format!("op {op} is unknown")),
    }
}

fn told(error: KernelError) -> String {
    error.to_string()
}

fn maintenance(initial: &Value) -> Result<Value> {
    let mut room = vec![Asset::default(); 512];
    let mut count = 0;
    for step in ["create", "add"] {
        let names: Vec<Label> = labels(&initial[step])?
            .into_iter()
            .map(Label::new)
            .collect();
        // The paper's runtime takes labels that it has already; slots do not.
        let known = |label: &Label| room.iter().take(count).any(|asset| asset.label == *label);
        let new: Vec<Label> = names.into_iter().filter(|label| !known(label)).collect();
        count = add_assets(&mut room, count, &new).map_err(told)?;
    }
    room.truncate(count);
    let names = labels(&initial["labels"])?;
    let vector = |name: &str| {
        let vector = numbers(&initial[name])?;
        let same = vector.len() == names.len();
        same.then_some(vector)
            .ok_or_else(|| format!("{name} has another length"))
    };
    let (margin, price, slope) = (vector("margin")?, vector("P")?, vector("S")?);
    let (liquidity, weights) = (vector("L")?, vector("W")?);
    let (short, long) = (vector("supply_short")?, vector("supply_long")?);
    let (mut margins, mut data, mut supply) = (Vec::new(), Vec::new(), Vec::new());
    for (position, label) in names.iter().enumerate() {
        let place = place(&room, *label)?;
        let at = |vector: &[u128]| Amount::new(vector[position]);
        margins.push(MarginUpdate {
            place,
            margin: at(&margin),
        });
        data.push(DataUpdate {
            place,
            price: at(&price),
            slope: at(&slope),
            liquidity: at(&liquidity),
        });
        supply.push(SupplyUpdate {
            place,
            long: at(&long),
            short: at(&short),
        });
    }
    update_margin(&mut room, &margins).map_err(told)?;
    update_market_data(&mut room, &data).map_err(told)?;
    update_supply(&mut room, &supply).map_err(told)?;
    let constituents = constituents(&room, &names, &weights)?;
    let quote = Compat::update_quote(&room, &constituents).map_err(told)?;
    Ok(json!({ "market": market_value(&room), "quote": quote_value(&quote) }))
}

/// Legs of some labels, from vectors of a file; slots count up.
fn legs(labels: &[u128], value: &Value, of: impl Fn(u128) -> Result<u16>) -> Result<Vec<Leg>> {
    let (long, short) = (numbers(&value["RL"])?, numbers(&value["RS"])?);
    let names = crate::value::labels(&value["labels"])?;
    let leg = |label: &u128| {
        let position = names.iter().position(|name| name == label);
        let at = |vector: &[u128]| {
            let number = position.and_then(|position| vector.get(position).copied());
            Amount::new(number.unwrap_or(0))
        };
        Ok(Leg {
            place: flagstone_kernels::market::Place::new(Label::new(*label), of(*label)?),
            long: at(&long),
            short: at(&short),
        })
    };
    labels.iter().map(leg).collect()
}

fn target(initial: &Value) -> Result<Value> {
    let (bid, ask) = (
        numbers(&initial["total_bid"])?,
        numbers(&initial["total_ask"])?,
    );
    let ([_, _, minted], [locked, burned, _]) = (&bid[..], &ask[..]) else {
        return Err("totals are no rows".to_owned());
    };
    // The paper's code leaves out what is locked for sale.
    let outstanding = minted
        .checked_sub(*burned)
        .and_then(|rest| rest.checked_sub(*locked))
        .ok_or("more burned and locked than minted")?;
    let weights = |index: &Value| -> Result<BTreeMap<u128, u128>> {
        Ok(labels(&index["labels"])?
            .into_iter()
            .zip(numbers(&index["W"])?)
            .collect())
    };
    let (old, new) = (weights(&initial["old"])?, weights(&initial["new"])?);
    let mut names = labels(&initial["rebalance"]["labels"])?;
    names.extend(old.keys().chain(new.keys()));
    names.sort_unstable();
    names.dedup();
    let mut legs = legs(&names, &initial["rebalance"], |_| Ok(0))?;
    let weight =
        |of: &BTreeMap<u128, u128>, label: &u128| Amount::new(of.get(label).copied().unwrap_or(0));
    let change: Vec<Reweighting> = names
        .iter()
        .map(|label| Reweighting {
            old: weight(&old, label),
            new: weight(&new, label),
        })
        .collect();
    retarget::<Compat>(&mut legs, &change, Amount::new(outstanding)).map_err(told)?;
    Ok(json!({
        "labels": names.iter().map(|label| *label as u64).collect::<Vec<_>>(),
        "RL": decimals(legs.iter().map(|leg| leg.long.get())),
        "RS": decimals(legs.iter().map(|leg| leg.short.get())),
        "T": decimal(outstanding),
    }))
}

fn executed(initial: &Value) -> Result<Value> {
    let mut assets = market(&initial["market"])?;
    let names = labels(&initial["rebalance"]["labels"])?;
    let slot = |label| Ok(place(&assets, label)?.slot);
    let mut legs = legs(&names, &initial["rebalance"], slot)?;
    let (mut bought, mut sold) = (Vec::new(), Vec::new());
    execute(
        &mut assets,
        &mut legs,
        amount(&initial["K"])?,
        |_, more, less| {
            bought.push(more);
            sold.push(less);
        },
    )
    .map_err(told)?;
    let mut value = market_value(&assets);
    value["EL"] = decimals(bought);
    value["ES"] = decimals(sold);
    value["RL"] = decimals(legs.iter().map(|leg| leg.long.get()));
    value["RS"] = decimals(legs.iter().map(|leg| leg.short.get()));
    Ok(value)
}

/// Metrics of a book, in both arithmetics, which agree where nothing is rounded.
fn metrics(initial: &Value) -> Result<Value> {
    let levels = |side: &Value| -> Result<Vec<Level>> {
        let level = |level: &Value| {
            Ok(Level {
                price: Amount::new(number(&level[0])?),
                quantity: Amount::new(number(&level[1])?),
            })
        };
        list(side)?.iter().map(level).collect()
    };
    let (bids, asks) = (levels(&initial["bids"])?, levels(&initial["asks"])?);
    let compat = metrics_compat(&bids, &asks).map_err(told)?;
    let stable = metrics_stable(&bids, &asks).map_err(told)?;
    if compat != stable {
        return Err(format!("compat has {compat:?}, stable {stable:?}"));
    }
    Ok(json!({
        "P": decimal(compat.price.get()),
        "S": decimal(compat.slope.get()),
        "L": decimal(compat.liquidity.get()),
    }))
}
