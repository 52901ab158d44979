//! What the built programs can do at all: read from the binary, not the source.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::binary::{Calls, calls, syscall_id};
use flagstone_e2e_tests::programs;

/// Everything that the Slab may ask of the runtime: time, its own depth in
/// the call stack, whether an address can have a key, hashing, memory, logging
/// and giving up.
const SLAB_MAY_CALL: [&str; 13] = [
    "abort",
    "sol_curve_validate_point",
    "sol_get_clock_sysvar",
    "sol_get_stack_height",
    "sol_get_sysvar",
    "sol_log_",
    "sol_log_data",
    "sol_memcmp_",
    "sol_memcpy_",
    "sol_memmove_",
    "sol_memset_",
    "sol_panic_",
    "sol_sha256",
];

const INVOKE: [&str; 2] = ["sol_invoke_signed_c", "sol_invoke_signed_rust"];

fn scan(program: &str) -> Calls {
    let file = programs().join(program).with_extension("so");
    let elf = std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask build-sbf`", file.display()));
    let calls = calls(&elf);
    assert!(
        calls.own > 20,
        "the scan found {} calls in {program}",
        calls.own
    );
    calls
}

fn invokes(calls: &Calls) -> bool {
    INVOKE
        .iter()
        .any(|name| calls.system.contains_key(&syscall_id(name)))
}

#[test]
fn t11_the_slab_calls_no_other_program() {
    let found = scan("flagstone_slab");
    assert!(!invokes(&found), "the slab can call other programs");
    let allowed = SLAB_MAY_CALL.map(syscall_id);
    let beyond: Vec<_> = found
        .system
        .keys()
        .filter(|id| !allowed.contains(id))
        .collect();
    assert!(
        beyond.is_empty(),
        "system calls that are not on the list: {beyond:x?}"
    );
}

#[test]
fn t11_the_same_scan_finds_the_calls_of_the_router() {
    let found = scan("flagstone_router");
    assert!(
        invokes(&found),
        "the scan does not see calls of other programs: {found:x?}"
    );
}

#[test]
fn the_router_uses_nothing_but_calls_addresses_and_what_the_slab_uses() {
    let more = ["sol_try_find_program_address", "sol_get_rent_sysvar"];
    let names = SLAB_MAY_CALL.iter().chain(&INVOKE).chain(&more);
    let allowed: Vec<_> = names.map(|name| syscall_id(name)).collect();
    let found = scan("flagstone_router");
    let beyond: Vec<_> = found
        .system
        .keys()
        .filter(|id| !allowed.contains(id))
        .collect();
    assert!(
        beyond.is_empty(),
        "system calls that are not on the list: {beyond:x?}"
    );
}
