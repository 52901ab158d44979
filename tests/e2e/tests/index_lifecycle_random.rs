//! Random histories of a desk: whatever is tried in whatever order, every atom
//! and every token is accounted for after each step, and the whole history
//! replays.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::QUOTE;
use flagstone_e2e_tests::desk::{Office, Part};
use flagstone_e2e_tests::index::{ONE, TOKEN};
use flagstone_e2e_tests::orders::{deeds, ready, wish};
use flagstone_e2e_tests::random::Random;
use flagstone_sdk::index::batches::{self, Batch};
use flagstone_sdk::index::intents::{Intent, Wish};
use flagstone_sdk::index_engine::amounts::{Atoms, Tokens};
use flagstone_sdk::index_engine::machine::{Action, State};
use flagstone_sdk::index_engine::roles::Role;
use flagstone_sdk::interface::error::IndexError;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::collections::BTreeMap;

/// A walk over everything that can be done at a desk.
struct Walk {
    office: Office,
    random: Random,
    payments: u64,
    orders: u64,
    parts: Vec<(Batch, Vec<Part>)>,
    went: BTreeMap<&'static str, u32>,
    refused: u32,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut office = Office::open(10, 3);
        office.join(1_000_000 * QUOTE);
        office.join(1_000_000 * QUOTE);
        Self {
            office,
            random: Random::new(seed),
            payments: 0,
            orders: 0,
            parts: Vec::new(),
            went: BTreeMap::new(),
            refused: 0,
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.word() % bound
    }

    /// Sends, and counts whether it went through; only the program refuses.
    fn attempt(&mut self, what: &'static str, instruction: &Instruction, who: Option<Keypair>) {
        let signers: Vec<&Keypair> = who.iter().collect();
        match self.office.send(what, instruction, &signers) {
            Ok(_) => *self.went.entry(what).or_default() += 1,
            Err(failure) => {
                let known = failure.code.and_then(IndexError::from_code);
                assert!(known.is_some(), "{what}: {failure}");
                self.refused += 1;
            }
        }
    }

    fn by(&mut self, role: Role, what: &'static str, instruction: &Instruction) {
        let holder = self.office.holder(role);
        self.attempt(what, instruction, Some(holder));
    }

    /// Orders that have not ended.
    fn alive(&self) -> Vec<Intent> {
        let all = self.office.intents.iter().copied();
        all.filter(|intent| !self.office.state(intent).is_final())
            .collect()
    }

    /// One that lives as a rule, and any now and then.
    fn order(&mut self) -> Option<Intent> {
        let alive = self.alive();
        let some = match self.below(10) {
            0 => self.office.intents.clone(),
            _ => alive,
        };
        let at = self.below(some.len().max(1) as u64);
        some.get(at as usize).copied()
    }

    fn collateral(&mut self) {
        let user = self.below(2) as usize;
        let wallet = self.office.wallet(user);
        let position = self.office.position_of(&wallet.pubkey());
        let purse = self.office.users[user].collateral;
        let atoms = self.below(300 * QUOTE);
        match self.below(4) {
            0 => {
                self.payments += 1;
                let payment = self.payments - self.below(2);
                let deposit = position.deposit(&wallet.pubkey(), &purse, payment, atoms);
                self.attempt("deposit", &deposit, Some(wallet));
            }
            1 => {
                let withdraw = position.withdraw(&purse, atoms / 4);
                self.attempt("withdraw", &withdraw, Some(wallet));
            }
            _ => {
                let most = self.office.totals(user).unconfirmed.0;
                let ready = position.make_ready(&self.office.key(1), atoms.min(most));
                self.by(Role::CollateralManager, "make_ready", &ready);
            }
        }
    }

    fn submit(&mut self) {
        let user = self.below(2) as usize;
        self.orders += 1;
        let wish = Wish {
            amount: Atoms(self.below(100 * QUOTE)),
            limit_atoms: u64::MAX,
            routing_fee_max: 2 * QUOTE,
        };
        let (intent, wallet) = (
            self.office.named(user, self.orders),
            self.office.wallet(user),
        );
        let before = self.went.get("submit").copied();
        self.attempt("submit", &intent.submit(&wish), Some(wallet));
        if self.went.get("submit").copied() != before {
            self.office.intents.push(intent);
        }
    }

