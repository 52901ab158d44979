//! The command as a user runs it.
#![allow(missing_docs, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The market-by-order sample among the shared data.
const SAMPLE: &str = "esh4-glbx-mdp3-20231225.mbo.dbn.zst";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn flagstone(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flagstone"));
    command
        .current_dir(workspace())
        .args(arguments)
        .output()
        .expect("the command starts")
}

/// Runs a command that has to succeed; returns what it printed.
fn succeeds(arguments: &[&str]) -> String {
    let output = flagstone(arguments);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}\n{told}");
    assert!(!told.contains("BROKEN"), "{told}");
    told
}

/// Runs a command that has to fail with one sentence; returns it.
fn fails(arguments: &[&str]) -> String {
    let output = flagstone(arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
    assert_eq!(error.trim_end().lines().count(), 1, "{error}");
    error
}

/// The sample's path, unless the data is not there.
fn sample() -> Option<String> {
    let folder = std::env::var_os("FLAGSTONE_DATA")
        .map_or_else(|| workspace().join("../shared/data"), PathBuf::from);
    let file = folder.join(SAMPLE);
    if file.is_file() {
        return file.canonicalize().ok()?.to_str().map(str::to_string);
    }
    eprintln!(
        "SKIPPED: {} is not there; set FLAGSTONE_DATA",
        file.display()
    );
    None
}

#[test]
fn the_layout_is_printed_as_json() {
    let text = succeeds(&["layout", "--json"]);
    let layout: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let total = layout["total_bytes"].as_u64().expect("a number");
    assert!(total <= 10 * 1024 * 1024);
    let pools = layout["pools"].as_array().expect("a list");
    assert_eq!(
        (pools[0]["name"].as_str(), pools.len()),
        (Some("header"), 11)
    );
    let sum: u64 = pools.iter().filter_map(|pool| pool["bytes"].as_u64()).sum();
    assert_eq!(sum, total);
    assert!(succeeds(&["layout", "--size", "dev"]).contains("262,144"));
}

#[test]
fn a_generated_flow_ends_with_equal_books_on_the_svm() {
    let told = succeeds(&["replay", "--events", "200"]);
    assert!(
        told.contains("[ok] book:") && told.contains("[ok] conservation:"),
        "{told}"
    );
    assert!(told.contains("[ok] vault:"), "{told}");
}

#[test]
fn generated_flows_end_with_equal_books_on_the_engine() {
    for seed in ["2", "3", "4"] {
        succeeds(&["replay", "--host", "--events", "5000", "--seed", seed]);
    }
    succeeds(&["replay", "--host", "--events", "1000", "--mode", "maintain"]);
}

#[test]
fn the_demo_holds() {
    let told = succeeds(&["demo", "--events", "100"]);
    assert!(told.trim_end().ends_with("Everything holds."), "{told}");
    // A route over two slabs, at once and in steps, and three that were undone.
    for held in [
        "one transaction and four leave the same chain: 0 accounts differ",
        "undone at reserve",
        "undone at open_route",
        "undone at settle_route",
        "everyone left",
        "all books agreed after each of",
        // A crash that the keeper sweeps, and one that leaves a debt.
        "Frank: 100000000 at the Router, untouched",
        "no deficit is left: 0 atoms",
    ] {
        assert!(told.contains(&format!("[ok] {held}")), "{held}\n{told}");
    }
}

#[test]
fn a_reader_that_leaves_ends_the_command_quietly() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flagstone"))
        .args(["replay", "--host", "--events", "2000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    drop(command.stdout.take());
    let output = command.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(141));
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn programs_of_another_build_are_told_in_one_sentence() {
    let folder = std::env::temp_dir().join(format!("flagstone-other-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let built = workspace().join("target/deploy");
    let swapped = [
        ("router", "slab"),
        ("slab", "router"),
        ("index_vault", "index_vault"),
    ];
    for (from, to) in swapped {
        let name = |program| format!("flagstone_{program}.so");
        std::fs::copy(built.join(name(from)), folder.join(name(to))).expect("built programs");
    }
    let path = folder.to_str().expect("a path");
    let told = fails(&["replay", "--events", "10", "--programs", path]);
    std::fs::remove_dir_all(&folder).expect("it was just written");
    assert!(told.contains("not those of this build"), "{told}");
}

#[test]
fn a_recorded_day_ends_with_equal_books() {
    let Some(file) = sample() else { return };
    let told = succeeds(&["replay", "--host", "--dbn", &file]);
    assert!(told.contains("68,792"), "{told}");
    succeeds(&["replay", "--host", "--dbn", &file, "--mode", "trade"]);

    let cut = std::env::temp_dir().join(format!("flagstone-cut-{}.dbn.zst", std::process::id()));
    let bytes = std::fs::read(&file).expect("the sample");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).expect("a temporary file");
    let told = fails(&["replay", "--host", "--dbn", cut.to_str().expect("a path")]);
    std::fs::remove_file(&cut).expect("it was just written");
    assert!(told.contains("cut short"), "{told}");
}

#[test]
fn mistakes_are_told_in_one_sentence() {
    let missing = fails(&["demo", "--programs", "no/such/folder", "--events", "10"]);
    assert!(missing.contains("cargo xtask build-sbf"), "{missing}");
    assert!(fails(&["replay", "--host", "--events", "0"]).contains("--events 0"));
    let unreadable = fails(&["replay", "--host", "--dbn", "no-such-file.dbn"]);
    assert!(
        unreadable.contains("no-such-file.dbn cannot be read"),
        "{unreadable}"
    );
    let other = fails(&["replay", "--host", "--dbn", "Cargo.toml"]);
    assert!(other.contains("is not a Databento (DBN) file"), "{other}");
    assert!(fails(&["replay", "--host", "--dbn", "cli"]).contains("is not a file"));
    let empty = std::env::temp_dir().join(format!("flagstone-empty-{}.dbn", std::process::id()));
    std::fs::write(&empty, []).expect("a temporary file");
    let told = fails(&["replay", "--host", "--dbn", empty.to_str().expect("a path")]);
    std::fs::remove_file(&empty).expect("it was just written");
    assert!(told.contains("is empty"), "{told}");
    assert_eq!(
        flagstone(&["replay", "--events", "many"]).status.code(),
        Some(2)
    );
}
