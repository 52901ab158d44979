//! The instruction set: numbers, mnemonics and operand layout in one table.
//!
//! An instruction is one byte of opcode, then at most one 16-byte little-endian
//! word (a storage id, a program id or an immediate), then at most three bytes
//! (stack positions, registers, counts). That is the encoding of the paper's
//! own runtime; the numbers are the same in all of its versions.

use super::error::VilError;

/// What the 16-byte word of an instruction means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Name of a stored vector, of stored labels or of a program.
    Id,
    /// A number with 18 decimals.
    Scalar,
    /// A label, taken as it is.
    Label,
}

/// What one operand byte of an instruction means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Byte {
    /// Distance from the top of the stack; 0 is the top.
    Position,
    /// Distance from the top of the stack, where 0 names no operand.
    Below,
    /// Index of a register.
    Register,
    /// Number of operands.
    Count,
    /// Operands that a subroutine takes.
    Inputs,
    /// Operands that a subroutine gives back.
    Outputs,
    /// Size of a subroutine's register file.
    File,
}

macro_rules! instruction_set {
    ($($(#[$doc:meta])* $name:ident $mnemonic:literal $number:literal [$($word:ident)?] [$($byte:ident)*];)*) => {
        /// An operation of the machine. The discriminant is its number in bytecode.
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Op {
            $($(#[$doc])* $name = $number,)*
        }

        impl Op {
            /// Every operation, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The operation with this number.
            #[inline]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Name in assembly.
            pub const fn mnemonic(self) -> &'static str {
                match self {
                    $(Self::$name => $mnemonic,)*
                }
            }

            /// Meaning of the 16-byte word, when there is one.
            #[inline]
            pub const fn word(self) -> Option<Word> {
                match self {
                    $(Self::$name => word!($($word)?),)*
                }
            }

            /// Meaning of the operand bytes, in order.
            #[inline]
            pub const fn bytes(self) -> &'static [Byte] {
                match self {
                    $(Self::$name => &[$(Byte::$byte,)*],)*
                }
            }
        }
    };
}

macro_rules! word {
    () => {
        None
    };
    ($word:ident) => {
        Some(Word::$word)
    };
}

instruction_set! {
    /// Push stored labels.
    LoadLabels "LDL" 10 [Id] [];
    /// Push a stored vector.
    LoadVector "LDV" 11 [Id] [];
    /// Push a copy of the operand at a position.
    Duplicate "LDD" 13 [] [Position];
    /// Push a copy of a register.
    LoadRegister "LDR" 14 [] [Register];
    /// Move a register to the top; the register is empty afterwards.
    MoveRegister "LDM" 15 [] [Register];
    /// Pop labels into storage.
    StoreLabels "STL" 20 [Id] [];
    /// Pop a vector into storage.
    StoreVector "STV" 21 [Id] [];
    /// Pop into a register.
    StoreRegister "STR" 23 [] [Register];
    /// Pack the top scalars into one vector, the deepest first.
    PackVector "PKV" 30 [] [Count];
    /// Pack the top labels into one list, the deepest first.
    PackLabels "PKL" 31 [] [Count];
    /// Replace the top by its elements, the last on top.
    Unpack "UNPK" 32 [] [];
    /// Append an immediate to the vector on top.
    PushScalar "VPUSH" 33 [Scalar] [];
    /// Take the last element off the vector on top and push it above.
    PopScalar "VPOP" 34 [] [];
    /// Transpose the top vectors.
    Transpose "T" 35 [] [Count];
    /// Union of the labels on top with the labels at a position.
    Union "LUNION" 40 [] [Below];
    /// Append an immediate to the labels on top.
    PushLabel "LPUSH" 41 [Label] [];
    /// Take the last label off the labels on top and push it above.
    PopLabel "LPOP" 42 [] [];
    /// Join and replace: vector, its labels' superset for the top, its own labels.
    JoinUpdate "JUPD" 43 [] [Below Below Below];
    /// Join and add, with the operands of `JUPD`.
    JoinAdd "JADD" 44 [] [Below Below Below];
    /// Join and filter: labels of the top, labels to keep.
    JoinFilter "JFLT" 45 [] [Below Below];
    /// Sum with the operand at a position.
    Add "ADD" 50 [] [Position];
    /// Difference with the operand at a position; an error below zero.
    Sub "SUB" 51 [] [Position];
    /// Difference with the operand at a position, held at zero.
    SaturatingSub "SSB" 52 [] [Position];
    /// Product with the operand at a position, rounded down.
    Mul "MUL" 53 [] [Position];
    /// Quotient by the operand at a position, rounded down.
    Div "DIV" 54 [] [Position];
    /// Square root, of which 9 decimals are kept.
    Sqrt "SQRT" 55 [] [];
    /// Lesser of the top and the operand at a position, element by element.
    Min "MIN" 60 [] [Below];
    /// Greater of the top and the operand at a position, element by element.
    Max "MAX" 61 [] [Below];
    /// Replace the vector on top by the sum of its elements.
    VectorSum "VSUM" 70 [] [];
    /// Replace the vector on top by its least element.
    VectorMin "VMIN" 71 [] [];
    /// Replace the vector on top by its greatest element.
    VectorMax "VMAX" 72 [] [];
    /// Push a scalar.
    ImmediateScalar "IMMS" 80 [Scalar] [];
    /// Push a label.
    ImmediateLabel "IMML" 81 [Label] [];
    /// Push a vector of zeros as long as the operand at a position.
    Zeros "ZEROS" 82 [] [Position];
    /// Push a vector of ones as long as the operand at a position.
    Ones "ONES" 83 [] [Position];
    /// Drop operands.
    Drop "POPN" 90 [] [Count];
    /// Exchange the top with the operand at a position.
    Swap "SWAP" 91 [] [Below];
    /// Run a program on the top operands and take its top operands back.
    Branch "B" 92 [Id] [Inputs Outputs File];
    /// Run a program once for each element of the list on top.
    Fold "FOLD" 93 [Id] [Inputs Outputs File];
}

/// Bytes of a word operand.
pub const WORD_BYTES: usize = 16;

/// One decoded instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// The operation.
    pub op: Op,
    /// The 16-byte word; 0 when the operation has none.
    pub word: u128,
    /// The operand bytes; those that the operation does not have are 0.
    pub bytes: [u8; 3],
}

impl Op {
    /// Length of the instruction in bytecode, in bytes.
    #[inline]
    pub const fn length_bytes(self) -> usize {
        let word = if self.word().is_some() { WORD_BYTES } else { 0 };
        1 + word + self.bytes().len()
    }
}

/// Decodes the instruction at `at` and returns it with the offset of the next.
///
/// # Errors
/// [`VilError::Truncated`] when the code ends inside the instruction (or before
/// it), [`VilError::InvalidInstruction`] when the number is no operation.
#[inline]
pub fn decode(code: &[u8], at: usize) -> Result<(Instruction, usize), VilError> {
    let (&number, rest) = code
        .get(at..)
        .and_then(<[u8]>::split_first)
        .ok_or(VilError::Truncated)?;
    let op = Op::from_number(number).ok_or(VilError::InvalidInstruction)?;
    let (word, rest) = match op.word() {
        Some(_) => {
            let (word, rest) = rest
                .split_first_chunk::<WORD_BYTES>()
                .ok_or(VilError::Truncated)?;
            (u128::from_le_bytes(*word), rest)
        }
        None => (0, rest),
    };
    let operands = rest.get(..op.bytes().len()).ok_or(VilError::Truncated)?;
    let mut bytes = [0; 3];
    for (byte, operand) in bytes.iter_mut().zip(operands) {
        *byte = *operand;
    }
    Ok((Instruction { op, word, bytes }, at + op.length_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_names_its_operation() {
        let mut known = 0;
        for number in 0..=u8::MAX {
            if let Some(op) = Op::from_number(number) {
                assert_eq!(op as u8, number);
                assert!(Op::ALL.contains(&op));
                known += 1;
            }
        }
        assert_eq!(known, Op::ALL.len());
        assert_eq!(known, 39);
    }

    #[test]
    fn removed_numbers_stay_unknown() {
        // 12 and 22 loaded and stored scalars until November 2025.
        for number in [0, 12, 22, 24, 46, 56, 73, 84, 94, 255] {
            assert_eq!(decode(&[number; 20], 0), Err(VilError::InvalidInstruction));
        }
    }

    #[test]
    fn an_instruction_cut_anywhere_is_truncated() {
        for &op in Op::ALL {
            let mut code = [7u8; 20];
            code[0] = op as u8;
            let length = op.length_bytes();
            let (instruction, next) = decode(&code[..length], 0).expect("whole");
            assert_eq!((instruction.op, next), (op, length));
            for cut in 0..length {
                assert_eq!(decode(&code[..cut], 0), Err(VilError::Truncated), "{op:?}");
            }
        }
    }
}