    /// Takes an order a step further, or some other way.
    fn step(&mut self) {
        let Some(intent) = self.order() else { return };
        let order = self.office.order(&intent);
        let amount = order.holdings.remaining;
        let some = Atoms(self.below(amount.0.max(1) + QUOTE));
        let owner = self.office.user_of(&intent).wallet.insecure_clone();
        let key = |place| self.office.key(place);
        use Role::{ChainConnector, CollateralManager, OrderManager, Solver};
        let (key0, key1, key2) = (key(0), key(1), key(2));
        let payout = self.office.payout;
        match (order.state().expect("a state"), self.below(12)) {
            (State::Submitted | State::Open, 0) => {
                self.attempt("push", &intent.push(some), Some(owner));
            }
            (_, 1) => self.attempt("reduce", &intent.reduce(some), Some(owner)),
            (state, 2) if state != State::Ready || order.holdings.filled.0 > 0 => {
                let cancel = intent.end(&owner.pubkey(), Action::Cancel);
                self.attempt("cancel", &cancel, Some(owner));
            }
            (State::Submitted, _) => {
                let accept = intent.step(&key2, Action::Accept, Atoms(0));
                self.by(OrderManager, "accept", &accept);
            }
            (State::Open, _) => {
                let route = intent.step(&key0, Action::Route, Atoms(0));
                self.by(Solver, "route", &route);
            }
            (State::Routing, 3) => {
                let hop = intent.hop(&key1, &payout, Atoms(some.0 % QUOTE));
                self.by(CollateralManager, "hop", &hop);
            }
            (State::Routing, 4) => {
                let later = intent.step(&key1, Action::CheckLater, Atoms(0));
                self.by(CollateralManager, "later", &later);
            }
            (State::Routing, 5..8) => {
                let confirm = intent.step(&key2, Action::ConfirmReady, amount);
                self.by(OrderManager, "confirm_ready", &confirm);
            }
            (State::Routing, _) => {
                let set = intent.preauthorise(&key1, amount);
                self.by(CollateralManager, "preauthorise", &set);
            }
            (State::Ready, _) => {
                let settle = intent.step(&key0, Action::Settle, Atoms(0));
                self.by(Solver, "settle", &settle);
            }
            (State::FullyMintable, 3) => {
                let deny = intent.end(&key1, Action::DenyPayment);
                self.by(CollateralManager, "deny", &deny);
            }
            (State::FullyMintable, _) => {
                let confirm = intent.confirm_payment(&key1, &payout);
                self.by(CollateralManager, "confirm", &confirm);
            }
            (State::Paid, _) => {
                let tokens = self.office.user_of(&intent).tokens;
                let mint = intent.mint(&self.office.key(5), &tokens);
                self.by(ChainConnector, "mint", &mint);
            }
            (State::Minted, _) => {
                self.by(OrderManager, "invoice", &intent.write_invoice(&key2));
            }
            _ => self.attempt("archive", &intent.archive_spends(), None),
        }
    }

    /// Puts all orders that are ready into a new batch.
    fn batch(&mut self) {
        let mut parts = Vec::new();
        for intent in self.office.intents.clone() {
            let held = self.office.order(&intent).holdings;
            let free = held.remaining.0 + held.carried.0;
            if self.office.state(&intent) != State::Ready || free < QUOTE || parts.len() == 4 {
                continue;
            }
            let engaged = 1 + self.below(free);
            // A token costs up to 0.607212 at the limits; each of three values
            // and fees is rounded up.
            let tokens = u128::from(engaged.saturating_sub(6)) * u128::from(TOKEN) / 607_212;
            if tokens > 1_000 {
                parts.push((intent, engaged, tokens as u64));
            }
        }
        if parts.is_empty() {
            return;
        }
        let number = self.parts.len() as u64 + 1;
        let padding = u128::from(self.below(3)) * ONE / 2;
        let batch = self
            .office
            .seal(&number.to_string(), number, &parts, padding);
        for (intent, ..) in &parts {
            let engage = batch.engage(&self.office.key(2), intent);
            self.by(Role::OrderManager, "engage", &engage);
        }
        self.by(Role::BatchManager, "send", &batch.send(&self.office.key(3)));
        self.parts.push((batch, parts));
    }

    /// Does something with the last batch.
    fn work(&mut self) {
        let Some((batch, parts)) = self.parts.last().cloned() else {
            return;
        };
        let (head, assets, _) = self.office.batch(&batch);
        let slot = self.below(3) as u16;
        let place = Office::place(slot);
        let pick = self.below(parts.len() as u64) as usize;
        let intent = parts[pick].0;
        let manager = self.office.key(4);
        match self.below(9) {
            0..3 => {
                let open = assets[usize::from(slot)].open().expect("sound").get();
                let quantity = open * u128::from(self.below(101)) / 100;
                let per_mille = 980 + u128::from(self.below(32));
                let mut fill = self.office.fill_of(head.number, slot, quantity, per_mille);
                fill.fee.0 /= 1 + self.below(3);
                let report = batch.report_fill(&manager, place, &fill);
                self.by(Role::InventoryManager, "report", &report);
            }
            3..5 => {
                let data = self.office.fair.exchange.session.data(&batch.key);
                let most = batches::available(&data, &intent.address()).map_or(0, |most| most.0);
                let tokens = Tokens(self.below(most + most / 8 + 1));
                let fill = batch.fill(&self.office.key(3), &intent, tokens);
                self.by(Role::BatchManager, "fill", &fill);
            }
            5 => {
                let draw = batch.draw_carry(&self.office.key(3), place);
                self.by(Role::BatchManager, "draw", &draw);
            }
            6 => self.wind_up(&batch, &parts),
            7 => self.attempt("retire", &batch.retire_lots(place), None),
            _ => self.attempt("carry_over", &batch.carry_over(&intent), None),
        }
    }

