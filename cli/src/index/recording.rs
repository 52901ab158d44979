//! Recordings: transaction logs and accounts as JSON lines.
//!
//! The format is described in `docs/index-audit.md`. A recording is told from
//! its lines alone, so that files may be cut, joined and filtered by any tool.

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flagstone_sdk::address;
use serde::{Deserialize, Serialize};
use solana_address::Address;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// File of transactions in a folder.
const TRANSACTIONS: &str = "transactions.jsonl";
/// File of accounts in a folder.
const ACCOUNTS: &str = "accounts.jsonl";

/// A transaction, in the order in which the chain ran it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Transaction {
    /// Slot.
    pub(crate) slot: u64,
    /// What the chain says went wrong; `null` or absent when it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) err: Option<serde_json::Value>,
    /// Log lines.
    pub(crate) logs: Vec<String>,
}

/// An account as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// Where.
    pub(crate) address: Address,
    /// Program that owns it.
    pub(crate) owner: Address,
    /// Its bytes.
    pub(crate) data: Vec<u8>,
}

#[derive(Deserialize, Serialize)]
struct AccountLine {
    address: String,
    owner: String,
    data: String,
}

/// A line of either kind.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Transaction(Transaction),
    Account(AccountLine),
}

/// What happened, and what came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recording {
    /// Transactions, oldest first.
    pub(crate) transactions: Vec<Transaction>,
    /// Accounts.
    pub(crate) accounts: Vec<Account>,
}

impl Recording {
    /// Reads files, and the two files of folders.
    ///
    /// # Errors
    /// The file and the line that cannot be read.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self> {
        let mut recording = Self::default();
        for path in paths {
            if path.is_dir() {
                for name in [TRANSACTIONS, ACCOUNTS] {
                    recording.read_file(&path.join(name))?;
                }
            } else {
                recording.read_file(path)?;
            }
        }
        Ok(recording)
    }

    fn read_file(&mut self, path: &Path) -> Result<()> {
        let name = path.display();
        let file = File::open(path).with_context(|| format!("{name} cannot be opened"))?;
        for (at, line) in BufReader::new(file).lines().enumerate() {
            let line = line.with_context(|| format!("{name} cannot be read"))?;
            if line.trim().is_empty() {
                continue;
            }
            let place = || format!("{name}, line {}", at + 1);
            let parsed = serde_json::from_str(&line);
            match parsed.with_context(|| format!("{}: not a transaction or account", place()))? {
                Line::Transaction(transaction) => self.transactions.push(transaction),
                Line::Account(account) => {
                    self.accounts.push(account.parse().with_context(place)?);
                }
            }
        }
        Ok(())
    }

    /// Writes the two files of a folder, which is made if need be.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let name = folder.display();
        fs::create_dir_all(folder).with_context(|| format!("{name} cannot be made"))?;
        let mut file = BufWriter::new(File::create(folder.join(TRANSACTIONS))?);
        for transaction in &self.transactions {
            writeln!(file, "{}", serde_json::to_string(transaction)?)?;
        }
        file.flush()?;
        let mut file = BufWriter::new(File::create(folder.join(ACCOUNTS))?);
        for account in &self.accounts {
            let line = AccountLine {
                address: account.address.to_string(),
                owner: account.owner.to_string(),
                data: STANDARD.encode(&account.data),
            };
            writeln!(file, "{}", serde_json::to_string(&line)?)?;
        }
        file.flush()?;
        Ok(())
    }

    /// An account.
    pub(crate) fn account(&self, address: &Address) -> Option<&Account> {
        let mut accounts = self.accounts.iter();
        accounts.find(|account| account.address == *address)
    }
}

impl AccountLine {
    fn parse(self) -> Result<Account> {
        let address = |text: &str| -> Result<Address> {
            text.parse()
                .ok()
                .with_context(|| format!("{text} is no address"))
        };
        let Ok(data) = STANDARD.decode(&self.data) else {
            bail!("the data of {} is not base64", self.address);
        };
        Ok(Account {
            address: address(&self.address)?,
            owner: address(&self.owner)?,
            data,
        })
    }
}

impl Account {
    /// Whether the index-vault wrote it.
    pub(crate) fn is_ours(&self) -> bool {
        self.owner == address::INDEX_VAULT
    }
}
