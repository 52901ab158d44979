//! What was sent to embedded chains, kept for a reader of logs.

use solana_instruction::Instruction;
use std::cell::RefCell;
use std::rc::Rc;

/// A transaction that was sent, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Slot in which it ran.
    pub slot: u64,
    /// Its instructions.
    pub instructions: Vec<Instruction>,
    /// Log lines.
    pub logs: Vec<String>,
    /// Error of the runtime when it failed.
    pub error: Option<String>,
}

/// Transactions in the order in which they were sent, to one session or to
/// several that share it. Those that could not be sent at all are not in it.
#[derive(Clone, Debug, Default)]
pub struct Journal(Rc<RefCell<Vec<Sent>>>);

impl Journal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was sent since the last call.
    pub fn take(&self) -> Vec<Sent> {
        self.0.take()
    }

    pub(super) fn add(
        &self,
        slot: u64,
        instructions: &[Instruction],
        logs: &[String],
        error: Option<String>,
    ) {
        self.0.borrow_mut().push(Sent {
            slot,
            instructions: instructions.to_vec(),
            logs: logs.to_vec(),
            error,
        });
    }
}
