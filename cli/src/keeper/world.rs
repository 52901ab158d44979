//! A market with leverage, seeded: who is in it, and what they do by themselves.

use crate::checks::{self, Check};
use crate::flow::generated::Random;
use crate::venue::{self, Chains};
use anyhow::{Context, Result};
use flagstone_sdk::embedded::{Exchange, Failure, Member, Oracle, Session, oracle_instrument};
use flagstone_sdk::engine::instruments::InstrumentParams;
use flagstone_sdk::engine::layout::Rules;
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::engine::risk::Health;
use flagstone_sdk::engine::{Slab, SlabSize};
use flagstone_sdk::interface::router::{CAPS_PER_ESCROW, Escrow, Portfolio, cap_state};
use flagstone_sdk::interface::slab::account_flags;
use flagstone_sdk::route::{Route, RouteLeg};
use flagstone_sdk::slab::HoldHandle;
use flagstone_sdk::units::{Lots, Ppm, Side, Slot, Ticks};
use flagstone_sdk::{router, slab};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::collections::BTreeMap;

/// One unit of the quote mint, in atoms.
const QUOTE: u64 = 1_000_000;
/// Where the price starts, in ticks of 0.01.
const MARK: u32 = 10_000;
/// Value of one tick on one lot, in atoms.
const ATOMS_PER_TICK: u64 = 10_000;
/// Slots of a step.
const STEP_SLOTS: u64 = 10;
/// What the slab's insurance starts with.
const INSURANCE: u64 = 400 * QUOTE;
/// Traders with leverage, longs and shorts in turn.
const TRADERS: usize = 6;
/// What everybody else pledges.
const DEEP: u64 = 60_000 * QUOTE;
/// Lots of a maker's quote.
const QUOTE_LOTS: u32 = 40;
/// Slots that holds and passing orders stand.
const TTL: u32 = 20;

/// The market.
pub(super) struct World {
    /// The exchange.
    pub(super) exchange: Exchange,
    /// Has an account that rewards are paid to, and nothing else.
    pub(super) keeper: Member,
    /// Last price of the oracle, in ticks.
    pub(super) price: u32,
    oracle: Oracle,
    random: Random,
    makers: Vec<Member>,
    traders: Vec<Member>,
    /// Opens routes and leaves them half way.
    router: Member,
    step: u64,
    steps: u64,
}

/// As the oracle's instrument of tests, with funding.
fn params(oracle: &Oracle) -> InstrumentParams {
    let params = oracle_instrument(Ticks(MARK), oracle);
    InstrumentParams {
        rules: Rules {
            funding_slots: Slot(100),
            funding_max: Ppm(1_000),
            ..params.rules
        },
        ..params
    }
}

impl World {
    /// Opens the market; everybody takes a position.
    ///
    /// # Errors
    /// When a program is missing or a transaction failed.
    pub(super) fn open(chains: &Chains, seed: u64, steps: u64) -> Result<Self> {
        let oracle = Oracle::new([0xfe; 32]);
        let mut exchange = venue::open_sized(chains, &params(&oracle), SlabSize::Dev)?;
        let makers = vec![
            exchange.join(2 * DEEP, DEEP)?,
            exchange.join(2 * DEEP, DEEP)?,
        ];
        let keeper = exchange.join(2 * QUOTE, QUOTE)?;
        let router = exchange.join(DEEP, 50 * QUOTE)?;
        exchange.deposit(&router, 5_000 * QUOTE)?;
        let mut world = Self {
            exchange,
            keeper,
            price: MARK,
            oracle,
            random: Random(seed),
            makers,
            traders: Vec::new(),
            router,
            step: 0,
            steps,
        };
        world.insure()?;
        world.exchange.session.wait(1);
        let slab = world.exchange.slab;
        world
            .oracle
            .update(&mut world.exchange.session, &slab, MARK)?;
        for at in 0..TRADERS {
            world.join(at)?;
        }
        Ok(world)
    }

