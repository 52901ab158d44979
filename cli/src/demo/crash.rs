//! Part three: a crash, and the keeper's liquidation.

use super::story::{MARK, QUOTE, Story, say, ticks};
use super::tables::{self, Balance};
use crate::checks::{self, Check};
use crate::print::tell;
use crate::table::{money, numbers};
use crate::venue::{self, Chains};
use anyhow::{Context, Result, ensure};
use flagstone_keeper::{Liquidator, Task};
use flagstone_sdk::embedded::{Oracle, oracle_instrument};
use flagstone_sdk::interface::router::{SlabLedger, portfolio_status};
use flagstone_sdk::units::{Side, Ticks};
use flagstone_sdk::{router, slab};
use solana_signer::Signer;

const FRANK: usize = 0;
const GRACE: usize = 1;
const HEIDI: usize = 2;
const IVAN: usize = 3;

/// Lots that Frank buys with ten times what he pledges.
const LOTS: u32 = 200;
/// What Frank pledges, and what he leaves at the Router.
const PLEDGE: u64 = 2_300 * QUOTE;
const LEFT: u64 = 100 * QUOTE;
/// The others.
const DEEP: u64 = 50_000 * QUOTE;
/// What the operator puts into the slab's insurance.
const INSURANCE: u64 = 400 * QUOTE;
/// Where the price goes first, and then.
const FIRST: u32 = 9_300;
const SECOND: u32 = 8_000;
/// Slots between two looks of the keeper.
const LOOK: u64 = 5;
/// Slots without anything due after which the keeper is done: longer than a
/// debt stands before profits pay it.
const QUIET: u64 = 700;

struct Crash {
    story: Story,
    oracle: Oracle,
    price: u32,
}

/// Tells the story; `true` when the checks at its end hold.
///
/// # Errors
/// When a program is missing or a transaction failed that should not.
pub(super) fn tell(chains: &Chains) -> Result<bool> {
    tell!("\nPart three: a crash, and the keeper's liquidation\n");
    let mut crash = Crash::open(chains)?;
    tell!("1. A long position with leverage");
    crash.trade()?;
    let start = crash.moment()?;
    tell!("\n2. The price falls, and there are bids");
    crash.bids()?;
    crash.fall(FIRST)?;
    let fallen = crash.moment()?;
    crash.keep()?;
    let swept = crash.moment()?;
    crash.report(&[("before", &start), ("fallen", &fallen), ("swept", &swept)])?;
    ensure!(crash.status()? == portfolio_status::OPEN, "not restored");
    tell!("\n3. It falls on, and nobody bids");
    crash.no_bids()?;
    crash.fall(SECOND)?;
    let deep = crash.moment()?;
    crash.keep()?;
    let over = crash.moment()?;
    crash.report(&[("before", &swept), ("fallen", &deep), ("over", &over)])?;
    crash.check(&start, &over)
}

/// Where the money is, once.
struct Moment {
    people: Vec<Balance>,
    ledger: SlabLedger,
    /// Fees and dues that the slab kept so far, and what roundings left in its
    /// pools, in atoms.
    kept_atoms: i128,
    deficit_atoms: u64,
}

impl Crash {
    fn open(chains: &Chains) -> Result<Self> {
        let oracle = Oracle::new([0xfe; 32]);
        let params = oracle_instrument(Ticks(MARK), &oracle);
        let mut crash = Self {
            story: Story {
                exchange: venue::open(chains, &params)?,
                people: Vec::new(),
                steps: Vec::new(),
            },
            oracle,
            price: MARK,
        };
        for name in ["Frank", "Grace", "Heidi", "Ivan"] {
            crash.story.meet(name, 2 * DEEP)?;
        }
        crash.story.join(FRANK, PLEDGE + LEFT, PLEDGE)?;
        crash.story.join(GRACE, DEEP, DEEP)?;
        crash.story.join(HEIDI, DEEP, DEEP)?;
        crash.story.join(IVAN, QUOTE, QUOTE)?;
        crash.insure()?;
        crash.wait(1)?;
        Ok(crash)
    }

    /// The operator funds the insurance of the slab.
    fn insure(&mut self) -> Result<()> {
        let exchange = &mut self.story.exchange;
        let admin = exchange.admin.pubkey();
        let source = exchange.create_tokens(&admin, INSURANCE)?;
        let (slab, mint) = (exchange.slab, exchange.mint);
        let fund = router::fund_insurance(&admin, &slab, &mint, &source, INSURANCE);
        exchange.session.send(&[fund], &[&exchange.admin])?;
        Ok(())
    }

