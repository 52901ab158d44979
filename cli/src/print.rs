//! Standard output that may be closed early, as `| head` does.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write as _};
use std::process;

/// Status of a command whose reader left: what a shell shows when the signal
/// of a broken pipe ends a command.
const READER_LEFT: i32 = 128 + 13;
/// Status when the output cannot be written.
const UNWRITABLE: i32 = 1;

/// Prints a line. A closed pipe ends the command quietly, for nobody reads on.
macro_rules! tell {
    ($($part:tt)*) => { $crate::print::line(format_args!($($part)*)) };
}
pub(crate) use tell;

/// Prints a line; what [`tell`] stands for.
pub(crate) fn line(text: Arguments<'_>) {
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
