//! A victim that is short at one slab and well at others: what tests of
//! shifting start from.

use crate::crash::{Crash, LOTS, PLEDGED};
use crate::{MARK, QUOTE, ok};
use flagstone_sdk::embedded::{Member, Receipt, Seat, oracle_instrument};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::router::{Escrow, ShiftTicket, SlabLedger};
use flagstone_sdk::interface::slab::SlabAccount;
use flagstone_sdk::margin::times::GRACE_SLOTS;
use flagstone_sdk::units::{Side, Ticks};
use flagstone_sdk::{address, router, slab};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_signer::Signer;

/// What the victim has at the second slab.
pub const SPARE: u64 = 3_000 * QUOTE;

/// What the victim lacks after [`Crash::sink`]: 1,860 less 890.
pub const MISSING: u64 = 970 * QUOTE;

/// A crash, and an account of the victim at a further slab.
pub struct Rescue {
    /// The crash.
    pub crash: Crash,
    /// The victim's account at the second slab, with [`SPARE`] of cash.
    pub source: Seat,
}

impl Rescue {
    /// A victim that is well at both slabs and consents to 5,000 at the first.
    pub fn open() -> Self {
        let mut crash = Crash::open();
        let source = add_source(&mut crash, "second", SPARE);
        let mut rescue = Self { crash, source };
        rescue.consent(5_000 * QUOTE);
        rescue
    }

    /// As [`Rescue::open`], and the first slab's account is frozen, [`MISSING`]
    /// short, in a grace that just began.
    pub fn frozen() -> Self {
        let mut rescue = Self::open();
        rescue.freeze();
        rescue
    }

    /// The price falls, and the first slab's account is frozen.
    pub fn freeze(&mut self) {
        self.crash.sink();
        let begin = [self.crash.begin(), self.crash.sync()];
        self.crash.crank(&begin);
        let now = self.crash.exchange.session.slot() as u32;
        assert_eq!(self.crash.escrow().grace_until.0, now + GRACE_SLOTS.0);
    }

    /// The owner's consent at the first slab.
    pub fn consent(&mut self, atoms: u64) {
        let (owner, slab, mint) = self.crash.at();
        let set = router::set_liability_max(&owner, &slab, &mint, atoms);
        let wallet = &self.crash.victim.wallet;
        ok(self.crash.exchange.session.send(&[set], &[wallet]));
    }

    /// Puts a price under the second slab's instrument, which is added if there
    /// is none, and lets its mark follow.
    pub fn mark_source(&mut self, ticks: u32) {
        let (exchange, oracle) = (&mut self.crash.exchange, self.crash.oracle);
        let slab = self.source.slab;
        if exchange.next_instrument(&slab) == 0 {
            let params = oracle_instrument(Ticks(MARK), &oracle);
            ok(exchange.add_instrument_at(&slab, &params));
        }
        loop {
            exchange.session.wait(1);
            ok(oracle.update(&mut exchange.session, &slab, ticks));
            let mark = exchange
                .session
                .with_slab(&slab, |slab| slab.instruments[0].mark.0);
            if mark.expect("a slab") == ticks {
                return;
            }
            exchange.session.wait(19);
        }
    }

    /// The victim buys [`LOTS`] at the second slab, from the seller.
    pub fn buy_at_source(&mut self) {
        self.mark_source(MARK);
        let (crash, slab) = (&mut self.crash, self.source.slab);
        let exchange = &mut crash.exchange;
        let seller = ok(exchange.add_seat(&crash.seller, &slab));
        fund(exchange, &crash.seller, &seller, 20_000 * QUOTE);
        let mut ask = crash
            .seller
            .order(OrderKind::PostOnly, Side::Ask, MARK, LOTS);
        ask.account = seller.account.into();
        let ask = slab::place(&slab, &crash.seller.trader.pubkey(), &ask);
        ok(exchange.session.send(&[ask], &[&crash.seller.trader]));
        let mut take = crash.victim.taking(Side::Bid, MARK, LOTS, LOTS);
        take.account = self.source.account.into();
        let take = slab::take(&slab, &crash.victim.trader.pubkey(), &take);
        ok(exchange.session.send(&[take], &[&crash.victim.trader]));
        crash.audit();
    }

