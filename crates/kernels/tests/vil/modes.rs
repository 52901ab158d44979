//! The known defects of the paper's machine: refused or repaired in strict mode,
//! reproduced in a compatible one. `docs/vil.md` numbers them as here.

use flagstone_kernels::vil::{Config, Era, JoinVariant, Mode, VilError};

use crate::support::*;

const NOVEMBER: Config = Config {
    mode: Mode::Compat(Era::November2025),
    ..STRICT
};

fn scaled(whole: &[u64]) -> Vec<u128> {
    whole.iter().map(|value| n(&value.to_string())).collect()
}

#[test]
fn d1_equal_label_positions() {
    let update = "LDL l3 LDV w3 LDV v3 JUPD 1 2 2 STV out";
    assert_eq!(result(update, &STRICT), scaled(&[10, 20, 30]));
    assert_eq!(result(update, &COMPAT), scaled(&[11, 22, 33]));
    // Upstream adds what lies below the top, whatever was asked for.
    let add = "LDL l3 LDV w3 LDV v3 LDV v3 JADD 2 3 3 STV out";
    assert_eq!(result(add, &STRICT), scaled(&[11, 22, 33]));
    assert_eq!(result(add, &COMPAT), scaled(&[2, 4, 6]));
    // A filter of a vector that does not fit its labels passes unseen.
    let filter = "LDL l3 LDV v5 JFLT 1 1 STV out";
    assert_eq!(failure(filter, &STRICT), VilError::NotAligned);
    assert_eq!(result(filter, &COMPAT).len(), 5);
}

#[test]
fn d2_labels_past_the_end() {
    let labels = "IMML 51 IMML 53 IMML 55 PKL 3";
    for (join, out) in [
        ("LDV v3 JFLT 1 2", scaled(&[1, 3])),
        ("LDV w3 LDV v3 JUPD 1 2 3", scaled(&[10, 2, 20])),
        ("LDV w3 LDV v3 JADD 1 2 3", scaled(&[11, 2, 23])),
    ] {
        let text = format!("LDL past_end {labels} {join} STV out");
        assert_eq!(failure(&text, &STRICT), VilError::LabelMissing);
        assert_eq!(result(&text, &COMPAT), out);
    }
    // The walk of November loses a label that the search of January reports.
    let text = "IMML 51 IMML 99 PKL 2 LDL l3 LDV v3 LDV v3 JFLT 2 3 STV out";
    assert_eq!(failure(text, &STRICT), VilError::LabelMissing);
    assert_eq!(failure(text, &COMPAT), VilError::LabelMissing);
    assert_eq!(result(text, &NOVEMBER), scaled(&[1]));
}

#[test]
fn d3_unsorted_labels() {
    let text = "LDL l3 LDL unsorted LDV v3 LDV v3 JFLT 2 3 STV out";
    assert_eq!(failure(text, &STRICT), VilError::LabelsUnsorted);
    // The label is there, but not where the search looks.
    assert_eq!(failure(text, &COMPAT), VilError::LabelMissing);
}

#[test]
fn d4_the_union_of_november_loses_labels() {
    let text = "IMML 1 IMML 7 IMML 8 PKL 3 IMML 2 IMML 3 PKL 2 LUNION 1 STL labels";
    for (config, expected) in [
        (STRICT, vec![1, 2, 3, 7, 8]),
        (COMPAT, vec![1, 2, 3, 7, 8]),
        (NOVEMBER, vec![1, 2, 3]),
    ] {
        let mut session = Session::default();
        session.run_text(text, &config).expect("union");
        assert_eq!(session.get_labels("labels"), expected);
    }
}

#[test]
fn d5_label_positions_of_november() {
    let text = "LDL l3 LDL l5 LDV v5 JFLT 1 2 STV out";
    assert_eq!(result(text, &STRICT), scaled(&[1, 3, 4]));
    assert_eq!(result(text, &COMPAT), scaled(&[1, 3, 4]));
    assert_eq!(failure(text, &NOVEMBER), VilError::InvalidOperand);
}

#[test]
fn d6_names_of_errors() {
    let mut session = Session::default();
    fill(&mut session);
    let mut name = |text: &str, era| {
        let config = Config {
            mode: Mode::Compat(era),
            ..STRICT
        };
        let fault = session.run_text(text, &config).expect_err(text);
        fault
            .error
            .upstream_name(era, fault.op)
            .expect("known upstream")
    };
    let lengths = "LDL l3 LDL l5 LDV v3 LDV v3 JFLT 2 3";
    assert_eq!(name(lengths, Era::November2025), "InvalidOperand");
    assert_eq!(name(lengths, Era::January2026), "NotAligned");
    let missing = "LDL foreign LDL l5 LDV v5 LDV v5 JFLT 2 3";
    assert_eq!(name(missing, Era::November2025), "NotFound");
    assert_eq!(name(missing, Era::January2026), "MathUnderflow");
    assert_eq!(name("IMMS 0 DIV 0", Era::January2026), "TRAP");
    assert_eq!(
        VilError::StepLimit.upstream_name(Era::January2026, None),
        None
    );
}

#[test]
fn d7_one_vector_transposed() {
    let text = "LDV v3 T 1 PKV 3 STV out";
    assert_eq!(failure(text, &STRICT), VilError::InvalidOperand);
    assert_eq!(result(text, &COMPAT), scaled(&[1, 2, 3]));
    assert_eq!(
        result("LDV v3 T 1 T 3 STV out", &STRICT),
        scaled(&[1, 2, 3])
    );
    assert_eq!(failure("LDL l3 T 1", &STRICT), VilError::InvalidOperand);
}

#[test]
fn d8_a_register_moved_twice() {
    let text = "IMMS 1 STR _A LDM _A LDM _A";
    assert_eq!(failure(text, &STRICT), VilError::EmptyRegister);
    let mut session = Session::default();
    assert!(session.run_text(text, &COMPAT).is_ok());
}

#[test]
fn d9_the_least_of_nothing() {
    let text = "LDV empty VMIN PKV 1 STV out";
    assert_eq!(failure(text, &STRICT), VilError::EmptyVector);
    assert_eq!(result(text, &COMPAT), [u128::MAX]);
}

/// Not a defect but a choice of the paper: its four joins give the same results.
#[test]
fn all_join_variants_give_the_same_results() {
    for (text, out) in [
        ("LDL l3 LDL l5 LDV v5 JFLT 1 2 STV out", scaled(&[1, 3, 4])),
        (
            "LDL l3 LDL l5 LDV w3 LDV v5 JUPD 1 2 3 STV out",
            scaled(&[10, 2, 20, 30, 5]),
        ),
        (
            "LDL l3 LDL l5 LDV w3 LDV v5 JADD 1 2 3 STV out",
            scaled(&[11, 2, 23, 34, 5]),
        ),
    ] {
        for join in JoinVariant::ALL {
            assert_eq!(result(text, &Config { join, ..STRICT }), out, "{join:?}");
        }
    }
}
