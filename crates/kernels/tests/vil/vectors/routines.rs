//! Routines: quotes, orders, maintenance and rebalancing through their listings.

use flagstone_kernels::asm::{format_decimal, listings};
use flagstone_kernels::vil::{Config, Fault, VilError};
use serde_json::Value;

use super::{ROUTINES, cases, labels, number, object, same, text, vector};
use crate::support::*;

const VECTORS: [(&str, &str); 10] = [
    ("P", "market_asset_prices_id"),
    ("S", "market_asset_slopes_id"),
    ("L", "market_asset_liquidity_id"),
    ("M", "margin_id"),
    ("SL", "supply_long_id"),
    ("SS", "supply_short_id"),
    ("DL", "demand_long_id"),
    ("DS", "demand_short_id"),
    ("XL", "delta_long_id"),
    ("XS", "delta_short_id"),
];

/// A session with the programs and whatever the case starts from.
pub(super) fn session(initial: &Value) -> Session {
    let mut session = Session::default();
    session.program("solve_quadratic_id", listings::SOLVE_QUADRATIC.text);
    session.program("solve_quadratic_ask_id", listings::SOLVE_QUADRATIC_ASK.text);
    // The quote listing calls the market's vectors by the names of the update's inputs.
    if let Some(market) = initial["market"].as_object() {
        session.labels("market_asset_names_id", &labels(&market["labels"]));
        for (key, name) in VECTORS {
            session.vector(name, &vector(&market[key]));
        }
    }
    if let Some(index) = initial["index"].as_object() {
        let weights = vector(&index["W"]);
        session.labels("asset_names_id", &labels(&index["labels"]));
        session.vector("asset_weights_id", &weights);
        let fractions = match &initial["F"] {
            Value::Array(_) => vector(&initial["F"]),
            _ => vec![n("1"); weights.len()],
        };
        session.vector("asset_contribution_fractions_id", &fractions);
    }
    for (key, name) in [
        ("collateral_added", "collateral_added"),
        ("collateral_removed", "collateral_removed"),
        ("itp_added", "tokens_added"),
        ("itp_removed", "tokens_removed"),
        ("max_order_size", "max_order_size"),
        ("K", "capacity_factor"),
    ] {
        if initial[key].is_string() {
            session.scalar(name, number(&initial[key]));
        }
    }
    for quote in ["quote", "given_quote"] {
        if initial[quote].is_object() {
            set_quote(&mut session, &initial[quote]);
        }
    }
    if initial["order"].is_array() {
        session.vector("order_id", &vector(&initial["order"]));
    }
    if let Some(rows) = initial["orders"].as_array() {
        for (row, name) in rows.iter().zip(["order_id", "row_1", "row_2"]) {
            session.vector(name, &vector(row));
        }
    }
    session
}

fn set_quote(session: &mut Session, quote: &Value) {
    session.vector(
        "index_quote_id",
        &["C", "P", "S"].map(|key| number(&quote[key])),
    );
}

/// Lets a listing call stored data by another name than the session.
fn alias(session: &mut Session, pairs: &[(&str, &str)]) -> Session {
    let mut other = session.clone();
    for (name, of) in pairs {
        let id = session.id(of);
        other.symbols.define(name, id);
    }
    other
}

fn update_quote(session: &mut Session, config: &Config) -> Result<(), Fault> {
    let pairs = [
        ("weights_id", "asset_weights_id"),
        ("index_asset_names_id", "asset_names_id"),
        ("asset_prices_id", "market_asset_prices_id"),
        ("asset_slopes_id", "market_asset_slopes_id"),
        ("asset_liquidity_id", "market_asset_liquidity_id"),
        ("quote_id", "index_quote_id"),
    ];
    let mut quoting = alias(session, &pairs);
    quoting.run(&listings::UPDATE_QUOTE, config)?;
    session.stored = quoting.stored;
    Ok(())
}

