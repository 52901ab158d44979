//! From text to bytecode.

use super::alloc::borrow::ToOwned;
use super::alloc::string::String;
use super::alloc::vec::Vec;
use super::{AsmError, AsmErrorKind, Assembly, Correction, Symbols, parse_decimal};
use crate::vil::opcode::{Byte, Op, Word};

/// Misprints of operations in the printed paper and what its sources say.
const MISPRINTS: &[(&str, &str)] = &[("POPEN", "POPN")];

/// Words of a listing with their line numbers.
struct Words<'t> {
    words: Vec<(u32, &'t str)>,
    next: usize,
    last_line: u32,
}

impl<'t> Words<'t> {
    fn of(text: &'t str) -> Self {
        let mut words = Vec::new();
        let mut last_line = 0;
        for line in text.lines() {
            last_line += 1;
            let code = without_comment(line);
            words.extend(code.split_whitespace().map(|word| (last_line, word)));
        }
        Self {
            words,
            next: 0,
            last_line: last_line.max(1),
        }
    }

    fn take(&mut self) -> Option<(u32, &'t str)> {
        let word = self.words.get(self.next).copied()?;
        self.next += 1;
        Some(word)
    }

    fn operand(&mut self) -> Result<(u32, &'t str), AsmError> {
        let line = self.last_line;
        self.take().ok_or(AsmError {
            line,
            kind: AsmErrorKind::MissingOperand,
        })
    }
}

fn without_comment(line: &str) -> &str {
    let ends = ["#", ";", "//"]
        .into_iter()
        .filter_map(|mark| line.find(mark));
    line.get(..ends.min().unwrap_or(line.len())).unwrap_or(line)
}

/// Registers of a listing: named or numbered, not both.
#[derive(Default)]
struct Registers {
    names: Vec<String>,
    numbered: u16,
}

impl Registers {
    fn number(&mut self, word: &str) -> Result<u8, AsmErrorKind> {
        if !word.starts_with('_') {
            let number = small(word)?;
            self.numbered = self.numbered.max(u16::from(number) + 1);
            return if self.names.is_empty() {
                Ok(number)
            } else {
                Err(AsmErrorKind::MixedRegisters)
            };
        }
        if self.numbered > 0 {
            return Err(AsmErrorKind::MixedRegisters);
        }
        let known = self.names.iter().position(|name| name == word);
        let number = known.unwrap_or(self.names.len());
        if known.is_none() {
            self.names.push(word.to_owned());
        }
        u8::try_from(number)
            .ok()
            .filter(|number| *number < u8::MAX)
            .ok_or(AsmErrorKind::TooManyRegisters)
    }

    fn count(&self) -> Result<u8, AsmErrorKind> {
        u8::try_from(self.names.len().max(usize::from(self.numbered)))
            .map_err(|_| AsmErrorKind::TooManyRegisters)
    }
}

fn small(word: &str) -> Result<u8, AsmErrorKind> {
    integer(word)
        .and_then(|value| u8::try_from(value).ok())
        .ok_or_else(|| AsmErrorKind::BadOperand(word.to_owned()))
}

fn integer(word: &str) -> Option<u128> {
    // `parse` alone would also take a plus sign.
    word.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| word.parse().ok())
        .flatten()
}

fn operation(word: &str) -> Option<Op> {
    Op::ALL.iter().copied().find(|op| op.mnemonic() == word)
}

/// Value of a word operand: a number in the notation of its kind, or a name.
fn word_value(kind: Word, word: &str, symbols: &Symbols) -> Result<u128, AsmErrorKind> {
    if word.starts_with(|first: char| first.is_ascii_digit()) {
        let value = match kind {
            Word::Scalar => parse_decimal(word),
            Word::Id | Word::Label => integer(word),
        };
        return value.ok_or_else(|| AsmErrorKind::BadOperand(word.to_owned()));
    }
    // A mnemonic in the place of an operand is a forgotten operand, not a name.
    if operation(word).is_some() {
        return Err(AsmErrorKind::BadOperand(word.to_owned()));
    }
    symbols
        .value(word)
        .ok_or_else(|| AsmErrorKind::UnknownName(word.to_owned()))
}

/// Assembles a listing.
///
/// # Errors
/// The first word that does not fit, with its line.
pub fn assemble(listing: &str, symbols: &Symbols) -> Result<Assembly, AsmError> {
    let mut words = Words::of(listing);
    let mut registers = Registers::default();
    let mut assembly = Assembly::default();
    while let Some((line, word)) = words.take() {
        let misprint = MISPRINTS.iter().find(|(printed, _)| *printed == word);
        if let Some((printed, meant)) = misprint {
            assembly.corrections.push(Correction {
                line,
                printed,
                meant,
            });
        }
        let meant = misprint.map_or(word, |(_, meant)| meant);
        let op = operation(meant).ok_or_else(|| AsmError {
            line,
            kind: AsmErrorKind::UnknownOperation(word.to_owned()),
        })?;
        assembly.lines.push((assembly.code.len() as u32, line));
        assembly.code.push(op as u8);
        assembly.instructions += 1;
        if let Some(kind) = op.word() {
            let (line, word) = words.operand()?;
            let value = word_value(kind, word, symbols).map_err(|kind| AsmError { line, kind })?;
            assembly.code.extend_from_slice(&value.to_le_bytes());
        }
        for kind in op.bytes() {
            let (line, word) = words.operand()?;
            let byte = match kind {
                Byte::Register => registers.number(word),
                _ => small(word),
            };
            assembly
                .code
                .push(byte.map_err(|kind| AsmError { line, kind })?);
        }
    }
    assembly.registers = registers.count().map_err(|kind| AsmError {
        line: words.last_line,
        kind,
    })?;
    assembly.register_names = registers.names;
    Ok(assembly)
}
