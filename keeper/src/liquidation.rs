//! From an account below its margin to a slab without debt.
//!
//! ```text
//! begin, sync -> (grace: shift, fetch) -> ticket -> sweep, until margin is back
//!                                               \-> expired: deleverage
//!             -> collect, cover, sync, allocate while a debt is left -> end, sync
//! ```
//! Each call of [`Liquidator::step`] sends at most one transaction per account
//! that succeeds. Which one follows from what the chain shows, never from what
//! was sent before. Margin that another slab was to give and did not holds up
//! nothing: what is due without it follows at once. While liquidation is paused,
//! nothing that only liquidates is sent. A ticket goes out in a transaction of its own: were it undone by a
//! sweep that finds no bids, it would never expire, and deleveraging never come.

use crate::chain::{Chain, record};
use crate::counters::counters;
use crate::snapshot::Snapshot;
use crate::source::Source;
use flagstone_sdk::engine::releases::WARMUP_SLOTS;
use flagstone_sdk::interface::router::{Escrow, Portfolio, RouterConfig, SlabLedger, Ticket};
use flagstone_sdk::interface::slab::{SlabAccount, account_flags};
use flagstone_sdk::margin::times::DELEVERAGE_SLOTS;
use flagstone_sdk::margin::{Reading, cover, reading, shift};
use flagstone_sdk::slab::LiquidationRecords;
use flagstone_sdk::units::Slot;
use flagstone_sdk::{address, router, slab};
use solana_address::Address;
use solana_instruction::Instruction;

/// What is due for one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Below maintenance margin: freeze it.
    Begin,
    /// Frozen, and its owner consented to more margin than it has.
    Shift,
    /// The same, and the margin lies with another account of its owner, at
    /// another slab.
    Fetch,
    /// Its grace is over: a ticket.
    Issue,
    /// A ticket is out: sell into the book, or buy from it.
    Sweep,
    /// The ticket expired with lots left: opposite positions take over.
    Deleverage,
    /// It owes and the slab's dues to insurance are not booked.
    Collect,
    /// It owes and insurance may pay.
    Cover,
    /// Cover was paid and not credited, or a debt not recognised.
    Sync,
    /// It owes and only profits can pay.
    Allocate,
    /// Margin is back: unfreeze it.
    End,
}

/// One transaction that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Slab account.
    pub account: u32,
    /// What it was for.
    pub task: Task,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// The liquidation keeper of one slab.
#[derive(Clone, Copy, Debug)]
pub struct Liquidator {
    /// The slab.
    pub slab: Address,
    /// The quote mint.
    pub mint: Address,
    /// The keeper's own account at the slab, to which rewards go; 0 for none.
    pub keeper: u16,
}

/// The records around one account.
struct Case<'a> {
    slab: &'a Snapshot,
    index: u32,
    account: &'a SlabAccount,
    escrow_key: Address,
    escrow: Escrow,
    portfolio: Portfolio,
    ledger: SlabLedger,
    ticket: Option<Ticket>,
    reading: Reading,
    slot: Slot,
    /// Whether a pause, or the grace after one, keeps liquidation off.
    paused: bool,
}

/// What is due for one account: the next only if the one before it fails.
struct Due {
    equity_atoms: i64,
    account: u32,
    tasks: Vec<(Task, Vec<Instruction>)>,
}

impl Liquidator {
    /// Brings the marks up to date, looks at every account and sends what is
    /// due, worst first. Returns what was sent.
    pub fn step<C: Chain>(&self, chain: &mut C) -> Vec<Step> {
        self.update_marks(chain);
        let Some(slab) = chain.data(&self.slab).as_deref().and_then(Snapshot::of) else {
            return Vec::new();
        };
        let mut due: Vec<_> = self.due(chain, &slab);
        due.sort_by_key(|due| (due.equity_atoms, due.account));
        let mut steps = Vec::new();
        for due in due {
            for (task, instructions) in due.tasks {
                let failure = chain.send(&instructions).err();
                let done = failure.is_none();
                steps.push(Step {
                    account: due.account,
                    task,
                    failure: failure.map(|failure| failure.to_string()),
                });
                if done {
                    break;
                }
            }
        }
        steps
    }

