//! The listings: all valid, and what the printed ones do.

use flagstone_kernels::asm::listings::{self, Listing, paper};
use flagstone_kernels::asm::{Symbols, assemble};
use flagstone_kernels::vil::join::{JoinVariant, strictly_increasing};
use flagstone_kernels::vil::opcode::decode;
use flagstone_kernels::vil::{Config, Op, VilError, validate};

use crate::support::*;

fn instructions(code: &[u8]) -> Vec<Op> {
    let (mut ops, mut at) = (Vec::new(), 0);
    while at < code.len() {
        let (instruction, next) = decode(code, at).expect("whole");
        ops.push(instruction.op);
        at = next;
    }
    ops
}

fn count(code: &[u8], wanted: &[Op]) -> usize {
    instructions(code)
        .iter()
        .filter(|op| wanted.contains(op))
        .count()
}

/// Five assets, three of them in the index, and an order; as the authors' first test.
fn small_market() -> Session {
    let mut session = Session::default();
    session.program("solve_quadratic_id", listings::SOLVE_QUADRATIC.text);
    session.program("solve_quadratic_ask_id", listings::SOLVE_QUADRATIC_ASK.text);
    let decimals = |list: &[&str]| list.iter().map(|value| n(value)).collect::<Vec<_>>();
    session.labels("market_asset_names_id", &[51, 52, 53, 54, 55]);
    session.labels("asset_names_id", &[51, 53, 54]);
    for (name, list) in [
        ("asset_weights_id", &["0.1", "1", "100"][..]),
        ("asset_contribution_fractions_id", &["1", "1", "1"]),
        ("index_quote_id", &["10", "10000", "100"]),
        ("order_id", &["950", "3", "7"]),
        ("margin_id", &["20", "20", "20", "2000", "20"]),
        ("supply_long_id", &["0.05", "0.05", "0.05", "0.05", "0.05"]),
        ("supply_short_id", &["0", "0", "0", "0", "0"]),
        ("demand_long_id", &["0.1", "0.1", "0", "0.01", "0.2"]),
        ("demand_short_id", &["0", "0", "0.01", "0", "0"]),
        ("delta_long_id", &["0", "0", "0.06", "0.04", "0"]),
        ("delta_short_id", &["0.05", "0.05", "0", "0", "0.15"]),
    ] {
        session.vector(name, &decimals(list));
    }
    session.scalar("collateral_added", n("100"));
    session.scalar("collateral_removed", n("50"));
    session.scalar("max_order_size", n("10000"));
    session
}

#[test]
fn every_listing_is_valid_and_ends_with_an_empty_stack() {
    let mut session = Session::default();
    for listing in listings::ALL.iter().chain(paper::ALL) {
        let (code, registers) = session.assemble(listing.text);
        if listing.inputs > 0 {
            // As a subroutine: with its operands on the stack.
            let entry = "IMMS 1 ".repeat(usize::from(listing.inputs));
            let (code, registers) = session.assemble(&format!("{entry}{}", listing.text));
            validate(&code, registers, &STRICT).expect(listing.name);
            continue;
        }
        let (_, summary) = validate(&code, registers, &STRICT).expect(listing.name);
        let unpacks = count(&code, &[Op::Unpack]);
        assert_eq!(
            summary.operands_left.is_some(),
            unpacks == 0,
            "{}",
            listing.name
        );
        let left = if *listing == paper::UPDATE_MARKET_DATA {
            2
        } else {
            0
        };
        assert_eq!(
            summary.operands_left.unwrap_or(left),
            left,
            "{}",
            listing.name
        );
    }
}

#[test]
fn the_printed_listings_have_the_sizes_that_the_paper_implies() {
    let mut session = Session::default();
    let mut sizes = |listing: &Listing| {
        session.assemble(listing.text);
        let assembly = assemble(listing.text, &session.symbols).expect("assembles");
        (assembly.instructions, assembly.registers, assembly.code)
    };
    assert_eq!(sizes(&paper::UPDATE_QUOTE).0, 30);
    assert_eq!(sizes(&paper::UPDATE_SUPPLY).0, 37);
    assert_eq!(sizes(&paper::UPDATE_MARKET_DATA).0, 23);
    let (instructions, registers, code) = sizes(&paper::BUY);
    assert_eq!((instructions, registers), (126, 16));
    // Section 7.1 says four label instructions; there are five.
    assert_eq!(
        count(&code, &[Op::JoinFilter, Op::JoinUpdate, Op::JoinAdd]),
        5
    );
    assert_eq!(count(&code, &[Op::StoreVector, Op::StoreLabels]), 3);
}

