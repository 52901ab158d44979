//! `cargo xtask bench`: the compute-unit matrix, and the engine on the host.
//!
//! Every compute-unit figure is the cost of one transaction with one instruction, run in
//! the embedded SVM on the SBF binary. Compute units are exact: the same
//! binary and book always cost the same, so a change is a fact.

mod book;
mod host;
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
    /// Nanoseconds per operation of the engine on this machine.
    Host {
        /// Prints a JSON array instead of a table.
        #[arg(long)]
        json: bool,
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

fn host(json: bool) -> Result<()> {
    let figures = host::measure()?;
    if json {
        println!("{}", serde_json::to_string_pretty(&figures)?);
    } else {
        host::print(&figures);
    }
    Ok(())
}

fn run(arguments: Arguments) -> Result<()> {
    let (json, check, save, programs) = match arguments.command {
        Command::Cu {
            json,
            check,
            save,
            programs,
        } => (json, check, save, programs),
        Command::Host { json } => return host(json),
    };
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