    /// Has every instrument take its oracle's price. Fails where it is not
    /// newer, which changes nothing.
    fn update_marks<C: Chain>(&self, chain: &mut C) {
        let Some(slab) = chain.data(&self.slab).as_deref().and_then(Snapshot::of) else {
            return;
        };
        for (number, instrument) in slab.instruments() {
            if instrument.has_oracle() {
                let oracle = Address::from(instrument.oracle);
                let _ = chain.send(&[slab::update_mark(&self.slab, &oracle, number)]);
            }
        }
    }

    /// What is due, per account.
    fn due<C: Chain>(&self, chain: &C, slab: &Snapshot) -> Vec<Due> {
        let open = |(_, account): &(u32, &SlabAccount)| account.flags & account_flags::OPEN != 0;
        let cases = slab
            .accounts()
            .filter(open)
            .filter_map(|(index, account)| self.case(chain, slab, index, account));
        let due = |case: Case<'_>| Due {
            equity_atoms: case.reading.health.equity_atoms,
            account: case.index,
            tasks: self.tasks(chain, &case),
        };
        cases.map(due).collect()
    }

    /// What is due for one account, margin from another slab first.
    fn tasks<C: Chain>(&self, chain: &C, case: &Case<'_>) -> Vec<(Task, Vec<Instruction>)> {
        let fetch = case.wants_from_others().then(|| {
            let source = Source::richest(chain, &case.portfolio, &case.escrow_key, &self.mint)?;
            let owner = Address::from(case.escrow.owner);
            let to = (&self.slab, &case.escrow_key);
            let mut fetch = source.instructions(&chain.payer(), &owner, to, &self.mint);
            fetch.push(slab::sync(&self.slab, &case.escrow_key, case.index as u16));
            Some((Task::Fetch, fetch))
        });
        let other = case.task();
        let other = other.map(|task| (task, self.instructions(chain, case, task)));
        fetch.flatten().into_iter().chain(other).collect()
    }

    /// Reads what belongs to an account; `None` when it is well and not frozen,
    /// or cannot be read.
    fn case<'a, C: Chain>(
        &self,
        chain: &C,
        slab: &'a Snapshot,
        index: u32,
        account: &'a SlabAccount,
    ) -> Option<Case<'a>> {
        let escrow_key = Address::from(account.escrow);
        let escrow: Escrow = record(chain, &escrow_key)?;
        let slot = Slot::from_clock(chain.slot());
        let reading = Reading::of(slab.bytes(), account, &escrow, slot).ok()?;
        if escrow.frozen == 0 && !reading.is_liquidatable() {
            return None;
        }
        Some(Case {
            slab,
            index,
            account,
            escrow_key,
            escrow,
            portfolio: record(chain, &address::portfolio(&Address::from(escrow.owner)))?,
            ledger: record(chain, &address::slab_ledger(&self.slab, &self.mint))?,
            ticket: record(chain, &address::ticket(&escrow_key)),
            reading,
            slot,
            paused: record(chain, &address::config())
                .is_none_or(|config: RouterConfig| !config.may_liquidate(slot)),
        })
    }

    /// The transaction for a task.
    fn instructions<C: Chain>(&self, chain: &C, case: &Case<'_>, task: Task) -> Vec<Instruction> {
        let (at, mint) = (&self.slab, &self.mint);
        let owner = Address::from(case.escrow.owner);
        let account = case.index as u16;
        let sync = slab::sync(at, &case.escrow_key, account);
        let records = LiquidationRecords {
            ticket: address::ticket(&case.escrow_key),
            portfolio: address::portfolio(&owner),
        };
        match task {
            Task::Begin => vec![router::begin_liquidation(&owner, at, mint), sync],
            // A fetch is built with its source.
            Task::Shift | Task::Fetch => vec![router::shift_margin(&owner, at, mint), sync],
            Task::Issue => vec![router::issue_ticket(&chain.payer(), &owner, at, mint), sync],
            Task::Sweep => vec![
                sync,
                slab::liquidation_call(at, &records, account, self.keeper, &[]),
            ],
            Task::Deleverage => {
                let found = case.counters();
                vec![sync, slab::deleverage(at, &records, account, &found)]
            }
            Task::Collect => vec![router::collect_fees(at, mint)],
            Task::Cover => vec![router::cover_bad_debt(&owner, at, mint), sync],
            Task::Sync => vec![sync],
            Task::Allocate => {
                let ledger = address::slab_ledger(at, mint);
                vec![slab::allocate_deficit(
                    at,
                    &case.escrow_key,
                    &ledger,
                    account,
                )]
            }
            Task::End => vec![router::end_liquidation(&owner, at, mint), sync],
        }
    }
}

