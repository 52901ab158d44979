//! A program that panics says where and why in its log.

use flagstone_lowering_tests::Chain;
use solana_address::Address;

/// Runs a failure and returns the line of the log that explains it.
fn explanation(kind: u8, n: u8) -> String {
    let mut chain = Chain::with_program("flagstone_lowering.so", Address::new_unique());
    let (outcome, _) = chain.transform(&[1, kind, n], vec![0; 64]);
    assert!(
        outcome.error.is_some(),
        "kind {kind} did not fail: {:#?}",
        outcome.meta.logs
    );
    let wanted = ["panicked at", "memory allocation"];
    let mut lines = outcome.meta.logs.iter();
    let found = lines.find(|line| wanted.iter().any(|w| line.contains(w)));
    found
        .cloned()
        .unwrap_or_else(|| panic!("nothing is explained: {:#?}", outcome.meta.logs))
}

fn assert_explains(kind: u8, n: u8, message: &str) {
    let text = explanation(kind, n);
    assert!(text.contains(message), "expected {message:?} in {text:?}");
}

#[test]
fn a_panic_names_file_line_column_and_text() {
    let text = explanation(0, 42);
    let (place, message) = text.split_once(":\n").expect("two lines");
    assert_eq!(message, "the number is 42");
    let numbers: Vec<&str> = place.rsplit(':').take(2).collect();
    assert!(place.contains("src/lib.rs:"), "{place}");
    assert!(numbers.iter().all(|n| n.parse::<u32>().is_ok()), "{place}");
}

#[test]
fn the_languages_own_checks_are_explained() {
    assert_explains(1, 3, "index out of bounds: the len is 3 but the index is 3");
    assert_explains(2, 1, "attempt to add with overflow");
    assert_explains(5, 1, "attempt to divide by zero");
    assert_explains(10, 1, "not a char boundary");
}

#[test]
fn the_librarys_failures_are_explained() {
    assert_explains(3, 1, "called `Option::unwrap()` on a `None` value");
    assert_explains(4, 1, "some luck: \"no luck\"");
    assert_explains(6, 1, "RefCell already borrowed");
    assert_explains(7, 9, "left and right\n  left: 9\n right: 1");
    assert_explains(8, 1, "memory allocation failed");
    assert_explains(9, 1, "src/lib.rs");
}
