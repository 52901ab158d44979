//! Every committed input of the fuzz targets, on the stable compiler.
#![allow(missing_docs, reason = "tests explain themselves")]

use flagstone_fuzz_bodies::{OPERATIONS, account_bytes, slab_operations};
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
