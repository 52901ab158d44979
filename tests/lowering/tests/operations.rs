//! Every operation on edge cases and random operands: the SVM must compute what
//! the host computes.

// The program's own source, compiled for the host.
#[allow(unreachable_pub)]
#[path = "../../programs/lowering/src/ops/mod.rs"]
mod ops;

use std::cell::RefCell;
use std::collections::BTreeMap;

use flagstone_lowering_tests::Chain;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use solana_address::Address;

const RECORD: usize = 64;

/// Operands at which carries, signs and word boundaries turn.
fn edges() -> Vec<u128> {
    let mut edges = vec![
        0,
        1,
        2,
        3,
        7,
        10,
        100,
        1_000_000_000,
        u128::MAX,
        u128::MAX - 1,
    ];
    for bit in [7, 8, 15, 16, 31, 32, 63, 64, 65, 95, 96, 127] {
        let power = 1u128 << bit;
        edges.extend([power, power - 1, power + 1, power.wrapping_neg()]);
    }
    for bits in [
        1.0f64,
        -1.5,
        0.1,
        1e300,
        -1e-310,
        f64::NAN,
        f64::INFINITY,
        4e9,
        2e19,
        -0.0,
    ] {
        edges.push(u128::from(bits.to_bits()));
    }
    edges
}

/// Numbers of all lengths, since uniform ones are nearly all long.
fn operand() -> impl Strategy<Value = u128> {
    (any::<u128>(), 0u32..128, any::<bool>()).prop_map(|(value, shift, negative)| {
        let value = value >> shift;
        if negative {
            value.wrapping_neg()
        } else {
            value
        }
    })
}

/// Two operands, often such that their product or sum almost or just overflows.
fn operands() -> impl Strategy<Value = (u128, u128)> {
    (operand(), operand(), 0u8..6, 0u128..3).prop_map(|(a, b, kind, by)| {
        let partner = match kind {
            0 => (u128::MAX / a.max(1)).wrapping_add(by),
            1 => (u128::MAX / a.max(1) / 2).wrapping_add(by),
            2 => u128::from(u64::MAX / (a as u64).max(1)).wrapping_add(by),
            3 => a.wrapping_neg().wrapping_add(by).wrapping_sub(1),
            _ => b,
        };
        (a, partner)
    })
}

/// Runs an operation on all pairs, as many at a time as the compute limit allows.
fn run_on_svm(chain: &mut Chain, number: usize, pairs: &[(u128, u128)]) -> Vec<ops::Words> {
    let mut results = Vec::new();
    let mut rest = pairs;
    let mut batch = 256;
    while !rest.is_empty() {
        let now = &rest[..batch.min(rest.len())];
        let mut data = Vec::with_capacity(now.len() * RECORD);
        for (a, b) in now {
            data.extend_from_slice(&a.to_le_bytes());
            data.extend_from_slice(&b.to_le_bytes());
            data.extend_from_slice(&[0xaa; 32]);
        }
        let number = u16::try_from(number).expect("few operations").to_le_bytes();
        let (outcome, data) = chain.transform(&[0, number[0], number[1]], data);
        let too_many = outcome.meta.compute_units_consumed > 1_390_000 && batch > 1;
        if outcome.error.is_some() && too_many {
            batch /= 4;
            continue;
        }
        assert!(
            outcome.error.is_none(),
            "{:?} {:#?}",
            outcome.error,
            outcome.meta.logs
        );
        let word = |bytes: &[u8]| u128::from_le_bytes(bytes.try_into().expect("sixteen bytes"));
        let records = data.chunks_exact(RECORD);
        results.extend(records.map(|r| [word(&r[32..48]), word(&r[48..64])]));
        rest = &rest[now.len()..];
    }
    results
}

/// How many of the pairs give another result than on the host, with an example.
fn differences(chain: &mut Chain, pairs: &[(u128, u128)]) -> BTreeMap<&'static str, String> {
    let mut found = BTreeMap::new();
    for number in 0..ops::count() {
        let op = ops::nth(number).expect("numbers below the count");
        let results = run_on_svm(chain, number, pairs);
        for ((a, b), svm) in pairs.iter().zip(results) {
            let host = ops::run(op, *a, *b);
            if host != svm {
                let text = format!("{a:#x} {b:#x}: host {host:x?}, SVM {svm:x?}");
                found.entry(op.0).or_insert(text);
            }
        }
    }
    found
}

fn chain(file: &str) -> Chain {
    Chain::with_program(file, Address::new_unique())
}

/// All edges with each other, thinned to keep the time bounded.
fn edge_pairs() -> Vec<(u128, u128)> {
    let edges = edges();
    let all = edges
        .iter()
        .flat_map(|a| edges.iter().map(move |b| (*a, *b)));
    all.enumerate()
        .filter(|(i, _)| i % 3 == 0)
        .map(|(_, pair)| pair)
        .collect()
}

#[test]
fn edges_agree_with_the_host() {
    let found = differences(&mut chain("flagstone_lowering.so"), &edge_pairs());
    assert!(
        found.is_empty(),
        "{} operations differ: {found:#?}",
        found.len()
    );
}

#[test]
fn random_operands_agree_with_the_host() {
    let svm = RefCell::new(chain("flagstone_lowering.so"));
    let mut runner = TestRunner::new(Config {
        cases: 4,
        ..Config::default()
    });
    let pairs = proptest::collection::vec(operands(), 250);
    let outcome = runner.run(&pairs, |pairs| {
        let found = differences(&mut svm.borrow_mut(), &pairs);
        prop_assert!(
            found.is_empty(),
            "{} operations differ: {found:#?}",
            found.len()
        );
        Ok(())
    });
    assert!(outcome.is_ok(), "{outcome:?}");
}

/// The older format is linked differently, from the same lowered code.
#[test]
fn edges_agree_with_the_host_on_v0() {
    let found = differences(&mut chain("v0/flagstone_lowering.so"), &edge_pairs());
    assert!(
        found.is_empty(),
        "{} operations differ: {found:#?}",
        found.len()
    );
}
