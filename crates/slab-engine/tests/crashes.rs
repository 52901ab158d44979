//! Random crash stories: prices jump, accounts are liquidated, deleveraged, go
//! bankrupt and are paid for, and after every step all invariants hold and no
//! atom is missing.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::crash::{Papers, crash_params};
use common::router::{handle, reserve};
use common::{Exchange, Handle, Rng, ioc, key_of, limit};
use flagstone_interface::slab::SlabAccount;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::deleverages::DELEVERAGE_SLOTS;
use flagstone_slab_engine::releases::WARMUP_SLOTS;
use flagstone_units::{Side, Slot, Ticks};

const ACCOUNTS: u32 = 9;
/// Accounts from this one on are poor and trade as far as they can.
const POOR: u32 = 4;

/// What happened, so that a story without it cannot pass.
#[derive(Debug, Default)]
struct Seen {
    liquidated: u32,
    preempted: u32,
    rewarded: u32,
    deleveraged: u32,
    left_out: u32,
    bankrupt: u32,
    covered: u32,
    allocated: u32,
    wiped: u32,
    waiting: u32,
    released: u32,
    shifted: u32,
}

struct Story {
    exchange: Exchange,
    rng: Rng,
    mark: u32,
    holds: Vec<(u32, Handle)>,
    tickets: Vec<(u32, Papers)>,
    nonce: u32,
    /// What the Router's insurance fund holds.
    insurance: u64,
    due_seen: u128,
    seen: Seen,
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut deposits = vec![20_000_000u64; POOR as usize - 1];
        deposits.resize(ACCOUNTS as usize, 150_000);
        Self {
            exchange: Exchange::crash_with(&crash_params(), &deposits),
            rng: Rng(seed),
            mark: 100_000,
            holds: Vec::new(),
            tickets: Vec::new(),
            nonce: 0,
            insurance: 0,
            due_seen: 0,
            seen: Seen::default(),
        }
    }

    fn account(&mut self) -> u32 {
        1 + self.rng.below(u64::from(ACCOUNTS)) as u32
    }

    fn side(&mut self) -> Side {
        [Side::Bid, Side::Ask][self.rng.below(2) as usize]
    }

    fn read(&mut self, account: u32) -> SlabAccount {
        self.exchange.slab().accounts[account]
    }

    fn step(&mut self) {
        match self.rng.below(20) {
            0..4 => self.trade(),
            4..7 => self.quote(),
            7 | 8 => self.jump(),
            9 => self.exchange.slot += self.rng.below(30) as u32,
            10 => self.hold(),
            11 => self.end_hold(),
            12..15 => self.liquidate(),
            15 | 16 => self.deleverage(),
            17 if self.rng.below(4) == 0 => self.shift(),
            17 => self.deposit_or_release(),
            18 => self.pay_debt(),
            _ => self.silence(),
        }
        self.exchange.audit_all();
    }

    /// A poor account bets against a rich one, or trades with the book.
    fn trade(&mut self) {
        let (account, side) = (self.account(), self.side());
        let lots = 1 + self.rng.below(12) as u32;
        if self.rng.below(2) == 0 {
            let rich = 1 + self.rng.below(u64::from(POOR) - 1) as u32;
            let order = limit(rich, side.contra(), self.mark, lots);
            let _ = self.exchange.place(&order);
        }
        let bound = self.mark + self.mark / 50;
        let price = if side == Side::Bid {
            bound
        } else {
            self.mark - self.mark / 50
        };
        let _ = self.exchange.take(&ioc(account, side, price, lots));
    }

    /// Depth around the mark, from anybody.
    fn quote(&mut self) {
        let (account, side) = (self.account(), self.side());
        let away = self.rng.below(u64::from(self.mark / 40)) as i64;
        let ticks = i64::from(self.mark) - side.signed(away);
        let lots = 1 + self.rng.below(15) as u32;
        let _ = self.exchange.post(account, side, ticks as u32, lots);
    }

    fn jump(&mut self) {
        let step = self.rng.below(u64::from(self.mark / 10)) as u32;
        let up = self.mark < 40_000 || (self.mark < 250_000 && self.rng.below(2) == 0);
        self.mark = if up {
            self.mark + step
        } else {
            self.mark - step
        };
        self.exchange.set_mark(0, self.mark);
    }

    fn hold(&mut self) {
        let (account, side) = (self.account(), self.side());
        let price = i64::from(self.mark) + side.signed(i64::from(self.mark / 30));
        let mut order = reserve(account, side, price as u32, 1 + self.rng.below(9) as u32);
        order.ttl = Slot(self.rng.below(60) as u32);
        if let Ok(held) = self.exchange.reserve(&order) {
            self.holds.push((account, handle(&held)));
        }
    }

    fn end_hold(&mut self) {
        if self.holds.is_empty() {
            return;
        }
        let at = self.rng.below(self.holds.len() as u64) as usize;
        let (account, hold) = self.holds.swap_remove(at);
        self.exchange.slot += self.rng.below(70) as u32;
        if self.exchange.cancel_hold(account, hold).is_err() {
            self.exchange.expire_hold(hold.0).unwrap();
        }
    }

    fn liquidate(&mut self) {
        let account = self.account();
        let lots = 1 + self.rng.below(14) as u32;
        let mut papers = self.exchange.ticket(account, lots);
        self.nonce += 1;
        papers.ticket.nonce = self.nonce;
        papers.ticket.issued_slot =
            Slot(self.exchange.slot.saturating_sub(self.rng.below(70) as u32));
        papers.ticket.expiry_slot = Slot(papers.ticket.issued_slot.0 + 75);
        if self.rng.below(3) == 0 {
            papers.ticket.deficit_max_atoms = self.rng.below(60_000);
        }
        let mut hints = [(0, 0); 4];
        for hint in &mut hints {
            if !self.holds.is_empty() {
                let at = self.rng.below(self.holds.len() as u64) as usize;
                *hint = self.holds[at].1;
            }
        }
        let keeper = self.rng.below(u64::from(ACCOUNTS) + 1) as u32;
        let (equity, _, maintenance) = self.exchange.health(account);
        let before = self.exchange.position(account, 0).0;
        self.tickets.push((account, papers));
        let Ok((traded, done)) = self
            .exchange
            .liquidation_call(account, keeper, hints, &papers)
        else {
            return;
        };
        // A bond that came back with a hold may lift equity, nothing else may.
        assert!(
            equity < maintenance as i64,
            "a healthy account was liquidated"
        );
        let after = self.exchange.position(account, 0).0;
        assert_eq!(before.abs() - after.abs(), { traded.lots } as i32);
        assert!(
            after == 0 || (after > 0) == (before > 0),
            "a liquidation flipped"
        );
        let (left, _, _) = self.exchange.health(account);
        let event = done.liquidated;
        assert!({ event.fee_atoms } == 0 || left >= 0, "a fee made a debt");
        assert!({ event.reward_atoms } <= { event.fee_atoms });
        assert!(left.min(0).unsigned_abs() <= papers.ticket.deficit_max_atoms || left >= equity);
        self.seen.liquidated += 1;
        self.seen.preempted += done.ended().len() as u32;
        self.seen.rewarded += u32::from({ event.reward_atoms } > 0);
        self.seen.bankrupt += u32::from(done.recognised.is_some());
    }

    /// Positions of the other side that are in profit, most profitable first.
    fn counters(&mut self, account: u32) -> Vec<(i64, u32)> {
        let (lots, _) = self.exchange.position(account, 0);
        let mut found = Vec::new();
        for other in 1..=ACCOUNTS {
            let (held, cost) = self.exchange.position(other, 0);
            let gain = i64::from(held) * i64::from(self.mark) - cost;
            if held != 0 && (held > 0) != (lots > 0) && gain > 0 {
                let entry = cost.abs() / i64::from(held).abs();
                found.push((if lots > 0 { -entry } else { entry }, other));
            }
        }
        found.sort();
        found
    }

    fn deleverage(&mut self) {
        // Those before are void.
        let since = Slot(self.exchange.slot).saturating_sub(DELEVERAGE_SLOTS);
        self.tickets
            .retain(|(_, papers)| papers.ticket.expiry_slot >= since);
        if self.tickets.is_empty() {
            return;
        }
        let at = self.rng.below(self.tickets.len() as u64) as usize;
        let (account, papers) = self.tickets.swap_remove(at);
        if self.exchange.slot <= papers.ticket.expiry_slot.0 {
            self.exchange.slot = papers.ticket.expiry_slot.0 + 1;
        }
        let ranked = self.counters(account);
        let first = self.rng.below(4) == 0 && ranked.len() > 1;
        let counters: Vec<_> = ranked[usize::from(first)..]
            .iter()
            .map(|(_, other)| *other)
            .collect();
        let (equity, _, _) = self.exchange.health(account);
        let before: Vec<_> = (1..=ACCOUNTS)
            .map(|other| self.exchange.cash(other))
            .collect();
        match self.exchange.deleverage(account, &counters, &papers) {
            Ok(done) => {
                self.seen.deleveraged += 1;
                self.seen.bankrupt += u32::from(done.recognised.is_some());
                for event in done.events() {
                    let at = usize::from(event.counter) - 1;
                    let now = self.exchange.cash(event.counter.into());
                    let cut = self.read(event.counter.into()).principal_atoms as i64;
                    assert!(
                        now >= before[at] || now >= cut,
                        "a counterpart lost principal"
                    );
                }
                let left = self.exchange.health(account).0;
                assert!(left >= equity.min(0), "closing made it worse");
                // One may be left out that is no better than the last.
                let last = ranked[usize::from(first) + done.events().len() - 1];
                assert!(!first || last.0 == ranked[0].0, "a better one was left out");
            }
            Err(SlabError::BadDeleverage) => self.seen.left_out += u32::from(first),
            Err(_) => {}
        }
    }

    fn deposit_or_release(&mut self) {
        let account = self.account();
        if self.rng.below(2) == 0 {
            // Enough to bet again after a crash.
            let atoms = self.rng.below(200_000);
            self.exchange.deposit(account, atoms).unwrap();
        } else {
            let slot = Slot(self.exchange.slot);
            let free = self.exchange.slab().releasable_atoms(account, slot);
            let part = [1, 1, 4][self.rng.below(3) as usize];
            let atoms = (free / part).saturating_sub(self.rng.below(2));
            let deficit = self.exchange.deficit();
            if self.exchange.release(account, atoms).is_ok() {
                assert_eq!(deficit, 0, "money left while a deficit stood");
                self.seen.released += 1;
                self.exchange.pay_released(account);
            }
        }
    }

    /// Margin for another slab leaves, as much as may and is wanted there.
    fn shift(&mut self) {
        let account = self.account();
        let wanted = 1 + self.rng.below(400_000);
        let mut papers = self.exchange.shift_papers(account, wanted, wanted);
        self.nonce += 1;
        papers.ticket.nonce = self.nonce;
        papers.portfolio.shift_nonce = self.nonce;
        let before = self.exchange.cash(account);
        let deficit = self.exchange.deficit();
        let Ok(done) = self.exchange.release_shift(&papers) else {
            return;
        };
        assert_eq!(deficit, 0, "money left while a deficit stood");
        assert!(done.amount_atoms <= wanted, "more than was wanted");
        // A haircut that the account had not seen may cut it as well.
        assert!(done.cash_atoms <= before - done.amount_atoms as i64);
        let (equity, initial, _) = self.exchange.health(account);
        assert!(equity >= initial as i64, "below initial margin");
        let again = self.exchange.release_shift(&papers);
        assert_eq!(again, Err(SlabError::BadShift), "twice");
        self.seen.shifted += 1;
        self.exchange.pay_released(account);
    }

    /// The Router books dues and covers what it can; then profits pay.
    fn pay_debt(&mut self) {
        let due = self.exchange.slab().header.insurance_due_total.get();
        self.insurance += (due - self.due_seen) as u64;
        self.due_seen = due;
        for account in 1..=ACCOUNTS {
            let debt = self.read(account).debt_atoms();
            if !self.read(account).is_bankrupt() {
                self.exchange.sync(account).unwrap();
                continue;
            }
            if self.rng.below(2) == 0 {
                let cover = debt.min(self.insurance);
                self.insurance -= cover;
                self.exchange.cover(account, cover);
                self.exchange.sync(account).unwrap();
                self.seen.covered += u32::from(cover > 0);
            }
            self.allocate(account);
        }
    }

    fn allocate(&mut self, account: u32) {
        let debt = self.read(account).debt_atoms();
        let principals: Vec<_> = (1..=ACCOUNTS)
            .map(|at| self.read(at).principal_atoms)
            .collect();
        let base = self.exchange.slab().header.haircut_base_atoms();
        let epoch = self.exchange.slab().header.haircut_index >> 32;
        let ledger = self.exchange.ledger(self.insurance);
        let stood = self.exchange.slot - self.read(account).warmup_slot.0 >= WARMUP_SLOTS.0;
        match self.exchange.allocate_with(account, &ledger) {
            Ok(paid) => {
                assert!(
                    self.insurance == 0 || stood,
                    "profits paid before insurance"
                );
                assert_eq!(paid, debt.min(base));
                self.seen.allocated += 1;
                let now = self.exchange.slab().header.haircut_index >> 32;
                self.seen.wiped += u32::from(now != epoch);
                for other in 1..=ACCOUNTS {
                    if self.rng.below(2) == 0 {
                        self.exchange.sync(other).unwrap();
                    }
                    let kept = self.read(other).principal_atoms;
                    assert_eq!(kept, principals[other as usize - 1], "principal was cut");
                }
            }
            Err(error) => {
                assert_eq!(error, SlabError::NoDeficit);
                self.seen.waiting += u32::from(self.insurance > 0 && debt > 0 && !stood);
            }
        }
    }

    fn silence(&mut self) {
        if self.rng.below(4) == 0 {
            self.exchange.slot += self.rng.below(900) as u32;
        }
        let account = self.account();
        let mut cancelled = flagstone_slab_engine::cancels::Cancelled::none();
        let trader = key_of(7, account);
        let which = flagstone_slab_engine::cancels::Which {
            instrument: None,
            side: None,
            most: 32,
        };
        let _ = self
            .exchange
            .run(|slab| slab.cancel_all(&trader, account, &which, &mut cancelled));
        let mark = self.exchange.slab().instruments[0].mark;
        assert_eq!(mark, Ticks(self.mark), "only the test moves the mark");
    }
}

#[test]
fn t9_lq4_lq5_x7_random_crash_stories_conserve_every_atom() {
    let mut total = Seen::default();
    for seed in 0..900 {
        let mut story = Story::new(seed);
        for _ in 0..400 {
            story.step();
        }
        let seen = story.seen;
        total.liquidated += seen.liquidated;
        total.preempted += seen.preempted;
        total.rewarded += seen.rewarded;
        total.deleveraged += seen.deleveraged;
        total.left_out += seen.left_out;
        total.bankrupt += seen.bankrupt;
        total.covered += seen.covered;
        total.allocated += seen.allocated;
        total.wiped += seen.wiped;
        total.waiting += seen.waiting;
        total.released += seen.released;
        total.shifted += seen.shifted;
    }
    let seen = [
        total.liquidated,
        total.preempted,
        total.rewarded,
        total.deleveraged,
        total.left_out,
        total.bankrupt,
        total.covered,
        total.allocated,
        total.wiped,
        total.waiting,
        total.released,
        total.shifted,
    ];
    assert!(seen.iter().all(|count| *count >= 5), "{total:?}");
}