    fn insure(&mut self) -> Result<()> {
        let exchange = &mut self.exchange;
        let admin = exchange.admin.pubkey();
        let source = exchange.create_tokens(&admin, INSURANCE)?;
        let (slab, mint) = (exchange.slab, exchange.mint);
        let fund = router::fund_insurance(&admin, &slab, &mint, &source, INSURANCE);
        exchange.session.send(&[fund], &[&exchange.admin])?;
        Ok(())
    }

    /// A trader pledges 10.6 to 14 % of a position and takes it from a maker.
    /// One in three agrees to bring more.
    fn join(&mut self, at: usize) -> Result<()> {
        let lots = 60 + self.random.below(140) as u32;
        let permille = 106 + self.random.below(35);
        let pledge = u64::from(lots) * u64::from(MARK) * ATOMS_PER_TICK * permille / 1_000;
        let exchange = &mut self.exchange;
        let trader = exchange.join(pledge + 200 * QUOTE, pledge)?;
        exchange.deposit(&trader, 100 * QUOTE)?;
        if at % 3 == 2 {
            let (owner, mint) = (trader.wallet.pubkey(), exchange.mint);
            let agree = router::set_liability_max(&owner, &exchange.slab, &mint, 80 * QUOTE);
            exchange.session.send(&[agree], &[&trader.wallet])?;
        }
        let maker = &self.makers[at % self.makers.len()];
        let (side, contra) = match at % 2 {
            0 => (Side::Bid, Side::Ask),
            _ => (Side::Ask, Side::Bid),
        };
        exchange.place(maker, OrderKind::PostOnly, contra, MARK, lots)?;
        exchange.take(&trader, side, MARK, lots, lots)?;
        self.traders.push(trader);
        Ok(())
    }

    /// Lets a step's slots pass; the oracle has a price of its own.
    pub(super) fn pass(&mut self) {
        self.step += 1;
        self.price = self.next_price();
        let session = &mut self.exchange.session;
        session.wait(STEP_SLOTS);
        self.oracle.post(session, self.price);
    }

    /// A walk, with a fall after a sixth of the time and another after half.
    fn next_price(&mut self) -> u32 {
        let walked = self.price + self.random.below(7) as u32 - 3;
        let bounded = |price: u32, around: u32| price.clamp(around - 20, around + 20);
        match self.step {
            step if step == self.steps / 6 => 9_300 - self.random.below(40) as u32,
            step if step == self.steps / 2 => 8_400 - self.random.below(200) as u32,
            step if step < self.steps / 6 => bounded(walked, MARK),
            _ => walked,
        }
    }

    /// Nobody bids for a while after the second fall.
    fn is_dry(&self) -> bool {
        (self.steps / 2..self.steps * 3 / 4).contains(&self.step)
    }

    /// Everybody does something, or fails to: that is their affair.
    pub(super) fn act(&mut self) {
        if self.step % 3 == 1 {
            self.requote();
        }
        match self.random.below(6) {
            0 => self.pass_by(),
            1 | 2 => self.route(),
            3 => self.pledge(),
            _ => {}
        }
    }

    fn try_send(&mut self, instructions: &[Instruction], who: Who) {
        let member = who.of(self);
        let asked = |key: &Keypair| {
            let mut metas = instructions.iter().flat_map(|one| &one.accounts);
            metas.any(|meta| meta.is_signer && meta.pubkey == key.pubkey())
        };
        let keys = [
            member.wallet.insecure_clone(),
            member.trader.insecure_clone(),
        ];
        let keys: Vec<&Keypair> = keys.iter().filter(|key| asked(key)).collect();
        let session = &mut self.exchange.session;
        session.svm.expire_blockhash();
        let _: Result<_, Box<Failure>> = session.send_large(instructions, &keys);
    }

