//! The golden vectors, run as VIL: programs bit by bit, routines through their listings.
//!
//! The vectors are read from where `FLAGSTONE_VECTORS` says, else from a
//! `vectors` or `shared/vectors` folder beside or above the repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use flagstone_kernels::asm::{assemble, disassemble, format_decimal, listings};
use flagstone_kernels::vil::{Config, Era, Fault, Mode, VilError};
use serde_json::Value;

use crate::support::*;

fn path() -> PathBuf {
    if let Some(folder) = std::env::var_os("FLAGSTONE_VECTORS") {
        return Path::new(&folder).join("vil.json");
    }
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .flat_map(|folder| ["vectors", "shared/vectors"].map(|name| folder.join(name)))
        .map(|folder| folder.join("vil.json"))
        .find(|path| path.exists())
        .expect("no vil.json: set FLAGSTONE_VECTORS to the folder of the golden vectors")
}

fn cases() -> Vec<Value> {
    let text = std::fs::read_to_string(path()).expect("readable");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    all["cases"].as_array().expect("cases").clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

fn number(value: &Value) -> u128 {
    n(text(value))
}

fn vector(value: &Value) -> Vec<u128> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("no list: {value}"))
        .iter()
        .map(number)
        .collect()
}

fn labels(value: &Value) -> Vec<u128> {
    let label = |label: &Value| u128::from(label.as_u64().expect("label"));
    value
        .as_array()
        .unwrap_or_else(|| panic!("no labels: {value}"))
        .iter()
        .map(label)
        .collect()
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("no object: {value}"))
        .iter()
}

fn same(id: &str, what: &str, own: &[u128], expected: &Value) {
    let own: Vec<String> = own.iter().map(|value| format_decimal(*value)).collect();
    let expected: Vec<&str> = expected
        .as_array()
        .expect("list")
        .iter()
        .map(text)
        .collect();
    assert_eq!(own, expected, "{id}: {what}");
}

// --- single programs ---------------------------------------------------------

/// What strict mode does otherwise than the paper's last runtime, and why.
const SUPERSEDED: &[(&str, VilError, &str)] = &[
    (
        "ops/vmin_empty_is_max",
        VilError::EmptyVector,
        "the least of nothing is refused",
    ),
    (
        "ops/jflt_label_past_end",
        VilError::LabelMissing,
        "a label is not dropped in silence",
    ),
    (
        "ops/jupd_label_past_end_lost",
        VilError::LabelMissing,
        "a value is not dropped in silence",
    ),
    (
        "ops/transpose_one_unpacks",
        VilError::InvalidOperand,
        "one vector transposes to vectors",
    ),
];

/// Where strict mode succeeds with another result.
const REPAIRED: &[(&str, &[&str], &str)] = &[(
    "ops/jupd_same_labels_adds",
    &["10", "20", "30"],
    "an update replaces",
)];

fn program_session(initial: &Value) -> Session {
    let mut session = Session::default();
    for (id, values) in object(&initial["vectors"]) {
        session
            .stored
            .vectors
            .insert(id.parse().expect("id"), vector(values));
    }
    for (id, values) in object(&initial["labels"]) {
        session
            .stored
            .labels
            .insert(id.parse().expect("id"), labels(values));
    }
    for (id, code) in object(&initial["codes"]) {
        let (code, _) = session.assemble(text(code));
        session.codes.0.insert(id.parse().expect("id"), code);
    }
    session
}

fn status(result: &Result<(), Fault>, era: Era) -> String {
    let Err(fault) = result else {
        return "OK".to_owned();
    };
    let name = fault
        .error
        .upstream_name(era, fault.op)
        .expect("known upstream");
    match era {
        // November passed the error of a subroutine through; January wraps it.
        Era::January2026 if name != "TRAP" => (0..fault.depth).fold(name.to_owned(), |inner, _| {
            format!("SubroutineError({inner})")
        }),
        _ => name.to_owned(),
    }
}

