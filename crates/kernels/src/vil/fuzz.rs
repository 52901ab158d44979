//! Arbitrary bytes through the validator and the machine.
//!
//! [`fuzz_vil`] is the body of a fuzz target and of a property test. It needs
//! no heap, so that the same code runs wherever the machine does.

use super::join::JoinVariant;
use super::memory::{Slot, Workspace};
use super::opcode::{Byte, Op, WORD_BYTES};
use super::program::{Program, Summary, validate, validate_tree};
use super::store::{Library, LoadError, Refused, Store, copy_words};
use super::{Config, Era, Fault, Limits, Mode, Outcome, VilError, run};

const LIST_WORDS: usize = 24;
const LISTS: usize = 6;
const CODE_BYTES: usize = 1_024;
const STEPS_MAX: u64 = 4_000;
const SLOTS: usize = 48;
const WORDS: usize = 160;

const PUSHES: &[Op] = &[
    Op::LoadVector,
    Op::LoadLabels,
    Op::ImmediateScalar,
    Op::LoadVector,
    Op::Duplicate,
];

/// A few short lists; every id names one of them.
#[derive(Clone, PartialEq, Eq)]
struct Lists {
    words: [[u128; LIST_WORDS]; LISTS],
    lengths: [usize; LISTS],
}

impl Lists {
    /// Increasing labels, small numbers, huge numbers, zeros, nothing.
    fn new() -> Self {
        let mut lists = Self {
            words: [[0; LIST_WORDS]; LISTS],
            lengths: [8, 5, 8, 5, 3, 0],
        };
        for (list, words) in lists.words.iter_mut().enumerate() {
            for (at, word) in words.iter_mut().enumerate() {
                let at = at as u128;
                *word = match list {
                    0 => at + 1,
                    1 => 2 * at + 1,
                    2 => (at + 1) * 1_500_000_000_000_000_000,
                    3 => u128::MAX - at,
                    _ => 0,
                };
            }
        }
        lists
    }

    const fn index(id: u128) -> usize {
        (id % LISTS as u128) as usize
    }

    fn list(&self, id: u128) -> Option<&[u128]> {
        let length = *self.lengths.get(Self::index(id))?;
        self.words.get(Self::index(id))?.get(..length)
    }

    fn keep(&mut self, id: u128, list: &[u128]) -> Result<(), Refused> {
        let words = self.words.get_mut(Self::index(id)).ok_or(Refused)?;
        words
            .get_mut(..list.len())
            .ok_or(Refused)?
            .copy_from_slice(list);
        *self.lengths.get_mut(Self::index(id)).ok_or(Refused)? = list.len();
        Ok(())
    }
}

impl Store for Lists {
    fn load_vector(&self, id: u128, into: &mut [u128]) -> Result<usize, LoadError> {
        copy_words(self.list(id).ok_or(LoadError::NotFound)?, into)
    }
    fn load_labels(&self, id: u128, into: &mut [u128]) -> Result<usize, LoadError> {
        self.load_vector(id, into)
    }
    fn store_vector(&mut self, id: u128, vector: &[u128]) -> Result<(), Refused> {
        self.keep(id, vector)
    }
    fn store_labels(&mut self, id: u128, labels: &[u128]) -> Result<(), Refused> {
        self.keep(id, labels)
    }
}

/// The second half of the input, as the program with any even id.
struct Halves<'a>(&'a [u8]);

impl Library for Halves<'_> {
    fn code(&self, id: u128) -> Option<&[u8]> {
        id.is_multiple_of(2).then_some(self.0)
    }
}

/// Turns bytes into whole instructions with small operands; returns the length written.
///
/// Random bytes are mostly refused at their first instruction; these run further.
pub fn shape_code(bytes: &[u8], into: &mut [u8]) -> usize {
    let mut bytes = bytes.iter().copied();
    let mut length = 0;
    while let Some(pick) = bytes.next() {
        // Half of the instructions push, so that the others find operands.
        let choice: &[Op] = if pick & 0x80 == 0 { Op::ALL } else { PUSHES };
        let Some(&op) = choice.get(usize::from(pick & 0x7f) % choice.len()) else {
            break;
        };
        let Some(code) = into.get_mut(length..length + op.length_bytes()) else {
            break;
        };
        let mut parts = code.iter_mut();
        if let Some(number) = parts.next() {
            *number = op as u8;
        }
        if op.word().is_some() {
            let low = bytes.next().unwrap_or(0);
            // The odd word is huge, so that products overflow.
            let value = if low == u8::MAX {
                u128::MAX
            } else {
                u128::from(low)
            };
            for (part, byte) in parts.by_ref().take(WORD_BYTES).zip(value.to_le_bytes()) {
                *part = byte;
            }
        }
        for (part, kind) in parts.zip(op.bytes()) {
            let byte = bytes.next().unwrap_or(0);
            *part = match kind {
                Byte::Position | Byte::Below => byte % 4,
                _ => byte % 3,
            };
        }
        length += op.length_bytes();
    }
    length
}