    /// Lets slots pass, and the slab take the oracle's price.
    fn wait(&mut self, slots: u64) -> Result<()> {
        let slab = self.story.exchange.slab;
        let session = &mut self.story.exchange.session;
        session.wait(slots);
        self.oracle.update(session, &slab, self.price)?;
        Ok(())
    }

    fn trade(&mut self) -> Result<()> {
        self.story.quote(GRACE, Side::Ask, MARK, LOTS)?;
        self.story.take(FRANK, Side::Bid, MARK, LOTS)?;
        say!(
            "Frank pledges {} and buys {LOTS} lots at {} from Grace; {} stay at the Router.",
            money(PLEDGE),
            ticks(MARK),
            money(LEFT)
        );
        say!("An oracle marks the instrument. Heidi has cash, Ivan runs the keeper, and the");
        say!(
            "  operator has put {} into the slab's insurance.",
            money(INSURANCE)
        );
        Ok(())
    }

    fn bids(&mut self) -> Result<()> {
        for at in 0..5 {
            self.story.quote(HEIDI, Side::Bid, FIRST - 10 - at, 40)?;
        }
        say!(
            "Heidi bids for 40 lots each at {} and the four ticks below.",
            ticks(FIRST - 10)
        );
        Ok(())
    }

    /// Heidi takes what is left of her bids back.
    fn no_bids(&mut self) -> Result<()> {
        let exchange = &mut self.story.exchange;
        let heidi = &self.story.people[HEIDI].member;
        let trader = heidi.trader.pubkey();
        let cancel = slab::cancel_all(&exchange.slab, &trader, heidi.account, None, None, 32);
        exchange.session.send(&[cancel], &[&heidi.trader])?;
        say!("Heidi cancels what is left of her bids.");
        Ok(())
    }

    /// The price falls at once; the mark follows as fast as it may.
    fn fall(&mut self, to: u32) -> Result<()> {
        self.price = to;
        let before = self.story.exchange.session.slot();
        while tables::mark(&self.story)? != to {
            self.wait(20)?;
        }
        say!(
            "The price falls to {}; the mark takes {} slots to follow.",
            ticks(to),
            self.story.exchange.session.slot() - before
        );
        Ok(())
    }

    /// The keeper looks every few slots until nothing has been due for long.
    fn keep(&mut self) -> Result<()> {
        let exchange = &self.story.exchange;
        let keeper = Liquidator {
            slab: exchange.slab,
            mint: exchange.mint,
            keeper: self.story.people[IVAN].member.account,
        };
        let start = exchange.session.slot();
        let (mut quiet, mut last) = (0, None);
        while quiet < QUIET {
            let session = &mut self.story.exchange.session;
            self.oracle.post(session, self.price);
            let at = session.slot() - start;
            let steps = keeper.step(session);
            quiet = if steps.is_empty() { quiet + LOOK } else { 0 };
            for step in steps {
                let told = (step.task, step.failure.is_some());
                if last != Some(told) {
                    say!("slot {at:>4}: {}", sentence(told));
                }
                last = Some(told);
            }
            self.story.exchange.session.wait(LOOK);
        }
        // Everyone learns of a haircut, and fees are booked.
        let exchange = &mut self.story.exchange;
        for person in &self.story.people {
            let member = &person.member;
            let sync = slab::sync(&exchange.slab, &member.escrow, member.account);
            exchange.session.send(&[sync], &[])?;
        }
        let collect = router::collect_fees(&exchange.slab, &exchange.mint);
        exchange.session.send(&[collect], &[])?;
        Ok(())
    }

    fn status(&self) -> Result<u8> {
        let frank = &self.story.people[FRANK].member;
        let portfolio = self.story.exchange.portfolio(frank);
        Ok(portfolio.context("Frank's portfolio is gone")?.status)
    }

