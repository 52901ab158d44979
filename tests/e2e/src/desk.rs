//! A desk with its six signers, users with collateral at it, and batches of
//! their orders; and what must hold of them to the atom at any time.

use crate::index::{Fair, ONE, TOKEN, User, label};
use crate::ok;
use flagstone_sdk::address;
use flagstone_sdk::embedded::{Failure, Receipt};
use flagstone_sdk::index::batches::{self, Batch};
use flagstone_sdk::index::custody::{self, Position};
use flagstone_sdk::index::intents::{self, Intent, Wish};
use flagstone_sdk::index::stock::Stock;
use flagstone_sdk::index::{self, Pair};
use flagstone_sdk::index_engine::amounts::{Atoms, Price, Quantity, Tokens, mul_div_ceil};
use flagstone_sdk::index_engine::batch::BatchSize;
use flagstone_sdk::index_engine::collateral::Buckets;
use flagstone_sdk::index_engine::engage::{AssetOrder, Share, fraction_of};
use flagstone_sdk::index_engine::inventory::Fill;
use flagstone_sdk::index_engine::machine::{Action, State};
use flagstone_sdk::index_engine::orders::IndexOrder;
use flagstone_sdk::index_engine::roles::Role;
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::collections::BTreeMap;

/// The roles of a desk.
pub const ROLES: [Role; 6] = [
    Role::Solver,
    Role::CollateralManager,
    Role::OrderManager,
    Role::BatchManager,
    Role::InventoryManager,
    Role::ChainConnector,
];

/// Bids of the solver, as the authors': one percent above the price.
pub const LIMIT_PERCENT: u128 = 101;

/// A member as a batch is made of: its order, what it engages, its tokens.
pub type Part = (Intent, u64, u64);

/// A desk at work.
pub struct Office {
    /// Market, index, and the desk's administrator and solver.
    pub fair: Fair,
    /// The desk.
    pub desk: Address,
    /// Who holds each role, in the order of [`ROLES`].
    pub staff: Vec<Keypair>,
    /// Token account that the desk is paid to.
    pub payout: Address,
    /// Constituents of the index, the first assets of the market.
    pub assets: u16,
    /// Users with a position.
    pub users: Vec<User>,
    /// Orders made so far.
    pub intents: Vec<Intent>,
    /// Batches made so far.
    pub batches: Vec<Batch>,
    /// Compute units by instruction: the most that any took.
    pub units: BTreeMap<&'static str, u64>,
    /// Number of the last fill.
    pub fills: u64,
}

/// Price of an asset of the tests, at 1e-18.
pub fn price(slot: u16) -> u128 {
    (1 + u128::from(slot % 20)) * ONE
}

/// Label of an asset of the tests, as the engine names it.
pub fn name(slot: u16) -> u64 {
    label(slot).get() as u64
}

impl Office {
    /// A desk that serves an index of the first `assets` of a market.
    pub fn open(market: u16, assets: u16) -> Self {
        let mut fair = Fair::open(market, assets);
        let admin = fair.admin.pubkey();
        let mut staff = vec![fair.solver.insecure_clone()];
        for role in &ROLES[1..] {
            let key = fair.exchange.session.new_wallet();
            fair.administer(&[index::grant_role(&admin, *role, &key.pubkey())]);
            staff.push(key);
        }
        let payout = ok(fair.exchange.create_tokens(&admin, 0));
        let mint = fair.exchange.mint;
        fair.administer(&[custody::open_custody(&admin, &mint, &payout)]);
        let mut office = Self {
            fair,
            desk: address::desk(&admin),
            staff,
            payout,
            assets,
            users: Vec::new(),
            intents: Vec::new(),
            batches: Vec::new(),
            units: BTreeMap::new(),
            fills: 0,
        };
        for slot in 0..assets {
            let open = office.stock(slot).open_inventory(&office.key(4), 40);
            office.by(Role::InventoryManager, "open_inventory", &open);
            let open = office.stock(slot).open_carry(&office.key(3), 20);
            office.by(Role::BatchManager, "open_carry", &open);
        }
        office
    }

    /// Key of the holder of the role at this place of [`ROLES`].
    pub fn key(&self, place: usize) -> Address {
        self.staff[place].pubkey()
    }

