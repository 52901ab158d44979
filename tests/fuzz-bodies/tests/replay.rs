//! Every committed input of the fuzz targets, on the stable compiler.
#![allow(missing_docs, reason = "tests explain themselves")]

use flagstone_fuzz_bodies::{
    OPERATIONS, account_bytes, index_history, slab_operations, vil_programs,
};
use std::fs;
use std::path::Path;

fn replay(target: &str, mut body: impl FnMut(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/seeds")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for file in &files {
        // Shown with the panic, should one come.
        println!("{}", file.display());
        body(&fs::read(file).unwrap());
    }
    assert!(files.len() > 20, "{} inputs of {target}", files.len());
}

#[test]
fn s5_every_committed_sequence_of_operations_keeps_every_invariant() {
    let mut succeeded = [0; OPERATIONS];
    replay("slab_operations", |data| {
        for (sum, count) in succeeded.iter_mut().zip(slab_operations(data)) {
            *sum += count;
        }
    });
    println!("{succeeded:?}");
    let never = succeeded.iter().position(|count| *count == 0);
    assert_eq!(never, None, "an operation that no input reaches");
}

#[test]
fn s1_every_committed_forgery_is_refused_or_read_without_a_panic() {
    replay("account_bytes", account_bytes);
}

#[test]
fn k6_k7_every_committed_program_stays_in_its_bounds_and_listings_are_the_kernels() {
    let mut compared = 0;
    replay("vil_programs", |data| {
        compared += usize::from(vil_programs(data))
    });
    println!("{compared} quotes and buys of both");
    assert!(compared > 5, "listings and kernels were hardly compared");
}

#[test]
fn ix6_every_committed_history_is_read_or_refused_and_alterations_show() {
    let mut ways = [0; 3];
    replay("index_history", |data| {
        if let Some(way) = index_history(data) {
            ways[way] += 1;
        }
    });
    println!("{ways:?}");
    assert!(
        ways.iter().all(|count| *count > 3),
        "a way that no input takes"
    );
}