#[test]
fn programs_match_the_vectors_in_both_eras() {
    let mut seen = 0;
    for case in cases().iter().filter(|case| case["kind"] == "vil_program") {
        let (id, initial, call) = (text(&case["id"]), &case["initial"], &case["calls"][0]);
        let registers = initial["registers"].as_u64().expect("registers") as u8;
        let printed = text(&initial["program"]);
        let code = assemble(printed, &Default::default()).expect(id).code;
        let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, text(&call["bytecode_u8"]), "{id}: bytecode");
        let listed = disassemble(&code, &Default::default()).expect(id);
        assert_eq!(
            listed.split_whitespace().collect::<Vec<_>>().join(" "),
            printed,
            "{id}"
        );
        for (name, era) in [("head", Era::January2026), ("v0", Era::November2025)] {
            let expected = &call["expected"][name];
            let mut session = program_session(initial);
            let before = session.stored.clone();
            let config = Config {
                mode: Mode::Compat(era),
                ..STRICT
            };
            let codes = session.codes.clone();
            let result = run_code(
                &code,
                registers,
                &codes,
                &mut session.stored,
                (64, 400),
                &config,
            )
            .map(|_| ());
            assert_eq!(
                status(&result, era),
                text(&expected["status"]),
                "{id} in {name}"
            );
            if result.is_err() {
                // A failed transaction leaves nothing behind.
                session.stored = before.clone();
            }
            let new = |id: &u128, old: bool| !old && *id > 6;
            let mut vectors = BTreeMap::new();
            for (id, values) in object(&expected["vectors"]) {
                vectors.insert(id.parse::<u128>().expect("id"), vector(values));
            }
            let mut own = session.stored.vectors.clone();
            own.retain(|id, _| new(id, before.vectors.contains_key(id)));
            assert_eq!(own, vectors, "{id} in {name}");
            let mut lists = BTreeMap::new();
            for (id, values) in object(&expected["labels"]) {
                lists.insert(id.parse::<u128>().expect("id"), labels(values));
            }
            let mut own = session.stored.labels.clone();
            own.retain(|id, _| new(id, before.labels.contains_key(id)));
            assert_eq!(own, lists, "{id} in {name}");
        }
        seen += 1;
    }
    assert!(seen >= 42, "{seen} programs");
}

#[test]
fn strict_mode_differs_only_where_it_says() {
    for case in cases().iter().filter(|case| case["kind"] == "vil_program") {
        let (id, initial) = (text(&case["id"]), &case["initial"]);
        let registers = initial["registers"].as_u64().expect("registers") as u8;
        let code = assemble(text(&initial["program"]), &Default::default())
            .expect(id)
            .code;
        let (mut strict, mut compat) = (program_session(initial), program_session(initial));
        let codes = strict.codes.clone();
        let size = (64, 400);
        let own = run_code(&code, registers, &codes, &mut strict.stored, size, &STRICT);
        let upstream = run_code(&code, registers, &codes, &mut compat.stored, size, &COMPAT);
        let errors = (
            own.map_err(|fault| fault.error),
            upstream.map_err(|fault| fault.error),
        );
        if let Some((_, error, why)) = SUPERSEDED.iter().find(|(name, ..)| *name == id) {
            assert_eq!(errors.0, Err(*error), "{id}: {why}");
            assert!(errors.1.is_ok(), "{id}");
        } else if let Some((_, values, why)) = REPAIRED.iter().find(|(name, ..)| *name == id) {
            let expected: Vec<u128> = values.iter().map(|value| n(value)).collect();
            assert_eq!(strict.stored.vectors[&9], expected, "{id}: {why}");
            assert_ne!(strict.stored, compat.stored, "{id}");
        } else {
            assert_eq!(errors.0.map(|_| ()), errors.1.map(|_| ()), "{id}");
            if errors.0.is_ok() {
                assert_eq!(strict.stored, compat.stored, "{id}");
            }
        }
    }
}

// --- routines ------------------------------------------------------------------

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
fn session(initial: &Value) -> Session {
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

/// Kinds of cases that are no VIL programs, and where they are checked instead.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "metrics",
        "order-book metrics are computed before market data is submitted: native kernels",
    ),
    ("collateral", "order lifecycle: index engine"),
    ("lots", "order lifecycle: index engine"),
    ("inventory", "order lifecycle: index engine"),
    ("index_order", "order lifecycle: index engine"),
    ("batch_lifecycle", "order lifecycle: index engine"),
];

