//! `flagstone metrics` as a user runs it.
#![allow(missing_docs, reason = "tests")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn flagstone(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flagstone"))
        .current_dir(workspace())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = command.stdin.take().expect("a pipe");
    // A command that has seen enough closes it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    command.wait_with_output().expect("the command ends")
}

fn succeeds(arguments: &[&str], input: &str) -> String {
    let output = flagstone(arguments, input);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).expect("text")
}

/// Samples without the slabs' addresses, which differ from run to run.
fn samples(text: &str) -> Vec<String> {
    let plain = |line: &str| match line.split_once("slab=\"") {
        Some((before, rest)) => {
            let (_, after) = rest.split_once('"').expect("a closing quote");
            format!("{before}slab=\"\"{after}")
        }
        None => line.to_string(),
    };
    let mut samples: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(plain)
        .collect();
    samples.sort();
    samples
}

/// The sum of a metric's samples that carry this text.
fn sum(text: &str, metric: &str, label: &str) -> u64 {
    let of = |line: &&str| {
        let name = line.split(['{', ' ']).next();
        name == Some(metric) && line.contains(label)
    };
    let value = |line: &str| -> u64 {
        let (_, value) = line.rsplit_once(' ').expect("a value");
        value.parse().expect("a whole number")
    };
    text.lines().filter(of).map(value).sum()
}

#[test]
fn obs2_the_demos_story_is_counted_as_it_was_told() {
    let file = std::env::temp_dir().join(format!("flagstone-log-{}.jsonl", std::process::id()));
    let path = file.to_str().expect("a path");
    let told = succeeds(&["demo", "--events", "200", "--log", path], "");
    let text = succeeds(&["metrics", path], "");
    let lines = std::fs::read_to_string(&file).expect("the log");
    std::fs::remove_file(&file).expect("it was just written");
    assert_eq!(text, succeeds(&["metrics", "-"], &lines));
    assert_eq!(text, succeeds(&["metrics"], &lines));

    // What the story says of itself.
    let row = |name: &str| {
        let row = told.lines().rfind(|line| line.contains(name));
        let row = row.unwrap_or_else(|| panic!("{name} is not in\n{told}"));
        let mut cells = row
            .split(['│', '┆'])
            .map(str::trim)
            .filter(|cell| !cell.is_empty());
        let last = cells.next_back().expect("a cell").replace([',', '.'], "");
        last.parse::<u64>().expect("a number")
    };
    assert_eq!(
        sum(&text, "flagstone_covered_atoms_total", ""),
        row("insurance paid so far")
    );
    assert_eq!(
        sum(&text, "flagstone_fees_collected_atoms_total", ""),
        row("fees of the slab's LP")
    );
    // 200 lots of Frank's were swept or deleveraged, all of them.
    let swept = sum(&text, "flagstone_liquidated_lots_total", "");
    assert_eq!(
        swept + sum(&text, "flagstone_deleveraged_lots_total", ""),
        200
    );
    for (what, times) in [("begun", 2), ("ended", 2)] {
        let begun = told.matches(match what {
            "begun" => "begin_liquidation:",
            _ => "end_liquidation:",
        });
        assert_eq!(begun.count(), times, "{told}");
        let label = format!("what=\"{what}\"");
        assert_eq!(
            sum(&text, "flagstone_liquidations_total", &label),
            times as u64
        );
    }
    assert_eq!(sum(&text, "flagstone_logs_cut_total", ""), 0);
    assert_eq!(sum(&text, "flagstone_accounts_under_liquidation", ""), 0);
    let all = lines.lines().count() as u64;
    assert_eq!(sum(&text, "flagstone_transactions_total", ""), all);
    let failed = lines
        .lines()
        .filter(|line| line.contains("\"err\":"))
        .count() as u64;
    assert_eq!(sum(&text, "flagstone_failures_total", ""), failed);

    // And sample by sample as it was looked over once.
    let found = samples(&text);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/metrics-demo.txt");
    if std::env::var_os("FLAGSTONE_BLESS").is_some() {
        std::fs::write(file, found.join("\n") + "\n").expect("the golden file");
    }
    let golden = std::fs::read_to_string(file).expect("the golden file");
    let expected: Vec<_> = golden.lines().collect();
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected, "FLAGSTONE_BLESS=1 writes it anew");
    }
    assert_eq!(
        found.len(),
        expected.len(),
        "FLAGSTONE_BLESS=1 writes it anew"
    );
    assert_eq!(found, samples(&succeeds(&["metrics", "--demo"], "")));
}

#[test]
fn json_has_what_the_text_has() {
    let line = r#"{"slot": 5, "logs": null}"#;
    let text = succeeds(&["metrics"], line);
    assert!(text.contains("flagstone_logs_cut_total 1"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&succeeds(&["metrics", "--json"], line)).expect("JSON");
    assert_eq!(json["flagstone_slot"]["samples"][0]["value"], 5);
    assert_eq!(json["flagstone_logs_cut_total"]["type"], "counter");
}

#[test]
fn a_line_that_is_no_transaction_is_named() {
    for (input, place) in [
        ("nonsense", "line 1"),
        ("\n{\"slot\": 1, \"logs\": []}\n{}", "line 3"),
    ] {
        let output = flagstone(&["metrics"], input);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(error.trim_end().lines().count(), 1, "{error}");
        assert!(
            error.contains(place) && error.contains("standard input"),
            "{error}"
        );
    }
    let output = flagstone(&["metrics", "no-such-file.jsonl"], "");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("no-such-file.jsonl cannot be read"),
        "{error}"
    );
}
