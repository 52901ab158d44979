//! `flagstone index`: markets, indices and their orders, looked into.
//!
//! | module | room for |
//! |---|---|
//! | [`audit`] | replays every stream from nothing; what adds up across them |
//! | [`history`] | events out of transaction logs, stream by stream |
//! | [`records`] | the accounts, by kind |
//! | [`money`], [`demand`] | sums over streams: custody, supply, demand |
//! | [`links`] | events of one stream that another one speaks of |
//! | [`report`] | the table of streams and the list of findings |
//! | [`recording`] | the files that all of it is read from |

pub(crate) mod audit;
mod demand;
mod history;
mod links;
mod money;
pub(crate) mod recording;
mod records;
mod report;

use crate::print::tell;
use anyhow::{Result, bail};
use recording::Recording;
use std::path::PathBuf;

/// What to look into.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Replay the hash-chained histories and prove that nothing is missing
    Audit(Args),
}

/// Arguments of `flagstone index audit`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Recordings: folders with transactions.jsonl and accounts.jsonl, or files of such lines
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When a recording cannot be read, or something was found.
pub(crate) fn run(command: &Command) -> Result<()> {
    let Command::Audit(args) = command;
    let recording = Recording::read(&args.paths)?;
    let report = audit::run(&recording);
    if args.json {
        tell!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        report.print();
    }
    match report.findings.len() {
        0 => Ok(()),
        1 => bail!("the audit has one finding"),
        count => bail!("the audit has {count} findings"),
    }
}