#[test]
fn the_printed_buy_charges_the_order_and_forgets_the_market() {
    let mut session = small_market();
    let before = session.clone();
    let outcome = session.run(&paper::BUY, &STRICT).expect("runs");
    assert_eq!(outcome.operands_left, 0);
    let [remaining, spent, minted] = session.get("order_id") else {
        panic!("three columns")
    };
    assert_eq!(*remaining, n("0.000000013986019975"));
    assert_eq!(*spent, n("1002.999999986013980025"));
    // Seven were minted before: they are lost.
    assert_eq!(*minted, n("0.0999001995"));
    for name in [
        "demand_long_id",
        "demand_short_id",
        "delta_long_id",
        "delta_short_id",
    ] {
        assert_eq!(session.get(name), before.get(name), "{name}");
    }
    assert_eq!(
        session.get("executed_index_quantities_id"),
        [n("0.0999001995"), 0]
    );
}

#[test]
fn the_completed_buy_keeps_what_was_minted_and_moves_the_market() {
    for (listing, minted) in [
        (&listings::BUY, "7.0999001995"),
        (&listings::BUY_PAPER, "0.0999001995"),
    ] {
        let mut session = small_market();
        assert_eq!(
            session.run(listing, &STRICT).expect("runs").operands_left,
            0
        );
        let order = [
            n("0.000000013986019975"),
            n("1002.999999986013980025"),
            n(minted),
        ];
        assert_eq!(session.get("order_id"), order);
        assert_eq!(session.get("demand_short_id"), [0; 5]);
        let long = ["0.10999001995", "0.1", "0.0899001995", "10.00001995", "0.2"].map(n);
        assert_eq!(session.get("demand_long_id"), long);
        let delta = [
            "0.05999001995",
            "0.05",
            "0.0399001995",
            "9.95001995",
            "0.15",
        ]
        .map(n);
        assert_eq!(session.get("delta_short_id"), delta);
        assert_eq!(session.get("delta_long_id"), [0; 5]);
    }
}

#[test]
fn more_collateral_cannot_be_taken_than_there_is() {
    let mut session = small_market();
    session.scalar("collateral_removed", n("1050.000000000000000001"));
    let before = session.stored.clone();
    let fault = session.run(&listings::BUY, &STRICT).expect_err("overdrawn");
    assert_eq!(
        (fault.error, fault.op),
        (VilError::MathOverflow, Some(Op::Sub))
    );
    assert_eq!(session.stored, before);
}

#[test]
fn a_sell_undoes_a_buy_of_the_same_quantity() {
    let mut session = small_market();
    session.run(&listings::BUY, &STRICT).expect("buys");
    let bought = session.get("executed_fill_id")[1];
    let spent = session.get("executed_fill_id")[0];
    session.vector("order_id", &[bought, 0, 0]);
    session.scalar("tokens_added", 0);
    session.scalar("tokens_removed", 0);
    assert_eq!(
        session
            .run(&listings::SELL, &STRICT)
            .expect("sells")
            .operands_left,
        0
    );
    let [burned, gained] = session.get("executed_fill_id") else {
        panic!("two")
    };
    // The slope is paid on both ways, so that a round trip loses.
    assert!(*gained < spent && *gained > spent * 99 / 100);
    // The root is rounded down, so that a little more is burned than was offered.
    assert!(*burned >= bought && *burned - bought < n("0.00000001"));
    assert_eq!(session.get("order_id"), [0, *burned, *gained]);
    let long = session.get("demand_long_id");
    let short = session.get("demand_short_id");
    assert!(long[3] < n("0.010001") && short[0] == 0 && strictly_increasing(&[0, 1]));
}

#[test]
fn transfers_carry_their_share_of_the_cost() {
    let mut session = Session::default();
    session.vector("sender_ask_id", &[n("1"), n("2"), n("500")]);
    session.vector("sender_bid_id", &[n("40"), n("90"), n("9")]);
    session.vector("receiver_bid_id", &[n("5"), n("10"), n("1")]);
    session.scalar("amount", n("3"));
    assert_eq!(
        session
            .run(&listings::TRANSFER, &STRICT)
            .expect("runs")
            .operands_left,
        0
    );
    let share = n("0.333333333333333333") * 90;
    assert_eq!(
        session.get("sender_bid_id"),
        [n("40"), n("90") - share, n("6")]
    );
    assert_eq!(
        session.get("receiver_bid_id"),
        [n("5"), n("10") + share, n("4")]
    );
    assert_eq!(session.get("sender_ask_id"), [n("1"), n("2"), n("500")]);
    // Three of the six that are left are locked or burned.
    session.scalar("amount", n("3.000000000000000001"));
    let fault = session
        .run(&listings::TRANSFER, &STRICT)
        .expect_err("covered");
    assert_eq!(
        (fault.error, fault.op),
        (VilError::MathOverflow, Some(Op::Sub))
    );
}

