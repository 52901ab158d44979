//! How much stack each function takes, read off the compiled instructions.

use anyhow::{Context as _, Result};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};
use serde::Serialize;

/// One function and the bytes below the frame pointer that it reaches.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Frame {
    pub(crate) function: String,
    pub(crate) bytes: u64,
}

const FRAME_POINTER: u8 = 10;
const INSTRUCTION: usize = 8;

/// The frames of an object file's functions, largest first.
pub(crate) fn measure(object: &[u8]) -> Result<Vec<Frame>> {
    let file = object::File::parse(object).context("LLVM wrote an unreadable object file")?;
    let mut frames = Vec::new();
    for symbol in file.symbols().filter(|s| s.kind() == SymbolKind::Text) {
        let Some(index) = symbol.section_index() else {
            continue;
        };
        let code = file.section_by_index(index)?.data()?;
        let start = usize::try_from(symbol.address())?;
        let end = start + usize::try_from(symbol.size())?;
        let bytes = code.get(start..end).map_or(0, deepest);
        let function = symbol.name().unwrap_or("?").to_owned();
        frames.push(Frame { function, bytes });
    }
    frames.sort_by_key(|f| std::cmp::Reverse(f.bytes));
    Ok(frames)
}

/// The largest distance below the frame pointer that a function addresses:
/// loads and stores based on it, and addresses made by copying it and adding.
fn deepest(code: &[u8]) -> u64 {
    const COPY: u8 = 0xbf;
    const ADD_IMMEDIATE: u8 = 0x07;
    let mut depth = 0i64;
    // Registers that hold a copy of the frame pointer, one bit each.
    let mut copies = 0u16;
    for inst in code.chunks_exact(INSTRUCTION) {
        let (opcode, to, from) = (inst[0], inst[1] & 15, inst[1] >> 4);
        let offset = i64::from(i16::from_le_bytes([inst[2], inst[3]]));
        let immediate = i64::from(i32::from_le_bytes([inst[4], inst[5], inst[6], inst[7]]));
        // By the instruction's class: load, two kinds of store, arithmetic.
        let (base, written) = match opcode & 7 {
            0 => (None, Some(to)),
            1 => (Some(from), Some(to)),
            2 | 3 => (Some(to), None),
            4 | 7 => (None, Some(to)),
            _ => (None, None),
        };
        if base == Some(FRAME_POINTER) {
            depth = depth.max(-offset);
        }
        if opcode == ADD_IMMEDIATE && copies & (1 << to) != 0 {
            depth = depth.max(-immediate);
        }
        if let Some(register) = written {
            copies &= !(1 << register);
        }
        if opcode == COPY && from == FRAME_POINTER {
            copies |= 1 << to;
        }
    }
    depth.unsigned_abs()
}
