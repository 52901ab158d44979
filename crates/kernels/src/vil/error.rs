//! What can go wrong, where it went wrong, and the names the paper's runtime has for it.

use super::{Era, opcode::Op};
use crate::error::MathError;

/// Why a program was refused or stopped.
///
/// The discriminant is stable and fits the error code of a program.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VilError {
    /// An operation needs more operands than the frame has.
    StackUnderflow = 1,
    /// A position lies below the bottom of the frame (`StackOverflow` upstream).
    PositionTooDeep = 2,
    /// A byte that is no operation.
    InvalidInstruction = 3,
    /// An operand of the wrong kind.
    InvalidOperand = 4,
    /// No stored value or program has this id.
    NotFound = 5,
    /// A register outside the file, a position that must not be the top, or an empty list.
    OutOfRange = 6,
    /// Lists of different lengths.
    NotAligned = 7,
    /// A label of the joined list is not in the list it is joined to.
    LabelMissing = 8,
    /// A result does not fit 128 bits, or a difference is below zero.
    MathOverflow = 9,
    /// Division by zero; upstream traps.
    DivisionByZero = 10,
    /// The code ends inside an instruction; upstream traps.
    Truncated = 11,
    /// Labels that are not strictly increasing were given to a join.
    LabelsUnsorted = 12,
    /// A register was read that holds nothing.
    EmptyRegister = 13,
    /// The least element of an empty vector was asked for.
    EmptyVector = 14,
    /// The program did more work than its limit.
    StepLimit = 15,
    /// The operands do not fit the caller's memory.
    MemoryLimit = 16,
    /// Operands and registers do not fit the caller's slots.
    StackLimit = 17,
    /// Subroutines are nested deeper than the limit.
    DepthLimit = 18,
    /// The store refused the value.
    StoreRefused = 19,
    /// The code is longer than the limit.
    CodeTooLong = 20,
    /// A program runs itself, directly or through others.
    Recursion = 21,
}

impl VilError {
    /// Name of the same failure in the paper's runtimes; `None` for limits they lack.
    pub const fn upstream_name(self, era: Era, op: Option<Op>) -> Option<&'static str> {
        let joins = matches!(op, Some(Op::JoinFilter | Op::JoinUpdate | Op::JoinAdd));
        Some(match (self, era) {
            (Self::StackUnderflow, _) => "StackUnderflow",
            (Self::PositionTooDeep, _) => "StackOverflow",
            (Self::InvalidInstruction, _) => "InvalidInstruction",
            (Self::InvalidOperand, _) => "InvalidOperand",
            (Self::NotFound, _) => "NotFound",
            (Self::OutOfRange, _) => "OutOfRange",
            (Self::NotAligned, Era::November2025) if joins => "InvalidOperand",
            (Self::NotAligned, _) => "NotAligned",
            (Self::LabelMissing, Era::November2025) if matches!(op, Some(Op::JoinFilter)) => {
                "NotFound"
            }
            (Self::LabelMissing, _) => "MathUnderflow",
            (Self::MathOverflow, _) => "MathOverflow",
            (Self::DivisionByZero | Self::Truncated, _) => "TRAP",
            _ => return None,
        })
    }
}

/// An error and where it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Why.
    pub error: VilError,
    /// Offset in the code of the frame, in bytes: the failing instruction.
    pub at: u32,
    /// The failing operation, when it could be decoded.
    pub op: Option<Op>,
    /// How many subroutines deep; 0 is the program itself.
    pub depth: u8,
}

impl core::fmt::Display for VilError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(match self {
            Self::StackUnderflow => "too few operands",
            Self::PositionTooDeep => "position below the bottom of the stack",
            Self::InvalidInstruction => "unknown operation",
            Self::InvalidOperand => "operand of the wrong kind",
            Self::NotFound => "no such stored value or program",
            Self::OutOfRange => "register, position or element out of range",
            Self::NotAligned => "lists of different lengths",
            Self::LabelMissing => "label not found",
            Self::MathOverflow => "result out of range",
            Self::DivisionByZero => "division by zero",
            Self::Truncated => "code ends inside an instruction",
            Self::LabelsUnsorted => "labels are not strictly increasing",
            Self::EmptyRegister => "empty register",
            Self::EmptyVector => "empty vector",
            Self::StepLimit => "step limit",
            Self::MemoryLimit => "memory limit",
            Self::StackLimit => "stack limit",
            Self::DepthLimit => "subroutines nested too deep",
            Self::StoreRefused => "the store refused the value",
            Self::CodeTooLong => "code too long",
            Self::Recursion => "the program runs itself",
        })
    }
}

impl core::error::Error for VilError {}

impl From<MathError> for VilError {
    #[inline]
    fn from(error: MathError) -> Self {
        match error {
            MathError::Overflow => Self::MathOverflow,
            MathError::DivisionByZero => Self::DivisionByZero,
        }
    }
}

impl core::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "{} at byte {}", self.error, self.at)?;
        if let Some(op) = self.op {
            write!(formatter, " ({})", op.mnemonic())?;
        }
        if self.depth > 0 {
            write!(formatter, ", {} subroutines deep", self.depth)?;
        }
        Ok(())
    }
}

impl core::error::Error for Fault {}
