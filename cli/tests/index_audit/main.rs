//! `flagstone index audit` on what `flagstone demo --story index --record`
//! wrote, as it is and tampered with.
#![allow(missing_docs, reason = "tests")]

mod recording;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flagstone_sdk::address::INDEX_VAULT;
use flagstone_sdk::events::sha256;
use recording::{At, DATA, HEAD, Recording, flagstone, some, streams, text};
use serde_json::{Value, json};
use solana_address::Address;

#[test]
fn ix6_a_true_recording_has_no_findings() {
    let recording = Recording::get();
    let audit = recording.audit();
    assert_eq!(audit.findings(), [&Value::Null; 0]);
    let streams = audit.report["streams"].as_array().expect("a list");
    assert!(streams.len() > 100, "{}", streams.len());
    for stream in streams {
        assert_eq!(stream["verdict"], "replayed", "{stream}");
        assert!(stream["events"].as_u64() > Some(0), "{stream}");
    }
    let sums = audit.report["sums"].as_array().expect("a list");
    assert!(
        sums.len() >= 8 && sums.iter().all(|sum| sum["holds"] == true),
        "{sums:?}"
    );
    let notes = audit.report["notes"].to_string();
    assert!(notes.contains("transactions failed"), "{notes}");
}

#[test]
fn ix6_an_event_that_is_missing_altered_or_doubled_is_told_by_stream_and_number() {
    let recording = Recording::get();
    for (kind, stream, _) in streams(&recording) {
        let found = recording.stream(&stream);
        for event in some(found.len()) {
            let (at, number) = (found[event], event as u64 + 1);
            let name = format!("{kind}, event {number} of {}", found.len());
            let mut removed = recording.clone();
            removed.logs(at.transaction).remove(at.line);
            let audit = removed.audit();
            assert!(
                audit.tells(&stream, number),
                "removed {name}: {}",
                audit.report
            );

            let mut altered = recording.clone();
            let mut bytes = altered.event(at);
            *bytes.last_mut().expect("a body") ^= 1;
            altered.set_event(at, &bytes);
            let audit = altered.audit();
            assert!(
                audit.tells(&stream, number),
                "altered {name}: {}",
                audit.report
            );

            let mut doubled = recording.clone();
            let line = json!(recording.line(at));
            doubled.logs(at.transaction).insert(at.line, line);
            let audit = doubled.audit();
            assert!(
                audit.tells(&stream, number + 1),
                "doubled {name}: {}",
                audit.report
            );
        }
    }
}

#[test]
fn ix6_events_that_change_places_are_told() {
    let recording = Recording::get();
    for (kind, stream, _) in streams(&recording) {
        let found = recording.stream(&stream);
        if found.len() < 2 {
            continue;
        }
        let (first, last) = (found[0], found[found.len() - 1]);
        let mut swapped = recording.clone();
        let lines = [first, last].map(|at| recording.line(at).to_owned());
        swapped.set_line(first, lines[1].clone());
        swapped.set_line(last, lines[0].clone());
        assert!(swapped.audit().tells(&stream, 1), "{kind}");
    }
    // Two whole transactions, in the same slot and in different ones.
    let mut swapped = recording.clone();
    swapped.transactions.swap(2, 3);
    assert!(swapped.audit().says("out of place"));
    let mut late = recording.clone();
    let last = late.transactions.len() - 1;
    late.transactions.swap(0, last);
    assert!(late.audit().says("it comes after slot"));
    let mut moved = recording;
    moved.transactions[5]["slot"] = json!(101);
    assert!(moved.audit().says("was logged in slot 101"));
}

