//! A slab of the hostile program `tests/programs/evil-slab`, registered beside
//! an honest one: it shows the Router whatever a test tells it to.

use crate::market::{Market, TAKER_CASH, send_as};
use crate::{QUOTE, ok, programs};
use flagstone_sdk::embedded::{Failure, Member, Receipt, Session};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::interface::Record;
use flagstone_sdk::interface::router::{Escrow, Portfolio, SlabEntry, SlabLedger};
use flagstone_sdk::interface::slab::{PoolId, Reservation, SlabAccount, SlabHeader, account_flags};
use flagstone_sdk::slab::NewSlab;
use flagstone_sdk::{address, router};
use solana_account::Account;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

/// Address of the hostile slab program, as it declares it.
pub const EVIL: Address = Address::from_str_const("EvixS1ab11111111111111111111111111111111111");

/// Most bytes that one transaction writes.
const WRITE_BYTES: usize = 800;

/// What the victim has pledged to the hostile slab, in atoms.
pub const VICTIM_PLEDGE: u64 = 1_000 * QUOTE;

/// What the accomplice has.
pub const ACCOMPLICE_PLEDGE: u64 = 10 * QUOTE;

/// An honest market, and a hostile slab on which two of its users have accounts.
pub struct Evil {
    /// The honest part: one slab, a maker, a taker who is also the victim.
    pub market: Market,
    /// The hostile slab.
    pub slab: Address,
    /// A user in league with the hostile slab.
    pub accomplice: Member,
}

/// Deploys the program.
pub fn deploy(session: &mut Session) {
    let file = programs().join("flagstone_evil_slab.so");
    let added = session.svm.add_program_from_file(EVIL, &file);
    added.unwrap_or_else(|error| {
        panic!(
            "{}: {error}: run `cargo xtask build-sbf --program evil-slab`",
            file.display()
        )
    });
}

/// The instruction with the hostile program and its data in place of the Slab's.
pub fn of_evil(mut instruction: Instruction) -> Instruction {
    let honest = address::program_data(&address::SLAB);
    for meta in &mut instruction.accounts {
        if meta.pubkey == address::SLAB {
            meta.pubkey = EVIL;
        } else if meta.pubkey == honest {
            meta.pubkey = address::program_data(&EVIL);
        }
    }
    instruction
}

impl Evil {
    /// Opens the market and the hostile slab; victim and accomplice have
    /// pledged [`VICTIM_PLEDGE`] and [`ACCOMPLICE_PLEDGE`] to it.
    pub fn open() -> Self {
        let mut market = Market::open(1);
        let accomplice = market.join();
        deploy(&mut market.exchange.session);
        let slab = plant_slab(&mut market);
        let mut evil = Self {
            market,
            slab,
            accomplice,
        };
        let admin = evil.market.exchange.admin.insecure_clone();
        let register = router::register_slab(&admin.pubkey(), &slab, &evil.market.exchange.mint);
        let session = &mut evil.market.exchange.session;
        ok(session.send_large(&[of_evil(register)], &[&admin]));
        evil.seat(true, VICTIM_PLEDGE);
        evil.seat(false, ACCOMPLICE_PLEDGE);
        evil
    }

    /// The victim, or the accomplice.
    pub fn member(&self, victim: bool) -> &Member {
        if victim {
            &self.market.taker
        } else {
            &self.accomplice
        }
    }

    /// Opens an account at the hostile slab and pledges money to it.
    fn seat(&mut self, victim: bool, atoms: u64) {
        let member = self.member(victim);
        let (owner, trader) = (member.wallet.pubkey(), member.trader.pubkey());
        let mint = self.market.exchange.mint;
        let open = router::open_escrow(&owner, &self.slab, &mint, &trader);
        let bind = router::bind_escrow(&owner, &self.slab, &mint);
        ok(self.send(victim, &[of_evil(open), of_evil(bind)]));
        let index = self.escrow(victim).bound_account;
        let account = SlabAccount {
            escrow: self.escrow_key(victim).to_bytes(),
            trader: trader.to_bytes(),
            flags: account_flags::OPEN,
            generation: self.escrow(victim).bound_generation,
            ..bytemuck::Zeroable::zeroed()
        };
        self.write_item(PoolId::Accounts, index, &account);
        self.edit_header(|header| header.pools[PoolId::Accounts as usize].high_water = index);
        let fund = router::fund_slab(&owner, &self.slab, &mint, atoms);
        ok(self.send(victim, &[of_evil(fund)]));
    }