impl Case<'_> {
    /// Whether other accounts of the owner are to give margin: free cash comes
    /// first, and one shift at a time.
    fn wants_from_others(&self) -> bool {
        let wanted = shift::wanted_atoms(&self.reading, &self.escrow, self.portfolio.cash_atoms);
        wanted > 0 && !self.portfolio.is_shift_out(self.slot)
    }

    /// What is due now, if anything.
    fn task(&self) -> Option<Task> {
        if self.escrow.frozen == 0 {
            return (!self.paused).then_some(Task::Begin);
        }
        if self.reading.is_restored() {
            return Some(Task::End);
        }
        if self.reading.is_bare {
            return self.debt_task();
        }
        if !self.reading.is_fresh {
            return None;
        }
        if self.escrow.consent_atoms().min(self.portfolio.cash_atoms) > 0 {
            return Some(Task::Shift);
        }
        if !self.reading.is_liquidatable() {
            // Its orders may be what keeps it from its initial margin.
            return (self.account.orders_count > 0).then_some(Task::Sync);
        }
        if self.slot < self.escrow.grace_until || self.paused {
            return None;
        }
        self.ticket_task()
    }

    /// What is due for positions under a ticket.
    fn ticket_task(&self) -> Option<Task> {
        let Some((ticket, _)) = self.ticket_left() else {
            return Some(Task::Issue);
        };
        let over = Slot(ticket.expiry_slot.0.saturating_add(DELEVERAGE_SLOTS.0));
        if self.slot <= ticket.expiry_slot {
            Some(Task::Sweep)
        } else if self.slot <= over {
            (!self.counters().is_empty()).then_some(Task::Deleverage)
        } else {
            Some(Task::Issue)
        }
    }

    /// The ticket that is out, and the lots that it leaves to close.
    fn ticket_left(&self) -> Option<(Ticket, u32)> {
        let ticket = self.ticket?;
        let runs = ticket.nonce != 0 && ticket.episode == self.portfolio.episode;
        let used = match self.account.ticket_nonce == ticket.nonce {
            true => self.account.ticket_lots_used,
            false => 0,
        };
        let held = reading::lots_in(self.slab.bytes(), self.account, ticket.instrument).ok()?;
        let left = ticket.lots_max.saturating_sub(used).min(held);
        (runs && left > 0).then_some((ticket, left))
    }

    /// Opposite positions for what the ticket leaves.
    fn counters(&self) -> Vec<u32> {
        self.ticket_left().map_or(Vec::new(), |(ticket, left)| {
            counters(self.slab, self.index, ticket.instrument, left)
        })
    }

    /// What is due for an account that owes and has nothing else.
    fn debt_task(&self) -> Option<Task> {
        let header = self.slab.header();
        if self.account.covered_seen_atoms != self.escrow.covered_total_atoms
            || !self.account.is_bankrupt()
        {
            return Some(Task::Sync);
        }
        if self.ledger.insurance_due_seen != header.insurance_due_total
            && self.ledger.backing_atoms > 0
        {
            return Some(Task::Collect);
        }
        let episode = self.portfolio.episode;
        if cover::payable_atoms(&self.ledger, &self.escrow, episode, self.slot) > 0 {
            return Some(Task::Cover);
        }
        let stood = self.slot.saturating_sub(self.account.warmup_slot) >= WARMUP_SLOTS;
        let profits = header.haircut_base_atoms() > 0;
        ((stood || self.ledger.insurance_atoms == 0) && profits).then_some(Task::Allocate)
    }
}
