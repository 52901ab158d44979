//! Arbitrary programs: nothing panics, limits hold, runs repeat.

use flagstone_kernels::vil::fuzz::{fuzz_vil, shape_code};
use flagstone_kernels::vil::opcode::decode;
use flagstone_kernels::vil::validate;
use proptest::prelude::*;

use crate::support::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn k7_arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzz_vil(&bytes);
    }

    #[test]
    fn k7_arbitrary_instructions(
        flags in any::<u8>(),
        bytes in prop::collection::vec(any::<u8>(), 1..300),
    ) {
        let mut input = vec![flags | 0x40];
        input.extend(bytes);
        fuzz_vil(&input);
    }
}

/// The generator would prove little if its programs stopped at once.
#[test]
fn shaped_programs_get_somewhere() {
    let (mut valid, mut finished, mut late) = (0, 0, 0);
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    for run in 0..4_000 {
        let bytes: Vec<u8> = (0..4 + run % 60)
            .map(|_| {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                (seed >> 24) as u8
            })
            .collect();
        let mut code = [0; 1_024];
        let length = shape_code(&bytes, &mut code);
        let code = &code[..length];
        let mut at = 0;
        while at < code.len() {
            at = decode(code, at).expect("whole instructions").1;
        }
        valid += usize::from(validate(code, 4, &STRICT).is_ok());
        let mut session = Session::default();
        for id in 0..256 {
            session.stored.vectors.insert(id, vec![n("1"), n("2")]);
            session.stored.labels.insert(id, vec![1, 2]);
        }
        match run_code(
            code,
            4,
            &session.codes,
            &mut session.stored,
            (40, 200),
            &COMPAT,
        ) {
            Ok(_) => finished += 1,
            Err(fault) => late += usize::from(fault.at > 20),
        }
    }
    assert!(
        valid > 0 && finished > 0 && late > 400,
        "{valid} {finished} {late}"
    );
}