#[test]
fn ix6_a_foreign_programs_log_is_not_believed() {
    let recording = Recording::get();
    let order = streams(&recording)[3].1;
    let found = recording.stream(&order);
    let (ours, other) = (INDEX_VAULT, Address::from([7; 32]));
    let forged = recording.line(found[1]).to_owned();
    let foreign = |lines: &[String]| json!({ "slot": 141, "logs": lines });
    let start = |program: &Address, depth: u32| format!("Program {program} invoke [{depth}]");
    let end = |program: &Address| format!("Program {program} success");
    // A program that says what an event says, alone, and while ours runs, and
    // that claims to call ours.
    for lines in [
        vec![start(&other, 1), forged.clone(), end(&other)],
        vec![
            start(&ours, 1),
            start(&other, 2),
            forged.clone(),
            end(&other),
            end(&ours),
        ],
        vec![
            start(&other, 1),
            format!("Program log: {}", start(&ours, 2)),
            forged.clone(),
            end(&other),
        ],
        // Ours, in a transaction that failed afterwards.
        vec![
            start(&ours, 1),
            forged.clone(),
            end(&ours),
            start(&other, 1),
            format!("Program {other} failed: custom program error: 0x1"),
        ],
    ] {
        let mut with = recording.clone();
        with.transactions.push(foreign(&lines));
        let audit = with.audit();
        assert_eq!(audit.findings(), [&Value::Null; 0], "{lines:?}");
    }
    // Where it is believed, it is found: the same line as if ours had written it.
    let mut believed = recording.clone();
    let lines = [start(&ours, 1), forged.clone(), end(&ours)];
    believed.transactions.push(foreign(&lines));
    let audit = believed.audit();
    assert!(
        audit.tells(&order, found.len() as u64 + 1),
        "{}",
        audit.report
    );
    // A true event that another program is said to have written is missing.
    let mut disowned = recording.clone();
    for line in disowned.logs(found[2].transaction) {
        let text = line
            .as_str()
            .expect("a line")
            .replace(&ours.to_string(), &other.to_string());
        *line = json!(text);
    }
    assert!(disowned.audit().tells(&order, 3));
}

#[test]
fn ix6_an_account_that_is_rolled_back_or_changed_is_told() {
    let recording = Recording::get();
    for (kind, stream, chain_at) in streams(&recording) {
        let found = recording.stream(&stream);
        let count = found.len() as u64;
        let before = match found.len() {
            1 => [0; 32],
            more => sha256(&[&recording.event(found[more - 2])]),
        };
        let mut rolled = recording.clone();
        rolled.edit(&stream, |data| {
            data[chain_at + 32..chain_at + 64].copy_from_slice(&before);
            data[chain_at + 64..chain_at + 72].copy_from_slice(&(count - 1).to_le_bytes());
        });
        let audit = rolled.audit();
        assert!(audit.tells(&stream, count), "{kind}: {}", audit.report);
        // The first byte after the chain is a state, a number or an amount.
        for byte in [chain_at + 72, chain_at + 80] {
            let mut changed = recording.clone();
            changed.edit(&stream, |data| data[byte] ^= 1);
            assert!(changed.audit().fails, "{kind}, byte {byte}");
        }
    }
}

#[test]
fn ix6_a_history_that_was_rewritten_with_all_its_hashes_is_told() {
    let recording = Recording::get();
    for (kind, stream, chain_at) in streams(&recording) {
        let found = recording.stream(&stream);
        // Number of updates in a market's events; quantities of chunks; amounts.
        let byte = match kind {
            "market" => 8,
            "order" => 72,
            "inventory" => 8,
            _ => 0,
        };
        for event in some(found.len()) {
            // What a claim or cancellation names in place of quantities is zero.
            let mut forged = recording.clone();
            let mut bytes = forged.event(found[event]);
            bytes[HEAD + byte] ^= 1;
            forged.set_event(found[event], &bytes);
            forged.rechain(&stream, chain_at);
            let audit = forged.audit();
            assert!(audit.fails, "{kind}, event {}", event + 1);
        }
        // A signer that does not hold the role.
        let mut forged = recording.clone();
        let mut bytes = forged.event(found[0]);
        bytes[72] ^= 1;
        forged.set_event(found[0], &bytes);
        forged.rechain(&stream, chain_at);
        assert!(forged.audit().names(&stream), "{kind}");
    }
}

