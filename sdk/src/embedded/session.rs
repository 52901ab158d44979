//! A chain with the programs on it, and sending transactions to it.

use super::journal::Journal;
use crate::address;
use crate::events;
use crate::route::TRANSACTION_BYTES_MAX;
use flagstone_interface::error::{IndexError, RouterError, SlabError};
use flagstone_interface::event::{Event, RouterEvent};
use flagstone_slab_engine::Slab;
use litesvm::LiteSVM;
use solana_account::Account;
use solana_address::Address;
use solana_address_lookup_table_interface::instruction as lookup;
use solana_clock::Clock;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_instruction::Instruction;
use solana_instruction_error::InstructionError;
use solana_keypair::Keypair;
use solana_message::{AddressLookupTableAccount, Message, VersionedMessage, v0};
use solana_signer::Signer;
use solana_slot_hashes::SlotHashes;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use std::path::{Path, PathBuf};

/// Why a session could not start.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A program was not built.
    #[error("{0} is missing: run `cargo xtask build-sbf` first")]
    NotBuilt(PathBuf),
    /// A program file could not be loaded.
    #[error("{0} is not a program that the SVM accepts: {1}")]
    BadProgram(PathBuf, String),
}

/// What a transaction did.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Compute units, all instructions together.
    pub compute_units: u64,
    /// Log lines.
    pub logs: Vec<String>,
    /// The Slab's events.
    pub events: Vec<Event>,
    /// Size of the transaction on the wire, in bytes.
    pub bytes: usize,
}

impl Receipt {
    /// The Router's events.
    pub fn router_events(&self) -> Vec<RouterEvent> {
        events::router_events(&self.logs)
    }
}

/// Why a transaction failed; it changed nothing but the fee payer's lamports.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{error}{}", explain(.code))]
pub struct Failure {
    /// Error of the runtime.
    pub error: TransactionError,
    /// Custom code of the program, if there is one.
    pub code: Option<u32>,
    /// Log lines.
    pub logs: Vec<String>,
}

impl Failure {
    /// A transaction that could not be sent: a signer is missing or it is too long.
    fn unsent() -> Self {
        Self {
            error: TransactionError::SanitizeFailure,
            code: None,
            logs: Vec::new(),
        }
    }
}

fn explain(code: &Option<u32>) -> String {
    let text = code.and_then(|code| {
        SlabError::from_code(code)
            .map(|error| error.to_string())
            .or_else(|| RouterError::from_code(code).map(|error| error.to_string()))
            .or_else(|| IndexError::from_code(code).map(|error| error.to_string()))
    });
    text.map(|text| format!(": {text}")).unwrap_or_default()
}

/// An embedded chain with the programs deployed.
pub struct Session {
    /// The chain itself.
    pub svm: LiteSVM,
    payer: Keypair,
    journal: Option<Journal>,
}

impl Session {
    /// Starts a chain with the programs found in `folder`.
    ///
    /// # Errors
    /// [`SessionError`] when a program is missing or not loadable.
    pub fn start(folder: &Path) -> Result<Self, SessionError> {
        // Benchmarks and replays repeat the same transaction, so each one
        // would be refused as already processed if its history were kept.
        let mut svm = LiteSVM::new()
            .with_transaction_history(0)
            .with_log_bytes_limit(Some(10_000));
        for (id, name) in [
            (address::ROUTER, "flagstone_router"),
            (address::SLAB, "flagstone_slab"),
            (address::INDEX_VAULT, "flagstone_index_vault"),
        ] {
            let file = folder.join(name).with_extension("so");
            if !file.is_file() {
                return Err(SessionError::NotBuilt(file));
            }
            svm.add_program_from_file(id, &file)
                .map_err(|error| SessionError::BadProgram(file, format!("{error:?}")))?;
        }
        let payer = Keypair::new();
        let mut session = Self {
            svm,
            payer,
            journal: None,
        };
        session.fund(&session.payer.pubkey(), 1_000_000_000_000);
        session.warp_to(100);
        Ok(session)
    }

