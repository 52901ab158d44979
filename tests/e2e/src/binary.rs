//! Reads the system calls out of a built program.
//!
//! sBPF v3 has neither section headers nor symbols. The second program header
//! is the byte code; a `call` whose source register is 0 is a system call,
//! named by the murmur3 hash of its name.

use std::collections::BTreeMap;

/// Bytes of an instruction.
const INSTRUCTION: usize = 8;
/// Operation code of `call imm`.
const CALL_IMM: u8 = 0x85;
/// Operation code of `call reg`: the callee is an address, never a system call.
const CALL_REG: u8 = 0x8d;
/// First address of the byte code in sBPF v3.
const BYTECODE: u64 = 1 << 32;
/// Program header flag: executable.
const EXECUTABLE: u32 = 1;

/// What a program calls.
#[derive(Debug, Default)]
pub struct Calls {
    /// Hash of each system call and how often it is called.
    pub system: BTreeMap<u32, u32>,
    /// Calls of its own functions.
    pub own: u32,
    /// Calls through a register.
    pub indirect: u32,
}

/// Scans a program's byte code.
///
/// # Panics
/// When the file is not an sBPF v3 program.
pub fn calls(elf: &[u8]) -> Calls {
    let mut calls = Calls::default();
    for instruction in bytecode(elf).chunks_exact(INSTRUCTION) {
        let source = instruction[1] >> 4;
        match (instruction[0], source) {
            (CALL_IMM, 0) => {
                let hash = u32::from_le_bytes(instruction[4..8].try_into().expect("four bytes"));
                *calls.system.entry(hash).or_default() += 1;
            }
            (CALL_IMM, _) => calls.own += 1,
            (CALL_REG, _) => calls.indirect += 1,
            _ => {}
        }
    }
    calls
}

fn bytecode(elf: &[u8]) -> &[u8] {
    let word = |at: usize| u64::from_le_bytes(elf[at..at + 8].try_into().expect("eight bytes"));
    let half = |at: usize| u16::from_le_bytes(elf[at..at + 2].try_into().expect("two bytes"));
    let flags = |at: usize| u32::from_le_bytes(elf[at..at + 4].try_into().expect("four bytes"));
    assert_eq!(&elf[..4], b"\x7fELF");
    assert_eq!(flags(48), 3, "sBPF version in e_flags");
    let table = word(32) as usize;
    let headers = (0..half(56)).map(|number| table + 56 * usize::from(number));
    let code: Vec<usize> = headers
        .filter(|at| flags(at + 4) & EXECUTABLE != 0)
        .collect();
    let [header] = code[..] else {
        panic!("one executable segment, found {}", code.len())
    };
    assert_eq!(word(header + 16), BYTECODE, "address of the byte code");
    let (start, length) = (word(header + 8) as usize, word(header + 32) as usize);
    &elf[start..start + length]
}

/// The id of a system call: murmur3 (32 bits, seed 0) of its name.
pub fn syscall_id(name: &str) -> u32 {
    let mut hash = 0u32;
    let mut blocks = name.as_bytes().chunks_exact(4);
    for block in blocks.by_ref() {
        hash ^= scramble(u32::from_le_bytes(block.try_into().expect("four bytes")));
        hash = hash
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64);
    }
    let mut tail = [0; 4];
    let rest = blocks.remainder();
    tail[..rest.len()].copy_from_slice(rest);
    hash ^= scramble(u32::from_le_bytes(tail));
    hash ^= name.len() as u32;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

fn scramble(block: u32) -> u32 {
    block
        .wrapping_mul(0xcc9e_2d51)
        .rotate_left(15)
        .wrapping_mul(0x1b87_3593)
}

#[cfg(test)]
mod tests {
    use super::syscall_id;

    #[test]
    fn ids_are_those_of_the_runtime() {
        // From the table of the sBPF specification.
        assert_eq!(syscall_id("abort"), 0xb6fc_1a11);
        assert_eq!(syscall_id("sol_log_"), 0x2075_59bd);
        assert_eq!(syscall_id("sol_panic_"), 0x6860_93bb);
        assert_eq!(syscall_id("sol_invoke_signed_c"), 0xa22b_9c85);
        assert_eq!(syscall_id("sol_invoke_signed_rust"), 0xd744_9092);
        assert_eq!(syscall_id("sol_memcpy_"), 0x717c_c4a3);
    }
}
