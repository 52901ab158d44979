//! The index's story: a market, an index, a batch of buys, a sell, an order
//! through the six roles, and the audit of all of it.
//!
//! | module | room for |
//! |---|---|
//! | [`stage`] | keys, people, sending, recording, looking over the books |
//! | [`view`] | where all the money is, and whether it adds up |
//! | [`books`] | order books from a seed |
//! | [`market`] | the market of 150, the index of 50, its quote |
//! | [`orders`] | two buys in a batch, in chunks; minting; a sell |
//! | [`desk`], [`deal`] | two orders through the desk's six roles, and their batch |

mod books;
mod deal;
mod desk;
mod market;
mod orders;
mod stage;
mod view;

use super::story::say;
use super::tables;
use crate::checks::{self, Check};
use crate::flow::generated::Random;
use crate::index;
use crate::print::tell;
use anyhow::{Context, Result};
use stage::Stage;
use std::path::Path;
use view::View;

/// Tells the story; `true` when all its checks hold. Transactions and accounts
/// are written to `record`, for `flagstone index audit`.
///
/// # Errors
/// When a program is missing or a transaction failed that should not.
pub(super) fn tell(programs: &Path, seed: u64, record: Option<&Path>) -> Result<bool> {
    tell!("An index of 50 assets over a market of 150\n");
    let mut random = Random(seed);
    let mut stage = Stage::open(programs, seed)?;
    tell!("1. A market of 150 assets");
    market::market(&mut stage)?;
    tell!("\n2. An index of 50");
    let parts = market::make_index(&mut stage, seed)?;
    for name in ["Judy", "Karl"] {
        stage.meet(name)?;
    }
    let before = View::of(&stage)?.context("there is no index")?;
    tell!("\n3. Its quote");
    market::quote(&mut stage)?;
    tell!("\n4. Two buys in one batch");
    let scarce = parts[seed as usize % parts.len()];
    let mut trades = orders::batch(&mut stage, &scarce)?;
    tell!("\n5. The rest of the orders, and the mint");
    orders::rest(&mut stage, &mut trades, &scarce)?;
    show(&stage)?;
    tell!("\n6. A sell");
    orders::sell(&mut stage, &mut trades, &mut random)?;
    show(&stage)?;
    tell!("\n7. Two orders through the desk's six roles");
    desk::tell(&mut stage, &parts, &mut random)?;
    show(&stage)?;
    stage.record_accounts()?;
    if let Some(folder) = record {
        stage.recording.write(folder)?;
    }
    tell!("\n8. The audit");
    audit(&mut stage)?;
    finish(stage, &before)
}

/// What everyone has now.
fn show(stage: &Stage) -> Result<()> {
    let view = View::of(stage)?.context("there is no index")?;
    tell!("{}", view.purses());
    Ok(())
}

/// Replays what the story recorded.
fn audit(stage: &mut Stage) -> Result<()> {
    let report = index::audit::run(&stage.recording);
    tell!("{}", report.summary());
    for sum in &report.sums {
        say!("{}", sum.what);
    }
    let (events, findings) = (report.events(), report.findings.len());
    stage.found.push(Check::new(
        format!("audit: {events} events replayed from nothing, {findings} findings"),
        findings == 0 && events > 0,
    ));
    for finding in &report.findings {
        tell!("  {finding}");
    }
    Ok(())
}

fn finish(mut stage: Stage, before: &View) -> Result<bool> {
    let after = View::of(&stage)?.context("there is no index")?;
    tell!(
        "\nCompute units per instruction\n{}",
        tables::compute_units(&stage.steps)
    );
    tell!("Before, in dollars and tokens\n{}", before.purses());
    tell!("After\n{}", after.purses());
    tell!("What market, desk and index hold\n{}", after.holdings());
    tell!("Checks");
    let mut found = std::mem::take(&mut stage.found);
    found.push(Check::new(
        format!(
            "all books agreed after each of {} transactions; now:",
            stage.audits
        ),
        stage.broken.is_none(),
    ));
    // The last look, or the first that found something wrong.
    found.extend(stage.broken.unwrap_or_else(|| after.checks()));
    Ok(checks::print(&found))
}
