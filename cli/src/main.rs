//! The `flagstone` command.
//!
//! | module | room for |
//! |---|---|
//! | [`layout`] | where the bytes of a slab go |
//! | [`demo`] | an exchange at work, told as it happens |
//! | [`keeper`] | the keepers at work in a market that crashes |
//! | [`metrics`] | transaction logs become Prometheus metrics |
//! | [`replay`] | order flow through a slab, without a story |
//! | [`flow`] | order flow, recorded or generated, and replaying it |
//! | [`mod@index`] | the index-vault's history, audited |
//! | [`venue`] | where operations run: the programs in an SVM, or the bare engine |
//! | [`checks`] | what has to hold at the end of a run |
//! | [`compute`], [`table`] | compute units out of logs; tables and numbers |
//! | [`mod@print`] | standard output that may be closed early |

mod checks;
mod compute;
mod demo;
mod flow;
mod index;
mod keeper;
mod layout;
mod metrics;
mod print;
mod replay;
mod table;
mod venue;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(name = "flagstone", version, about = "An exchange suite for Solana")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show where the bytes of a slab go
    Layout(layout::Args),
    /// Run an exchange in the embedded SVM and tell what happens
    Demo(demo::Args),
    /// Replay order flow and compare the book with a model
    Replay(replay::Args),
    /// Run the keepers against a market that crashes, in the embedded SVM
    Keeper(keeper::Args),
    /// Turn transaction logs into Prometheus metrics
    Metrics(metrics::Args),
    /// Look into markets, indices and their orders
    #[command(subcommand)]
    Index(index::Command),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Layout(args) => layout::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Keeper(args) => keeper::run(&args),
        Command::Metrics(args) => metrics::run(&args),
        Command::Index(command) => index::run(&command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::complain(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
