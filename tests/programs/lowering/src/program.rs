//! The on-chain side: reads the input, runs operations, has a heap.

use std::alloc::{GlobalAlloc, Layout};

use crate::{RECORD, failure, ops};

const HEAP: usize = 0x3_0000_0000;
const HEAP_BYTES: usize = 32 * 1024;

/// Hands out the heap once per instruction, except that [`Bump::reset`] starts over.
struct Bump;

#[global_allocator]
static HEAP_ALLOCATOR: Bump = Bump;

impl Bump {
    /// The first word of the heap is the address of the first free byte, or zero.
    fn next() -> *mut usize {
        HEAP as *mut usize
    }

    /// Forgets everything that was handed out.
    fn reset() {
        // SAFETY: the SVM maps the heap at this address, zeroed, for this program alone.
        unsafe { *Self::next() = 0 }
    }
}

// SAFETY: ranges are handed out once each between resets, aligned and inside the heap.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `reset`.
        let next = unsafe { &mut *Self::next() };
        let start = (*next).max(HEAP + 8).next_multiple_of(layout.align());
        match start.checked_add(layout.size()) {
            Some(end) if end <= HEAP + HEAP_BYTES => {
                *next = end;
                start as *mut u8
            }
            _ => std::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

/// A 64-bit number of the input.
///
/// # Safety
/// `at` must point to eight readable bytes.
unsafe fn word(at: *const u8) -> usize {
    // SAFETY: by the contract above; alignment does not matter to this read.
    unsafe { at.cast::<usize>().read_unaligned() }
}

/// The program's entry point.
///
/// # Safety
/// `input` is what the runtime passes: one account with data, then instruction data.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn entrypoint(input: *mut u8) -> u64 {
    const ACCOUNT_HEADER: usize = 8 + 8 + 32 + 32 + 8;
    const GROWTH: usize = 10_240;
    // SAFETY: the layout of the input is the runtime's: number of accounts, the
    // account (header, length, data, room to grow, padding, rent epoch), instruction data.
    let (records, data) = unsafe {
        let account = input.add(8);
        let length = word(account.add(ACCOUNT_HEADER - 8));
        let start = account.add(ACCOUNT_HEADER);
        let records = std::slice::from_raw_parts_mut(start, length);
        let end = ACCOUNT_HEADER + (length + GROWTH).next_multiple_of(8) + 8;
        let instruction = account.add(end);
        let data = std::slice::from_raw_parts(instruction.add(8), word(instruction));
        (records, data)
    };
    match *data {
        [0, low, high] => run_all(u16::from_le_bytes([low, high]), records),
        [1, kind, n] => failure::cause(kind, u64::from(n)) & 0,
        _ => 1,
    }
}

fn run_all(number: u16, records: &mut [u8]) -> u64 {
    let Some(op) = ops::nth(usize::from(number)) else {
        return 2;
    };
    for record in records.chunks_exact_mut(RECORD) {
        Bump::reset();
        let operand = |at: usize| {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&record[at..at + 16]);
            u128::from_le_bytes(bytes)
        };
        let words = ops::run(op, operand(0), operand(16));
        record[32..48].copy_from_slice(&words[0].to_le_bytes());
        record[48..64].copy_from_slice(&words[1].to_le_bytes());
    }
    0
}
