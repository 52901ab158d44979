//! `cargo xtask <task>`: the project's chores.

mod build_sbf;
mod chores;
mod fuzz;

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
    /// Build the programs and run every test
    Test(chores::Rest),
    /// Tell the story of a slab that trades, on the built programs
    Demo(chores::Rest),
    /// Replay market data through a slab
    Replay(chores::Rest),
    /// Measure: `cu` prints compute units per operation, `host` nanoseconds
    Bench(chores::Rest),
    /// Print where every byte of a slab goes
    Layout(chores::Rest),
    /// Look into a recording of the index-vault: `audit` replays its histories
    Index(chores::Rest),
    /// Run files of golden vectors on the kernels and the order lifecycle, and count what passes
    Vectors(chores::Rest),
    /// Run every fuzz target for a while
    Fuzz(fuzz::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::BuildSbf(args) => build_sbf::run(&args),
        Task::Test(rest) => chores::test(&rest),
        Task::Demo(rest) => chores::flagstone("demo", &rest),
        Task::Replay(rest) => chores::flagstone("replay", &rest),
        Task::Bench(rest) => chores::bench(&rest),
        Task::Layout(rest) => chores::layout(&rest),
        Task::Index(rest) => chores::index(&rest),
        Task::Vectors(rest) => chores::vectors(&rest),
        Task::Fuzz(args) => fuzz::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
