//! Assembler and disassembler.

use flagstone_kernels::asm::{
    AsmErrorKind, Correction, Symbols, assemble, disassemble, format_decimal, listings,
    parse_decimal,
};
use flagstone_kernels::vil::opcode::{Word, decode};
use flagstone_kernels::vil::{Op, VilError};
use proptest::prelude::*;

use crate::support::Session;

#[test]
fn decimals() {
    let one = 1_000_000_000_000_000_000;
    for (text, value) in [
        ("0", 0),
        ("1", one),
        ("0.5", one / 2),
        ("0.000000000000000001", 1),
        ("007.10", 7 * one + one / 10),
        ("340282366920938463463.374607431768211455", u128::MAX),
    ] {
        assert_eq!(parse_decimal(text), Some(value), "{text}");
    }
    for text in [
        "",
        ".",
        "1.",
        ".5",
        "-1",
        "+1",
        "1e3",
        "1.0000000000000000001",
        "0x1",
        "1_0",
        "1.2.3",
        "340282366920938463463.374607431768211456",
        "400000000000000000000",
    ] {
        assert_eq!(parse_decimal(text), None, "{text}");
    }
    assert_eq!(format_decimal(7 * one + one / 10), "7.1");
    assert_eq!(format_decimal(1), "0.000000000000000001");
}

#[test]
fn encoding() {
    let symbols = Symbols::from_iter([("order_id", 0x0102), ("amount", 3)]);
    let assembly = assemble(
        "LDV order_id\nIMMS 2 IMMS amount IMML 9\nSTR _B LDR _A LDM _B",
        &symbols,
    )
    .expect("assembles");
    let mut expected = vec![11, 2, 1];
    expected.extend([0; 14]);
    expected.push(80);
    expected.extend(2_000_000_000_000_000_000u128.to_le_bytes());
    expected.push(80);
    expected.extend(3u128.to_le_bytes());
    expected.push(81);
    expected.extend(9u128.to_le_bytes());
    expected.extend([23, 0, 14, 1, 15, 0]);
    assert_eq!(assembly.code, expected);
    assert_eq!((assembly.registers, assembly.instructions), (2, 7));
    assert_eq!(assembly.register_names, ["_B", "_A"]);
    assert_eq!(
        (
            assembly.line_at(0),
            assembly.line_at(17),
            assembly.line_at(18)
        ),
        (Some(1), Some(2), None)
    );
    assert!(assembly.corrections.is_empty());
}

#[test]
fn comments_and_blank_lines() {
    let symbols = Symbols::new();
    let plain = assemble("IMMS 1 IMMS 2 ADD 1", &symbols)
        .expect("assembles")
        .code;
    let spread = "# head\nIMMS 1 ; one\n\n\tIMMS\n  2 // two\nADD   1# sum\n";
    assert_eq!(assemble(spread, &symbols).expect("assembles").code, plain);
    assert!(assemble("", &symbols).expect("empty").code.is_empty());
}

#[test]
fn mistakes_are_reported_with_their_line() {
    let symbols = Symbols::new();
    let word = |word: &str| word.to_owned();
    for (text, line, kind) in [
        (
            "IMMS 1\nADDD 1",
            2,
            AsmErrorKind::UnknownOperation(word("ADDD")),
        ),
        ("add 1", 1, AsmErrorKind::UnknownOperation(word("add"))),
        ("IMMS 1\nADD\n\n", 3, AsmErrorKind::MissingOperand),
        (
            "LDV order_id",
            1,
            AsmErrorKind::UnknownName(word("order_id")),
        ),
        ("LDV 1.5", 1, AsmErrorKind::BadOperand(word("1.5"))),
        (
            "IMMS 1.0000000000000000001",
            1,
            AsmErrorKind::BadOperand(word("1.0000000000000000001")),
        ),
        ("IMMS ADD 1", 1, AsmErrorKind::BadOperand(word("ADD"))),
        ("POPN 256", 1, AsmErrorKind::BadOperand(word("256"))),
        ("POPN -1", 1, AsmErrorKind::BadOperand(word("-1"))),
        ("POPN +1", 1, AsmErrorKind::BadOperand(word("+1"))),
        ("POPN _A", 1, AsmErrorKind::BadOperand(word("_A"))),
        ("STR A", 1, AsmErrorKind::BadOperand(word("A"))),
        ("STR 0\nSTR _A", 2, AsmErrorKind::MixedRegisters),
        ("STR _A\nSTR 0", 2, AsmErrorKind::MixedRegisters),
        ("STR 255", 1, AsmErrorKind::TooManyRegisters),
    ] {
        let error = assemble(text, &symbols).expect_err(text);
        assert_eq!((error.line, error.kind), (line, kind), "{text}");
    }
    let many: String = (0..256)
        .map(|register| format!("STR _R{register}\n"))
        .collect();
    let error = assemble(&many, &symbols).expect_err("256 registers");
    assert_eq!(
        (error.line, error.kind),
        (256, AsmErrorKind::TooManyRegisters)
    );
}