fn execute(code: &[u8], library: &Halves<'_>, registers: u8, config: &Config) -> Ran {
    let (mut slots, mut words) = ([Slot::Empty; SLOTS], [0; WORDS]);
    let workspace = Workspace {
        slots: &mut slots,
        words: &mut words,
    };
    let mut lists = Lists::new();
    let program = Program::validated_before(code, registers);
    let result = run(&program, library, &mut lists, workspace, config);
    (result, lists)
}

type Ran = (Result<Outcome, Fault>, Lists);

/// Runs `bytes` as a program with a subroutine, in a mode that they choose.
///
/// Whatever the bytes are, the machine stays within its limits, gives the same
/// result twice, and never fails in a way that validation has excluded.
///
/// # Panics
/// When one of these does not hold.
pub fn fuzz_vil(bytes: &[u8]) {
    let Some((&[flags, registers], input)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let config = Config {
        mode: match flags % 3 {
            0 => Mode::Strict,
            1 => Mode::Compat(Era::November2025),
            _ => Mode::Compat(Era::January2026),
        },
        join: JoinVariant::ALL[usize::from(flags >> 2) % 4],
        limits: Limits {
            steps_max: STEPS_MAX,
            depth_max: 3,
            code_bytes_max: CODE_BYTES as u32,
        },
    };
    let (first, second) = input.split_at(input.len() / 2);
    let (mut main, mut sub) = ([0; CODE_BYTES], [0; CODE_BYTES]);
    let (code, subroutine) = if flags & 0x40 == 0 {
        (first, second)
    } else {
        let (main_length, sub_length) =
            (shape_code(first, &mut main), shape_code(second, &mut sub));
        (&main[..main_length], &sub[..sub_length])
    };
    let registers = registers % 8;
    let library = Halves(subroutine);
    let own = validate(code, registers, &config);
    let tree = validate_tree(code, registers, &library, 5_000, &config);
    let (result, lists) = execute(code, &library, registers, &config);
    assert!(
        (result, lists) == execute(code, &library, registers, &config),
        "not deterministic"
    );
    let own = own.map(|(_, summary)| summary);
    match result {
        Ok(outcome) => finished(&outcome, own, config.mode),
        Err(fault) => {
            if let (Ok(summary), 0) = (own, fault.depth) {
                excluded(&fault, summary.operands_left, config.mode);
            }
            assert!(
                tree.is_err() || !malformed(&fault),
                "a validated tree is malformed"
            );
            let deep = fault.error == VilError::DepthLimit;
            assert!(tree.is_err() || !deep, "a validated tree is too deep");
        }
    }
}

fn malformed(fault: &Fault) -> bool {
    matches!(
        fault.error,
        VilError::Truncated | VilError::InvalidInstruction
    )
}

/// A run that succeeded was within its limits and had been valid.
fn finished(outcome: &Outcome, own: Result<Summary, Fault>, mode: Mode) {
    assert!(outcome.steps <= STEPS_MAX && outcome.words_peak as usize <= WORDS);
    let left = u32::from(outcome.operands_left);
    assert!(left as usize <= SLOTS);
    let summary = own.expect("a program that runs is valid");
    if mode == Mode::Strict {
        assert_eq!(
            summary.operands_left.unwrap_or(left),
            left,
            "depth was misjudged"
        );
    }
}

/// Failures that validation of a program excludes for its own frame.
fn excluded(fault: &Fault, known_depth: Option<u32>, mode: Mode) {
    assert!(!malformed(fault), "a validated program is malformed");
    if mode != Mode::Strict {
        return;
    }
    assert!(
        fault.error != VilError::EmptyRegister,
        "read before it was written"
    );
    let register = matches!(
        fault.op,
        Some(Op::LoadRegister | Op::MoveRegister | Op::StoreRegister)
    );
    assert!(
        !(register && fault.error == VilError::OutOfRange),
        "register outside the file"
    );
    let returns = matches!(fault.op, Some(Op::Branch | Op::Fold));
    let depth = matches!(
        fault.error,
        VilError::StackUnderflow | VilError::PositionTooDeep
    );
    assert!(
        known_depth.is_none() || returns || !depth,
        "position below the stack"
    );
}