    fn moment(&self) -> Result<Moment> {
        let exchange = &self.story.exchange;
        let read = |slab: &flagstone_sdk::engine::Slab<'_>| {
            let header = &slab.header;
            let pools =
                i128::from(header.haircut_pool_atoms) + i128::from(header.funding_pool_atoms);
            (header.deficit_atoms, pools)
        };
        let (deficit_atoms, pools) = exchange.session.with_slab(&exchange.slab, read)?;
        Ok(Moment {
            people: tables::balances(&self.story)?,
            ledger: exchange.ledger().context("the ledger is gone")?,
            kept_atoms: tables::fees(&self.story)? + pools,
            deficit_atoms,
        })
    }

    /// Everyone's balances and the exchange's, moment by moment.
    fn report(&self, moments: &[(&str, &Moment)]) -> Result<()> {
        for (name, moment) in moments {
            tell!("{name}\n{}", tables::people(&moment.people));
        }
        let mut headers = vec!["quote units"];
        headers.extend(moments.iter().map(|(name, _)| *name));
        let row = |name: &str, of: fn(&Moment) -> i128| {
            let cells = moments.iter().map(|(_, moment)| money(of(moment)));
            [vec![name.to_string()], cells.collect()].concat()
        };
        let rows = vec![
            row("backing of the slab", |it| it.ledger.backing_atoms.into()),
            row("insurance", |it| it.ledger.insurance_atoms.into()),
            row("insurance paid so far", |it| {
                it.ledger.covered_total.get() as i128
            }),
            row("fees of the slab's LP", |it| it.ledger.fees_atoms.into()),
            row("deficit", |it| it.deficit_atoms.into()),
        ];
        tell!("{}", numbers(&headers, rows));
        Ok(())
    }

    /// Every atom is somewhere, and nobody but Frank's counterpart paid for him.
    fn check(&self, start: &Moment, over: &Moment) -> Result<bool> {
        tell!("Checks");
        let exchange = &self.story.exchange;
        let mut found = exchange.session.with_slab(&exchange.slab, checks::slab)?;
        let sum =
            |moment: &Moment| -> i128 { moment.people.iter().map(Balance::equity_atoms).sum() };
        let covered = over.ledger.covered_total.get() as i128;
        let (before, after) = (sum(start) + start.kept_atoms, sum(over) + over.kept_atoms);
        found.push(Check::new(
            format!("equity: {after} after, with fees and roundings = {before} before + {covered} insurance"),
            after == before + covered,
        ));
        let vault = exchange.vault().context("the vault is gone")?;
        let ledger = &over.ledger;
        let cash: u64 = over.people.iter().map(|one| one.router_atoms).sum();
        let parts = [
            cash,
            ledger.backing_atoms,
            ledger.insurance_atoms,
            ledger.fees_atoms,
        ];
        let booked: u64 = parts.iter().sum();
        let tokens = exchange.vault_tokens();
        found.push(Check::new(
            format!(
                "vault: {tokens} tokens = {} booked = {booked} owned",
                vault.booked_atoms
            ),
            tokens == booked && vault.booked_atoms == booked,
        ));
        found.push(Check::new(
            format!(
                "Frank: {} at the Router, untouched",
                over.people[FRANK].router_atoms
            ),
            over.people[FRANK].router_atoms == LEFT && self.status()? == portfolio_status::OPEN,
        ));
        found.push(Check::new(
            format!("no deficit is left: {} atoms", over.deficit_atoms),
            over.deficit_atoms == 0 && covered > 0,
        ));
        Ok(checks::print(&found))
    }
}

/// What a step of the keeper means.
fn sentence((task, failed): (Task, bool)) -> &'static str {
    match (task, failed) {
        (Task::Begin, _) => "begin_liquidation: Frank is below maintenance margin, and frozen",
        (Task::Shift, _) => "shift_margin: free cash comes to the rescue",
        (Task::Fetch, _) => "issue_shift: margin at another slab comes to the rescue",
        (Task::Issue, _) => "issue_ticket: the grace is over",
        (Task::Sweep, false) => "liquidation_call: lots are sold into the bids",
        (Task::Sweep, true) => "liquidation_call: refused, no bid is inside the band",
        (Task::Deleverage, _) => "deleverage: the ticket expired; shorts in profit take over",
        (Task::Collect, _) => "collect_fees: dues to insurance are booked",
        (Task::Cover, _) => "cover_bad_debt: insurance pays a quarter of what it has",
        (Task::Sync, _) => "sync",
        (Task::Allocate, _) => "allocate_deficit: the rest is cut from profits",
        (Task::End, _) => "end_liquidation: margin covers what is left, and Frank is free",
    }
}
