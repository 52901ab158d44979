//! The on-chain side: finds the account's bytes and lends the heap to the machine.

use crate::work;
use std::alloc::{GlobalAlloc, Layout};

const HEAP: usize = 0x3_0000_0000;

/// Kernels allocate nothing, so that nothing is ever handed out.
struct NoHeap;

#[global_allocator]
static HEAP_ALLOCATOR: NoHeap = NoHeap;

// SAFETY: no memory at all is an allocator that is always full.
unsafe impl GlobalAlloc for NoHeap {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        std::ptr::null_mut()
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
    let (bytes, data) = unsafe {
        let account = input.add(8);
        let length = word(account.add(ACCOUNT_HEADER - 8));
        let start = account.add(ACCOUNT_HEADER);
        let bytes = std::slice::from_raw_parts_mut(start, length);
        let end = ACCOUNT_HEADER + (length + GROWTH).next_multiple_of(8) + 8;
        let instruction = account.add(end);
        let data = std::slice::from_raw_parts(instruction.add(8), word(instruction));
        (bytes, data)
    };
    // SAFETY: the transaction asks for a heap of at least this size, which the
    // SVM maps here, zeroed and aligned, and which nothing else uses.
    let words = unsafe { std::slice::from_raw_parts_mut(HEAP as *mut u128, work::HEAP_WORDS) };
    match *data {
        [op, option] => match work::run(op, option, bytes, words) {
            Ok(()) => 0,
            Err(code) => u64::from(code),
        },
        _ => u64::from(work::BAD_INPUT),
    }
}
