//! The paper's figures beside ours, in their units and in US dollars.

use crate::kernels::JoinUnits;
use crate::matrix::Row;
use comfy_table::{Cell, CellAlignment, Table};
use flagstone_kernels::vil::JoinVariant;

/// Gas of the paper's buy of 50 in 150 (its section 7.1).
const PAPER_BUY_GAS: u64 = 3_461_868;

/// Gas price at which the paper's buy costs what its Table 2 says: the 0.0003461868
/// ETH there are not 100 Gwei a unit, as the table states, but 0.1.
const PAPER_PAID_GWEI: f64 = 0.1;

/// Gas of the join variants (its Table 3): test sets A and B.
const PAPER_JOINS: [[u64; 2]; 4] = [
    [3_380_000, 3_993_165],
    [3_380_000, 3_990_747],
    [3_970_000, 3_991_967],
    [3_420_000, 3_990_453],
];

/// At what prices units become dollars.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct Prices {
    /// US dollars per ETH; the default is the paper's
    #[arg(long, default_value_t = 3_600.0)]
    eth_usd: f64,
    /// Gwei per unit of gas; the default is what the paper states
    #[arg(long, default_value_t = 100.0)]
    gas_gwei: f64,
    /// US dollars per SOL
    #[arg(long, default_value_t = 150.0)]
    sol_usd: f64,
    /// Priority fee in millionths of a lamport per compute unit
    #[arg(long, default_value_t = 10_000.0)]
    unit_microlamports: f64,
    /// Fee of a transaction with one signature, in lamports
    #[arg(long, default_value_t = 5_000.0)]
    signature_lamports: f64,
}

impl Prices {
    fn gas(&self, gas: u64, gwei: f64) -> f64 {
        gas as f64 * gwei * 1e-9 * self.eth_usd
    }

    /// One transaction of one signature.
    fn units(&self, units: u64) -> f64 {
        let lamports = self.signature_lamports + units as f64 * self.unit_microlamports * 1e-6;
        lamports * 1e-9 * self.sol_usd
    }
}

/// Prints the paper's buy beside ours.
pub(crate) fn print_buy(rows: &[Row], prices: &Prices) {
    let Prices {
        eth_usd,
        gas_gwei,
        sol_usd,
        unit_microlamports,
        signature_lamports,
    } = prices;
    println!();
    println!("a buy of 50 constituents in a market of 150, beside the paper's");
    let mut table = Table::new();
    table.set_header(["what", "units", "US dollars", "at"]);
    for gwei in [*gas_gwei, PAPER_PAID_GWEI] {
        table.add_row([
            "paper".to_owned(),
            format!("{PAPER_BUY_GAS} gas"),
            format!("{:.6}", prices.gas(PAPER_BUY_GAS, gwei)),
            format!("{gwei} Gwei, ETH {eth_usd} USD"),
        ]);
    }
    let ops = [
        ("buy_50_150", "native"),
        ("buy_50_150_compat", "native, the paper's arithmetic"),
        ("buy_50_150_vil", "its listing on the VIL machine"),
    ];
    for (op, name) in ops {
        let Some(row) = rows.iter().find(|row| row.op == op) else {
            continue;
        };
        table.add_row([
            name.to_owned(),
            format!("{} CU", row.p50),
            format!("{:.6}", prices.units(row.p50)),
            format!(
                "{signature_lamports} lamports and {unit_microlamports} microlamports a CU, SOL {sol_usd} USD"
            ),
        ]);
    }
    println!("{table}");
    println!(
        "The paper states 100 Gwei; the ETH and dollars that it prints are those of 0.1 Gwei."
    );
    println!(
        "Its gas is a whole transaction, ours the kernel alone: parsing and account checks come on top."
    );
}

/// Prints the four join variants beside the paper's Table 3.
pub(crate) fn print_joins(joins: &[JoinUnits]) {
    println!("joins of 50 labels into 150: A contiguous labels, B the vectors' mixed ones");
    let mut table = Table::new();
    table.set_header([
        "variant",
        "set",
        "JFLT CU",
        "JUPD CU",
        "JADD CU",
        "VIL buy CU",
        "paper gas",
    ]);
    for (join, gas) in joins.iter().zip(PAPER_JOINS) {
        for ((set, name), gas) in join.sets.iter().zip(["A", "B"]).zip(gas) {
            let numbers = set.joins.into_iter().chain([set.buy, gas]);
            let mut cells = vec![Cell::new(name_of(join.variant)), Cell::new(name)];
            cells.extend(
                numbers.map(|number| Cell::new(number).set_alignment(CellAlignment::Right)),
            );
            table.add_row(cells);
        }
    }
    println!("{table}");
    println!(
        "The paper's gas is a whole transaction, comparable with the buy and not with one join."
    );
}

fn name_of(variant: JoinVariant) -> &'static str {
    match variant {
        JoinVariant::InPlace => "(a) walk, in place",
        JoinVariant::Append => "(b) walk, append",
        JoinVariant::Binary => "(c) binary search",
        JoinVariant::Galloping => "(d) hybrid",
    }
}
