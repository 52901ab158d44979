//! Assembler and disassembler of VIL, for hosts.
//!
//! The grammar is the paper's: an instruction is a mnemonic and its operands,
//! separated by blanks; lines do not matter. `#`, `;` and `//` start a comment.
//!
//! | operand | written as |
//! |---|---|
//! | id of stored data or of a program | a name from the [`Symbols`], or a plain integer |
//! | scalar (`IMMS`, `VPUSH`) | a decimal such as `0.5`, or a name whose value is taken as it is |
//! | label (`IMML`, `LPUSH`) | a plain integer, or a name |
//! | position, count | an integer up to 255 |
//! | register | `_Name`, numbered in order of first mention, or an integer |
//!
//! Printed listings contain misprints. Those that the assembler knows are read
//! as they were meant and reported in [`Assembly::corrections`].

extern crate alloc;

mod decimal;
mod disassembler;
pub mod listings;
mod parser;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

pub use decimal::{format_decimal, parse_decimal};
pub use disassembler::disassemble;
pub use parser::assemble;

/// Values of the names in a listing: ids, labels and raw scalars.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symbols {
    values: BTreeMap<String, u128>,
}

impl Symbols {
    /// No names.
    pub const fn new() -> Self {
        Self {
            values: BTreeMap::new(),
        }
    }

    /// Gives `name` a value, and returns the one it had.
    pub fn define(&mut self, name: &str, value: u128) -> Option<u128> {
        self.values.insert(name.into(), value)
    }

    /// Value of `name`.
    pub fn value(&self, name: &str) -> Option<u128> {
        self.values.get(name).copied()
    }

    /// A name that has this value: the first in alphabetical order.
    pub fn name(&self, value: u128) -> Option<&str> {
        self.values
            .iter()
            .find(|(_, own)| **own == value)
            .map(|(name, _)| name.as_str())
    }

    /// All names with their values, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u128)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
    }
}

impl<'a> FromIterator<(&'a str, u128)> for Symbols {
    fn from_iter<I: IntoIterator<Item = (&'a str, u128)>>(pairs: I) -> Self {
        Self {
            values: pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
        }
    }
}

/// A misprint that was read as it was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// Line of the listing, from 1.
    pub line: u32,
    /// What it says.
    pub printed: &'static str,
    /// What it means.
    pub meant: &'static str,
}

/// An assembled listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assembly {
    /// Bytecode.
    pub code: Vec<u8>,
    /// Names of the registers by number; empty when the listing numbers them itself.
    pub register_names: Vec<String>,
    /// Registers that a run must give to the program.
    pub registers: u8,
    /// Number of instructions.
    pub instructions: u32,
    /// Misprints that were corrected.
    pub corrections: Vec<Correction>,
    /// Offset of each instruction in the code and its line in the listing.
    pub lines: Vec<(u32, u32)>,
}

impl Assembly {
    /// Line of the listing that the instruction at `offset` comes from.
    pub fn line_at(&self, offset: u32) -> Option<u32> {
        let found = self
            .lines
            .binary_search_by_key(&offset, |(offset, _)| *offset)
            .ok()?;
        self.lines.get(found).map(|(_, line)| *line)
    }
}

/// Why a listing cannot be assembled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AsmErrorKind {
    /// A word where an operation is expected, and it is none.
    UnknownOperation(String),
    /// The listing ends where an operand is expected.
    MissingOperand,
    /// A name that the symbols do not have.
    UnknownName(String),
    /// An operand that is not what the operation takes, or out of its range.
    BadOperand(String),
    /// Registers are both named and numbered.
    MixedRegisters,
    /// More registers than a byte can number.
    TooManyRegisters,
}

/// Why and where a listing cannot be assembled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsmError {
    /// Line of the listing, from 1.
    pub line: u32,
    /// Why.
    pub kind: AsmErrorKind,
}

impl core::fmt::Display for AsmError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "line {}: ", self.line)?;
        match &self.kind {
            AsmErrorKind::UnknownOperation(word) => write!(formatter, "unknown operation {word}"),
            AsmErrorKind::MissingOperand => formatter.write_str("an operand is missing"),
            AsmErrorKind::UnknownName(name) => write!(formatter, "unknown name {name}"),
            AsmErrorKind::BadOperand(word) => write!(formatter, "bad operand {word}"),
            AsmErrorKind::MixedRegisters => {
                formatter.write_str("registers are both named and numbered")
            }
            AsmErrorKind::TooManyRegisters => formatter.write_str("too many registers"),
        }
    }
}

impl core::error::Error for AsmError {}