#[test]
fn ix6_accounts_that_are_missing_foreign_or_given_twice_are_told() {
    let recording = Recording::get();
    for (kind, stream, _) in streams(&recording) {
        let name = stream.to_string();
        let mut without = recording.clone();
        without
            .accounts
            .retain(|account| account["address"] != name);
        let audit = without.audit();
        assert!(
            audit.says("there is no account"),
            "{kind}: {}",
            audit.report
        );
        let last = recording.stream(&stream).len() as u64;
        assert!(audit.tells(&stream, last), "{kind}");
        let mut foreign = recording.clone();
        for account in &mut foreign.accounts {
            if account["address"] == name {
                account["owner"] = json!(Address::from([9; 32]).to_string());
            }
        }
        assert!(foreign.audit().says("there is no account"), "{kind}");
    }
    let mut twice = recording.clone();
    twice.accounts.push(recording.accounts[0].clone());
    assert!(twice.audit().says("given twice"));
    let mut moved = recording.clone();
    let address = moved.accounts[0]["address"].clone();
    moved.accounts[0]["address"] = json!(Address::from([9; 32]).to_string());
    assert!(moved.audit().says(&format!(
        "says that it is {}",
        address.as_str().expect("text")
    )));
}

#[test]
fn ix7_tokens_that_differ_by_an_atom_are_told() {
    let recording = Recording::get();
    let tokens: Vec<usize> = (0..recording.accounts.len())
        .filter(|at| recording.accounts[*at]["owner"] != INDEX_VAULT.to_string())
        .collect();
    assert_eq!(
        tokens.len(),
        3,
        "market's tokens, index mint, desk's tokens"
    );
    for at in tokens {
        let address: Address = recording.accounts[at]["address"]
            .as_str()
            .and_then(|text| text.parse().ok())
            .expect("an address");
        let mut changed = recording.clone();
        // The supply of a mint, the amount of a token account.
        changed.edit(&address, |data| {
            let amount = if data.len() == 82 { 36 } else { 64 };
            data[amount] ^= 1;
        });
        assert!(changed.audit().says("the sums differ"), "{address}");
        let mut without = recording.clone();
        without.accounts.remove(at);
        assert!(
            without.audit().says("is not among the accounts"),
            "{address}"
        );
    }
}

#[test]
fn ix6_an_invoice_that_was_not_written_or_differs_is_told() {
    let recording = Recording::get();
    let invoice = |line: &Value| {
        let bytes = line.as_str().and_then(|line| line.strip_prefix(DATA));
        let first = bytes.and_then(|bytes| bytes.split_ascii_whitespace().next());
        first.is_some_and(|first| {
            STANDARD
                .decode(first)
                .expect("base64")
                .starts_with(b"FLGINVC1")
        })
    };
    let at = recording
        .transactions
        .iter()
        .enumerate()
        .find_map(|(transaction, logged)| {
            let logs = logged["logs"].as_array()?;
            let line = logs.iter().position(invoice)?;
            Some(At { transaction, line })
        });
    let at = at.expect("an invoice");
    let mut without = recording.clone();
    without.logs(at.transaction).remove(at.line);
    assert!(without.audit().says("no invoice with this hash"));
    let mut other = recording.clone();
    let mut bytes: Vec<u8> = recording.line(at)[DATA.len()..]
        .split_ascii_whitespace()
        .flat_map(|piece| STANDARD.decode(piece).expect("base64"))
        .collect();
    bytes[120] ^= 1;
    other.set_event(at, &bytes);
    assert!(other.audit().says("no invoice with this hash"));
}

#[test]
fn the_story_repeats_and_what_cannot_be_read_is_told_in_one_sentence() {
    let told = || text(&flagstone(&["demo", "--story", "index", "--seed", "5"]).stdout);
    let first = told();
    assert!(first.trim_end().ends_with("Everything holds."), "{first}");
    assert_eq!(first, told(), "the same seed tells the same story");
    let missing = flagstone(&["index", "audit", "no-such-folder"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("no-such-folder cannot be opened"));
    let odd = flagstone(&["index", "audit", "Cargo.toml"]);
    assert!(
        text(&odd.stderr).contains("Cargo.toml, line 1"),
        "{}",
        text(&odd.stderr)
    );
    assert_eq!(text(&odd.stderr).trim_end().lines().count(), 1);
    let stray = flagstone(&["demo", "--record", "somewhere", "--events", "10"]);
    assert!(text(&stray.stderr).contains("--story index"));
}
