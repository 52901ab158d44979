//! The arena: limits, gaps and sliding.

use flagstone_kernels::vil::{Fault, Outcome, VilError};

use crate::support::*;

fn run_in(session: &mut Session, text: &str, words: usize) -> Result<Outcome, Fault> {
    let (code, registers) = session.assemble(text);
    run_code(
        &code,
        registers,
        &session.codes,
        &mut session.stored,
        (32, words),
        &STRICT,
    )
}

#[test]
fn a_load_needs_room() {
    let mut session = Session::default();
    fill(&mut session);
    assert!(run_in(&mut session, "LDV v5 STV out", 5).is_ok());
    let fault = run_in(&mut session, "LDV v5 STV out", 4).expect_err("words");
    assert_eq!(fault.error, VilError::MemoryLimit);
    for text in [
        "LDV v5 LDD 0",
        "LDV v5 ZEROS 0",
        "LDV v5 VPUSH 1",
        "LDV v5 STR _A LDR _A LDR _A",
    ] {
        let fault = run_in(&mut session, text, 9).expect_err(text);
        assert_eq!(fault.error, VilError::MemoryLimit, "{text}");
    }
}

#[test]
fn memory_is_only_what_is_alive() {
    let mut session = Session::default();
    fill(&mut session);
    // Loads 3 + 5 words a hundred times over; never are more than 16 alive.
    let step = "LDV v3 LDV v5 STV out POPN 1 LDV v5 LDV v3 STR _A SWAP 1 POPN 1 ";
    let text = format!(
        "LDV w3 {} STV out",
        step.repeat(100).replace("SWAP 1 POPN 1", "POPN 1")
    );
    let outcome = run_in(&mut session, &text, 16).expect("16 words suffice");
    assert!(outcome.words_peak <= 16);
    assert_eq!(session.get("out"), [n("10"), n("20"), n("30")]);
}

#[test]
fn gaps_between_lists_are_closed_and_lists_keep_their_contents() {
    let mut session = Session::default();
    fill(&mut session);
    // v3 at 0..3, v5 at 3..8, w3 at 8..11; dropping v5 leaves a gap that a copy of w3 needs.
    let text = "LDV v3 LDV v5 LDV w3 SWAP 1 POPN 1 LDD 0 ADD 1 STV twice ADD 1 STV out STR _A";
    for words in 11..16 {
        run_in(&mut session, text, words).expect("fits after sliding");
        assert_eq!(session.get("twice"), [n("20"), n("40"), n("60")]);
        assert_eq!(session.get("out"), [n("11"), n("22"), n("33")]);
    }
    assert_eq!(
        run_in(&mut session, text, 10).expect_err("10").error,
        VilError::MemoryLimit
    );
}

#[test]
fn registers_and_callers_keep_their_lists_while_a_subroutine_slides() {
    let mut session = Session::default();
    fill(&mut session);
    session.program(
        "sub",
        "LDV v5 LDV w3 SWAP 1 POPN 1 LDD 0 ADD 1 STR 0 POPN 1 LDM 0 ADD 1",
    );
    let text = "LDV v5 LDV v3 STR _Kept POPN 1 LDV v3 LDV w3 B sub 1 1 1 ADD 1 LDM _Kept ADD 1 \
                STV out";
    // The subroutine doubles w3 and adds what it was given: 3 w3, then v3 twice more.
    session.program("sub", "LDV v5 LDV w3 SWAP 1 POPN 1 LDD 0 ADD 1 ADD 2");
    let fault = run_in(&mut session, text, 16).expect_err("17 are alive at once");
    assert_eq!((fault.error, fault.depth), (VilError::MemoryLimit, 1));
    for words in 17..24 {
        run_in(&mut session, text, words).expect("fits");
        assert_eq!(session.get("out"), [n("32"), n("64"), n("96")]);
    }
}

#[test]
fn unpacked_and_transposed_lists_free_their_words() {
    let mut session = Session::default();
    fill(&mut session);
    let text = "LDV v3 LDV w3 T 2 STV r2 STV r1 STV r0 LDV v5 UNPK PKV 5 STV out";
    run_in(&mut session, text, 12).expect("fits");
    assert_eq!(session.get("r0"), [n("1"), n("10")]);
    assert_eq!(session.get("r2"), [n("3"), n("30")]);
    assert_eq!(session.get("out").len(), 5);
}

#[test]
fn empty_lists_take_part_in_everything() {
    let mut session = Session::default();
    fill(&mut session);
    let text = "LDV v3 LDV empty LDV empty ADD 1 MUL 0 SQRT SWAP 1 POPN 1 STV out \
                LDL none LDL l5 LDV v5 JFLT 1 2 STV filtered \
                LDV empty LDV v5 JUPD 1 2 3 STV updated \
                POPN 1 LDL none LUNION 2 STL union LDL l3 LUNION 2 STL other";
    for words in [14, 25, 100] {
        run_in(&mut session, text, words).unwrap_or_else(|fault| panic!("{words}: {fault}"));
        assert!(session.get("out").is_empty() && session.get("filtered").is_empty());
        assert_eq!(session.get("updated").len(), 5);
        assert!(session.get_labels("union").is_empty());
        assert_eq!(session.get_labels("other"), [51, 53, 54]);
    }
}

#[test]
fn an_empty_list_may_lie_inside_another() {
    let mut session = Session::default();
    fill(&mut session);
    // `none` is made above v3; when v3 goes, v5 takes the words on both sides of it.
    let text = "LDV v3 LDL none SWAP 1 POPN 1 LDV v5 LDL l5 SWAP 1 JFLT 1 2 STV out";
    let outcome = run_in(&mut session, text, 10).expect("joins with nothing");
    assert!(session.get("out").is_empty());
    assert_eq!(outcome.words_peak, 10);
}
