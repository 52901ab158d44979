//! `flagstone replay`: order flow through a slab, without a story.

use crate::flow::{self, CASH_ATOMS, Feed, MAKERS, Mode, report::Report};
use crate::venue::{Chains, Host, Svm, Venue};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};

/// Instructions per transaction: what four session keys leave room for.
const BATCH: usize = 8;

/// Arguments of `flagstone replay`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Databento market-by-order file, .dbn or .dbn.zst [default: a generated flow]
    #[arg(long, value_name = "FILE")]
    dbn: Option<PathBuf>,
    /// Run the programs in the embedded SVM (the default)
    #[arg(long, conflicts_with = "host")]
    svm: bool,
    /// Run the bare engine on a buffer: fast, no compute units
    #[arg(long)]
    host: bool,
    #[command(flatten)]
    options: Options,
    /// Instructions per transaction
    #[arg(long, value_name = "N", default_value_t = BATCH, value_parser = batch_size)]
    batch: usize,
}

/// What demo and replay have in common.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Records to use after those that open the book [default: all of a file; 2000 in the demo
    /// and of a generated flow]
    #[arg(long, value_name = "N")]
    pub(crate) events: Option<usize>,
    /// Records that drive the slab [default: maintain for a file, trade for a generated flow]
    #[arg(long, value_enum)]
    pub(crate) mode: Option<Mode>,
    /// Seed of the generated flow
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub(crate) seed: u64,
    /// Folder of the built programs
    #[arg(long, value_name = "DIR", default_value = "target/deploy")]
    pub(crate) programs: PathBuf,
}

fn batch_size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(batch @ 1..=BATCH) => Ok(batch),
        _ => Err(format!("not a number from 1 to {BATCH}")),
    }
}

/// Reads or generates the flow.
///
/// # Errors
/// When the file cannot be read or there is nothing to replay.
pub(crate) fn feed(file: Option<&Path>, options: &Options, events: usize) -> Result<Feed> {
    ensure!(
        options.events != Some(0),
        "--events 0 leaves nothing to replay"
    );
    match file {
        Some(file) => {
            let mut feed = flow::dbn::read(file)?;
            feed.truncate(events);
            Ok(feed)
        }
        None => Ok(flow::generated::generate(options.seed, events)),
    }
}

/// Replays a feed on a fresh slab: of an embedded chain, or of the bare engine.
///
/// # Errors
/// When the venue cannot start or fails.
pub(crate) fn replay(
    feed: &Feed,
    mode: Option<Mode>,
    chains: Option<&Chains>,
    batch: usize,
) -> Result<Report> {
    let mode = mode.unwrap_or(feed.mode);
    let mark = feed.first_middle().context(
        "the records never show a bid and an ask together; use more of them with --events",
    )?;
    let params = feed.instrument(mark);
    let users = MAKERS + 1;
    let mut venue: Box<dyn Venue> = match chains {
        Some(chains) => Box::new(Svm::start(chains, &params, users, CASH_ATOMS)?),
        None => Box::new(Host::start(&params, users, CASH_ATOMS)?),
    };
    flow::replay::run(feed, mode, venue.as_mut(), batch)
}

/// Runs the command.
///
/// # Errors
/// When the replay could not run or a check does not hold.
pub(crate) fn run(args: &Args) -> Result<()> {
    let file = args.dbn.as_deref();
    let all = if file.is_some() {
        usize::MAX
    } else {
        GENERATED_EVENTS
    };
    let feed = feed(file, &args.options, args.options.events.unwrap_or(all))?;
    let chains = Chains::new(&args.options.programs);
    let chains = (!args.host || args.svm).then_some(&chains);
    let report = replay(&feed, args.options.mode, chains, args.batch)?;
    ensure!(report.print(), "a check does not hold");
    Ok(())
}

/// Records that the demo uses unless told otherwise.
pub(crate) const GENERATED_EVENTS: usize = 2_000;
