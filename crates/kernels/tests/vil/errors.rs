//! Every way to fail, and that limits hold.

use flagstone_kernels::vil::{Config, Limits, Op, VilError, validate, validate_tree};

use crate::support::*;

fn fails(text: &str, error: VilError) {
    assert_eq!(failure(text, &STRICT), error, "strict: {text}");
    assert_eq!(failure(text, &COMPAT), error, "compat: {text}");
}

#[test]
fn stack_underflow() {
    for text in [
        "ADD 0",
        "VSUM",
        "UNPK",
        "SQRT",
        "STV out",
        "STR _A",
        "POPN 1",
        "POPN 0",
        "PKV 0",
        "PKL 1",
        "SWAP 1",
        "LDD 0",
        "IMMS 1 PKV 2",
        "T 2",
        "LDV v3 T 2",
        "VPUSH 1",
        "LPOP",
        "ZEROS 0",
        "MIN 1",
        "LUNION 1",
        "JUPD 1 2 3",
    ] {
        fails(text, VilError::StackUnderflow);
    }
}

#[test]
fn position_below_the_stack() {
    for text in [
        "IMMS 1 ADD 1",
        "IMMS 1 LDD 7",
        "LDL l3 ZEROS 1",
        "IMMS 1 IMMS 2 SWAP 2",
    ] {
        fails(text, VilError::PositionTooDeep);
    }
    fails("LDL l3 LDL l5 LDV v5 JFLT 1 3", VilError::PositionTooDeep);
}

#[test]
fn position_of_the_top_itself() {
    for text in [
        "IMMS 1 SWAP 0",
        "LDV v3 MIN 0",
        "LDV v3 MAX 0",
        "LDL l3 LUNION 0",
    ] {
        fails(text, VilError::OutOfRange);
    }
    // Upstream calls labels in the place of the values an invalid operand.
    let text = "LDL l3 LDL l5 LDV v5 JFLT 0 2";
    assert_eq!(failure(text, &STRICT), VilError::OutOfRange);
    assert_eq!(failure(text, &COMPAT), VilError::InvalidOperand);
}

#[test]
fn bad_register() {
    for code in [[Op::LoadRegister as u8, 4], [Op::MoveRegister as u8, 4]] {
        let mut stored = Stored::default();
        for config in [STRICT, COMPAT] {
            let fault = run_code(&code, 4, &Codes::default(), &mut stored, (16, 16), &config);
            assert_eq!(fault.expect_err("bad").error, VilError::OutOfRange);
        }
    }
    let mut session = Session::default();
    session.program("sub", "LDR 2");
    let fault = session
        .run_text("IMMS 1 B sub 1 1 2", &COMPAT)
        .expect_err("bad");
    assert_eq!((fault.error, fault.depth), (VilError::OutOfRange, 1));
}

#[test]
fn empty_register() {
    for text in ["LDR _A", "LDM _A", "IMMS 1 STR _A LDM _A LDM _A"] {
        assert_eq!(failure(text, &STRICT), VilError::EmptyRegister);
    }
    // Upstream pushes nothing, which fails when it is used.
    assert_eq!(
        failure("IMMS 1 STR _A LDM _A LDM _A ADD 1", &COMPAT),
        VilError::InvalidOperand
    );
    let mut session = Session::default();
    assert_eq!(
        session
            .run_text("LDR _A LDM _A", &COMPAT)
            .expect("unused")
            .operands_left,
        2
    );
}

#[test]
fn wrong_kind_of_operand() {
    for text in [
        "IMMS 1 STV out",
        "IMML 1 STV out",
        "LDV v3 STL out",
        "LDV v3 PKV 1",
        "IMMS 1 PKL 1",
        "IMML 1 PKV 1",
        "IMMS 1 UNPK",
        "IMMS 1 VPUSH 2",
        "LDV v3 LPUSH 2",
        "LDL l3 VPUSH 2",
        "LDL l3 VPOP",
        "LDV v3 LPOP",
        "LDL l3 SQRT",
        "IMML 4 SQRT",
        "IMMS 1 VSUM",
        "LDL l3 VMIN",
        "IMML 1 VMAX",
        "LDL l3 LDV v3 ADD 1",
        "LDV v3 IMMS 1 ADD 1",
        "LDV v3 LDL l3 MUL 1",
        "IMML 1 IMML 2 ADD 1",
        "IMMS 1 LDV v3 MIN 1",
        "LDV v3 IMMS 1 MAX 1",
        "LDV v3 T 0",
        "LDL l3 T 1 IMMS 1 ADD 1",
        "LDV v3 LDL l3 T 2",
        "LDV v3 LDV v5 T 2",
        "IMMS 1 ZEROS 0",
        "LDL l3 LDV v3 LUNION 1",
        "LDL l3 LDV v5 LDV v5 JFLT 1 2",
        "LDL l3 LDL l5 LDL l5 JFLT 1 2",
        "LDL l3 LDL l5 LDL l3 LDV v5 JUPD 1 2 3",
    ] {
        let strict = failure(text, &STRICT);
        assert_eq!(strict, VilError::InvalidOperand, "{text}");
        assert_eq!(failure(text, &COMPAT), VilError::InvalidOperand, "{text}");
    }
}

