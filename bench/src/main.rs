//! `cargo xtask bench`: the compute-unit matrix, and the engine on the host.
//!
//! Every compute-unit figure is the cost of one transaction with one instruction, run in
//! the embedded SVM on the SBF binary; those of the index kernels are the kernel alone
//! (`kernels`). Compute units are exact: the same binary and book always cost the
//! same, so a change is a fact.

#[allow(unreachable_pub, reason = "public in the end-to-end tests")]
mod batch;
mod book;
mod called;
mod governance;
mod host;
mod index;
mod kernels;
mod liquidations;
mod matrix;
mod paper;
mod report;
mod routes;
// What the test program runs, compiled for the host.
#[allow(unreachable_pub, reason = "public in the program")]
#[path = "../../tests/programs/kernels/src/work.rs"]
mod work;

use anyhow::{Context as _, Result};
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
        /// Fails when a median is more than 3 % above the committed baseline, or an operation above its budget.
        #[arg(long)]
        check: bool,
        /// Writes the committed baseline anew.
        #[arg(long)]
        save: bool,
        /// Folder of the built programs.
        #[arg(long, default_value = "target/deploy")]
        programs: PathBuf,
        /// Measures the index kernels and the index-vault alone; neither checks nor saves.
        #[arg(long, conflicts_with_all = ["check", "save"])]
        kernels: bool,
        #[command(flatten)]
        prices: paper::Prices,
    },
    /// The four join variants of the VIL machine beside the paper's Table 3.
    Joins {
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

/// Where the golden vectors are, or what to do about it.
fn vectors() -> Result<PathBuf> {
    kernels::vectors().context(
        "vil.json is not there: name the folder of the golden vectors in FLAGSTONE_VECTORS",
    )
}

fn run(arguments: Arguments) -> Result<()> {
    let (json, check, save, programs, only_kernels, prices) = match arguments.command {
        Command::Cu {
            json,
            check,
            save,
            programs,
            kernels,
            prices,
        } => (json, check, save, programs, kernels, prices),
        Command::Joins { programs } => {
            paper::print_joins(&kernels::joins(&programs, &vectors()?)?);
            return Ok(());
        }
        Command::Host { json } => return host(json),
    };
    let rows = if only_kernels {
        let mut rows = kernels::measure(&programs, &vectors()?)?;
        rows.extend(index::measure(&programs, &vectors()?)?);
        rows
    } else {
        matrix::measure(&programs, kernels::vectors().as_deref())?
    };
    if json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        report::print(&rows);
        paper::print_buy(&rows, &prices);
    }
    if save {
        report::save(&rows)?;
    }
    if check {
        report::check(&rows)?;
    }
    Ok(())
}