#[test]
fn misprints_are_corrected_and_reported() {
    let mut session = Session::default();
    let text = listings::paper::UPDATE_QUOTE.text;
    session.assemble(text);
    let assembly = assemble(text, &session.symbols).expect("assembles");
    let line = text
        .lines()
        .position(|line| line.starts_with("POPEN"))
        .expect("misprint") as u32
        + 1;
    assert_eq!(
        assembly.corrections,
        [Correction {
            line,
            printed: "POPEN",
            meant: "POPN"
        }]
    );
    let corrected = assemble(listings::UPDATE_QUOTE.text, &session.symbols).expect("assembles");
    assert_eq!(corrected.code, assembly.code);
    assert!(corrected.corrections.is_empty());
    for listing in listings::paper::ALL
        .iter()
        .filter(|listing| listing.text != text)
    {
        session.assemble(listing.text);
        assert!(
            assemble(listing.text, &session.symbols)
                .expect("assembles")
                .corrections
                .is_empty()
        );
    }
}

#[test]
fn every_listing_survives_disassembly() {
    let mut session = Session::default();
    for listing in listings::ALL.iter().chain(listings::paper::ALL) {
        let (code, _) = session.assemble(listing.text);
        let text = disassemble(&code, &session.symbols).expect(listing.name);
        assert_eq!(session.assemble(&text).0, code, "{}", listing.name);
        let numbers = disassemble(&code, &Symbols::new()).expect(listing.name);
        assert_eq!(
            assemble(&numbers, &Symbols::new()).expect("numbers").code,
            code
        );
        assert!(!numbers.contains("_id"));
    }
}

fn any_instruction() -> impl Strategy<Value = Vec<u8>> {
    (
        prop::sample::select(Op::ALL),
        any::<u128>(),
        any::<[u8; 3]>(),
    )
        .prop_map(|(op, word, bytes)| {
            let mut code = vec![op as u8];
            if op.word().is_some() {
                code.extend(word.to_le_bytes());
            }
            // The text has no register 255, since a file cannot be that large.
            let bytes = bytes.map(|byte| byte.min(254));
            code.extend(&bytes[..op.bytes().len()]);
            code
        })
}

proptest! {
    #[test]
    fn disassembly_assembles_to_the_same_code(
        code in prop::collection::vec(any_instruction(), 0..40),
    ) {
        let code = code.concat();
        let text = disassemble(&code, &Symbols::new()).expect("whole instructions");
        prop_assert_eq!(assemble(&text, &Symbols::new()).expect("own output").code, code);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "[A-Z0-9_.#; \n]{0,200}") {
        let _ = assemble(&text, &Symbols::new());
    }

    #[test]
    fn words_of_the_language_in_any_order_never_panic(
        picks in prop::collection::vec((prop::sample::select(Op::ALL), "[0-9_.]{0,6}"), 0..30),
    ) {
        let text: String =
            picks.iter().map(|(op, rest)| format!("{} {rest}\n", op.mnemonic())).collect();
        if let Ok(assembly) = assemble(&text, &Symbols::new()) {
            prop_assert!(disassemble(&assembly.code, &Symbols::new()).is_ok());
        }
    }

    #[test]
    fn decimals_round_trip(value in any::<u128>()) {
        prop_assert_eq!(parse_decimal(&format_decimal(value)), Some(value));
    }

    #[test]
    fn arbitrary_bytes_never_panic_the_disassembler(code in prop::collection::vec(any::<u8>(), 0..80)) {
        match disassemble(&code, &Symbols::new()) {
            Ok(text) => prop_assert_eq!(assemble(&text, &Symbols::new()).map(|assembly| assembly.code).ok().unwrap_or(code.clone()), code),
            Err(fault) => {
                let at = fault.at as usize;
                prop_assert!(at < code.len());
                let error = decode(&code, at).expect_err("the same");
                prop_assert!(matches!(error, VilError::InvalidInstruction | VilError::Truncated));
            }
        }
    }
}

#[test]
fn names_are_used_only_where_they_can_be_read_back() {
    let symbols = Symbols::from_iter([("one", 1), ("also_one", 1)]);
    let text = "LDV one\nIMML one\nIMMS one\n";
    let code = assemble(text, &symbols).expect("assembles").code;
    let listed = disassemble(&code, &symbols).expect("whole");
    assert_eq!(
        listed,
        "LDV also_one\nIMML also_one\nIMMS 0.000000000000000001\n"
    );
    assert!(
        Op::ALL
            .iter()
            .filter(|op| op.word() == Some(Word::Scalar))
            .count()
            == 2
    );
}
