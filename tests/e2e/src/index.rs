//! A market with a vendor, an index over it, and users who trade it.

use crate::{ok, session};
use flagstone_sdk::address;
use flagstone_sdk::embedded::{Exchange, Failure, Receipt};
use flagstone_sdk::events::index_events;
use flagstone_sdk::index::{self, Book, IndexLimits, NewOrder, Pair, Seeded};
use flagstone_sdk::index_engine::pending::{PendingOrder, PendingState};
use flagstone_sdk::index_engine::records::{IndexHead, MarketHead};
use flagstone_sdk::index_engine::roles::{Limits, Role};
use flagstone_sdk::interface::error::IndexError;
use flagstone_sdk::kernels::index::Constituent;
use flagstone_sdk::kernels::market::{Asset, MarginUpdate, Place, SupplyUpdate};
use flagstone_sdk::kernels::{Amount, Label};
use flagstone_sdk::units::{Ppm, Side, Slot};
use solana_account::Account;
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

/// One whole unit at 1e-18.
pub const ONE: u128 = 1_000_000_000_000_000_000;
/// One whole index token.
pub const TOKEN: u64 = 1_000_000_000;

/// A user of the index.
pub struct User {
    /// Owns both token accounts.
    pub wallet: Keypair,
    /// Collateral.
    pub collateral: Address,
    /// Index tokens.
    pub tokens: Address,
}

impl User {
    /// Key of the wallet.
    pub fn key(&self) -> Address {
        self.wallet.pubkey()
    }
}

/// The market, the index and everybody around them.
pub struct Fair {
    /// Chain, collateral mint and its minter.
    pub exchange: Exchange,
    /// Administrator of market and index, and of the desk.
    pub admin: Keypair,
    /// Reports data.
    pub vendor: User,
    /// Solver of the desk.
    pub solver: Keypair,
    /// Market and index.
    pub pair: Pair,
    /// Orders made so far.
    pub orders: Vec<Address>,
    /// Events of all transactions that [`Fair::send`] sent.
    pub events: Vec<Vec<u8>>,
}

/// Name of an asset of the tests.
pub fn label(slot: u16) -> Label {
    Label::new(1_000_000 + u128::from(slot))
}

/// Where an asset of the tests lies.
pub fn place(slot: u16) -> Place {
    Place::new(label(slot), slot)
}

/// Five levels around a price between 1 and 20, 0.1 % apart, 1,000 units each.
pub fn book(slot: u16) -> Book {
    let mid = 1_000_000 * (1 + u64::from(slot % 20));
    let level = |price: u64| [price, 1_000_000_000];
    Book {
        place: place(slot),
        price_scale: 12,
        quantity_scale: 12,
        bids: (1..=5).map(|k| level(mid - mid * k / 1000)).collect(),
        asks: (1..=5).map(|k| level(mid + mid * k / 1000)).collect(),
    }
}

/// Limits of the index: chunks of 1,000 units of collateral.
pub fn limits() -> IndexLimits {
    IndexLimits {
        order_atoms_max: 1_000_000_000,
        quote_slots_max: 50,
        quote_lag_max: 0,
        chunk_gap_slots: 0,
        paused: false,
    }
}

/// Limits of the desk.
pub fn desk_limits() -> Limits {
    Limits {
        order_atoms_max: 1_000_000_000_000,
        batch_atoms_max: 10_000_000_000_000,
        mint_threshold: Ppm(990_000),
        fill_threshold: Ppm(999_900),
        exchange_fee_max: Ppm(2_000),
        patience_slots: Slot(25),
        collateral_slots: Slot(4_500),
        batch_slots: Slot(100),
    }
}

impl Fair {
    /// A market of `assets` with data, an index of the first `constituents`
    /// with weights of 0.1, and a quote.
    pub fn open(assets: u16, constituents: u16) -> Self {
        let mut exchange = Exchange::mint_only(session()).unwrap_or_else(|error| panic!("{error}"));
        let admin = exchange.session.new_wallet();
        let solver = exchange.session.new_wallet();
        let vendor = exchange.session.new_wallet();
        let collateral = ok(exchange.create_tokens(&vendor.pubkey(), 0));
        let vendor = User {
            wallet: vendor,
            collateral,
            tokens: Address::default(),
        };
        let pair = Pair {
            market: address::index_with_seed(&admin.pubkey(), "market").expect("a short seed"),
            index: address::index_with_seed(&admin.pubkey(), "index").expect("a short seed"),
        };
        let mut fair = Self {
            exchange,
            admin,
            vendor,
            solver,
            pair,
            orders: Vec::new(),
            events: Vec::new(),
        };
        let create = fair.new_market("market", assets.into());
        fair.administer(&create);
        for slots in parts(0..assets, 40) {
            let labels: Vec<Label> = slots.into_iter().map(label).collect();
            let add = index::add_assets(&pair.market, &fair.admin.pubkey(), &labels);
            fair.administer(&[add]);
        }
        fair.open_desk();
        fair.report(0..assets);
        fair.open_index("index", constituents);
        ok(fair.send(&[pair.update_quote()], &[]));
        fair
    }

