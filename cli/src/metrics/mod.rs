//! `flagstone metrics`: transaction logs become Prometheus metrics.
//!
//! | module | room for |
//! |---|---|
//! | [`lines`] | transactions as JSON lines |
//! | [`registry`] | which metrics there are |
//! | [`collect`] | what each transaction and each event adds |
//! | [`books`] | books rebuilt from events: depth, spread, reserved lots |
//!
//! `docs/metrics.md` lists them all.

mod books;
mod collect;
mod lines;
mod registry;

pub(crate) use lines::write;

use crate::demo;
use crate::print::{self, tell};
use crate::venue::Chains;
use anyhow::{Context, Result, ensure};
use collect::Collector;
use flagstone_sdk::embedded::Journal;
use lines::Line;
use prometheus::TextEncoder;
use prometheus::proto::{MetricFamily, MetricType};
use registry::Metrics;
use serde_json::{Map, Value, json};
use solana_address::Address;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;

/// Records of the generated flow in the demo's last part.
const DEMO_EVENTS: usize = 200;

/// Arguments of `flagstone metrics`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Transactions as JSON lines, oldest first; - or nothing reads standard input
    file: Option<PathBuf>,
    /// Run the demo's story in the embedded SVM and count that
    #[arg(long, conflicts_with = "file")]
    demo: bool,
    /// Print one JSON object instead of Prometheus' text format
    #[arg(long)]
    json: bool,
    /// Count this slab apart and all others together; may be repeated [default: each slab apart]
    #[arg(long = "slab", value_name = "ADDRESS")]
    slabs: Vec<Address>,
    /// Folder of the built programs, for --demo
    #[arg(long, value_name = "DIR", default_value = "target/deploy")]
    programs: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When the input cannot be read, or the demo's story failed.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut collector = Collector::new(&args.slabs)?;
    if args.demo {
        let journal = Journal::new();
        let chains = Chains {
            journal: Some(journal.clone()),
            ..Chains::new(&args.programs)
        };
        let feed = crate::flow::generated::generate(1, DEMO_EVENTS);
        let told = print::quietly(|| demo::tell_all(&chains, &feed, None));
        ensure!(told?, "a check of the demo does not hold");
        let sent = journal.take();
        sent.iter()
            .for_each(|one| collector.transaction(&Line::from(one)));
    } else {
        let stdin = PathBuf::from("-");
        let file = args.file.as_ref().filter(|file| **file != stdin);
        let each = |line: &Line| collector.transaction(line);
        match file {
            Some(file) => {
                let name = file.display().to_string();
                let open = File::open(file).with_context(|| format!("{name} cannot be read"))?;
                lines::read(BufReader::new(open), &name, each)?;
            }
            None => lines::read(io::stdin().lock(), "standard input", each)?,
        }
    }
    let metrics = collector.finish();
    match args.json {
        true => tell!("{}", serde_json::to_string_pretty(&object(&metrics))?),
        false => tell!("{}", text(&metrics)?.trim_end()),
    }
    Ok(())
}

/// Prometheus' text format.
fn text(metrics: &Metrics) -> Result<String> {
    Ok(TextEncoder::new().encode_to_string(&metrics.gather())?)
}

/// One field per metric: its type, what it is, and its samples.
fn object(metrics: &Metrics) -> Value {
    let families = metrics.gather();
    let fields = families.iter().map(|family| {
        let value = json!({
            "type": if family.get_field_type() == MetricType::GAUGE { "gauge" } else { "counter" },
            "help": family.help(),
            "samples": samples(family),
        });
        (family.name().to_string(), value)
    });
    Value::Object(fields.collect())
}

fn samples(family: &MetricFamily) -> Vec<Value> {
    let gauge = family.get_field_type() == MetricType::GAUGE;
    let samples = family.get_metric().iter().map(|metric| {
        let labels = metric.get_label().iter();
        let labels: Map<_, _> = labels
            .map(|label| (label.name().to_string(), json!(label.value())))
            .collect();
        let value = match gauge {
            true => metric.get_gauge().get_value(),
            false => metric.get_counter().get_value(),
        };
        // Counts are whole numbers, which Prometheus keeps as floats.
        json!({ "labels": labels, "value": value as i64 })
    });
    samples.collect()
}
