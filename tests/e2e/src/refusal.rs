//! Transactions that must fail, for the right reason and without a trace.

use flagstone_sdk::embedded::Session;
use flagstone_sdk::interface::error::{IndexError, RouterError, SlabError};
use solana_account::AccountSharedData;
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use std::collections::BTreeMap;

/// Every account of the chain but the fee payer's, with owner, lamports and data.
pub type Snapshot = BTreeMap<Address, AccountSharedData>;

/// Takes a snapshot; data is shared, so even full slabs cost nothing.
pub fn snapshot(session: &Session) -> Snapshot {
    let accounts = &session.svm.accounts_db().inner;
    let others = accounts.iter().filter(|(key, _)| **key != session.payer());
    others
        .map(|(key, account)| (*key, account.clone()))
        .collect()
}

/// Fails unless the chain is exactly as it was.
pub fn assert_unchanged(session: &Session, before: &Snapshot) {
    let after = snapshot(session);
    let keys = before.keys().chain(after.keys());
    let changed: Vec<_> = keys
        .filter(|key| before.get(key) != after.get(key))
        .collect();
    assert!(changed.is_empty(), "accounts changed: {changed:?}");
}

/// Why a transaction has to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The Slab says so.
    Slab(SlabError),
    /// The Router says so.
    Router(RouterError),
    /// The index-vault says so.
    Index(IndexError),
    /// A custom code of Anchor or of another program.
    Code(u32),
    /// An error of the runtime that carries no code, by name.
    Runtime(&'static str),
}

impl From<SlabError> for Why {
    fn from(error: SlabError) -> Self {
        Self::Slab(error)
    }
}

impl From<IndexError> for Why {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

impl From<RouterError> for Why {
    fn from(error: RouterError) -> Self {
        Self::Router(error)
    }
}

/// Anchor: an account that is written to is not writable.
pub const NOT_WRITABLE: Why = Why::Code(2000);
/// Anchor: an account that is written to appears twice.
pub const DUPLICATE: Why = Why::Code(2040);
/// SPL Token: the wallet holds less than the amount.
pub const TOKEN_FUNDS: Why = Why::Code(1);
/// SPL Token: the signer may not move these tokens.
pub const TOKEN_OWNER: Why = Why::Code(4);
/// A signature is missing.
pub const UNSIGNED: Why = Why::Runtime("MissingRequiredSignature");
/// The instruction's data does not decode.
pub const BAD_DATA: Why = Why::Runtime("InvalidInstructionData");

/// Sends a transaction that has to fail for this reason and change nothing.
#[track_caller]
pub fn refused(
    session: &mut Session,
    instructions: &[Instruction],
    signers: &[&Keypair],
    why: impl Into<Why>,
) {
    let why = why.into();
    let before = snapshot(session);
    let failure = match session.send(instructions, signers) {
        Ok(receipt) => panic!(
            "went through, expected {why:?}\n{}",
            receipt.logs.join("\n")
        ),
        Err(failure) => failure,
    };
    let expected = match why {
        Why::Slab(error) => failure.code == Some(error.code()),
        Why::Router(error) => failure.code == Some(error.code()),
        Why::Index(error) => failure.code == Some(error.code()),
        Why::Code(code) => failure.code == Some(code),
        Why::Runtime(name) => format!("{:?}", failure.error).contains(name),
    };
    assert!(
        expected,
        "expected {why:?}: {failure}\n{}",
        failure.logs.join("\n")
    );
    // A program that aborts or runs out of units is never a clean refusal.
    let text = failure.logs.join("\n");
    let clean = !text.contains("panicked") && !text.contains("Access violation");
    assert!(
        clean && !text.contains("exceeded CUs"),
        "not a clean refusal: {text}"
    );
    assert_unchanged(session, &before);
}