    /// Sends as the victim or the accomplice.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn send(
        &mut self,
        victim: bool,
        instructions: &[Instruction],
    ) -> Result<Receipt, Box<Failure>> {
        let Market {
            exchange, taker, ..
        } = &mut self.market;
        let member = if victim { &*taker } else { &self.accomplice };
        send_as(exchange, member, instructions)
    }

    /// Lets the hostile program write into its slab.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        write(&mut self.market.exchange.session, &self.slab, offset, bytes);
    }

    /// Lets it write one item of a pool.
    pub fn write_item<T: bytemuck::Pod>(&mut self, pool: PoolId, index: u32, item: &T) {
        let offset = self.header().pool(pool).offset as usize;
        let at = offset + (index as usize - 1) * size_of::<T>();
        self.write(at, bytemuck::bytes_of(item));
    }

    /// Lets it change its header.
    pub fn edit_header(&mut self, edit: impl FnOnce(&mut SlabHeader)) {
        let mut header = self.header();
        edit(&mut header);
        self.write(0, bytemuck::bytes_of(&header));
    }

    /// Lets it change the account of the victim or the accomplice.
    pub fn edit_account(&mut self, victim: bool, edit: impl FnOnce(&mut SlabAccount)) {
        let index = self.escrow(victim).bound_account;
        let mut account: SlabAccount = self.item(PoolId::Accounts, index);
        edit(&mut account);
        self.write_item(PoolId::Accounts, index, &account);
    }

    /// Lets it change a hold.
    pub fn edit_hold(&mut self, index: u32, edit: impl FnOnce(&mut Reservation)) {
        let mut hold: Reservation = self.item(PoolId::Reservations, index);
        edit(&mut hold);
        self.write_item(PoolId::Reservations, index, &hold);
    }

    /// Header of the hostile slab, whatever it says.
    pub fn header(&self) -> SlabHeader {
        let data = self.market.exchange.session.data(&self.slab);
        bytemuck::pod_read_unaligned(&data[..size_of::<SlabHeader>()])
    }

    /// One item of the hostile slab.
    pub fn item<T: bytemuck::Pod>(&self, pool: PoolId, index: u32) -> T {
        let data = self.market.exchange.session.data(&self.slab);
        let at = self.header().pool(pool).offset as usize + (index as usize - 1) * size_of::<T>();
        bytemuck::pod_read_unaligned(&data[at..at + size_of::<T>()])
    }

    /// Address of an escrow at the hostile slab.
    pub fn escrow_key(&self, victim: bool) -> Address {
        let owner = self.member(victim).wallet.pubkey();
        address::escrow(&self.slab, &owner, &self.market.exchange.mint)
    }

    /// An escrow at the hostile slab.
    pub fn escrow(&self, victim: bool) -> Escrow {
        self.record(&self.escrow_key(victim))
    }

    /// A portfolio.
    pub fn portfolio(&self, victim: bool) -> Portfolio {
        let owner = self.member(victim).wallet.pubkey();
        self.record(&address::portfolio(&owner))
    }

    /// What the Router holds for the hostile slab.
    pub fn ledger(&self) -> SlabLedger {
        self.record(&address::slab_ledger(
            &self.slab,
            &self.market.exchange.mint,
        ))
    }

    /// Registry entry of the hostile slab.
    pub fn entry(&self) -> SlabEntry {
        self.record(&address::slab_entry(&self.slab))
    }

    fn record<T: Record>(&self, key: &Address) -> T {
        self.market.exchange.session.record(key).expect("a record")
    }

    /// `router.settle` at the hostile slab.
    pub fn settle(&self, victim: bool) -> Instruction {
        let owner = self.member(victim).wallet.pubkey();
        of_evil(router::settle(
            &owner,
            &self.slab,
            &self.market.exchange.mint,
        ))
    }

    /// `router.refund` at the hostile slab.
    pub fn refund(&self, victim: bool, cap: u8) -> Instruction {
        let owner = self.member(victim).wallet.pubkey();
        let mint = self.market.exchange.mint;
        of_evil(router::refund(&owner, &self.slab, &mint, cap))
    }

    /// Fails unless everything outside the hostile slab is as `before` says, to
    /// the atom: the honest slab, its users, and everybody's free cash.
    #[track_caller]
    pub fn assert_outside_untouched(&self, before: &Outside, what: &str) {
        let after = self.outside();
        for ((key, was), (_, is)) in before.records.iter().zip(&after.records) {
            assert!(was == is, "{what}: {key} changed");
        }
        assert_eq!(before.records.len(), after.records.len(), "{what}");
        assert_eq!(before.tokens, after.tokens, "{what}: tokens left the vault");
        assert!(
            after.victim_cash >= before.victim_cash,
            "{what}: free cash of the victim went"
        );
        let gained = after.accomplice_cash.saturating_sub(before.accomplice_cash);
        assert!(
            gained <= before.pledged,
            "{what}: more than was pledged to the slab"
        );
    }

    /// What no lie of the hostile slab may change.
    pub fn outside(&self) -> Outside {
        let session = &self.market.exchange.session;
        let inside = [
            self.escrow_key(true),
            self.escrow_key(false),
            address::slab_ledger(&self.slab, &self.market.exchange.mint),
            address::slab_entry(&self.slab),
            address::portfolio(&self.market.taker.wallet.pubkey()),
            address::portfolio(&self.accomplice.wallet.pubkey()),
        ];
        let accounts = &session.svm.accounts_db().inner;
        let ours = accounts.iter().filter(|(key, account)| {
            use solana_account::ReadableAccount;
            account.owner() == &address::ROUTER && !inside.contains(key)
        });
        let mut records: Vec<_> = ours
            .map(|(key, _)| (*key, session.data(key)))
            .chain([(
                self.market.exchange.slab,
                session.data(&self.market.exchange.slab),
            )])
            .collect();
        records.sort_by_key(|(key, _)| *key);
        let escrows = self.escrow(true).balance_atoms + self.escrow(false).balance_atoms;
        Outside {
            records,
            tokens: self.market.exchange.vault_tokens(),
            victim_cash: self.portfolio(true).cash_atoms,
            accomplice_cash: self.portfolio(false).cash_atoms,
            pledged: self.ledger().backing_atoms + escrows,
        }
    }
}

