//! Orders that share margin by their contribution fractions.

use flagstone_kernels::asm::listings;

use super::routines::session;
use super::{cases, same, text, vector};
use crate::support::*;

#[test]
fn k6_batches_match_the_vectors() {
    let Some(all) = cases() else { return };
    let case = all
        .iter()
        .find(|case| case["kind"] == "batch")
        .expect("a batch");
    for step in case["calls"].as_array().expect("calls") {
        let mut state = session(&case["initial"]);
        for (name, value) in [
            ("collateral_added", "0"),
            ("collateral_removed", "0"),
            ("max_order_size", "1000000"),
        ] {
            state.scalar(name, n(value));
        }
        let (fractions, expected) = (&step["F"], &step["expected"]["Q"]);
        let mut quantities = Vec::new();
        for fraction in vector(fractions) {
            state.vector("order_id", &vector(&case["initial"]["order"]));
            state.vector("asset_contribution_fractions_id", &[fraction]);
            state.run(&listings::BUY, &STRICT).expect("buys");
            quantities.push(state.get("executed_index_quantities_id")[0]);
        }
        same(text(&case["id"]), "Q", &quantities, expected);
    }
}