    fn open_desk(&mut self) {
        let (admin, solver) = (self.admin.pubkey(), self.solver.pubkey());
        let open = index::open_desk(&admin, &desk_limits());
        let grant = index::grant_role(&admin, Role::Solver, &solver);
        self.administer(&[open, grant]);
    }

    /// Creates, fills and seals an index of the first assets.
    pub fn open_index(&mut self, seed: &str, constituents: u16) -> Pair {
        let admin = self.admin.pubkey();
        let account = self.seeded(&admin, seed, index::index_bytes(constituents.into()));
        let pair = Pair {
            market: self.pair.market,
            index: account.address().expect("a short seed"),
        };
        let desk = address::desk(&admin);
        let market = &pair.market;
        let create = index::create_index(&account, constituents.into(), market, &limits(), &desk);
        self.administer(&create.expect("a short seed"));
        for slots in parts(0..constituents, 20) {
            let weight = Amount::new(ONE / 10);
            let added: Vec<_> = slots
                .into_iter()
                .map(|slot| (place(slot), weight))
                .collect();
            self.administer(&[pair.add_constituents(&admin, &added)]);
        }
        self.administer(&[pair.seal(&admin)]);
        pair
    }

    /// What creates a market.
    pub fn new_market(&self, seed: &str, assets: usize) -> Vec<Instruction> {
        let account = self.seeded(&self.admin.pubkey(), seed, index::market_bytes(assets));
        let (mint, vendor) = (self.exchange.mint, self.vendor.key());
        index::create_market(&account, assets, &mint, &vendor, 100, 1_000).expect("a short seed")
    }

