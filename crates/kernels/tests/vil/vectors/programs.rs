//! Single programs: bytecode, result and error in both eras.

use std::collections::BTreeMap;

use flagstone_kernels::asm::{assemble, disassemble};
use flagstone_kernels::vil::{Config, Era, Fault, Mode, VilError};
use serde_json::Value;

use super::{cases, labels, object, text, vector};
use crate::support::*;

/// What strict mode does otherwise than the paper's last runtime, and why.
const SUPERSEDED: &[(&str, VilError, &str)] = &[
    (
        "ops/vmin_empty_is_max",
        VilError::EmptyVector,
        "the least of nothing is refused",
    ),
    (
        "ops/jflt_label_past_end",
        VilError::LabelMissing,
        "a label is not dropped in silence",
    ),
    (
        "ops/jupd_label_past_end_lost",
        VilError::LabelMissing,
        "a value is not dropped in silence",
    ),
    (
        "ops/transpose_one_unpacks",
        VilError::InvalidOperand,
        "one vector transposes to vectors",
    ),
];

/// Where strict mode succeeds with another result.
const REPAIRED: &[(&str, &[&str], &str)] = &[(
    "ops/jupd_same_labels_adds",
    &["10", "20", "30"],
    "an update replaces",
)];

fn program_session(initial: &Value) -> Session {
    let mut session = Session::default();
    for (id, values) in object(&initial["vectors"]) {
        session
            .stored
            .vectors
            .insert(id.parse().expect("id"), vector(values));
    }
    for (id, values) in object(&initial["labels"]) {
        session
            .stored
            .labels
            .insert(id.parse().expect("id"), labels(values));
    }
    for (id, code) in object(&initial["codes"]) {
        let (code, _) = session.assemble(text(code));
        session.codes.0.insert(id.parse().expect("id"), code);
    }
    session
}

fn status(result: &Result<(), Fault>, era: Era) -> String {
    let Err(fault) = result else {
        return "OK".to_owned();
    };
    let name = fault
        .error
        .upstream_name(era, fault.op)
        .expect("known upstream");
    match era {
        // November passed the error of a subroutine through; January wraps it.
        Era::January2026 if name != "TRAP" => (0..fault.depth).fold(name.to_owned(), |inner, _| {
            format!("SubroutineError({inner})")
        }),
        _ => name.to_owned(),
    }
}

#[test]
fn programs_match_the_vectors_in_both_eras() {
    let mut seen = 0;
    for case in cases().iter().filter(|case| case["kind"] == "vil_program") {
        let (id, initial, call) = (text(&case["id"]), &case["initial"], &case["calls"][0]);
        let registers = initial["registers"].as_u64().expect("registers") as u8;
        let printed = text(&initial["program"]);
        let code = assemble(printed, &Default::default()).expect(id).code;
        let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, text(&call["bytecode_u8"]), "{id}: bytecode");
        let listed = disassemble(&code, &Default::default()).expect(id);
        assert_eq!(
            listed.split_whitespace().collect::<Vec<_>>().join(" "),
            printed,
            "{id}"
        );
        for (name, era) in [("head", Era::January2026), ("v0", Era::November2025)] {
            let expected = &call["expected"][name];
            let mut session = program_session(initial);
            let before = session.stored.clone();
            let config = Config {
                mode: Mode::Compat(era),
                ..STRICT
            };
            let codes = session.codes.clone();
            let result = run_code(
                &code,
                registers,
                &codes,
                &mut session.stored,
                (64, 400),
                &config,
            )
            .map(|_| ());
            assert_eq!(
                status(&result, era),
                text(&expected["status"]),
                "{id} in {name}"
            );
            if result.is_err() {
                // A failed transaction leaves nothing behind.
                session.stored = before.clone();
            }
            let new = |id: &u128, old: bool| !old && *id > 6;
            let mut vectors = BTreeMap::new();
            for (id, values) in object(&expected["vectors"]) {
                vectors.insert(id.parse::<u128>().expect("id"), vector(values));
            }
            let mut own = session.stored.vectors.clone();
            own.retain(|id, _| new(id, before.vectors.contains_key(id)));
            assert_eq!(own, vectors, "{id} in {name}");
            let mut lists = BTreeMap::new();
            for (id, values) in object(&expected["labels"]) {
                lists.insert(id.parse::<u128>().expect("id"), labels(values));
            }
            let mut own = session.stored.labels.clone();
            own.retain(|id, _| new(id, before.labels.contains_key(id)));
            assert_eq!(own, lists, "{id} in {name}");
        }
        seen += 1;
    }
    assert!(seen >= 42, "{seen} programs");
}

#[test]
fn strict_mode_differs_only_where_it_says() {
    for case in cases().iter().filter(|case| case["kind"] == "vil_program") {
        let (id, initial) = (text(&case["id"]), &case["initial"]);
        let registers = initial["registers"].as_u64().expect("registers") as u8;
        let code = assemble(text(&initial["program"]), &Default::default())
            .expect(id)
            .code;
        let (mut strict, mut compat) = (program_session(initial), program_session(initial));
        let codes = strict.codes.clone();
        let size = (64, 400);
        let own = run_code(&code, registers, &codes, &mut strict.stored, size, &STRICT);
        let upstream = run_code(&code, registers, &codes, &mut compat.stored, size, &COMPAT);
        let errors = (
            own.map_err(|fault| fault.error),
            upstream.map_err(|fault| fault.error),
        );
        if let Some((_, error, why)) = SUPERSEDED.iter().find(|(name, ..)| *name == id) {
            assert_eq!(errors.0, Err(*error), "{id}: {why}");
            assert!(errors.1.is_ok(), "{id}");
        } else if let Some((_, values, why)) = REPAIRED.iter().find(|(name, ..)| *name == id) {
            let expected: Vec<u128> = values.iter().map(|value| n(value)).collect();
            assert_eq!(strict.stored.vectors[&9], expected, "{id}: {why}");
            assert_ne!(strict.stored, compat.stored, "{id}");
        } else {
            assert_eq!(errors.0.map(|_| ()), errors.1.map(|_| ()), "{id}");
            if errors.0.is_ok() {
                assert_eq!(strict.stored, compat.stored, "{id}");
            }
        }
    }
}
