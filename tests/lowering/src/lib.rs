//! Differential tests of the portable SBF build: the embedded chain, and how to
//! ask the test programs. The tests are in `tests/`.

use std::path::Path;

use litesvm::LiteSVM;
use litesvm::types::TransactionMetadata;
use solana_account::Account;
use solana_address::Address;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_message::Message;
use solana_signer::Signer as _;
use solana_transaction::Transaction;

/// A chain with one test program on it.
pub struct Chain {
    svm: LiteSVM,
    payer: Keypair,
    program: Address,
}

/// What became of a transaction: its log, and the error if it failed.
pub struct Outcome {
    /// Log and compute units.
    pub meta: TransactionMetadata,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

impl Chain {
    /// Loads `target/deploy/<file>` under `program`.
    pub fn with_program(file: &str, program: Address) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../target/deploy")
            .join(file);
        let advice = "run `cargo xtask build-sbf --program lowering --program declared-id`";
        let bytes =
            std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; {advice}", path.display()));
        let mut svm = LiteSVM::new().with_log_bytes_limit(None);
        svm.add_program(program, &bytes)
            .expect("the SVM accepts the program");
        let payer = Keypair::new();
        svm.airdrop(&payer.pubkey(), 1_000_000_000_000)
            .expect("an airdrop");
        Self {
            svm,
            payer,
            program,
        }
    }

    /// Who signs and pays.
    pub fn payer(&self) -> Address {
        self.payer.pubkey()
    }

    /// Sends one instruction with all the compute units there are.
    pub fn send(&mut self, data: &[u8], accounts: Vec<AccountMeta>) -> Outcome {
        let budget = ComputeBudgetInstruction::set_compute_unit_limit(1_400_000);
        let call = Instruction {
            program_id: self.program,
            accounts,
            data: data.to_vec(),
        };
        let payer = self.payer.pubkey();
        let message = Message::new(&[budget, call], Some(&payer));
        let signed = Transaction::new(&[&self.payer], message, self.svm.latest_blockhash());
        let sent = self.svm.send_transaction(signed);
        self.svm.expire_blockhash();
        match sent {
            Ok(meta) => Outcome { meta, error: None },
            Err(failed) => Outcome {
                meta: failed.meta,
                error: Some(failed.err.to_string()),
            },
        }
    }

    /// Runs an instruction on an account that holds `data`; gives back what it holds then.
    pub fn transform(&mut self, instruction: &[u8], data: Vec<u8>) -> (Outcome, Vec<u8>) {
        let key = Address::new_unique();
        let account = Account {
            lamports: 10_000_000_000,
            data,
            owner: self.program,
            executable: false,
            rent_epoch: u64::MAX,
        };
        self.svm.set_account(key, account).expect("an account");
        let outcome = self.send(instruction, vec![AccountMeta::new(key, false)]);
        let account = self
            .svm
            .get_account(&key)
            .expect("the account is still there");
        (outcome, account.data)
    }
}
