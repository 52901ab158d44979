//! The stage of the index's story: keys, people, sending, recording, and
//! looking over the books after every transaction.

use super::books::{self, Listed};
use super::view::View;
use crate::checks::Check;
use crate::compute;
use crate::demo::story::Step;
use crate::index::recording::{Account, Recording, Transaction};
use anyhow::{Context, Result, bail, ensure};
use flagstone_sdk::address;
use flagstone_sdk::embedded::{Exchange, Failure, Receipt, Session};
use flagstone_sdk::events::sha256;
use flagstone_sdk::index::{Pair, Seeded};
use flagstone_sdk::index_engine::roles::Role;
use flagstone_sdk::interface::error::IndexError;
use solana_account::Account as SvmAccount;
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::path::Path;

/// What each user has in the wallet at the start, in atoms.
pub(super) const TOKENS: u64 = 20_000_000_000;
/// The first user.
pub(super) const JUDY: usize = 0;
/// The second user.
pub(super) const KARL: usize = 1;
/// Who everybody else is, in the table of compute units.
const STAFF: [&str; 4] = ["admin", "vendor", "anyone", "desk"];

/// Someone with a wallet.
pub(super) struct Person {
    /// Name.
    pub(super) name: &'static str,
    /// Owns both accounts.
    pub(super) wallet: Keypair,
    /// Collateral.
    pub(super) collateral: Address,
    /// Index tokens.
    pub(super) tokens: Address,
}

impl Person {
    /// Key of the wallet.
    pub(super) fn key(&self) -> Address {
        self.wallet.pubkey()
    }
}

/// Who signs a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// Administrator of market, index and desk.
    Admin,
    /// The market's vendor.
    Vendor,
    /// Nobody but the fee payer.
    Anyone,
    /// A role of the desk.
    Desk(Role),
    /// A user.
    User(usize),
}

/// The market, the index, and everybody around them.
pub(super) struct Stage {
    /// Chain and collateral mint.
    pub(super) exchange: Exchange,
    seed: u64,
    admin: Keypair,
    vendor: Keypair,
    desk: Vec<Keypair>,
    /// Users.
    pub(super) people: Vec<Person>,
    /// Where the vendor's collateral lies.
    pub(super) vendor_collateral: Address,
    /// Where the desk is paid.
    pub(super) payout: Address,
    /// Market and index.
    pub(super) pair: Pair,
    /// Assets of the market.
    pub(super) listed: Vec<Listed>,
    /// Orders against the market.
    pub(super) orders: Vec<Address>,
    /// Every account of the program that exists.
    pub(super) accounts: Vec<Address>,
    /// Collateral that exists, in atoms.
    pub(super) brought: u64,
    /// Instructions that ran.
    pub(super) steps: Vec<Step>,
    /// Transactions so far, and accounts at the end.
    pub(super) recording: Recording,
    /// What chapters found out, for the end.
    pub(super) found: Vec<Check>,
    /// Transactions after which the books were checked.
    pub(super) audits: u32,
    /// The first books that did not agree.
    pub(super) broken: Option<Vec<Check>>,
}

impl Stage {
    /// A chain with the programs, a collateral mint, and keys from the seed.
    ///
    /// # Errors
    /// When a program is missing or a transaction failed.
    pub(super) fn open(programs: &Path, seed: u64) -> Result<Self> {
        let mut exchange = Exchange::mint_only(Session::start(programs)?)?;
        let mut wallet = |name: &str| wallet(&mut exchange, seed, name);
        let (admin, vendor) = (wallet("admin"), wallet("vendor"));
        let desk = DESK
            .iter()
            .map(|role| wallet(&format!("{role:?}")))
            .collect();
        let market = address::index_with_seed(&admin.pubkey(), "market");
        let index = address::index_with_seed(&admin.pubkey(), "index");
        let pair = Pair {
            market: market.context("a seed is too long")?,
            index: index.context("a seed is too long")?,
        };
        let vendor_collateral = exchange.create_tokens(&vendor.pubkey(), 0)?;
        let payout = exchange.create_tokens(&admin.pubkey(), 0)?;
        Ok(Self {
            exchange,
            seed,
            admin,
            vendor,
            desk,
            people: Vec::new(),
            vendor_collateral,
            payout,
            pair,
            listed: books::list(seed),
            orders: Vec::new(),
            accounts: Vec::new(),
            brought: 0,
            steps: Vec::new(),
            recording: Recording::default(),
            found: Vec::new(),
            audits: 0,
            broken: None,
        })
    }

    /// A user with collateral and an empty account of index tokens.
    ///
    /// # Errors
    /// The failed transaction.
    pub(super) fn meet(&mut self, name: &'static str) -> Result<()> {
        let wallet = wallet(&mut self.exchange, self.seed, name);
        let collateral = self.exchange.create_tokens(&wallet.pubkey(), TOKENS)?;
        let mint = address::index_mint(&self.pair.index);
        let tokens = self.exchange.open_tokens(&wallet.pubkey(), &mint)?;
        self.brought += TOKENS;
        self.people.push(Person {
            name,
            wallet,
            collateral,
            tokens,
        });
        Ok(())
    }

    /// Key of who signs.
    pub(super) fn key(&self, by: By) -> Address {
        self.signer(by)
            .map_or_else(Address::default, Signer::pubkey)
    }

    /// Address of the desk.
    pub(super) fn desk(&self) -> Address {
        address::desk(&self.admin.pubkey())
    }

