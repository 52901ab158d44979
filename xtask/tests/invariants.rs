//! The list of invariants and the names of the tests agree.
#![allow(missing_docs, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const LETTERS: [&str; 18] = [
    "p", "s", "r", "rm", "m", "l", "lq", "f", "x", "t", "e2e", "adv", "gov", "obs", "ev", "k",
    "ix", "h",
];

#[test]
fn every_invariant_has_a_test_and_every_such_test_an_invariant() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the root");
    let listed = listed(&root.join("docs/invariants.md"));
    let mut tested = BTreeSet::new();
    for folder in ["crates", "tests", "cli", "sdk", "bench"] {
        collect(&root.join(folder), &mut tested);
    }
    let untested: Vec<_> = listed.difference(&tested).collect();
    let unlisted: Vec<_> = tested.difference(&listed).collect();
    assert!(
        untested.is_empty(),
        "in docs/invariants.md without a test: {untested:?}"
    );
    assert!(
        unlisted.is_empty(),
        "tested but not in docs/invariants.md: {unlisted:?}"
    );
    assert!(listed.len() > 30, "the list was not read");
}

/// Ids in the first column of the table.
fn listed(file: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(file).expect("docs/invariants.md");
    let first = |line: &str| {
        line.strip_prefix("| ")?
            .split(' ')
            .next()
            .map(str::to_lowercase)
    };
    text.lines()
        .filter_map(first)
        .filter(|id| is_id(id))
        .collect()
}

/// Ids that start the name of a test.
fn collect(folder: &Path, ids: &mut BTreeSet<String>) {
    let entries: Vec<PathBuf> = fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    for path in entries {
        if path.is_dir() {
            collect(&path, ids);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            let names = text
                .lines()
                .filter_map(|line| line.trim_start().strip_prefix("fn "));
            // A name may start with several ids: s6_m1_m3_...
            for name in names {
                ids.extend(
                    name.split('_')
                        .take_while(|part| is_id(part))
                        .map(str::to_owned),
                );
            }
        }
    }
}

fn is_id(text: &str) -> bool {
    let digits = text.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let letters = &text[..text.len() - digits.len()];
    let (letters, digits) = match text.strip_prefix("e2e") {
        Some(digits) => ("e2e", digits),
        None => (letters, digits),
    };
    let known = LETTERS.contains(&letters) || letters == "pfm";
    known && !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
}
