//! Golden vectors: read from their JSON files, run, compared to the unit.
//!
//! A file has `cases`, each with a `kind`, an `initial` state and `calls`; a call
//! has an `op`, a `mode` (`compat` or `stable`) and what is `expected`. Every
//! value that is expected must have been computed: one that this crate does not
//! know fails the call.
//!
//! | module | what it runs |
//! |---|---|
//! | [`orders`] | quotes, buys, sells, batches |
//! | [`upkeep`] | market upkeep, rebalancing, book metrics |
//! | [`machine`] | VIL programs, joins, arithmetic |
//! | [`lifecycle`] | collateral, lots, inventory and updates of index orders |
//! | [`state`] | markets and indexes to and from JSON |
//! | [`value`] | numbers and comparison |
//!
//! # Superseded
//! In `compat` mode every case of `vil.json` that this crate runs passes to the
//! unit. VIL programs run a second time in the machine's strict mode, which
//! refuses or repairs what [`machine::SUPERSEDED`] lists, with reasons; those
//! are counted as superseded, and any other difference fails. A payment in the
//! order lifecycle gives every number that is expected and then does more,
//! which is counted as superseded too.

pub mod lifecycle;
pub mod machine;
pub mod orders;
pub mod state;
pub mod upkeep;
pub mod value;

use serde_json::Value;
use std::fmt;
use std::path::Path;

/// Result of running a call.
pub type Result<T> = std::result::Result<T, String>;

/// A call that is not counted as passed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Id of the case and the call.
    pub call: String,
    /// Why.
    pub reason: String,
}

/// What came of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Calls that gave what was expected.
    pub passed: usize,
    /// Calls that did not.
    pub failed: Vec<Remark>,
    /// Results that the suite replaces on purpose.
    pub superseded: Vec<Remark>,
    /// Calls of kinds that are not run here.
    pub skipped: Vec<Remark>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, remarks) in [
            ("failed", &self.failed),
            ("superseded", &self.superseded),
            ("not run here", &self.skipped),
        ] {
            for Remark { call, reason } in remarks {
                writeln!(f, "{what}: {call}: {reason}")?;
            }
        }
        write!(
            f,
            "{} passed, {} failed, {} superseded, {} not run here",
            self.passed,
            self.failed.len(),
            self.superseded.len(),
            self.skipped.len()
        )
    }
}

/// Runs every case of a file.
///
/// # Errors
/// A sentence when the file cannot be read or has no cases.
pub fn check_file(path: &Path) -> Result<Report> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let file: Value = serde_json::from_str(&text)
        .map_err(|error| format!("{} is no JSON: {error}", path.display()))?;
    check(&file)
}

/// Runs every case of a file that has been read.
///
/// # Errors
/// A sentence when there are no cases.
pub fn check(file: &Value) -> Result<Report> {
    let cases = file["cases"].as_array().ok_or("the file has no cases")?;
    let mut report = Report::default();
    for case in cases {
        check_case(case, &mut report);
    }
    Ok(report)
}

fn check_case(case: &Value, report: &mut Report) {
    let id = case["id"].as_str().unwrap_or("a case without an id");
    let kind = case["kind"].as_str().unwrap_or("");
    let Some(calls) = case["calls"].as_array().filter(|calls| !calls.is_empty()) else {
        let reason = "the case has no calls".to_owned();
        report.failed.push(Remark {
            call: id.to_owned(),
            reason,
        });
        return;
    };
    for call in calls {
        let name = |part: &str| call[part].as_str().unwrap_or("").to_owned();
        let label = format!("{id} {} {}", name("op"), name("mode"))
            .trim_end()
            .to_owned();
        let remark = |reason: String| Remark {
            call: label.clone(),
            reason,
        };
        let result = match kind {
            "buy" | "sell" | "batch" => orders::run(case, call),
            "maintenance" | "rebalance_target" | "rebalance_execute" | "metrics" => {
                upkeep::run(kind, case, call)
            }
            "vil_program" | "transpose" | "joins" | "amount" => machine::run(kind, case, call),
            "collateral" | "lots" | "inventory" | "index_order" => lifecycle::run(kind, case, call),
            _ => {
                let reason = format!("kind {kind} belongs to the vault");
                report.skipped.push(remark(reason));
                continue;
            }
        };
        if let Ok(own) = &result
            && let Some(reason) = own[lifecycle::SUPERSEDED].as_str()
        {
            report.superseded.push(remark(reason.to_owned()));
        }
        let compared = result.and_then(|own| {
            value::covers(&own, &call["expected"], "")?;
            match call.get("trace") {
                Some(trace) => value::covers(&own["trace"], trace, "trace"),
                None => Ok(()),
            }
        });
        match compared {
            Ok(()) => report.passed += 1,
            Err(reason) => report.failed.push(remark(reason)),
        }
        if kind == "vil_program" {
            match machine::strict_difference(case, call) {
                Ok(None) => {}
                Ok(Some(reason)) => report.superseded.push(remark(reason)),
                Err(reason) => report.failed.push(remark(reason)),
            }
        }
    }
}