#[test]
fn lists_of_different_lengths() {
    for text in [
        "LDV v2 LDV v3 ADD 1",
        "LDV v2 LDV v3 SSB 1",
        "LDV v2 LDV v3 MIN 1",
        "LDL l3 LDL l5 LDV v3 JFLT 1 2",
        "LDL l3 LDL l5 LDV v2 LDV v5 JUPD 1 2 3",
        "LDL l3 LDL l5 LDV v3 LDV v3 JADD 1 2 3",
    ] {
        fails(text, VilError::NotAligned);
    }
}

#[test]
fn label_mismatch() {
    for join in [
        "LDV v5 JFLT 1 2",
        "LDV v3 LDV v5 JUPD 1 2 3",
        "LDV v3 LDV v5 JADD 1 2 3",
    ] {
        fails(
            &format!("LDL foreign LDL l5 {join}"),
            VilError::LabelMissing,
        );
        let unsorted = format!("LDL unsorted LDL l5 {join}");
        assert_eq!(failure(&unsorted, &STRICT), VilError::LabelsUnsorted);
        let twice = format!("LDL twice LDL l5 {join}");
        assert_eq!(failure(&twice, &STRICT), VilError::LabelsUnsorted);
        assert_eq!(failure(&twice, &COMPAT), VilError::LabelMissing);
    }
    assert_eq!(
        failure("LDL l3 LDL twice LUNION 1", &STRICT),
        VilError::LabelsUnsorted
    );
    // The order of labels is known however they were made.
    let made = "IMML 51 IMML 53 PKL 2 LPUSH 54 LDL l5 LDV v5 JFLT 1 2 STV out";
    assert_eq!(result(made, &STRICT), [n("1"), n("3"), n("4")]);
    let unmade = "IMML 53 IMML 51 PKL 2 LDL l5 LDV v5 JFLT 1 2";
    assert_eq!(failure(unmade, &STRICT), VilError::LabelsUnsorted);
    let appended = "LDL l3 LPUSH 7 LDL l5 LDV v5 JFLT 1 2";
    assert_eq!(failure(appended, &STRICT), VilError::LabelsUnsorted);
    let repaired = "LDL l3 LPUSH 7 LPOP POPN 1 LDL l5 LDV v5 JFLT 1 2 STV out";
    assert_eq!(result(repaired, &STRICT), [n("1"), n("3"), n("4")]);
}

#[test]
fn arithmetic_out_of_range() {
    for text in [
        "LDV w3 LDV v3 SUB 1",
        "IMMS 2 IMMS 1 SUB 1",
        "IMMS 340282366920938463463 IMMS 340282366920938463463 ADD 1",
        "IMMS 340282366920938463463 MUL 0",
        "IMMS 0.000000000000000001 IMMS 1000 DIV 1",
        "IMMS 340282366920938463463 LDD 0 PKV 2 VSUM",
    ] {
        let big = text.replace("IMMS 1000 DIV", "IMMS 1000000 DIV");
        fails(&big, VilError::MathOverflow);
    }
    fails("IMMS 0 IMMS 1 DIV 1", VilError::DivisionByZero);
    fails("IMMS 0 DIV 0", VilError::DivisionByZero);
    fails("LDV v3 ZEROS 0 SWAP 1 DIV 1", VilError::DivisionByZero);
}

#[test]
fn nothing_stored() {
    for text in ["LDV nothing", "LDL v3", "LDL nothing", "LDV l3"] {
        fails(text, VilError::NotFound);
    }
    fails("IMMS 1 B nothing 1 1 1", VilError::NotFound);
    fails("LDV v3 FOLD nothing 0 0 1", VilError::NotFound);
    let mut session = Session::default();
    session.stored.read_only = true;
    let fault = session
        .run_text("IMMS 1 PKV 1 STV out", &STRICT)
        .expect_err("read only");
    assert_eq!(fault.error, VilError::StoreRefused);
}