/// Runs one call of a case; `Ok(None)` when the call is no VIL program.
fn call(
    session: &mut Session,
    initial: &Value,
    op: &str,
    config: &Config,
) -> Option<Result<(), Fault>> {
    let done = match op {
        "update_quote" => update_quote(session, config),
        "buy" => session.run(&listings::BUY, config).map(|_| ()),
        "buy_paper" => session.run(&listings::BUY_PAPER, config).map(|_| ()),
        "buy_v0" => session.run(&listings::BUY_NOVEMBER, config).map(|_| ()),
        "sell" => session.run(&listings::SELL, config).map(|_| ()),
        "buy_head" | "sell_head" => {
            let listing = if op == "buy_head" {
                &listings::BUY
            } else {
                &listings::SELL
            };
            session.run(listing, config).and_then(|_| {
                for row in ["row_1", "row_2"] {
                    let id = session.id(row);
                    session.symbols.define("row_id", id);
                    session.run(&listings::CREDIT_ROW, config)?;
                }
                Ok(())
            })
        }
        "maintenance" => maintenance(session, initial, config),
        "update_rebalance" => {
            rebalance_inputs(session, initial);
            session.run(&listings::UPDATE_REBALANCE, config).map(|_| ())
        }
        "execute_rebalance" => {
            rebalance_inputs(session, initial);
            session
                .run(&listings::EXECUTE_REBALANCE, config)
                .map(|_| ())
        }
        _ => return None,
    };
    Some(done)
}

fn rebalance_inputs(session: &mut Session, initial: &Value) {
    if initial["total_bid"].is_array() {
        session.vector("total_bid_id", &vector(&initial["total_bid"]));
        session.vector("total_ask_id", &vector(&initial["total_ask"]));
        session.labels("asset_names_id", &labels(&initial["old"]["labels"]));
        session.vector("asset_weights_id", &vector(&initial["old"]["W"]));
        session.labels("new_asset_names_id", &labels(&initial["new"]["labels"]));
        session.vector("new_asset_weights_id", &vector(&initial["new"]["W"]));
    }
    let pending = &initial["rebalance"];
    if pending.is_object() {
        session.labels("rebalance_asset_names_id", &labels(&pending["labels"]));
        session.vector("rebalance_long_id", &vector(&pending["RL"]));
        session.vector("rebalance_short_id", &vector(&pending["RS"]));
    }
}

/// Creates a market, adds names, and sets margin, market data, supply and a quote.
fn maintenance(session: &mut Session, initial: &Value, config: &Config) -> Result<(), Fault> {
    let first = labels(&initial["create"]);
    session.labels("market_asset_names_id", &first);
    for (_, name) in VECTORS {
        session.vector(name, &vec![0; first.len()]);
    }
    session.labels("new_asset_names_id", &labels(&initial["add"]));
    session.run(&listings::ADD_MARKET_ASSETS, config)?;
    session.labels("asset_names_id", &labels(&initial["labels"]));
    for (key, name) in [
        ("margin", "asset_margin_id"),
        ("P", "asset_prices_id"),
        ("S", "asset_slopes_id"),
        ("L", "asset_liquidity_id"),
        ("supply_short", "asset_quantities_short_id"),
        ("supply_long", "asset_quantities_long_id"),
        ("W", "asset_weights_id"),
    ] {
        session.vector(name, &vector(&initial[key]));
    }
    session.run(&listings::UPDATE_MARGIN, config)?;
    session.run(&listings::UPDATE_MARKET_DATA, config)?;
    session.run(&listings::UPDATE_SUPPLY, config)?;
    update_quote(session, config)
}

