//! `flagstone keeper` as a user runs it.
#![allow(missing_docs, reason = "tests")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn flagstone(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flagstone"));
    let command = command.current_dir(workspace()).args(arguments);
    command.output().expect("the command starts")
}

fn succeeds(arguments: &[&str]) -> String {
    let output = flagstone(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).expect("text")
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&succeeds(arguments)).expect("JSON")
}

/// Equity less maintenance margin, in atoms.
fn cushion(margins: &Value) -> i64 {
    let of = |name: &str| margins[name].as_i64().expect("a number");
    of("equity_atoms") - of("maintenance_atoms")
}

#[test]
fn lq1_lq4_the_keepers_bring_a_market_through_a_crash() {
    for seed in ["1", "2", "3"] {
        let file = std::env::temp_dir().join(format!("keeper-{seed}-{}.jsonl", std::process::id()));
        let path = file.to_str().expect("a path");
        let run = json(&["keeper", "--json", "--seed", seed, "--log", path]);
        let text = succeeds(&["metrics", path]);
        std::fs::remove_file(&file).expect("it was just written");
        let checks = run["checks"].as_array().expect("a list");
        assert_eq!(checks.len(), 4);
        assert!(
            checks.iter().all(|check| check["holds"] == true),
            "{checks:?}"
        );

        let sent = run["sent"].as_array().expect("a list");
        let done = |task: &str| {
            let of = |one: &&Value| one["task"] == task && one["failure"].is_null();
            sent.iter().filter(of).count()
        };
        assert!(
            done("Begin") > 0 && done("Issue") > 0,
            "seed {seed}: {sent:?}"
        );
        assert!(done("Sweep") + done("Deleverage") > 0, "seed {seed}");
        for one in sent {
            // Nobody is frozen who had margin, and nobody freed who has none.
            if one["failure"].is_null() && one["task"] == "Begin" {
                assert!(
                    cushion(&one["before"]) < 0 || cushion(&one["after"]) < 0,
                    "{one}"
                );
            }
            if one["failure"].is_null() && one["task"] == "End" {
                let after = &one["after"];
                assert!(
                    after["equity_atoms"].as_i64() >= after["initial_atoms"].as_i64(),
                    "{one}"
                );
            }
            // Only sweeps fail: nobody bids, or the band is still narrow.
            assert!(one["failure"].is_null() || one["task"] == "Sweep", "{one}");
        }
        let cranks = run["cranks"].as_object().expect("an object");
        for kind in [
            "Settle",
            "Refund",
            "FreeHold",
            "ExpireHolds",
            "ExpireOrders",
            "Sync",
        ] {
            let counts = &cranks[kind];
            assert!(
                counts[0].as_u64() > Some(0),
                "seed {seed}: {kind} {cranks:?}"
            );
        }
        // The log of the same run says the same.
        let sum = |metric: &str, label: &str| -> u64 {
            let lines = text.lines().filter(|line| {
                line.split(['{', ' ']).next() == Some(metric) && line.contains(label)
            });
            let value = |line: &str| line.rsplit_once(' ')?.1.parse::<u64>().ok();
            lines.filter_map(value).sum()
        };
        let count = |task| done(task) as u64;
        assert_eq!(sum("flagstone_liquidations_total", "begun"), count("Begin"));
        assert_eq!(sum("flagstone_liquidations_total", "ended"), count("End"));
        assert_eq!(sum("flagstone_tickets_total", ""), count("Issue"));
        let reward = run["reward_atoms"].as_u64().expect("a number");
        assert_eq!(sum("flagstone_keeper_rewards_atoms_total", ""), reward);
        let freed = cranks["FreeHold"][0].as_u64().expect("a number");
        assert_eq!(sum("flagstone_events_total", "HoldFreed"), freed);
        let refunds = cranks["Refund"][0].as_u64().expect("a number");
        assert_eq!(sum("flagstone_events_total", "event=\"Refunded\""), refunds);
    }
}

#[test]
fn a_seed_replays_and_once_stops_at_the_first_account() {
    let told = succeeds(&["keeper", "--steps", "60", "--seed", "4"]);
    assert_eq!(told, succeeds(&["keeper", "--steps", "60", "--seed", "4"]));
    assert!(
        told.contains("[ok] vault:") && told.contains("[ok] backing:"),
        "{told}"
    );
    let once = json(&["keeper", "--once", "--json"]);
    let sent = once["sent"].as_array().expect("a list");
    assert!(!sent.is_empty());
    let slots: Vec<_> = sent.iter().map(|one| &one["slot"]).collect();
    assert!(slots.iter().all(|slot| *slot == slots[0]), "{slots:?}");
    assert!(sent.iter().all(|one| one["task"] == "Begin"), "{sent:?}");
    assert!(once["looks"].as_u64() < Some(240));
}

#[test]
fn missing_programs_and_odd_numbers_are_told() {
    let output = flagstone(&["keeper", "--programs", "no/such/folder"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("cargo xtask build-sbf"), "{error}");
    assert_eq!(
        flagstone(&["keeper", "--steps", "3"]).status.code(),
        Some(2)
    );
}