    /// Notes every transaction from now on, or with `None` no more. Returns the
    /// journal that was kept so far.
    pub fn keep(&mut self, journal: Option<Journal>) -> Option<Journal> {
        std::mem::replace(&mut self.journal, journal)
    }

    /// Pays every transaction's fee.
    pub fn payer(&self) -> Address {
        self.payer.pubkey()
    }

    /// A new key with 1,000 SOL: a full slab takes 73 of rent.
    pub fn new_wallet(&mut self) -> Keypair {
        let wallet = Keypair::new();
        self.fund(&wallet.pubkey(), 1_000_000_000_000);
        wallet
    }

    fn fund(&mut self, key: &Address, lamports: u64) {
        let account = Account {
            lamports,
            ..Account::default()
        };
        // A system account without data is always accepted.
        let _ = self.svm.set_account(*key, account);
    }

    /// Moves the clock to a slot.
    pub fn warp_to(&mut self, slot: u64) {
        self.svm.warp_to_slot(slot);
        self.svm.expire_blockhash();
    }

    /// Lets time pass: slots, and 400 ms of the cluster's clock for each.
    pub fn wait(&mut self, slots: u64) {
        let before = self.svm.get_sysvar::<Clock>();
        self.warp_to(before.slot + slots);
        let mut clock = self.svm.get_sysvar::<Clock>();
        let half_seconds = |slot: u64| (slot * 2 / 5) as i64;
        clock.unix_timestamp =
            before.unix_timestamp + half_seconds(clock.slot) - half_seconds(before.slot);
        self.svm.set_sysvar(&clock);
    }

    /// Current slot.
    pub fn slot(&self) -> u64 {
        self.svm.get_sysvar::<Clock>().slot
    }

    /// Sends one transaction signed by the payer and `signers`.
    ///
    /// # Errors
    /// [`Failure`] when any instruction fails; then none had an effect.
    pub fn send(
        &mut self,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> Result<Receipt, Box<Failure>> {
        let hash = self.svm.latest_blockhash();
        let message = Message::new_with_blockhash(instructions, Some(&self.payer.pubkey()), &hash);
        self.submit(VersionedMessage::Legacy(message), instructions, signers)
    }

    /// Sends one transaction that names most accounts by a lookup table.
    ///
    /// # Errors
    /// As [`Session::send`].
    pub fn send_with_table(
        &mut self,
        instructions: &[Instruction],
        signers: &[&Keypair],
        table: &AddressLookupTableAccount,
    ) -> Result<Receipt, Box<Failure>> {
        let hash = self.svm.latest_blockhash();
        let tables = std::slice::from_ref(table);
        let message = v0::Message::try_compile(&self.payer.pubkey(), instructions, tables, hash)
            .map_err(|_| Box::new(Failure::unsent()))?;
        self.submit(VersionedMessage::V0(message), instructions, signers)
    }

    /// Puts addresses into a new lookup table and waits until it is usable.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn create_lookup_table(
        &mut self,
        addresses: &[Address],
    ) -> Result<AddressLookupTableAccount, Box<Failure>> {
        let payer = self.payer.pubkey();
        // The table's address derives from a slot that the chain remembers.
        let recent = self.slot() - 1;
        let hash = self.svm.latest_blockhash();
        self.svm.set_sysvar(&SlotHashes::new(&[(recent, hash)]));
        let (create, key) = lookup::create_lookup_table(payer, payer, recent);
        self.send(&[create], &[])?;
        // An extension carries 32 bytes per address.
        for part in addresses.chunks(20) {
            let extend = lookup::extend_lookup_table(key, payer, Some(payer), part.to_vec());
            self.send(&[extend], &[])?;
        }
        self.warp_to(self.slot() + 1);
        Ok(AddressLookupTableAccount {
            key,
            addresses: addresses.to_vec(),
        })
    }