    /// Sometimes ends a batch, with or without its members' last fills.
    fn wind_up(&mut self, batch: &Batch, parts: &[Part]) {
        if self.below(3) != 0 {
            return;
        }
        for slot in 0..3 {
            let cancel = batch.cancel_rest(&self.office.key(4), slot);
            self.by(Role::InventoryManager, "cancel_rest", &cancel);
        }
        self.attempt("complete", &batch.complete(), None);
        for (intent, ..) in parts {
            let data = self.office.fair.exchange.session.data(&batch.key);
            let most = batches::available(&data, &intent.address());
            if let Some(most) = most.filter(|most| most.0 > 0) {
                let fill = batch.fill(&self.office.key(3), intent, most);
                self.by(Role::BatchManager, "fill", &fill);
            }
            self.attempt("carry_over", &batch.carry_over(intent), None);
        }
        for slot in 0..3 {
            self.attempt("retire", &batch.retire_lots(Office::place(slot)), None);
        }
    }

    fn go(&mut self) {
        match self.below(20) {
            0..4 => self.collateral(),
            4 if self.alive().len() < 8 => self.submit(),
            4..13 => self.step(),
            13 => {
                let done = self.parts.last().is_none_or(|(batch, _)| {
                    let state = self.office.batch(batch).0.state;
                    state == 4
                });
                if done {
                    self.batch();
                }
            }
            19 => {
                let slots = self.below(12);
                self.office.tick(slots);
            }
            _ => self.work(),
        }
        self.office.audit();
    }
}

#[test]
fn random_histories_lose_no_atom_and_replay() {
    for seed in [1, 2, 3] {
        let mut walk = Walk::new(seed);
        for _ in 0..2_500 {
            walk.go();
        }
        walk.office.prove();
        println!("seed {seed}: {:?}, {} refused", walk.went, walk.refused);
        // A walk that ends early shows nothing.
        for what in [
            "mint", "invoice", "fill", "report", "draw", "confirm", "hop",
        ] {
            assert!(walk.went.contains_key(what), "seed {seed} never did {what}");
        }
    }
}

#[test]
fn random_arguments_never_make_the_program_panic() {
    let mut random = Random::new(0x5eed);
    for sent in [false, true] {
        let (mut office, intent) = ready();
        let parts = [(intent, 90 * QUOTE, 100 * TOKEN)];
        let batch = office.create_batch("one", 1, 1);
        office.build(&batch, &parts, 0);
        if sent {
            office.by(Role::Solver, "seal", &batch.seal(&office.key(0)));
            office.launch(&batch, &parts);
        }
        let second = office.submit(0, 2, &wish());
        let fill = office.fill_of(1, 0, ONE, 1_000);
        let (venue, wallet) = (office.key(4), office.wallet(0));
        let purse = office.users[0].collateral;
        let position = intent.position();
        let mut all = deeds(&office, &intent, &batch);
        all.extend(deeds(&office, &second, &batch));
        all.extend([
            (
                Role::InventoryManager,
                batch.report_fill(&venue, Office::place(0), &fill),
            ),
            (Role::InventoryManager, office.stock(0).fill(&venue, &fill)),
            (
                Role::InventoryManager,
                office.stock(0).grow_inventory(&venue, 50),
            ),
            (
                Role::InventoryManager,
                office.stock(7).open_inventory(&venue, 50),
            ),
            (Role::Owner, second.push(Atoms(1))),
            (Role::Owner, second.reduce(Atoms(1))),
            (Role::Owner, intent.reduce(Atoms(1))),
            (Role::Owner, intent.end(&wallet.pubkey(), Action::Cancel)),
            (Role::Owner, position.withdraw(&purse, 1)),
            (Role::Owner, position.reclaim(&purse, 1)),
            (
                Role::Owner,
                position.deposit(&wallet.pubkey(), &purse, 5, 1),
            ),
            (Role::Owner, office.named(0, 9).submit(&wish())),
        ]);
        for (role, instruction) in all {
            let who = match role {
                Role::Owner => wallet.insecure_clone(),
                role => office.holder(role),
            };
            for round in 0..30 {
                let mut noise = instruction.clone();
                for byte in &mut noise.data[1..] {
                    *byte = random.word() as u8;
                }
                // Half of the time in words that may mean something.
                for word in noise.data[1..]
                    .chunks_exact_mut(8)
                    .filter(|_| round % 2 == 0)
                {
                    let small = random.word() >> (random.word() % 64);
                    word.copy_from_slice(&small.to_le_bytes());
                }
                if let Err(failure) = office.send("noise", &noise, &[&who]) {
                    let text = failure.logs.join("\n");
                    let aborted = text.contains("panicked") || text.contains("failed to complete");
                    assert!(!aborted && !text.contains("exceeded CUs"), "{text}");
                }
                office.audit();
            }
        }
    }
}
