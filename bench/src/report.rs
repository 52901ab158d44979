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
    "route_3_by_cpi",
    "route_3_cpi_rule",
    "settle",
    "deposit",
    "withdraw",
    "liquidate_leg_5",
    "propose",
    "execute",
    "pause",
    "hash_program_1",
    "confirm_program",
    "verify_root",
    "claim_withdrawal",
    "pay_claim",
    "update_quote_50_150",
    "buy_50_150",
    "buy_100_150",
    "sell_50_150",
    "buy_50_150_compat",
    "buy_50_150_vil",
    "index_update_quote_50_150",
    "index_update_quote_equal_50_150",
    "index_execute_buy_50_150",
    "index_execute_sell_50_150",
    "nav_100",
    "cap_100_phase",
    "tracker_mark_5",
];

/// Most compute units that the specification allows.
const BUDGETS: &[(&str, u64)] = &[
    ("place_post_only", 2_500),
    ("cancel_handle", 1_200),
    ("batch_5c5p", 12_000),
    ("take_1", 4_000),
    ("take_5", 11_000),
    ("take_10", 19_000),
    ("reserve_1", 3_000),
    ("reserve_5", 7_000),
    ("commit_1", 5_000),
    ("commit_5", 12_000),
    ("route_3_total", 90_000),
    ("open_route_3", 25_000),
    ("settle_route_3", 25_000),
    ("settle", 6_000),
    ("deposit", 5_000),
    ("withdraw", 5_000),
    ("liquidate_leg_5", 40_000),
    ("update_quote_50_150", 20_000),
    ("buy_50_150", 60_000),
    ("buy_100_150", 110_000),
    ("sell_50_150", 60_000),
    ("index_update_quote_50_150", 20_000),
    ("index_execute_buy_50_150", 60_000),
    ("index_execute_sell_50_150", 60_000),
];

/// Times what the native kernel costs that its listing may cost on the machine.
const LISTING_FACTOR: u64 = 6;

/// First operation of the kernels.
const FIRST_KERNEL: &str = "update_quote_50_150";

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.json");

/// Most compute units that an operation may cost, where the specification says.
pub(crate) fn budget(op: &str) -> Option<u64> {
    let known = BUDGETS.iter().find(|(name, _)| *name == op);
    known.map(|(_, budget)| *budget)
}

/// Prints the matrix as a table.
pub(crate) fn print(rows: &[Row]) {
    let mut table = Table::new();
    table.set_header([
        "operation",
        "resting orders",
        "n",
        "p50 CU",
        "min",
        "max",
        "budget",
    ]);
    for row in rows {
        let numbers = [row.resting_orders, row.n, row.p50, row.min, row.max];
        let budget = row.budget.map(|budget| budget.to_string());
        let numbers = numbers.iter().map(u64::to_string).chain(budget);
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

/// What costs more than it may: an operation of the slab or the Router in the
/// median, a kernel at most.
fn above_budgets(rows: &[Row]) -> Vec<String> {
    let find = |op: &str| rows.iter().find(|row| row.op == op);
    let mut above = Vec::new();
    for row in rows {
        let units = match row.slab_bytes {
            0 => row.max,
            _ => row.p50,
        };
        if row.budget.is_some_and(|budget| units > budget) {
            let Row {
                op, resting_orders, ..
            } = row;
            above.push(format!("{op} at {resting_orders} orders: {units} CU"));
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

/// Fails when a median is more than 3 % above its baseline, an operation above its
/// budget, or one that has a baseline or a budget is not measured.
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
    let budgeted = BUDGETS.iter().map(|(op, _)| *op);
    // Those of the kernels come last in the list of operations.
    let kernels_from = OPERATIONS.iter().position(|op| *op == FIRST_KERNEL);
    let is_kernel = |op: &&str| OPERATIONS.iter().position(|one| one == op) >= kernels_from;
    for op in budgeted.filter(|op| kernels || !is_kernel(op)) {
        if !rows.iter().any(|row| row.op == op) {
            worse.push(format!("{op} is not measured"));
        }
    }
    let above = above_budgets(rows);
    if !above.is_empty() {
        bail!(
            "compute units above the specification: {}",
            above.join("; ")
        );
    }
    if !worse.is_empty() {
        bail!("compute units above the baseline: {}", worse.join("; "));
    }
    eprintln!(
        "compute units: {} medians within 3 % of the baseline",
        baseline.len()
    );
    Ok(())
}