    fn submit(
        &mut self,
        message: VersionedMessage,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> Result<Receipt, Box<Failure>> {
        let mut keys = vec![&self.payer];
        keys.extend(signers);
        let transaction = VersionedTransaction::try_new(message, &keys)
            .map_err(|_| Box::new(Failure::unsent()))?;
        let bytes = transaction.message.serialize().len() + 1 + 64 * transaction.signatures.len();
        if bytes > TRANSACTION_BYTES_MAX {
            return Err(Box::new(Failure::unsent()));
        }
        let slot = self.slot();
        let sent = self.svm.send_transaction(transaction);
        if let Some(journal) = &self.journal {
            let (logs, error) = match &sent {
                Ok(meta) => (&meta.logs, None),
                Err(failed) => (&failed.meta.logs, Some(failed.err.to_string())),
            };
            journal.add(slot, instructions, logs, error);
        }
        match sent {
            Ok(meta) => Ok(Receipt {
                compute_units: meta.compute_units_consumed,
                events: events::decode(&meta.logs),
                logs: meta.logs,
                bytes,
            }),
            Err(failed) => {
                let code = match &failed.err {
                    TransactionError::InstructionError(_, InstructionError::Custom(code)) => {
                        Some(*code)
                    }
                    _ => None,
                };
                Err(Box::new(Failure {
                    error: failed.err,
                    code,
                    logs: failed.meta.logs,
                }))
            }
        }
    }

    /// Sends several instructions in one transaction with the largest compute limit.
    ///
    /// # Errors
    /// As [`Session::send`].
    pub fn send_large(
        &mut self,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> Result<Receipt, Box<Failure>> {
        let mut all = vec![ComputeBudgetInstruction::set_compute_unit_limit(1_400_000)];
        all.extend_from_slice(instructions);
        self.send(&all, signers)
    }

    /// Bytes of an account; empty when there is none.
    pub fn data(&self, key: &Address) -> Vec<u8> {
        self.svm
            .get_account(key)
            .map(|account| account.data)
            .unwrap_or_default()
    }

    /// A Router record, copied; `None` when the account is not one.
    pub fn record<T: flagstone_interface::Record>(&self, key: &Address) -> Option<T> {
        crate::read_record(&self.data(key))
    }

    /// Runs `read` on a copy of a slab.
    ///
    /// # Errors
    /// [`SlabError::NotASlab`].
    pub fn with_slab<R>(
        &self,
        key: &Address,
        read: impl FnOnce(&Slab<'_>) -> R,
    ) -> Result<R, SlabError> {
        let mut buffer = AlignedBytes::copy_of(&self.data(key));
        Slab::open(buffer.bytes_mut()).map(|slab| read(&slab))
    }

    /// Changes a slab from outside, for tests and benchmarks that start from a
    /// book which the host's engine filled.
    ///
    /// # Errors
    /// [`SlabError::NotASlab`].
    pub fn edit_slab<R>(
        &mut self,
        key: &Address,
        edit: impl FnOnce(&mut Slab<'_>) -> R,
    ) -> Result<R, SlabError> {
        let mut account = self.svm.get_account(key).ok_or(SlabError::NotASlab)?;
        let mut buffer = AlignedBytes::copy_of(&account.data);
        let result = {
            let mut slab = Slab::open(buffer.bytes_mut())?;
            edit(&mut slab)
        };
        account.data.copy_from_slice(buffer.bytes_mut());
        // The account existed, so the same account with other data is accepted.
        let _ = self.svm.set_account(*key, account);
        Ok(result)
    }

    /// Balance of an SPL token account, in atoms; 0 when there is none.
    pub fn token_balance(&self, key: &Address) -> u64 {
        let data = self.data(key);
        let bytes = data.get(64..72).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u64::from_le_bytes).unwrap_or(0)
    }
}

/// A copy of account data at the alignment that layouts need.
pub(crate) struct AlignedBytes {
    words: Vec<u64>,
    bytes: usize,
}

impl AlignedBytes {
    fn copy_of(data: &[u8]) -> Self {
        let mut words = vec![0u64; data.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..data.len()].copy_from_slice(data);
        Self {
            words,
            bytes: data.len(),
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.bytes]
    }
}
