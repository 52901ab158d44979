//! Recordings: made once by the demo, tampered with, audited.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flagstone_sdk::events::sha256;
use serde_json::{Value, json};
use solana_address::Address;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Bytes before an event's body.
pub(crate) const HEAD: usize = 120;
pub(crate) const DATA: &str = "Program data: ";

pub(crate) fn flagstone(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flagstone"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .args(arguments)
        .output()
        .expect("the command starts")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder of its own.
pub(crate) fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("flagstone-audit-{}-{count}", std::process::id());
    std::env::temp_dir().join(name)
}

/// A recording as JSON lines.
#[derive(Clone)]
pub(crate) struct Recording {
    pub(crate) transactions: Vec<Value>,
    pub(crate) accounts: Vec<Value>,
}

/// Where an event was logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) transaction: usize,
    pub(crate) line: usize,
}

/// What the audit said.
pub(crate) struct Audit {
    pub(crate) fails: bool,
    pub(crate) report: Value,
}

impl Audit {
    pub(crate) fn findings(&self) -> Vec<&Value> {
        self.report["findings"]
            .as_array()
            .expect("a list")
            .iter()
            .collect()
    }

    /// Whether a finding names this stream and event.
    pub(crate) fn tells(&self, stream: &Address, event: u64) -> bool {
        self.findings()
            .iter()
            .any(|finding| finding["stream"] == stream.to_string() && finding["event"] == event)
    }

    /// Whether a finding is about this stream.
    pub(crate) fn names(&self, stream: &Address) -> bool {
        let name = stream.to_string();
        self.findings()
            .iter()
            .any(|finding| finding["stream"] == name)
    }

    /// Whether a finding about this account, or any, contains these words.
    pub(crate) fn says(&self, words: &str) -> bool {
        let mut findings = self.findings().into_iter();
        findings.any(|finding| {
            finding["what"]
                .as_str()
                .is_some_and(|what| what.contains(words))
        })
    }
}

impl Recording {
    /// The story's, recorded once.
    pub(crate) fn get() -> Self {
        static STORY: OnceLock<Recording> = OnceLock::new();
        STORY
            .get_or_init(|| {
                let folder = folder();
                let path = folder.to_str().expect("a path");
                let output = flagstone(&["demo", "--story", "index", "--record", path]);
                assert!(output.status.success(), "{}", text(&output.stderr));
                let read = |name: &str| {
                    let lines = std::fs::read_to_string(folder.join(name)).expect("a recording");
                    let lines = lines
                        .lines()
                        .map(|line| serde_json::from_str(line).expect("JSON"));
                    lines.collect()
                };
                let (transactions, accounts) = (read("transactions.jsonl"), read("accounts.jsonl"));
                std::fs::remove_dir_all(&folder).expect("it was just written");
                Self {
                    transactions,
                    accounts,
                }
            })
            .clone()
    }

    pub(crate) fn audit(&self) -> Audit {
        let folder = folder();
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        for (name, values) in [
            ("transactions.jsonl", &self.transactions),
            ("accounts.jsonl", &self.accounts),
        ] {
            let lines: Vec<String> = values.iter().map(Value::to_string).collect();
            std::fs::write(folder.join(name), lines.join("\n")).expect("a temporary file");
        }
        let output = flagstone(&["index", "audit", "--json", folder.to_str().expect("a path")]);
        std::fs::remove_dir_all(&folder).expect("it was just written");
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}{}", text(&output.stdout), text(&output.stderr)));
        let audit = Audit {
            fails: output.status.code() == Some(1),
            report,
        };
        assert_eq!(audit.fails, !audit.findings().is_empty(), "exit status");
        audit
    }

    pub(crate) fn line(&self, at: At) -> &str {
        let line = &self.transactions[at.transaction]["logs"][at.line];
        line.as_str().expect("a line")
    }

    pub(crate) fn set_line(&mut self, at: At, line: String) {
        self.transactions[at.transaction]["logs"][at.line] = json!(line);
    }

    pub(crate) fn event(&self, at: At) -> Vec<u8> {
        decode(self.line(at)).expect("an event")
    }

    pub(crate) fn set_event(&mut self, at: At, event: &[u8]) {
        self.set_line(at, format!("{DATA}{}", STANDARD.encode(event)));
    }

    /// Where the events of a stream were logged, oldest first.
    pub(crate) fn stream(&self, stream: &Address) -> Vec<At> {
        let mut found = Vec::new();
        for (transaction, logged) in self.transactions.iter().enumerate() {
            let logs = logged["logs"].as_array().expect("a list");
            for (line, text) in logs.iter().enumerate() {
                let event = decode(text.as_str().expect("a line"));
                if event.is_some_and(|event| event[8..40] == *stream.as_ref())
                    && logged["err"].is_null()
                {
                    found.push(At { transaction, line });
                }
            }
        }
        found
    }

    pub(crate) fn logs(&mut self, transaction: usize) -> &mut Vec<Value> {
        let logs = self.transactions[transaction]["logs"].as_array_mut();
        logs.expect("a list")
    }

    /// Changes the bytes of an account.
    pub(crate) fn edit(&mut self, address: &Address, change: impl FnOnce(&mut Vec<u8>)) {
        let name = address.to_string();
        let account = self
            .accounts
            .iter_mut()
            .find(|account| account["address"] == name);
        let account = account.expect("the account");
        let mut data = STANDARD
            .decode(account["data"].as_str().expect("text"))
            .expect("base64");
        change(&mut data);
        account["data"] = json!(STANDARD.encode(data));
    }

    /// Rewrites the hashes of a stream and its account, as a forger would who
    /// can write everything.
    pub(crate) fn rechain(&mut self, stream: &Address, chain_at: usize) {
        let mut last = [0; 32];
        for at in self.stream(stream) {
            let mut event = self.event(at);
            event[40..72].copy_from_slice(&last);
            last = sha256(&[&event]);
            self.set_event(at, &event);
        }
        self.edit(stream, |data| {
            data[chain_at + 32..chain_at + 64].copy_from_slice(&last)
        });
    }
}

/// The bytes of an event that a line logs.
pub(crate) fn decode(line: &str) -> Option<Vec<u8>> {
    let pieces = line.strip_prefix(DATA)?.split_ascii_whitespace();
    let bytes: Vec<u8> = pieces
        .flat_map(|piece| STANDARD.decode(piece).expect("base64"))
        .collect();
    bytes.starts_with(b"FLGINDX1").then_some(bytes)
}

/// The longest stream of each kind, and where its account has its chain.
pub(crate) fn streams(recording: &Recording) -> Vec<(&'static str, Address, usize)> {
    let audit = recording.audit();
    let all = audit.report["streams"].as_array().expect("a list");
    [
        ("desk", 48),
        ("market", 144),
        ("index", 112),
        ("order", 112),
        ("allotment", 80),
        ("collateral", 80),
        ("desk order", 176),
        ("batch", 48),
        ("inventory", 56),
        ("carry-over", 56),
    ]
    .map(|(kind, chain_at)| {
        let of_kind = all.iter().filter(|stream| stream["kind"] == kind);
        let longest = of_kind.max_by_key(|stream| stream["events"].as_u64());
        let longest = longest.unwrap_or_else(|| panic!("no stream is a {kind}"));
        let address = longest["address"].as_str().expect("text");
        (kind, address.parse().expect("an address"), chain_at)
    })
    .to_vec()
}

/// First, middle and last of so many.
pub(crate) fn some(count: usize) -> Vec<usize> {
    let mut some = vec![0, count / 2, count - 1];
    some.dedup();
    some
}