    /// `router.issue_shift` from a slab to the first one.
    pub fn issue_from(&self, source: &Address) -> Instruction {
        let (owner, slab, mint) = self.crash.at();
        let payer = self.crash.exchange.session.payer();
        router::issue_shift(&payer, &owner, source, &slab, &mint)
    }

    /// `router.issue_shift` from the second slab to the first.
    pub fn issue(&self) -> Instruction {
        self.issue_from(&self.source.slab)
    }

    /// `slab.release_shift` at a seat.
    pub fn release_at(&self, seat: &Seat) -> Instruction {
        let portfolio = address::portfolio(&self.crash.owner());
        let target = &self.crash.victim.escrow;
        slab::release_shift(&seat.slab, &portfolio, &seat.escrow, target)
    }

    /// `slab.release_shift` at the second slab.
    pub fn release(&self) -> Instruction {
        self.release_at(&self.source)
    }

    /// `router.settle` at a slab.
    pub fn settle_at(&self, slab: &Address) -> Instruction {
        let (owner, _, mint) = self.crash.at();
        router::settle(&owner, slab, &mint)
    }

    /// `router.settle` at the second slab.
    pub fn settle(&self) -> Instruction {
        self.settle_at(&self.source.slab)
    }

    /// Sends what nobody but the payer has to sign for, and adds the books up.
    #[track_caller]
    pub fn crank(&mut self, instructions: &[Instruction]) -> Receipt {
        self.crash.crank(instructions)
    }

    /// Sends what has to fail for this reason and change nothing.
    #[track_caller]
    pub fn refuse(&mut self, instruction: &Instruction, why: impl Into<crate::refusal::Why>) {
        self.crash.refuse(instruction, why);
    }

    /// The ticket of an escrow.
    pub fn ticket_of(&self, escrow: &Address) -> ShiftTicket {
        let key = address::shift_ticket(escrow);
        self.crash.exchange.session.record(&key).expect("a ticket")
    }

    /// The ticket of the second slab's account.
    pub fn ticket(&self) -> ShiftTicket {
        self.ticket_of(&self.source.escrow)
    }

    /// The slab account at a seat.
    pub fn account(&self, seat: &Seat) -> SlabAccount {
        let read = |slab: &flagstone_sdk::engine::Slab<'_>| slab.accounts[seat.account.into()];
        let session = &self.crash.exchange.session;
        session.with_slab(&seat.slab, read).expect("a slab")
    }

    /// Escrow of the second slab's account.
    pub fn escrow(&self) -> Escrow {
        let session = &self.crash.exchange.session;
        session.record(&self.source.escrow).expect("an escrow")
    }

    /// What the Router holds for the second slab.
    pub fn ledger(&self) -> SlabLedger {
        let key = address::slab_ledger(&self.source.slab, &self.crash.exchange.mint);
        self.crash.exchange.session.record(&key).expect("a ledger")
    }

    /// Where the victim's money is, in atoms: cash at the first slab, at the
    /// second one, and at the Router.
    pub fn money(&self) -> [i64; 3] {
        [
            self.crash.account(&self.crash.victim).cash_atoms,
            self.account(&self.source).cash_atoms,
            self.crash.portfolio().cash_atoms as i64,
        ]
    }
}

/// An account of the victim at a new slab, with cash.
pub fn add_source(crash: &mut Crash, seed: &str, atoms: u64) -> Seat {
    let exchange = &mut crash.exchange;
    let slab = ok(exchange.add_slab(seed, SlabSize::Dev));
    let seat = ok(exchange.add_seat(&crash.victim, &slab));
    fund(exchange, &crash.victim, &seat, atoms);
    crash.audit();
    assert_eq!(crash.escrow().deposited_total_atoms, PLEDGED);
    seat
}

/// Brings a member's tokens to a seat.
fn fund(
    exchange: &mut flagstone_sdk::embedded::Exchange,
    member: &Member,
    seat: &Seat,
    atoms: u64,
) {
    ok(exchange.deposit(member, atoms));
    let owner = member.wallet.pubkey();
    let fund = [
        router::fund_slab(&owner, &seat.slab, &exchange.mint, atoms),
        slab::sync(&seat.slab, &seat.escrow, seat.account),
    ];
    ok(exchange.session.send(&fund, &[&member.wallet]));
}
