//! `flagstone demo`: an exchange at work, told as it happens.
//!
//! | module | room for |
//! |---|---|
//! | [`story`] | the stage: people, their money, telling and measuring |
//! | [`chapters`] | what happens, one function per chapter |
//! | [`tables`] | compute units and balances |
//! | [`route`] | part two: one order over two slabs |
//! | [`crash`] | part three: a crash, and the keeper's liquidation |
//! | [`index`] | another story: a market, an index over it, and its orders |

mod chapters;
mod crash;
mod index;
mod route;
mod story;
mod tables;

use crate::flow::{Feed, Mode};
use crate::metrics;
use crate::print::tell;
use crate::replay::{self, GENERATED_EVENTS, Options};
use crate::venue::Chains;
use anyhow::{Result, ensure};
use flagstone_sdk::embedded::Journal;
use std::path::PathBuf;

/// Instructions per transaction of the demo's flow.
const BATCH: usize = 8;

/// Stories that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Tale {
    /// Slabs, routed orders, a crash, and order flow
    Exchange,
    /// A market of assets, an index over it, and index orders
    Index,
}

/// Arguments of `flagstone demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Story to tell
    #[arg(long, value_enum, default_value_t = Tale::Exchange)]
    story: Tale,
    /// Folder to write transaction logs and accounts to, for `flagstone index audit`; index story only
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Databento market-by-order file for the flow, .dbn or .dbn.zst [default: a generated flow]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Writes every transaction to a file, one JSON object a line, as `flagstone metrics` reads them
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

/// Runs the command.
///
/// # Errors
/// When something cannot be read or started, a transaction fails that should
/// not, or a check does not hold.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.story == Tale::Index {
        let record = args.record.as_deref();
        let holds = index::tell(&args.options.programs, args.options.seed, record)?;
        ensure!(holds, "a check does not hold");
        tell!("\nEverything holds.");
        return Ok(());
    }
    ensure!(args.record.is_none(), "--record goes with --story index");
    let events = args.options.events.unwrap_or(GENERATED_EVENTS);
    // Read before the story starts, so that a wrong path is told at once.
    let feed = replay::feed(args.data.as_deref(), &args.options, events)?;
    let mut chains = Chains::new(&args.options.programs);
    let journal = Journal::new();
    chains.journal = args.log.as_ref().map(|_| journal.clone());
    let told = tell_all(&chains, &feed, args.options.mode);
    // What went wrong can be read there as well.
    if let Some(file) = &args.log {
        metrics::write(file, &journal.take())?;
    }
    ensure!(told?, "a check does not hold");
    tell!("\nEverything holds.");
    Ok(())
}

/// Tells every part; `true` when all checks hold.
///
/// # Errors
/// As [`run`].
pub(crate) fn tell_all(chains: &Chains, feed: &Feed, mode: Option<Mode>) -> Result<bool> {
    let mut holds = chapters::tell(chains)?;
    holds &= route::tell(chains)?;
    holds &= crash::tell(chains)?;
    tell!("\nPart four: order flow through a fresh slab of the same size\n");
    let report = replay::replay(feed, mode, Some(chains), BATCH)?;
    holds &= report.print();
    Ok(holds)
}
