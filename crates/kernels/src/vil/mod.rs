//! The VIL machine: a bounded stack machine for vectors and labels.
//!
//! VIL is the bytecode of "Gas-Efficient Vector Processing for On-Chain Index
//! Order Execution". A program loads named vectors, works on an operand stack
//! and a register file, and stores named vectors. It is straight-line code:
//! there is no jump and no condition, only subroutines and folds over a list.
//!
//! | module | what is in it |
//! |---|---|
//! | [`opcode`] | the instruction table and the decoder |
//! | [`program`] | validation before a program runs |
//! | [`machine`] | frames, dispatch and limits |
//! | `ops` | what each operation does to the stack |
//! | `memory` | stack, registers and the arena of lists |
//! | [`join`] | the joins, in the paper's four variants |
//! | [`store`] | what the surroundings provide |
//! | [`error`] | errors, where they happened, and their upstream names |
//! | `fuzz` | arbitrary bytes through validator and machine |
//!
//! Numbers are `u128` with 18 decimals; all arithmetic is that of
//! [`crate::compat`], which is the paper's to the unit. The machine allocates
//! nothing: operands and lists live in a [`Workspace`] that the caller lends.
//!
//! # Defects of the paper's machine
//! [`Mode::Strict`] refuses or repairs them, [`Mode::Compat`] reproduces them as
//! they were in one [`Era`]. `docs/vil.md` lists each with its test.

pub mod error;
pub mod fuzz;
pub mod join;
pub mod machine;
mod memory;
pub mod opcode;
mod ops;
pub mod program;
pub mod store;

pub use error::{Fault, VilError};
pub use join::JoinVariant;
pub use machine::{Outcome, run};
pub use memory::{Block, Slot, Workspace};
pub use opcode::Op;
pub use program::{Program, Summary, validate, validate_subroutine, validate_tree};
pub use store::{Library, LoadError, NoLibrary, Refused, Store};

/// Which of the paper's runtimes a compatible run reproduces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// The first public runtime, of 13 November 2025.
    November2025,
    /// The last one, of 22 January 2026.
    January2026,
}

/// How the machine treats the known defects of the paper's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Refuse or repair them.
    #[default]
    Strict,
    /// Reproduce them.
    Compat(Era),
}

/// Bounds of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most work: one step per instruction and one per element read or written.
    pub steps_max: u64,
    /// Deepest nesting of subroutines, at most [`machine::DEPTH_MAX`].
    pub depth_max: u8,
    /// Longest code of one program, in bytes.
    pub code_bytes_max: u32,
}

impl Limits {
    /// Enough for a buy of 256 constituents in a market of 512.
    pub const DEFAULT: Self = Self {
        steps_max: 200_000,
        depth_max: 4,
        code_bytes_max: 10_240,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How to run a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Treatment of known defects.
    pub mode: Mode,
    /// How joins find labels in [`Mode::Strict`]; a compatible run has its era's.
    pub join: JoinVariant,
    /// Bounds.
    pub limits: Limits,
}

impl Config {
    /// The default bounds in a compatible run.
    pub const fn compat(era: Era) -> Self {
        Self {
            mode: Mode::Compat(era),
            join: JoinVariant::Galloping,
            limits: Limits::DEFAULT,
        }
    }

    /// The era to reproduce; `None` when strict.
    #[inline]
    pub(crate) const fn era(&self) -> Option<Era> {
        match self.mode {
            Mode::Strict => None,
            Mode::Compat(era) => Some(era),
        }
    }

    /// How joins treat labels.
    pub(crate) const fn join_rule(&self) -> join::JoinRule {
        match self.era() {
            None => join::JoinRule::exact(self.join),
            Some(Era::November2025) => join::JoinRule {
                variant: JoinVariant::InPlace,
                ignore_tail: true,
            },
            Some(Era::January2026) => join::JoinRule {
                variant: JoinVariant::Galloping,
                ignore_tail: true,
            },
        }
    }
}