#[test]
fn routines_match_the_vectors() {
    let (mut ran, mut traps) = (0, 0);
    let modes = [STRICT, COMPAT];
    for case in &cases() {
        let (id, kind, initial) = (text(&case["id"]), text(&case["kind"]), &case["initial"]);
        let special = ["vil_program", "transpose", "joins", "amount", "batch"];
        if special.contains(&kind)
            || id.starts_with("lifecycle/")
            || ELSEWHERE.iter().any(|(other, _)| *other == kind)
        {
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

#[test]
fn batches_match_the_vectors() {
    let all = cases();
    let case = all
        .iter()
        .find(|case| case["kind"] == "batch")
        .expect("a batch");
    for step in case["calls"].as_array().expect("calls") {
        let mut state = session(&case["initial"]);
        for (name, value) in [
            ("collateral_added", "0"),
            ("collateral_removed", "0"),
            ("max_order_size", "1000000"),
        ] {
            state.scalar(name, n(value));
        }
        let (fractions, expected) = (&step["F"], &step["expected"]["Q"]);
        let mut quantities = Vec::new();
        for fraction in vector(fractions) {
            state.vector("order_id", &vector(&case["initial"]["order"]));
            state.vector("asset_contribution_fractions_id", &[fraction]);
            state.run(&listings::BUY, &STRICT).expect("buys");
            quantities.push(state.get("executed_index_quantities_id")[0]);
        }
        same(text(&case["id"]), "Q", &quantities, expected);
    }
}

#[test]
fn joins_transposition_and_amounts_match_the_vectors() {
    let all = cases();
    let find = |kind: &str| {
        all.iter()
            .find(|case| case["kind"] == kind)
            .expect("a case")
    };
    let case = find("transpose");
    let mut state = Session::default();
    for (row, name) in case["initial"]["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .zip(["a", "b"])
    {
        state.vector(name, &vector(row));
    }
    state
        .run_text("LDV a LDV b T 2 STV r2 STV r1 STV r0", &STRICT)
        .expect("transposes");
    let rows = case["calls"][0]["expected"].as_array().expect("rows");
    for (row, name) in rows.iter().zip(["r0", "r1", "r2"]) {
        same("transpose", name, state.get(name), row);
    }

    let case = find("joins");
    let mut state = Session::default();
    for at in 0..3 {
        state.labels(&format!("l{at}"), &labels(&case["initial"]["labels"][at]));
        state.vector(&format!("v{at}"), &vector(&case["initial"]["values"][at]));
    }
    let union = "LDL l0 LDL l1 LUNION 1 LDL l2 LUNION 1 STL all POPN 2";
    state.run_text(union, &STRICT).expect("unites");
    let expand = "LDL l0 LDL l1 LDL l2 LDL all \
                  ZEROS 0 LDV v0 SWAP 1 JUPD 1 2 5 LDV v1 SWAP 1 JUPD 1 3 5 STV e1 POPN 2 \
                  ZEROS 0 LDV v2 SWAP 1 JUPD 1 2 3 STV e3";
    state.run_text(expand, &STRICT).expect("expands");
    for step in case["calls"].as_array().expect("calls") {
        let expected = &step["expected"];
        match text(&step["op"]) {
            "union" => assert_eq!(state.get_labels("all"), labels(expected)),
            "expand_1_then_2" => same("joins", "e1", state.get("e1"), expected),
            "expand_3" => same("joins", "e3", state.get("e3"), expected),
            other => panic!("unknown join {other}"),
        }
    }

    let case = find("amount");
    for row in case["calls"][0]["expected"].as_array().expect("rows") {
        let [op, left, right, expected] = [0, 1, 2, 3].map(|at| text(&row[at]));
        let mnemonic = op.to_uppercase();
        let own = format!("IMMS {right} IMMS {left} {mnemonic} 1 PKV 1 STV out");
        assert_eq!(result(&own, &STRICT), [n(expected)], "{op} {left} {right}");
    }
}

/// Every case is either run here or listed with its reason.
#[test]
fn no_case_is_forgotten() {
    for case in &cases() {
        let (id, kind) = (text(&case["id"]), text(&case["kind"]));
        let here = [
            "vil_program",
            "transpose",
            "joins",
            "amount",
            "batch",
            "buy",
            "sell",
            "maintenance",
            "rebalance_target",
            "rebalance_execute",
            "rebalance",
            "quote",
            "supply",
            "transfer",
        ];
        let elsewhere = ELSEWHERE.iter().any(|(other, _)| *other == kind);
        assert!(
            here.contains(&kind) || elsewhere || id.starts_with("lifecycle/"),
            "{id}: {kind}"
        );
    }
}
