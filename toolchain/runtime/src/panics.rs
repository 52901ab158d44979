//! Panics and failed allocations: say what happened in the log, then abort.

use core::fmt::Write as _;
use core::panic::{Location, PanicInfo};

unsafe extern "C" {
    fn sol_log_(text: *const u8, len: u64);
    fn abort() -> !;
}

/// A line of the log. It lives on the panicking frame, so it is short, and what
/// does not fit is cut.
struct Line {
    bytes: [u8; 512],
    len: usize,
}

impl core::fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        for (to, from) in room.iter_mut().zip(text.bytes()) {
            *to = from;
            self.len += 1;
        }
        Ok(())
    }
}

impl Line {
    const fn new() -> Self {
        Self {
            bytes: [0; 512],
            len: 0,
        }
    }

    fn log_and_abort(&self) -> ! {
        // SAFETY: `len` bytes were written and no more than there are.
        unsafe {
            sol_log_(self.bytes.as_ptr(), self.len as u64);
            abort()
        }
    }
}

/// Takes the place of std's panic handler.
#[unsafe(no_mangle)]
#[inline(never)]
#[cold]
pub extern "C" fn flagstone_panic(info: &PanicInfo<'_>) -> ! {
    let mut line = Line::new();
    // Cutting is not an error, and there is nobody to tell of one.
    let _ = write!(line, "{info}");
    line.log_and_abort()
}

/// A panic whose payload is not text.
#[unsafe(no_mangle)]
#[inline(never)]
#[cold]
pub extern "C" fn flagstone_panic_at(location: &Location<'_>) -> ! {
    let mut line = Line::new();
    let _ = write!(line, "panicked at {location}");
    line.log_and_abort()
}

/// An allocation that the program's allocator could not serve.
#[unsafe(no_mangle)]
#[inline(never)]
#[cold]
pub extern "C" fn flagstone_out_of_memory() -> ! {
    let mut line = Line::new();
    let _ = line.write_str("memory allocation failed");
    line.log_and_abort()
}