#[test]
fn market_data_of_an_unknown_asset_is_refused() {
    let mut session = small_market();
    for name in [
        "market_asset_prices_id",
        "market_asset_slopes_id",
        "market_asset_liquidity_id",
    ] {
        session.vector(name, &[n("1"); 5]);
    }
    for name in ["asset_prices_id", "asset_slopes_id", "asset_liquidity_id"] {
        session.vector(name, &[n("2"), n("3")]);
    }
    session.labels("asset_names_id", &[52, 55]);
    let before = session.clone();
    for listing in [&listings::UPDATE_MARKET_DATA, &paper::UPDATE_MARKET_DATA] {
        session = before.clone();
        session.run(listing, &STRICT).expect("known assets");
        let prices = [n("1"), n("2"), n("1"), n("1"), n("3")];
        assert_eq!(session.get("market_asset_prices_id"), prices);
    }
    session = before.clone();
    session.labels("asset_names_id", &[52, 56]);
    let fault = session
        .run(&listings::UPDATE_MARKET_DATA, &STRICT)
        .expect_err("56");
    assert_eq!(fault.error, VilError::LabelMissing);
    assert_eq!(
        session.get("market_asset_prices_id"),
        before.get("market_asset_prices_id")
    );
}

#[test]
fn the_joins_listing_gives_one_result_in_all_variants() {
    let mut results = Vec::new();
    for join in JoinVariant::ALL {
        let mut session = small_market();
        session.vector("market_values_id", &["1", "2", "3", "4", "5"].map(n));
        session.vector("asset_values_id", &["10", "20", "30"].map(n));
        let config = Config { join, ..STRICT };
        session.run(&listings::JOINS, &config).expect("runs");
        assert_eq!(session.get("filtered_id"), ["1", "3", "4"].map(n));
        assert_eq!(
            session.get("updated_id"),
            ["10", "2", "20", "30", "5"].map(n)
        );
        assert_eq!(session.get("added_id"), ["11", "2", "23", "34", "5"].map(n));
        results.push(session.stored);
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_listing_without_its_names_does_not_assemble() {
    for listing in listings::ALL.iter().filter(|listing| listing.inputs == 0) {
        assert!(
            assemble(listing.text, &Symbols::new()).is_err(),
            "{}",
            listing.name
        );
    }
}

/// The default limits hold the largest market that a program keeps.
#[test]
fn the_largest_buy_fits_the_default_limits() {
    let mut session = small_market();
    let labels: Vec<u128> = (1..=512).collect();
    let names: Vec<u128> = labels
        .iter()
        .copied()
        .filter(|label| label % 2 == 0)
        .collect();
    session.labels("market_asset_names_id", &labels);
    session.labels("asset_names_id", &names);
    session.vector("asset_weights_id", &vec![n("0.1"); 256]);
    session.vector("asset_contribution_fractions_id", &vec![n("1"); 256]);
    for name in [
        "supply_long_id",
        "supply_short_id",
        "demand_long_id",
        "demand_short_id",
    ] {
        session.vector(name, &vec![n("0.05"); 512]);
    }
    for name in ["margin_id", "delta_long_id", "delta_short_id"] {
        session.vector(name, &vec![n("10"); 512]);
    }
    for listing in [&listings::BUY, &listings::SELL] {
        session.vector("order_id", &[n("0.5"), 0, 0]);
        session.scalar("tokens_added", 0);
        session.scalar("tokens_removed", 0);
        // The first variant moves the market's tail for every asset that it removes.
        for join in JoinVariant::ALL.into_iter().skip(1) {
            let config = Config {
                join,
                ..Config::default()
            };
            let (code, registers) = session.assemble(listing.text);
            let codes = session.codes.clone();
            // 96 KiB of words and room for 64 operands and registers.
            let size = (64, 6_144);
            let mut stored = session.stored.clone();
            let outcome = run_code(&code, registers, &codes, &mut stored, size, &config)
                .unwrap_or_else(|fault| panic!("{}: {fault}", listing.name));
            assert!(outcome.steps < config.limits.steps_max / 2, "{outcome:?}");
        }
    }
}