    fn requote(&mut self) {
        let mark = self.mark();
        for at in 0..self.makers.len() {
            let maker = &self.makers[at];
            let (trader, slab) = (maker.trader.pubkey(), self.exchange.slab);
            let mut quotes = vec![slab::cancel_all(
                &slab,
                &trader,
                maker.account,
                None,
                None,
                32,
            )];
            for level in 1..=3 {
                let away = level * 8 + at as u32;
                let ask = maker.order(OrderKind::PostOnly, Side::Ask, mark + away, QUOTE_LOTS);
                quotes.push(slab::place(&slab, &trader, &ask));
                if !self.is_dry() {
                    let bid = maker.order(OrderKind::PostOnly, Side::Bid, mark - away, QUOTE_LOTS);
                    quotes.push(slab::place(&slab, &trader, &bid));
                }
            }
            self.try_send(&quotes, Who::Maker(at));
        }
    }

    /// An order far away that expires on its own.
    fn pass_by(&mut self) {
        let maker = &self.makers[0];
        let ticks = self.mark() - 300;
        let mut order = maker.order(OrderKind::PostOnly, Side::Bid, ticks, 1);
        order.expiry = Slot(self.exchange.session.slot() as u32 + TTL);
        let place = slab::place(&self.exchange.slab, &maker.trader.pubkey(), &order);
        self.try_send(&[place], Who::Maker(0));
    }

    /// A route that is opened and then committed or forgotten, never settled.
    fn route(&mut self) {
        let exchange = &self.exchange;
        let member = &self.router;
        let escrow = exchange.session.record::<Escrow>(&member.escrow);
        let free = |escrow: Escrow| {
            let caps = escrow.caps.iter();
            caps.take(CAPS_PER_ESCROW)
                .position(|cap| cap.state != cap_state::LIVE)
        };
        let hold = HoldHandle::next(&exchange.session.data(&exchange.slab));
        let (Some(cap), Some(hold)) = (escrow.and_then(free), hold) else {
            return;
        };
        let side = self.random.side();
        let (limit, notional) = match side {
            Side::Bid => (self.mark() + 60, u64::MAX),
            Side::Ask => (self.mark() - 60, 0),
        };
        let leg = RouteLeg {
            slab: self.exchange.slab,
            reserve: flagstone_sdk::engine::holds::Reserve {
                account: member.account.into(),
                instrument: 0,
                side,
                limit: Ticks(limit),
                lots: Lots(3),
                lots_min: Lots(3),
                ttl: Slot(TTL),
                route_id: 0,
                commitment: [0; 32],
            },
            hold,
            cap: cap as u8,
            salt: None,
            max_charge_atoms: 1_000 * QUOTE,
        };
        let (owner, trader) = (member.wallet.pubkey(), member.trader.pubkey());
        let mint = self.exchange.mint;
        let id = self.step;
        let Ok(route) = Route::new(owner, trader, mint, id, 3, notional, vec![leg]) else {
            return;
        };
        let mut steps = route.reserve();
        steps.push(route.open());
        self.try_send(&steps, Who::Router);
        if self.random.below(2) == 0 {
            self.try_send(&route.commit(), Who::Router);
        }
    }

    /// Somebody pledges a little and does not tell the slab.
    fn pledge(&mut self) {
        let (owner, mint) = (self.router.wallet.pubkey(), self.exchange.mint);
        let fund = router::fund_slab(&owner, &self.exchange.slab, &mint, QUOTE);
        self.try_send(&[fund], Who::Router);
    }

    /// Mark of the instrument, in ticks.
    pub(super) fn mark(&self) -> u32 {
        self.read(|slab| slab.instruments[0].mark.0).unwrap_or(MARK)
    }

    fn read<R>(&self, read: impl FnOnce(&Slab<'_>) -> R) -> Option<R> {
        let exchange = &self.exchange;
        exchange.session.with_slab(&exchange.slab, read).ok()
    }

    /// Equity and margins of every open account.
    pub(super) fn health(&self) -> BTreeMap<u32, Health> {
        let all = |slab: &Slab<'_>| {
            let members = self.members();
            let accounts = members.map(|member| u32::from(member.account));
            let open = |at: &u32| slab.accounts[*at].flags & account_flags::OPEN != 0;
            let open: Vec<u32> = accounts.filter(open).collect();
            open.into_iter()
                .map(|at| (at, slab.health(at, None)))
                .collect()
        };
        self.read(all).unwrap_or_default()
    }

