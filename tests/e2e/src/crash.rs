//! A long trader with leverage, makers, a keeper and an oracle: what tests of
//! liquidation start from.

use crate::money::audit_money;
use crate::{MARK, QUOTE, ok, session};
use flagstone_sdk::embedded::{Exchange, Member, Oracle, Receipt, oracle_instrument};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::engine::risk::Health;
use flagstone_sdk::interface::router::{Escrow, Portfolio, SlabLedger, Ticket};
use flagstone_sdk::interface::slab::{SlabAccount, SlabHeader};
use flagstone_sdk::slab::LiquidationRecords;
use flagstone_sdk::units::{Side, Ticks};
use flagstone_sdk::{address, router, slab};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_signer::Signer;

/// Lots that the victim is long.
pub const LOTS: u32 = 200;

/// What the victim pledges: 11.5 % of the position.
pub const PLEDGED: u64 = 2_300 * QUOTE;

/// What the victim leaves at the Router.
pub const LEFT: u64 = 100 * QUOTE;

/// The feed of the oracle.
pub const FEED: [u8; 32] = [0xfe; 32];

/// An exchange with one instrument that an oracle marks.
pub struct Crash {
    /// The exchange.
    pub exchange: Exchange,
    /// Long [`LOTS`] from [`MARK`].
    pub victim: Member,
    /// Short as many: sold them.
    pub seller: Member,
    /// Bids below.
    pub buyer: Member,
    /// Has an account that fees are paid to, and nothing else.
    pub keeper: Member,
    /// The oracle.
    pub oracle: Oracle,
    /// Last price posted.
    pub price: u32,
}

impl Crash {
    /// Opens the exchange and lets the victim buy.
    pub fn open() -> Self {
        Self::open_with(SlabSize::Dev)
    }

    /// As [`Crash::open`], on a slab of any size.
    pub fn open_with(size: SlabSize) -> Self {
        let mut exchange = ok(Exchange::open(session(), size));
        let oracle = Oracle::new(FEED);
        ok(exchange.add_instrument(&oracle_instrument(Ticks(MARK), &oracle)));
        let victim = ok(exchange.open_member(50_000 * QUOTE));
        ok(exchange.deposit(&victim, PLEDGED + LEFT));
        ok(exchange.fund(&victim, PLEDGED));
        let seller = ok(exchange.join(100_000 * QUOTE, 20_000 * QUOTE));
        let buyer = ok(exchange.join(100_000 * QUOTE, 50_000 * QUOTE));
        let keeper = ok(exchange.join(10 * QUOTE, QUOTE));
        let mut crash = Self {
            exchange,
            victim,
            seller,
            buyer,
            keeper,
            oracle,
            price: MARK,
        };
        crash.exchange.session.wait(1);
        crash.post();
        let exchange = &mut crash.exchange;
        let seller = &crash.seller;
        ok(exchange.place(seller, OrderKind::PostOnly, Side::Ask, MARK, LOTS));
        ok(exchange.take(&crash.victim, Side::Bid, MARK, LOTS, LOTS));
        crash.audit();
        crash
    }

    /// Posts the price again, now, and has the slab take it.
    pub fn post(&mut self) {
        let slab = self.exchange.slab;
        ok(self
            .oracle
            .update(&mut self.exchange.session, &slab, self.price));
    }

    /// Moves the clock, and keeps the mark fresh at the last price.
    pub fn wait(&mut self, slots: u64) {
        self.exchange.session.wait(slots);
        self.post();
    }

    /// Lets the price go somewhere and the mark follow, step by step.
    pub fn fall_to(&mut self, ticks: u32) {
        self.price = ticks;
        while self.mark() != ticks {
            self.wait(20);
        }
    }

    /// Mark of the instrument.
    pub fn mark(&self) -> u32 {
        self.read(|slab| slab.instruments[0].mark.0)
    }

