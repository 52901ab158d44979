//! Transactions as JSON lines: one object a line, `docs/metrics.md` has the
//! format.

use anyhow::{Context, Result};
use flagstone_sdk::embedded::Sent;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufWriter, Write};
use std::path::Path;

/// A transaction.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Line {
    /// Slot in which it ran.
    pub(crate) slot: u64,
    /// Its first signature: with one, a transaction counts once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signature: Option<String>,
    /// Error, in any form; absent or null when it went through.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) err: Value,
    /// Program and first account of each instruction.
    #[serde(default)]
    pub(crate) instructions: Vec<(String, Option<String>)>,
    /// Log lines; null when the node has none any more.
    pub(crate) logs: Option<Vec<String>>,
}

impl From<&Sent> for Line {
    fn from(sent: &Sent) -> Self {
        let instructions = sent.instructions.iter().map(|one| {
            let account = one.accounts.first().map(|meta| meta.pubkey.to_string());
            (one.program_id.to_string(), account)
        });
        Self {
            slot: sent.slot,
            signature: None,
            err: sent.error.clone().map_or(Value::Null, Value::String),
            instructions: instructions.collect(),
            logs: Some(sent.logs.clone()),
        }
    }
}

/// Reads every line of `input`, which is called `name` in errors.
///
/// # Errors
/// When a line cannot be read, with its number; empty lines are skipped.
pub(crate) fn read(input: impl BufRead, name: &str, mut each: impl FnMut(&Line)) -> Result<()> {
    for (at, text) in input.lines().enumerate() {
        let place = || Cow::Owned::<str>(format!("line {} of {name}", at + 1));
        let text = text.with_context(|| format!("{} cannot be read", place()))?;
        if text.trim().is_empty() {
            continue;
        }
        let line = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a transaction", place()))?;
        each(&line);
    }
    Ok(())
}

/// Writes what was sent to a file.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write(file: &Path, sent: &[Sent]) -> Result<()> {
    let place = || format!("{} cannot be written", file.display());
    let mut out = BufWriter::new(File::create(file).with_context(place)?);
    for one in sent {
        let text = serde_json::to_string(&Line::from(one))?;
        writeln!(out, "{text}").with_context(place)?;
    }
    out.flush().with_context(place)
}
