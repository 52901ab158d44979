//! Runs files of golden vectors: `flagstone-vectors FILE...`.

use flagstone_vectors::check_file;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() {
        eprintln!("error: say which files: `cargo xtask vectors FILE...`");
        return ExitCode::FAILURE;
    }
    let mut good = true;
    for file in files {
        match check_file(Path::new(&file)) {
            Ok(report) => {
                println!("{file}\n{report}");
                good &= report.failed.is_empty();
            }
            Err(error) => {
                eprintln!("error: {error}");
                good = false;
            }
        }
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