    /// An account to create, with its rent.
    pub fn seeded<'a>(&self, base: &Address, seed: &'a str, bytes: usize) -> Seeded<'a> {
        let svm = &self.exchange.session.svm;
        Seeded {
            base: *base,
            seed,
            rent_lamports: svm.minimum_balance_for_rent_exemption(bytes),
            prefunded_lamports: 0,
        }
    }

    /// Reports books, supply and margins of the assets at these slots.
    pub fn report(&mut self, slots: std::ops::Range<u16>) {
        let (market, vendor) = (self.pair.market, self.vendor.key());
        let mut all = Vec::new();
        for slots in parts(slots.clone(), 4) {
            let books: Vec<Book> = slots.into_iter().map(book).collect();
            all.push(index::submit_books(&market, &vendor, &books));
        }
        for slots in parts(slots, 14) {
            let supply = |slot| SupplyUpdate {
                place: place(slot),
                long: Amount::new(10_000 * ONE),
                short: Amount::ZERO,
            };
            let margin = |slot| MarginUpdate {
                place: place(slot),
                margin: Amount::new(20_000 * ONE),
            };
            let supplies: Vec<_> = slots.iter().copied().map(supply).collect();
            let margins: Vec<_> = slots.iter().copied().map(margin).collect();
            all.push(index::submit_supply(&market, &vendor, &supplies));
            all.push(index::submit_margin(&market, &vendor, &margins));
        }
        for instruction in all {
            let sent = self
                .exchange
                .session
                .send_large(&[instruction], &[&self.vendor.wallet]);
            ok(sent);
        }
    }

    /// Sends what the administrator signs.
    #[track_caller]
    pub fn administer(&mut self, instructions: &[Instruction]) {
        let sent = self
            .exchange
            .session
            .send_large(instructions, &[&self.admin]);
        self.events.extend(index_events(&ok(sent).logs));
    }

    /// Sends a transaction with the largest compute limit.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn send(
        &mut self,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> Result<Receipt, Box<Failure>> {
        let receipt = self.exchange.session.send_large(instructions, signers)?;
        self.events.extend(index_events(&receipt.logs));
        Ok(receipt)
    }

    /// The events of one account, oldest first.
    pub fn history(&self, stream: &Address) -> Vec<&[u8]> {
        let of = |event: &&Vec<u8>| event[8..40] == *stream.as_ref();
        self.events.iter().filter(of).map(Vec::as_slice).collect()
    }

    /// A user with this much collateral and an empty account of index tokens.
    pub fn join(&mut self, atoms: u64) -> User {
        let wallet = self.exchange.session.new_wallet();
        let collateral = ok(self.exchange.create_tokens(&wallet.pubkey(), atoms));
        let mint = address::index_mint(&self.pair.index);
        let tokens = self.plant_tokens(&wallet.pubkey(), &mint);
        User {
            wallet,
            collateral,
            tokens,
        }
    }

    /// An empty token account of any mint.
    pub fn plant_tokens(&mut self, owner: &Address, mint: &Address) -> Address {
        let mut data = vec![0; 165];
        data[..32].copy_from_slice(mint.as_ref());
        data[32..64].copy_from_slice(owner.as_ref());
        data[108] = 1;
        let account = Account {
            lamports: 10_000_000,
            data,
            owner: address::TOKEN,
            ..Account::default()
        };
        crate::forge::plant(&mut self.exchange.session, account)
    }

    /// Makes an order and returns its address.
    #[track_caller]
    pub fn order(&mut self, user: &User, side: Side, order_id: u64, given: u64) -> Address {
        let new = NewOrder {
            side,
            order_id,
            given,
            limit_atoms: if side == Side::Bid { u64::MAX } else { 0 },
            deadline_slot: 0,
        };
        let source = match side {
            Side::Bid => user.collateral,
            Side::Ask => user.tokens,
        };
        let submit = self.pair.submit_order(&user.key(), &source, &new);
        ok(self.send(&[submit], &[&user.wallet]));
        let order = self.pair.order(&user.key(), order_id);
        self.orders.push(order);
        order
    }

    /// Executes chunks until the order is done or what is left of it is worth
    /// less than an atom; how many it took.
    #[track_caller]
    pub fn finish(&mut self, order: &Address) -> u64 {
        while self.read(order).state == PendingState::Open as u8 {
            let execute = self.pair.execute(order, 0);
            match self.send(&[execute], &[]) {
                Err(failure) if failure.code == Some(IndexError::ZeroAmount.code()) => break,
                outcome => ok(outcome),
            };
            let slot = self.exchange.session.slot();
            // The same transaction again needs another block hash.
            self.exchange.session.warp_to(slot + 1);
            self.audit();
        }
        self.read(order).chunks
    }

    /// An order.
    #[track_caller]
    pub fn read(&self, order: &Address) -> PendingOrder {
        index::read_order(&self.exchange.session.data(order)).expect("an order")
    }

    /// The market.
    pub fn market(&self) -> (MarketHead, Vec<Asset>) {
        index::read_market(&self.exchange.session.data(&self.pair.market)).expect("a market")
    }

    /// The index.
    pub fn index(&self) -> (IndexHead, Vec<Constituent>) {
        index::read_index(&self.exchange.session.data(&self.pair.index)).expect("an index")
    }

    /// Collateral in the vault.
    pub fn vault(&self) -> u64 {
        let tokens = address::market_tokens(&self.pair.market);
        self.exchange.session.token_balance(&tokens)
    }

    /// Index tokens that exist.
    pub fn supply(&self) -> u64 {
        let data = self
            .exchange
            .session
            .data(&address::index_mint(&self.pair.index));
        u64::from_le_bytes(data[36..44].try_into().expect("eight bytes"))
    }

    /// Fails unless collateral and tokens add up to the last atom, and the
    /// demand of every asset is what the outstanding tokens stand for.
    #[track_caller]
    pub fn audit(&self) {
        self.audit_with(0);
    }

    /// The same, where a desk bought for so many tokens that are not minted yet.
    #[track_caller]
    pub fn audit_with(&self, bought: u64) {
        let (market, assets) = self.market();
        let (index, constituents) = self.index();
        let (mut owed, mut claims, mut chunks) = (market.reserve_atoms, bought, 0);
        for order in self.orders.iter().map(|order| self.read(order)) {
            chunks += u128::from(order.chunks);
            match order.side {
                0 => {
                    owed += order.remaining;
                    claims += order.claimable;
                }
                _ => owed += order.claimable,
            }
        }
        assert_eq!(market.booked_atoms, owed, "what the vault owes");
        assert_eq!(self.vault(), owed, "what the vault holds");
        let circulating = index.state.circulating().expect("a sound record");
        assert_eq!(circulating.0, self.supply() + claims, "index tokens");
        let backed = u128::from(index.state.backed().expect("a sound record").0);
        for constituent in constituents {
            let asset = &assets[usize::from(constituent.place.slot)];
            let demand = asset.demand_long.get() - asset.demand_short.get();
            let exact = backed * (constituent.weight.get() / 1_000_000_000);
            assert!(
                demand >= exact && demand <= exact + chunks,
                "demand {demand} for {exact}"
            );
        }
    }
}

/// Cuts a range of slots into lists of at most `size`.
fn parts(slots: std::ops::Range<u16>, size: usize) -> Vec<Vec<u16>> {
    let all: Vec<u16> = slots.collect();
    all.chunks(size).map(<[u16]>::to_vec).collect()
}
