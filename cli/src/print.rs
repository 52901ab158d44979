//! Standard output that may be closed early, as `| head` does.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write as _};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

/// Status of a command whose reader left: what a shell shows when the signal
/// of a broken pipe ends a command.
const READER_LEFT: i32 = 128 + 13;
/// Status when the output cannot be written.
const UNWRITABLE: i32 = 1;

/// Whether lines are kept back for now.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Runs something that tells what it does, and says nothing of it.
pub(crate) fn quietly<R>(what: impl FnOnce() -> R) -> R {
    QUIET.store(true, Ordering::Relaxed);
    let result = what();
    QUIET.store(false, Ordering::Relaxed);
    result
}

/// Prints a line. A closed pipe ends the command quietly, for nobody reads on.
macro_rules! tell {
    ($($part:tt)*) => { $crate::print::line(format_args!($($part)*)) };
}
pub(crate) use tell;

/// Prints a line; what [`tell`] stands for.
pub(crate) fn line(text: Arguments<'_>) {
    if QUIET.load(Ordering::Relaxed) {
        return;
    }
    let Err(error) = writeln!(io::stdout().lock(), "{text}") else {
        return;
    };
    if error.kind() == ErrorKind::BrokenPipe {
        process::exit(READER_LEFT);
    }
    complain(format_args!("the output cannot be written: {error}"));
    process::exit(UNWRITABLE);
}

/// Writes an error to standard error, if anyone reads that.
pub(crate) fn complain(text: Arguments<'_>) {
    // There is nowhere left to tell that this failed.
    let _ = writeln!(io::stderr().lock(), "error: {text}");
}
