use super::super::{object, text};
use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytemuck::{Pod, Zeroable, bytes_of};
use flagstone_sdk::interface::event::router::{Deposited, LiquidationBegun};
use flagstone_sdk::interface::event::{
    AccountOpened, Fill, InstrumentAdded, OrderPlaced, SlabInitialized,
};
use serde_json::Map;

const BOOK: &str = "Book1111111111111111111111111111111111111111";

fn data(bytes: &[u8]) -> String {
    format!("Program data: {}", STANDARD.encode(bytes))
}

/// A transaction of one instruction that logged these events.
fn line(program: Address, events: &[&[u8]]) -> Line {
    let mut logs = vec![format!("Program {program} invoke [1]")];
    logs.extend(events.iter().map(|event| data(event)));
    logs.push(format!("Program {program} success"));
    Line {
        slot: 9,
        instructions: vec![(program.to_string(), Some(BOOK.to_string()))],
        logs: Some(logs),
        ..Line::default()
    }
}

/// A transaction that one program refused.
fn refused(program: &str, reason: &str) -> Line {
    let logs = vec![
        format!("Program {program} invoke [1]"),
        format!("Program {program} failed: {reason}"),
    ];
    Line {
        err: Value::String("an error".to_string()),
        logs: Some(logs),
        ..Line::default()
    }
}

fn order(seq: u64, side: u8, ticks: u32, lots: u32) -> OrderPlaced {
    OrderPlaced {
        tag: OrderPlaced::TAG,
        seq,
        side,
        ticks,
        lots,
        account: 1,
        order: seq as u32,
        generation: 1,
        ..OrderPlaced::zeroed()
    }
}

fn initialized() -> SlabInitialized {
    SlabInitialized {
        tag: SlabInitialized::TAG,
        seq: 1,
        authority: [1; 32],
    }
}

fn instrument(seq: u64) -> impl Pod {
    InstrumentAdded {
        tag: InstrumentAdded::TAG,
        seq,
        instrument: 0,
        mark_ticks: 100,
        atoms_per_tick: 1,
    }
}

fn account(seq: u64) -> impl Pod {
    AccountOpened {
        tag: AccountOpened::TAG,
        seq,
        account: 1,
        generation: 1,
        ..AccountOpened::zeroed()
    }
}

fn counted(lines: &[Line]) -> String {
    let mut collector = Collector::new(&[]).expect("names are unique");
    lines.iter().for_each(|line| collector.transaction(line));
    text(&collector.finish()).expect("a text")
}

#[track_caller]
fn has(text: &str, sample: &str) {
    assert!(text.lines().any(|line| line == sample), "{sample}\n{text}");
}