    /// Cash of the keeper's account, in atoms.
    pub(super) fn keeper_cash(&self) -> i64 {
        let account = u32::from(self.keeper.account);
        self.read(|slab| slab.accounts[account].cash_atoms)
            .unwrap_or(0)
    }

    fn members(&self) -> impl Iterator<Item = &Member> {
        let others = [&self.keeper, &self.router];
        self.makers.iter().chain(&self.traders).chain(others)
    }

    /// Every atom is somewhere, and nothing came from nowhere.
    ///
    /// # Errors
    /// When a record is gone.
    pub(super) fn audit(&self) -> Result<Vec<Check>> {
        let (exchange, session) = (&self.exchange, &self.exchange.session);
        let mut found = session.with_slab(&exchange.slab, checks::slab)?;
        let vault = exchange.vault().context("the vault is gone")?;
        let ledger = exchange.ledger().context("the ledger is gone")?;
        let mut owned = ledger.backing_atoms + ledger.insurance_atoms + ledger.fees_atoms;
        let kept = ledger.fees_seen.get() + ledger.insurance_due_seen.get();
        let (received, mut coming) = session.with_slab(&exchange.slab, |slab| {
            (
                slab.audit().map_or(0, |totals| totals.received_atoms),
                -(kept as i128),
            )
        })?;
        for member in self.members() {
            let portfolio: Portfolio = exchange.portfolio(member).context("a portfolio is gone")?;
            let escrow: Escrow = session
                .record(&member.escrow)
                .context("an escrow is gone")?;
            owned += portfolio.cash_atoms + portfolio.claim_atoms + escrow.balance_atoms;
            coming += in_flight(session, exchange, &escrow)?;
        }
        let (booked, tokens) = (vault.booked_atoms, exchange.vault_tokens());
        found.push(Check::new(
            format!("vault: {tokens} tokens = {booked} booked = {owned} owned"),
            tokens == booked && booked == owned,
        ));
        let backing = ledger.backing_atoms;
        found.push(Check::new(
            format!("backing: {backing} atoms = {received} received + {coming} on their way"),
            i128::from(backing) == received + coming,
        ));
        Ok(found)
    }
}

/// What is on its way between an escrow and its account: to be received by the
/// slab, less what the Router has still to book.
fn in_flight(session: &Session, exchange: &Exchange, escrow: &Escrow) -> Result<i128> {
    let account = session.with_slab(&exchange.slab, |slab| slab.accounts[escrow.bound_account])?;
    let way = |total: u64, seen: u64| i128::from(total) - i128::from(seen);
    Ok(
        way(escrow.deposited_total_atoms, account.deposited_seen_atoms)
            + way(escrow.covered_total_atoms, account.covered_seen_atoms)
            + way(account.released_total_atoms, escrow.released_seen_atoms)
            - way(account.debited_total_atoms, escrow.debited_seen_atoms),
    )
}

/// Whose keys sign.
#[derive(Clone, Copy)]
enum Who {
    Maker(usize),
    Router,
}

impl Who {
    fn of(self, world: &World) -> &Member {
        match self {
            Self::Maker(at) => &world.makers[at],
            Self::Router => &world.router,
        }
    }
}

/// Breaks the books, for the test that a broken book is found.
#[cfg(test)]
pub(super) fn spoil(world: &mut World) {
    let session = &mut world.exchange.session;
    let key = flagstone_sdk::address::vault(&world.exchange.mint);
    let mut account = session.svm.get_account(&key).expect("a vault");
    // The lowest byte of what is booked.
    account.data[80] ^= 1;
    session.svm.set_account(key, account).expect("a vault");
}
