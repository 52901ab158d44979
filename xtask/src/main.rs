//! `cargo xtask <task>`: the project's chores.

mod build_sbf;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's chores")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the on-chain programs
    BuildSbf(build_sbf::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::BuildSbf(args) => build_sbf::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
