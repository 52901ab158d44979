//! `cargo xtask bench`: the compute-unit matrix.
//!
//! Every figure is the cost of one transaction with one instruction, run in
//! the embedded SVM on the SBF binary. Compute units are exact: the same
//! binary and book always cost the same, so a change is a fact.

mod book;
mod matrix;
mod report;
mod routes;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures the programs.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compute units per operation at 1,000, 30,000 and 59,000 resting orders.
    Cu {
        /// Prints a JSON array instead of a table.
        #[arg(long)]
        json: bool,
        /// Fails when a median is more than 3 % above the committed baseline.
        #[arg(long)]
        check: bool,
        /// Writes the committed baseline anew.
        #[arg(long)]
        save: bool,
        /// Folder of the built programs.
        #[arg(long, default_value = "target/deploy")]
        programs: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let Command::Cu {
        json,
        check,
        save,
        programs,
    } = arguments.command;
    let rows = matrix::measure(&programs)?;
    if json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        report::print(&rows);
    }
    if save {
        report::save(&rows)?;
    }
    if check {
        report::check(&rows)?;
    }
    Ok(())
}
