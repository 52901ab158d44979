//! The golden vectors of routines, run through their listings. Those of single
//! programs, joins and arithmetic run in the package `flagstone-vectors`.
//!
//! The vectors are read from where `FLAGSTONE_VECTORS` says, else from a
//! `shared/vectors` folder above the repository.

mod batches;
mod routines;

use std::path::{Path, PathBuf};

use flagstone_kernels::asm::format_decimal;
use serde_json::Value;

use crate::support::n;

/// The cases, unless the vectors are not there.
fn cases() -> Option<Vec<Value>> {
    let folder = std::env::var_os("FLAGSTONE_VECTORS")
        .map(PathBuf::from)
        .or_else(|| {
            let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
            above
                .map(|folder| folder.join("shared/vectors"))
                .find(|folder| folder.is_dir())
        });
    let Some(folder) = folder else {
        eprintln!("SKIPPED: shared/vectors is not there; set FLAGSTONE_VECTORS");
        return None;
    };
    let text = std::fs::read_to_string(folder.join("vil.json")).expect("the file is readable");
    let file: Value = serde_json::from_str(&text).expect("the file is JSON");
    Some(file["cases"].as_array().expect("cases").clone())
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

/// Kinds of cases that are routines of one order, market or index.
const ROUTINES: &[&str] = &[
    "buy",
    "sell",
    "maintenance",
    "rebalance_target",
    "rebalance_execute",
];

/// Kinds of cases that run elsewhere, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "vil_program",
        "golden vectors of single programs: flagstone-vectors",
    ),
    ("transpose", "single programs: flagstone-vectors"),
    ("joins", "single programs: flagstone-vectors"),
    ("amount", "arithmetic: flagstone-vectors"),
    (
        "metrics",
        "order-book metrics are made before market data is submitted: native kernels",
    ),
    ("collateral", "order lifecycle: index engine"),
    ("lots", "order lifecycle: index engine"),
    ("inventory", "order lifecycle: index engine"),
    ("index_order", "order lifecycle: index engine"),
    ("batch_lifecycle", "order lifecycle: index engine"),
];

/// Every case is run here, or its kind is listed with the place where it is.
#[test]
fn no_case_is_forgotten() {
    for case in &cases().unwrap_or_default() {
        let (id, kind) = (text(&case["id"]), text(&case["kind"]));
        let here = ROUTINES.contains(&kind) || kind == "batch";
        let elsewhere = ELSEWHERE.iter().any(|(other, _)| *other == kind);
        assert!(here || elsewhere, "{id}: {kind}");
    }
}
