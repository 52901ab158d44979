//! Printing the matrix and comparing it with the committed baseline.

use crate::matrix::Row;
use anyhow::{Context, Result, bail};
use comfy_table::{Cell, CellAlignment, Table};

/// Operations whose names are fixed; those that do not exist yet have no row.
pub(crate) const OPERATIONS: &[&str] = &[
    "place_post_only",
    "cancel_handle",
    "batch_5c5p",
    "take_1",
    "take_5",
    "take_10",
    "reserve_1",
    "reserve_5",
    "commit_1",
    "commit_5",
    "open_route_3",
    "settle_route_3",
    "route_3_total",
    "settle",
    "deposit",
    "withdraw",
    "liquidate_leg_5",
    "update_quote_50_150",
    "buy_50_150",
    "buy_100_150",
    "sell_50_150",
    "buy_50_150_compat",
    "buy_50_150_vil",
    "nav_100",
    "cap_100_phase",
    "tracker_mark_5",
];

/// Most compute units that the specification of the kernels allows.
const CEILINGS: &[(&str, u64)] = &[
    ("update_quote_50_150", 20_000),
    ("buy_50_150", 60_000),
    ("buy_100_150", 110_000),
    ("sell_50_150", 60_000),
];

/// Times what the native kernel costs that its listing may cost on the machine.
const LISTING_FACTOR: u64 = 6;

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.json");

/// Prints the matrix as a table.
pub(crate) fn print(rows: &[Row]) {
    let mut table = Table::new();
    table.set_header(["operation", "resting orders", "n", "p50 CU", "min", "max"]);
    for row in rows {
        let numbers = [row.resting_orders, row.n, row.p50, row.min, row.max];
        let mut cells = vec![Cell::new(&row.op)];
        cells.extend(numbers.map(|number| Cell::new(number).set_alignment(CellAlignment::Right)));
        table.add_row(cells);
    }
    println!("{table}");
    let missing: Vec<&str> = OPERATIONS
        .iter()
        .filter(|op| !rows.iter().any(|row| row.op == **op))
        .copied()
        .collect();
    println!("not built yet: {}", missing.join(", "));
}

/// Writes the baseline.
pub(crate) fn save(rows: &[Row]) -> Result<()> {
    let text = serde_json::to_string_pretty(rows)? + "\n";
    std::fs::write(BASELINE, text).with_context(|| format!("{BASELINE} cannot be written"))
}

/// What costs more than it may, at most as opposed to in the median.
fn above_ceilings(rows: &[Row]) -> Vec<String> {
    let find = |op: &str| rows.iter().find(|row| row.op == op);
    let mut above = Vec::new();
    for (op, ceiling) in CEILINGS {
        match find(op) {
            Some(row) if row.max <= *ceiling => {}
            Some(row) => above.push(format!("{op}: {} CU, at most {ceiling}", row.max)),
            None => above.push(format!("{op} is not measured")),
        }
    }
    if let (Some(listing), Some(native)) = (find("buy_50_150_vil"), find("buy_50_150_compat"))
        && listing.max > native.min * LISTING_FACTOR
    {
        above.push(format!(
            "buy_50_150_vil: {} CU, at most {LISTING_FACTOR} times {}",
            listing.max, native.min
        ));
    }
    above
}

/// Fails when a median is more than 3 % above its baseline, or a kernel above its ceiling.
pub(crate) fn check(rows: &[Row]) -> Result<()> {
    let text =
        std::fs::read_to_string(BASELINE).with_context(|| format!("{BASELINE} cannot be read"))?;
    let baseline: Vec<Row> = serde_json::from_str(&text).context("the baseline is not JSON")?;
    let mut worse = Vec::new();
    // The kernels have no slab, and are not measured without the vectors.
    let kernels = rows.iter().any(|row| row.slab_bytes == 0);
    for old in baseline.iter().filter(|old| kernels || old.slab_bytes > 0) {
        let same = |row: &&Row| row.op == old.op && row.resting_orders == old.resting_orders;
        match rows.iter().find(same) {
            Some(new) if new.p50 * 100 > old.p50 * 103 => worse.push(format!(
                "{} at {} orders: {} CU, was {}",
                new.op, new.resting_orders, new.p50, old.p50
            )),
            Some(_) => {}
            None => worse.push(format!("{} is no longer measured", old.op)),
        }
    }
    let above = if kernels {
        above_ceilings(rows)
    } else {
        Vec::new()
    };
    if !above.is_empty() {
        bail!(
            "compute units above the specification: {}",
            above.join("; ")
        );
    }
    if !worse.is_empty() {
        bail!("compute units rose by more than 3 %: {}", worse.join("; "));
    }
    eprintln!(
        "compute units: {} medians within 3 % of the baseline",
        baseline.len()
    );
    Ok(())
}
