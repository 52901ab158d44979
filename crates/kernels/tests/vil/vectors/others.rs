//! Batches, joins, transposition and single amounts.

use flagstone_kernels::asm::listings;

use super::routines::session;
use super::{cases, labels, same, text, vector};
use crate::support::*;

#[test]
fn batches_match_the_vectors() {
    let all = cases();
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

#[test]
fn joins_transposition_and_amounts_match_the_vectors() {
    let all = cases();
    let find = |kind: &str| {
        all.iter()
            .find(|case| case["kind"] == kind)
            .expect("a case")
    };
    let case = find("transpose");
    let mut state = Session::default();
    for (row, name) in case["initial"]["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .zip(["a", "b"])
    {
        state.vector(name, &vector(row));
    }
    state
        .run_text("LDV a LDV b T 2 STV r2 STV r1 STV r0", &STRICT)
        .expect("transposes");
    let rows = case["calls"][0]["expected"].as_array().expect("rows");
    for (row, name) in rows.iter().zip(["r0", "r1", "r2"]) {
        same("transpose", name, state.get(name), row);
    }

    let case = find("joins");
    let mut state = Session::default();
    for at in 0..3 {
        state.labels(&format!("l{at}"), &labels(&case["initial"]["labels"][at]));
        state.vector(&format!("v{at}"), &vector(&case["initial"]["values"][at]));
    }
    let union = "LDL l0 LDL l1 LUNION 1 LDL l2 LUNION 1 STL all POPN 2";
    state.run_text(union, &STRICT).expect("unites");
    let expand = "LDL l0 LDL l1 LDL l2 LDL all \
                  ZEROS 0 LDV v0 SWAP 1 JUPD 1 2 5 LDV v1 SWAP 1 JUPD 1 3 5 STV e1 POPN 2 \
                  ZEROS 0 LDV v2 SWAP 1 JUPD 1 2 3 STV e3";
    state.run_text(expand, &STRICT).expect("expands");
    for step in case["calls"].as_array().expect("calls") {
        let expected = &step["expected"];
        match text(&step["op"]) {
            "union" => assert_eq!(state.get_labels("all"), labels(expected)),
            "expand_1_then_2" => same("joins", "e1", state.get("e1"), expected),
            "expand_3" => same("joins", "e3", state.get("e3"), expected),
            other => panic!("unknown join {other}"),
        }
    }

    let case = find("amount");
    for row in case["calls"][0]["expected"].as_array().expect("rows") {
        let [op, left, right, expected] = [0, 1, 2, 3].map(|at| text(&row[at]));
        let mnemonic = op.to_uppercase();
        let own = format!("IMMS {right} IMMS {left} {mnemonic} 1 PKV 1 STV out");
        assert_eq!(result(&own, &STRICT), [n(expected)], "{op} {left} {right}");
    }
}