    fn signer(&self, by: By) -> Option<&Keypair> {
        match by {
            By::Admin => Some(&self.admin),
            By::Vendor => Some(&self.vendor),
            By::Anyone => None,
            By::Desk(role) => {
                let at = DESK.iter().position(|known| *known == role)?;
                self.desk.get(at)
            }
            By::User(who) => self.people.get(who).map(|person| &person.wallet),
        }
    }

    /// An account to create with the seed `seed`, whose base is `by`.
    pub(super) fn seeded<'a>(&self, by: By, seed: &'a str, bytes: usize) -> Seeded<'a> {
        let svm = &self.exchange.session.svm;
        Seeded {
            base: self.key(by),
            seed,
            rent_lamports: svm.minimum_balance_for_rent_exemption(bytes),
            prefunded_lamports: 0,
        }
    }

    /// Sends one instruction, with what creates its account before it;
    /// records it, and looks over the books.
    ///
    /// # Errors
    /// The failed transaction.
    pub(super) fn send(
        &mut self,
        by: By,
        name: &'static str,
        instructions: &[Instruction],
    ) -> Result<Receipt> {
        let receipt = self.attempt(by, name, instructions)?;
        receipt.with_context(|| name.to_owned())
    }

    /// The same for one that has to be refused; returns the reason.
    ///
    /// # Errors
    /// When it goes through, or fails without a reason of the program's.
    pub(super) fn refused(
        &mut self,
        by: By,
        name: &'static str,
        instruction: Instruction,
    ) -> Result<IndexError> {
        match self.attempt(by, name, &[instruction])? {
            Ok(_) => bail!("{name} should be refused and went through"),
            Err(failure) => {
                let error = failure.code.and_then(IndexError::from_code);
                error.with_context(|| failure.to_string())
            }
        }
    }

    /// Sends one that may be refused.
    ///
    /// # Errors
    /// When its log or the books cannot be read.
    pub(super) fn attempt(
        &mut self,
        by: By,
        name: &'static str,
        instructions: &[Instruction],
    ) -> Result<Result<Receipt, Box<Failure>>> {
        let slot = self.exchange.session.slot();
        let signer = self.signer(by).map(Keypair::insecure_clone);
        let signers: Vec<&Keypair> = signer.iter().collect();
        let sent = self.exchange.session.send_large(instructions, &signers);
        let (logs, err) = match &sent {
            Ok(receipt) => (&receipt.logs, None),
            Err(failure) => (&failure.logs, Some(failure.error.to_string().into())),
        };
        let parts = compute::instructions(logs);
        let Some(ours) = parts.last() else {
            let why = err.unwrap_or_default();
            bail!("{name} was not run: {why}");
        };
        let who = match by {
            By::Admin => STAFF[0],
            By::Vendor => STAFF[1],
            By::Anyone => STAFF[2],
            By::Desk(_) => STAFF[3],
            By::User(who) => self.people[who].name,
        };
        self.steps.push(Step {
            name: if err.is_some() { "refused" } else { name },
            who,
            compute_units: ours.compute_units,
        });
        let logs = logs.clone();
        self.recording
            .transactions
            .push(Transaction { slot, err, logs });
        // The same transaction again needs another block hash.
        self.exchange.session.svm.expire_blockhash();
        self.look()?;
        Ok(sent)
    }

    /// Checks the books.
    fn look(&mut self) -> Result<()> {
        let Some(view) = View::of(self)? else {
            return Ok(());
        };
        let checks = view.checks();
        self.audits += 1;
        if self.broken.is_none() && checks.iter().any(|check| !check.holds) {
            self.broken = Some(checks);
        }
        Ok(())
    }

    /// Lets a slot pass.
    pub(super) fn tick(&mut self) {
        let slot = self.exchange.session.slot();
        self.exchange.session.warp_to(slot + 1);
    }

    /// Bytes of an account.
    pub(super) fn data(&self, key: &Address) -> Vec<u8> {
        self.exchange.session.data(key)
    }

    /// Puts every account that an audit needs into the recording.
    ///
    /// # Errors
    /// When one of them is gone.
    pub(super) fn record_accounts(&mut self) -> Result<()> {
        let mut wanted = self.accounts.clone();
        wanted.extend(&self.orders);
        wanted.push(address::market_tokens(&self.pair.market));
        wanted.push(address::index_mint(&self.pair.index));
        wanted.push(address::desk_vault(&self.desk()));
        for key in wanted {
            let found: Option<SvmAccount> = self.exchange.session.svm.get_account(&key);
            let found = found.with_context(|| format!("{key} is gone"))?;
            ensure!(!found.data.is_empty(), "{key} is empty");
            self.recording.accounts.push(Account {
                address: key,
                owner: found.owner,
                data: found.data,
            });
        }
        Ok(())
    }
}

/// Roles of the desk, each with a key of its own.
pub(super) const DESK: [Role; 6] = [
    Role::Solver,
    Role::CollateralManager,
    Role::OrderManager,
    Role::BatchManager,
    Role::InventoryManager,
    Role::ChainConnector,
];

/// A wallet with a key from seed and name, so that addresses repeat.
fn wallet(exchange: &mut Exchange, seed: u64, name: &str) -> Keypair {
    let secret = sha256(&[b"flagstone demo", &seed.to_le_bytes(), name.as_bytes()]);
    let wallet = Keypair::new_from_array(secret);
    let account = SvmAccount {
        lamports: 1_000_000_000_000,
        ..SvmAccount::default()
    };
    // A system account without data is always accepted.
    let _ = exchange.session.svm.set_account(wallet.pubkey(), account);
    wallet
}
