//! The golden vectors themselves, and that the runner can fail.
#![allow(missing_docs, reason = "tests")]

use flagstone_vectors::check;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The file, unless the vectors are not there.
fn golden(name: &str) -> Option<Value> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var_os("FLAGSTONE_VECTORS")
        .map(PathBuf::from)
        .or_else(|| {
            // Beside the repository, or beside the folder of its work trees.
            ["../../../shared/vectors", "../../../../shared/vectors"]
                .map(|folder| here.join(folder))
                .into_iter()
                .find(|folder| folder.is_dir())
        });
    let Some(folder) = folder else {
        eprintln!("SKIPPED: ../shared/vectors is not there; set FLAGSTONE_VECTORS");
        return None;
    };
    let text = std::fs::read_to_string(folder.join(name)).expect("the file is readable");
    Some(serde_json::from_str(&text).expect("the file is JSON"))
}

#[test]
fn k6_golden_vectors_pass_to_the_unit() {
    let Some(file) = golden("vil.json") else {
        return;
    };
    let report = check(&file).expect("cases");
    println!("{report}");
    assert_eq!(report.failed, []);
    assert!(report.passed >= 85, "{report}");
    assert_eq!(
        report.superseded.len(),
        flagstone_vectors::machine::SUPERSEDED.len() + 3,
        "strict programs, and payments that free what they do not spend"
    );
    assert_eq!(report.skipped, [], "every case of this file runs");
}

/// Adds a unit of the last decimal to a number, or changes a word.
fn spoil(value: &mut Value) -> bool {
    match value {
        Value::String(text) => {
            let spoiled = match text.chars().last() {
                Some('1') => '2',
                _ => '1',
            };
            text.pop();
            text.push(spoiled);
            true
        }
        Value::Number(number) => {
            *value = json!(number.as_u64().unwrap_or(0) + 1);
            true
        }
        Value::Array(elements) => elements.last_mut().is_some_and(spoil),
        Value::Object(fields) => fields.values_mut().any(spoil),
        _ => false,
    }
}

#[test]
fn every_spoiled_call_fails() {
    let Some(file) = golden("vil.json") else {
        return;
    };
    let cases = file["cases"].as_array().expect("cases");
    let mut spoiled_calls = 0;
    for case in cases {
        let untouched = check(&json!({ "cases": [case] })).expect("cases");
        if !untouched.skipped.is_empty() {
            continue;
        }
        for call in case["calls"].as_array().expect("calls") {
            let mut spoiled = case.clone();
            spoiled["calls"] = json!([call]);
            if !spoil(&mut spoiled["calls"][0]["expected"]) {
                continue;
            }
            let report = check(&json!({ "cases": [spoiled] })).expect("cases");
            assert!(!report.failed.is_empty(), "{} {report}", case["id"]);
            spoiled_calls += 1;
        }
    }
    assert!(spoiled_calls >= 85, "{spoiled_calls}");
}

#[test]
fn a_value_nobody_computes_fails() {
    let Some(file) = golden("vil.json") else {
        return;
    };
    let mut case = file["cases"][0].clone();
    case["calls"][0]["expected"]["unheard_of"] = json!("1");
    let report = check(&json!({ "cases": [case] })).expect("cases");
    assert_eq!((report.passed, report.failed.len()), (0, 1), "{report}");
    assert!(check(&json!({})).is_err());
}