    /// Who holds a role.
    pub fn holder(&self, role: Role) -> Keypair {
        let place = ROLES.iter().position(|other| *other == role);
        self.staff[place.expect("a role of a desk")].insecure_clone()
    }

    /// Sends what the holder of a role signs; fails when it is refused.
    #[track_caller]
    pub fn by(&mut self, role: Role, what: &'static str, instruction: &Instruction) -> Receipt {
        let holder = self.holder(role);
        ok(self.send(what, instruction, &[&holder]))
    }

    /// Sends one instruction in a block of its own and notes what it took.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn send(
        &mut self,
        what: &'static str,
        instruction: &Instruction,
        signers: &[&Keypair],
    ) -> Result<Receipt, Box<Failure>> {
        self.tick(0);
        let receipt = self.fair.send(std::slice::from_ref(instruction), signers)?;
        let cut = receipt.logs.iter().any(|line| line == "Log truncated");
        assert!(!cut, "the log of {what} was cut");
        let most = self.units.entry(what).or_default();
        *most = (*most).max(receipt.compute_units);
        Ok(receipt)
    }

    /// Lets slots pass; with 0 only the block changes.
    pub fn tick(&mut self, slots: u64) {
        let session = &mut self.fair.exchange.session;
        session.warp_to(session.slot() + slots);
    }

    /// A user with this much collateral in their wallet and an empty position.
    pub fn join(&mut self, atoms: u64) -> usize {
        let user = self.fair.join(atoms);
        let open = self.position_of(&user.key()).open(60, 60);
        let wallet = user.wallet.insecure_clone();
        self.users.push(user);
        ok(self.send("open_position", &open, &[&wallet]));
        self.users.len() - 1
    }

    /// The position of an owner.
    pub const fn position_of(&self, owner: &Address) -> Position {
        Position {
            desk: self.desk,
            owner: *owner,
        }
    }

    /// Wallet of a user.
    pub fn wallet(&self, user: usize) -> Keypair {
        self.users[user].wallet.insecure_clone()
    }

    /// Deposits from a user's wallet.
    #[track_caller]
    pub fn deposit(&mut self, user: usize, payment: u64, atoms: u64) {
        let wallet = self.wallet(user);
        let (owner, source) = (wallet.pubkey(), self.users[user].collateral);
        let position = self.position_of(&owner);
        let deposit = position.deposit(&owner, &source, payment, atoms);
        ok(self.send("deposit", &deposit, &[&wallet]));
    }

    /// An order of a user, as it would be named.
    pub fn named(&self, user: usize, order_id: u64) -> Intent {
        Intent {
            pair: self.fair.pair,
            desk: self.desk,
            owner: self.users[user].key(),
            order_id,
        }
    }

    /// Submits an order.
    #[track_caller]
    pub fn submit(&mut self, user: usize, order_id: u64, wish: &Wish) -> Intent {
        let (intent, wallet) = (self.named(user, order_id), self.wallet(user));
        ok(self.send("submit_intent", &intent.submit(wish), &[&wallet]));
        self.intents.push(intent);
        intent
    }

    /// Takes an action on an order alone, in its role.
    #[track_caller]
    pub fn step(&mut self, intent: &Intent, action: Action, amount: u64) {
        let role = match action {
            Action::Route => Role::Solver,
            Action::CheckLater => Role::CollateralManager,
            Action::Settle => Role::ChainConnector,
            _ => Role::OrderManager,
        };
        let who = self.holder(role).pubkey();
        let step = intent.step(&who, action, Atoms(amount));
        self.by(role, "step_intent", &step);
    }

    /// Accepts, routes with one hop for `fee`, makes ready and passes both
    /// halves of the barrier.
    #[track_caller]
    pub fn make_ready(&mut self, intent: &Intent, fee: u64) {
        self.step(intent, Action::Accept, 0);
        self.step(intent, Action::Route, 0);
        let manager = self.key(1);
        let hop = intent.hop(&manager, &self.payout, Atoms(fee));
        self.by(Role::CollateralManager, "hop", &hop);
        let amount = self.order(intent).holdings.remaining.0;
        let ready = intent.position().make_ready(&manager, amount);
        self.by(Role::CollateralManager, "make_ready", &ready);
        let set = intent.preauthorise(&manager, Atoms(amount));
        self.by(Role::CollateralManager, "preauthorise", &set);
        self.step(intent, Action::ConfirmReady, amount);
        assert_eq!(self.state(intent), State::Ready);
        self.audit();
    }

    /// Units of an asset in so many tokens, as the index weighs it.
    pub fn units_of(tokens: u64) -> u128 {
        mul_div_ceil(u128::from(tokens), ONE / 10, u128::from(TOKEN)).expect("a quantity")
    }

    /// Creates a batch at `seed`, sets its assets and members and seals it.
    /// Every asset is ordered with `padding` more.
    #[track_caller]
    pub fn seal(&mut self, seed: &str, number: u64, parts: &[Part], padding: u128) -> Batch {
        let batch = self.create_batch(seed, number, parts.len() as u32);
        self.build(&batch, parts, padding);
        let seal = batch.seal(&self.key(0));
        self.by(Role::Solver, "seal_batch", &seal);
        batch
    }

    /// Creates an empty batch.
    #[track_caller]
    pub fn create_batch(&mut self, seed: &str, number: u64, members: u32) -> Batch {
        let size = BatchSize {
            assets: self.assets.into(),
            members,
            lots: 3 * u32::from(self.assets),
        };
        let solver = self.holder(Role::Solver);
        let account = self.fair.seeded(&solver.pubkey(), seed, size.bytes());
        let market = self.fair.pair.market;
        let create = batches::create_batch(&account, &self.desk, &market, number, size);
        let create = create.expect("a short seed");
        let receipt = ok(self.fair.send(&create, &[&solver]));
        self.units.insert("create_batch", receipt.compute_units);
        let batch = Batch {
            key: account.address().expect("a short seed"),
            desk: self.desk,
        };
        self.batches.push(batch);
        batch
    }

    /// Sets assets, members and cells.
    #[track_caller]
    pub fn build(&mut self, batch: &Batch, parts: &[Part], padding: u128) {
        let solver = self.key(0);
        let total: u128 = parts.iter().map(|part| Self::units_of(part.2)).sum();
        let orders: Vec<AssetOrder> = (0..self.assets)
            .map(|slot| AssetOrder {
                label: name(slot),
                limit: Price::new(price(slot) * LIMIT_PERCENT / 100),
                quantity: Quantity::new(total + padding),
            })
            .collect();
        for (at, some) in orders.chunks(20).enumerate() {
            let set = batch.set_assets(&solver, 20 * at as u32, some);
            self.by(Role::Solver, "set_batch_assets", &set);
        }
        for (intent, atoms, tokens) in parts {
            let join = batch.join(&solver, intent, Atoms(*atoms), Tokens(*tokens));
            self.by(Role::Solver, "join_batch", &join);
            let contribution = Quantity::new(Self::units_of(*tokens));
            let fraction = fraction_of(contribution, Quantity::new(total)).expect("a fraction");
            let shares = vec![
                Share {
                    fraction,
                    contribution,
                };
                self.assets.into()
            ];
            for (at, some) in shares.chunks(32).enumerate() {
                let set = batch.set_cells(&solver, intent, 32 * at as u32, some);
                self.by(Role::Solver, "set_batch_cells", &set);
            }
        }
    }

    /// Locks the members and sends the batch.
    #[track_caller]
    pub fn launch(&mut self, batch: &Batch, parts: &[Part]) {
        for (intent, ..) in parts {
            let engage = batch.engage(&self.key(2), intent);
            self.by(Role::OrderManager, "engage", &engage);
        }
        let send = batch.send(&self.key(3));
        self.by(Role::BatchManager, "send_batch", &send);
    }

    /// A fill for a batch at this many thousandths of the asset's price, with
    /// a fee of one in a thousand.
    pub fn fill_of(&mut self, batch: u64, slot: u16, quantity: u128, per_mille: u128) -> Fill {
        self.fills += 1;
        let value = quantity / ONE * price(slot) / ONE * 1_000_000;
        Fill {
            number: self.fills,
            batch,
            venue: [0x33; 32],
            quantity: Quantity::new(quantity),
            price: Price::new(price(slot) * per_mille / 1000),
            fee: Atoms((value / 1000) as u64),
            ..Fill::default()
        }
    }

    /// The asset at a position of a batch, by its label.
    pub fn place(slot: u16) -> (u32, u64) {
        (slot.into(), name(slot))
    }

    /// Reports a fill of every asset of a batch.
    #[track_caller]
    pub fn report(&mut self, batch: &Batch, quantity: u128, per_mille: u128) {
        let number = self.batch(batch).0.number;
        for slot in 0..self.assets {
            let fill = self.fill_of(number, slot, quantity, per_mille);
            let report = batch.report_fill(&self.key(4), Self::place(slot), &fill);
            self.by(Role::InventoryManager, "report_fill", &report);
        }
    }

    /// Books all that a batch has for an order.
    #[track_caller]
    pub fn take(&mut self, batch: &Batch, intent: &Intent) -> u64 {
        let data = self.fair.exchange.session.data(&batch.key);
        let tokens = batches::available(&data, &intent.address()).expect("a member");
        let fill = batch.fill(&self.key(3), intent, tokens);
        self.by(Role::BatchManager, "fill_intent", &fill);
        self.audit();
        tokens.0
    }

    /// Cancels what is open, completes, lets the members go and retires the rest.
    #[track_caller]
    pub fn finish(&mut self, batch: &Batch, parts: &[Part]) {
        let manager = self.key(4);
        for slot in 0..self.assets {
            let (_, assets, _) = self.batch(batch);
            if assets[usize::from(slot)]
                .open()
                .expect("a sound record")
                .get()
                > 0
            {
                let cancel = batch.cancel_rest(&manager, slot.into());
                self.by(Role::InventoryManager, "cancel_rest", &cancel);
            }
        }
        ok(self.send("complete_batch", &batch.complete(), &[]));
        for (intent, ..) in parts {
            if self.order(intent).batch == *batch.key.as_array() {
                ok(self.send("carry_over", &batch.carry_over(intent), &[]));
            }
        }
        for slot in 0..self.assets {
            let retire = batch.retire_lots(Self::place(slot));
            ok(self.send("retire_lots", &retire, &[]));
        }
        self.audit();
    }

    /// Confirms, mints and invoices an order that may be minted.
    #[track_caller]
    pub fn pay_and_mint(&mut self, intent: &Intent) -> Receipt {
        let confirm = intent.confirm_payment(&self.key(1), &self.payout);
        self.by(Role::CollateralManager, "confirm_payment", &confirm);
        self.audit();
        let tokens = self.user_of(intent).tokens;
        let mint = intent.mint(&self.key(5), &tokens);
        self.by(Role::ChainConnector, "mint_index", &mint);
        let invoice = intent.write_invoice(&self.key(2));
        let receipt = self.by(Role::OrderManager, "write_invoice", &invoice);
        self.audit();
        receipt
    }

    /// Who made an order.
    pub fn user_of(&self, intent: &Intent) -> &User {
        let mut users = self.users.iter();
        let found = users.find(|user| user.key() == intent.owner);
        found.expect("a user of the desk")
    }

    /// An order.
    #[track_caller]
    pub fn order(&self, intent: &Intent) -> IndexOrder {
        let data = self.fair.exchange.session.data(&intent.address());
        intents::read_intent(&data).expect("an order").0
    }

    /// State of an order.
    #[track_caller]
    pub fn state(&self, intent: &Intent) -> State {
        self.order(intent).state().expect("a state")
    }

    /// A batch.
    #[track_caller]
    pub fn batch(
        &self,
        batch: &Batch,
    ) -> (
        flagstone_sdk::index_engine::batch::OrderBatch,
        Vec<flagstone_sdk::index_engine::batch::BatchAsset>,
        Vec<flagstone_sdk::index_engine::batch::Member>,
    ) {
        let data = self.fair.exchange.session.data(&batch.key);
        batches::read_batch(&data).expect("a batch")
    }

    /// An asset at the desk.
    pub fn stock(&self, slot: u16) -> Stock {
        Stock {
            desk: self.desk,
            label: name(slot),
        }
    }

    /// Where a user's collateral is.
    pub fn totals(&self, user: usize) -> Buckets {
        let key = self.position_of(&self.users[user].key()).address();
        let data = self.fair.exchange.session.data(&key);
        custody::read_position(&data).expect("a position").0.totals
    }

    /// Market and index.
    pub const fn pair(&self) -> Pair {
        self.fair.pair
    }
}