/// Compares what a case expects with what is stored; returns how many things it compared.
fn compare(session: &Session, id: &str, op: &str, expected: &Value) -> usize {
    let mut compared = 0;
    for (key, value) in object(expected) {
        let executed = |at: usize| session.get("executed_index_quantities_id")[at];
        let fill = |at: usize| session.get("executed_fill_id")[at];
        let scalar = |own: u128| assert_eq!(format_decimal(own), text(value), "{id}: {op} {key}");
        match key.as_str() {
            // Intermediate results of the reference; the results below depend on all of them.
            "trace" => continue,
            "C" => scalar(session.get("index_quote_id")[0]),
            "P" if value.is_string() => scalar(session.get("index_quote_id")[1]),
            "S" if value.is_string() => scalar(session.get("index_quote_id")[2]),
            "Q" if op.starts_with("buy") => scalar(executed(0)),
            "Q" => scalar(fill(0)),
            "Q_unfilled" => scalar(executed(1)),
            "spent" => scalar(fill(0)),
            "gain" => scalar(fill(1)),
            "order" => same(id, key, session.get("order_id"), value),
            "orders" => {
                let rows = value.as_array().expect("rows");
                for (row, name) in rows.iter().zip(["order_id", "row_1", "row_2"]) {
                    same(id, name, session.get(name), row);
                }
            }
            "index" if matches!(op, "buy_head" | "sell_head" | "sell") => {
                same(id, key, session.get("executed_fill_id"), value);
            }
            "index" => same(id, key, session.get("executed_index_quantities_id"), value),
            "A" => same(id, key, session.get("executed_asset_quantities_id"), value),
            "EL" => same(id, key, session.get("executed_long_id"), value),
            "ES" => same(id, key, session.get("executed_short_id"), value),
            "RL" => same(id, key, session.get("rebalance_long_id"), value),
            "RS" => same(id, key, session.get("rebalance_short_id"), value),
            "labels" if op == "update_rebalance" => {
                assert_eq!(
                    session.get_labels("rebalance_asset_names_id"),
                    labels(value),
                    "{id}"
                );
            }
            "labels" => {
                assert_eq!(
                    session.get_labels("market_asset_names_id"),
                    labels(value),
                    "{id}"
                );
            }
            // The outstanding quantity is a register of the program.
            "T" => continue,
            "market" | "quote" => compared += compare(session, id, op, value) - 1,
            _ => {
                let name = VECTORS.iter().find(|(short, _)| short == key);
                let (_, name) = name.unwrap_or_else(|| panic!("{id}: cannot compare {key}"));
                same(id, key, session.get(name), value);
            }
        }
        compared += 1;
    }
    compared
}

#[test]
fn k6_routines_match_the_vectors() {
    let Some(all) = cases() else { return };
    let (mut ran, mut traps) = (0, 0);
    let modes = [STRICT, COMPAT];
    for case in &all {
        let (id, kind, initial) = (text(&case["id"]), text(&case["kind"]), &case["initial"]);
        if !ROUTINES.contains(&kind) {
            continue;
        }
        for config in &modes {
            let mut state = session(initial);
            for step in case["calls"].as_array().expect("calls") {
                let (op, expected) = (text(&step["op"]), &step["expected"]);
                if step["mode"] == "stable" {
                    // The machine has the paper's arithmetic; the stable one is native.
                    continue;
                }
                let done = call(&mut state, initial, op, config)
                    .unwrap_or_else(|| panic!("{id}: no listing for {op}"));
                if let Some(error) = expected["error"].as_str() {
                    assert_eq!(error, "TRAP division by zero", "{id}");
                    let fault = done.expect_err(id);
                    assert_eq!(
                        (fault.error, fault.depth),
                        (VilError::DivisionByZero, 1),
                        "{id}"
                    );
                    traps += 1;
                } else {
                    done.unwrap_or_else(|fault| panic!("{id}: {op}: {fault}"));
                    assert!(
                        compare(&state, id, op, expected) > 0,
                        "{id}: nothing compared"
                    );
                }
                ran += 1;
            }
        }
    }
    assert!(
        ran >= 2 * 24 && traps >= 2 * 2,
        "{ran} calls, {traps} traps"
    );
}