/// Everything that a hostile slab has no business with.
pub struct Outside {
    /// The Router's other records and the honest slab, byte by byte.
    records: Vec<(Address, Vec<u8>)>,
    tokens: u64,
    victim_cash: u64,
    accomplice_cash: u64,
    /// Pledged to the hostile slab, in atoms: all that is at risk.
    pub pledged: u64,
}

fn write(session: &mut Session, slab: &Address, offset: usize, bytes: &[u8]) {
    for (at, part) in bytes.chunks(WRITE_BYTES).enumerate() {
        let from = (offset + at * WRITE_BYTES) as u32;
        let mut data = vec![0];
        data.extend(from.to_le_bytes());
        data.extend((part.len() as u32).to_le_bytes());
        data.extend(part);
        let write = Instruction {
            program_id: EVIL,
            accounts: vec![AccountMeta::new(*slab, false)],
            data,
        };
        // A repeated write is the same transaction, and sent twice.
        session.svm.expire_blockhash();
        ok(session.send(&[write], &[]));
    }
}

/// An account of the hostile program that holds what an empty slab holds.
fn plant_slab(market: &mut Market) -> Address {
    let exchange = &mut market.exchange;
    let pattern = ok(flagstone_sdk::embedded::exchange::create_slab(
        &mut exchange.session,
        &exchange.admin,
        &exchange.mint,
        "pattern",
        SlabSize::Dev,
    ));
    let image = exchange.session.data(&pattern);
    let key = Keypair::new().pubkey();
    let preset = NewSlab::preset(exchange.admin.pubkey(), "", exchange.mint, SlabSize::Dev);
    let account = Account {
        lamports: exchange
            .session
            .svm
            .minimum_balance_for_rent_exemption(preset.account_bytes as usize),
        data: vec![0; preset.account_bytes as usize],
        owner: EVIL,
        ..Account::default()
    };
    let planted = exchange.session.svm.set_account(key, account);
    planted.expect("an account that the chain accepts");
    let used = image.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1;
    write(&mut exchange.session, &key, 0, &image[..used]);
    key
}

/// Free cash of victim and accomplice before they pledged.
pub const CASH: u64 = TAKER_CASH;
