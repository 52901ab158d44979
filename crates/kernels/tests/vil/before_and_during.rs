//! What validation refuses before a run, and what a run counts.

use flagstone_kernels::vil::{Config, VilError, validate_tree};

use crate::support::*;

#[test]
fn k7_validation_refuses_what_must_fail_before_anything_runs() {
    let mut session = Session::default();
    session.program("keep", "");
    session.program("one", "POPN 1 IMMS 1");
    session.program("reads", "LDR 0 POPN 2");
    for (text, error, depth) in [
        ("IMMS 1 STR _A LDM _A LDM _A", VilError::EmptyRegister, 0),
        ("IMMS 1 STR _A LDR _A LDR _B", VilError::EmptyRegister, 0),
        ("LDV v3 FOLD reads 0 0 1", VilError::EmptyRegister, 1),
        ("LDV v3 FOLD reads 0 0 0", VilError::OutOfRange, 1),
        ("IMMS 1 B one 1 2 0", VilError::StackUnderflow, 0),
        ("IMMS 1 B keep 1 1 0 ADD 1", VilError::PositionTooDeep, 0),
        ("IMMS 1 B keep 1 0 0 SQRT", VilError::StackUnderflow, 0),
        ("IMMS 1 IMMS 2 PKV 2 PKV 2", VilError::StackUnderflow, 0),
        ("IMMS 1 LDD 0 POPN 2 VSUM", VilError::StackUnderflow, 0),
        ("LDV v3 VPOP SWAP 2", VilError::PositionTooDeep, 0),
        ("LDV v3 T 0", VilError::InvalidOperand, 0),
        ("IMMS 1 B nothing 1 1 1", VilError::NotFound, 0),
    ] {
        let (code, registers) = session.assemble(text);
        let fault = validate_tree(&code, registers, &session.codes, 1_000, &STRICT);
        let fault = fault.expect_err(text);
        assert_eq!((fault.error, fault.depth), (error, depth), "{text}");
    }
    // After UNPK the depth depends on the data: it is left to the machine.
    let (code, registers) = session.assemble("LDV v3 UNPK ADD 1 ADD 2");
    assert!(validate_tree(&code, registers, &session.codes, 1_000, &STRICT).is_ok());
}

#[test]
fn k7_every_element_that_is_read_or_written_is_a_step() {
    let mut session = Session::default();
    fill(&mut session);
    session.program("add", "ADD 1");
    for (text, steps) in [
        ("LDV v3", 1 + 3),
        ("LDV v3 LDD 0", 2 + 3 + 3),
        ("LDV v3 STR _A LDR _A LDM _A", 4 + 3 + 3),
        ("LDV v3 IMMS 1 SWAP 1 MUL 1 SQRT VSUM", 6 + 3 * 4),
        ("LDV v3 UNPK PKV 3 ZEROS 0", 4 + 3 * 4),
        ("LDV v3 LDV w3 T 2", 3 + 3 + 3 + 6),
        ("LDL l3 LDL l5 LDV v5 JFLT 1 2", 4 + 3 + 5 + 5 + 8),
        ("LDL l3 LDL l5 LUNION 1", 3 + 3 + 5 + 8),
        ("LDV v3 VPUSH 1 VPOP", 3 + 3 + 4 + 4),
        ("IMMS 1 LDV v3 FOLD add 1 1 0", 3 + 3 + 3 + 3),
    ] {
        assert_eq!(
            session.run_text(text, &STRICT).expect(text).steps,
            steps,
            "{text}"
        );
    }
    // Removing one by one also pays for what it moves: three elements here.
    let in_place = Config {
        join: flagstone_kernels::vil::JoinVariant::InPlace,
        ..STRICT
    };
    let text = "LDL l3 LDL l5 LDV v5 JFLT 1 2";
    assert_eq!(
        session.run_text(text, &in_place).expect("filters").steps,
        25 + 3
    );
}