#[test]
fn elements_that_are_not_there() {
    fails("LDV empty VPOP", VilError::OutOfRange);
    fails("LDL none LPOP", VilError::OutOfRange);
    assert_eq!(failure("LDV empty VMIN", &STRICT), VilError::EmptyVector);
    assert_eq!(result("LDV empty VMIN PKV 1 STV out", &COMPAT), [u128::MAX]);
    assert_eq!(
        result("LDV empty VSUM LDV empty VMAX PKV 2 STV out", &STRICT),
        [0, 0]
    );
}

#[test]
fn k7_malformed_code() {
    let stored = &mut Stored::default();
    let codes = Codes::default();
    for (code, error) in [
        (vec![0], VilError::InvalidInstruction),
        (vec![Op::ImmediateScalar as u8; 16], VilError::Truncated),
        (vec![Op::Branch as u8; 19], VilError::Truncated),
        (vec![Op::Swap as u8], VilError::Truncated),
    ] {
        for config in [STRICT, COMPAT] {
            let fault = validate(&code, 1, &config).expect_err("malformed");
            assert_eq!((fault.error, fault.at), (error, 0));
            let run = run_unvalidated(&code, 1, &codes, stored, (4, 4), &config);
            assert_eq!(run.expect_err("malformed").error, error);
        }
    }
    let long = Config {
        limits: Limits {
            code_bytes_max: 3,
            ..ROOMY
        },
        ..STRICT
    };
    let fault = validate(&[Op::Unpack as u8; 4], 0, &long).expect_err("long");
    assert_eq!(fault.error, VilError::CodeTooLong);
}

#[test]
fn k7_step_limit() {
    let text = "LDV v3 LDV w3 ADD 1 STV out";
    let mut session = Session::default();
    fill(&mut session);
    let steps = session.run_text(text, &STRICT).expect("roomy").steps;
    // Four instructions; two loads, one sum and one store of three elements each.
    assert_eq!(steps, 4 + 4 * 3);
    let limit = |steps_max| Config {
        limits: Limits { steps_max, ..ROOMY },
        ..STRICT
    };
    assert!(session.run_text(text, &limit(steps)).is_ok());
    for too_few in 0..steps {
        let fault = session.run_text(text, &limit(too_few)).expect_err("limit");
        assert_eq!(fault.error, VilError::StepLimit);
    }
}

#[test]
fn k7_stack_limit() {
    let mut session = Session::default();
    let (code, registers) = session.assemble("IMMS 1 IMMS 2 STR _A IMMS 3 IMMS 4");
    let run = |session: &mut Session, slots| {
        let codes = session.codes.clone();
        run_code(
            &code,
            registers,
            &codes,
            &mut session.stored,
            (slots, 0),
            &STRICT,
        )
    };
    assert_eq!(
        run(&mut session, 4)
            .expect("3 operands, 1 register")
            .operands_left,
        3
    );
    assert_eq!(
        run(&mut session, 3).expect_err("slots").error,
        VilError::StackLimit
    );
    assert_eq!(
        run(&mut session, 0).expect_err("slots").error,
        VilError::StackLimit
    );
    session.program("sub", "STR 200");
    let (code, _) = session.assemble("IMMS 1 B sub 1 0 201");
    let codes = session.codes.clone();
    let fault = run_code(&code, 0, &codes, &mut session.stored, (100, 0), &STRICT);
    assert_eq!(
        fault.expect_err("registers of the subroutine").error,
        VilError::StackLimit
    );
    fill(&mut session);
    let (code, _) = session.assemble("LDV v5 UNPK");
    let fault = run_code(&code, 0, &codes, &mut session.stored, (4, 20), &STRICT);
    assert_eq!(fault.expect_err("unpacked").error, VilError::StackLimit);
}