    fn read<R>(&self, read: impl FnOnce(&flagstone_sdk::engine::Slab<'_>) -> R) -> R {
        let session = &self.exchange.session;
        session
            .with_slab(&self.exchange.slab, read)
            .expect("a slab")
    }

    /// The buyer bids, in so many orders one tick apart, downwards.
    pub fn bid(&mut self, ticks: u32, orders: u32, lots: u32) {
        for at in 0..orders {
            let exchange = &mut self.exchange;
            let price = ticks - at;
            ok(exchange.place(&self.buyer, OrderKind::PostOnly, Side::Bid, price, lots));
        }
    }

    /// Wallet of the victim.
    pub fn owner(&self) -> Address {
        self.victim.wallet.pubkey()
    }

    /// The four addresses that most of the Router's instructions need.
    pub fn at(&self) -> (Address, Address, Address) {
        (self.owner(), self.exchange.slab, self.exchange.mint)
    }

    /// `router.begin_liquidation` of the victim.
    pub fn begin(&self) -> Instruction {
        let (owner, slab, mint) = self.at();
        router::begin_liquidation(&owner, &slab, &mint)
    }

    /// `router.issue_ticket` for the victim.
    pub fn issue(&self) -> Instruction {
        let (owner, slab, mint) = self.at();
        router::issue_ticket(&self.exchange.session.payer(), &owner, &slab, &mint)
    }

    /// `router.end_liquidation` of the victim.
    pub fn end(&self) -> Instruction {
        let (owner, slab, mint) = self.at();
        router::end_liquidation(&owner, &slab, &mint)
    }

    /// `router.shift_margin` to the victim.
    pub fn shift(&self) -> Instruction {
        let (owner, slab, mint) = self.at();
        router::shift_margin(&owner, &slab, &mint)
    }

    /// `router.cover_bad_debt` of the victim.
    pub fn cover(&self) -> Instruction {
        let (owner, slab, mint) = self.at();
        router::cover_bad_debt(&owner, &slab, &mint)
    }

    /// `router.collect_fees` of the slab.
    pub fn collect(&self) -> Instruction {
        router::collect_fees(&self.exchange.slab, &self.exchange.mint)
    }

    /// `slab.sync` of the victim.
    pub fn sync(&self) -> Instruction {
        slab::sync(
            &self.exchange.slab,
            &self.victim.escrow,
            self.victim.account,
        )
    }

    /// The victim's ticket and portfolio.
    pub fn records(&self) -> LiquidationRecords {
        LiquidationRecords {
            ticket: address::ticket(&self.victim.escrow),
            portfolio: address::portfolio(&self.owner()),
        }
    }

    /// `slab.liquidation_call` of the victim, for the keeper.
    pub fn sweep(&self) -> Instruction {
        let keeper = self.keeper.account;
        let slab = &self.exchange.slab;
        slab::liquidation_call(slab, &self.records(), self.victim.account, keeper, &[])
    }

    /// `slab.deleverage` of the victim against the positions of these members.
    pub fn deleverage(&self, counters: &[&Member]) -> Instruction {
        let counters: Vec<u32> = counters
            .iter()
            .map(|member| self.account(member).positions_head)
            .collect();
        let slab = &self.exchange.slab;
        slab::deleverage(slab, &self.records(), self.victim.account, &counters)
    }

    /// `slab.allocate_deficit` of the victim.
    pub fn allocate(&self) -> Instruction {
        let (slab, mint) = (self.exchange.slab, self.exchange.mint);
        let ledger = address::slab_ledger(&slab, &mint);
        slab::allocate_deficit(&slab, &self.victim.escrow, &ledger, self.victim.account)
    }

    /// The administrator adds to the slab's insurance.
    pub fn insure(&mut self, atoms: u64) {
        let exchange = &mut self.exchange;
        let admin = exchange.admin.pubkey();
        let source = ok(exchange.create_tokens(&admin, atoms));
        let (slab, mint) = (exchange.slab, exchange.mint);
        let fund = router::fund_insurance(&admin, &slab, &mint, &source, atoms);
        ok(exchange.session.send(&[fund], &[&exchange.admin]));
        self.audit();
    }

    /// Sends what nobody but the payer has to sign for, and adds the books up.
    #[track_caller]
    pub fn crank(&mut self, instructions: &[Instruction]) -> Receipt {
        let receipt = ok(self.exchange.session.send_large(instructions, &[]));
        self.audit();
        receipt
    }

    /// Sends what has to fail for this reason and change nothing.
    #[track_caller]
    pub fn refuse(&mut self, instruction: &Instruction, why: impl Into<crate::refusal::Why>) {
        let one = std::slice::from_ref(instruction);
        crate::refusal::refused(&mut self.exchange.session, one, &[], why);
    }

    /// Adds the books up.
    #[track_caller]
    pub fn audit(&self) {
        audit_money(&self.exchange.session);
    }

    /// A member's slab account.
    pub fn account(&self, member: &Member) -> SlabAccount {
        self.read(|slab| slab.accounts[member.account.into()])
    }

    /// A member's position, in lots.
    pub fn lots(&self, member: &Member) -> i32 {
        let head = self.account(member).positions_head;
        if head == 0 {
            return 0;
        }
        self.read(|slab| slab.positions[head].lots.0)
    }

    /// A member's health by the engine.
    pub fn health(&self, member: &Member) -> Health {
        self.read(|slab| slab.health(member.account.into(), None))
    }

    /// Header of the slab.
    pub fn header(&self) -> SlabHeader {
        self.read(|slab| *slab.header)
    }

    /// The victim's escrow.
    pub fn escrow(&self) -> Escrow {
        let session = &self.exchange.session;
        session.record(&self.victim.escrow).expect("an escrow")
    }

    /// The victim's portfolio.
    pub fn portfolio(&self) -> Portfolio {
        self.exchange.portfolio(&self.victim).expect("a portfolio")
    }

    /// The victim's ticket.
    pub fn ticket(&self) -> Ticket {
        let key = address::ticket(&self.victim.escrow);
        self.exchange.session.record(&key).expect("a ticket")
    }

    /// What the Router holds for the slab.
    pub fn ledger(&self) -> SlabLedger {
        self.exchange.ledger().expect("a ledger")
    }

    /// Lets the victim fall just below maintenance margin, with bids below.
    pub fn sink(&mut self) {
        self.fall_to(9_300);
        self.bid(9_290, 5, 40);
        self.wait(5);
    }

    /// Freezes the victim, and waits for the end of its grace.
    pub fn freeze(&mut self) {
        let begin = [self.begin(), self.sync()];
        self.crank(&begin);
        let wait =
            u64::from(self.portfolio().grace_until.0).saturating_sub(self.exchange.session.slot());
        // In steps that keep the mark fresh.
        self.wait(wait);
    }
}
