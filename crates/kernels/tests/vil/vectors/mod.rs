//! The golden vectors, run as VIL: programs bit by bit, routines through their listings.
//!
//! The vectors are read from where `FLAGSTONE_VECTORS` says, else from a
//! `vectors` or `shared/vectors` folder beside or above the repository.

mod others;
mod programs;
mod routines;

use std::path::{Path, PathBuf};

use flagstone_kernels::asm::format_decimal;
use serde_json::Value;

use crate::support::n;

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