#[test]
fn k7_deep_recursion() {
    let mut session = Session::default();
    session.program("own", "B own 0 0 0");
    session.program("left", "B right 0 0 0");
    session.program("right", "B left 0 0 0");
    for text in ["B own 0 0 0", "B left 0 0 0"] {
        let (code, registers) = session.assemble(text);
        let refused = validate_tree(&code, registers, &session.codes, 1_000, &STRICT);
        assert_eq!(refused.expect_err("recursion").error, VilError::Recursion);
        // Unvalidated, it stops at the limit.
        let (codes, stored) = (&session.codes, &mut session.stored);
        let fault =
            run_unvalidated(&code, registers, codes, stored, (4, 4), &STRICT).expect_err("limit");
        assert_eq!((fault.error, fault.depth), (VilError::DepthLimit, 8));
    }
    // A chain as long as the limit runs; one call more is refused.
    session.program("p0", "IMMS 1");
    for step in 1..=8 {
        session.program(&format!("p{step}"), &format!("B p{} 0 1 0", step - 1));
    }
    assert!(session.run_text("B p7 0 1 0", &STRICT).is_ok());
    let fault = session.run_text("B p8 0 1 0", &STRICT).expect_err("deep");
    assert_eq!(fault.error, VilError::DepthLimit);
    // A lower limit holds as well, before and during a run.
    let limits = Limits {
        depth_max: 2,
        ..ROOMY
    };
    let low = Config { limits, ..STRICT };
    let (code, registers) = session.assemble("B p1 0 1 0");
    let stored = &mut session.stored;
    assert!(run_code(&code, registers, &session.codes, stored, (8, 0), &low).is_ok());
    let (code, registers) = session.assemble("B p2 0 1 0");
    for run in [run_code, run_unvalidated] {
        let stored = &mut session.stored;
        let fault = run(&code, registers, &session.codes, stored, (8, 0), &low).expect_err("3");
        assert_eq!((fault.error, fault.depth), (VilError::DepthLimit, 2));
    }
    // Many paths through few programs are bounded as well.
    session.program("q0", "");
    for step in 1..8 {
        let call = format!("B q{} 0 0 0 ", step - 1);
        session.program(&format!("q{step}"), &call.repeat(30));
    }
    let (code, _) = session.assemble("B q7 0 0 0");
    let refused = validate_tree(&code, 0, &session.codes, 1_000, &STRICT);
    assert_eq!(refused.expect_err("wide").error, VilError::StepLimit);
}

#[test]
fn fold_and_branch_misuse() {
    let mut session = Session::default();
    fill(&mut session);
    session.program("keep", "");
    session.program("drop", "POPN 1");
    for (text, error) in [
        ("FOLD keep 0 0 0", VilError::StackUnderflow),
        ("IMMS 1 FOLD keep 0 0 0", VilError::InvalidOperand),
        ("LDV v3 FOLD keep 1 0 0", VilError::StackUnderflow),
        ("LDV v3 FOLD keep 0 4 0", VilError::StackUnderflow),
        ("LDV v3 FOLD drop 0 1 0", VilError::StackUnderflow),
        ("LDV empty FOLD keep 0 1 0", VilError::StackUnderflow),
        ("B keep 1 0 0", VilError::StackUnderflow),
        ("IMMS 1 B keep 1 2 0", VilError::StackUnderflow),
        ("IMMS 1 B drop 1 1 0", VilError::StackUnderflow),
    ] {
        for config in [STRICT, COMPAT] {
            let fault = session.run_text(text, &config).expect_err(text);
            assert_eq!((fault.error, fault.depth), (error, 0), "{text}");
            assert!(matches!(fault.op, Some(Op::Fold | Op::Branch)), "{text}");
        }
    }
    // A subroutine cannot reach its caller's operands.
    session.program("greedy", "B keep 2 0 0");
    session.program("deep", "ADD 1");
    for (text, error) in [
        ("IMMS 1 IMMS 2 B greedy 1 0 0", VilError::StackUnderflow),
        ("IMMS 1 IMMS 2 B deep 1 1 0", VilError::PositionTooDeep),
    ] {
        for config in [STRICT, COMPAT] {
            let fault = session.run_text(text, &config).expect_err(text);
            assert_eq!((fault.error, fault.depth), (error, 1), "{text}");
        }
    }
    // The program of a fold sees the operands, one more each time, and its own registers only.
    session.program("reach", "LDR 1");
    let fault = session
        .run_text("LDV v3 FOLD reach 0 0 1", &COMPAT)
        .expect_err("hidden list");
    assert_eq!((fault.error, fault.depth), (VilError::OutOfRange, 1));
    let left = session.run_text("LDV v3 FOLD keep 0 3 0 PKV 3 STV out", &STRICT);
    assert_eq!(left.expect("three").operands_left, 0);
    assert_eq!(session.get("out"), [n("1"), n("2"), n("3")]);
}

#[test]
fn a_fault_tells_where() {
    let mut session = Session::default();
    session.program("sub", "IMMS 2 IMMS 1 SUB 1");
    let fault = session
        .run_text("IMMS 1 B sub 1 1 0", &STRICT)
        .expect_err("negative");
    assert_eq!(
        (fault.error, fault.at, fault.depth),
        (VilError::MathOverflow, 34, 1)
    );
    assert_eq!(fault.op, Some(Op::Sub));
    assert_eq!(
        fault.to_string(),
        "result out of range at byte 34 (SUB), 1 subroutines deep"
    );
}
