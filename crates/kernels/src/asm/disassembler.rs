//! From bytecode to text.

use core::fmt::Write;

use super::alloc::string::String;
use super::{Symbols, format_decimal};
use crate::vil::error::{Fault, VilError};
use crate::vil::opcode::{Word, decode};

/// Lists code, one instruction a line, so that assembling it gives the same code.
///
/// Ids and labels that `symbols` names are written by name, scalars always as
/// decimals and registers as numbers.
///
/// # Errors
/// The first byte that is no operation, or the instruction that is cut off.
pub fn disassemble(code: &[u8], symbols: &Symbols) -> Result<String, Fault> {
    let mut text = String::new();
    let mut next = 0;
    while next < code.len() {
        let at = next as u32;
        let fault = |error: VilError| Fault {
            error,
            at,
            op: None,
            depth: 0,
        };
        let (instruction, after) = decode(code, next).map_err(fault)?;
        next = after;
        text.push_str(instruction.op.mnemonic());
        // Writing to a string cannot fail.
        let _ = match instruction.op.word() {
            None => Ok(()),
            Some(Word::Scalar) => write!(text, " {}", format_decimal(instruction.word)),
            Some(Word::Id | Word::Label) => match symbols.name(instruction.word) {
                Some(name) => write!(text, " {name}"),
                None => write!(text, " {}", instruction.word),
            },
        };
        for (_, byte) in instruction.op.bytes().iter().zip(instruction.bytes) {
            let _ = write!(text, " {byte}");
        }
        text.push('\n');
    }
    Ok(text)
}