#[test]
fn a_commit_that_the_kill_band_refuses_counts_by_name() {
    let slab = address::SLAB.to_string();
    let told = counted(&[
        refused(&slab, "custom program error: 0x1794"),
        refused(&slab, "custom program error: 0x1794"),
        refused(&slab, "custom program error: 0x1"),
        refused(&slab, "exceeded CUs meter at BPF instruction"),
        // The same number is nothing of ours in a foreign program.
        refused(
            "Foreign1111111111111111111111111111111111111",
            "custom program error: 0x1794",
        ),
    ]);
    has(&told, "flagstone_kill_band_rejects_total 2");
    has(
        &told,
        r#"flagstone_failures_total{error="MarkMoved",program="slab"} 2"#,
    );
    has(
        &told,
        r#"flagstone_failures_total{error="custom_1",program="slab"} 1"#,
    );
    has(
        &told,
        r#"flagstone_failures_total{error="ComputeBudget",program="slab"} 1"#,
    );
    has(
        &told,
        r#"flagstone_failures_total{error="custom_6036",program="foreign"} 1"#,
    );
    has(&told, r#"flagstone_transactions_total{outcome="failed"} 5"#);
}

#[test]
fn a_trade_counts_fills_volume_and_the_tax_that_clipped_it() {
    let mut traded = Traded::zeroed();
    traded.tag = Traded::TAG;
    (traded.lots, traded.notional_atoms, traded.tax_atoms) = (7, 700, 31);
    for (lots, outcome) in [
        (3, outcome::PARTIAL),
        (4, outcome::FULL),
        (9, outcome::EXPIRED),
    ] {
        let fill = Fill {
            lots,
            outcome,
            ..Fill::zeroed()
        };
        assert!(traded.push(fill));
    }
    let mut commit = traded;
    (commit.hold, commit.tax_atoms) = (5, 0);
    let told = counted(&[line(address::SLAB, &[traded.as_bytes(), commit.as_bytes()])]);
    let at = format!(r#"instrument="0",slab="{BOOK}""#);
    has(&told, &format!("flagstone_arg_clips_total{{{at}}} 1"));
    has(&told, &format!("flagstone_arg_tax_atoms_total{{{at}}} 31"));
    has(&told, &format!("flagstone_fills_total{{{at}}} 4"));
    has(&told, &format!("flagstone_volume_lots_total{{{at}}} 14"));
    has(&told, &format!("flagstone_volume_atoms_total{{{at}}} 1400"));
    for how in ["take", "commit"] {
        let labels = format!(r#"how="{how}",instrument="0",slab="{BOOK}""#);
        has(&told, &format!("flagstone_trades_total{{{labels}}} 1"));
    }
    let gone = format!(r#"instrument="0",reason="expired",slab="{BOOK}""#);
    has(
        &told,
        &format!("flagstone_orders_cancelled_total{{{gone}}} 2"),
    );
}

#[test]
fn depth_and_spread_are_those_of_a_slab_seen_from_its_first_event() {
    let orders = [(0, 99, 4), (0, 90, 5), (1, 102, 6)];
    let placed: Vec<_> = orders
        .iter()
        .zip(4..)
        .map(|((side, ticks, lots), seq)| order(seq, *side, *ticks, *lots))
        .collect();
    let mut lines = vec![line(
        address::SLAB,
        &[
            bytes_of(&initialized()),
            bytes_of(&instrument(2)),
            bytes_of(&account(3)),
        ],
    )];
    lines.extend(
        placed
            .iter()
            .map(|one| line(address::SLAB, &[bytes_of(one)])),
    );
    let told = counted(&lines);
    let at = format!(r#"instrument="0",slab="{BOOK}""#);
    has(&told, &format!("flagstone_book_spread_ticks{{{at}}} 3"));
    let bid = format!(r#"instrument="0",side="bid",slab="{BOOK}""#);
    has(&told, &format!("flagstone_book_depth_lots{{{bid}}} 9"));
    has(&told, &format!("flagstone_book_depth_near_lots{{{bid}}} 4"));
    has(&told, &format!("flagstone_book_best_ticks{{{bid}}} 99"));
    has(&told, &format!("flagstone_orders_placed_total{{{bid}}} 2"));
    // Without the first event, or with one missing, nothing is claimed to rest.
    for partial in [&lines[1..], &[&lines[..2], &lines[3..]].concat()] {
        let told = counted(partial);
        assert!(!told.contains("flagstone_book_"), "{told}");
        assert!(told.contains("flagstone_orders_placed_total"), "{told}");
    }
}

#[test]
fn what_is_told_twice_failed_or_by_others_does_not_count() {
    let deposited = Deposited {
        tag: Deposited::TAG,
        amount_atoms: 50,
        booked_atoms: 80,
        ..Deposited::zeroed()
    };
    let mut own = line(address::ROUTER, &[bytes_of(&deposited)]);
    own.signature = Some("one".to_string());
    let mut failed = line(address::ROUTER, &[bytes_of(&deposited)]);
    failed.err = serde_json::json!({"InsufficientFundsForRent": {"account_index": 1}});
    let forged = line(address::TOKEN, &[bytes_of(&deposited)]);
    let told = counted(&[own.clone(), own, failed, forged]);
    has(&told, "flagstone_deposits_total 1");
    has(&told, "flagstone_deposited_atoms_total 50");
    has(&told, "flagstone_vault_booked_atoms 80");
    has(&told, r#"flagstone_transactions_total{outcome="ok"} 2"#);
    let why = r#"error="InsufficientFundsForRent",program="runtime""#;
    has(&told, &format!("flagstone_failures_total{{{why}}} 1"));
}

#[test]
fn slabs_are_found_past_precompiles_and_not_guessed_in_calls() {
    let mut one = line(address::SLAB, &[bytes_of(&order(1, 1, 5, 5))]);
    one.instructions.insert(
        0,
        (
            "Ed25519SigVerify111111111111111111111111111".to_string(),
            None,
        ),
    );
    let labels = |slab: &str| format!(r#"instrument="0",side="ask",slab="{slab}""#);
    let told = counted(&[one.clone()]);
    has(
        &told,
        &format!("flagstone_orders_placed_total{{{}}} 1", labels(BOOK)),
    );
    one.instructions.clear();
    let mut called = line(address::SLAB, &[bytes_of(&order(1, 1, 5, 5))]);
    let logs = called.logs.as_mut().expect("logs");
    logs[0] = logs[0].replace("[1]", "[2]");
    logs.insert(0, format!("Program {} invoke [1]", address::TOKEN));
    let told = counted(&[one, called]);
    has(
        &told,
        &format!("flagstone_orders_placed_total{{{}}} 2", labels("unknown")),
    );
}

#[test]
fn lost_logs_are_told_and_json_says_the_same_as_text() {
    let begun = LiquidationBegun {
        tag: LiquidationBegun::TAG,
        slab: Address::from_str_const(BOOK).to_bytes(),
        ..LiquidationBegun::zeroed()
    };
    let mut cut = line(address::ROUTER, &[bytes_of(&begun)]);
    cut.logs
        .as_mut()
        .expect("logs")
        .push("Log truncated".to_string());
    let gone = Line::default();
    let mut collector = Collector::new(&[]).expect("names are unique");
    [cut, gone]
        .iter()
        .for_each(|line| collector.transaction(line));
    let metrics = collector.finish();
    let told = text(&metrics).expect("a text");
    has(&told, "flagstone_logs_cut_total 2");
    has(
        &told,
        &format!(r#"flagstone_accounts_under_liquidation{{slab="{BOOK}"}} 1"#),
    );
    let object = object(&metrics);
    let sample = &object["flagstone_accounts_under_liquidation"]["samples"][0];
    assert_eq!(sample["labels"]["slab"], BOOK);
    assert_eq!(sample["value"], 1);
    let families = told
        .lines()
        .filter(|line| line.starts_with("# TYPE"))
        .count();
    assert_eq!(object.as_object().map(Map::len), Some(families));
    assert_eq!(object["flagstone_logs_cut_total"]["type"], "counter");
}

#[test]
fn slabs_that_nobody_asked_for_share_a_label_and_have_no_book() {
    let first = line(
        address::SLAB,
        &[bytes_of(&initialized()), bytes_of(&instrument(2))],
    );
    let mut other = first.clone();
    other.instructions[0].1 = Some(address::TOKEN.to_string());
    let known = [Address::from_str_const(BOOK)];
    let mut collector = Collector::new(&known).expect("names are unique");
    let mut order_there = line(address::SLAB, &[bytes_of(&order(9, 0, 5, 5))]);
    order_there.instructions = other.instructions.clone();
    [first, other, order_there]
        .iter()
        .for_each(|line| collector.transaction(line));
    let told = text(&collector.finish()).expect("a text");
    let labels = r#"instrument="0",side="bid",slab="other""#;
    has(
        &told,
        &format!("flagstone_orders_placed_total{{{labels}}} 1"),
    );
    has(
        &told,
        &format!(r#"flagstone_mark_ticks{{instrument="0",slab="{BOOK}"}} 100"#),
    );
    assert!(!told.contains(&address::TOKEN.to_string()), "{told}");
}

#[test]
fn every_metric_is_documented() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    let text = std::fs::read_to_string(file).expect("docs/metrics.md");
    let documented: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `flagstone_")?.split_once('`'))
        .map(|(name, _)| format!("flagstone_{name}"))
        .collect();
    let metrics: Vec<_> = super::super::registry::NAMES.to_vec();
    assert_eq!(documented, metrics);
}
